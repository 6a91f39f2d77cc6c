"""Plays plans on a design in VHDL with GHDL. A generated entity drives the design."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.templates import filled
from kan_dialect.flows.design import Design
from kan_dialect.flows.simulate.plan import FLAGS, Plan, Recording
from kan_dialect.flows.simulate.port_words import VectorLine
from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.lowering.vhdl.expressions import bits_type
from kan_dialect.lowering.vhdl.names import identifier
from kan_dialect.model.interface import Interface, Port

STANDARD = "--std=08"


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
        flags = (Port(name, 1, 0, 1) for name in ("mem_valid", "rst", "in_valid"))
        line = VectorLine((*flags, *self._interface.driven))
        control = plan.control[:, np.newaxis]
        bits = [control >> place & 1 for place in (2, 1, 0)]
        words = np.concatenate([*bits, plan.words], axis=1).astype(np.uint64)
        (self._directory / "plan.hex").write_bytes(line.words_text(words, separator=""))
        (self._directory / "player.vhd").write_text(_player(self._interface, line))
        top = _player_name(self._interface)
        self._run(["-a", STANDARD, "player.vhd"], "compiling the simulation")
        self._run(["-e", STANDARD, top], "elaborating the simulation")
        self._run(["-r", STANDARD, top], "simulating")
        return Recording.of_lines((self._directory / "outputs.hex").read_bytes(), self._interface)

    def _run(self, arguments: Sequence[str], phase: str) -> None:
        printed = tool_runs.run(self._ghdl, arguments, cwd=self._directory, phase=phase)
        if printed.strip():
            raise KanError(f"{self._interface.name}: GHDL warns, {phase}:\n{printed.strip()}")


def _player_name(interface: Interface) -> str:
    return identifier(f"{interface.name}_player")


def _player(interface: Interface, plan: VectorLine) -> str:
    """VHDL of the entity that plays a plan."""
    return filled(
        "flows/simulate/templates/player.vhd.j2",
        entity=identifier(interface.name),
        player=_player_name(interface),
        plan=plan,
        inputs=interface.driven,
        outputs=interface.outputs,
        flags=FLAGS,
        ports=list(Design(interface).ports),
        bits_type=bits_type,
    )
