"""Plays plans on a design with Icarus Verilog. A generated module drives the design.

Icarus Verilog is far slower than Verilator, but it knows X and needs no C++ compiler.
"""

from __future__ import annotations

import re
from pathlib import Path
from shutil import copyfile

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.plan import Plan, Recording
from kan_dialect.flows.simulate.port_words import digits, from_hex, slices, to_hex
from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.model.interface import Interface

_PLAYER = """\
// Plays a plan (see plan.py) on a design and records its outputs.
module {name}_player;
  reg [{bits}-1:0] plan [0:{cycles}-1];
  reg [{bits}-1:0] line;
  integer cycle, file;
{declarations}
  {name} dut ({connections});

  initial begin
    $readmemh("plan.hex", plan);
    file = $fopen("outputs.hex", "w");
    for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin
      line = plan[cycle];
{drives}
      #1 $fdisplay(file, "{format}", {samples});
{edges}
    end
    $fclose(file);
    $finish;
  end
endmodule
"""

_WRONG_WIDTH = r"warning: Port \d+ \((\w+)\) of \S+ expects (\d+) bits, got (\d+)"


class IcarusModel:
    """A design in Icarus Verilog, which compiles it again for each plan."""

    def __init__(self, rtl: Path, interface: Interface, directory: Path) -> None:
        """Copy the design into the folder.

        Parameters
        ----------
        rtl : SystemVerilog file.
        directory : an existing folder for all files.

        Raises
        ------
        KanError : Icarus Verilog is missing.
        """
        self._interface = interface
        self._directory = directory
        self._iverilog = toolchain.find("iverilog")
        self._vvp = toolchain.find("vvp")
        # A copy under a plain name, since a path may contain any character.
        self._source = f"{interface.name}.sv"
        copyfile(rtl, directory / self._source)

    def play(self, plan: Plan) -> Recording:
        """Outputs of the design in every cycle of a plan.

        Raises
        ------
        KanError : the design does not compile, or the width of a port is not the interface's.
        """
        directory = self._directory
        widths = _plan_widths(self._interface)
        control = plan.control[:, np.newaxis].astype(np.uint64)
        lines = to_hex(np.concatenate([control, plan.words], axis=1), widths)
        (directory / "plan.hex").write_bytes(lines)
        (directory / "player.sv").write_text(_player(self._interface, len(control)))
        top = f"{self._interface.name}_player"
        arguments = ["-g2012", "-s", top, "-o", "player.vvp", "player.sv", self._source]
        printed = tool_runs.run(
            self._iverilog, arguments, cwd=directory, phase="compiling the simulation"
        )
        if wrong := re.search(_WRONG_WIDTH, printed):
            raise KanError(
                f"{self._interface.name}: port {wrong[1]} should have {wrong[3]} bits, "
                f"but has {wrong[2]}"
            )
        tool_runs.run(self._vvp, ["-n", "player.vvp"], cwd=directory, phase="simulating")
        return self._recording((directory / "outputs.hex").read_bytes())

    def _recording(self, lines: bytes) -> Recording:
        words, known = from_hex(lines, [1, *(port.width for port in self._interface.outputs)])
        return Recording(
            valid=known[:, 0] & (words[:, 0] == 1),
            valid_known=known[:, 0],
            words=words[:, 1:],
            known=known[:, 1:],
        )


def _plan_widths(interface: Interface) -> list[int]:
    """Widths of the words in a line: the control bits, then the inputs."""
    return [2, *(port.width for port in interface.inputs)]


def _player(interface: Interface, cycles: int) -> str:
    """SystemVerilog of the module that plays a plan of `cycles` cycles."""
    widths = _plan_widths(interface)
    inputs = [port.name for port in interface.inputs]
    outputs = [port.name for port in interface.outputs]
    declarations = [f"reg [{port.width}-1:0] {port.name};" for port in interface.inputs]
    declarations += [f"wire [{port.width}-1:0] {port.name};" for port in interface.outputs]
    targets = ["{rst, in_valid}", *inputs]
    ports = [*inputs, *outputs]
    valid, edges = "1'b1", ""
    if interface.combinational:
        targets[0] = "control"
        declarations.append("reg [1:0] control;")
    else:
        declarations += ["reg clk = 0, rst, in_valid;", "wire out_valid;"]
        ports = ["clk", "rst", "in_valid", *inputs, "out_valid", *outputs]
        valid, edges = "out_valid", "      clk = 1;\n      #1 clk = 0;"
    drives = [
        f"{target} = line{bits};" for target, bits in zip(targets, slices(widths), strict=True)
    ]
    return _PLAYER.format(
        name=interface.name,
        bits=4 * sum(map(digits, widths)),
        cycles=cycles,
        declarations="\n".join(f"  {line}" for line in declarations),
        connections=", ".join(f".{port}({port})" for port in ports),
        drives="\n".join(f"      {line}" for line in drives),
        format="%h" * (1 + len(outputs)),
        samples=", ".join([valid, *outputs]),
        edges=edges,
    )
