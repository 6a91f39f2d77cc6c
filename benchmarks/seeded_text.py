"""Changes emitted text so that tools read it differently, and prints the verdict of `prove`.

    python benchmarks/seeded_text.py                        everything (two minutes)
    python benchmarks/seeded_text.py --only pragmas         kinds whose name contains a word
    python benchmarks/seeded_text.py --networks odd,moons   these designs only
    python benchmarks/seeded_text.py --places 50            at up to 50 places of each design

The changes (`tests/fuzz/text_mutants.py`) keep the bits and leave the language: pragmas, delays,
initial values, other processes, and so on. The reader must refuse each, or the proof must find
another design. A control group of harmless changes must be proven, or refused with a message. The
exit code is 1 if a change that is not harmless is proven, if a harmless one is found to be another
design, or if none of a harmless kind is proven.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from seeded_bugs import ROOT, SHARED, Compiled, Network, networks

sys.path.insert(0, str(ROOT / "tests"))
from fuzz.text_mutants import CHANGES, Mutant, TextChange, mutants
from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.readings import difference_of_readings
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.flows.prove.prove import prove
from kan_dialect.flows.prove.text import check_text
from kan_dialect.flows.simulate.simulation import compare, simulate
from kan_dialect.flows.tools.toolchain import find_simulator

PLACES = 6
EVERYWHERE = ("= in a clocked process",)
"""Kinds that are tried at every place of a design."""
OTHER_NAMES = "other names"
"""Harmless, but readings of training hardware are compared register by register, by name."""


@dataclass(frozen=True)
class Design:
    """Text that the compiler emits, and how it is read."""

    name: str
    top: str
    text: str
    netlist: Netlist
    compiled: Compiled | None
    """None of training hardware, whose readings are compared only."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a mutant."""

    design: str
    mutant: Mutant
    outcome: str
    """`refused`, `found` or `proven`."""

    message: str = ""


def designs(names: Sequence[str] | None) -> Iterator[Design]:
    """The designs of these names, or all."""
    with tempfile.TemporaryDirectory(prefix="kan-seeded-") as folder:
        available = networks(Path(folder))
        available.pop("jsc", None)
        moons = SHARED / "kanele" / "moons" / "truth_tables.json"
        if moons.exists():
            available["moons"] = Network("moons", moons, {"cycles": 4})
        for name, network in available.items():
            if names is None or name in names:
                made = Compiled(network)
                yield _design(name, made.circuit.name, made.text, made)
    if names is None or "tracker" in names:
        yield _design("tracker", *_training(ROOT / "examples" / "tracker.mlir"), None)


def _design(name: str, top: str, text: str, compiled: Compiled | None) -> Design:
    return Design(name, top, text, check_text(text)[top], compiled)


def _training(path: Path) -> tuple[str, str]:
    """Hardware that trains itself: the module's name and its text."""
    from kan_dialect.frontends.frontend import ImportOptions
    from kan_dialect.frontends.loading import load_model, make_context
    from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass
    from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
    from kan_dialect.lowering.systemverilog import emit_systemverilog
    from kan_dialect.model.model import Model
    from kan_dialect.passes.make_trainable import MakeTrainablePass

    context = make_context()
    module = load_model(context, path, ImportOptions())
    MakeTrainablePass().apply(context, module)
    LowerTrainingToHwPass().apply(context, module)
    FormCarryChainsPass().apply(context, module)
    return Model.of(module).name, emit_systemverilog(module)


def chosen(design: Design, changes: Sequence[TextChange], places: int) -> Iterator[Mutant]:
    """Mutants of a design: of each kind, at random places, the same in every run."""
    for change in changes:
        if design.compiled is None and change.name == OTHER_NAMES:
            continue
        rng = np.random.default_rng(0)
        kept: list[Mutant] = []
        for index, mutant in enumerate(mutants(design.text, [change])):
            if index < places or change.name in EVERYWHERE:
                kept.append(mutant)
            elif (place := int(rng.integers(index + 1))) < places:
                kept[place] = mutant
        yield from kept


def judge(design: Design, mutant: Mutant) -> Verdict:
    """Read a mutant, and prove it if the reader accepts it."""

    def verdict(outcome: str, message: str = "") -> Verdict:
        return Verdict(design.name, mutant, outcome, message)

    # Latin-1 as `prove` reads a file: every byte is a character.
    try:
        read = check_text(mutant.text.encode().decode("latin-1"))
    except KanError as error:
        return verdict("refused", str(error).splitlines()[0])
    if design.top not in read:
        return verdict("refused", "there is no such module")
    made = design.compiled
    if made is None:
        same = difference_of_readings(design.netlist, read[design.top]) is None
        return verdict("proven" if same else "found")
    with tempfile.TemporaryDirectory(prefix="kan-seeded-") as folder:
        rtl = Path(folder) / "design.sv"
        rtl.write_bytes(mutant.text.encode())
        assert made.integer is not None
        try:
            proof = prove(rtl, made.integer, made.circuit)
        except KanError as error:
            return verdict("refused", str(error).splitlines()[0])
        if not proof.proven:
            return verdict("found")
        return verdict("proven", "" if mutant.harmless else _in_icarus(made, rtl))


def _in_icarus(made: Compiled, rtl: Path) -> str:
    """A simulator's result for a mutant that should not have been proven."""
    if find_simulator("icarus") is None:
        return "Icarus is not installed"
    try:
        got = simulate(rtl, made.interface, made.codes, simulator="icarus", bubbles=0.2, resets=2)
    except KanError as error:
        return str(error).splitlines()[0]
    verdict = compare(made.expected, got, made.codes)
    return "the same in Icarus" if verdict.passed else verdict.describe(made.interface)


class _Work:
    """State that forked processes inherit."""

    designs: list[Design]


def _judge(task: tuple[int, Mutant]) -> Verdict:
    return judge(_Work.designs[task[0]], task[1])


def table(verdicts: Sequence[Verdict]) -> str:
    """A Markdown table of the verdicts on mutants, by kind."""
    counts: dict[str, Counter[str]] = {}
    for harmless in (False, True):
        rows = [verdict for verdict in verdicts if verdict.mutant.harmless == harmless]
        for verdict in rows:
            counts.setdefault(verdict.mutant.kind, Counter())[verdict.outcome] += 1
        whole = "all harmless ones" if harmless else "all"
        counts[whole] = Counter(verdict.outcome for verdict in rows)
    lines = ["| change | mutants | refused | found | proven |", "| --- " * 5 + "|"]
    for kind, outcomes in counts.items():
        numbers = [outcomes.total(), *(outcomes[o] for o in ("refused", "found", "proven"))]
        lines.append(f"| {kind} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines)


def finds(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Wrong verdicts, one line each."""
    proven: Counter[str] = Counter()
    for verdict in verdicts:
        mutant = verdict.mutant
        proven[mutant.kind] += verdict.outcome == "proven"
        if mutant.harmless and verdict.outcome == "found":
            yield f"{verdict.design}: {mutant.kind}: found to be another design, and is none"
        if not mutant.harmless and verdict.outcome == "proven":
            yield f"{verdict.design}: {mutant.kind}: proven; {verdict.message}"
    for kind in {verdict.mutant.kind for verdict in verdicts if verdict.mutant.harmless}:
        if not proven[kind]:
            yield f"{kind}: none is proven, though they are harmless"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", metavar="WORD", help="kinds that hold the word")
    parser.add_argument("--networks", metavar="NAME,...", help="these designs only")
    parser.add_argument("--places", type=int, default=PLACES, help="of each kind in each design")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all verdicts")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the text of every find")
    options = parser.parse_args()
    began = time.perf_counter()
    words: list[str] = options.only or [""]
    changes = [change for change in CHANGES if any(word in change.name for word in words)]
    _Work.designs = list(designs(options.networks and options.networks.split(",")))
    tasks = [
        (index, mutant)
        for index, design in enumerate(_Work.designs)
        for mutant in chosen(design, changes, options.places)
    ]
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        verdicts = pool.map(_judge, tasks, chunksize=16)
    print(table(verdicts))
    names = ", ".join(design.name for design in _Work.designs)
    print(f"\n{len(verdicts)} mutants of {names} in {time.perf_counter() - began:.0f} s")
    found = list(finds(verdicts))
    print("\n".join(found))
    if options.json is not None:
        rows = [(v.design, v.mutant.kind, v.outcome, v.message) for v in verdicts]
        options.json.write_text(json.dumps(rows, indent=1))
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        wrong = [v for v in verdicts if v.mutant.harmless != (v.outcome == "proven")]
        for number, v in enumerate(wrong):
            name = f"{number}-{v.design}-{v.outcome}-{v.mutant.kind.replace(' ', '_')}.sv"
            if v.outcome != "refused":
                (options.keep / name).write_bytes(v.mutant.text.encode())
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
