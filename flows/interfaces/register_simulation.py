"""Plays the testbench of an AXI4-Lite wrapper in Verilator or Icarus Verilog."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.icarus import run_testbench
from kan_dialect.flows.simulate.simulation import SimulatorName
from kan_dialect.flows.simulate.verilator import build_program
from kan_dialect.flows.tools import tool_runs
from kan_dialect.flows.tools.toolchain import Tool


@dataclass(frozen=True)
class PlayedAccesses:
    """A run of a testbench without a wrong answer."""

    accesses: int
    cycles: int


def play_accesses(
    bench: Path, rtl: Sequence[Path], wrapper: str, simulator: SimulatorName = "verilator"
) -> PlayedAccesses:
    """Play the accesses of `write_register_bench` on a wrapper.

    Parameters
    ----------
    bench : the folder that `write_register_bench` wrote into.
    rtl : files of the core and of the wrapper.
    wrapper : name of the module with AXI4-Lite.

    Raises
    ------
    KanError : an answer differs; or a tool is missing or fails.
    """
    with tempfile.TemporaryDirectory(prefix="kan-registers-") as name:
        folder = Path(name)
        # One file without a path: paths may contain characters that the tools refuse.
        texts = (path.read_text() for path in (*rtl, bench / f"{wrapper}_tb.sv"))
        (folder / "all.sv").write_text("\n`default_nettype wire\n".join(texts))
        copyfile(bench / f"{wrapper}_accesses.hex", folder / f"{wrapper}_accesses.hex")
        if simulator == "icarus":
            printed = run_testbench(f"{wrapper}_tb", ["all.sv"], folder)
        else:
            printed = _in_verilator(folder, wrapper)
    passed = re.search(r"^PASS: (\d+) accesses, (\d+) cycles", printed, re.MULTILINE)
    if passed is None:
        failed = re.search(r"^FAIL: (.*)$", printed, re.MULTILINE)
        raise KanError(
            f"{wrapper} differs from the integer model: "
            f"{failed[1] if failed else printed.strip()[-200:]}",
            remedy="this is a bug in the wrapper or the emitter; please report it",
        )
    return PlayedAccesses(int(passed[1]), int(passed[2]))


def _in_verilator(folder: Path, wrapper: str) -> str:
    driver = Path(__file__).with_name("register_driver.cpp")
    top = f"{wrapper}_player"
    build_program(folder / "all.sv", top, folder, driver, lambda _: '#include "Vdesign.h"\n')
    program = Tool(f"the simulation of {wrapper}", folder.absolute() / "model")
    return tool_runs.run(program, [], cwd=folder, phase="simulating")
