"""Simulates the VHDL of a build in GHDL, and compares it with the integer model."""

from __future__ import annotations

from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.report import Report
from kan_dialect.flows.simulate.simulation import compare, simulate
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import Interface

MAX_SIMULATED = 2000
"""Largest number of cycles that carry vectors: GHDL simulates some hundred a second."""

NO_GHDL = "the VHDL was not simulated: GHDL is not installed (Debian: apt install ghdl)"


def check_vhdl(
    report: Report, vhdl: Path, interface: Interface, codes: IntArray, expected: IntArray
) -> None:
    """Simulate the first vectors of a build, and add the figures to the report.

    Parameters
    ----------
    vhdl : the file of the network.
    codes : inputs, (vectors, inputs), int64.
    expected : outputs of the integer model, (vectors, outputs), int64.

    Raises
    ------
    KanError : the VHDL differs from the integer model.
    """
    tool = find_simulator("ghdl")
    if tool is None:
        report.warnings.append(NO_GHDL)
        return
    vectors = -(-MAX_SIMULATED // interface.interval)
    codes, expected = codes[:vectors], expected[:vectors]
    verdict = compare(expected, simulate(vhdl, interface, codes, simulator="ghdl"), codes)
    if not verdict.passed:
        raise KanError(
            f"the VHDL differs from the integer model: {verdict.describe(interface)}",
            remedy="this is a bug in the emitter; please report it",
        )
    found = {"vectors": verdict.vectors, "mismatches": verdict.mismatches}
    report.vhdl = report.by_tool(tool, found)
