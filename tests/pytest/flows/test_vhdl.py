"""The VHDL of builds: package and wrapper of each, the network with `--vhdl`, and their names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import flow
from vhdl_bench import analyse, ghdl, require_ghdl

from hardware_text import parse
from kan_dialect.errors import KanError
from kan_dialect.flows.build_options import BuildOptions
from kan_dialect.flows.report import Report
from kan_dialect.flows.simulate.simulation import simulate
from kan_dialect.flows.vhdl import checked
from kan_dialect.flows.vhdl.files import write_vhdl
from kan_dialect.flows.vhdl.port_declarations import real_literal
from kan_dialect.model.interface import Interface, Port
from repository import EXAMPLES

LOAD = EXAMPLES / "load.mlir"

PORTS = [
    {"name": "clk", "direction": "input", "bits": 1},
    {"name": "rst", "direction": "input", "bits": 1},
    {"name": "in_valid", "direction": "input", "bits": 1},
    {
        "name": "x0",
        "direction": "input",
        "bits": 1,
        "signed": False,
        "low": 0,
        "high": 1,
        "scale": 1e-05,
        "zero_point": 0,
        "gain": -2.0,
        "offset": 0.25,
    },
    {
        "name": "x1",
        "direction": "input",
        "bits": 4,
        "signed": True,
        "low": -8,
        "high": 6,
        "scale": 3.0,
        "zero_point": -(1 << 40),
    },
    {"name": "out_valid", "direction": "output", "bits": 1},
    {
        "name": "y0",
        "direction": "output",
        "bits": 40,
        "signed": True,
        "low": -(1 << 39),
        "high": 5,
        "scale": 0.5,
        "zero_point": 3,
    },
]
HARDWARE = """
hw.module @NAME(
    in %clk : !seq.clock, in %rst : i1, in %in_valid : i1, in %x0 : i1, in %x1 : i4,
    out out_valid : i1, out y0 : i40) {
  %zero = hw.constant 0 : i1
  %v = seq.compreg %in_valid, %clk reset %rst, %zero : i1
  %s = comb.extract %x1 from 3 : (i4) -> i1
  %r = comb.replicate %s : (i1) -> i35
  %w = comb.concat %r, %x1, %x0 : i35, i4, i1
  %y = seq.compreg %w, %clk : i40
  hw.output %v, %y : i1, i40
}
"""

USER = """\
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.PACKAGE.all;

entity user is
end entity;

architecture test of user is
  signal clk : std_logic := '0';
  signal rst : std_logic := '1';
  signal in_valid : std_logic := '0';
  signal out_valid : std_logic;
  signal x0 : unsigned(0 downto 0) := X0_HIGH;
  signal x1 : signed(3 downto 0) := X1_LOW;
  signal y0 : signed(39 downto 0);
begin
  dut : entity work.WRAPPER
    port map (clk, rst, in_valid, x0, x1, out_valid, y0);

  process
  begin
    for cycle in 0 to 4 loop
      rst <= '1' when cycle = 0 else '0';
      in_valid <= '1' when cycle = 1 else '0';
      wait for 1 ns;
      if cycle = 1 + CYCLES then
        assert out_valid = '1' and y0 = -15 severity failure;
      end if;
      clk <= '1';
      wait for 1 ns;
      clk <= '0';
      wait for 1 ns;
    end loop;
    assert X0_WIDTH = 1 and X0_SCALE = 1.0e-5 and X0_GAIN = -2.0 and X0_OFFSET = 0.25;
    assert X1_ZERO_POINT = -1099511627776.0 and X1_SCALE = 3.0 and X1_HIGH = 6;
    assert to_hstring(Y0_LOW) = "8000000000" and Y0_HIGH = 5 and Y0_ZERO_POINT = 3;
    report "done";
    wait;
  end process;
end architecture;
"""


@pytest.mark.parametrize("name", ["net", "latency", "clk", "core", "a__b", "X0_T", "Rtl"])
def test_wrapper_and_package_of_any_name(name: str, tmp_path: Path) -> None:
    """A user's design reads the constants, and instantiates the wrapper around the network."""
    write_vhdl(tmp_path, name, 1, 1, PORTS, parse(HARDWARE.replace("NAME", name)))
    names = {each: f"\\{each}\\" if "__" in each else each for each in (name, f"{name}_pkg")}
    for file in (name, f"{name}_pkg", f"{name}_wrapper"):
        analyse(tmp_path, (tmp_path / f"{file}.vhd").read_text(), f"{file}.vhd")
    cycles = "LATENCY_1" if name == "latency" else "LATENCY"
    wrapper = f"{name}_wrapper" if "__" not in name else f"\\{name}_wrapper\\"
    user = USER.replace("PACKAGE", names[f"{name}_pkg"]).replace("WRAPPER", wrapper)
    analyse(tmp_path, user.replace("CYCLES", cycles), "user.vhd")
    ghdl(tmp_path, "-e", "--std=08", "user")
    printed = ghdl(tmp_path, "-r", "--std=08", "user")
    assert printed.count("\n") == 1 and "(report note): done" in printed


@pytest.mark.parametrize("value", [0.1, 1e-05, 1e22, 5e-324, -0.25, 3.0, 1.7976931348623157e308])
def test_real_literals_read_back(value: float) -> None:
    text = real_literal(value)
    assert re.fullmatch(r"-?\d+\.\d+(e[+-]?\d+)?", text) and float(text) == value


def build(folder: Path, *options: object) -> int:
    return flow("build", LOAD, "-o", folder, *options)


def test_every_build_has_package_and_wrapper(tmp_path: Path) -> None:
    folder = tmp_path / "load"
    assert build(folder, "--simulator", "none", "--cycles", 2) == 0
    assert sorted(each.name for each in (folder / "vhdl").iterdir()) == [
        "load_pkg.vhd",
        "load_wrapper.vhd",
    ]
    text = (folder / "vhdl" / "load_pkg.vhd").read_text()
    assert "constant LATENCY : natural := 2;" in text
    readme = (folder / "README.md").read_text()
    assert "`vhdl/load_pkg.vhd`" in readme and "`vhdl/load_wrapper.vhd`" in readme


@pytest.mark.parametrize("options", [["--cycles", 2], ["--combinational"]])
def test_build_simulates_the_vhdl(tmp_path: Path, options: list[object]) -> None:
    require_ghdl()
    folder = tmp_path / "load"
    assert build(folder, "--vhdl", "--simulator", "icarus", "--vectors", 50, *options) == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["vhdl"]["mismatches"] == 0 and report["vhdl"]["vectors"] >= 50
    assert report["vhdl"]["simulator"].startswith("ghdl ") and "ghdl" in report["tools"]
    for file in ("load.vhd", "load_pkg.vhd", "load_wrapper.vhd"):
        analyse(tmp_path, (folder / "vhdl" / file).read_text(), file)
    readme = (folder / "README.md").read_text()
    assert "`vhdl/load.vhd`" in readme and "`sim/load_tb.vhd`" in readme
    run_testbench(folder)
    # The testbench finds a wrong latency, a wrong output and a missing vector.
    network = folder / "vhdl" / "load.vhd"
    text = network.read_text()
    wrong = re.sub(r"  y0 <= .*;", "  y0 <= '1';", text)
    assert wrong != text
    for broken in (wrong, *wrong_latencies(text)):
        network.write_text(broken)
        with pytest.raises(AssertionError, match="FAIL: "):
            run_testbench(folder)
    network.write_text(text)
    outputs = folder / "sim" / "load_outputs.hex"
    outputs.write_text(outputs.read_text() + outputs.read_text()[:4].split("\n")[0] + "\n")
    with pytest.raises(AssertionError):
        run_testbench(folder)


def wrong_latencies(text: str) -> list[str]:
    """Texts whose `out_valid` is there always, and never; none of a combinational design."""
    changed = [re.sub("  out_valid <= .*;", f"  out_valid <= '{bit}';", text) for bit in "01"]
    return [each for each in changed if each != text]


def run_testbench(folder: Path) -> None:
    """The commands in the header of sim/load_tb.vhd."""
    sim = folder / "sim"
    ghdl(sim, "-a", "--std=08", "../vhdl/load.vhd", "load_tb.vhd")
    ghdl(sim, "-e", "--std=08", "load_tb")
    printed = ghdl(sim, "-r", "--std=08", "load_tb")
    vectors = len((sim / "load_inputs.hex").read_text().splitlines())
    assert printed == f"PASS: {vectors} vectors\n"


def test_build_that_trains_has_vhdl(tmp_path: Path) -> None:
    folder = tmp_path / "load"
    assert build(folder, "--trainable", "--vhdl", "--simulator", "none", "--vectors", 20) == 0
    require_ghdl()
    for file in ("load.vhd", "load_pkg.vhd", "load_wrapper.vhd"):
        analyse(tmp_path, (folder / "vhdl" / file).read_text(), file)
    text = (folder / "vhdl" / "load_wrapper.vhd").read_text()
    assert "mem_data : in mem_data_t;" in text


BLEND = Interface(
    "blend", (Port.of_range("x0", 0, 3),), (Port.of_range("y0", 0, 3),), 0, combinational=True
)
VHDL = """\
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity blend is
  port (x0 : in std_logic_vector(1 downto 0); y0 : out std_logic_vector(1 downto 0));
end entity;

architecture rtl of blend is
begin
  y0 <= std_logic_vector(unsigned(x0) + 1);
end architecture;
"""


def test_wrong_vhdl_is_found(tmp_path: Path) -> None:
    require_ghdl()
    path = tmp_path / "blend.vhd"
    path.write_text(VHDL)
    codes = np.arange(4).reshape(-1, 1)
    report = Report("blend", 1, 1, 0)
    checked.check_vhdl(report, path, BLEND, codes, (codes + 1) % 4)
    assert report.vhdl is not None and report.vhdl["vectors"] == 4
    with pytest.raises(KanError, match=r"the VHDL differs .*: 4 of 4 vectors differ"):
        checked.check_vhdl(report, path, BLEND, codes, (codes + 2) % 4)
    path.write_text(VHDL.replace("unsigned(x0) + 1", "to_unsigned(to_integer(unsigned(x0)), 2)"))
    with pytest.raises(KanError, match=r"blend: GHDL warns, simulating:\n.*metavalue detected"):
        simulate(path, BLEND, codes, simulator="ghdl")


def test_without_ghdl_the_build_warns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checked, "find_simulator", lambda _: None)
    report = Report("blend", 1, 1, 0)
    codes = np.arange(4).reshape(-1, 1)
    checked.check_vhdl(report, tmp_path / "blend.vhd", BLEND, codes, codes)
    assert report.vhdl is None and "GHDL is not installed" in report.warnings[0]
    assert not BuildOptions([]).vhdl
