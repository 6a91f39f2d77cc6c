"""Synthesis, place and route: reading what tools print, and figures of small designs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from build_lists import list_files
from commands import flow

from kan_dialect.devices.device import ECP5, ICE40, XCUP, Cell, device
from kan_dialect.errors import KanError
from kan_dialect.flows.measure import open_design
from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.flows.tools.module_files import instantiated_files
from kan_dialect.flows.tools.place_and_route import place_and_route, read_report
from kan_dialect.flows.tools.synthesis import (
    Synthesis,
    count_cells,
    read_statistics,
    synthesize,
    yosys_of,
)
from kan_dialect.flows.tools.timed_netlist import register_ports
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.flows.tools.yosys_runs import require_modules
from repository import EXAMPLES

REGISTER = Cell("SB_DFF", ("C", "D"), "Q")


def needs(*names: str) -> pytest.MarkDecorator:
    missing = [name for name in names if look_for(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


CLOCKED = """\
module tiny (input clk, input rst, input in_valid, input [5:0] x0, input [5:0] x1,
             output reg out_valid, output reg [5:0] y0);
  wire any = ^x0;
  reg part;
  reg [5:0] sum, later;
  always @(posedge clk) begin
    part <= any;
    sum <= x0 + x1;
    y0 <= part ? sum : ~sum;
    out_valid <= rst ? 1'b0 : in_valid;
  end
endmodule
"""

COMBINATIONAL = """\
module chain (input [7:0] x0, input [7:0] x1, output [7:0] y0);
  assign y0 = (x0 ^ {8{^x1}}) + x1;
endmodule
"""


@pytest.fixture
def design(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.sv"
    path.write_text(CLOCKED)
    return path


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """What `kan-flow build` leaves, as far as these commands look."""
    folder = tmp_path / "out"
    (folder / "rtl").mkdir(parents=True)
    (folder / "rtl" / "tiny.sv").write_text(CLOCKED)
    report = {
        "name": "tiny",
        "latency_cycles": 2,
        "estimate": {"target": "xcup", "luts": 10, "registers": 14, "levels": 1},
        "tools": {"xdsl": "0.74.0"},
    }
    (folder / "report.json").write_text(json.dumps(report))
    list_files(folder)
    return folder


# What tools print.

XILINX_STATISTICS = """{
   "creator": "Yosys 0.52",
   "modules": {
      "\\\\moons": {
         "num_cells": 110,
         "num_cells_by_type": {
            "CARRY4": 7, "FDRE": 33, "FDSE": 7, "LUT1": 1, "LUT2": 17, "LUT3": 7, "LUT4": 1,
            "LUT5": 3, "LUT6": 34, "MUXF7": 2
         },
         "estimated_num_lc": 50
      }
   },
   "design": {}
}
"""


def test_logic_cells_and_flip_flops_of_every_kind_are_read() -> None:
    (name, cells), *rest = read_statistics(XILINX_STATISTICS, yosys_of(XCUP)).items()
    assert (name, rest) == ("moons", [])
    assert (cells.luts, cells.registers, cells.carries, cells.muxes) == (50, 40, 7, 2)
    assert cells.luts_by_inputs == {1: 1, 2: 17, 3: 7, 4: 1, 5: 3, 6: 34}


def test_carry_cells_of_ecp5_take_two_tables() -> None:
    cells = count_cells(yosys_of(ECP5), {"CCU2C": 17, "L6MUX21": 10, "LUT4": 160, "PFUMX": 44})
    assert (cells.luts, cells.carries, cells.muxes) == (194, 17, 54)


def test_flip_flops_with_reset_count() -> None:
    cells = count_cells(
        yosys_of(ICE40), {"SB_DFF": 26, "SB_DFFSR": 6, "SB_DFFESS": 8, "SB_CARRY": 3}
    )
    assert (cells.registers, cells.carries) == (40, 3)
    generic = {"$_DFF_P_": 29, "$_SDFF_PP0_": 4, "$lut_2": 15, "$lut_6": 44}
    cells = count_cells(yosys_of(device("lut6")), generic)
    assert (cells.luts, cells.registers, cells.luts_by_inputs) == (59, 33, {2: 15, 6: 44})


@pytest.mark.parametrize("text", ["", "{}", '{"modules": [1]}', '{"modules": {"a": {}}}'])
def test_other_text_is_no_statistics(text: str) -> None:
    with pytest.raises(KanError, match="statistics cannot be read"):
        read_statistics(text, yosys_of(XCUP))


def test_paths_from_and_to_ports_are_told_apart() -> None:
    report = {
        "fmax": {"clk$glb": {"achieved": 157.33, "constraint": 500}},
        "critical_paths": [
            {"from": "posedge clk", "to": "posedge clk", "path": [{"delay": 6.3}]},
            {"from": "<async>", "to": "posedge clk", "path": [{"delay": 3.0}, {"delay": 6.2}]},
            {"from": "posedge clk", "to": "<async>", "path": [{"delay": 3.3}]},
        ],
        "utilization": {"ICESTORM_LC": {"available": 7680, "used": 226}},
    }
    routed = read_report(json.dumps(report))
    assert routed.fmax_mhz == 157.33
    assert routed.input_ns == pytest.approx(9.2)
    assert (routed.output_ns, routed.path_ns) == (3.3, None)
    assert routed.used == {"ICESTORM_LC": 226}
    with pytest.raises(KanError, match="nextpnr's report cannot be read"):
        read_report('{"fmax": 3}')


def test_a_device_without_synthesis_is_refused() -> None:
    assert yosys_of(device("lut4")).command.endswith("-lut 4")
    with pytest.raises(KanError, match="Yosys does not map to bare; take one of xcup, ecp5"):
        yosys_of(replace(ECP5, name="bare", yosys=None))


# Designs.


@needs("yosys")
def test_a_design_is_counted(design: Path) -> None:
    cells = synthesize(design, XCUP).cells
    # x0 + x1, its parity, what was chosen, and the valid bits; no register is shared or dropped.
    assert cells.registers == 14
    assert 6 <= cells.luts <= 14
    generic = synthesize(design, device("lut4")).cells
    assert generic.registers == 14 and generic.carries == 0 and max(generic.luts_by_inputs) <= 4


@needs("yosys")
def test_what_yosys_refuses_is_one_message(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sv"
    wrong.write_text("module wrong (input a; endmodule\n")
    with pytest.raises(KanError, match=r"yosys failed .*syntax error"):
        synthesize(wrong, XCUP)
    with pytest.raises(KanError, match="did not end within 1e-06 s"):
        synthesize(wrong, XCUP, timeout=1e-6)


@needs("yosys", "nextpnr-ecp5")
def test_paths_from_the_ports_count(tmp_path: Path) -> None:
    """All logic stands before the first register: there is no path between registers at all."""
    path = tmp_path / "first.sv"
    path.write_text(
        "module first (input clk, input [7:0] x0, input [7:0] x1, output reg [7:0] y0);\n"
        "  always @(posedge clk) y0 <= (x0 ^ {8{^x1}}) + x1;\nendmodule\n"
    )
    summary = place_and_route(synthesize(path, ECP5, with_netlist=True), 1, seeds=1).summary()
    assert "fmax_mhz" not in summary and "latency_ns" not in summary
    assert 20 < summary["fmax_with_inputs_mhz"] < 1000
    assert summary["latency_with_inputs_ns"] == pytest.approx(
        1000 / summary["fmax_with_inputs_mhz"], rel=0.01
    )


@needs("yosys", "nextpnr-ice40")
def test_pads_are_timed_where_there_are_pads(design: Path) -> None:
    result = place_and_route(synthesize(design, ICE40, with_netlist=True), 2, seeds=1)
    summary = result.summary()
    assert summary["input_ns"] > 0 and summary["output_ns"] > 0
    assert summary["latency_ns"] == pytest.approx(2000 / summary["fmax_mhz"], rel=0.01)


@needs("yosys", "nextpnr-ecp5")
def test_a_combinational_design_has_a_path_and_no_clock(tmp_path: Path) -> None:
    path = tmp_path / "chain.sv"
    path.write_text(COMBINATIONAL)
    summary = place_and_route(synthesize(path, ECP5, with_netlist=True), 0, seeds=2).summary()
    assert "fmax_mhz" not in summary and "fmax_with_inputs_mhz" not in summary
    assert 1 < summary["path_ns"] == summary["latency_ns"] < 50


def test_registers_at_ports_keep_the_logic() -> None:
    module: dict[str, Any] = {
        "ports": {
            "clk": {"direction": "input", "bits": [2]},
            "x0": {"direction": "input", "bits": [3, 4]},
            "y0": {"direction": "output", "bits": [5]},
        },
        "netnames": {"x0": {"bits": [3, 4]}},
        "cells": {"lut": {"type": "LUT4", "connections": {"A": [3], "B": [4], "Z": [5]}}},
    }
    netlist = {"modules": {"top": module}}
    timed = register_ports(netlist, "top", REGISTER)["modules"]["top"]
    assert timed["cells"]["lut"] == module["cells"]["lut"]
    assert timed["ports"]["x0"]["bits"] == [6, 7] and timed["ports"]["y0"]["bits"] == [5]
    added = timed["cells"]["timed_x0_1"]["connections"]
    assert added == {"C": [2], "D": [7], "Q": [4]}
    assert module["ports"]["x0"]["bits"] == [3, 4]
    with pytest.raises(KanError, match="no module other"):
        register_ports(netlist, "other", REGISTER)


def test_tables_beyond_the_memory_are_refused_before_yosys_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "big.sv").write_text("module big; endmodule")
    (tmp_path / "report.json").write_text('{"name": "big", "table_bits": 45744128}')
    list_files(tmp_path)
    monkeypatch.setattr(tool_runs, "run_all", None)
    assert flow("synth", tmp_path, "--memory", "16") == 1
    assert (
        "tables have 45744128 bits, for which Yosys takes at least 21.3 GiB; 16 GiB are allowed"
        in capsys.readouterr().err
    )


def test_modules_are_found_beside_the_file_that_instantiates_them(tmp_path: Path) -> None:
    (tmp_path / "outer.sv").write_text("// of unread\nmodule outer; middle m(); endmodule\n")
    (tmp_path / "middle.sv").write_text("module middle; inner i(); endmodule\n")
    (tmp_path / "inner.sv").write_text("module inner; endmodule\n")
    (tmp_path / "unread.sv").write_text("module unread; outer o(); endmodule\n")
    found = [path.name for path in instantiated_files(tmp_path / "outer.sv")]
    assert found == ["inner.sv", "middle.sv"]
    assert instantiated_files(tmp_path / "inner.sv") == ()


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    error = KanError(
        r"Yosys failed: ERROR: Module `\net' referenced in module `\net_axi' in cell `\core' is ..."
    )
    with pytest.raises(KanError, match="net_axi instantiates net, which no file beside it decl"):
        require_modules(error, tmp_path / "net_axi.sv")
    require_modules(KanError("Yosys failed: syntax error"), tmp_path / "net_axi.sv")


def test_the_design_of_a_wrapped_build_is_its_top_module(tmp_path: Path) -> None:
    report = {"name": "net", "latency_cycles": 2}
    wrapper = {"top": "net_axi", "file": "rtl/net_axi.sv", "latency_cycles": 3}
    (tmp_path / "report.json").write_text(json.dumps(report | {"interface": wrapper}))
    (tmp_path / "rtl").mkdir()
    core, top = tmp_path / "rtl" / "net.sv", tmp_path / "rtl" / "net_axi.sv"
    core.write_text("module net; endmodule\n")
    top.write_text("module net_axi; net core(); endmodule\n")
    design = open_design(tmp_path)
    assert (design.rtl, design.top, design.modules, design.cycles) == (top, "net_axi", (core,), 3)
    assert design.core is not None
    assert (design.core.rtl, design.core.modules, design.core.cycles) == (core, (), 2)


def test_there_is_no_place_and_route_for_xilinx() -> None:
    with pytest.raises(
        KanError, match="no place and route for xcup; take one of ecp5, ice40, gowin"
    ):
        place_and_route(Synthesis(XCUP, "a", count_cells(yosys_of(XCUP), {}), "0", {}), 1)


# Commands.


@needs("yosys")
def test_synth_notes_its_figures_beside_the_estimate(
    build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert flow("synth", build) == 0
    report = json.loads((build / "report.json").read_text())
    assert report["synthesis"]["target"] == "xcup"
    assert report["synthesis"]["registers"] == 14
    assert report["tools"]["xdsl"] == "0.74.0" and "yosys" in report["tools"]
    assert list(report)[-1] == "tools"
    printed = capsys.readouterr().out
    assert "estimate was" in printed and "10 LUTs" in printed


@needs("yosys")
@pytest.mark.parametrize(("made_for", "taken"), [("lut4", "lut4"), ("a_device_of_theirs", "xcup")])
def test_synth_takes_the_device_of_the_build(
    build: Path, made_for: str, taken: str, tmp_path: Path
) -> None:
    """Where Yosys maps to it."""
    folder = tmp_path / "copy"
    shutil.copytree(build, folder)
    report = json.loads((folder / "report.json").read_text())
    report["estimate"]["target"] = made_for
    (folder / "report.json").write_text(json.dumps(report))
    list_files(folder)
    assert flow("synth", folder) == 0
    found = json.loads((folder / "report.json").read_text())["synthesis"]
    assert found["target"] == taken


@needs("yosys", "nextpnr-ice40")
def test_pnr_takes_the_device_of_the_build(build: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(build, folder)
    report = json.loads((folder / "report.json").read_text())
    report["estimate"]["target"] = "ice40"
    (folder / "report.json").write_text(json.dumps(report))
    list_files(folder)
    assert flow("pnr", folder, "--seeds", 1) == 0
    found = json.loads((folder / "report.json").read_text())["pnr"]
    assert "ice40" in found["tool"]


@needs("yosys")
def test_a_build_can_be_synthesised_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = EXAMPLES
    folder = tmp_path / "wine"
    options = ["--calibration", examples / "wine.npz", "--bits", 2, "--no-check-passes"]
    arguments = [examples / "wine.onnx", "-o", folder, *options, "--simulator", "none", "--synth"]
    assert flow("build", *arguments) == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["synthesis"]["luts"] > 0
    assert "estimate was" in capsys.readouterr().out


@needs("yosys", "nextpnr-ecp5")
def test_pnr_notes_its_figures(build: Path) -> None:
    assert flow("pnr", build, "--seeds", 2) == 0
    pnr = json.loads((build / "report.json").read_text())["pnr"]
    assert pnr["seeds"] == 2 and pnr["fmax_best_mhz"] >= pnr["fmax_mhz"]
    assert {"tool", "device", "latency_ns", "latency_with_inputs_ns", "area_delay"} <= set(pnr)


def test_bad_input_is_one_message(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def message(*arguments: object) -> str:
        assert flow(*arguments) == 1
        return capsys.readouterr().err

    assert "run kan-flow build first" in message("synth", tmp_path / "nowhere")
    assert "cannot read" in message("synth", tmp_path)
    assert "there is no target 'zynq'" in message("synth", build, "--target", "zynq")
    assert "--seeds must lie in 1..100" in message("pnr", build, "--seeds", 0)
    assert "--freq must be above 0" in message("pnr", build, "--freq", "nan")
    assert "--timeout must be above 0" in message("synth", build, "--timeout", 0)
    monkeypatch.setattr(toolchain, "look_for", lambda _: None)
    before = (build / "report.json").read_bytes()
    assert "'yosys' is not installed; get it with: pip install" in message("synth", build)
    assert "'nextpnr-ecp5' is not installed" in message("pnr", build)
    assert (build / "report.json").read_bytes() == before
