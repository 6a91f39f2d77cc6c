"""Dense constants between NumPy and text: exact, whatever they hold and however many there are."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, TensorType, f16, f32, f64, i8
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from kan_dialect.frontends.loading import make_context
from kan_dialect.ir import verifier
from kan_dialect.ir.constants import (
    Array,
    ConstantPrinter,
    DenseAttr,
    dense,
    print_dense,
    to_floats,
    to_integers,
    to_numpy,
)

deterministic = settings(derandomize=True, deadline=None, max_examples=200)

shapes = array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
constants = st.one_of(
    *(
        arrays(kind, shapes)
        for kind in (np.float32, np.float64, np.int8, np.int16, np.int32, np.int64)
    )
)


def printed(attribute: DenseAttr) -> str:
    stream = StringIO()
    print_dense(Printer(stream=stream), attribute)
    return stream.getvalue()


def printed_decimal(attribute: DenseAttr) -> str:
    stream = StringIO()
    ConstantPrinter(stream=stream, decimal=True).print_attribute(attribute)
    return stream.getvalue()


def parsed(text: str) -> DenseAttr:
    attribute = Parser(make_context(), text).parse_attribute()
    assert isinstance(attribute, DenseIntOrFPElementsAttr)
    return attribute


@deterministic
@given(constants)
def test_constants_come_back_bit_for_bit(array: Array) -> None:
    attribute = dense(array)
    back = to_numpy(parsed(printed(attribute)))
    assert back.shape == array.shape
    if array.dtype.kind == "f":
        assert back.tobytes() == array.tobytes()
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    ("values", "element"),
    [([-128, 127], "i8"), ([0, 128], "i16"), ([-32769], "i32"), ([1 << 31], "i64"), ([], "i8")],
)
def test_integers_get_the_narrowest_type_that_holds_them(values: list[int], element: str) -> None:
    attribute = dense(np.array(values, dtype=np.int64))
    assert str(attribute.get_element_type()) == element
    assert to_integers(attribute).tolist() == values


def test_types_can_be_asked_for() -> None:
    assert dense(np.array([0.5]), f32).get_element_type() == f32
    assert dense(np.array([0.5], dtype=np.float32)).get_element_type() == f32
    assert dense(np.array([0.5])).get_element_type() == f64
    assert dense(np.array([True, False])).get_element_type() == i8


def test_splats_are_expanded() -> None:
    attribute = parsed("dense<0.5> : tensor<2x3xf32>")
    assert to_floats(attribute).tolist() == [[0.5] * 3] * 2
    assert verifier.constant(attribute, "weights").shape == (2, 3)


def test_long_constants_are_hexadecimal_or_left_out() -> None:
    assert printed(dense(np.arange(8))) == "dense<[0, 1, 2, 3, 4, 5, 6, 7]> : tensor<8xi8>"
    assert printed(dense(np.arange(9))) == 'dense<"0x000102030405060708"> : tensor<9xi8>'
    assert printed(dense(np.array([np.inf]))) == 'dense<"0x000000000000F07F"> : tensor<1xf64>'
    stream = StringIO()
    print_dense(ConstantPrinter(stream=stream, elide_above=8), dense(np.arange(9)))
    assert stream.getvalue() == "dense_resource<__elided__> : tensor<9xi8>"


@deterministic
@given(constants)
def test_decimal_lists_come_back_bit_for_bit(array: Array) -> None:
    text = printed_decimal(attribute := dense(array))
    assert parsed(text) == attribute
    assert array.dtype.kind == "f" or '"' not in text


def test_a_decimal_list_has_a_line_for_each_row() -> None:
    tables = np.arange(12).reshape(2, 2, 3) - 6
    assert (
        printed_decimal(dense(tables))
        == """dense<[
    [[-6, -5, -4],  // 0, 0
     [-3, -2, -1]],  // 0, 1
    [[0, 1, 2],  // 1, 0
     [3, 4, 5]]  // 1, 1
  ]> : tensor<2x2x3xi8>"""
    )
    assert (
        printed_decimal(dense(tables[0])) == "dense<[[-6, -5, -4], [-3, -2, -1]]> : tensor<2x3xi8>"
    )
    flat = printed_decimal(dense(np.arange(9) / 8))
    assert flat == "dense<[0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0]> : tensor<9xf64>"


def test_a_literal_is_not_rounded_twice() -> None:
    # 7.038531e-26 is nearest to the first of these, but as f64 it is half way between them.
    pair = np.array([0x15AE43FD, 0x15AE43FE], dtype=np.uint32).view(np.float32)
    array = np.repeat(pair, 8)
    assert to_numpy(parsed(printed_decimal(dense(array)))).tobytes() == array.tobytes()


def test_mlir_reads_decimal_lists() -> None:
    ir = pytest.importorskip("circt.ir")
    rng = np.random.default_rng(0)
    with ir.Context(), ir.Location.unknown():
        for array in (rng.integers(-128, 128, (2, 3, 8)), rng.normal(size=(3, 9)).astype("f4")):
            attribute = dense(array)
            text = printed_decimal(attribute)
            assert '"' not in text
            assert ir.Attribute.parse(text) == ir.Attribute.parse(printed(attribute))


def test_other_types_are_refused() -> None:
    half = DenseIntOrFPElementsAttr.from_list(TensorType(f16, [1]), [0.5])
    with pytest.raises(VerifyException, match="weights must be f32 or f64, got f16"):
        verifier.constant(half, "weights")
    with pytest.raises(ValueError, match="element type f16"):
        to_numpy(half)
