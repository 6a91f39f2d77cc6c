"""Figures of a report that its page shows, against counts made another way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kan_dialect.devices.device import device
from kan_dialect.devices.estimate import estimate
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.decisions import POINTS, confusions, residual_figures
from kan_dialect.flows.json_text import json_text
from kan_dialect.flows.layer_costs import layer_costs, stage_entries
from kan_dialect.flows.pictures.wire_layers import edge_luts, wire_layers
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.model.code_use import CodeUse, code_use
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode
from repository import EXAMPLES

WINE = [str(EXAMPLES / name) for name in ("wine.onnx", "wine.npz")]
TOOL = [sys.executable, "-c", "from kan_dialect.cli.start import kan_flow; kan_flow()"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures") / "wine"
    options = ["--calibration", WINE[1], "--bits", "4", "--simulator", "none", "-o", str(folder)]
    subprocess.run([*TOOL, "build", WINE[0], *options], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def report(built: Path) -> dict[str, Any]:
    return json.loads((built / "report.json").read_text())


def model(built: Path, stage: str) -> Model:
    (path,) = built.glob(f"ir/*-{stage}.mlir")
    return Model.of(load_model(make_context(), path))


def test_stages_are_the_files_with_the_estimate_after_each_pass(
    built: Path, report: dict[str, Any]
) -> None:
    stages = report["stages"]
    assert [built / each["file"] for each in stages] == sorted(built.glob("ir/*.mlir"))
    assert [each["level"] for each in stages if "luts" in each].count("wire") >= 5
    last = [each for each in stages if "luts" in each][-1]
    assert all(last[key] == report["estimate"][key] for key in ("luts", "levels"))
    costs = [estimate(model(built, name).op).luts for name in ("kan-share-sums", "kan-schedule")]  # pyright: ignore[reportArgumentType]
    found = next(each for each in stages if each.get("pass") == "kan-share-sums")
    assert found["luts"] == round(last["luts"] * costs[0] / costs[1])


def test_costs_of_layers_add_up_to_the_estimate(report: dict[str, Any]) -> None:
    layers = report["layers"]
    total = sum(sum(layer["luts"].values()) for layer in layers)
    assert total == report["estimate"]["luts"]
    assert sum(layer["table_bits"] for layer in layers) == report["table_bits"]
    assert [(len(each["edge_luts"]), len(each["inputs"])) for each in layers] == [(4, 13), (3, 4)]


def test_stages_of_the_schedule_have_the_delay_of_the_estimate(report: dict[str, Any]) -> None:
    stages, found = report["schedule"], report["estimate"]
    assert len(stages) == report["latency_cycles"]
    assert max(each["levels"] for each in stages) == found["levels"]
    family = device("xcup")
    assert family.highest_mhz is not None
    register = family.timing.register * family.timing.growth_of(found["luts"])
    longest = max(each["delay_ns"] for each in stages)
    whole = max(longest + register, 1000 / family.highest_mhz)
    assert whole == pytest.approx(found["delay_ns"], abs=2e-3)
    for each in stages:
        assert max(work["end_ns"] for work in each["work"]) == each["delay_ns"]
        assert min(work["start_ns"] for work in each["work"]) == 0


def test_luts_of_edges_are_those_of_the_picture(built: Path) -> None:
    function = model(built, "kan-schedule").op
    found = edge_luts(function, device("xcup"))  # pyright: ignore[reportArgumentType]
    layers = wire_layers(function, device("xcup"))  # pyright: ignore[reportArgumentType]
    for (name, inputs, luts), layer in zip(found, layers, strict=True):
        assert (name, inputs) == (layer.name, layer.inputs)
        assert layer.luts is not None
        np.testing.assert_allclose(luts, layer.luts)


def test_an_unscheduled_network_has_no_stages(built: Path) -> None:
    function = model(built, "kan-expand-wires").op
    (stage,) = stage_entries(function, device("xcup"))  # pyright: ignore[reportArgumentType]
    assert stage["register_bits"] == 0
    assert layer_costs(function, device("xcup"))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("stage", ["kan-fold-tables", "kan-schedule"])
def test_use_of_codes_is_what_the_model_computes(
    stage: str, built: Path, report: dict[str, Any]
) -> None:
    integer = model(built, stage)
    inputs, outputs = integer.ports()
    x = load_dataset(WINE[1]).x_test
    assert x is not None
    codes = encode(inputs, x)
    found = code_use(integer, codes)
    given = report["codes"]
    assert (given["on"], given["samples"]) == ("test", len(x))
    results = integer.run_codes(codes)
    for ports, columns, kind in ((inputs, codes, "inputs"), (outputs, results, "outputs")):
        for port, column in zip(ports, columns.T.tolist(), strict=True):
            use = found[kind][port.name]
            assert use.as_dict() == given[kind][port.name]
            assert (use.low, use.high) == (port.low, port.high)
            assert (use.seen_low, use.seen_high) == (min(column), max(column))
            assert use.distinct == len(Counter(column)) and sum(use.histogram) == len(x)
    nodes = {name: use.as_dict() for name, use in found["nodes"].items()}
    assert nodes.keys() == {f"layer0_node{i}" for i in range(4)}
    seen = ("seen_low", "seen_high", "distinct")
    for name, use in nodes.items():
        assert all(use[key] == given["nodes"][name][key] for key in seen)


def test_a_histogram_of_codes_counts_each_code_once() -> None:
    codes = np.repeat(np.arange(-3, 9), np.arange(1, 13))
    use = CodeUse.of(codes, -4, 11)
    assert use.histogram == (0, *range(1, 13), 0, 0, 0)
    assert (use.seen_low, use.seen_high, use.distinct) == (-3, 8, 12)
    assert CodeUse.of(np.array([0, 1, 1]), 0, 1).histogram == (1, 2)


def test_confusion_matrices_count_decisions(report: dict[str, Any]) -> None:
    labels = np.array([0, 1, 2, 2])
    outputs = np.array([[3.0, 1, 2], [0, 0, 1], [0, 0, 5], [0, 7, 5]])
    found = confusions(labels, {"integer": outputs})
    assert found == {"integer": [[1, 0, 0], [0, 0, 1], [0, 1, 1]]}
    assert confusions(np.array([0.5, 1.5]), {"integer": outputs[:2]}) is None
    assert confusions(None, {"integer": outputs}) is None
    single = confusions(np.array([0, 1, 1]), {"integer": np.array([[-1.0], [2], [-2]])})
    assert single == {"integer": [[1, 0], [1, 1]]}
    for name, matrix in report["accuracy"]["confusion"].items():
        right = sum(row[i] for i, row in enumerate(matrix))
        assert right / report["accuracy"]["samples"] == report["accuracy"][name]


def test_residuals_are_counted_in_equal_intervals() -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(400, 2))
    integer, real = targets + rng.normal(size=(400, 2)), targets + 0.125
    found = residual_figures(targets, integer, real)
    limit = np.abs(integer - targets).max()
    assert found["limit"] == limit
    width = 2 * limit / 31
    expected = Counter(
        min(int((each + limit) // width), 30) for each in (integer - targets).ravel().tolist()
    )
    assert found["integer"] == [expected[i] for i in range(31)]
    assert found["float"][15 + round(0.125 // width)] == 800 or 800 in found["float"]
    assert len(found["points"]) == POINTS
    output, target, mine, other = found["points"][-1]
    assert (output, target) == (1, pytest.approx(targets[-1, 1], rel=1e-4))
    assert (mine, other) == pytest.approx((integer[-1, 1], real[-1, 1]), rel=1e-4)
    assert {len(row) for row in residual_figures(targets, integer, None)["points"]} == {3}
    assert residual_figures(targets, targets, None)["limit"] == 1.0


def test_json_text_breaks_only_what_does_not_fit_into_a_line() -> None:
    value = {"a": [1, 2, {"b": None}], "long": ["x" * 60, {"y": "z" * 60}], "empty": {}, "é": 1.5}
    text = json_text(value)
    assert json.loads(text) == value
    assert '  "a": [1, 2, {"b": null}],\n' in text and max(map(len, text.splitlines())) <= 100
