"""The specification of a second opinion: every node as a function of a sum of tables.

Read from IR at table level, or at wire level where a build starts there, by the definitions of
lookup, sum, requantise and clamp. Tables of one variable are composed entry by entry, in Python's
integers. A function of a sum of several variables is a term of the solver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.analysis.nodes import layer_names
from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import code_values
from kan_dialect.evaluate.rescaling import rescalings_of
from kan_dialect.flows.prove.second_opinion.solver import Signed
from kan_dialect.flows.prove.second_opinion.text import Undecided, Variable
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import IntArray, to_numpy
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.ir.types import quantized_type, range_of, tensor_shape
from kan_dialect.model.model import Model
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.decision import GreaterOp, PrecedesOp, SelectOp
from kan_dialect.ops.layer import ConcatOp, NodeSumOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.table import RequantizeOp, TablesOp
from kan_dialect.ops.wire import (
    MAX_TABLE_BITS,
    ConstantOp,
    DeadOp,
    DelayOp,
    ExtractOp,
    MarkOp,
    SumOp,
    TableOp,
)

Tables = Mapping[Variable, IntArray]
"""A sum: of each variable, what each of its codes adds."""


Value = TypeVar("Value", IntArray, Signed)
"""Numbers, or a term of the solver."""


@dataclass(frozen=True)
class Divide:
    """Division by 2^shift, rounded half to even; a negative shift multiplies."""

    shift: int

    def of(self, value: Value) -> Value:
        if self.shift <= 0:
            return value << -self.shift
        odd = (value >> self.shift) & 1
        return (value + odd + ((1 << self.shift >> 1) - 1)) >> self.shift


@dataclass(frozen=True)
class Add:
    """Addition of a constant."""

    constant: int

    def of(self, value: Value) -> Value:
        return value + self.constant


@dataclass(frozen=True)
class Clamp:
    """Saturation at both ends."""

    low: int
    high: int

    def of(self, value: Value) -> Value:
        return value.clip(self.low, self.high)


Step = Divide | Add | Clamp
"""A function of a sum. Each is monotonic: it never falls."""


@dataclass(frozen=True)
class Code:
    """An integer of the model: a constant and tables, added up, then functions of the sum."""

    tables: Tables = field(default_factory=dict[Variable, IntArray])
    constant: int = 0
    steps: tuple[Step, ...] = ()

    @property
    def sum_range(self) -> tuple[int, int]:
        """The least and the greatest sum."""
        low = self.constant + sum(int(table.min()) for table in self.tables.values())
        return low, self.constant + sum(int(table.max()) for table in self.tables.values())

    @property
    def range(self) -> tuple[int, int]:
        low, high = self.after(np.array(self.sum_range)).tolist()
        return low, high

    def after(self, value: Value) -> Value:
        """The code of a sum."""
        for step in self.steps:
            value = step.of(value)
        return value

    def then(self, step: Step) -> Code:
        """The result of one more step; with one variable, it is another table."""
        low, high = self.range
        match step:
            case Add() if not self.steps:
                return Code(self.tables, self.constant + step.constant)
            case Divide() if step.shift <= 0 and not self.steps:
                tables = {of: table << -step.shift for of, table in self.tables.items()}
                return Code(tables, self.constant << -step.shift)
            case Add(constant=0) | Divide(shift=0):
                return self
            case Clamp() if step.low <= low and high <= step.high:
                return self
            case _:
                pass
        return Code(self.tables, self.constant, (*self.steps, step)).simple()

    def simple(self) -> Code:
        """The same code without steps, where it is of one variable, or a constant."""
        if not self.steps:
            return self
        low, high = self.range
        if low == high:
            return Code(constant=low)
        if len(self.tables) > 1:
            return self
        ((variable, table),) = self.tables.items()
        return Code({variable: self.after(table + self.constant)}).without_constants()

    def without_constants(self) -> Code:
        """The same without tables that are constant."""
        tables = {of: table for of, table in self.tables.items() if (table != table[0]).any()}
        dropped = (int(table[0]) for of, table in self.tables.items() if of not in tables)
        return Code(tables, self.constant + sum(dropped), self.steps)

    def looked_up(self, entries: IntArray, first: int) -> Code:
        """The entry of a table, the first of which is that of code `first`.

        Raises
        ------
        Undecided : it depends on more than one variable.
        """
        if self.steps or len(self.tables) > 1:
            raise Undecided("a table of a node that no signal holds")
        if not self.tables:
            return Code(constant=int(entries[self.constant - first]))
        ((variable, table),) = self.tables.items()
        looked_up = entries.astype(np.int64)[table + (self.constant - first)]
        return Code({variable: looked_up}).without_constants()

    def numbers(self, codes: Mapping[Variable, IntArray]) -> IntArray:
        """Its numbers for rows of codes of all its variables: (rows)."""
        parts = [table[codes[of] - of.low] for of, table in self.tables.items()]
        return self.after(sum(parts, np.array([self.constant])))


def total(codes: Sequence[Code], bias: int = 0) -> Code:
    """The sum of codes and a constant.

    Raises
    ------
    Undecided : an operand is not a sum of tables.
    """
    tables: dict[Variable, IntArray] = {}
    for code in codes:
        if code.steps:
            raise Undecided("a sum of nodes that no signal holds")
        bias += code.constant
        for variable, table in code.tables.items():
            tables[variable] = tables[variable] + table if variable in tables else table
    return Code(tables, bias).without_constants()


Rename = Callable[[str, Code], Code]
"""Given a node and its code, what stands for the code in the nodes that read it."""


def outputs_of(model: Model, inputs: Sequence[Code], rename: Rename) -> list[Code]:
    """The outputs of a model that has codes, after its nodes, in the order of dependence.

    Raises
    ------
    KanError : an op without semantics.
    Undecided : a node is not a sum of tables.
    """
    assert isinstance(model.op, func.FuncOp)
    if model.level == "wire":
        return _wire_outputs(model.op, inputs, rename)
    return _table_outputs(model.op, inputs, rename)


def _table_outputs(function: func.FuncOp, inputs: Sequence[Code], rename: Rename) -> list[Code]:
    sources, results = code_values(function)
    names = layer_names(function)
    values: dict[SSAValue, list[Code]] = {}
    rest = list(inputs)
    for source in sources:
        (count,) = tensor_shape(source)
        values[source], rest = rest[:count], rest[count:]
    for op in function.body.block.ops:
        match op:
            case TablesOp() if len(tensor_shape(op.result)) == 1:
                first, _ = quantized_type(op.input).bounds
                tables = to_numpy(op.tables)
                values[op.result] = [
                    code.looked_up(table, first)
                    for code, table in zip(values[op.input], tables, strict=True)
                ]
            case NodeSumOp():
                sums = _sums(op, values)
                if not any(isinstance(use.operation, RequantizeOp) for use in op.result.uses):
                    sums = _renamed(names[op.result], sums, rename)
                values[op.result] = sums
            case RequantizeOp():
                codes = _requantized(op, values[op.input])
                values[op.result] = _renamed(names[op.result], codes, rename)
            case ConcatOp():
                values[op.result] = [code for part in op.inputs for code in values[part]]
            case _:
                # Quantisers and affines in front of the codes, dequantisers behind them.
                pass
    for result in results:
        if result not in values:
            raise KanError(f"@{function.sym_name.data}: a result is not made of codes")
    return [code for result in results for code in values[result]]


def _renamed(layer: str, codes: Sequence[Code], rename: Rename) -> list[Code]:
    return [rename(f"{layer}_node{index}", code) for index, code in enumerate(codes)]


def _sums(op: NodeSumOp, values: Mapping[SSAValue, list[Code]]) -> list[Code]:
    edges = op.edges.owner
    if not isinstance(edges, TablesOp):
        raise KanError("kan.node_sum of an operand other than kan.tables")
    tables, mask = to_numpy(edges.tables), op.mask_array
    first, _ = quantized_type(edges.input).bounds
    inputs = values[edges.input]
    return [
        total(
            [
                inputs[index].looked_up(tables[node, index], first)
                for index in np.flatnonzero(mask[node]).tolist()
            ],
            bias,
        )
        for node, bias in enumerate(op.bias_array.tolist())
    ]


def _requantized(op: RequantizeOp, sums: Sequence[Code]) -> list[Code]:
    if op.affine is not None:
        return [
            code.looked_up(each.entries, each.source.low)
            for code, each in zip(sums, rescalings_of(op), strict=True)
        ]
    before, after = (
        np.broadcast_to(quantized_type(value).zero_point_for(1), len(sums)).tolist()
        for value in (op.input, op.result)
    )
    low, high = (ends.tolist() for ends in bounds_of(op.result))
    return [
        code.then(Add(-before[index]))
        .then(Divide(shift))
        .then(Add(after[index]))
        .then(Clamp(low[index], high[index]))
        for index, (code, shift) in enumerate(zip(sums, op.shifts.tolist(), strict=True))
    ]


def _wire_outputs(function: func.FuncOp, inputs: Sequence[Code], rename: Rename) -> list[Code]:
    values: dict[SSAValue, Code] = dict(zip(function.args, inputs, strict=True))
    marks = {op.value: op for op in function.body.block.ops if isinstance(op, MarkOp)}
    outputs: list[Code] = []
    for op in function.body.block.ops:
        match op:
            case MarkOp() | DeadOp():
                continue
            case func.ReturnOp():
                outputs = [values[value] for value in op.operands]
                continue
            case _:
                codes = _wire_codes(op, [values[operand] for operand in op.operands])
        for result, code in zip(op.results, codes, strict=True):
            mark = marks.get(result)
            if mark is not None and mark.within is None:
                offset = mark.offset.value.data
                code = rename(mark.node.data, code.then(Add(offset))).then(Add(-offset))
            values[result] = code
    return outputs


def _wire_codes(op: Operation, inputs: Sequence[Code]) -> list[Code]:
    match op:
        case ConstantOp():
            return [Code(constant=op.value.value.data)]
        case TableOp() if len(op.inputs) == 1:
            return [inputs[0].looked_up(op.entries_array, range_of(op.inputs[0]).low)]
        case SumOp():
            return [total(inputs)]
        case ClampOp():
            return [inputs[0].then(Clamp(range_of(op.result).low, range_of(op.result).high))]
        case ShiftOp():
            return [inputs[0].then(Divide(op.amount.value.data))]
        case DelayOp():
            return [inputs[0]]
        case GreaterOp():
            return [inputs[0].then(Add(-op.bound.value.data)).then(Clamp(0, 1))]
        case PrecedesOp() | SelectOp():
            raise Undecided("a head that compares outputs; leave --second out, or the head")
        case TableOp() | ExtractOp():
            raise Undecided(f"'{op.name}' of a network that passes went through")
        case _:
            return _evaluated(op, inputs)


def _evaluated(op: Operation, inputs: Sequence[Code]) -> list[Code]:
    """The results of an op of another package that reads one value of few bits: tables of it."""
    kinds = [range_of(value) for value in op.operands]
    if len(kinds) != 1 or kinds[0].bits > MAX_TABLE_BITS:
        raise Undecided(f"'{op.name}' reads several values, or one of many bits")
    low, high = kinds[0].low, kinds[0].high
    results = evaluate_op(op, [np.arange(low, high + 1)])
    return [inputs[0].looked_up(np.broadcast_to(each, high - low + 1), low) for each in results]
