"""Chooses typical inputs of a graph: real samples, or boxes, magnitudes and input scales."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from kan_dialect.frontends.onnx.discover.input_scales import InputScales, find_input_scales
from kan_dialect.frontends.onnx.operators.static_graph import (
    StaticGraph,
)
from kan_dialect.ir.constants import FloatArray

_ACTIVATION_ROWS = 192
"""Real samples for which activations are computed."""


BOXES = ((-1.0, 1.0), (-3.0, 3.0), (0.0, 1.0), (1.0, 10.0))
"""Boxes of inputs that are tried without samples: functions may have limited domains."""


_MAGNITUDES = (0.1, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
"""Magnitudes of inputs that are tried without samples, alone and mixed."""


_BOX_ROWS = 48
"""Inputs in each box and at each magnitude."""

_SEED = 2026


def typical_inputs(
    static: StaticGraph,
    samples: FloatArray | None,
    rng: np.random.Generator,
    rows: int = _ACTIVATION_ROWS,
) -> list[FloatArray]:
    """Groups of typical inputs (rows, in), the likeliest last.

    With samples there is one group, of samples. Without, groups are boxes, magnitudes, and the
    scales that the graph shows.

    Parameters
    ----------
    samples : (samples, in), real inputs, or None.
    rows : size of the last group.
    """
    if samples is not None:
        chosen = rng.choice(len(samples), min(len(samples), rows), replace=False)
        return [samples[np.sort(chosen)]]
    groups = magnitude_inputs(static.width(static.source.input), rng)
    return [*groups, _network_input_scales(static).draw(rows, groups[0], rng)]


def magnitude_inputs(width: int, rng: np.random.Generator) -> list[FloatArray]:
    """Groups of inputs (rows, width) in boxes, at magnitudes, and at mixed magnitudes."""
    size = (_BOX_ROWS, width)
    boxes = (*BOXES, *((-scale, scale) for scale in _MAGNITUDES))
    groups = [rng.uniform(low, high, size) for low, high in boxes]
    return [*groups, rng.choice((1.0, *_MAGNITUDES), size) * rng.uniform(-1.0, 1.0, size)]


@lru_cache(maxsize=4)
def _network_input_scales(static: StaticGraph) -> InputScales:
    """The natural scales of the network's inputs, cached for repeated use."""
    size = (_BOX_ROWS, static.width(static.source.input))
    near = np.random.default_rng(_SEED).uniform(*BOXES[0], size)
    return find_input_scales(static, [static.source.input], near)
