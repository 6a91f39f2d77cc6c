"""A folded hardware module, written by hand, and what it computes."""

from __future__ import annotations

from functools import cache

import numpy as np

from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.model import Model
from repository import TEST_DATA

FOLDED = TEST_DATA / "folded.mlir"
WORDS = [[3, -32, 31, 7], [-5, 12, -17, 26], [0, 19, -28, 8], [-11, 30, 22, -2]]
"""The word of each turn and pair of bits."""


@cache
def folded_model() -> Model:
    return Model.of(load_model(make_context(), FOLDED))


def folded_sums(codes: IntArray) -> IntArray:
    """What the module computes: (samples, 1) of (samples, 2)."""
    pairs = [codes[:, 0] & 3, codes[:, 0] >> 2 & 3, codes[:, 1] & 3, codes[:, 1] >> 2]
    return np.sum([np.take(w, p) for w, p in zip(WORDS, pairs, strict=True)], axis=0)[:, None]


def every_sample() -> IntArray:
    """All 256 samples, in a random order."""
    x0, x1 = np.meshgrid(np.arange(-8, 8), np.arange(16))
    return np.random.default_rng(1).permutation(np.stack([x0.ravel(), x1.ravel()], axis=1))
