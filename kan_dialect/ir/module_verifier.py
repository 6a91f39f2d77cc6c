"""Verification of a whole module, as commands do it after every pass.

Hardware has tens of thousands of ops. Most have the class, types and properties of another one.
Their verifiers look at nothing else, so one of each kind is verified. Ops of wire level of a kind
fit their declaration alike, and their `check` is called. xDSL verifies all other ops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import cast

from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, IntegerType, ModuleOp, StringAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir.attributes.attribute_names import NODES
from kan_dialect.ir.attributes.data_schema import verify_schema
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.attributes.value_names import NAME_HINT
from kan_dialect.ir.operation import operands_of, ops_of
from kan_dialect.ir.verifier import ContextError, require_order, require_port_types
from kan_dialect.ir.wire_operation import WireOp

_HARDWARE = ("xdsl.dialects.comb", "xdsl.dialects.hw", "xdsl.dialects.seq")
_LOOKING_AROUND = frozenset({"hw.module", "hw.module.extern", "hw.instance", "hw.output"})
"""Hardware ops whose verifiers look at other ops, or at ops within them."""

_Kind = tuple[object, ...]

_FITTING: set[_Kind] = set()
"""Kinds of wire-level ops that were compared with their declaration, and fit."""


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
        if block is not None:
            _verify_ops(block)
        op.verify(verify_nested_ops=block is None)
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
            verify_schema(op)
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
            if _is_wire(type(each)) and cast(WireOp, each).NAMES_NODE:
                yield each, cast(StringAttr, each.properties["node"]).data


def _only_block_of(op: Operation) -> Block | None:
    """The block of a function or hardware module that has one, with ops; None for other ops."""
    if not isinstance(op, func.FuncOp | hw.HWModuleOp) or len(op.regions) != 1:
        return None
    (region,) = op.regions
    block = region.blocks.first
    if block is None or block is not region.blocks.last or block.parent is not region:
        return None
    return None if block.is_empty else block


def _verify_ops(block: Block) -> None:
    """Verify the ops of a block, one of those that their class verifies alike."""
    verified: set[_Kind] = set()
    known: set[int] = set(map(id, block.args))
    for op in ops_of(block):
        operands = operands_of(op)
        known.update(map(id, op.results))
        kind = _kind_of(op, operands) if op.next_op is not None else None
        # An unknown operand may be erased; it may come later in hardware.
        seen = kind in verified or kind in _FITTING
        if kind is None or not seen or not known.issuperset(map(id, operands)):
            op.verify()
            if kind is not None:
                (_FITTING if _is_wire(type(op)) else verified).add(kind)
        elif isinstance(op, WireOp):
            try:
                op.check()
                op.verify_name()
            except VerifyException:
                op.verify()  # for a message that shows the op
                raise


def _kind_of(op: Operation, operands: Sequence[SSAValue]) -> _Kind | None:
    """All of an op that its verifier looks at, but for `check` of wire-level ops.

    Types and attributes are known by identity, since they live as long as their ops. None for an op
    whose verifier looks at other ops, or at ops within it.
    """
    cls, properties = type(op), op.properties
    if _is_local(cls):
        types = [id(value.type) for value in (*operands, *op.results)]
        if cls is hw.ConstantOp and type(value := properties.get("value")) is IntegerAttr:
            # Any number will do, and most constants are other numbers.
            properties = properties | {"value": cast("IntegerAttr[IntegerType]", value).type}
        others = [(name, id(value)) for name, value in op.attributes.items() if name != NAME_HINT]
        return (cls, len(operands), *types, *properties, *map(id, properties.values()), *others)
    if _is_wire(cls) and not op.regions and not op.successors:
        types = [type(value.type) for value in (*operands, *op.results)]
        return (cls, len(operands), *types, *properties, *map(_attribute_kind, properties.values()))
    return None


def _attribute_kind(attribute: Attribute) -> object:
    """The attribute's class; of a number its type as well."""
    if type(attribute) is IntegerAttr:
        return cast("IntegerAttr[IntegerType]", attribute).type
    return type(attribute)


@cache
def _is_local(kind: type[Operation]) -> bool:
    """Whether the verifier of a class of ops looks at types, properties and attributes only."""
    return kind.__module__ in _HARDWARE and kind.name not in _LOOKING_AROUND


@cache
def _is_wire(kind: type[Operation]) -> bool:
    return issubclass(kind, WireOp)
