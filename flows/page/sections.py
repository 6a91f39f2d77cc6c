"""Sections of the page, each from its part of the report; None where it has no such part."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast

from kan_dialect.flows.page import charts
from kan_dialect.flows.page.tables import behind, table
from kan_dialect.flows.pictures.markup import Child, Markup, tag
from kan_dialect.flows.report_ports import value_of
from kan_dialect.ir.attributes.data_names import named_port

SHOWN = frozenset(
    {
        *(
            "name",
            "inputs",
            "outputs",
            "latency_cycles",
            "classes",
            "ports",
            "accuracy",
            "regression",
            "edges",
        ),
        *("float_engine", "max_abs_error", "mean_abs_error", "certificate", "table_bits", "codes"),
        *("saturation", "estimate", "checks", "simulation", "synthesis", "pnr", "proof", "layers"),
        *("warnings", "tools", "sources", "command", "stages", "schedule", "interface"),
    }
)
"""Keys of the report that have a section; all others are in the list of further figures."""

ROWS = 200
"""Most rows of a table of places or ports."""


def section(anchor: str, title: str, *children: Child, intro: str | None = None) -> Markup:
    """A section with its heading."""
    return tag(
        "section",
        tag("h2", title, id=f"{anchor}-title"),
        tag("p", intro, class_="intro") if intro else None,
        *children,
        id=anchor,
        aria_labelledby=f"{anchor}-title",
    )


def warnings(report: Mapping[str, Any]) -> Markup | None:
    """What the build warned of."""
    found: Sequence[str] = report.get("warnings", ())
    if not found:
        return None
    return tag(
        "aside",
        tag("h2", "Warnings"),
        tag("ul", [tag("li", each) for each in found]),
        class_="warnings",
        aria_label="Warnings",
    )


def cost(report: Mapping[str, Any]) -> Markup | None:
    """Cost by pass and by layer and kind."""
    stages = [each for each in report.get("stages", ()) if "luts" in each]
    layers: Sequence[Mapping[str, Any]] = report.get("layers", ())
    if not stages and not layers:
        return None
    target = report.get("estimate", {}).get("target", "")
    parts: list[Child] = []
    if stages:
        steps = [(each.get("pass", "as read"), each["luts"]) for each in stages]
        parts += [
            tag("h3", "By pass"),
            charts.waterfall(steps, "LUTs"),
            behind(
                "The passes as a table",
                table(
                    ("pass", "LUTs", "registers", "levels", "delay, ns", "tables", "table bits"),
                    [
                        (
                            each.get("pass", "as read"),
                            *(each[key] for key in ("luts", "registers", "levels", "delay_ns")),
                            each.get("tables", ""),
                            each.get("table_bits", ""),
                        )
                        for each in stages
                    ],
                    f"The estimate for {target} after each pass",
                    numbers=range(1, 7),
                    codes=(0,),
                ),
            ),
        ]
    if layers:
        parts += [
            tag("h3", "By layer and kind"),
            _key(
                ("k-tables", "tables, and adders that absorb some"),
                ("k-adders", "adders"),
                ("k-clamps", "saturation and rounding"),
                ("k-other", "other"),
            ),
            charts.layer_bars(layers),
            _shared(layers, report),
            behind("The layers as a table", _layer_table(layers)),
        ]
    intro = f"Lookup tables for {target}, by the compiler's estimate."
    return section("cost", "Cost", *parts, intro=intro)


def _shared(layers: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> Markup | None:
    total = sum(sum(layer["luts"].values()) for layer in layers)
    estimate: Mapping[str, Any] = report.get("estimate", {})
    whole = estimate.get("core", estimate).get("luts", total)
    if total == whole:
        return None
    return tag("p", f"Layers share logic: together they take {whole:,} LUTs.", class_="hint")


def _layer_table(layers: Sequence[Mapping[str, Any]]) -> Markup:
    return table(
        ("layer", *charts.KINDS, "registers", "tables", "table bits"),
        [
            (
                layer["name"],
                *(layer["luts"][kind] for kind in charts.KINDS),
                layer["registers"],
                layer["tables"],
                layer["table_bits"],
            )
            for layer in layers
        ],
        "LUTs by kind; registers and tables",
        numbers=range(1, 8),
        codes=(0,),
    )


def _key(*entries: tuple[str, str]) -> Markup:
    return tag(
        "ul",
        [tag("li", tag("span", class_=f"swatch {kind}"), words) for kind, words in entries],
        class_="key",
    )


def schedule(report: Mapping[str, Any]) -> Markup | None:
    """The stages between registers."""
    stages: Sequence[Mapping[str, Any]] = report.get("schedule", ())
    if not stages:
        return None
    longest = max(each["delay_ns"] for each in stages) or 1.0
    cycles = report["latency_cycles"]
    intro = (
        f"{cycles} stages, each up to {longest:.2f} ns of logic; a bar spans a layer's logic in it."
        if cycles > 1
        else f"One stage with {longest:.2f} ns of logic."
    )
    rows = [
        (index, each["levels"], each["delay_ns"], each["register_bits"], _work(each))
        for index, each in enumerate(stages, 1)
    ]
    return section(
        "schedule",
        "Schedule",
        tag("div", charts.stages(stages, longest), class_="wide"),
        behind(
            "The stages as a table",
            table(
                ("stage", "levels", "delay, ns", "register bits", "work"),
                rows,
                "Stages of logic, and the registers behind each",
                numbers=(0, 1, 2, 3),
            ),
        ),
        intro=intro,
    )


def _work(stage: Mapping[str, Any]) -> str:
    return ", ".join(f"{work['layer']} ({work['ops']} ops)" for work in stage["work"])


def accuracy(report: Mapping[str, Any]) -> Markup | None:
    """Decisions by class, or residuals; and the certificate."""
    parts: list[Child] = []
    entry: Mapping[str, Any] | None = report.get("accuracy")
    regression: Mapping[str, Any] | None = report.get("regression")
    confusion = None if entry is None else entry.get("confusion")
    if entry is not None and confusion:
        parts += _decisions(entry, confusion, report.get("classes", ()))
    elif entry is not None:
        parts.append(tag("p", f"{entry['integer']:.2%} of {entry['samples']} samples are right."))
    if regression is not None:
        parts += _regression(regression)
    parts += _differences(report)
    if not parts:
        return None
    return section("accuracy", "Accuracy", *parts)


def _decisions(
    entry: Mapping[str, Any], found: Mapping[str, Sequence[Sequence[int]]], classes: Sequence[str]
) -> list[Child]:
    per_class = {
        name: [row[label] / max(sum(row), 1) for label, row in enumerate(matrix)]
        for name, matrix in found.items()
    }
    real = per_class.get("float")
    integer = per_class["integer"]
    samples = [sum(row) for row in found["integer"]]
    names = [f"{i} {classes[i]}" if i < len(classes) else str(i) for i in range(len(samples))]
    figures = [(None if real is None else real[i], each) for i, each in enumerate(integer)]
    pictures: list[Child] = [
        tag(
            "figure",
            tag("figcaption", f"Decisions of the {'integer' if n == 'integer' else 'float'} model"),
            charts.confusion(found[n], f"Confusion matrix of the {n} model", names),
        )
        for n in ("integer", "float")
        if n in found
    ]
    pictures.append(
        tag(
            "figure",
            tag("figcaption", "Accuracy by class"),
            _key(("integer", "integer"), *((("float", "float"),) if real else ())),
            charts.class_bars(figures, names),
        )
    )
    rows = [
        (
            names[label],
            samples[label],
            "" if real is None else f"{real[label]:.4f}",
            f"{integer[label]:.4f}",
            ", ".join(
                f"{count} as {names[decided]}"
                for decided, count in enumerate(found["integer"][label])
                if count and decided != label
            ),
        )
        for label in range(len(integer))
    ]
    return [
        tag("p", f"{entry['samples']} {entry['on']} samples.", class_="intro"),
        tag("div", pictures, class_="figures"),
        behind(
            "The classes as a table",
            table(
                ("class", "samples", "float", "integer", "integer model takes"),
                rows,
                "Share of each class that is right, and what the others are taken for",
                numbers=(0, 1, 2, 3),
            ),
        ),
    ]


def _regression(entry: Mapping[str, Any]) -> list[Child]:
    models = [name for name in ("float", "integer") if name in entry]
    labels = {"rmse": "RMSE", "r2": "R²", "max_error": "largest error"}
    rows = [
        (labels[key], *(_figure(entry[name].get(key)) for name in models))
        for key in labels
        if key in entry["integer"]
    ]
    parts: list[Child] = [tag("p", f"{entry['samples']} {entry['on']} samples.", class_="intro")]
    residuals = entry.get("residuals")
    if residuals is not None:
        both = (("integer", "integer"), *((("float", "float"),) if "float" in residuals else ()))
        parts.append(
            tag(
                "div",
                tag(
                    "figure",
                    tag("figcaption", "Outputs over targets"),
                    _key(*both),
                    charts.scatter(residuals["points"]),
                ),
                tag(
                    "figure",
                    tag("figcaption", "Residuals: output less target"),
                    _key(("integer", "integer"), *((("outline", "float"),) * (len(both) > 1))),
                    charts.histogram(residuals, "output less target"),
                ),
                class_="figures",
            )
        )
    parts.append(table(("", *models), rows, "Errors against the targets", numbers=(1, 2)))
    return parts


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _differences(report: Mapping[str, Any]) -> list[Child]:
    """Integer against float outputs: seen, and bounded by the certificate."""
    parts: list[Child] = []
    if "max_abs_error" in report:
        engine = report.get("float_engine", "the imported network")
        parts.append(
            tag(
                "p",
                f"Outputs of integers differ from those of {engine} by at most "
                f"{report['max_abs_error']:.4g}, by {report['mean_abs_error']:.4g} on average.",
            )
        )
    entry = report.get("certificate")
    if entry is None:
        return parts
    if "none" in entry:
        return [*parts, tag("p", f"No certificate: {entry['none']}.", class_="hint")]
    labels = _labels(report)
    rows = [
        (
            labels.get(f"y{index}", f"y{index}"),
            *(_figure(output.get(key)) for key in ("observed", "bound_unsaturated", "bound")),
        )
        for index, output in enumerate(entry["outputs"][:ROWS])
    ]
    parts.append(
        behind(
            "The certificate: bounds of this difference",
            table(
                ("output", "seen", "bound where nothing saturates", "bound for all inputs"),
                rows,
                "Largest difference of integer and float outputs, for inputs in the calibrated box"
                + rest(len(entry["outputs"])),
                numbers=(1, 2, 3),
                codes=(0,),
            ),
        )
    )
    return parts


def codes(report: Mapping[str, Any]) -> Markup | None:
    """Saturation and use of codes."""
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
    rows = [
        (
            labels.get(name, name),
            charts.strip(each),
            f"{each['low']} .. {each['high']}",
            f"{each['seen_low']} .. {each['seen_high']}",
            each["distinct"],
            f"{(each['seen_high'] - each['seen_low'] + 1) / (each['high'] - each['low'] + 1):.0%}",
            counts.get(name, ""),
        )
        for name, each in places[:ROWS]
    ]
    samples = use["samples"]
    saturated = found.get("saturated")
    intro = f"On {samples} {use['on']} samples"
    if saturated is not None:
        intro += f": an input or a node saturates in {saturated} of them"
    return section(
        "codes",
        "Codes",
        table(
            (
                "place",
                "samples over the range",
                "codes",
                "reached",
                "different",
                "of range",
                "saturate",
            ),
            rows,
            "Codes of inputs, nodes and outputs; those that saturate most first"
            + rest(len(places)),
            numbers=(2, 3, 4, 5, 6),
            codes=(0,),
        ),
        intro=intro + ".",
    )


def _labels(report: Mapping[str, Any]) -> dict[str, str]:
    """Ports with the names of their features and classes: `x0 (alcohol)`."""
    return {
        port["name"]: named_port(port["name"], port.get("data_name", ""))
        for port in report.get("ports", ())
    }


def rest(count: int) -> str:
    """What a caption says of rows beyond `ROWS`."""
    return f"; {count - ROWS} further ones not shown" if count > ROWS else ""


def ports(report: Mapping[str, Any]) -> Markup | None:
    """The ports of the module."""
    found: Sequence[Mapping[str, Any]] = report.get("ports", ())
    if not found:
        return None
    rows = [
        (
            port["name"],
            port.get("data_name", ""),
            port["direction"],
            port["bits"],
            f"{port['low']} .. {port['high']}" if "low" in port else "",
            value_of(port),
            f"x · {port['gain']:.6g} + {port['offset']:.6g}" if "gain" in port else "",
        )
        for port in found[:ROWS]
    ]
    return section(
        "ports",
        "Ports",
        table(
            ("port", "data", "direction", "bits", "codes", "value", "host scales"),
            rows,
            f"Ports of {report['name']}, in its order" + rest(len(found)),
            numbers=(3, 4),
            codes=(0, 5, 6),
        ),
    )


def checks(report: Mapping[str, Any]) -> Markup | None:
    """The passes and how each was checked."""
    found: Sequence[Mapping[str, Any]] = report.get("checks", ())
    if not found:
        return None
    rows = [
        (
            each["pass"],
            each["claim"],
            each.get("samples", ""),
            each.get("nodes", ""),
            "all inputs" if each.get("exhaustive") else each.get("note", ""),
            _figure(each.get("max_abs_difference")),
        )
        for each in found
    ]
    return section(
        "checks",
        "Checks",
        table(
            ("pass", "claim", "samples", "nodes", "", "largest difference"),
            rows,
            "What each pass claims, and the samples on which both sides of it were compared",
            numbers=(2, 3, 5),
            codes=(0,),
        ),
        _simulation(report),
    )


def _simulation(report: Mapping[str, Any]) -> Markup | None:
    found = report.get("simulation")
    if found is None:
        return None
    return tag(
        "p",
        f"{found['simulator']}: {found['vectors']:,} vectors, {found['mismatches']} mismatches.",
    )


def tools(report: Mapping[str, Any]) -> Markup | None:
    """Figures of synthesis, place and route, and proof."""
    parts: list[Child] = []
    names = {"synthesis": "Synthesis", "pnr": "Place and route", "proof": "Proof"}
    for key, title in names.items():
        if key in report:
            rows = list(_flat(report[key], ""))
            parts.append(tag("div", table(("figure", "value"), rows, title, codes=(0,))))
    if not parts:
        return None
    return section("tools", "Tools", tag("div", parts, class_="figures"))


def further(report: Mapping[str, Any]) -> Markup | None:
    """All parts of the report that have no section, with what its schema says they are."""
    rows: list[Sequence[Child]] = []
    known = schema()["properties"]
    for key, value in report.items():
        if key in SHOWN:
            continue
        for path, figure in _flat(value, key):
            rows.append((path, figure, _meaning(known, path)))
    if not rows:
        return None
    caption = "Further keys of report.json" + rest(len(rows))
    return section(
        "further",
        "Further figures",
        table(("key", "value", "meaning"), rows[:ROWS], caption, codes=(0,)),
    )


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


def origin(report: Mapping[str, Any]) -> Markup:
    """The command, the files that it read, versions."""
    parts: list[Child] = []
    if "command" in report:
        parts += [
            tag("p", "This command made the folder; its paths are those of where it ran."),
            tag("pre", tag("code", report["command"])),
        ]
    parts += [
        tag("p", "In the folder:"),
        tag("pre", tag("code", "\n".join(_commands(report)))),
    ]
    sources: Mapping[str, Mapping[str, str]] = report.get("sources", {})
    rows = [(what, each["file"], each["sha256"]) for what, each in sources.items()]
    if rows:
        parts.append(
            table(("source", "file", "SHA-256"), rows, "Files that were read", codes=(1, 2))
        )
    versions = list(report.get("tools", {}).items())
    parts.append(table(("tool", "version"), versions, "Versions", codes=(1,)))
    return section("origin", "Origin", *parts)


def _commands(report: Mapping[str, Any]) -> Iterator[str]:
    if "training" in report:
        yield "kan-flow train-sim . --data D.npz  # train it on samples, in simulation"
    else:
        yield "kan-flow simulate .                # simulate it on other vectors (--inputs D.npz)"
    yield "kan-flow prove . --report          # prove it equal to the integer model"
    yield "kan-flow synth .                   # area, by Yosys"
    yield "kan-flow pnr .                     # clock frequency, by nextpnr"
    yield "kan-flow report .                  # this page again"
