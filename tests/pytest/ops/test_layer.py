"""Layers: how large one may be."""

from __future__ import annotations

import numpy as np

from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType


def test_a_layers_limit_is_of_edges_that_exist() -> None:
    """1100 x 500 edges are more than it has, and few of them exist."""
    mask = np.zeros((1100, 500), dtype=np.bool_)
    mask[:, :6] = True
    tables = mask[..., np.newaxis] * np.arange(2)
    network = TableNetwork("wide", UniformQuantizedType(1, False, 1.0), inputs=500)
    network.add_layer(tables, scale=1.0, mask=mask)
    network.module().verify()
