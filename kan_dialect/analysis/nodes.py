"""Where the nodes of a model are: at table level by layer, at wire level by mark, in hardware.

A node is called `layer0_node3` at every level. What a pass does to hidden nodes can so be compared,
and the first one that differs be named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute, SSAValue

from kan_dialect.ir.attribute_names import NODES
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import IntType, is_quantized, tensor_shape
from kan_dialect.ir.value_names import name_hint
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import LookupOp, RequantizeOp
from kan_dialect.ops.wire import DeadOp, MarkOp


def layer_names(function: func.FuncOp) -> dict[SSAValue, str]:
    """The layer, `layer0`, ..., of every node sum, requantisation and table per input, in order.

    A requantisation belongs to the layer of the sum that it reads.
    """
    names: dict[SSAValue, str] = {}
    open_sums: set[SSAValue] = set()
    count = 0
    for op in function.body.block.ops:
        match op:
            case RequantizeOp() if op.input in open_sums:
                open_sums.remove(op.input)
                names[op.result] = names[op.input]
                continue
            case NodeSumOp():
                open_sums.add(op.result)
            case RequantizeOp():
                pass
            case LookupOp() if len(tensor_shape(op.result)) == 1:
                pass
            case _:
                continue
        names[op.results[0]] = f"layer{count}"
        count += 1
    return names


def is_requantized(op: NodeSumOp) -> bool:
    """Whether the codes of a sum's nodes are what a requantisation makes of it."""
    return any(isinstance(use.operation, RequantizeOp) for use in op.result.uses)


def table_nodes(function: func.FuncOp) -> dict[str, SSAValue]:
    """The codes of each layer's nodes at table level: layer -> tensor (nodes)."""
    found: dict[str, SSAValue] = {}
    for value, layer in layer_names(function).items():
        owner = value.owner
        if not is_quantized(value):
            continue
        if isinstance(owner, RequantizeOp) or (
            isinstance(owner, NodeSumOp) and not is_requantized(owner)
        ):
            found[layer] = value
    return found


def wire_nodes(function: func.FuncOp) -> list[MarkOp]:
    """The marks of a wire-level function, in order."""
    return [op for op in function.body.block.ops if isinstance(op, MarkOp)]


def dead_nodes(function: func.FuncOp) -> set[str]:
    """The nodes that a wire-level function says nothing reads."""
    return {op.node.data for op in function.body.block.ops if isinstance(op, DeadOp)}


@dataclass(frozen=True)
class HardwareNode:
    """An entry of `kan.nodes`: node code = signal, read as `kind`, plus offset, saturated."""

    name: str
    signal: SSAValue | None
    """None where no signal has the name, or more than one, or the node is dead."""
    cycle: int
    offset: int
    kind: IntType
    within: IntType | None
    """Where the code is saturated; None: it need not be."""


def saturated(codes: IntArray, within: IntType | None) -> IntArray:
    """Codes of a node, from what its mark says to be the code once it is saturated."""
    return codes if within is None else codes.clip(within.low, within.high)


def within_of(entry: DictionaryAttr) -> IntType | None:
    """Where an entry of `kan.nodes` says that the code is saturated."""
    if "at_least" not in entry.data:
        return None
    return IntType(_number(entry, "at_least"), _number(entry, "at_most"))


def is_dead(entry: DictionaryAttr) -> bool:
    """Whether an entry of `kan.nodes` says that nothing reads the node: it has a name only."""
    return "dead" in entry.data


def hardware_nodes(module: hw.HWModuleOp) -> list[HardwareNode]:
    """The nodes that a hardware module lists."""
    listed = module.attributes.get(NODES)
    if not isinstance(listed, ArrayAttr):
        return []
    signals = _signals(module)
    nodes: list[HardwareNode] = []
    for entry in cast("ArrayAttr[Attribute]", listed).data:
        if isinstance(entry, DictionaryAttr):
            low, high = _number(entry, "low"), _number(entry, "high")
            nodes.append(
                HardwareNode(
                    _text(entry, "name"),
                    signals.get(_text(entry, "signal")),
                    _number(entry, "cycle"),
                    _number(entry, "offset"),
                    IntType(low, high),
                    within_of(entry),
                )
            )
    return nodes


def _signals(module: hw.HWModuleOp) -> dict[str, SSAValue]:
    """The values of a hardware module by name; a name that two have is left out."""
    inputs = [port for port in module.module_type.ports if port.dir.data is hw.Direction.INPUT]
    named: list[tuple[str | None, SSAValue]] = [
        (port.port_name.data, argument)
        for port, argument in zip(inputs, module.body.block.args, strict=True)
    ]
    for op in module.body.block.ops:
        named.extend((name_hint(result), result) for result in op.results)
    found: dict[str, SSAValue] = {}
    repeated: set[str] = set()
    for name, value in named:
        if not name:
            continue
        if name in found:
            repeated.add(name)
        found[name] = value
    return {name: value for name, value in found.items() if name not in repeated}


def _text(entry: DictionaryAttr, key: str) -> str:
    attribute = entry.data.get(key)
    return attribute.data if isinstance(attribute, StringAttr) else ""


def _number(entry: DictionaryAttr, key: str) -> int:
    attribute = entry.data.get(key)
    return attribute.value.data if isinstance(attribute, IntegerAttr) else 0
