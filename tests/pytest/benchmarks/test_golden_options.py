"""Every option of `kan-compile` gives KANELÉ's published integers: a sample of `make golden`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import options
from golden.check import MODELS, SMALL, Published, designs, load
from golden.options import (
    APART,
    Value,
    all_combinations,
    covering,
    missing_values,
    stages_of,
)
from kan_dialect.passes.narrow import NarrowPass

SIMULATED = 2
"""Designs of a small model that Verilator simulates; of a larger one, the first."""


def test_every_option_has_values() -> None:
    assert not missing_values(), "tests/golden/options.py must say what these are tried with"


def test_an_option_without_values_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: values for name, values in options.VALUES.items() if name != "parts"}
    monkeypatch.setattr(options, "VALUES", {**few, "levels": (1, 2), "colour": ("red",)})
    assert missing_values() == {"parts", "levels", "colour"}


def test_options_reach_the_passes() -> None:
    """Each value but one of every option makes another pipeline."""
    for name, values in options.VALUES.items():
        assert len({stages_of({name: value}) for value in values}) == len(values), name
    assert NarrowPass() in stages_of({})
    assert len({stages_of(each) for each in ({}, *APART)}) == 1 + len(APART)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(1, 3))
def test_a_covering_array_covers(sizes: list[int], strength: int) -> None:
    values: Mapping[str, Sequence[Value]] = {
        f"option{index}": tuple(range(size)) for index, size in enumerate(sizes)
    }
    found = covering(values, strength)
    strength = min(strength, len(sizes))
    for names in combinations(values, strength):
        wanted = set(product(*(values[name] for name in names)))
        assert {tuple(each[name] for name in names) for each in found} == wanted
    assert len(found) <= len(all_combinations(values))


@pytest.mark.ci
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.ci] * (name not in SMALL)) for name in MODELS]
)
def test_golden_outputs_with_other_options(name: str, shared_data: Path) -> None:
    """All designs evaluated as hardware, some simulated. Larger models have three designs."""
    model = load(name, shared_data)
    wanted = [*covering(strength=2), *APART] if name in SMALL else [{}, *covering(strength=1)[:2]]
    found = list(designs(model, wanted))
    assert len(found) >= 2
    step = max(1, len(found) // SIMULATED) if name in SMALL else len(found)
    for index, design in enumerate(found):
        assert design.difference(model, simulated=index % step == 0) is None, design.options


def test_other_integers_are_noticed(shared_data: Path) -> None:
    model = load("moons", shared_data)
    outputs = model.outputs.copy()
    outputs[17] += 1
    other = Published(model.name, model.module, model.codes, outputs)
    (design,) = designs(other, [{}])
    found = design.difference(other)
    assert found is not None and "1 of 4000 vectors differ; first vector 17" in found
    # The same where evaluated hardware and simulation do not agree.
    (design,) = designs(model, [{}])
    inverted = dataclasses.replace(design, rtl=design.rtl.replace("assign y0 = ", "assign y0 = ~"))
    found = inverted.difference(model)
    assert found is not None and "vectors differ" in found
