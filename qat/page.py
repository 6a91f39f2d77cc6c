"""Writes `train.html`, the page of a training: its data, its front and the chosen network.

This file imports no PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

import numpy as np

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import device as device_of
from kan_dialect.flows.decisions import MAX_CLASSES
from kan_dialect.flows.layer_costs import layer_costs
from kan_dialect.flows.page import line_charts
from kan_dialect.flows.page.models import models_in
from kan_dialect.flows.page.network import edge_layers
from kan_dialect.flows.page.page import page_of, sizes_of
from kan_dialect.flows.page.sections import accuracy
from kan_dialect.flows.pictures.markup import Markup, tag
from kan_dialect.ir.attributes.data_schema import named_port
from kan_dialect.qat.judge import HeldOut
from kan_dialect.qat.options import UNNAMED, TrainingOptions
from kan_dialect.qat.results import Trained
from kan_dialect.qat.table import Table
from kan_dialect.quantity import quantity
from kan_dialect.search.precision.bits import bits_of
from kan_dialect.search.precision.network import read_chain, table_functions

PAGE = "train.html"
TEMPLATE = "qat/templates/train.html.j2"
BARS = 40
"""Most features that have a bar."""


def training_page(trained: Trained, options: TrainingOptions, table: Table) -> str:
    """The page of a training.

    Parameters
    ----------
    table : the samples that were learned from.
    """
    module, chosen = trained.network.module(), trained.chosen
    wires = trained.network.compile(target=options.target, level="wire").module()
    costs = layer_costs(next(wire_functions(wires)), device_of(options.target))
    layers = edge_layers(models_in(module), {"layers": costs})
    parts = {"held-out": chosen.held_out, "test": trained.test}
    known = {name: figures for name, figures in parts.items() if figures is not None}
    scores = [f"{name} {trained.score_name} {each.score:.4g}" for name, each in known.items()]
    summary = [sizes_of(layers)] if layers else []
    summary += [f"{chosen.luts} LUTs on {options.target}", *scores]
    return page_of(
        options.name or UNNAMED,
        " · ".join(summary),
        layers,
        {},
        leading=TEMPLATE,
        table_read=table,
        repeated=trained.repeated,
        changed=list(_changed(options)),
        figures=_figures(trained, known),
        figure_names=("", *known),
        front=_front(trained, options),
        qualities=[_quality(trained, name, each) for name, each in known.items()],
        class_rows=trained.class_rows() if trained.is_classes else None,
        curves=_curves(trained),
        features=_features(trained, costs),
    )


def _changed(options: TrainingOptions) -> Iterator[tuple[str, str]]:
    """Options and their values, where these are not the defaults."""
    default = TrainingOptions()
    groups = (
        (options, default),
        (options.schedule, default.schedule),
        (options.table, default.table),
    )
    for given, usual in groups:
        for each in fields(given):
            value: object = getattr(given, each.name)
            if each.name in ("name", "schedule", "table") or value == getattr(usual, each.name):
                continue
            several = cast("tuple[object, ...]", value if isinstance(value, tuple) else (value,))
            shown = "" if value is True else ",".join(map(str, several))
            yield f"--{each.name.replace('_', '-')}", shown


def _figures(trained: Trained, parts: Mapping[str, HeldOut]) -> list[tuple[str, ...]]:
    """Figures of the chosen network by samples."""
    every = list(parts.values())
    rows = [(trained.score_name, *(f"{each.score:.4g} ± {each.error:.2g}" for each in every))]
    explained = [trained.r2(each) for each in every]
    if explained[0] is not None:
        rows.append(("R²", *("" if each is None else f"{each:.4f}" for each in explained)))
    if trained.judge.is_threshold:
        name = f"threshold on the log odds of {trained.class_names[1]}"
        rows.append((name, *[f"{every[0].threshold:.4g}"] * len(every)))
    return rows


def _front(trained: Trained, options: TrainingOptions) -> dict[str, Any]:
    """Picture and rows of the front's networks, with the command that builds each."""
    points = [(each.luts, each.score, each.error) for each in trained.front]
    chosen = trained.front.index(trained.chosen)
    head, *rows = trained.rows()
    target = "" if options.target == TrainingOptions.target else f" --target {options.target}"
    shown: list[tuple[str | Markup, ...]] = []
    for index, (star, *cells) in enumerate(rows):
        base = f"front/{index}"
        build = f"kan-flow build {base}.mlir --calibration DATA{target} -o {base}"
        name = tag("a", f"{base}.mlir", href=f"{base}.mlir")
        page = tag("a", "page", href=f"{base}/report.html")
        shown.append((name, star, *cells, page, tag("code", build)))
    return {
        "picture": line_charts.front(points, chosen, trained.test_score, trained.score_name),
        "head": ("network", *head, "build", "command"),
        "rows": shown,
        "has_test": trained.test is not None,
    }


def _quality(trained: Trained, on: str, figures: HeldOut) -> dict[str, Any]:
    """Decisions or residuals on samples, as the page of a build has them."""
    report: dict[str, Any] = {"classes": trained.class_names}
    matrix, residuals = figures.confusion, figures.residuals
    if matrix is not None and len(matrix) <= MAX_CLASSES:
        found = {"integer": matrix.tolist()}
        share = float(np.trace(matrix) / matrix.sum())
        samples = {"on": on, "samples": int(matrix.sum())}
        report["accuracy"] = {**samples, "integer": share, "confusion": found}
    if residuals is not None:
        samples = {"on": on, "samples": sum(residuals["integer"]) // trained.network.shape[1]}
        report["regression"] = {**samples, "integer": {}, "residuals": residuals}
    return {"report": report, "found": accuracy(report)}


def _curves(trained: Trained) -> list[tuple[str, Markup]]:
    """Loss, LUTs and price over the steps of the last run."""
    steps, price, luts, loss = trained.curve.T
    curves = {"Loss": loss, "LUTs": luts, "Price of a LUT": price}
    return [(name, line_charts.curve(steps, values, name)) for name, values in curves.items()]


def _features(trained: Trained, costs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What edges read of each feature, those with most LUTs first; None where no chain is known.

    Parameters
    ----------
    costs : layers of the chosen network's wires, see `layer_costs`.
    """
    function = next(table_functions(trained.network.module()))
    chain = read_chain(function)
    if chain is None:
        return None
    edges: list[int] = chain.layers[0].kept.sum(axis=0).tolist()
    bits: list[int] = bits_of(chain).inputs.tolist()
    luts = dict.fromkeys((f"x{index}" for index in range(len(edges))), 0.0)
    for layer in costs:
        for row in layer.get("edge_luts", ()):
            for source, cost in zip(layer["inputs"], row, strict=True):
                if source in luts:
                    luts[source] += cost
    features = trained.schema.features
    names = [named_port(port, features[i] if features else "") for i, port in enumerate(luts)]
    every = list(zip(names, edges, bits, luts.values(), strict=True))
    read = sorted((each for each in every if each[1]), key=lambda each: (-each[3], -each[2]))
    rows = [
        (name, cost, f"{cost:.3g} LUTs, {quantity(count, 'edge')}, {quantity(width, 'bit')}")
        for name, count, width, cost in read[:BARS]
    ]
    return {
        "picture": line_charts.bars(rows, "LUTs by feature") if rows else None,
        "more": len(read) - len(rows),
        "rows": [(name, count, width, f"{cost:.3g}") for name, count, width, cost in read],
        "unread": [name for name, count, *_ in every if not count],
    }
