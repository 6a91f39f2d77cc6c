"""Models of the benchmark set that are ONNX graphs: their import finds the edges in the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from kan_dialect.flows.benchmark_set.draws import Draws
from kan_dialect.flows.benchmark_set.spline_networks import labelled, samples
from kan_dialect.ir.constants import FloatArray

OPSET, IR_VERSION = 17, 8


def _computed(kind: str, values: Sequence[FloatArray]) -> FloatArray:
    """An ONNX operator, as NumPy computes it."""
    match kind, values:
        case "Abs", [x]:
            return np.abs(x)
        case "Relu", [x]:
            return np.maximum(x, 0.0)
        case "Sin", [x]:
            return np.sin(x)
        case "Tanh", [x]:
            return np.tanh(x)
        case "Add", [x, y]:
            return x + y
        case "Sub", [x, y]:
            return x - y
        case "MatMul", [x, y]:
            return x @ y
        case "Clip", [x, low, high]:
            return np.clip(x, low, high)
        case _:
            raise ValueError(kind)


class _Graph:
    """An ONNX graph, built node by node, with the values of all nodes on the samples."""

    def __init__(self, name: str, inputs: int) -> None:
        self.name = name
        self.draws = Draws(name)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._values: dict[str, FloatArray] = {"x": samples(name, inputs)}

    def constant(self, values: FloatArray | float) -> str:
        """An initializer. Returns its name."""
        name = f"c{len(self._constants)}"
        array = np.asarray(values, dtype=np.float32)
        self._constants.append(numpy_helper.from_array(array, name))
        self._values[name] = array.astype(np.float64)
        return name

    def op(self, kind: str, *inputs: str) -> str:
        """A node. Returns the name of its output."""
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name))
        self._values[name] = _computed(kind, [self._values[value] for value in inputs])
        return name

    def product(self, value: str, nodes: int) -> str:
        """A weighted sum of all elements for each node."""
        inputs = self._values[value].shape[1]
        return self.op("MatMul", value, self.constant(self.draws.bell(0.5, (inputs, nodes))))

    def files(self, output: str) -> Mapping[str, bytes]:
        """The model and its data, by file name."""
        kind, x, y = onnx.TensorProto.FLOAT, self._values["x"], self._values[output]
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [helper.make_tensor_value_info("x", kind, ["batch", x.shape[1]])],
            [helper.make_tensor_value_info(output, kind, ["batch", y.shape[1]])],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        return {
            f"{self.name}.onnx": model.SerializeToString(),
            f"{self.name}.npz": labelled(x, y),
        }


def sines(name: str) -> Mapping[str, bytes]:
    """Two layers whose edges are weighted sines, tangents and identities."""
    graph = _Graph(name, 5)
    hidden = graph.op("Add", graph.product(graph.op("Sin", "x"), 6), graph.product("x", 6))
    return graph.files(graph.product(graph.op("Tanh", hidden), 3))


def kinks(name: str) -> Mapping[str, bytes]:
    """Two layers whose edges have kinks: rectifiers, absolute values, clips."""
    graph = _Graph(name, 4)
    shifted = graph.op("Sub", "x", graph.constant(graph.draws.uniform(-1.0, 1.0, (4,))))
    hidden = graph.op(
        "Add",
        graph.product(graph.op("Relu", shifted), 5),
        graph.product(graph.op("Abs", shifted), 5),
    )
    ends = graph.constant(-0.75), graph.constant(1.25)
    return graph.files(graph.product(graph.op("Clip", hidden, *ends), 2))
