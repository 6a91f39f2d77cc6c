"""Builds and comparisons are measured by the file's own outputs, not by those of the import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # pyright: ignore[reportMissingTypeStubs] (it has none)
import pytest
from commands import exit_code
from onnx import helper

from kan_dialect.cli import kan_flow, kan_run
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.report import read_report
from kan_dialect.frontends.frontend import ImportOptions, original_of
from kan_dialect.frontends.onnx.load import load_onnx
from onnx_windows import DENSE, F32, SENTINEL, WEIGHTS, Node, assert_follows, save

RNG = np.random.default_rng(3)
ENGINE = f"ONNX Runtime {onnxruntime.__version__}"  # pyright: ignore[reportUnknownMemberType] (it has no types)


@pytest.fixture(name="wrong_import")
def _wrong_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports are 100 off, and nothing notices."""
    from kan_dialect.model.model import Model

    real = Model.run
    monkeypatch.setattr(
        Model,
        "run",
        lambda self, x: real(self, x) + 100 * (self.level == "spline"),  # pyright: ignore (a test's)
    )


def code_of(run: Any, *arguments: str) -> int:
    return exit_code(run, *arguments)


@pytest.mark.usefixtures("wrong_import")
def test_float_accuracy_is_the_file_s(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [*SENTINEL, DENSE], t=-999.0, k=0.7, W=WEIGHTS)
    x = RNG.uniform(0, 4, (60, 2))
    x[::4, 0] = -999.0
    session = onnxruntime.InferenceSession(str(path))  # pyright: ignore (it has no types)
    y: Any = session.run(None, {"x": x.astype(F32)})[0]  # pyright: ignore (it has no types)
    np.savez(tmp_path / "x.npz", x=x, y=y.argmax(axis=1))
    out = tmp_path / "out"
    options = ["-o", str(out), "--calibration", str(tmp_path / "x.npz")]
    more = ["--simulator", "none", "--vectors", "10", "--fast", "--no-check-passes"]
    more += ["--certificate", "never"]
    assert code_of(kan_flow.main, "build", str(path), *options, *more) == 0
    report = read_report(out / "report.json")
    assert report["accuracy"]["float"] == 1.0
    assert report["float_engine"] == ENGINE
    assert report["max_abs_error"] < 1.0


@pytest.mark.usefixtures("wrong_import")
def test_against_a_file_is_its_runtime(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "m.onnx", [*SENTINEL, DENSE], t=-999.0, k=0.7, W=WEIGHTS)
    x = np.array([[1.0, 2.0], [-999.0, 2.0]])
    np.save(tmp_path / "x.npy", x)
    arguments = [str(path), "--inputs", str(tmp_path / "x.npy"), "--against", str(path)]
    assert code_of(kan_run.main, *arguments) == 0
    told = capsys.readouterr().out
    assert f"({ENGINE}): 2 of 2 samples differ, largest difference 100, mean 100" in told


def test_original_of_a_file_for_one_sample(tmp_path: Path) -> None:
    """Its batch is 1, or open and fixed by a reshape."""
    nodes: list[Node] = [("MatMul", ["x", "W"], "h"), ("Tanh", ["h"], "y")]
    path = save(tmp_path / "m.onnx", nodes, W=WEIGHTS)
    model = onnx.load(path)  # pyright: ignore[reportUnknownMemberType] (it has no types)
    x = RNG.normal(size=(5, 2))
    original = original_of(path)
    assert original is not None
    expected = original.run(x)
    model.graph.node[0].input[0] = "r"
    model.graph.node.insert(0, helper.make_node("Reshape", ["x", "one"], ["r"], "r"))
    shape = helper.make_tensor("one", onnx.TensorProto.INT64, [2], [1, 2])
    model.graph.initializer.append(shape)
    onnx.save(model, path)  # pyright: ignore[reportUnknownMemberType] (it has no types)
    reshaped = original_of(path)
    assert reshaped is not None
    np.testing.assert_allclose(reshaped.run(x), expected, rtol=1e-6)


def test_original_up_to_the_head(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx", [("MatMul", ["x", "W"], "h"), ("Softmax", ["h"], "y")], W=WEIGHTS
    )
    x = RNG.normal(size=(5, 2)).astype(F32).astype(np.float64)
    with pytest.raises(KanError, match="--strip-head"):
        original_of(path)
    original = original_of(path, ImportOptions(strip_head=True))
    assert original is not None
    np.testing.assert_allclose(original.run(x), x @ WEIGHTS, rtol=1e-5, atol=1e-6)


@pytest.mark.torch
def test_original_of_a_module() -> None:
    torch: Any = pytest.importorskip("torch")
    from kan_dialect.frontends.torch_module import module_original

    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Dropout(), torch.nn.Tanh())
    x = RNG.normal(size=(600, 2))
    found = module_original(model)
    assert found.engine == f"PyTorch {torch.__version__}"
    with torch.no_grad():
        expected = torch.tanh(model[0](torch.tensor(x, dtype=torch.float32)))
    np.testing.assert_allclose(found.run(x), expected.double().numpy(), rtol=1e-6)
    assert model.training


# Skip connections around an affine of the inputs

AFFINE: list[Node] = [("Mul", ["x", "a"], "s"), ("Add", ["s", "b"], "z")]


@pytest.mark.parametrize("skipped", ["x", "z"])
@pytest.mark.parametrize(
    "layer",
    [
        [("MatMul", ["z", "W"], "h")],
        [("Tanh", ["z"], "u"), ("MatMul", ["u", "W"], "h")],
        [("Atan", ["z"], "u"), ("MatMul", ["u", "W"], "h")],
        [("MatMul", ["z", "W"], "g"), ("Relu", ["g"], "u"), ("MatMul", ["u", "W"], "h")],
    ],
    ids=["dense", "tanh", "atan", "two layers"],
)
def test_skip_around_an_affine_of_the_inputs(
    tmp_path: Path, layer: list[Node], skipped: str
) -> None:
    nodes = [*AFFINE, *layer, ("Add", ["h", skipped], "y")]
    path = save(tmp_path / "m.onnx", nodes, a=[2.0, 0.5], b=[1.0, -1.0], W=WEIGHTS)
    x = RNG.normal(size=(40, 2)).astype(F32).astype(np.float64)
    text = assert_follows(path, x)
    if skipped == "x" and len(layer) < 3:
        assert text.count("kan.node_sum") == 1  # Edges of an input add up.


# One message


def test_argmax_over_the_batch_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [("MatMul", ["x", "W"], "y")], W=WEIGHTS)
    model = onnx.load(path)  # pyright: ignore[reportUnknownMemberType] (it has no types)
    model.graph.node.append(helper.make_node("ArgMax", ["y"], ["class"], "largest", axis=0))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("class", 7, None))
    onnx.save(model, path)  # pyright: ignore[reportUnknownMemberType] (it has no types)
    with pytest.raises(KanError, match=r"'largest' \(ArgMax\): it compares the samples of a batch"):
        load_onnx(path, ImportOptions(strip_head=True))


@pytest.mark.parametrize("old", [b"branches", b"MatMul"])
def test_name_that_is_not_utf8(tmp_path: Path, old: bytes) -> None:
    path = save(tmp_path / "m.onnx", [("MatMul", ["x", "W"], "y")], W=WEIGHTS)
    path.write_bytes(path.read_bytes().replace(old, b"\xb0" + old[1:]))
    with pytest.raises(KanError, match=r"m\.onnx: a name in the file is not UTF-8"):
        load_onnx(path)


@pytest.mark.parametrize("labels", [["cat", "dog"], [b"a", b"b"]])
def test_labels_of_text_are_refused(tmp_path: Path, labels: list[Any], capsys: Any) -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    if isinstance(labels[0], bytes):
        np.savez(tmp_path / "x.npz", x=x, y=np.array(labels))
        with pytest.raises(KanError, match="`y` holds text, not numbers; number the classes"):
            load_dataset(tmp_path / "x.npz")
    path = save(tmp_path / "m.onnx", [("MatMul", ["x", "W"], "y")], W=WEIGHTS)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "labels.npy", np.array(labels))
    arguments = ["--inputs", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "labels.npy")]
    assert code_of(kan_run.main, str(path), *arguments) == 1
    captured = capsys.readouterr()
    assert "accuracy" not in captured.out
    assert "labels.npy holds text, not numbers" in captured.err
