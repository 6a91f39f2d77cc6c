"""Quotients of sums as variables: exact, gone where their bits come together, and of use to proofs.

The reference is integer arithmetic on samples, with each quotient at what its definition gives.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutated_designs import compiled
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.flows.prove import forms
from kan_dialect.flows.prove.forms import Form, Total, Variable
from kan_dialect.flows.prove.linear_circuit import LinearCircuit
from kan_dialect.flows.prove.quotients import Quotients
from kan_dialect.flows.tools import toolchain
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.quant import UniformQuantizedType

NODES = tuple(Variable(name, 0, -20, 19) for name in "abcde")

needs_yosys = pytest.mark.skipif(
    toolchain.look_for("yosys") is None, reason="Yosys is not installed"
)


def samples(of: Quotients, rng: np.random.Generator) -> dict[Variable, IntArray]:
    """Codes of the nodes, and of quotients what they then are."""
    values = {node: rng.integers(node.low, node.high, 300, endpoint=True) for node in NODES}
    for quotient, is_of in of.defined.items():
        values[quotient] = forms.evaluate(is_of.of, values) >> is_of.exponent
        assert values[quotient].min() >= quotient.low and values[quotient].max() <= quotient.high
    return values


def random_sum(rng: np.random.Generator) -> Total:
    """Of tables of five nodes, some with few values and some with multiples of 2^n."""
    parts: dict[forms.Over, IntArray] = {}
    for node in NODES:
        spread = int(rng.choice([1, 2, 30]))
        values = rng.integers(-spread, spread + 1, node.size) << int(rng.integers(0, 4))
        values -= values[0]
        values[1] = spread
        parts[node,] = values
    return Total(int(rng.integers(-50, 50)), parts)


def below(of: Quotients, form: Form, places: int) -> Form:
    """The lower bits: the form less its upper ones."""
    return forms.subtract(form, forms.scale(of.shifted(form, places), 1 << places))


@given(st.integers(0, 2**32), st.integers(1, 7), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_shifts_and_ranges_are_those_of_numbers(seed: int, first: int, second: int) -> None:
    rng, of = np.random.default_rng(seed), Quotients()
    whole, other = random_sum(rng), random_sum(rng)
    upper = of.shifted(whole, first)
    mixed = forms.add(forms.scale(upper, 1 << int(rng.integers(0, 3))), other)
    again = of.shifted(mixed, second)
    low = int(rng.integers(-8, 8))
    pattern = of.within(mixed, second, low)
    values = samples(of, rng)
    numbers = forms.evaluate(whole, values)
    np.testing.assert_array_equal(forms.evaluate(upper, values), numbers >> first)
    numbers = forms.evaluate(mixed, values)
    np.testing.assert_array_equal(forms.evaluate(again, values), numbers >> second)
    modulo = (numbers - low) % (1 << second) + low
    np.testing.assert_array_equal(forms.evaluate(pattern, values), modulo)
    for form in (mixed, again):
        if isinstance(form, Total):
            least, most = of.bounds(form)
            assert least <= forms.evaluate(form, values).min()
            assert forms.evaluate(form, values).max() <= most


@given(st.integers(0, 2**32), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_bits_that_come_together_are_the_sum(seed: int, places: int) -> None:
    """Of sums that differ by multiples of 2^k, the lower k bits are the same."""
    rng, of = np.random.default_rng(seed), Quotients()
    whole = random_sum(rng)
    more = forms.scale(random_sum(rng), 1 << places)
    other = forms.add(whole, more)
    joined = forms.add(
        forms.scale(of.shifted(other, places), 1 << places), below(of, whole, places)
    )
    apart = forms.subtract(joined, other)
    assert isinstance(apart, forms.Table | Total) and not forms.variables(apart)
    assert forms.bounds(apart) == (0, 0)
    assert not of.are_in(joined)


def test_a_quotient_of_a_quotient_is_one_of_the_sum() -> None:
    of, whole = Quotients(), random_sum(np.random.default_rng(0))
    twice = of.shifted(of.shifted(whole, 2), 3)
    assert forms.bounds(forms.subtract(twice, of.shifted(whole, 5))) == (0, 0)
    assert of.are_in(twice)


def test_a_common_factor_makes_no_other_quotient() -> None:
    of, whole = Quotients(), random_sum(np.random.default_rng(1))
    times = of.shifted(forms.add(forms.scale(whole, 8), forms.constant(5)), 6)
    assert forms.bounds(forms.subtract(times, of.shifted(whole, 3))) == (0, 0)


def test_a_quotient_of_upper_bits_is_a_table() -> None:
    """However many values have them: they are not listed one by one."""
    of, upper = Quotients(), (np.arange(1 << 12) >> 11).astype(np.int64)
    one, other = (Variable(name, 0, -(1 << 11), (1 << 11) - 1) for name in "ab")
    whole = Total(4, {(one,): 2 * upper, (other,): -3 * upper})
    found = of.shifted(whole, 2)
    assert not of.defined
    values = {node: np.array([node.low, -1, 0, node.high]) for node in (one, other)}
    values = dict(zip(values, np.meshgrid(*values.values()), strict=True))
    values = {node: codes.ravel() for node, codes in values.items()}
    expected = forms.evaluate(whole, values) >> 2
    np.testing.assert_array_equal(forms.evaluate(found, values), expected)


def test_the_range_of_lower_bits_is_known() -> None:
    """By their definition: nothing else bounds a difference of a sum and its quotient."""
    of, whole = Quotients(), random_sum(np.random.default_rng(2))
    lower = below(of, whole, 4)
    assert isinstance(lower, Total) and of.are_in(lower)
    assert of.bounds(lower) == (0, 15)
    assert of.tamed(lower, 4, [0]) is lower
    assert of.tamed(lower, 3, [0]) is None


def steps(seed: int, inputs: int, bits: int, spread: int) -> ModuleOp:
    """Two nodes that read steps of codes."""
    rng = np.random.default_rng(seed)
    at = rng.integers(1, 1 << bits, inputs)
    is_above = np.arange(1 << bits) >= at[:, None]
    jumps = rng.integers(-spread, spread + 1, (2, inputs, 1))
    jumps[rng.random(jumps.shape) < 0.4] = 0
    network = TableNetwork("net", UniformQuantizedType(bits, True, 1.0), inputs)
    return network.add_layer(jumps * is_above).module()


NETWORKS = {
    "lower bits in another sum": (100, 40, 8, 20),
    "a common factor": (4, 24, 8, 60),
    "a quotient of a quotient": (103, 40, 6, 60),
    "a quotient beside a sum": (109, 24, 8, 60),
    "a quotient that does not depend on all variables": (242, 60, 8, 200),
    "a variable for a quotient of sums": (301, 60, 8, 200),
    "another variable for a quotient": (310, 60, 8, 200),
    "tables of thresholds of many inputs": (5, 60, 8, 20),
}
"""Seed, inputs, bits and spread of networks."""

UNDECIDED = ("a variable for a quotient of sums", "another variable for a quotient")
"""Those that `Circuit` alone does not decide."""


@needs_yosys
@pytest.mark.parametrize("name", NETWORKS)
def test_sums_of_steps_are_decided(name: str, tmp_path: Path) -> None:
    assert compiled(steps(*NETWORKS[name])).proof(tmp_path).proven


@needs_yosys
@pytest.mark.parametrize("name", UNDECIDED)
def test_some_sums_of_steps_need_variables_for_quotients(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Quotients, "are_in", lambda *_: True)
    assert not compiled(steps(*NETWORKS[name])).proof(tmp_path).proven


def waves(seed: int, inputs: int, bits: int, height: float) -> ModuleOp:
    """A node of smooth tables that is clamped to the bits of an input."""
    rng, half = np.random.default_rng(seed), 1 << (bits - 1)
    size = (1, inputs, 1)
    x = np.linspace(-1.0, 1.0, 2 * half)
    tables = sum(
        rng.normal(size=size) * np.sin(2 * k * x + rng.uniform(0, 6, size)) / k for k in (1, 2, 3)
    )
    tables = np.rint(height * tables / np.abs(tables).max(axis=2, keepdims=True)).astype(np.int64)
    network = TableNetwork("net", UniformQuantizedType(bits, True, 1.0), inputs)
    return network.add_layer(tables, scale=1.0, saturate=(-half, half - 1)).module()


@needs_yosys
def test_a_clamp_of_a_sum_in_pieces_is_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pieces need quotients, which are gone in the sum; the clamp lists the sum's values."""
    design = compiled(waves(1, 8, 7, 25.0), target="ecp5", cycles=2)
    assert design.proof(tmp_path).proven
    monkeypatch.setattr(LinearCircuit, "without_quotients", lambda *_: None)
    assert not design.proof(tmp_path).proven


@needs_yosys
@pytest.mark.parametrize("name", ["lower bits in another sum", "a quotient beside a sum"])
def test_tables_of_thresholds_need_classes_of_values(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "_apply_to_classes", lambda *_: None)
    assert not compiled(steps(*NETWORKS[name])).proof(tmp_path).proven


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_functions_of_steps_are_what_their_values_say(seed: int) -> None:
    """Sums of steps of eight inputs have too many points to list; classes of values do not."""
    rng = np.random.default_rng(seed)
    inputs = [Variable(f"x{index}", 0, -128, 127) for index in range(8)]

    def of_steps(width: int) -> Form:
        chosen = [inputs[index] for index in rng.permutation(8)[:width]]
        jumps = [np.arange(256) >= rng.integers(1, 256) for _ in chosen]
        sizes = rng.integers(1, 9, width)
        parts = {(x,): jump * size for x, jump, size in zip(chosen, jumps, sizes, strict=True)}
        return Total(int(rng.integers(-5, 5)), parts)

    one, other = of_steps(5), of_steps(6)
    shared = forms.mapped(lambda v: v * v % 13, one)
    values = {x: rng.integers(-128, 128, 300) for x in inputs}
    at = [forms.evaluate(form, values) for form in (shared, other)]
    found = forms.combined(lambda a, b: a * (b & 3), shared, other)
    np.testing.assert_array_equal(forms.evaluate(found, values), at[0] * (at[1] & 3))
    # A sum of a table of steps with the steps' own sums is a total.
    moved = forms.add(forms.mapped(lambda v: 3 * v, one), other)
    assert isinstance(moved, Total)
    np.testing.assert_array_equal(
        forms.evaluate(moved, values), 3 * forms.evaluate(one, values) + at[1]
    )


@needs_yosys
@pytest.mark.ci
@pytest.mark.skipif(toolchain.find_simulator("icarus") is None, reason="Icarus is not installed")
def test_no_mutant_is_proven_that_a_simulator_tells_apart(tmp_path: Path) -> None:
    """A bit of an operand is another: a variable for a quotient must not hide it."""
    rng = np.random.default_rng(0)
    outcomes: list[bool] = []
    for network in NETWORKS.values():
        design = compiled(steps(*network))
        text = design.text
        bits = [match.start(1) for match in re.finditer(r"_by\d+\[(\d)", text)]
        bits += [match.start(1) for match in re.finditer(r"= ~?\w+\[(\d)\]", text)]
        places = rng.permutation(bits)[:12].tolist()
        others = (max(0, int(text[at]) - 1) or 1 for at in places)
        texts = (f"{text[:at]}{to}{text[at + 1 :]}" for at, to in zip(places, others, strict=True))
        outcomes.extend(design.mutants_proven(texts, tmp_path, 0))
    assert outcomes.count(False) > 5
