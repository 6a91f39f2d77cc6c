"""The codec of a design as a Python module."""

from __future__ import annotations

from collections.abc import Sequence

from kan_dialect.flows.host.bus_bytes import BusBytes
from kan_dialect.model.interface import Interface, Port

_MODULE = '''\
"""Codes for the ports of {name}: from floats, and back to floats.

    x     (samples, {inputs}) float  -- encode --> codes (samples, {inputs}) int64
    codes (samples, {outputs}) int64  -- decode --> y     (samples, {outputs}) float64

A code q stands for (q - zero_point) * scale; encoding rounds half to even and saturates. Inputs
are multiplied by their gain and moved by their offset before.
`pack_axis` and `unpack_axis` turn codes into the bytes of the AXI4-Stream wrapper and back: a code
fills whole bytes. `pack_inputs` and `unpack_outputs` are for a bus of your own that carries all
ports side by side: bit 0 of the first port is bit 0 of the first byte, and no bit is left out.

{name}_codec.h does the same in C, bit for bit.
"""

import numpy as np

# Each port: scale, zero point, lowest code, highest code, width in bits (two's complement where
# the lowest code is negative), gain, offset.
INPUTS = [
{input_rows}
]
OUTPUTS = [
{output_rows}
]

# Names of the inputs and of the classes in the data, in order; empty where they are not known.
FEATURES = {features}
CLASSES = {classes}

# Bytes of a sample on AXI4-Stream, as they are sent, and where each port's bytes are, lowest first.
AXIS_INPUT_BYTES = {axis_input_bytes}
AXIS_INPUTS = [
{axis_inputs}
]
AXIS_OUTPUT_BYTES = {axis_output_bytes}
AXIS_OUTPUTS = [
{axis_outputs}
]


def encode(x):
    """Input codes, in float64.

    clamp(round_half_even((x * gain + offset) / scale) + zero_point, lowest, highest)

    Parameters
    ----------
    x : real values, (samples, {inputs}) or ({inputs},). Infinite values saturate. Columns of a
        table of pandas must be FEATURES.

    Returns
    -------
    codes : the same shape, int64.

    Raises
    ------
    ValueError : wrong shape or order, or a value is NaN, for which there is no code.
    """
    require_features(getattr(x, "columns", ()))
    x = _checked(np.asarray(x, dtype=np.float64), INPUTS)
    scale, zero_point, lowest, highest, _, gain, offset = _columns(INPUTS)
    with np.errstate(over="ignore", invalid="ignore"):
        real = x * gain + offset
        codes = np.rint(real / scale) + zero_point
    if np.isnan(real).any():
        where = tuple(np.argwhere(np.isnan(real))[0].tolist())
        raise ValueError(f"x{{list(where)}} is NaN")
    return np.clip(codes, lowest, highest).astype(np.int64)


def require_features(names):
    """Refuse data whose columns are not FEATURES in their order. Without names, there is no order.

    Parameters
    ----------
    names : of the columns, as the first row of a CSV file has them, without columns of labels.
        Columns with numbers in place of names have no names.

    Raises
    ------
    ValueError : a column has another name or another place.
    """
    names = [name for name in names if isinstance(name, str)]
    if not names or not FEATURES or names == FEATURES:
        return
    for place, feature in enumerate(FEATURES):
        if names[place : place + 1] != [feature]:
            raise ValueError(f"column {{place}} must be {{feature!r}}; the order is {{FEATURES}}")
    raise ValueError(f"{{len(names)}} columns, and the order is {{FEATURES}}")


def decode(codes):
    """Real values of output codes: (code - zero_point) * scale, in float64.

    Parameters
    ----------
    codes : integers, (samples, {outputs}) or ({outputs},).

    Returns
    -------
    y : the same shape, float64.

    Raises
    ------
    ValueError : wrong shape.
    """
    codes = _checked(np.asarray(codes, dtype=np.int64), OUTPUTS)
    scale, zero_point, *_ = _columns(OUTPUTS)
    return (codes - zero_point.astype(np.int64)) * scale


def pack_axis(codes):
    """Input codes (samples, {inputs}) as bytes for AXI4-Stream.

    (samples, {axis_input_bytes}), uint8.
    Bytes of the first beat first, TDATA[7:0] before TDATA[15:8]: the order of bytes in memory that
    a DMA engine sends. Each code fills whole bytes, by its sign where codes go below 0.
    """
    codes = _checked(np.asarray(codes, dtype=np.int64), INPUTS)
    data = np.zeros((*codes.shape[:-1], AXIS_INPUT_BYTES), dtype=np.uint8)
    for port, places in enumerate(AXIS_INPUTS):
        for byte, place in enumerate(places):
            data[..., place] = codes[..., port] >> 8 * byte & 255
    return data


def unpack_axis(data):
    """Output codes (samples, {outputs}) from AXI4-Stream bytes (samples, {axis_output_bytes})."""
    data = np.asarray(data, dtype=np.uint8)
    if data.ndim == 0 or data.shape[-1] != AXIS_OUTPUT_BYTES:
        raise ValueError(f"expected {{AXIS_OUTPUT_BYTES}} bytes a sample, got shape {{data.shape}}")
    codes = np.zeros((*data.shape[:-1], len(OUTPUTS)), dtype=np.int64)
    for port, places in enumerate(AXIS_OUTPUTS):
        for byte, place in enumerate(places):
            codes[..., port] |= data[..., place].astype(np.int64) << 8 * byte
        unused = 64 - OUTPUTS[port][4]
        if OUTPUTS[port][2] < 0:
            codes[..., port] = codes[..., port] << unused >> unused
        else:
            codes[..., port] &= (1 << OUTPUTS[port][4]) - 1
    return codes


def pack_inputs(codes):
    """Input codes (samples, {inputs}) as the bytes of a bus: (samples, {input_bytes}), uint8."""
    codes = _checked(np.asarray(codes, dtype=np.int64), INPUTS)
    bits = [codes[..., [i]] >> np.arange(port[4]) & 1 for i, port in enumerate(INPUTS)]
    joined = np.concatenate(bits, axis=-1).astype(np.uint8)
    return np.packbits(joined, axis=-1, bitorder="little")


def unpack_outputs(data):
    """Output codes (samples, {outputs}) from the bytes of a bus: (samples, {output_bytes})."""
    bits = np.unpackbits(np.asarray(data, dtype=np.uint8), axis=-1, bitorder="little")
    codes = []
    start = 0
    for _, _, lowest, _, width, *_ in OUTPUTS:
        weights = np.left_shift(1, np.arange(width))
        if lowest < 0:
            weights[-1] = -weights[-1]
        codes.append(bits[..., start : start + width].astype(np.int64) @ weights)
        start += width
    return np.stack(codes, axis=-1)


def _columns(ports):
    """The columns of INPUTS or OUTPUTS, each (ports), float64."""
    return np.array(ports, dtype=np.float64).T


def _checked(values, ports):
    if values.ndim == 0 or values.shape[-1] != len(ports):
        raise ValueError(f"expected {{len(ports)}} values a sample, got shape {{values.shape}}")
    return values
'''


def python_codec(interface: Interface, bus: tuple[BusBytes, BusBytes]) -> str:
    """The text of NAME_codec.py.

    Parameters
    ----------
    bus : bytes on AXI4-Stream of input and output samples.
    """
    return _MODULE.format(
        name=interface.name,
        inputs=len(interface.inputs),
        outputs=len(interface.outputs),
        input_bytes=packed_bytes(interface.inputs),
        output_bytes=packed_bytes(interface.outputs),
        input_rows=_rows(interface.inputs),
        output_rows=_rows(interface.outputs),
        features=_texts(interface.features),
        classes=_texts(interface.classes),
        axis_input_bytes=bus[0].size,
        axis_inputs=_places(bus[0]),
        axis_output_bytes=bus[1].size,
        axis_outputs=_places(bus[1]),
    )


def _places(bus: BusBytes) -> str:
    return "\n".join(f"    {places}," for places in bus.places)


def packed_bytes(ports: Sequence[Port]) -> int:
    """Bytes of a bus that carries all ports side by side."""
    return -(-sum(port.width for port in ports) // 8)


def _texts(names: Sequence[str]) -> str:
    """A list of strings, in ASCII."""
    rows = "".join(f"    {name!a},\n" for name in names)
    return f"[\n{rows}]" if rows else "[]"


def _rows(ports: Sequence[Port]) -> str:
    return "\n".join(
        f"    ({port.scale!r}, {port.zero_point}, {port.low}, {port.high}, {port.width}, "
        f"{port.gain!r}, {port.offset!r}),  # {port.name}"
        for port in ports
    )
