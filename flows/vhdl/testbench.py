"""Writes a self-checking VHDL testbench, which reads the vectors of the SystemVerilog testbench.

The testbench does not depend on this package. It needs VHDL-2008 and no library but `ieee`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kan_dialect.flows.simulate.port_words import line_bits, vhdl_slices
from kan_dialect.lowering.vhdl.expressions import bits_type
from kan_dialect.lowering.vhdl.names import identifier
from kan_dialect.model.interface import Interface, Port

_BENCH = """\
-- Self-checking testbench of {name}.
--
-- In this folder, with GHDL:
--   $ ghdl -a --std=08 ../vhdl/{name}.vhd {name}_tb.vhd
--   $ ghdl -e --std=08 {name}_tb && ghdl -r --std=08 {name}_tb
--
-- It ends with "PASS" and the number of vectors, or with "FAIL" and the first mismatch as a failed
-- assertion. {name}_inputs.hex and {name}_outputs.hex hold one vector a line.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use std.textio.all;

entity {bench} is
end entity;

architecture test of {bench} is
  constant LATENCY : natural := {latency};
{declarations}
begin
  dut : entity work.{core}
    port map (
{connections}
    );

  process
    file inputs : text open read_mode is "{name}_inputs.hex";
    file outputs : text open read_mode is "{name}_outputs.hex";
    variable vector, told : line;
    variable given : std_logic_vector({input_bits} - 1 downto 0);
    variable wanted : std_logic_vector({output_bits} - 1 downto 0);
    variable checked : natural := 0;

    procedure check is
    begin
      readline(outputs, vector);
      hread(vector, wanted);
{checks}
      checked := checked + 1;
    end procedure;
  begin
{run}
    assert checked > 0 and endfile(outputs) report "FAIL: the vectors differ in number"
      severity failure;
    write(told, "PASS: " & to_string(checked) & " vectors");
    writeline(output, told);
    wait;
  end process;
end architecture;
"""

_COMBINATIONAL = """\
    while not endfile(inputs) loop
      readline(inputs, vector);
      hread(vector, given);
{drives}
      wait for 1 ns;
      check;
    end loop;"""

_CLOCKED = """\
    wait for 1 ns;
    clk <= '1';
    wait for 1 ns;
    clk <= '0';
    rst <= '0';
    -- A vector a cycle; its outputs stand on the ports LATENCY clock edges later.
    for cycle in 0 to integer'high loop
      if endfile(inputs) then
        in_valid <= '0';
      else
        in_valid <= '1';
        readline(inputs, vector);
        hread(vector, given);
{drives}
      end if;
      wait for 1 ns;
      exit when cycle >= LATENCY and endfile(outputs);
      assert cycle < LATENCY or out_valid = '1' report "FAIL: out_valid is "
        & to_string(out_valid) & " in cycle " & to_string(cycle) & " after reset" severity failure;
      assert cycle >= LATENCY or out_valid = '0'
        report "FAIL: out_valid in cycle " & to_string(cycle) & " after reset" severity failure;
      if cycle >= LATENCY then
        check;
      end if;
      clk <= '1';
      wait for 1 ns;
      clk <= '0';
    end loop;
    assert out_valid = '0' report "FAIL: out_valid behind the last vector" severity failure;"""


def write_vhdl_testbench(directory: Path, interface: Interface) -> Path:
    """Write NAME_tb.vhd into the folder that has NAME_inputs.hex and NAME_outputs.hex.

    Returns
    -------
    Path of the testbench.
    """
    path = directory / f"{interface.name}_tb.vhd"
    path.write_text(_testbench(interface))
    return path


def _testbench(interface: Interface) -> str:
    control = [] if interface.combinational else ["clk", "rst", "in_valid"]
    valid = [] if interface.combinational else ["out_valid"]
    inputs, outputs = _places(interface.inputs), _places(interface.outputs)
    ports = [*interface.inputs, *interface.outputs]
    names = [*control, *inputs, *valid, *outputs]
    defaults = {"clk": "'0'", "rst": "'1'", "in_valid": "'0'"}
    declarations = [f"signal {name} : std_logic := {defaults[name]};" for name in control]
    declarations += [f"signal {name} : std_logic;" for name in valid]
    declarations += [f"signal {port.name} : {bits_type(port.width)};" for port in ports]
    checks = [
        f"assert {name} = wanted{place}\n"
        f'        report "FAIL: vector " & to_string(checked) & ": {name} is "\n'
        f'        & to_string({name}) & ", should be " & to_string(wanted{place}) severity failure;'
        for name, place in outputs.items()
    ]
    run = _COMBINATIONAL if interface.combinational else _CLOCKED
    indent = 6 if interface.combinational else 8
    drives = [f"{' ' * indent}{name} <= given{place};" for name, place in inputs.items()]
    return _BENCH.format(
        name=interface.name,
        bench=identifier(f"{interface.name}_tb"),
        core=identifier(interface.name),
        latency=interface.latency,
        declarations="\n".join(f"  {line}" for line in declarations),
        connections=",\n".join(f"      {name} => {name}" for name in names),
        input_bits=line_bits([port.width for port in interface.inputs]),
        output_bits=line_bits([port.width for port in interface.outputs]),
        checks="\n".join(f"      {check}" for check in checks),
        run=run.format(drives="\n".join(drives)),
    )


def _places(ports: Sequence[Port]) -> dict[str, str]:
    """The place of each port in a line of a vector file."""
    places = vhdl_slices([port.width for port in ports])
    return dict(zip((port.name for port in ports), places, strict=True))
