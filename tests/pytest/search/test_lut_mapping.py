"""Functions mapped to networks of LUTs: what the networks compute, their levels and LUTs."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect.search.lut_mapping.mapping import map_functions
from kan_dialect.search.lut_mapping.network import LutNetwork
from kan_dialect.search.lut_mapping.start import start_network


def results(network: LutNetwork, pattern: int) -> list[int]:
    """The outputs for one input pattern, LUT by LUT."""
    values = [pattern >> place & 1 for place in range(network.inputs)]
    for lut in network.luts:
        index = sum(values[each] << place for place, each in enumerate(lut.inputs))
        values.append(lut.table >> index & 1)
    return [values[each] for each in network.outputs]


def computes(network: LutNetwork, functions: list[int]) -> bool:
    return all(
        results(network, pattern) == [function >> pattern & 1 for function in functions]
        for pattern in range(1 << network.inputs)
    )


def is_well_formed(network: LutNetwork, lut_inputs: int) -> bool:
    """Operands come first and ascend, sizes are right, and inverters are read by nothing."""
    inverters: set[int] = set()
    for number, lut in enumerate(network.luts, network.inputs):
        if not 1 <= len(lut.inputs) <= lut_inputs or lut.inputs[-1] >= number:
            return False
        if sorted(set(lut.inputs)) != list(lut.inputs) or not inverters.isdisjoint(lut.inputs):
            return False
        if not 0 <= lut.table < 1 << (1 << len(lut.inputs)):
            return False
        if len(lut.inputs) == 1:
            if lut.table != 0b01 or number not in network.outputs:
                return False
            inverters.add(number)
    return True


@st.composite
def problems(draw: st.DrawFn, most_inputs: int = 8) -> tuple[list[int], int]:
    """Functions and the number of inputs: noise, curves, inputs, copies and complements."""
    inputs = draw(st.integers(1, most_inputs))
    size = 1 << inputs
    every = (1 << size) - 1
    rng = random.Random(draw(st.integers(0, 1 << 32)))
    functions: list[int] = []
    for kind in draw(st.lists(st.sampled_from("nscixdv"), min_size=1, max_size=6)):
        scale = rng.uniform(0.1, 2)
        new = {
            "n": lambda: rng.getrandbits(size),
            "s": lambda scale=scale: as_plane([int(x * x * scale) >> 2 for x in range(size)]),
            "c": lambda scale=scale: as_plane([int(x * scale) for x in range(size)]),
            "i": lambda: as_plane([x >> rng.randrange(inputs) for x in range(size)]),
            "x": lambda: as_plane([x.bit_count() for x in range(size)]),
            "d": lambda: rng.choice(functions or [0b10]),
            "v": lambda: every ^ rng.choice(functions or [0b10]),
        }[kind]()
        if new not in (0, every):
            functions.append(new)
    return functions, inputs


def as_plane(values: list[int]) -> int:
    return sum((value & 1) << place for place, value in enumerate(values))


@settings(max_examples=80, deadline=None)
@given(problems(), st.integers(3, 6), st.sampled_from([None, 1, 2, 3, 4]), st.integers(0, 6))
def test_networks_compute_their_functions(
    problem: tuple[list[int], int],
    lut_inputs: int,
    most_levels: int | None,
    rounds: int,
) -> None:
    functions, inputs = problem
    network = map_functions(functions, inputs, lut_inputs, most_levels, rounds)
    assert is_well_formed(network, lut_inputs)
    assert computes(network, functions)
    start = start_network(functions, inputs, lut_inputs, wide=False)
    if most_levels is None:
        assert network.lut_count <= start.lut_count
    elif network.levels > most_levels:
        # LUTs of six inputs choose by two variables, others by one.
        step = 2 if lut_inputs == 6 else 1
        assert network.levels <= 1 + -(-max(inputs - lut_inputs, 0) // step)


VARIABLES = [as_plane([x >> place for x in range(16)]) for place in range(4)]


def function_of(table: int, inputs: Iterable[int]) -> int:
    """The plane of a LUT of three inputs, pattern by pattern of four variables."""
    planes = list(inputs)
    patterns = (sum((plane >> x & 1) << k for k, plane in enumerate(planes)) for x in range(16))
    return as_plane([table >> pattern for pattern in patterns])


def depends_only_on(function: int, planes: Iterable[int]) -> bool:
    cells: dict[tuple[int, ...], set[int]] = {}
    planes = list(planes)
    for x in range(16):
        cells.setdefault(tuple(plane >> x & 1 for plane in planes), set()).add(function >> x & 1)
    return all(len(values) == 1 for values in cells.values())


def fewest_luts(function: int) -> int:
    """LUTs of three inputs for a function of four bits; 3 for 3 or more. Tries all pairs."""
    threes = list(combinations(VARIABLES, 3))
    if function in VARIABLES:
        return 0
    if any(depends_only_on(function, three) for three in threes):
        return 1
    below = {function_of(table, three) for three in threes for table in range(1, 128)}
    found = any(
        depends_only_on(function, (lower, *two))
        for lower in below
        for two in combinations(VARIABLES, 2)
    )
    return 2 if found else 3


@pytest.mark.parametrize("seed", range(12))
def test_functions_of_four_bits_take_the_fewest_luts_of_three_inputs(seed: int) -> None:
    """A choice by one bit takes three, where a search through all pairs may find two."""
    rng = random.Random(seed)
    lower = function_of(rng.randrange(1, 255), rng.sample(VARIABLES, 3))
    function = function_of(rng.randrange(1, 255), [lower, *rng.sample(VARIABLES, 2)])
    if seed % 3 == 0:
        function = rng.randrange(1, 0xFFFF)
    if function not in (0, 0xFFFF):
        network = map_functions([function], 4, 3)
        assert computes(network, [function])
        assert network.lut_count == fewest_luts(function)


def curve(inputs: int, bits: int) -> list[int]:
    """The bits of a square, which share much."""
    size = 1 << inputs
    values = [(x * x * ((1 << bits) - 1)) // ((size - 1) ** 2) for x in range(size)]
    return [as_plane([value >> place for value in values]) for place in range(bits)]


def test_functions_that_inputs_or_others_are_take_no_luts() -> None:
    both, first, every = 0b1000, 0b1010, 0b1111
    network = map_functions([first, both, first ^ every, both, both ^ every], 2, 4)
    assert network.lut_count == 1 and network.levels == 1
    assert computes(network, [first, both, first ^ every, both, both ^ every])
    assert network.outputs[0] == 0 and network.outputs[1] == network.outputs[3]


@pytest.mark.parametrize("lut_inputs, levels", [(3, 6), (4, 5), (6, 2)])
def test_levels_are_limited(lut_inputs: int, levels: int) -> None:
    functions = curve(8, 8)
    network = map_functions(functions, 8, lut_inputs, most_levels=levels, rounds=30)
    assert network.levels <= levels
    assert computes(network, functions)


@pytest.mark.parametrize(
    "functions, inputs, lut_inputs",
    [
        ([0], 2, 4),
        ([0b10, 0b1111], 2, 4),
        ([0b10000], 2, 4),
        ([0b10], 11, 4),
        ([0b10], 2, 2),
        ([0b10], 2, 7),
    ],
)
def test_functions_that_cannot_be_mapped_are_refused(
    functions: list[int], inputs: int, lut_inputs: int
) -> None:
    with pytest.raises(ValueError, match="expected"):
        map_functions(functions, inputs, lut_inputs)
