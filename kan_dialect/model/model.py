"""A module as something to run: floats in and out, or codes, at any level.

At hardware level samples stream through the registers, one a cycle, and come back aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal, TypeAlias

import numpy as np
from xdsl.dialects import func, hw, seq
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import SSAValue

from kan_dialect.analysis.nodes import (
    node_signals,
    saturated,
    table_nodes,
    wire_nodes,
)
from kan_dialect.analysis.wires import latency_of
from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import code_values, host_affine
from kan_dialect.evaluate.hardware import bit_width, simulate_hardware
from kan_dialect.evaluate.interpreter import evaluate_function, evaluate_inside, find_function
from kan_dialect.ir.attribute_names import LATENCY, PORTS
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.ir.hardware_attributes import NodeAttr
from kan_dialect.ir.module_attributes import (
    declared_interval,
    declared_latency,
    ports_of,
    wire_ports,
)
from kan_dialect.ir.types import IntType, is_quantized, quantized_type, tensor_shape
from kan_dialect.model.interface import Interface, Port
from kan_dialect.model.training_step import as_step, infer, is_trainable
from kan_dialect.ops.table import QuantizeOp, dequantize, quantize, unsaturated_codes

Level: TypeAlias = Literal["spline", "table", "wire", "hardware"]


@dataclass(frozen=True)
class Model:
    """The one function or hardware module of a module."""

    op: func.FuncOp | hw.HWModuleOp
    level: Level

    @staticmethod
    def of(module: ModuleOp, name: str | None = None) -> Model:
        """The model in a module.

        Raises
        ------
        KanError : there is none, or more than one and no name that says which.
        """
        circuits = [
            op
            for op in module.ops
            if isinstance(op, hw.HWModuleOp) and name in (None, op.sym_name.data)
        ]
        if len(circuits) == 1:
            return Model(circuits[0], "hardware")
        function = find_function(module, name)
        return Model(function, _level(function))

    @property
    def name(self) -> str:
        """The function's or module's name, which the RTL's top module has."""
        return self.op.sym_name.data

    @property
    def has_codes(self) -> bool:
        return self.level != "spline"

    def ports(self) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        """Inputs and outputs.

        Raises
        ------
        KanError : the model is not quantised yet.
        """
        match self.op:
            case hw.HWModuleOp():
                return _hardware_ports(self.op)
            case _ if self.level == "wire":
                inputs, outputs = wire_ports(self.op)
                return (
                    tuple(map(Port.of_attribute, inputs)),
                    tuple(map(Port.of_attribute, outputs)),
                )
            case _:
                sources, results = code_values(self.op)
                affines = [host_affine(source) for source in sources]
                return _table_ports("x", sources, affines), _table_ports("y", results)

    def latency(self) -> int:
        """Clock cycles from the inputs to the outputs.

        Raises
        ------
        KanError : the results do not come in one cycle.
        """
        match self.op:
            case hw.HWModuleOp():
                return _latency(self.op)
            case _ if self.level == "wire":
                return latency_of(self.op)
            case _:
                return 0

    def interface(self) -> Interface:
        """Ports and latency.

        Raises
        ------
        KanError : the model is not quantised yet, or its results do not come in one cycle.
        """
        inputs, outputs = self.ports()
        latency = self.latency()
        return Interface(self.name, inputs, outputs, latency, combinational=latency == 0)

    def run_codes(self, codes: IntArray) -> IntArray:
        """Output codes (samples, outputs) of input codes (samples, inputs).

        Raises
        ------
        KanError : the model has no codes, or the input has another shape or range.
        """
        _check_codes(codes, self.ports()[0])
        match self.op:
            case hw.HWModuleOp():
                return _stream(self.op, codes, self.interface(), [])[0]
            case _ if self.level == "wire":
                return np.stack(evaluate_function(self.op, columns_of(codes)), axis=1)
            case _:
                sources, _ = code_values(self.op)
                parts = split_codes(codes, sources)
                return np.concatenate(evaluate_function(self.op, parts, codes=True), axis=1)

    def run_nodes(self, codes: IntArray) -> tuple[IntArray, dict[str, IntArray]]:
        """As `run_codes`, and the codes (samples) of every node of the model that can be found.

        Raises
        ------
        KanError : as `run_codes`.
        """
        _check_codes(codes, self.ports()[0])
        match self.op:
            case hw.HWModuleOp():
                return _stream(self.op, codes, self.interface(), node_signals(self.op))
            case _ if self.level == "wire":
                marks = wire_nodes(self.op)
                results = _returned(self.op)
                wanted = [*results, *(mark.value for mark in marks)]
                values = evaluate_inside(self.op, columns_of(codes), wanted)
                nodes = {
                    mark.node.data: saturated(value + mark.offset.value.data, mark.within)
                    for mark, value in zip(marks, values[len(results) :], strict=True)
                }
                return np.stack(values[: len(results)], axis=1), nodes
            case _:
                sources, results = code_values(self.op)
                layers = table_nodes(self.op)
                values = evaluate_inside(
                    self.op,
                    split_codes(codes, sources),
                    [*results, *layers.values()],
                    sources=sources,
                )
                nodes = {
                    f"{layer}_node{node}": tensor[:, node]
                    for layer, tensor in zip(layers, values[len(results) :], strict=True)
                    for node in range(tensor.shape[1])
                }
                return np.concatenate(values[: len(results)], axis=1), nodes

    def run(self, x: FloatArray) -> FloatArray:
        """Real outputs (samples, outputs) of real inputs (samples, inputs), float64.

        A training step gives those of the coefficients that it begins with.
        """
        if self.level in ("wire", "hardware"):
            interface = self.interface()
            return decode(interface.outputs, self.run_codes(encode(interface.inputs, x)))
        assert isinstance(self.op, func.FuncOp)
        if is_trainable(self.op):
            step = as_step(self.op)
            return step.decode(infer(step, step.encode(x)))
        for argument in self.op.args:
            if not isinstance(argument.type, TensorType):
                raise KanError(
                    f"@{self.name}: argument {argument.index} is of type {argument.type}",
                    remedy="arguments must all be tensors, or all !kan.int",
                )
        widths = [tensor_shape(argument)[0] for argument in self.op.args]
        if x.ndim != 2 or x.shape[1] != sum(widths):
            raise KanError(
                f"@{self.name} takes samples of {sum(widths)} features, got an array of shape "
                f"{x.shape}"
            )
        columns = np.split(x, np.cumsum(widths)[:-1], axis=1)
        # Arguments and results that are codes stand for numbers, too.
        parts = [
            _codes_of(argument, part) if is_quantized(argument) else part
            for argument, part in zip(self.op.args, columns, strict=True)
        ]
        outputs = [
            _numbers_of(result, output) if is_quantized(result) else output
            for result, output in zip(
                _returned(self.op), evaluate_function(self.op, parts), strict=True
            )
        ]
        return np.concatenate(outputs, axis=1)


def encode(ports: Sequence[Port], x: FloatArray) -> IntArray:
    """Codes (samples, ports) of real values of the same shape.

    Raises
    ------
    KanError : another number of columns than ports, or a value that is not a number.
    """
    low = np.array([port.low for port in ports])
    high = np.array([port.high for port in ports])
    return np.clip(encode_unsaturated(ports, x), low, high).astype(np.int64)


def encode_unsaturated(ports: Sequence[Port], x: FloatArray) -> FloatArray:
    """As `encode`, before the codes saturate, as float64."""
    if x.ndim != 2 or x.shape[1] != len(ports):
        raise KanError(
            f"expected samples of {len(ports)} features, got an array of shape {x.shape}"
        )
    with np.errstate(invalid="ignore"):
        gain = np.array([port.gain for port in ports])
        real = x * gain + np.array([port.offset for port in ports])
    try:
        return unsaturated_codes(
            real,
            np.array([port.scale for port in ports]),
            np.array([port.zero_point for port in ports]),
        )
    except ValueError:
        row, column = np.argwhere(np.isnan(real))[0].tolist()
        raise KanError(f"input {column} of sample {row} is not a number") from None


def _codes_of(value: SSAValue, x: FloatArray) -> IntArray:
    element = quantized_type(value)
    try:
        return quantize(x, element.scale_for(1), element.zero_point_for(1), *bounds_of(value))
    except ValueError:
        row, column = np.argwhere(np.isnan(x))[0].tolist()
        raise KanError(f"input {column} of sample {row} is not a number") from None


def _numbers_of(value: SSAValue, codes: IntArray) -> FloatArray:
    element = quantized_type(value)
    return dequantize(codes, element.scale_for(1), element.zero_point_for(1))


def decode(ports: Sequence[Port], codes: IntArray) -> FloatArray:
    """Real values of codes (samples, ports)."""
    return dequantize(
        codes,
        np.array([port.scale for port in ports]),
        np.array([port.zero_point for port in ports]),
    )


def _level(function: func.FuncOp) -> Level:
    types = [*function.function_type.inputs.data, *function.function_type.outputs.data]
    if types and all(isinstance(kind, IntType) for kind in types):
        return "wire"
    if any(isinstance(op, QuantizeOp) for op in function.body.block.ops):
        return "table"
    if any(is_quantized(argument) for argument in function.args):
        return "table"
    return "spline"


def columns_of(codes: IntArray) -> list[Array]:
    return [codes[:, index] for index in range(codes.shape[1])]


def split_codes(codes: IntArray, sources: Sequence[SSAValue]) -> list[Array]:
    """Samples (samples, inputs) as one array for each tensor of codes."""
    ends = np.cumsum([tensor_shape(source)[0] for source in sources])[:-1]
    return list(np.split(codes, ends, axis=1))


def _returned(function: func.FuncOp) -> Sequence[SSAValue]:
    terminator = function.get_return_op()
    assert terminator is not None
    return terminator.operands


def _check_codes(codes: IntArray, inputs: Sequence[Port]) -> None:
    count = len(inputs)
    if codes.ndim != 2 or codes.shape[1] != count or codes.dtype.kind not in "iu":
        raise KanError(
            f"expected integer codes of shape (samples, {count}), got {codes.dtype} of shape "
            f"{codes.shape}"
        )
    for index, port in enumerate(inputs):
        column = codes[:, index]
        outside = np.flatnonzero((column < port.low) | (column > port.high))
        if outside.size:
            raise KanError(
                f"sample {int(outside[0])}: code {int(column[outside[0]])} of {port.name} is "
                f"outside its range {port.low}..{port.high}"
            )


def _table_ports(
    letter: str,
    values: Sequence[SSAValue],
    affines: Sequence[tuple[FloatArray, FloatArray] | None] = (),
) -> tuple[Port, ...]:
    """Ports of tensors of codes; `affines` are those of inputs that the host computes first."""
    ports: list[Port] = []
    for value, affine_of in zip_longest(values, affines):
        if not is_quantized(value):
            raise KanError(
                "the model has no codes yet",
                remedy="quantise it first: kan-compile or kan-quantize",
            )
        if len(tensor_shape(value)) != 1:
            raise KanError(
                f"{value.type} is no vector of codes",
                remedy="arguments and results must be tensor<n x !quant.uniform>",
            )
        lower, upper = bounds_of(value)
        gain, offset = affine_of or (np.ones(len(lower)), np.zeros(len(lower)))
        for index, (low, high) in enumerate(zip(lower.tolist(), upper.tolist(), strict=True)):
            encoding = quantized_type(value).element([index])
            scale, zero_point = float(encoding.scales[0]), int(encoding.zero_points[0])
            affine = float(gain[index]), float(offset[index])
            name = f"{letter}{len(ports)}"
            ports.append(Port.of_range(name, low, high, scale, zero_point, *affine))
    return tuple(ports)


def _latency(module: hw.HWModuleOp) -> int:
    latency = declared_latency(module)
    if latency is None:
        raise KanError(f"@{module.sym_name.data} does not say its latency ({LATENCY})")
    return latency


def _hardware_ports(module: hw.HWModuleOp) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    if declared_interval(module) is not None:
        raise KanError(
            f"@{module.sym_name.data} trains itself, so it computes no fixed function",
            remedy="kan-flow train-sim simulates it",
        )
    listed = ports_of(module)
    if listed is None:
        raise KanError(f"@{module.sym_name.data} does not say what its ports are ({PORTS})")
    widths = {
        port.port_name.data: bit_width(port.type)
        for port in module.module_type.ports
        if not isinstance(port.type, seq.ClockType)
    }
    inputs: list[Port] = []
    outputs: list[Port] = []
    for attribute in listed:
        port = Port.of_attribute(attribute)
        if widths.get(port.name) != port.width:
            raise KanError(
                f"@{module.sym_name.data}: codes {port.low}..{port.high} of port {port.name} need "
                f"{port.width} bits, the port has {widths.get(port.name, 'none')}"
            )
        (inputs if attribute.is_input else outputs).append(port)
    return tuple(inputs), tuple(outputs)


def _stream(
    module: hw.HWModuleOp,
    codes: IntArray,
    interface: Interface,
    nodes: Sequence[tuple[NodeAttr, SSAValue]],
) -> tuple[IntArray, dict[str, IntArray]]:
    """All samples back to back through the registers, and cycles more until the last is there.

    Returns
    -------
    The outputs (samples, outputs), and the codes (samples) of each node.
    """
    samples, latency = codes.shape[0], interface.latency
    probes = {f"node {node.node}": node for node, _ in nodes}
    more = max([latency, *(node.cycle for node in probes.values())])
    cycles = samples + more
    inputs: dict[str, Array] = {}
    for index, port in enumerate(interface.inputs):
        pattern = codes[:, index] & ((1 << port.width) - 1)
        inputs[port.name] = np.concatenate([pattern, np.zeros(more, dtype=np.int64)])
    if not interface.combinational:
        inputs["clk"] = np.zeros(cycles, dtype=np.int64)
        inputs["rst"] = np.zeros(cycles, dtype=np.int64)
        inputs["in_valid"] = np.repeat(np.array([1, 0], dtype=np.int64), [samples, more])
    signals = {f"node {node.node}": signal for node, signal in nodes}
    results = simulate_hardware(module, inputs, probes=signals)
    if not interface.combinational:
        valid: Array = results["out_valid"]
        due = valid[latency : latency + samples]
        if valid[:latency].any() or not due.all() or valid[latency + samples :].any():
            raise KanError(
                f"@{module.sym_name.data}: out_valid does not come {latency} cycles later"
            )
    columns: list[Array] = []
    for port in interface.outputs:
        pattern: IntArray = results[port.name][latency : latency + samples].astype(np.int64)
        columns.append(_read(pattern, port.width, signed=port.signed))
    found: dict[str, IntArray] = {}
    for name, node in probes.items():
        pattern = results[name][node.cycle : node.cycle + samples].astype(np.int64)
        number = _read(pattern, node.values.bits, signed=node.values.is_signed)
        found[node.node] = saturated(number + node.offset, node.within)
    return np.stack(columns, axis=1), found


def _read(pattern: IntArray, width: int, *, signed: bool) -> IntArray:
    """The numbers that bit patterns stand for."""
    if not signed:
        return pattern
    return np.where(pattern >> (width - 1), pattern - (1 << width), pattern)
