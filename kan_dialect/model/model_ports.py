"""Ports of a function at table level and of a hardware module."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
from xdsl.dialects import hw, seq
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.ir.attributes.attribute_names import LATENCY, PORTS
from kan_dialect.ir.attributes.data_schema import DataSchema, input_ports, outputs_of
from kan_dialect.ir.attributes.module_attributes import (
    declared_interval,
    declared_latency,
    ports_of,
    trains_itself,
)
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import FloatArray
from kan_dialect.ir.types import is_quantized, quantized_type, tensor_shape
from kan_dialect.model.head import declared_head
from kan_dialect.model.interface import Port

PIPELINE_PORTS = ("clk", "rst", "in_valid", "out_valid")
"""Ports of a hardware module with registers, beside those of the network."""
FOLDED_PORTS = ("in_ready",)
MEMORY_PORTS = ("mem_address", "mem_data")
"""Ports of a folded module beside those."""


def table_ports(
    letter: str,
    values: Sequence[SSAValue],
    affines: Sequence[tuple[FloatArray, FloatArray] | None] = (),
) -> tuple[Port, ...]:
    """Ports of tensors of codes.

    Parameters
    ----------
    letter : first letter of the ports' names.
    affines : gain and offset of the host's affine for each tensor; None without an affine.

    Raises
    ------
    KanError : a value is no vector of codes.
    """
    ports: list[Port] = []
    for value, affine_of in zip_longest(values, affines):
        if not is_quantized(value):
            raise KanError(
                "the model has no codes yet",
                remedy="quantise it first: kan-compile or kan-quantize",
            )
        if len(tensor_shape(value)) != 1:
            raise KanError(
                f"expected a vector of codes, got {value.type}",
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


def port_names(op: Operation) -> dict[str, str]:
    """The name of the feature, class or target at each port of a function or hardware module.

    Ports without a name are left out: outputs that carry the index of a class, and the one output
    that tells two classes apart.
    """
    names, head = DataSchema.of(op), declared_head(op)
    found = dict(zip(input_ports(len(names.features)), names.features, strict=True))
    is_index = head is not None and head.kind != "threshold"
    for results in (names.classes, names.targets):
        if not is_index and len(results) == outputs_of(op):
            found |= {f"y{index}": name for index, name in enumerate(results)}
    return found


def hardware_interval(op: Operation) -> int:
    """Clock cycles from a sample to the next: 1 of an op that does not say, as of functions."""
    interval = declared_interval(op)
    return 1 if interval is None else interval


def memory_ports(op: Operation) -> tuple[Port, ...]:
    """`mem_address` and `mem_data` of a module whose tables can be loaded; empty of other ops."""
    if not isinstance(op, hw.HWModuleOp) or trains_itself(op):
        return ()
    ports = (port for port in op.module_type.ports if port.port_name.data in MEMORY_PORTS)
    widths = [(port.port_name.data, bit_width(port.type)) for port in ports]
    return tuple(Port(name, bits, 0, (1 << bits) - 1) for name, bits in widths)


def hardware_latency(module: hw.HWModuleOp) -> int:
    """Clock cycles from the inputs to the outputs.

    Raises
    ------
    KanError : the module has no attribute `kan.latency`, or a latency and not all of
        `PIPELINE_PORTS`, or an interval and no `in_ready`.
    """
    latency = declared_latency(module)
    if latency is None:
        raise KanError(f"@{module.sym_name.data} has no attribute {LATENCY}, the latency")
    ports = {port.port_name.data for port in module.module_type.ports}
    needed = (*PIPELINE_PORTS, *FOLDED_PORTS) if hardware_interval(module) > 1 else PIPELINE_PORTS
    if latency and not ports.issuperset(needed):
        missing = ", ".join(name for name in needed if name not in ports)
        raise KanError(
            f"@{module.sym_name.data} has a latency of {latency} cycles and no port {missing}",
            remedy=f"a module of latency 0 is combinational; others have {', '.join(needed)}",
        )
    return latency


def hardware_ports(module: hw.HWModuleOp) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs, from the `#kan.port`s of the module.

    Raises
    ------
    KanError : the module lists no ports, a port has another width than its codes need, or the
        module trains itself.
    """
    if trains_itself(module):
        raise KanError(
            f"@{module.sym_name.data} trains itself, so it computes no fixed function",
            remedy="simulate it with kan-flow train-sim",
        )
    listed = ports_of(module)
    if listed is None:
        raise KanError(f"@{module.sym_name.data} has no attribute {PORTS}, the list of ports")
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
