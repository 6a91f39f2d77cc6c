"""Wire level: one integer value per edge and node, of a type that says its exact range.

Verifiers prove every result's range from the operands' ranges, so a sum that overflows does not
verify. A register is `kan.delay`: the same value, cycles later. `kan.mark` says which value holds a
node of the model, so that proofs and debugging find it after every rewrite. `kan.dead` says that no
value holds a node: nothing reads it, or its readers have taken it in.

This is one file because the verifier of `kan.sum` looks through tables, bits, registers and
complements (`joint_sum_range`), so these ops and functions need each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias, cast

import numpy as np
from xdsl.dialects.builtin import (
    I64,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    StringAttr,
)
from xdsl.interfaces import HasFolderInterface
from xdsl.ir import Attribute, Operation, OpResult, SSAValue
from xdsl.irdl import (
    VarConstraint,
    base,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import ConstantLike, Pure
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir import verifier
from kan_dialect.ir.constants import (
    Array,
    DenseAttr,
    IntArray,
    dense,
    dense_integers,
    element_bytes,
    extremes,
    to_integers,
    to_numpy,
)
from kan_dialect.ir.exact_arithmetic import ExactArithmetic, ExactMeaning, NumberT
from kan_dialect.ir.operation import Named, operands_of, require_identifier
from kan_dialect.ir.quant import storage_for
from kan_dialect.ir.semantics import Evaluable
from kan_dialect.ir.types import MAX_RANGE_BITS, IntType, int_type, range_of
from kan_dialect.ir.verifier import require, shape_text
from kan_dialect.ir.wire_interface import Lowerable, WireInterface, WiresOnly
from kan_dialect.ir.wire_operation import Sequential, WireOp

if TYPE_CHECKING:
    from kan_dialect.lowering.hw_builder import HwBuilder

MAX_TABLE_BITS = 20
"""The most input bits of a table; larger ones would not fit any device."""


def hold(result: SSAValue, low: int, high: int, what: str) -> None:
    """Refuse a result whose type does not hold a range that it can have."""
    declared = range_of(result)
    if not declared.contains(low, high):
        raise VerifyException(
            f"{what} can be {low}:{high}, "
            f"which !kan.int<{declared.low}:{declared.high}> does not hold"
        )


@irdl_op_definition
class ConstantOp(WireOp, Evaluable, WiresOnly, Lowerable, HasFolderInterface):
    """An integer that is always the same.

    Example:

        %a = kan.constant 3 : !kan.int<3:3>
    """

    name = "kan.constant"
    KIND: ClassVar[str] = "constant"

    value = prop_def(IntegerAttr[I64])
    result = result_def(IntType)

    traits = traits_def(Pure(), ConstantLike())
    assembly_format = "$value attr-dict `:` type($result)"

    def __init__(self, value: int) -> None:
        self.set_up((), [int_type(value, value)], value=value)

    def check(self) -> None:
        value = self.value.value.data
        require(
            (range_of(self.result).low, range_of(self.result).high) == (value, value),
            f"the type of constant {value} must be !kan.int<{value}:{value}>",
        )

    def fold(self) -> Sequence[SSAValue | Attribute] | None:
        return (self.value,)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (np.array([self.value.value.data], dtype=np.int64),)

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        return [build.constant(self.value.value.data, range_of(self.result).bits)]


@irdl_op_definition
class TableOp(WireOp, Named, Evaluable):
    """A lookup table: result = entries[x - lo], or of several inputs, entries[x - lo_x, y - lo_y].

    `entries` has one dimension an input, with one entry for every value of its range. Where `care`
    (of the same shape, 0 and 1) is 0, the entry does not matter: no input reaches it, or nothing
    depends on it. It is then `filled` with an entry that does matter, as in hardware, so that the
    result never leaves its range.

    Example:

        %t = kan.table %x as "edge" entries dense<[1, 2, 4, 8]> : tensor<4xi8> :
          !kan.int<0:3> -> !kan.int<1:8>
    """

    name = "kan.table"
    KIND: ClassVar[str] = "table"

    inputs = var_operand_def(IntType)
    entries = prop_def(DenseIntOrFPElementsAttr)
    care = opt_prop_def(DenseIntOrFPElementsAttr)
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = (
        "$inputs (`as` $name^)? `entries` custom<Constant>($entries) "
        "(`care` custom<Constant>($care)^)? attr-dict `:` type($inputs) `->` type($result)"
    )

    def __init__(
        self,
        inputs: Sequence[SSAValue | Operation],
        entries: DenseAttr | IntArray,
        *,
        care: DenseAttr | Array | None = None,
        result_type: IntType | None = None,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        entries : one dimension an input, integers.
        care : of the same shape, 0 and 1 (or bool); None where every entry matters.
        result_type : the range; by default, the exact range of the entries that matter.
        """
        if isinstance(care, np.ndarray):
            care = None if bool(care.all()) else dense(care.astype(np.int8))
        if care is None and isinstance(entries, np.ndarray) and entries.size:
            ends = extremes(entries)
            result_type = result_type or int_type(*ends)
            entries = dense_integers(entries, *ends)
        if result_type is None:
            array = entries if isinstance(entries, np.ndarray) else to_integers(entries)
            kept = array if care is None else array[to_numpy(care) == 1]
            # Where nothing matters, one value is as good as any other.
            kept = kept if kept.size else array.ravel()[:1]
            result_type = int_type(*extremes(kept))
        self.set_up(inputs, [result_type], entries=entries, care=care, name=name)

    @property
    def entries_array(self) -> IntArray:
        """The entries, one dimension an input, int64."""
        return to_integers(self.entries)

    @property
    def care_array(self) -> Array:
        """Which entries matter, bool."""
        if self.care is None:
            return np.ones(self.entries.get_shape(), dtype=np.bool_)
        return to_numpy(self.care) == 1

    @property
    def filled(self) -> IntArray:
        """The entries, int64; those that do not matter are the first one that matters."""
        entries = self.entries_array
        if self.care is None:
            return entries
        care = self.care_array
        kept = entries[care]
        return np.where(care, entries, kept[0] if kept.size else range_of(self.result).low)

    @property
    def by_bit_pattern(self) -> IntArray:
        """The entries for every combination of bit patterns of the inputs: flat, first input first.

        Patterns outside an input's range do not occur; they repeat the nearest entry. If the
        entries are the codes with some bits inverted, these bits are inverted in all patterns.
        """
        entries = self.filled
        if len(self.inputs) == 1:
            return patterns_by_entry(entries[np.newaxis], range_of(self.inputs[0]))[0]
        for axis, value in enumerate(self.inputs):
            kind = range_of(value)
            entries = entries.take(_entry_of_patterns(kind.low, kind.high), axis=axis)
        return entries.ravel()

    def check(self) -> None:
        require(len(self.inputs) >= 1, "a table needs at least one input")
        entries = verifier.constant(self.entries, "entries", floats=False)
        sizes = tuple(range_of(value).size for value in self.inputs)
        require(
            sum(range_of(value).bits for value in self.inputs) <= MAX_TABLE_BITS,
            f"a table over more than {MAX_TABLE_BITS} input bits is not supported",
        )
        require(
            entries.shape == sizes,
            f"entries must have shape {shape_text(sizes)}: one for each value of the inputs, got "
            f"{shape_text(entries.shape)}",
        )
        kept = entries
        if self.care is not None:
            care = verifier.constant(self.care, "care", floats=False, shape=sizes)
            require(bool(np.isin(care, (0, 1)).all()), "care must hold only 0 and 1")
            kept = entries[care == 1]
        if kept.size:
            hold(self.result, *extremes(kept), "the table")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        index = tuple(
            operand - range_of(value).low
            for operand, value in zip(operands, self.inputs, strict=True)
        )
        entries = to_numpy(self.entries) if self.care is None else self.filled
        return (entries[index].astype(np.int64),)


def patterns_by_entry(entries: IntArray, kind: IntType) -> IntArray:
    """`TableOp.by_bit_pattern` of tables of one input of a range: (tables, patterns), int64.

    Parameters
    ----------
    entries : (tables, entries), int64; all of them matter.
    """
    patterns = entries.take(_entry_of_patterns(kind.low, kind.high), axis=1)
    if patterns.shape == entries.shape:
        return patterns  # No pattern is outside the range.
    inverted = entries[:, 0] ^ kind.low
    # The two ends rule out most tables.
    for table in np.flatnonzero(entries[:, -1] ^ kind.high == inverted).tolist():
        codes = np.arange(kind.low, kind.high + 1)
        if ((entries[table] ^ codes) == inverted[table]).all():
            patterns[table] = kind.bit_patterns ^ inverted[table]
    return patterns


@lru_cache(1 << 7)  # tables repeat few ranges often
def _entry_of_patterns(low: int, high: int) -> IntArray:
    """The index into a table over low..high for each bit pattern; the nearest one outside."""
    return np.clip(int_type(low, high).bit_patterns, low, high) - low


@irdl_op_definition
class ExtractOp(WireOp, WiresOnly, WireInterface):
    """Some bits of a value, as an unsigned number: floor(input / 2^low) mod 2^width.

    The input is taken in two's complement where it may be negative; the width is that of the
    result's range 0:2^width - 1.

    Example:

        %b = kan.extract %y from 0 : !kan.int<-2:1> -> !kan.int<0:1>
    """

    name = "kan.extract"

    input = operand_def(IntType)
    low = prop_def(IntegerAttr[I64])
    result = result_def(IntType)

    assembly_format = "$input `from` $low attr-dict `:` type($input) `->` type($result)"

    def __init__(self, input: SSAValue | Operation, low: int, width: int) -> None:
        """The `width` bits from bit `low` on."""
        self.set_up([input], [int_type(0, (1 << width) - 1)], low=low)

    def check(self) -> None:
        low, kind, result = self.low.value.data, range_of(self.input), range_of(self.result)
        require(
            (result.low, result.high) == (0, (1 << result.bits) - 1),
            f"the bits' type must be !kan.int<0:{(1 << result.bits) - 1}>, or of another width",
        )
        require(
            low >= 0 and low + result.bits <= kind.bits,
            f"bits {low} to {low + result.bits - 1} of a value of {kind.bits} bits",
        )

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return ((operands[0] >> self.low.value.data) & range_of(self.result).high,)

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        return [range_of(self.result)]

    def c_expression(self, operands: Sequence[str]) -> str:
        shifted, high = f"(uint64_t){operands[0]}", range_of(self.result).high
        if self.low.value.data:
            shifted = f"({shifted} >> {self.low.value.data})"
        return f"(int64_t)({shifted} & {high:#x})"

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        return [build.part(wires[0], self.low.value.data, range_of(self.result).bits)]


@irdl_op_definition
class SumOp(WireOp, Named, Evaluable, ExactMeaning):
    """The exact sum of one or more integers.

    Example:

        %s = kan.sum %a, %b : !kan.int<3:3>, !kan.int<3:3> -> !kan.int<6:6>
    """

    name = "kan.sum"
    KIND: ClassVar[str] = "sum"

    inputs = var_operand_def(IntType)
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = "$inputs (`as` $name^)? attr-dict `:` type($inputs) `->` type($result)"

    def __init__(
        self,
        inputs: Sequence[SSAValue | Operation],
        *,
        result_type: IntType | None = None,
        name: str | None = None,
    ) -> None:
        """`result_type` is the range; by default, the sum of the inputs' ranges."""
        values = [SSAValue.get(each) for each in inputs]
        if result_type is None:
            result_type = int_type(*sum_range(values))
        self.set_up(values, [result_type], name=name)

    def check(self) -> None:
        require(len(self.inputs) >= 1, "a sum needs at least one input")
        low, high = sum_range(self.inputs)
        declared = range_of(self.result)
        if not declared.contains(low, high):
            low, high = joint_sum_range(self.inputs)
        if not declared.contains(low, high):
            low, high = joint_sum_range(self.inputs, through=(WireOp,))
        if not declared.contains(low, high):
            raise VerifyException(
                f"the sum can be {low}:{high}, which !kan.int<{declared.low}:{declared.high}> does "
                "not hold; where a pass changed its summands, run kan-narrow before that pass"
            )

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        total = operands[0]
        for operand in operands[1:]:
            total = total + operand
        return (total,)

    def meaning(
        self, math: ExactArithmetic[NumberT], operands: Sequence[NumberT]
    ) -> Sequence[NumberT]:
        return [math.total(operands)]


def sum_range(values: Sequence[SSAValue]) -> tuple[int, int]:
    """Smallest and largest sum of values of these ranges."""
    ranges = [range_of(value) for value in values]
    return sum(r.low for r in ranges), sum(r.high for r in ranges)


def joint_sum_range(
    values: Sequence[SSAValue], through: tuple[type[Operation], ...] | None = None
) -> tuple[int, int]:
    """Smallest and largest sum of values; functions of the same value are added up for each value.

    Looks through sums, their complements and registers, down to tables, and through these as
    `as_function` does with `through`. Tables of the same several values, and functions of such
    tables, are added up too, and taken apart where they are a sum of functions of one value each:
    the bits of `a + b` are tables of both, and add up to `a` and `b`.
    """
    functions = _Functions(through or _LOOKUPS)
    low = high = 0
    totals: dict[SSAValue, IntArray] = {}  # of the functions of one value
    pending = [(value, 1) for value in values]
    while pending:
        value, sign = pending.pop()
        op = value.owner
        # By identity: `isinstance` takes ten times as long, and wide sums have thousands of terms.
        if type(op) is SumOp:
            pending.extend([(each, sign) for each in op.inputs])
        elif type(op) is DelayOp:
            pending.append((op.input, sign))
        elif (inverted := complement_of(value)) is not None:
            pending.append((inverted.value, -sign))
            low, high = low + sign * inverted.constant, high + sign * inverted.constant
        elif (found := functions.of(value)) is not None:
            root, function = found
            _add_function(totals, root, sign * function)
        else:
            ends = [sign * range_of(value).low, sign * range_of(value).high]
            low, high = low + min(ends), high + max(ends)
    while joint := functions.pop_last_tables(totals):
        for inputs, entries in joint.items():
            parts = _by_input(entries)
            if parts is None:
                smallest, largest = extremes(entries)
                low, high = low + smallest, high + largest
                continue
            for value, part in zip(inputs, parts, strict=True):
                found = functions.of(value)
                assert found is not None  # Tables have few input bits.
                root, function = found
                _add_function(totals, root, part[function - range_of(value).low])
    for total in totals.values():
        smallest, largest = extremes(total)
        low, high = low + smallest, high + largest
    return low, high


def _add_function(totals: dict[SSAValue, IntArray], root: SSAValue, function: IntArray) -> None:
    """Add a function of a value to the total of this value's functions."""
    total = totals.get(root)
    if total is None:
        totals[root] = function
    else:
        total += function


def _by_input(entries: IntArray) -> list[IntArray] | None:
    """Functions of one input each that add up to a table of several; None if they do not exist."""
    parts: list[IntArray] = []
    for axis in range(entries.ndim):
        along = tuple(slice(None) if each == axis else 0 for each in range(entries.ndim))
        parts.append(entries[along] - (entries.flat[0] if axis else 0))
    total = sum(np.ix_(*parts), np.zeros((), dtype=np.int64))
    return parts if np.array_equal(total, entries) else None


class Complement(NamedTuple):
    """A constant less a value."""

    value: SSAValue
    constant: int


def complement(value: SSAValue, name: str | None = None) -> tuple[TableOp, Complement]:
    """The table that inverts a value's bits, which takes no logic, and its meaning in numbers."""
    kind = range_of(value)
    constant = -1 if kind.is_signed else (1 << kind.bits) - 1
    table = TableOp([value], constant - np.arange(kind.low, kind.high + 1), name=name)
    return table, Complement(value, constant)


def complement_of(value: SSAValue) -> Complement | None:
    """The value and the constant of a complement; None for any other value."""
    op = value.owner
    if type(op) is not TableOp or "care" in op.properties:
        return None
    source, *others = op.operands
    kind, result = range_of(source), range_of(value)
    constant = -1 if kind.is_signed else (1 << kind.bits) - 1
    if others or not result.contains(constant - kind.high, constant - kind.low):
        return None
    entries = to_numpy(op.entries)
    if int(entries[0]) + kind.low != constant or int(entries[-1]) + kind.high != constant:
        return None
    inverts = (op.entries_array + np.arange(kind.low, kind.high + 1) == constant).all()
    return Complement(source, constant) if inverts else None


_Function: TypeAlias = tuple[SSAValue, IntArray]
"""A value, and a function of it for each value of its range, int64."""

_LOOKUPS: tuple[type[Operation], ...] = (TableOp, ExtractOp)
"""Ops that `as_function` looks through first: these prove the ranges of split tables."""

MAX_FUNCTIONS = 64
"""The most ops, one reading the other, that `as_function` looks through."""


def as_function(
    value: SSAValue,
    through: tuple[type[Operation], ...],
    known: dict[SSAValue, _Function | None],
    depth: int = MAX_FUNCTIONS,
) -> _Function | None:
    """A value as a function of one other value.

    Looks through registers and the ops of `through`. A value that depends on several others is the
    identity of itself; None if its range is larger than a table.

    Parameters
    ----------
    known : earlier results, which are extended.
    """
    if value not in known:
        known[value] = _composed(value, through, known, depth) or _identity(value)
    return known[value]


def _composed(
    value: SSAValue,
    through: tuple[type[Operation], ...],
    known: dict[SSAValue, _Function | None],
    depth: int,
) -> _Function | None:
    """The op of a value on functions of one other value; None if its operands are not."""
    op = cast(Operation, value.owner)  # Blocks are left out.
    if not depth or not isinstance(op, (DelayOp, *through)):
        return None
    root: SSAValue | None = None
    functions: list[IntArray] = []
    for operand in operands_of(op):
        owner = operand.owner
        if type(owner) is ConstantOp:
            functions.append(np.array([owner.value.value.data]))
            continue
        found = as_function(operand, through, known, depth - 1)
        if found is None or (root is not None and found[0] is not root):
            return None
        root = found[0]
        functions.append(found[1])
    if root is None:
        return None
    if type(op) is TableOp and len(functions) == 1 and operands_of(op)[0] is root:
        return root, op.filled  # of the identity
    return root, cast(Evaluable, op).evaluate(functions)[0]


def _identity(value: SSAValue) -> _Function | None:
    kind = range_of(value)
    few = kind.bits <= MAX_TABLE_BITS
    return (value, np.arange(kind.low, kind.high + 1)) if few else None


class _Functions:
    """Values as functions of one other value each."""

    def __init__(self, through: tuple[type[Operation], ...]) -> None:
        self._through = through
        self._known: dict[SSAValue, _Function | None] = {}
        self._heights: dict[SSAValue, int] = {}

    def of(self, value: SSAValue) -> _Function | None:
        """See `as_function`."""
        return as_function(value, self._through, self._known)

    def pop_last_tables(
        self, totals: dict[SSAValue, IntArray]
    ) -> dict[tuple[SSAValue, ...], IntArray]:
        """The functions of tables that no other table of `totals` reads, by these tables' inputs.

        They leave `totals`.
        """
        tables = [root for root in totals if type(root.owner) is TableOp]
        heights = [self._height(root) for root in tables] if len(tables) > 1 else [0] * len(tables)
        joint: dict[tuple[SSAValue, ...], IntArray] = {}
        for root, height in zip(tables, heights, strict=True):
            if height == max(heights):
                table = cast(TableOp, root.owner)
                entries = totals.pop(root)[table.filled - range_of(root).low]
                inputs = tuple(map(before_registers, table.inputs))
                joint[inputs] = joint[inputs] + entries if inputs in joint else entries
        return joint

    def _height(self, value: SSAValue, depth: int = MAX_FUNCTIONS) -> int:
        """The most tables of several values that read each other, up to this value."""
        op = value.owner
        if type(op) is not TableOp or not depth:
            return 0
        if value not in self._heights:
            roots = [found[0] for each in op.inputs if (found := self.of(each)) is not None]
            self._heights[value] = 1 + max(self._height(root, depth - 1) for root in roots)
        return self._heights[value]


def before_registers(value: SSAValue) -> SSAValue:
    """The value that registers delay."""
    while isinstance(value, OpResult) and type(value.op) is DelayOp:
        value = value.op.input
    return value


def low_zeros(value: SSAValue, known: dict[SSAValue, int]) -> int:
    """The number of lowest bits that are always 0: of constants, tables, and sums of these.

    `known` holds earlier results, and is extended.
    """
    found = known.get(value)
    if found is not None:
        return found
    op = value.owner
    # By identity: `match` takes ten times as long.
    if type(op) is TableOp:
        # Entries that do not matter count as one that does; if none does, as the lowest value.
        entries = op.entries if op.care is None else dense(op.filled)
        found = _low_zeros_of_entries(entries.data.data, element_bytes(entries))
    elif type(op) is SumOp:
        found = range_of(value).bits
        for each in op.inputs:
            found = min(found, low_zeros(each, known))
            if not found:
                break
    elif type(op) is DelayOp:
        found = low_zeros(op.input, known)
    elif type(op) is ConstantOp:
        number = op.value.value.data
        found = (number & -number).bit_length() - 1 if number else 0
    else:
        found = 0
    known[value] = found
    return found


@lru_cache(1 << 14)  # passes ask again and again of the same entries
def _low_zeros_of_entries(raw: bytes, size: int) -> int:
    """The low zeros that all entries, of `size` bytes each, have."""
    mask = int(np.bitwise_or.reduce(np.frombuffer(raw, dtype=f"<i{size}")))
    return (mask & -mask).bit_length() - 1 if mask else 0


@irdl_op_definition
class DelayOp(WireOp, Named, Sequential, Evaluable, ExactMeaning, WiresOnly, HasFolderInterface):
    """Registers: the same value, `cycles` clock cycles later.

    Example:

        %none = kan.delay %x by 0 : !kan.int<0:3>
    """

    name = "kan.delay"
    KIND: ClassVar[str] = "register"

    T: ClassVar = VarConstraint("T", base(IntType))

    input = operand_def(T)
    cycles = prop_def(IntegerAttr[I64])
    result = result_def(T)

    traits = traits_def(Pure())
    assembly_format = "$input `by` $cycles (`as` $name^)? attr-dict `:` type($result)"

    def __init__(
        self, input: SSAValue | Operation, cycles: int, *, name: str | None = None
    ) -> None:
        value = SSAValue.get(input)
        self.set_up([value], [value.type], cycles=cycles, name=name)

    @property
    def latency(self) -> int:
        return self.cycles.value.data

    def check(self) -> None:
        require(self.input.type == self.result.type, "a register holds values of one type")
        cycles = self.cycles.value.data
        require(0 <= cycles <= 10_000, f"cycles must lie in 0..10000, got {cycles}")

    def fold(self) -> Sequence[SSAValue | Attribute] | None:
        return (self.input,) if self.cycles.value.data == 0 else None

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (operands[0],)

    def meaning(
        self, math: ExactArithmetic[NumberT], operands: Sequence[NumberT]
    ) -> Sequence[NumberT]:
        return [operands[0]]


@irdl_op_definition
class MarkOp(WireOp, Evaluable, WiresOnly):
    """Says that `value` holds the node `node` of the model: node code = value + offset.

    `cycle` is the clock cycle of the value, counted from the inputs. Where the tables that read the
    node do the clamp's work, the code is value + offset saturated `within` a range. Passes that
    move a node's value, or add to it, keep its mark true.

    Example:

        kan.mark %x as "x" offset 0 cycle 0 : !kan.int<0:3>
    """

    name = "kan.mark"
    NAMES_NODE: ClassVar[bool] = True

    value = operand_def(IntType)
    node = prop_def(StringAttr)
    offset = prop_def(IntegerAttr[I64])
    cycle = prop_def(IntegerAttr[I64])
    within = opt_prop_def(IntType)

    assembly_format = (
        "$value `as` $node `offset` $offset `cycle` $cycle (`within` $within^)? attr-dict "
        "`:` type($value)"
    )

    def __init__(
        self,
        value: SSAValue | Operation,
        node: str,
        *,
        offset: int = 0,
        cycle: int = 0,
        within: IntType | None = None,
    ) -> None:
        self.set_up([value], (), node=node, offset=offset, cycle=cycle, within=within)

    def check(self) -> None:
        require_identifier(self.node.data)
        require(self.cycle.value.data >= 0, "cycle must not be negative")
        if not isinstance(self.value.type, IntType):
            raise VerifyException(f"value must be a !kan.int, got {self.value.type}")
        kind, offset = self.value.type, self.offset.value.data
        require(
            storage_for(kind.low + offset, kind.high + offset)[0] <= MAX_RANGE_BITS,
            f"codes {kind.low + offset}:{kind.high + offset} of the node need more than "
            f"{MAX_RANGE_BITS} bits",
        )

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return ()


@irdl_op_definition
class DeadOp(WireOp, Evaluable, WiresOnly):
    """Says that no value holds the node `node` of the model.

    No result depends on it, or the tables that read it have taken it in. It replaces the node's
    `kan.mark`.

    Example:

        kan.dead "layer0_node2"
    """

    name = "kan.dead"
    NAMES_NODE: ClassVar[bool] = True

    node = prop_def(StringAttr)

    assembly_format = "$node attr-dict"

    def __init__(self, node: str) -> None:
        self.set_up((), (), node=node)

    def check(self) -> None:
        require_identifier(self.node.data)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return ()


WIRE_OPS: list[type[Operation]] = [
    ConstantOp,
    TableOp,
    ExtractOp,
    SumOp,
    DelayOp,
    MarkOp,
    DeadOp,
]
