"""A module is read by slang and by Yosys: both have to be one design."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from kan_dialect.flows.prove.cycles.claims import Outcome, Progress, ProofOverCycles
from kan_dialect.flows.prove.cycles.readings import difference_of_readings
from kan_dialect.flows.prove.netlist import Netlist, read_design
from kan_dialect.flows.prove.text import read_text
from kan_dialect.flows.tools.toolchain import find

ProofT = TypeVar("ProofT", bound=ProofOverCycles)


def proven_as_read(
    rtl: Path,
    name: str,
    plan: Callable[[Netlist, str], ProofT],
    claims: Callable[[ProofT], Iterable[Outcome]],
    *,
    core: tuple[str, Path] | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> ProofT:
    """The proof of the module `name` in `rtl`, with the outcomes of its claims.

    If the two readings differ, the signal becomes an outcome of the group `readings`.

    Parameters
    ----------
    plan : makes a proof of a reading; is told who read, for a report.
    core : name and file of a module that it has an instance of.
    timeout : seconds that Yosys may take.

    Raises
    ------
    KanError : Yosys is missing, or a file is outside the subset, or Yosys refuses it.
    """
    start = time.monotonic()
    known = {} if core is None else {core[0]: read_text(core[1], core[0])}
    own, yosys = read_text(rtl, name, known), find("yosys")
    by_yosys = read_design(rtl, name, yosys, timeout, parts=[core[1]] if core else [])
    readers = f"read by slang and by yosys {yosys.version}"
    proof = plan(own, readers)
    for outcome in claims(proof):
        proof.outcomes.append(outcome)
        if progress is not None:
            progress(outcome)
    differs = difference_of_readings(own, by_yosys)
    if differs is not None:
        problem = "Yosys reads the file otherwise"
        proof.outcomes.append(Outcome("readings", differs, 0.0, problem))
    proof.seconds = time.monotonic() - start
    return proof
