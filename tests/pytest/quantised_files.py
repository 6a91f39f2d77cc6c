"""Small quantised ONNX files, and their values in NumPy by the text of the operators' documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Floats: TypeAlias = NDArray[np.float64]
QONNX = "qonnx.custom_op.general"

ROUNDINGS: dict[str, Callable[[Floats], Floats]] = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.trunc,
    "ROUND_TO_ZERO": np.trunc,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}


def ends(bits: int, signed: int, narrow: int) -> tuple[int, int]:
    """Least and greatest code of QONNX's `Quant`."""
    if signed:
        return -(1 << bits - 1) + narrow, (1 << bits - 1) - 1
    return 0, (1 << bits) - 1 - narrow


class File:
    """Builds a file of one input `x` (batch, n) node by node."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, NDArray[Any]] = {}
        self.last = "x"

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.tensors)}"
        self.tensors[name] = np.array(values, dtype)
        return name

    def add(self, op: str, *operands: str, domain: str = "", **attributes: Any) -> str:
        """A node that reads the last value, and constants by name."""
        return self.join(op, [self.last, *operands], domain=domain, **attributes)

    def join(self, op: str, operands: Sequence[str], domain: str = "", **attributes: Any) -> str:
        output = f"v{len(self.nodes)}"
        make: Any = helper.make_node
        self.nodes.append(
            make(op, list(operands), [output], f"the {op} {output}", domain=domain, **attributes)
        )
        self.last = output
        return output

    def quant(
        self,
        scale: Any,
        bits: int,
        zero: Any = 0,
        *,
        signed: int = 1,
        narrow: int = 0,
        rounding: str = "ROUND",
        op: str = "Quant",
    ) -> str:
        operands = [self.constant(each) for each in (scale, zero, bits)]
        attributes = {"signed": signed, "narrow": narrow, "rounding_mode": rounding}
        return self.add(op, *operands, domain=QONNX, **attributes)

    def dense(self, weights: Any, scale: Any, bits: int) -> str:
        """A matrix product by quantised weights (in, out)."""
        values, self.last = self.last, self.constant(weights)
        weights = self.quant(scale, bits, narrow=1)
        return self.join("MatMul", [values, weights])

    def linear(self, scale: Any, zero: Any, kind: Any, clip: tuple[int, int] | None = None) -> str:
        """QuantizeLinear, Clip, DequantizeLinear."""
        operands = [self.constant(scale), self.constant(zero, kind)]
        self.add("QuantizeLinear", *operands)
        if clip is not None:
            self.add("Clip", *(self.constant(each, kind) for each in clip))
        return self.add("DequantizeLinear", *operands)

    def save(self, path: Path) -> Path:
        def info(name: str, width: int | str) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", width])

        tensors = [numpy_helper.from_array(each, name) for name, each in self.tensors.items()]
        graph = helper.make_graph(
            self.nodes, "g", [info("x", self.inputs)], [info(self.last, "m")], tensors
        )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = 8
        onnx.save(model, path)
        return path

    def outputs(self, x: Floats, dtype: Any = np.float64) -> Floats:
        """The last value, computed in a type of floats."""
        values: dict[str, Any] = {"x": x.astype(dtype)}
        values |= {name: each.astype(dtype) for name, each in self.tensors.items()}
        kinds = {name: each.dtype for name, each in self.tensors.items()}
        for node in self.nodes:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            operands = [values[name] for name in node.input]
            kind = kinds.get(node.input[-1], np.dtype(np.float32))
            values[node.output[0]] = _computed(node.op_type, operands, attributes, kind)
        return values[self.last]


def _computed(op: str, v: list[Any], attributes: dict[str, Any], kind: np.dtype[Any]) -> Floats:
    rounding = ROUNDINGS[attributes.get("rounding_mode", b"FLOOR").decode()]
    match op:
        case "Quant" | "IntQuant":
            low, high = ends(int(v[3]), attributes["signed"], attributes["narrow"])
            return (rounding(np.clip(v[0] / v[1] + v[2], low, high)) - v[2]) * v[1]
        case "BipolarQuant":
            return np.where(v[0] >= 0, 1.0, -1.0) * v[1]
        case "Trunc" if len(v) == 6:
            low, high = ends(int(v[5]), attributes["signed"], attributes["narrow"])
            shift = 2.0 ** np.round(np.log2(v[4] / v[1]))
            codes = rounding(np.clip(np.round(v[0] / v[1] + v[2]) / shift, low, high))
            return (codes - v[2] / shift) * v[4]
        case "Trunc":
            codes = np.round(v[0] / v[1] + v[2]) / 2.0 ** (v[3] - v[4])
            return (rounding(codes) - v[2]) * v[1]
        case "MultiThreshold":
            reached = (v[0][..., np.newaxis] >= v[1]).sum(axis=-1)
            return attributes["out_scale"] * reached + attributes["out_bias"]
        case "QuantizeLinear":
            limits = np.iinfo(kind)
            return np.clip(np.round(v[0] / v[1]) + v[2], limits.min, limits.max)
        case "DequantizeLinear":
            return (v[0] - v[2]) * v[1]
        case "Clip":
            return np.clip(*v)
        case "Abs":
            return np.abs(v[0])
        case "Relu":
            return np.maximum(v[0], 0)
        case "Sigmoid":
            return 1 / (1 + np.exp(-v[0]))
        case "MatMul":
            return v[0] @ v[1]
        case "Mul":
            return v[0] * v[1]
        case _:
            assert op == "Add"
            return v[0] + v[1]
