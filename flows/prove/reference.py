"""The specification of a proof: every node as a form of the inputs, from the integer model.

Read from IR at table level (or at wire level, where a build starts there), by the ops' definitions
alone: lookups, exact sums, rounded shifts, clamps. Nothing here knows of widths, registers or of
what passes and lowering do; only the names of nodes are those that `kan-expand-wires` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import code_values, rounded_argument
from kan_dialect.evaluate.rescaling import rescalings_of
from kan_dialect.flows.prove.forms import (
    Choice,
    Form,
    Variable,
    add,
    apply,
    bounds,
    choose,
    constant,
    is_positive,
    mapped,
    scale,
    subtract,
    variable,
)
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import IntArray, to_numpy
from kan_dialect.ir.rounding import round_shift
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.ir.types import quantized_type, range_of, tensor_shape
from kan_dialect.model.interface import Port
from kan_dialect.model.model import Model
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.decision import PrecedesOp, SelectOp
from kan_dialect.ops.layer import ConcatOp, NodeSumOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.table import RequantizeOp, TablesOp
from kan_dialect.ops.wire import ConstantOp, DeadOp, DelayOp, MarkOp, SumOp, TableOp

Rename: TypeAlias = Callable[[str, Form], Form]
"""Given a node and its code, what stands for the code in the nodes that read it."""


@dataclass
class Reference:
    """Nodes and outputs, each as a form of inputs and of nodes before it."""

    nodes: dict[str, Form] = field(default_factory=dict[str, Form])
    """In the order in which they depend on each other."""

    outputs: list[Form] = field(default_factory=list[Form])


def reference(model: Model, inputs: Sequence[Port], rename: Rename) -> Reference:
    """The nodes of a model that has codes.

    Raises
    ------
    KanError : an op without semantics.
    TooHard : a node's function leaves the forms.
    """
    assert isinstance(model.op, func.FuncOp)
    codes: list[Form] = [variable(Variable(port.name, 0, port.low, port.high)) for port in inputs]
    if model.level == "wire":
        return _WireReference(rename).run(model.op, codes)
    return _TableReference(rename).run(model.op, codes)


@dataclass
class _Builder:
    rename: Rename
    found: Reference = field(default_factory=Reference)

    def node(self, name: str, code: Form) -> Form:
        self.found.nodes[name] = code
        return self.rename(name, code)


@dataclass
class _TableReference(_Builder):
    """Table level: a list of forms for each tensor of codes."""

    values: dict[SSAValue, list[Form]] = field(default_factory=dict[SSAValue, list[Form]])
    names: dict[SSAValue, str] = field(default_factory=dict[SSAValue, str])
    """Layers whose sums have not been requantised yet."""
    layers: int = 0

    def run(self, function: func.FuncOp, codes: list[Form]) -> Reference:
        sources, results = code_values(function)
        for source in sources:
            (count,) = tensor_shape(source)
            self.values[source], codes = codes[:count], codes[count:]
        for op in function.body.block.ops:
            match op:
                case TablesOp():
                    if len(tensor_shape(op.result)) == 1:
                        self.layer()
                        self.values[op.result] = self.lookup(op, to_numpy(op.tables))
                case NodeSumOp():
                    self.node_sum(op)
                case RequantizeOp():
                    self.requantize(op)
                case ConcatOp():
                    self.values[op.result] = [v for part in op.inputs for v in self.values[part]]
                case _:
                    # Quantisers and affines in front of the codes, dequantisers behind them.
                    pass
        for result in results:
            if result not in self.values:
                raise KanError(f"@{function.sym_name.data}: a result is not made of codes")
            self.found.outputs.extend(self.values[result])
        return self.found

    def layer(self) -> str:
        self.layers += 1
        return f"layer{self.layers - 1}"

    def lookup(self, op: TablesOp, tables: IntArray) -> list[Form]:
        """One table for each input: (in, entries)."""
        first, _ = quantized_type(op.input).bounds
        inputs = self.values[op.input]
        return [look_up(code, table, first) for code, table in zip(inputs, tables, strict=True)]

    def node_sum(self, op: NodeSumOp) -> None:
        edges = op.edges.owner
        if not isinstance(edges, TablesOp):
            raise KanError("kan.node_sum of an operand other than kan.tables")
        tables, mask = to_numpy(edges.tables), op.mask_array
        first, _ = quantized_type(edges.input).bounds
        inputs = self.values[edges.input]
        name = self.names[op.result] = self.layer()
        sums: list[Form] = []
        for node, bias in enumerate(op.bias_array.tolist()):
            total: Form = constant(bias)
            for index in np.flatnonzero(mask[node]).tolist():
                total = add(total, look_up(inputs[index], tables[node, index], first))
            sums.append(total)
        if not any(isinstance(use.operation, RequantizeOp) for use in op.result.uses):
            sums = [self.node(f"{name}_node{index}", code) for index, code in enumerate(sums)]
        self.values[op.result] = sums

    def requantize(self, op: RequantizeOp) -> None:
        argument = rounded_argument(op)
        rounds = None if argument is None else f"input{argument}"
        name = rounds or self.names.pop(op.input, None) or self.layer()
        sums = self.values[op.input]
        if op.affine is not None:
            self.values[op.result] = [
                self.node(f"{name}_node{index}", mapped(each.codes, code))
                for index, (code, each) in enumerate(zip(sums, rescalings_of(op), strict=True))
            ]
            return
        zeros = [
            np.broadcast_to(quantized_type(value).zero_point_for(1), len(sums)).tolist()
            for value in (op.input, op.result)
        ]
        limits = [bound.tolist() for bound in bounds_of(op.result)]
        codes: list[Form] = []
        for index, (code, shift, before, after, low, high) in enumerate(
            zip(sums, op.shifts.tolist(), *zeros, *limits, strict=True)
        ):
            shifted = add(divide(add(code, constant(-before)), shift), constant(after))
            codes.append(self.node(f"{name}_node{index}", clamp(shifted, low, high)))
        self.values[op.result] = codes


@dataclass
class _WireReference(_Builder):
    """Wire level: a form for each value; marks say which are nodes."""

    values: dict[SSAValue, Form] = field(default_factory=dict[SSAValue, Form])

    def run(self, function: func.FuncOp, codes: list[Form]) -> Reference:
        self.values.update(zip(function.args, codes, strict=True))
        marks = {op.value: op for op in function.body.block.ops if isinstance(op, MarkOp)}
        for op in function.body.block.ops:
            if isinstance(op, MarkOp | DeadOp):
                continue
            if isinstance(op, func.ReturnOp):
                self.found.outputs = [self.values[value] for value in op.operands]
                continue
            for result, value in zip(op.results, self.results_of(op), strict=True):
                mark = marks.get(result)
                if mark is not None and mark.within is None:
                    offset = mark.offset.value.data
                    code = self.node(mark.node.data, add(value, constant(offset)))
                    value = add(code, constant(-offset))
                self.values[result] = value
        return self.found

    def results_of(self, op: Operation) -> list[Form]:
        inputs = [self.values[operand] for operand in op.operands]
        match op:
            case ConstantOp():
                return [constant(op.value.value.data)]
            case TableOp():
                return [_many_input_table(op, inputs)]
            case SumOp():
                total: Form = constant(0)
                for term in inputs:
                    total = add(total, term)
                return [total]
            case ClampOp():
                return [clamp(inputs[0], range_of(op.result).low, range_of(op.result).high)]
            case ShiftOp():
                return [divide(inputs[0], op.amount.value.data)]
            case DelayOp():
                return [inputs[0]]
            case PrecedesOp():
                return [_precedes(inputs)]
            case SelectOp():
                return [_chosen(op, inputs)]
            case _:
                return [_evaluated(op, index, inputs) for index in range(len(op.results))]


def _precedes(inputs: Sequence[Form]) -> Form:
    """Whether the left one of two candidates, value and index each, comes first."""
    left, left_index, right, right_index = inputs
    (low, high), (least, largest) = bounds(left_index), bounds(right_index)
    values, others = bounds(left), bounds(right)
    if values[0] > others[1] or values[1] < others[0]:
        # Where nothing reads a candidate, no variable stands for it.
        return constant(int(values[0] > others[1]))
    apart = subtract(left, right)
    if high < least or largest < low:
        return is_positive(apart, or_zero=high < least)
    weight = 1 << max(1, high.bit_length(), largest.bit_length())
    indices = subtract(right_index, left_index)
    return is_positive(add(scale(apart, weight), indices))


def _chosen(op: SelectOp, inputs: Sequence[Form]) -> Form:
    found = choose(*inputs)
    if not isinstance(found, Choice):
        return found
    ends = zip(*map(bounds, inputs[1:]), strict=True)
    low, high = (end(*each) for end, each in zip(op.ends, ends, strict=True))
    return replace(found, low=low, high=high)


def _many_input_table(op: TableOp, inputs: Sequence[Form]) -> Form:
    entries = op.entries_array
    firsts = [range_of(value).low for value in op.inputs]

    def look_up_all(codes: Sequence[IntArray]) -> IntArray:
        return entries[tuple(c - first for c, first in zip(codes, firsts, strict=True))]

    return apply(look_up_all, inputs)


def _evaluated(op: Operation, index: int, inputs: Sequence[Form]) -> Form:
    """A result of an op that is defined by its semantics, as ops of other packages are.

    Numbers outside an operand's range do not occur; they stand for the nearest number in it.
    """
    kinds = [range_of(value) for value in op.operands]

    def evaluate(codes: Sequence[IntArray]) -> IntArray:
        inside = [np.clip(c, kind.low, kind.high) for c, kind in zip(codes, kinds, strict=True)]
        result = evaluate_op(op, inside)[index]
        return np.broadcast_to(result, codes[0].shape) if codes else result

    if not inputs:
        return constant(int(evaluate([])[0]))
    return apply(evaluate, inputs)


def look_up(code: Form, table: IntArray, first: int) -> Form:
    """The table's entry for the code; the first entry is that of code `first`."""
    entries = table.astype(np.int64)
    return mapped(lambda codes: entries[codes - first], code)


def divide(code: Form, exponent: int) -> Form:
    """Divided by 2^exponent, rounded half to even."""
    return code if exponent == 0 else mapped(lambda codes: round_shift(codes, exponent), code)


def clamp(code: Form, low: int, high: int) -> Form:
    """Saturated at low and high; as it stands where it never leaves them."""
    smallest, largest = bounds(code)
    if low <= smallest and largest <= high:
        return code
    return mapped(lambda codes: np.clip(codes, low, high), code)
