"""The files of a search: the table of its designs, the best pipeline and its RTL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.prove.prove import Proof, prove
from kan_dialect.flows.trials.tables import csv_text
from kan_dialect.flows.tune.tune import Judged, Tuning
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model

BEST = "best.txt"
"""The pipeline of the best design."""
RTL = "best.sv"

FIGURES = (
    *("synthesis_luts", "synthesis_registers", "pnr_luts", "pnr_registers", "pnr_fmax_mhz"),
    *("pnr_latency_ns", "pnr_area_delay", "latency_cycles", "estimate_luts", "estimate_levels"),
)
"""Columns that are printed of the default and the best design."""


def write_results(result: Tuning, folder: GrowingFolder) -> None:
    """Write table, summary, pipeline and RTL of the best design.

    Raises
    ------
    KanError : a file cannot be written.
    """
    folder.write("tune.csv", csv_text(result.rows))
    folder.write("tune.json", summary(result))
    folder.write(BEST, f"{result.pipeline}\n")
    folder.write(RTL, emit_systemverilog(result.base.hardware(result.best.point)))


def summary(result: Tuning) -> str:
    """The text of `tune.json`."""
    whole = {
        "model": result.base.network.name,
        "target": result.base.device,
        "objective": result.objective.name,
        "default": _summary_of(result.default),
        "best": _summary_of(result.best),
        "ratio": result.ratio,
        "within_noise": result.is_within_noise,
        "designs": len(result.rows),
        "pipeline": result.pipeline,
    }
    return json.dumps(whole, indent=2) + "\n"


def _summary_of(judged: Judged) -> dict[str, object]:
    return {
        "changes": dict(judged.point.options),
        "cost": judged.cost,
        "costs": list(judged.costs),
        "figures": dict(judged.row),
    }


def prove_best(result: Tuning, folder: Path, jobs: int, tell: Callable[[int, int], None]) -> Proof:
    """Prove the RTL in the folder equal to the integer network, for all input codes.

    Parameters
    ----------
    tell : told how many nodes are done, of how many.

    Raises
    ------
    KanError : Yosys is missing, or a sum of the network has too many values for a proof.
    """
    return prove(
        folder / RTL,
        Model.of(result.base.integers()),
        Model.of(result.base.hardware(result.best.point)),
        jobs=jobs,
        progress=lambda _, done, count: tell(done, count),
    )
