"""IR of others without marks is proven node by node once its nodes are marked."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import kan_dialect as kan
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType


@pytest.fixture(scope="module")
def unmarked() -> kan.Network:
    """A network of two layers at wire level, its marks removed."""
    rng = np.random.default_rng(5)
    network = TableNetwork("net", UniformQuantizedType(5, False, 1.0), 6)
    network.add_layer(rng.integers(-40, 40, (4, 6, 32)), saturate=(-60, 67))
    network.add_layer(rng.integers(-40, 40, (2, 4, 128)))
    wires = kan.from_ir(network.module()).apply("kan-expand-wires", "kan-narrow")
    text, removed = re.subn(r"\n *kan\.mark .*", "", wires.text())
    assert removed == 6
    return kan.from_ir(text)


def test_a_proof_needs_marks_and_names_the_pass(unmarked: kan.Network, tmp_path: Path) -> None:
    quick = {"simulator": "none", "check_passes": False}
    whole = unmarked.build(tmp_path / "whole", **quick)  # type: ignore[arg-type]
    with pytest.raises(kan.KanError, match="build what kan-opt -p kan-mark-nodes gives"):
        whole.prove()
    marked = unmarked.apply("kan-mark-nodes")
    built = marked.build(tmp_path / "marked", **quick)  # type: ignore[arg-type]
    proof = built.prove()
    assert proof.proven and proof.summary()["nodes"] == 6
