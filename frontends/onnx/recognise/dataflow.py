"""Follows the input through a graph: what each value depends on, and how.

No sequence of ops is matched. Each op determines for its result on which input or node each element
depends (`dependence.py`), so different forms of one layer give the same dependences. Stops at the
first op whose result is no sum of functions of one value each.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from kan_dialect.frontends.onnx.operators import folding
from kan_dialect.frontends.onnx.operators.dependence import (
    Tensor,
)
from kan_dialect.frontends.onnx.operators.elementwise import ELEMENTWISE
from kan_dialect.frontends.onnx.operators.movement import (
    MOVEMENTS,
    split_movements,
)
from kan_dialect.frontends.onnx.operators.refusals import (
    REFUSALS,
    UNKNOWN,
)
from kan_dialect.frontends.onnx.operators.scatter import SCATTERS, scatter_movement
from kan_dialect.frontends.onnx.read.graph import MAX_WIDTH, Graph, Node
from kan_dialect.frontends.onnx.recognise.operator_rules import RULES
from kan_dialect.frontends.onnx.recognise.tensor_builder import TensorBuilder, Value, given_operands


class Dataflow(TensorBuilder):
    """The tensors of a graph, complete once `run` has interpreted all nodes."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self._values: dict[str, Value] = {**graph.constants, graph.input: self.input}

    def run(self) -> Tensor:
        """Interpret all nodes, and return the output.

        Raises
        ------
        Unrecognised : an op has no place in a Kolmogorov-Arnold network.
        KanError : the output does not depend on the input.
        """
        for node in self.graph.nodes:
            try:
                results = self._interpret(node)
            except (ValueError, IndexError, TypeError, OverflowError, MemoryError) as error:
                # NumPy's message names the mismatch; the operands come from the file.
                raise node.refuse(f"its operands do not fit it: {error}") from None
            self._values.update(zip(node.outputs, results, strict=False))
        output = self._values[self.graph.output]
        if not isinstance(output, Tensor):
            raise self.graph.error("the output does not depend on the input")
        if output.size > MAX_WIDTH:
            raise self.graph.too_wide("output", self.graph.output, output.size)
        # The comparison runs whole batches of a fixed size, and holds a few values at a time.
        if None not in self.graph.input_shape:
            size = 64 * self.batch * self.widest
            self.graph.budget.check(size, f"a batch of {self.batch} samples")
        return output

    def _interpret(self, node: Node) -> list[Value]:
        operands = [self._value(node, name) if name else None for name in node.inputs]
        tensors = [operand for operand in operands if isinstance(operand, Tensor)]
        if not tensors:
            constants = [each for each in operands if not isinstance(each, Tensor)]
            return list(folding.fold(node, constants, self.graph.budget))
        if node.op_type in ("Shape", "Size"):
            shape = self.full_shape(tensors[0])
            known = folding.shape_slice(node, shape)
            return [known if node.op_type == "Shape" else np.array(prod(shape), np.int64)]
        if node.op_type == "Split" and isinstance(operands[0], Tensor):
            return self._split(node, operands[0], operands[1:])
        return [self._result(node, operands)]

    def _value(self, node: Node, name: str) -> Value:
        if name not in self._values:
            raise node.refuse(f"it reads '{name}', a further result that is not supported")
        return self._values[name]

    def _result(self, node: Node, operands: Sequence[Value | None]) -> Tensor:
        first = operands[0]
        if node.op_type in MOVEMENTS and isinstance(first, Tensor):
            move = MOVEMENTS[node.op_type](self.movement_operands(node, first, operands[1:]))
            return self.add_movement(node, move.arrange, [first], move.batch_axis or 0)
        if node.op_type in SCATTERS:
            move, arguments = scatter_movement(node, operands, self.batch, self.graph.budget)
            return self.add_movement(node, move.arrange, arguments, move.batch_axis or 0)
        rule = RULES.get(node.op_type)
        if rule is not None:
            return rule(self, node, operands)
        if node.op_type in ELEMENTWISE:
            return self.add_function(node, given_operands(node, operands))
        reason, remedy = REFUSALS.get(node.op_type, UNKNOWN)
        raise node.refuse(reason, remedy)

    def _split(self, node: Node, operand: Tensor, further: Sequence[Value | None]) -> list[Value]:
        moves = split_movements(self.movement_operands(node, operand, further), len(node.outputs))
        return [
            self.add_movement(node, move.arrange, [operand], operand.batch_axis, name)
            for move, name in zip(moves, node.outputs, strict=True)
        ]
