"""`kan-flow build` from model file to verified RTL, and what it leaves behind."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import exit_code
from folded_design import FOLDED
from vhdl_bench import analyse

from kan_dialect.cli import kan_flow, kan_opt, kan_run
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.lowering import hw_builder
from kan_dialect.lowering.compile import CompilePass
from lint import require_silent
from repository import EXAMPLES

EXAMPLE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"
needs_verilator = pytest.mark.skipif(
    find_simulator("verilator") is None, reason="Verilator is not installed"
)


def written_files(folder: Path) -> list[Path]:
    """Files of a build; byte code of its codec, which tests import, is none."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.parent.name != "__pycache__")


def run(tool: object, *arguments: object) -> int:
    """Exit code of a command line tool, run in this process."""
    return exit_code(tool.main, *arguments)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build") / "wine"
    assert run(kan_flow, "build", EXAMPLE, "--calibration", DATA, "-o", folder, "--bits", 6) == 0
    return folder


@needs_verilator
def test_report_says_what_was_measured(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    assert report["name"] == "wine"
    assert (report["inputs"], report["outputs"]) == (13, 3)
    assert report["latency_cycles"] > 0
    assert report["edges"] == {"total": 64, "kept": 64}
    # At most one of 54 samples less than the float model.
    assert report["accuracy"]["integer"] >= report["accuracy"]["float"] - 1 / 54 - 1e-9
    assert report["simulation"]["mismatches"] == 0
    assert report["simulation"]["vectors"] >= 10_000 + 178
    assert report["estimate"]["target"] == "xcup"
    assert "synthesis" not in report and "pnr" not in report
    checks = {check["pass"]: check for check in report["checks"]}
    assert list(checks) == [stage.name[3:-5] for stage in sorted((built / "ir").glob("*.mlir"))][1:]
    assert [name for name, check in checks.items() if check["claim"] != "exact"] == ["kan-quantize"]
    assert checks["kan-narrow"]["samples"] > 4000 and checks["kan-narrow"]["nodes"] == 7
    assert checks["kan-quantize"]["samples"] == 124


@needs_verilator
def test_a_folded_design(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    options = ("--vhdl", "--vectors", 200, "-o", folder)
    assert run(kan_flow, "build", FOLDED, "-p", "kan-wrap-interface", *options) == 0
    report = json.loads((folder / "report.json").read_text())
    assert (report["latency_cycles"], report["interval_cycles"]) == (5, 4)
    assert report["simulation"]["mismatches"] == 0
    told = "a sample every 4 cycles"
    assert f"latency 5 cycles, {told}" in " ".join(capsys.readouterr().out.split())
    for file, text in (
        ("README.md", f"It takes {told}. `rst` begins an interval.\n"),
        ("report.html", f"5 cycles, {told}"),
        ("rtl/folded.sv", "// Latency: 5 clock cycles, one sample per 4 clocks."),
        ("rtl/folded_pkg.sv", "localparam int INTERVAL = 4;"),
        ("vhdl/folded_pkg.vhd", "constant INTERVAL : positive := 4;"),
        ("host/folded_codec.h", "#define FOLDED_INTERVAL 4  "),
    ):
        assert text in (folder / file).read_text()
    require_silent(folder, [folder / "rtl" / "folded_pkg.sv", folder / "rtl" / "folded.sv"])
    if shutil.which("ghdl") is not None:
        assert (report["vhdl"]["vectors"], report["vhdl"]["mismatches"]) == (500, 0)
        for file in ("folded", "folded_pkg", "folded_wrapper"):
            analyse(tmp_path, (folder / "vhdl" / f"{file}.vhd").read_text(), f"{file}.vhd")
    options = ("--simulator", "verilator", "--vectors", 50, "--bubbles", 0.5, "--resets", 3)
    assert run(kan_flow, "simulate", folder, *options) == 0


@needs_verilator
def test_linters_have_nothing_to_say(built: Path) -> None:
    """As a user runs them, nothing waived, on the design and on its testbench."""
    rtl, testbench = built / "rtl" / "wine.sv", built / "sim" / "wine_tb.sv"
    require_silent(built, [rtl])
    require_silent(built, [testbench, rtl], "--timing", "--top", "wine_tb")


def test_report_says_what_was_built_of_what(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    wanted = f"kan-flow build {EXAMPLE} --calibration {DATA} -o {built} --bits 6"
    assert report["command"] == wanted
    imported = built / "ir" / "00-import.mlir"
    files = {"model": EXAMPLE, "calibration": DATA, "import": imported}
    assert report["sources"].keys() == files.keys()
    for what, path in files.items():
        noted = report["sources"][what]
        assert noted["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.as_posix().endswith(noted["file"])
    assert report["tools"]["python"] == platform.python_version()
    assert {"kan-dialect", "xdsl", "numpy"} <= report["tools"].keys()
    estimate = report["estimate"]
    latency = estimate["delay_ns"] * report["latency_cycles"]
    assert estimate["latency_ns"] == pytest.approx(latency, abs=0.01) and latency > 0


def test_report_lists_the_ports_of_the_text(built: Path) -> None:
    """Names, directions and widths as in the text; numbers as the host's codec has them."""
    ports = json.loads((built / "report.json").read_text())["ports"]
    text = (built / "rtl" / "wine.sv").read_text()
    declared = re.findall(r"^  (input |output) wire logic (?:\[(\d+):0\] )?(\w+),?$", text, re.M)
    assert [(port["name"], port["direction"], port["bits"]) for port in ports] == [
        (name, direction.strip(), int(msb or 0) + 1) for direction, msb, name in declared
    ]
    spec = importlib.util.spec_from_file_location("codec", built / "host" / "wine_codec.py")
    assert spec is not None and spec.loader is not None
    codec = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(codec)
    coded = {port["name"]: port for port in ports if "scale" in port}
    assert list(coded) == [*(f"x{i}" for i in range(13)), "y0", "y1", "y2"]
    assert all(port["signed"] == (port["low"] < 0) for port in coded.values())
    low, zero, scale = (
        np.array([port[key] for port in coded.values()]) for key in ("low", "zero_point", "scale")
    )
    values = (low - zero) * scale
    assert (codec.encode(values[np.newaxis, :13]) == low[:13]).all()
    np.testing.assert_allclose(codec.decode(low[np.newaxis, 13:])[0], values[13:], rtol=1e-12)


def test_a_build_has_a_readme_of_its_files(built: Path) -> None:
    text = (built / "README.md").read_text()
    patterns = re.findall(r"^\| `([^`]+)` \|", text, re.M)
    found = [path for pattern in patterns for path in built.glob(pattern)]
    files = set(written_files(built))
    assert set(found) == files - {built / "README.md"}
    report = json.loads((built / "report.json").read_text())
    rows = re.findall(r"^\| (\w+) \| (?:in|out)put \| \d+ \|", text, re.M)
    assert rows == [port["name"] for port in report["ports"]]
    assert f"\n    {report['command']}\n" in text
    cycles, project = report["latency_cycles"], report["project"]
    assert f"Top module: `{report['name']}`.\n\nLatency: {cycles} clock cycles.\nThat is " in text
    assert f" ns at {project['period_ns']} ns a cycle ({project['period_from']})." in text
    assert max(map(len, (line for line in text.splitlines() if line[:4] != "    "))) <= 110


def test_a_readme_of_someone_else_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And one that has changed since a build wrote it; one that has not is replaced."""
    readme = tmp_path / "README.md"
    arguments = ["build", EXAMPLE, "--calibration", DATA, "--bits", 3, "--fast"]
    arguments += ["--simulator", "none", "--no-check-passes", "-o", tmp_path]
    mine, told = "# Mine\n\nNotes.\n", "README.md was left as it is"
    assert run(kan_flow, *arguments) == 0
    ours = readme.read_text()
    assert run(kan_flow, *arguments) == 0
    assert readme.read_text() == ours and told not in capsys.readouterr().out
    readme.write_text(mine)
    assert run(kan_flow, *arguments) == 0
    assert readme.read_text() == mine and told in capsys.readouterr().out
    # From then on it is nobody's but its writer's.
    assert "README.md" not in (tmp_path / ".kan-files").read_text()
    assert run(kan_flow, *arguments, "--force") == 0
    assert readme.read_text() == mine and told in capsys.readouterr().out
    readme.unlink()
    assert run(kan_flow, *arguments) == 0
    assert readme.read_text() == ours


def test_a_build_finds_the_pass_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Before anything is simulated; without the check, the simulation finds that something is."""
    pack = hw_builder.pack
    monkeypatch.setattr(hw_builder, "pack", lambda entries, bits: pack(entries[::-1], bits))
    monkeypatch.chdir(tmp_path)
    arguments = ["build", EXAMPLE, "--calibration", DATA, "--bits", 3, "-o", tmp_path / "out"]
    assert run(kan_flow, *arguments, "--check-passes-dir", tmp_path / "failure") == 1
    error = one_error(capfd)
    assert "lower-kan-to-hw does not keep the function @wine: node layer0_node0 is" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["failure"]
    names = {path.name for path in (tmp_path / "failure").iterdir()}
    assert names == {"before.mlir", "after.mlir", "sample.npz", ".kan-files"}
    assert run(kan_flow, *arguments, "--no-check-passes", "--simulator", "none") == 1
    assert "the hardware level differs from the integer model" in one_error(capfd)


def test_every_stage_fed_back_gives_the_same_rtl(built: Path, tmp_path: Path) -> None:
    rtl = (built / "rtl" / "wine.sv").read_bytes()
    stages = sorted((built / "ir").glob("*.mlir"))
    assert [stage.name[3:-5] for stage in stages[1:]] == [
        "kan-fold-affine",
        "kan-calibrate",
        "kan-quantize",
        "kan-fold-tables",
        "kan-expand-wires",
        "kan-narrow",
        "kan-fold-clamps",
        "kan-window-tables",
        "kan-merge-tables",
        "kan-share-tables",
        "kan-share-sums",
        "kan-compress-codes",
        "kan-split-tables",
        "kan-balance-sums",
        "kan-schedule",
        "lower-kan-to-hw",
        "kan-form-carry-chains",
    ]
    output = tmp_path / "out.sv"
    pipeline = f'kan-compile{{bits=6 data="{DATA}"}}'
    for source in [EXAMPLE, *stages]:
        output.unlink(missing_ok=True)
        assert run(kan_opt, source, "-p", pipeline, "-t", "systemverilog", "-o", output) == 0
        assert output.read_bytes() == rtl, source.name
    spelt = (
        f'kan-fold-affine,kan-calibrate{{data="{DATA}"}},kan-quantize{{bits=6}},kan-fold-tables,'
        "kan-expand-wires,kan-narrow,kan-fold-clamps,kan-window-tables,kan-merge-tables,"
        "kan-share-tables,kan-share-sums,kan-compress-codes,kan-split-tables,kan-balance-sums,"
        "kan-schedule,lower-kan-to-hw,kan-form-carry-chains"
    )
    assert run(kan_opt, EXAMPLE, "-p", spelt, "-t", "systemverilog", "-o", output) == 0
    assert output.read_bytes() == rtl


def test_building_again_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    arguments = ["build", EXAMPLE, "--calibration", DATA, "--bits", 6, "--simulator", "none"]
    assert run(kan_flow, *arguments, "-o", again) == 0
    for path in written_files(built):
        if path.name not in ("report.html", "report.json", "README.md", ".kan-files"):
            assert path.read_bytes() == (again / path.relative_to(built)).read_bytes(), path.name
    first, second = ((folder / "README.md").read_text() for folder in (built, again))
    # But for the command.
    command = re.compile(r"^    kan-flow build .*$", re.M)
    assert command.sub("", first) == command.sub("", second)


def test_host_codec_and_rtl_agree_with_the_float_model(built: Path) -> None:
    """Floats through the generated Python codec and the table level: what the user will see."""
    script = (
        "import numpy as np, wine_codec as codec, sys\n"
        "x = np.load(sys.argv[1])['x_test'].astype(float)\n"
        "np.save(sys.argv[2], codec.encode(x))\n"
    )
    codes = built.parent / "codes.npy"
    subprocess.run(
        [sys.executable, "-c", script, str(DATA), str(codes)],
        check=True,
        cwd=built / "host",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    outputs = built.parent / "outputs.npy"
    (stage,) = (built / "ir").glob("*-lower-kan-to-hw.mlir")
    assert run(kan_run, stage, "--inputs", codes, "--codes", "--outputs", outputs) == 0
    labels = np.load(DATA)["y_test"]
    assert (np.load(outputs).argmax(axis=1) == labels).mean() >= 0.98


@needs_verilator
def test_simulate_with_bubbles_and_resets(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", built, "--inputs", DATA, "--bubbles", 0.3, "--resets", 3]
    assert run(kan_flow, *arguments, "--vectors", 500) == 0
    assert "no mismatch" in capsys.readouterr().out


@needs_verilator
def test_a_wrong_design_is_caught(
    built: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(built, broken)
    rtl = broken / "rtl" / "wine.sv"
    text = rtl.read_text()
    # An output is inverted.
    wrong = re.sub(r"assign y0 = (\w+);", r"assign y0 = ~\1;", text)
    assert wrong != text
    rtl.write_text(wrong)
    assert run(kan_flow, "simulate", broken, "--vectors", 200, "--changed") == 1
    output = capfd.readouterr()
    assert "sample" in output.out + output.err


@pytest.mark.parametrize(
    "options", [["--combinational"], ["--cycles", 3], ["--levels", 1], ["--mhz", 300]]
)
def test_other_schedules(options: list[object], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    arguments = ["build", EXAMPLE, "--calibration", DATA, "--bits", 4, "--simulator", "none"]
    assert run(kan_flow, *arguments, *options, "-o", folder) == 0
    report = json.loads((folder / "report.json").read_text())
    expected = {"--combinational": 0, "--cycles": 3}
    if options[0] in expected:
        assert report["latency_cycles"] == expected[str(options[0])]
    assert ("clk" in (folder / "rtl" / "wine.sv").read_text()) == bool(report["latency_cycles"])


@pytest.mark.ci
def test_a_build_is_for_its_target(tmp_path: Path) -> None:
    luts: list[int] = []
    for target in ("xcup", "ecp5"):
        arguments = ["build", EXAMPLE, "--calibration", DATA, "--bits", 6, "--simulator", "none"]
        assert run(kan_flow, *arguments, "--target", target, "-o", tmp_path / target) == 0
        report = json.loads((tmp_path / target / "report.json").read_text())
        assert report["estimate"]["target"] == target
        # The schedule counts levels as the target does.
        assert report["estimate"]["levels"] <= 4
        luts.append(report["estimate"]["luts"])
        recorded = max((tmp_path / target / "ir").iterdir()).read_text()
        assert ("kan-schedule{target=\\22ecp5\\22}" in recorded) == (target == "ecp5")
    # Tables of six inputs take more lookup tables of four.
    assert luts[0] < luts[1]


def one_error(capfd: pytest.CaptureFixture[str]) -> str:
    """The one message of a command that failed."""
    error = capfd.readouterr().err
    assert "Traceback" not in error
    assert error.count("error: ") == 1, error
    return error


BAD_BUILDS = [
    (["--bits", "0"], "bits must lie in 1..16"),
    (["--bits", "40"], "bits must lie in 1..16"),
    (["--bits", "6,7"], "the input and each of 2 layers"),
    (["--bits", "six"], "whole numbers"),
    (["--scale", "best"], "unknown scale method"),
    (
        ["--percentile", "60"],
        "percentile has no meaning for scale mse; leave it out, or take scale",
    ),
    (["--per-tensor", "--per-layer"], "per-tensor and per-layer exclude each other; keep one"),
    (
        ["-p", "kan-quantize{per-layer=true per-tensor=true}"],
        "pass kan-quantize: per-tensor and per",
    ),
    (["--cycles", "-1"], "cycles must lie in"),
    (["--levels", "0"], "--levels must lie in 1..1000000, got 0"),
    (["--mhz", "0"], "mhz must be above 0"),
    (["--mhz", "200", "--cycles", "2"], "mhz and cycles=2 exclude each other"),
    (["--levels", "2", "--cycles", "2"], "levels=2 and cycles=2 exclude each other; keep one"),
    (["--levels", "4", "--combinational"], "levels=4 and combinational exclude each other"),
    (["--mhz", "5000"], "more than the clock network of xcup"),
    (["--target", "ecp6"], "there is no target 'ecp6'"),
    (["-p", "kan-narow"], "did you mean kan-narrow"),
    (["-p", "kan-narrow{x=1}"], "has no option 'x'"),
    (["-p", "kan-fold-affine"], "the pipeline ends at spline level"),
    (["--simulator", "modelsim"], "invalid choice"),
    (["--frobnicate"], "unrecognized arguments: --frobnicate; kan-flow build --help lists the"),
    (["--partz", "3"], "--partz 3 (did you mean --parts?); kan-flow build --help lists"),
    (["--parts", "0"], "--parts must lie in 1..64, got 0"),
    (["--parts", "2", "--fast"], "--parts has no meaning with --fast"),
    (["--extra-levels", "1,x"], "--extra-levels takes whole numbers"),
]


def test_the_help_lists_every_option_of_the_default_pipeline(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(kan_flow, "build", "--help") == 0
    listed = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    names = {field.name for field in dataclasses.fields(CompilePass)} - {"data"} | {"calibration"}
    assert {f"--{name.replace('_', '-')}" for name in names} <= listed


def test_options_of_the_default_pipeline_reach_their_passes(tmp_path: Path) -> None:
    arguments = ["build", EXAMPLE, "--calibration", DATA, "--bits", 3, "--simulator", "none"]
    options = ["--parts", 1, "--extra-levels", "2,1", "--no-check-passes", "-o", tmp_path / "out"]
    assert run(kan_flow, *arguments, *options) == 0
    recorded = max((tmp_path / "out" / "ir").iterdir()).read_text()
    assert "kan-split-tables{parts=1}" in recorded
    assert "kan-balance-sums{extra-levels=2,1}" in recorded


def test_a_network_without_sums_has_a_certificate(tmp_path: Path) -> None:
    source, data = tmp_path / "sine.mlir", tmp_path / "x.npz"
    source.write_text(
        "func.func @sine(%x: tensor<1xf32>) -> tensor<1xf32> {\n"
        '  %y = kan.map "sin" %x : tensor<1xf32>\n'
        "  func.return %y : tensor<1xf32>\n}\n"
    )
    np.savez(data, x=np.linspace(-3, 3, 101)[:, np.newaxis])
    build = ["build", source, "--calibration", data, "-o", tmp_path / "out", "--simulator", "none"]
    assert run(kan_flow, *build, "--scale", "minmax") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    (output,) = report["certificate"]["outputs"]
    # Half a step of the input, whose slope is 1 at most, and half a step of the output.
    assert output["observed"] <= output["bound"] <= (6 / 255 + 2 / 255) / 2 * 1.05


@pytest.mark.parametrize(("options", "words"), BAD_BUILDS)
def test_bad_options(
    options: list[str], words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    arguments = ["build", EXAMPLE, "--calibration", DATA, "-o", folder, *options]
    assert run(kan_flow, *arguments) == 1
    assert words in one_error(capfd)
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_bad_data(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data.npz"
    cases = [
        ({"x": np.zeros((5, 12))}, "the network has 13 inputs"),
        ({"z": np.zeros((5, 13))}, "no array `x` or `x_train`"),
        ({"x": np.zeros(13)}, "must have shape (samples, features)"),
        ({"x": np.full((5, 13), np.nan)}, "5 of 5 samples miss values"),
        ({"x": np.zeros((5, 13)), "y": np.zeros(4, dtype=int)}, "must hold 5 labels"),
        ({"x": np.zeros((5, 13)), "x_test": np.zeros((5, 3))}, "`x_test` has 3 features"),
        ({"x": np.zeros((2, 13)), "y": np.array([0.5, np.nan])}, "`y`[1] is nan"),
        ({"x": np.zeros((1, 13)), "y": np.array([[0, np.inf, 0]])}, "`y`[0, 1] is inf"),
    ]
    for arrays, words in cases:
        np.savez(data, **arrays)  # type: ignore[arg-type]
        out = tmp_path / "out"
        assert run(kan_flow, "build", EXAMPLE, "--calibration", data, "-o", out) == 1
        assert words in one_error(capfd)
        assert not out.exists()
    data.write_bytes(b"PK\x03\x04 not really")
    assert run(kan_flow, "build", EXAMPLE, "--calibration", data, "-o", tmp_path / "out") == 1
    assert "cannot read" in one_error(capfd)
    assert run(kan_flow, "build", EXAMPLE, "--calibration", "no.npz", "-o", tmp_path / "out") == 1
    assert "there is no data file" in one_error(capfd)


def test_a_failed_build_leaves_the_folder_as_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "report.json").write_text("mine")
    assert run(kan_flow, "build", EXAMPLE, "-o", folder, "--force") == 1
    assert "nothing is known of the range" in one_error(capfd)
    assert [path.name for path in folder.iterdir()] == ["report.json"]
    assert (folder / "report.json").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_unwritable_folder(capfd: pytest.CaptureFixture[str]) -> None:
    # A place where not even root can make a folder.
    folder = "/proc/kan-flow/out"
    assert run(kan_flow, "build", EXAMPLE, "--calibration", DATA, "-o", folder) == 1
    assert "cannot write into" in one_error(capfd)


def test_output_that_is_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "file"
    target.write_text("mine")
    assert run(kan_flow, "build", EXAMPLE, "--calibration", DATA, "-o", target) == 1
    assert "it is a file" in one_error(capfd)
    assert run(kan_flow, "build", EXAMPLE, "--calibration", DATA, "-o", target / "below") == 1
    assert "cannot write into" in one_error(capfd)
    assert target.read_text() == "mine"


def test_kan_opt_keeps_an_output_file_on_errors(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.sv"
    output.write_text("mine")
    truncated = tmp_path / "short.onnx"
    truncated.write_bytes(EXAMPLE.read_bytes()[:5000])
    wrong = tmp_path / "wrong.mlir"
    wrong.write_text(
        "func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:9> {\n"
        "  %y = kan.table %x entries dense<[1, 2, 3]> : tensor<3xi8> "
        ": !kan.int<0:3> -> !kan.int<0:9>\n"
        "  func.return %y : !kan.int<0:9>\n}\n"
    )
    cases: list[tuple[list[object], str]] = [
        ([truncated], "short.onnx"),
        ([wrong], "'kan.table' op: entries must have shape 4"),
        ([tmp_path / "none.onnx"], "there is no file"),
        ([EXAMPLE, "-t", "verilog"], "unknown target 'verilog'; did you mean systemverilog?"),
        ([EXAMPLE, "-p", "kan-quantise"], "unknown pass 'kan-quantise'"),
        ([EXAMPLE, "-p", "kan-quantize{bit=3}"], "has no option 'bit'"),
        ([EXAMPLE, "-p", 'kan-quantize{bits="x"}'], "option bits cannot be"),
        ([EXAMPLE, "-p", "kan-quantize{bits=40}"], "bits must lie in 1..16"),
        ([EXAMPLE, "-p", "kan-quantize{"], "cannot read the pass pipeline"),
        ([EXAMPLE, "-t", "systemverilog"], "kan-compile"),
        ([EXAMPLE, "--frobnicate"], "unrecognized arguments"),
    ]
    for arguments, words in cases:
        assert run(kan_opt, *arguments, "-o", output) == 1, arguments
        assert words in one_error(capfd), arguments
        assert output.read_text() == "mine"
    assert run(kan_opt, EXAMPLE, "-o", tmp_path / "no" / "out.mlir") == 1
    assert "there is no folder" in one_error(capfd)


def test_kan_opt_lists_frontends(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(kan_opt, "--list-frontends") == 0
    listed = capfd.readouterr().out
    for extension in (".mlir", ".onnx", ".pt", ".json", "_config.yml"):
        assert extension in listed


def test_kan_run_errors(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "narrow.npy", np.zeros((3, 12)))
    np.save(tmp_path / "codes.npy", np.full((3, 13), 300))
    np.save(tmp_path / "floats.npy", np.zeros((3, 13)))
    mixed = tmp_path / "mixed.mlir"
    mixed.write_text(
        "func.func @net(%x: !kan.int<0:1>, %y: f64) -> !kan.int<0:1> {\n"
        "  func.return %x : !kan.int<0:1>\n}\n"
    )
    numbers = tmp_path / "numbers.mlir"
    numbers.write_text(
        "hw.module @net(in %x0: i1, out y0: i1) attributes {kan.latency = 0 : i64, "
        'kan.ports = [{name = "x0", low = 0 : i64}]} {\n  hw.output %x0 : i1\n}\n'
    )
    cases: list[tuple[list[object], str]] = [
        (
            [numbers, "--inputs", tmp_path / "narrow.npy"],
            "kan.ports must be an array of #kan.port",
        ),
        ([EXAMPLE, "--inputs", tmp_path / "narrow.npy"], "takes samples of 13 features"),
        ([EXAMPLE, "--inputs", tmp_path / "codes.npy", "--codes"], "has no codes yet"),
        ([EXAMPLE, "--inputs", tmp_path / "none.npy"], "there is no input file"),
        ([EXAMPLE, "--against", EXAMPLE], "no samples"),
        ([EXAMPLE, "--inputs", DATA, "--function", "f"], "expected a function @f"),
        ([EXAMPLE, "--inputs", EXAMPLE], "cannot read"),
        ([mixed, "--inputs", tmp_path / "narrow.npy"], "argument 0 is of type !kan.int<0:1>"),
    ]
    for arguments, words in cases:
        assert run(kan_run, *arguments) == 1, arguments
        assert words in one_error(capfd), arguments
