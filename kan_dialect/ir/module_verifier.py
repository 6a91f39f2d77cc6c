"""Verification of a whole module, as commands do it after every pass.

Hardware has tens of thousands of ops. Most have the class, types and properties of another one.
Their verifiers look at nothing else, so one of each kind is verified. Ops of wire level are
verified class by class (`WireOp.verify_together`). xDSL verifies all other ops.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import cast

from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, IntegerType, ModuleOp, StringAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir.attributes.attribute_names import NODES
from kan_dialect.ir.attributes.data_names import verify_names
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.attributes.value_names import NAME_HINT
from kan_dialect.ir.operation import operands_of, ops_of
from kan_dialect.ir.verifier import ContextError, require_order, require_port_types
from kan_dialect.ir.wire_operation import WireOp

_HARDWARE = ("xdsl.dialects.comb", "xdsl.dialects.hw", "xdsl.dialects.seq")
_LOOKING_AROUND = frozenset({"hw.module", "hw.module.extern", "hw.instance", "hw.output"})
"""Hardware ops whose verifiers look at other ops, or at ops within them."""

_Kind = tuple[object, ...]

# Fields that are read by code in C: xDSL's properties are functions in Python.
_type_of = attrgetter("_type")
_block_of = attrgetter("parent")
_results_of = attrgetter("results")
_regions_of = attrgetter("regions")
_successors_of = attrgetter("_successors")


def verify_module(module: ModuleOp) -> None:
    """Verify a module, the types of its functions' codes, and the order of its ops.

    Nothing may name a node of the model twice.

    Raises
    ------
    VerifyException : an op is invalid.
    ContextError : a function takes or returns codes of a wrong type; an op reads a value where it
        is not known yet, or names a node again; names of features or classes do not fit.
    """
    for op in module.ops:
        block = _only_block_of(op)
        if block is None:
            op.verify()
            continue
        ops = ops_of(block)
        if not _is_flat(ops, block):
            op.verify()
            continue
        try:
            _verify_ops(ops)
        except VerifyException:
            # In order, for a message that shows the first invalid op.
            for each in ops:
                each.verify()
            raise
        with _terminator_alone(block):
            op.verify(verify_nested_ops=False)
    module.verify(verify_nested_ops=False)
    require_port_types(module)
    require_order(module)
    for op in module.ops:
        _require_nodes_once(op)
        _require_names(op)


def _require_names(op: Operation) -> None:
    """Require names of features and classes to fit a function or hardware module.

    Raises
    ------
    ContextError : they do not.
    """
    if isinstance(op, func.FuncOp | hw.HWModuleOp):
        try:
            verify_names(op)
        except VerifyException as error:
            raise ContextError(op, f"@{op.sym_name.data}: {error}") from None


def _require_nodes_once(op: Operation) -> None:
    """Require that a function or hardware module says at most once where a node is.

    Raises
    ------
    ContextError : it names a node twice.
    """
    if not isinstance(op, func.FuncOp | hw.HWModuleOp):
        return
    known: set[str] = set()
    for naming, node in _named_nodes(op):
        if node in known:
            raise ContextError(
                naming,
                f"@{op.sym_name.data}: '{naming.name}' names the node \"{node}\" a second time; "
                "a node has one mark, or is said to be dead once",
            )
        known.add(node)


def _named_nodes(op: func.FuncOp | hw.HWModuleOp) -> Iterator[tuple[Operation, str]]:
    """Each op that names nodes of the model, with the names."""
    if isinstance(op, hw.HWModuleOp):
        nodes = op.attributes.get(NODES)
        if isinstance(nodes, ArrayAttr):
            listed = cast("ArrayAttr[Attribute]", nodes)
            yield from ((op, each.node) for each in listed if isinstance(each, NodeAttr))
        return
    for block in op.body.blocks:
        for each in ops_of(block):
            if _names_node(type(each)):
                yield each, cast(StringAttr, each.properties["node"]).data


@cache
def _names_node(kind: type[Operation]) -> bool:
    """Whether ops of a class name a node of the model."""
    return issubclass(kind, WireOp) and kind.NAMES_NODE


def _only_block_of(op: Operation) -> Block | None:
    """The block of a function or hardware module that has one, with ops; None for other ops."""
    if not isinstance(op, func.FuncOp | hw.HWModuleOp) or len(op.regions) != 1:
        return None
    (region,) = op.regions
    block = region.blocks.first
    if block is None or block is not region.blocks.last or block.parent is not region:
        return None
    return None if block.is_empty else block


def _is_flat(ops: Sequence[Operation], block: Block) -> bool:
    """Whether the ops of a block have no regions or successors, and read values of the block only.

    Such a block is isolated from above, and no operand is erased.
    """
    known: set[SSAValue] = {*block.args, *chain.from_iterable(map(_results_of, ops))}
    return (
        {*map(id, map(_block_of, ops))} == {id(block)}
        and not any(map(_regions_of, ops))
        and not any(map(_successors_of, ops))
        and known.issuperset(chain.from_iterable(map(operands_of, ops)))
    )


@contextmanager
def _terminator_alone(block: Block) -> Generator[None]:
    """Inside, the last op of a block seems to be its only one.

    xDSL's verifier of an op that is isolated from above walks over all ops within it.
    """
    first = block._first_op  # pyright: ignore[reportPrivateUsage]
    block._first_op = block.last_op  # pyright: ignore[reportPrivateUsage]
    try:
        yield
    finally:
        block._first_op = first  # pyright: ignore[reportPrivateUsage]


def _verify_ops(ops: Sequence[Operation]) -> None:
    """Verify the ops of a flat block."""
    verified: set[_Kind] = set()
    wire_ops: defaultdict[type[WireOp], list[WireOp]] = defaultdict(list)
    *inner, terminator = ops  # The last op of a block has to be a terminator.
    for op in inner:
        cls = type(op)
        if _is_local(cls):
            kind = _kind_of(op)
            if kind not in verified:
                op.verify()
                verified.add(kind)
        elif (wire_op := _as_wire_op(cls)) is not None:
            wire_ops[wire_op].append(cast(WireOp, op))
        else:
            op.verify()
    for cls, some in wire_ops.items():
        cls.verify_together(some)
    terminator.verify()


def _kind_of(op: Operation) -> _Kind:
    """All that the verifier of a local op looks at.

    Types and attributes are known by identity, since they live as long as their ops.
    """
    cls, operands, properties = type(op), operands_of(op), op.properties
    kind = (cls, len(operands), *map(id, map(_type_of, operands + op.results)))
    if properties:
        if cls is hw.ConstantOp and type(value := properties.get("value")) is IntegerAttr:
            # Any number will do, and most constants are other numbers.
            properties = properties | {"value": cast("IntegerAttr[IntegerType]", value).type}
        kind = (*kind, *properties, *map(id, properties.values()))
    if op.attributes:
        others = [(name, id(value)) for name, value in op.attributes.items() if name != NAME_HINT]
        kind = (*kind, *others)
    return kind


@cache
def _is_local(kind: type[Operation]) -> bool:
    """Whether the verifier of a class of ops looks at types, properties and attributes only."""
    return kind.__module__ in _HARDWARE and kind.name not in _LOOKING_AROUND


@cache
def _as_wire_op(kind: type[Operation]) -> type[WireOp] | None:
    """The class itself if it is one of wire level; None for other classes."""
    return kind if issubclass(kind, WireOp) else None
