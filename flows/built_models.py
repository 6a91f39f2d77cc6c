"""The models that a folder of `kan-flow build` holds, read back from its stages of IR."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import has_real_edges
from kan_dialect.files.manifest import written_stages
from kan_dialect.flows.build import require_name
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
from kan_dialect.model.model import Model
from kan_dialect.multiverse import installed_universe
from kan_dialect.passbase.kan_pass import EXACT
from kan_dialect.passbase.record import recorded_names, recorded_pipeline


def is_trainable_build(folder: Path) -> bool:
    """Whether `kan-flow build --trainable` wrote a folder."""
    return any(map(is_lowered_training, written_stages(folder)))


def is_lowered_training(stage: Path) -> bool:
    """Whether a stage of a build is the hardware of a training step."""
    return stage.stem.endswith(f"-{LowerTrainingToHwPass.name}")


def built_models(folder: Path) -> tuple[Model, Model]:
    """The integer model of a build and its hardware.

    The integer model is the first stage of codes only behind the last pass that trades accuracy.

    Raises
    ------
    KanError : it is no folder of a build, or its stages are not what a build writes.
    """
    context = make_context()
    paths = written_stages(folder)
    if not paths:
        raise KanError(f"{folder} is no folder of a build", remedy="run kan-flow build first")
    hardware = load_model(context, paths[-1])
    passed = recorded_names(recorded_pipeline(hardware))
    for path in paths[_last_trade(paths, passed) :]:
        module = load_model(context, path)
        if Model.of(module).has_codes and not has_real_edges(module):
            circuit = Model.of(hardware)
            if circuit.level != "hardware":
                raise KanError(f"{paths[-1]} is no hardware", remedy="run kan-flow build again")
            require_name(circuit.name)
            return Model.of(module), circuit
    raise KanError(f"{folder} holds no integer model", remedy="run kan-flow build again")


def built_schedule(folder: Path) -> Model | None:
    """The function at wire level that a build's hardware was lowered from; None without one."""
    context, found = make_context(), None
    for path in reversed(written_stages(folder)):
        model = Model.of(load_model(context, path))
        if model.level != "hardware":
            found = model if model.level == "wire" else None
            break
    return found


def _last_trade(paths: Sequence[Path], passed: Container[str]) -> int:
    """Which of the stages NN-PASS.mlir is of the last pass that traded accuracy; 0 of none.

    `passed` names the passes that had something to do.
    """
    passes = installed_universe().all_passes
    last = 0
    for index, path in enumerate(paths):
        name = path.stem.partition("-")[2]
        acted = name in passed and name in passes
        if acted and getattr(passes[name](), "preserves", EXACT) != EXACT:
            last = index
    return last
