"""The training of a network while the price of a LUT rises.

The loss is that of the objective, plus the price times the network's LUTs, plus a penalty for
functions that are not smooth. One run passes through all prices, from networks that are exact to
networks that are small, and records one at every few steps. A recorded network has the average of
the parameters of the last steps: the learning rate stays high while the price rises, and single
steps are noisy (Polyak and Juditsky, SIAM J. Control Optim. 30, 1992).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kan_dialect.files.sample_parts import dealt_parts, grouped_parts, timed_parts
from kan_dialect.ir.constants import FloatArray
from kan_dialect.qat.edges import EdgeLayer, taken
from kan_dialect.qat.functions import FEW_INPUTS, SharedShapes
from kan_dialect.qat.network import Computed, QuantisedKan
from kan_dialect.qat.objective import Objective
from kan_dialect.qat.options import Schedule
from kan_dialect.qat.table import Table

IDLE_RECORDS = 5
"""A run ends after this number of records of networks that are worth no more than a constant."""
IDLE_LOSS = 0.97
"""Part of a constant network's loss from which on a network tells next to nothing."""
IDLE_COST = 2.0
"""A network is not worth its LUTs where they cost this many times a constant network's loss."""

UNPRICED_LAST_RATE = 0.01
"""Part of the learning rate that is left at the end where no price rises."""

CHOICE_STEPS = 50
"""Steps from one choice of edges to the next, with a limit of a node's edges."""

SPARE = 2
"""Edges of a node that are trained for each chosen one, while edges are pruned."""
RENEWED = 2
"""One of this number of edges that are not chosen is replaced at each choice."""

SAMPLES_AT_ONCE = 1024
"""Samples that a network is evaluated for at once."""
LOSS_SAMPLES = 1 << 14
"""Most samples that the loss of a record is the mean of."""

NEGLIGIBLE = 1e-6
"""Steps of less weight are left out of an average."""

RATIO = 1.06
"""Of networks whose LUTs differ by less than this factor a run keeps one."""


@dataclass(frozen=True)
class Record:
    """A network of a run."""

    step: int
    price: float
    luts: float
    """By the surrogate."""
    loss: float
    """On the samples that it is trained with, the price left out."""
    losses: FloatArray
    """(samples), float64: of the samples that it is not trained with."""
    results: NDArray[np.float32]
    """(samples, outputs), float32: of these, see `Objective.measured`."""

    @property
    def size(self) -> int:
        """Networks of one size differ by less than `RATIO` in LUTs."""
        return int(math.log(self.luts + 1.0) / math.log(RATIO))


@dataclass(frozen=True)
class Kept:
    """A network that a run keeps: of all of its size, the one that fits its samples best."""

    record: int
    """Index of its record."""
    loss: float
    parameters: dict[str, Tensor]


@dataclass(frozen=True)
class Teacher:
    """Results that a network is trained for beside the labels."""

    results: Tensor
    """(samples, outputs), float64, of all samples."""
    weight: float
    """Part of the loss that is the distance from the teacher."""
    temperature: float
    """See `Objective.distilled_loss`."""


@dataclass
class Run:
    """A network in training."""

    network: QuantisedKan
    inputs: Tensor
    """(samples, inputs), of all samples, as the network reads them."""
    targets: Tensor
    """Of all samples, see `Objective.targets`."""
    objective: Objective
    trained: Tensor
    """Indices of the samples that it is trained with."""
    held_out: Tensor
    schedule: Schedule
    keeps: bool
    """Whether the networks of records are kept."""
    teacher: Teacher | None = None
    noise: Tensor | None = None
    """(inputs), standard deviations of what is added to the features in a step; codes have none."""
    step: int = 0
    records: list[Record] = field(default_factory=list[Record])
    kept: dict[int, Kept] = field(default_factory=dict[int, Kept])
    """Networks by size."""
    luts: float = 0.0
    """Of the last step, by the surrogate."""
    loss: float = 0.0
    """Of the last step, the price left out."""

    def __post_init__(self) -> None:
        layers = self.network.edge_layers()
        self._is_priced = any(
            each.requires_grad for layer in layers for each in layer.functions.parameters()
        )
        if not self._is_priced:
            # Only the last of networks of one size is wanted.
            interval, last = self.schedule.steps, min(self.schedule.last_rate, UNPRICED_LAST_RATE)
            self.schedule = replace(self.schedule, interval=interval, last_rate=last)
        rate = self.schedule.rate
        bits = [each for layer in layers for each in layer.functions.of_bits]
        functions = [layer.functions.of_functions for layer in layers]
        known = {id(each) for group in (bits, *functions) for each in group}
        others = [each for each in self.network.parameters() if id(each) not in known]
        groups: list[dict[str, Any]] = [
            {"params": others, "lr": rate},
            {"params": bits, "lr": 2.0 * rate},
            *({"params": each, "lr": rate} for each in functions),
        ]
        self._optimizer = torch.optim.Adam(groups, fused=True)
        self._average = deepcopy(self.network)
        parts = [self.schedule.rate_part] * 2 + [
            partial(self._rate_part, index) for index in range(len(layers))
        ]
        self._rates = torch.optim.lr_scheduler.LambdaLR(self._optimizer, parts)
        self._order: tuple[int, Tensor] | None = None
        self._own = self.inputs[self.trained], self.targets[self.trained]
        self._held = self.inputs[self.held_out], self.targets[self.held_out]
        self._constant_loss = self.objective.constant_loss(self._own[1])

    @property
    def held_targets(self) -> Tensor:
        """Targets of the samples that it holds out."""
        return self._held[1]

    @property
    def is_done(self) -> bool:
        """Whether all steps are done, or the price is so high that a constant is worth as much."""
        if self.step >= self.schedule.steps:
            return True
        last = self.records[-IDLE_RECORDS:]
        return len(last) == IDLE_RECORDS and all(self._is_idle(each) for each in last)

    def _is_idle(self, record: Record) -> bool:
        if self.schedule.price(record.step - 1) < self.schedule.first_price:
            return False
        worth = self._constant_loss
        return record.loss >= IDLE_LOSS * worth or record.price * record.luts >= IDLE_COST * worth

    def advance(self) -> None:
        """One gradient step, and a record where one is due."""
        schedule, network = self.schedule, self.network
        if self.step == schedule.own_steps:
            self._share()
        chooses = schedule.prunes and self.step % CHOICE_STEPS == 0
        if chooses:
            self._choose_edges()
        samples = self.samples_of_step()
        inputs, targets = (each[samples] for each in self._own)
        computed = network(self.with_noise(inputs))
        if chooses:
            for sums in computed.sums:
                sums.retain_grad()
        loss = self.objective.loss(computed.results, targets, network.log_temperature)
        luts = float(computed.luts.detach())
        # To save a part of the LUTs is worth the same for all targets.
        worth = computed.xcup_luts / luts if luts else 1.0
        price = schedule.price(self.step) * worth if self._is_priced else 0.0
        wanted = self._taught(loss, computed.results, samples)
        total = wanted + price * computed.luts + schedule.smooth * _roughness(network)
        self.luts, self.loss = luts, float(loss.detach())
        self._optimizer.zero_grad()
        total.backward()
        self._optimizer.step()
        self._rates.step()
        network.clamp()
        self._move_average()
        if chooses and schedule.grows(self.step):
            self._grow(computed)
        self.step += 1
        if self.step % schedule.interval == 0 or self.step == schedule.steps:
            self._record(price)

    @property
    def _shares(self) -> bool:
        """Whether edges share shapes, sooner or later."""
        return isinstance(self.network.edge_layers()[0].functions, SharedShapes)

    def _share(self) -> None:
        """Edges of layers with shapes become multiples of them."""
        if self._shares:
            for layer in self.network.edge_layers():
                layer.share()
            self._average.load_state_dict(self.network.state_dict())

    def with_noise(self, inputs: Tensor) -> Tensor:
        """What the network reads in this step of these inputs, (samples, inputs)."""
        if self.noise is None or not self.noise.any():
            return inputs
        random = torch.Generator().manual_seed(self.step)
        return inputs + self.noise * torch.randn(inputs.shape, generator=random, dtype=inputs.dtype)

    def _rate_part(self, index: int, step: int) -> float:
        """Part of the learning rate that the functions of a layer have in this step."""
        return self.schedule.rate_part(step) * part_of_rate(self._edges(index, step))

    def _edges(self, index: int, step: int) -> int:
        """Most edges of a node of a layer in this step."""
        layers = self.network.edge_layers()
        inputs = layers[index].inputs
        return inputs if index + 1 == len(layers) else self.schedule.edges(step, inputs)

    def _edges_trained(self, index: int, step: int) -> int:
        """Edges of a node of a layer that are trained in this step, chosen or not."""
        layer = self.network.edge_layers()[index]
        edges = self._edges(index, step)
        if index + 1 == len(self.network.edge_layers()):
            return layer.inputs
        spare = SPARE if self.schedule.grows(step) else 1
        return min(spare * edges, self.schedule.trained(layer.inputs))

    @property
    def _some(self) -> tuple[Tensor, Tensor]:
        """At most `LOSS_SAMPLES` of the samples that it is trained with: inputs and targets."""
        inputs, targets = (each[:: -(-len(each) // LOSS_SAMPLES)] for each in self._own)
        return inputs, targets

    @torch.no_grad()
    def _frequencies(self) -> Tensor:
        """The part of the samples that have each code of the inputs, (inputs, codes)."""
        codes = self.network.codes_of(self._some[0])[0]
        return frequencies_of(codes, self.network.edge_layers()[0].codes)

    def _choose_edges(self) -> None:
        layers = self.network.edge_layers()
        counts = [self._edges(index, self.step) for index in range(len(layers))]
        frequencies = self._frequencies()
        self.network.choose_edges(counts, frequencies)
        averages = self._average.edge_layers()
        for index, (layer, average) in enumerate(zip(layers, averages, strict=True)):
            edges = self._edges_trained(index, self.step)
            if edges < layer.edges:
                self._take(layer, average, self._ranked(index)[:, :edges])
            average.choose_as(layer)

    def _ranked(self, index: int) -> Tensor:
        """See `EdgeLayer.ranked`."""
        frequencies = self._frequencies() if index == 0 else None
        return self.network.edge_layers()[index].ranked(frequencies)

    def _grow(self, computed: Computed) -> None:
        """Put new edges in place of some that are not chosen."""
        layers, averages = self.network.edge_layers(), self._average.edge_layers()
        for index, (layer, average) in enumerate(zip(layers, averages, strict=True)):
            spare = layer.edges - self._edges(index, self.step)
            count = min(spare // RENEWED, layer.inputs - layer.edges)
            gradient = computed.sums[index].grad
            if count <= 0 or gradient is None:
                continue
            inputs = layer.inputs_by_gradient(count, computed.codes[index], gradient)
            places = self._ranked(index)[:, -count:]
            node = torch.arange(layer.nodes)[:, None]
            for parameter in layer.functions.of_edges:
                for each in self._optimizer.state[parameter].values():
                    if each.shape == parameter.shape:
                        each[node, places] = 0.0
            layer.renew(places, inputs)
            average.renew(places, inputs)

    def _take(self, layer: EdgeLayer, average: EdgeLayer, places: Tensor) -> None:
        """Go on with some edges of a layer only; see `EdgeLayer.take`."""
        shape = layer.index.shape
        states = [self._optimizer.state[parameter] for parameter in layer.functions.of_edges]
        layer.take(places)
        average.take(places)
        for state in states:
            for name, each in state.items():
                if each.shape[:2] == shape:
                    state[name] = taken(each, places)

    def _taught(self, loss: Tensor, results: Tensor, samples: Tensor) -> Tensor:
        """The loss on samples of those trained with, mixed with the distance from the teacher."""
        teacher = self.teacher
        if teacher is None:
            return loss
        distilled = self.objective.distilled_loss(
            results,
            teacher.results[self.trained[samples]],
            self.network.log_temperature,
            teacher.temperature,
        )
        return (1.0 - teacher.weight) * loss + teacher.weight * distilled

    def samples_of_step(self, step: int | None = None) -> Tensor:
        """Indices into the samples that it is trained with: those of a step, by default the next.

        All samples are used once before any is used again.
        """
        samples = len(self.trained)
        batches = max(1, samples // self.schedule.batch)
        epoch, part = divmod(self.step if step is None else step, batches)
        if self._order is None or self._order[0] != epoch:
            random = torch.Generator().manual_seed(epoch)
            self._order = epoch, torch.randperm(samples, generator=random)
        return self._order[1][part::batches]

    @torch.no_grad()
    def _record(self, price: float) -> None:
        network, objective = self._average, self.objective
        network.clamp()
        inputs, targets = self._some
        results, luts = _computed(network, inputs)
        loss = float(objective.loss(results, targets, network.log_temperature))
        inputs, targets = self._held
        losses: FloatArray = np.zeros(0)
        measured: NDArray[np.float32] = np.zeros((0, objective.outputs), np.float32)
        if len(inputs):
            results = _computed(network, inputs)[0]
            losses = objective.losses(results, targets, network.log_temperature).numpy()
            measured = objective.measured(results, network.log_temperature).astype(np.float32)
        record = Record(self.step, price, luts, loss, losses, measured)
        # The front has no network whose edges do not share shapes yet.
        is_shared = not self._shares or self.step > self.schedule.own_steps
        is_better = record.size not in self.kept or loss < self.kept[record.size].loss
        if self.keeps and is_shared and is_better:
            copies = {name: each.detach().clone() for name, each in network.state_dict().items()}
            self.kept[record.size] = Kept(len(self.records), loss, copies)
        self.records.append(record)

    @torch.no_grad()
    def _move_average(self) -> None:
        """Move the averaged parameters towards those of this step, their start left out."""
        schedule, weight = self.schedule, self.schedule.average
        window = math.ceil(math.log(NEGLIGIBLE) / math.log(weight))
        record = min(schedule.steps, (self.step // schedule.interval + 1) * schedule.interval)
        # Between records that are far from each other, most steps have no part in any.
        first = max(0, record - window) if window < schedule.interval else 0
        if self.step < first:
            return
        steps = self.step - first
        kept = weight * (1.0 - weight**steps) / (1.0 - weight ** (steps + 1))
        own = self._average.parameters()
        for average, now in zip(own, self.network.parameters(), strict=True):
            average.mul_(kept).add_(now, alpha=1.0 - kept)

    def network_of(self, kept: Kept) -> QuantisedKan:
        """The network with the parameters of an earlier step."""
        self.network.restore(kept.parameters)
        return self.network

    def state(self) -> dict[str, Any]:
        """All that a run needs to go on, in tensors, numbers, lists and dictionaries."""
        return {
            "network": self.network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "rates": self._rates.state_dict(),
            "step": self.step,
            "records": [
                (r.step, r.price, r.luts, r.loss, *map(torch.from_numpy, (r.losses, r.results)))
                for r in self.records
            ],
            "kept": {size: (k.record, k.loss, k.parameters) for size, k in self.kept.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.network.restore(state["network"])
        self._average.restore(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._rates.load_state_dict(state["rates"])
        self.step = state["step"]
        self.records = [
            Record(number, price, luts, loss, losses.numpy(), results.numpy())
            for number, price, luts, loss, losses, results in state["records"]
        ]
        self.kept = {size: Kept(*each) for size, each in state["kept"].items()}


def _computed(network: QuantisedKan, inputs: Tensor) -> tuple[Tensor, float]:
    """Results of a network for many samples, a part of them at a time, and its LUTs."""
    parts = [network(each) for each in inputs.split(SAMPLES_AT_ONCE)]
    return torch.cat([each.results for each in parts]), float(parts[0].luts)


def part_of_rate(inputs: int) -> float:
    """Part of the learning rate that coefficients of a layer have, by its number of inputs.

    Adam moves each coefficient by about the rate, and those of one node often move together. So the
    more inputs, the further a node's sum moves (Yang et al., Tensor Programs V, arXiv 2203.03466).
    """
    return min(1.0, math.sqrt(FEW_INPUTS / inputs))


def frequencies_of(codes: Tensor, count: int) -> Tensor:
    """The part of the samples that have each code, (inputs, count)."""
    counts = [torch.bincount(column, minlength=count) for column in codes.T]
    return torch.stack(counts) / float(len(codes))


def _roughness(network: QuantisedKan) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for layer in network.edge_layers():
        for each in layer.functions.of_functions:
            if each.shape[-1] > 2:
                total = total + each.diff(n=2, dim=-1).square().sum()
    return total


def folds_of(
    table: Table, targets: Tensor, is_classes: bool, folds: int, share: float
) -> Iterator[tuple[Tensor, Tensor]]:
    """Samples to train with and to hold out, of each fold; classes have equal shares in all.

    They are the same for all seeds, whose networks are compared on them.

    Parameters
    ----------
    table : samples of one group or time, or else with equal inputs, are in one fold.
    folds : every sample is held out once; 1: `share` of the samples is held out, by time the last.

    Raises
    ------
    KanError : too few samples differ.
    """
    groups = folds if folds > 1 else max(2, round(1.0 / share))
    if table.time is not None:
        part = timed_parts(table.time, groups)
        part = groups - 1 - part if folds == 1 else part
    elif table.group is not None:
        part = grouped_parts(table.group, groups, 0)
    else:
        part = dealt_parts(table.dataset.x, groups, 0, targets.numpy() if is_classes else None)
    for fold in range(folds):
        held = part == fold
        yield torch.tensor(np.flatnonzero(~held)), torch.tensor(np.flatnonzero(held))
