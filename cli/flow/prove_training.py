"""`kan-flow prove` of networks that learn on the chip."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from kan_dialect.cli.flow.changed_files import check_proven_files
from kan_dialect.cli.flow.prove_wrapper import chosen_wrapper, proof_of_wrapper
from kan_dialect.cli.flow.training import built_step
from kan_dialect.files.manifest import written_stages
from kan_dialect.flows.built_models import is_lowered_training
from kan_dialect.flows.prove.cycles.claims import Outcome
from kan_dialect.flows.prove.interfaces.training_core import TrainingNetwork
from kan_dialect.flows.prove.on_chip.prove import prove_training
from kan_dialect.flows.prove.on_chip.show import print_training_proof
from kan_dialect.flows.prove.on_chip.step_ports import StepPorts
from kan_dialect.flows.prove.show import merge_proof
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.attributes.module_attributes import training_cycles
from kan_dialect.lowering.hardware_ops import hardware_modules
from kan_dialect.model.on_chip.training_step import step_of
from kan_dialect.passbase.progress import speaking


def _built_cycles(folder: Path) -> tuple[int, int]:
    """Latency and interval of a build's hardware, in cycles."""
    path = next(path for path in written_stages(folder) if is_lowered_training(path))
    (circuit,) = hardware_modules(load_model(make_context(), path))
    return training_cycles(circuit)


def prove_trainable(options: argparse.Namespace) -> int:
    """`kan-flow prove` of hardware that trains.

    Raises
    ------
    KanError : see `prove_training` and `prove_built`.
    """
    folder: Path = options.folder
    wrapper = chosen_wrapper(folder, options.wrapper)
    step = built_step(folder)
    check_proven_files(options, step.name, wrapper)
    latency, interval = _built_cycles(folder)
    rtl: Path = options.rtl or folder / "rtl" / f"{step.name}.sv"
    if options.against is not None:
        step = step_of(load_model(make_context(), options.against))
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading the RTL", total=None)

        def say(what: str) -> None:
            progress.update(task, description=what)

        def tell(outcome: Outcome) -> None:
            progress.update(task, description=f"{outcome.group}: {outcome.name}")

        with speaking(say):
            proof = prove_training(
                rtl, step, latency, interval, timeout=options.timeout, progress=tell
            )
    print_training_proof(proof, rtl, Console(highlight=False))
    proven = proof.proven
    summary: dict[str, object] = dict(proof.summary())
    if wrapper is not None:
        timing = proof.timing
        network = TrainingNetwork(StepPorts.of(step), timing.latency, timing.interval, timing.busy)
        found = proof_of_wrapper(wrapper, rtl, network, options.timeout)
        proven &= found.proven
        summary["interface"] = found.summary()
    if options.report:
        merge_proof(folder / "report.json", summary if proven else None)
    return 0 if proven else 1
