"""What a training is given beside samples: a network to start from, and a teacher's results."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from kan_dialect.api.layer import Layer
from kan_dialect.api.loading import from_ir
from kan_dialect.api.network import Network
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray
from kan_dialect.qat.bases import Basis, seen_by
from kan_dialect.qat.codes import InputCodes
from kan_dialect.qat.network import QuantisedKan
from kan_dialect.qat.objective import Objective
from kan_dialect.qat.sizes import no_chain, widths_of

LOST = 0.02
"""Part of the results' variance that a chain of the model's layers may leave unexplained: codes
between layers are rounded there."""


@dataclass(frozen=True)
class Given:
    """What is given, as text and arrays that other processes and machines can read."""

    start: str | None = None
    """IR of the network to start from."""
    teacher: FloatArray | None = None
    """(samples, results), float64: what the teacher gives for all samples."""

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        whole = hashlib.sha256(repr(self.start).encode())
        if self.teacher is not None:
            whole.update(repr(self.teacher.shape).encode() + self.teacher.tobytes())
        return whole.hexdigest()


@dataclass(frozen=True)
class StartLayer:
    """The functions of a layer at the codes of its inputs."""

    values: FloatArray
    """(nodes, inputs, codes), float64."""
    mask: FloatArray
    """(nodes, inputs), float64: 0 for edges that the model does not have, 1 for others."""
    bias: FloatArray
    """(nodes), float64."""


@dataclass(frozen=True)
class Start:
    """A trained model as layers whose hidden nodes lie in [-1, 1]."""

    layers: tuple[StartLayer, ...]
    temperature: float
    """The model's results over those of the layers."""

    def fill(self, network: QuantisedKan, bases: list[Basis]) -> None:
        """Give a network the functions of the model: least squares of each basis at the codes.

        Parameters
        ----------
        network : of the same numbers of nodes.
        bases : of each layer.
        """
        with torch.no_grad():
            for layer, basis, given in zip(network.edge_layers(), bases, self.layers, strict=True):
                nodes, inputs, codes = given.values.shape
                wanted = given.values.reshape(nodes * inputs, codes).T
                # The least of all solutions where there are more functions than codes.
                inverse = torch.linalg.pinv(torch.from_numpy(basis.values[-1]))
                found = (inverse @ torch.from_numpy(wanted)).T
                layer.coefficients.copy_(found.reshape(nodes, inputs, -1))
                layer.bias.copy_(torch.from_numpy(given.bias))
            network.log_temperature.fill_(float(np.log(self.temperature)))


def start_of(
    text: str, x: FloatArray, codes: InputCodes, hidden_bits: int, objective: Objective
) -> Start:
    """The layers of a model, with sums scaled to what hidden codes can hold.

    Parameters
    ----------
    text : the model as IR.
    x : (samples, inputs), float64: ranges of nodes are those on these samples.
    codes : of the inputs.

    Raises
    ------
    KanError : the model has other inputs or results than the data, or is no chain of layers.
    """
    network = from_ir(text)
    widths_of(network)
    inputs, outputs = network.shape
    if inputs != x.shape[1]:
        raise KanError(
            f"the model to start from has {inputs} inputs, the data {x.shape[1]} features",
            remedy="give the data that it was trained with, or another model",
        )
    results = 2 if objective.is_classes and objective.outputs == 1 else objective.outputs
    if outputs not in (results, objective.outputs):
        what = "classes" if objective.is_classes else "targets"
        raise KanError(f"the model to start from has {outputs} results, the data {results} {what}")
    _require_chain(network, x)
    grid = _real_codes(codes, x)
    found: list[StartLayer] = []
    centre, half = np.zeros(inputs), np.ones(inputs)
    for index, layer in enumerate(network.layers):
        is_last = index + 1 == len(network.layers)
        at = layer.inputs(grid) if index == 0 else grid * half + centre
        values = np.moveaxis(layer(at), 0, -1) * layer.mask[..., np.newaxis]
        sums = _sums(layer, layer.inputs(x))
        bias, mask = layer.bias, layer.mask.astype(np.float64)
        if is_last:
            values, bias, mask, sums = _results(values, bias, mask, sums, objective)
            half = np.full(len(bias), float(sums.std()) or 1.0)
            centre = np.zeros(len(bias))
            if not objective.is_classes:
                half[:] = objective.scale
        else:
            low, high = sums.min(axis=0), sums.max(axis=0)
            centre, half = (low + high) / 2.0, np.maximum((high - low) / 2.0, 1e-9)
        values, bias = values / half[:, np.newaxis, np.newaxis], (bias - centre) / half
        found.append(StartLayer(values, mask, bias))
        grid = np.broadcast_to(
            seen_by(hidden_bits, hidden_bits)[:, np.newaxis], (1 << hidden_bits, len(bias))
        )
    temperature = float(half[0]) if objective.is_classes else 1.0
    return Start(tuple(found), temperature)


def teacher_results(results: FloatArray, objective: Objective) -> FloatArray:
    """A teacher's results as a training uses them: logits of classes, or numbers.

    Parameters
    ----------
    results : (samples, results), float64; probabilities of classes become logits.

    Raises
    ------
    KanError : the teacher has another number of results than the data has classes or targets.
    """
    outputs = objective.outputs
    if not objective.is_classes:
        if results.shape[1] != outputs:
            raise _unfitting(results.shape[1], f"{outputs} targets")
        return results / objective.scale
    classes = 2 if outputs == 1 else outputs
    if results.shape[1] not in (classes, outputs):
        raise _unfitting(results.shape[1], f"{classes} classes")
    within = bool(((results >= 0.0) & (results <= 1.0)).all())
    if within and (results.shape[1] == 1 or np.allclose(results.sum(axis=1), 1.0, atol=1e-3)):
        known = np.clip(results, 1e-7, 1.0 - 1e-7)
        results = np.log(known) - (np.log1p(-known) if results.shape[1] == 1 else 0.0)
    return results[:, 1:] - results[:, :1] if results.shape[1] > outputs else results


def _unfitting(results: int, known: str) -> KanError:
    return KanError(
        f"the teacher has {results} results, the data {known}",
        remedy="give a teacher that was trained for these labels",
    )


def _real_codes(codes: InputCodes, x: FloatArray) -> FloatArray:
    """Features in the middle of each code, (codes, inputs); constant ones keep their value."""
    varies = codes.gain != 0.0
    every = np.arange(1 << codes.bits)[:, np.newaxis]
    return np.where(varies, (every - codes.offset) / np.where(varies, codes.gain, 1.0), x[0])


def _sums(layer: Layer, at: FloatArray) -> FloatArray:
    return np.where(layer.mask, layer(at), 0.0).sum(axis=2) + layer.bias


def _results(
    values: FloatArray, bias: FloatArray, mask: FloatArray, sums: FloatArray, objective: Objective
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Results as the objective has them: less the last class, or class 1 less class 0."""
    if not objective.is_classes or len(bias) == 1:
        return values, bias, mask, sums
    if objective.outputs == 1:
        either = mask.max(axis=0, keepdims=True)
        return values[1:] - values[:1], bias[1:] - bias[:1], either, sums[:, 1:] - sums[:, :1]
    mask = np.maximum(mask, mask[-1])
    mask[-1] = 0.0
    return values - values[-1], bias - bias[-1], mask, sums - sums[:, -1:]


def _require_chain(network: Network, x: FloatArray) -> None:
    """Refuse a model that is more than layers of edges, one after another."""
    first = network.layers[0]
    at = first.inputs(x)
    # An input of the first layer depends on its own feature only.
    shifted = np.stack([np.roll(column, i + 1) for i, column in enumerate(x.T)], axis=1)
    moved = np.stack([np.roll(column, i + 1) for i, column in enumerate(at.T)], axis=1)
    if not np.allclose(first.inputs(shifted), moved):
        raise no_chain(network)
    for layer in network.layers:
        at = _sums(layer, at)
    results = network.run(x)
    # Results may saturate, which sums of layers do not.
    at = at.clip(results.min(axis=0), results.max(axis=0))
    if ((at - results) ** 2).mean() > LOST * max(float(results.var()), 1e-12):
        raise no_chain(network)
