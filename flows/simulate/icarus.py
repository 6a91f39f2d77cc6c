"""Plays plans on a design with Icarus Verilog. A generated module drives the design.

Icarus Verilog is far slower than Verilator, but it knows X and needs no C++ compiler.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.templates import filled
from kan_dialect.flows.design import Design
from kan_dialect.flows.simulate.plan import CONTROL, FLAGS, Plan, Recording
from kan_dialect.flows.simulate.port_words import VectorLine
from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.model.interface import Interface

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
        line = VectorLine((CONTROL, *self._interface.driven))
        control = plan.control[:, np.newaxis].astype(np.uint64)
        words = np.concatenate([control, plan.words], axis=1)
        (directory / "plan.hex").write_bytes(line.words_text(words))
        (directory / "player.sv").write_text(_player(self._interface, line, len(control)))
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
        return Recording.of_lines((directory / "outputs.hex").read_bytes(), self._interface)


def run_testbench(top: str, files: Sequence[str], folder: Path) -> str:
    """Compile a testbench in a folder and run it; what it prints.

    Raises
    ------
    KanError : Icarus is missing or fails.
    """
    iverilog, vvp = toolchain.find("iverilog"), toolchain.find("vvp")
    arguments = ["-g2012", "-s", top, "-o", "all.vvp", *files]
    tool_runs.run(iverilog, arguments, cwd=folder, phase="compiling the simulation")
    return tool_runs.run(vvp, ["-n", "all.vvp"], cwd=folder, phase="simulating")


def _player(interface: Interface, plan: VectorLine, cycles: int) -> str:
    """SystemVerilog of the module that plays a plan of `cycles` cycles."""
    return filled(
        "flows/simulate/templates/player.sv.j2",
        name=interface.name,
        plan=plan,
        cycles=cycles,
        clocked=not interface.combinational,
        inputs=interface.driven,
        outputs=interface.outputs,
        flags=FLAGS,
        ports=list(Design(interface).ports),
    )
