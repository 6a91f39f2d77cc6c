"""Heads: the decision in hardware is the decision on the numbers that the outputs stand for."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ci_cases import others_in_ci
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, SSAValue
from xdsl.parser import Parser
from xdsl.passes import ModulePass

from kan_dialect.checking import Checker
from kan_dialect.devices.estimate import estimate
from kan_dialect.errors import KanError
from kan_dialect.flows.prove.prove import prove
from kan_dialect.flows.simulate.simulation import SimulatorName
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.types import int_type, range_of
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.head import Head, logit
from kan_dialect.model.model import Model
from kan_dialect.ops.decision import GreaterOp, PrecedesOp, SelectOp
from kan_dialect.ops.wire import ConstantOp, DelayOp, MarkOp, SumOp
from kan_dialect.passes.add_head import AddHeadPass
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.passes.schedule import SchedulePass
from repository import EXAMPLES

SIMULATOR: SimulatorName = "verilator" if find_simulator("icarus") is None else "icarus"
needs_simulator = pytest.mark.skipif(
    find_simulator(SIMULATOR) is None, reason="neither Icarus nor Verilator is installed"
)

deterministic = settings(derandomize=True, deadline=None, max_examples=60)


def order_of(row: list[int]) -> list[int]:
    """Indices of a row of numbers, the largest first, of equal ones the first: by definition."""
    return sorted(range(len(row)), key=lambda index: (-row[index], index))


def decided(kind: str, k: int, threshold: int, outputs: IntArray) -> IntArray:
    """The decisions (samples, n) on outputs (samples, outputs), without NumPy's argmax and sort."""
    rows: list[list[int]] = outputs.tolist()
    if kind == "threshold":
        return np.array([[int(number > threshold) for number in row] for row in rows])
    return np.array([order_of(row)[: 1 if kind == "argmax" else k] for row in rows])


def ranges(count: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Ranges of outputs: narrow ones tie often, and those of one number are constants."""
    low, size = st.integers(-9, 9), st.sampled_from([0, 1, 2, 5, 40])
    return st.lists(st.tuples(low, size), min_size=count, max_size=12)


def network(spans: list[tuple[int, int]]) -> ModuleOp:
    """A function whose outputs are its inputs; an input of one number is a constant output."""
    kinds = [int_type(low, low + size) for low, size in spans]
    block = Block(arg_types=[kind for kind in kinds if kind.size > 1])
    arguments = iter(block.args)
    results: list[SSAValue] = []
    for index, kind in enumerate(kinds):
        if kind.size > 1:
            value: SSAValue = next(arguments)
        else:
            block.add_op(op := ConstantOp(kind.low))
            value = op.result
        block.add_op(MarkOp(value, f"node{index}"))
        results.append(value)
    return module_of("net", block, *results)


def run(module: ModuleOp, *passes: ModulePass) -> Model:
    for stage in passes:
        stage.apply(make_context(), module)
        module.verify()
    return Model.of(module)


def samples(spans: list[tuple[int, int]], rng: np.random.Generator, count: int = 300) -> IntArray:
    """Outputs (samples, outputs): half of them are near each other."""
    lows = np.array([low for low, _ in spans])
    highs = lows + np.array([size for _, size in spans])
    free = rng.integers(lows, highs, (count, len(spans)), endpoint=True)
    level = rng.integers(lows.min(), highs.max(), (count, 1), endpoint=True)
    close = np.clip(level + rng.integers(-1, 1, free.shape, endpoint=True), lows, highs)
    return np.concatenate([free, close])


@pytest.mark.ci
@deterministic
@given(data=st.data())
def test_decisions_of_random_outputs(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["argmax", "threshold", "top-k"]))
    spans = data.draw(ranges(2).filter(lambda spans: any(size for _, size in spans)))
    k = data.draw(st.integers(1, len(spans)))
    # Above -1 is the sign.
    threshold = data.draw(st.just(-1) | st.integers(-12, 12))
    options = {"k": k} if kind == "top-k" else {}
    options |= {"threshold": float(threshold)} if kind == "threshold" else {}
    levels = data.draw(st.integers(1, 6))
    module = network(spans)
    plain = Model.of(module.clone())
    outputs = samples(spans, np.random.default_rng(0))
    codes = outputs[:, [size > 0 for _, size in spans]]
    np.testing.assert_array_equal(plain.run_codes(codes), outputs)
    expected = decided(kind, k, threshold, outputs)

    model = run(module, AddHeadPass(kind, **options))  # pyright: ignore[reportArgumentType]
    np.testing.assert_array_equal(model.run_codes(codes), expected)
    for port, column in zip(model.ports()[1], expected.T, strict=True):
        assert port.low <= column.min() and column.max() <= port.high
        assert port.high < max(len(spans), 2)
    circuit = run(module, NarrowPass(), SchedulePass(levels=levels), LowerKanToHwPass())
    np.testing.assert_array_equal(circuit.run_codes(codes), expected)


@deterministic
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 4)), min_size=4, max_size=4))
def test_ranges_of_candidates_are_exact(spans: list[tuple[int, int]]) -> None:
    """Every end of a result's range comes, unless the indices meet, and nothing beyond it."""
    value = [(low, low + size) for low, size in spans[:2]]
    index = [(abs(spans[2][0]), abs(spans[2][0]) + spans[2][1])]
    index.append((index[0][1] + 1, index[0][1] + 1 + spans[3][1]))
    kinds = [int_type(*each) for pair in zip(value, index, strict=True) for each in pair]
    grid = np.meshgrid(*(np.arange(kind.low, kind.high + 1) for kind in kinds), indexing="ij")
    columns = [axis.ravel() for axis in grid]
    block = Block(arg_types=kinds)
    left, left_index, right, right_index = block.args
    precedes = PrecedesOp(*block.args)
    late = DelayOp(precedes, 1)  # Registers may stand between.
    pairs = [(left, right), (left_index, right_index)]
    chosen = [
        SelectOp(late, *pair) for one, other in pairs for pair in ((one, other), (other, one))
    ]
    first = precedes.evaluate(columns)
    values = dict(zip(block.args, columns, strict=True))
    results = [op.evaluate([first[0], values[op.one], values[op.other]]) for op in chosen]
    for op, (got,) in zip([precedes, *chosen], [first, *results], strict=True):
        kind = range_of(op.result)
        assert (kind.low, kind.high) == (int(got.min()), int(got.max()))


def test_thresholds_are_decided_on_decoded_numbers() -> None:
    scales = (0.1, 0.3, 0.7)
    kind = "!kan.int<-20:20>"
    text = ", ".join(f"{kind} {{kan.encoding = !quant.uniform<i8:f64, {s}:3>}}" for s in scales)
    arguments = ", ".join(f"%{name}: {kind}" for name in "xyz")
    body = f"func.return %x, %y, %z : {kind}, {kind}, {kind}"
    source = f"func.func @f({arguments}) -> ({text}) {{ {body} }}"
    codes = np.repeat(np.arange(-20, 21)[:, np.newaxis], 3, axis=1)
    real = (codes - 3) * np.array(scales)
    for threshold in (0.0, 0.7, 0.30000000000000004, -0.6, 2.1, 100.0, -100.0):
        module = parsed(source)
        model = run(module, AddHeadPass("threshold", threshold))
        np.testing.assert_array_equal(model.run_codes(codes), real > threshold)
    model = run(parsed(source), AddHeadPass("threshold", probability=0.75))
    sigmoid = 1 / (1 + np.exp(-real))
    np.testing.assert_array_equal(model.run_codes(codes), sigmoid > 0.75)
    assert logit(0.75) == pytest.approx(np.log(3))


@pytest.mark.parametrize("kind", ["argmax", "top-k"])
def test_outputs_of_other_scales_are_compared_as_numbers(kind: Any) -> None:
    """Zero points, and scales by powers of two, differ from output to output."""
    scales, zeros = [0.25, 1.0, 0.5], [3, -2, 0]
    integer = "!kan.int<-20:20>"
    text = ", ".join(
        f"{integer} {{kan.encoding = !quant.uniform<i8:f64, {scale}:{zero}>}}"
        for scale, zero in zip(scales, zeros, strict=True)
    )
    arguments = ", ".join(f"%{name}: {integer}" for name in "xyz")
    body = f"func.return %x, %y, %z : {integer}, {integer}, {integer}"
    module = parsed(f"func.func @f({arguments}) -> ({text}) {{ {body} }}")
    codes: IntArray = np.random.default_rng(0).integers(-20, 20, (2000, 3), endpoint=True)
    quarters = (codes - zeros) * np.array([1, 4, 2])
    model = run(module, AddHeadPass(kind))
    np.testing.assert_array_equal(model.run_codes(codes), decided(kind, 2, 0, quarters))


def parsed(text: str) -> ModuleOp:
    return Parser(make_context(), text).parse_module()


def test_a_threshold_takes_the_sums_constant() -> None:
    """The constant goes into a table of the sum, and the sign is a wire: no LUT more."""
    t = "dense<[1, -5, 14, 3, 8, 2, -1, 15]> : tensor<8xi8> : !kan.int<0:7>"
    u = "dense<[3, 15, -4, 2, 7, 1, 4, 9]> : tensor<8xi8> : !kan.int<0:7>"
    source = f"""
    func.func @f(%x: !kan.int<0:7>, %y: !kan.int<0:7>) -> !kan.int<-9:30> {{
      %t = kan.table %x as "t" entries {t} -> !kan.int<-5:15>
      %u = kan.table %y as "u" entries {u} -> !kan.int<-4:15>
      %s = kan.sum %t, %u as "s" : !kan.int<-5:15>, !kan.int<-4:15> -> !kan.int<-9:30>
      kan.mark %s as "node" offset 0 cycle 0 : !kan.int<-9:30>
      func.return %s : !kan.int<-9:30>
    }}
    """
    passes = NarrowPass(), BalanceSumsPass()
    plain, headed = parsed(source), parsed(source)
    before = run(plain, *passes)
    after = run(headed, AddHeadPass("threshold", 9.0), *passes)
    codes = np.stack(np.meshgrid(np.arange(8), np.arange(8)), axis=-1).reshape(-1, 2)
    np.testing.assert_array_equal(after.run_codes(codes), before.run_codes(codes) > 9)
    ops = [op for op in headed.walk() if isinstance(op, (ConstantOp, SumOp, GreaterOp))]
    assert [type(op) for op in ops] == [SumOp, GreaterOp]
    assert isinstance(before.op, func.FuncOp) and isinstance(after.op, func.FuncOp)
    assert estimate(after.op).luts <= estimate(before.op).luts + 1


def test_a_wrong_head_is_not_proven(tmp_path: Path) -> None:
    spans = [(-2000, 4000), (-2000, 4000), (-2000, 4000)]
    module = network(spans)
    integer = run(module, AddHeadPass("argmax")).op.clone()
    assert isinstance(integer, func.FuncOp)
    circuit = run(module, SchedulePass(), LowerKanToHwPass())
    text = emit_systemverilog(module)
    rtl = tmp_path / "net.sv"
    for right, wrong in (
        (" >= ", " > "),  # of equal outputs, the last one
        ("head0_left ? x0 : x1", "head0_left ? x1 : x0"),
        ("head0_left ? 1'b0 : 1'b1", "head0_left ? 1'b1 : 1'b0"),
    ):
        assert right in text
        rtl.write_text(text.replace(right, wrong, 1))
        assert not prove(rtl, Model(integer, "wire"), circuit).proven


def test_the_check_of_passes_finds_a_wrong_head(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = [(0, 3), (0, 3), (0, 3)]
    right = Checker(seed=0).apply(make_context(), AddHeadPass("argmax"), network(spans))
    right.require_passed()
    assert right.functions[0].exhaustive

    def last_of_equal(left: Any, left_index: Any, right: Any, right_index: Any) -> Any:
        return left > right

    monkeypatch.setattr("kan_dialect.ops.decision.is_first", last_of_equal)
    wrong = Checker(seed=0).apply(make_context(), AddHeadPass("argmax"), network(spans))
    with pytest.raises(KanError, match="output y0 is 2 where 0 was expected"):
        wrong.require_passed()


def codec_of(folder: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location("codec", folder / "host" / f"{name}_codec.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("options", "head"),
    others_in_ci(
        [
            (["--head", "argmax"], Head("argmax", 3)),
            (["--head", "top-k", "--k", "2"], Head("top-k", 3, k=2)),
            (
                ["--head", "threshold", "--probability", "0.9"],
                Head("threshold", 3, logit(0.9), probability=0.9),
            ),
        ]
    ),
)
@needs_simulator
def test_builds(options: list[str], head: Head, tmp_path: Path) -> None:
    data = EXAMPLES / "wine.npz"
    common = [
        "--calibration",
        str(data),
        "--bits",
        "5",
        "--vectors",
        "500",
        "--simulator",
        SIMULATOR,
    ]
    folders = {"with": tmp_path / "with", "without": tmp_path / "without"}
    for name, added in (("with", options), ("without", [])):
        model = str(EXAMPLES / "wine.onnx")
        assert flow("build", model, "-o", folders[name], *common, *added) == 0
    report = json.loads((folders["with"] / "report.json").read_text())
    plain = json.loads((folders["without"] / "report.json").read_text())
    assert report["head"] == head.as_dict() | {
        "decision": head.describe(),
        "agreement": report["head"]["agreement"],
        **({} if head.kind == "threshold" else {"accuracy": report["head"]["accuracy"]}),
    }
    for key in ("accuracy", "max_abs_error"):
        assert report[key] == plain[key]
    assert report["outputs"] == head.outputs
    assert "decision has no error bound" in report["certificate"]["none"]
    assert report["simulation"]["mismatches"] == 0
    x = np.load(data)["x_test"]
    codecs = {name: codec_of(folder, "wine") for name, folder in folders.items()}
    codes = codecs["with"].encode(x)
    np.testing.assert_array_equal(codes, codecs["without"].encode(x))
    models = {
        name: Model.of(parsed(max((folder / "ir").glob("*lower*")).read_text()))
        for name, folder in folders.items()
    }
    outputs = codecs["without"].decode(models["without"].run_codes(codes))
    decisions = codecs["with"].decode(models["with"].run_codes(codes))
    np.testing.assert_array_equal(decisions, head.decide(outputs))
    if head.kind == "argmax":
        right = float((decisions[:, 0] == np.load(data)["y_test"]).mean())
        assert right == report["head"]["accuracy"] == report["accuracy"]["integer"]
    assert flow("prove", folders["with"]) == 0
    assert flow("simulate", folders["with"], "--simulator", SIMULATOR) == 0


def test_one_output_is_not_compared() -> None:
    with pytest.raises(KanError, match="has 1 output, and head argmax compares outputs"):
        run(network([(0, 7)]), AddHeadPass("argmax"))
