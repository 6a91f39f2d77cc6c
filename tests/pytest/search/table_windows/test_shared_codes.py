"""Tables behind a shared code are the tables that they were."""

from __future__ import annotations

import numpy as np
import pytest

from kan_dialect.devices.device import device
from kan_dialect.ir.constants import IntArray
from kan_dialect.search.table_windows.costs import TableCosts
from kan_dialect.search.table_windows.increments import choose_increments
from kan_dialect.search.table_windows.shared_codes import Reader, Reading, readings_of
from kan_dialect.search.table_windows.windows import Ring

TARGETS = ("xcup", "ecp5", "ice40")


def readers(tables: list[IntArray], care: IntArray | None = None) -> list[Reader]:
    care = np.ones(len(tables[0]), dtype=np.bool_) if care is None else care.astype(np.bool_)
    return [Reader(Ring(table, care.copy()), True) for table in tables]


def readings(of: list[Reader], target: str) -> list[Reading]:
    return readings_of(of, TableCosts(device(target)), device(target).lut_inputs)


def values(reading: Reading, bits: int, increment: int) -> list[IntArray]:
    """The entries of each member for all codes, read by the window for an increment."""
    _, window = reading.behind(increment)
    codes = ((np.arange(1 << bits) + increment) % (1 << bits) >> window.low) % (1 << window.width)
    table = window.behind(increment).entries[codes]
    return [entries[table] for entries in reading.by_class] or [table]


def of_few_classes(seed: int, bits: int, classes: int, tables: int) -> list[IntArray]:
    """Tables that tell the same classes of codes apart."""
    rng = np.random.default_rng(seed)
    which = rng.integers(0, classes, 1 << bits)
    return [rng.permutation(64)[:classes][which] for _ in range(tables)]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", range(4))
def test_tables_of_the_same_classes_share_a_code(seed: int, target: str) -> None:
    tables = of_few_classes(seed, 8, 13, 3)
    (shared,) = readings(readers(tables), target)
    assert sorted(shared.members) == [0, 1, 2]
    assert all(len(entries) == 13 for entries in shared.by_class)
    for index, found in zip(shared.members, values(shared, 8, 0), strict=True):
        np.testing.assert_array_equal(found, tables[index])


@pytest.mark.parametrize("target", TARGETS)
def test_tables_of_other_classes_read_the_value_by_themselves(target: str) -> None:
    rng = np.random.default_rng(1)
    tables = [rng.permutation(128) for _ in range(3)]
    assert [reading.members for reading in readings(readers(tables), target)] == [(0,), (1,), (2,)]


def test_only_tables_wider_than_a_lookup_table_share_a_code() -> None:
    tables = of_few_classes(3, 6, 7, 4)
    assert all(not reading.by_class for reading in readings(readers(tables), "xcup"))
    assert any(reading.by_class for reading in readings(readers(tables), "ecp5"))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("is_free", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_increments_are_shared_and_cost_what_is_said(seed: int, is_free: bool, target: str) -> None:
    """Each table is behind a quantiser of its own; the choice reads all of them right."""
    rng = np.random.default_rng(seed)
    bits, costs = 7, TableCosts(device(target))
    codes = np.arange(1 << bits)
    tables = [
        rng.integers(0, 32, 1 << bits)[(codes + (1 << low >> 1)) % (1 << bits) >> low]
        for low in rng.integers(0, 5, 4).tolist()
    ]
    found = readings(readers(tables), target)
    choice = choose_increments(found, bits, costs, is_free=is_free)
    total = sum(
        costs.increment((each - choice.free) % (1 << bits), bits)
        for each in {increment for increment, _ in choice.windows} - {choice.free}
    )
    for reading, (increment, window) in zip(found, choice.windows, strict=True):
        cost, best = reading.behind(increment)
        assert best is window
        total += cost
        for index, entries in zip(reading.members, values(reading, bits, increment), strict=True):
            np.testing.assert_array_equal(entries, tables[index])
    assert choice.luts == pytest.approx(total)
    assert is_free or choice.free == 0
    without = sum(reading.behind(0)[0] for reading in found)
    assert choice.luts <= without + 1e-9
