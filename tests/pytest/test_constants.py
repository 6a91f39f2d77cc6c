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
    DenseAttr,
    ElidingPrinter,
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


def printed(attribute: DenseAttr, printer: type[Printer] = Printer) -> str:
    stream = StringIO()
    print_dense(printer(stream=stream), attribute)
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
    print_dense(ElidingPrinter(stream=stream, elide_above=8), dense(np.arange(9)))
    assert stream.getvalue() == "dense_resource<__elided__> : tensor<9xi8>"


def test_other_types_are_refused() -> None:
    half = DenseIntOrFPElementsAttr.from_list(TensorType(f16, [1]), [0.5])
    with pytest.raises(VerifyException, match="weights must be f32 or f64, got f16"):
        verifier.constant(half, "weights")
    with pytest.raises(ValueError, match="element type f16"):
        to_numpy(half)
