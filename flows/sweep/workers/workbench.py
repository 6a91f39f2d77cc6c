"""Compiles and measures the points of a study in one process.

Pipelines of neighbouring points begin with the same passes. The module after these passes is kept
for the next points. So calibration runs once, and all schedules of a network share its compilation.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from kan_dialect.checking import verify_after
from kan_dialect.devices.device import device
from kan_dialect.errors import KanError
from kan_dialect.files.atomic import write_arrays
from kan_dialect.flows.input_codes import outputs_digest
from kan_dialect.flows.pipelines.varied import Resolved
from kan_dialect.flows.report_cautions import is_constant
from kan_dialect.flows.sweep.grid import Point
from kan_dialect.flows.sweep.study import CALIBRATION, Study
from kan_dialect.flows.tools.place_and_route import place_and_route, placement_on
from kan_dialect.flows.tools.run_limits import DEFAULT_LIMITS, Limits, limited
from kan_dialect.flows.tools.synthesis import Synthesis, synthesize, yosys_of
from kan_dialect.flows.wire_figures import Figures, wire_figures
from kan_dialect.flows.workers.compiler_digest import compiler_digest
from kan_dialect.ir.constants import Array
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.multiverse import installed_universe
from kan_dialect.passbase.kan_pass import unwrapped


@dataclass(frozen=True)
class Measures:
    """The tools that measure a point, beside the estimate."""

    synth: bool = False
    """Whether Yosys synthesises for the target of the point."""
    pnr: str | None = None
    """Target for Yosys and nextpnr, or None."""
    seeds: int = 1
    """Number of runs of nextpnr with different seeds."""
    limits: Limits = DEFAULT_LIMITS
    """Limits of each run of a tool."""
    renamed: int = 0
    """Seed of random names for all signals, which change what tools make of a design by a percent
    or two; 0: the names that they have."""

    def section(self, kind: str) -> str:
        """The section of a point's results: `pnr`, or `pnr renamed 3`."""
        return f"{kind} renamed {self.renamed}" if self.renamed else kind

    def names(self, target: str) -> dict[str, dict[str, str | int]]:
        """Tools and options by section, as a point's results record them."""
        found: dict[str, dict[str, str | int]] = {}
        if self.synth:
            command = yosys_of(device(target)).command
            found[self.section("synthesis")] = {"target": target, "command": command}
        if self.pnr is not None:
            found[self.section("pnr")] = {
                "device": placement_on(self.pnr).name,
                "seeds": self.seeds,
            }
        return found


NO_MEASURES = Measures()


class Workbench:
    """A study in this process. It must not be used by several threads at once."""

    def __init__(self, study: Study) -> None:
        """Load the study.

        Raises
        ------
        KanError : the compiler in this process is not the one that made the study.
        """
        if study.compiler != compiler_digest(study.pipeline.packages):
            raise KanError(
                "a worker of the cluster has another kan-dialect",
                remedy="install the same version on all workers",
            )
        self.study = study
        self._folder = tempfile.TemporaryDirectory(prefix="kan-sweep-")
        self._data = str(Path(self._folder.name) / CALIBRATION)
        if study.calibration is not None:
            write_arrays(Path(self._data), study.calibration_data)
        self._context = Context()
        for name, factory in installed_universe().all_dialects.items():
            self._context.register_dialect(name, factory)
        self._imported = Parser(self._context, study.ir, study.name).parse_module()
        self._kept: dict[tuple[str, ...], ModuleOp] = {}

    def close(self) -> None:
        """Remove the temporary files."""
        self._folder.cleanup()

    def compile(self, point: Point, keep: frozenset[int]) -> Figures:
        """Compile a point, and return its estimate and its scores.

        Parameters
        ----------
        keep : numbers of passes after which the module is kept for later points.

        Raises
        ------
        KanError : a pass refuses the model.
        """
        resolved = self.study.resolved(point, self._data)
        lowering = [isinstance(unwrapped(stage), LowerKanToHwPass) for stage in resolved.passes]
        above = lowering.index(True) if True in lowering else len(lowering)
        module = self._run(resolved, above, keep)
        model = Model.of(module)
        # Passes over hardware change the circuit, but not its estimate.
        figures = wire_figures(model, resolved.target, resolved.texts[above + 1 :])
        figures["constant"] = None
        if self.study.codes is not None:
            figures["outputs"] = outputs_digest(model.run_codes(self.study.codes))
        for where, samples in (("validation", self.study.validation), ("test", self.study.test)):
            if samples is not None:
                outputs = model.run(samples.x)
                score = samples.score(outputs)
                figures |= {f"{where}_{name}": figure for name, figure in score.items()}
                if where == "validation":
                    figures["constant"] = self._is_constant(model, outputs)
        return figures

    def _is_constant(self, model: Model, outputs: Array) -> bool:
        """Whether the outputs are the same for all validation and all calibration samples.

        Parameters
        ----------
        outputs : of the validation samples, (samples, outputs).
        """
        if not is_constant(outputs) or self.study.calibration is None:
            return False
        return is_constant(np.vstack([outputs[:1], model.run(self.study.calibration)]))

    def measure(
        self, point: Point, keep: frozenset[int], measures: Measures
    ) -> dict[str, dict[str, Any]]:
        """Measure a point: sections of `synthesis` and `pnr`, as in `report.json`.

        Raises
        ------
        KanError : a pass refuses the model, or a tool is missing, fails or takes too long.
        """
        resolved = self.study.resolved(point, self._data)
        module = self._run(resolved, len(resolved.passes), keep)
        circuit = Model.of(module)
        if circuit.level != "hardware":
            raise KanError(
                f"the pipeline ends at {circuit.level} level, which no tool measures",
                remedy="end it with lower-kan-to-hw, or use kan-compile",
            )
        target = resolved.target
        found: dict[str, dict[str, Any]] = {}
        with (
            tempfile.TemporaryDirectory(prefix="kan-sweep-rtl-") as folder,
            limited(measures.limits),
        ):
            rtl = Path(folder) / "design.sv"
            rtl.write_text(emit_systemverilog(module))

            def mapped(target: str, *, netlist: bool) -> Synthesis:
                return synthesize(
                    rtl,
                    device(target),
                    top=circuit.name,
                    with_netlist=netlist,
                    renamed=measures.renamed,
                )

            if measures.synth:
                found[measures.section("synthesis")] = mapped(target, netlist=False).summary()
            if measures.pnr is not None:
                found[measures.section("pnr")] = place_and_route(
                    mapped(measures.pnr, netlist=True),
                    circuit.latency(),
                    seeds=measures.seeds,
                ).summary()
        return found

    def _run(self, resolved: Resolved, count: int, keep: frozenset[int]) -> ModuleOp:
        """The module after `count` passes. Starts from a kept module and keeps those in `keep`."""
        passes, names = resolved.passes[:count], resolved.texts[:count]
        self._kept = {key: kept for key, kept in self._kept.items() if names[: len(key)] == key}
        done = max(self._kept, key=len, default=())
        module = self._kept.get(done, self._imported).clone()
        for index in range(len(done), len(passes)):
            passes[index].apply(self._context, module)
            verify_after(passes[index], module)
            if index + 1 in keep:
                self._kept[names[: index + 1]] = module.clone()
        return module
