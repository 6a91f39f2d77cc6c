"""Options of `kan-flow train` and `kan_dialect.train`: what to train, and how long.

This file imports no PyTorch. Commands take names, bounds and help texts of options from here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from kan_dialect.devices.device import XCUP
from kan_dialect.devices.device import device as device_of
from kan_dialect.errors import KanError
from kan_dialect.passbase.option_bounds import SEED, SHARE, Bounds, bounded, require_bounds
from kan_dialect.qat.codes import TAIL
from kan_dialect.qat.metrics import MetricName
from kan_dialect.qat.table import TableOptions

NETWORK = "network.mlir"
"""File of the chosen network in the folder of a training."""

MONOTONE = "monotone.toml"
"""File of the properties that networks have by construction, for `kan-flow prove --property`."""

UNNAMED = "network"
"""Name of the design where neither it nor a data file has one."""

_PRICE = Bounds(0, above=True, below=True)
_BITS = Bounds(1, 10)

PRUNING = 0.5
"""Part of the steps in which edges of hidden nodes are pruned, with a limit of their number."""


@dataclass(frozen=True)
class Schedule:
    """How long a run is, and what a LUT costs along it."""

    steps: int = bounded(4000, Bounds(100, 1_000_000))
    """Gradient steps of each network."""
    batch: int = bounded(1024, Bounds(1))
    """Samples of a step; with fewer samples, all of them are."""
    warm: float = bounded(0.25, SHARE)
    """Part of the steps in which the price rises from 0 to the first price."""
    first_price: float = bounded(1e-5, _PRICE)
    """Loss that a LUT of xcup is worth after a quarter of the steps; it rises by the same factor in
    each further step."""
    last_price: float = bounded(1e-2, _PRICE)
    """Loss that a LUT of xcup is worth at the end."""
    fan_in: int | None = bounded(None, Bounds(1))
    """Most edges of a hidden node; the first half of the steps prunes those that vary the least,
    and has no price; by default only the price prunes."""
    candidates: int | None = bounded(None, Bounds(1))
    """Edges of a hidden node that are trained at first, with a limit of their number; by default
    one from each input."""
    rate: float = bounded(0.006, _PRICE)
    """Learning rate of Adam (Kingma and Ba, arXiv 1412.6980); that of bits is twice as much."""
    last_rate: float = bounded(0.3, Bounds(0, 1, above=True))
    """Part of the learning rate that is left at the end; it falls along a cosine."""
    smooth: float = bounded(1e-3, Bounds(0, below=True))
    """Weight of squared second differences of coefficients (Eilers and Marx, 1996)."""
    average: float = bounded(0.98, SHARE)
    """Weight of earlier steps in the average of the parameters; networks have that average."""
    interval: int = bounded(10, Bounds(1))
    """Steps from one record to the next."""

    def __post_init__(self) -> None:
        """Refuse numbers out of bounds.

        Raises
        ------
        KanError : names the number; or edges to begin with are given, and no limit of their number.
        """
        require_bounds(self)
        if not self.first_price < self.last_price:
            raise KanError(
                f"first-price is {self.first_price:g} and last-price {self.last_price:g}",
                remedy="the price of a LUT rises: give a higher last price",
            )
        if self.candidates is None:
            return
        if self.fan_in is None:
            raise KanError(
                f"--candidates {self.candidates} is what --fan-in prunes, and there is no --fan-in",
                remedy="give --fan-in as well, or leave out --candidates",
            )
        if self.candidates < self.fan_in:
            raise KanError(
                f"--candidates is {self.candidates} and --fan-in {self.fan_in}",
                remedy="a node begins with at least as many edges as it keeps",
            )

    def price(self, step: int) -> float:
        """Loss that a LUT of xcup is worth in this step."""
        part = step / self.steps
        begin = max(self.warm, PRUNING) if self.prunes else self.warm
        if part < begin:
            return 0.0 if self.prunes else self.first_price * part / begin
        rise = (part - begin) / (1.0 - begin)
        return self.first_price * (self.last_price / self.first_price) ** rise

    @property
    def own_steps(self) -> int:
        """Steps in which edges have functions of their own, before they share shapes."""
        return int(self.warm * self.steps)

    @property
    def prunes(self) -> bool:
        """Whether the number of edges is limited."""
        return self.fan_in is not None

    def edges(self, step: int, inputs: int) -> int:
        """Most edges of a hidden node in this step; they get fewer by the same factor each step."""
        if self.fan_in is None or self.fan_in >= inputs:
            return inputs
        first, part = self.trained(inputs), min(1.0, step / (PRUNING * self.steps))
        return max(self.fan_in, round(first * (self.fan_in / first) ** part))

    def trained(self, inputs: int) -> int:
        """Edges of a hidden node that are trained at first."""
        return min(inputs, self.candidates or inputs)

    def grows(self, step: int) -> bool:
        """Whether edges that are not chosen are trained in this step, and replaced by others."""
        return step < PRUNING * self.steps

    def rate_part(self, step: int) -> float:
        """Part of the learning rate in this step."""
        falling = (1.0 + math.cos(math.pi * step / self.steps)) / 2.0
        return self.last_rate + (1.0 - self.last_rate) * falling


@dataclass(frozen=True)
class TrainingOptions:
    """What to train, and how long."""

    hidden: tuple[int, ...] = bounded((), Bounds(1, 4096))
    """Number of nodes of each hidden layer; by default the network has no hidden layer."""
    target: str = XCUP.name
    """Device whose LUTs are counted."""
    input_bits: int = bounded(5, _BITS)
    """Bits of an input's code; edges read as many of them as they need."""
    hidden_bits: int = bounded(5, _BITS)
    """Bits of a hidden node that edges may read; they read as many as they need."""
    functions: Literal["spline", "table", "line"] = "spline"
    """Edges are trained as B-splines, as tables with an entry for each code, or as lines; those
    make a perceptron, whose hidden nodes saturate."""
    cells: int = bounded(6, Bounds(1, 64))
    """Cells of the B-splines' grids."""
    shapes: int | None = bounded(None, Bounds(1, 64))
    """Functions that all edges of a layer share: an edge is one of them or its negative, times 1,
    1/2, 1/4 or 1/8, or nothing; by default each edge has its own."""
    table_inputs: int | None = bounded(None, Bounds(2, 8))
    """Nodes of the first hidden layer are tables of this number of bits, which are learned with
    them, and give one bit: a bit is whether an input has reached a threshold (Bacellar et al.,
    arXiv 2410.11112); by default nodes are sums of functions."""
    group_sum: bool = False
    """A result is the number of ones that a group of nodes of the last hidden layer gives: each
    node counts once, for one class (Petersen et al., arXiv 2210.08277). Nodes give one bit; by
    default they have functions for all results."""
    monotone: tuple[str, ...] = ()
    """Features that the result or each target rises with, as pressure=+, or falls with, as
    pressure=-, whatever the other features are; of two classes the result is the score of the
    second one."""
    decides: bool = False
    """Of two classes, hardware gives the class in place of a score: one bit, which is one table
    where edges read few bits."""
    tail: float = bounded(TAIL, Bounds(0, 25))
    """Per cent of the samples at each end of a feature that may lie beyond its codes."""
    learn_codes: bool = False
    """The ranges of the features that codes stand for are trained, too."""
    input_noise: float = bounded(0.0, Bounds(0, 1))
    """Standard deviation of noise that features have in training, in parts of their ranges (Bishop,
    Neural Computation 7, 1995)."""
    max_luts: int | None = bounded(None, Bounds(1))
    """Most LUTs of the chosen network, by estimate: of those the least loss is chosen; by default
    the cheapest within a standard error of the least loss."""
    max_levels: int | None = bounded(None, Bounds(1))
    """Most levels of logic of networks on the front, by estimate."""
    metric: MetricName | None = None
    """What networks are compared by on held-out samples: accuracy, its mean over classes, F1 (of
    class 1 of two), the area under the ROC curve, or of numbers the root mean squared or mean
    absolute error; by default the loss."""
    min_recall: tuple[str, ...] = ()
    """Least part of the samples of a class that are decided as it, as fault=0.99: of two classes
    the threshold is chosen so; the cheapest network that keeps it on held-out samples is chosen."""
    max_false_alarms: tuple[str, ...] = ()
    """Most part of the samples of other classes that are decided as a class, as fault=0.01; of
    classes 0 and 1 without names, 0.01 is of class 1."""
    price: float | None = bounded(None, _PRICE)
    """Score that a LUT is worth: the network with the highest score less price times LUTs is
    chosen; by default losses decide."""
    folds: int | None = bounded(None, Bounds(1, 20))
    """Parts of the samples, each held out by a network of its own, before a last network learns
    from all; 1: the network that is kept holds out a part. By default 4 for fewer than 2000
    samples, else 1."""
    validation: float = bounded(0.25, Bounds(0.05, 0.5))
    """Part of the samples that is held out where there is one fold."""
    schedule: Schedule = field(default_factory=Schedule)
    """Steps and prices."""
    table: TableOptions = field(default_factory=TableOptions)
    """Columns and samples."""
    teacher_weight: float = bounded(0.5, Bounds(0, 1))
    """Part of the loss that is the distance from the teacher; the rest is that of the labels."""
    teacher_temperature: float = bounded(2.0, _PRICE)
    """Temperature of the teacher's classes: higher ones tell more of classes that are unlikely."""
    seed: int = bounded(0, SEED)
    """Seed of everything random."""
    seeds: int = bounded(1, Bounds(1, 1000))
    """Number of trainings, each with the next seed; the front is made of the networks of all."""
    name: str | None = None
    """Name of the design; by default the data file's."""

    def __post_init__(self) -> None:
        """Refuse numbers out of bounds, devices that are not known, and shapes of few edges.

        Raises
        ------
        KanError : names the option.
        """
        require_bounds(self)
        SEED.require("seed of the last training", self.seed + self.seeds - 1)
        unordered = {
            "shapes": self.shapes,
            "table-inputs": self.table_inputs,
            "group-sum": self.group_sum,
        }
        for name, given in unordered.items():
            if given and self.monotone:
                raise KanError(
                    f"--{name} is given with --monotone, which needs functions of edges in an "
                    "order of their own",
                    remedy="leave out one of them",
                )
        if self.shapes is not None and (self.schedule.prunes or self.group_sum):
            raise KanError(
                f"--shapes is given with --{'group-sum' if self.group_sum else 'fan-in'}",
                remedy="leave out one of them: shapes are of edges that are all trained",
            )
        device_of(self.target)
        self._require_node_tables()
        gives_bits = self.hidden_bits == 1 or (self.table_inputs and len(self.hidden) == 1)
        if self.group_sum and not (self.hidden and gives_bits):
            raise KanError(
                "--group-sum is given without hidden nodes that give one bit",
                remedy="give --hidden, and --table-inputs or --hidden-bits 1",
            )

    def _require_node_tables(self) -> None:
        """Refuse options that nodes which are tables do not have."""
        if self.table_inputs is None:
            return
        if not self.hidden:
            raise KanError(
                f"--table-inputs {self.table_inputs} needs a hidden layer",
                remedy="give the number of its nodes, such as --hidden 300",
            )
        if self.learn_codes or self.schedule.fan_in is not None:
            raise KanError(
                f"{'--learn-codes' if self.learn_codes else '--fan-in'} is given with "
                "--table-inputs, which learns thresholds and inputs of nodes in its own way",
                remedy="leave out one of them",
            )

    def of_seed(self, seed: int) -> TrainingOptions:
        """The options of the training of one seed; what decides the choice only is left out."""
        nothing = dict.fromkeys(("max_luts", "max_levels", "price", "metric"))
        goals = dict.fromkeys(("min_recall", "max_false_alarms"), ())
        return replace(self, seed=seed, seeds=1, **nothing, **goals)
