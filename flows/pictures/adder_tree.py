"""The picture of a node's sum at wire level: tables, adders with their widths, registers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, SSAValue

from kan_dialect.analysis.nodes import wire_nodes
from kan_dialect.errors import KanError
from kan_dialect.flows.pictures.canvas import INK, ORANGE, SOFT, Page, Shades
from kan_dialect.ir.constants import FloatArray
from kan_dialect.ir.types import range_of
from kan_dialect.ir.wire_operation import WireOp
from kan_dialect.model.model import Model
from kan_dialect.ops.wire import BitsOp, ConstantOp, DelayOp, TableOp
from kan_dialect.quantity import quantity


@dataclass
class TreeItem:
    """A value in the tree of a sum."""

    kind: str
    """`input`, or a kind of op (`WireOp.KIND`)."""
    name: str
    """`layer0_edge3_5_part0`, `x5[5:2]`, or what the op does."""
    bits: int
    low: int
    high: int
    terms: list[int]
    """Places of the items that it reads, in the list of items."""
    column: int = 0
    row: float = 0.0


def adder_tree_picture(module: ModuleOp | Model, node: str) -> str:
    """Draw how a node of wire level is summed up, as SVG.

    Parameters
    ----------
    node : its name, `layer0_node3`.

    Raises
    ------
    KanError : Matplotlib is not installed, the module is not of wire level, or there is no such
        node.
    """
    model = module if isinstance(module, Model) else Model.of(module)
    return _draw(node, adder_tree(model, node))


def adder_tree(model: Model, node: str) -> list[TreeItem]:
    """The values of a node's sum, terms before what reads them; the node is the last one.

    Raises
    ------
    KanError : the model is not of wire level, or there is no such node.
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
        if isinstance(owner, BitsOp):
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
        if not isinstance(op, WireOp):
            return "other", op.name
        name = op.given_name or ""
        match op:
            case TableOp():
                inputs = [self.source(each) for each in op.inputs]
                reads = ", ".join(each for each in inputs if each is not None)
                return op.KIND, f"{name}({reads})" if reads else name
            case ConstantOp():
                return op.KIND, str(op.value.value.data)
            case _:
                return op.KIND, op.name if op.KIND == "other" else name


_SIGNS = {"sum": "+", "clamp": "clamp", "shift": "shift", "other": "op", "table": "table"}


def _draw(node: str, items: list[TreeItem]) -> str:
    pitch_y, left, top = 14.0, 14.0, 58.0
    leaves = [item for item in items if not item.terms]
    longest = max(len(item.name) for item in leaves)
    box = max(60.0, longest * 4.1 + 8)
    start = left + box
    pitch_x = 50.0
    columns = max(item.column for item in items)
    width = max(start + columns * pitch_x + 130.0, 430.0)
    rows = len(leaves)
    page = Page(width, max(top + rows * pitch_y + 34.0, 210.0), _title(node, items))
    page.text(14, 18, node, size=12, weight="bold")
    page.text(14, 34, _summary(items), size=8, colour=SOFT)
    widths = [item.bits for item in items]
    scale = Shades(min(widths), max(widths), steps=True)
    scale.draw_bar(page, width - 46.0, top + 16.0, 110.0, "bits")
    ends = [_end(item, start, top, pitch_x, pitch_y) for item in items]
    wires: list[FloatArray] = []
    t = np.linspace(0.0, 1.0, 13)
    ease = 3 * t**2 - 2 * t**3
    for item, (x, y) in zip(items, ends, strict=True):
        for term in item.terms:
            x0, y0 = ends[term]
            x1 = x - _half(item) * 2
            turn = x1 - pitch_x * 0.6
            curve = np.stack([turn + t * (x1 - turn), y0 + ease * (y - y0)], axis=1)
            wires.append(np.concatenate([[[x0, y0]], curve]))
    page.lines(wires, colour=SOFT, width=0.7)
    boxes = [(item, x, y) for item, (x, y) in zip(items, ends, strict=True)]
    for chosen, height in ((True, 11.0), (False, 12.0)):
        some = [each for each in boxes if (not each[0].terms) is chosen]
        some = [each for each in some if each[0].kind != "register"]
        if not some:
            continue
        sizes = np.array([box if chosen else 2 * _half(item) for item, _, _ in some])
        page.boxes(
            np.array([x for _, x, _ in some]) - sizes,
            np.array([y - height / 2 for _, _, y in some]),
            sizes,
            height,
            fill=scale(np.array([float(item.bits) for item, _, _ in some])),
            edge=SOFT,
        )
    registers = [(x, y) for item, x, y in boxes if item.kind == "register"]
    if registers:
        x, y = np.array(registers).T
        page.boxes(x - 4.0, y - 6.0, 4.0, 12.0, fill=ORANGE, edge=ORANGE)
    for item, x, y in boxes:
        if not item.terms:
            page.text(x - box + 4, y, item.name, size=6.5)
        elif item.kind != "register":
            page.text(x - _half(item), y, _SIGNS[item.kind], size=7, ha="center")
        if item.kind != "register":
            page.text(x + 2.5, y - 4, str(item.bits), size=5.5, colour=SOFT)
        text = f"{item.kind} {item.name}: {item.bits} bits, {item.low} .. {item.high}"
        size = box if not item.terms else 2 * _half(item)
        page.hover(np.array([x - size, y - 6.0]), size, 12.0, text)
    last, (x, y) = items[-1], ends[-1]
    page.text(x + 14, y, f"{last.low} .. {last.high}", size=7)
    page.text(
        *(14, page.height - 12),
        "Numbers: width of each value in bits. +: adder of its terms. Orange: register.",
        size=7,
        colour=SOFT,
    )
    page.lines([np.array([[x, y], [x + 11, y]])], colour=INK, width=0.7)
    return page.svg()


def _half(item: TreeItem) -> float:
    """Half the width of the box of an item with terms."""
    return {"register": 2.0, "sum": 6.0}.get(item.kind, 13.0)


def _end(
    item: TreeItem, start: float, top: float, pitch_x: float, pitch_y: float
) -> tuple[float, float]:
    """Where the wire of an item leaves its box."""
    return start + item.column * pitch_x, top + (item.row + 0.5) * pitch_y


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
