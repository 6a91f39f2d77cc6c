"""OpenSTA on a netlist of standard cells: the longest path, leakage and switching power.

Wires have no capacitance: nothing is placed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.files.templates import filled
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import Tool

_PATH = re.compile(
    r"^Startpoint: (\S+).*?^Endpoint: (\S+).*?^\s*(-?[\d.]+)\s+slack", re.MULTILINE | re.DOTALL
)
_POWER = re.compile(r"^Total\s+(\S+)\s+(\S+)\s+(\S+)\s", re.MULTILINE)


@dataclass(frozen=True)
class CellTiming:
    """The longest path of a netlist, and its power."""

    slack: float
    """What the path takes less than the period, setup included, in the library's unit of time."""
    start: str
    """Register or port where the path starts."""
    end: str
    dynamic_w: float
    """Power of nets that switch, clock and nets in cells included, by the activities given."""
    leakage_w: float


def constraints(top: str, period: float, *, clocked: bool) -> str:
    """The text of an SDC file. The period is in the library's unit of time."""
    return filled(
        "flows/tools/templates/constraints.sdc.j2",
        top=top,
        period=f"{period:.4f}",
        clocked=clocked,
    )


def run_sta(sta: Tool, top: str, folder: Path, activities: Mapping[str, float]) -> CellTiming | None:
    """Run OpenSTA in a folder that has `cells.lib`, `netlist.v` and `constraints.sdc`.

    Parameters
    ----------
    activities : transitions in a clock cycle of pins by `cell/pin`.

    Returns
    -------
    None if no path has a delay, as in a library without delays.

    Raises
    ------
    KanError : OpenSTA fails.
    """
    script = filled(
        "flows/tools/templates/opensta.tcl.j2",
        top=top,
        activities=[(pin, f"{activity:.5f}") for pin, activity in activities.items()],
    )
    (folder / "sta.tcl").write_text(script)
    printed = run(sta, ["-no_init", "-exit", "sta.tcl"], cwd=folder, phase="timing the netlist")
    if (problem := re.search(r"^Error: .*", printed, re.MULTILINE)) is not None:
        raise KanError(f"OpenSTA fails: {problem[0]}")
    path, total = _PATH.search(printed), _POWER.search(printed)
    if path is None:
        return None
    internal, switching, leakage = map(float, total.groups() if total else (0, 0, 0))
    return CellTiming(float(path[3]), path[1], path[2], internal + switching, leakage)
