"""`kan-flow prove`: the RTL of a build equals its integer model, for all inputs."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from kan_dialect.cli.flow.changed_files import add_changed, check_proven_files
from kan_dialect.cli.flow.prove_properties import prove_properties_of
from kan_dialect.cli.flow.prove_training import prove_trainable
from kan_dialect.cli.flow.prove_wrapper import chosen_wrapper, proof_of_wrapper
from kan_dialect.cli.import_options import add_table_overflow
from kan_dialect.cli.number_options import add_number
from kan_dialect.cli.tool_limits import ABOVE_ZERO, JOBS, add_limits
from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import has_real_edges
from kan_dialect.flows.built_models import built_models, built_schedule, is_trainable_build
from kan_dialect.flows.prove.prove import Outcome, Proof, prove
from kan_dialect.flows.prove.second_opinion.opinion import (
    Opinion,
    Verdict,
    print_opinion,
    require_solver,
    second_opinion,
)
from kan_dialect.flows.prove.show import merge_proof, print_proof
from kan_dialect.frontends.frontend import KEEP, ImportOptions
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.model.model import Model
from kan_dialect.passbase.progress import speaking


def add_prove(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow prove`."""
    parser.description = (
        "Prove rtl/NAME.sv of a build equal to the integer model of the build, node by node, for "
        "all input codes and every cycle; of a build that trains, equal to the training step for "
        "all inputs, memory contents and histories. The wrapper of a build with an interface is "
        "proven too, for every history of its ports. Needs Yosys, and for training and "
        "wrappers bitwuzla."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="what kan-flow build wrote")
    parser.add_argument(
        "--rtl", type=Path, metavar="FILE", help="this SystemVerilog instead of the build's"
    )
    parser.add_argument(
        "--wrapper", type=Path, metavar="FILE", help="this wrapper instead of the build's"
    )
    parser.add_argument(
        "--against", type=Path, metavar="MODEL", help="this model of codes instead of the build's"
    )
    parser.add_argument(
        "--property",
        type=Path,
        action="append",
        metavar="FILE.toml",
        help="prove the properties in a file instead, of the integer model, within --timeout each; "
        "may be repeated",
    )
    add_changed(parser)
    add_table_overflow(parser)
    add_number(
        parser,
        "--timeout",
        ABOVE_ZERO,
        kind=float,
        metavar="S",
        help="seconds after which a proof is undecided",
    )
    add_limits(parser, timeout=False)
    add_number(
        parser,
        "--jobs",
        JOBS,
        default=1,
        metavar="N",
        help="processes to prove with, at most one a node and a processor (default: 1)",
    )
    parser.add_argument("--report", action="store_true", help="note the proof in DIR/report.json")
    parser.add_argument(
        "--second",
        action="store_true",
        help="compare with a second opinion: a solver, with arithmetic of its own "
        "(needs Bitwuzla: kan-dialect[proof])",
    )


def run_prove(options: argparse.Namespace) -> int:
    """Run `kan-flow prove`."""
    folder: Path = options.folder
    if options.against is None and options.table_overflow != KEEP:
        raise KanError("--table-overflow has no meaning without --against", remedy="leave it out")
    if is_trainable_build(folder):
        if options.property:
            raise KanError(
                "properties of hardware that trains itself cannot be proven",
                remedy="leave --property out",
            )
        if options.second:
            raise KanError(
                "there is no second opinion on hardware that trains itself",
                remedy="leave --second out",
            )
        return prove_trainable(options)
    if options.property:
        return prove_properties_of(options)
    integer, circuit = built_models(folder)
    if options.against is not None:
        integer = _model_of_codes(options)
    rtl: Path = options.rtl or folder / "rtl" / f"{circuit.name}.sv"
    wrapper = chosen_wrapper(folder, options.wrapper)
    check_proven_files(options, circuit.name, wrapper)
    if options.second:
        require_solver()
    proof, opinion = _proofs(options, rtl, integer, circuit)
    print_proof(proof, rtl, Console(highlight=False))
    proven = proof.proven
    if opinion is not None:
        print_opinion(opinion, proof.proven, Console(highlight=False))
        proven &= opinion.shown
    summary: dict[str, object] = dict(proof.summary())
    if opinion is not None:
        summary["second"] = opinion.summary()
    if wrapper is not None:
        found = proof_of_wrapper(wrapper, rtl, proof.interface, options.timeout)
        proven &= found.proven
        summary["interface"] = found.summary()
    if options.report:
        merge_proof(folder / "report.json", summary if proven else None)
    return 0 if proven else 1


def _model_of_codes(options: argparse.Namespace) -> Model:
    """The model of `--against`."""
    reading = ImportOptions(table_overflow=options.table_overflow)
    module = load_model(make_context(), options.against, reading)
    model = Model.of(module)
    if not model.has_codes or has_real_edges(module):
        raise KanError(f"{options.against} has no codes yet", remedy="quantise it first")
    return model


def _proofs(
    options: argparse.Namespace, rtl: Path, integer: Model, circuit: Model
) -> tuple[Proof, Opinion | None]:
    """The proof and, with `--second`, the second opinion; both end within `--timeout`."""
    end = None if options.timeout is None else time.monotonic() + options.timeout
    opinion: Opinion | None = None
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading the RTL", total=None)

        def say(what: str) -> None:
            progress.update(task, description=what)

        def tell(outcome: Outcome | Verdict, number: int, count: int) -> None:
            progress.update(task, description=outcome.name, completed=number, total=count)

        with speaking(say):
            proof = prove(
                rtl,
                integer,
                circuit,
                scheduled=built_schedule(options.folder),
                timeout=options.timeout,
                jobs=options.jobs,
                progress=tell,
            )
        if options.second:
            task = progress.add_task("second opinion", total=None)
            with speaking(say):
                opinion = second_opinion(
                    rtl,
                    integer,
                    circuit,
                    timeout=None if end is None else max(0.001, end - time.monotonic()),
                    jobs=options.jobs,
                    progress=tell,
                )
    return proof, opinion
