"""Which tables of a sum become one table: the search behind `kan-merge-tables`.

Tables of the same inputs form a group in any case. Of the others, groups form whose inputs fit into
one lookup table of the device, by its costs of a bit, adding included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from xdsl.ir import SSAValue

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.maths.truth_tables import supports
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp

NEIGHBOURS = 8
"""Tables that are tried as the next one to join a group."""


def table_groups(
    op: SumOp, tables: Mapping[int, TableOp], device: DeviceFamily, *, same_inputs_only: bool
) -> list[TableGroup]:
    """Tables of a sum in groups.

    Parameters
    ----------
    tables : by their places among the sum's summands.
    same_inputs_only : only tables of the same inputs form a group.
    """
    grouping = _Grouping(op, device)
    groups = grouping.of_same_inputs([TableGroup({i: table}) for i, table in tables.items()])
    return groups if same_inputs_only else grouping.of_few_bits(groups)


def may_merge(table: TableOp) -> bool:
    """Whether only one op reads a table, and no two of its inputs are the same value."""
    readers = {use.operation for use in table.result.uses}
    return len(readers) == 1 and len(set(table.inputs)) == len(table.inputs)


class TableGroup:
    """Summands of one sum: a table, or several that may become one table."""

    def __init__(self, tables: Mapping[int, TableOp]) -> None:
        self.tables = dict(sorted(tables.items()))
        """By their places among the summands, ascending."""
        self.places = self.tables.keys()
        values = [value for table in self.tables.values() for value in table.inputs]
        self.inputs = tuple(dict.fromkeys(values))
        self.bits = sum(range_of(value).bits for value in self.inputs)

    def __add__(self, other: TableGroup) -> TableGroup:
        return TableGroup(self.tables | other.tables)

    @cached_property
    def patterns(self) -> IntArray:
        """The sum of the tables, int64, one dimension an input, by bit patterns."""
        whole = np.zeros([1 << range_of(value).bits for value in self.inputs], dtype=np.int64)
        for table in self.tables.values():
            own = table.by_bit_pattern.reshape([1 << range_of(v).bits for v in table.inputs])
            whole += _over(self.inputs, own, table.inputs)
        return whole

    def added(self, other: TableGroup, limit: int) -> IntArray:
        """The sum with another group: (patterns of its own inputs, patterns of the further ones).

        The second dimension is repeated to `2^limit` entries, for inputs without influence.
        """
        new = tuple(value for value in other.inputs if value not in self.inputs)
        theirs = _over((*self.inputs, *new), other.patterns, other.inputs)
        shape = self.patterns.shape
        whole = (self.patterns.reshape(*shape, *(1 for _ in new)) + theirs).reshape(
            1 << self.bits, -1
        )
        return np.tile(whole, (1, (1 << limit) // whole.shape[1]))

    def table(self, name: str | None, result_type: IntType | None) -> TableOp:
        """One table that is the sum of all. An entry matters where it matters in each."""
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


class _Grouping:
    """Groups the tables of one sum by what the device's costs say."""

    def __init__(self, op: SumOp, target: DeviceFamily) -> None:
        self._limit = target.lut_inputs
        self._absorbs = target.adders.absorbed_inputs >= 0
        self._costs = target.summand_costs(self._limit)
        self._costs_alone = np.minimum(target.bit_costs(self._limit), self._costs)
        # The number of inputs at which a bit costs the least for each input.
        per_input = self._costs[1:] / np.arange(1, self._limit + 1)
        self._enough = int(np.flatnonzero(per_input == per_input.min())[-1]) + 1
        self._bits = range_of(op.result).bits
        self._summands = sum(not isinstance(value.owner, ConstantOp) for value in op.inputs)

    def of_same_inputs(self, parts: Sequence[TableGroup]) -> list[TableGroup]:
        """Tables of the same inputs in one group."""
        found: dict[frozenset[SSAValue], TableGroup] = {}
        for part in parts:
            key = frozenset(part.inputs)
            found[key] = found[key] + part if key in found else part
        return list(found.values())

    def of_few_bits(self, parts: Sequence[TableGroup]) -> list[TableGroup]:
        """Groups of tables whose inputs fit into one lookup table, where that costs no more.

        Adders that absorb tables take them one by one: a group of a few bits would fill LUTs that
        the bits of other adders share.
        """
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
        # Tables of as many bits and of similar height are neighbours.
        few.sort(key=lambda part: (part.bits, -int(np.ptp(part.patterns))))
        costs = {part: float(self._cost(part.patterns)[0]) for part in few}
        whole = self._whole(few, sum(costs.values()))
        if whole is not None:
            return [whole]
        if self._absorbs:
            return list(parts)
        while few:
            group = self._grown(few, costs)
            merged.append(group)
            few = [part for part in few if part.places.isdisjoint(group.places)]
        return merged

    def _whole(self, parts: Sequence[TableGroup], cost: float) -> TableGroup | None:
        """All in one group, if they are the whole sum and cost no more without adders."""
        inputs = {value for part in parts for value in part.inputs}
        if (
            sum(len(part.places) for part in parts) < self._summands
            or sum(range_of(value).bits for value in inputs) > self._limit
        ):
            return None
        whole = sum(parts[1:], parts[0])
        used = supports(whole.patterns.reshape(1, -1), self._bits)
        return whole if self._costs_alone[used].sum() <= cost else None

    def _grown(self, parts: Sequence[TableGroup], costs: Mapping[TableGroup, float]) -> TableGroup:
        """The group around the first table that saves the most.

        Tables join one by one, each time the one that adds the least cost, until the inputs are
        enough.
        """
        group, *rest = parts
        apart = costs[group]
        best, most_saved = group, 0.0
        while rest := [part for part in rest if self._fits(group, part)]:
            near = rest[:NEIGHBOURS]
            free = self._limit - group.bits
            together = self._cost(*(group.added(part, free) for part in near))
            index = int((together - [costs[part] for part in near]).argmin())
            apart += costs[rest[index]]
            group += rest.pop(index)
            if apart - together[index] >= most_saved:
                best, most_saved = group, apart - float(together[index])
        return best

    def _fits(self, group: TableGroup, part: TableGroup) -> bool:
        new = sum(range_of(value).bits for value in part.inputs if value not in group.inputs)
        return new == 0 or (group.bits < self._enough and group.bits + new <= self._limit)

    def _cost(self, *tables: IntArray) -> FloatArray:
        """LUTs of tables of the same number of entries, adding included."""
        entries = np.stack([table.ravel() for table in tables])
        return self._costs[supports(entries, self._bits)].sum(axis=-1)
