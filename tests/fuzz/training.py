"""Networks that train: each design is proven, and a proven design must train as its step does.

The text of each design is also changed at random. If it is still proven, samples, accesses and
resets are simulated on it and compared with the step.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from xdsl.context import Context
from xdsl.dialects import hw

from fuzz.campaign import Chunk, Failure
from kan_dialect.errors import KanError
from kan_dialect.flows.prove.on_chip.bench import first_mismatch, play
from kan_dialect.flows.prove.on_chip.prove import prove_training
from kan_dialect.flows.prove.on_chip.witness import random_traces
from kan_dialect.ir.attributes.module_attributes import training_cycles
from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass
from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.on_chip.training_step import Step, step_of
from kan_dialect.passes.make_trainable import MakeTrainablePass

PLAYED = 3
"""Traces for each changed text that is proven."""

PLACES = re.compile(
    r"_d(\d)|'d(\d)|\[(\d)|(?<= )[&|+-](?= )|\btrained\b|\baccepted\b|\bmem_access\b"
)
"""What is changed: cycles, constants, bits, operators, conditions."""

sys.path.append(str(Path(__file__).parent.parent / "pytest"))


def _design(rng: Generator) -> tuple[Step, str, tuple[int, int]]:
    count = int(rng.integers(1, 3))
    sizes = rng.integers(1, 3, count + 1).tolist()
    random_network: Any = import_module("training_reference").random_network
    degrees, cells = rng.integers(1, 4, count).tolist(), rng.integers(1, 7, count).tolist()
    module = random_network(rng, sizes, degrees, cells)
    MakeTrainablePass(
        learning_rate=float(rng.choice([0.5, 0.125, 0.3])),
        integer_bits=int(rng.integers(3, 5)),
        fraction_bits=int(rng.integers(5, 8)),
        local_bits=int(rng.integers(2, 4)),
        error="fed" if rng.integers(2) else "squared",
        momentum=float(rng.choice([0.0, 0.75, 0.9])),
        weight_decay=float(rng.choice([0.0, 2**-5])),
    ).apply(Context(), module)
    step = step_of(module.clone())
    LowerTrainingToHwPass().apply(Context(), module)
    FormCarryChainsPass().apply(Context(), module)
    circuit = next(op for op in module.ops if isinstance(op, hw.HWModuleOp))
    return step, emit_systemverilog(module), training_cycles(circuit)


def _changed(text: str, rng: Generator) -> str:
    start = text.index(");")
    places = list(PLACES.finditer(text, start))
    match = places[int(rng.integers(len(places)))]
    old = match[0]
    digit = old[-1]
    if digit.isdecimal():
        new = f"{old[:-1]}{(int(digit) + int(rng.choice([1, 9]))) % 10}"
    elif old in "&|+-":
        new = {"&": "|", "|": "&", "+": "-", "-": "+"}[old]
    else:
        new = str(rng.choice(["in_valid", "train", "accepted", "trained", "mem_valid"]))
    return text[: match.start()] + new + text[match.end() :]


def _check(rng: Generator, rtl: Path) -> str:
    """Check one network. Returns what was done with it, for the counts.

    Raises
    ------
    AssertionError : it is not proven, or a text is proven that does not train as the step.
    """
    step, text, cycles = _design(rng)
    rtl.write_text(text)
    proof = prove_training(rtl, step, *cycles, timeout=300)
    problem = next((o for o in proof.outcomes if not o.proven), None)
    assert problem is None, f"not proven: {problem}"
    changed = _changed(text, rng)
    rtl.write_text(changed)
    try:
        proof = prove_training(rtl, step, *cycles, timeout=60)
    except KanError:
        return "proven, its change refused"
    if not proof.proven:
        return "proven, its change found"
    for trace in random_traces(proof, PLAYED):
        outputs = play(proof.ports, trace)
        wrong = first_mismatch(step, proof.ports, proof.timing, trace, outputs)
        assert wrong is None, f"proven wrongly: {wrong}"
    return "proven, its change too"


def trainings(seed: int, cases: range, tell: Callable[[int], None]) -> Chunk:
    """A chunk of networks that train."""
    chunk = Chunk(Counter())
    for index in cases:
        tell(index)
        with tempfile.TemporaryDirectory(prefix="kan-fuzz-") as name:
            rtl = Path(name) / "net.sv"
            try:
                done = _check(np.random.default_rng([seed, index, 7]), rtl)
                chunk.counts[f"networks that train {done}"] += 1
            except Exception as error:
                files = {"net.sv": rtl.read_bytes()} if rtl.exists() else {}
                message = f"{type(error).__name__}: {error}"
                chunk.failures.append(Failure("trainings", index, message, files))
    return chunk
