"""The network whose bits are reduced, its budget, and the networks that are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kan_dialect.devices.estimate import Estimate
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.search.precision.budgets import Allowed
from kan_dialect.search.precision.network import ResultCodes, TableChain
from kan_dialect.search.precision.score import score


@dataclass(frozen=True)
class Budget:
    """The loss that the search may cause, and the resources that it must keep.

    Parameters
    ----------
    limits : largest loss of score from the reference, and limits of errors on the samples.
    max_luts, max_levels : of the design; levels of logic from inputs to outputs.
    """

    limits: Allowed
    max_luts: int | None = None
    max_levels: int | None = None

    @property
    def max_loss(self) -> float | None:
        """Largest loss of score from the reference; 0.01 is a point of accuracy."""
        return self.limits.loss


@dataclass(frozen=True)
class Scores:
    """Scores of the reference and of a network."""

    before: float
    after: float

    @property
    def loss(self) -> float:
        return self.before - self.after


@dataclass(frozen=True)
class Problem:
    """A given network with samples.

    Parameters
    ----------
    chain : its layers.
    x : real inputs (samples, in).
    labels : classes or targets (samples, ...), or None.
    given : its real results (samples, out) for these inputs.
    encode : makes bit patterns (in, samples) of real inputs (samples, in).
    outputs : computes its real results (samples, out) for other real inputs (samples, in).
    measure : estimates a chain on the device.
    prices : LUTs of a table's bit that depends on 0, 1, ... inputs, adding included.
    reference : results (samples, out) that losses count from, the float model's; None: `given`.
    results : formats to which results are rounded; None if results are sums.
    """

    chain: TableChain
    x: FloatArray
    labels: Array | None
    given: FloatArray
    encode: Callable[[FloatArray], IntArray]
    outputs: Callable[[FloatArray], FloatArray]
    measure: Callable[[TableChain], Estimate]
    prices: FloatArray
    reference: FloatArray | None = None
    results: ResultCodes | None = None

    @property
    def origin(self) -> FloatArray:
        """Real results (samples, out) that losses count from, see `reference`."""
        return self.given if self.reference is None else self.reference

    def real(self, chain: TableChain, x: FloatArray) -> FloatArray:
        """Real results (samples, out) of a chain."""
        sums, scales = chain.outputs(self.encode(x)), chain.layers[-1].scales
        return sums.T * scales if self.results is None else self.results.numbers(sums, scales)

    def scores(self, outputs: FloatArray, index: IntArray | slice) -> Scores:
        """Scores of the reference and of outputs (samples, out), on the samples of an index."""
        labels = None if self.labels is None else self.labels[index]
        origin = self.origin[index]
        return Scores(score(origin, labels, origin), score(outputs[index], labels, origin))


@dataclass(frozen=True)
class Candidate:
    """A network that the search found, with its scores.

    Parameters
    ----------
    chain : the network.
    luts : cost by the search's own count; infinite for the given network.
    calibration, validation : scores on all samples, and on held-out ones.
    others : bound of the loss on other samples, see `Evidence.loss_of`. It follows from the
        held-out samples, and from those of all splits with networks found in the same way.
    within : it keeps the limits of errors.
    """

    chain: TableChain
    luts: float
    calibration: Scores
    validation: Scores
    others: float
    within: bool = True

    @property
    def loss(self) -> float:
        """The largest of the losses."""
        return max(self.calibration.loss, self.validation.loss, self.others)


@dataclass(frozen=True)
class Refined:
    """The choice of the search.

    Parameters
    ----------
    chosen : the network.
    estimate : its resources.
    validation_samples : number of held-out samples.
    networks : number of networks compared.
    """

    chosen: Candidate
    estimate: Estimate
    validation_samples: int
    networks: int
