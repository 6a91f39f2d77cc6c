"""The specification of a proof: every node of the integer model, in the arithmetic of the proof.

Read from IR at table level (or at wire level, where a build starts there), by what the ops say of
themselves: lookups, exact sums, rounded shifts, clamps. Nothing here knows of widths, registers or
of what passes and lowering do; only the names of nodes are those that `kan-expand-wires` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.analysis.nodes import is_requantized, layer_names
from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import code_values
from kan_dialect.evaluate.rescaling import rescalings_of
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import IntArray, to_numpy
from kan_dialect.ir.exact_arithmetic import ExactArithmetic, ExactMeaning, NumberT
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.ir.types import int_type, quantized_type, range_of, tensor_shape
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import ConcatOp, NodeSumOp
from kan_dialect.ops.table import RequantizeOp, TablesOp
from kan_dialect.ops.wire import DeadOp, MarkOp


@dataclass
class Reference(Generic[NumberT]):
    """Nodes and outputs, each as a function of inputs and of nodes before it."""

    math: ExactArithmetic[NumberT]
    rename: Callable[[str, NumberT], NumberT]
    """Given a node and its code, what stands for the code in the nodes that read it."""

    nodes: dict[str, NumberT] = field(default_factory=dict[str, NumberT])
    """In the order in which they depend on each other."""

    outputs: list[NumberT] = field(default_factory=list[NumberT])

    def run(self, model: Model, inputs: Sequence[NumberT]) -> None:
        """Compute the nodes and outputs of a model that has codes.

        Raises
        ------
        KanError : an op without semantics, or a result that is not made of codes.
        """
        assert isinstance(model.op, func.FuncOp)
        at_level = WireLevel(self) if model.level == "wire" else _TableLevel(self)
        self.outputs = at_level.outputs_of(model.op, inputs)

    def node(self, name: str, code: NumberT) -> NumberT:
        self.nodes[name] = code
        return self.rename(name, code)


@dataclass
class _TableLevel(Generic[NumberT]):
    """A list of codes for each tensor of codes."""

    found: Reference[NumberT]
    values: dict[SSAValue, list[NumberT]] = field(default_factory=dict[SSAValue, list[NumberT]])
    names: dict[SSAValue, str] = field(default_factory=dict[SSAValue, str])
    """Of layers."""

    def __post_init__(self) -> None:
        self.math = self.found.math

    def outputs_of(self, function: func.FuncOp, inputs: Sequence[NumberT]) -> list[NumberT]:
        sources, results = code_values(function)
        self.names, codes = layer_names(function), list(inputs)
        for source in sources:
            (count,) = tensor_shape(source)
            self.values[source], codes = codes[:count], codes[count:]
        for op in function.body.block.ops:
            match op:
                case TablesOp() if len(tensor_shape(op.result)) == 1:
                    tables = zip(self.values[op.input], to_numpy(op.tables), strict=True)
                    self.values[op.result] = [self.entry(code, op, table) for code, table in tables]
                case NodeSumOp():
                    self.node_sum(op)
                case RequantizeOp():
                    self.values[op.result] = self.named(op.result, self.requantized(op))
                case ConcatOp():
                    self.values[op.result] = [v for part in op.inputs for v in self.values[part]]
                case _:
                    # Quantisers and affines in front of the codes, dequantisers behind them.
                    pass
        for result in results:
            if result not in self.values:
                raise KanError(f"@{function.sym_name.data}: a result is not made of codes")
        return [code for result in results for code in self.values[result]]

    def named(self, layer: SSAValue, codes: Sequence[NumberT]) -> list[NumberT]:
        name = self.names[layer]
        return [self.found.node(f"{name}_node{index}", code) for index, code in enumerate(codes)]

    def entry(self, code: NumberT, op: TablesOp, table: IntArray) -> NumberT:
        """The entry of one of an op's tables."""
        kind = int_type(*quantized_type(op.input).bounds)
        entries = table.astype(np.int64)
        return self.math.function(lambda codes: entries[codes[0] - kind.low], [code], [kind])

    def node_sum(self, op: NodeSumOp) -> None:
        edges = op.edges.owner
        if not isinstance(edges, TablesOp):
            raise KanError("kan.node_sum of an operand other than kan.tables")
        tables, mask = to_numpy(edges.tables), op.mask_array
        inputs = self.values[edges.input]
        sums: list[NumberT] = []
        for node, bias in enumerate(op.bias_array.tolist()):
            read = np.flatnonzero(mask[node]).tolist()
            terms = [self.entry(inputs[index], edges, tables[node, index]) for index in read]
            sums.append(self.math.total([self.math.constant(bias), *terms]))
        self.values[op.result] = sums if is_requantized(op) else self.named(op.result, sums)

    def requantized(self, op: RequantizeOp) -> list[NumberT]:
        math, sums = self.math, self.values[op.input]
        if op.affine is not None:
            pairs = zip(sums, rescalings_of(op), strict=True)
            return [
                math.function(
                    lambda codes, each=each: each.codes(codes[0]),
                    [code],
                    [int_type(each.source.low, each.source.high)],
                )
                for code, each in pairs
            ]
        zeros = [
            np.broadcast_to(quantized_type(value).zero_point_for(1), len(sums)).tolist()
            for value in (op.input, op.result)
        ]
        limits = [bound.tolist() for bound in bounds_of(op.result)]
        codes: list[NumberT] = []
        for code, shift, before, after, low, high in zip(
            sums, op.shifts.tolist(), *zeros, *limits, strict=True
        ):
            shifted = math.divided(math.total([code, math.constant(-before)]), shift)
            moved = math.total([shifted, math.constant(after)])
            codes.append(math.clamped(moved, low, high))
        return codes


@dataclass
class WireLevel(Generic[NumberT]):
    """A number for each value; marks say which are nodes."""

    found: Reference[NumberT]

    def outputs_of(self, function: func.FuncOp, inputs: Sequence[NumberT]) -> list[NumberT]:
        math = self.found.math
        values: dict[SSAValue, NumberT] = dict(zip(function.args, inputs, strict=True))
        marks = {op.value: op for op in function.body.block.ops if isinstance(op, MarkOp)}
        for op in function.body.block.ops:
            if isinstance(op, MarkOp | DeadOp | func.ReturnOp):
                continue
            operands = [values[operand] for operand in op.operands]
            for result, value in zip(op.results, self.results_of(op, operands), strict=True):
                mark = marks.get(result)
                if mark is not None and mark.within is None:
                    offset = mark.offset.value.data
                    code = math.total([value, math.constant(offset)])
                    code = self.found.node(mark.node.data, code)
                    value = math.total([code, math.constant(-offset)])
                values[result] = value
        last = function.body.block.last_op
        assert isinstance(last, func.ReturnOp)
        return [values[value] for value in last.operands]

    def results_of(self, op: Operation, operands: Sequence[NumberT]) -> list[NumberT]:
        math = self.found.math
        if isinstance(op, ExactMeaning):
            return list(op.meaning(math, operands))
        if not operands:
            return [math.constant(int(result.ravel()[0])) for result in evaluate_op(op, [])]
        kinds = [range_of(value) for value in op.operands]
        return [
            math.function(
                lambda codes, at=index: np.broadcast_to(evaluate_op(op, codes)[at], codes[0].shape),
                operands,
                kinds,
            )
            for index in range(len(op.results))
        ]
