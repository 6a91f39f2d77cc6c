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
_POWER = re.compile(r"^ *(\d\S+) +(\d\S+) +(\d\S+) +\d\S+ +(\S+)$", re.MULTILINE)
"""A cell's internal, switching, leakage and whole power."""


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
    """Of nets and cells that switch in a cycle, clock included; None without activities."""

    def summary(self) -> dict[str, float | str]:
        """Figures by name, numbers to six digits."""
        return {
            name: float(f"{value:.6g}") if isinstance(value, float) else value
            for name, value in vars(self).items()
            if value is not None
        }


def constraints(top: str, inputs: Mapping[str, int], library: Library, period_ns: float) -> str:
    """The text of an SDC file, whose times are in the library's unit.

    Parameters
    ----------
    inputs : bits of each input port; the clock is `clk`.
    """
    return filled(
        "flows/tools/templates/constraints.sdc.j2",
        top=top,
        period=f"{period_ns / library.unit_ns:.4f}",
        inputs=inputs,
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

    A cell's power is taken between that of outputs which never change and that of outputs which
    change in every cycle: OpenSTA 2.0 reads neither VCD nor the activity of a pin.

    Parameters
    ----------
    period_ns : clock of the constraints.
    activities : changes of each cell's output in a clock cycle.

    Returns
    -------
    None if no path ends at a register or port, as of constant outputs.

    Raises
    ------
    KanError : OpenSTA fails.
    """
    script = filled("flows/tools/templates/opensta.tcl.j2", top=top)
    (folder / "sta.tcl").write_text(script)
    printed = run(sta, ["-no_init", "-exit", "sta.tcl"], cwd=folder, phase="timing the netlist")
    if (problem := re.search(r"^Error: .*", printed, re.MULTILINE)) is not None:
        raise KanError(f"OpenSTA fails: {problem[0]}")
    checks, idle, active = re.split(r"^activity \d$", printed, flags=re.MULTILINE)
    if (path := _PATH.search(checks)) is None:
        return None
    resting, switching = _watts(idle), _watts(active)
    power = sum(
        watts + activities.get(cell, 0.0) * (switching[cell] - watts)
        for cell, watts in resting.items()
    )
    leakage = sum(float(found[3]) for found in _POWER.finditer(idle))
    energy = power * period_ns * 1e-9 if activities else None
    path_ns = period_ns - float(path[3]) * library.unit_ns
    return CellTiming(path_ns, path[1], path[2], leakage, energy)


def _watts(report: str) -> dict[str, float]:
    """Internal and switching power of each cell."""
    return {found[4]: float(found[1]) + float(found[2]) for found in _POWER.finditer(report)}
