"""Models that branch on values: an import keeps each branch to the last bit, or is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fuzz.branches import check, draw
from kan_dialect.errors import KanError
from kan_dialect.evaluate.onnx_subgraph import is_decision, open_runner, widened
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.onnx import load
from kan_dialect.frontends.onnx.compare import network_comparison
from kan_dialect.frontends.onnx.discover import layer_search
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.frontends.onnx.operators.sign_changes import find_sign_changes
from kan_dialect.frontends.onnx.read.graph import Unrecognised, read_graph
from kan_dialect.frontends.onnx.recognise import basis_recognition, layers
from kan_dialect.ir.constants import FloatArray
from kan_dialect.model.model import Model
from onnx_windows import DENSE, F32, SENTINEL, WEIGHTS, WINDOW, Node, assert_follows, save

Array: TypeAlias = NDArray[Any]

RNG = np.random.default_rng(19)


def around(*values: float) -> FloatArray:
    """All pairs of these values, their float32 neighbours, and other values."""
    exact = np.array(values, F32)
    below, above = np.nextafter(exact, F32(-np.inf)), np.nextafter(exact, F32(np.inf))
    every = np.concatenate([exact, below, above, np.array([1.25, -2.0], F32)])
    return np.stack([each.ravel() for each in np.meshgrid(every, every)], 1).astype(np.float64)


@pytest.mark.parametrize("value", [-999.0, 0.5, 9.0, 1e5])
def test_single_value_before_a_layer(tmp_path: Path, value: float) -> None:
    path = save(tmp_path / "m.onnx", [*SENTINEL, DENSE], t=value, k=0.7, W=WEIGHTS)
    assert f"windows dense<[[0.0, {value}, {value}]" in assert_follows(path, around(value))


def test_narrow_window_before_a_layer(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [*WINDOW, DENSE], t=-999.0, e=1e-3, k=0.7, W=WEIGHTS)
    assert "windows" in assert_follows(path, around(-999.0, -999.001, -998.999))


def test_value_that_a_product_meets_in_float32_only(tmp_path: Path) -> None:
    """5 · 0.1 is 0.5 in float32, and not in float64."""
    nodes: list[Node] = [
        ("Mul", ["x", "a"], "s"),
        ("Equal", ["s", "t"], "c"),
        ("Where", ["c", "k", "x"], "w"),
        DENSE,
    ]
    path = save(tmp_path / "m.onnx", nodes, a=0.1, t=0.5, k=0.7, W=WEIGHTS)
    assert_follows(path, around(5.0))


def test_network_behind_a_missing_value(tmp_path: Path) -> None:
    nodes: list[Node] = [
        *SENTINEL,
        ("MatMul", ["w", "W"], "h"),
        ("Tanh", ["h"], "v"),
        ("MatMul", ["v", "W2"], "y"),
    ]
    path = save(tmp_path / "m.onnx", nodes, t=-999.0, k=0.7, W=WEIGHTS, W2=WEIGHTS)
    text = assert_follows(path, around(-999.0))
    assert 'kan.base "tanh"' in text  # The next layer keeps its form.


def test_limits_far_away(tmp_path: Path) -> None:
    nodes: list[Node] = [("Clip", ["x", "lo", "hi"], "w"), DENSE]
    path = save(tmp_path / "m.onnx", nodes, lo=-1e7, hi=1e7, W=WEIGHTS)
    assert_follows(path, around(1e7, -1e7, 4e7))


def test_step_of_a_node(tmp_path: Path) -> None:
    nodes: list[Node] = [
        ("MatMul", ["x", "W"], "h"),
        ("Greater", ["h", "t"], "c"),
        ("Where", ["c", "k", "h"], "w"),
        ("MatMul", ["w", "W2"], "y"),
    ]
    path = save(tmp_path / "m.onnx", nodes, t=0.5, k=0.7, W=WEIGHTS, W2=WEIGHTS)
    assert_follows(path, RNG.normal(size=(200, 2)).astype(F32).astype(np.float64))


def test_single_value_of_a_node_is_refused(tmp_path: Path) -> None:
    nodes: list[Node] = [
        ("MatMul", ["x", "W"], "h"),
        ("Equal", ["h", "t"], "same"),
        ("Where", ["same", "k", "h"], "w"),
        ("MatMul", ["w", "W2"], "y"),
    ]
    path = save(tmp_path / "m.onnx", nodes, t=0.5, k=0.7, W=WEIGHTS, W2=WEIGHTS)
    with pytest.raises(Unrecognised, match=r"node 'same' \(Equal\).*single value 0\.5 of 'h'"):
        load_onnx(path)


def test_error_names_node_value_and_results(tmp_path: Path, monkeypatch: Any) -> None:
    """Recognition and search are made blind to the branch; the comparison finds it."""
    monkeypatch.setattr(basis_recognition, "_is_everywhere", lambda *_: True)
    path = save(tmp_path / "m.onnx", [*SENTINEL, DENSE], t=-999.0, k=0.7, W=WEIGHTS)
    graph = read_graph(path)
    network = layers.recognise_layers(graph)
    with pytest.raises(
        network_comparison.Differs, match=r"input [01] = -999, where node 'c' \(Equal\)"
    ):
        network_comparison.check_network(
            graph, network, layer_search.default_comparison_inputs(graph)
        )
    x = np.array([[1.0, 2.0], [-999.0, 2.0]])
    with pytest.raises(
        network_comparison.Differs,
        match=r"for sample 1, .* gives -1998\.6 and ONNX Runtime 0\.79999",
    ):
        inputs = network_comparison.ComparisonInputs([x[:1]], samples=x)
        network_comparison.check_network(graph, network, inputs)


def test_samples_that_rounding_decides_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nodes: list[Node] = [
        ("MatMul", ["x", "W"], "h"),
        ("Greater", ["h", "t"], "c"),
        ("Where", ["c", "k", "h"], "w"),
        ("MatMul", ["w", "W2"], "y"),
    ]
    path = save(tmp_path / "m.onnx", nodes, 1, t=0.3, k=5.0, W=[[0.7], [1.3]], W2=[[1.0]])
    x = RNG.uniform(-1, 1, (2000, 2)).astype(F32)
    x[:, 1] = (0.3 - 0.7 * x[:, 0]) / 1.3
    module = load_onnx(path, ImportOptions(samples=x.astype(np.float64)))
    (expected,) = open_runner(onnx.load(path)).run(["y"], {"x": x})  # pyright: ignore[reportUnknownMemberType] (it has no types)
    apart = np.abs(Model.of(module).run(x.astype(np.float64)) - expected)[:, 0] > 1
    assert apart.any()
    # The kernel of a matrix product rounds differently for other batch sizes.
    told = re.search(r"in (\d+) samples, the first is sample \d+, the rounding", caplog.text)
    assert told is not None
    assert 0 < int(told[1]) < 2000


def test_samples_of_the_test_set_are_compared(tmp_path: Path, monkeypatch: Any) -> None:
    seen: list[FloatArray | None] = []
    real = load.check_network
    monkeypatch.setattr(
        load,
        "check_network",
        lambda graph, network, inputs: (seen.append(inputs.samples), real(graph, network, inputs)),  # pyright: ignore[reportUnknownLambdaType] (it is real's)
    )
    path = save(tmp_path / "m.onnx", [("MatMul", ["x", "W"], "y")], W=WEIGHTS)
    load_onnx(path, ImportOptions(samples=np.ones((3, 2)), test_samples=np.zeros((2, 2))))
    assert seen[0] is not None
    assert seen[0].tolist() == [[1.0, 1.0]] * 3 + [[0.0, 0.0]] * 2


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1 << 20))
def test_random_graphs_with_branches(seed: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        assert check(draw(np.random.default_rng(seed)), Path(folder)) in ("imported", "refused")


def test_float32_may_round_before_a_sine(tmp_path: Path) -> None:
    """Inputs near 1e5 go through a sine: float32 differs from float64, around the mark as at it."""
    assert check(draw(np.random.default_rng([2711, 65, 5])), tmp_path) == "imported"


# Sign changes


@given(
    st.floats(-1e6, 1e6, width=32),
    st.sampled_from([0.1, 1.0, -7.0, 1e-3]),
    st.floats(-100, 100, width=32),
)
@settings(max_examples=25, deadline=None)
def test_sign_changes_lie_between_neighbouring_floats(
    value: float, scale: float, shift: float
) -> None:
    """All sign changes of scale * x + shift - value, in float32."""

    def run(x: FloatArray) -> FloatArray:
        narrow = x.astype(F32) * F32(scale) + F32(shift)
        return (narrow - F32(value)).astype(np.float64)

    near = np.linspace(-1, 1, 8)[:, np.newaxis]
    found = find_sign_changes(run, np.array([0]), np.zeros(1), near, np.dtype(F32))
    assert found.index.size
    for below, above in zip(found.below, found.above, strict=True):
        assert np.nextafter(F32(below), F32(np.inf)) == above
        signs = np.sign(run(np.array([[below], [above]])))
        assert signs[0, 0] != signs[1, 0]


def test_sign_changes_of_a_window_between_all_positions() -> None:
    def run(x: FloatArray) -> FloatArray:
        away = np.abs(x.astype(F32) + F32(999.0)) - F32(1e-3)
        touching = (x.astype(F32) - F32(7.25)) ** 2
        return np.concatenate([away, touching], axis=1).astype(np.float64)

    near = np.linspace(-1, 1, 8)[:, np.newaxis]
    found = find_sign_changes(run, np.array([0, 0]), np.zeros(1), near, np.dtype(F32))
    ends = [(a, b) for a, b in zip(found.below, found.above, strict=True)]
    assert [m for m, (a, b) in zip(found.margin, ends, strict=True) if abs(a + 999) < 0.01] == [
        0,
        0,
    ]
    assert (7.25, float(np.nextafter(F32(7.25), F32(9)))) in ends


# Branches in float64


def test_decisions_stay_in_the_file_s_type(tmp_path: Path) -> None:
    nodes: list[Node] = [
        ("Mul", ["x", "a"], "s"),
        ("Floor", ["s"], "f"),
        ("Add", ["f", "s"], "y"),
    ]
    model = onnx.load(save(tmp_path / "m.onnx", nodes, a=0.1))  # pyright: ignore[reportUnknownMemberType] (it has no types)
    kinds = {"s": 1, "f": 1, "x": 1, "y": 1}
    assert [node.op_type for node in model.graph.node if is_decision(node, kinds)] == ["Floor"]
    # In float64, 0.1 of float32 times 30 is more than 3; times 10, it is rounded to 1 in float32.
    x = np.array([[10.0, 9.9999999]])
    (decided,) = open_runner(widened(model, keep_decisions=True)).run(["y"], {"x": x})
    assert decided.dtype == np.float64
    np.testing.assert_array_equal(
        decided, [[1 + 10 * np.float64(F32(0.1)), 1 + x[0, 1] * F32(0.1)]]
    )


def test_import_of_bad_samples_is_one_message(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [("MatMul", ["x", "W"], "y")], W=WEIGHTS)
    with pytest.raises(KanError, match=r"samples have shape \(2, 3\)"):
        load_onnx(path, ImportOptions(test_samples=np.zeros((2, 3))))


def test_many_samples_are_thinned_out(tmp_path: Path, monkeypatch: Any) -> None:
    seen: list[int] = []
    real = network_comparison._outputs  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(
        network_comparison,
        "_outputs",
        lambda network, x: (seen.append(len(x)), real(network, x))[1],  # pyright: ignore (a test's)
    )
    path = save(tmp_path / "m.onnx", [("MatMul", ["x", "W"], "y")], W=WEIGHTS)
    monkeypatch.setattr(network_comparison, "MAX_SAMPLE_EDGES", 400)
    load_onnx(path, ImportOptions(samples=RNG.normal(size=(1000, 2))))
    assert seen[-1] == 100
