"""Classifier heads: refused by name, stripped on request, with the classes preserved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import classes
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.onnx import classifier_head
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.model.model import Model
from onnx_graphs import Net

STRIP = ImportOptions(strip_head=True)
WEIGHTS = np.array([[1, -2, 0.5], [0.3, 1, -1], [2, 0, 1], [-1, 1.5, 0.2]], dtype=np.float32)


class Head(Net):
    """A dense layer (batch, 4) -> (batch, outputs) called `h`, and the ops of a head."""

    def __init__(self, outputs: int = 3) -> None:
        super().__init__()
        self.nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name="dense")]
        self.tensors = [numpy_helper.from_array(WEIGHTS[:, :outputs].copy(), "w")]

    def saved(self, folder: Path, output: str) -> Path:
        return self.save(folder, output, {"x": ["batch", 4]})


Write = Callable[[Head], str]
LAST = np.array([-1])


def written_out(net: Head) -> str:
    rise = net("Exp", "h")
    return net("Div", rise, net("ReduceSum", rise, LAST))


def shifted(net: Head) -> str:
    rise = net("Exp", net("Sub", "h", net("ReduceMax", "h", axes=[1])))
    total = net("Unsqueeze", net("ReduceSum", rise, LAST, keepdims=0), np.array([1]))
    return net("Mul", rise, net("Reciprocal", total))


def log_sum(net: Head) -> str:
    largest = net("ReduceMax", "h", axes=[1])
    rise = net("Exp", net("Sub", "h", largest))
    total = net("Add", net("Log", net("ReduceSum", rise, LAST)), largest)
    return net("Sub", "h", total)


def sequence(net: Head) -> str:
    spread = net("Unsqueeze", "h", np.array([1]))
    return net("Reshape", net("Softmax", spread, axis=-1), np.array([-1, 3]))


HEADS: dict[str, tuple[Write, str]] = {
    "softmax": (lambda n: n("Softmax", "h", axis=1), "(Softmax): each output depends"),
    "log softmax": (lambda n: n("LogSoftmax", "h"), "(LogSoftmax): each output depends"),
    "log of softmax": (lambda n: n("Log", n("Softmax", "h")), "(Softmax): each output depends"),
    "hardmax": (lambda n: n("Hardmax", "h"), "(Hardmax): each output depends"),
    "argmax": (lambda n: n("ArgMax", "h", axis=1, keepdims=0), "(ArgMax): it gives an index"),
    "argmax of softmax": (
        lambda n: n("ArgMax", n("Softmax", "h"), axis=-1),
        "(ArgMax): it gives an index",
    ),
    "top 1": (
        lambda n: n("Squeeze", n("TopK", "h", np.array([1])), np.array([1])),
        "(TopK): it gives an index",
    ),
    "moved": (sequence, "(Softmax): each output depends"),
    "transposed": (
        lambda n: n("Transpose", n("Softmax", n("Transpose", "h"), axis=0)),
        "(Softmax): each output depends",
    ),
    "written out": (written_out, "(Div): this is a softmax, written out"),
    "shifted": (shifted, "(Mul): this is a softmax, written out"),
    "log written out": (lambda n: n("Log", written_out(n)), "(Div): this is a softmax"),
    "minus log of sum": (log_sum, "(Sub): this is a softmax, written out"),
    "minus log sum exp": (
        lambda n: n("Sub", "h", n("ReduceLogSumExp", "h", axes=[1])),
        "(Sub): this is a softmax, written out",
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_heads_are_named_and_stripped_on_request(name: str, tmp_path: Path) -> None:
    head, words = HEADS[name]
    net = Head()
    path = net.saved(tmp_path, head(net))
    with pytest.raises(KanError) as caught:
        load_onnx(path)
    message = str(caught.value)
    assert words in message and "pass --strip-head (in Python: strip_head=True)" in message
    x = np.random.default_rng(0).normal(size=(50, 4))
    np.testing.assert_allclose(Model.of(load_onnx(path, STRIP)).run(x), x @ WEIGHTS, atol=1e-5)


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_sigmoid_is_a_function_of_each_node_and_a_head_on_request(
    outputs: int, tmp_path: Path
) -> None:
    net = Head(outputs)
    path = net.saved(tmp_path, net("Sigmoid", "h"))
    x = np.random.default_rng(0).normal(size=(50, 4))
    logits = x @ WEIGHTS[:, :outputs]
    np.testing.assert_allclose(
        Model.of(load_onnx(path)).run(x), 1 / (1 + np.exp(-logits)), atol=1e-6
    )
    stripped = Model.of(load_onnx(path, STRIP)).run(x)
    np.testing.assert_allclose(stripped, logits, atol=1e-5)
    if outputs == 1:
        np.testing.assert_array_equal(classes(stripped), logits[:, 0] > 0)


@pytest.mark.parametrize(
    "head",
    [
        lambda n: n("ArgMin", "h", axis=1),
        lambda n: n("TopK", "h", np.array([1]), largest=0),
    ],
)
@pytest.mark.parametrize("options", [ImportOptions(), STRIP])
def test_heads_that_take_the_smallest_output_are_refused(
    head: Write, options: ImportOptions, tmp_path: Path
) -> None:
    net = Head()
    path = net.saved(tmp_path, head(net))
    with pytest.raises(KanError, match=r"index of the smallest output.*take the smallest output"):
        load_onnx(path, options)


def min_max(net: Head) -> str:
    low, high = net("ReduceMin", "h", axes=[1]), net("ReduceMax", "h", axes=[1])
    return net("Div", net("Sub", "h", low), net("Sub", high, low))


@pytest.mark.parametrize(
    ("head", "ends"),
    [
        (lambda n: n("Identity", "h"), r"node 'n1' \(Identity\)"),
        (lambda n: n("Relu", "h"), r"node 'n1' \(Relu\)"),
        (min_max, r"node 'n5' \(Div\)"),
        (lambda n: n("Mul", n("Softmax", "h"), n("Exp", "h")), r"node 'n3' \(Mul\)"),
        (lambda n: n("TopK", "h", np.array([2])), r"node 'n1' \(TopK\)"),
    ],
)
def test_no_head_to_strip(head: Write, ends: str, tmp_path: Path) -> None:
    net = Head()
    path = net.saved(tmp_path, head(net))
    with pytest.raises(KanError, match=f"no head to strip: the model ends in {ends}; leave"):
        load_onnx(path, STRIP)


def test_min_max_is_no_head(tmp_path: Path) -> None:
    net = Head()
    with pytest.raises(KanError, match=r"node 'n1' \(ReduceMin\): it mixes values") as caught:
        load_onnx(net.saved(tmp_path, min_max(net)))
    assert "strip" not in str(caught.value)


def test_a_head_alone(tmp_path: Path) -> None:
    net = Head()
    path = net.saved(tmp_path, net("Softmax", "x"))
    with pytest.raises(KanError, match="there is no network before it"):
        load_onnx(path, STRIP)


def test_a_head_that_compares_some_outputs_only(tmp_path: Path) -> None:
    """A softmax over pairs of outputs does not preserve the largest output."""
    net = Head()
    four = net("Concat", "h", net("Neg", "h"), axis=1)
    pairs = net("Softmax", net("Reshape", four, np.array([-1, 3, 2])), axis=2)
    path = net.saved(tmp_path, net("Reshape", pairs, np.array([-1, 6])))
    with pytest.raises(KanError, match=r"\(Softmax\): the network up to it has other classes"):
        load_onnx(path, STRIP)


def test_classes_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head with mistaken logits is refused."""
    net = Head()
    path = net.saved(tmp_path, net("ArgMax", net("Neg", "h"), axis=1))
    search = classifier_head.find_head

    def mistaken(graph: Any) -> Any:
        head = search(graph)
        return None if head is None else classifier_head.Head(head.node, "h")

    monkeypatch.setattr(classifier_head, "find_head", mistaken)
    with pytest.raises(KanError, match="has other classes than the model"):
        load_onnx(path, STRIP)
