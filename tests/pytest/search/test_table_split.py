"""Tables as sums of parts: the sum is the table, and costs what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect.devices.device import DEVICES, ECP5, XCUP, DeviceFamily
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.search.table_split.costs import PartCosts
from kan_dialect.search.table_split.gates import gated_decompositions
from kan_dialect.search.table_split.limits import SearchLimits
from kan_dialect.search.table_split.parts import GatedPart, Part, Split
from kan_dialect.search.table_split.splitter import Splitter, splitter_for

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
            limit = 1 << draw(st.sampled_from([13, 16, 31, 32, 40, 60]))
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


@deterministic
@given(st.lists(st.tuples(tables(), tables()), min_size=1, max_size=4), devices)
def test_pairs_of_tables_cost_what_their_sums_do(
    pairs: list[tuple[IntArray, IntArray]], device: DeviceFamily
) -> None:
    """Costed as arrays, before any part is made."""
    costs = PartCosts.on(device, INPUTS)
    every = [table - table.min() for table in (*(a for a, _ in pairs), *(b for _, b in pairs))]
    size = max(map(len, every))
    columns = np.stack([table.repeat(size // len(table)) for table in every], axis=1)
    shifted = costs.best_offsets(columns)
    splits = [shifted.split(index, table) for index, table in enumerate(every)]
    half = len(pairs)
    sums = [costs.of(splits[i].joined(splits[i + half], 0)) for i in range(half)]
    assert costs.of_pairs(shifted).tolist() == sums


def splitter_on(target: DeviceFamily, max_parts: int) -> Splitter:
    return Splitter(PartCosts.on(target, INPUTS), max_parts)


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
    found = splitter.split(entries)
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
    found = splitter.split(entries)
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
        alone = splitter_on(target, max_parts).split(entries)
        for found, moved in ((together[index], 0), (together[len(some) + index], offset)):
            check(found, entries + moved, max_parts)
            assert splitter.cost(found) == splitter.cost(alone)
            assert found.constant == alone.constant + moved


@pytest.mark.parametrize("inputs", [7, 8])
def test_a_smooth_table_is_split(inputs: int) -> None:
    places = np.linspace(-1, 1, 1 << inputs)
    entries = np.rint(60 * places + 6 * np.sin(3 * places)).astype(np.int64)
    splitter = splitter_on(XCUP, 3)
    (found,), (whole,) = splitter.split_all([entries]), splitter.split_all([entries], 1)
    check(found, entries, 3)
    assert len(found.parts) > 1
    assert splitter.cost(found) < 0.9 * splitter.cost(whole)


@pytest.mark.parametrize("inputs", [4, 6, 8])
def test_a_rough_table_is_not_split(inputs: int) -> None:
    entries = np.random.default_rng(0).integers(-128, 128, 1 << inputs)
    found = splitter_on(XCUP, 3).split(entries)
    check(found, entries, 3)
    assert len(found.parts) == 1


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


@deterministic
@given(tables())
def test_each_gate_and_its_high_part_add_up(entries: IntArray) -> None:
    inputs = len(entries).bit_length() - 1
    entries = entries - entries.min()
    limits = SearchLimits(gate_variants=2)
    for index, (high, part, constant) in gated_decompositions([entries], limits):
        assert index == 0
        assert part.classes.min() >= 0 <= part.amounts.min()
        assert part.amounts.shape[1] > part.classes.max()
        repeated = np.repeat(high, 1 << part.gate_bits)
        assert np.array_equal(repeated + part.values(inputs) + constant, entries)


@pytest.mark.parametrize("gate_bits", [2, 3])
def test_entries_of_few_shapes_have_a_gate_of_several_bits(gate_bits: int) -> None:
    """The class tells the shape: as many bits as it takes to number the shapes."""
    rng = np.random.default_rng(gate_bits)
    shapes = np.sort(rng.integers(0, 3, (4, 1 << gate_bits)), axis=1)
    shapes[:, 0] = 0
    shapes[0] = 0
    shapes[3] = 2 - shapes[2]
    kinds = rng.integers(0, 4, 1 << (9 - gate_bits))
    entries = (shapes[kinds] + rng.integers(0, 40, (len(kinds), 1))).ravel()
    found = [
        each
        for _, each in gated_decompositions([entries], SearchLimits())
        if each.part.gate_bits == gate_bits
    ]
    assert [each.part.amounts.shape for each in found] == [(1 << gate_bits, 4)]


def test_a_slow_table_of_eight_inputs_has_a_gate_of_several_bits() -> None:
    """The class's bits of few inputs cost less than a bit of eight."""
    entries = np.cumsum(np.random.default_rng(3).random(256) < 0.2)
    splitter = splitter_on(XCUP, 3)
    found = splitter.split(entries)
    check(found, entries, 3)
    assert any(isinstance(part, GatedPart) and part.gate_bits > 1 for part in found.parts)
    luts = XCUP.bit_costs(INPUTS), XCUP.summand_costs(INPUTS)
    single = Splitter(PartCosts(*luts, XCUP.adders, SearchLimits(shape_bits=1)), 3)
    assert splitter.cost(found) < 0.95 * single.cost(single.split(entries))


def test_more_parts_are_no_worse() -> None:
    rng = np.random.default_rng(1)
    for _ in range(10):
        entries = smooth(7, 40, rng)
        splitters = [splitter_on(XCUP, parts) for parts in range(1, 4)]
        costs = [each.cost(each.split(entries)) for each in splitters]
        assert costs == sorted(costs, reverse=True)


def test_tables_of_twelve_inputs_are_taken_apart() -> None:
    """A smooth one is a sum of parts that together cost less than half of it."""
    table = smooth(12, 300.0, np.random.default_rng(0))
    splitter = splitter_for(XCUP, 3)
    (split,), (whole,) = splitter.split_all([table]), splitter.split_all([table], 1)
    total = sum((part.values(12) for part in split.parts), np.full(1 << 12, split.constant))
    np.testing.assert_array_equal(total, table)
    assert splitter.cost(split) < splitter.cost(whole) / 2
