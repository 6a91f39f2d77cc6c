"""The network and the pipeline that a search begins with.

The passes up to the integers run once. All designs share their result, so that they compute the
same codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.passes import ModulePass

from kan_dialect.checking import verify_after
from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import has_real_edges
from kan_dialect.files.data_sets import Dataset
from kan_dialect.flows.input_codes import outputs_digest
from kan_dialect.flows.trials.networks import Network, model_of
from kan_dialect.flows.trials.pipeline import Pipeline, trading_passes
from kan_dialect.flows.trials.points import Point
from kan_dialect.flows.trials.study import Study, Trial
from kan_dialect.frontends.loading import make_context
from kan_dialect.model.model import Level, Model
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.kan_pass import KanPass, ResumedPass, pass_text, unwrapped
from kan_dialect.passbase.record import passes_in_force, recorded_pipeline
from kan_dialect.passes.schedule import SchedulePass


@dataclass(frozen=True)
class Base:
    """The integer network, and the exact passes that make hardware of it."""

    study: Study
    """Its network is the integer network; its pipeline are the exact passes."""
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

    @property
    def network(self) -> Network:
        """The integer network, as text."""
        return self.study.networks[0]

    def text(self, point: Point) -> str:
        """The whole pipeline of a design, as `kan-flow build -p` takes it."""
        return ",".join([*self.before, self.study.resolved(Trial(point)).text])

    def integers(self) -> ModuleOp:
        """The integer network."""
        return Parser(make_context(), self.network.ir, self.network.name).parse_module()

    def hardware(self, point: Point) -> ModuleOp:
        """The hardware that the exact passes of a design make of the integer network.

        Raises
        ------
        KanError : a pass refuses the network.
        """
        module, context = self.integers(), make_context()
        for stage in self.study.resolved(Trial(point)).passes:
            _apply(stage, context, module)
        return module


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
        hardware of them.
    """
    resolved = pipeline.resolved()
    done = passes_in_force(recorded_pipeline(module))
    module, context = module.clone(), make_context()
    model_of(module)
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
        _apply(stage, context, module)
        count = max(count, number + 1)
    model = Model.of(module)
    exact = tuple(stage for stage in stages[count:] if _comes_later(stage, model.level))
    if not _is_integer(module) or SchedulePass.name not in {stage.name for stage in exact}:
        raise KanError(
            "the pipeline has no exact passes to tune: none behind the network of codes schedules",
            remedy="leave out --passes, or end them with kan-compile",
        )
    samples = None if dataset is None else dataset.x
    before = tuple(pass_text(unwrapped(stage).spec()) for stage in stages[:count])
    rest = Pipeline(",".join(pass_text(unwrapped(stage).spec()) for stage in exact))
    network = Network(model.name, str(module), has_codes=True, probes=samples)
    study = Study((network,), (rest,), resolved.target if device is None else device)
    return Base(study, before, exact, outputs_digest(model, samples))


def _apply(stage: ModulePass, context: Context, module: ModuleOp) -> None:
    with collector_paused():
        stage.apply(context, module)
    verify_after(stage, module)


def _comes_later(stage: ModulePass, level: Level) -> bool:
    """Whether a pass works at a level, or at a later one."""
    inner = unwrapped(stage)
    order = get_args(Level)
    places = inner.works_at if isinstance(inner, KanPass) else ()
    known = [order.index(place) for place in places if place in order]
    return not known or max(known) >= order.index(level)


def _is_integer(module: ModuleOp) -> bool:
    return Model.of(module).has_codes and not has_real_edges(module)
