"""Constants among the values of a hardware module, folded op by op."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from xdsl.dialects import comb, hw
from xdsl.ir import Operation, SSAValue

from kan_dialect.evaluate.hardware import NARROW, array_length, bit_width
from kan_dialect.ir.constants import Array
from kan_dialect.ir.operation import operands_of, result_of
from kan_dialect.ir.semantics import evaluate_op

_WIRING = (hw.BitcastOp, hw.ArrayCreateOp, hw.ArrayGetOp)
_BATCH_BITS = 1 << 24
"""Bits of tables that are unpacked at a time: 16 MiB."""


class Constants(NamedTuple):
    """The constants of a module."""

    values: dict[SSAValue, Array]
    """Constant values: (1), or (1, size) of an array."""
    planes: dict[SSAValue, list[int]]
    """The planes of the constant arrays that are written as one number."""


def fold_constants(ops: Iterable[Operation]) -> Constants:
    """The constants among the values of ops, operands before users.

    Most constants are entries of tables: they are unpacked together.
    """
    ops = list(ops)
    tables, planes = _unpacked_tables(ops)
    constants: dict[SSAValue, Array] = {}
    for op in ops:
        if type(op) is hw.ConstantOp:
            constants[result_of(op)] = _number(op)
        elif type(op) is hw.BitcastOp and (entries := tables.get(result_of(op))) is not None:
            constants[result_of(op)] = entries
        elif not (operands := operands_of(op)) or not constants.keys().isdisjoint(operands):
            # Of the others, no op is known: this test alone visits most ops.
            fold_constant(op, constants)
    return Constants(constants, planes)


def _number(op: hw.ConstantOp) -> Array:
    """The value of a constant, as its evaluation gives it, which takes longer."""
    width = bit_width(result_of(op).type)
    number = np.empty(1, dtype=np.int64 if width <= NARROW else object)
    number[0] = op.value.value.data & ((1 << width) - 1)
    return number


def _unpacked_tables(
    ops: Sequence[Operation],
) -> tuple[dict[SSAValue, Array], dict[SSAValue, list[int]]]:
    """Entries (1, size) and planes of arrays that are one constant number each."""
    shapes: dict[tuple[int, int], list[tuple[SSAValue, int]]] = {}
    for op in ops:
        if type(op) is hw.BitcastOp:
            number, array = operands_of(op)[0].owner, result_of(op)
            size = array_length(array.type)
            if type(number) is hw.ConstantOp and size:
                shape = size, bit_width(array.type) // size
                value = number.value.value.data & ((1 << shape[0] * shape[1]) - 1)
                shapes.setdefault(shape, []).append((array, value))
    tables: dict[SSAValue, Array] = {}
    planes: dict[SSAValue, list[int]] = {}
    for (size, width), some in shapes.items():
        if not 0 < width <= NARROW:
            continue
        step = max(1, _BATCH_BITS // (size * width))
        for start in range(0, len(some), step):
            batch = some[start : start + step]
            entries, in_bytes = _unpacked([value for _, value in batch], size, width)
            for (array, _), own, own_planes in zip(batch, entries, in_bytes, strict=True):
                tables[array] = own
                planes[array] = [int.from_bytes(plane, "little") for plane in own_planes]
    return tables, planes


def _unpacked(numbers: Sequence[int], size: int, width: int) -> tuple[Array, list[list[bytes]]]:
    """Entries (n, 1, size), int64, and planes as bytes of arrays of `size` numbers."""
    count, length = len(numbers), -(-size * width // 8)
    raw = b"".join([number.to_bytes(length, "little") for number in numbers])
    packed = np.frombuffer(raw, dtype=np.uint8).reshape(count, length)
    bits = np.unpackbits(packed, axis=1, count=size * width, bitorder="little")
    bits = bits.reshape(count, size, width)
    entries = np.zeros((count, 1, size, 8), dtype=np.uint8)
    of_entries = np.packbits(bits, axis=2, bitorder="little")
    entries[:, 0, :, : of_entries.shape[2]] = of_entries
    planes = np.packbits(bits.transpose(0, 2, 1), axis=2, bitorder="little")
    raw, step = planes.tobytes(), planes.shape[2]
    in_bytes = [raw[start : start + step] for start in range(0, len(raw), step)]
    return entries.view("<i8")[..., 0].astype(np.int64, copy=False), [
        in_bytes[start : start + width] for start in range(0, len(in_bytes), width)
    ]


def fold_constant(op: Operation, constants: dict[SSAValue, Array]) -> None:
    """Fold an op with constant operands, or with the same result for all operands.

    Linters warn of such expressions.
    """
    kind = type(op)
    if kind is hw.ConstantOp or _is_foldable(kind):
        operands = operands_of(op)
        for operand in operands:
            if operand not in constants:
                break
        else:
            results = evaluate_op(op, [constants[operand] for operand in operands])
            constants.update(zip(op.results, results, strict=True))
            return
    decided = None
    if type(op) is comb.ICmpOp:
        decided = _decided(op, constants)
    elif type(op) is comb.ShlOp or type(op) is comb.ShrUOp:
        amount = constants.get(op.rhs)
        if amount is not None and int(amount[0]) >= bit_width(op.result.type):
            decided = amount * 0
    if decided is not None:
        constants[op.results[0]] = decided


@cache
def _is_foldable(kind: type[Operation]) -> bool:
    return kind.name.startswith("comb.") or issubclass(kind, _WIRING)


def _decided(op: comb.ICmpOp, constants: dict[SSAValue, Array]) -> Array | None:
    """The result of a comparison with an end of the range, if it is the same for all operands.

    `x < lowest`, for example, equals `lowest < lowest`: the constant is compared with itself.
    """
    predicate = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
    if predicate in ("eq", "ne"):
        return None
    lhs, rhs = constants.get(op.lhs), constants.get(op.rhs)
    known = rhs if lhs is None else lhs
    if known is None or (lhs is not None and rhs is not None):
        return None
    width = bit_width(op.lhs.type)
    if predicate[0] == "s":
        lowest, highest = 1 << (width - 1), (1 << (width - 1)) - 1
    else:
        lowest, highest = 0, (1 << width) - 1
    # Nothing is below the lowest value: `x < lowest` and `x >= lowest` are decided.
    below = (predicate[1:] in ("lt", "ge")) == (lhs is None)
    end = lowest if below else highest
    return evaluate_op(op, [known, known])[0] if int(known[0]) == end else None
