"""Costs that wire-level ops say: LUTs, levels of logic and delay on a device, checked.

Tables and sums say none: their costs depend on the tables and sums around them (`lut_count.py`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.ranged import missing_interface
from kan_dialect.ir.semantics import Evaluable, evaluate_op
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ir.wire_interface import Costed
from kan_dialect.ir.wire_operation import WireOp
from kan_dialect.other_packages import naming

MAX_TABULATED_BITS = 12
"""Most bits of the operands of an op whose results are listed to trace its bits."""


_Number = TypeVar("_Number", int, float)


def stated_luts(op: Operation, device: DeviceFamily) -> Counter[int]:
    """The LUTs that an op says, by number of inputs; none for a return.

    Raises
    ------
    KanError : the op says no costs, fails, or returns something else than numbers of LUTs.
    """
    if isinstance(op, func.ReturnOp):
        return Counter()
    costed = _costed(op)
    with naming(f"'{op.name}'", type(op)):
        found = costed.luts_on(device)
    # Our own ops name functions of three bits on devices of smaller LUTs, too.
    if not isinstance(op, WireOp) and not _are_luts(found, device.lut_inputs):
        raise KanError(
            f"'{op.name}': luts_on({device.name}) returned {found}",
            remedy="return numbers of LUTs by their number of inputs, "
            f"1 to {device.lut_inputs}, as {{2: 7}}",
        )
    return Counter(found)


def stated_levels(op: Operation, device: DeviceFamily) -> int:
    """The levels of logic that an op says; 0 for a return.

    Raises
    ------
    KanError : the op says no costs, fails, or returns something else than a number of levels.
    """
    return _stated(op, device, Costed.levels_on, "a number of levels", int)


def stated_delay(op: Operation, device: DeviceFamily) -> float:
    """The delay in ns that an op says; 0 for a return.

    Raises
    ------
    KanError : the op says no costs, fails, or returns something else than a delay.
    """
    return _stated(op, device, Costed.delay_on, "a delay in ns", float)


def _stated(
    op: Operation,
    device: DeviceFamily,
    method: Callable[[Costed, DeviceFamily], _Number],
    expected: str,
    kind: type[_Number],
) -> _Number:
    if isinstance(op, func.ReturnOp):
        return kind(0)
    costed, name = _costed(op), method.__name__
    with naming(f"'{op.name}'", type(op)):
        found: object = getattr(costed, name)(device)
    is_number = _is_count(found) or (kind is float and isinstance(found, float | np.floating))
    if not is_number or not 0 <= (number := kind(cast("float", found))) < math.inf:
        raise KanError(
            f"'{op.name}': {name}({device.name}) returned {found!r}",
            remedy=f"return {expected}, 0 or more",
        )
    return number


def _costed(op: Operation) -> Costed:
    if not isinstance(op, Costed):
        raise missing_interface(op, "what it costs on a device")
    return op


def _are_luts(value: object, most_inputs: int) -> bool:
    if not isinstance(value, Mapping):
        return False
    counts = cast("Mapping[object, object]", value)
    sizes = all(_is_count(inputs) and inputs in range(1, most_inputs + 1) for inputs in counts)
    return sizes and all(map(_is_count, counts.values()))


def _is_count(value: object) -> bool:
    return (
        isinstance(value, int | np.integer)
        and not isinstance(value, bool)
        and int(cast("int", value)) >= 0
    )


def results_by_pattern(op: Operation) -> list[IntArray] | None:
    """The results of an op of another package for every combination of bit patterns.

    Returns
    -------
    One array for each result, int64, over the patterns of all operands side by side, of which the
    first operand has the highest bits. A pattern outside an operand's range stands for the nearest
    number in it. None for an op without semantics, and for one that reads too many bits.
    """
    kinds: Sequence[IntType] = [range_of(value) for value in op.operands]
    if not isinstance(op, Evaluable) or sum(kind.bits for kind in kinds) > MAX_TABULATED_BITS:
        return None
    grid = np.meshgrid(
        *(np.clip(kind.bit_patterns, kind.low, kind.high) for kind in kinds), indexing="ij"
    )
    results = evaluate_op(op, [axis.ravel() for axis in grid])
    count = 1 << sum(kind.bits for kind in kinds)
    return [np.broadcast_to(result, (count,)).astype(np.int64) for result in results]
