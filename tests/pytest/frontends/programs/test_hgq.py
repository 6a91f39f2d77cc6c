"""HGQ2's models, through HGQ2 and da4ml where they are installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from pytest import importorskip

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.programs.hgq import hgq_original, load_hgq
from kan_dialect.model.model import Model

INSTALLED = all(find_spec(name) is not None for name in ("hgq", "da4ml", "keras"))
needs_hgq = pytest.mark.skipif(not INSTALLED, reason="needs kan-dialect[hgq]")


@needs_hgq
@pytest.mark.filterwarnings("ignore")
def test_a_published_model(shared_data: Path) -> None:
    folder = shared_data / "hgq_lut" / "openml_0_743"
    data = np.load(folder / "golden.npz")
    x = data["x"].astype(np.float64)
    options = ImportOptions(samples=x)
    model = Model.of(load_hgq(folder / "model.keras", options))
    np.testing.assert_array_equal(model.run(x), data["y"])
    np.testing.assert_array_equal(
        hgq_original(folder / "model.keras", options).run(x[:100]), data["y"][:100]
    )


@needs_hgq
@pytest.mark.filterwarnings("ignore")
def test_a_model_with_convolutions_of_tables_and_dense_layers(tmp_path: Path) -> None:
    keras, layers = importorskip("keras"), importorskip("hgq.layers")
    tables = importorskip("hgq.layers.table")
    keras.utils.set_random_seed(0)
    with importorskip("hgq.config").QuantizerConfigScope(place="all", overflow_mode="WRAP"):
        source = keras.layers.Input((8, 2))
        hidden = keras.layers.Flatten()(tables.QConvT1D(2, 3)(source))
        hidden = layers.QDense(6, activation="relu")(hidden)
        model = keras.Model(source, tables.QDenseT(3)(hidden))
    path = tmp_path / "net.keras"
    model.save(path)
    x = np.random.default_rng(0).normal(size=(100, 16))
    options = ImportOptions(samples=x)
    outputs = Model.of(load_hgq(path, options)).run(x)
    np.testing.assert_array_equal(outputs, hgq_original(path, options).run(x))


@needs_hgq
@pytest.mark.filterwarnings("ignore")
def test_refusals(shared_data: Path, tmp_path: Path) -> None:
    model = shared_data / "hgq_lut" / "openml_0_743" / "model.keras"
    with pytest.raises(KanError, match="need samples"):
        load_hgq(model)
    with pytest.raises(KanError, match="the network has 16 inputs"):
        load_hgq(model, ImportOptions(samples=np.zeros((3, 2))))
    broken = tmp_path / "net.keras"
    broken.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(KanError, match=r"net\.keras: Keras refuses the model"):
        load_hgq(broken, ImportOptions(samples=np.zeros((3, 16))))


@pytest.mark.skipif(INSTALLED, reason="HGQ2 is installed")
def test_without_hgq(tmp_path: Path) -> None:
    with pytest.raises(KanError, match=r"reading \.keras files needs Keras.*\[hgq\]"):
        load_hgq(tmp_path / "net.keras", ImportOptions(samples=np.zeros((3, 2))))
