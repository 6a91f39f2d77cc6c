"""Dense constants between NumPy and the IR, printed exactly.

xDSL prints up to 100 dense elements as a decimal list. Some floats, such as 1e17, do not survive
that, and lists parse several times slower than MLIR's hexadecimal form. Constants of this dialect
are built from NumPy's bytes and printed as hexadecimal. Short ones are printed as lists whose
decimal numbers read back exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import IO, Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import (
    AnyFloat,
    BytesAttr,
    DenseIntOrFPElementsAttr,
    Float32Type,
    Float64Type,
    IntAttr,
    IntegerAttr,
    IntegerType,
    Signedness,
    TensorType,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
)
from xdsl.ir import Attribute
from xdsl.irdl import IRDLOperation
from xdsl.irdl.declarative_assembly_format import (
    AttributeVariable,
    CustomDirective,
    ParsingState,
    PrintingState,
    irdl_custom_directive,
)
from xdsl.parser import Parser
from xdsl.printer import Printer

from kan_dialect.errors import KanError

Array: TypeAlias = NDArray[Any]
FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
DenseAttr: TypeAlias = DenseIntOrFPElementsAttr[Any]

_INTEGER_DTYPES = {width: np.dtype(f"<i{width // 8}") for width in (8, 16, 32, 64)}
_SHORT = 8
"""Constants of at most this many elements are printed as lists."""


def _numpy_dtype(element_type: Attribute) -> np.dtype[Any]:
    # Without a cache: the hash of a type walks through its parts.
    if (
        type(element_type) is IntegerType
        and element_type.width.data in _INTEGER_DTYPES
        and element_type.signedness.data is Signedness.SIGNLESS
    ):
        return _INTEGER_DTYPES[element_type.width.data]
    match element_type:
        case Float32Type():
            return np.dtype("<f4")
        case Float64Type():
            return np.dtype("<f8")
        case _:
            raise ValueError(f"constants of element type {element_type} are not supported")


def dense(
    values: Array | Sequence[Any], element_type: AnyFloat | IntegerType | None = None
) -> DenseAttr:
    """A dense tensor constant holding `values`.

    Parameters
    ----------
    values : array of any shape. Booleans and integers become the smallest of i8, i16, i32 and i64
        that holds them. float32 stays f32, other floats become f64.
    element_type : f32, f64, i8, i16, i32 or i64, in place of that choice.

    Raises
    ------
    ValueError : constants of `element_type` are not supported.
    """
    array = np.asarray(values)
    if element_type is None:
        if array.dtype == np.float32:
            element_type = f32
        elif np.issubdtype(array.dtype, np.floating):
            element_type = f64
        else:
            element_type = smallest_integer_type(array)
    raw = array.astype(_numpy_dtype(element_type), copy=False).tobytes()
    return _constant_of(_tensor_type(element_type, array.shape), raw)


def dense_integers(values: IntArray, low: int, high: int) -> DenseAttr:
    """`dense` of integers whose smallest and largest are known."""
    element_type = _integer_type_of(low, high)
    raw = values.astype(_numpy_dtype(element_type), copy=False).tobytes()
    return _constant_of(_tensor_type(element_type, values.shape), raw)


_Attr = TypeVar("_Attr", bound=Attribute)


def _unverified(kind: type[_Attr], **parameters: object) -> _Attr:
    """An attribute of parameters that are known to fit: passes make constants by the thousand.

    xDSL's constructors take fifty times as long, since each verifies all parameters.
    """
    attribute = kind.__new__(kind)
    for name, value in parameters.items():
        object.__setattr__(attribute, name, value)
    return attribute


def _constant_of(kind: TensorType[Any], raw: bytes) -> DenseAttr:
    """A constant of these bytes, which fit its type: the verifier looks at it with its op."""
    return _unverified(DenseIntOrFPElementsAttr, type=kind, data=BytesAttr(raw))


def as_dense(values: DenseAttr | Array) -> DenseAttr:
    """A dense tensor constant, unchanged; an array as a dense tensor constant (`dense`)."""
    return dense(values) if isinstance(values, np.ndarray) else values


def integer_of(pattern: int, kind: IntegerType) -> IntegerAttr[IntegerType]:
    """A bit pattern of a signless type as a constant: negative where the highest bit is set."""
    width = kind.width.data
    if width and pattern >> (width - 1):
        pattern -= 1 << width
    return cast(
        "IntegerAttr[IntegerType]", _unverified(IntegerAttr, value=IntAttr(pattern), type=kind)
    )


@lru_cache(1 << 10)  # tables repeat few shapes often
def _tensor_type(
    element_type: AnyFloat | IntegerType, shape: tuple[int, ...]
) -> TensorType[AnyFloat | IntegerType]:
    return TensorType(element_type, shape)


def smallest_integer_type(values: Array) -> IntegerType:
    """The narrowest of i8, i16, i32 and i64 whose two's complement holds every value."""
    return _integer_type_of(*(extremes(values) if values.size else (0, 0)))


def extremes(values: Array) -> tuple[int, int]:
    """The smallest and the largest integer of an array that is not empty."""
    # Half the time of `min` and `max`, which are wrapped in functions in Python.
    return (
        int(np.minimum.reduce(values, axis=None)),
        int(np.maximum.reduce(values, axis=None)),
    )


def _integer_type_of(low: int, high: int) -> IntegerType:
    for element_type in (i8, i16, i32):
        bound = 1 << (element_type.width.data - 1)
        if -bound <= low and high < bound:
            return element_type
    return i64


def to_numpy(attribute: DenseAttr) -> Array:
    """The constant as a read-only array of its shape and element type; splats are expanded."""
    dtype = _numpy_dtype(attribute.get_element_type())
    flat = np.frombuffer(attribute.data.data, dtype=dtype)
    shape = attribute.get_shape()
    if flat.size == 1 and prod(shape) != 1:
        return np.broadcast_to(flat, shape)
    return flat.reshape(shape)


def element_bytes(attribute: DenseAttr) -> int:
    """Bytes of an element of a constant."""
    return _numpy_dtype(attribute.get_element_type()).itemsize


def to_floats(attribute: DenseAttr) -> FloatArray:
    """The constant as float64."""
    return to_numpy(attribute).astype(np.float64)


def to_integers(attribute: DenseAttr) -> IntArray:
    """The constant as int64."""
    return to_numpy(attribute).astype(np.int64)


def to_integers_together(attributes: Sequence[DenseAttr]) -> IntArray | None:
    """Constants of one type as int64, (constants, *shape); None if a constant is a splat."""
    together = to_numpy_together(attributes)
    return None if together is None else together.astype(np.int64)


def to_numpy_together(attributes: Sequence[DenseAttr]) -> Array | None:
    """Constants of one type, (constants, *shape); None if a constant is a splat."""
    first = attributes[0]
    dtype, shape = _numpy_dtype(first.get_element_type()), first.get_shape()
    flat = np.frombuffer(b"".join([each.data.data for each in attributes]), dtype=dtype)
    if flat.size != len(attributes) * prod(shape):
        return None
    return flat.reshape(len(attributes), *shape)


def mask_constant(mask: DenseAttr | Array | None) -> DenseAttr | None:
    """A mask as a constant of 0 and 1, i8; None if it keeps all elements."""
    if isinstance(mask, np.ndarray):
        return None if bool(mask.all()) else dense(mask.astype(np.int8))
    return mask


def mask_values(mask: DenseAttr | None, shape: Sequence[int]) -> BoolArray:
    """The elements of `shape` that a mask keeps, bool; all of them without a mask."""
    if mask is None:
        return np.ones(shape, dtype=np.bool_)
    return to_integers(mask).astype(np.bool_)


def whole_numbers(values: FloatArray, what: str) -> IntArray:
    """Floats rounded half to even, as int64.

    Raises
    ------
    KanError : a number is not finite, or needs more than 62 bits. The message starts with `what`.
    """
    rounded = np.rint(values)
    bad = ~(np.abs(rounded) < 2.0**62)
    if bool(bad.any()):
        value = float(values[tuple(np.argwhere(bad)[0])])
        raise KanError(f"{what}: {value:g} is no integer of at most 62 bits")
    return rounded.astype(np.int64)


def has_supported_type(attribute: DenseAttr) -> bool:
    """True if NumPy has the constant's element type."""
    try:
        _numpy_dtype(attribute.get_element_type())
    except ValueError:
        return False
    return True


def is_well_formed(attribute: DenseAttr) -> bool:
    """True if a constant of a supported type holds the number of elements of its shape."""
    expected = _numpy_dtype(attribute.get_element_type()).itemsize
    for extent in attribute.get_shape():
        expected *= extent
    return len(attribute.data.data) == expected


def float_literal(value: float, dtype: np.dtype[Any] | None = None) -> str:
    """The shortest MLIR float literal that reads back exactly; it always has a decimal point."""
    if dtype is None or dtype.itemsize != 4:
        return _literal(np.float64(value))
    scalar = np.float32(value)
    text = _literal(scalar)
    # Readers round to f64 first. Where that ends in another f32, the digits of f64 are needed.
    return text if np.float32(float(text)) == scalar else _literal(np.float64(scalar))


def _literal(scalar: np.float32 | np.float64) -> str:
    magnitude = abs(float(scalar))
    if magnitude != 0 and not 1e-4 <= magnitude < 1e6:
        return np.format_float_scientific(scalar, trim="0")
    return np.format_float_positional(scalar, trim="0")


class ConstantPrinter(Printer):
    """Prints IR for readers: dense constants as decimal lists, or left out where they are long."""

    def __init__(
        self,
        stream: IO[str],
        *,
        elide_above: int | None = None,
        decimal: bool = False,
        print_generic_format: bool = False,
        print_properties_as_attributes: bool = False,
        print_debuginfo: bool = False,
    ) -> None:
        """
        Parameters
        ----------
        elide_above : constants of more elements are left out, as by MLIR's
            `--mlir-elide-elementsattrs-if-larger`.
        decimal : constants that are not left out are decimal lists of any length; they read back
            exactly.
        """
        super().__init__(
            stream=stream,
            print_generic_format=print_generic_format,
            print_properties_as_attributes=print_properties_as_attributes,
            print_debuginfo=print_debuginfo,
        )
        self.elide_above, self.decimal = elide_above, decimal

    def print_attribute(self, attribute: Attribute) -> None:
        if not isinstance(attribute, DenseIntOrFPElementsAttr):
            super().print_attribute(attribute)
            return
        constant = cast(DenseAttr, attribute)
        if has_supported_type(constant) and is_well_formed(constant):
            print_dense(self, constant)
        else:
            super().print_attribute(constant)


ELIDED = "__elided__"
"""The resource that stands for a constant that was left out."""


def elided(kind: TensorType[Any]) -> DenseAttr:
    """A placeholder for a constant that was left out: it has the type and no elements."""
    return DenseIntOrFPElementsAttr(kind, BytesAttr(b""))


def is_elided(constant: DenseAttr) -> bool:
    """Whether a constant is a placeholder of `elided`."""
    return not constant.data.data and 0 not in constant.get_shape()


def print_dense(printer: Printer, attribute: DenseAttr) -> None:
    """Print `dense<...> : type`, hexadecimal unless short; see `ConstantPrinter`."""
    limit = printer.elide_above if isinstance(printer, ConstantPrinter) else None
    if limit is not None and len(attribute) > limit:
        printer.print_string(f"dense_resource<{ELIDED}> : ")
        printer.print_attribute(attribute.type)
        return
    array = to_numpy(attribute)
    finite = array.dtype.kind != "f" or bool(np.isfinite(array).all())
    decimal = isinstance(printer, ConstantPrinter) and printer.decimal
    printer.print_string("dense<")
    if array.size == 0:
        pass
    elif array.size <= _SHORT and finite:
        _print_list(printer, array)
    elif decimal and finite:
        _print_rows(printer, array)
    else:
        printer.print_string(f'"0x{attribute.data.data.hex().upper()}"')
    printer.print_string("> : ")
    printer.print_attribute(attribute.type)


def _print_rows(printer: Printer, array: Array) -> None:
    """Print a decimal list with a line for each row of the last dimension.

    A comment behind each row says where it is: `// 3, 5` is the edge of node 3 and input 5. Of
    one dimension, all is on one line.
    """
    texts = _texts(array.ravel())
    if array.ndim < 2:
        printer.print_string(f"[{', '.join(texts)}]")
        return
    outer, width = array.shape[:-1], array.shape[-1]
    last = int(np.prod(outer)) - 1
    printer.print_string("[")
    with printer.indented(2):
        for row, place in enumerate(np.ndindex(outer)):
            # The lists that begin and end with this row; the outermost one has its own lines.
            begins = _run(place, [0] * len(outer))
            ends = _run(place, [extent - 1 for extent in outer])
            text = ", ".join(texts[row * width : (row + 1) * width])
            printer.print_string(
                f"\n{' ' * (len(outer) - 1 - begins)}{'[' * begins}[{text}]{']' * ends}"
                f"{',' if row < last else ''}  // {', '.join(map(str, place))}"
            )
    with printer.indented():
        printer.print_string("\n]")


def _run(place: Sequence[int], ends: Sequence[int]) -> int:
    """How many of the last indices, but the first, are at these ends of their dimensions."""
    count = 0
    while count < len(place) - 1 and place[-1 - count] == ends[-1 - count]:
        count += 1
    return count


def _texts(flat: Array) -> list[str]:
    """The elements of an array as literals; a float that occurs often is spelt once."""
    if flat.dtype.kind != "f":
        return [str(value) for value in flat.tolist()]
    bits = flat.view(f"<i{flat.dtype.itemsize}")  # keeps -0.0 apart from 0.0
    _, first, which = np.unique(bits, return_index=True, return_inverse=True)
    spelt = [float_literal(value, flat.dtype) for value in flat[first].tolist()]
    return [spelt[index] for index in which.ravel().tolist()]


def _print_list(printer: Printer, array: Array) -> None:
    if array.ndim == 0:
        scalar = array.item()
        text = float_literal(scalar, array.dtype) if array.dtype.kind == "f" else str(scalar)
        printer.print_string(text)
        return
    printer.print_string("[")
    for index in range(array.shape[0]):
        if index:
            printer.print_string(", ")
        _print_list(printer, np.asarray(array[index]))
    printer.print_string("]")


@irdl_custom_directive
class Constant(CustomDirective):
    """Assembly directive `custom<Constant>($property)`: a dense constant, printed exactly."""

    constant: AttributeVariable

    def parse(self, parser: Parser, state: ParsingState) -> None:
        attribute = parser.parse_attribute()
        if not isinstance(attribute, DenseIntOrFPElementsAttr):
            parser.raise_error("expected a dense constant")
        self.constant.set(state, cast(DenseAttr, attribute))

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        attribute = self.constant.get(op)
        if attribute is None:
            return
        state.print_whitespace(printer)
        if isinstance(attribute, DenseIntOrFPElementsAttr):
            print_dense(printer, cast(DenseAttr, attribute))
        else:  # left out by whoever printed it, and read without verification
            printer.print_attribute(attribute)
        state.last_was_punctuation = False
        state.should_emit_space = True

    def is_present(self, op: IRDLOperation) -> bool:
        return self.constant.get(op) is not None

    def is_anchorable(self) -> bool:
        return self.constant.is_optional
