"""The specification of a second opinion: the ops of a model as tables, adders and comparisons.

Read from IR at table level, or at wire level where a build starts there, by the definitions of the
ops alone. Nothing is optimised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.analysis.nodes import layer_names
from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import code_values
from kan_dialect.evaluate.rescaling import rescalings_of
from kan_dialect.flows.prove.second_opinion.graph import Arithmetic, Undecided, Word
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import to_numpy
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.ir.types import quantized_type, range_of, tensor_shape
from kan_dialect.model.model import Model
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.decision import GreaterOp, PrecedesOp, SelectOp
from kan_dialect.ops.layer import ConcatOp, NodeSumOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.table import RequantizeOp, TablesOp
from kan_dialect.ops.wire import (
    ConstantOp,
    DeadOp,
    DelayOp,
    ExtractOp,
    MarkOp,
    SumOp,
    TableOp,
)

Rename = Callable[[str, Word], Word]
"""Given a node and its code, what stands for the code in the nodes that read it."""


def outputs_of(
    model: Model, inputs: Sequence[Word], arithmetic: Arithmetic, rename: Rename
) -> list[Word]:
    """The outputs of a model that has codes, after its nodes, in the order of dependence.

    Raises
    ------
    KanError : an op without semantics.
    Undecided : a table is too large, or an op reads several values.
    """
    assert isinstance(model.op, func.FuncOp)
    reader = _Reader(arithmetic, rename)
    if model.level == "wire":
        return reader.wires(model.op, inputs)
    return reader.layers(model.op, inputs)


class _Reader:
    def __init__(self, arithmetic: Arithmetic, rename: Rename) -> None:
        self.arithmetic, self.rename = arithmetic, rename

    def layers(self, function: func.FuncOp, inputs: Sequence[Word]) -> list[Word]:
        sources, results = code_values(function)
        names = layer_names(function)
        values: dict[SSAValue, list[Word]] = {}
        rest = list(inputs)
        for source in sources:
            (count,) = tensor_shape(source)
            values[source], rest = rest[:count], rest[count:]
        for op in function.body.block.ops:
            match op:
                case TablesOp() if len(tensor_shape(op.result)) == 1:
                    first, _ = quantized_type(op.input).bounds
                    pairs = zip(values[op.input], to_numpy(op.tables), strict=True)
                    values[op.result] = [
                        self.arithmetic.looked_up(word, table, first) for word, table in pairs
                    ]
                case NodeSumOp():
                    sums = self._sums(op, values)
                    if not any(isinstance(use.operation, RequantizeOp) for use in op.result.uses):
                        sums = self._renamed(names[op.result], sums)
                    values[op.result] = sums
                case RequantizeOp():
                    codes = self._requantized(op, values[op.input])
                    values[op.result] = self._renamed(names[op.result], codes)
                case ConcatOp():
                    values[op.result] = [word for part in op.inputs for word in values[part]]
                case _:
                    # Quantisers and affines in front of the codes, dequantisers behind them.
                    pass
        if any(result not in values for result in results):
            raise KanError(f"@{function.sym_name.data}: a result is not made of codes")
        return [word for result in results for word in values[result]]

    def _renamed(self, layer: str, words: Sequence[Word]) -> list[Word]:
        return [self.rename(f"{layer}_node{index}", word) for index, word in enumerate(words)]

    def _sums(self, op: NodeSumOp, values: dict[SSAValue, list[Word]]) -> list[Word]:
        edges = op.edges.owner
        if not isinstance(edges, TablesOp):
            raise KanError("kan.node_sum of an operand other than kan.tables")
        tables, mask = to_numpy(edges.tables), op.mask_array
        first, _ = quantized_type(edges.input).bounds
        inputs, look_up = values[edges.input], self.arithmetic.looked_up
        return [
            self.arithmetic.total(
                [
                    look_up(inputs[index], tables[node, index], first)
                    for index in np.flatnonzero(mask[node]).tolist()
                ],
                bias,
            )
            for node, bias in enumerate(op.bias_array.tolist())
        ]

    def _requantized(self, op: RequantizeOp, sums: Sequence[Word]) -> list[Word]:
        of = self.arithmetic
        if op.affine is not None:
            return [
                of.looked_up(word, each.entries, each.source.low)
                for word, each in zip(sums, rescalings_of(op), strict=True)
            ]
        before, after = (
            np.broadcast_to(quantized_type(value).zero_point_for(1), len(sums)).tolist()
            for value in (op.input, op.result)
        )
        low, high = (ends.tolist() for ends in bounds_of(op.result))
        codes: list[Word] = []
        for index, (word, shift) in enumerate(zip(sums, op.shifts.tolist(), strict=True)):
            quotient = of.divided(of.total([word], -before[index]), shift)
            codes.append(of.clamped(of.total([quotient], after[index]), low[index], high[index]))
        return codes

    def wires(self, function: func.FuncOp, inputs: Sequence[Word]) -> list[Word]:
        values: dict[SSAValue, Word] = dict(zip(function.args, inputs, strict=True))
        marks = {op.value: op for op in function.body.block.ops if isinstance(op, MarkOp)}
        outputs: list[Word] = []
        for op in function.body.block.ops:
            match op:
                case MarkOp() | DeadOp():
                    continue
                case func.ReturnOp():
                    outputs = [values[value] for value in op.operands]
                    continue
                case _:
                    words = self._results(op, [values[operand] for operand in op.operands])
            for result, word in zip(op.results, words, strict=True):
                mark = marks.get(result)
                if mark is not None and mark.within is None:
                    offset, total = mark.offset.value.data, self.arithmetic.total
                    word = total([self.rename(mark.node.data, total([word], offset))], -offset)
                values[result] = word
        return outputs

    def _results(self, op: Operation, words: Sequence[Word]) -> list[Word]:
        of = self.arithmetic
        match op:
            case ConstantOp():
                return [of.constant(op.value.value.data)]
            case TableOp() if len(op.inputs) == 1:
                return [of.looked_up(words[0], op.entries_array, range_of(op.inputs[0]).low)]
            case SumOp():
                return [of.total(words)]
            case ClampOp():
                return [of.clamped(words[0], range_of(op.result).low, range_of(op.result).high)]
            case ShiftOp():
                return [of.divided(words[0], op.amount.value.data)]
            case DelayOp():
                return [words[0]]
            case GreaterOp():
                above = of.above(words[0], of.constant(op.bound.value.data))
                return [Word((above,), 0, 1, words[0].rank)]
            case PrecedesOp():
                return [self._precedes(words)]
            case SelectOp():
                condition, one, other = words
                word = of.chosen(condition.bit(0), one, other)
                return [replace(word, rank=max(word.rank, condition.rank))]
            case TableOp() | ExtractOp():
                raise Undecided(f"'{op.name}' of a network that passes went through")
            case _:
                return self._evaluated(op, words)

    def _precedes(self, words: Sequence[Word]) -> Word:
        left, left_index, right, right_index = words
        of, graph = self.arithmetic, self.arithmetic.graph
        earlier = of.above(right_index, left_index)
        first = graph.either(of.above(left, right), graph.both(of.equal(left, right), earlier))
        return Word((first,), 0, 1, max(word.rank for word in words))

    def _evaluated(self, op: Operation, words: Sequence[Word]) -> list[Word]:
        """The results of an op of another package that reads one value: tables of it."""
        if len(words) != 1:
            raise Undecided(f"'{op.name}' reads several values")
        low, high = range_of(op.operands[0]).low, range_of(op.operands[0]).high
        results = evaluate_op(op, [np.arange(low, high + 1)])
        look_up = self.arithmetic.looked_up
        return [look_up(words[0], np.broadcast_to(e, high - low + 1), low) for e in results]
