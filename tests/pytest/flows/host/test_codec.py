"""The host's codecs: Python against C against formulas written here once more, bit for bit."""

from __future__ import annotations

import ctypes
import importlib.util
import math
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kan_dialect.errors import KanError
from kan_dialect.flows.host.codec import write_host
from kan_dialect.flows.simulate.port_words import to_words
from kan_dialect.lowering.wrappers.wrapper_ports import StreamChoice
from kan_dialect.model.interface import Interface, Port
from kan_dialect.model.port_codes import decode, encode

TINY, HUGE = 5e-324, 1.7976931348623157e308
SCALES = [1.0, 0.25, 0.1, 1 / 3, 0.0538, 5.38e-2 / 7, 3.7e5, 2.0**-40, 1e-300, TINY, HUGE, math.pi]
RANGES = [(0, 63, 32), (-8, 7, 0), (0, 0, 0), (0, 1, 0), (-1, 0, 5), (5, 200, 100), (-3, 100, -77)]
WIDE = [(-(1 << 31), (1 << 31) - 1, 12345), (0, (1 << 32) - 1, 1 << 31), (-(1 << 40), 1 << 45, -1)]


def ports(letter: str, ranges: list[tuple[int, int, int]]) -> tuple[Port, ...]:
    """A port for each range, with the scales in turn."""
    return tuple(
        Port.of_range(f"{letter}{i}", low, high, SCALES[i % len(SCALES)], zero_point)
        for i, (low, high, zero_point) in enumerate(ranges)
    )


NARROW = Interface("narrow", ports("x", RANGES * 3), ports("y", RANGES * 2), latency=4)
MIXED = Interface("mixed", ports("x", [*WIDE, *RANGES] * 2), ports("y", [*WIDE, *RANGES]), 0, True)
INTERFACES = {interface.name: interface for interface in (NARROW, MIXED)}
STREAMS = {
    "narrow": StreamChoice(),
    "mixed": StreamChoice(input_beat_bits=24, output_beat_bits=64, order="high-first"),
}

# The header's functions as symbols of a library, over many samples, in a rounding mode.
WRAPPER = """
#include "{name}_codec.h"
#include <fenv.h>
#include <stddef.h>

int in_mode(int up) {{ return fesetround(up ? FE_UPWARD : FE_TONEAREST); }}
int code_bytes(void) {{ return (int)sizeof({name}_code); }}
int encode(size_t samples, const double *x, {name}_code *codes)
{{
    int nans = 0;
    for (size_t i = 0; i < samples; ++i)
        nans += {name}_encode(x + i * {NAME}_INPUTS, codes + i * {NAME}_INPUTS);
    return nans;
}}
int encode_f(size_t samples, const float *x, {name}_code *codes)
{{
    int nans = 0;
    for (size_t i = 0; i < samples; ++i)
        nans += {name}_encode_f(x + i * {NAME}_INPUTS, codes + i * {NAME}_INPUTS);
    return nans;
}}
void decode(size_t samples, const {name}_code *codes, double *y)
{{
    for (size_t i = 0; i < samples; ++i)
        {name}_decode(codes + i * {NAME}_OUTPUTS, y + i * {NAME}_OUTPUTS);
}}
void decode_f(size_t samples, const {name}_code *codes, float *y)
{{
    for (size_t i = 0; i < samples; ++i)
        {name}_decode_f(codes + i * {NAME}_OUTPUTS, y + i * {NAME}_OUTPUTS);
}}
void pack_inputs(size_t samples, const {name}_code *codes, uint8_t *bytes)
{{
    for (size_t i = 0; i < samples; ++i)
        {name}_pack_inputs(codes + i * {NAME}_INPUTS, bytes + i * {NAME}_INPUT_BYTES);
}}
void pack_axis(size_t samples, const {name}_code *codes, uint8_t *bytes)
{{
    for (size_t i = 0; i < samples; ++i)
        {name}_pack_axis(codes + i * {NAME}_INPUTS, bytes + i * {NAME}_AXIS_INPUT_BYTES);
}}
void unpack_axis(size_t samples, const uint8_t *bytes, {name}_code *codes)
{{
    for (size_t i = 0; i < samples; ++i)
        {name}_unpack_axis(bytes + i * {NAME}_AXIS_OUTPUT_BYTES, codes + i * {NAME}_OUTPUTS);
}}
void unpack_outputs(size_t samples, const uint8_t *bytes, {name}_code *codes)
{{
    for (size_t i = 0; i < samples; ++i)
        {name}_unpack_outputs(bytes + i * {NAME}_OUTPUT_BYTES, codes + i * {NAME}_OUTPUTS);
}}
"""

STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]


@dataclass(frozen=True)
class Codecs:
    """The two codecs of an interface, the C one compiled."""

    interface: Interface
    python: ModuleType
    library: ctypes.CDLL
    folder: Path

    @property
    def code_type(self) -> type[np.signedinteger[Any]]:
        return {4: np.int32, 8: np.int64}[self.library.code_bytes()]

    def c(self, function: str, values: NDArray[Any], width: int, dtype: type) -> NDArray[Any]:
        """What a C function makes of each sample: (samples, width)."""
        result = np.zeros((len(values), width), dtype=dtype)
        self.call(function, values, result)
        return result

    def call(self, function: str, values: NDArray[Any], result: NDArray[Any]) -> int:
        values = np.ascontiguousarray(values)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (values, result)]
        return getattr(self.library, function)(ctypes.c_size_t(len(values)), *pointers)


def compiler() -> str:
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found is None:
        pytest.skip("no C compiler is installed")
    return found


@pytest.fixture(scope="module", params=list(INTERFACES))
def codecs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Codecs:
    interface = INTERFACES[request.param]
    return compiled(interface, tmp_path_factory.mktemp("host"), STREAMS[interface.name])


def compiled(interface: Interface, folder: Path, stream: StreamChoice) -> Codecs:
    cc = compiler()
    module_path, _ = write_host(folder, interface, stream)
    name = interface.name
    (folder / "wrapper.c").write_text(WRAPPER.format(name=name, NAME=name.upper()))
    options = [*STRICT, "-O2", "-frounding-math", "-fPIC", "-shared", "-o", "codec.so", "wrapper.c"]
    subprocess.run([cc, *options, "-lm"], cwd=folder, check=True)
    spec = importlib.util.spec_from_file_location(f"{name}_codec", module_path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Codecs(interface, module, ctypes.CDLL(str(folder / "codec.so")), folder)


def code_of(x: float, port: Port) -> int:
    """The definition, in Python's own numbers: `round` takes ties to even, integers are exact."""
    quotient = x / port.scale
    if math.isinf(quotient):
        return port.high if quotient > 0 else port.low
    return min(max(round(quotient) + port.zero_point, port.low), port.high)


def samples(interface: Interface) -> st.SearchStrategy[NDArray[np.float64]]:
    """One sample: for each port any number, one near a code, or a tie between two codes."""

    def values(port: Port) -> st.SearchStrategy[float]:
        codes = st.integers(port.low - 2, port.high + 2)
        halves = codes.map(lambda code: (code - port.zero_point + 0.5) * port.scale)
        whole = codes.map(lambda code: (code - port.zero_point) * port.scale)
        near = st.tuples(halves, st.sampled_from([-math.inf, math.inf])).map(
            lambda pair: math.nextafter(*pair)
        )
        return st.one_of(st.floats(allow_nan=False), halves, whole, near)

    return st.tuples(*map(values, interface.inputs)).map(lambda row: np.array([row]))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_python_and_c_encode_as_defined(codecs: Codecs, data: st.DataObject) -> None:
    interface = codecs.interface
    x = data.draw(samples(interface))
    expected = [[code_of(float(v), port) for v, port in zip(x[0], interface.inputs, strict=True)]]
    got = codecs.python.encode(x)
    assert got.dtype == np.int64
    np.testing.assert_array_equal(got, expected)
    in_c = codecs.c("encode", x, len(interface.inputs), codecs.code_type)
    np.testing.assert_array_equal(in_c, expected)


def test_many_values_encode_alike(codecs: Codecs) -> None:
    interface = codecs.interface
    rng = np.random.default_rng(1)
    low = np.array([port.low for port in interface.inputs])
    high = np.array([port.high for port in interface.inputs])
    scale = np.array([port.scale for port in interface.inputs])
    point = np.array([port.zero_point for port in interface.inputs])
    steps = rng.integers(2 * low - 3, 2 * high + 4, (20_000, len(low))) - 2 * point
    with np.errstate(over="ignore"):
        x = steps / 2 * scale
        expected = np.minimum(np.maximum(np.round(x / scale) + point, low), high)
    np.testing.assert_array_equal(codecs.python.encode(x), expected)
    np.testing.assert_array_equal(codecs.c("encode", x, len(low), codecs.code_type), expected)

    with np.errstate(over="ignore", under="ignore"):
        single = x.astype(np.float32)
    expected = codecs.python.encode(single)
    in_c = codecs.c("encode_f", single, len(low), codecs.code_type)
    np.testing.assert_array_equal(in_c, expected)


def wrapped_code(x: float, port: Port) -> int:
    """The code at a port that wraps, in integers; 0 turns where the quotient is infinite."""
    quotient = x * port.gain + port.offset
    quotient = quotient / port.scale
    whole = 0 if math.isinf(quotient) else math.floor(quotient)
    return (whole + port.zero_point - port.low) % (port.high - port.low + 1) + port.low


def test_codes_wrap(tmp_path: Path) -> None:
    ranges = [
        (-8, 7, 0, 0.25),
        (0, 63, 3, 0.1),
        (-(1 << 31), (1 << 31) - 1, -5, 1e-300),
        (0, 0, 0, 1.0),
    ]
    wrapping = [
        Port.of_range(f"x{i}", low, high, scale, zero, 1.5, -0.25, wraps=True)
        for i, (low, high, zero, scale) in enumerate(ranges)
    ]
    inputs = (*wrapping, Port.of_range("x4", -8, 7, 0.25))
    interface = Interface("wrapping", inputs, ports("y", RANGES), latency=4)
    codecs = compiled(interface, tmp_path, StreamChoice())
    rng = np.random.default_rng(2)
    steps = rng.integers(-400, 400, (2000, 5)) / 4 * [port.scale for port in inputs]
    magnitudes = rng.normal(size=(2000, 5)) * 2.0 ** rng.integers(-1074, 1020, (2000, 5))
    x = np.concatenate([steps, magnitudes, np.full((1, 5), HUGE / 2), np.full((1, 5), -TINY)])
    expected = [
        [
            *[wrapped_code(v, port) for v, port in zip(row, wrapping, strict=False)],
            code_of(row[4], inputs[4]),
        ]
        for row in x.tolist()
    ]
    np.testing.assert_array_equal(encode(inputs, x), expected)
    np.testing.assert_array_equal(codecs.python.encode(x), expected)
    np.testing.assert_array_equal(codecs.c("encode", x, 5, codecs.code_type), expected)
    for column, value in enumerate([math.inf, -math.inf, math.inf, math.inf]):
        infinite = np.zeros((1, 5))
        infinite[0, column] = value
        with pytest.raises(ValueError, match="infinite at a port whose codes wrap"):
            codecs.python.encode(infinite)
        with pytest.raises(KanError, match=f"input x{column} of sample 0 is infinite"):
            encode(inputs, infinite)
        codes = np.zeros((1, 5), dtype=codecs.code_type)
        assert codecs.call("encode", infinite, codes) == 1
        assert decode(inputs, codes.astype(np.int64))[0, column] == 0.0 or column == 3


@pytest.mark.parametrize("value", [math.inf, -math.inf, HUGE, -HUGE, TINY, -TINY, 0.0, -0.0])
def test_extremes_saturate(codecs: Codecs, value: float) -> None:
    inputs = codecs.interface.inputs
    x = np.full((1, len(inputs)), value)
    expected = [[code_of(value, port) for port in inputs]]
    np.testing.assert_array_equal(codecs.python.encode(x), expected)
    np.testing.assert_array_equal(codecs.c("encode", x, len(inputs), codecs.code_type), expected)


def test_nan_is_refused(codecs: Codecs) -> None:
    x = np.zeros((3, len(codecs.interface.inputs)))
    zeros = codecs.python.encode(x)
    x[1, 2] = x[2, 0] = math.nan
    with pytest.raises(ValueError, match=r"x\[1, 2\] is NaN"):
        codecs.python.encode(x)
    with pytest.raises(ValueError, match=r"x\[2\] is NaN"):
        codecs.python.encode(x[1])
    for function, dtype in (("encode", np.float64), ("encode_f", np.float32)):
        codes = np.zeros(x.shape, dtype=codecs.code_type)
        assert codecs.call(function, x.astype(dtype), codes) == 2
        np.testing.assert_array_equal(codes, zeros)


def test_rounding_to_codes_does_not_hang_on_the_rounding_mode(codecs: Codecs) -> None:
    # The scale of x1 is 0.25: dividing is exact, only rounding to codes is not.
    x = np.zeros((120, len(codecs.interface.inputs)))
    x[:, 1] = np.linspace(-2.125, 1.875, 120).round(4)
    expected = codecs.python.encode(x)
    assert codecs.library.in_mode(1) == 0
    try:
        got = codecs.c("encode", x, len(codecs.interface.inputs), codecs.code_type)
    finally:
        codecs.library.in_mode(0)
    np.testing.assert_array_equal(got, expected)


def test_python_and_c_decode_as_defined(codecs: Codecs) -> None:
    outputs = codecs.interface.outputs
    rng = np.random.default_rng(2)
    low = np.array([port.low for port in outputs])
    high = np.array([port.high for port in outputs])
    codes = rng.integers(low, high, (2_000, len(outputs)), endpoint=True)
    codes[0], codes[1] = low, high
    expected = [
        [(code - port.zero_point) * port.scale for code, port in zip(row, outputs, strict=True)]
        for row in codes.tolist()
    ]
    with np.errstate(over="ignore"):
        got = codecs.python.decode(codes)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, expected)
    in_codes = codes.astype(codecs.code_type)
    np.testing.assert_array_equal(codecs.c("decode", in_codes, len(outputs), np.float64), expected)
    with np.errstate(over="ignore", under="ignore"):
        single = np.array(expected).astype(np.float32)
    np.testing.assert_array_equal(codecs.c("decode_f", in_codes, len(outputs), np.float32), single)


def random_codes(of: tuple[Port, ...]) -> NDArray[np.int64]:
    low, high = [port.low for port in of], [port.high for port in of]
    codes = np.random.default_rng(3).integers(low, high, (500, len(of)), endpoint=True)
    codes[0], codes[1] = low, high
    return codes


def bus(codes: NDArray[np.int64], of: tuple[Port, ...]) -> NDArray[np.uint8]:
    """The ports side by side as Python's integers, in bytes."""
    rows: list[list[int]] = []
    size = -(-sum(port.width for port in of) // 8)
    for words in to_words(codes, of).tolist():
        whole = position = 0
        for word, port in zip(words, of, strict=True):
            whole |= word << position
            position += port.width
        rows.append(list(whole.to_bytes(size, "little")))
    return np.array(rows, dtype=np.uint8)


def test_buses_carry_inputs(codecs: Codecs) -> None:
    inputs = codecs.interface.inputs
    codes = random_codes(inputs)
    expected = bus(codes, inputs)
    np.testing.assert_array_equal(codecs.python.pack_inputs(codes), expected)
    np.testing.assert_array_equal(codecs.python.pack_inputs(codes[7]), expected[7])
    in_c = codecs.c("pack_inputs", codes.astype(codecs.code_type), expected.shape[1], np.uint8)
    np.testing.assert_array_equal(in_c, expected)


def test_buses_carry_outputs(codecs: Codecs) -> None:
    outputs = codecs.interface.outputs
    codes = random_codes(outputs)
    data = bus(codes, outputs)
    np.testing.assert_array_equal(codecs.python.unpack_outputs(data), codes)
    np.testing.assert_array_equal(codecs.python.unpack_outputs(data[7]), codes[7])
    in_c = codecs.c("unpack_outputs", data, len(outputs), codecs.code_type)
    np.testing.assert_array_equal(in_c, codes)


def test_axi_streams_carry_codes(codecs: Codecs) -> None:
    """The layout of the wrapper is the reference."""
    interface = codecs.interface
    source, result = STREAMS[interface.name].layouts(interface)
    codes = random_codes(interface.inputs)
    expected = source.pack(codes).reshape(len(codes), -1)
    np.testing.assert_array_equal(codecs.python.pack_axis(codes), expected)
    np.testing.assert_array_equal(codecs.python.pack_axis(codes[7]), expected[7])
    in_c = codecs.c("pack_axis", codes.astype(codecs.code_type), expected.shape[1], np.uint8)
    np.testing.assert_array_equal(in_c, expected)
    codes = random_codes(interface.outputs)
    data = result.pack(codes).reshape(len(codes), -1)
    # Bits above a code are not the host's business.
    for field in result.fields:
        last = codecs.python.AXIS_OUTPUTS[interface.outputs.index(field.port)][-1]
        data[::2, last] ^= np.uint8(256 - (1 << (field.bits - 1) % 8 + 1))
    np.testing.assert_array_equal(codecs.python.unpack_axis(data), codes)
    np.testing.assert_array_equal(codecs.python.unpack_axis(data[7]), codes[7])
    in_c = codecs.c("unpack_axis", data, len(interface.outputs), codecs.code_type)
    np.testing.assert_array_equal(in_c, codes)
    with pytest.raises(ValueError, match="bytes a sample, got shape"):
        codecs.python.unpack_axis(data[:, 1:])


def test_wrong_shapes_are_refused(codecs: Codecs) -> None:
    wrong = np.zeros((4, len(codecs.interface.inputs) + 1))
    functions: list[Callable[[Any], Any]] = [codecs.python.encode, codecs.python.pack_inputs]
    for function in functions:
        with pytest.raises(ValueError, match=r"values a sample, got shape \(4, "):
            function(wrong)
    with pytest.raises(ValueError, match="values a sample"):
        codecs.python.decode(3)


def test_the_header_suits_cpp(codecs: Codecs) -> None:
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler is installed")
    (codecs.folder / "host.cpp").write_text(f'#include "{codecs.interface.name}_codec.h"\n')
    options = ["-std=c++17", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]
    command = ["c++", *options, "-fsyntax-only", "host.cpp"]
    subprocess.run(command, cwd=codecs.folder, check=True)


def test_unsafe_floating_point_is_refused(codecs: Codecs) -> None:
    command = [compiler(), "-ffast-math", "-fsyntax-only", "wrapper.c"]
    result = subprocess.run(command, cwd=codecs.folder, capture_output=True, text=True)
    assert result.returncode != 0
    assert "without -ffast-math" in result.stderr


def test_codes_beyond_float64_are_refused(tmp_path: Path) -> None:
    wide = Interface(
        "wide", (Port.of_range("x0", 0, 1),), (Port.of_range("y0", 0, 1 << 52),), latency=1
    )
    with pytest.raises(KanError, match="port y0 is too wide"):
        write_host(tmp_path, wide)
