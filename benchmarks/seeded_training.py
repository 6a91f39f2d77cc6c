"""Puts bugs into the hardware of training steps, one at a time, and prints the proof's verdict.

    python benchmarks/seeded_training.py                 all (some minutes)
    python benchmarks/seeded_training.py --only reset    seeds whose name contains a word

Small networks are compiled with each seed (`seeds/training.py`) until the proof of one fails. Then
the failed claim is printed, the inputs that show it, and whether Icarus Verilog agrees. The exit
code is 1 if a bug is not found, or if a network without a bug is not proven.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
from seeds import Seed, SeedError, imported_with_bug, spoilt_module
from seeds.training import SEEDS
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.flows.prove.on_chip.bench import play_in_icarus
from kan_dialect.flows.prove.on_chip.prove import TrainingProof, prove_training
from kan_dialect.flows.prove.on_chip.witness import Witness, find_witness
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.ir.attributes.module_attributes import training_cycles
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.on_chip.training_step import step_of
from kan_dialect.passes.make_trainable import MakeTrainablePass

ROOT = Path(__file__).parent.parent
LOWERING = "kan_dialect.lowering.on_chip"
sys.path.append(str(ROOT / "tests" / "pytest"))

random_network = importlib.import_module("training_reference").random_network


@dataclass(frozen=True)
class Network:
    """A network that the compiler with a bug compiles."""

    name: str
    sizes: tuple[int, ...]
    degrees: tuple[int, ...]
    cells: tuple[int, ...]
    options: dict[str, Any]


NETWORKS = [
    Network("one layer", (2, 1), (3,), (5,), {"learning_rate": 0.15}),
    Network(
        "two layers, momentum",
        (1, 2, 1),
        (2, 1),
        (4, 3),
        {"learning_rate": 0.3, "momentum": 0.75, "integer_bits": 4, "fraction_bits": 6},
    ),
    Network("blocks", (1, 1), (1,), (600,), {"fraction_bits": 12, "learning_rate": 0.3}),
]


def spoilt(seed: Seed | None) -> type[Any]:
    """The lowering with a bug, from modules that are loaded anew and then forgotten.

    Raises
    ------
    SeedError : the seed does not fit the source, or is not in the lowering of training steps.
    """
    bug = nullcontext()
    if seed is not None:
        module = spoilt_module(seed)
        if not module.name.startswith(f"{LOWERING}."):
            raise SeedError(f"seed {seed.name!r}: {module.name} is not in {LOWERING}")
        bug = imported_with_bug(module)
    kept = _forget_lowering()
    try:
        with bug:
            name = f"{LOWERING}.training_to_hw"
            return cast("type[Any]", importlib.import_module(name).LowerTrainingToHwPass)
    finally:
        _forget_lowering()
        sys.modules.update(kept)


def _forget_lowering() -> dict[str, ModuleType]:
    """Remove the imported modules of the lowering from `sys.modules`; return them."""
    names = [name for name in sys.modules if f"{name}.".startswith(f"{LOWERING}.")]
    return {name: sys.modules.pop(name) for name in names}


def proof_of(network: Network, lowering: type[Any], folder: Path) -> TrainingProof:
    """Prove a network. Its RTL is written to `net.sv` in the folder."""
    rng = np.random.default_rng(1)
    module: ModuleOp = random_network(rng, network.sizes, network.degrees, network.cells)
    MakeTrainablePass(**network.options).apply(Context(), module)
    step = step_of(module.clone())
    lowering().apply(Context(), module)
    circuit = next(op for op in module.ops if isinstance(op, hw.HWModuleOp))
    latency, interval = training_cycles(circuit)
    rtl = folder / "net.sv"
    rtl.write_text(emit_systemverilog(module))
    return prove_training(rtl, step, latency, interval)


def found(seed: Seed, folder: Path) -> tuple[Network, TrainingProof] | None:
    """The first network that is not proven with the bug, and its proof."""
    lowering = spoilt(seed)
    for network in NETWORKS:
        proof = proof_of(network, lowering, folder)
        if not proof.proven:
            return network, proof
    return None


def confirmed(proof: TrainingProof, witness: Witness, folder: Path) -> bool:
    """Whether Icarus has the wrong value of the proof's witness."""
    outputs = play_in_icarus(proof.ports, folder / "net.sv", proof.step.name, witness.trace)
    wrong = witness.mismatch
    return outputs[wrong.cycle].get(wrong.port) == wrong.got != wrong.expected


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="WORD", help="seeds whose name contains it")
    only: str = parser.parse_args(arguments).only
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        for network in NETWORKS:
            if not proof_of(network, spoilt(None), folder).proven:
                missed.append(f"{network.name}, which has no bug")
        for seed in [seed for seed in SEEDS if only in seed.name]:
            start = time.process_time()
            result = found(seed, folder)
            if result is None:
                missed.append(seed.name)
                print(f"{seed.name:28} NOT FOUND", flush=True)
                continue
            network, proof = result
            claim = next(outcome for outcome in proof.outcomes if not outcome.proven)
            witness = find_witness(proof, claim)
            shown = "no inputs found"
            if witness is not None:
                shown = f"{len(witness.trace)} cycles, {witness.mismatch.port}"
                if find_simulator("icarus"):
                    agrees = confirmed(proof, witness, folder)
                    shown += ", as in Icarus" if agrees else ", NOT as in Icarus"
            spent = time.process_time() - start
            print(
                f"{seed.name:28} {network.name:22} {claim.group}: {claim.name} "
                f"({shown}; {spent:.1f} s)",
                flush=True,
            )
    print(f"{len(SEEDS)} seeds, {len(missed)} not as they must be: {', '.join(missed) or 'none'}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
