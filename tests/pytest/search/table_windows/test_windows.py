"""Windows of tables, against the table that they are made from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kan_dialect.ir.constants import IntArray
from kan_dialect.search.table_windows.windows import Ring, Window, windows_of


def ring(entries: IntArray | list[int], care: list[bool] | None = None) -> Ring:
    entries = np.array(entries, dtype=np.int64)
    return Ring(entries, np.ones(len(entries), np.bool_) if care is None else np.array(care))


def read(window: Window, bits: int, increment: int) -> Ring:
    """The table of all codes, as the window of the code + an increment reads it."""
    shifted = (np.arange(1 << bits) + increment) % (1 << bits)
    at = (shifted >> window.low) % (1 << window.width)
    table = window.behind(increment)
    return Ring(table.entries[at], table.care[at])


@given(st.integers(0, 1 << 30), st.integers(1, 6), st.booleans())
def test_every_window_reads_the_table(seed: int, bits: int, with_care: bool) -> None:
    rng = np.random.default_rng(seed)
    table = ring(rng.integers(0, 3, 1 << bits))
    table.care[rng.random(1 << bits) < 0.4 * with_care] = False
    for window in windows_of(table):
        further = window.increment + (int(rng.integers(0, 4)) << window.low)
        assert window.takes(further) and (not window.low or not window.takes(further + 1))
        for increment in (window.increment, further):
            found = read(window, bits, increment)
            assert found.care[table.care].all()
            np.testing.assert_array_equal(found.entries[table.care], table.entries[table.care])


@given(st.integers(0, 1 << 30), st.integers(1, 4), st.integers(0, 3), st.integers(0, 2))
def test_a_quantiser_in_front_of_a_table_is_found(
    seed: int, width: int, low: int, high: int
) -> None:
    rng = np.random.default_rng(seed)
    bits, increment = width + low + high, int(rng.integers(0, 1 << low))
    inner = rng.permutation(1 << width)
    codes = (np.arange(1 << bits) + increment) % (1 << bits)
    table = ring(inner[(codes >> low) % (1 << width)])
    narrowest = min(windows_of(table), key=lambda window: window.width)
    assert (narrowest.increment, narrowest.low, narrowest.width) == (increment, low, width)
    np.testing.assert_array_equal(narrowest.table.entries, inner)


def test_codes_that_never_occur_leave_increments_open() -> None:
    # Codes 0 to 9 of 16; the function changes between 2 and 3 and between 6 and 7.
    table = ring([5] * 3 + [1] * 4 + [8] * 3 + [0] * 6, [True] * 10 + [False] * 6)
    assert (1, 2) in {(each.increment, each.low) for each in windows_of(table)}
    # All 16 occur: the change back at 0 does not fit the others.
    whole = ring([5] * 3 + [1] * 4 + [8] * 9)
    assert max(each.low for each in windows_of(whole)) == 0


@pytest.mark.parametrize(
    ("care", "filled"),
    [
        ([True, True, True, True], [4, 5, 6, 7]),
        ([False, True, False, True], [5, 5, 5, 7]),
        ([False, False, False, False], [4, 5, 6, 7]),
    ],
)
def test_entries_that_do_not_matter_are_filled_from_below(
    care: list[bool], filled: list[int]
) -> None:
    assert ring([4, 5, 6, 7], care).filled.tolist() == filled
