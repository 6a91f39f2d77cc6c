"""Puts bugs into the compiler, one at a time, and prints the checks that find them.

    python benchmarks/seeded_bugs.py                     everything (a quarter of an hour)
    python benchmarks/seeded_bugs.py --only narrow       seeds whose pass or name contains a word
    python benchmarks/seeded_bugs.py --networks odd,negative,wires

Each seed (`seeds/`) is imported in a process of its own. There each check runs with the others off:
(a) the verifiers after each pass, (b) the comparison of the IR before and after each pass, (c) the
simulation in Verilator on the vectors of `kan-flow build`, (d) the proof. A check finds a bug if it
objects on one of the networks. The exit code is 1 if no check finds a bug, or if a check objects to
an equivalent change.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
from seeds import SEEDS, Seed, imported_with_bug, spoilt_module

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("KAN_SHARED_DATA", ROOT.parent / "shared" / "data"))
CHECKS = ("verifier", "check-passes", "simulation", "proof")


@dataclass(frozen=True)
class Network:
    """A network that the compiler with a bug compiles."""

    name: str
    path: Path
    options: Mapping[str, int | str] = field(default_factory=dict[str, int | str])
    data: Path | None = None


def networks(folder: Path) -> dict[str, Network]:
    """The networks, small ones first. Random data for networks without any goes into `folder`."""
    texts = Path(__file__).with_name("seeded_networks")
    small: dict[str, int | str] = {"bits": 4, "guard_bits": 2, "levels": 1}
    clocked = {name: value for name, value in small.items() if name != "levels"}
    x = np.random.default_rng(0).normal(size=(400, 3))
    np.savez(folder / "odd.npz", x=x)
    found = [
        Network("wires", texts / "wires.mlir", small),
        Network("alike", texts / "alike.mlir", small),
        Network("negative", texts / "negative.mlir", small),
        Network("composed", texts / "composed.mlir", small),
        Network("rounded", texts / "rounded.mlir", small),
        Network("chains", texts / "negative.mlir", {"cycles": 2, "target": "ecp5"}),
        Network("mapped", texts / "alike.mlir", {**small, "bits": 6, "target": "ice40"}),
        Network("waiting", texts / "alike.mlir", {**clocked, "mhz": 100, "target": "ecp5"}),
        Network("split", texts / "alike.mlir", {**clocked, "mhz": 200, "target": "ecp5"}),
        Network("shapes", texts / "shapes.mlir", {"interval": 3, "target": "gowin-gw1n-1"}),
        Network("odd", texts / "odd.mlir", small, folder / "odd.npz"),
        Network(
            "wine",
            ROOT / "examples" / "wine.onnx",
            {"bits": 6, "guard_bits": 2},
            ROOT / "examples" / "wine.npz",
        ),
    ]
    tables = SHARED / "kanele" / "jsc_openml" / "truth_tables.json"
    if tables.exists():
        found.append(Network("jsc", tables))
    return {network.name: network for network in found}


@dataclass
class Verdict:
    """The checks that objected to a seed, each with its first message."""

    seed: Seed
    found: dict[str, str] = field(default_factory=dict[str, str])
    changed: bool = False
    """The IR or the text of some network differs."""

    seconds: float = 0.0


class Compiled:
    """A network through the whole pipeline, with no check on."""

    def __init__(self, network: Network) -> None:
        from kan_dialect.evaluate.edge_tables import has_real_edges
        from kan_dialect.lowering.compile import CompilePass
        from kan_dialect.lowering.systemverilog import emit_systemverilog
        from kan_dialect.model.model import Model
        from kan_dialect.model.port_codes import encode

        self.integer: Model | None = None
        self.stages: list[str] = []
        module, context, self.samples = load(network)
        data = None if network.data is None else str(network.data)
        for stage in CompilePass(data=data, **network.options).expand():  # type: ignore[arg-type]
            self._look(module, Model, has_real_edges)
            stage.apply(context, module)
            self.stages.append(str(module))
        self.circuit = Model.of(module)
        self.interface = self.circuit.interface()
        self.text = emit_systemverilog(module)
        assert self.integer is not None
        codes = None
        if self.samples is not None:
            codes = encode(self.integer.interface().inputs, self.samples)
        from kan_dialect.flows.simulate.stimuli import stimuli

        self.codes = stimuli(self.integer.interface(), codes)
        self.expected = self.integer.run_codes(self.codes)

    def _look(self, module: object, model: type, has_real_edges: Callable[..., bool]) -> None:
        if self.integer is None:
            found = model.of(module)
            if found.has_codes and not has_real_edges(module):
                self.integer = model.of(module.clone())  # type: ignore[attr-defined]


def load(network: Network) -> tuple:  # type: ignore[type-arg]
    """Module, context, and samples if there are any."""
    from kan_dialect.files.data_sets import load_dataset
    from kan_dialect.frontends.frontend import ImportOptions
    from kan_dialect.frontends.loading import load_model, make_context

    context = make_context()
    dataset = None if network.data is None else load_dataset(network.data)
    samples = dataset.x if dataset and network.path.suffix == ".onnx" else None
    module = load_model(context, network.path, ImportOptions(samples=samples))
    if dataset is not None and dataset.x_test is not None:
        return module, context, np.concatenate([dataset.x, dataset.x_test])
    return module, context, None if dataset is None else dataset.x


# The checks. Each returns its objection, or None.


def _verifier(network: Network) -> str | None:
    """Verifiers after each pass. A pass or an emitter that refuses its input counts too."""
    from kan_dialect.checking import verify_after
    from kan_dialect.lowering.compile import CompilePass
    from kan_dialect.lowering.systemverilog import emit_systemverilog

    module, context, _ = load(network)
    data = None if network.data is None else str(network.data)
    for stage in CompilePass(data=data, **network.options).expand():  # type: ignore[arg-type]
        stage.apply(context, module)
        verify_after(stage, module)
    emit_systemverilog(module)
    return None


def _check_passes(network: Network) -> str | None:
    from kan_dialect.checking import Checker
    from kan_dialect.files.data_sets import load_dataset
    from kan_dialect.lowering.compile import CompilePass

    module, context, _ = load(network)
    data = None if network.data is None else str(network.data)
    checker = Checker(None if network.data is None else load_dataset(network.data).x)
    for stage in CompilePass(data=data, **network.options).expand():  # type: ignore[arg-type]
        before = module.clone()
        try:
            stage.apply(context, module)
        except Exception:
            return None  # There is no result to compare.
        checker.check(stage, before, module).require_passed()
    return None


def _simulation(made: Compiled) -> str | None:
    from kan_dialect.flows.simulate.simulation import compare, simulate

    with tempfile.TemporaryDirectory(prefix="kan-seeded-") as folder:
        rtl = Path(folder) / "design.sv"
        rtl.write_text(made.text)
        verdict = compare(made.expected, simulate(rtl, made.interface, made.codes), made.codes)
    return None if verdict.passed else verdict.describe(made.interface)


def _proof(made: Compiled) -> str | None:
    from kan_dialect.flows.prove.prove import prove

    assert made.integer is not None
    with tempfile.TemporaryDirectory(prefix="kan-seeded-") as folder:
        rtl = Path(folder) / "design.sv"
        rtl.write_text(made.text)
        proof = prove(rtl, made.integer, made.circuit)
    if proof.valid_problem is not None:
        return proof.valid_problem
    return next((f"{o.name}: {o.problem}" for o in proof.outcomes if not o.proven), None)


def _objection(check: Callable[[], str | None]) -> str | None:
    """The objection of a check, or its exception."""
    try:
        return check()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class Good:
    """The results of a network without a bug."""

    stages: list[str]
    text: str
    expected: list[list[int]]


def judge(seed: Seed, chosen: Sequence[Network], good: dict[str, Good]) -> Verdict:
    """Ask each check until it objects, network by network. The module is imported here first."""
    began = time.perf_counter()
    spoilt = spoilt_module(seed)
    assert spoilt.name not in sys.modules, f"{spoilt.name} is imported already"
    verdict = Verdict(seed)
    with imported_with_bug(spoilt):
        _ask_all(verdict, chosen, good)
    verdict.seconds = time.perf_counter() - began
    return verdict


def _ask_all(verdict: Verdict, chosen: Sequence[Network], good: dict[str, Good]) -> None:
    for network in chosen:
        right = good[network.name]
        try:
            made = Compiled(network)
        except Exception as error:
            # There is nothing to simulate or prove.
            verdict.changed = True
            verdict.found.setdefault("verifier", f"{type(error).__name__}: {error}")
            made = None
        if made is not None and (made.stages, made.text) == (right.stages, right.text):
            continue
        verdict.changed = True
        asked: dict[str, Callable[[], str | None]] = {
            "verifier": lambda n=network: _verifier(n),
            "check-passes": lambda n=network: _check_passes(n),
        }
        if made is not None:
            asked["proof"] = lambda m=made: _proof(m)
            asked["simulation"] = lambda m=made: _simulation(m)
        for name, check in asked.items():
            if name not in verdict.found and (said := _objection(check)) is not None:
                verdict.found[name] = f"{network.name}: {said.splitlines()[0]}"


def _in_child(task: Callable[..., object], arguments: tuple[object, ...]) -> object:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(task, arguments)


def _compile_well(network: Network) -> Good:
    made = Compiled(network)
    for check in (_simulation, _proof):
        objection = check(made)
        assert objection is None, f"{network.name} without a bug: {objection}"
    return Good(made.stages, made.text, made.expected.tolist())


def _judge(arguments: tuple[Seed, Sequence[Network], dict[str, Good]]) -> Verdict:
    return judge(*arguments)


def _preload() -> None:
    """Import slow modules that no seed changes before processes are forked."""
    for name in ("xdsl.dialects.builtin", "xdsl.dialects.hw", "onnx", "kan_dialect.errors"):
        importlib.import_module(name)


def _compile_verilator_library() -> None:
    """Compile Verilator's run-time library once, into `$KAN_CACHE`.

    A process of its own does it: no module that a seed changes may be imported in this one.
    """
    verilator: ModuleType = importlib.import_module("kan_dialect.flows.simulate.verilator")
    interface: ModuleType = importlib.import_module("kan_dialect.model.interface")
    port = interface.Port.of_range
    through = interface.Interface(
        "through", (port("x0", 0, 1),), (port("y0", 0, 1),), 0, combinational=True
    )
    with tempfile.TemporaryDirectory(prefix="kan-seeded-") as folder:
        rtl = Path(folder) / "design.sv"
        rtl.write_text("module through(input wire x0, output wire y0); assign y0 = x0; endmodule\n")
        verilator.VerilatorModel(rtl, through, Path(folder))


# The tables.


def table(verdicts: Sequence[Verdict]) -> str:
    """A Markdown table: the number of bugs that each check finds, by subject."""
    rows: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if not verdict.seed.equivalent:
            rows.setdefault(verdict.seed.subject, []).append(verdict)
    lines = ["| bugs in | seeded | verifiers | check of passes | simulation | proof | together |"]
    lines.append("| --- " * 7 + "|")
    rows["all"] = [verdict for row in rows.values() for verdict in row]
    for place, row in rows.items():
        counts = [sum(check in verdict.found for verdict in row) for check in CHECKS]
        counts.append(sum(bool(verdict.found) for verdict in row))
        if place == "all":
            shares = [f"{count} ({count / max(len(row), 1):.0%})" for count in counts]
        else:
            shares = [str(count) for count in counts]
        lines.append(f"| {place} | {len(row)} | {' | '.join(shares)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="seeds whose pass or name contains the word"
    )
    parser.add_argument("--networks", metavar="NAME,...", help="these only")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found")
    options = parser.parse_args()
    words: list[str] = options.only or [""]
    seeds = [s for s in SEEDS if any(word in f"{s.subject}: {s.name}" for word in words)]
    for seed in seeds:
        spoilt_module(seed)  # Names a seed that does not fit the source before anything runs.
    with tempfile.TemporaryDirectory(prefix="kan-seeded-") as folder:
        available = networks(Path(folder))
        names: list[str] = (options.networks or ",".join(available)).split(",")
        chosen = [available[name] for name in names]
        os.environ.setdefault("KAN_CACHE", folder)
        _preload()
        _in_child(_compile_verilator_library, ())
        good = {n.name: _in_child(_compile_well, (n,)) for n in chosen}
        context = multiprocessing.get_context("fork")
        verdicts: list[Verdict] = []
        with context.Pool(options.jobs, maxtasksperchild=1) as pool:
            tasks = [(seed, chosen, good) for seed in seeds]
            for verdict in pool.imap(_judge, tasks, chunksize=1):
                verdicts.append(verdict)
                found = ", ".join(c for c in CHECKS if c in verdict.found) or "nothing"
                note = "" if verdict.changed else " (no network changes)"
                seed = verdict.seed
                print(f"{seed.subject}: {seed.name}: {found}{note}", flush=True)
    print()
    print(table(verdicts))
    bad = 0
    for verdict in verdicts:
        seed = verdict.seed
        if seed.equivalent:
            print(f"\nno bug: {seed.subject}: {seed.name}: {seed.equivalent}", end="")
            if verdict.found:
                bad += 1
                print(f"; but {verdict.found}", end="")
        elif not verdict.found:
            bad += 1
            print(f"\nNOT FOUND: {seed.subject}: {seed.name}", end="")
    print()
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(v) for v in verdicts], indent=1))
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
