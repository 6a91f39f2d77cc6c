"""Rows and pictures of the page's sections, each from its part of the report.

The template `page.html.j2` has their words. A function gives None where the report has no such
part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypeAlias, TypeVar, cast

from kan_dialect.flows.page import charts
from kan_dialect.flows.part_fit import logic_unit
from kan_dialect.flows.pictures.markup import Markup
from kan_dialect.flows.report_ports import value_of
from kan_dialect.ir.attributes.data_schema import named_port

_Section = TypeVar("_Section", bound="Callable[[Report], Any]")

ROWS = 200
"""Most rows of a table of places or ports."""


Figures: TypeAlias = "dict[str, Any]"
"""Values of the template for a section."""

Report: TypeAlias = Mapping[str, Any]

SECTIONS: dict[str, Callable[[Report], Any]] = {}
"""What the template reads as `sections.NAME`, from the report."""

SHOWN = {
    *("name", "inputs", "outputs", "interval_cycles", "classes", "edges", "table_bits"),
    *("warnings", "simulation", "tools", "sources", "command"),
}
"""Keys of the report that the page shows; all others are in the list of further figures."""


def section(*keys: str) -> Callable[[_Section], _Section]:
    """Name a function of `SECTIONS`, and the keys of the report that it shows."""

    def add(rows: _Section) -> _Section:
        SECTIONS[rows.__name__] = rows
        SHOWN.update(keys)
        return rows

    return add


def columns(entries: Iterable[Mapping[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """A row of values for each entry, empty texts where it has none."""
    return [tuple(each.get(name, "") for name in names) for each in entries]


@section("stages", "layers", "estimate")
def cost(report: Report) -> Figures | None:
    """Lookup tables by pass, by layer and by kind."""
    stages = [each for each in report.get("stages", ()) if "luts" in each]
    layers: Sequence[Mapping[str, Any]] = report.get("layers", ())
    if not stages and not layers:
        return None
    estimate: Mapping[str, Any] = report.get("estimate", {})
    unit = logic_unit(estimate)
    total = sum(sum(layer["luts"].values()) for layer in layers)
    whole = estimate.get("core", estimate).get("luts", total)
    names = [each.get("pass", "as read") for each in stages]
    figures = ("luts", "registers", "levels", "delay_ns", "tables", "table_bits")
    return {
        "target": estimate.get("target", ""),
        "waterfall": charts.waterfall(
            [(name, each["luts"]) for name, each in zip(names, stages, strict=True)], unit
        )
        if stages
        else None,
        "stages": [
            (name, *row) for name, row in zip(names, columns(stages, *figures), strict=True)
        ],
        "bars": charts.layer_bars(layers, unit),
        "unit": unit,
        "whole": None if total == whole else whole,
        "layers": [
            (
                layer["name"],
                *(layer["luts"][kind] for kind in charts.KINDS),
                *(layer.get(key, "") for key in ("registers", "tables", "table_bits", "shapes")),
            )
            for layer in layers
        ],
    }


@section("fit")
def fit(report: Report) -> Figures | None:
    """The intervals and storages that were considered for a part."""
    figures = (
        "interval",
        "logic_words",
        "luts",
        "registers",
        "block_rams",
        "latency_ns",
        "samples_per_second",
    )
    entries: Sequence[Mapping[str, Any]] = report.get("fit", ())
    if not entries:
        return None
    rows = columns(entries, *figures)
    return {
        "picture": charts.part_shares(entries, report["estimate"]["part"]),
        "rows": [
            (*row, "yes" if each["fits"] else "no") for row, each in zip(rows, entries, strict=True)
        ],
    }


@section("schedule", "latency_cycles")
def schedule(report: Report) -> Figures | None:
    """Logic of each stage, and the registers behind it."""
    stages: Sequence[Mapping[str, Any]] = report.get("schedule", ())
    if not stages:
        return None
    longest = max(each["delay_ns"] for each in stages) or 1.0
    cycles = report["latency_cycles"]
    return {
        "intro": (
            f"{cycles} stages, each up to {longest:.2f} ns of logic; a bar spans a layer's logic "
            "in it."
            if cycles > 1
            else f"One stage with {longest:.2f} ns of logic."
        ),
        "picture": charts.stages(stages, longest),
        "rows": [
            (index, each["levels"], each["delay_ns"], each["register_bits"], _work(each))
            for index, each in enumerate(stages, 1)
        ],
    }


def _work(stage: Mapping[str, Any]) -> str:
    return ", ".join(f"{work['layer']} ({work['ops']} ops)" for work in stage["work"])


@section("accuracy", "regression", "float_engine", "max_abs_error", "mean_abs_error", "certificate")
def accuracy(report: Report) -> Figures | None:
    """Decisions or errors on samples, differences of integers and floats, and their bounds."""
    if not report.keys() & {"accuracy", "regression", "max_abs_error", "certificate"}:
        return None
    confusion = report.get("accuracy", {}).get("confusion")
    certificate = report.get("certificate", {})
    labels = _labels(report)
    return {
        "decisions": _decisions(confusion, report.get("classes", ())) if confusion else None,
        "regression": _regression(report["regression"]) if "regression" in report else None,
        "uncertified": certificate.get("none"),
        "bounds": [
            (
                labels.get(f"y{index}", f"y{index}"),
                *(_figure(output.get(key)) for key in ("observed", "bound_unsaturated", "bound")),
            )
            for index, output in enumerate(certificate.get("outputs", ())[:ROWS])
        ],
    }


def _decisions(found: Mapping[str, Sequence[Sequence[int]]], classes: Sequence[str]) -> Figures:
    """Confusion matrices by model, and the share of each class that is right."""
    per_class = {
        name: [row[label] / max(sum(row), 1) for label, row in enumerate(matrix)]
        for name, matrix in found.items()
    }
    real, integer = per_class.get("float"), per_class["integer"]
    names = [f"{i} {classes[i]}" if i < len(classes) else str(i) for i in range(len(integer))]
    shares = [(None if real is None else real[i], each) for i, each in enumerate(integer)]
    return {
        "confusions": [
            (name, charts.confusion(found[name], f"Confusion matrix of the {name} model", names))
            for name in ("integer", "float")
            if name in found
        ],
        "has_float": real is not None,
        "bars": charts.class_bars(shares, names),
        "rows": [
            (
                names[label],
                sum(found["integer"][label]),
                "" if real is None else f"{real[label]:.4f}",
                f"{integer[label]:.4f}",
                ", ".join(
                    f"{count} as {names[decided]}"
                    for decided, count in enumerate(found["integer"][label])
                    if count and decided != label
                ),
            )
            for label in range(len(integer))
        ],
    }


def _regression(entry: Mapping[str, Any]) -> Figures:
    """Errors against the targets, with their pictures."""
    models = tuple(name for name in ("float", "integer") if name in entry)
    labels = {"rmse": "RMSE", "r2": "R²", "max_error": "largest error"}
    residuals = entry.get("residuals")
    return {
        "models": models,
        "scatter": residuals and charts.scatter(residuals["points"]),
        "histogram": residuals and charts.histogram(residuals, "output less target"),
        "rows": [
            (label, *(_figure(entry[name].get(key)) for name in models))
            for key, label in labels.items()
            if key in entry["integer"]
        ],
    }


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


@section("codes", "saturation")
def codes(report: Report) -> Figures | None:
    """The use that samples make of the codes of inputs, nodes and outputs."""
    use, saturation = report.get("codes"), report.get("saturation", {})
    if use is None:
        return None
    found = saturation.get(use["on"], {})
    counts = {**found.get("inputs", {}), **found.get("nodes", {})}
    places = [
        (name, each)
        for kind in ("inputs", "nodes", "outputs")
        for name, each in use.get(kind, {}).items()
    ]
    places.sort(key=lambda each: -counts.get(each[0], 0))
    labels = _labels(report)
    intro = f"On {use['samples']} {use['on']} samples"
    if "saturated" in found:
        intro += f": an input or a node saturates in {found['saturated']} of them"
    return {
        "intro": f"{intro}.",
        "rows": [
            (labels.get(name, name), *_use(each), counts.get(name, "")) for name, each in places
        ],
    }


def _use(place: Mapping[str, Any]) -> tuple[Markup, str, str, int, str]:
    """Histogram, codes, codes that are reached, number of different ones, share of the range."""
    low, high, seen_low, seen_high = (
        place[key] for key in ("low", "high", "seen_low", "seen_high")
    )
    return (
        charts.strip(place),
        f"{low} .. {high}",
        f"{seen_low} .. {seen_high}",
        place["distinct"],
        f"{(seen_high - seen_low + 1) / (high - low + 1):.0%}",
    )


def _labels(report: Report) -> dict[str, str]:
    """Ports with the names of their features and classes: `x0 (alcohol)`."""
    return {
        port["name"]: named_port(port["name"], port.get("data_name", ""))
        for port in report.get("ports", ())
    }


@section("ports")
def ports(report: Report) -> list[tuple[Any, ...]]:
    """Ports of the network's module."""
    return [
        (
            port["name"],
            port.get("data_name", ""),
            port["direction"],
            port["bits"],
            f"{port['low']} .. {port['high']}" if "low" in port else "",
            value_of(port),
            "; ".join(_host_side(port)),
        )
        for port in report.get("ports", ())
    ]


def _host_side(port: Mapping[str, Any]) -> Iterator[str]:
    """What the host does in front of an input."""
    if "gain" in port:
        yield f"x · {port['gain']:.6g} + {port['offset']:.6g}"
    if "missing" in port:
        yield f"{port['missing']:g} for a missing value"


@section("checks")
def checks(report: Report) -> list[tuple[Any, ...]]:
    """What each pass claims, and the check of it."""
    return [
        (
            *row,
            "all inputs" if each.get("exhaustive") else each.get("note", ""),
            _figure(each.get("max_abs_difference")),
        )
        for each in report.get("checks", ())
        for row in columns([each], "pass", "claim", "samples", "nodes")
    ]


@section("synthesis", "pnr", "proof")
def tools(report: Report) -> list[tuple[str, list[tuple[str, str]]]]:
    """Title and figures of synthesis, place and route, and proof, as far as they were run."""
    names = {"synthesis": "Synthesis", "pnr": "Place and route", "proof": "Proof"}
    return [(title, list(_flat(report[key], ""))) for key, title in names.items() if key in report]


@section("properties")
def properties(report: Report) -> list[tuple[str, str, str, str]]:
    """Properties that were asked for: name, verdict, claim and figures."""
    known = ("name", "kind", "claim", "status", "seconds", "codes")
    return [
        (
            entry["name"],
            entry["status"],
            entry["claim"],
            ", ".join(f"{key} {figure}" for key, figure in entry.items() if key not in known),
        )
        for entry in report.get("properties", ())
    ]


@section()
def further(report: Report) -> list[tuple[str, str, str]]:
    """Keys of the report that no section shows, with their values and meanings."""
    known = schema()["properties"]
    return [
        (path, figure, _meaning(known, path))
        for key, value in report.items()
        if key not in SHOWN
        for path, figure in _flat(value, key)
    ]


@section("interface")
def interface(report: Report) -> str | None:
    """What the wrapper around the network's module is, in a sentence."""
    wrapper = report.get("interface")
    if wrapper is None:
        return None
    text = (
        f"{wrapper['name']}: module {wrapper['top']} in {wrapper['file']}, "
        f"{wrapper['latency_cycles']} cycles from a sample to its outputs"
    )
    if "buffer_words" in wrapper:
        text += f", {wrapper['buffer_words']} words of buffer"
    if "simulation" in wrapper:
        played = wrapper["simulation"]
        text += f"; {played['accesses']} accesses to registers without a mismatch"
        text += f" ({played['simulator']})"
    return f"{text}."


def register_rows(registers: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Registers of 32 bits on the bus."""
    return [
        (f"0x{each['offset']:02X}", each["name"], each["access"], each["meaning"].replace("`", ""))
        for each in registers
    ]


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The schema of the report."""
    return json.loads(files("kan_dialect.flows").joinpath("report.schema.json").read_text())


def _meaning(properties: Mapping[str, Any], path: str) -> str:
    """The description of a key by its path, `bits.before`."""
    part: Mapping[str, Any] = {"properties": properties}
    for name in path.split("."):
        while "items" in part:
            part = part["items"]
        other = part.get("additionalProperties")
        inner = part.get("properties", {}).get(name, other if isinstance(other, dict) else None)
        if inner is None:
            return _plain(part)
        part = cast("Mapping[str, Any]", inner)
    while "items" in part:
        part = part["items"]
    return _plain(part)


def _plain(part: Mapping[str, Any]) -> str:
    """A description without the links and marks of Markdown."""
    words = str(part.get("description", ""))
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", words).replace("`", "")


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Figures by path; lists stand in a line."""
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield from _flat(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        line = json.dumps(value, ensure_ascii=False)
        yield path, line if len(line) < 200 else f"{line[:199]}…"
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)
