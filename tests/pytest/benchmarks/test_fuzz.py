"""A short, always equal slice of the fuzzing, and what fuzzing found: it must stay mended."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from build_lists import list_files
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fuzz.campaign import Campaign, Counts
from fuzz.commands import Ended, place_outputs, problem, run_inside
from fuzz.designs import compile_design, require_proof
from fuzz.folders import FOLDER, Folders, proven_wrongly
from fuzz.kinds import KINDS, check_design, compiled_case, is_refusal
from kan_dialect import multiverse
from kan_dialect.checking import Checker, run_passes
from kan_dialect.devices.device import device_names
from kan_dialect.errors import KanError
from kan_dialect.files.manifest import Listing
from kan_dialect.flows.tools import toolchain
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.model.model import Model
from kan_dialect.passbase.pipeline import build_pipeline
from kan_dialect.search.scales import Observed, choose_ranges
from kan_dialect.universe import UNIVERSE


def require_success(kind: str, seed: int, cases: range) -> Counts:
    """Counts of cases by outcome, after all of them passed."""
    chunk = KINDS[kind].run(seed, cases)
    assert not chunk.failures, "\n".join(failure.message for failure in chunk.failures)
    return chunk.counts


def test_random_networks() -> None:
    """All checks, and every tool that is there, from the first network on."""
    counts = require_success("networks", 1, range(8))
    assert counts["networks evaluated"] > 3
    assert counts["networks in icarus"] == (toolchain.find_simulator("icarus") is not None)


def test_random_networks_of_floats() -> None:
    assert require_success("floats", 1, range(1, 7))["floats evaluated"] > 3


def check_compiled(target: str, seed: int) -> None:
    try:
        check_design(*compiled_case(seed, seed, target), seed)
    except KanError as error:
        if not is_refusal(error):
            raise


compiled = given(st.sampled_from(device_names()), st.integers(0, 1 << 30))


@compiled
@settings(max_examples=15, deadline=None, derandomize=True, phases=[Phase.generate])
def test_any_device_and_clock(target: str, seed: int) -> None:
    """Every stage of the default pipeline gives the integers of the tables."""
    check_compiled(target, seed)


@pytest.mark.ci
@compiled
@settings(max_examples=60, deadline=None, phases=[Phase.generate])
def test_many_devices_and_clocks(target: str, seed: int) -> None:
    check_compiled(target, seed)


@pytest.mark.ci
def test_all_devices_in_all_tools() -> None:
    counts = require_success("compiled", 1, range(len(device_names())))
    assert counts["compiled evaluated"] > len(device_names()) / 2


def test_random_graphs() -> None:
    assert require_success("graphs", 5, range(3))["graphs accepted"] > 0


def test_broken_files() -> None:
    require_success("files", 1, range(1, 40))


@pytest.mark.ci
@pytest.mark.skipif(toolchain.look_for("yosys") is None, reason="Yosys is not installed")
def test_broken_folders() -> None:
    require_success("folders", 1, range(1, 25))


def ended(tmp_path: Path, text: str, *command: str) -> Ended:
    """How a command on `in.mlir` ends, which nothing is wrong with."""
    (tmp_path / "in.mlir").write_text(text)
    before = place_outputs(tmp_path)
    found = run_inside(command, tmp_path)
    assert problem(command, found, tmp_path, before) is None
    return found


WIRES = """
func.func @net(%x: !kan.int<0:1>) -> !kan.int<0:1> {
  %b = kan.delay %a by 1 : !kan.int<0:1>
  %a = kan.table %x entries dense<[1, 0]> : tensor<2xi8> : !kan.int<0:1> -> !kan.int<0:1>
  func.return %b : !kan.int<0:1>
}
"""
OUTSIDE = """
kan.mark %a as "n" offset 0 cycle 0 : !kan.int<0:0>
func.func @net(%x: !kan.int<0:1>) -> !kan.int<0:0> {
  %a = kan.constant 0 : !kan.int<0:0>
  func.return %a : !kan.int<0:0>
}
"""
RANK_2 = """
!codes = !quant.uniform<u2:f32, 0.5:1>
func.func @f(%x: tensor<1xf32>) -> tensor<1x1x!codes> {
  %q = kan.quantize %x : tensor<1xf32> -> tensor<1x!codes>
  %t = kan.tables %q tables dense<1> : tensor<1x1x4xi8> : tensor<1x!codes> -> tensor<1x1x!codes>
  func.return %t : tensor<1x1x!codes>
}
"""
BASE = """
func.func @f(%x: tensor<1xf32>) -> tensor<1x1xf32> {{
  %e = kan.base "tanh" %x weights dense<{}> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  func.return %e : tensor<1x1xf32>
}}
"""


@pytest.mark.parametrize(
    ("text", "command", "message"),
    [
        (WIRES, ["kan-run", "in.mlir"], "'kan.delay' reads a value that is computed after it"),
        (WIRES, ["kan-opt", "in.mlir"], "'kan.delay' reads a value that is computed after it"),
        (OUTSIDE, ["kan-opt", "in.mlir", "-p", "lower-kan-to-hw"], "outside every function"),
        (
            RANK_2.replace(":1>", ":9223372036854775808>"),
            ["kan-opt", "in.mlir"],
            "zero point 9223372036854775808 has more than 62 bits",
        ),
        ('"' + "a" * 60 + "\n", ["kan-opt", "in.mlir"], "in.mlir:1: a string does not end"),
        (RANK_2, ["kan-flow", "build", "in.mlir", "-o", "built"], "is no vector of codes"),
        (BASE.format('"0x0000000000"'), ["kan-opt", "in.mlir"], "a wrong number of elements"),
        (
            WIRES.replace("[1, 0]", "[1, 999]"),
            ["kan-opt", "in.mlir"],
            "out of range for type i8",
        ),
        (
            "builtin.module {}",
            ["kan-opt", "in.mlir", "-t", "circt{x=1}"],
            "target circt does not take these options",
        ),
    ],
)
def test_messages(text: str, command: list[str], message: str, tmp_path: Path) -> None:
    found = ended(tmp_path, text, *command)
    assert found.code == 1
    assert message in found.err


def test_data_of_a_later_zip_version(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((3, 1)))
    data = bytearray((tmp_path / "d.npz").read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 173
    (tmp_path / "d.npz").write_bytes(bytes(data))
    found = ended(tmp_path, BASE.format(1.0), "kan-opt", "in.mlir", "--check-passes=d.npz")
    assert "zip file version 17.3" in found.err


def run(text: str, pipeline: str) -> Model:
    module = parse_text(make_context(), text.encode(), "test")
    run_passes(make_context(), module, build_pipeline(UNIVERSE.all_passes, pipeline), Checker())
    return Model.of(module)


UNREAD = """
func.func @net(%x: tensor<1xf32>, %y: tensor<2xf32>) -> tensor<1xf32> {
  %p = kan.quantize %x : tensor<1xf32> -> tensor<1x!quant.uniform<u1:f32, 1.0>>
  %q = kan.quantize %y : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 1.0>>
  %r = kan.dequantize %p : tensor<1x!quant.uniform<u1:f32, 1.0>> -> tensor<1xf32>
  func.return %r : tensor<1xf32>
}
"""


@pytest.mark.parametrize("stage", ["kan-fold-affine", "kan-fold-tables"])
def test_inputs_that_nobody_reads_keep_their_codes(stage: str) -> None:
    """Dead code elimination took the quantiser, and with it what the port's codes are."""
    assert len(run(UNREAD, f"{stage},kan-expand-wires").ports()[0]) == 3


PRUNED = """
func.func @net(%x: tensor<1xf64>) -> tensor<1xf64> {
  %o = kan.observe %x range dense<[[-3.0, 2.0]]> : tensor<1x2xf64>
    histogram dense<[[1, 2]]> : tensor<1x2xi8> : tensor<1xf64>
  %e = kan.symbolic ["arctanh"] %o choice dense<0> : tensor<1x1xi8>
    affine dense<[[[1.0, 0.0, 1.0, 0.0]]]> : tensor<1x1x4xf64> : tensor<1xf64> -> tensor<1x1xf64>
  %n = kan.node_sum %e mask dense<0> : tensor<1x1xi8> : tensor<1x1xf64> -> tensor<1xf64>
  func.return %n : tensor<1xf64>
}
"""


def test_edges_that_were_pruned_may_be_undefined() -> None:
    quantized = run(PRUNED, "kan-quantize{bits=2}")
    np.testing.assert_array_equal(quantized.run(np.array([[-3.0], [0.5]])), 0.0)


@pytest.mark.skipif(toolchain.look_for("yosys") is None, reason="Yosys is not installed")
def test_sums_that_are_shifted_left_are_proven() -> None:
    """Many sums, scaled by 8 and saturated: the proof took them for functions of other sums."""
    rng = np.random.default_rng([6, 3])
    edges = rng.integers(-1, 2, (1, 14, 32)) * rng.integers(1, 4096, (1, 14, 1))
    text = f"""
    !in = !quant.uniform<u5:f32, 1.0>
    !sum = !quant.uniform<i24:f32, 8.0>
    !node = !quant.uniform<i4:f32, 1.0:-3>
    func.func @net(%x: tensor<14x!in>) -> tensor<1x!node> {{
      %e = kan.tables %x tables dense<{edges.tolist()}> : tensor<1x14x32xi32>
        : tensor<14x!in> -> tensor<1x14x!quant.uniform<i16:f32, 8.0>>
      %s = kan.node_sum %e : tensor<1x14x!quant.uniform<i16:f32, 8.0>> -> tensor<1x!sum>
      %n = kan.requantize %s : tensor<1x!sum> -> tensor<1x!node>
      func.return %n : tensor<1x!node>
    }}
    """
    module = parse_text(make_context(), text.encode(), "test")
    require_proof(
        compile_design(
            module, ["kan-expand-wires", "kan-narrow", "kan-balance-sums", "lower-kan-to-hw"], 0
        )
    )


DEAD = """
func.func @net(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.base "tanh" %x weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %dead = kan.node_sum %e : tensor<1x1xf32> -> tensor<1xf32>
  %f = kan.base "silu" %x weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %f : tensor<1x1xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}
"""


def test_layers_that_nobody_reads_stay_where_there_is_no_affine() -> None:
    """They were erased, and the layer behind them got the number of another."""
    module = parse_text(make_context(), DEAD.encode(), "test")
    before = [str(op) for op in module.walk() if op.results]
    for stage in build_pipeline(UNIVERSE.all_passes, "kan-fold-affine"):
        stage.apply(make_context(), module)
    assert [str(op) for op in module.walk() if op.results] == before


WIDE = """
!edge = !quant.uniform<i24:f32, 1.0>
!sum = !quant.uniform<i32:f32, 1.0>
!node = !quant.uniform<i4:f32, 1.0>
func.func @net(%x: tensor<2x!quant.uniform<u2:f32, 1.0>>) -> tensor<1x!node> {
  %e = kan.tables %x tables dense<[[[0, 1, 2, 3], [0, 1, 1000000, 2000000]]]> : tensor<1x2x4xi32>
    : tensor<2x!quant.uniform<u2:f32, 1.0>> -> tensor<1x2x!edge>
  %s = kan.node_sum %e : tensor<1x2x!edge> -> tensor<1x!sum>
  %n = kan.requantize %s : tensor<1x!sum> -> tensor<1x!node>
  func.return %n : tensor<1x!node>
}
"""


def test_numbers_go_through_functions_of_codes() -> None:
    """They were taken for codes, which address tables."""
    text = WIDE.replace("1000000", "2").replace("2000000", "3")
    module = parse_text(make_context(), text.encode(), "test")
    outputs = Model.of(module).run(np.array([[2.0, 1.4], [0.6, 9.0]]))
    np.testing.assert_array_equal(outputs, [[3.0], [4.0]])


@pytest.mark.skipif(toolchain.look_for("yosys") is None, reason="Yosys is not installed")
def test_a_sum_of_too_many_values_is_no_proof_and_no_crash(tmp_path: Path) -> None:
    quiet = ["-o", "wide", "--simulator", "none", "--vectors", "20"]
    assert ended(tmp_path, WIDE, "kan-flow", "build", "in.mlir", *quiet).code == 0
    found = ended(tmp_path, WIDE, "kan-flow", "prove", "wide")
    assert found.code == 1
    assert "@net cannot be proven: a sum can have 2000004 values" in found.err


@pytest.mark.skipif(toolchain.look_for("yosys") is None, reason="Yosys is not installed")
@pytest.mark.parametrize(
    ("file", "old", "new", "command", "message"),
    [
        ("report.json", '"tools": {', '"tools": 3, "others": {', ["synth"], "is not an object"),
        ("report.json", '"name": "net"', '"name": "a; !ls"', ["synth"], "not the report"),
        ("report.json", '"luts": ', '"luts": [], "l": ', ["synth"], ""),
        ("ir/*-kan-form-carry-chains.mlir", "hw.module @net", 'hw.module @"a; !ls"', ["prove"],
         "is no name for a module"),
        ("ir/*-kan-form-carry-chains.mlir", "hw.module", "nothing", ["prove"], "nothing"),
        ("ir/00-import.mlir", "tensor<2x!quant.uniform<u2", "tensor<2x!quant.uniform<u3",
         ["simulate"], "'kan.tables' op"),
        ("rtl/net.sv", "y0 = ", "y0 = 1'bx + ", ["prove"], "x"),
    ],
)  # fmt: skip
def test_broken_folders_are_refused(
    file: str, old: str, new: str, command: list[str], message: str, tmp_path: Path
) -> None:
    text = WIDE.replace("1000000", "2").replace("2000000", "3")
    quiet = ["-o", "made", "--simulator", "none", "--vectors", "20"]
    assert ended(tmp_path, text, "kan-flow", "build", "in.mlir", *quiet).code == 0
    (path,) = (tmp_path / "made").glob(file)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    list_files(tmp_path / "made")
    found = ended(tmp_path, text, "kan-flow", *command, "made")
    assert found.code == (1 if message else 0)
    assert message in found.err + found.out


HARDWARE = """
hw.module @net(in %x0: i1, out y0: i1) attributes {
  kan.latency = 0 : i64,
  kan.ports = [#kan.port<"x0", 0:1>, #kan.port<"y0", 0:1>]} {
  hw.output %x0 : i1
}
"""


def test_a_build_without_an_estimate_is_reported(tmp_path: Path) -> None:
    """Hardware has no wires to count: the report looked for the figures of none."""
    quiet = ["-o", "wires", "--simulator", "none", "-p", "canonicalize"]
    found = ended(tmp_path, HARDWARE, "kan-flow", "build", "in.mlir", *quiet)
    assert found.code == 0 and "latency" in found.out and "estimate" not in found.out
    assert "estimate" not in json.loads((tmp_path / "wires" / "report.json").read_text())


def test_the_search_for_a_scale_stays_silent_where_squares_overflow() -> None:
    observed = Observed(np.array([[-1e200, 1e200]]), np.array([[1, 2, 1, 5]]))
    with np.errstate(over="raise"):
        assert np.isfinite(choose_ranges(observed, 3, "mse", 99.9)).all()


@pytest.mark.skipif(toolchain.look_for("yosys") is None, reason="Yosys is not installed")
def test_a_sum_that_fits_in_two_ways_is_proven() -> None:
    """Its large steps are 2^n apart: its slices were taken for functions of another sum."""
    rng = np.random.default_rng(1568)
    edges = np.where(rng.random((1, 5, 22)) < 0.5, -2, rng.integers(-9, 30, (1, 5, 1)))
    edges[0, 0] = [-1593] * 3 + [1236] + [1394] * 18
    text = f"""
    !in = !quant.uniform<i5<-9:12>:f32, 1.0>
    !sum = !quant.uniform<i12:f32, 1.0>
    !node = !quant.uniform<u1:f32, 8.0:-3>
    func.func @net(%x: tensor<5x!in>) -> tensor<1x!node> {{
      %e = kan.tables %x tables dense<{edges.tolist()}> : tensor<1x5x22xi16>
        bounds dense<{np.stack([edges.min(-1), edges.max(-1)], -1).tolist()}> : tensor<1x5x2xi16>
        : tensor<5x!in> -> tensor<1x5x!sum>
      %s = kan.node_sum %e : tensor<1x5x!sum> -> tensor<1x!sum>
      %n = kan.requantize %s : tensor<1x!sum> -> tensor<1x!node>
      func.return %n : tensor<1x!node>
    }}
    """
    module = parse_text(make_context(), text.encode(), "test")
    require_proof(compile_design(module, ["kan-expand-wires", "lower-kan-to-hw"], 0))


@pytest.mark.skipif(toolchain.look_for("yosys") is None, reason="Yosys is not installed")
def test_an_output_that_never_wins_is_proven() -> None:
    """Nothing reads the last candidate that is compared with it, so no signal holds that one."""
    network, pipeline = compiled_case(9, 5074, "nexus")
    require_proof(compile_design(network.module(), pipeline, 5074))


# Output folders and options.


@pytest.mark.parametrize("kind", ["outputs", "options"])
def test_a_few_folders_and_options(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiverse, "entry_points", cache(entry_points))
    assert sum(require_success(kind, 1, range(8)).values()) == 8


def test_a_lost_file_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that knows no changes lets files of others go."""
    monkeypatch.setattr(Listing, "is_unchanged", lambda *_: True)
    monkeypatch.setattr(Listing, "changed", lambda *_: [])
    (failure,) = KINDS["outputs"].run(1, range(1, 2)).failures
    assert "was lost" in failure.message and "reproduce.sh" in failure.files


# The machinery.


def test_a_campaign_goes_on_where_it_stopped(tmp_path: Path) -> None:
    kinds = {"networks": replace(KINDS["networks"], size=2)}
    for expected in (2, 4):
        campaign = Campaign(kinds, tmp_path, 5)
        campaign.run(1e-3, 1, lambda _: None)
        ran = campaign.counts["networks evaluated"] + campaign.counts["networks refused"]
        assert ran == campaign.next["networks"] == expected


@pytest.mark.skipif(toolchain.find_simulator("icarus") is None, reason="Icarus is not installed")
def test_a_proven_design_that_a_simulator_refuses_is_a_find(tmp_path: Path) -> None:
    """What is proven is in a language that all tools read."""
    (files,) = Folders(builds=1).folders
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    command, said = ("kan-flow", "prove", FOLDER), Ended(0, "equal to the integer model", "")
    assert proven_wrongly(command, said, tmp_path) is None
    rtl = tmp_path / FOLDER / "rtl" / "net.sv"
    rtl.write_text(rtl.read_text() + "module other (\n")
    found = proven_wrongly(command, said, tmp_path)
    assert found is not None and found.startswith("proven, and in icarus: ")
