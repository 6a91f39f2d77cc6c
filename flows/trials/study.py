"""A study: networks and pipelines, and the trials that are made of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace

from kan_dialect.errors import KanError
from kan_dialect.flows.trials.compiler_digest import current_compiler
from kan_dialect.flows.trials.networks import Network
from kan_dialect.flows.trials.pipeline import DEFAULT, Pipeline, Resolved
from kan_dialect.flows.trials.points import Point

CALIBRATION = "calibration.npz"
"""Name of the file of calibration samples in the folder of a sweep."""


@dataclass(frozen=True)
class Trial:
    """One network through one pipeline, with values for options."""

    point: Point = field(default_factory=Point)
    network: int = 0
    """Its place in the study."""
    pipeline: int = 0


@dataclass(frozen=True, eq=False)
class Study:
    """What trials share."""

    networks: tuple[Network, ...]
    pipelines: tuple[Pipeline, ...] = (DEFAULT,)
    device: str | None = None
    """The device of estimates and synthesis; None: the one that the passes optimise for."""
    is_timed: bool = False
    """Whether the seconds of compilation count, so that trials share no passes."""
    compiler: str = field(default_factory=current_compiler)
    """Digest of the compiler that made the study."""

    def network(self, trial: Trial) -> Network:
        """The network of a trial."""
        return self.networks[trial.network]

    def resolved(self, trial: Trial, data: str = CALIBRATION) -> Resolved:
        """The pipeline of a trial; it calibrates with the file `data` if the network has data.

        Raises
        ------
        KanError : an option does not take its value. The message names the pipeline or the point.
        """
        network, pipeline = self.network(trial), self.pipelines[trial.pipeline]
        given = None if network.calibration is None else data
        try:
            found = pipeline.resolved(trial.point.options, network.layers, given)
        except KanError as error:
            where = f"pipeline {pipeline.name!r}" if pipeline.name else trial.point
            raise KanError(f"{where}: {error.message}", remedy=error.remedy) from None
        return found if self.device is None else replace(found, target=self.device)

    def digest(self, trial: Trial) -> str:
        """Another one where figures may be others: compiler, network, data, passes, device."""
        whole = [self.compiler, self.network(trial).digest, *self.resolved(trial).key]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:20]
