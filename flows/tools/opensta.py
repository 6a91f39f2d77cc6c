"""OpenSTA on a netlist of standard cells: the longest path, leakage and switching power.

Wires have no capacitance: nothing is placed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kan_dialect.devices.liberty import Library
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

    path_ns: float
    """What the path between registers or ports takes, setup included."""
    path_from: str
    """Register or port where the path starts."""
    path_to: str
    leakage_w: float
    energy_j: float | None
    """Of nets that switch in a cycle, clock and nets in cells included; None without activities."""

    def summary(self) -> dict[str, float | str]:
        """Figures by name, numbers to six digits."""
        return {
            name: float(f"{value:.6g}") if isinstance(value, float) else value
            for name, value in vars(self).items()
            if value is not None
        }


def constraints(top: str, library: Library, period_ns: float, *, clocked: bool) -> str:
    """The text of an SDC file, whose times are in the library's unit."""
    return filled(
        "flows/tools/templates/constraints.sdc.j2",
        top=top,
        period=f"{period_ns / library.unit_ns:.4f}",
        clocked=clocked,
    )


def run_sta(
    sta: Tool,
    top: str,
    folder: Path,
    library: Library,
    period_ns: float,
    activities: Mapping[str, float],
) -> CellTiming | None:
    """Run OpenSTA in a folder that has `cells.lib`, `netlist.v` and `constraints.sdc`.

    Parameters
    ----------
    period_ns : clock of the constraints.
    activities : transitions in a clock cycle of pins by `cell/pin`.

    Returns
    -------
    None if no path ends at a register or port, as of constant outputs.

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
    if path is None or total is None:
        return None
    internal, switching, leakage = map(float, total.groups())
    energy = (internal + switching) * period_ns * 1e-9 if activities else None
    path_ns = period_ns - float(path[3]) * library.unit_ns
    return CellTiming(path_ns, path[1], path[2], leakage, energy)
