"""Writes operators of `ai.onnx.ml`, in which skl2onnx exports pipelines, as standard operators.

A classifier has a label and the scores of all classes as outputs. The label follows from the
scores, so a model of one float output and further labels is read as the model of its float output.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from kan_dialect.frontends.onnx.read.standard_steps import EXPORT_AGAIN, Rewriting, Steps
from kan_dialect.ir.attributes.data_schema import NO_SCHEMA, DataSchema
from kan_dialect.ir.constants import FloatArray

DOMAIN = "ai.onnx.ml"

_NO_NORM = "scale each feature alone, as StandardScaler and MinMaxScaler do"


def expand_pipeline(path: Path, graph: onnx.GraphProto) -> DataSchema:
    """Replace the operators of `ai.onnx.ml` by standard ones, and leave out outputs for labels.

    Returns
    -------
    Names of the classes, if the operators have any, and what stands for missing inputs.

    Raises
    ------
    KanError : an operator is not supported; names the node.
    """
    rewriting = Rewriting.of(path, graph)
    known = NO_SCHEMA
    for node in graph.node:
        if node.domain == DOMAIN and node.op_type in _OPERATORS:
            to = Steps(rewriting, node)
            to.require_operands(1)
            _OPERATORS[node.op_type](to)
            classes = known.classes or tuple(_texts(to, "classlabels_strings"))
            known = replace(known, classes=classes)
            if node.op_type == "Imputer" and node.input[0] == graph.input[0].name:
                known = replace(known, missing=_imputed(to, _width(graph.input[0])))
        else:
            rewriting.nodes.append(node)
    rewriting.finish(graph)
    _keep_scores(graph)
    return known


def _width(value: onnx.ValueInfoProto) -> int:
    """Number of features of an input (batch, features); 1 where it does not say."""
    axes = value.type.tensor_type.shape.dim
    return axes[-1].dim_value or 1 if axes else 1


def _imputed(to: Steps, features: int) -> tuple[float, ...]:
    """What the pipeline puts in place of NaN at each input; empty of another mark."""
    if not np.isnan(to.attribute("replaced_value_float", 0.0)):
        return ()
    values = _numbers(to, "imputed_value_floats")
    return tuple(np.broadcast_to(values, (max(features, values.size),)).tolist())


def _keep_scores(graph: onnx.GraphProto) -> None:
    """Leave out the outputs beside a single one of floats; dictionaries of a `ZipMap` are floats.

    They are labels: integers and texts, which follow from the scores.
    """
    scores = [value for value in graph.output if _holds_floats(value)]
    if len(graph.output) < 2 or len(scores) != 1:
        return
    kept = onnx.ValueInfoProto()
    kept.CopyFrom(scores[0])
    if not kept.type.HasField("tensor_type"):
        kept.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    del graph.output[:]
    graph.output.append(kept)


def _holds_floats(value: onnx.ValueInfoProto) -> bool:
    kind = value.type
    if kind.HasField("sequence_type"):
        return kind.sequence_type.elem_type.HasField("map_type")
    return kind.tensor_type.elem_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)


def _numbers(to: Steps, name: str) -> FloatArray:
    """A list of numbers, (n), float64.

    Raises
    ------
    KanError : it is missing, or empty.
    """
    found: list[float] = to.attribute(name, [])
    numbers = [each for each in found if isinstance(each, float)]
    if not numbers or len(numbers) < len(found) or not np.isfinite(numbers).all():
        raise to.refuse(f"its attribute {name} is not a list of finite numbers", EXPORT_AGAIN)
    return np.array(numbers)


def _texts(to: Steps, name: str) -> list[str]:
    found: list[object] = to.attribute(name, [])
    texts = [each.decode("utf-8", "replace") for each in found if isinstance(each, bytes)]
    if len(texts) < len(found):
        raise to.refuse(f"its attribute {name} is not a list of texts", EXPORT_AGAIN)
    return texts


def _scaler(to: Steps) -> None:
    """(x - offset) * scale"""
    offset, scale = (to.number(_numbers(to, name), name) for name in ("offset", "scale"))
    to.step("Mul", [to.step("Sub", [to.node.input[0], offset], "centred"), scale])


def _imputer(to: Steps) -> None:
    """Another value in place of a mark, such as -999. For NaN `kan.missing` has it."""
    mark = to.attribute("replaced_value_float", 0.0)
    value = _numbers(to, "imputed_value_floats")
    if np.isnan(mark):
        to.step("Identity", to.node.input[:1])
        return
    marked = to.step("Equal", [to.node.input[0], to.number(mark, "mark")], "marked")
    to.step("Where", [marked, to.number(value, "imputed"), to.node.input[0]])


def _linear_scores(to: Steps, rows: int) -> str:
    """x times coefficients (rows, features), plus intercepts; returns the name."""
    weights = _numbers(to, "coefficients")
    if weights.size % rows:
        raise to.refuse(
            f"its {weights.size} coefficients are not {rows} rows of one length", EXPORT_AGAIN
        )
    matrix = to.number(weights.reshape(rows, -1).T, "weights")
    product = to.step("MatMul", [to.node.input[0], matrix], "product")
    biases = _numbers(to, "intercepts") if _has(to, "intercepts") else np.zeros(rows)
    if biases.size != rows:
        raise to.refuse(f"its {biases.size} intercepts are not {rows}", EXPORT_AGAIN)
    return to.step("Add", [product, to.number(biases, "intercepts")], "scores")


def _has(to: Steps, name: str) -> bool:
    return any(each.name == name for each in to.node.attribute)


def _linear_regressor(to: Steps) -> None:
    scores = _linear_scores(to, max(1, to.attribute("targets", 1)))
    _transformed(to, scores, to.node.output[0])


def _linear_classifier(to: Steps) -> None:
    """Label and scores: one row of coefficients for each class."""
    labels = to.attribute("classlabels_ints", list[int]()) or _texts(to, "classlabels_strings")
    if len(labels) < 2 or len(to.node.output) < 2:
        raise to.refuse("it does not have two classes and two results", EXPORT_AGAIN)
    scores = _linear_scores(to, len(labels))
    _transformed(to, scores, to.node.output[1])
    if not all(isinstance(each, int) for each in labels):
        return
    best = to.step("ArgMax", [scores], "best", axis=1, keepdims=0)
    to.step("Gather", [to.tensor(np.array(labels, np.int64), "labels"), best])


def _transformed(to: Steps, scores: str, result: str) -> None:
    kind = to.attribute("post_transform", "NONE")
    op_type = {"NONE": "Identity", "LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}.get(kind)
    if op_type is None:
        raise to.refuse(f"its transform {kind} is not supported", "use NONE, LOGISTIC or SOFTMAX")
    label = to.node.name or to.node.output[0]
    to.rewriting.nodes.append(helper.make_node(op_type, [scores], [result], label))


def _normalizer(to: Steps) -> None:
    """A norm over all values; behind scores it is part of a head."""
    power = {"L1": 1, "L2": 2}.get(to.attribute("norm", "MAX"))
    if power is None:
        raise to.refuse("it divides by the largest of a sample's values", _NO_NORM)
    to.step("LpNormalization", to.node.input[:1], axis=1, p=power)


def _zip_map(to: Steps) -> None:
    """Dictionaries of classes and scores: the scores."""
    to.step("Identity", to.node.input[:1])


def _array_feature_extractor(to: Steps) -> None:
    """Elements by their index: labels of classes."""
    to.require_operands(2)
    to.step("Gather", to.node.input[:2], axis=-1)


_OPERATORS = {
    "ArrayFeatureExtractor": _array_feature_extractor,
    "Imputer": _imputer,
    "LinearClassifier": _linear_classifier,
    "LinearRegressor": _linear_regressor,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
    "ZipMap": _zip_map,
}
