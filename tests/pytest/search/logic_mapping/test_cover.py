"""Covers of gates against what their truth tables tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kan_dialect.search.logic_mapping import cover
from kan_dialect.search.logic_mapping.gates import Gate, GateKind, Gates, Literal

INPUTS = 5


def lut_sizes(
    gates: Sequence[Gate], roots: Collection[int], areas: Sequence[float]
) -> Counter[int]:
    """Numbers of LUTs by number of inputs."""
    return Counter(size for size in cover.lut_sizes(gates, roots, areas) if size)


def functions(gates: Gates, leaves: Sequence[Literal]) -> list[int]:
    """Truth tables of all gates over some leaves, by evaluating every pattern."""
    every = (1 << (1 << len(leaves))) - 1
    found: list[int] = []
    places = {bit // 2: place for place, bit in enumerate(leaves)}
    patterns = list(product((0, 1), repeat=len(leaves)))

    def value(bit: Literal) -> int:
        return found[bit // 2] ^ (every if bit & 1 else 0)

    for number, gate in enumerate(gates.gates):
        match gate.kind:
            case GateKind.LEAF:
                column = [pattern[-1 - places[number]] for pattern in patterns] if number else []
                found.append(sum(bit << index for index, bit in enumerate(column)))
            case GateKind.AND:
                found.append(value(gate.inputs[0]) & value(gate.inputs[1]))
            case GateKind.XOR:
                found.append(value(gate.inputs[0]) ^ value(gate.inputs[1]))
            case GateKind.MUX:
                condition, one, zero = map(value, gate.inputs)
                found.append((condition & one) | (~condition & every & zero))
    return found


def support(function: int, inputs: int) -> int:
    """Number of inputs that a function depends on."""
    return sum(
        any(
            (function >> index ^ function >> (index ^ 1 << place)) & 1
            for index in range(1 << inputs)
        )
        for place in range(inputs)
    )


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Gates, list[Literal], list[Literal]]:
    """Random gates over a few leaves, and some of their bits."""
    gates = Gates()
    leaves = [gates.leaf() for _ in range(draw(st.integers(1, INPUTS)))]
    bits = [0, *leaves]
    for _ in range(draw(st.integers(1, 14))):
        chosen = [draw(st.sampled_from(bits)) ^ draw(st.integers(0, 1)) for _ in range(3)]
        make = draw(st.sampled_from(("all", "any", "differ", "chosen")))
        bits.append(
            {
                "all": lambda a, b, _: gates.all_of(a, b),
                "any": lambda a, b, _: gates.any_of(a, b),
                "differ": lambda a, b, c: gates.differ(a, b, c),
                "chosen": gates.chosen,
            }[make](*chosen)
        )
    return gates, leaves, draw(st.lists(st.sampled_from(bits), min_size=1, max_size=4))


@given(graphs())
def test_functions_of_few_inputs_are_a_lut_each(
    graph: tuple[Gates, list[Literal], list[Literal]],
) -> None:
    gates, leaves, bits = graph
    known, every = functions(gates, leaves), (1 << (1 << len(leaves))) - 1
    roots = {bit // 2 for bit in bits}
    wide = [each for each in roots if support(known[each], len(leaves)) > 1]
    different = {min(known[each], known[each] ^ every) for each in wide}
    found = lut_sizes(gates.gates, roots, [1.0] * INPUTS)
    assert len(different) <= found.total() <= len(wide)
    assert all(size <= len(leaves) for size in found)


@given(graphs(), st.integers(3, 4))
def test_narrower_luts_take_no_more_than_a_lut_a_gate(
    graph: tuple[Gates, list[Literal], list[Literal]], inputs: int
) -> None:
    gates, _, bits = graph
    found = lut_sizes(gates.gates, {bit // 2 for bit in bits}, [1.0] * inputs)
    wider = lut_sizes(gates.gates, {bit // 2 for bit in bits}, [1.0] * (inputs + 1))
    made = sum(gate.kind is not GateKind.LEAF for gate in gates.gates)
    assert wider.total() <= found.total() <= made
    assert all(1 < size <= inputs for size in found)


@given(st.integers(0, 6), st.data())
def test_a_table_looked_up_is_the_table(bits: int, data: st.DataObject) -> None:
    table = data.draw(st.integers(0, (1 << (1 << bits)) - 1))
    gates = Gates()
    leaves = [gates.leaf() for _ in range(bits)]
    found = gates.looked_up(table, leaves)
    every = (1 << (1 << bits)) - 1
    assert functions(gates, leaves)[found // 2] ^ (every if found & 1 else 0) == table


@pytest.mark.parametrize(
    ("areas", "sizes"),
    [((1, 1, 1, 1), {4: 2}), ((1, 1, 1, 1, 1, 1, 4), {6: 1, 2: 1}), ((1,) * 7, {7: 1})],
)
def test_areas_choose_between_wide_and_narrow_luts(
    areas: Sequence[float], sizes: dict[int, int]
) -> None:
    """An exclusive or of seven bits: two of four inputs, one of six and one of two, or one."""
    gates = Gates()
    bits = [gates.leaf() for _ in range(7)]
    total = bits[0]
    for bit in bits[1:]:
        total = gates.differ(total, bit)
    assert lut_sizes(gates.gates, {total // 2}, areas) == sizes


def test_a_wire_takes_nothing() -> None:
    gates = [Gate(GateKind.LEAF, ()), Gate(GateKind.LEAF, ())]
    assert not lut_sizes(gates, {0, 1}, [1.0] * 4)
