"""Ranges are proofs: what verifies cannot overflow, and no value ever leaves what its type says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects import test
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.parser import Parser
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import VerifyException

from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import Array, IntArray, dense
from kan_dialect.ir.quant import UniformQuantizedType, storage_for
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.ir.types import IntType, bounds_constant, quantized_type, range_of
from kan_dialect.model.model import Model
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.shift import ShiftOp, shift_range
from kan_dialect.ops.table import RequantizeOp, TablesOp
from kan_dialect.ops.wire import ConstantOp, DelayOp, MarkOp, SumOp, TableOp

deterministic = settings(derandomize=True, deadline=None, max_examples=150)
ends = st.one_of(st.integers(-20, 20), st.integers(-(1 << 40), 1 << 40))
ranges = st.tuples(ends, ends).map(lambda pair: IntType(min(pair), max(pair)))
small_ranges = st.tuples(st.integers(-20, 20), st.integers(0, 15)).map(
    lambda pair: IntType(pair[0], pair[0] + pair[1])
)


def values_of(*kinds: IntType | TensorType[UniformQuantizedType]) -> list[SSAValue]:
    return list(test.TestOp(result_types=kinds).results)


def retyped(op: Operation, low: int, high: int) -> Operation:
    Rewriter.replace_value_with_new_type(op.results[0], IntType(low, high))
    return op


def inside(kind: IntType, rng: np.random.Generator) -> IntArray:
    """Both ends of a range, and values in between."""
    between = rng.integers(kind.low, kind.high, 50, endpoint=True)
    return np.concatenate([[kind.low, kind.high], between])


def is_proved(make: Callable[[], Operation]) -> None:
    """An op verifies with the range that it has, or a wider one, and with no narrower one."""
    exact = range_of(make().results[0])
    make().verify()
    retyped(make(), exact.low - 1, exact.high + 2).verify()
    for low, high in ((exact.low + 1, exact.high), (exact.low, exact.high - 1)):
        if low <= high:
            with pytest.raises(VerifyException, match="does not hold"):
                retyped(make(), low, high).verify()


def stays_inside(op: Operation, operands: list[IntArray]) -> None:
    (seen,) = evaluate_op(op, operands)
    kind = range_of(op.results[0])
    assert kind.low <= seen.min() and seen.max() <= kind.high


@deterministic
@given(st.lists(ranges, min_size=1, max_size=6), st.integers(0, 1000))
def test_sums(kinds: list[IntType], seed: int) -> None:
    is_proved(lambda: SumOp(values_of(*kinds)))
    rng = np.random.default_rng(seed)
    columns = [rng.permutation(inside(kind, rng)) for kind in kinds]
    columns = [np.concatenate([[k.low, k.high], c]) for k, c in zip(kinds, columns, strict=True)]
    stays_inside(SumOp(values_of(*kinds)), columns)


@deterministic
@given(ranges, st.integers(-15, 31), st.integers(0, 1000))
def test_shifts(kind: IntType, amount: int, seed: int) -> None:
    low, high = shift_range(kind, amount)
    # The widened type must itself be one.
    if storage_for(low - 1, high + 2)[0] <= 62:
        is_proved(lambda: ShiftOp(values_of(kind)[0], amount))
        operand = inside(kind, np.random.default_rng(seed))
        stays_inside(ShiftOp(values_of(kind)[0], amount), [operand])


@deterministic
@given(ranges, ranges, st.integers(0, 1000))
def test_clamps(kind: IntType, target: IntType, seed: int) -> None:
    op = ClampOp(values_of(kind)[0], target.low, target.high)
    op.verify()
    stays_inside(op, [inside(kind, np.random.default_rng(seed))])


@deterministic
@given(st.lists(small_ranges, min_size=1, max_size=3), st.booleans(), st.integers(0, 1000))
def test_tables(kinds: list[IntType], dont_care: bool, seed: int) -> None:
    """Entries that do not matter may be anything, and yet nothing leaves its range."""
    rng = np.random.default_rng(seed)
    shape = [kind.size for kind in kinds]
    entries = rng.integers(-300, 300, shape)
    care = rng.random(shape) < 0.6 if dont_care else np.ones(shape, dtype=np.bool_)
    if care.any():
        is_proved(lambda: TableOp(values_of(*kinds), entries, care=care))
    columns: list[Array] = [rng.integers(k.low, k.high, 200, endpoint=True) for k in kinds]
    stays_inside(TableOp(values_of(*kinds), entries, care=care), columns)


@deterministic
@given(ranges, st.integers(-3, 3), st.integers(-3, 3))
def test_delays_and_constants_change_nothing(kind: IntType, low: int, high: int) -> None:
    (value,) = values_of(kind)
    DelayOp(value, 1).verify()
    ConstantOp(kind.low).verify()
    if (low, high) != (0, 0) and kind.low + low <= kind.high + high:
        with pytest.raises(VerifyException):
            retyped(DelayOp(value, 1), kind.low + low, kind.high + high).verify()
        with pytest.raises(VerifyException):
            retyped(
                ConstantOp(5), 5 + min(low, high), 5 + max(low, high, min(low, high) + 1)
            ).verify()


def test_a_mark_whose_code_needs_too_many_bits_is_refused() -> None:
    (value,) = values_of(IntType(0, 3))
    MarkOp(value, "layer0_node0", offset=-(1 << 60)).verify()
    with pytest.raises(VerifyException, match="more than 62 bits"):
        MarkOp(value, "layer0_node0", offset=(1 << 63) - 5).verify()


# Table level


@st.composite
def lookups(draw: st.DrawFn) -> TablesOp:
    """Tables whose entries beyond an input's bounds are out of any range."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    inputs, nodes = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    element = UniformQuantizedType(3, draw(st.booleans()), 1.0)
    low, high = element.bounds
    (source,) = values_of(TensorType(element, (inputs,)))
    tables = rng.integers(-100, 100, (nodes, inputs, high - low + 1))
    lower, upper = tables.min(axis=-1), tables.max(axis=-1)
    result = UniformQuantizedType(8, True, 0.5)
    bounds = bounds_constant(TensorType(result, lower.shape), lower, upper)
    return TablesOp(source, tables, result, bounds=bounds)


@deterministic
@given(lookups(), st.data())
def test_a_table_outside_its_bounds_is_refused(op: TablesOp, data: st.DataObject) -> None:
    op.verify()
    assert op.bounds is not None
    lower, upper = (array.copy() for array in bounds_of(op.result))
    at = tuple(data.draw(st.integers(0, size - 1)) for size in lower.shape)
    if lower[at] == upper[at]:
        return
    if data.draw(st.booleans()):
        lower[at] += 1
    else:
        upper[at] -= 1
    op.bounds = dense(np.stack([lower, upper], axis=-1))
    with pytest.raises(VerifyException, match="outside its bounds"):
        op.verify()


@deterministic
@given(lookups(), st.data())
def test_a_node_sum_outside_its_bounds_is_refused(op: TablesOp, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    lower, upper = bounds_of(op.result)
    nodes = lower.shape[0]
    mask = rng.random(lower.shape) < 0.7
    bias = rng.integers(-50, 50, nodes)
    low = np.where(mask, lower, 0).sum(axis=1) + bias
    high = np.where(mask, upper, 0).sum(axis=1) + bias
    element = UniformQuantizedType(16, True, 0.5)
    result = TensorType(element, (nodes,))

    def summed(low: IntArray, high: IntArray) -> NodeSumOp:
        bounds = dense(np.stack([low, high], axis=-1))
        return NodeSumOp(op, mask=mask, bias=bias, bounds=bounds, result_type=result)

    summed(low, high).verify()
    node = data.draw(st.integers(0, nodes - 1))
    step = np.eye(nodes, dtype=np.int64)[node]
    for narrow in (
        (low + step, np.maximum(high, low + 1)),
        (np.minimum(low, high - 1), high - step),
    ):
        with pytest.raises(VerifyException, match="outside its bounds"):
            summed(*narrow).verify()
    storage = quantized_type(op.input).bounds
    codes = rng.integers(*storage, (100, lower.shape[1]), endpoint=True)
    (sums,) = evaluate_op(summed(low, high), evaluate_op(op, [codes]))
    assert (sums >= low).all() and (sums <= high).all()


def test_a_bias_that_would_wrap_around_is_refused() -> None:
    element = UniformQuantizedType(8, True, 1.0)
    (edges,) = values_of(TensorType(element, (1, 1)))
    bias = np.array([(1 << 63) - 1])
    result = TensorType(UniformQuantizedType(32, True, 1.0), (1,))
    with pytest.raises(VerifyException, match="over 51 bits"):
        NodeSumOp(edges, bias=bias, result_type=result).verify()


def test_a_rescaling_beyond_64_bits_is_refused() -> None:
    (codes,) = values_of(TensorType(UniformQuantizedType(32, False, 1.0), (1,)))
    RequantizeOp(codes, UniformQuantizedType(8, False, 2.0**-29)).verify()
    with pytest.raises(VerifyException, match="more than 62 bits"):
        RequantizeOp(codes, UniformQuantizedType(8, False, 2.0**-31)).verify()


@deterministic
@given(st.integers(-6, 6), st.integers(-300, 300), st.integers(0, 15), st.integers(0, 1000))
def test_requantised_codes_stay_within_their_bounds(k: int, zero: int, low: int, seed: int) -> None:
    (codes,) = values_of(TensorType(UniformQuantizedType(12, True, 1.0, 7), (2,)))
    bounds = dense(np.array([[low, 15], [0, low]]))
    op = RequantizeOp(codes, UniformQuantizedType(4, False, 2.0**k, zero), bounds=bounds)
    op.verify()
    samples = np.random.default_rng(seed).integers(-2048, 2048, (200, 2))
    (got,) = evaluate_op(op, [samples])
    lower, upper = bounds_of(op.result)
    assert (got >= lower).all() and (got <= upper).all()


# Hardware level


def test_a_port_of_another_width_than_its_codes_need_is_refused() -> None:
    text = """
    hw.module @net(in %x0: i2, out y0: i2) attributes {kan.latency = 0 : i64, kan.ports = [
      #kan.port<"x0", 0:3>, #kan.port<"y0", 0:7>]} {
      hw.output %x0 : i2
    }
    """
    model = Model.of(Parser(make_context(), text).parse_module())
    with pytest.raises(KanError, match=r"codes 0\.\.7 of port y0 need 3 bits, the port has 2"):
        model.ports()
