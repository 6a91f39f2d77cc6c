"""What a build counts and warns of: saturation, lost accuracy, heads, labels, constants."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.context import Context

from kan_dialect.cli import kan_flow, kan_run
from kan_dialect.files.atomic import write_arrays
from kan_dialect.files.data_sets import Errors
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.model.model import Model
from kan_dialect.model.saturation import count_saturations, saturating_samples
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.narrow import NarrowPass
from small_networks import build, model, square


def warnings(report: dict[str, Any]) -> list[str]:
    """All but that nothing was simulated."""
    return [text for text in report["warnings"] if "not simulated" not in text]


def test_counts_of_ports_and_nodes() -> None:
    """Against sums in Python; and the same of tables as of wires, whoever has taken the clamps."""
    kind = UniformQuantizedType(3, True, 0.5, 0)
    rng = np.random.default_rng(1)
    first, last = rng.integers(-3, 4, (3, 2, 8)), rng.integers(-3, 4, (1, 3, 8))
    net = TableNetwork("net", kind, 2).add_layer(first, saturate=(-4, 3)).add_layer(last)
    module = net.module()
    x = rng.uniform(-3, 3, (200, 2))
    codes = [[round(value / 0.5) for value in row] for row in x.tolist()]
    inputs = {f"x{index}": sum(not -4 <= row[index] <= 3 for row in codes) for index in range(2)}
    held = [[min(max(code, -4), 3) for code in row] for row in codes]
    sums = [
        [sum(int(first[node, i, row[i] + 4]) for i in range(2)) for node in range(3)]
        for row in held
    ]
    nodes = {
        f"layer0_node{node}": sum(not -4 <= row[node] <= 3 for row in sums) for node in range(3)
    }
    every = sum(
        any(not -4 <= value <= 3 for value in (*row, *total))
        for row, total in zip(codes, sums, strict=True)
    )
    found = count_saturations(Model.of(module), x)
    assert (found.inputs, found.nodes, found.saturated) == (inputs, nodes, every)
    assert min(inputs.values()) > 0 and max(nodes.values()) > 0
    ExpandWiresPass().apply(Context(), module)
    wires = count_saturations(Model.of(module), x)
    assert wires.inputs == inputs
    assert {name: count for name, count in nodes.items() if count} == {
        name: count for name, count in wires.nodes.items() if count
    }
    NarrowPass().apply(Context(), module)
    narrow = count_saturations(Model.of(module), x)
    assert {**narrow.nodes, **nodes} == nodes


@pytest.mark.parametrize("wires", [False, True])
def test_a_threshold_does_not_saturate(wires: bool) -> None:
    """A code of one bit says on which side of a threshold a value lies."""
    steps = np.array([[[-40, 40], [0, 9]]])
    net = TableNetwork("net", UniformQuantizedType(1, False, 1.0), 2)
    module = net.add_layer(steps, saturate=(0, 1)).module()
    if wires:
        ExpandWiresPass().apply(Context(), module)
    x = np.array([[-5.0, 0.0], [7.0, 1.0]])
    found = count_saturations(Model.of(module), x)
    assert found.saturated == 0 and not any({**found.inputs, **found.nodes}.values())
    assert saturating_samples(Model.of(module), x).all()


def test_calibration_of_half_the_range(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, x_test = square(300) / 2, square(200, 1)
    gain = np.array([[2.0, -1.0]])
    data = {"x": x, "y": x @ gain.T, "x_test": x_test, "y_test": x_test @ gain.T}
    report = build(tmp_path, model([[2.0, -1.0]]), data)
    found = report["saturation"]["test"]
    # Codes cover what calibration saw; the last half step beyond it still rounds to them.
    for index in range(2):
        low, high = x[:, index].min(), x[:, index].max()
        step = (high - low) / 255
        outside = (x_test[:, index] < low - step / 2) | (x_test[:, index] > high + step / 2)
        assert found["inputs"][f"x{index}"] == pytest.approx(outside.sum(), abs=3)
    assert found["samples"] == 200 and found["saturated"] > 100
    assert report["saturation"]["calibration"]["samples"] == 300
    inputs, errors = warnings(report)
    assert "2 inputs saturate in up to" in inputs and "of the 200 test samples" in inputs
    assert inputs.endswith("calibrate with samples of their whole range")
    assert "quantisation makes errors much larger" in errors
    assert errors.endswith("fix the saturation first")
    printed = " ".join(capsys.readouterr().out.split())
    assert f"saturation {found['saturated']} of 200 test samples (x" in printed
    assert inputs in printed


def test_nothing_to_warn_of(tmp_path: Path) -> None:
    x, x_test = square(300), square(200, 1)
    gain = np.array([[2.0, -1.0]])
    data = {"x": x, "y": x @ gain.T, "x_test": x_test, "y_test": x_test @ gain.T}
    assert warnings(build(tmp_path, model([[2.0, -1.0]]), data)) == []


def test_quantisers_of_another_range(tmp_path: Path) -> None:
    """Nearly every sample saturates, on the calibration samples already."""
    x = square(300)
    build(tmp_path, model([[2.0, -1.0]]), {"x": x / 100})
    file = tmp_path / "quantizers.json"
    (tmp_path / "out" / "quantizers.json").rename(file)
    report = build(tmp_path, model([[2.0, -1.0]]), {"x": x}, "--quantizers", str(file))
    assert report["saturation"]["calibration"]["saturated"] > 290
    text = warnings(report)[0]
    assert "2 inputs saturate in up to 100% of the 300 calibration samples (x1, x0)" in text
    assert "its values are -0.999" in text
    assert "with --quantizers, quantisers of this network" in text
    # Without labels, the float model's outputs say how bad it is.
    assert "of the variance of the float model's" in warnings(report)[-1]


def test_accuracy_that_collapses(tmp_path: Path) -> None:
    """A class that the fine difference of two inputs decides."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (300, 1)) + rng.normal(0, 0.02, (300, 2))
    data = {"x": x, "y": (x[:, 0] > x[:, 1]).astype(np.int64)}
    text = model([[1.0, -1.0]])
    report = build(tmp_path, text, data, "--bits", "3")
    (warning,) = warnings(report)
    lost = 100 * (report["accuracy"]["float"] - report["accuracy"]["integer"])
    assert lost > 20
    assert f"quantisation loses {lost:.1f} points of accuracy" in warning
    assert "give more bits (--bits)" in warning
    assert warnings(build(tmp_path, text, data, "--bits", "12")) == []


def test_no_better_than_a_constant(tmp_path: Path) -> None:
    """A model whose inputs are swapped, and one whose sign is wrong."""
    x = square(300)
    label = (x[:, 0] > 0.2).astype(np.int64)
    share = max(label.mean(), 1 - label.mean())
    text = model([[0.0, 1.0]], bias=-0.2)
    (found,) = warnings(build(tmp_path, text, {"x": x, "y": label}))
    assert f"is no better than that of the largest class alone, {share:.4f}; check" in found
    assert warnings(build(tmp_path, model([[1.0, 0.0]], bias=-0.2), {"x": x, "y": label})) == []
    report = build(tmp_path, model([[-1.0, 0.5]]), {"x": x, "y": x[:, 0] - x[:, 1]})
    (found,) = warnings(report)
    assert report["regression"]["integer"]["r2"] < 0
    assert found.startswith(f"R² is {report['regression']['integer']['r2']:.4f} on the calibration")


def test_a_sigmoid_left_on(tmp_path: Path) -> None:
    x = square(200)
    data = {"x": x, "y": (x.sum(axis=1) > 0).astype(np.int64)}
    (text,) = warnings(build(tmp_path, model([[3.0, 3.0]], head="sigmoid"), data))
    assert (
        "the output is above 0 for all calibration samples, so class 1 is the only result" in text
    )
    assert text.endswith("import it without its head, a sigmoid (--strip-head)")
    two = [[3.0, 3.0], [-3.0, -3.0]]
    data["y"] = 1 - data["y"]
    (text,) = warnings(build(tmp_path, model(two, head="sigmoid"), data))
    assert text.startswith("the model ends in a head, a sigmoid, that maps its outputs to 0..1")
    # A function that is no head, and targets in place of classes.
    assert warnings(build(tmp_path, model(two, head="tanh"), data)) == []
    targets = {"x": x, "y": 1 / (1 + np.exp(-3 * x.sum(axis=1)))}
    assert warnings(build(tmp_path, model([[3.0, 3.0]], head="sigmoid"), targets)) == []


def test_results_that_are_bits(tmp_path: Path) -> None:
    """A network that decides has no head, though its results are 0 and 1."""
    steps = np.array([[[-2, -1, 0, 1], [-2, -1, 1, 2]]])
    net = TableNetwork("net", UniformQuantizedType(2, False, 1.0), 2)
    net.add_layer(steps, saturate=(-1, 0)).add_layer(np.array([[[0, 1]]]))
    x = np.random.default_rng(2).integers(0, 4, (100, 2)).astype(np.float64)
    data = {"x": x, "y": (x.sum(axis=1) > 3).astype(np.int64)}
    assert warnings(build(tmp_path, str(net.module()), data)) == []


def test_labels_that_say_nothing(tmp_path: Path) -> None:
    x = square(100)
    data = {"x": x, "y": (x[:, 0] > 0).astype(np.float64)}
    report = build(tmp_path, model([[1.0, 0.5], [-1.0, 0.5]]), data)
    (text,) = warnings(report)
    assert "the calibration samples have 1 target a sample, the network has 2 outputs" in text
    assert "give classes from 0 on as integers" in text
    assert "accuracy" not in report and "regression" not in report


def test_a_constant_design(tmp_path: Path) -> None:
    """Edges that are all less than half a step of their node."""
    x = square(100)
    text = model([[1.0, 0.5], [0.001, 0.0]])
    data = {"x": x, "y": np.zeros(100, dtype=np.int64)}
    (found,) = warnings(build(tmp_path, text, data, "--bits", "3"))
    assert found.startswith("output y1 is a constant: it is the same for all ")
    # Results share a scale, which the bias makes coarse.
    text = model([[0.001, 0.001], [0.0, 0.0]], bias=[50.0, 0.0])
    found = warnings(build(tmp_path, text, {"x": x}, "--bits", "4"))[-1]
    assert found.startswith("the design is a constant: its outputs are the same for all ")


def test_a_constant_output_of_a_model_of_integers_is_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = np.random.default_rng(0).integers(-20, 20, size=(2, 2, 16))
    tables[1] = 0
    network = TableNetwork("tables", UniformQuantizedType(4, False, 1.0), inputs=2)
    model_file, data = tmp_path / "tables.mlir", tmp_path / "data.npz"
    model_file.write_text(str(network.add_layer(tables, scale=1.0).module()))
    x = np.random.default_rng(1).integers(0, 16, size=(50, 2)).astype(np.float64)
    np.savez(data, x=x, y=np.arange(50) % 2)
    folder = str(tmp_path / "out")
    with pytest.raises(SystemExit) as ended:
        kan_flow.main(
            [
                "build",
                str(model_file),
                "--calibration",
                str(data),
                "--simulator",
                "none",
                "-o",
                folder,
            ]
        )
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert warnings(json.loads((tmp_path / "out" / "report.json").read_text())) == []
    assert re.search(r"^accuracy +0\.\d{4} integer \(50 calibration samples\)", told, re.MULTILINE)


def test_errors_of_a_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, x_test = square(200), square(120, 1)
    noise = np.random.default_rng(2).normal(0, 0.1, (120, 1))
    gain = np.array([[2.0], [-1.0]])
    data = {"x": x, "y": x @ gain, "x_test": x_test, "y_test": (x_test @ gain + noise)[:, 0]}
    report = build(tmp_path, model([[2.0, -1.0]]), data, "--bits", "4")
    found = report["regression"]
    assert (found["on"], found["samples"]) == ("test", 120)
    assert "accuracy" not in report
    # The float model is the line without the noise.
    assert found["float"]["rmse"] == pytest.approx(np.sqrt((noise**2).mean()))
    assert found["float"]["max_error"] == pytest.approx(np.abs(noise).max())
    targets = data["y_test"]
    assert found["float"]["r2"] == pytest.approx(1 - (noise**2).mean() / targets.var())
    assert found["integer"]["rmse"] > found["float"]["rmse"]
    printed = capsys.readouterr().out
    for label in ("RMSE", "R²", "largest error"):
        assert label in printed
    assert printed.count("(120 test samples)") == 3


def test_kan_run_tells_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = square(40)
    (tmp_path / "net.mlir").write_text(model([[2.0, -1.0]]))
    write_arrays(tmp_path / "data.npz", {"x": x, "y": 2 * x[:, 0] - x[:, 1] + 0.5})
    with pytest.raises(SystemExit):
        kan_run.main([str(tmp_path / "net.mlir"), "--inputs", str(tmp_path / "data.npz")])
    variance = (2 * x[:, 0] - x[:, 1]).var()
    expected = f"RMSE: 0.5, R²: {1 - 0.25 / variance:.6g}, largest error: 0.5"
    assert expected in capsys.readouterr().out


def test_errors_of_constant_targets() -> None:
    """No variance: nothing to explain."""
    errors = Errors.of(np.array([[1.0], [3.0]]), np.array([[2.0], [2.0]]))
    assert (errors.rmse, errors.r2, errors.max_error) == (1.0, None, 1.0)
    assert errors.as_dict() == {"rmse": 1.0, "max_error": 1.0}
