"""Where the nodes of a model are: at table level by layer, at wire level by mark, in hardware.

A node is called `layer0_node3` at every level. So checks compare hidden nodes before and after a
pass, and name the first one that differs.
"""

from __future__ import annotations

import re

import numpy as np
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import SSAValue

from kan_dialect.evaluate.code_ports import rounded_argument
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.attributes.module_attributes import nodes_of
from kan_dialect.ir.attributes.value_names import name_hint
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.operation import ops_of
from kan_dialect.ir.types import IntType, is_quantized, quantized_type, tensor_shape
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import RequantizeOp, TablesOp
from kan_dialect.ops.wire import DeadOp, MarkOp


def layer_names(function: func.FuncOp) -> dict[SSAValue, str]:
    """The layer, `layer0`, ..., of every node sum, requantisation and table per input, in order.

    A requantisation belongs to the layer of the sum that it reads. One that rounds the codes of an
    argument's ports is called `input0`, ..., and no layer.
    """
    names: dict[SSAValue, str] = {}
    open_sums: set[SSAValue] = set()
    count = 0
    for op in ops_of(function.body.block):
        match op:
            case RequantizeOp() if (argument := rounded_argument(op)) is not None:
                names[op.result] = f"input{argument}"
                continue
            case RequantizeOp() if op.input in open_sums:
                open_sums.remove(op.input)
                names[op.result] = names[op.input]
                continue
            case NodeSumOp():
                open_sums.add(op.result)
            case RequantizeOp():
                pass
            case TablesOp() if len(tensor_shape(op.result)) == 1:
                pass
            case _:
                continue
        names[op.results[0]] = f"layer{count}"
        count += 1
    return names


def is_requantized(op: NodeSumOp) -> bool:
    """Whether a requantisation reads the sum, and so makes the codes of its nodes."""
    return any(isinstance(use.operation, RequantizeOp) for use in op.result.uses)


def zero_points_of_clamps(op: NodeSumOp) -> IntArray:
    """The zero points of a layer's nodes where these are clamped sums, (nodes), int64; else zeros.

    So they can be added to the sums already.
    """
    readers = [use.operation for use in op.result.uses]
    zero_points = np.zeros(tensor_shape(op.result), dtype=np.int64)
    only = readers[0] if len(readers) == 1 else None
    if isinstance(only, RequantizeOp) and only.affine is None and not any(only.shifts):
        zero_points += quantized_type(only.result).zero_point_for(1)
    return zero_points


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


_NODE_OF = re.compile(r"(layer\d+)_(?:edge|sum|node)(\d+)(?!\d)")
"""Names of values that compute a node, such as `layer0_edge3_1` and `layer0_sum3_part1`."""


def unmarked_nodes(function: func.FuncOp) -> list[str]:
    """The nodes that values are named after, and that are neither marked nor said to be dead."""
    ops = ops_of(function.body.block)
    names = [name.data for op in ops if isinstance(name := op.properties.get("name"), StringAttr)]
    found = {f"{match[1]}_node{match[2]}" for name in names if (match := _NODE_OF.match(name))}
    known = {mark.node.data for mark in wire_nodes(function)} | dead_nodes(function)
    return sorted(found - known)


def saturated(codes: IntArray, within: IntType | None) -> IntArray:
    """Codes of a node, from what its mark says to be the code once it is saturated."""
    return codes if within is None else codes.clip(within.low, within.high)


def node_signals(module: hw.HWModuleOp) -> list[tuple[NodeAttr, SSAValue]]:
    """The nodes that a signal of a hardware module holds, each with that signal.

    Left out are dead and constant nodes, and those whose signal no value or several values are
    called.
    """
    signals = _signals(module)
    return [(node, signals[node.signal]) for node in nodes_of(module) if node.signal in signals]


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
