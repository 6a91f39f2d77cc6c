"""The codec of a design as a C header."""

from __future__ import annotations

from collections.abc import Sequence

from kan_dialect.flows.host.bus_bytes import BusBytes
from kan_dialect.flows.host.c_text import (
    braces,
    code_definitions,
    filled,
    smallest_type,
    text_array,
)
from kan_dialect.flows.host.python import packed_bytes
from kan_dialect.lowering.systemverilog.layout import commented
from kan_dialect.model.interface import Interface, Port

_HEADER = """\
// Codes for the ports of @name@: from floating point, and back.
//
// A code q stands for (q - zero_point) * scale; encoding rounds half to even and saturates. Inputs
// are multiplied by their gain and moved by their offset before.
// @name@_codec.py does the same in Python, bit for bit.
//
// C99 or C++17, no library needed. Results rest on IEEE 754 divisions and multiplications that
// round to nearest, which is how every processor starts; rounding to codes is spelt out below and
// does not depend on the rounding mode.

#ifndef @NAME@_CODEC_H
#define @NAME@_CODEC_H

#include <float.h>
#include <stdint.h>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "compile @name@_codec.h without -ffast-math and -ffinite-math-only"
#endif
#if FLT_EVAL_METHOD < 0 || FLT_EVAL_METHOD == 2
#error "@name@_codec.h needs arithmetic in double precision (x87: -msse2 -mfpmath=sse)"
#endif

@definitions@
#define @NAME@_INPUT_BYTES @input_bytes@  // of a bus that carries all inputs side by side
#define @NAME@_OUTPUT_BYTES @output_bytes@
#define @NAME@_AXIS_INPUT_BYTES @axis_input_bytes@  // of a sample on AXI4-Stream
#define @NAME@_AXIS_OUTPUT_BYTES @axis_output_bytes@
#define @NAME@_LATENCY @latency@  // cycles from an input to its output

struct @name@_port {
    double scale;
    int64_t zero_point, lowest, highest;
    int width;  // bits, two's complement where `lowest` is negative
    double gain, offset;
};

static const struct @name@_port @name@_inputs[@NAME@_INPUTS] = {
@input_rows@
};

static const struct @name@_port @name@_outputs[@NAME@_OUTPUTS] = {
@output_rows@
};@names@

// What the codes of a port stand for.
static inline double @name@_real(double x, const struct @name@_port *port)
{
    volatile double product = x * port->gain;  // volatile: never fused with the addition
    return product + port->offset;
}

// The code of one real value, which is not NaN.
static inline @name@_code @name@_quantise(double real, const struct @name@_port *port)
{
    const double bound = 4503599627370496.0;  // 2^52: beyond it, every code saturates
    double value = real / port->scale;
    if (value > bound) value = bound;
    if (value < -bound) value = -bound;
    const double magnitude = value < 0 ? -value : value;
    int64_t rounded = (int64_t)magnitude;
    const double rest = magnitude - (double)rounded;  // exact
    if (rest > 0.5 || (rest == 0.5 && rounded % 2 == 1)) rounded += 1;
    const int64_t code = (value < 0 ? -rounded : rounded) + port->zero_point;
    if (code < port->lowest) return (@name@_code)port->lowest;
    if (code > port->highest) return (@name@_code)port->highest;
    return (@name@_code)code;
}

// Input codes of a sample. Infinite values saturate; NaN, for which there is no code, is encoded
// as 0.0. Returns how many values are NaN: a sample for which that is not 0 means nothing.
static inline int @name@_encode(const double x[@NAME@_INPUTS], @name@_code codes[@NAME@_INPUTS])
{
    int nans = 0;
    for (int i = 0; i < @NAME@_INPUTS; ++i) {
        const double real = @name@_real(x[i], &@name@_inputs[i]);
        const int is_nan = real != real;
        codes[i] = @name@_quantise(is_nan ? 0.0 : real, &@name@_inputs[i]);
        nans += is_nan;
    }
    return nans;
}

static inline int @name@_encode_f(const float x[@NAME@_INPUTS], @name@_code codes[@NAME@_INPUTS])
{
    int nans = 0;
    for (int i = 0; i < @NAME@_INPUTS; ++i) {
        const double real = @name@_real((double)x[i], &@name@_inputs[i]);
        const int is_nan = real != real;
        codes[i] = @name@_quantise(is_nan ? 0.0 : real, &@name@_inputs[i]);
        nans += is_nan;
    }
    return nans;
}

// Real values of a sample's output codes.
static inline void @name@_decode(const @name@_code codes[@NAME@_OUTPUTS], double y[@NAME@_OUTPUTS])
{
    for (int i = 0; i < @NAME@_OUTPUTS; ++i) {
        const struct @name@_port *port = &@name@_outputs[i];
        y[i] = (double)((int64_t)codes[i] - port->zero_point) * port->scale;
    }
}

static inline void @name@_decode_f(const @name@_code codes[@NAME@_OUTPUTS], float y[@NAME@_OUTPUTS])
{
    for (int i = 0; i < @NAME@_OUTPUTS; ++i) {
        const struct @name@_port *port = &@name@_outputs[i];
        y[i] = (float)((double)((int64_t)codes[i] - port->zero_point) * port->scale);
    }
}

// Where the bytes of each port's code are among the bytes of a sample on AXI4-Stream, lowest first.
static const @input_place@ @name@_axis_inputs[] = @axis_inputs@;
static const @output_place@ @name@_axis_outputs[] = @axis_outputs@;

// Input codes as bytes for AXI4-Stream. Bytes of the first beat first, TDATA[7:0] before
// TDATA[15:8]: the order of bytes in memory that a DMA engine sends. A code fills whole bytes.
static inline void @name@_pack_axis(const @name@_code codes[@NAME@_INPUTS],
                                    uint8_t bytes[@NAME@_AXIS_INPUT_BYTES])
{
    int next = 0;
    for (int i = 0; i < @NAME@_AXIS_INPUT_BYTES; ++i) bytes[i] = 0;
    for (int i = 0; i < @NAME@_INPUTS; ++i) {
        uint64_t bits = (uint64_t)(int64_t)codes[i];
        for (int left = @name@_inputs[i].width; left > 0; left -= 8, bits >>= 8) {
            bytes[@name@_axis_inputs[next++]] = (uint8_t)(bits & 255u);
        }
    }
}

// Output codes from bytes of AXI4-Stream.
static inline void @name@_unpack_axis(const uint8_t bytes[@NAME@_AXIS_OUTPUT_BYTES],
                                      @name@_code codes[@NAME@_OUTPUTS])
{
    int next = 0;
    for (int i = 0; i < @NAME@_OUTPUTS; ++i) {
        const struct @name@_port *port = &@name@_outputs[i];
        int64_t code = 0;
        for (int bit = 0; bit < port->width; ++bit) {
            const int64_t one = bytes[@name@_axis_outputs[next + bit / 8]] >> bit % 8 & 1;
            code += bit == port->width - 1 && port->lowest < 0 ? -one * ((int64_t)1 << bit)
                                                               : one * ((int64_t)1 << bit);
        }
        next += (port->width + 7) / 8;
        codes[i] = (@name@_code)code;
    }
}

// Input codes as the bytes of a bus of your own, without gaps: bit 0 of x0 is bit 0 of the first
// byte, x1 follows the last bit of x0, and so on.
static inline void @name@_pack_inputs(const @name@_code codes[@NAME@_INPUTS],
                                      uint8_t bytes[@NAME@_INPUT_BYTES])
{
    int position = 0;
    for (int i = 0; i < @NAME@_INPUT_BYTES; ++i) bytes[i] = 0;
    for (int i = 0; i < @NAME@_INPUTS; ++i) {
        for (int bit = 0; bit < @name@_inputs[i].width; ++bit, ++position) {
            const unsigned one = (unsigned)((uint64_t)codes[i] >> bit & 1u);
            bytes[position / 8] = (uint8_t)(bytes[position / 8] | one << position % 8);
        }
    }
}

// Output codes from the bytes of such a bus.
static inline void @name@_unpack_outputs(const uint8_t bytes[@NAME@_OUTPUT_BYTES],
                                         @name@_code codes[@NAME@_OUTPUTS])
{
    int position = 0;
    for (int i = 0; i < @NAME@_OUTPUTS; ++i) {
        const struct @name@_port *port = &@name@_outputs[i];
        int64_t code = 0;
        for (int bit = 0; bit < port->width; ++bit, ++position) {
            const int64_t one = bytes[position / 8] >> position % 8 & 1;
            code += bit == port->width - 1 && port->lowest < 0 ? -one * ((int64_t)1 << bit)
                                                               : one * ((int64_t)1 << bit);
        }
        codes[i] = (@name@_code)code;
    }
}

#endif
"""


def c_codec(interface: Interface, bus: tuple[BusBytes, BusBytes]) -> str:
    """The text of NAME_codec.h.

    Parameters
    ----------
    bus : bytes on AXI4-Stream of input and output samples.
    """
    return filled(
        _HEADER,
        name=interface.name,
        NAME=interface.name.upper(),
        definitions=code_definitions(interface),
        input_bytes=packed_bytes(interface.inputs),
        output_bytes=packed_bytes(interface.outputs),
        latency=interface.latency,
        input_rows=_rows(interface.inputs),
        output_rows=_rows(interface.outputs),
        names=_names(interface),
        axis_input_bytes=bus[0].size,
        axis_output_bytes=bus[1].size,
        input_place=smallest_type(0, bus[0].size - 1),
        output_place=smallest_type(0, bus[1].size - 1),
        axis_inputs=braces(place for places in bus[0].places for place in places),
        axis_outputs=braces(place for places in bus[1].places for place in places),
    )


def _names(interface: Interface) -> str:
    """Names of features and classes, as far as they are known."""
    text = ""
    for what, texts in (("feature", interface.features), ("class", interface.classes)):
        if texts:
            array = text_array(f"{interface.name}_{what}_names", texts)
            text += f"\n\n// Name of each {what} in the data.\n{array}"
    return text


def _rows(ports: Sequence[Port]) -> str:
    """Initialisers; scales in hexadecimal, for those are exact, with the decimal beside them."""
    return "\n".join(
        f"    {{{port.scale.hex()}, {port.zero_point}, {port.low}, {port.high}, {port.width}, "
        f"{port.gain.hex()}, {port.offset.hex()}}},"
        f"  // {commented(port.label)}, scale {port.scale!r}"
        for port in ports
    )
