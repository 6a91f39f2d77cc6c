"""`quantizers.json`: what it says, what is refused of it, and training with it in PyTorch."""

from __future__ import annotations

import copy
import io
import json
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.checking import Checker, run_passes
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_values, find_function
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.build import build
from kan_dialect.flows.build_options import BuildOptions
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.targets.quantizers import QuantizersTarget
from kan_dialect.model.model import Model
from kan_dialect.model.quantizer_json import read_quantizers
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.passbase.record import PIPELINE_ATTRIBUTE
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.passes.share_shapes import ShareShapesPass
from repository import EXAMPLES, ROOT


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
    (lambda e: e.update(format=2), "has format 2, expected 1"),
    (lambda e: e.pop("layers"), "layers is missing"),
    (lambda e: e.update(layers={}), "layers must be a list"),
    (lambda e: e.update(name=3), "name must be text"),
    (lambda e: e["layers"][0].pop("nodes"), r"layers\[0\].nodes is missing"),
    (lambda e: e["layers"][0]["edges"].update(scale=0.0), r"edges.scale must be greater than 0"),
    (lambda e: e["layers"][0]["edges"].update(scale=[1.0]), r"must have shape \(4,\) or \(\)"),
    (lambda e: e["layers"][0]["edges"].update(kept=[[True]]), "a row for each of 4 nodes"),
    (
        lambda e: e["layers"][0]["edges"].update(kept=[[True], []]),
        "must be an array of true and false",
    ),
    (lambda e: e["layers"][0]["nodes"].update(saturates=1), "must be true or false"),
    (
        lambda e: e["layers"][0]["nodes"].update(low=[9] * 4),
        "high must not be less than `low`",
    ),
    (lambda e: e["layers"][0]["nodes"].update(low=[]), "must be a list of codes"),
    (
        lambda e: e["layers"][0]["nodes"].update(scale=["a"] * 4),
        "must be an array of numbers",
    ),
    (lambda e: e["inputs"][0].update(high=[1 << 40] * 13), "needs more than 32 bits"),
    (lambda e: e["inputs"][0].update(zero_point=[1.5] * 13), "must be an array of whole numbers"),
    (lambda e: e["inputs"][0].update(zero_point=1 << 63), "zero_point"),
    (lambda e: e["inputs"][0].update(gain=[float("inf")] * 13), "gain must be finite"),
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


# Every field is honoured or refused.

SMALL = ROOT / "tests" / "filecheck" / "lowering" / "quantizers.mlir"
"""A network with pruned edges, a concatenation, B-splines and a layer without edges."""


def requantized(model: Path, entries: dict[str, Any], folder: Path) -> ModuleOp:
    """The network with the quantisers of a file."""
    path = folder / "quantizers.json"
    path.write_text(json.dumps(entries))
    module = imported(model).clone()
    QuantizePass(quantizers=str(path)).apply(Context(), module)
    module.verify()
    return module


@cache
def imported(model: Path) -> ModuleOp:
    return load_model(make_context(), model)


Place = tuple[str | int, ...]


def places(value: object, where: Place = ()) -> Iterator[Place]:
    """Where a number, a truth value or a text stands; of lists, the first two elements."""
    if isinstance(value, dict):
        for key, each in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from places(each, (*where, key))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for index, each in enumerate(value[:2]):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield from places(each, (*where, index))  # pyright: ignore[reportUnknownArgumentType]
    else:
        yield where


def at(entries: Any, place: Place) -> Any:
    for key in place:
        entries = entries[key]
    return entries


def edited(value: Any) -> list[Any]:
    """Other values of the same kind."""
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, value * 2 if value else -1]
        case _:
            return [f"{value}2"]


@pytest.fixture(scope="module")
def chosen() -> tuple[Path, dict[str, Any]]:
    """A model, and the quantisers that were chosen for it."""
    module = load_model(make_context(), SMALL)
    QuantizePass(bits=2, scale="minmax", guard_bits=1).apply(Context(), module)
    return SMALL, json.loads(written(module))


def test_every_field_is_honoured_or_refused(
    chosen: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    model, entries = chosen
    assert json.loads(written(requantized(model, entries, tmp_path))) == entries
    honoured, refused = set[str](), set[str]()
    for place in places(entries):
        for value in edited(at(entries, place)):
            other = copy.deepcopy(entries)
            at(other, place[:-1])[place[-1]] = value
            names = [key for key in place if isinstance(key, str)]
            try:
                module = requantized(model, other, tmp_path)
            except KanError as error:
                assert "quantizers.json" in str(error) and error.remedy, place
                refused.add(".".join(names[-2:]))
                continue
            found = at(json.loads(written(module)), place)
            # Of an edge that is not kept, 0 bits or those of code 0.
            assert found == value or (names[-1], found, value) == ("bits", 0, 1), place
            honoured.add(".".join(names[-2:]))
    fields = {"inputs.gain", "inputs.offset", "inputs.scale", "inputs.zero_point", "edges.kept"}
    assert fields | {"nodes.zero_point"} <= honoured
    follow = {"name", "layers.name", "layers.reads", "edges.low", "edges.high", "edges.bias"}
    bits = {"inputs.bits", "edges.bits", "nodes.bits"}
    assert follow | bits | {"splines.degree", "splines.knots", "digest"} <= refused
    assert not (follow | bits - {"edges.bits"}) & honoured


def test_fields_that_nothing_reads_are_refused(
    chosen: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    model, entries = chosen
    for place in {place[:-1] for place in places(entries)}:
        if isinstance(at(entries, place), dict):
            other = copy.deepcopy(entries)
            at(other, place)["zeropoint"] = 0
            with pytest.raises(KanError, match="zeropoint is not a field"):
                requantized(model, other, tmp_path)
    path = tmp_path / "quantizers.json"
    path.write_text(json.dumps(entries).replace('"kept"', '"scale": 1.0, "kept"', 1))
    with pytest.raises(KanError, match="the key 'scale' is given twice in an object"):
        read_quantizers(path)


def test_low_and_high_are_edited_with_their_bits(
    chosen: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    model, entries = chosen
    other = copy.deepcopy(entries)
    codes = other["layers"][0]["nodes"]
    codes["high"][0], codes["low"][0] = 1, 0
    with pytest.raises(KanError, match=r"nodes\.bits\[0\] is \d, but codes 0\.\.1 need 1"):
        requantized(model, other, tmp_path)
    codes["bits"][0] = 1
    assert json.loads(written(requantized(model, other, tmp_path)))["layers"][0]["nodes"] == codes
    # A file of hand, which says neither bits nor a digest.
    del codes["bits"], other["digest"]
    for each in (*other["inputs"], *(layer.get("edges", {}) for layer in other["layers"])):
        each.pop("bits", None)
    codes = json.loads(written(requantized(model, other, tmp_path)))["layers"][0]["nodes"]
    assert (codes["low"][0], codes["high"][0], codes["bits"][0]) == (0, 1, 1)


def test_scales_of_edges_and_nodes_go_together(
    chosen: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    model, entries = chosen
    other = copy.deepcopy(entries)
    layer = other["layers"][0]
    nodes = len(layer["edges"]["kept"])
    scale = np.broadcast_to(layer["edges"]["scale"], nodes) * np.arange(1, nodes + 1)
    layer["edges"]["scale"] = scale.tolist()
    with pytest.raises(KanError, match="shift does not fit the scales"):
        requantized(model, other, tmp_path)
    layer["nodes"]["scale"] = (scale * np.exp2(layer["nodes"]["shift"])).tolist()
    found = json.loads(written(requantized(model, other, tmp_path)))["layers"][0]
    assert found["edges"]["scale"] == layer["edges"]["scale"]
    assert found["nodes"]["scale"] == layer["nodes"]["scale"]
    # Edges have a scale each, their nodes one that all share.
    last = other["layers"][1]
    last["nodes"]["scale"] = last["nodes"]["scale"][0]
    found = json.loads(written(requantized(model, other, tmp_path)))["layers"][1]
    assert found["edges"]["scale"] == last["edges"]["scale"]
    assert found["nodes"]["scale"] == [last["nodes"]["scale"]]


def test_gain_and_offset_are_the_hosts(tmp_path: Path) -> None:
    """Codes, hardware and the figures of the report are those of x * gain + offset."""
    model, data = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"
    plain = quantized(model, data, bits=3)
    entries = json.loads(written(plain))
    rng = np.random.default_rng(2)
    gain, offset = rng.uniform(0.5, 2, 13), rng.uniform(-1, 1, 13)
    entries["inputs"][0].update(gain=gain.tolist(), offset=offset.tolist())
    module = requantized(model, entries, tmp_path)
    arrays = np.load(data)
    x = arrays["x_test"].astype(np.float64)
    expected = Model.of(plain).run(x)
    raw: FloatArray = (x - offset) / gain
    np.testing.assert_allclose(Model.of(module).run(np.asarray(raw)), expected)
    np.savez(tmp_path / "raw.npz", x=(arrays["x_train"] - offset) / gain, x_test=raw)
    path = tmp_path / "quantizers.json"
    stages = CompilePass(data=str(tmp_path / "raw.npz"), quantizers=str(path), fast=True).passes()
    dataset = load_dataset(tmp_path / "raw.npz")
    options = BuildOptions(stages, dataset=dataset, simulator=None)
    report = build(make_context(), load_model(make_context(), model), tmp_path / "out", options)
    built = json.loads((tmp_path / "out" / "quantizers.json").read_text())
    assert built["inputs"][0]["gain"] == gain.tolist()
    floats = Model.of(load_model(make_context(), model)).run(x)
    assert report.max_abs_error == pytest.approx(np.abs(floats - expected).max())


def test_edges_that_are_not_kept_are_left_out(tmp_path: Path) -> None:
    entries = json.loads(written(quantized(EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz", bits=3)))
    entries["layers"][0]["edges"]["kept"][2] = [False] * 13
    module = requantized(EXAMPLES / "wine.onnx", entries, tmp_path)
    x = np.load(EXAMPLES / "wine.npz")["x_test"].astype(np.float64)
    scale = np.float64(entries["layers"][-1]["edges"]["scale"])
    got = np.rint(Model.of(module).run(x) / scale)
    # The bounds of edges that are not kept say nothing.
    for name in ("low", "high"):
        entries["layers"][0]["edges"][name][2] = [0] * 13
    np.testing.assert_array_equal(got, integers(entries, EXAMPLES / "wine.onnx", x))


def test_a_quantised_model_refuses_other_quantisers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = quantized(EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz", bits=3)
    path = tmp_path / "quantizers.json"
    path.write_text(written(module))
    again = QuantizePass(quantizers=str(path)).resuming()
    again.apply(Context(), module)
    entries = json.loads(path.read_text())
    entries["inputs"][0]["gain"][0] = 2.0
    path.write_text(json.dumps(entries))
    with pytest.raises(KanError, match=r"@wine is quantised already, not as .* another gain"):
        again.apply(Context(), module)
    for stage in CompilePass(bits=3).passes()[2:5]:
        stage.apply(Context(), module)
    assert not caplog.messages
    again.apply(Context(), module)
    assert caplog.messages == [f"{path} is not read: the model is quantised already"]
    del module.attributes[PIPELINE_ATTRIBUTE]
    with pytest.raises(KanError, match="has no meaning for a model that is quantised already"):
        QuantizePass(quantizers=str(path)).resuming().apply(Context(), module)


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
