"""What benchmarks of hardware compute: KANELÉ's structure, numbers for peers, ratios, tables."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from repository import BENCHMARKS

sys.path.insert(0, str(BENCHMARKS))
from hardware import latency_ns
from interfaces import WRAPPERS, by_hand
from kanele_structure import Structure, read_network
from measurements import TABLE_OVERFLOW, Measurements, geometric_mean, play, some_of
from peer_network import packed
from wire_numbers import as_numbers

import kan_dialect
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.kanele.frontend import load_tables
from kan_dialect.frontends.programs.file import read_program
from kan_dialect.frontends.programs.program import Program
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


def test_latency_is_at_the_slower_clock() -> None:
    assert latency_ns(4, asked=100, reached=160) == 40
    assert latency_ns(4, asked=200, reached=160) == 25
    assert latency_ns(4, asked=200, reached=0) == math.inf


def test_geometric_mean() -> None:
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1)
    assert geometric_mean([0.5, 0.0]) == 0
    assert math.isnan(geometric_mean([]))


@pytest.mark.parametrize("bits", [4, 6])
def test_peers_read_numbers_that_give_the_outputs(bits: int, tmp_path: Path) -> None:
    """Ops as `peer_network.py` documents them, by NumPy."""
    tables = write(tmp_path, [5, 3, 2], [bits, 3, 5], seed=bits)
    options = ImportOptions(table_overflow=TABLE_OVERFLOW)
    numbers = as_numbers(load_tables(tables, options))
    codes = np.array(numbers["codes"])
    assert (codes.min(0) >= numbers["low"]).all() and (codes.max(0) <= numbers["high"]).all()
    values = list(codes.T)
    for name, *rest in numbers["ops"]:
        match name:
            case "constant":
                values.append(np.full(len(codes), rest[0]))
            case "table":
                source, entries, low, _ = rest
                values.append(np.array(entries)[values[source] - low])
            case "sum":
                values.append(np.sum([values[each] for each in rest[0]], axis=0))
            case _:
                assert name == "clamp"
                source, low, high, signed, width = rest
                assert (-signed << width, (1 << width) - 1) == (low, high)
                values.append(np.clip(values[source], low, high))
    found = np.stack([values[each] for each in numbers["results"]], axis=1)
    np.testing.assert_array_equal(found, numbers["outputs"])


def test_alkaid_reads_the_constants_of_da4ml(tmp_path: Path) -> None:
    """Our reader takes the program in both formats for the same one."""
    rows = [
        [0, -1, -1, 0, [-4.0, 3.75, 0.25], 0.0, 0.0],
        [0, -1, 4, -3, [-4.75, 3.0, 0.25], 0.0, 1.0],
        [1, -1, 4, 3, [1.25, 9.0, 0.25], 0.0, 1.0],
        [2, -1, 3, 0, [-4.0, 3.0, 1.0], 0.0, 0.0],
        [3, -1, 4, 5, [16.0, 72.0, 8.0], 0.0, 0.0],
        [3, 1, 0, 2, [-23.0, 15.0, 0.25], 1.0, 2.0],
    ]
    given = [[1, 2], [0], [4, 5], [0, 0], [False, True], rows, -1, 1, None]
    programs: list[Program] = []
    for content in (given, packed(given)):
        (tmp_path / "program.json").write_text(json.dumps(content))
        programs.append(read_program(tmp_path / "program.json"))
    assert programs[0] == programs[1]
    assert [each.constant.code for each in programs[1].operations] == [0, -3, 3, 0, 5, 0]


def test_options_that_take_some_names() -> None:
    assert some_of(["a", "b"])("b,a") == ["b", "a"]
    with pytest.raises(argparse.ArgumentTypeError, match="there is no 'c': take some of a, b"):
        some_of(["a", "b"])("a,c")


@needs_icarus
@pytest.mark.parametrize(("file", "core"), [("credits", 0), ("stalling", 1)])
def test_wrappers_by_hand_are_verilog(file: str, core: int, tmp_path: Path) -> None:
    network = kan_dialect.load(write(tmp_path, [3, 2], [3, 4], seed=1)).compile(cycles=2)
    wrapped = [network, network.apply(WRAPPERS["clock enable"])][core]
    text = wrapped.systemverilog().replace("`default_nettype none", "")
    top, by_hand_text = by_hand(Model.of(network.module()).interface(), file, 2)
    (tmp_path / "all.sv").write_text(text + by_hand_text)
    run(find("iverilog"), ["-g2012", "-s", top, "-o", "all.vvp", "all.sv"], cwd=tmp_path)


def test_a_result_is_computed_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def compute() -> int:
        calls.append(1)
        return 5

    for parts in (("rtl", 1), ("rtl", 1), ("rtl", 2)):
        # In a new object, as in a run that goes on.
        assert Measurements(tmp_path / "kept").kept("cells", parts, compute) == 5
    assert len(calls) == 2
