"""Designs between registers and pins: Nexus, Gowin and GateMate, placed and routed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import flow

from kan_dialect.devices.device import Nextpnr, device
from kan_dialect.errors import KanError
from kan_dialect.files.manifest import NAME, Listing
from kan_dialect.flows.tools import toolchain
from kan_dialect.flows.tools.pin_harness import harness
from kan_dialect.flows.tools.place_and_route import (
    PlaceAndRoute,
    Routed,
    place_and_route,
    placement_on,
)
from kan_dialect.flows.tools.synthesis import synthesize
from kan_dialect.flows.tools.timed_netlist import is_clocked, port_bits
from kan_dialect.flows.tools.toolchain import find, look_for

DESIGN = """\
module tiny (input clk, input rst, input [5:0] x0, input [5:0] x1, output reg [6:0] y0);
  reg [6:0] sum;
  always @(posedge clk) begin
    sum <= x0 + x1;
    y0 <= rst ? 0 : (sum ^ {7{^sum}}) + x0;
  end
endmodule
"""
COMBINATIONAL = """\
module tiny (input [5:0] x0, input [5:0] x1, output [6:0] y0);
  assign y0 = x0 + (x1 ^ {6{^x0}});
endmodule
"""
FAMILIES = ("nexus", "gowin", "gatemate")


def nextpnr_of(family: str) -> Nextpnr:
    return placement_on(family).nextpnr


def needs(family: str) -> None:
    for tool in ("yosys", nextpnr_of(family).tool):
        if look_for(tool) is None:
            pytest.skip(f"{tool} is not installed")


def module(**cells: dict[str, Any]) -> dict[str, Any]:
    """A netlist of two inputs and an output of two bits, with cells of given types and pins."""
    made = {
        name: {
            "type": cell["type"],
            "parameters": cell.get("parameters", {}),
            "port_directions": {},
            "connections": {pin: [bit] for pin, bit in cell["pins"].items()},
        }
        for name, cell in cells.items()
    }
    ports = {
        "clk": {"direction": "input", "bits": [2]},
        "x0": {"direction": "input", "bits": [3, 4]},
        "y0": {"direction": "output", "bits": [5, 6, "0"]},
    }
    names = {name: {"bits": port["bits"]} for name, port in ports.items()}
    return {"modules": {"top": {"ports": ports, "netnames": names, "cells": made}}}


def test_inputs_are_registers_of_one_pin() -> None:
    table = {"type": "LUT4", "pins": {"A": 3, "B": 4, "Z": 5}}
    found = harness(module(table=table), "top", nextpnr_of("nexus"))
    made = found.netlist["modules"]["top"]
    assert set(made["ports"]) == {"clk", "scan"}
    assert (found.registers, found.gates) == (2, 0)
    assert made["cells"]["table"]["connections"] == {"A": [3], "B": [4], "Z": [5]}
    sources = {made["cells"][f"timed_x0_{bit}"]["connections"]["D"][0] for bit in (0, 1)}
    assert sources == set(made["cells"]["pad_scan"]["connections"]["O"])
    assert made["cells"]["pad_clk"]["connections"] == {"I": made["ports"]["clk"]["bits"], "O": [2]}


def test_ice40_needs_few_pins_only_where_ports_are_many() -> None:
    found = harness(module(), "top", nextpnr_of("ice40")).netlist["modules"]["top"]
    assert set(found["ports"]) == {"clk", "scan"} and placement_on("ice40").pins == 206
    registers = {found["cells"][f"timed_x0_{bit}"]["connections"]["D"][0] for bit in (0, 1)}
    assert registers == set(found["ports"]["scan"]["bits"])
    assert port_bits(module(), "top") == 6


def test_the_clock_of_a_wrapper_is_aclk() -> None:
    netlist = module()
    top = netlist["modules"]["top"]
    top["ports"] = {("aclk" if name == "clk" else name): p for name, p in top["ports"].items()}
    top["netnames"] = {
        ("aclk" if name == "clk" else name): n for name, n in top["netnames"].items()
    }
    assert is_clocked(netlist, "top")
    made = harness(netlist, "top", nextpnr_of("nexus")).netlist["modules"]["top"]
    assert set(made["ports"]) == {"clk", "scan"}
    assert made["cells"]["timed_x0_0"]["connections"]["CK"] == [2]
    assert made["cells"]["pad_clk"]["connections"]["O"] == [2]


def test_gatemate_outputs_lead_to_a_pin() -> None:
    """nextpnr removes what leads nowhere there."""
    found = harness(module(), "top", nextpnr_of("gatemate"))
    made = found.netlist["modules"]["top"]
    assert set(made["ports"]) == {"clk", "scan", "sink"}
    (gate,) = (cell for cell in made["cells"].values() if cell["type"] == "CC_LUT2")
    assert (gate["connections"]["I0"], gate["connections"]["I1"]) == ([5], [6])
    assert gate["connections"]["O"] == made["cells"]["pad_sink"]["connections"]["A"]
    assert found.gates == 1


def test_gowin_tables_have_four_inputs() -> None:
    """nextpnr has no delays of smaller ones: a design of them alone has no paths."""
    small = {"type": "LUT2", "parameters": {"INIT": "0110"}, "pins": {"I0": 3, "I1": 4, "F": 5}}
    cell = harness(module(small=small), "top", nextpnr_of("gowin")).netlist["modules"]["top"][
        "cells"
    ]["small"]
    assert cell["type"] == "LUT4"
    assert cell["parameters"]["INIT"] == "0110" * 4
    assert cell["connections"] == {"I0": [3], "I1": [4], "F": [5]}


def test_nexus_chains_begin_without_a_carry() -> None:
    first = {"type": "CCU2", "pins": {"CIN": 9, "COUT": 7}}
    second = {"type": "CCU2", "pins": {"CIN": 7, "COUT": 8}}
    low = {"type": "VLO", "pins": {"Z": 9}}
    made = harness(module(first=first, second=second, low=low), "top", nextpnr_of("nexus")).netlist
    cells = made["modules"]["top"]["cells"]
    assert cells["first"]["connections"] == {"COUT": [7]}
    assert cells["second"]["connections"] == {"CIN": [7], "COUT": [8]}


def test_the_harness_is_not_counted() -> None:
    netlist = module()
    found = harness(netlist, "top", nextpnr_of("gatemate"))
    used = {"CPE_LT": 20, "CPE_ADDF2": 3, "CPE_MX4": 4, "CPE_FF": 12}
    run = Routed(50.0, None, None, None, used)
    summary = PlaceAndRoute(placement_on("gatemate"), "0", 2, False, [], [run], found).summary()
    # Two registers, each behind a lookup table, and a gate between the outputs.
    assert (summary["luts"], summary["registers"]) == (20 + 6 + 8 - 3, 10)
    assert summary["latency_with_inputs_ns"] == 40.0
    assert "fmax_mhz" not in summary and "path_ns" not in summary


@pytest.mark.ci
@pytest.mark.parametrize("family", FAMILIES)
def test_designs_are_placed_and_timed(family: str, tmp_path: Path) -> None:
    needs(family)
    path = tmp_path / "tiny.sv"
    path.write_text(DESIGN)
    synthesis = synthesize(path, device(family), with_netlist=True)
    summary = place_and_route(synthesis, 2, seeds=1).summary()
    assert summary["registers"] == synthesis.cells.registers
    # nextpnr puts cells at the ends of carry chains.
    assert 0.8 * synthesis.cells.luts <= summary["luts"] <= 1.3 * synthesis.cells.luts + 8
    assert 20 < summary["fmax_with_inputs_mhz"] < 1000
    assert summary["device"].startswith(family)


@pytest.mark.ci
@pytest.mark.parametrize("family", FAMILIES)
def test_combinational_designs_have_a_path(family: str, tmp_path: Path) -> None:
    needs(family)
    path = tmp_path / "tiny.sv"
    path.write_text(COMBINATIONAL)
    synthesis = synthesize(path, device(family), with_netlist=True)
    summary = place_and_route(synthesis, 0, seeds=1).summary()
    assert "fmax_with_inputs_mhz" not in summary
    assert 1 < summary["path_ns"] == summary["latency_ns"] < 50


@pytest.mark.parametrize("family", FAMILIES)
def test_a_missing_tool_is_named_with_its_wheel(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "look_for", lambda _: None)
    tool = nextpnr_of(family).tool
    command = f"pip install yowasp-{tool}"
    with pytest.raises(KanError, match=f"'{tool}' is not installed; get it with: {command}"):
        find(tool)


@pytest.mark.ci
def test_the_command_notes_the_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs("gowin")
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "tiny.sv").write_text(DESIGN)
    (tmp_path / "report.json").write_text('{"name": "tiny", "latency_cycles": 2}')
    listing = Listing.of("kan-flow build", tmp_path, ["rtl/tiny.sv", "report.json"])
    (tmp_path / NAME).write_text(listing.text())
    assert flow("pnr", tmp_path, "--target", "gowin", "--seeds", "1") == 0
    figures = json.loads((tmp_path / "report.json").read_text())["pnr"]
    assert figures["tool"].startswith("nextpnr-himbaechel-gowin 0.")
    assert "with the inputs" in capsys.readouterr().out
