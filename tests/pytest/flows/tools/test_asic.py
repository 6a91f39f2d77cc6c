"""Netlists of standard cells: their area, clock and energy, and what vectors give on them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import flow

from kan_dialect.devices.liberty import read_library
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.asic import Vectors, synthesize_asic
from kan_dialect.flows.tools.cell_simulation import play_gates
from kan_dialect.flows.tools.toolchain import look_for
from repository import SMALL_LIBRARY as LIBRARY
from small_networks import model

DESIGN = """\
module tiny (input clk, input [5:0] x0, input [5:0] x1, output reg [6:0] y0);
  always @(posedge clk) y0 <= x0 + x1;
endmodule
"""

needs_yosys = pytest.mark.skipif(look_for("yosys") is None, reason="yosys not installed")
needs_sta = pytest.mark.skipif(look_for("sta") is None, reason="OpenSTA not installed")


@pytest.fixture
def design(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.sv"
    path.write_text(DESIGN)
    return path


def vectors(change: int = 0) -> Vectors:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 64, (2, 50), dtype=np.uint64)
    return Vectors({"x0": a, "x1": b}, {"y0": (a + b) ^ np.uint64(change)})


@needs_yosys
def test_area_is_that_of_the_cells(design: Path) -> None:
    found, areas = synthesize_asic(design, LIBRARY), read_library(LIBRARY).areas
    assert found.library == "small"
    assert found.registers == 7
    assert found.area == sum(areas[cell] * count for cell, count in found.cells.items())
    assert len(re.findall(r"DFF \\y0\[\d\]reg ", found.netlist)) == 7


@needs_yosys
@needs_sta
def test_paths_leakage_and_energy(design: Path) -> None:
    found = synthesize_asic(design, LIBRARY, vectors=vectors())
    timing, areas = found.timing, read_library(LIBRARY).areas
    assert timing is not None
    # Gates take 0.1 ns each, and setup 0.05 ns; inputs come with the edge of the clock.
    assert 10 * (timing.path_ns - 0.05) == pytest.approx(round(10 * timing.path_ns - 0.5))
    assert timing.path_ns > 0.5
    assert re.fullmatch(r"x[01]\[\d\]", timing.path_from) and "reg" in timing.path_to
    leakage = sum(areas[cell] * count for cell, count in found.cells.items()) * 1e-9
    assert timing.leakage_w == pytest.approx(leakage, rel=1e-3)
    assert f"-period {timing.path_ns:.4f}" in found.constraints
    assert "[get_ports {x0[*] x1[*] }]" in found.constraints


@needs_yosys
@needs_sta
def test_logic_is_mapped_for_delay_where_the_clock_needs_it(design: Path) -> None:
    for_area = synthesize_asic(design, LIBRARY)
    assert for_area.timing is not None
    slow = synthesize_asic(design, LIBRARY, mhz=999 / for_area.timing.path_ns)
    fast = synthesize_asic(design, LIBRARY, mhz=1010 / for_area.timing.path_ns, vectors=vectors())
    assert fast.timing is not None
    assert slow.cells == for_area.cells
    assert fast.timing.path_ns < for_area.timing.path_ns
    # ABC's `map` fails on this library, so that no mapping is faster.
    assert synthesize_asic(design, LIBRARY, mhz=1e4).cells == fast.cells


@needs_yosys
@needs_sta
def test_energy_is_that_of_the_nets_that_change(tmp_path: Path) -> None:
    design = tmp_path / "tiny.sv"
    design.write_text(
        "module tiny (input clk, input x0, output reg y0, output reg y1);\n"
        "reg held; always @(posedge clk) begin held <= x0; y0 <= ~held; y1 <= ~held; end\n"
        "endmodule\n"
    )
    x = np.array([0, 1, 1, 0, 1, 1, 1, 0, 0], np.uint64)
    found = synthesize_asic(
        design, LIBRARY, mhz=100.0, vectors=Vectors({"x0": x}, {"y0": 1 - x, "y1": 1 - x})
    )
    assert found.timing is not None and found.cells == {"DFF": 2, "INV": 1}
    # x changes four times in eight cycles. The register's net and the inverter's drive 0.001 pF.
    assert found.timing.energy_j == pytest.approx(0.5 * (1 + 1) * 1e-15 * 4 / 8, rel=1e-3)
    assert "-period 10.0000" in found.constraints


@needs_yosys
@needs_sta
def test_a_netlist_is_compared_with_the_integer_model(design: Path) -> None:
    with pytest.raises(KanError, match="bit 2 of y0 differs between netlist and integer model"):
        synthesize_asic(design, LIBRARY, vectors=vectors(change=4))


@needs_yosys
def test_a_library_without_gates_is_refused(design: Path, tmp_path: Path) -> None:
    path = tmp_path / "dff.lib"
    path.write_text(LIBRARY.read_text().replace("(A*B)'", "").replace("(A+B)'", ""))
    with pytest.raises(KanError, match=r"cannot map to the cells of .*dff\.lib|has no cell for"):
        synthesize_asic(design, path)


@needs_yosys
def test_synth_of_a_build_takes_its_library(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, folder = tmp_path / "net.mlir", tmp_path / "o"
    network.write_text(model([[1.0, 0.5]]))
    options = ["--input-format", "s2.2", "--target", LIBRARY, "--mhz", 400]
    assert flow("build", network, *options, "-o", folder) == 0
    assert flow("synth", folder) == 0
    assert "in the units of the library" in capsys.readouterr().out
    noted = json.loads((folder / "report.json").read_text())["asic"]
    assert noted["library"] == "small"
    assert "module net" in (folder / "asic" / "net.v").read_text()
    assert "create_clock -name clk -period 2.5000" in (folder / "asic" / "net.sdc").read_text()
    if look_for("sta") is not None:
        assert noted["energy_j"] > 0
    assert f"area {noted['area']:,.0f}" in (folder / "report.html").read_text()


def test_gates_are_played() -> None:
    def gate(kind: str, **pins: int | str) -> dict[str, object]:
        return {"type": kind, "connections": {pin: [net] for pin, net in pins.items()}}

    cells = {
        "a": gate("$_AND_", A=2, B=3, Y=4),
        "b": gate("$_DFF_PN0_", C=9, D=4, R="1", Q=5),
        "c": gate("$_NOT_", A=5, Y=6),
        "d": gate("$_XOR_", A=6, B=2, Y=7),
        "e": gate("$_OR_", A=7, B="0", Y=8),
    }
    a, b = np.array([0, 1, 1, 0, 1], np.bool_), np.array([1, 1, 0, 0, 1], np.bool_)
    values = play_gates({"cells": cells}, {2: a, 3: b})
    assert values is not None
    np.testing.assert_array_equal(values[6], ~(a & b))
    np.testing.assert_array_equal(values[8], ~(a & b) ^ a)
    cells["a"] = gate("$_AND_", A=2, B=8, Y=4)
    assert play_gates({"cells": cells}, {2: a}) is None
