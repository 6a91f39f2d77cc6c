"""HTML that notebooks show of networks and builds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, cast

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import XCUP
from kan_dialect.errors import KanError
from kan_dialect.flows.pictures import edge_picture, network_picture
from kan_dialect.lowering.estimate import estimate_design
from kan_dialect.model.interface import Port
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.quantity import quantity
from kan_dialect.shown import html_table


def network_page(module: ModuleOp, wires: ModuleOp | None) -> str:
    """A network: level, layers, ports and, where wires are known, what they cost."""
    model = Model.of(module)
    rows = [("level", model.level)]
    for index, op in enumerate(op for op in module.walk() if isinstance(op, NodeSumOp)):
        mask = op.mask_array
        nodes, inputs = mask.shape
        kept = int(mask.sum())
        edges = quantity(kept, "edge") if kept == mask.size else f"{kept} of {mask.size} edges"
        rows.append((f"layer {index}", f"{inputs} → {nodes}, {edges}"))
    if model.has_codes:
        inputs, outputs = model.ports()
        rows += [("inputs", _ports(inputs)), ("outputs", _ports(outputs))]
    circuit = module if any(wire_functions(module)) else wires
    if circuit is not None:
        rows.append((f"estimate, {XCUP.name}", _cost(circuit)))
    return _picture(lambda: network_picture(model)) + html_table(model.name, rows)


def edge_page(model: Model, edge: str) -> str:
    """An edge: its function, and its table where it has one."""
    return _picture(lambda: edge_picture(model, edge)) or escape(edge)


def build_page(folder: Path, report: Mapping[str, Any]) -> str:
    """A build: the figures of its report."""
    rows: list[tuple[str, str]] = []
    for key, value in report.items():
        if isinstance(value, str | int | float):
            rows.append((key.replace("_", " "), str(value)))
        elif isinstance(value, Mapping) and key not in ("sources", "tools"):
            figures = cast("Mapping[str, object]", value)
            shown = [f"{k} {v}" for k, v in figures.items() if isinstance(v, str | int | float)]
            if shown:
                rows.append((key.replace("_", " "), ", ".join(shown)))
    return html_table(str(folder), rows)


def _picture(draw: Callable[[], str]) -> str:
    """What `draw` draws; empty where there is nothing to draw."""
    try:
        return f"<div>{draw()}</div>"
    except KanError:  # of hardware, or of edges of several vectors
        return ""


def _ports(ports: Sequence[Port]) -> str:
    widths = sorted({port.width for port in ports})
    span = f"{widths[0]}" if len(widths) == 1 else f"{widths[0]} to {widths[-1]}"
    return f"{quantity(len(ports), 'port')} of {span} bits"


def _cost(circuit: ModuleOp) -> str:
    try:
        found = estimate_design(next(wire_functions(circuit)), XCUP)
    except KanError as error:
        return str(error)
    return (
        f"{found.luts} LUTs, {found.registers} registers, {quantity(found.levels, 'level')} of "
        f"logic, {found.period_ns:.2f} ns"
    )
