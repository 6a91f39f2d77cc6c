"""Table level: tensors of integer codes (`!quant.uniform`), edges as lookup tables.

The numerics are fixed: quantise `q = clamp(round_half_even(x / scale) + zero_point, lo, hi)`,
dequantise `(q - zero_point) * scale`, sums exact; only quantise and requantise lose information.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    StringAttr,
    TensorType,
)
from xdsl.interfaces import HasFolderInterface
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import EffectInstance, MemoryEffect, MemoryEffectKind, Pure
from xdsl.utils.exceptions import VerifyException

from kan_dialect.errors import KanError
from kan_dialect.ir import verifier
from kan_dialect.ir.code_bounds import BoundedCodes, bounds_of
from kan_dialect.ir.constants import (
    Array,
    BoolArray,
    DenseAttr,
    FloatArray,
    IntArray,
    as_dense,
    dense,
    mask_constant,
    mask_values,
    to_floats,
    to_numpy,
)
from kan_dialect.ir.operation import KanOperation, Named
from kan_dialect.ir.quant import UniformQuantizedType, storage_for
from kan_dialect.ir.rounding import round_shift
from kan_dialect.ir.semantics import Evaluable, Univariate
from kan_dialect.ir.types import (
    MAX_RANGE_BITS,
    QuantTensor,
    element_bounds,
    quantized_type,
    tensor_shape,
)
from kan_dialect.ir.verifier import require, require_shape, shape_text
from kan_dialect.ops.layer import reads_argument

HALF_EVEN = "half_even"

ROUNDINGS: dict[str, Callable[[FloatArray], FloatArray]] = {
    HALF_EVEN: np.rint,
    "floor": np.floor,
    "ceil": np.ceil,
    "down": np.trunc,
    "up": lambda x: np.copysign(np.ceil(np.abs(x)), x),
    "half_up": lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x),
    "half_down": lambda x: np.copysign(np.ceil(np.abs(x) - 0.5), x),
}
"""Roundings to an integer; the last four are symmetric about 0."""


def quantize(
    x: FloatArray,
    scale: FloatArray,
    zero_point: IntArray,
    lower: IntArray,
    upper: IntArray,
    rounding: str = HALF_EVEN,
) -> IntArray:
    """Codes of real values; infinite values saturate, NaN is refused.

    Raises
    ------
    ValueError : a value is NaN.
    """
    codes = unsaturated_codes(x, scale, zero_point, rounding)
    return np.clip(codes, lower, upper).astype(np.int64)


def unsaturated_codes(
    x: FloatArray, scale: FloatArray, zero_point: IntArray, rounding: str = HALF_EVEN
) -> FloatArray:
    """Codes of real values before saturation, as float64, without limits.

    Raises
    ------
    ValueError : a value is NaN.
    """
    with np.errstate(over="ignore"):
        scaled: FloatArray = ROUNDINGS[rounding](x / scale) + zero_point.astype(np.float64)
    if bool(np.isnan(scaled).any()):
        raise ValueError("a value to quantise is NaN")
    return scaled


def dequantize(codes: IntArray, scale: FloatArray, zero_point: IntArray) -> FloatArray:
    """Real values that codes stand for."""
    return (codes - zero_point) * scale


class _KeepsPorts(MemoryEffect):
    """Memory effect of `kan.quantize`: a write if it quantises an argument, else none.

    A quantiser of an argument defines the codes of a port. The write keeps it from being erased
    where nothing reads the codes.
    """

    @classmethod
    def get_effects(cls, op: Operation) -> frozenset[EffectInstance]:
        if reads_argument(op.operands[0]):
            return frozenset({EffectInstance(MemoryEffectKind.WRITE)})
        return frozenset()


@irdl_op_definition
class QuantizeOp(KanOperation, Evaluable, BoundedCodes):
    """Real values to codes: `clamp(round_half_even(x / scale) + zero_point, lo, hi)`.

    `bounds` (shape, 2) narrow lo and hi for each element. `mask`, in the shape of the input, keeps
    the elements that are 1. The others have the code of 0 whatever the input is, NaN included:
    edges that are pruned behind the op may be undefined.

    `rounding` takes the place of rounding half to even: "floor", "ceil", and, symmetric about 0,
    "down", "up", "half_up", "half_down". Codes of arguments are rounded half to even.

    Example:

        %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 0.5>>
    """

    name = "kan.quantize"

    input = operand_def(TensorType)
    mask = opt_prop_def(DenseIntOrFPElementsAttr)
    bounds = opt_prop_def(DenseIntOrFPElementsAttr)
    rounding = opt_prop_def(StringAttr)
    result = result_def(TensorType)

    traits = traits_def(_KeepsPorts())
    assembly_format = (
        "$input (`rounding` $rounding^)? (`mask` custom<Constant>($mask)^)? "
        "(`bounds` custom<Constant>($bounds)^)? attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        element: UniformQuantizedType,
        *,
        mask: DenseAttr | Array | None = None,
        bounds: DenseAttr | None = None,
        rounding: str = HALF_EVEN,
    ) -> None:
        """
        Parameters
        ----------
        input : tensor of floats.
        element : type of the codes.
        mask : in the shape of the input, of 0 and 1; all 1 is stored as no mask.
        bounds : (shape, 2), integers within the storage of `element`.
        rounding : a key of `ROUNDINGS`.
        """
        value = SSAValue.get(input)
        self.set_up(
            [value],
            [TensorType(element, tensor_shape(value))],
            mask=mask_constant(mask),
            bounds=bounds,
            rounding=None if rounding == HALF_EVEN else rounding,
        )

    @property
    def rounding_name(self) -> str:
        """The key of the rounding in `ROUNDINGS`."""
        return HALF_EVEN if self.rounding is None else self.rounding.data

    @property
    def mask_array(self) -> BoolArray:
        """Which elements are quantised, bool, in the shape of the input."""
        return mask_values(self.mask, tensor_shape(self.input))

    def verify_(self) -> None:
        shape = verifier.float_tensor(self.input, None, "input")
        result, element = verifier.quant_tensor(self.result, None, "result")
        require_shape(result, shape, "result")
        verifier.mask(self.mask, shape)
        verifier.per_element_bounds(self.bounds, shape, element)
        if self.rounding is not None:
            known = ", ".join(ROUNDINGS)
            require(self.rounding_name in ROUNDINGS, f"rounding must be one of {known}")
            require(not reads_argument(self.input), "codes of arguments are rounded half to even")

    def code_bounds(self) -> tuple[IntArray, IntArray]:
        lower, upper = element_bounds(cast(QuantTensor, self.result.type), self.bounds)
        if self.mask is None:
            return lower, upper
        zero = quantized_type(self.result).zero_point_for(lower.ndim)
        code, kept = np.clip(zero, lower, upper), self.mask_array
        return np.where(kept, lower, code), np.where(kept, upper, code)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        element = quantized_type(self.result)
        rank = operands[0].ndim - 1
        lower, upper = bounds_of(self.result)
        real = operands[0]
        if self.mask is not None:
            real = np.where(self.mask_array, real, 0.0)
        scale, zero_point = element.scale_for(rank), element.zero_point_for(rank)
        try:
            return (quantize(real, scale, zero_point, lower, upper, self.rounding_name),)
        except ValueError:
            sample, *place = np.argwhere(np.isnan(real))[0].tolist()
            raise KanError(
                f"'{self.name}': value {', '.join(map(str, place))} of sample {sample} is not a "
                "number, and has no code"
            ) from None


@irdl_op_definition
class DequantizeOp(KanOperation, Univariate):
    """Real values of codes: `(q - zero_point) * scale`.

    `overrides`, (codes, 3), names codes that stand for another value: element, code, value.

    Example:

        %y = kan.dequantize %h : tensor<1x!quant.uniform<u2:f32, 0.5>> -> tensor<1xf32>
    """

    name = "kan.dequantize"

    input = operand_def(TensorType)
    overrides = opt_prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    assembly_format = (
        "$input (`overrides` custom<Constant>($overrides)^)? attr-dict "
        "`:` type($input) `->` type($result)"
    )

    def __init__(self, input: SSAValue | Operation, overrides: FloatArray | None = None) -> None:
        value = SSAValue.get(input)
        element = quantized_type(value)
        known = None if overrides is None or not len(overrides) else as_dense(overrides)
        self.set_up(
            [value], [TensorType(element.expressed_type, tensor_shape(value))], overrides=known
        )

    @property
    def overrides_array(self) -> FloatArray:
        """(codes, 3): element, code, the value that it stands for."""
        return np.zeros((0, 3)) if self.overrides is None else to_floats(self.overrides)

    def verify_(self) -> None:
        shape, element = verifier.quant_tensor(self.input, None, "input")
        require_shape(verifier.float_tensor(self.result, None, "result"), shape, "result")
        if self.overrides is None:
            return
        overrides = verifier.constant(self.overrides, "overrides")
        require(overrides.ndim == 2 and overrides.shape[1] == 3, "overrides must be (codes, 3)")
        require(len(shape) == 1, "only vectors have overrides")
        known = np.isin(overrides[:, 0], np.arange(shape[0]))
        require(bool(known.all()), "overrides name an element that does not exist")
        low, high = element.bounds
        codes = overrides[:, 1]
        whole = (codes == np.rint(codes)) & (codes >= low) & (codes <= high)
        require(bool(whole.all()), "overrides name an invalid code")
        require(bool(np.isfinite(overrides).all()), "overrides must be finite")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        element = quantized_type(self.input)
        codes, rank = operands[0], operands[0].ndim - 1
        values = dequantize(codes, element.scale_for(rank), element.zero_point_for(rank))
        if self.overrides is None:
            return (values,)
        # The codes may be the same for all elements, and stand there once.
        shape = np.broadcast_shapes(values.shape, (1, *tensor_shape(self.input)))
        codes, values = np.broadcast_to(codes, shape), np.broadcast_to(values, shape).copy()
        for which, code, value in self.overrides_array.tolist():
            column = int(which)
            values[codes[:, column] == code, column] = value
        return (values,)


@irdl_op_definition
class TablesOp(KanOperation, Named, Univariate, BoundedCodes):
    """Edges as tables: result[o, i] = tables[o, i, q_i - lo], or one table an input, (in) -> (in).

    `tables` is (out, in, entries) or (in, entries); there is an entry for every code of the input's
    storage range lo..hi. Entries that an input's own bounds exclude are never read. `bounds` say
    which codes each table gives, where that is less than the result's storage holds.

    Example:

        %e = kan.tables %q as "layer0" tables dense<[[[0, 1, 2, 3], [-4, -3, -2, -1]]]> :
          tensor<1x2x4xi8> : tensor<2x!quant.uniform<u2:f32, 0.5>> ->
          tensor<1x2x!quant.uniform<i4:f32, 0.25>>
    """

    name = "kan.tables"

    input = operand_def(TensorType)
    tables = prop_def(DenseIntOrFPElementsAttr)
    bounds = opt_prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    assembly_format = (
        "$input (`as` $name^)? `tables` custom<Constant>($tables) "
        "(`bounds` custom<Constant>($bounds)^)? attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        tables: DenseAttr | IntArray,
        element: UniformQuantizedType,
        *,
        bounds: DenseAttr | None = None,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        tables : (out, in, entries) or (in, entries), integers.
        element : type of the codes that the tables give.
        """
        if isinstance(tables, np.ndarray):
            tables = dense(tables)
        self.set_up(
            [input],
            [TensorType(element, tables.get_shape()[:-1])],
            tables=tables,
            bounds=bounds,
            name=name,
        )

    def verify_(self) -> None:
        inputs, element = verifier.quant_tensor(self.input, 1, "input")
        shape, result = verifier.quant_tensor(self.result, None, "result")
        tables = verifier.constant(self.tables, "tables", floats=False)
        require(
            len(shape) in (1, 2) and shape[-1] == inputs[0],
            f"result must have shape {inputs[0]} or out x {inputs[0]}, got {shape_text(shape)}",
        )
        low, high = element.bounds
        entries = high - low + 1
        require(
            tables.shape == (*shape, entries),
            f"tables must have shape {shape_text((*shape, entries))}: one entry for each code of "
            f"{low}:{high}, got {shape_text(tables.shape)}",
        )
        verifier.per_element_bounds(self.bounds, shape, result)
        self._verify_entries(tables, low)

    def _verify_entries(self, tables: Array, low: int) -> None:
        """Every entry that can be read lies within its table's bounds."""
        lower, upper = bounds_of(self.result)
        outside = (tables < lower[..., np.newaxis]) | (tables > upper[..., np.newaxis])
        if not bool(outside.any()):
            return
        outside &= self.readable()
        if bool(outside.any()):
            index = tuple(np.argwhere(outside)[0].tolist())
            table = ", ".join(map(str, index[:-1]))
            raise VerifyException(
                f"table [{table}] gives {int(tables[index])} for code {index[-1] + low}, outside "
                f"its bounds {int(lower[index[:-1]])}:{int(upper[index[:-1]])}"
            )

    def readable(self) -> Array:
        """Which entries some code reads: bool, broadcastable over the tables."""
        low, high = quantized_type(self.input).bounds
        codes = np.arange(low, high + 1)
        lower, upper = bounds_of(self.input)
        return (codes >= lower[:, np.newaxis]) & (codes <= upper[:, np.newaxis])

    def code_bounds(self) -> tuple[IntArray, IntArray]:
        return element_bounds(cast(QuantTensor, self.result.type), self.bounds)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        tables = to_numpy(self.tables)
        index = operands[0] - quantized_type(self.input).bounds[0]
        columns = range(index.shape[1])
        if tables.ndim == 2:
            return (np.stack([tables[i][index[:, i]] for i in columns], -1).astype(np.int64),)
        result = np.empty((index.shape[0], *tables.shape[:2]), dtype=np.int64)
        for i in columns:
            # One gather of whole rows an input: (entries, out) at (samples).
            result[:, :, i] = np.ascontiguousarray(tables[:, i, :].T)[index[:, i]]
        return (result,)


@irdl_op_definition
class RequantizeOp(KanOperation, Named, Evaluable, BoundedCodes, HasFolderInterface):
    """Codes to codes of another type: shift the zero point, rescale by a power of two, saturate.

    With the input's scale times 2^k the result's: `clamp(shift(q - z_in, k) + z_out, lo, hi)`,
    where shift divides by 2^k, rounded half to even. Other ratios belong into a table.

    With `gain` and `offset`, (n) each, the result has the codes of `x * gain + offset` for the
    value x of a code, as `kan.quantize` computes them in float64, and scales have any ratio. This
    form rounds the codes of ports, and sums of files that are quantised already.

    Example:

        %same = kan.requantize %q : tensor<1x!quant.uniform<u2:f32, 0.5>> ->
          tensor<1x!quant.uniform<u2:f32, 0.5>>
    """

    name = "kan.requantize"

    input = operand_def(TensorType)
    gain = opt_prop_def(DenseIntOrFPElementsAttr)
    offset = opt_prop_def(DenseIntOrFPElementsAttr)
    bounds = opt_prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format = (
        "$input (`as` $name^)? (`gain` custom<Constant>($gain)^)? "
        "(`offset` custom<Constant>($offset)^)? (`bounds` custom<Constant>($bounds)^)? attr-dict "
        "`:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        element: UniformQuantizedType,
        *,
        bounds: DenseAttr | None = None,
        name: str | None = None,
        affine: tuple[FloatArray, FloatArray] | None = None,
    ) -> None:
        """
        Parameters
        ----------
        input : tensor of codes, (n).
        element : type of the codes of the result.
        affine : gain and offset, (n), float64, between the values of both codes.
        """
        value = SSAValue.get(input)
        gain, offset = (None, None) if affine is None else map(as_dense, affine)
        self.set_up(
            [value],
            [TensorType(element, tensor_shape(value))],
            gain=gain,
            offset=offset,
            bounds=bounds,
            name=name,
        )

    @property
    def affine(self) -> tuple[FloatArray, FloatArray] | None:
        """Gain and offset, (n), float64, between the values of both codes; None without."""
        if self.gain is None or self.offset is None:
            return None
        return to_floats(self.gain), to_floats(self.offset)

    @property
    def shifts(self) -> IntArray:
        """The exponent k of each element: result scale / input scale = 2^k, (n), int64.

        Defined without gain and offset.

        Raises
        ------
        VerifyException : a ratio is no power of two.
        """
        shape = tensor_shape(self.input)
        ratio = np.broadcast_to(
            quantized_type(self.result).scale_for(1) / quantized_type(self.input).scale_for(1),
            shape,
        )
        exponents = np.rint(np.log2(ratio))
        # Scales are rounded decimal numbers: a power of two up to their last digit.
        if not bool(np.isclose(ratio, np.exp2(exponents), rtol=1e-12, atol=0.0).all()):
            raise VerifyException(
                "the ratio of the scales must be a power of two; fold any other into the next "
                "layer's tables or use kan.tables"
            )
        return exponents.astype(np.int64)

    def verify_(self) -> None:
        shape, _ = verifier.quant_tensor(self.input, 1, "input")
        result, element = verifier.quant_tensor(self.result, 1, "result")
        require_shape(result, shape, "result")
        verifier.per_element_bounds(self.bounds, shape, element)
        require((self.gain is None) == (self.offset is None), "gain and offset come together")
        if self.gain is not None and self.offset is not None:
            for name, given in (("gain", self.gain), ("offset", self.offset)):
                require_shape(verifier.constant(given, name).shape, shape, name)
            return
        shifts = self.shifts
        require(bool((np.abs(shifts) <= 31).all()), "scales differ by more than 2^31")
        self._verify_range(shifts)

    def _verify_range(self, shifts: IntArray) -> None:
        """Require the values before saturation to fit int64, in which they are evaluated."""
        before, after = quantized_type(self.input), quantized_type(self.result)
        points = (
            np.broadcast_to(element.zero_point_for(1), shifts.shape).tolist()
            for element in (before, after)
        )
        for index, (zero_in, zero_out, shift) in enumerate(
            zip(*points, shifts.tolist(), strict=True)
        ):
            # In Python's integers: the product may leave int64.
            for code in before.bounds:
                wide = (code - zero_in) << max(-shift, 0)
                require(
                    max(storage_for(v, v)[0] for v in (wide, zero_out)) <= MAX_RANGE_BITS,
                    f"element {index}, rescaled by 2^{-shift}, needs more than {MAX_RANGE_BITS} "
                    "bits",
                )

    def fold(self) -> Sequence[SSAValue | Attribute] | None:
        same = self.input.type == self.result.type and not self.bounds and self.gain is None
        return (self.input,) if same else None

    def unsaturated(self, codes: IntArray) -> IntArray:
        """Codes (samples, n) of the result before they saturate, of codes of the input."""
        if (affine := self.affine) is not None:
            before, after = quantized_type(self.input), quantized_type(self.result)
            real = dequantize(codes, before.scale_for(1), before.zero_point_for(1))
            wide = unsaturated_codes(
                real * affine[0] + affine[1], after.scale_for(1), after.zero_point_for(1)
            )
            return np.clip(wide, -(2.0**62), 2.0**62).astype(np.int64)
        centred = codes - quantized_type(self.input).zero_point_for(1)
        shifted = np.empty_like(centred)
        for column, shift in enumerate(self.shifts.tolist()):
            shifted[:, column] = round_shift(centred[:, column], shift)
        return shifted + quantized_type(self.result).zero_point_for(1)

    def code_bounds(self) -> tuple[IntArray, IntArray]:
        return element_bounds(cast(QuantTensor, self.result.type), self.bounds)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        lower, upper = bounds_of(self.result)
        return (np.clip(self.unsaturated(operands[0]), lower, upper),)


TABLE_OPS: list[type[Operation]] = [QuantizeOp, DequantizeOp, TablesOp, RequantizeOp]
