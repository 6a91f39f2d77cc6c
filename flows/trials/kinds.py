"""What is done with trials: compile them, and let tools measure them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kan_dialect.devices.device import device
from kan_dialect.errors import KanError
from kan_dialect.flows.input_codes import outputs_digest
from kan_dialect.flows.report_cautions import is_constant
from kan_dialect.flows.tools.place_and_route import place_and_route
from kan_dialect.flows.tools.run_limits import DEFAULT_LIMITS, Limits, limited
from kan_dialect.flows.tools.synthesis import synthesize
from kan_dialect.flows.tools.synthesis_cache import known_synthesis
from kan_dialect.flows.trials.bench import Bench, Task, lowering_of
from kan_dialect.flows.trials.networks import Network
from kan_dialect.flows.trials.store import FIGURES
from kan_dialect.flows.trials.study import Study, Trial
from kan_dialect.flows.wire_figures import wire_figures
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model


@dataclass(frozen=True)
class Compile:
    """Compiles a trial, for its estimate, its scores and a digest of its output codes."""

    def section(self, study: Study, trial: Trial) -> str:
        return FIGURES

    def perform(self, bench: Bench, task: Task) -> dict[str, Any]:
        study, network = bench.study, bench.study.network(task.trial)
        resolved = bench.resolved(task.trial)
        module, seconds = bench.before_lowering(task)
        model = Model.of(module)
        # Passes over hardware change the circuit, but not its estimate.
        lowered = resolved.texts[lowering_of(resolved) + 1 :]
        figures = wire_figures(model, resolved.target, lowered)
        figures["outputs"] = outputs_digest(model, network.probes)
        figures["constant"] = _is_constant(model, network)
        if study.is_timed:
            figures["compile_seconds"] = round(seconds, 4)
        for where, samples in network.scored.items():
            score = samples.score(model.run(samples.x))
            figures |= {f"{where}_{name}": figure for name, figure in score.items()}
        return figures


def _is_constant(model: Model, network: Network) -> bool | None:
    """Whether the outputs are the same for all samples but those of a test set."""
    if network.calibration is None or "validation" not in network.scored:
        return None
    outputs = model.run(network.scored["validation"].x)
    if not is_constant(outputs):
        return False
    return is_constant(np.vstack([outputs[:1], model.run(network.calibration.x)]))


@dataclass(frozen=True)
class Measure:
    """Lets Yosys, and nextpnr behind it, measure a trial."""

    tool: Literal["synthesis", "pnr"]
    device: str | None = None
    """None: the device of the trial's figures."""
    seeds: int = 1
    """Number of runs of nextpnr with different seeds."""
    limits: Limits = DEFAULT_LIMITS
    """Limits of each run of a tool."""
    renamed: int = 0
    """Seed of random names for all signals, which change what tools make of a design by a percent
    or two; 0: the names that they have."""

    def section(self, study: Study, trial: Trial) -> str:
        words = [f"{self.tool} for {self.device or study.resolved(trial).target}"]
        if self.tool == "pnr":
            words.append(f"seeds {self.seeds}")
        if self.renamed:
            words.append(f"renamed {self.renamed}")
        return ", ".join(words)

    def perform(self, bench: Bench, task: Task) -> dict[str, Any]:
        resolved = bench.resolved(task.trial)
        module, _ = bench.after(task, len(resolved.passes))
        circuit = Model.of(module)
        if circuit.level != "hardware":
            raise KanError(
                f"the pipeline ends at {circuit.level} level, which no tool measures",
                remedy="end it with lower-kan-to-hw, or use kan-compile",
            )
        target = device(self.device or resolved.target)
        with (
            tempfile.TemporaryDirectory(prefix="kan-trials-rtl-") as folder,
            limited(self.limits),
        ):
            rtl = Path(folder) / "design.sv"
            rtl.write_text(emit_systemverilog(module))
            if self.tool == "synthesis":
                return known_synthesis(rtl, target, circuit.name, self.renamed)
            netlist = synthesize(
                rtl, target, top=circuit.name, with_netlist=True, renamed=self.renamed
            )
            return place_and_route(netlist, circuit.latency(), seeds=self.seeds).summary()
