"""The picture of a node's sum at wire level: tables, adders with their widths, registers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, SSAValue

from kan_dialect.analysis.nodes import wire_nodes
from kan_dialect.errors import KanError
from kan_dialect.flows.pictures.markup import Child, box, label, line, tag
from kan_dialect.flows.pictures.standalone import Picture, heading, picture_of, scale, shades_of
from kan_dialect.ir.types import range_of
from kan_dialect.ir.wire_operation import WireOp
from kan_dialect.model.model import Model
from kan_dialect.ops.wire import ConstantOp, DelayOp, ExtractOp
from kan_dialect.quantity import quantity


@dataclass
class TreeItem:
    """A value in the tree of a sum."""

    kind: str
    """`input`, or the op that computes it: `table`, `sum`, `clamp`."""
    name: str
    """`layer0_edge3_5_part0`, `x5[5:2]`, or what the op does."""
    bits: int
    low: int
    high: int
    terms: list[int]
    """Places of the items that it reads, in the list of items."""
    column: int = 0
    row: float = 0.0


def adder_tree_picture(module: ModuleOp | Model, node: str) -> Picture:
    """Draw how a node of wire level is summed up, as SVG.

    Parameters
    ----------
    node : its name, `layer0_node3`.

    Raises
    ------
    KanError : the module is not of wire level, or the node does not exist.
    """
    model = module if isinstance(module, Model) else Model.of(module)
    return _draw(node, adder_tree(model, node))


def adder_tree(model: Model, node: str) -> list[TreeItem]:
    """The values of a node's sum, terms before what reads them; the node is the last one.

    Raises
    ------
    KanError : the model is not of wire level, or the node does not exist.
    """
    if model.level != "wire" or not isinstance(model.op, func.FuncOp):
        raise KanError(
            f"@{model.name} is of {model.level} level, which has no adders to draw",
            remedy="run kan-expand-wires first, or kan-compile and stop before lower-kan-to-hw",
        )
    nodes = {mark.node.data: mark.value for mark in wire_nodes(model.op)}
    if node not in nodes:
        ends = f"nodes are {next(iter(nodes))} to {list(nodes)[-1]}" if nodes else None
        raise KanError(f"there is no node {node!r} that a value holds", remedy=ends)
    others = {value: name for name, value in nodes.items() if value is not nodes[node]}
    tree = _Tree(others)
    tree.visit(nodes[node])
    return tree.items


class _Tree:
    """Collects items, and gives them columns and rows."""

    def __init__(self, sources: dict[SSAValue, str]) -> None:
        self.sources = sources
        self.items: list[TreeItem] = []
        self.known: dict[SSAValue, int] = {}
        self.rows = 0

    def visit(self, value: SSAValue) -> int:
        if value in self.known:
            return self.known[value]
        kind, name = self.describe(value)
        terms: list[int] = []
        if kind not in ("input", "constant", "table") or not self.is_leaf(value):
            assert not isinstance(value.owner, Block)
            terms = [self.visit(each) for each in value.owner.operands]
        width = range_of(value)
        item = TreeItem(kind, name, width.bits, width.low, width.high, terms)
        if terms:
            below = [self.items[index] for index in terms]
            item.column = 1 + max(each.column for each in below)
            item.row = float(np.mean([each.row for each in below]))
        else:
            item.row = float(self.rows)
            self.rows += 1
        self.known[value] = len(self.items)
        self.items.append(item)
        return self.known[value]

    def source(self, value: SSAValue) -> str | None:
        """The name of an input or another node, of bits of it, or of it in a later cycle."""
        if value in self.sources:
            return self.sources[value]
        owner = value.owner
        if isinstance(owner, Block):
            return f"x{owner.args.index(value)}"  # pyright: ignore[reportArgumentType]
        if isinstance(owner, DelayOp):
            return self.source(owner.input)
        if isinstance(owner, ExtractOp):
            inner, low = self.source(owner.input), owner.low.value.data
            high = low + range_of(value).bits - 1
            if inner is None:
                return None
            return f"{inner}[{low}]" if low == high else f"{inner}[{high}:{low}]"
        return None

    def is_leaf(self, value: SSAValue) -> bool:
        """Whether all operands are inputs or other nodes."""
        if isinstance(value.owner, Block) or self.source(value) is not None:
            return True
        return all(self.source(each) is not None for each in value.owner.operands)

    def describe(self, value: SSAValue) -> tuple[str, str]:
        source = self.source(value)
        if source is not None:
            return "input", source
        op = value.owner
        assert not isinstance(op, Block)
        kind = "register" if isinstance(op, DelayOp) else op.name.removeprefix("kan.")
        name = (op.given_name if isinstance(op, WireOp) else None) or ""
        if kind == "table":
            inputs = filter(None, map(self.source, op.operands))
            reads = ", ".join(inputs)
            return kind, f"{name}({reads})" if reads else name
        if isinstance(op, ConstantOp):
            return kind, str(op.value.value.data)
        return kind, name or op.name


_LEFT, _TOP, _ROW, _COLUMN = 14.0, 76.0, 19.0, 68.0


def _draw(node: str, items: list[TreeItem]) -> Picture:
    leaves = [item for item in items if not item.terms]
    leaf = max(80.0, max(len(item.name) for item in leaves) * 5.6 + 10)
    columns = max(item.column for item in items)
    width = max(_LEFT + leaf + columns * _COLUMN + 150.0, 640.0)
    height = max(_TOP + len(leaves) * _ROW + 46.0, 210.0)
    ends = [
        (_LEFT + leaf + item.column * _COLUMN, _TOP + (item.row + 0.5) * _ROW) for item in items
    ]
    widths = [item.bits for item in items]
    wires = [
        _wire(ends[term], (x - 2 * _half(item), y))
        for item, (x, y) in zip(items, ends, strict=True)
        for term in item.terms
    ]
    shades = shades_of(np.array(widths, dtype=np.float64), min(widths), max(widths)).tolist()
    x, y = ends[-1]
    return picture_of(
        _title(node, items),
        *(width, height),
        [
            *heading(node, _summary(items)),
            *scale(width - 14, "bits", min(widths), max(widths)),
            tag("path", d="".join(wires), class_="axis thin"),
            [
                _box(item, shade, end, leaf if not item.terms else 2 * _half(item))
                for item, shade, end in zip(items, shades, ends, strict=True)
            ],
            line(x, y, x + 13, y, "axis"),
            label(x + 18, y + 4, f"{items[-1].low} .. {items[-1].high}"),
            label(
                *(14, height - 12),
                "Numbers: width of each value in bits. +: adder of its terms. Orange: register.",
                "soft",
            ),
        ],
    )


def _wire(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Straight to the column before its end, then a curve."""
    turn = end[0] - _COLUMN * 0.6
    middle = (turn + end[0]) / 2
    return (
        f"M{start[0]:.5g} {start[1]:.5g}H{turn:.5g}"
        f"C{middle:.5g} {start[1]:.5g} {middle:.5g} {end[1]:.5g} {end[0]:.5g} {end[1]:.5g}"
    )


def _box(item: TreeItem, shade: int, end: tuple[float, float], width: float) -> list[Child]:
    x, y = end
    title = f"{item.kind} {item.name}: {item.bits} bits, {item.low} .. {item.high}"
    if item.kind == "register":
        return [box(x - width, y - 8, width, 16, "registers", title)]
    left = x - width
    words = (
        label(left + 5, y + 4, item.name, "small")
        if not item.terms
        else label(
            left + width / 2, y + 4, "+" if item.kind == "sum" else item.kind, "small", "middle"
        )
    )
    return [
        box(left, y - 8, width, 16, f"shade{shade} framed", title),
        words,
        label(x + 3, y - 3, item.bits, "soft small"),
    ]


def _half(item: TreeItem) -> float:
    """Half the width of the box of an item with terms."""
    return {"register": 2.5, "sum": 8.0}.get(item.kind, 18.0)


def _summary(items: list[TreeItem]) -> str:
    tables = sum(item.kind == "table" for item in items)
    sums = [item for item in items if item.kind == "sum"]
    registers = [item for item in items if item.kind == "register"]
    parts = [quantity(tables, "table"), quantity(len(sums), "sum")]
    if sums:
        parts[-1] += f" of {sum(len(item.terms) for item in sums)} terms"
    if registers:
        bits = sum(item.bits for item in registers)
        parts.append(f"{quantity(len(registers), 'register')} of {quantity(bits, 'bit')}")
    return ", ".join(parts)


def _title(node: str, items: list[TreeItem]) -> str:
    return f"The sum of {node}: {_summary(items)}; the result has {items[-1].bits} bits."
