"""report.html without a browser: what it says, when it is written, its limits, its bytes."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from build_lists import list_files
from html_reader import Reader
from report_schema import valid_report

from kan_dialect.api.build import Build
from kan_dialect.errors import KanError
from kan_dialect.flows.page.charts import part_shares
from kan_dialect.flows.page.models import models_of
from kan_dialect.flows.page.network import DETAIL_BYTES, edge_layers, network_data
from kan_dialect.flows.page.page import build_page, model_page
from kan_dialect.flows.page.sections import SHOWN, schema
from kan_dialect.flows.page.verdicts import verdicts
from kan_dialect.flows.part_fit import part_entry
from kan_dialect.flows.pictures.layout import MAX_CELLS, layout_of
from kan_dialect.flows.pictures.markup import tag
from kan_dialect.flows.prove.show import merge_proof
from kan_dialect.frontends.loading import load_model, make_context, parse_text
from kan_dialect.model.model import Model
from repository import EXAMPLES

WINE = [str(EXAMPLES / name) for name in ("wine.onnx", "wine.npz")]
TOOL = [sys.executable, "-c", "from kan_dialect.cli.start import kan_flow; kan_flow()"]


def flow(*arguments: object, code: int = 0) -> str:
    done = subprocess.run([*TOOL, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "wine"
    data = ["--calibration", WINE[1], "--simulator", "none"]
    flow("build", WINE[0], *data, "--bits", 4, "-o", folder)
    return folder


def test_the_page_is_one_well_formed_file(built: Path) -> None:
    text = (built / "report.html").read_text()
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    inside = {link[1:] for link in reader.links if link.startswith("#")}
    assert inside <= set(reader.ids)
    assert [link for link in reader.links if link[0] != "#"] == ["data:,"]
    for picture in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(picture)
    for name in ("Network", "Cost", "Schedule", "Accuracy", "Codes", "Checks", "Ports", "Origin"):
        assert f">{name}</h2>" in text, name
    assert len(text) < 300_000


def test_the_page_says_ports_command_versions_and_hashes(built: Path) -> None:
    text, report = (built / "report.html").read_text(), valid_report(built)
    assert report["sources"]["model"]["sha256"] in text
    assert report["tools"]["xdsl"] in text and "--calibration" in text
    for port in report["ports"]:
        assert f">{port['name']}</th>" in text
    assert repr(report["ports"][-1]["scale"]) in text


def test_report_and_api_write_the_same_bytes_again(built: Path) -> None:
    before = (built / "report.html").read_bytes()
    (built / "report.html").unlink()
    assert f"written to {built / 'report.html'}" in flow("report", built)
    assert (built / "report.html").read_bytes() == before
    assert Build(built).page() == built / "report.html"
    assert (built / "report.html").read_bytes() == before


def test_figures_that_commands_add_are_on_the_page_at_once(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "built"
    shutil.copytree(built, folder)
    assert "not proven yet" in (folder / "report.html").read_text()
    merge_proof(folder / "report.json", {"engine": "yosys 1", "outputs": 3, "seconds": 2.0})
    text = (folder / "report.html").read_text()
    assert "not proven yet" not in text and "for all inputs" in text and "yosys 1" in text
    merge_proof(folder / "report.json", None)
    assert (folder / "report.html").read_bytes() == (built / "report.html").read_bytes()
    # A folder whose page was removed gets none by the way.
    (folder / "report.html").unlink()
    merge_proof(folder / "report.json", None)
    assert not (folder / "report.html").exists()


def test_a_folder_that_is_no_build_is_refused(tmp_path: Path) -> None:
    assert "cannot read" in flow("report", tmp_path, code=1)
    assert not list(tmp_path.iterdir())


def test_missing_ir_leaves_out_the_picture_alone(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "built"
    shutil.copytree(built, folder)
    shutil.rmtree(folder / "ir")
    flow("report", folder)
    text = (folder / "report.html").read_text()
    assert ">Network</h2>" not in text and ">Cost</h2>" in text


def test_tables_in_the_data_are_those_of_the_ir(built: Path) -> None:
    report = valid_report(built)
    layers = edge_layers(models_of(built, report), report)
    data = network_data(layers)
    assert data["undetailed"] == 0 and len(data["details"]) == 64
    for key, (low, size, entries, largest, errors) in data["details"].items():
        index, node, source = map(int, key.split(","))
        layer = layers[index]
        assert layer.codes is not None and layer.steps is not None
        kind = {1: "<u1", 2: "<u2", 4: "<u4"}[size]
        found = np.frombuffer(base64.b64decode(entries), kind).astype(int) + low
        np.testing.assert_array_equal(found, layer.codes[:, node, source])
        exact = found * layer.steps[node, source] - layer.real[:, node, source]  # pyright: ignore
        got = np.frombuffer(base64.b64decode(errors), "<i1") / 127 * largest
        np.testing.assert_allclose(got, exact, atol=largest / 127 + 1e-9)


def network(inputs: int, *sizes: int) -> str:
    """A network of degree-1 splines, as IR."""
    lines, value, before = [], "%x", inputs
    for index, nodes in enumerate(sizes):
        shape = f"{nodes}x{before}"
        lines += [
            f'%e{index} = kan.bspline {value} as "layer{index}" degree 1 extend knots '
            f"dense<[-1.0, 0.0, 1.0]> : tensor<3xf64> coefficients dense<0.25> : "
            f"tensor<{shape}x3xf64> : tensor<{before}xf32> -> tensor<{shape}xf32>",
            f'%y{index} = kan.node_sum %e{index} as "layer{index}" : tensor<{shape}xf32> -> '
            f"tensor<{nodes}xf32>",
        ]
        value, before = f"%y{index}", nodes
    body = "\n  ".join(lines)
    return (
        f"func.func @big(%x: tensor<{inputs}xf32>) -> tensor<{before}xf32> {{\n  {body}\n  "
        f"func.return {value} : tensor<{before}xf32>\n}}\n"
    )


@pytest.mark.parametrize(
    ("sizes", "chain"),
    [((64, 16, 8, 16, 64), True), ((784, 10), False), ((2, 3, 1), True), ((400, 200, 10), False)],
)
def test_pages_of_large_networks_stay_small(sizes: tuple[int, ...], chain: bool) -> None:
    module = parse_text(make_context(), network(*sizes).encode(), "big")
    start = time.process_time()
    text = model_page(module)
    assert time.process_time() - start < 10
    assert len(text) < 3_500_000
    shown = text.count("<rect class=")
    edges = sum(a * b for a, b in pairwise(sizes))
    assert shown == edges or (shown <= MAX_CELLS and f"Not shown: {edges - shown} edges" in text)
    assert (f"0 0 {1120} " in text) == (not chain) or chain


def test_tables_beyond_the_limit_are_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert DETAIL_BYTES == 1_500_000
    monkeypatch.setattr("kan_dialect.flows.page.network.DETAIL_BYTES", 2_000)
    module = parse_text(make_context(), network(8, 4).encode(), "big")
    text = model_page(module)
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert 0 < len(data["details"]) < 32
    assert data["undetailed"] == 32 - len(data["details"])


def test_a_chain_shares_its_nodes_and_other_networks_are_in_bands(built: Path) -> None:
    report = valid_report(built)
    layers = edge_layers(models_of(built, report), report)
    first, second = layout_of(layers).bands
    assert (first.turned, second.turned) == (False, True) and first.y == second.y
    assert second.x > first.x + first.size[0]
    bands = layout_of(layers[::-1]).bands
    assert not any(band.turned for band in bands) and len(bands) == 2


def test_view_writes_a_page_of_a_model(tmp_path: Path, built: Path) -> None:
    page = tmp_path / "wine.html"
    assert f"written to {page}" in flow("view", WINE[0], "-o", page, "--name", "cellar")
    text = page.read_text()
    assert "<h1>cellar</h1>" in text and "not built" in text and text.count("<rect class=") == 64
    (tables,) = built.glob("ir/*-kan-fold-tables.mlir")
    flow("view", tables, "-o", page)
    assert "an edge with its function." in text
    assert "function that its lookup table holds" in page.read_text()
    (wires,) = built.glob("ir/*-kan-schedule.mlir")
    flow("view", wires, "-o", page)
    (hardware,) = built.glob("ir/*-lower-kan-to-hw.mlir")
    assert "has no edges to show" in flow("view", hardware, "-o", page, code=1)
    assert "ends with .html" in flow("view", WINE[0], "-o", tmp_path / "wine.svg", code=1)


@pytest.mark.ci
def test_a_build_from_wires_and_one_that_trains_have_a_page(built: Path, tmp_path: Path) -> None:
    (wires,) = built.glob("ir/*-kan-schedule.mlir")
    flow("build", wires, "--simulator", "none", "-o", tmp_path / "wires")
    text = (tmp_path / "wires" / "report.html").read_text()
    assert text.count("<rect class=") == 64 + text.count('<rect class="integer"')
    load = EXAMPLES / "load.mlir"
    flow("build", load, "--trainable", "--simulator", "none", "-o", tmp_path / "load")
    text = (tmp_path / "load" / "report.html").read_text()
    assert "trains itself" in text and ">Network</h2>" in text
    before = (tmp_path / "load" / "report.html").read_bytes()
    flow("report", tmp_path / "load")
    assert (tmp_path / "load" / "report.html").read_bytes() == before


BASE: dict[str, Any] = {"name": "n", "inputs": 1, "outputs": 1, "latency_cycles": 2, "tools": {}}
ESTIMATE = {"target": "xcup", "luts": 100, "registers": 4, "levels": 2, "delay_ns": 2.0}


@pytest.mark.parametrize(
    ("part", "states"),
    [
        ({}, ["open"] * 4),
        ({"estimate": ESTIMATE | {"latency_ns": 4.0}}, ["good", "open", "open", "open"]),
        (
            {"estimate": ESTIMATE | {"latency_ns": 4.0, "part": part_entry("xcup", 2_000_000, 9)}},
            ["care", "open", "open", "open"],
        ),
        (
            {"accuracy": {"on": "test", "samples": 9, "float": 0.97, "integer": 0.9}},
            ["open", "open", "care", "open"],
        ),
        (
            {"accuracy": {"on": "test", "samples": 9, "float": 0.97, "integer": 0.965}},
            ["open", "open", "good", "open"],
        ),
        (
            {
                "regression": {
                    "on": "test",
                    "samples": 9,
                    "float": {"rmse": 0.1, "r2": 0.99, "max_error": 1},
                    "integer": {"rmse": 0.2, "r2": 0.9, "max_error": 1},
                }
            },
            ["open", "open", "care", "open"],
        ),
        (
            {"proof": {"engine": "yosys", "nodes": 4, "outputs": 1, "seconds": 1.0}},
            ["open", "open", "open", "good"],
        ),
    ],
)
def test_verdicts_follow_their_figures(part: dict[str, Any], states: list[str]) -> None:
    found = verdicts(BASE | part)
    assert [each.state for each in found] == states
    assert [each.title for each in found] == ["Fits", "Fast", "Accurate", "Proven"]


@pytest.mark.parametrize(
    ("asked", "measured", "state", "told"),
    [
        (None, None, "open", "no clock was asked for"),
        (150.0, None, "good", "asked for: 150 MHz, reached by estimate"),
        (200.0, None, "care", "asked for: 200 MHz, missed by estimate with 180.0 MHz"),
        (150.0, 44.0, "care", "asked for: 150 MHz, missed with 44.0 MHz"),
        (150.0, 151.0, "good", "asked for: 150 MHz, reached"),
    ],
)
def test_fast_compares_with_the_clock_that_was_asked_for(
    asked: float | None, measured: float | None, state: str, told: str
) -> None:
    report = BASE | {"estimate": ESTIMATE | {"latency_ns": 11.1, "fmax_mhz": 180.0}}
    if asked is not None:
        report["project"] = {"top": "n", "asked_mhz": asked}
    if measured is not None:
        report["pnr"] = {"tool": "nextpnr", "device": "ice40-hx8k", "seeds": 1, "luts": 90}
        report["pnr"] |= {"fmax_with_inputs_mhz": measured, "latency_with_inputs_ns": 45.5}
    fast = verdicts(report)[1]
    assert fast.state == state
    assert fast.figure == ("11.1 ns" if measured is None else "45.5 ns")
    assert any(told in str(line) for line in fast.lines)
    unknown = verdicts(BASE | {"project": {"top": "n", "asked_mhz": 150.0}})[1]
    assert (unknown.state, unknown.figure) == ("open", "2 cycles")


def test_intervals_are_drawn_as_shares_of_the_part() -> None:
    part = {"name": "small", "luts": 200, "registers": 100, "block_rams": 4, "fits": True}
    trials = [
        {"interval": 1, "luts": 900, "fits": False},
        {"interval": 2, "luts": 50, "registers": 80, "block_rams": 3, "fits": True},
    ]
    drawn = str(part_shares(trials, part))
    assert re.findall(r">(\d+% [a-zA-Z ]+)<", drawn) == [
        *("450% LUTs", "25% LUTs", "80% registers", "75% block RAMs")
    ]
    # Bars end at one and a half of the part.
    widths = [float(each) for each in re.findall(r'width="([\d.]+)" height="10"', drawn)]
    np.testing.assert_allclose(
        np.array(widths) / widths[0], np.array([1.5, 0.25, 0.8, 0.75]) / 1.5, rtol=1e-3
    )


def test_measured_figures_come_before_estimates() -> None:
    report = BASE | {"estimate": ESTIMATE | {"latency_ns": 4.0, "target": "ecp5"}}
    report["pnr"] = {
        "tool": "nextpnr",
        "target": "ecp5",
        "device": "ecp5-85",
        "seeds": 3,
        "luts": 90,
    }
    report["pnr"] |= {"fmax_with_inputs_mhz": 400.0, "latency_with_inputs_ns": 5.0}
    fits, fast, *_ = verdicts(report)
    assert (fits.figure, fast.figure) == ("90 LUTs", "5.0 ns")
    assert any("estimate was 100" in str(line) for line in fits.lines)


def test_keys_without_a_section_are_listed_with_their_meaning(tmp_path: Path) -> None:
    assert set(schema()["properties"]) >= SHOWN
    more = {"bits": {"bits": 5, "before": 0.9}, "unheard": {"kind": "axi"}}
    found = build_page(tmp_path, BASE | more)
    assert "of --bits auto: the number of bits" in found and ">unheard.kind</th>" in found
    assert "further" not in build_page(tmp_path, BASE)


def test_markup_escapes_texts_and_attributes() -> None:
    evil = "<b a='\"'>&"
    found = tag("p", evil, title=evil)
    ElementTree.fromstring(found)
    assert found == (
        '<p title="&lt;b a=&#x27;&quot;&#x27;&gt;&amp;">&lt;b a=&#x27;&quot;&#x27;&gt;&amp;</p>'
    )
    assert tag("p", tag("b", "x"), None, [1, 2.50]) == "<p><b>x</b>12.5</p>"


def test_a_model_without_edges_is_refused(built: Path) -> None:
    (hardware,) = built.glob("ir/*-lower-kan-to-hw.mlir")
    module = load_model(make_context(), hardware)
    with pytest.raises(KanError, match="hardware level"):
        model_page(module)
    assert Model.of(module).level == "hardware"


def test_a_report_of_another_version_keeps_its_page_and_is_told(
    built: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "built"
    shutil.copytree(built, folder)
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps(report | {"synthesis": {"luts": 1}}))
    list_files(folder)
    before = (folder / "report.html").read_bytes()
    merge_proof(folder / "report.json", None)
    assert "is left as it was" in caplog.text
    assert (folder / "report.html").read_bytes() == before
    assert "does not follow the schema" in flow("report", folder, code=1)


def test_the_interface_of_a_build_has_a_section_with_its_fields(tmp_path: Path) -> None:
    side = {"beats": 2, "beat_bits": 16, "order": "low-first", "bytes": 4}
    side["fields"] = [
        {"port": "x0", "offset": 0, "bits": 12},
        {"port": "x1", "offset": 16, "bits": 9},
    ]
    wrapper = {"name": "axi-stream", "top": "n_axi_stream", "file": "rtl/n_axi_stream.sv"}
    wrapper |= {"latency_cycles": 4, "ports": [{"name": "aclk", "direction": "input", "bits": 1}]}
    wrapper["input"] = side
    found = build_page(tmp_path, BASE | {"interface": wrapper})
    assert "4 bytes in 2 beats of 16 bits, low first." in found
    assert "x1: bits 16 to 24" in found and ">aclk</th>" in found
    known = {"name": "X0", "offset": 32, "access": "write", "meaning": "port x0"}
    played = {"simulator": "a simulator", "accesses": 7, "cycles": 60}
    wrapper |= {"registers": [known], "simulation": played}
    found = build_page(tmp_path, BASE | {"interface": wrapper})
    assert "0x20" in found and ">X0<" in found and "port x0" in found
    assert "7 accesses to registers without a mismatch (a simulator)" in found
    assert 'id="interface"' not in build_page(tmp_path, BASE)
