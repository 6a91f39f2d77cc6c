"""A function or hardware module that can be evaluated at any level, on real values or codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import SSAValue

from kan_dialect.analysis.nodes import (
    node_signals,
    saturated,
    table_nodes,
    wire_nodes,
)
from kan_dialect.analysis.quantization_points import is_spline, quantizers_inside
from kan_dialect.analysis.wires import latency_of
from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import code_values, host_affine
from kan_dialect.evaluate.interpreter import evaluate_function, evaluate_inside, find_function
from kan_dialect.ir.attributes.data_schema import DataSchema, features_of
from kan_dialect.ir.attributes.module_attributes import declared_interface, wire_ports
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.types import IntType, is_quantized, quantized_type, tensor_shape
from kan_dialect.model.hardware_stream import stream
from kan_dialect.model.interface import Interface, Port, check_codes
from kan_dialect.model.model_ports import (
    hardware_interval,
    hardware_latency,
    hardware_ports,
    memory_ports,
    port_names,
    table_ports,
)
from kan_dialect.model.on_chip.training_step import as_step, infer, is_trainable
from kan_dialect.model.port_codes import decode, encode
from kan_dialect.ops.table import dequantize, quantize

Level: TypeAlias = Literal["spline", "table", "wire", "hardware"]


@dataclass(frozen=True)
class Model:
    """A function or hardware module, and its level."""

    op: func.FuncOp | hw.HWModuleOp
    level: Level

    def __repr__(self) -> str:
        return f"Model({self.name}: {self.level} level)"

    @staticmethod
    def of(module: ModuleOp, name: str | None = None) -> Model:
        """The model in a module.

        Raises
        ------
        KanError : the module has no model, or several and no name is given, or the model has no
            results.
        """
        circuits = [
            op
            for op in module.ops
            if isinstance(op, hw.HWModuleOp)
            and name in (None, op.sym_name.data)
            and declared_interface(op) is None
        ]
        if len(circuits) == 1:
            return Model(circuits[0], "hardware")
        function = find_function(module, name)
        if not function.function_type.outputs.data:
            raise KanError(f"@{function.sym_name.data} returns nothing: it computes no outputs")
        return Model(function, _level(function))

    @property
    def name(self) -> str:
        """The name of the function or hardware module, and of the RTL's top module."""
        return self.op.sym_name.data

    @property
    def has_codes(self) -> bool:
        return self.level != "spline"

    @property
    def schema(self) -> DataSchema:
        """What the data calls its features and classes."""
        return DataSchema.of(self.op)

    def ports(self) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        """Inputs and outputs.

        Raises
        ------
        KanError : the model is not quantised yet.
        """
        names, (inputs, outputs) = port_names(self.op), self._unnamed_ports()
        inputs, missing = _named(inputs, names), self.schema.missing
        if missing:
            pairs = zip(inputs, missing, strict=True)
            inputs = tuple(replace(port, missing=value) for port, value in pairs)
        return inputs, _named(outputs, names)

    def _unnamed_ports(self) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        match self.op:
            case hw.HWModuleOp():
                return hardware_ports(self.op)
            case _ if self.level == "wire":
                inputs, outputs = wire_ports(self.op)
                return (
                    tuple(map(Port.of_attribute, inputs)),
                    tuple(map(Port.of_attribute, outputs)),
                )
            case _:
                sources, results = code_values(self.op)
                affines = [host_affine(source) for source in sources]
                return table_ports("x", sources, affines), table_ports("y", results)

    def latency(self) -> int:
        """Clock cycles from the inputs to the outputs.

        Raises
        ------
        KanError : the results come in different cycles.
        """
        match self.op:
            case hw.HWModuleOp():
                return hardware_latency(self.op)
            case _ if self.level == "wire":
                return latency_of(self.op)
            case _:
                return 0

    def interface(self) -> Interface:
        """Ports, latency and interval.

        Raises
        ------
        KanError : the model is not quantised yet, or its results come in different cycles.
        """
        inputs, outputs = self.ports()
        latency = self.latency()
        classes, combinational = self.schema.classes, latency == 0
        # Before the schedule, a function has no cycles.
        is_unscheduled = combinational and isinstance(self.op, func.FuncOp)
        interval = 1 if is_unscheduled else hardware_interval(self.op)
        memory = memory_ports(self.op)
        return Interface(
            self.name, inputs, outputs, latency, combinational, classes, interval, memory
        )

    def run_codes(self, codes: IntArray) -> IntArray:
        """Output codes (samples, outputs) of input codes (samples, inputs).

        Raises
        ------
        KanError : the model is not quantised yet, or `codes` has another shape or range.
        """
        check_codes(codes, self.ports()[0])
        match self.op:
            case hw.HWModuleOp():
                return stream(self.op, codes, self.interface(), [])[0]
            case _ if self.level == "wire":
                return np.stack(evaluate_function(self.op, columns_of(codes)), axis=1)
            case _:
                sources, _ = code_values(self.op)
                parts = split_codes(codes, sources)
                return np.concatenate(evaluate_function(self.op, parts, codes=True), axis=1)

    def run_nodes(self, codes: IntArray) -> tuple[IntArray, dict[str, IntArray]]:
        """Output codes as of `run_codes`, and the codes (samples) of every node named in the IR.

        Raises
        ------
        KanError : as `run_codes`.
        """
        check_codes(codes, self.ports()[0])
        match self.op:
            case hw.HWModuleOp():
                return stream(self.op, codes, self.interface(), node_signals(self.op))
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

        A training step is run with its initial coefficients.

        Raises
        ------
        KanError : `x` has another number of columns, or holds NaN where the model does not say
            what stands for it; or an argument is no tensor.
        """
        x = self.schema.filled(x) if x.shape[1:] == (features_of(self.op),) else x
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
        # Codes at arguments and results are converted from and to real values.
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


def _named(ports: tuple[Port, ...], names: Mapping[str, str]) -> tuple[Port, ...]:
    """Ports with the names of their features or classes, by port."""
    if not names:
        return ports
    return tuple(replace(port, data_name=names.get(port.name, "")) for port in ports)


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


def levels_in(module: ModuleOp) -> set[str]:
    """Levels of the functions and hardware modules of a module; `training` of training steps."""
    found: set[str] = {
        "training" if is_trainable(op) else _level(op) for op in functions_of(module)
    }
    return found | {"hardware" for op in module.ops if isinstance(op, hw.HWModuleOp)}


def _level(function: func.FuncOp) -> Level:
    types = [*function.function_type.inputs.data, *function.function_type.outputs.data]
    if types and all(isinstance(kind, IntType) for kind in types):
        return "wire"
    if quantizers_inside(function) and not is_spline(function):
        return "table"
    if any(is_quantized(argument) for argument in function.args):
        return "table"
    return "spline"


def columns_of(codes: IntArray) -> list[Array]:
    return [codes[:, index] for index in range(codes.shape[1])]


def split_codes(codes: IntArray, sources: Sequence[SSAValue]) -> list[Array]:
    """Codes (samples, inputs) split into one array for each tensor of codes."""
    ends = np.cumsum([tensor_shape(source)[0] for source in sources])[:-1]
    return list(np.split(codes, ends, axis=1))


def _returned(function: func.FuncOp) -> Sequence[SSAValue]:
    terminator = function.get_return_op()
    assert terminator is not None
    return terminator.operands
