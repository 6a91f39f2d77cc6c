"""Programs of da4ml and alkaid: exact at every level, against their own and exact evaluations."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_programs import LIST, PACKED, SHIFTING, UNPACKED, evaluate, random_program
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import ImportOptions, import_file, original_of
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.programs.evaluation import evaluate_program
from kan_dialect.frontends.programs.file import read_program
from kan_dialect.frontends.programs.frontend import function_name, load_program
from kan_dialect.frontends.programs.wires import build_module
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model
from kan_dialect.ops.wire import MarkOp, SumOp, TableOp
from repository import TEST_DATA

Array = NDArray[Any]
WRITTEN = ["da4ml", "alkaid", "alkaid_bits"]
PUBLISHED = ["openml_0_743", "openml_0_761", "cernbox_0_737", "cernbox_0_752"]


def saved(folder: Path, content: object, name: str = "net.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def vectors(path: Path) -> tuple[Array, Array]:
    """Inputs and what the writer of the program computes for them, float64."""
    data = np.load(path)
    return data["x"].astype(np.float64), data["y"].astype(np.float64)


def hardware(module: ModuleOp) -> Model:
    context = make_context()
    for stage in CompilePass().expand():
        stage.apply(context, module)
    return Model.of(module)


@given(st.integers(0, 1 << 32))
@settings(max_examples=20, deadline=None)
def test_data_without_a_sign(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """da4ml 0.6 writes some negative data as 64 bits without a sign."""
    content: Any = random_program(random.Random(seed), LIST, 25)
    folder = tmp_path_factory.mktemp("data")
    expected = str(load_program(saved(folder, content)))
    for row in content[5]:
        row[3] %= 1 << 64
    assert str(load_program(saved(folder, content))) == expected


@given(st.integers(0, 1 << 32), st.sampled_from([LIST, PACKED, UNPACKED, SHIFTING]))
@settings(max_examples=60, deadline=None)
def test_random_programs(tmp_path_factory: pytest.TempPathFactory, seed: int, version: int) -> None:
    rng = random.Random(seed)
    content = random_program(rng, version, rng.choice((5, 12, 25)))
    path = saved(tmp_path_factory.mktemp("random"), content)
    x = np.array([[rng.randint(-600, 600) / 32 for _ in range(3)] for _ in range(8)])
    exact = [[float(y) for y in evaluate(content, list(map(Fraction, row)))] for row in x.tolist()]
    module = load_program(path)
    module.verify()
    np.testing.assert_array_equal(Model.of(module).run(x), exact)
    np.testing.assert_array_equal(evaluate_program(read_program(path), x), exact)


@pytest.mark.parametrize("seed", range(6))
def test_random_programs_as_hardware(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    content = random_program(rng, rng.choice((LIST, SHIFTING)), 20)
    x = np.array([[rng.randint(-600, 600) / 32 for _ in range(3)] for _ in range(40)])
    exact = [[float(y) for y in evaluate(content, list(map(Fraction, row)))] for row in x.tolist()]
    np.testing.assert_array_equal(hardware(load_program(saved(tmp_path, content))).run(x), exact)


@pytest.mark.parametrize("name", WRITTEN)
def test_programs_that_their_compilers_wrote(name: str) -> None:
    path = TEST_DATA / "programs" / f"{name}.json"
    x, y = vectors(path.with_suffix(".npz"))
    module = import_file(path)
    np.testing.assert_array_equal(Model.of(module).run(x), y)
    original = original_of(path)
    assert original is not None
    np.testing.assert_array_equal(original.run(x), y)
    np.testing.assert_array_equal(hardware(module).run(x[:50]), y[:50])


def test_a_build_says_that_codes_wrap(tmp_path: Path) -> None:
    program = TEST_DATA / "programs" / "da4ml.json"
    assert flow("build", program, "-o", tmp_path / "net", "--simulator", "none") == 0
    report = json.loads((tmp_path / "net" / "report.json").read_text())
    inputs = [port for port in report["ports"] if port["name"].startswith("x")]
    assert [port["wraps"] for port in inputs] == [True] * 4
    assert "rounded down; codes wrap" in (tmp_path / "net" / "README.md").read_text()
    assert "rounded down; codes wrap" in (tmp_path / "net" / "rtl" / "da4ml.sv").read_text()
    assert flow("prove", tmp_path / "net") == 0


def test_a_warning_says_that_inputs_wrap(tmp_path: Path) -> None:
    program, data = TEST_DATA / "programs" / "da4ml.json", tmp_path / "x.npz"
    np.savez(data, x=np.random.default_rng(0).normal(size=(50, 4)) * 1000)
    options = ("--calibration", data, "--simulator", "none", "-o", tmp_path / "net")
    assert flow("build", program, *options) == 0
    report = json.loads((tmp_path / "net" / "report.json").read_text())
    assert any(line.startswith("4 inputs wrap in up to") for line in report["warnings"])


def test_the_written_programs_have_every_opcode_of_da4ml() -> None:
    rows = json.loads((TEST_DATA / "programs" / "da4ml.json").read_text())[5]
    assert {row[2] for row in rows} == {-6, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks(shared_data: Path, name: str) -> None:
    folder = shared_data / "hgq_lut" / name
    x, y = vectors(folder / "golden.npz")
    model = Model.of(import_file(folder / "program.json"))
    np.testing.assert_array_equal(model.run(x), y)
    codes, outputs = (np.load(folder / "codes.npz")[each] for each in ("codes", "outputs"))
    used = [index for index, port in enumerate(model.ports()[0]) if port.high > port.low]
    every = np.zeros((len(x), len(x[0])), dtype=np.int64)
    every[:, used] = codes
    np.testing.assert_array_equal(model.run_codes(every), outputs)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_threshold_of_published_networks(shared_data: Path, name: str) -> None:
    path = shared_data / "hgq_lut" / name / "program.json"
    model, program = Model.of(import_file(path)), read_program(path)
    rng = np.random.default_rng(0)
    for index, port in enumerate(model.ports()[0]):
        codes = np.arange(2 * port.low - 2, 2 * port.high + 3)[:1200] * port.scale
        x = rng.normal(size=(2 * len(codes), 16)) * 3
        x[:, index] = np.concatenate([codes, np.nextafter(codes, -np.inf)])
        np.testing.assert_array_equal(model.run(x), evaluate_program(program, x))


def sums(*rows: Sequence[Any], inputs: int = 1, tables: Sequence[Any] = ()) -> list[Any]:
    """A program of da4ml, whose result is the last row."""
    operations = [[*row, 0.0, 0.0] for row in rows]
    last = [len(rows) - 1]
    return [[inputs, 1], [0] * inputs, last, [0], [False], operations, -1, 1, list(tables)]


def lookup(values: Sequence[int]) -> dict[str, Any]:
    spec = {"min": float(min(values)), "max": float(max(values)), "step": 1.0}
    return {"spec": {"hash": "", "out_qint": spec, "inp_width": 3}, "table": list(values)}


def test_names_are_those_of_layers(tmp_path: Path) -> None:
    whole = [-4.0, 3.0, 1.0]
    content = sums(
        [0, -1, -1, 0, whole],
        [1, -1, -1, 0, whole],
        [0, -1, 8, 0, [-3.0, 3.0, 1.0]],
        [1, -1, 8, 1, [-2.0, 5.0, 1.0]],
        [2, 3, 0, 1, [-7.0, 13.0, 1.0]],
        [4, -1, 4, 1, [-6.0, 14.0, 1.0]],
        [5, -1, 3, 0, [-4.0, 2.0, 2.0]],
        [6, -1, 8, 2, [0.0, 3.0, 1.0]],
        [4, -1, 3, 0, whole],
        [8, -1, 8, 0, [-3.0, 3.0, 1.0]],
        [7, 9, 1, 0, [-3.0, 6.0, 1.0]],
        inputs=3,
        tables=[
            lookup([-3, -2, -1, 0, 1, 2, 3, 3]),
            lookup([5, 4, 3, 2, 1, 0, -1, -2]),
            lookup([0, 1, 2, 3]),
        ],
    )
    module = load_program(saved(tmp_path, content))
    names = [op.given_name for op in module.walk() if isinstance(op, TableOp | SumOp)]
    assert [name for name in names if name is not None] == [
        *("layer0_edge0_0", "layer0_edge0_1", "layer0_sum0"),
        *("layer1_edge0_0", "layer1_edge0_0_2", "layer1_sum0"),
    ]
    marks = [op.node.data for op in module.walk() if isinstance(op, MarkOp)]
    assert marks == ["layer0_node0", "layer1_node0"]
    x = np.array([[a, b, 0.0] for a in range(-9, 9) for b in range(-5, 5)])
    exact = [[float(y) for y in evaluate(content, list(map(Fraction, row)))] for row in x.tolist()]
    np.testing.assert_array_equal(Model.of(module).run(x), exact)


def test_a_port_has_the_finest_step_and_the_widest_range_of_its_readers(tmp_path: Path) -> None:
    content = sums(
        [1, -1, -1, 0, [0.0, 7.0, 1.0]],
        [1, -1, -1, 0, [-1.0, 0.75, 0.25]],
        [0, 1, 0, 0, [-1.0, 7.75, 0.25]],
        inputs=2,
    )
    content[1] = [0, 1]
    model = Model.of(load_program(saved(tmp_path, content)))
    unread, port = model.ports()[0]
    assert (unread.low, unread.high) == (0, 0)
    assert (port.low, port.high, port.scale, port.wraps) == (-32, 31, 0.125, True)
    x = np.linspace(-9, 9, 801)[:, np.newaxis] * [1, 1]
    exact = [[float(y) for y in evaluate(content, list(map(Fraction, row)))] for row in x.tolist()]
    np.testing.assert_array_equal(model.run(x), exact)


def test_wide_values_stay_ops(tmp_path: Path) -> None:
    content = sums(
        [0, -1, -1, 0, [-2.0, 2 - 2**-18, 2**-18]],
        [0, -1, 3, 0, [-2.0, 2 - 2**-16, 2**-16]],
        [1, -1, 4, 1, [2**-16 - 2, 2.0, 2**-16]],
        [2, -1, -3, 0, [-1.0, 1 - 2**-14, 2**-14]],
        [0, 3, 1, 2, [-6.0, 6.0, 2**-18]],
    )
    module = load_program(saved(tmp_path, content))
    assert max(op.entries_array.size for op in module.walk() if isinstance(op, TableOp)) <= 256
    x = np.random.default_rng(0).normal(size=(500, 1)) * 2
    exact = [[float(y) for y in evaluate(content, [Fraction(row[0])])] for row in x.tolist()]
    np.testing.assert_array_equal(Model.of(module).run(x), exact)


def test_values_that_float64_does_not_hold_are_refused(tmp_path: Path) -> None:
    rows = [[0, -1, -1, 0, [0.0, 2.0**20 - 1, 1.0]], [0, 0, 0, 40, [0.0, 2.0**51, 1.0]]]
    with pytest.raises(KanError, match=r"net\.json: operation 1: it needs 60 bits, more than 52"):
        load_program(saved(tmp_path, sums(*rows)))


def test_json_is_told_apart_by_its_content(tmp_path: Path) -> None:
    program = sums([0, -1, -1, 0, [0.0, 7.0, 1.0]])
    assert Model.of(import_file(saved(tmp_path, program))).level == "wire"
    wrapped = {"meta": "ALIRModel", "spec_version": PACKED, "model": program}
    assert Model.of(import_file(saved(tmp_path, wrapped))).level == "wire"
    packed = tmp_path / "net.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(program).encode()))
    assert Model.of(import_file(packed)).level == "wire"
    with pytest.raises(KanError, match=r"config\.json"):
        import_file(saved(tmp_path, {"0_0_0": {"acive": 1, "values_int": [0, 1]}}))
    assert original_of(saved(tmp_path, {})) is None
    with pytest.raises(KanError, match="the frontend program has no tables whose entries might"):
        import_file(saved(tmp_path, program), ImportOptions(table_overflow="wrap"))


@pytest.mark.parametrize(
    "path, name",
    [
        ("jets/program.json", "jets"),
        ("jets/model/comb.json.gz", "jets"),
        ("my-net.json", "my_net"),
        ("3.json", "kan_3"),
    ],
)
def test_function_names(path: str, name: str) -> None:
    assert function_name(Path(path)) == name


def test_a_constant_output(tmp_path: Path) -> None:
    content = sums([0, -1, 5, 3, [1.5, 1.5, 0.5]])
    content[0], content[2:5] = [1, 2], [[0, -1], [1, 0], [True, False]]
    program = read_program(saved(tmp_path, content))
    outputs = Model.of(build_module(program, "net")).run(np.zeros((2, 1)))
    np.testing.assert_array_equal(outputs, [[-3.0, 0.0]] * 2)
