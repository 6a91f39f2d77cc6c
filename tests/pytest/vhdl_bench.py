"""Runs hardware modules as VHDL in GHDL, cycle by cycle."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from xdsl.dialects import hw, seq

from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.lowering.vhdl.names import VhdlNames, identifier


def require_ghdl() -> None:
    if shutil.which("ghdl") is None:
        pytest.skip("GHDL is not installed")


def ghdl(folder: Path, *arguments: str) -> str:
    """What GHDL prints, which must not fail."""
    require_ghdl()
    done = subprocess.run(["ghdl", *arguments], cwd=folder, capture_output=True, text=True)
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed[-3000:]
    return printed


def analyse(folder: Path, text: str, name: str = "dut.vhd") -> None:
    """Analyse a file, of which GHDL must have nothing to say."""
    (folder / name).write_text(text)
    # A module may have the name of one of its ports.
    printed = ghdl(folder, "-a", "--std=08", "-Wall", "-Wno-hide", name)
    assert printed == "", printed


def run_modules(
    folder: Path,
    circuits: Sequence[hw.HWModuleOp],
    inputs: Sequence[Mapping[str, Sequence[int]]],
) -> list[dict[str, list[str]]]:
    """Outputs of modules that were analysed, as hexadecimal digits a cycle.

    Parameters
    ----------
    inputs : for each module and input, the value in each cycle; all of one length.
    """
    declarations: list[str] = []
    instances: list[str] = []
    drives: list[str] = []
    shows: list[str] = []
    for index, (circuit, values) in enumerate(zip(circuits, inputs, strict=True)):
        names = VhdlNames()
        pins: list[str] = []
        for place, port in enumerate(circuit.module_type.ports):
            name, pin = port.port_name.data, names.port(port.port_name.data)
            if port.type == seq.clock:
                pins.append(f"{pin} => clk")
                continue
            width, signal = bit_width(port.type), f"s{index}_{place}"
            kind = "std_logic" if width == 1 else f"std_logic_vector({width - 1} downto 0)"
            declarations.append(f"  signal {signal} : {kind};")
            pins.append(f"{pin} => {signal}")
            if port.dir.data is hw.Direction.OUTPUT:
                vector = f"std_logic_vector'(0 => {signal})" if width == 1 else signal
                shows.append(f'      write(shown, string\'("@{index} {name} "));')
                shows.append(f"      write(shown, to_hstring({vector}));")
                shows.append("      writeline(output, shown);")
                continue
            bits = [f"{value:0{width}b}" for value in values[name]]
            quote = "'" if width == 1 else '"'
            cases = "".join(
                f"        when {cycle} => {signal} <= {quote}{each}{quote};\n"
                for cycle, each in enumerate(bits)
            )
            drives.append(
                f"      case cycle is\n{cases}        when others => null;\n      end case;"
            )
        entity = identifier(circuit.sym_name.data)
        instances.append(f"  u{index} : entity work.{entity} port map ({', '.join(pins)});")
    cycles = max(len(each) for values in inputs for each in values.values())
    bench = "\n".join(
        [
            "library ieee;",
            "use ieee.std_logic_1164.all;",
            "use std.textio.all;",
            "entity tb is",
            "end entity;",
            "architecture bench of tb is",
            "  signal clk : std_logic := '0';",
            *declarations,
            "begin",
            *instances,
            "  process",
            "    variable shown : line;",
            "  begin",
            f"    for cycle in 0 to {cycles - 1} loop",
            *drives,
            "      wait for 1 ns;",
            *shows,
            "      clk <= '1';",
            "      wait for 1 ns;",
            "      clk <= '0';",
            "      wait for 1 ns;",
            "    end loop;",
            "    wait;",
            "  end process;",
            "end architecture;",
            "",
        ]
    )
    (folder / "tb.vhd").write_text(bench)
    ghdl(folder, "-a", "--std=08", "tb.vhd")
    ghdl(folder, "-e", "--std=08", "tb")
    outputs: list[dict[str, list[str]]] = [{} for _ in circuits]
    for line in ghdl(folder, "-r", "--std=08", "tb").splitlines():
        # Anything else is a warning.
        assert line.startswith("@"), line
        index, name, value = line[1:].split()
        outputs[int(index)].setdefault(name, []).append(value)
    return outputs
