"""A run of Yosys over a design, and its statistics."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kan_dialect.errors import KanError
from kan_dialect.flows.tools.module_files import design_text
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import Tool


def run_yosys(
    yosys: Tool,
    rtl: Path,
    modules: tuple[Path, ...],
    commands: Sequence[str],
    folder: Path,
    library: str,
    timeout: float | None,
) -> None:
    """Run commands on a SystemVerilog file.

    Parameters
    ----------
    modules : files of the modules that it instantiates.
    folder : where Yosys runs: the wheel's sees little more than it.
    library : the device or the cells, for messages.
    timeout : in seconds; None takes the limit in force (`tools.limited`).

    Raises
    ------
    KanError : Yosys refuses the design or takes too long or too much memory, or a file is missing.
    """
    if not rtl.is_file():
        raise KanError(f"there is no file '{rtl}' to synthesise")
    (folder / "design.sv").write_text(design_text(rtl, modules))
    script = "; ".join(["read_verilog -sv design.sv", *commands])
    try:
        run(
            yosys,
            ["-q", "-p", script],
            cwd=folder,
            timeout=timeout,
            phase=f"synthesising for {library}",
        )
    except KanError as error:
        require_modules(error, rtl)
        raise


def with_top(command: str, top: str | None) -> str:
    """A synthesis command for a top module; None: the one that no other instantiates."""
    return command if top is None else f"{command} -top {top}"


def require_modules(error: KanError, rtl: Path) -> None:
    """Refuse a design that lacks a module, by the message of Yosys.

    Raises
    ------
    KanError : the message is of a missing module; names the file to add.
    """
    missing = re.search(r"Module `\\\\?(\w+)' referenced in module `\\\\?(\w+)'", error.message)
    if missing is not None:
        raise KanError(
            f"{rtl}: {missing[2]} instantiates {missing[1]}, which no file beside it declares",
            remedy=f"put the file that declares {missing[1]} into its folder",
        ) from None


class ModuleStatistics(NamedTuple):
    """What Yosys's `stat` says about a module."""

    cells: dict[str, int]
    """Number of cells by type."""
    logic_cells: int | None
    """Yosys's own estimate of the place they take, where it has one."""
    area: float
    """In the units of a library of cells; 0 without one."""


def statistics_of(text: str) -> dict[str, ModuleStatistics]:
    """What Yosys's `stat -json` prints, by module.

    Raises
    ------
    KanError : the text is something else.
    """
    try:
        return {
            name.removeprefix("\\"): ModuleStatistics(
                {kind: int(count) for kind, count in entry["num_cells_by_type"].items()},
                entry.get("estimated_num_lc"),
                float(entry.get("area", 0.0)),
            )
            for name, entry in json.loads(text)["modules"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KanError(f"Yosys's statistics cannot be read: {error}") from None
