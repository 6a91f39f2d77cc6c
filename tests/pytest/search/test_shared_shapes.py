"""The shapes of a layer's tables."""

from __future__ import annotations

import numpy as np
import pytest
from folded_networks import random_shapes
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect.ir.constants import IntArray
from kan_dialect.search import shared_shapes as sharing
from kan_dialect.search.shared_shapes import SharedShapes, shared_shapes


def tables_of(found: SharedShapes) -> IntArray:
    inputs = range(found.choices.shape[1])
    shapes = [found.shapes[place if len(found.shapes) > 1 else 0] for place in inputs]
    chosen = np.stack([shapes[place][found.choices[:, place]] for place in inputs], axis=1)
    return found.offsets[..., np.newaxis] + found.factors[..., np.newaxis] * chosen


def are_alike(one: IntArray, other: IntArray) -> bool:
    """Whether two tables are equal up to a constant, a sign and a power of two."""
    one, other = one - one[0], other - other[0]
    factors = [sign << power for power in range(8) for sign in (1, -1)]
    return any((one * f == other).all() or (other * f == one).all() for f in factors)


@given(st.integers(0, 1 << 30), st.sampled_from([1, 2, 16]))
@settings(max_examples=100, deadline=None)
def test_tables_are_their_shapes(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    nodes, inputs, codes = rng.integers(1, 6, 3).tolist()
    tables = random_shapes(rng, nodes, inputs, codes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing, "MOST_SHAPES", most)
        found = shared_shapes(tables)
    np.testing.assert_array_equal(tables_of(found), tables)
    sizes = np.abs(found.factors)
    assert not (sizes & (sizes - 1)).any()
    assert not found.shapes.min(axis=2).any()


def test_a_shape_is_up_to_sign_power_of_two_and_constant() -> None:
    shape = np.array([0, 3, -1, 4])
    found = shared_shapes(np.stack([shape, 5 - 4 * shape, 8 * shape - 1, 0 * shape + 7])[None])
    np.testing.assert_array_equal(found.factors, [[1, -4, 8, 0]])
    np.testing.assert_array_equal(found.shapes, [[[1, 4, 0, 5]]])
    np.testing.assert_array_equal(found.offsets, [[-1, 9, -9, 7]])


def test_a_factor_that_is_no_power_of_two_is_a_shape_of_its_own() -> None:
    shape = np.array([0, 3, -1, 4])
    assert shared_shapes(np.stack([shape, 3 * shape])[None]).shapes.shape[1] == 2


def test_many_shapes_are_those_of_each_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "MOST_SHAPES", 2)
    shapes = np.array([[[0, 1, 2], [0, 1, 4]], [[0, 1, 2], [0, 2, 7]], [[0, 0, 1], [0, 0, 1]]])
    found = shared_shapes(np.concatenate([shapes, shapes]).transpose(1, 0, 2)[:, :3])
    assert (found.shapes.shape, found.choices.shape) == ((3, 2, 3), (2, 3))
    assert found.choices[:, 2].tolist() == [0, 0]


@given(st.integers(0, 1 << 30))
@settings(max_examples=30, deadline=None)
def test_shapes_are_as_few_as_pairs_say(seed: int) -> None:
    """Edges of a layer have the same shape exactly where they are alike."""
    rng = np.random.default_rng(seed)
    tables = random_shapes(rng, 3, 2, 4)
    found = shared_shapes(tables)
    used = [edge for edge in np.ndindex(3, 2) if found.factors[edge]]
    for one in used:
        for other in used:
            is_same = found.choices[one] == found.choices[other]
            assert is_same == are_alike(tables[one], tables[other])
