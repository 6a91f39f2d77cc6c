"""`kan-merge-tables`: tables of few-bit inputs that meet in one sum become one table.

A lookup table of the device does not care what its inputs stand for: where inputs have one to three
bits, the summands of several of them fit into one table of several inputs, and the adders between
them go. Tables of the same inputs become one in any case. Of others, groups form within the inputs
of one lookup table, the way that the target's costs say is cheapest, adding included.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import Fpga
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ir.verifier import MAX_NAME
from kan_dialect.maths.truth_tables import supports
from kan_dialect.ops.wire import ConstantOp, DelayOp, SumOp, TableOp, sum_range
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass

NEAR = 8
"""So many other tables are tried for each that joins a group."""
SUFFIX = "_merged"
"""What the name of a merged table has beyond that of its first part."""


@dataclass(frozen=True)
class MergeTablesPass(TargetPass):
    """Makes one table of several summands."""

    name = "kan-merge-tables"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        target = self.device
        for function in functions:
            sums = [op for op in function.body.block.ops if isinstance(op, SumOp)]
            fixed = _fixed_sums(function)
            for op in sums:
                _merge_summands(op, target, fixed=op in fixed)
        return bool(functions)


def _fixed_sums(function: func.FuncOp) -> set[SumOp]:
    """Sums that keep their tables of different inputs.

    They are in a sum whose range holds for what tables of the same input add up to, not for its
    summands one by one: see `joint_sum_range`.
    """
    fixed: set[SumOp] = set()
    for op in reversed(list(function.body.block.ops)):
        if not isinstance(op, SumOp):
            continue
        if op in fixed or not range_of(op.result).contains(*sum_range(op.inputs)):
            fixed.add(op)
            fixed.update(_sums_behind(op.inputs))
    return fixed


def _sums_behind(values: Iterable[SSAValue]) -> Iterable[SumOp]:
    """The sums that the values are, registers or not."""
    for value in values:
        while isinstance(value.owner, DelayOp):
            value = value.owner.input
        if isinstance(value.owner, SumOp):
            yield value.owner


def _merge_summands(op: SumOp, target: Fpga, *, fixed: bool) -> None:
    """Let some of a sum's tables become one."""
    places = [(i, v.owner) for i, v in enumerate(op.inputs) if isinstance(v.owner, TableOp)]
    apart = [_Part({i: table}) for i, table in places if _may_merge(table, op)]
    if len(apart) < 2:
        return
    merger = _Merger(op, target)
    parts = merger.of_same_inputs(apart)
    if not fixed:
        parts = merger.of_few_bits(parts)
    kind = range_of(op.result)
    summands: dict[int, SSAValue] = dict(enumerate(op.inputs))
    merged: set[TableOp] = set()
    for part in parts:
        if len(part.tables) == 1:
            continue
        first, *others = part.tables
        name = _merged_name(part.tables[first].given_name)
        if len(part.tables) < len(op.inputs):
            table = part.table(name, None)
        else:
            # The sum's readers rely on its type, also where that is wider than it must be.
            table = part.table(op.given_name or name, kind)
        if _is_dearer(table, part.tables.values(), target, kind.bits):
            table.erase()
            continue
        Rewriter.insert_op(table, InsertPoint.before(op))
        merged.update(part.tables.values())
        summands[first] = table.result
        for place in others:
            del summands[place]
    if not merged:
        return
    Rewriter.replace_op(op, *rebuild_sum(op, list(summands.values())))
    for table in merged:
        Rewriter.erase_op(table)


def _is_dearer(merged: TableOp, apart: Collection[TableOp], target: Fpga, bits: int) -> bool:
    """Whether what stands for entries that do not matter makes a merged table too dear."""
    if merged.care is None or all(set(table.inputs) == set(merged.inputs) for table in apart):
        return False
    before = sum(target.summand_cost(table.by_bit_pattern, bits) for table in apart)
    return target.summand_cost(merged.by_bit_pattern, bits) > before


def _may_merge(table: TableOp, reader: SumOp) -> bool:
    """Whether nothing but one sum reads a table, and each of its inputs is another value."""
    return all(use.operation is reader for use in table.result.uses) and len(
        set(table.inputs)
    ) == len(table.inputs)


def _merged_name(name: str | None) -> str | None:
    """The name of a merged table by that of the first of its tables."""
    if name is None or name.endswith(SUFFIX) or len(name) + len(SUFFIX) > MAX_NAME:
        return name
    return name + SUFFIX


class _Part:
    """One table or the sum of some, as summands of one sum."""

    def __init__(self, tables: Mapping[int, TableOp]) -> None:
        self.tables = dict(sorted(tables.items()))
        """By their places in the sum."""
        self.places = self.tables.keys()
        values = [value for table in self.tables.values() for value in table.inputs]
        self.inputs = tuple(dict.fromkeys(values))
        self.bits = sum(range_of(value).bits for value in self.inputs)

    def __add__(self, other: _Part) -> _Part:
        return _Part(self.tables | other.tables)

    @cached_property
    def patterns(self) -> IntArray:
        """What they add up to for every combination of bit patterns of the inputs."""
        whole = np.zeros([1 << range_of(value).bits for value in self.inputs], dtype=np.int64)
        for table in self.tables.values():
            own = table.by_bit_pattern.reshape([1 << range_of(v).bits for v in table.inputs])
            whole += _over(self.inputs, own, table.inputs)
        return whole

    def added(self, other: _Part, limit: int) -> IntArray:
        """Together with another: (its own combinations of bit patterns, those that the other adds).

        The latter are repeated for inputs up to `limit` bits that nothing depends on.
        """
        new = tuple(value for value in other.inputs if value not in self.inputs)
        theirs = _over((*self.inputs, *new), other.patterns, other.inputs)
        shape = self.patterns.shape
        whole = (self.patterns.reshape(*shape, *(1 for _ in new)) + theirs).reshape(
            1 << self.bits, -1
        )
        return np.tile(whole, (1, (1 << limit) // whole.shape[1]))

    def table(self, name: str | None, result_type: IntType | None) -> TableOp:
        """One table of all."""
        shape = [range_of(value).size for value in self.inputs]
        entries = np.zeros(shape, dtype=np.int64)
        care = np.ones(shape, dtype=np.bool_)
        for table in self.tables.values():
            entries += _over(self.inputs, table.filled, table.inputs)
            if table.care is not None:
                care &= _over(self.inputs, table.care_array, table.inputs)
        return TableOp(self.inputs, entries, care=care, result_type=result_type, name=name)


def _over(inputs: Sequence[SSAValue], values: Array, own: Sequence[SSAValue]) -> Array:
    """An array with an axis for each of `own`, as one with an axis for each of `inputs`."""
    order = sorted(range(len(own)), key=lambda axis: inputs.index(own[axis]))
    sizes = iter([values.shape[axis] for axis in order])
    return values.transpose(order).reshape([next(sizes) if v in own else 1 for v in inputs])


class _Merger:
    """Finds which of a sum's summands become one."""

    def __init__(self, op: SumOp, target: Fpga) -> None:
        self._limit = target.lut_inputs
        self._costs = target.summand_costs(self._limit)
        self._costs_alone = np.minimum(target.bit_costs(self._limit), self._costs)
        # How many inputs a bit has where it costs least for each of them.
        per_input = self._costs[1:] / np.arange(1, self._limit + 1)
        self._enough = int(np.flatnonzero(per_input == per_input.min())[-1]) + 1
        self._bits = range_of(op.result).bits
        self._summands = sum(not isinstance(value.owner, ConstantOp) for value in op.inputs)

    def of_same_inputs(self, parts: Sequence[_Part]) -> list[_Part]:
        """Tables of the same inputs together."""
        found: dict[frozenset[SSAValue], _Part] = {}
        for part in parts:
            key = frozenset(part.inputs)
            found[key] = found[key] + part if key in found else part
        return list(found.values())

    def of_few_bits(self, parts: Sequence[_Part]) -> list[_Part]:
        """Those of few bits together, where that is no dearer."""
        few = [part for part in parts if part.bits <= self._limit]
        inputs = [value for part in few for value in part.inputs]
        bits = sorted(part.bits for part in few)
        if (
            len(set(inputs)) == len(inputs)
            and sum(bits) > self._limit
            and (bits[0] >= self._enough or sum(bits[:2]) > self._limit)
        ):
            return list(parts)
        merged = [part for part in parts if part.bits > self._limit]
        # Among those of as many bits, the ones of about the same height go together.
        few.sort(key=lambda part: (part.bits, -int(np.ptp(part.patterns))))
        costs = {part: float(self._cost(part.patterns)[0]) for part in few}
        whole = self._whole(few, sum(costs.values()))
        if whole is not None:
            return [whole]
        while few:
            group = self._grown(few, costs)
            merged.append(group)
            few = [part for part in few if part.places.isdisjoint(group.places)]
        return merged

    def _whole(self, parts: Sequence[_Part], cost: float) -> _Part | None:
        """All of them, if they are the whole sum, and are no dearer without adders."""
        inputs = {value for part in parts for value in part.inputs}
        if (
            sum(len(part.places) for part in parts) < self._summands
            or sum(range_of(value).bits for value in inputs) > self._limit
        ):
            return None
        whole = sum(parts[1:], parts[0])
        used = supports(whole.patterns.reshape(1, -1), self._bits)
        return whole if self._costs_alone[used].sum() <= cost else None

    def _grown(self, parts: Sequence[_Part], costs: Mapping[_Part, float]) -> _Part:
        """The first part, together with others that make it dearer by least.

        Until it has enough inputs; of the groups on the way, the one that saves most.
        """
        group, *rest = parts
        apart = costs[group]
        best, most_saved = group, 0.0
        while rest := [part for part in rest if self._fits(group, part)]:
            near = rest[:NEAR]
            free = self._limit - group.bits
            together = self._cost(*(group.added(part, free) for part in near))
            index = int((together - [costs[part] for part in near]).argmin())
            apart += costs[rest[index]]
            group += rest.pop(index)
            if apart - together[index] >= most_saved:
                best, most_saved = group, apart - float(together[index])
        return best

    def _fits(self, group: _Part, part: _Part) -> bool:
        new = sum(range_of(value).bits for value in part.inputs if value not in group.inputs)
        return new == 0 or (group.bits < self._enough and group.bits + new <= self._limit)

    def _cost(self, *tables: IntArray) -> FloatArray:
        """What tables of as many entries cost, adding included."""
        entries = np.stack([table.ravel() for table in tables])
        return self._costs[supports(entries, self._bits)].sum(axis=-1)
