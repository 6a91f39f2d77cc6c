"""Simulates the VHDL of hardware that trains itself: its testbench in GHDL."""

from __future__ import annotations

import tempfile
from pathlib import Path
from shutil import copyfile

from kan_dialect.errors import KanError
from kan_dialect.flows.design import Design
from kan_dialect.flows.on_chip.samples import Samples
from kan_dialect.flows.simulate.ghdl import STANDARD
from kan_dialect.flows.simulate.testbench import write_training_testbench
from kan_dialect.flows.tools import tool_runs
from kan_dialect.flows.tools.toolchain import Tool
from kan_dialect.lowering.vhdl.names import identifier
from kan_dialect.model.on_chip.training_step import run_steps

MAX_SIMULATED = 500
"""Largest number of samples: GHDL simulates some hundred cycles a second."""


def check_training_vhdl(ghdl: Tool, vhdl: Path, design: Design, samples: Samples) -> dict[str, int]:
    """Simulate the first samples of a run of training, from the initial coefficients.

    Returns
    -------
    Numbers of `vectors` and `mismatches`.

    Raises
    ------
    KanError : the VHDL differs from the integer model, or GHDL warns of something.
    """
    assert design.training is not None
    samples = samples.first(MAX_SIMULATED)
    run = run_steps(design.training.step, *samples)
    with tempfile.TemporaryDirectory(prefix="kan-vhdl-") as folder:
        directory = Path(folder)
        write_training_testbench(directory, design, *samples, run, vhdl=True)
        copyfile(vhdl, directory / "design.vhd")
        top = identifier(f"{design.name}_tb")
        for arguments, phase in (
            (["-a", STANDARD, "design.vhd", f"{design.name}_tb.vhd"], "analysing the VHDL"),
            (["-e", STANDARD, top], "elaborating the simulation"),
            (["-r", STANDARD, top], "simulating the training in VHDL"),
        ):
            printed = tool_runs.run(ghdl, arguments, cwd=directory, phase=phase).strip()
            if printed and not printed.startswith("PASS: "):
                raise KanError(f"{design.name}: GHDL warns, {phase}:\n{printed}")
    return {"vectors": len(samples.inputs), "mismatches": 0}
