"""The network and the pipeline that a search begins with.

The passes up to the integers run once. All designs share their result, so that they compute the
same codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.passes import ModulePass

from kan_dialect.checking import verify_after
from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import has_real_edges
from kan_dialect.files.data_sets import Dataset
from kan_dialect.flows.input_codes import comparison_codes, outputs_digest
from kan_dialect.flows.pipelines.stages import trading_passes
from kan_dialect.flows.pipelines.varied import Pipeline
from kan_dialect.flows.sweep.study import Study
from kan_dialect.flows.workers.compiler_digest import compiler_digest
from kan_dialect.frontends.loading import make_context
from kan_dialect.model.data_columns import join_names
from kan_dialect.model.model import Level, Model
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.kan_pass import KanPass, ResumedPass, pass_text, unwrapped
from kan_dialect.passbase.record import passes_in_force, recorded_pipeline
from kan_dialect.passes.schedule import SchedulePass


@dataclass(frozen=True)
class Base:
    """The integer network, and the exact passes that make hardware of it."""

    study: Study
    """Its model is the integer network; its pipeline are the exact passes."""
    before: tuple[str, ...]
    """The passes that made the integer network, as text."""
    passes: tuple[ModulePass, ...]
    """The exact passes."""
    expected: str
    """Digest of the output codes that every design must have."""

    @property
    def device(self) -> str:
        """The device that designs are measured on."""
        assert self.study.device is not None
        return self.study.device

    def text(self, exact: str) -> str:
        """The whole pipeline with other exact passes, as `kan-flow build -p` takes it."""
        return ",".join([*self.before, exact])


def make_base(
    module: ModuleOp, pipeline: Pipeline, device: str | None, dataset: Dataset | None
) -> Base:
    """Run a pipeline up to the integers.

    Parameters
    ----------
    module : the imported network. It stays as it is.
    pipeline : from the network to hardware; its passes name their own data.
    device : to measure on; None: the one that the passes optimise for.
    dataset : samples whose codes are compared too.

    Raises
    ------
    KanError : the module is hardware; the pipeline cannot be read, has no integers, or makes no
        hardware of them; the data names other features or classes than the network.
    """
    if Model.of(module).level == "hardware":
        raise KanError(
            f"@{Model.of(module).name} is hardware already: no pass is left to tune",
            remedy="give the model, or IR of an earlier stage",
        )
    resolved = pipeline.resolved((), 0, None)
    done = passes_in_force(recorded_pipeline(module))
    module, context = module.clone(), make_context()
    if dataset is not None:
        join_names(Model.of(module).op, dataset)
    stages: list[ModulePass] = []
    for stage in resolved.passes:
        if isinstance(stage, ResumedPass) and stage.name in done:
            stage.apply(context, module)  # refuses other options, and changes nothing
        else:
            stages.append(stage)
    count = trading_passes(stages)
    for number, stage in enumerate(stages):
        if number >= count and _is_integer(module):
            break
        with collector_paused():
            stage.apply(context, module)
        verify_after(stage, module)
        count = max(count, number + 1)
    model = Model.of(module)
    exact = tuple(stage for stage in stages[count:] if _comes_later(stage, model.level))
    if not _is_integer(module) or SchedulePass.name not in {stage.name for stage in exact}:
        raise KanError(
            "the pipeline has no exact passes to tune: none behind the network of codes schedules",
            remedy="leave out --passes, or end them with kan-compile",
        )
    inputs, _ = model.ports()
    codes = comparison_codes(inputs, None if dataset is None else dataset.x)
    rest = Pipeline(",".join(pass_text(unwrapped(stage).spec()) for stage in exact))
    study = Study(
        model.name,
        str(module),
        layers=0,
        has_codes=True,
        calibration=None,
        calibration_labels=None,
        validation=None,
        test=None,
        compiler=compiler_digest(rest.packages),
        pipeline=rest,
        device=resolved.target if device is None else device,
        codes=codes,
    )
    before = tuple(pass_text(unwrapped(stage).spec()) for stage in stages[:count])
    return Base(study, before, exact, outputs_digest(model.run_codes(codes)))


def _comes_later(stage: ModulePass, level: Level) -> bool:
    """Whether a pass works at a level, or at a later one."""
    inner = unwrapped(stage)
    order = get_args(Level)
    places = inner.works_at if isinstance(inner, KanPass) else ()
    known = [order.index(place) for place in places if place in order]
    return not known or max(known) >= order.index(level)


def _is_integer(module: ModuleOp) -> bool:
    return Model.of(module).has_codes and not has_real_edges(module)


def hardware(base: Base, exact: str) -> ModuleOp:
    """The hardware that exact passes make of the integer network.

    Raises
    ------
    KanError : a pass refuses the network.
    """
    module = integers(base)
    context = make_context()
    for stage in Pipeline(exact).resolved((), 0, None).passes:
        with collector_paused():
            stage.apply(context, module)
        verify_after(stage, module)
    return module


def integers(base: Base) -> ModuleOp:
    """The integer network."""
    return Parser(make_context(), base.study.ir, base.study.name).parse_module()
