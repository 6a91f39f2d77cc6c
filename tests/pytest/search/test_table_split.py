"""Tables as sums of parts: the sum is the table, and costs what it says."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect.devices.device import DEVICES, ECP5, XCUP, DeviceFamily
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.search.table_split.costs import PartCosts
from kan_dialect.search.table_split.limits import NO_GATES, SearchLimits
from kan_dialect.search.table_split.parts import GatedPart, Part, Split
from kan_dialect.search.table_split.splitter import Splitter

deterministic = settings(derandomize=True, deadline=None, max_examples=150)

INPUTS = 8
KINDS = ("smooth", "steps", "ramp", "rough", "few", "constant", "extreme", "peak")
devices = st.sampled_from(list(DEVICES.values()))


def smooth(inputs: int, height: float, rng: np.random.Generator) -> IntArray:
    """A rounded sum of waves."""
    places = np.linspace(0, 1, 1 << inputs)
    waves = [rng.normal() * np.sin(places * rng.uniform(0, 8) + rng.uniform(0, 6)) for _ in "abc"]
    return np.rint(np.sum(waves, axis=0) * height).astype(np.int64)


@st.composite
def tables(draw: st.DrawFn) -> IntArray:
    inputs = draw(st.integers(1, INPUTS))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    height = draw(st.sampled_from([1, 3, 20, 127, 5000]))
    patterns = np.arange(1 << inputs)
    match draw(st.sampled_from(KINDS)):
        case "smooth":
            return smooth(inputs, height, rng)
        case "steps":
            return np.repeat(smooth(inputs - 1, height, rng), 2) + rng.integers(0, 2)
        case "ramp":
            return patterns * rng.integers(-9, 10) // rng.integers(1, 9) + rng.integers(-99, 99)
        case "rough":
            return rng.integers(-height, height, len(patterns), endpoint=True)
        case "few":
            return rng.choice(np.array([-height, 0, 1, height]), len(patterns))
        case "constant":
            return np.full(len(patterns), rng.integers(-height, height, endpoint=True))
        case "peak":
            return np.where(patterns == rng.integers(len(patterns)), height, -height)
        case _:
            limit = 1 << draw(st.sampled_from([13, 16, 31, 32, 40, 47]))
            ends = rng.integers(-limit, limit, len(patterns))
            ends[: draw(st.integers(1, 2))] = draw(st.sampled_from([-limit, limit]))
            return ends


def cost_of(entries: IntArray, costs: FloatArray) -> float:
    """Of bits, by how many inputs each depends on."""
    assert entries.min() >= 0
    patterns = np.arange(len(entries))
    inputs = len(entries).bit_length() - 1
    total = 0.0
    for place in range(int(entries.max()).bit_length()):
        bit = (entries >> place) & 1
        used = sum(bool((bit != bit[patterns ^ (1 << each)]).any()) for each in range(inputs))
        total += float(costs[used])
    return total


def splitter_on(target: DeviceFamily, max_parts: int) -> Splitter:
    return Splitter(PartCosts.on(target, INPUTS), max_parts)


def split(splitter: Splitter, entries: IntArray) -> Split:
    return splitter.split_all([entries])[0]


def bits_of_part(part: Part | GatedPart, own: FloatArray, summand: FloatArray) -> float:
    """What a part's bits cost, adding each to a sum."""
    if isinstance(part, Part):
        return cost_of(part.entries, summand)
    return cost_of(part.amounts.ravel(), summand) + cost_of(part.classes, own)


def is_single(part: Part | GatedPart) -> bool:
    amounts = part.entries if isinstance(part, Part) else part.amounts
    highest = int(amounts.max())
    return highest & (highest - 1) == 0 and set(amounts.ravel().tolist()) <= {0, highest}


def check(found: Split, entries: IntArray, max_parts: int) -> None:
    """All that must hold of what was found for a table."""
    inputs = len(entries).bit_length() - 1
    values = [part.values(inputs) for part in found.parts]
    assert len(values) <= max_parts
    for part, each in zip(found.parts, values, strict=True):
        assert each.shape == entries.shape
        assert each.min() >= 0
        kept = part.entries if isinstance(part, Part) else part.classes
        assert kept.dtype == np.int64
        assert isinstance(part, Part) or part.amounts.shape[1] > part.classes.max()
        gate_bits = part.gate_bits if isinstance(part, GatedPart) else 0
        assert len(kept) << (part.skipped + gate_bits) == len(entries)
    assert np.array_equal(sum(values, entries * 0) + found.constant, entries)


def costs_on(target: DeviceFamily) -> tuple[FloatArray, FloatArray]:
    return target.bit_costs(INPUTS), target.summand_costs(INPUTS)


@deterministic
@given(tables(), devices, st.integers(1, 4))
def test_parts_add_up_and_cost_what_is_said(
    entries: IntArray, target: DeviceFamily, max_parts: int
) -> None:
    own, summand = costs_on(target)
    before = entries.copy()
    splitter = splitter_on(target, max_parts)
    found = split(splitter, entries)
    assert np.array_equal(entries, before)
    check(found, entries, max_parts)
    bits = sum(bits_of_part(part, own, summand) for part in found.parts)
    assert found.bit_luts == pytest.approx(bits)
    single = len(found.parts) - found.adders
    assert 0 <= single <= sum(map(is_single, found.parts))
    assert single <= found.carries <= len(found.parts)
    adders = found.adders + max(0, single - found.adders)
    saved = target.adders.carry_in_luts * min(adders, found.carries)
    further = target.adders.further_luts * max(0, adders - 1)
    assert splitter.cost(found) == pytest.approx(bits - saved + further)


@deterministic
@given(tables(), devices, st.integers(1, 4))
def test_lowest_bits_apart_change_nothing(
    entries: IntArray, target: DeviceFamily, most: int
) -> None:
    own, summand = costs_on(target)
    splitter = splitter_on(target, 3)
    found = split(splitter, entries)
    apart = splitter.separate_lowest_bits(found, most)
    check(apart, entries, len(found.parts) + most)
    assert sum(bits_of_part(part, own, summand) for part in apart.parts) == pytest.approx(
        found.bit_luts
    )
    kept = set(map(id, found.parts))
    taken = [part for part in apart.parts if id(part) not in kept]
    assert len(taken) == 2 * (len(apart.parts) - len(found.parts))
    assert all(map(is_single, taken[1::2]))


@deterministic
@given(tables(), devices, st.integers(1, 4))
def test_never_costs_more_than_the_table_shifted(
    entries: IntArray, target: DeviceFamily, max_parts: int
) -> None:
    _, summand = costs_on(target)
    splitter = splitter_on(target, max_parts)
    (found,), (whole,) = splitter.split_all([entries]), splitter.split_all([entries], 1)
    assert splitter.cost(found) <= splitter.cost(whole)
    lowered = entries - entries.min()
    high = int(lowered.max())
    slack = (1 << high.bit_length()) - high
    # All offsets are tried if they are few. Bits of their own may come in below adders.
    offsets = range(slack) if slack <= 32 else [0]
    assert splitter.cost(found) <= min(cost_of(lowered + offset, summand) for offset in offsets)


@deterministic
@given(st.lists(tables(), max_size=6), devices, st.integers(1, 4), st.integers(-(1 << 40), 1 << 40))
def test_together_as_one_by_one(
    some: list[IntArray], target: DeviceFamily, max_parts: int, offset: int
) -> None:
    """Nor does it matter what was split before; an offset of the table is one of the constant."""
    splitter = splitter_on(target, max_parts)
    together = splitter.split_all([*some, *(entries + offset for entries in some)])
    for index, entries in enumerate(some):
        alone = split(splitter_on(target, max_parts), entries)
        for found, moved in ((together[index], 0), (together[len(some) + index], offset)):
            check(found, entries + moved, max_parts)
            assert splitter.cost(found) == splitter.cost(alone)
            assert found.constant == alone.constant + moved


def test_gates_only_where_synthesis_keeps_them() -> None:
    """Smooth tables of seven inputs have gates, but on a device whose synthesis keeps none."""
    rng = np.random.default_rng(2)
    some = [smooth(7, 40, rng) for _ in range(8)]

    def has_gates(target: DeviceFamily) -> bool:
        splits = splitter_on(target, 3).split_all(some)
        for entries, found in zip(some, splits, strict=True):
            check(found, entries, 3)
        return any(isinstance(part, GatedPart) for found in splits for part in found.parts)

    assert has_gates(XCUP)
    assert not has_gates(replace(XCUP, keeps_gates=False))
    assert not ECP5.keeps_gates


COSTS = PartCosts(
    np.array([0.0, 0.0, 1.0, 3.0, 7.0]),
    np.array([0.0, 1.0, 2.0, 4.0, 8.0]),
    replace(XCUP.adders, carry_in_luts=0.0, further_luts=0.0),
    SearchLimits(gate_bits=NO_GATES),
)
"""Of lookup tables of two inputs, so that small tables are worth taking apart."""

INPUT_BITS = 3


def least_costs(rows: IntArray) -> FloatArray:
    """LUTs of each row of entries, with the cheapest offset that leaves its width: (n,)."""
    rows = rows - rows.min(axis=1, keepdims=True)
    patterns = np.arange(rows.shape[1])
    room = np.array([(1 << high.bit_length()) - 1 for high in rows.max(axis=1).tolist()])
    best = np.full(len(rows), np.inf)
    for offset in range(8):
        luts = np.zeros(len(rows))
        for place in range(4):
            bit = (rows + offset) >> place & 1
            steps = [1 << i for i in range(INPUT_BITS) if 1 << i < len(patterns)]
            differ = [(bit != bit[:, patterns ^ step]).any(axis=1) for step in steps]
            luts += COSTS.summand_costs[np.array(differ).sum(axis=0)]
        best = np.where(rows.max(axis=1) + offset <= room, np.minimum(best, luts), best)
    return best


def fewest_luts_of_two(table: IntArray) -> float:
    """The cheapest table, or high part and rest, through all high parts of upper input bits."""
    best = float(least_costs(table[np.newaxis])[0])
    for skipped in range(1, INPUT_BITS):
        ways = product(range(int(np.ptp(table)) + 1), repeat=len(table) >> skipped)
        highs = np.array(list(ways))
        rests = table - highs.repeat(1 << skipped, axis=1)
        best = min(best, float((least_costs(highs) + least_costs(rests)).min()))
    return best


def test_small_tables_are_split_as_a_search_through_all_does() -> None:
    """Offsets are all tried. Of high parts, few are: one table of forty costs more."""
    rng = np.random.default_rng(4)
    splitter = Splitter(COSTS, 2)
    optimal = in_parts = 0
    for _ in range(40):
        table = rng.integers(0, 2, 1 << INPUT_BITS) + rng.integers(0, 3, 4).repeat(2)
        (found,), (whole,) = splitter.split_all([table]), splitter.split_all([table], 1)
        check(found, table, 2)
        least = fewest_luts_of_two(table)
        assert splitter.cost(whole) == least_costs(table[np.newaxis])[0]
        assert least <= splitter.cost(found) <= splitter.cost(whole)
        optimal += splitter.cost(found) == least
        in_parts += least < splitter.cost(whole)
    assert optimal >= 38 and in_parts >= 10


@pytest.mark.parametrize(
    "fewer",
    [
        SearchLimits(offsets=1),
        SearchLimits(high_offsets=1),
        SearchLimits(offset_bits=0),
        SearchLimits(decompositions=1),
        SearchLimits(refined=1),
        SearchLimits(refined_once=1 << 5),
        SearchLimits(gate_variants=1 << 8),
        SearchLimits(shape_bits=1),
        SearchLimits(shape_inputs=3),
        SearchLimits(gate_bits=NO_GATES),
    ],
)
def test_each_limit_changes_what_is_found(fewer: SearchLimits) -> None:
    rng = np.random.default_rng(3)
    some = [smooth(7, 40, rng) + rng.integers(0, 2, 128) for _ in range(20)]
    some += [smooth(7, 300, rng) for _ in range(20)]
    some += [np.cumsum(rng.random(1 << INPUTS) < 0.2) for _ in range(20)]
    totals: list[float] = []
    for limits in (SearchLimits(), fewer):
        splitter = Splitter(PartCosts(*costs_on(XCUP), XCUP.adders, limits), 3)
        found = splitter.split_all(some)
        for table, each in zip(some, found, strict=True):
            check(each, table, 3)
        totals.append(sum(map(splitter.cost, found)))
    assert totals[0] != totals[1]
