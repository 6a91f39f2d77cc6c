"""Small ONNX graphs of tests, written op by op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
Extents = Sequence[int | str]


class Net:
    """Builds a graph: ops by their names, constants as arrays.

    Floats of constants become `dtype`. Inputs have its type, if `save` gives no other.
    """

    def __init__(self, opset: int = 17, dtype: type[np.floating[Any]] = np.float32) -> None:
        self.opset = opset
        self.dtype = dtype
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def constant(self, values: Array | np.generic) -> str:
        array = np.asarray(values)
        array = array.astype(self.dtype) if array.dtype.kind == "f" else array
        self.tensors.append(numpy_helper.from_array(array, f"c{len(self.tensors)}"))
        return self.tensors[-1].name

    def __call__(self, op: str, *operands: str | Array | np.generic, **attributes: Any) -> str:
        """Add a node, and return its result; of TopK, the indices."""
        names = [each if isinstance(each, str) else self.constant(each) for each in operands]
        count = len(self.nodes)
        results = [f"v{count}"] + ["indices"] * (op == "TopK")
        self.nodes.append(helper.make_node(op, names, results, name=f"n{count}", **attributes))
        return results[-1]

    def save(
        self,
        folder: Path,
        output: str,
        inputs: Mapping[str, Extents],
        kinds: Mapping[str, int] | None = None,
    ) -> Path:
        """Write `net.onnx`; `kinds` are element types of inputs and of the output, by name."""
        float_kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        kinds = {output: TensorProto.INT64 if self._is_index(output) else float_kind} | dict(
            kinds or {}
        )
        graph = helper.make_graph(
            self.nodes,
            "g",
            [
                helper.make_tensor_value_info(name, kinds.get(name, float_kind), shape)
                for name, shape in inputs.items()
            ],
            [helper.make_tensor_value_info(output, kinds[output], None)],
            self.tensors,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 9
        path = folder / "net.onnx"
        onnx.save(model, path)
        return path

    def _is_index(self, output: str) -> bool:
        """Whether indices are computed on the way to the output."""
        return any(each.op_type in ("ArgMax", "ArgMin", "TopK") for each in self.nodes)
