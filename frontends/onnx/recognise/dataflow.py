"""Follows the input through a graph: what each value depends on, and how.

No sequence of ops is matched. Each op determines for its result on which input or node each element
depends (`dependence.py`), so different forms of one layer give the same dependences. Stops at the
first op whose result is no sum of functions of one value each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kan_dialect.frontends.onnx.operators import folding
from kan_dialect.frontends.onnx.operators.dependence import Tensor
from kan_dialect.frontends.onnx.operators.elementwise import ELEMENTWISE
from kan_dialect.frontends.onnx.operators.movement import MOVEMENTS
from kan_dialect.frontends.onnx.operators.refusals import REFUSALS, UNKNOWN
from kan_dialect.frontends.onnx.read.graph import MAX_WIDTH, Graph, Node
from kan_dialect.frontends.onnx.read.quantizers import Quantizer
from kan_dialect.frontends.onnx.recognise.operator_rules import RULES
from kan_dialect.frontends.onnx.recognise.tensor_builder import TensorBuilder, Value, given_operands
from kan_dialect.ir.constants import IntArray


@dataclass(frozen=True, eq=False)
class QuantizedTensor:
    """The result of a quantiser.

    Attributes
    ----------
    variables : the variable that each element of the quantiser's operand depends on.
    """

    tensor: Tensor
    variables: IntArray
    quantizer: Quantizer


class Dataflow(TensorBuilder):
    """The tensors of a graph, complete once `run` has interpreted all nodes.

    Attributes
    ----------
    quantized : results of the graph's quantisers, in order; each is a source.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.quantized: list[QuantizedTensor] = []
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
            except (
                ValueError,
                IndexError,
                TypeError,
                RuntimeError,
                OverflowError,
                MemoryError,
            ) as error:
                # NumPy's message names the mismatch; the operands come from the file.
                raise node.misfit(error) from None
            self._values.update(zip(node.outputs, results, strict=False))
            for name in self.graph.quantizers.keys() & set(node.outputs):
                self._make_codes(name)
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

    def value(self, name: str) -> Value | None:
        """A tensor or a constant of the graph; None if it is not interpreted yet."""
        return self._values.get(name)

    def _make_codes(self, name: str) -> None:
        """Turn the result of a quantiser into variables of their own, unless it is constant."""
        tensor = self._values[name]
        if isinstance(tensor, Tensor):
            variables = tensor.variables
            self.make_source(tensor, needed=True)
            self.quantized.append(QuantizedTensor(tensor, variables, self.graph.quantizers[name]))

    def _interpret(self, node: Node) -> Sequence[Value]:
        operands = [self._value(node, name) if name else None for name in node.inputs]
        tensors = [operand for operand in operands if isinstance(operand, Tensor)]
        opset, budget = self.graph.opset, self.graph.budget
        if not tensors:
            constants = [each for each in operands if not isinstance(each, Tensor)]
            return folding.fold(node, constants, opset, budget)
        if self.graph.vector in node.outputs:
            return tensors  # The batch of one sample is removed.
        if node.op_type in ("Shape", "Size"):
            blank = np.broadcast_to(np.zeros((), np.int8), self.file_shape(tensors[0]))
            return folding.fold(node, [blank], opset, budget)
        if node.op_type == "Dropout":
            node = node.within("Identity", node.inputs[:1], node.outputs[:1])
            operands = tensors[:1]
        chosen = node.op_type == "Where" and not isinstance(operands[0], Tensor)
        if chosen or node.op_type in MOVEMENTS:
            return self.moved(node, operands)
        rule = RULES.get(node.op_type)
        if rule is not None:
            return [rule(self, node, operands)]
        if node.op_type in ELEMENTWISE:
            return [self.add_function(node, given_operands(operands))]
        reason, remedy = REFUSALS.get(node.op_type, UNKNOWN)
        raise node.refuse(reason, remedy)

    def _value(self, node: Node, name: str) -> Value:
        if name not in self._values:
            raise node.refuse(f"it reads '{name}', a further result that is not supported")
        return self._values[name]
