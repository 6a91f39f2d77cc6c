"""A second opinion on a design: Yosys reads the text, and a solver decides.

It shares the meaning of the model with the proof (`reference.py`), but neither the meaning of cells
nor the arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.carry_stops import separated
from kan_dialect.flows.prove.cycles.solver import Solver
from kan_dialect.flows.prove.netlist import read_design
from kan_dialect.flows.prove.plans import Obligation, plan
from kan_dialect.flows.prove.processes import in_processes
from kan_dialect.flows.prove.second_opinion.codes import Code, DesignCodes
from kan_dialect.flows.prove.second_opinion.design import Design, Undecided
from kan_dialect.flows.prove.second_opinion.induction import Examiner, Verdict
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.model.model import Model
from kan_dialect.quantity import quantity


@dataclass
class Opinion:
    """The result of a second opinion on a design."""

    engine: str
    verdicts: list[Verdict] = field(default_factory=list[Verdict])
    claims: list[Obligation[Code]] = field(default_factory=list[Obligation[Code]])
    valid_problem: str | None = None
    problem: str | None = None
    """Why there are no claims."""
    dead: int = 0
    seconds: float = 0.0

    @property
    def shown(self) -> bool:
        """Whether the design is the integer model, as far as this goes."""
        return (
            self.problem is None
            and self.valid_problem is None
            and all(verdict.shown for verdict in self.verdicts)
        )

    @property
    def is_undecided(self) -> bool:
        """Whether it is not shown, and no difference was found either."""
        problems = [v.problem for v in self.verdicts] + [self.problem, self.valid_problem]
        return not self.shown and all(p is None or p.startswith("undecided") for p in problems)

    @property
    def nodes(self) -> int:
        """How many nodes are shown."""
        return sum(v.shown and c.mark is not None for v, c in self._pairs())

    @property
    def outputs(self) -> int:
        """How many outputs are shown."""
        return sum(v.shown and c.mark is None for v, c in self._pairs())

    def _pairs(self) -> Iterator[tuple[Verdict, Obligation[Code]]]:
        return zip(self.verdicts, self.claims, strict=True)

    def problems(self) -> list[str]:
        """One line for each claim that is not shown."""
        lines = [] if self.problem is None else [self.problem]
        for verdict, claim in self._pairs():
            if verdict.differs:
                where = ", ".join(f"{name} = {code}" for name, code in verdict.where.items())
                codes = (
                    "differs"
                    if verdict.got is None
                    else f"has code {verdict.got}, and must have {verdict.expected}"
                )
                lines.append(
                    f"{verdict.name}: in cycle {claim.cycle} the RTL {codes}, at "
                    f"{where or 'any input'}"
                )
            elif verdict.problem is not None:
                lines.append(f"{verdict.name}: {verdict.problem}")
        if self.valid_problem is not None:
            lines.append(f"out_valid: {self.valid_problem}")
        return lines

    def summary(self) -> dict[str, str | int | float | bool]:
        """What `report.json` holds under `proof.second`, where both agree."""
        return {
            "engine": self.engine,
            "nodes": self.nodes,
            **({"dead": self.dead} if self.dead else {}),
            "outputs": self.outputs,
            "seconds": round(self.seconds, 3),
            "agrees": True,
        }


Progress = Callable[[Verdict, int, int], None]
"""Told of each verdict, the how manieth it is, and of how many."""


def second_opinion(
    rtl: Path,
    integer: Model,
    circuit: Model,
    *,
    timeout: float | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Opinion:
    """Compare the design in `rtl` with `integer`, by the marks of `circuit`.

    Raises
    ------
    KanError : Yosys or Bitwuzla is missing, Yosys refuses the file, or ports differ.
    """
    start, interface = time.monotonic(), circuit.interface()
    if interface.interval > 1:
        raise KanError(
            f"{circuit.name} takes a sample every {interface.interval} cycles: the second opinion "
            "knows pipelines only",
            remedy="leave --second out",
        )
    solver = Solver(None if timeout is None else start + timeout, "a second opinion")
    yosys = find("yosys")
    netlist = read_design(rtl, circuit.name, yosys, timeout)
    design = Design(separated(netlist), interface.latency)
    opinion = Opinion(f"lemmas, bitwuzla {solver.version}, read by yosys {yosys.version}")
    try:
        planned = plan(integer, circuit, design.netlist, interface, DesignCodes(design))
    except Undecided as error:
        opinion.problem = f"undecided: {error}"
        return opinion
    opinion.claims, opinion.dead = planned.obligations, len(planned.dead)
    examiner = Examiner(planned, design, solver)
    count = len(planned.obligations)
    for number, verdict in enumerate(in_processes(examiner.examine, count, jobs), start=1):
        opinion.verdicts.append(verdict)
        if progress is not None:
            progress(verdict, number, count)
    if not interface.combinational:
        opinion.valid_problem = examiner.valid_problem(interface.latency)
    opinion.seconds = time.monotonic() - start
    return opinion


def require_solver() -> None:
    """
    Raises
    ------
    KanError : Bitwuzla is not installed.
    """
    Solver(needed_by="a second opinion")


def print_opinion(opinion: Opinion, proven: bool, console: Console) -> None:
    """Say whether a second opinion agrees with the proof, and where not."""
    for line in opinion.problems():
        console.print(f"second opinion: {line}", style="red", markup=False, soft_wrap=True)
    found = (
        f"{quantity(opinion.nodes, 'node')}, {quantity(opinion.outputs, 'output')}, "
        f"{opinion.seconds:.1f} s; {opinion.engine}"
    )
    match proven, opinion.shown:
        case True, True:
            verdict = "agrees"
        case False, False:
            verdict = "agrees that this is not proven"
        case _ if opinion.is_undecided:
            verdict = "UNDECIDED"
        case _:
            verdict = "DISAGREES"
    console.print(f"second opinion: {verdict} ({found})", markup=False, soft_wrap=True)


__all__ = ["Opinion", "Verdict", "print_opinion", "require_solver", "second_opinion"]
