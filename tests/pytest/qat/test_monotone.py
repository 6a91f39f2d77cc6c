"""Results that rise or fall with features by construction."""

from __future__ import annotations

import tomllib
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kan_dialect as kan
from kan_dialect.devices.device import XCUP
from kan_dialect.errors import KanError

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")
torch.set_num_threads(1)

from kan_dialect.qat.bases import line_basis, spline_basis, table_basis
from kan_dialect.qat.cost import EdgeCost
from kan_dialect.qat.monotone import directed, directions_of, property_text
from kan_dialect.qat.network import make_network

BASES = {"line": line_basis, "table": table_basis, "spline": lambda bits: spline_basis(bits, 3)}
RANDOM = np.random.default_rng(3)
X = RANDOM.uniform(-1.0, 1.0, (300, 3))
LABELS = (np.sin(6.0 * X[:, 0]) + X[:, 1] - X[:, 2] > 0.0).astype(np.int64)
BRIEF: dict[str, Any] = {"steps": 100, "folds": 1, "input_bits": 3, "hidden_bits": 3}


@given(st.lists(st.floats(-9.0, 9.0), min_size=1, max_size=12))
def test_values_get_into_order_and_those_in_order_stay(values: list[float]) -> None:
    given = torch.tensor([values, values, sorted(values)], dtype=torch.float64)
    rising, falling, stays = directed(given, torch.tensor([1.0, -1.0, 1.0])).numpy()
    assert (np.diff(rising) >= 0.0).all()
    assert (np.diff(falling) <= 0.0).all()
    assert (stays == sorted(values)).all()
    assert (directed(given, torch.zeros(3)) == given).all()


@given(
    functions=st.sampled_from(sorted(BASES)),
    hidden=st.lists(st.integers(1, 3), max_size=2),
    decides=st.booleans(),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=30, deadline=None)
def test_integers_are_in_order_for_all_codes(
    functions: str, hidden: list[int], decides: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    directions = random.integers(-1, 2, 3).astype(np.float64)
    network = make_network(
        [BASES[functions](3) for _ in (0, *hidden)],
        [3, *hidden, 1],
        EdgeCost(XCUP),
        seed=seed,
        reference=False,
        decides=decides,
        directions=directions,
    )
    with torch.no_grad():
        for layer in network.edge_layers():
            size = layer.coefficients.shape
            layer.coefficients.copy_(torch.from_numpy(random.normal(size=size)))
            layer.read.copy_(torch.from_numpy(random.uniform(0.0, 3.0, layer.read.shape)))
        codes = torch.tensor(list(product(range(8), repeat=3)))
        results = network(codes).results.numpy().reshape(8, 8, 8)
    for axis, direction in enumerate(directions):
        assert (direction * np.diff(results, axis=axis) >= 0.0).all()


@pytest.mark.parametrize("decides", [False, True])
def test_a_trained_network_is_proven(decides: bool, tmp_path: Path) -> None:
    asked = ["x0=-", "x1=+"]
    given = {"x": X, "y": LABELS}
    kan.train(given, folder=tmp_path / "t", hidden=(2,), monotone=asked, decides=decides, **BRIEF)
    built = kan.load(tmp_path / "t" / "network.mlir").build(tmp_path / "built")
    verdicts = built.prove_properties(tmp_path / "t" / "monotone.toml")
    assert [verdict.wanted.claim for verdict in verdicts] == [
        "y0 falls with x0",
        "y0 rises with x1",
    ]
    assert all(verdict.proven for verdict in verdicts)


def test_without_it_the_direction_is_not_kept(tmp_path: Path) -> None:
    kan.train({"x": X, "y": LABELS}, folder=tmp_path / "t", hidden=(2,), **BRIEF)
    built = kan.load(tmp_path / "t" / "network.mlir").build(tmp_path / "built")
    (verdict,) = built.prove_properties({"falls": {"monotone": "y0 falls with x0"}})
    assert verdict.status == "refuted"


def test_names_are_quoted_in_the_file() -> None:
    claim = 'y0 falls with flow, "Ä"'
    assert tomllib.loads(property_text(['flow, "Ä"=-'], ["y0"])) == {claim: {"monotone": claim}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"monotone": ["x7=+"]}, "there is no feature 'x7'"),
        ({"monotone": ["x0=+", "x0=-"]}, "--monotone names 'x0' twice"),
        ({"monotone": ["x0"]}, "--monotone x0 says no direction"),
        ({"monotone": ["x0=*"]}, r"--monotone x0=\* says no direction"),
        ({"monotone": ["x0=+"], "shapes": 2}, "--shapes is given with --monotone"),
        (
            {"monotone": ["x0=+"], "table_inputs": 2, "hidden": (2,)},
            "--table-inputs is given with --monotone",
        ),
    ],
)
def test_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(KanError, match=message):
        kan.train({"x": X, "y": LABELS}, **given, **BRIEF)


def test_more_than_two_classes_are_refused() -> None:
    with pytest.raises(KanError, match="more than two classes"):
        kan.train({"x": X, "y": np.arange(300) % 3}, monotone=["x0=+"], **BRIEF)


def test_directions_of_names() -> None:
    assert directions_of(["b=c=-", "a=+"], ["a", "b=c", "d"]).tolist() == [1.0, -1.0, 0.0]
