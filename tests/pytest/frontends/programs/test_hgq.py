"""HGQ2's models, through HGQ2 and da4ml where they are installed."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest import importorskip

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.programs.hgq import hgq_original, load_hgq
from kan_dialect.model.model import Model

os.environ.setdefault("KERAS_BACKEND", "jax")  # read when Keras is imported

INSTALLED = all(find_spec(name) is not None for name in ("hgq", "da4ml", "keras"))
needs_hgq = pytest.mark.skipif(not INSTALLED, reason="needs kan-dialect[hgq]")


@needs_hgq
@pytest.mark.skipif(
    INSTALLED and not version("hgq2").startswith("0.1"), reason="HGQ2 0.1 wrote the model"
)
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


def _one(name: str, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
    """A layer of HGQ2, by its name."""
    return lambda x: getattr(importorskip("hgq.layers"), name)(*arguments, **options)(x)


def _flat(*layers: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Layers in a row, with one vector as their result."""

    def build(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return importorskip("keras").layers.Flatten()(x)

    return build


def _of_two(name: str) -> Callable[[Any], Any]:
    """A layer that reads two others."""
    return lambda x: _one(name)([_one("QDense", 3)(x), _one("QDense", 3)(x)])


TABLES = {"n_hl": 1, "d_hl": 4}

LAYERS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "QEinsumDenseBatchnorm": (
        (4,),
        _flat(_one("QEinsumDenseBatchnorm", "bi,io->bo", 5, bias_axes="o", activation="relu")),
    ),
    "QEinsumDense": ((3, 4), _flat(_one("QEinsumDense", "bni,io->bno", (3, 5), bias_axes="o"))),
    "QBatchNormDense": ((4,), _flat(_one("QBatchNormDense", 5, activation="relu"))),
    "QBatchNormalization": ((4,), _flat(_one("QDense", 4), _one("QBatchNormalization"))),
    "QDenseT": ((3,), _flat(_one("QDenseT", 3, **TABLES), _one("QDenseT", 2, **TABLES))),
    "QConv1D": ((8, 2), _flat(_one("QConv1D", 3, 3, strides=2, activation="relu"))),
    "QConv2D": ((5, 5, 1), _flat(_one("QConv2D", 2, 3, strides=2, padding="same"))),
    "QConvT1D": ((6, 1), _flat(_one("QConvT1D", 2, 3, strides=3, **TABLES))),
    "QConvT2D": ((4, 4, 1), _flat(_one("QConvT2D", 2, 2, strides=2, **TABLES))),
    "QAveragePooling1D": ((8, 2), _flat(_one("QConv1D", 2, 3), _one("QAveragePooling1D", 2))),
    "QMaxPooling1D": ((8, 2), _flat(_one("QConv1D", 2, 3), _one("QMaxPooling1D", 2))),
    "QUnaryFunctionLUT": ((4,), _flat(_one("QDense", 3), _one("QUnaryFunctionLUT", "tanh"))),
    "QAdd": ((4,), _of_two("QAdd")),
    "QMaximum": ((4,), _of_two("QMaximum")),
}
"""Shape of the input, and layers."""


@needs_hgq
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wraps", ["all", "datalane"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, wraps: str, tmp_path: Path) -> None:
    """Each layer gives the outputs that Keras computes."""
    keras = importorskip("keras")
    keras.utils.set_random_seed(1)
    shape, build = LAYERS[name]
    scope = importorskip("hgq.config").QuantizerConfigScope
    with scope(place=wraps, overflow_mode="WRAP"):
        source = keras.layers.Input(shape)
        model = keras.Model(source, build(source))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "gamma" in weight.path or "moving" in weight.path or "beta" in weight.path:
            weight.assign(rng.uniform(0.4, 1.6, weight.shape))
    path = tmp_path / "net.keras"
    model.save(path)
    x = rng.normal(size=(500, int(np.prod(shape))))
    options = ImportOptions(samples=x)
    outputs = Model.of(load_hgq(path, options)).run(x)
    np.testing.assert_array_equal(outputs, hgq_original(path, options).run(x))


@needs_hgq
@pytest.mark.filterwarnings("ignore")
def test_products_are_refused_by_the_name_of_the_file(tmp_path: Path) -> None:
    keras = importorskip("keras")
    source = keras.layers.Input((4,))
    keras.Model(source, _of_two("QMultiply")(source)).save(tmp_path / "net.keras")
    with pytest.raises(KanError, match="the network has 4 inputs"):
        load_hgq(tmp_path / "net.keras", ImportOptions(samples=np.zeros((3, 2))))
    with pytest.raises(KanError, match=r"net\.keras: operation \d+: it multiplies the results"):
        load_hgq(tmp_path / "net.keras", ImportOptions(samples=np.ones((5, 4))))


@needs_hgq
@pytest.mark.filterwarnings("ignore")
def test_refusals(shared_data: Path, tmp_path: Path) -> None:
    model = shared_data / "hgq_lut" / "openml_0_743" / "model.keras"
    with pytest.raises(KanError, match="need samples"):
        load_hgq(model)
    broken = tmp_path / "net.keras"
    broken.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(KanError, match=r"net\.keras: Keras refuses the model"):
        load_hgq(broken, ImportOptions(samples=np.zeros((3, 16))))


@pytest.mark.skipif(INSTALLED, reason="HGQ2 is installed")
def test_without_hgq(tmp_path: Path) -> None:
    with pytest.raises(KanError, match=r"reading \.keras files needs Keras.*\[hgq\]"):
        load_hgq(tmp_path / "net.keras", ImportOptions(samples=np.zeros((3, 2))))
