"""Options of `Network.build(..., trainable=True)`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kan_dialect.api.options import split_options
from kan_dialect.files.data_sets import Dataset
from kan_dialect.flows.build_origin import Origin
from kan_dialect.flows.on_chip.build import TrainingOptions
from kan_dialect.flows.simulate.simulation import SimulatorName
from kan_dialect.limits import MAX_VECTORS
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.passbase.option_bounds import Bounds, bounded, require_bounds
from kan_dialect.passbase.options import taken_from
from kan_dialect.passes.fit_splines import FitSplinesPass
from kan_dialect.passes.make_trainable import MakeTrainablePass

_BOUNDS = {each.name: each.metadata for each in dataclasses.fields(FitSplinesPass)}["error"]


@dataclass
class TrainableSettings:
    """Options beside those of the training step and of the interface."""

    fit_error: float = field(default=FitSplinesPass.error, metadata=_BOUNDS)
    cells: int | None = taken_from(FitSplinesPass, "cells")
    degree: int | None = taken_from(FitSplinesPass, "degree")
    simulator: SimulatorName | None = "verilator"
    vectors: int = bounded(10_000, Bounds(1, MAX_VECTORS))
    seed: int = taken_from(TrainingOptions, "seed")
    check_passes: bool = True
    force: bool = False
    vhdl: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers out of bounds.

        Raises
        ------
        KanError : names the number.
        """
        require_bounds(self)


TRAINABLE: dict[str, type[Any]] = {
    "make": MakeTrainablePass,
    "wrap": WrapInterfacePass,
    "settings": TrainableSettings,
}
"""What declares the options of `Network.build(..., trainable=True)`."""
NOT_TRAINABLE = ("real",)
"""Fields of these that are no options."""


@dataclass(frozen=True)
class TrainingChoice:
    """What the caller chose."""

    make: MakeTrainablePass
    wrap: WrapInterfacePass
    settings: TrainableSettings

    @property
    def force(self) -> bool:
        """Whether files of others in the folder are replaced."""
        return self.settings.force

    def options(
        self, dataset: Dataset | None, path: Path | None, origin: Origin
    ) -> TrainingOptions:
        """The options of a build.

        Parameters
        ----------
        path : a file with the samples.

        Raises
        ------
        KanError : hardware that trains does not offer the interface.
        """
        chosen = self.settings
        return TrainingOptions(
            self.make,
            FitSplinesPass(chosen.fit_error, chosen.cells, chosen.degree),
            path,
            dataset=dataset,
            simulator=chosen.simulator,
            samples=chosen.vectors,
            seed=chosen.seed,
            check_passes=chosen.check_passes,
            origin=origin,
            force=chosen.force,
            vhdl=chosen.vhdl,
            wrap=self.wrap,
        )


def training_choice(given: Mapping[str, object]) -> TrainingChoice:
    """The choice of keyword arguments.

    Raises
    ------
    KanError : an option or its value is unknown.
    """
    found = split_options(given, TRAINABLE, without=NOT_TRAINABLE)
    return TrainingChoice(
        MakeTrainablePass(**found["make"]),
        WrapInterfacePass(**found["wrap"]),
        TrainableSettings(**found["settings"]),
    )
