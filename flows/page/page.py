"""Writes `report.html`, the page of a build, and pages of models that are not built.

The page is one file: style, program and data are in it. It is complete
without its program, which adds what hovering, choosing and keys show.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError
from markupsafe import Markup
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from kan_dialect import __version__
from kan_dialect.errors import KanError
from kan_dialect.files.folder_ownership import not_as_written
from kan_dialect.files.growing_folder import write_listed
from kan_dialect.files.templates import filled_html
from kan_dialect.flows.folder_owners import BUILT, changed_files
from kan_dialect.flows.page import sections
from kan_dialect.flows.page.models import models_in, models_of
from kan_dialect.flows.page.network import drawn_network, edge_layers, network_data
from kan_dialect.flows.page.sample_fields import bits_of
from kan_dialect.flows.page.verdicts import verdicts
from kan_dialect.flows.pictures.layers import LayerEdges
from kan_dialect.flows.pictures.markup import as_html
from kan_dialect.flows.pictures.standalone import drawing_css
from kan_dialect.flows.report import read_report
from kan_dialect.flows.report_ports import bus_text
from kan_dialect.model.model import Model
from kan_dialect.quantity import quantity

NAME = "report.html"
REPORT = "report.json"

_LOG = logging.getLogger(__name__)


def build_page(folder: Path, report: Mapping[str, Any], context: Context | None = None) -> str:
    """The page of the build in a folder.

    Parameters
    ----------
    report : the content of `report.json`.
    context : has the dialects of the build; None: those that are installed.
    """
    layers = edge_layers(models_of(folder, report, context), report)
    return page_of(
        report["name"],
        _summary(report, layers),
        layers,
        report,
        verdicts=verdicts(report),
        sources=[
            (what, each["file"], each["sha256"]) for what, each in report.get("sources", {}).items()
        ],
    )


def model_page(module: ModuleOp) -> str:
    """The page of a model that is not built: its network.

    Raises
    ------
    KanError : it has no edges that are functions of one input each.
    """
    model = Model.of(module)
    layers = edge_layers(models_in(module), {})
    if not layers:
        raise KanError(
            f"@{model.name} of {model.level} level has no edges to show",
            remedy="show the model, or IR of spline or table level",
        )
    summary = f"{sizes_of(layers)}, {model.level} level; not built"
    kept = sum(int(layer.kept.sum()) for layer in layers)
    rows = [(layer.name, *reversed(layer.shape), int(layer.kept.sum())) for layer in layers]
    shown = {"rows": rows, "caption": f"{kept} edges"}
    return page_of(model.name, summary, layers, {}, layer_figures=shown)


def write_page(folder: Path, report: Mapping[str, Any], context: Context | None = None) -> None:
    """Write the page into the folder of a build that is being made, with the build's dialects."""
    (folder / NAME).write_text(build_page(folder, report, context), encoding="utf-8")


def render_again(folder: Path) -> Path:
    """Write the page of a build anew, from its report and its IR.

    Returns
    -------
    Its path.

    Raises
    ------
    KanError : there is no report, the page cannot be written, or the report, or a file whose
        results it has, has changed since the build.
    """
    path = folder / NAME
    changed = changed_files(folder, REPORT, "ir/*", "rtl/*", "vhdl/*")
    there = [name for name in changed if (folder / name).exists()]
    if there:  # the results in the report are of other files
        raise not_as_written(folder, BUILT, there, "run kan-flow build again")
    write_listed(folder, BUILT, NAME, _page_again(folder))
    return path


def _page_again(folder: Path) -> str:
    """The page of a folder's build.

    Raises
    ------
    KanError : there is no report, or it lacks what a report of this version has.
    """
    report = read_report(folder / REPORT)
    try:
        return build_page(folder, report)
    except (LookupError, AttributeError, TypeError, ValueError, UndefinedError) as error:
        raise KanError(
            f"{folder / REPORT} does not follow the schema of reports ({error!r})",
            remedy="run kan-flow build again",
        ) from None


def update_page(report: Path) -> None:
    """Write a build's page anew after its report has changed.

    A folder without a page gets none. A report of another version leaves the page as it is, with a
    warning: its figures are noted all the same.

    Parameters
    ----------
    report : `report.json` of the build.
    """
    path = report.parent / NAME
    if not path.is_file():
        return
    try:
        render_again(report.parent)
    except KanError as error:
        _LOG.warning("%s is left as it was: %s", path, error)


def sizes_of(layers: Sequence[LayerEdges]) -> str:
    """Sizes of inputs and layers: `13 → 3 → 3`."""
    sizes = [layers[0].shape[1], *(layer.shape[0] for layer in layers)]
    return " → ".join(map(str, sizes))


def _summary(report: Mapping[str, Any], layers: Sequence[LayerEdges]) -> str:
    inputs, outputs = report["inputs"], report["outputs"]
    parts = [
        sizes_of(layers)
        if layers
        else f"{quantity(inputs, 'input')}, {quantity(outputs, 'output')}"
    ]
    edges = report.get("edges")
    if edges is not None and edges["total"]:
        parts.append(f"{edges['kept']:,} of {edges['total']:,} edges")
    if "table_bits" in report:
        parts.append(f"{report['table_bits']:,} bits of tables")
    if "training" in report:
        parts.append("trains itself")
    if "estimate" in report:
        parts.append(report["estimate"]["target"])
    return " · ".join(parts)


def page_of(
    name: str,
    summary: str,
    layers: Sequence[LayerEdges],
    report: Mapping[str, Any],
    **shown: object,
) -> str:
    """Fill the template.

    Parameters
    ----------
    layers : of the network that is drawn; without any, none is.
    report : that of the build; empty for a model that is not built.
    shown : values of the template for this kind of page. `leading` is the template, as a path in
        the package, of sections before that of the network.
    """
    data = network_data(layers) if layers else {}
    # Escaped, so that no text in the data ends the script element.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return filled_html(
        "flows/page/templates/page.html.j2",
        as_html,
        name=name,
        summary=summary,
        report=report,
        drawn=drawn_network(layers) if layers else None,
        style=Markup(drawing_css() + _part("page.css")),
        data=Markup(text),
        program=Markup(_part("page.js")),
        version=__version__,
        most_rows=sections.ROWS,
        columns=sections.columns,
        register_rows=sections.register_rows,
        bits_of=bits_of,
        bus_text=bus_text,
        sections={name: rows(report) for name, rows in sections.SECTIONS.items()},
        **{"verdicts": None, "layer_figures": None, "leading": None, **shown},
    )


def _part(name: str) -> str:
    return files("kan_dialect.flows.page").joinpath(name).read_text(encoding="utf-8")
