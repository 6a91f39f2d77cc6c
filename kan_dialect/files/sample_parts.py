"""Parts of samples, to choose by some and to validate with others.

Samples with equal inputs are copies, and stay in one part: a network that has seen one knows all.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from multiprocessing import parent_process

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, FloatArray, IntArray

_LOG = logging.getLogger(__name__)


def repeated_samples(x: FloatArray) -> int:
    """Number of samples (samples, in) whose inputs an earlier sample has."""
    return len(x) - len(set(_rows(x)))


def held_parts(x: FloatArray, held: int, seed: int) -> list[IntArray]:
    """Parts in random order, each to be held out in turn, of `held` samples each.

    The last part has the rest. With copies, sizes differ, by the number of copies of a sample.

    Parameters
    ----------
    x : inputs (samples, in).

    Returns
    -------
    Indices of samples, in random order. A single part where all samples are copies of each other.
    """
    order = np.random.default_rng(seed).permutation(len(x))
    group = _groups(x, order)
    sizes = np.bincount(group)
    part = ((np.cumsum(sizes) - sizes) // held)[group[order]]
    return [order[part == number] for number in np.unique(part).tolist()]


def dealt_parts(x: FloatArray, parts: int, seed: int, classes: Array | None) -> IntArray:
    """The part of each sample, dealt in turn.

    Parameters
    ----------
    x : inputs (samples, in).
    classes : (samples); they have equal shares in all parts.

    Returns
    -------
    (samples), from 0 to `parts` - 1.

    Raises
    ------
    KanError : fewer samples than parts differ.
    """
    order = np.random.default_rng(seed).permutation(len(x))
    group = _groups(x, order)
    _, first = np.unique(group[order], return_index=True)
    if len(first) < parts:
        raise KanError(
            f"{len(x)} samples have {len(first)} different inputs, too few for {parts} parts",
            remedy="give more samples that differ, or hold out fewer parts",
        )
    leaders = order[first]
    if classes is not None:
        leaders = leaders[np.argsort(classes[leaders], kind="stable")]
    number = np.empty(len(leaders), dtype=np.int64)
    number[group[leaders]] = np.arange(len(leaders)) % parts
    return number[group]


def grouped_parts(group: Array, parts: int, seed: int) -> IntArray:
    """The part of each sample, where samples of one group have one part; parts are balanced.

    Parameters
    ----------
    group : (samples) of any type that compares.

    Returns
    -------
    (samples), from 0 to `parts` - 1.

    Raises
    ------
    KanError : fewer groups than parts.
    """
    _, number, sizes = np.unique(group, return_inverse=True, return_counts=True)
    if len(sizes) < parts:
        raise KanError(
            f"{len(group)} samples are of {len(sizes)} groups, too few for {parts} parts",
            remedy="hold out fewer parts (--folds), or give more groups",
        )
    order = np.random.default_rng(seed).permutation(len(sizes))
    filled, part = np.zeros(parts, dtype=np.int64), np.empty(len(sizes), dtype=np.int64)
    for each in order[np.argsort(-sizes[order], kind="stable")].tolist():
        part[each] = filled.argmin()
        filled[part[each]] += sizes[each]
    return part[number]


def timed_parts(time: Array, parts: int) -> IntArray:
    """The part of each sample by its time, the earliest first; samples of one time have one part.

    Parameters
    ----------
    time : (samples).

    Returns
    -------
    (samples), from 0 to `parts` - 1.

    Raises
    ------
    KanError : a part has no sample.
    """
    _, number, sizes = np.unique(time, return_inverse=True, return_counts=True)
    part = ((np.cumsum(sizes) - sizes) * parts // len(time))[number]
    if len(np.unique(part)) < parts:
        raise KanError(
            f"{len(time)} samples are of {len(sizes)} times, too few for {parts} parts",
            remedy="hold out fewer parts (--folds), or give times that differ more",
        )
    return part


def _rows(x: FloatArray) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(x + 0.0)]  # -0.0 is 0.0


def _groups(x: FloatArray, order: IntArray) -> IntArray:
    """The group of copies of each sample, numbered in the order in which `order` meets them."""
    rows, numbers = _rows(x), dict[bytes, int]()
    samples: list[int] = order.tolist()
    group = np.empty(len(x), dtype=np.int64)
    group[order] = [numbers.setdefault(rows[sample], len(numbers)) for sample in samples]
    if len(numbers) < len(x) and parent_process() is None:  # Workers split the same samples.
        _tell(len(x), len(x) - len(numbers))
    return group


@lru_cache(1)  # Several splits of the same samples are told once.
def _tell(samples: int, repeated: int) -> None:
    _LOG.warning(
        "%d of %d samples repeat the inputs of others; copies stay on one side of a split",
        repeated,
        samples,
    )
