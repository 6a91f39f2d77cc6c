"""`quantizers.json`: what it says, what is refused of it, and training with it in PyTorch."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.checking import Checker, run_passes
from kan_dialect.cli.loading import load_model, make_context
from kan_dialect.constants import Array, FloatArray, IntArray
from kan_dialect.errors import KanError
from kan_dialect.flows.build import BuildOptions, build
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.quantizers_target import QuantizersTarget
from kan_dialect.model import Model
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.passes.share_shapes import ShareShapesPass
from kan_dialect.quantizers import read_quantizers
from kan_dialect.semantics import evaluate_values, find_function
from kan_dialect.spline_ops import NodeSumOp

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def quantized(model: Path, data: Path, **options: Any) -> ModuleOp:
    module = load_model(make_context(), model)
    calibrate = CalibratePass(str(data))
    run_passes(make_context(), module, [FoldAffinePass(), calibrate, QuantizePass(**options)])
    return module


def written(module: ModuleOp) -> str:
    output = io.StringIO()
    QuantizersTarget().emit(Context(), module, output)
    return output.getvalue()


def integers(entries: dict[str, Any], model: Path, x: FloatArray) -> IntArray:
    """Sums of the last layer, by the JSON and the edge functions of floats alone.

    Parameters
    ----------
    x : (samples, in); a chain of layers reads it.
    """
    function = find_function(load_model(make_context(), model))
    ops = list(function.body.block.ops)
    sums = [op for op in ops if isinstance(op, NodeSumOp)]

    def codes_of(entry: dict[str, Any], steps: Array) -> Array:
        zero, low, high = (np.array(entry[key]) for key in ("zero_point", "low", "high"))
        codes = np.clip(np.rint(steps) + zero, low, high)
        return (codes - zero) * np.array(entry["scale"])

    (given,) = entries["inputs"]
    x = x * np.array(given["gain"]) + np.array(given["offset"])
    value = codes_of(given, x / np.array(given["scale"]))
    source, total = function.args[0], np.empty(0)
    for op, layer in zip(sums, entries["layers"], strict=True):
        (edges,) = evaluate_values([op.edges], {source: value}, ops=ops)
        scale = np.broadcast_to(layer["edges"]["scale"], len(layer["edges"]["kept"]))
        rounded = np.rint(edges / scale[:, np.newaxis]) * np.array(layer["edges"]["kept"])
        total = rounded.sum(axis=-1) + np.array(layer["edges"]["bias"])
        inside = np.array(layer["edges"]["low"]) <= rounded
        assert (inside & (rounded <= np.array(layer["edges"]["high"]))).all()
        source = op.result
        value = codes_of(layer["nodes"], total / 2.0 ** np.array(layer["nodes"]["shift"]))
        assert layer["nodes"]["saturates"] == (op is not sums[-1])
    return total.astype(np.int64)


@pytest.mark.parametrize("name", ["wine", "digits"])
@pytest.mark.parametrize("guard_bits", [0, 2])
def test_a_reader_of_the_file_computes_the_same_integers(name: str, guard_bits: int) -> None:
    model, data = EXAMPLES / f"{name}.onnx", EXAMPLES / f"{name}.npz"
    module = quantized(model, data, bits=(3, 4, 5), guard_bits=guard_bits)
    x = np.load(data)["x_test"].astype(np.float64)
    scale = np.float64(json.loads(written(module))["layers"][-1]["edges"]["scale"])
    expected = np.rint(Model.of(module).run(x) / scale).astype(np.int64)
    np.testing.assert_array_equal(integers(json.loads(written(module)), model, x), expected)


def test_tables_tell_narrower_ranges_and_no_grids(tmp_path: Path) -> None:
    module = quantized(EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz", bits=3)
    before = json.loads(written(module))
    FoldTablesPass().apply(Context(), module)
    after = json.loads(written(module))
    assert [grid["degree"] for layer in before["layers"] for grid in layer["splines"]] == [3, 3]
    assert [len(layer["splines"]) for layer in after["layers"]] == [0, 0]
    for name in ("scale", "kept", "bias"):
        mine, its = ([e["edges"][name] for e in each["layers"]] for each in (before, after))
        assert mine == its
    path = tmp_path / "quantizers.json"
    path.write_text(json.dumps(before))
    grids = read_quantizers(path)
    path.write_text(json.dumps(after))
    both = read_quantizers(path).with_splines_of(grids)
    assert [[grid.degree for grid in layer.splines] for layer in both.layers] == [[3], [3]]


Edit = Callable[[dict[str, Any]], object]

EDITS: list[tuple[Edit, str]] = [
    (lambda e: e.update(format=2), "is of format 2, not 1"),
    (lambda e: e.pop("layers"), "layers is missing"),
    (lambda e: e.update(layers={}), "layers is no list"),
    (lambda e: e.update(name=3), "name is no text"),
    (lambda e: e["layers"][0].pop("nodes"), r"layers\[0\].nodes is missing"),
    (lambda e: e["layers"][0]["edges"].update(scale=0.0), r"edges.scale must be greater than 0"),
    (lambda e: e["layers"][0]["edges"].update(scale=[1.0]), r"must have shape \(4,\) or \(\)"),
    (lambda e: e["layers"][0]["edges"].update(kept=[[True]]), "a row for each of 4 nodes"),
    (lambda e: e["layers"][0]["edges"].update(kept=[[True], []]), "no array of true and false"),
    (lambda e: e["layers"][0]["nodes"].update(saturates=1), "neither true nor false"),
    (lambda e: e["layers"][0]["nodes"].update(low=[9] * 4), "nodes.high is less than `low`"),
    (lambda e: e["layers"][0]["nodes"].update(low=[]), "is no list of codes"),
    (lambda e: e["layers"][0]["nodes"].update(scale=["a"] * 4), "scale is no array of numbers"),
    (lambda e: e["inputs"][0].update(high=[1 << 40] * 13), "needs more than 32 bits"),
    (lambda e: e["inputs"][0].update(zero_point=[1.5] * 13), "is no array of whole numbers"),
    (lambda e: e["inputs"][0].update(zero_point=1 << 63), "zero_point"),
    (lambda e: e["inputs"][0].update(gain=[float("inf")] * 13), "gain is not finite"),
    (lambda e: e["inputs"].append(e["inputs"][0]), "2 inputs and 2 layers, @wine has 1 and 2"),
    (lambda e: e["layers"].pop(), "1 inputs and 1 layers, @wine has 1 and 2"),
    (lambda e: e["layers"][0]["nodes"].update(shift=[1] * 4), "shift does not fit the scales"),
    (lambda e: e["layers"].reverse(), "its layer1 is 3 x 4, that of @wine is 4 x 13"),
    (lambda e: e["layers"][0]["nodes"].update(saturates=False), "other layers read them"),
]


@pytest.mark.parametrize(("edit", "message"), EDITS, ids=[text for _, text in EDITS])
def test_what_is_no_such_file_is_refused(edit: Edit, message: str, tmp_path: Path) -> None:
    module = load_model(make_context(), EXAMPLES / "wine.onnx")
    entries = json.loads(written(quantized(EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz", bits=3)))
    edit(entries)
    path = tmp_path / "quantizers.json"
    path.write_text(json.dumps(entries))
    with pytest.raises(KanError, match=message):
        QuantizePass(quantizers=str(path)).apply(Context(), module)


def test_no_file_and_options_beside_it(tmp_path: Path) -> None:
    module = load_model(make_context(), EXAMPLES / "wine.onnx")
    with pytest.raises(KanError, match=r"cannot read .*none\.json: No such file"):
        QuantizePass(quantizers=str(tmp_path / "none.json")).apply(Context(), module)
    (tmp_path / "text.json").write_text("{")
    with pytest.raises(KanError, match=r"cannot read .*text\.json: Expecting property name"):
        QuantizePass(quantizers=str(tmp_path / "text.json")).apply(Context(), module)
    with pytest.raises(KanError, match="bits has no meaning beside quantizers"):
        QuantizePass(bits=4, quantizers="q.json")
    with pytest.raises(KanError, match="expected one function with quantisers, found 0"):
        written(module)


def test_the_check_of_passes_knows_what_was_given(tmp_path: Path) -> None:
    """The pass takes other scales than the file has by the time of the check."""
    path = tmp_path / "quantizers.json"
    module = quantized(EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz", bits=3)
    for place in ("inputs", "layers"):
        entries = json.loads(written(module))
        path.write_text(json.dumps(entries))
        stage = QuantizePass(quantizers=str(path))
        before = load_model(make_context(), EXAMPLES / "wine.onnx")
        after = before.clone()
        stage.apply(Context(), after)
        assert Checker().check(stage, before, after).failed is None
        scales = entries["inputs"][0] if place == "inputs" else entries["layers"][0]["nodes"]
        scales["zero_point"][0] += 1
        path.write_text(json.dumps(entries))
        with pytest.raises(KanError, match="other codes than were given"):
            Checker().check(stage, before, after).require_passed()


def test_a_build_writes_what_its_table_level_says(tmp_path: Path) -> None:
    """With the grids that folded tables no longer tell; and none where no table level was seen."""
    stages = CompilePass(data=str(EXAMPLES / "wine.npz"), bits=3, fast=True).passes()
    share = ShareShapesPass(shapes=2, up_to="gain")
    module = load_model(make_context(), EXAMPLES / "wine.onnx")
    options = BuildOptions([*stages[:2], share, *stages[2:]], simulator=None, check_passes=False)
    report = build(make_context(), module, tmp_path, options).as_dict()
    assert report["shapes"]["shapes"] == 2 and report["shapes"]["edges"] == 64
    module = load_model(make_context(), EXAMPLES / "wine.onnx")
    options = BuildOptions(stages, simulator=None, check_passes=False)
    assert "shapes" not in build(make_context(), module, tmp_path, options).as_dict()
    entries = json.loads((tmp_path / "quantizers.json").read_text())
    chosen = json.loads(written(quantized(EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz", bits=3)))
    assert entries["inputs"] == chosen["inputs"]
    for mine, its in zip(entries["layers"], chosen["layers"], strict=True):
        assert mine["splines"] == its["splines"] != []
        assert mine["nodes"]["scale"] == its["nodes"]["scale"]
    wires = load_model(make_context(), tmp_path / "ir" / "05-kan-expand-wires.mlir")
    options = BuildOptions(stages[5:], simulator=None, check_passes=False)
    build(make_context(), wires, tmp_path, options)
    assert (tmp_path / "report.json").exists()
    assert not (tmp_path / "quantizers.json").exists()


@pytest.fixture
def training(torch: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example, and the layers beside it."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("sklearn")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import train_quantized  # pyright: ignore[reportMissingImports] (found by way of the line above)

    yield train_quantized
    for name in ("train_quantized", "train_wine", "train_digits", "kan_layers"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_what_was_trained_comes_back_with_the_same_integers(
    training: Any, dynamo: bool, batch_norm: bool, tmp_path: Path
) -> None:
    import torch
    from kan_layers import Kan, KanLayer, export  # pyright: ignore

    torch.manual_seed(7)
    rng = np.random.default_rng(7)
    x = rng.normal(size=(300, 5)).astype(np.float32)
    y = (np.sin(2 * x[:, 0]) + x[:, 1] ** 2 - x[:, 2] > 0.5).astype(np.int64)
    data = tmp_path / "data.npz"
    np.savez(data, x=x, y=y)
    spline = {"domain": (-3.0, 3.0), "bias": True}
    model = Kan(KanLayer(5, 4, batch_norm=batch_norm, **spline), KanLayer(4, 2, **spline))
    if batch_norm:
        model[0].norm.running_mean += 0.3
        model[0].norm.running_var *= 1.7
    first = tmp_path / "net.onnx"
    export(model, torch.from_numpy(x[:2]), first, opset=18, dynamo=dynamo)
    # With guard bits, halves to round are common.
    chosen = quantized(first, data, bits=(4, 3, 5), guard_bits=1)
    entries = json.loads(written(chosen))
    path = tmp_path / "quantizers.json"
    path.write_text(json.dumps(entries))
    network = training.QuantizedKan(model, entries)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    before = training.accuracy(network, inputs, labels)
    training.train(network, inputs, labels, epochs=15, learning_rate=0.02)
    exported = training.round_to_float32(network)
    after = training.accuracy(network, inputs, labels)
    assert after > before + 0.1
    # Codes of the data, and any codes at all.
    (given,) = entries["inputs"]
    codes = rng.integers(given["low"], np.array(given["high"]) + 1, (2000, 5))
    anything = (codes - np.array(given["zero_point"])) * np.array(given["scale"])
    reals = np.concatenate([x.astype(np.float64), anything])
    with torch.no_grad():
        trained = network.sums(torch.from_numpy(reals)).numpy()
    export(exported.float(), inputs[:2], tmp_path / "net.onnx", opset=18, dynamo=dynamo)

    module = load_model(make_context(), tmp_path / "net.onnx")
    for stage in CompilePass(quantizers=str(path)).passes():
        run_passes(make_context(), module, [stage], Checker(count=100))
        compiled = Model.of(module)
        if compiled.has_codes:
            scale = np.float64(entries["layers"][-1]["edges"]["scale"])
            got = np.rint(compiled.run(reals) / scale)
            np.testing.assert_array_equal(got, trained, stage.name)
    assert Model.of(module).level == "hardware"
    labels_of = compiled.run(x.astype(np.float64)).argmax(axis=1)
    assert (labels_of == y).mean() == pytest.approx(after)


def test_quantisers_of_another_network_are_refused(training: Any) -> None:
    entries = json.loads(written(quantized(EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz", bits=3)))
    with pytest.raises(ValueError, match="the quantisers are of another network"):
        training.QuantizedKan(training.train_digits.build_model(), entries)
