"""`kan-prune` against a few lines of NumPy: which edges go, and what makes up for them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from kan_dialect.checking import run_passes
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import Array, FloatArray, to_floats
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BaseOp
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.prune import PrunePass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.search.precision.score import score
from kan_dialect.search.pruning import Edge, EdgeSearch


def network(first: Array, second: Array) -> ModuleOp:
    """Two layers of sines: weights (hidden, in) and (out, hidden)."""
    hidden, inputs = first.shape
    outputs = len(second)
    text = f"""
    func.func @net(%x: tensor<{inputs}xf32>) -> tensor<{outputs}xf32> {{
      %e = kan.base "sin" %x weights dense<{first.tolist()}> : tensor<{hidden}x{inputs}xf32>
        : tensor<{inputs}xf32> -> tensor<{hidden}x{inputs}xf32>
      %h = kan.node_sum %e as "layer0" : tensor<{hidden}x{inputs}xf32> -> tensor<{hidden}xf32>
      %f = kan.base "sin" %h weights dense<{second.tolist()}> : tensor<{outputs}x{hidden}xf32>
        : tensor<{hidden}xf32> -> tensor<{outputs}x{hidden}xf32>
      %y = kan.node_sum %f as "layer1" : tensor<{outputs}x{hidden}xf32> -> tensor<{outputs}xf32>
      func.return %y : tensor<{outputs}xf32>
    }}"""
    return Parser(make_context(), text).parse_module()


def sums(module: ModuleOp) -> list[NodeSumOp]:
    return [op for op in module.walk() if isinstance(op, NodeSumOp)]


def samples(seed: int, count: int, inputs: int) -> FloatArray:
    return np.random.default_rng(seed).uniform(-1.5, 1.5, (count, inputs))


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.booleans())
def test_outputs_are_those_of_the_edges_that_stay(seed: int, fine_tune: bool) -> None:
    """Masks from the IR; gains and biases by least squares of NumPy's."""
    rng = np.random.default_rng(seed)
    first = np.round(rng.normal(size=(2, 3)) ** 3, 3)
    second = np.round(rng.normal(size=(2, 2)) ** 3, 3)
    module = network(first, second)
    x = samples(seed, 80, 3)
    given_outputs = Model.of(module).run(x)
    with TemporaryDirectory() as folder:
        data = f"{folder}/data.npz"
        np.savez(data, x=x)
        stage = PrunePass(data, max_accuracy_loss=0.05, fine_tune=fine_tune)
        run_passes(Context(), module, [stage])
    masks = [op.mask_array for op in sums(module)]
    weights = [to_floats(op.weights) for op in module.walk() if isinstance(op, BaseOp)]
    held = np.random.default_rng(0).permutation(80)[:20]
    seen = np.setdiff1d(np.arange(80), held)
    wanted_input = now_input = x
    for weight, mask in zip(weights, masks, strict=True):
        wanted = np.sin(wanted_input) @ weight.T
        now = np.empty_like(wanted)
        for node, row in enumerate(mask):
            edges = (np.sin(now_input) * weight[node])[:, row]
            middle = edges[seen].mean(axis=0)
            gain = np.ones(row.sum())
            if fine_tune and row.any():
                centred = edges[seen] - middle
                target = wanted[seen, node] - wanted[seen, node].mean()
                # Ridge towards 1, as further rows of the least squares.
                ridge = np.sqrt(0.01 * (centred**2).sum(axis=0))
                rows = np.concatenate([centred, np.diag(ridge)])
                gain = np.linalg.lstsq(rows, np.concatenate([target, ridge]), rcond=None)[0]
            now[:, node] = wanted[seen, node].mean() + (edges - middle) @ gain
        wanted_input, now_input = wanted, now
    assert np.allclose(Model.of(module).run(x), now_input, atol=1e-5)
    for index in (slice(None), held):
        kept = score(now_input[index], None, given_outputs[index])
        assert kept >= 0.95 - 1e-6
    # With 1.645 standard errors more on those held out: of 20 samples, and of 20 others.
    spread = given_outputs[held].var(axis=0).mean()
    share = ((now_input - given_outputs)[held] ** 2).mean(axis=1) / spread
    error = 1.645 * np.sqrt((share**2).mean() * (1 / 20 + 1 / 20))
    pruned = not all(mask.all() for mask in masks)
    assert not pruned or share.mean() + error <= 0.05 + 1e-6
    # A node without readers has no edges.
    assert not masks[0][~masks[1].any(axis=0)].any()


def test_fewest_effect_first_and_fine_tuned(tmp_path: Path) -> None:
    first = np.array([[1.0, 0.02, 0.5], [0.7, -0.5, 0.01]])
    module = network(first, np.eye(2) + 0.005)
    np.savez(tmp_path / "data.npz", x=samples(1, 200, 3))
    run_passes(Context(), module, [PrunePass(str(tmp_path / "data.npz"), 0.02)])
    masks = [op.mask_array for op in sums(module)]
    assert np.array_equal(masks[0], [[1, 0, 1], [1, 1, 0]])
    assert np.array_equal(masks[1], np.eye(2))


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.6])
def test_threshold(tmp_path: Path, threshold: float) -> None:
    """Edges that vary by less than a share of the layer's most varying one."""
    first = np.array([[1.0, 0.05, 0.5], [0.7, -0.5, 0.01]])
    module = network(first, np.ones((1, 2)))
    x = samples(2, 400, 3)
    np.savez(tmp_path / "data.npz", x=x)
    run_passes(Context(), module, [PrunePass(str(tmp_path / "data.npz"), threshold=threshold)])
    spread = np.abs(first) * np.sin(x).std(axis=0)
    assert np.array_equal(sums(module)[0].mask_array, spread >= threshold * spread.max())


def test_what_reads_a_node_without_edges_goes(tmp_path: Path) -> None:
    """It is constant, however much it was before."""
    module = network(np.array([[1.0, 0.5], [0.001, 0.001]]), np.array([[1.0, 500.0]]))
    x = samples(7, 200, 2)
    np.savez(tmp_path / "data.npz", x=x)
    run_passes(Context(), module, [PrunePass(str(tmp_path / "data.npz"), threshold=0.1)])
    masks = [op.mask_array for op in sums(module)]
    assert np.array_equal(masks[0], [[1, 1], [0, 0]])
    assert np.array_equal(masks[1], [[1, 0]])


def test_held_out_samples_do_not_order_edges(tmp_path: Path) -> None:
    """Where only they show that an edge varies, it goes."""
    module = network(np.array([[1.0, 0.05]]), np.ones((1, 1)))
    x = samples(6, 200, 2)
    held = np.random.default_rng(0).permutation(200)[:50]
    seen = np.setdiff1d(np.arange(200), held)
    x[seen, 1] = 0.0
    x[held, 0] = 0.0
    np.savez(tmp_path / "data.npz", x=x)
    run_passes(Context(), module, [PrunePass(str(tmp_path / "data.npz"), threshold=0.02)])
    assert np.array_equal(sums(module)[0].mask_array, [[1, 0]])


def test_tables_are_rounded_again(tmp_path: Path) -> None:
    """At table level too, and the accuracy stays within the budget, by the codes."""
    rng = np.random.default_rng(5)
    module = network(
        np.round(rng.normal(size=(3, 4)) ** 3, 3), np.round(rng.normal(size=(3, 3)), 3)
    )
    x = samples(3, 300, 4)
    labels = Model.of(module).run(x).argmax(axis=1)
    np.savez(tmp_path / "data.npz", x=x, y=labels)
    data = str(tmp_path / "data.npz")
    stages = [CalibratePass(data), QuantizePass(bits=5), FoldTablesPass()]
    run_passes(Context(), module, stages)
    before = Model.of(module).run(x)
    edges = sum(int(op.mask_array.sum()) for op in sums(module))
    run_passes(Context(), module, [PrunePass(data, max_accuracy_loss=0.03)])
    after = Model.of(module).run(x)
    assert sum(int(op.mask_array.sum()) for op in sums(module)) < edges
    was, now = score(before, labels, before), score(after, labels, before)
    assert was - now <= 0.03 + 1e-9


def test_a_broken_budget_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = network(np.array([[1.0, 0.5]]), np.ones((1, 1)))
    np.savez(tmp_path / "data.npz", x=samples(4, 100, 2))

    def all_edges(self: EdgeSearch, order: list[Edge], *_: object) -> list[Edge]:
        return order

    monkeypatch.setattr(EdgeSearch, "most_within", all_edges)
    with pytest.raises(KanError, match=r"a loss of at most 0.005 was allowed"):
        run_passes(Context(), module, [PrunePass(str(tmp_path / "data.npz"))])


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(KanError, match="max-accuracy-loss must be at least 0 and below 1"):
        PrunePass("d.npz", max_accuracy_loss=1.0)
    with pytest.raises(KanError, match="threshold must lie in"):
        PrunePass("d.npz", threshold=-1.0)
    with pytest.raises(KanError, match="max-accuracy-loss has no meaning with threshold"):
        PrunePass("d.npz", max_accuracy_loss=0.1, threshold=0.5)
    module = network(np.ones((1, 2)), np.ones((1, 1)))
    np.savez(tmp_path / "odd.npz", x=np.zeros((9, 2)), y=np.arange(18.0).reshape(9, 2))
    with pytest.raises(KanError, match="2 targets a sample, the network has 1 output"):
        PrunePass(str(tmp_path / "odd.npz")).apply(Context(), module)
    np.savez(tmp_path / "few.npz", x=np.zeros((2, 2)))
    with pytest.raises(KanError, match="2 samples are too few"):
        PrunePass(str(tmp_path / "few.npz")).apply(Context(), module)
