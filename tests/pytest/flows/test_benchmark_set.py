"""The benchmark set: the same bytes everywhere, all kinds of networks, quick to compile."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from commands import flow
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.files.data_sets import accuracy, load_dataset
from kan_dialect.flows.benchmark_set.draws import Draws
from kan_dialect.flows.benchmark_set.folder import digest
from kan_dialect.flows.benchmark_set.networks import NETWORKS, TITLE, SetNetwork
from kan_dialect.frontends.frontend import NO_OPTIONS, ImportOptions
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import to_integers
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import TablesOp
from repository import EXAMPLES

DIGESTS: Mapping[str, str] = {
    "wine": "caa2a1327817",
    "digits": "b479a565b9a3",
    "sines": "00d962c163cd",
    "kinks": "f1c6e4658312",
    "cubic": "5676aca8e495",
    "radial": "d1acc64dcebe",
    "chebyshev": "f5dd841bf6e3",
    "symbolic": "940af4276b74",
    "pruned": "9985da3906a9",
    "constants": "a5cf97fd47e8",
    "deep": "ffb9f52e7138",
    "wide": "cc5ceeec1c4f",
    "affines": "6b54101ef114",
    "binary": "c27f8fd308bb",
    "mixed": "92b967498bfc",
    "random": "19bbf74de17e",
    "smooth": "800a972d5348",
    "alike": "014cb76a5fa1",
    "kanele": "c005b00427f9",
    "wires": "eb4b257ef7ae",
}
"""The beginnings of the digests of version 1. Only another spelling of the IR may change them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set, as the command writes it."""
    path = tmp_path_factory.mktemp("set") / "out"
    assert flow("benchmark-set", "-o", path) == 0
    return path


def loaded(folder: Path, network: SetNetwork) -> ModuleOp:
    options = NO_OPTIONS
    if network.model.endswith(".onnx"):
        options = ImportOptions(samples=load_dataset(folder / network.data).x)
    return load_model(make_context(), folder / network.model, options)


def test_the_set_is_that_of_its_version() -> None:
    assert len(NETWORKS) == 20
    assert {network.name: digest(network.make())[:12] for network in NETWORKS} == DIGESTS


def test_draws_are_integers_of_raw_words() -> None:
    seed = int.from_bytes(hashlib.sha256(b"benchmark set 1: a").digest(), "little")
    words = [int(word) for word in np.random.PCG64(seed).random_raw(4)]
    expected = [-2 + (word >> 11) % 6 for word in words]
    assert Draws("a").integers(-2, 3, (2, 2)).ravel().tolist() == expected
    numbers = Draws("b").bell(0.5, (1000,))
    np.testing.assert_array_equal(numbers * 1024, np.rint(numbers * 1024))
    assert numbers.std() == pytest.approx(0.5, rel=0.1)


def test_trained_networks_are_the_examples() -> None:
    for name in ("wine", "digits"):
        (network,) = (each for each in NETWORKS if each.name == name)
        for file, content in network.make().items():
            assert content == (EXAMPLES / file).read_bytes()


def test_the_folder_lists_what_it_holds(folder: Path) -> None:
    listed = json.loads((folder / "benchmark_set.json").read_text())
    assert listed["set"] == TITLE
    for row, network in zip(listed["networks"], NETWORKS, strict=True):
        assert (row["name"], row["model"]) == (network.name, network.model)
        assert (folder / row["model"]).exists()
        assert row.get("data") == (network.data if network.level == "spline" else None)
        assert row["sha256"].startswith(DIGESTS[network.name])


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_a_network_is_what_the_table_says_and_compiles(network: SetNetwork, folder: Path) -> None:
    module = loaded(folder, network)
    model = Model.of(module)
    assert model.level == network.level
    if network.level == "spline":
        data = load_dataset(folder / network.data)
        assert data.y is not None and data.x_test is not None and data.y_test is not None
        outputs = model.run(data.x_test)
        if network.name == "wide":
            assert np.abs(outputs - data.y_test.reshape(-1, 1)).max() <= 0.5 / 1024
        elif network.name not in ("wine", "digits"):
            assert accuracy(outputs, data.y_test) == 1.0
            assert len(np.unique(data.y_test)) > 1
    path = str(folder / network.data) if (folder / network.data).exists() else None
    CompilePass(data=path, bits=4).apply(make_context(), module)
    assert Model.of(module).level == "hardware"


def test_tables_have_the_structure_that_passes_look_for(folder: Path) -> None:
    (alike,) = (network for network in NETWORKS if network.name == "alike")
    tables = [
        to_integers(op.tables) for op in loaded(folder, alike).walk() if isinstance(op, TablesOp)
    ]
    symmetric = sum(int((t == t[..., ::-1]).all(axis=-1).sum()) for t in tables)
    assert symmetric >= 10
    (constants,) = (network for network in NETWORKS if network.name == "constants")
    empty = [
        int((~op.mask_array.any(axis=1)).sum())
        for op in loaded(folder, constants).walk()
        if isinstance(op, NodeSumOp)
    ]
    assert empty == [1, 1]


def test_some_networks_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert flow("benchmark-set", "-o", tmp_path / "out", "--only", "wires, kanele") == 0
    assert "2 networks" in capsys.readouterr().out
    assert (tmp_path / "out" / "kanele" / "config.json").exists()
    assert not (tmp_path / "out" / "wine.onnx").exists()
    assert flow("benchmark-set", "-o", tmp_path / "no", "--only", "wire") == 1
    told = capsys.readouterr().err
    assert "no network 'wire'; did you mean wires?" in told and not (tmp_path / "no").exists()
