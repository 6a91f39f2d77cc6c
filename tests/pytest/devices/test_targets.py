"""Further FPGA families and standard cells: their cells are counted, and bad input is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import flow
from xdsl.ir import Block

from kan_dialect.devices.device import DEVICES, ECP5, FAMILIES, Part, device
from kan_dialect.devices.lut_count import luts_of
from kan_dialect.errors import KanError
from kan_dialect.flows import part_fit
from kan_dialect.flows.page.verdicts import verdicts
from kan_dialect.flows.part_fit import part_caution, part_entry, part_text
from kan_dialect.flows.tools.place_and_route import placement_on
from kan_dialect.flows.tools.synthesis import count_cells, synthesize, yosys_of
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.ir.types import IntType
from kan_dialect.ops.wire import DelayOp, MarkOp, SumOp, TableOp
from repository import EXAMPLES

PAGE = "report.html"
ESTIMATE = {
    "target": "gowin",
    "luts": 9000,
    "registers": 20,
    "levels": 4,
    "delay_ns": 10.0,
    "latency_ns": 20.0,
    "part": part_entry("gowin", 9000, 20),
}

DESIGN = """\
module tiny (input clk, input [5:0] x0, input [5:0] x1, output reg [6:0] y0);
  always @(posedge clk) y0 <= x0 + x1;
endmodule
"""

needs_yosys = pytest.mark.skipif(look_for("yosys") is None, reason="yosys not installed")


@pytest.fixture
def design(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.sv"
    path.write_text(DESIGN)
    return path


@pytest.mark.parametrize(
    ("name", "cells", "luts", "registers"),
    [
        ("cyclonev", {"MISTRAL_ALUT6": 4, "MISTRAL_NOT": 1, "MISTRAL_ALUT_ARITH": 9}, 14, 0),
        ("gowin", {"ALU": 9, "LUT4": 15, "LUT3": 1, "MUX2_LUT5": 8, "DFFR": 13, "VCC": 1}, 25, 13),
        ("nexus", {"CCU2": 6, "LUT4": 3, "WIDEFN9": 12, "FD1P3IX": 13, "VLO": 1}, 39, 13),
        ("gatemate", {"CC_ADDF": 9, "CC_LUT2": 8, "CC_MX2": 2, "CC_MX4": 5, "CC_DFF": 13}, 29, 13),
    ],
)
def test_cells_are_counted(name: str, cells: dict[str, int], luts: int, registers: int) -> None:
    found = count_cells(yosys_of(device(name)), cells)
    assert (found.luts, found.registers) == (luts, registers)
    assert device(name).name == name


def test_each_family_has_a_part_to_compare_with() -> None:
    assert {name for name, family in DEVICES.items() if family.parts} == {f.name for f in FAMILIES}
    report = {"name": "tiny", "latency_cycles": 2, "estimate": ESTIMATE}
    fits, fast, *_ = verdicts(report)
    assert (fits.state, fits.lines[1]) == (
        "good",
        "GW2A-18 holds it: 43.4% of its LUTs, 0.1% of its registers",
    )
    assert "kan-flow pnr .<" in str(fast.lines[-1])


@pytest.mark.parametrize(
    ("target", "luts", "registers", "part", "caution"),
    [
        ("ecp5", 12_144, 900, ("LFE5U-12F", True), None),
        ("ecp5", 12_145, 900, ("LFE5U-25F", True), None),
        ("ecp5", 900, 43_849, ("LFE5U-85F", True), None),
        (
            "ecp5",
            197_031,
            900,
            ("LFE5U-85F", False),
            "larger than every part of ecp5: 197031 LUTs and 900 registers, where LFE5U-85F has "
            "83640 and 83640; give fewer bits",
        ),
        (
            "xcup",
            300_000,
            900,
            ("XCVU9P", True),
            "larger than the part of its projects: 300000 LUTs and 900 registers, where XCKU5P has "
            "216960 and 433920; take XCVU9P there",
        ),
        ("ice40", 5_000, 5_281, ("iCE40HX8K", True), None),
    ],
)
def test_a_design_is_compared_with_the_parts_of_its_family(
    target: str, luts: int, registers: int, part: tuple[str, bool], caution: str | None
) -> None:
    entry = part_entry(target, luts, registers)
    assert entry is not None and (entry["name"], entry["fits"]) == part
    assert entry["luts_share"] == pytest.approx(luts / entry["luts"], abs=1e-4)
    warnings = part_caution(target, luts, registers)
    assert len(warnings) == (caution is not None) and (caution or "") in "".join(warnings)


def test_block_rams_decide_too_whether_a_part_holds_a_design() -> None:
    entry = part_entry("ecp5", 9_000, 900, 57)
    assert entry is not None and (entry["name"], entry["block_rams"]) == ("LFE5U-45F", 108)
    assert part_text(entry) == (
        "LFE5U-45F holds it: 20.5% of its LUTs, 2.1% of its registers, 52.8% of its block RAMs"
    )
    (caution,) = part_caution("ecp5-25", 9_000, 900, 57)
    assert caution.startswith(
        "the design is larger than LFE5U-25F: 9000 LUTs, 900 registers and 57 block RAMs, where "
        "LFE5U-25F has 24288, 24288 and 56; give fewer bits"
    )
    assert part_caution("ecp5-25", 9_000, 900, 56) == []


def test_a_part_with_no_known_number_of_block_rams_is_compared_by_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    part = Part("TINY", 20, 20, None, 0, "TINY-1", 10)
    family = replace(ECP5, parts=(part,), project_part="TINY")
    monkeypatch.setattr(part_fit, "device", lambda _: family)
    entry = part_entry("ecp5", 9, 9, 3)
    assert entry is not None and entry["fits"] and "block_rams_share" not in entry
    assert part_caution("ecp5", 21, 9, 3) == [
        "the design is larger than every part of ecp5: 21 LUTs and 9 registers, where TINY has 20 "
        "and 20; give fewer bits (--bits), or more cycles (--fit)"
    ]


def test_a_part_is_a_device_by_itself() -> None:
    """It has the costs of its family. Fit, place and route and projects are for it."""
    part = device("ecp5-25")
    assert (part.name, part.family, part.project_part) == ("ecp5-25", "ecp5", "LFE5U-25F")
    assert (part.timing, part.adders) == (ECP5.timing, ECP5.adders)
    assert part_caution("ecp5-25", 30_000, 9) == [
        "the design is larger than LFE5U-25F: 30000 LUTs and 9 registers, where LFE5U-25F has "
        "24288 and 24288; give fewer bits (--bits), more cycles (--fit ecp5-25), or take a larger "
        "part"
    ]
    entry = part_entry("ecp5-25", 90, 9)
    assert entry is not None and (entry["name"], entry["fits"]) == ("LFE5U-25F", True)
    placement = placement_on("ecp5-25")
    assert (placement.target, placement.name) == ("ecp5-25", "ecp5-25")
    assert placement.options == ("--25k", "--package", "CABGA381", "--out-of-context")
    assert placement_on("ecp5").name == "ecp5-85"
    assert placement_on("gowin-gw2a-18").files == {
        "pins.cst": 'IO_LOC "clk" 4;\nIO_LOC "scan" 25;\n'
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ecp5-26", "ecp5 has no part 'ecp5-26'; take one of ecp5-25, "),
        ("gowin-gw5a", "gowin has no part 'gowin-gw5a'; take one of gowin-gw2a-18, "),
        ("lut6-1", "there is no target 'lut6-1'; take one of xcup, "),
    ],
)
def test_an_unknown_part_is_refused(name: str, message: str) -> None:
    with pytest.raises(KanError, match=message):
        device(name)


def test_all_parts_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert flow("--list-devices") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == sum(1 + len(family.parts) for family in DEVICES.values())
    (line,) = [line for line in lines if "LFE5U-45F" in line]
    size = "43,848 LUTs 43,848 registers 108 block RAMs of 18 kbit 72 multipliers"
    assert " ".join(line.split()) == f"ecp5-45 LFE5U-45F {size} nextpnr"


def test_families_without_parts_have_no_part() -> None:
    assert part_entry("lut6", 9, 9) is None and part_caution("lut6", 9, 9) == []
    assert part_entry("another", 9, 9) is None


def test_a_build_that_does_not_fit_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = Part("TINY", 20, 20, 0, 0, "TINY-1", 10)
    monkeypatch.setattr(
        part_fit, "device", lambda _: replace(ECP5, parts=(small,), project_part="TINY")
    )
    command = ["build", str(EXAMPLES / "wine.onnx"), "-o", str(tmp_path / "wine"), "--bits", "3"]
    command += ["--calibration", str(EXAMPLES / "wine.npz"), "--fast"]
    command += ["--simulator", "none", "--no-check-passes", "--vectors", "9"]
    assert flow(*command, "--certificate", "never", "--target", "ecp5") == 0
    printed = " ".join(capsys.readouterr().out.split())
    report = json.loads((tmp_path / "wine" / "report.json").read_text())
    (warning,) = [each for each in report["warnings"] if "larger than every part" in each]
    assert f"warning: {warning}" in printed
    assert not report["estimate"]["part"]["fits"]
    told = "TINY is too small:"
    for text in (printed, *((tmp_path / "wine" / n).read_text() for n in ("README.md", PAGE))):
        assert told in text


def test_carry_chains_of_nexus_begin_with_a_cell() -> None:
    """A sum of two terms of 8 and 8 bits: 9 bits, and the two lookup tables of that cell."""
    block = Block(arg_types=[IntType(0, 255)] * 2)
    total = SumOp(list(block.args))
    assert luts_of(total, device("nexus")) == 9 + 2
    assert luts_of(total, device("gowin")) == 9


@pytest.mark.parametrize("low", [-4, 0])
def test_bits_that_no_table_depends_on_are_not_counted(low: int) -> None:
    """Synthesis removes them. The upper half of the codes is one bit, each quarter two."""
    halves, quarters = np.arange(8) // 4, np.arange(8) // 2
    entries = np.array([5, 0, 3, 6, 1, 7, 2, 4]) + low
    for readers, luts in [([halves], 1), ([quarters, halves], 2), ([halves, np.arange(8)], 3)]:
        block = Block(arg_types=[IntType(0, 7)])
        table = TableOp([block.args[0]], entries)
        block.add_ops([table, later := DelayOp(table, 1), MarkOp(later, "node")])
        for index, reader in enumerate(readers):
            # One reads it a cycle later.
            block.add_op(TableOp([later.result if index == 0 else table.result], reader))
        assert luts_of(table, device("lut4")) == luts
    block.add_op(SumOp([table, table]))
    assert luts_of(table, device("lut4")) == 3


@needs_yosys
@pytest.mark.ci
@pytest.mark.parametrize("name", ["xc7", "cyclonev", "gowin", "nexus", "gatemate"])
def test_families_are_synthesised(name: str, design: Path) -> None:
    cells = synthesize(design, device(name)).cells
    assert cells.registers == 7
    assert (3 if name == "xc7" else 6) <= cells.luts <= 20  # There, two small tables share one.
    assert cells.carries


@needs_yosys
@pytest.mark.parametrize("name", ["ice40", "gatemate"])
def test_buffers_are_synthesised_without_memories_of_lookup_tables(
    name: str, tmp_path: Path
) -> None:
    rtl = tmp_path / "buffer.sv"
    rtl.write_text(
        """module buffer(input clk, input [2:0] at, input [7:0] x, output [7:0] y);
  (* ram_style = "distributed", ramstyle = "MLAB" *) reg [7:0] words [0:7];
  always @(posedge clk) words[at] <= x;
  assign y = words[at];
endmodule
"""
    )
    assert synthesize(rtl, device(name)).cells.registers == 64
