"""Limits, interruptions and writers that meet: one message, and nothing that is half done."""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from commands import exit_code, flow

from kan_dialect.cli import kan_flow, kan_opt, kan_run
from kan_dialect.errors import KanError
from kan_dialect.files.atomic import write_arrays, write_atomically
from kan_dialect.files.manifest import Listing
from kan_dialect.flows.build import require_name
from repository import EXAMPLES, ROOT

EXAMPLE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"
TINY = """
func.func @{name}(%x: !kan.int<0:3>) -> !kan.int<0:9> {{
  %t = kan.table %x as "t" entries dense<[1, 2, {entry}, 4]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:9>
  func.return %t : !kan.int<0:9>
}}
"""


def run(tool: object, *arguments: object) -> object:
    """The exit code of a command."""
    return exit_code(tool.main, *arguments)


def error_of(capfd: pytest.CaptureFixture[str], tool: object, *arguments: object) -> str:
    """The one message of a command that must fail, run in this process."""
    with pytest.raises(SystemExit) as ended:
        tool.main([str(argument) for argument in arguments])  # type: ignore[attr-defined]
    error = capfd.readouterr().err
    assert ended.value.code == 1 and error.count("error: ") == 1, error
    assert "internal error" not in error and "Traceback" not in error
    return error


def started(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    """`kan-flow` or `kan-opt` in a process of its own."""
    tool, *rest = map(str, arguments)
    command = [sys.executable, "-m", f"kan_dialect.cli.{tool}", *rest]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


QUANT = "!quant.uniform<u24:f32, 1.0>"
HUGE = {
    "a number of thousands of digits": (
        f"func.func @f(%x: !kan.int<0:{'9' * 5000}>) -> ()",
        "thousands of digits",
    ),
    "an integer of 70 bits": (
        f"func.func @f(%x: !kan.int<0:{1 << 70}>) -> ()",
        "more than 62",
    ),
    "a sum that overflows": (
        "func.func @f(%x: !kan.int<0:4611686018427387903>) -> !kan.int<0:4611686018427387903> {\n"
        "  %s = kan.sum %x, %x : !kan.int<0:4611686018427387903>, !kan.int<0:4611686018427387903>"
        " -> !kan.int<0:4611686018427387903>\n"
        "  func.return %s : !kan.int<0:4611686018427387903>\n}",
        "does not hold",
    ),
    "a table of 30 input bits": (
        "func.func @f(%x: !kan.int<0:999999999>) -> !kan.int<0:3> {\n"
        "  %t = kan.table %x entries dense<1> : tensor<1000000000xi8> : !kan.int<0:999999999>"
        " -> !kan.int<0:3>\n  func.return %t : !kan.int<0:3>\n}",
        "a tensor of shape 1000000000, of more than 67108864 elements",
    ),
    "an empty tensor of a long extent": (
        "func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {\n"
        "  %o = kan.observe %x range dense<[[0.0, 0.5]]> : tensor<1x2xf32>"
        f" histogram dense<> : tensor<{1 << 64}x0xi8> : tensor<1xf32>\n"
        "  func.return %o : tensor<1xf32>\n}",
        f"a tensor of shape {1 << 64}x0, of more than 67108864 elements",
    ),
    "a constant of many axes": (
        "func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {\n"
        f"  %c = arith.constant dense<1.0> : tensor<{'1x' * 70}f32>\n"
        "  func.return %x : tensor<1xf32>\n}",
        "a tensor of 70 axes, more than 32",
    ),
    "a table of many inputs": (
        "func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:3> {\n"
        f"  %t = kan.table {', '.join(['%x'] * 30)} entries dense<1> : tensor<{'2x' * 30}i8>"
        f" : {', '.join(['!kan.int<0:1>'] * 30)} -> !kan.int<0:3>\n"
        "  func.return %t : !kan.int<0:3>\n}",
        "of more than 67108864 elements",
    ),
    "10 million edges": (
        "func.func @f(%e: tensor<3200x3200xf32>) -> tensor<3200xf32> {\n"
        "  %n = kan.node_sum %e : tensor<3200x3200xf32> -> tensor<3200xf32>\n"
        "  func.return %n : tensor<3200xf32>\n}",
        "10240000 of 3200 x 3200 edges are more than 524288",
    ),
    "values that depend on themselves": (
        "func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> {\n"
        "  %a = kan.sum %b, %x : !kan.int<0:0>, !kan.int<0:3> -> !kan.int<0:3>\n"
        "  %b = kan.clamp %a : !kan.int<0:3> -> !kan.int<0:0>\n"
        "  func.return %a : !kan.int<0:3>\n}",
        "'kan.sum' reads a value that is computed after it",
    ),
    "modules in modules": ("builtin.module {\n" * 5000 + "}\n" * 5000, "nested too deeply"),
}


@pytest.mark.parametrize("what", HUGE)
def test_what_is_too_large_is_refused(
    what: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text, words = HUGE[what]
    source, output = tmp_path / "huge.mlir", tmp_path / "out.mlir"
    source.write_text(text)
    assert words in error_of(capfd, kan_opt, source, "-o", output)
    assert not output.exists()
    assert words in error_of(capfd, kan_flow, "build", source, "-o", tmp_path / "out")


INCOMPLETE = {
    "no results": (
        "func.func @f(%x: tensor<1x!quant.uniform<u6:f32, 1.0>>) {\n  func.return\n}",
        "@f returns nothing",
    ),
    "a latency, and ports of a combinational module": (
        "hw.module @net(in %x0: i3, out y0: i3) attributes {kan.latency = 63 : i64, kan.ports = [\n"
        '    #kan.port<"x0", -4:3>, #kan.port<"y0", -4:3>]} {\n  hw.output %x0 : i3\n}',
        "a latency of 63 cycles and no port clk, rst, in_valid, out_valid",
    ),
}


@pytest.mark.parametrize("what", INCOMPLETE)
def test_models_that_lack_something_are_refused(
    what: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text, words = INCOMPLETE[what]
    (tmp_path / "net.mlir").write_text(text)
    np.save(tmp_path / "x.npy", np.zeros((2, 1)))
    run = (tmp_path / "net.mlir", "--inputs", tmp_path / "x.npy", "--outputs", tmp_path / "y.npy")
    assert words in error_of(capfd, kan_run, *run)
    assert words in error_of(
        capfd, kan_flow, "build", tmp_path / "net.mlir", "-o", tmp_path / "out"
    )
    assert not (tmp_path / "out").exists() and not (tmp_path / "y.npy").exists()


def test_tables_of_24_bits_are_refused_before_they_are_computed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "wide.mlir"
    source.write_text(f"""
func.func @f(%x: tensor<9xf32>) -> tensor<1xf32> {{
  %q = kan.quantize %x : tensor<9xf32> -> tensor<9x{QUANT}>
  %d = kan.dequantize %q : tensor<9x{QUANT}> -> tensor<9xf32>
  %e = kan.base "silu" %d as "wide" weights dense<1.0> : tensor<1x9xf32>
    : tensor<9xf32> -> tensor<1x9xf32>
  %c = kan.quantize %e : tensor<1x9xf32> -> tensor<1x9x!quant.uniform<i8:f32, 1.0>>
  %n = kan.node_sum %c : tensor<1x9x!quant.uniform<i8:f32, 1.0>>
    -> tensor<1x!quant.uniform<i12:f32, 1.0>>
  %y = kan.dequantize %n : tensor<1x!quant.uniform<i12:f32, 1.0>> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}}""")
    error = error_of(capfd, kan_opt, source, "-p", "kan-fold-tables")
    assert "9 tables of 16777216 entries are more than" in error


def npy_header(shape: tuple[int, ...]) -> bytes:
    header = BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return header.getvalue()


def test_data_files_that_unpack_to_too_much(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lie = tmp_path / "lie.npz"
    with zipfile.ZipFile(lie, "w") as archive:
        archive.writestr("x.npy", npy_header((1 << 60, 13)) + bytes(64))
    for tool in ([kan_run, EXAMPLE, "--inputs"], [kan_flow, "build", EXAMPLE, "--calibration"]):
        error = error_of(capfd, *tool, lie, *(["-o", tmp_path / "o"] if "build" in tool else []))
        assert str(lie) in error
    (tmp_path / "lie.npy").write_bytes(npy_header((1 << 40, 13)))
    assert "lie.npy" in error_of(capfd, kan_run, EXAMPLE, "--inputs", tmp_path / "lie.npy")
    monkeypatch.setattr("kan_dialect.files.data_sets.MAX_DATA_BYTES", 1000)
    assert "more than 1000" in error_of(capfd, kan_run, EXAMPLE, "--inputs", DATA)


@pytest.mark.parametrize("count", [-1, 10**12])
def test_numbers_of_vectors(count: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["build", EXAMPLE, "--calibration", DATA, "-o", tmp_path / "o", "--vectors", count]
    assert "--vectors must lie in 0..10000000" in error_of(capfd, kan_flow, *arguments)


NO_NAMES = {
    "signed": "it is a keyword of SystemVerilog",
    "entity": "it is a keyword of VHDL",
    "Signal": "it is a keyword of VHDL",
    "template": "it is a keyword of C++, which Verilator makes of the module",
    "std": "it is the built-in package of SystemVerilog",
}


@pytest.mark.parametrize(("name", "why"), NO_NAMES.items())
def test_names_that_no_module_can_have(
    name: str, why: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "m.mlir", tmp_path / "out"
    source.write_text(TINY.format(name=name, entry=3))
    build = ["build", source, "-o", out, "--simulator", "none", "--no-check-passes"]
    message = f"'{name}' is no name for a module: {why}; build with another one, --name NAME"
    assert message in error_of(capfd, kan_flow, *build)
    # The name that is asked for is looked at before the model is.
    wrong = ["build", tmp_path / "none.mlir", "-o", out, "--name", name]
    assert message in error_of(capfd, kan_flow, *wrong)
    assert not out.exists()
    # The remedy works.
    assert run(kan_flow, *build, "--name", "fine") == 0
    assert "\nmodule fine (" in (out / "rtl" / "fine.sv").read_text()
    assert json.loads((out / "report.json").read_text())["name"] == "fine"
    assert (out / "sim" / "fine_tb.sv").exists() and (out / "host" / "fine_codec.py").exists()
    # kan-opt prints another name, and says so.
    capfd.readouterr()
    assert run(kan_opt, source, "-p", "kan-compile", "-t", "systemverilog") == 0
    printed = capfd.readouterr()
    in_front = why.endswith("VHDL") or name == "std"
    other = f"kan_{name}" if in_front else f"{name}_"
    assert f"\nmodule {other} (" in printed.out
    assert printed.err == f"kan-opt: note: module '{name}' is called '{other}': {why}\n"


@pytest.mark.parametrize(
    ("name", "port"), [("clk", "clk"), ("x0", "x0"), ("Y0", "y0"), ("out_valid", "out_valid")]
)
def test_no_module_is_called_as_its_port(
    name: str, port: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "m.mlir", tmp_path / "out"
    source.write_text(TINY.format(name="fine", entry=3))
    build = ["build", source, "-o", out, "--simulator", "none", "--no-check-passes", "--name"]
    error = error_of(capfd, kan_flow, *build, name)
    assert f"'{name}' is no name for a module: port {port} has it; build with another" in error
    assert not out.exists()
    assert run(kan_flow, *build, "x9") == 0  # no port of this network


def test_no_module_that_trains_is_called_as_its_port(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    example, out = EXAMPLES / "load.mlir", tmp_path / "out"
    train = ["build", example, "--trainable", "-o", out, "--simulator", "none", "--name", "clk"]
    assert "'clk' is no name for a module: port clk has it" in error_of(capfd, kan_flow, *train)
    assert not out.exists()


def test_other_commands_take_a_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "m.mlir", tmp_path / "out"
    source.write_text(TINY.format(name="module", entry=3))
    sweep = ["sweep", source, "-o", out, "--vary", "levels=1", "--jobs", "1"]
    assert "build with another one, --name NAME" in error_of(capfd, kan_flow, *sweep)
    with pytest.raises(KanError, match="'a b' is no name for a module: it is no identifier"):
        require_name("a b")
    train = ["build", EXAMPLES / "load.mlir", "--trainable", "-o", out, "--name", "module"]
    assert "'module' is no name for a module" in error_of(capfd, kan_flow, *train)
    assert not out.exists()
    assert run(kan_flow, *sweep, "--name", "fine") == 0


# Output


def test_names_of_files_that_are_no_utf8(tmp_path: Path) -> None:
    """The report, its page and the folder's README hold the command; names are printed as are."""
    text, _ = INCOMPLETE["a latency, and ports of a combinational module"]
    (tmp_path / os.fsdecode(b"n\xff.mlir")).write_text(text.replace("= 63", "= 0"))
    tool = [sys.executable, "-m", "kan_dialect.cli.kan_flow"]
    command = [*tool, "build", b"n\xff.mlir", "-o", b"o\xff", "--simulator", "none"]
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, cwd=tmp_path, env=strict, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"written to o\xff\n" in done.stdout
    folder = tmp_path / os.fsdecode(b"o\xff")
    report = json.loads((folder / "report.json").read_text())
    assert report["command"] == "kan-flow build 'n\\xff.mlir' -o 'o\\xff' --simulator none"
    assert report["sources"]["model"]["file"] == "n\\xff.mlir"
    assert "o\\xff" in (folder / "report.html").read_text()
    done = subprocess.run(
        [*tool, "report", b"o\xff"], cwd=tmp_path, env=strict, capture_output=True
    )
    assert done.returncode == 0 and b"o\xff/report.html" in done.stdout


def test_links_are_followed_and_permissions_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("there", [False, True])
def test_a_full_disk_leaves_what_was_there(there: bool, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    if there:
        folder.mkdir()
        (folder / "report.json").write_text("of an earlier build")
        listing = Listing.of("kan-flow build", folder, ["report.json"])
        (folder / ".kan-files").write_text(listing.text())

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    build = started(
        "kan_flow", "build", EXAMPLE, "--calibration", DATA, "-o", folder, "--bits", 2,
        "--simulator", "none", preexec_fn=limit,
    )  # fmt: skip
    error = build.communicate()[1].decode()
    assert build.returncode == 1
    assert "cannot write into" in error and "File too large" in error
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if there else [])
    names = {path.name for path in folder.iterdir()} if there else set()
    assert not there or names == {"report.json", ".kan-files"}
    output = tmp_path / "out.mlir"
    output.write_text("mine")
    opt = started("kan_opt", EXAMPLE, "-o", output, preexec_fn=limit)
    assert "File too large" in opt.communicate()[1].decode() and opt.returncode == 1
    assert output.read_text() == "mine" and len(list(tmp_path.iterdir())) == 1 + there


def test_standard_output_that_is_full(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "kan_dialect.cli.kan_opt", str(EXAMPLE)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "kan-opt: error: cannot write the output: No space left on device\n"


COMMANDS: list[tuple[object, list[str]]] = [
    (kan_opt, ["m.mlir"]),
    (kan_run, ["m.mlir"]),
    (kan_flow, ["build", "m.mlir", "-o", "out", "--simulator", "none"]),
    (kan_flow, ["sweep", "m.mlir", "-o", "out", "--vary", "levels=1", "--jobs", "1"]),
    (kan_opt, ["--version"]),
    (kan_flow, ["--help"]),
]


@pytest.mark.parametrize(("tool", "arguments"), COMMANDS)
def test_standard_output_that_is_closed(
    tool: object,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "m.mlir").write_text(TINY.format(name="m", entry=3))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", None)
    error = error_of(capfd, tool, *arguments)
    assert error.endswith("error: cannot write the output: standard output is closed\n")


def test_streams_that_are_closed(tmp_path: Path) -> None:
    """In processes: what is written to a file is written, and no message appears in it."""
    (tmp_path / "m.mlir").write_text(TINY.format(name="m", entry=3))
    tool = f"{sys.executable} -c 'from kan_dialect.cli.start import kan_opt; kan_opt()'"
    for words, code in (("m.mlir -o o.mlir >&- 2>&- <&-", 0), ("- <&-", 1)):
        done = subprocess.run(
            f"{tool} {words}", shell=True, cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        assert done.returncode == code
    assert done.stderr == (
        "kan-opt: error: cannot read the input: standard input is closed; name a file\n"
    )
    assert (tmp_path / "o.mlir").read_text().startswith("builtin.module {\n")


def test_an_interrupt_during_the_imports() -> None:
    script = (
        "import os, signal, time; from kan_dialect.cli import start\n"
        "def load(_): os.kill(os.getpid(), signal.SIGINT); time.sleep(60)\n"
        "start.import_module = load; start.kan_opt()\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=_as_in_a_terminal)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "kan-opt: interrupted\n")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {
        tool.replace("_", "-"): f"kan_dialect.cli.start:{tool}"
        for tool in ("kan_opt", "kan_run", "kan_flow")
    }


@pytest.mark.parametrize("given, threads", [(None, "1"), ("3", "3")])
def test_linear_algebra_has_one_thread_unless_told(given: str | None, threads: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    environment |= {} if given is None else {"OPENBLAS_NUM_THREADS": given}
    script = (
        "import os, sys; from kan_dialect.cli import start\n"
        "def load(_): sys.exit(os.environ['OPENBLAS_NUM_THREADS'])\n"
        "assert 'numpy' not in sys.modules\n"
        "start.import_module = load; start.kan_run()\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stderr == f"{threads}\n"


def _as_in_a_terminal() -> None:
    # Whoever runs the tests may ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.ci
def test_two_builds_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for entry, name in enumerate(("one", "two")):
        (tmp_path / f"{name}.mlir").write_text(TINY.format(name=name, entry=entry))
    for _ in range(2):
        builds = [
            started("kan_flow", "build", tmp_path / f"{name}.mlir", "-o", folder, "--simulator",
                    "none", "--vectors", 10)
            for name in ("one", "two")
        ]  # fmt: skip
        for build in builds:
            assert build.wait() == 0, build.communicate()[1]
        name = json.loads((folder / "report.json").read_text())["name"]
        files = sorted(path.name for path in (folder / "rtl").iterdir())
        assert files == [f"{name}.sv", f"{name}_pkg.sv"]
        assert all(f"@{name}" in path.read_text() for path in (folder / "ir").iterdir())
        assert {path.name.split("_")[0] for path in (folder / "host").glob("*_codec.py")} == {name}
        assert len(list(folder.iterdir())) == 11


QUANTIZED = """
func.func @q(%x: tensor<2xf32>) -> tensor<2xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u6:f32, 5.0e-2:32>>
  %d = kan.dequantize %q : tensor<2x!quant.uniform<u6:f32, 5.0e-2:32>> -> tensor<2xf32>
  func.return %d : tensor<2xf32>
}
"""


def test_samples_that_are_no_numbers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "q.mlir").write_text(QUANTIZED)
    np.save(tmp_path / "x.npy", [[1.0, np.inf], [0.0, np.nan]])
    error = error_of(capfd, kan_run, tmp_path / "q.mlir", "--inputs", tmp_path / "x.npy")
    assert "'kan.quantize': value 1 of sample 1 is not a number, and has no code" in error


@pytest.mark.parametrize("name", ["x", "x_train", "y", "x_test", "y_test"])
def test_data_files_with_members_that_are_no_arrays(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "q.mlir").write_text(QUANTIZED)
    arrays = {} if name.startswith("x_tr") or name == "x" else {"x": np.zeros((3, 2))}
    write_arrays(tmp_path / "d.npz", arrays)
    with zipfile.ZipFile(tmp_path / "d.npz", "a") as archive:
        archive.writestr(name, b"raw")
        archive.writestr("notes", b"of no interest")
    error = error_of(capfd, kan_run, tmp_path / "q.mlir", "--inputs", tmp_path / "d.npz")
    assert f"d.npz: `{name}` is no array; save it with numpy.savez" in error


# Interruptions


def interrupted(
    arguments: list[object],
    number: signal.Signals,
    ready: Callable[[subprocess.Popen[bytes]], bool],
    folder: Path,
) -> int:
    """Exit code of a tool that gets a signal once something is ready; its temporary files, too."""

    def at_first() -> None:
        # Whoever runs the tests may have told them to go on (`nohup`, `&` in a script).
        signal.signal(number, signal.SIG_DFL)

    environment = {**os.environ, "TMPDIR": str(folder)}
    process = started(*arguments, env=environment, preexec_fn=at_first)
    while not ready(process) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate()
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_build_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    temporary, outputs = tmp_path / "tmp", tmp_path / "outputs"
    temporary.mkdir()
    outputs.mkdir()
    # Into the simulation, if there is a simulator; else into what comes before.
    code = interrupted(
        ["kan_flow", "build", EXAMPLE, "--calibration", DATA, "-o", outputs / "out"],
        number,
        lambda _: any(temporary.glob("kan-*")) or any(outputs.glob(".out*/new/host")),
        temporary,
    )
    assert code == (130 if number is signal.SIGINT else 128 + number)
    assert not list(outputs.iterdir()) and not list(temporary.iterdir())


def test_an_interrupted_kan_opt_keeps_the_output(tmp_path: Path) -> None:
    output = tmp_path / "out.mlir"
    output.write_text("mine")
    # The larger example, so that passes are left when the first is told.
    model, data = EXAMPLE.with_name("digits.onnx"), EXAMPLE.with_name("digits.npz")
    pipeline = f'kan-compile{{data="{data}"}}'
    code = interrupted(
        ["kan_opt", model, "-p", pipeline, "--check-passes", "-o", output],
        signal.SIGINT,
        lambda process: process.stderr is not None and process.stderr.readline() != b"",
        tmp_path,
    )
    assert code in (130, -signal.SIGINT)
    assert output.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mlir"]


@pytest.mark.ci
def test_an_interrupted_proof_leaves_nothing(tmp_path: Path) -> None:
    if not any(Path(place, "yosys").exists() for place in os.get_exec_path()):
        pytest.skip("Yosys is not installed")
    folder, temporary = tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    arguments = ["build", EXAMPLE, "--calibration", DATA, "-o", folder, "--simulator", "none"]
    assert flow(*arguments) == 0
    report = (folder / "report.json").read_bytes()
    code = interrupted(
        ["kan_flow", "prove", folder, "--report"],
        signal.SIGTERM,
        lambda _: any(temporary.glob("kan-proof-*/*")),
        temporary,
    )
    assert code == 143 and not list(temporary.iterdir())
    assert (folder / "report.json").read_bytes() == report


class Evil:
    """Says so where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def test_nothing_in_a_file_is_executed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mark = tmp_path / "executed"
    for name in ("model_config.yml", "model.pt", "model.json", "model.onnx"):
        source = tmp_path / name
        if name.endswith("yml"):
            source.write_text(f"!!python/object/apply:os.system ['touch {mark}']\n")
        else:
            source.write_bytes(pickle.dumps(Evil(mark)))
        error_of(capfd, kan_opt, source)
    np.savez(tmp_path / "data.npz", x=np.array([[Evil(mark)]], dtype=object))
    error_of(capfd, kan_run, EXAMPLE, "--inputs", tmp_path / "data.npz")
    np.save(tmp_path / "data.npy", np.array([[Evil(mark)]], dtype=object))
    error_of(capfd, kan_run, EXAMPLE, "--inputs", tmp_path / "data.npy")
    assert not mark.exists()


def test_nothing_connects_anywhere(tmp_path: Path) -> None:
    """Import, compilation and proof, with sockets that cannot be had."""
    script = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise AssertionError('a socket')\n"
        "socket.socket.__init__ = socket.create_connection = refuse\n"
        "from kan_dialect.cli import kan_flow\n"
        "kan_flow.main(sys.argv[1:])\n"
    )
    arguments = ["build", EXAMPLE, "--calibration", DATA, "-o", tmp_path / "o", "--bits", "3",
                 "--simulator", "none"]  # fmt: skip
    subprocess.run([sys.executable, "-c", script, *map(str, arguments)], check=True)
