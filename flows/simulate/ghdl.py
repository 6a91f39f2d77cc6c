"""Plays plans on a design in VHDL with GHDL. A generated entity drives the design."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.plan import Plan, Recording
from kan_dialect.flows.simulate.port_words import from_hex, line_bits, to_hex, vhdl_slices
from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.lowering.vhdl.expressions import bits_type
from kan_dialect.lowering.vhdl.names import identifier
from kan_dialect.model.interface import Interface

STANDARD = "--std=08"

_PLAYER = """\
-- Plays a plan (see plan.py) on a design and records its outputs.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use std.textio.all;

entity {player} is
end entity;

architecture player of {player} is
  signal clk : std_logic := '0';
  signal rst, in_valid, out_valid : std_logic;
{declarations}
begin
  dut : entity work.{name}
    port map ({connections});

  process
    file plan : text open read_mode is "plan.hex";
    file outputs : text open write_mode is "outputs.hex";
    variable cycle, recorded : line;
    variable word : std_logic_vector({bits} - 1 downto 0);
  begin
    while not endfile(plan) loop
      readline(plan, cycle);
      hread(cycle, word);
{drives}
      wait for 1 ns;
{records}
      writeline(outputs, recorded);
      clk <= '1';
      wait for 1 ns;
      clk <= '0';
    end loop;
    wait;
  end process;
end architecture;
"""


class GhdlModel:
    """A design in GHDL."""

    def __init__(self, vhdl: Path, interface: Interface, directory: Path) -> None:
        """Analyse the design in the folder.

        Parameters
        ----------
        vhdl : VHDL-2008 file with the entity of the interface's name.
        directory : an existing folder for all files.

        Raises
        ------
        KanError : GHDL is missing, refuses the design, or warns of something in it.
        """
        self._interface = interface
        self._directory = directory
        self._ghdl = toolchain.find("ghdl")
        # A copy under a plain name, since a path may contain any character.
        copyfile(vhdl, directory / "design.vhd")
        self._run(["-a", STANDARD, "design.vhd"], "analysing the VHDL")

    def play(self, plan: Plan) -> Recording:
        """Outputs of the design in every cycle of a plan.

        Raises
        ------
        KanError : the design's ports are not those of the interface, or GHDL warns of something.
        """
        widths = [1, 1, *(port.width for port in self._interface.inputs)]
        control = plan.control[:, np.newaxis]
        words = np.concatenate([control >> 1, control & 1, plan.words], axis=1).astype(np.uint64)
        (self._directory / "plan.hex").write_bytes(to_hex(words, widths, separator=""))
        (self._directory / "player.vhd").write_text(_player(self._interface))
        top = _player_name(self._interface)
        self._run(["-a", STANDARD, "player.vhd"], "compiling the simulation")
        self._run(["-e", STANDARD, top], "elaborating the simulation")
        self._run(["-r", STANDARD, top], "simulating")
        return self._recording((self._directory / "outputs.hex").read_bytes())

    def _run(self, arguments: Sequence[str], phase: str) -> None:
        printed = tool_runs.run(self._ghdl, arguments, cwd=self._directory, phase=phase)
        if printed.strip():
            raise KanError(f"{self._interface.name}: GHDL warns, {phase}:\n{printed.strip()}")

    def _recording(self, lines: bytes) -> Recording:
        words, known = from_hex(lines, [1, *(port.width for port in self._interface.outputs)])
        return Recording(
            valid=known[:, 0] & (words[:, 0] == 1),
            valid_known=known[:, 0],
            words=words[:, 1:],
            known=known[:, 1:],
        )


def _player_name(interface: Interface) -> str:
    return identifier(f"{interface.name}_player")


def _player(interface: Interface) -> str:
    """VHDL of the entity that plays a plan."""
    ports = [*interface.inputs, *interface.outputs]
    names = [port.name for port in interface.inputs]
    outputs = [port.name for port in interface.outputs]
    recorded = ["out_valid", *outputs]
    if interface.combinational:
        connected = [*names, *outputs]
        recorded[0] = "std_logic'('1')"
    else:
        connected = ["clk", "rst", "in_valid", *names, "out_valid", *outputs]
    driven = {"rst": 1, "in_valid": 1, **{port.name: port.width for port in interface.inputs}}
    places = vhdl_slices([*driven.values()])
    drives = [f"      {name} <= word{place};" for name, place in zip(driven, places, strict=True)]
    widths = [1, *(port.width for port in interface.outputs)]
    records = [
        f"      write(recorded, {_hexadecimal(name, width)});"
        for name, width in zip(recorded, widths, strict=True)
    ]
    return _PLAYER.format(
        name=identifier(interface.name),
        player=_player_name(interface),
        bits=line_bits([*driven.values()]),
        declarations="\n".join(
            f"  signal {port.name} : {bits_type(port.width)};" for port in ports
        ),
        connections=", ".join(f"{name} => {name}" for name in connected),
        drives="\n".join(drives),
        records="\n".join(records),
    )


def _hexadecimal(name: str, width: int) -> str:
    """Expression of the text of a value; X where a bit of a digit is not known."""
    vector = f"std_logic_vector'(0 => {name})" if width == 1 else name
    return f"to_hstring({vector})"
