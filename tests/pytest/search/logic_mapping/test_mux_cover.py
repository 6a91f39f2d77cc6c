"""Multiplexers of four signals against all ways to choose them."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from kan_dialect.search.logic_mapping.gates import ONE, ZERO, Gates, Literal
from kan_dialect.search.logic_mapping.mux_cover import four_way_choices

Tree: TypeAlias = "tuple[int, Tree, Tree] | None"
"""A signal, or a choice between two trees, with the number of its condition."""

TREES = st.recursive(
    st.none(), lambda below: st.tuples(st.integers(0, 1), below, below), max_leaves=12
)


def build(gates: Gates, conditions: list[Literal], tree: Tree) -> Literal:
    if tree is None:
        return gates.leaf()
    which, one, zero = tree
    bits = (build(gates, conditions, each) for each in (one, zero))
    return gates.chosen(conditions[which], *bits)


def joinable(tree: Tree, path: str = "") -> list[frozenset[str]]:
    """The places of all three choices that make one of four signals."""
    if tree is None:
        return []
    _, one, zero = tree
    found = [*joinable(one, path + "1"), *joinable(zero, path + "0")]
    if one is not None and zero is not None and one[0] == zero[0]:
        found.append(frozenset((path, path + "1", path + "0")))
    return found


def most(tree: Tree) -> int:
    """Most multiplexers of four signals that share no choice."""
    every = joinable(tree)
    return max(
        count
        for count in range(len(every) + 1)
        if any(
            len(frozenset[str]().union(*some)) == 3 * count for some in combinations(every, count)
        )
    )


def readers(gates: Gates, *roots: Literal) -> Counter[int]:
    found = Counter(bit // 2 for bit in roots)
    found.update(bit // 2 for gate in gates.gates for bit in gate.inputs)
    return found


@given(TREES)
def test_of_a_tree_as_many_as_possible_are_made(tree: Tree) -> None:
    gates = Gates()
    conditions = [gates.leaf(), gates.leaf()]
    root = build(gates, conditions, tree)
    found = four_way_choices(gates, readers(gates, root))
    assert len(found) == most(tree)
    inputs = [bit for bits in found.values() for bit in bits[2:]]
    assert len(inputs) == len(set(inputs)) == 4 * len(found)


def test_a_choice_that_others_read_stays() -> None:
    gates = Gates()
    upper, lower, *leaves = (gates.leaf() for _ in range(6))
    one = gates.chosen(lower, *leaves[:2])
    root = gates.chosen(upper, one, gates.chosen(lower, *leaves[2:]))
    assert four_way_choices(gates, readers(gates, root)) == {root // 2: [upper, lower, *leaves]}
    assert not four_way_choices(gates, readers(gates, root, one))


def test_choices_of_constants_are_joined_too() -> None:
    """Yosys simplifies them behind this."""
    gates = Gates()
    upper, lower, one, zero = (gates.leaf() for _ in range(4))
    parts = gates.chosen(lower, one, ONE), gates.chosen(lower, ZERO, zero)
    root = gates.chosen(upper, *parts)
    found = four_way_choices(gates, readers(gates, root))
    assert found == {root // 2: [upper, lower, one, ONE, ZERO, zero]}
