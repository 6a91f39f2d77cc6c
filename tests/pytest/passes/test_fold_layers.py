"""Which layers are folded, and which of them choose among shapes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.attributes.module_attributes import declared_interval, declared_shapes
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.passes import fold_layers
from kan_dialect.passes.fold_layers import FoldLayersPass


def network(*sizes: int, shapes: int | None = 2) -> ModuleOp:
    """Layers of 6 bits, whose tables are a number of shapes with factors; None: all differ."""
    rng = np.random.default_rng(0)
    found = TableNetwork("net", UniformQuantizedType(6, False, 1.0), sizes[0])
    for inputs, nodes in pairwise(sizes):
        edges = nodes, inputs
        tables = rng.integers(-16, 16, (*edges, 64))
        if shapes is not None:
            factors = rng.choice([-2, -1, 1, 2], edges)
            chosen = rng.integers(-8, 8, (shapes, 64))[rng.integers(0, shapes, edges)]
            tables = chosen * factors[:, :, np.newaxis]
        found.add_layer(tables, saturate=(0, 63))
    return found.module()


def folded(module: ModuleOp, interval: int, target: str) -> list[tuple[bool, int | None]]:
    """Whether each layer is folded, and its number of shapes."""
    FoldLayersPass(interval=interval, target=target).apply(make_context(), module)
    sums = [op for op in module.walk() if isinstance(op, NodeSumOp)]
    return [(declared_interval(op) is not None, declared_shapes(op)) for op in sums]


def test_tables_stay_where_the_part_holds_them() -> None:
    assert folded(network(16, 6, 4), 8, "ecp5-12") == [(True, None)] * 2


def test_the_layer_that_saves_the_most_block_ram_chooses_among_shapes() -> None:
    """Four lanes and two lanes have a block RAM each, where the part has four."""
    assert folded(network(16, 6, 4), 4, "gowin-gw1n-1") == [(True, 2), (True, None)]


def test_all_layers_choose_among_shapes_where_the_part_is_small() -> None:
    assert folded(network(16, 16, 16), 4, "gowin-gw1n-1") == [(True, 2)] * 2


def test_tables_that_are_all_different_stay() -> None:
    assert folded(network(16, 20, 4, shapes=None), 4, "gowin-gw1n-1") == [(True, None)] * 2


def test_a_family_is_as_large_as_its_largest_part() -> None:
    assert folded(network(16, 6, 4), 4, "gowin") == [(True, None)] * 2


def test_memories_that_are_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_layers, "MAX_WORDS", 255)
    with pytest.raises(KanError, match="16 inputs of 64 codes need memories of 256 words") as told:
        folded(network(16, 20, shapes=None), 4, "ecp5")
    assert told.value.remedy == "take a smaller interval, or fewer bits"
    assert folded(network(16, 20), 4, "ecp5") == [(True, 2)]
