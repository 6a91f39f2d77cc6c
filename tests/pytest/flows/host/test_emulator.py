"""The emulator in C, its Python module and its C++ class, against the integer model in NumPy."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Region, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, result_def
from xdsl.universe import Universe

import kan_dialect as kan
from fuzz.kinds import network_case
from kan_dialect.errors import KanError
from kan_dialect.flows.host import c_text, dataflow, emulator
from kan_dialect.flows.host.c_text import code_type, literal, smallest_type
from kan_dialect.flows.host.emulator import write_emulator
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.ir.constants import Array, IntArray
from kan_dialect.ir.semantics import Evaluable
from kan_dialect.ir.types import MAX_RANGE_BITS, IntType, int_type, range_of
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.decision import GreaterOp, PrecedesOp, SelectOp
from kan_dialect.ops.shift import ShiftOp, shift_range
from kan_dialect.ops.wire import ConstantOp, DelayOp, ExtractOp, MarkOp, SumOp, TableOp
from kan_dialect.passbase.pipeline import build_pipeline
from repository import EXAMPLES

EXAMPLE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]

CC = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(CC is None, reason="no C compiler is installed")
needs_cpp = pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler is installed")


@cache
def sanitizer() -> Sequence[str]:
    """Options that make undefined behaviour an error, where the compiler has them."""
    options = ["-fsanitize=undefined", "-fno-sanitize-recover=undefined"]
    command = [str(CC), *options, "-shared", "-fPIC", "-x", "c", "-", "-o", "/dev/null"]
    tried = subprocess.run(command, input=b"int x;", capture_output=True)
    return options if tried.returncode == 0 else []


def run_source(source: Path, interface: Interface, codes: IntArray) -> IntArray:
    """Output codes of a compiled emulator."""
    library = source.with_suffix(".so")
    options = ["-std=c99", *WARNINGS, "-O1", *sanitizer(), "-shared", "-fPIC"]
    subprocess.run([str(CC), *options, "-o", str(library), str(source)], check=True)
    dtype = np.int32 if code_type(interface) == "int32_t" else np.int64
    x = np.ascontiguousarray(codes, dtype=dtype)
    y = np.zeros((len(x), len(interface.outputs)), dtype=dtype)
    run = getattr(ctypes.CDLL(str(library)), f"{interface.name}_run")
    run.restype = ctypes.c_size_t
    pointers = [ctypes.c_void_p(each.ctypes.data) for each in (x, y)]
    assert run(ctypes.c_size_t(len(x)), *pointers) == len(x)
    return y.astype(np.int64)


def require_same(model: Model, interface: Interface, codes: IntArray, expected: IntArray) -> str:
    """Compile a model's emulator and compare; its text."""
    with tempfile.TemporaryDirectory() as folder:
        write_emulator(make_context(), Path(folder), model, interface)
        source = Path(folder, f"{interface.name}_emulator.c")
        np.testing.assert_array_equal(run_source(source, interface, codes), expected)
        return source.read_text()


def lowered(module: ModuleOp, passes: Sequence[str]) -> Model:
    """The model after the passes in front of hardware level."""
    context, module = make_context(), module.clone()
    for stage in build_pipeline(Universe.get_multiverse().all_passes, ",".join(passes)):
        if stage.name == "lower-kan-to-hw":
            break
        stage.apply(context, module)
    return Model.of(module)


def check_network(index: int) -> None:
    """A random network, from table level and from the IR in front of hardware.

    Without a head, so that both have the same outputs.
    """
    network, drawn = network_case("integers", 11, index)
    passes = [stage for stage in drawn if not stage.startswith("kan-add-head")]
    module = network.module()
    model = Model.of(module)
    interface = model.interface()
    codes = stimuli(interface, random=500, seed=index)
    expected = model.run_codes(codes)
    for each in (model, lowered(module, passes)):
        require_same(each, interface, codes, expected)


@given(st.integers(0, 1 << 30))
@settings(max_examples=10, deadline=None)
def test_random_networks(index: int) -> None:
    check_network(index)


@pytest.mark.ci
@given(st.integers(0, 1 << 30))
@settings(max_examples=30, deadline=None)
def test_many_random_networks(index: int) -> None:
    check_network(index)


def function_of(block: Block, results: Sequence[SSAValue], name: str = "wide") -> Model:
    """A function at wire level, verified."""
    block.add_op(func.ReturnOp(*results))
    kinds = [argument.type for argument in block.args], [value.type for value in results]
    function = func.FuncOp(name, kinds, Region(block))
    ModuleOp([function]).verify()
    return Model(function, "wire")


@st.composite
def wire_models(draw: st.DrawFn) -> Model:
    """Functions of any ops of wire level, on values of up to 62 bits."""
    bits = st.sampled_from([1, 3, 6, 12, 31, 32, 33, 40, 61])

    def kind() -> IntType:
        width = draw(bits)
        low = draw(st.sampled_from([0, -(1 << (width - 1)), -3, 5]))
        return IntType(low, low + (1 << width) - 1)

    block = Block(arg_types=[kind() for _ in range(draw(st.integers(1, 3)))])
    values: list[SSAValue] = list(block.args)

    def picked() -> SSAValue:
        return draw(st.sampled_from(values))

    def table(inputs: Sequence[SSAValue]) -> TableOp:
        rng = np.random.default_rng(draw(st.integers(0, 1 << 20)))
        sizes = [range_of(value).size for value in inputs]
        entries = rng.integers(-(1 << draw(bits)), 1 << draw(bits), sizes)
        care = rng.random(sizes) < 0.9 if draw(st.booleans()) else None
        return TableOp(inputs, entries, care=care)

    for _ in range(draw(st.integers(1, 9))):
        value = picked()
        known = range_of(value)
        match draw(st.sampled_from(["sum", "sum", "table", "table", "clamp", "shift", "bits"])):
            case "sum":
                others = [picked() for _ in range(draw(st.integers(0, 4)))]
                constant = ConstantOp(draw(st.integers(-(1 << 40), 1 << 40)))
                block.add_op(constant)
                summands = [value, *others, constant.result]
                ends = [sum(getattr(range_of(v), end) for v in summands) for end in ("low", "high")]
                if int(max(-ends[0], ends[1])).bit_length() < MAX_RANGE_BITS - 1:
                    values.append(block_add(block, SumOp(summands)))
            case "table":
                small = [v for v in values if range_of(v).bits <= 6]
                if small:
                    count = draw(st.integers(1, min(2, len(small))))
                    values.append(block_add(block, table(small[:count])))
            case "clamp":
                ends = sorted(draw(st.integers(known.low - 9, known.high + 9)) for _ in range(2))
                values.append(block_add(block, ClampOp(value, *ends)))
            case "shift":
                amount = draw(st.integers(-31, 31))
                if int(max(map(abs, shift_range(known, amount)))).bit_length() < MAX_RANGE_BITS - 1:
                    values.append(block_add(block, ShiftOp(value, amount)))
            case _:
                low = draw(st.integers(0, known.bits - 1))
                width = draw(st.integers(1, min(known.bits - low, MAX_RANGE_BITS - 1)))
                values.append(block_add(block, ExtractOp(value, low, width)))
        if draw(st.booleans()):
            block.add_op(MarkOp(values[-1], "node"))
            values.append(block_add(block, DelayOp(values[-1], 1)))
    results = [values[-1], *(picked() for _ in range(draw(st.integers(0, 2))))]
    return function_of(block, results)


def block_add(block: Block, op: Any) -> SSAValue:
    block.add_op(op)
    return op.results[0]


def check_wires(model: Model, seed: int) -> str:
    inputs, outputs = model.ports()
    # The results of these functions come in any cycle.
    interface = Interface("wide", inputs, outputs, latency=1)
    codes = stimuli(interface, random=200, seed=seed)
    columns = [codes[:, index] for index in range(codes.shape[1])]
    assert isinstance(model.op, func.FuncOp)
    return require_same(model, interface, codes, np.stack(evaluated(model.op, columns), axis=1))


def evaluated(function: func.FuncOp, columns: Sequence[IntArray]) -> list[Array]:
    """The definition: each op's own semantics, in order."""
    known: dict[SSAValue, Array] = dict(zip(function.args, columns, strict=True))
    for op in function.body.block.ops:
        if isinstance(op, func.ReturnOp):
            count = len(columns[0])
            return [np.broadcast_to(known[value], (count,)) for value in op.operands]
        assert isinstance(op, Evaluable)
        known.update(zip(op.results, op.evaluate([known[v] for v in op.operands]), strict=True))
    raise AssertionError


@given(wire_models(), st.integers(0, 100))
@settings(max_examples=12, deadline=None)
def test_random_wires(model: Model, seed: int) -> None:
    check_wires(model, seed)


def decisions(bits: int) -> Model:
    """All comparisons, of values that are too wide for tables."""
    block = Block(arg_types=[IntType(-(1 << bits), 1 << bits)] * 3)
    indices = [block_add(block, ConstantOp(index)) for index in range(3)]
    one, two, three = block.args
    first, second = (one, indices[0]), (two, indices[1])
    left = block_add(block, PrecedesOp(*first, *second))
    exchanged = [
        block_add(block, SelectOp(left, *pair))
        for order in ((first, second), (second, first))
        for pair in zip(*order, strict=True)
    ]
    smaller, third = exchanged[2:], (three, indices[2])
    left = block_add(block, PrecedesOp(*smaller, *third))
    larger = [block_add(block, SelectOp(left, *pair)) for pair in zip(smaller, third, strict=True)]
    greater = block_add(block, GreaterOp(larger[0], -5))
    return function_of(block, [*exchanged, *larger, greater])


@pytest.mark.parametrize("bits", [2, 25, 40])
def test_decisions(bits: int) -> None:
    """Equal values too: with few bits they are frequent, and boundary codes are the same."""
    check_wires(decisions(bits), bits)


@pytest.mark.parametrize("bits", [25, 40])
def test_wide_values_are_rounded_and_clamped(bits: int) -> None:
    """Of values that are too wide for tables: halves, and codes beyond either end."""
    block = Block(arg_types=[IntType(-(1 << bits), 1 << bits)])
    (wide,) = block.args
    results = [block_add(block, ShiftOp(wide, amount)) for amount in (1, 2, 3)]
    results.append(block_add(block, ClampOp(wide, -5, 1 << bits)))
    results.append(block_add(block, ClampOp(wide, -(1 << bits), 5)))
    check_wires(function_of(block, results), bits)


@pytest.mark.ci
@given(wire_models(), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_many_random_wires(model: Model, seed: int) -> None:
    check_wires(model, seed)


def test_partial_sums_may_leave_64_bits() -> None:
    """The whole sum has 61 bits; the sum of its first summands has more than 64."""
    block = Block(arg_types=[IntType(0, 7)])
    large = [block_add(block, TableOp(block.args, np.arange(8) << 58)) for _ in range(24)]
    small = [block_add(block, TableOp(block.args, -(np.arange(8) << 58))) for _ in range(24)]
    total = SumOp([*large, *small], result_type=int_type(0, 0))
    outputs = [block_add(block, total), block_add(block, SumOp([large[0], large[0]]))]
    assert "as_signed(" in check_wires(function_of(block, outputs), 0)


@pytest.mark.parametrize(("count", "words"), [(4, 1), (7, 2)])
def test_sums_share_words(count: int, words: int) -> None:
    """Nodes of 10 bits: one load and one addition an input and word, at most six lanes a word."""
    rng = np.random.default_rng(1)
    block = Block(arg_types=[IntType(-8, 7)] * 5)
    sums = [
        SumOp([block_add(block, TableOp([x], rng.integers(0, 200, 16))) for x in block.args])
        for _ in range(count)
    ]
    text = check_wires(function_of(block, [block_add(block, each) for each in sums]), 0)
    for word in range(words):
        assert text.count(f" w{word} += ") == 4
    assert f"w{words}" not in text


def test_long_functions_are_split(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (emulator, c_text):
        monkeypatch.setattr(module, "MAX_STATEMENTS", 3)
    model = integer_model(built)
    codes = stimuli(model.interface(), random=200)
    text = require_same(model, model.interface(), codes, model.run_codes(codes))
    assert "part1(x, s);" in text
    check_network(3)


def test_composed_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of many codes keep tables of their own, which no sums share."""
    monkeypatch.setattr(dataflow, "MAX_ENTRIES", 7)
    for index in range(3):
        check_network(index)


@irdl_op_definition
class PopulationOp(IRDLOperation, Evaluable):
    """The number of bits that are 1 in a number and in another one."""

    name = "their.population"
    left = operand_def(IntType)
    right = operand_def(IntType)
    ones = result_def(IntType)
    odd = result_def(IntType)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        ones = np.bitwise_count(operands[0]) + np.bitwise_count(operands[1])
        return ones.astype(np.int64), (ones % 2).astype(np.int64)


def population(bits: int) -> Model:
    block = Block(arg_types=[IntType(0, (1 << bits) - 1)] * 2)
    op = PopulationOp(operands=block.args, result_types=[IntType(0, 2 * bits), IntType(0, 1)])
    block.add_op(op)
    return function_of(block, [op.odd, block_add(block, SumOp([op.ones, block.args[0]]))])


def test_ops_of_others_become_tables() -> None:
    assert "[64]" in check_wires(population(3), 0)
    with pytest.raises(KanError, match=r"'their\.population' has too many input bits"):
        check_wires(population(11), 0)


def test_literals_are_those_of_c() -> None:
    assert literal(-(1 << 63)) == "(-9223372036854775807 - 1)"
    assert literal(1 << 31) == "0x80000000" and literal(-5) == "-5"
    assert smallest_type(-128, 127) == "int8_t" and smallest_type(0, 255) == "uint8_t"
    assert smallest_type(-1, 128) == "int16_t" and smallest_type(0, (1 << 64) - 1) == "uint64_t"
    with pytest.raises(ValueError, match="no integer type"):
        smallest_type(-1, 1 << 63)


def run_flow(*arguments: object) -> None:
    assert flow(*arguments) == 0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of wine, with the codec and the emulator in host/."""
    folder = tmp_path_factory.mktemp("emulator") / "wine"
    run_flow(
        *("build", EXAMPLE, "--calibration", DATA, "--bits", 6, "--fast", "-o", folder),
        *("--simulator", "none", "--no-check-passes"),
    )
    return folder


def loaded(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("wine_emulator", folder / "wine_emulator.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def wine(built: Path) -> ModuleType:
    return loaded(built / "host")


def integer_model(folder: Path) -> Model:
    stage = sorted((folder / "ir").glob("*-kan-fold-tables.mlir"))[0]
    return Model.of(parse_text(make_context(), stage.read_bytes(), str(stage)))


def test_predictions_are_those_of_the_integer_model(built: Path, wine: ModuleType) -> None:
    with np.load(DATA) as data:
        x, labels = data["x_test"], data["y_test"]
    model = integer_model(built)
    expected = model.run(x)
    np.testing.assert_array_equal(wine.predict(x), expected)
    np.testing.assert_array_equal(wine.predict(x[3]), expected[3])
    assert wine.classify(x[3]) == expected[3].argmax()
    report = json.loads((built / "report.json").read_text())
    assert float((wine.classify(x) == labels).mean()) == report["accuracy"]["integer"]
    codes = stimuli(model.interface(), random=100)
    for given_codes in (codes, codes.astype(np.int16), codes.tolist()):
        np.testing.assert_array_equal(wine.run_codes(given_codes), model.run_codes(codes))
    assert wine.run_codes(codes[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    "codes, message",
    [
        (np.zeros((2, 12), np.int64), r"expected 13 codes a sample, got shape \(2, 12\)"),
        (np.zeros((2, 13)), "expected integer codes, got float64"),
        (np.array([[0] * 13, [0, 64] + [0] * 11]), r"codes\[1, 1\] is 64; x1 takes 0 to 63"),
        (np.array([1 << 32] * 13), r"codes\[0\] is 4294967296; x0 takes 0 to 63"),
        (np.array([0] * 12 + [-1]), r"codes\[12\] is -1; x12 takes 0 to 63"),
    ],
)
def test_wrong_codes_are_refused(wine: ModuleType, codes: NDArray[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wine.run_codes(codes)


def test_wrong_samples_are_refused(wine: ModuleType) -> None:
    x = np.zeros((3, 13))
    x[1, 4] = np.nan
    with pytest.raises(ValueError, match=r"x\[1, 4\] is NaN"):
        wine.predict(x)
    with pytest.raises(ValueError, match=r"expected 13 values a sample, got shape \(3, 12\)"):
        wine.predict(x[:, 1:])


def test_the_library_is_compiled_once(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tmp_path / "host"
    shutil.copytree(built / "host", host, ignore=shutil.ignore_patterns("__pycache__"))
    x = np.zeros(13)
    expected = loaded(host).predict(x)
    kept = list((host / "__pycache__").glob("*.so"))
    assert len(kept) == 1

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("compiled again")

    again = loaded(host)
    monkeypatch.setattr(again.subprocess, "run", refuse)
    np.testing.assert_array_equal(again.predict(x), expected)
    monkeypatch.undo()
    # Another source is another library.
    source = host / "wine_emulator.c"
    source.write_text(source.read_text() + "#error broken\n")
    with pytest.raises(RuntimeError, match=r"(?s)cc.* failed:.*#error broken"):
        loaded(host).predict(x)


def test_a_missing_compiler_is_told(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(RuntimeError, match="needs a C compiler, and none is on PATH: install one"):
        loaded(built / "host").predict(np.zeros(13))


CPP = """
#include "wine.hpp"
#include <cstdio>
#include <limits>

int main()
{
    wine_network::inputs x;
    double value;
    while (std::scanf("%lf", &value) == 1) {
        x[0] = value;
        for (std::size_t i = 1; i < x.size(); ++i)
            if (std::scanf("%lf", &x[i]) != 1) return 1;
        const auto codes = wine_network::encode(x);
        const auto many = wine_network::run(std::vector<wine_network::input_codes>(3, codes));
        if (many[2] != wine_network::run(codes)) return 2;
        const auto y = wine_network::predict(x);
        std::printf("%zu", wine_network::classify(x));
        for (double each : y) std::printf(" %a", each);
        std::printf("\\n");
    }
    x[2] = std::numeric_limits<double>::quiet_NaN();
    try { wine_network::encode(x); return 3; } catch (const std::invalid_argument &) {}
    wine_network::input_codes codes{};
    codes[4] = 64;
    try { wine_network::run(codes); return 4; } catch (const std::out_of_range &) {}
    try { wine_network::run({{}, codes}); return 5; }
    catch (const std::out_of_range &error) { std::puts(error.what()); }
    return 0;
}
"""


@needs_cpp
def test_the_cpp_class(built: Path, tmp_path: Path) -> None:
    with np.load(DATA) as data:
        x = data["x_test"]
    (tmp_path / "main.cpp").write_text(CPP)
    host = built / "host"
    command = ["c++", "-std=c++17", *WARNINGS, "-I", str(host), str(tmp_path / "main.cpp")]
    # The source is C++17, too.
    command += ["-x", "c++", str(host / "wine_emulator.c"), "-o", str(tmp_path / "main")]
    subprocess.run(command, check=True)
    text = "\n".join(" ".join(map(repr, row)) for row in x.tolist())
    result = subprocess.run([tmp_path / "main"], input=text, capture_output=True, text=True)
    assert result.returncode == 0
    *rows, told = result.stdout.splitlines()
    assert told == "wine: a code of sample 1 is outside the range of its port"
    expected = integer_model(built).run(x)
    found = [row.split() for row in rows]
    assert [int(row[0]) for row in found] == expected.argmax(axis=1).tolist()
    numbers = [[float.fromhex(each) for each in row[1:]] for row in found]
    np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize("head", [("argmax",), ("top-k", "--k", 2), ("threshold",)])
def test_heads_decide(tmp_path: Path, head: tuple[object, ...]) -> None:
    """The class is what the hardware says; the emulator is that of the decided outputs."""
    folder = tmp_path / "wine"
    run_flow(
        *("build", EXAMPLE, "--calibration", DATA, "--bits", 5, "--fast", "-o", folder),
        *("--simulator", "none", "--no-check-passes", "--head", *head, "--certificate", "never"),
    )
    with np.load(DATA) as data:
        x = data["x_test"]
    network = integer_model(folder).run(x)
    found = loaded(folder / "host")
    if head[0] == "threshold":
        np.testing.assert_array_equal(found.predict(x), network > 0)
        return
    order = np.argsort(-network, axis=1, kind="stable")
    np.testing.assert_array_equal(found.classify(x), order[:, 0])
    np.testing.assert_array_equal(found.predict(x), order[:, : 1 if head[0] == "argmax" else 2])
    assert "static_cast<std::size_t>(y[0])" in (folder / "host" / "wine.hpp").read_text()


def test_the_api_loads_the_emulator(built: Path, tmp_path: Path) -> None:
    with np.load(DATA) as data:
        x = data["x_test"]
    expected = integer_model(built).run(x)
    np.testing.assert_array_equal(kan.Build(built).emulator().predict(x), expected)
    bare = tmp_path / "bare"
    shutil.copytree(built, bare)
    shutil.rmtree(bare / "host")
    with pytest.raises(KanError, match="bare has no emulator; build from the model"):
        kan.Build(bare).emulator()


def test_headers_of_a_design_go_together(built: Path) -> None:
    for order in (("codec", "emulator"), ("emulator", "codec")):
        text = "".join(f'#include "wine_{each}.h"\n' for each in order)
        command = [str(CC), "-std=c99", *WARNINGS, "-fsyntax-only", "-x", "c", "-"]
        subprocess.run(command, input=text, text=True, cwd=built / "host", check=True)


def test_builds_from_hardware_have_no_emulator(built: Path, tmp_path: Path) -> None:
    stage = sorted((built / "ir").glob("*-lower-kan-to-hw.mlir"))[0]
    folder = tmp_path / "wine"
    run_flow("build", stage, "-o", folder, "--simulator", "none", "-p", "canonicalize")
    report = json.loads((folder / "report.json").read_text())
    told = "there is no emulator: @wine began at hardware level, which has no integer model"
    assert any(warning.startswith(told) for warning in report["warnings"])
    assert not list((folder / "host").glob("*_emulator*"))


def test_folded_layers_behind_which_a_head_decides() -> None:
    """Their sums are sums of tables, of inputs that are read twice and narrower than the tables."""
    text = """
    func.func @net(%x: !kan.int<-1:2>, %y: !kan.int<0:1>) -> (!kan.int<2:21>, !kan.int<5:8>)
        attributes {kan.interval = 2 : i64} {
      %a, %b = kan.folded_by_input %x, %y, %x as "l" interval 2 tables dense<[[[0, 1, 2, 3],
        [9, 1, 4, 9], [0, 1, 3, 5]], [[0, 0, 0, 0], [9, 0, 1, 9], [0, 0, 0, 0]]]> :
        tensor<2x3x4xi8> from -1 bias dense<[3, 5]> : tensor<2xi8> :
        !kan.int<-1:2>, !kan.int<0:1>, !kan.int<-1:2> -> !kan.int<2:21>, !kan.int<5:8>
      func.return %a, %b : !kan.int<2:21>, !kan.int<5:8>
    }"""
    model = Model.of(parse_text(make_context(), text.encode(), "net.mlir"))
    codes = np.array([(x, y) for x in range(-1, 3) for y in (0, 1)])
    x, y = codes.T
    twice = np.array([0, 2, 5, 8])[x + 1]
    expected = np.stack([3 + twice + np.array([1, 4])[y], 5 + np.array([0, 1])[y]], axis=1)
    require_same(model, model.interface(), codes, expected)


def test_folded_layers_whose_edges_choose_among_shapes() -> None:
    text = """
    func.func @net(%x: !kan.int<-1:2>, %y: !kan.int<0:1>) -> !kan.int<-17:9>
        attributes {kan.interval = 2 : i64} {
      %a = kan.folded_shapes %x, %y as "l" interval 2 shapes dense<[[[0, 1, 2, 3], [9, 1, 4, 5]]]>
        : tensor<1x2x4xi8> from -1 choices dense<[[0, 1]]> : tensor<1x2xi8> factors
        dense<[[2, -4]]> : tensor<1x2xi8> bias dense<3> : tensor<1xi8> : !kan.int<-1:2>,
        !kan.int<0:1> -> !kan.int<-17:9>
      func.return %a : !kan.int<-17:9>
    }"""
    model = Model.of(parse_text(make_context(), text.encode(), "net.mlir"))
    codes = np.array([(x, y) for x in range(-1, 3) for y in (0, 1)])
    x, y = codes.T
    expected = 3 + 2 * (x + 1) - 4 * np.array([1, 4])[y]
    require_same(model, model.interface(), codes, expected[:, np.newaxis])
