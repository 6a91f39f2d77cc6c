"""A second opinion on a design, by Yosys and ABC: each node is compared with the model.

It shares no code with the proof: neither reader, nor reference, nor arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from kan_dialect.flows.prove.second_opinion.claims import Claim, Plan, Question, marks_of
from kan_dialect.flows.prove.second_opinion.engine import Answer, answers, sampled
from kan_dialect.flows.prove.second_opinion.graph import Undecided
from kan_dialect.flows.prove.second_opinion.text import read_text
from kan_dialect.flows.tools.toolchain import Tool, find
from kan_dialect.model.model import Model
from kan_dialect.quantity import quantity


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    claim: Claim
    problem: str | None = None
    where: dict[str, int] = field(default_factory=dict[str, int])
    """Codes of inputs and nodes at which the design differs from the model."""
    expected: int | None = None
    got: int | None = None

    @property
    def name(self) -> str:
        return self.claim.name

    @property
    def shown(self) -> bool:
        return self.problem is None

    @property
    def differs(self) -> bool:
        return self.problem == "differs"


@dataclass
class Opinion:
    """The result of a second opinion on a design."""

    engine: str
    verdicts: list[Verdict] = field(default_factory=list[Verdict])
    problem: str | None = None
    """Why there are no claims."""
    dead: int = 0
    seconds: float = 0.0

    @property
    def shown(self) -> bool:
        """Whether the design is the integer model, as far as this goes."""
        return self.problem is None and all(verdict.shown for verdict in self.verdicts)

    @property
    def is_undecided(self) -> bool:
        """Whether it is not shown, and no difference was found either."""
        return not self.shown and not any(verdict.differs for verdict in self.verdicts)

    @property
    def nodes(self) -> int:
        """How many nodes are shown."""
        return sum(verdict.shown and verdict.claim.kind == "node" for verdict in self.verdicts)

    @property
    def outputs(self) -> int:
        """How many outputs are shown."""
        return sum(verdict.shown and verdict.claim.kind == "output" for verdict in self.verdicts)

    def problems(self) -> list[str]:
        """One line for each claim that is not shown."""
        lines = [] if self.problem is None else [f"undecided: {self.problem}"]
        for verdict in self.verdicts:
            if verdict.differs:
                where = ", ".join(f"{name} = {code}" for name, code in verdict.where.items())
                lines.append(
                    f"{verdict.name}: in cycle {verdict.claim.cycle} the RTL has code "
                    f"{verdict.got}, and must have {verdict.expected}, at {where or 'any input'}"
                )
            elif verdict.problem is not None:
                lines.append(f"{verdict.name}: {verdict.problem}")
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
"""Told of each verdict, its number, and how many there are."""


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
    KanError : Yosys is missing or refuses the file, or ports differ.
    """
    start = time.monotonic()
    yosys, interface, marks = find("yosys"), circuit.interface(), marks_of(circuit)
    signals = {mark.signal for mark in marks.values() if mark is not None}
    design = read_text(rtl, circuit.name, signals, yosys, timeout)
    opinion = Opinion(f"decision diagrams, ABC in yosys {yosys.version}")
    try:
        plan = Plan.of(integer, interface, design, marks)
    except Undecided as error:
        opinion.problem = str(error)
        return opinion
    opinion.dead = plan.dead
    end = None if timeout is None else start + timeout
    examiner = _Examiner(plan, yosys, end)
    for number, verdict in enumerate(examiner.verdicts(jobs), start=1):
        opinion.verdicts.append(verdict)
        if progress is not None:
            progress(verdict, number, len(plan.claims))
    opinion.seconds = time.monotonic() - start
    return opinion


@dataclass
class _Examiner:
    plan: Plan
    yosys: Tool
    end: float | None
    differs: bool = False
    """Whether some claim is wrong."""

    def verdicts(self, jobs: int) -> Iterator[Verdict]:
        """The verdicts on all claims, in order."""
        # Gates are made by one thread; ABC runs in processes of its own.
        questions = [self.plan.question(claim, claim.rank) for claim in self.plan.claims]
        shares = [questions[first::jobs] for first in range(jobs)]
        with ThreadPoolExecutor(jobs) as pool:
            found = [iter(answers) for answers in pool.map(self._answers, shares)]
        for number, question in enumerate(questions):
            yield self._verdict(question, next(found[number % jobs]))

    def _answers(self, questions: list[Question]) -> list[Answer]:
        left = None if self.end is None else self.end - time.monotonic()
        return answers(self.plan.graph, [q.wrong for q in questions], self.yosys, left)

    def _verdict(self, question: Question, answer: Answer) -> Verdict:
        claim = question.claim
        if answer is not True and question.limit > 1:
            question, answer = self._deeper(question, answer)
        if answer is True:
            return Verdict(claim)
        if answer is False:
            return Verdict(claim, _TOO_LARGE)
        if question.limit > 1:
            return Verdict(claim, _MAY_NEVER_COME)
        self.differs = True
        where, expected, got = self.plan.codes(question, answer)
        return Verdict(claim, "differs", where, expected, got)

    def _deeper(self, question: Question, answer: Answer) -> tuple[Question, Answer]:
        """As codes of free nodes may never come together, less and less is free.

        The last question is one of inputs alone. Random inputs are tried on it first.
        """
        last = self.plan.question(question.claim, 1)
        found = sampled(self.plan.graph, last.wrong)
        if found is not None:
            return last, found
        # Where another claim is wrong, so are the codes that are free.
        for limit in () if self.differs else range(question.limit - 1, 0, -1):
            deeper = self.plan.question(question.claim, limit)
            (found,) = self._answers([deeper])
            if found is not False:
                question, answer = deeper, found
            if found is True:
                break
        return question, answer


_TOO_LARGE = "undecided: its decision diagram is too large, or time is over"
_MAY_NEVER_COME = "undecided: it differs at codes of nodes which may never come together"


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
