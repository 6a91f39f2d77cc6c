"""Training from data to a front of networks, of which one is chosen.

Networks on parts of the samples say what a price is worth on samples that a network has not seen:
each sample is held out by one of them. A last network learns from all samples along the same
prices, and the front is made of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from kan_dialect.api.network import Network
from kan_dialect.devices.device import device as device_of
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.passbase.option_bounds import Bounds, bounded, require_bounds
from kan_dialect.qat.bases import Basis, spline_basis, table_basis
from kan_dialect.qat.codes import InputCodes, fit_codes
from kan_dialect.qat.cost import EdgeCost
from kan_dialect.qat.descent import Run, Schedule, folds_of
from kan_dialect.qat.export import module_of
from kan_dialect.qat.front import Point, candidates, held_out_scores, is_dominated
from kan_dialect.qat.network import QuantisedKan, make_network
from kan_dialect.qat.objective import Objective, objective_of

_LOG = logging.getLogger(__name__)

Functions = Literal["spline", "table"]
"""What edges are trained as: B-splines, or tables with an entry for each code."""
FEW_SAMPLES = 2000
"""With fewer samples, each of them is held out once; with more, a part of them is."""


@dataclass(frozen=True)
class TrainingOptions:
    """What to train, and how long."""

    hidden: tuple[int, ...] = ()
    """Number of nodes of each hidden layer."""
    target: str = "xcup"
    """Device whose LUTs are counted."""
    input_bits: int = bounded(5, Bounds(1, 10))
    """Bits of an input's code; edges read as many of them as they need."""
    hidden_bits: int = bounded(5, Bounds(1, 10))
    """Bits of a hidden node that edges may read."""
    functions: Functions = "spline"
    cells: int = bounded(6, Bounds(1, 64))
    """Cells of the B-splines' grids."""
    max_luts: int | None = None
    """Most LUTs of the chosen network, by estimate; by default the score decides."""
    folds: int | None = None
    """Number of networks that hold out a part of the samples each; by default 4 with few samples,
    else 1."""
    validation: float = bounded(0.25, Bounds(0.05, 0.5))
    """Part of the samples that is held out where there is one fold."""
    schedule: Schedule = field(default_factory=Schedule)
    seed: int = 0
    name: str = "network"

    def __post_init__(self) -> None:
        """Refuse numbers out of bounds.

        Raises
        ------
        KanError : names the number.
        """
        require_bounds(self)


@dataclass(frozen=True)
class State:
    """How far a training is, for a line on the terminal."""

    step: int
    """Steps of all networks."""
    steps: int
    luts: float
    """Of the network in training, by the surrogate."""
    loss: float


@dataclass(frozen=True)
class Trained:
    """The networks that a training found."""

    front: tuple[Point, ...]
    """The largest first: each has fewer LUTs, and a lower score, than the one before."""
    chosen: Point
    test_score: float | None
    """Of the chosen network on the test set, which decided nothing; None without one."""
    is_classes: bool
    """Whether scores are accuracies; otherwise they are minus the mean squared error in units of
    the targets' variance."""
    seconds: float
    """Time of training, that of earlier parts of a resumed run left out."""


class Training:
    """A training that can be stopped and gone on with."""

    def __init__(self, dataset: Dataset, options: TrainingOptions, where: str) -> None:
        """
        Parameters
        ----------
        where : the data's path, for messages.

        Raises
        ------
        KanError : there are no labels, or too few samples of them.
        """
        if dataset.y is None:
            raise KanError(
                f"{where} has no labels", remedy="give `y` or `y_train`: classes or numbers"
            )
        self._options, self._dataset = options, dataset
        self.objective = objective_of(dataset.y, where)
        samples = len(dataset.x)
        folds = options.folds or (4 if samples < FEW_SAMPLES else 1)
        targets = self.objective.targets(dataset.y)
        _require_samples(self.objective, targets, folds, where)
        self.codes: InputCodes = fit_codes(dataset.x, options.input_bits)
        if not self.codes.gain.any():
            raise KanError(f"{where}: all features are constant")
        self._constant: list[int] = np.flatnonzero(self.codes.gain == 0.0).tolist()
        if self._constant:
            _LOG.warning(
                "%s: %d constant features (the first is feature %d) tell nothing, and are not read",
                *(where, len(self._constant), self._constant[0]),
            )
        every = torch.arange(samples)
        parts = [
            *folds_of(targets, self.objective.is_classes, folds, options.validation, options.seed),
            (every, every[:0]),
        ]
        codes = torch.from_numpy(self.codes.encode(dataset.x))
        self.runs = [
            Run(
                self._network(index),
                codes,
                targets,
                self.objective,
                trained,
                held,
                options.schedule,
                keeps=index == len(parts) - 1,
            )
            for index, (trained, held) in enumerate(parts)
        ]

    def _network(self, index: int) -> QuantisedKan:
        options = self._options
        widths = [len(self.codes.gain), *options.hidden, self.objective.outputs]
        bits = [options.input_bits] + [options.hidden_bits] * len(options.hidden)
        network = make_network(
            [_basis(options, each) for each in bits],
            widths,
            EdgeCost(device_of(options.target)),
            seed=options.seed * 100 + index,
            reference=self.objective.has_reference,
            constant=self._constant,
        )
        if self.objective.start:
            network.edge_layers()[-1].start_at(self.objective.start)
        return network

    def run(self) -> Iterator[State]:
        """Train, a step at a time; goes on where it was."""
        steps = self._options.schedule.steps
        for index, run in enumerate(self.runs):
            while run.step < steps:
                run.advance()
                done = index * steps + run.step
                yield State(done, len(self.runs) * steps, run.luts, run.loss)

    def state(self) -> list[dict[str, Any]]:
        """All that is needed to go on, as `torch.save` takes it."""
        return [run.state() for run in self.runs]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on from a `state` of a training with the same data and options."""
        for run, each in zip(self.runs, state, strict=True):
            run.restore(each)

    def front(self, tell: Callable[[int, int], None] = lambda _done, _of: None) -> list[Point]:
        """The networks worth having, the largest first, compiled for the target.

        Parameters
        ----------
        tell : is told how many of the candidates are compiled.
        """
        *folds, last = self.runs
        scores, errors = held_out_scores([run.records for run in folds])
        found: list[Point] = []
        possible = candidates(last, scores, errors)
        for done, each in enumerate(possible):
            layers = last.network_of(each.kept).integers()
            module = module_of(self._options.name, self.codes, layers, self.objective.scale)
            network = Network(module, data=self._dataset)
            estimate = network.compile(target=self._options.target).estimate(self._options.target)
            found.append(
                Point(
                    network,
                    each.price,
                    each.score,
                    each.error,
                    estimate.luts,
                    estimate.registers,
                    estimate.levels,
                )
            )
            tell(done + 1, len(possible))
        return [point for point in found if not is_dominated(point, found)]

    def score(self, network: Network, x: FloatArray, y: Array) -> float:
        """The mean score of a network on samples, by its integer model."""
        results = torch.from_numpy(network.run(x) / self.objective.scale)
        return float(self.objective.scores(results, self.objective.targets(y)).mean())


def _basis(options: TrainingOptions, bits: int) -> Basis:
    # One bit tells two values apart, whatever the function.
    if options.functions == "table" or bits == 1:
        return table_basis(bits)
    return spline_basis(bits, options.cells)


def _require_samples(objective: Objective, targets: Tensor, folds: int, where: str) -> None:
    needed = max(folds, 2)
    if not objective.is_classes:
        if len(targets) < 2 * needed:
            raise KanError(
                f"{where} has {len(targets)} samples, fewer than {2 * needed}",
                remedy="give more samples",
            )
        return
    counts = torch.bincount(targets)
    rarest = int(counts.argmin())
    count = int(counts[rarest])
    if count < needed:
        samples = "sample" if count == 1 else "samples"
        raise KanError(
            f"{where} has {count} {samples} of class {rarest}, fewer than the {needed} parts that "
            "samples are split into",
            remedy="give more samples, or merge classes",
        )
