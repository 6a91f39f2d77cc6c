"""What other samples will lose: the rule of all budgets, against counts and against lots drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect.ir.constants import FloatArray
from kan_dialect.search.precision.judge import REACH, Evidence, Judge, around, combined

deterministic = settings(derandomize=True, deadline=None, max_examples=40)


@deterministic
@given(
    st.sampled_from([55, 500, 2700]), st.floats(0.001, 0.05), st.floats(0.0, 1.0), st.integers(0, 9)
)
def test_others_lose_no_more_19_times_in_20(
    others: int, changed: float, share: float, seed: int
) -> None:
    """Where as many decisions change, and as many of these are lost, as is thought."""
    shown = Evidence(1_000_000, 0, 0.0, changed * 1_000_000, 0, True)
    most = shown.loss_of(others, share)
    rng = np.random.default_rng(seed)
    chances = [changed * (1 + share) / 2, changed * (1 - share) / 2, 1 - changed]
    lost, won, _ = rng.multinomial(others, chances, size=20_000).T
    broken = float((lost - won > most * others).mean())
    # Whole samples: between two of them nothing can be lost, or a half more than is said.
    assert broken <= 0.05 + float((lost - won == np.ceil(most * others)).mean()) + 0.01
    if changed * others > 20:
        assert 0.01 < broken < 0.09


def test_counts_are_those_of_the_samples() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    labels = (x[:, 0] > 0).astype(np.int64)
    held = rng.permutation(200)[:50]

    def before(x: FloatArray) -> FloatArray:
        return np.stack([-x[:, 0], x[:, 0]], axis=1)

    def after(x: FloatArray) -> FloatArray:
        return np.stack([-x[:, 0], x[:, 0] + 0.3], axis=1)

    judge = Judge(x, labels, before(x), before, held, [3])
    shown = judge.held_out(after(x), after)
    differ = (x[:, 0] <= 0) & (x[:, 0] + 0.3 > -x[:, 0])
    assert (shown.samples, shown.changed) == (50, differ[held].sum())
    assert shown.lost == pytest.approx(differ[held].sum())
    near = judge.near[:, 0]
    assert shown.near == len(near)
    assert shown.near_changed == ((near <= 0) & (2 * near + 0.3 > 0)).sum() > 0
    whole = judge.on_all(after(x))
    assert (whole.samples, whole.near, whole.changed) == (200, 0, differ.sum())
    assert whole.share_lost == 1.0
    # Near samples say about what the samples say.
    assert shown.near_changed / shown.near == pytest.approx(differ.mean(), abs=0.05)
    both = combined([shown, whole])
    assert both.changed == shown.changed + whole.changed and both.near == shown.near
    # The same network loses nothing to speak of.
    assert judge.loss(before(x), before, 100) == whole_of(200).loss_of(100) < 0.015
    losses = shown.lost / 50, whole.lost / 200, shown.loss_of(100), whole.loss_of(100)
    assert judge.loss(after(x), after, 100) == max(losses)


def whole_of(samples: int) -> Evidence:
    """What so many samples show, none of which changes."""
    return Evidence(samples, 0, 0.0, 0.0, 0, True)


def test_numbers_lose_by_their_squares() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(100, 1))
    judge = Judge(x, None, x, lambda some: some, np.arange(25), [0])
    assert not len(judge.near)
    shown = judge.held_out(x + 0.1, lambda some: some + 0.1)
    spread = x[:25].var()
    assert shown.lost / 25 == pytest.approx(0.01 / spread)
    error = np.sqrt((0.01 / spread) ** 2 * (1 / 25 + 1 / 25))
    assert shown.loss_of(25) == pytest.approx(0.01 / spread + 1.645 * error)


@deterministic
@given(st.integers(2, 30), st.integers(1, 4), st.integers(0, 1 << 20))
def test_samples_near_others_lie_between_neighbours(count: int, inputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, inputs))
    found = around(x, 50, rng)
    assert len(found) >= 50 and len(found) % count == 0
    for index, each in enumerate(found):
        own = x[index % count]
        gaps = np.linalg.norm(x - own, axis=1)
        assert np.linalg.norm(each - own) <= REACH * gaps.max() + 1e-12
