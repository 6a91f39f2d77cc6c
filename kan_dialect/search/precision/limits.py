"""Limits of the search for fewer bits: they trade its time for the networks it finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SearchLimits:
    """Starts, paths, splits and samples of the search.

    A path is a sequence of networks from many LUTs to few, made from one start on one split of the
    samples.
    """

    hidden_bits: tuple[int, ...] = (3, 4, 5, 6)
    """Bits of the codes of hidden nodes, a start for each. One more start is the given network."""
    hidden_bits_large: tuple[int, ...] = (5, 6)
    """The same for large networks."""
    large: int = 1 << 18
    """Edges times samples of a large network: more than these."""
    splits: int = 4
    """Most splits of the samples into seen and held-out ones; a sample is held out once at most."""
    splits_large: int = 2
    """The same for large networks."""
    orders: int = 4
    """Paths from each start of a small network, which visit the edges in different orders."""
    small: int = 1 << 16
    """Edges times samples, made ones included, of a small network: at most these."""
    worths: tuple[float, ...] = tuple(np.geomspace(5e-5, 1e-2, 18).tolist())
    """Worths of a LUT in loss of a sample, one for each network of a path."""
    seen_samples: int = 8192
    """Most samples that the descent sees, made ones not included."""
    made_samples: int = 6000
    """Samples made near the seen ones, at least as many as these."""
    held_samples: int = 1000
    """Held-out samples that suffice to judge a network; of fewer, those of all splits count."""
    measured: int = 24
    """Networks within the budget that are estimated on the device, the cheapest ones."""
    hopeless: float = 4.0
    """A path ends once its bounded loss exceeds this multiple of the budget plus `hopeless_more`,
    and the network changes more than `changed_share` of the decisions."""
    hopeless_more: float = 0.02
    """Absolute loss, see `hopeless`."""
    hopeless_loss: float = 0.05
    """Loss that stands for the budget where it limits no loss, see `hopeless`."""
    changed_share: float = 0.05
    """Share of decisions, see `hopeless`. Networks that change fewer tell how many are lost."""
    prior: float = 2e-5
    """Weight of the given tables at each entry, as a share of the samples."""
    sharpness: float = 0.7
    """Factor of the temperature of outputs. Below 1, samples near a decision's border count more,
    as they do in accuracy."""
    result_step: float = 0.3
    """Largest step of results in temperatures."""
