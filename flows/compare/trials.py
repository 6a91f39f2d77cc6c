"""A trial: one network at one width through one pipeline, in this process."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.passes import ModulePass

from kan_dialect.checking import Checker, verify_after
from kan_dialect.devices.device import device
from kan_dialect.errors import KanError
from kan_dialect.files.atomic import write_arrays
from kan_dialect.flows.compare.networks import Network
from kan_dialect.flows.compare.pipelines import Pipeline
from kan_dialect.flows.input_codes import comparison_codes
from kan_dialect.flows.pipelines.stages import recorded, up_to_trades
from kan_dialect.flows.tools.run_limits import DEFAULT_LIMITS, Limits, limited
from kan_dialect.flows.tools.synthesis_cache import known_synthesis
from kan_dialect.flows.wire_figures import wire_figures
from kan_dialect.flows.workers.compiler_digest import compiler_digest, extensions
from kan_dialect.flows.workers.outcomes import Outcome, outcome_of
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import FloatArray
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.interface import Port
from kan_dialect.model.model import Model
from kan_dialect.multiverse import installed_universe
from kan_dialect.other_packages import OURS, package_of
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.kan_pass import pass_text, unwrapped

CALIBRATION = "calibration.npz"
"""Name of the data file that passes are given."""


@dataclass(frozen=True)
class Comparison:
    """What all trials share."""

    networks: tuple[Network, ...]
    pipelines: tuple[Pipeline, ...]
    """The baseline first."""
    target: str
    """The device that costs and the estimate are for."""
    synthesis: str | None = None
    """The device to synthesise for with Yosys; None: estimates only."""
    sample: int | None = None
    """Number of pairs of network and width to synthesise for each pipeline; None: all."""
    limits: Limits = DEFAULT_LIMITS
    compiler: str = ""
    """The digest of the compiler that made the comparison, see `compiler_digest`."""


@dataclass(frozen=True)
class Trial:
    """A network at a width through a pipeline, by their numbers."""

    network: int
    bits: int | None
    """None of a network that has codes, and for the pipelines' own widths."""
    pipeline: int

    def passes(self, comparison: Comparison, data: str = CALIBRATION) -> list[ModulePass]:
        """The passes; `data`, `bits` and `target` are filled in.

        Raises
        ------
        KanError : the pipeline cannot be read, or a value is refused.
        """
        fill: dict[str, Any] = {"target": comparison.target}
        if self.bits is not None:
            fill["bits"] = self.bits
        if comparison.networks[self.network].calibration is not None:
            fill["data"] = data
        available = installed_universe().all_passes
        return comparison.pipelines[self.pipeline].passes(available, fill)

    def digest(self, comparison: Comparison) -> str:
        """Another one where the result may be another: network, data, passes, compiler, device."""
        whole = [
            comparison.compiler,
            comparison.networks[self.network].digest,
            comparison.target,
            [recorded(stage) for stage in self.passes(comparison)],
        ]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Task:
    """A trial to compile, to synthesise, or to find the wrong pass of."""

    trial: Trial
    kind: str
    """`figures`, `synthesis` or `check`."""


def perform(comparison: Comparison, task: Task) -> Outcome:
    """Do a task in this process. A refusal by a pass or a tool is its outcome."""
    if comparison.compiler != compiler_digest(extensions()):
        return "a worker has another kan-dialect or other extension packages; install the same"

    def done() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="kan-compare-") as folder, collector_paused():
            bench = _Bench(comparison, task.trial, Path(folder))
            kinds = {"figures": bench.figures, "synthesis": bench.synthesis, "check": bench.check}
            return kinds[task.kind]()

    return outcome_of(done)


class _Bench:
    """A trial while it is done."""

    def __init__(self, comparison: Comparison, trial: Trial, folder: Path) -> None:
        self._comparison, self._trial, self._folder = comparison, trial, folder
        self._network = comparison.networks[trial.network]
        if self._network.calibration is not None:
            write_arrays(folder / CALIBRATION, self._network.calibration_data)
        self._data = str(folder / CALIBRATION)
        self._context: Context = make_context()

    @cached_property
    def _passes(self) -> list[ModulePass]:
        return self._trial.passes(self._comparison, self._data)

    @property
    def _scored_inputs(self) -> FloatArray | None:
        scored = self._network.scored
        return None if scored is None else scored.x

    def _module(self) -> ModuleOp:
        return Parser(self._context, self._network.ir, self._network.name).parse_module()

    def _above(self, passes: Sequence[ModulePass]) -> list[ModulePass]:
        """The passes before the lowering."""
        names = [stage.name for stage in passes]
        lower = LowerKanToHwPass.name
        return list(passes[: names.index(lower)] if lower in names else passes)

    def figures(self) -> dict[str, Any]:
        """Size by estimate, accuracy, seconds, and a digest of output codes."""
        module, seconds = self._module(), 0.0
        above = self._above(self._passes)
        for stage in above:
            started = time.process_time()
            stage.apply(self._context, module)
            seconds += time.process_time() - started
            verify_after(stage, module)
        model = Model.of(module)
        behind = [pass_text(unwrapped(each).spec()) for each in self._passes[len(above) + 1 :]]
        found: dict[str, Any] = wire_figures(model, self._comparison.target, behind)
        found["compile_seconds"] = round(seconds, 4)
        scored = self._network.scored
        if scored is not None:
            scores = scored.score(model.run(scored.x))
            error = scores.pop("error", None)
            found |= scores if error is None else {**scores, "output_error": error}
            reference = scored.reference
            found |= {f"float_{name}": reference[name] for name in scores if name in reference}
        inputs, outputs = model.ports()
        codes = comparison_codes(inputs, self._scored_inputs)
        whole = hashlib.sha256(_meaning(inputs, outputs).encode())
        whole.update(model.run_codes(codes).tobytes())
        found["outputs"] = whole.hexdigest()[:20]
        return found

    def synthesis(self) -> dict[str, Any]:
        """What Yosys counts.

        Raises
        ------
        KanError : the pipeline does not end at hardware, or Yosys fails.
        """
        module = self._module()
        for stage in self._passes:
            stage.apply(self._context, module)
            verify_after(stage, module)
        circuit = Model.of(module)
        if circuit.level != "hardware":
            raise KanError(
                f"the pipeline ends at {circuit.level} level, so there is nothing to synthesise",
                remedy=f"end it with {LowerKanToHwPass.name}",
            )
        rtl = self._folder / "design.sv"
        rtl.write_text(emit_systemverilog(module))
        assert self._comparison.synthesis is not None
        with limited(self._comparison.limits):
            return known_synthesis(rtl, device(self._comparison.synthesis), circuit.name)

    def check(self) -> dict[str, Any]:
        """What is `wrong` with the pipeline; empty where nothing is found.

        Each pass is checked by itself. Then codes are compared with those of the baseline, if the
        two pipelines have to give the same ones.
        """
        module, passes = self._module(), self._above(self._passes)
        checker = Checker(self._scored_inputs)
        for stage in passes:
            failed = checker.apply(self._context, stage, module).failed
            if failed is not None:
                return {"wrong": f"{stage.name} does not keep its claim: {failed.summary()}"}
        base = replace(self._trial, pipeline=0).passes(self._comparison, self._data)
        if up_to_trades(base) != up_to_trades(passes):
            return {}
        reference = self._module()
        for stage in self._above(base):
            stage.apply(self._context, reference)
        old, new = Model.of(reference), Model.of(module)
        codes = comparison_codes(old.ports()[0], self._scored_inputs)
        try:
            apart = int((old.run_codes(codes) != new.run_codes(codes)).any(axis=1).sum())
        except KanError as error:
            return {"wrong": f"its codes are not those of the baseline: {error.message}"}
        if not apart:
            return {}
        return {"wrong": f"{apart} of {len(codes)} samples give other codes than the baseline"}


def _meaning(inputs: Sequence[Port], outputs: Sequence[Port]) -> str:
    return repr(
        [[(p.scale, p.zero_point, p.gain, p.offset) for p in ports] for ports in (inputs, outputs)]
    )


def must_agree(comparison: Comparison, trial: Trial) -> bool:
    """Whether a trial has to give the baseline's codes: they part after all accuracy is traded."""
    base = replace(trial, pipeline=0).passes(comparison)
    return up_to_trades(base) == up_to_trades(trial.passes(comparison))


def has_foreign_passes(comparison: Comparison, trial: Trial) -> bool:
    """Whether passes of other packages are in the pipeline."""
    return any(package_of(type(unwrapped(stage))) != OURS for stage in trial.passes(comparison))


def row_of(comparison: Comparison, trial: Trial, known: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table."""
    figures, synthesis = known.get("figures", {}), known.get("synthesis", {})
    row: dict[str, Any] = {
        "network": comparison.networks[trial.network].name,
        "bits": trial.bits,
        "pipeline": comparison.pipelines[trial.pipeline].name,
        **{name: value for name, value in figures.items() if name != "outputs"},
        **{f"synthesis_{name}": synthesis.get(name) for name in ("luts", "registers", "tool")},
        "wrong": known.get("check", {}).get("wrong"),
        "error": known.get("error"),
    }
    return {name: value for name, value in row.items() if value is not None}
