"""Pipelines of scikit-learn as skl2onnx writes them: the import has scikit-learn's predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from quantised_files import Floats

import kan_dialect as kan
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_function
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.onnx.load import load_onnx, onnx_original
from kan_dialect.ir.attributes.data_schema import DataSchema
from kan_dialect.ir.functions import functions_of
from repository import TEST_DATA

FOLDER = TEST_DATA / "sklearn"
STRIPPED = ImportOptions(strip_head=True)


def outputs(path: Path, x: Floats, options: ImportOptions = STRIPPED) -> Floats:
    (function,) = functions_of(load_onnx(path, options))
    (found,) = evaluate_function(function, [x.astype(np.float64)])
    return found


def case(name: str) -> tuple[Path, dict[str, Any]]:
    return FOLDER / f"{name}.onnx", dict(np.load(FOLDER / f"{name}.npz"))


@pytest.mark.parametrize("name", ["mlp_classifier", "mlp_names", "logistic", "logistic_binary"])
def test_classifiers(name: str) -> None:
    """Classes are those of the largest score."""
    path, data = case(name)
    known = ~np.isnan(data["x"]).any(axis=1)
    scores = outputs(path, data["x"][known])
    classes = np.unique(data["y"])
    assert np.array_equal(classes[scores.argmax(axis=1)], data["y"][known])
    differences = np.diff(np.log(data["probabilities"][known]), axis=1)
    scale = 2 if name == "logistic_binary" else 1  # Its two scores are z and -z of one logit z.
    assert np.allclose(np.diff(scores, axis=1), scale * differences, atol=1e-3)


def test_two_classes_of_one_logit() -> None:
    path, data = case("mlp_binary")
    (scores,) = outputs(path, data["x"]).T
    assert np.array_equal(scores > 0, data["y"] == 1)
    both = outputs(path, data["x"], ImportOptions())
    assert np.allclose(both, data["probabilities"], atol=1e-5)


@pytest.mark.parametrize("name", ["mlp_regressor", "linear"])
def test_regressors(name: str) -> None:
    path, data = case(name)
    found = outputs(path, data["x"], ImportOptions())
    assert np.allclose(found[:, 0], data["y"], atol=1e-5)


def test_names_of_classes() -> None:
    (function,) = functions_of(load_onnx(case("mlp_names")[0], STRIPPED))
    assert DataSchema.of(function).classes == ("setosa", "versicolor", "virginica")


def test_a_softmax_is_a_head() -> None:
    with pytest.raises(KanError, match=r"\(Softmax\): each output depends on all others"):
        load_onnx(case("logistic")[0])


def test_a_normalizer_is_refused() -> None:
    with pytest.raises(KanError, match=r"'Normalizer' \(LpNormalization\): it mixes the inputs"):
        load_onnx(case("normalizer")[0], STRIPPED)


def model(path: Path, *nodes: onnx.NodeProto, kind: int = onnx.TensorProto.FLOAT) -> Path:
    """A file of nodes from `x` (batch, 3) to `y`."""
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3])
    y = helper.make_tensor_value_info("y", kind, None)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    found = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y]), opset_imports=opsets, ir_version=8
    )
    onnx.save(found, path)
    return path


def node(op: str, operand: str = "x", outputs: Any = ("y",), **attributes: Any) -> onnx.NodeProto:
    make: Any = helper.make_node
    return make(op, [operand], list(outputs), f"the {op}", domain="ai.onnx.ml", **attributes)


def test_marks_of_missing_values(tmp_path: Path) -> None:
    imputer = node(
        "Imputer", outputs=["h"], replaced_value_float=-9.0, imputed_value_floats=[1.0, 2.0, 3.0]
    )
    regressor = node("LinearRegressor", "h", coefficients=[1.0, -2.0, 0.5], intercepts=[4.0])
    path = model(tmp_path / "m.onnx", imputer, regressor)
    x = np.array([[-9.0, 1.0, -9.0], [0.0, -9.0, 1.0]])
    filled = np.where(x == -9.0, [1.0, 2.0, 3.0], x)
    assert np.allclose(outputs(path, x, ImportOptions())[:, 0], filled @ [1.0, -2.0, 0.5] + 4.0)


def test_zeros_are_replaced_by_default(tmp_path: Path) -> None:
    """ONNX's default of the mark is 0."""
    imputer = node("Imputer", outputs=["h"], imputed_value_floats=[1.0, 2.0, 3.0])
    regressor = node("LinearRegressor", "h", coefficients=[1.0, -2.0, 0.5])
    path = model(tmp_path / "m.onnx", imputer, regressor)
    x = np.array([[0.0, 1.0, 5.0]])
    assert np.allclose(outputs(path, x, ImportOptions()), [[1.0 - 2.0 + 2.5]])


def test_missing_values_of_a_pipeline(tmp_path: Path) -> None:
    """NaN at the inputs is what the pipeline puts in its place."""
    values = {"replaced_value_float": float("nan"), "imputed_value_floats": [1.0, 2.0, 3.0]}
    imputer = node("Imputer", outputs=["h"], **values)
    regressor = node("LinearRegressor", "h", coefficients=[1.0, -2.0, 0.5], intercepts=[4.0])
    path = model(tmp_path / "m.onnx", imputer, regressor)
    x = np.array([[np.nan, 1.0, np.nan], [0.0, np.nan, 1.0]])
    network = kan.load(path)
    compiled = network.compile(bits=4, data={"x": np.eye(3)})
    assert [port.missing for port in compiled.inputs] == [1.0, 2.0, 3.0]
    filled = np.where(np.isnan(x), [1.0, 2.0, 3.0], x)
    assert np.allclose(network.run(x)[:, 0], filled @ [1.0, -2.0, 0.5] + 4.0, atol=1e-6)


def test_labels_alone(tmp_path: Path) -> None:
    """The head of labels is left out; the original has them."""
    rows = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    classifier = node(
        "LinearClassifier", outputs=["y", "s"], coefficients=rows, classlabels_ints=[0, 1]
    )
    path = model(tmp_path / "m.onnx", classifier, kind=onnx.TensorProto.INT64)
    x = np.array([[1.0, 2.0, 0.0], [3.0, -1.0, 0.0]])
    assert np.array_equal(outputs(path, x), x[:, :2])
    with pytest.raises(KanError, match="an index instead of the outputs"):
        onnx_original(path)


@pytest.mark.parametrize(
    ("op", "attributes", "reason"),
    [
        ("LinearRegressor", {"coefficients": [1.0, 2.0, 3.0], "post_transform": "PROBIT"},
         "its transform PROBIT is not supported"),
        ("LinearRegressor", {"coefficients": [1.0, 2.0, 3.0], "targets": 2},
         "its 3 coefficients are not 2 rows"),
        ("LinearRegressor", {"coefficients": [1.0] * 3, "intercepts": [1.0] * 2},
         "its 2 intercepts are not 1"),
        ("LinearClassifier", {"coefficients": [1.0, 2.0, 3.0], "classlabels_ints": [0]},
         "it does not have two classes"),
        ("LinearClassifier", {"coefficients": [1.0, 2.0, 3.0], "classlabels_strings": [0.5, 1.5]},
         "its attribute classlabels_strings is not a list of texts"),
        ("Scaler", {"offset": [0.0]}, "its attribute scale is not a list of finite numbers"),
        ("Scaler", {"offset": 1, "scale": [1.0]}, "its attribute offset has another type"),
        ("Normalizer", {"norm": "MAX"}, "divides by the largest of a sample's values"),
        ("TreeEnsembleRegressor", {}, "operators of the domain 'ai.onnx.ml' are not known"),
    ],
)  # fmt: skip
def test_refusals(op: str, attributes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx", node(op, **attributes))
    with pytest.raises(KanError, match=reason) as caught:
        load_onnx(path)
    assert f"node 'the {op}' ({op}): " in str(caught.value) and caught.value.remedy
