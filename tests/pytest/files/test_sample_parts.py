"""Parts of samples: as numbers of a permutation say, and copies of a sample in one part."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset
from kan_dialect.files.sample_parts import dealt_parts, held_parts, repeated_samples
from kan_dialect.flows.sweep.study import split

deterministic = settings(derandomize=True, deadline=None, max_examples=60)


@deterministic
@given(st.integers(2, 60), st.integers(1, 20), st.integers(0, 5))
def test_without_copies_parts_are_slices_of_a_permutation(count: int, held: int, seed: int) -> None:
    x = np.arange(2.0 * count).reshape(count, 2)
    order = np.random.default_rng(seed).permutation(count)
    parts = held_parts(x, held, seed)
    expected = [order[start : start + held] for start in range(0, count, held)]
    assert [part.tolist() for part in parts] == [part.tolist() for part in expected]
    classes = np.arange(count) % 3
    by_class = order[np.argsort(classes[order], kind="stable")]
    group = np.empty(count, dtype=np.int64)
    group[by_class] = np.arange(count) % 2
    assert np.array_equal(dealt_parts(x, 2, seed, classes), group)


@deterministic
@given(st.integers(4, 30), st.integers(2, 6), st.integers(0, 5))
def test_copies_are_in_one_part(rows: int, times: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = rng.normal(size=(rows, 3))
    one[0, 0] = 0.0
    x = np.tile(one, (times, 1))
    x[-rows, 0] = -0.0
    place = rng.permutation(len(x))
    x, row = x[place], (np.arange(len(x)) % rows)[place]
    assert repeated_samples(x) == rows * (times - 1)
    parts = held_parts(x, len(x) // 4, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(x)))
    assert len(parts) >= 2
    dealt = dealt_parts(x, 3, seed, rng.integers(0, 2, len(x)))
    for found in ([set(row[part]) for part in parts], [set(row[dealt == n]) for n in range(3)]):
        assert all(found) and sum(map(len, found)) == rows  # each row in one of them
    assert abs(len(parts[0]) - len(x) // 4) < times


def test_a_sweep_holds_out_all_copies_and_tells_it(caplog: pytest.LogCaptureFixture) -> None:
    x = np.tile(np.random.default_rng(3).normal(size=(61, 4)), (6, 1))
    dataset = Dataset(x, np.arange(len(x)) % 2)
    with caplog.at_level(logging.WARNING):
        for seed in range(3):
            calibration, held = split(dataset, 0.25, seed)
            assert not {row.tobytes() for row in calibration.x} & {row.tobytes() for row in held.x}
    assert caplog.messages == [
        "305 of 366 samples repeat the inputs of others; copies stay on one side of a split"
    ]


def test_samples_that_are_all_the_same() -> None:
    x = np.ones((8, 2))
    assert [len(part) for part in held_parts(x, 2, 0)] == [8]
    with pytest.raises(KanError, match="their inputs are the same; give samples that differ"):
        split(Dataset(x), 0.25, 0)
    with pytest.raises(KanError, match="8 samples have 1 different inputs, too few for 4 parts"):
        dealt_parts(x, 4, 0, None)
