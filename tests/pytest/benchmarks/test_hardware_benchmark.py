"""What `benchmarks/hardware.py` computes itself: KANELÉ's structure, names, ratios and tables."""

from __future__ import annotations

import json
import math
import shutil
import sys
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from repository import BENCHMARKS

sys.path.insert(0, str(BENCHMARKS))
from hardware import Row, latency_ns, markdown, read_rows, renamed
from kanele_structure import Structure, read_network
from measurements import TABLE_OVERFLOW, Measurements, geometric_mean, play

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.kanele.frontend import load_tables
from kan_dialect.model.model import Model

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog")


def write(folder: Path, widths: list[int], bits: list[int], seed: int) -> Path:
    """Random tables in KANELÉ's format, a quarter of the edges left out."""
    rng = np.random.default_rng(seed)
    edges: dict[str, dict[str, Any]] = {}
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        top = 2 ** (bits[layer + 1] - 1)
        for i in range(inputs):
            for o in range(outputs):
                table = rng.integers(-top, top, 2 ** bits[layer]).tolist()
                table[0] = 3 * top  # More than its bits hold.
                edges[f"{layer}_{i}_{o}"] = {"acive": int(rng.random() < 0.75), "values_int": table}
    config = {"layers": widths, "layers_bitwidth": bits}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "truth_tables.json").write_text(json.dumps(edges))
    return folder / "truth_tables.json"


def random_codes(bits: int, inputs: int) -> NDArray[np.int64]:
    return np.random.default_rng(7).integers(0, 1 << bits, (100, inputs))


@needs_icarus
@pytest.mark.parametrize("operands", [2, 3, 4])
def test_the_structure_computes_what_the_compiler_reads(tmp_path: Path, operands: int) -> None:
    tables = write(tmp_path, [7, 3, 2], [4, 3, 5], seed=operands)
    network = read_network(tables)
    codes = random_codes(4, 7)
    model = Model.of(load_tables(tables, ImportOptions(table_overflow=TABLE_OVERFLOW)))
    expected = model.run_codes(codes)
    np.testing.assert_array_equal(network.evaluate(codes), expected)
    structure = Structure(network, operands)
    for cycles in range(1, len(structure.steps) + 1):
        cuts = structure.best_cuts(cycles)
        assert cuts is not None
        rtl = structure.emit(cuts)
        found = play(rtl, network.name, codes, outputs=2, bits=5, cycles=cycles)
        np.testing.assert_array_equal(found, expected)
        with pytest.raises(KanError, match="unknown outputs"):  # The latency is not less.
            play(rtl, network.name, codes, outputs=2, bits=5, cycles=cycles - 1)


@needs_icarus
def test_registers_at_the_inputs_are_one_more_cycle(tmp_path: Path) -> None:
    network = read_network(write(tmp_path, [3, 2], [3, 4], seed=1))
    structure = Structure(network, 4)
    rtl = structure.emit((True,) * len(structure.steps), input_register=True)
    codes = random_codes(3, 3)
    found = play(rtl, network.name, codes, outputs=2, bits=4, cycles=len(structure.steps) + 1)
    np.testing.assert_array_equal(found, network.evaluate(codes))


def test_steps_and_places_of_registers(tmp_path: Path) -> None:
    network = read_network(write(tmp_path, [16, 8, 5], [6, 6, 8], seed=0))
    most = [max(map(len, nodes)) for nodes in network.layers]
    assert 9 <= most[0] <= 16 and 5 <= most[1] <= 8
    assert [len(Structure(network, operands).steps) for operands in (2, 3, 4)] == [11, 9, 8]
    structure = Structure(network, 4)
    kinds = ["tables", "adders", "adders", "clamp"]
    assert [step.kind for step in structure.steps] == kinds * 2
    assert structure.own_cuts == (True, True, False, True) * 2
    assert structure.best_cuts(1) == (False,) * 7 + (True,)
    assert structure.best_cuts(2, before_clamps=False) == (False, False, False, True) * 2
    assert structure.best_cuts(6, before_clamps=False) == structure.own_cuts
    assert structure.best_cuts(7, before_clamps=False) is None
    assert structure.best_cuts(8) == (True,) * 8
    assert structure.best_cuts(9) is None
    assert structure.best_cuts(0) is None
    with pytest.raises(ValueError, match="5 cuts for 8 steps"):
        structure.emit((True,) * 5)


DESIGN = """
module top (
  input  wire logic clk,
  input  wire logic [2:0] x0,
  output wire logic [3:0] y0
);
  function automatic logic [3:0] twice(input logic [2:0] value);
    twice = {value, 1'b0};
  endfunction
  // a comment with table_bit0
  localparam logic [7:0] table_bit0 = 8'hCA;
  wire logic [3:0] sum = {3'b0, table_bit0[x0]} + twice(x0);
  logic [3:0] sum_s1;
  always_ff @(posedge clk) sum_s1 <= sum;
  assign y0 = sum_s1;
endmodule
"""


def test_names_of_signals() -> None:
    text = renamed(DESIGN, 1)
    for name in ("twice", "value", "table_bit0", "sum", "sum_s1"):
        assert name not in text
    for name in ("module top", "[2:0] x0", "[3:0] y0", "posedge clk", "assign y0", "8'hCA"):
        assert name in text
    assert renamed(DESIGN, 1) == text
    assert renamed(DESIGN, 2) != text


@needs_icarus
def test_other_names_are_the_same_design() -> None:
    codes = random_codes(3, 1)
    as_signed = DESIGN.replace("output wire logic [3:0] y0", "output wire logic signed [3:0] y0")
    first, second = (
        play(text, "top", codes, outputs=1, bits=4, cycles=1)
        for text in (as_signed, renamed(as_signed, 3))
    )
    np.testing.assert_array_equal(first, second)
    entries = np.array([0xCA >> code & 1 for code in range(8)])
    expected = (entries[codes] + 2 * codes + 8) % 16 - 8
    np.testing.assert_array_equal(first, expected)


def test_latency_is_at_the_slower_clock() -> None:
    assert latency_ns(4, asked=100, reached=160) == 40
    assert latency_ns(4, asked=200, reached=160) == 25
    assert latency_ns(4, asked=200, reached=0) == math.inf


def test_geometric_mean() -> None:
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1)
    assert geometric_mean([0.5, 0.0]) == 0
    assert math.isnan(geometric_mean([]))


def test_old_figures_beside_new(tmp_path: Path) -> None:
    old = [Row("a", "xcup", {"cells": 8}, {"cells": 0.8}), Row("b", "xcup", {"cells": 5}, {})]
    new = [Row("a", "xcup", {"cells": 5}, {"cells": 0.5}), Row("b", "xcup", {"cells": 5}, {})]
    lines = markdown("Cells", new, old).splitlines()
    assert lines[2:] == [
        "|  | cells |",
        "| --- | --- |",
        "| a | 8 (0.80) → 5 (0.50) |",
        "| b | 5 |",
        "| **xcup** | **0.800** → **0.500** |",
    ]
    file = tmp_path / "rows.json"
    file.write_text(json.dumps({"versions": {}, "cells": [asdict(row) for row in old]}))
    assert read_rows(file) == {"cells": old}


def test_a_result_is_computed_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def compute() -> int:
        calls.append(1)
        return 5

    for parts in (("rtl", 1), ("rtl", 1), ("rtl", 2)):
        # In a new object, as in a run that goes on.
        assert Measurements(tmp_path / "kept").kept("cells", parts, compute) == 5
    assert len(calls) == 2
