"""`kan-flow prove` decides what `kan-compile` makes, also of nodes that depend on each other."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutated_designs import Design, compiled

from fuzz.related import RelatedDrawing
from kan_dialect.errors import KanError
from kan_dialect.flows.prove import forms
from kan_dialect.flows.prove.forms import Image, Table, Variable
from kan_dialect.flows.prove.plans import marks_of
from kan_dialect.flows.prove.prove import Proof
from kan_dialect.flows.tools import toolchain
from kan_dialect.frontends.loading import make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model

needs_yosys = pytest.mark.skipif(
    toolchain.look_for("yosys") is None, reason="Yosys is not installed"
)

UNDECIDED = {
    "four inputs at once": 22,
    "constant and shared wires": 11,
    "common inputs": 46,
    "lookups between sums": 50,
}
"""Seeds of networks that were not decided while a mechanism was missing."""


def design_of(seed: int, **options: bool) -> Design | None:
    """A seed's network in hardware; None where the compiler refuses it."""
    module = RelatedDrawing(np.random.default_rng([77, seed])).network("net").module()
    try:
        return compiled(module, **options)
    except KanError:
        return None


def proof_of(seed: int, folder: Path, **options: bool) -> Proof | None:
    """The proof of a seed's network; None where the compiler refuses it."""
    design = design_of(seed, **options)
    return None if design is None else design.proof(folder)


@needs_yosys
@pytest.mark.parametrize("seed", UNDECIDED.values(), ids=UNDECIDED.keys())
def test_nodes_that_depend_on_each_other_are_decided(seed: int, tmp_path: Path) -> None:
    proof = proof_of(seed, tmp_path)
    assert proof is not None
    assert proof.proven, [o for o in proof.outcomes if not o.proven]


@needs_yosys
@pytest.mark.ci
def test_more_networks_are_decided(tmp_path: Path) -> None:
    """With the default options, and others on every third."""
    others: list[dict[str, bool]] = [{}, {}, {"combinational": True}, {}, {}, {"fast": True}]
    undecided: list[int] = []
    for seed in range(1000, 1024):
        proof = proof_of(seed, tmp_path, **others[seed % 6])
        if proof is not None and not proof.proven:
            undecided.append(seed)
    assert not undecided


@needs_yosys
@pytest.mark.ci
@pytest.mark.skipif(toolchain.find_simulator("icarus") is None, reason="Icarus is not installed")
def test_no_mutant_is_proven_that_a_simulator_tells_apart(tmp_path: Path) -> None:
    """One digit of a number is another: fewer free nodes must not hide it."""
    rng = np.random.default_rng(0)
    outcomes: list[bool] = []
    for seed in (*UNDECIDED.values(), *range(2000, 2006)):
        design = design_of(seed)
        if design is None:
            continue
        text = design.text
        digits = [match.start() for match in re.finditer(r"(?<=[0-9A-F])[0-9A-F];", text)]
        places = rng.permutation(digits)[:3].tolist()
        others = (rng.choice([digit for digit in "01" if digit != text[at]]) for at in places)
        texts = (f"{text[:at]}{to}{text[at + 1 :]}" for at, to in zip(places, others, strict=True))
        outcomes.extend(design.mutants_proven(texts, tmp_path, seed))
    assert any(outcomes) and outcomes.count(False) > len(outcomes) / 2


def test_every_node_that_is_no_constant_has_a_signal() -> None:
    """A zero point is added after a shift, and no clamp follows: that sum has a name too."""
    module = RelatedDrawing(np.random.default_rng([77, 22])).network("net").module()
    for stage in CompilePass().expand():
        stage.apply(make_context(), module)
    marks = [mark for mark in marks_of(Model.of(module)).values() if not mark.is_dead]
    assert all(mark.signal or mark.values.size == 1 for mark in marks)


A, B, C = (Variable(name, 0, -2, 3) for name in "abc")


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_substitution_is_what_its_values_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = forms.add(
        Table((A,), rng.integers(-5, 5, 6)),
        Table(tuple(sorted((B, C))), rng.integers(-5, 5, (6, 6))),
    )
    outer = [first, forms.mapped(lambda v: np.clip(v, -3, 4), first), forms.variable(B)]
    form = outer[rng.choice(3)]
    inner = forms.mapped(lambda v: v % 6 - 2, Table((C,), rng.integers(-9, 9, 6)))
    found = forms.substituted(form, {B: inner})
    over = (A, B, C)
    codes = np.meshgrid(*[np.arange(-2, 4)] * 3, indexing="ij")
    values = dict(zip(over, codes, strict=True))
    values[B] = forms.evaluate(inner, values)
    expected = np.broadcast_to(forms.evaluate(form, values), codes[0].shape)
    assert B not in forms.variables(found)
    np.testing.assert_array_equal(forms.listed(found, over), expected)


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_values_are_those_that_come(seed: int) -> None:
    rng = np.random.default_rng(seed)
    total = forms.add(Table((A,), rng.integers(-9, 9, 6)), Table((B,), 4 * rng.integers(-9, 9, 6)))
    for form in (total, forms.mapped(lambda v: v >> 1, total), Table((A,), np.arange(6) % 3)):
        expected = np.unique(forms.listed(form, (A, B)))
        np.testing.assert_array_equal(forms.values_of(form), expected)
    assert isinstance(forms.mapped(lambda v: v >> 1, total), Image)
