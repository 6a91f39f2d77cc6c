"""A training: the runs of one seed, and the networks that they give.

The front is made of the networks of the last run. Of many samples a part is held out, by one run.
Of few samples each is held out once, by one of several runs: they say what a price is worth on
samples that a network has not seen. A last run then learns from all samples along the same prices.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.training_record import record_training
from kan_dialect.api.network import Network
from kan_dialect.devices.device import device as device_of
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.qat.bases import Basis, line_basis, spline_basis, table_basis
from kan_dialect.qat.codes import InputCodes, fit_codes
from kan_dialect.qat.cost import EdgeCost
from kan_dialect.qat.descent import Run, Teacher, folds_of
from kan_dialect.qat.encoder import Encoder
from kan_dialect.qat.export import module_of
from kan_dialect.qat.front import Candidate, candidates, held_results, judged
from kan_dialect.qat.goals import Goals
from kan_dialect.qat.judge import HeldOut, Judge
from kan_dialect.qat.monotone import directions_of
from kan_dialect.qat.network import QuantisedKan, make_network
from kan_dialect.qat.node_tables import NodeTables
from kan_dialect.qat.objective import Objective, objective_of
from kan_dialect.qat.options import UNNAMED, TrainingOptions
from kan_dialect.qat.start import Given, start_of, teacher_results
from kan_dialect.qat.table import Table, repeated_columns

NOTHING = Given()

DIGITS = 16
"""Of a digest, in the record of a network."""

FEW_SAMPLES = 2000
"""With fewer samples, each of them is held out once; with more, a part of them is."""


class Training:
    """The runs of one seed: each holds out samples, but the last of several has all of them."""

    def __init__(
        self, table: Table, options: TrainingOptions, where: str, given: Given = NOTHING
    ) -> None:
        """
        Parameters
        ----------
        where : the data's path, for messages.
        given : a network to start from, and a teacher's results.

        Raises
        ------
        KanError : there are no labels, or too few samples of them; what is given does not fit them.
        """
        dataset = table.dataset
        if dataset.y is None:
            raise KanError(
                f"{where} has no labels",
                remedy="give `y` or `y_train`, in a CSV file a column `label`: classes or numbers",
            )
        self._options = options
        self.objective = objective_of(dataset.y, where, table.weights)
        if options.decides and not (self.objective.is_classes and self.objective.outputs == 1):
            raise KanError(
                f"{where} has no two classes for a network that decides between them",
                remedy="leave out --decides; `kan-flow build --head argmax` decides of more",
            )
        if options.group_sum and not self.objective.is_classes:
            raise KanError(
                f"{where} has numbers, which --group-sum does not learn: it counts for classes",
                remedy="leave out --group-sum",
            )
        if options.group_sum and options.hidden[-1] < self.objective.outputs:
            raise KanError(
                f"{where} has {self.objective.outputs} classes, and {options.hidden[-1]} hidden "
                "nodes are fewer than their groups",
                remedy=f"give at least --hidden {self.objective.outputs}",
            )
        if options.monotone and self.objective.is_classes and self.objective.outputs > 1:
            raise KanError(
                f"{where} has more than two classes, whose scores are compared with each other",
                remedy="leave out --monotone, or join classes",
            )
        self._directions = directions_of(options.monotone, dataset.features)
        samples = len(dataset.x)
        folds = options.folds or (4 if samples < FEW_SAMPLES else 1)
        self._targets = self.objective.targets(dataset.y)
        _require_samples(self.objective, self._targets, folds, where)
        self.codes: InputCodes = fit_codes(dataset.x, options.input_bits, options.tail)
        if not self.codes.gain.any():
            raise KanError(f"{where}: no feature varies")
        constant: list[int] = np.flatnonzero(self.codes.gain == 0.0).tolist()
        self.unread = sorted({*constant, *repeated_columns(dataset.x)})
        """Features that do not vary or repeat others, and have no edges."""
        every = torch.arange(samples)
        self._parts = list(
            folds_of(table, self._targets, self.objective.is_classes, folds, options.validation)
        )
        if folds > 1:
            self._parts.append((every, every[:0]))
        self._encodes = options.learn_codes or options.input_noise > 0.0
        # A step widens the codes of its samples.
        inputs = dataset.x if self._encodes else self.codes.encode(dataset.x).astype(np.int16)
        self._inputs = torch.from_numpy(inputs)
        self._start = self._teacher = None
        if given.start is not None:
            bits = options.hidden_bits
            self._start = start_of(given.start, dataset.x, self.codes, bits, self.objective)
        if given.teacher is not None:
            results = torch.from_numpy(teacher_results(given.teacher, self.objective))
            self._teacher = Teacher(results, options.teacher_weight, options.teacher_temperature)
        self._runs: dict[int, Run] = {}

    @property
    def variance(self) -> float | None:
        """Of targets about their means, in their unit squared; None of classes."""
        if self.objective.is_classes:
            return None
        targets = self._measured_targets(self._targets)
        return float(((targets - targets.mean(axis=0)) ** 2).mean())

    @property
    def count(self) -> int:
        """Number of runs."""
        return len(self._parts)

    def run(self, index: int) -> Run:
        """A run, at its beginning when it is first asked for."""
        if index not in self._runs:
            trained, held = self._parts[index]
            self._runs[index] = Run(
                self._network(index),
                self._inputs,
                self._targets,
                self.objective,
                trained,
                held,
                self._options.schedule,
                keeps=index == self.count - 1,
                teacher=self._teacher,
                noise=torch.from_numpy(self._options.input_noise * self.codes.ranges),
            )
        return self._runs[index]

    def _network(self, index: int) -> QuantisedKan:
        options = self._options
        widths = [len(self.codes.gain), *options.hidden, self.objective.outputs]
        bits = [options.input_bits] + [options.hidden_bits] * len(options.hidden)
        node_tables = self._node_tables(index)
        if node_tables is not None:
            widths, bits = widths[1:], [1, *bits[2:]]
        bases = [_basis(options, each) for each in bits]
        start = self._start
        network = make_network(
            bases,
            widths,
            EdgeCost(device_of(options.target)),
            seed=options.seed * 100 + index,
            reference=self.objective.has_reference,
            decides=options.decides,
            encoder=Encoder(self.codes, learned=options.learn_codes) if self._encodes else None,
            constant=self.unread if node_tables is None else (),
            masks=None if start is None else [layer.mask for layer in start.layers],
            shapes=options.shapes,
            node_tables=node_tables,
            directions=self._directions if self._directions.any() else None,
            group_sum=options.group_sum,
        )
        if start is not None:
            start.fill(network, bases)
        elif self.objective.start:
            network.edge_layers()[-1].start_at(self.objective.start)
        network.clamp()
        return network

    def _node_tables(self, index: int) -> NodeTables | None:
        options = self._options
        if options.table_inputs is None:
            return None
        width = len(self.codes.gain)
        return NodeTables(
            [feature for feature in range(width) if feature not in self.unread],
            width,
            options.input_bits,
            options.hidden[0],
            options.table_inputs,
            seed=options.seed * 100 + index,
        )

    def candidates(self, judge: Judge, digest: str) -> list[tuple[Candidate, ModuleOp]]:
        """The networks worth compiling, the largest first, with their IR; all runs are done.

        Parameters
        ----------
        judge : compares them.
        digest : of data and options, for the record in the IR.
        """
        *folds, last = [self.run(index) for index in range(self.count)]
        held = folds or [last]
        records = [run.records for run in held]
        count = max(len(each) for each in [*records, last.records])
        targets = self._measured_targets(torch.cat([run.held_targets for run in held]))
        found: list[tuple[Candidate, ModuleOp]] = []
        for each in candidates(last, judged(records, targets, count, judge)):
            results = held_results(records, each.kept.record)
            held_out = judge.with_residuals(each.held_out, results, targets)
            module = self._module(last.network_of(each.kept), each, judge, digest)
            found.append((replace(each, held_out=held_out), module))
        return found

    @property
    def curve(self) -> FloatArray:
        """See `Trained.curve`."""
        records = self.run(self.count - 1).records
        return np.array([(each.step, each.price, each.luts, each.loss) for each in records])

    def _measured_targets(self, targets: Tensor) -> Array:
        """Targets as figures of merit take them: see `Metric.of`."""
        return (targets if self.objective.is_classes else targets * self.objective.scale).numpy()

    def _module(
        self, network: QuantisedKan, found: Candidate, judge: Judge, digest: str
    ) -> ModuleOp:
        name = self._options.name or UNNAMED
        codes = self.codes if network.encoder is None else network.encoder.codes()
        threshold = found.held_out.threshold / float(network.log_temperature.detach().exp())
        layers = network.integers(threshold)
        module = module_of(name, codes, layers, self.objective.scale)
        figures = {
            "measure": judge.shown,
            "held_out": found.held_out.score,
            "error": found.held_out.error,
            "price": found.price,
            "seed": self._options.seed,
            "options": digest[:DIGITS],
        }
        record_training(module, figures)
        return module

    def measure(self, network: Network, x: FloatArray, y: Array, judge: Judge) -> HeldOut:
        """Figures of a network on samples, by its integer model, whose threshold is in it."""
        targets = self.objective.targets(y)
        results = torch.from_numpy(network.run(x) / self.objective.scale)
        losses = self.objective.losses(results, targets, torch.zeros((), dtype=torch.float64))
        decided = replace(judge, goals=Goals())
        measured = self.objective.measured(results, torch.zeros((), dtype=torch.float64))
        wanted = self._measured_targets(targets)
        found = decided.measure(measured, wanted, losses.numpy())
        return judge.with_residuals(found, measured, wanted)


def _basis(options: TrainingOptions, bits: int) -> Basis:
    # One bit tells two values apart, whatever the function.
    if options.functions == "table" or bits == 1:
        return table_basis(bits)
    if options.functions == "line":
        return line_basis(bits)
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
