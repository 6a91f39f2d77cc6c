"""Entries of KANELÉ's truth tables beyond their layer's bits: three readings, at every level."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import exit_code
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.cli import kan_flow, kan_opt, kan_run
from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import TABLE_OVERFLOWS, ImportOptions
from kan_dialect.frontends.kanele.frontend import load_tables
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model
from repository import EXAMPLES

SWEEP = {
    "bits4": (1, 1),
    "bits8": (0, 0),
    "pruned_half": (9, 2),
    "pruned_most": (2, 2),
    "width2": (2, 1),
    "width16": (0, 0),
}
"""Of each published network: entries that do not fit their layer's bits, and edges with some."""

Edges = Mapping[str, Mapping[str, Any]]


def evaluate(
    widths: list[int], bits: list[int], edges: Edges, codes: IntArray, overflow: str
) -> IntArray:
    """The results (samples, out), by the definition: one entry, one sum at a time.

    Parameters
    ----------
    codes : (samples, in), unsigned.
    """
    values = codes
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        width = bits[layer + 1]
        top = 2 ** (width - 1)
        offset = 2 ** (bits[layer] - 1) if layer else 0
        sums = np.zeros((len(codes), outputs), dtype=np.int64)
        for i in range(inputs):
            for o in range(outputs):
                edge = edges[f"{layer}_{i}_{o}"]
                if edge["acive"]:
                    table = np.array(edge["values_int"])
                    if overflow == "saturate":
                        table = np.minimum(np.maximum(table, -top), top - 1)
                    elif overflow == "wrap":
                        low_bits = table & (2**width - 1)
                        table = np.where(low_bits < top, low_bits, low_bits - 2**width)
                    sums[:, o] += table[values[:, i] + offset]
        values = np.minimum(np.maximum(sums, -top), top - 1)
    return values


def write(folder: Path, widths: list[int], bits: list[int], edges: Edges) -> Path:
    (folder / "config.json").write_text(json.dumps({"layers": widths, "layers_bitwidth": bits}))
    path = folder / "truth_tables.json"
    path.write_text(json.dumps(edges))
    return path


def load(path: Path, overflow: str) -> ModuleOp:
    return load_tables(path, ImportOptions(table_overflow=overflow))


def random_edges(
    rng: np.random.Generator, widths: list[int], bits: list[int], beyond: int
) -> dict[str, dict[str, Any]]:
    """Tables with some entries up to `beyond` times as large as their bits allow."""
    edges: dict[str, dict[str, Any]] = {}
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        top = 2 ** (bits[layer + 1] - 1)
        for i in range(inputs):
            for o in range(outputs):
                table = rng.integers(-top, top, 2 ** bits[layer])
                chosen = rng.random(table.shape) < 0.2
                table[chosen] = rng.integers(-top * beyond, top * beyond, chosen.sum())
                active = int(rng.random() < 0.9)
                edges[f"{layer}_{i}_{o}"] = {"acive": active, "values_int": table.tolist()}
    return edges


def counts(bits: list[int], edges: Edges) -> tuple[int, int]:
    """Entries beyond their layer's bits, and edges with some; of the edges that are active."""
    beyond = [
        sum(not -top <= value < top for value in edge["values_int"])
        for key, edge in edges.items()
        for top in [2 ** (bits[int(key[0]) + 1] - 1)]
        if edge["acive"]
    ]
    return sum(beyond), sum(1 for number in beyond if number)


def lowered(module: ModuleOp, check: Callable[[str, Model], None]) -> None:
    for stage in CompilePass(fast=True).expand():
        stage.apply(make_context(), module)
        check(stage.name, Model.of(module))


def check_every_level(
    path: Path, widths: list[int], bits: list[int], edges: Edges, overflow: str, samples: int
) -> None:
    codes = np.random.default_rng(3).integers(0, 2 ** bits[0], (samples, widths[0]))
    expected = evaluate(widths, bits, edges, codes, overflow)
    module = load(path, overflow)
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), expected)
    lowered(
        module,
        lambda stage, model: np.testing.assert_array_equal(
            model.run_codes(codes), expected, err_msg=stage
        ),
    )


@pytest.mark.parametrize("overflow", TABLE_OVERFLOWS)
@pytest.mark.parametrize("name", list(SWEEP))
def test_published_networks(
    name: str, overflow: str, shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shared_data / "kanele_sweep" / name
    config = json.loads((folder / "config.json").read_text())
    edges = json.loads((folder / "truth_tables.json").read_text())
    widths, bits = config["layers"], config["layers_bitwidth"]
    assert counts(bits, edges) == SWEEP[name]
    path = folder / "truth_tables.json"
    if name in ("pruned_most", "width2"):  # The smaller ones, to hardware.
        check_every_level(path, widths, bits, edges, overflow, samples=300)
    else:
        codes = np.random.default_rng(3).integers(0, 2 ** bits[0], (300, widths[0]))
        expected = evaluate(widths, bits, edges, codes, overflow)
        np.testing.assert_array_equal(Model.of(load(path, overflow)).run_codes(codes), expected)
    assert len(caplog.messages) == int(SWEEP[name] != (0, 0))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_random_networks(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    widths = data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=3))
    bits = [data.draw(st.integers(1, 4)) for _ in widths]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    edges = random_edges(rng, widths, bits, beyond=data.draw(st.sampled_from([1, 2, 7, 2**20])))
    path = write(tmp_path_factory.mktemp("net"), widths, bits, edges)
    codes = rng.integers(0, 2 ** bits[0], (60, widths[0]))
    for overflow in TABLE_OVERFLOWS:
        expected = evaluate(widths, bits, edges, codes, overflow)
        np.testing.assert_array_equal(Model.of(load(path, overflow)).run_codes(codes), expected)


@pytest.mark.parametrize("overflow", TABLE_OVERFLOWS)
def test_a_small_network_at_every_level(overflow: str, tmp_path: Path) -> None:
    widths, bits = [3, 2, 2], [3, 4, 5]
    edges = random_edges(np.random.default_rng(4), widths, bits, beyond=3)
    path = write(tmp_path, widths, bits, edges)
    check_every_level(path, widths, bits, edges, overflow, samples=512)


def tiny(folder: Path) -> Path:
    """Of 4-bit layers: 9 and -20 do not fit in the first edge, 8 does not in the second."""
    first = [9, -20, *range(-7, 7)]
    edges = {
        "0_0_0": {"acive": 1, "values_int": first},
        "0_1_0": {"acive": 1, "values_int": [8] + [1] * 15},
        "0_2_0": {"acive": 0, "values_int": [99] * 16},
    }
    return write(folder, [3, 1], [4, 4], edges)


COUNTED = "truth_tables.json: entries beyond their layer's bits: 3, in 2 edges; "
LINES = {
    "keep": "read as they stand (--table-overflow saturate or wrap reads them otherwise)",
    "saturate": "saturated",
    "wrap": "cut to their lowest bits",
}


@pytest.mark.parametrize(
    ("overflow", "entries"),
    [("keep", (9, -20, 8)), ("saturate", (7, -8, 7)), ("wrap", (-7, -4, -8))],
)
def test_one_line_counts_them(
    overflow: str, entries: tuple[int, int, int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = Model.of(load(tiny(tmp_path), overflow))
    zeros = np.array([[8, 9, 0], [0, 9, 0], [1, 9, 0], [8, 0, 0]])  # one edge at a time
    a, b, c = entries
    clipped = np.clip([-1 + 1, a + 1, b + 1, -1 + c], -8, 7)
    np.testing.assert_array_equal(model.run_codes(zeros)[:, 0], clipped)
    assert caplog.messages == [COUNTED + LINES[overflow]]


def ended(tool: Callable[[list[str]], object], *arguments: object) -> object:
    return exit_code(tool, *arguments)


def test_every_command_takes_the_option(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path, out = tiny(tmp_path), tmp_path / "out"
    codes = np.random.default_rng(1).integers(0, 16, (50, 3))
    np.save(tmp_path / "codes.npy", codes)
    run = [kan_run.main, path, "--codes", "--inputs", tmp_path / "codes.npy"]
    build = [kan_flow.main, "build", path, "-o", out, "--simulator", "none", "--fast"]
    ir = tmp_path / "net.mlir"
    for overflow in TABLE_OVERFLOWS:
        chosen = [] if overflow == "keep" else ["--table-overflow", overflow]
        line = f"note: {COUNTED}{LINES[overflow]}\n"
        assert ended(kan_opt.main, path, *chosen, "-o", ir) == 0
        assert capfd.readouterr().err == f"kan-opt: {line}"
        # The IR takes no such option, the tables do: they are read alike.
        assert ended(*run, "--against", ir, *chosen) == 0  # pyright: ignore[reportArgumentType]
        assert capfd.readouterr().err == f"kan-run: {line}"
        assert ended(*build, *chosen) == 0  # pyright: ignore[reportArgumentType]
        assert f"kan-flow: {line}" in capfd.readouterr().err
        imported = out / "ir" / "00-import.mlir"
        assert ended(*run, "--against", imported, *chosen) == 0  # pyright: ignore[reportArgumentType]
        assert capfd.readouterr().err == f"kan-run: {line}"
    assert not caplog.records  # Said once, by the tool.


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("{opt} {onnx}", "wine.onnx: the frontend onnx has no tables whose entries might overflow"),
        ("{opt} {mlir}", "load.mlir: reading IR has no tables whose entries might overflow"),
        ("{run} {onnx}", "leave --table-overflow (table_overflow) out"),
        ("{run} {onnx} --against {mlir}", "leave --table-overflow (table_overflow) out"),
        ("{flow} build {onnx} -o {out}", "leave --table-overflow (table_overflow) out"),
        ("{flow} build {onnx} -o {out} --trainable", "no meaning with --trainable"),
        ("{flow} sweep {onnx} -o {out} --vary levels=1", "leave --table-overflow"),
        ("{flow} prove {out}", "--table-overflow has no meaning without --against"),
    ],
)
def test_others_refuse_it(
    command: str, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tools = {"opt": kan_opt.main, "run": kan_run.main, "flow": kan_flow.main}
    name, *rest = command.split()
    out = tmp_path / "out"
    files = {"onnx": EXAMPLES / "wine.onnx", "mlir": EXAMPLES / "load.mlir", "out": out}
    arguments = [word.format(**files) for word in rest]
    assert ended(tools[name.strip("{}")], *arguments, "--table-overflow", "wrap") == 1
    assert words in capfd.readouterr().err
    assert not out.exists()


def test_entries_too_large_for_any_type(tmp_path: Path) -> None:
    huge = {"acive": 1, "values_int": [0, 1 << 40]}
    large = {"acive": 1, "values_int": [0, (1 << 31) - 1]}
    path = write(tmp_path, [2, 1], [1, 4], {"0_0_0": huge, "0_1_0": large})
    with pytest.raises(KanError, match="`0_0_0` gives an integer of 41 bits for code 1, more than"):
        load(path, "keep")
    with pytest.raises(KanError, match="cannot be 'clip'; take one of keep, saturate, wrap"):
        load(path, "clip")
    codes = np.array([[1, 0], [0, 1]])
    for overflow, results in (("saturate", [[7], [7]]), ("wrap", [[0], [-1]])):
        np.testing.assert_array_equal(Model.of(load(path, overflow)).run_codes(codes), results)
    large["values_int"] = [-1, (1 << 31) - 1]
    write(tmp_path, [2, 1], [1, 4], {"0_0_0": large, "0_1_0": large})
    with pytest.raises(KanError, match="sums of layer 0 need 33 bits, more than 32; use --table-"):
        load(path, "keep")
