"""Quantised types, and the numerics of quantise, dequantise, shift and requantise, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import TensorType, f32, f64
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.test_value import create_ssa_value

from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import dense
from kan_dialect.ir.quant import UniformQuantizedType, default_bounds, storage_for
from kan_dialect.ir.rounding import round_shift
from kan_dialect.ir.types import IntType
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp, dequantize, quantize

deterministic = settings(derandomize=True, deadline=None, max_examples=100)

scales = st.floats(1e-30, 1e30, allow_subnormal=False)
zero_points = st.integers(-(2**31), 2**31)


@st.composite
def quantized_types(draw: st.DrawFn, axis: bool | None = None) -> UniformQuantizedType:
    bits, signed = draw(st.integers(1, 32)), draw(st.booleans())
    low, high = default_bounds(bits, signed)
    if draw(st.booleans()):
        low = draw(st.integers(low, high - 1))
        high = draw(st.integers(low + 1, high))
    per_axis = draw(st.booleans()) if axis is None else axis
    count = draw(st.integers(1, 4)) if per_axis else 1
    return UniformQuantizedType(
        bits,
        signed,
        draw(st.lists(scales, min_size=count, max_size=count)),
        draw(st.lists(zero_points, min_size=count, max_size=count)),
        axis=draw(st.integers(0, 3)) if per_axis else None,
        bounds=(low, high),
        expressed=draw(st.sampled_from([f32, f64])),
    )


@deterministic
@given(quantized_types())
def test_types_print_and_parse_exactly(element: UniformQuantizedType) -> None:
    assert Parser(make_context(), str(element)).parse_type() == element


@deterministic
@given(st.integers(-(2**33), 2**33), st.integers(0, 2**33))
def test_storage_is_the_narrowest_that_holds_the_range(low: int, size: int) -> None:
    high = low + size
    bits, signed = storage_for(low, high)
    assert signed == (low < 0)
    smallest, largest = default_bounds(bits, signed)
    assert smallest <= low and high <= largest
    if bits > 1:
        smaller = default_bounds(bits - 1, signed)
        assert low < smaller[0] or high > smaller[1]


@pytest.mark.parametrize(
    ("low", "high", "bits", "signed"),
    [
        (0, 0, 1, False),
        (0, 1, 1, False),
        (0, 2, 2, False),
        (7, 7, 3, False),
        (-1, -1, 1, True),
        (-1, 0, 1, True),
        (-1, 1, 2, True),
        (-2, 1, 2, True),
        (-3, 0, 3, True),
        (-8, 8, 5, True),
    ],
)
def test_storage_of_small_ranges(low: int, high: int, bits: int, signed: bool) -> None:
    assert storage_for(low, high) == (bits, signed)
    assert (IntType(low, high).bits, IntType(low, high).is_signed) == (bits, signed)


def test_elements_of_a_type_per_axis() -> None:
    element = UniformQuantizedType(4, True, [0.5, 0.25], [1, -2], axis=0, bounds=(-7, 7))
    assert element.element([1, 5]) == UniformQuantizedType(4, True, 0.25, -2, bounds=(-7, 7))
    assert element.scale_for(3).shape == element.zero_point_for(3).shape == (2, 1, 1)
    tensor_wide = UniformQuantizedType(4, True, 0.5)
    assert tensor_wide.element([3]) == tensor_wide


def round_half_even(value: Fraction) -> int:
    return round(value)


@deterministic
@given(
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e3),
    st.integers(-300, 300),
    st.integers(-40, 40),
    st.integers(0, 100),
)
def test_quantize_rounds_half_to_even_and_saturates(
    x: float, scale: float, zero_point: int, low: int, size: int
) -> None:
    codes = quantize(
        np.array([x]),
        np.float64(scale),
        np.int64(zero_point),
        np.array([low]),
        np.array([low + size]),
    )
    exact = round_half_even(Fraction(x / scale)) + zero_point
    assert codes.tolist() == [min(max(exact, low), low + size)]


def test_quantize_at_ties_and_infinities() -> None:
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, np.inf, -np.inf, 1e300])
    codes = quantize(x, np.float64(1), np.int64(1), np.array(-3), np.array(4))
    assert codes.tolist() == [-1, -1, 1, 1, 3, 3, 4, -3, 4]
    with pytest.raises(ValueError, match="NaN"):
        quantize(np.array([np.nan]), np.float64(1), np.int64(0), np.array(0), np.array(1))


@deterministic
@given(st.integers(-(2**31), 2**31), st.floats(1e-6, 1e6), st.integers(-300, 300))
def test_dequantize_is_one_product(code: int, scale: float, zero_point: int) -> None:
    value = dequantize(np.array([code]), np.float64(scale), np.int64(zero_point))
    assert value.tolist() == [float(Fraction(code - zero_point) * Fraction(scale))]


@deterministic
@given(st.integers(-(2**40), 2**40), st.integers(-20, 31))
def test_round_shift_divides_by_a_power_of_two(value: int, shift: int) -> None:
    exact = Fraction(value) / Fraction(2) ** shift
    assert round_shift(np.array([value]), shift).tolist() == [round_half_even(exact)]


@deterministic
@given(
    st.lists(st.integers(-100, 100), min_size=2, max_size=2),
    st.integers(-5, 5),
    st.integers(-5, 5),
    st.lists(st.integers(-6, 6), min_size=2, max_size=2),
    st.booleans(),
)
def test_requantize_is_exact(
    codes: list[int], zero_in: int, zero_out: int, exponents: list[int], bounded: bool
) -> None:
    """clamp(shift(q - z_in, k) + z_out, lo, hi) of every element, with its own k and bounds."""
    before = UniformQuantizedType(8, True, [0.375, 3.0], zero_in, axis=0)
    after_scales = [0.375 * 2.0 ** exponents[0], 3.0 * 2.0 ** exponents[1]]
    after = UniformQuantizedType(6, True, after_scales, zero_out, axis=0)
    value = create_ssa_value(TensorType(before, (2,)))
    bounds = np.array([[-32, 31], [-2, 5]])
    op = RequantizeOp(value, after, bounds=dense(bounds) if bounded else None)
    op.verify()
    (result,) = op.evaluate([np.array([codes])])
    for n, (code, exponent) in enumerate(zip(codes, exponents, strict=True)):
        exact = round_half_even(Fraction(code - zero_in) / Fraction(2) ** exponent) + zero_out
        low, high = bounds[n] if bounded else (-32, 31)
        assert result[0, n] == min(max(exact, low), high)


def test_scales_that_are_a_power_of_two_apart_up_to_their_last_digit() -> None:
    """Scales are decimal in files of others: 0.3 / 0.1 is no power of two, 0.8 / 0.1 is 8."""
    value = create_ssa_value(TensorType(UniformQuantizedType(8, True, 0.1), (1,)))
    op = RequantizeOp(value, UniformQuantizedType(8, True, 0.8000000000000002))
    op.verify()
    assert op.shifts.tolist() == [3]
    with pytest.raises(VerifyException, match="power of two"):
        RequantizeOp(value, UniformQuantizedType(8, True, 0.3)).verify()
    with pytest.raises(VerifyException, match="power of two"):
        RequantizeOp(value, UniformQuantizedType(8, True, 0.80000001)).verify()


def test_quantize_and_dequantize_per_axis() -> None:
    element = UniformQuantizedType(4, False, [0.5, 2.0], [8, 0], axis=0)
    value = create_ssa_value(TensorType(f32, (2,)))
    op = QuantizeOp(value, element)
    (codes,) = op.evaluate([np.array([[-1.0, 3.0], [100.0, -100.0]])])
    assert codes.tolist() == [[6, 2], [15, 0]]
    (back,) = DequantizeOp(op).evaluate([codes])
    assert back.tolist() == [[-1.0, 4.0], [3.5, 0.0]]


def test_quantize_gives_masked_elements_the_code_of_zero() -> None:
    """Also where the input is NaN, and within the bounds; without a mask, NaN has no code."""
    element = UniformQuantizedType(4, False, 0.5, 8)
    value = create_ssa_value(TensorType(f32, (1, 3)))
    mask = np.array([[True, False, False]])
    bounds = dense(np.array([[[0, 15], [0, 15], [10, 12]]]))
    op = QuantizeOp(value, element, mask=mask, bounds=bounds)
    op.verify()
    assert [array.tolist() for array in op.code_bounds()] == [[[0, 8, 10]], [[15, 8, 10]]]
    inputs = np.array([[[1.0, np.nan, np.inf]]])
    assert op.evaluate([inputs])[0].tolist() == [[[10, 8, 10]]]
    # Readers do not count: a sum that prunes the edge changes nothing.
    unmasked = QuantizeOp(value, element)
    NodeSumOp(unmasked, mask=mask, result_type=TensorType(element, (1,)))
    with pytest.raises(KanError, match="value 0, 1 of sample 0 is not a number"):
        unmasked.evaluate([inputs])
    assert QuantizeOp(value, element, mask=np.ones((1, 3))).mask is None
