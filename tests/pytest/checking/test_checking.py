"""The check of every pass: bugs put into passes are found, named and located; right passes pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects import func, test
from xdsl.dialects.builtin import (
    DictionaryAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    i64,
)
from xdsl.parser import Parser
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.quantization_points import spline_functions
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.checking import Checker, PassCheck
from kan_dialect.checking.samples import code_samples, real_samples
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.constants import Array, FloatArray, IntArray, dense, to_floats, to_integers
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.lowering import hw_builder, kan_to_hw
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode
from kan_dialect.ops import shift as shift_op
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp
from kan_dialect.ops.table import TablesOp
from kan_dialect.ops.wire import DelayOp, MarkOp, SumOp, TableOp
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passes import (
    expand_wires,
    fold_affine,
    fold_tables,
    narrow,
    schedule,
)
from kan_dialect.passes.calibrate import observe
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.search import calibrated_codes
from kan_dialect.search.adder_trees.tree import AdderTree
from kan_dialect.search.scales import SCALE_METHODS

NETWORK = """
func.func @net(%x: tensor<3xf32>) -> tensor<2xf32> {
  %e0 = kan.bspline %x as "layer0" degree 1 extend knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
    coefficients dense<[[[0.5, -1.0, 0.25], [1.0, 0.5, -0.5], [0.25, 0.0, 1.0]],
                        [[-0.5, 1.0, 0.0], [0.0, 0.25, 0.5], [1.0, -1.0, 1.0]]]> : tensor<2x3x3xf32>
    : tensor<3xf32> -> tensor<2x3xf32>
  %n0 = kan.node_sum %e0 as "layer0" mask dense<[[1, 1, 1], [1, 0, 1]]> : tensor<2x3xi8>
    bias dense<[0.125, -0.25]> : tensor<2xf32> : tensor<2x3xf32> -> tensor<2xf32>
  %a = kan.affine %n0 scale dense<[0.5, -2.0]> : tensor<2xf32> bias dense<[0.25, 0.0]>
    : tensor<2xf32> : tensor<2xf32>
  %e1 = kan.base "silu" %a as "layer1" weights dense<[[1.0, -1.0], [0.5, 2.0]]> : tensor<2x2xf32>
    : tensor<2xf32> -> tensor<2x2xf32>
  %n1 = kan.node_sum %e1 as "layer1" : tensor<2x2xf32> -> tensor<2xf32>
  func.return %n1 : tensor<2xf32>
}
"""

COMPILER = CompilePass(bits=4, guard_bits=2, levels=1)


def parse(text: str) -> ModuleOp:
    return Parser(make_context(), text).parse_module()


def run_checked(text: str, passes: list[ModulePass], checker: Checker) -> list[PassCheck]:
    """The checks of passes, up to the first that fails."""
    module = parse(text)
    checks: list[PassCheck] = []
    for one in passes:
        checks.append(checker.apply(Context(), one, module))
        if checks[-1].failed:
            break
    return checks


# Right passes


@pytest.mark.parametrize(
    "compiler",
    [
        COMPILER,
        CompilePass(bits=8, per_tensor=True),
        CompilePass(bits=(3, 5, 7), cycles=7),
        CompilePass(bits=2, combinational=True),
    ],
)
def test_the_default_pipeline_passes(compiler: CompilePass) -> None:
    checks = run_checked(NETWORK, list(compiler.expand()), Checker())
    for check in checks:
        assert check.failed is None, check.summary()
    assert [check.name for check in checks[-2:]] == ["lower-kan-to-hw", "kan-form-carry-chains"]
    by_name = {check.name: check.functions[0] for check in checks}
    for name in ("kan-fold-tables", "kan-expand-wires", "kan-narrow", "kan-schedule"):
        assert by_name[name].nodes == 4, name
    for name in ("lower-kan-to-hw", "kan-form-carry-chains"):
        assert by_name[name].nodes >= 3, name
    trade = by_name["kan-quantize"].trade
    assert trade is not None and 0 < trade.mean < trade.largest < 10


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    samples=st.integers(1, 60),
    kinds=st.lists(st.sampled_from(["normal", "tails", "constant", "few"]), min_size=3, max_size=3),
    places=st.lists(st.sampled_from([0.0, 1e-3, -7.0, 1e6]), min_size=3, max_size=3),
    sizes=st.lists(st.sampled_from([1e-9, 1e-2, 1.0, 1e5]), min_size=3, max_size=3),
    bits=st.integers(1, 12),
    bins=st.sampled_from([1, 7, 512]),
    scale=st.sampled_from(SCALE_METHODS),
    shared=st.sampled_from(["", "per_tensor", "per_layer"]),
)
def test_quantisation_keeps_what_it_promises(
    seed: int,
    samples: int,
    kinds: list[str],
    places: list[float],
    sizes: list[float],
    bits: int,
    bins: int,
    scale: str,
    shared: str,
) -> None:
    """However few samples there are, and whatever they look like: no false alarm."""
    rng = np.random.default_rng(seed)
    columns = {
        "normal": lambda: rng.normal(size=samples),
        "tails": lambda: np.clip(rng.standard_cauchy(samples), -1e4, 1e4),
        "constant": lambda: np.zeros(samples),
        "few": lambda: rng.integers(0, 3, samples).astype(np.float64),
    }
    x = [
        place + size * columns[kind]()
        for kind, place, size in zip(kinds, places, sizes, strict=True)
    ]
    stage = QuantizePass(bits=bits, scale=scale, **({shared: True} if shared else {}))
    try:
        assert violation(stage, np.stack(x, axis=1), bins) is None
    except KanError as error:
        assert "its sums need" in str(error)  # the sums of nodes that hardly vary


def violation(stage: QuantizePass, x: FloatArray, bins: int) -> str | None:
    """What the network that the pass makes, calibrated on x (samples, 3), does not keep."""
    module = parse(NETWORK)
    (function,) = spline_functions(module)
    observe(function, [x], bins)
    before = module.clone()
    stage.apply(Context(), module)
    old, new = (next(op for op in m.ops if isinstance(op, func.FuncOp)) for m in (before, module))
    return stage.violation(old, new)


@pytest.mark.parametrize(
    ("scale", "steps", "shift", "message"),
    [
        ("minmax", 0.5, 0.0, "was recorded"),
        ("minmax", 1.0, 0.4, "was recorded"),
        ("percentile", 1.0, 0.4, "was recorded"),
        ("mse", 1.0, 0.4, "was recorded"),
        ("mse", 0.5, 0.0, "a mean squared error of"),
        ("minmax", 2.0, 0.0, "steps of"),
    ],
)
def test_codes_that_cut_off_what_was_seen_are_found(
    scale: str, steps: float, shift: float, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scales so many times what they should be, and zero points off by a share of the codes."""
    original = calibrated_codes.scales_and_zero_points

    def spoilt(ranges: FloatArray, bits: int) -> tuple[FloatArray, IntArray]:
        scales, points = original(ranges, bits)
        return scales * steps, points + int(shift * 2**bits)

    monkeypatch.setattr(calibrated_codes, "scales_and_zero_points", spoilt)
    x = np.random.default_rng(0).normal(size=(200, 3))
    problem = violation(QuantizePass(bits=6, scale=scale), x, 512)
    assert problem is not None and message in problem
    monkeypatch.undo()
    assert violation(QuantizePass(bits=6, scale=scale), x, 512) is None


def test_few_inputs_are_all_compared() -> None:
    checks = run_checked(NETWORK, list(CompilePass(bits=2).expand()), Checker())
    found = checks[-1].functions[0]
    assert found.exhaustive and found.samples == 4**3
    assert "exact on all 64 inputs, 4 nodes" in checks[-1].summary()


def test_every_stage_may_come_first() -> None:
    """Samples are chosen at whatever level the module is at."""
    for start in range(1, 8):
        module = parse(NETWORK)
        passes = COMPILER.passes()
        for one in passes[:start]:
            one.apply(Context(), module)
        checks = run_checked(str(module), list(passes[start:]), Checker())
        assert all(check.failed is None and check.functions for check in checks)


def test_a_pass_that_changes_nothing_is_not_evaluated() -> None:
    (check,) = run_checked(NETWORK, [NarrowPass()], Checker())
    assert check.summary() == "kan-narrow: changed nothing"


# Bugs


@dataclass(frozen=True)
class Bug:
    """A mistake in a pass, as somebody could make it."""

    guilty: str
    install: Callable[[pytest.MonkeyPatch], None]
    where: str = ""
    """What the message must name."""


def after_run(
    of: type[KanPass] | type[kan_to_hw.Lowering], spoil: Callable[[ModuleOp], None]
) -> Callable[[pytest.MonkeyPatch], None]:
    """A mistake made on the module that the pass leaves."""

    def install(patch: pytest.MonkeyPatch) -> None:
        original = of.run

        def run(self: KanPass, ctx: Context, module: ModuleOp) -> bool:
            done = original(self, ctx, module)  # pyright: ignore
            if done:
                spoil(module)
            return done

        patch.setattr(of, "run", run)

    return install


def tables(module: ModuleOp) -> list[TableOp]:
    return [op for op in module.walk() if isinstance(op, TableOp)]


def flip_a_bit(module: ModuleOp) -> None:
    table = tables(module)[3]
    entries = table.entries_array
    kind = range_of(table.result)
    entry = next(i for i, e in enumerate(entries.tolist()) if kind.contains(e ^ 1, e ^ 1))
    entries[entry] ^= 1
    table.entries = dense(entries)


def flip_the_last_entry_of_a_hidden_table(module: ModuleOp) -> None:
    table = tables(module)[-1]
    entries = table.entries_array
    entries[-1] += 1 if entries[-1] < range_of(table.result).high else -1
    table.entries = dense(entries)


def forget_to_care(module: ModuleOp) -> None:
    table = tables(module)[0]
    care = np.ones(table.entries_array.shape, dtype=np.int8)
    care[2] = 0
    table.care = dense(care)


def remove_a_register(module: ModuleOp) -> None:
    delays = [op for op in module.walk() if isinstance(op, DelayOp)]
    Rewriter.replace_op(delays[len(delays) // 2], (), [delays[len(delays) // 2].input])


def add_a_register(module: ModuleOp) -> None:
    (function,) = wire_functions(module)
    op = next(op for op in function.body.block.ops if isinstance(op, DelayOp))
    op.cycles = IntegerAttr(2, i64)


def swap_two_registers(module: ModuleOp) -> None:
    delays = [op for op in module.walk() if isinstance(op, DelayOp)]
    one = next(
        (a, b)
        for a in delays
        for b in delays
        if a is not b
        and a.input is not b.input
        and a.input.type == b.input.type
        and a.input.owner is b.input.owner
    )
    first, second = one[0].input, one[1].input
    one[0].operands[0], one[1].operands[0] = second, first


def say_another_latency(module: ModuleOp) -> None:
    (function,) = wire_functions(module)
    function.attributes["kan.latency"] = IntegerAttr(2, i64)


def drop_a_mark(module: ModuleOp) -> None:
    mark = next(op for op in module.walk() if isinstance(op, MarkOp))
    Rewriter.erase_op(mark)


def wrong_constant_of_a_term(patch: pytest.MonkeyPatch) -> None:
    term = narrow._Term  # pyright: ignore
    patch.setattr(
        narrow, "_Term", lambda values, constant, name=None: term(values, constant + 1, name)
    )


def entries_off_by_one(patch: pytest.MonkeyPatch) -> None:
    reachable = narrow._reachable  # pyright: ignore
    patch.setattr(
        narrow, "_reachable", lambda e, axis, *k: np.roll(reachable(e, axis, *k), 1, axis)
    )


def drop_a_carry(patch: pytest.MonkeyPatch) -> None:
    """It is 0 or a power of two, so that all types still fit."""
    take = AdderTree._take_carry  # pyright: ignore[reportPrivateUsage]
    patch.setattr(AdderTree, "_take_carry", lambda self, zeros: take(self, zeros)[:0])  # type: ignore


def saturate_early(module: ModuleOp) -> None:
    clamp = next(op for op in module.walk() if isinstance(op, ClampOp))
    target = range_of(clamp.result)
    early = ClampOp(clamp.input, target.low, target.high - 1)
    Rewriter.insert_op(early, InsertPoint.before(clamp))
    clamp.operands[0] = early.result


def round_down(patch: pytest.MonkeyPatch) -> None:
    """Shifts in hardware that cut off, in place of rounding half to even."""
    original = shift_op.shifted

    def shift(build: HwBuilder, *arguments: object, **more: object) -> object:
        constant, build.constant = build.constant, lambda value, bits: constant(0, bits)  # type: ignore
        try:
            return original(build, *arguments, **more)  # type: ignore
        finally:
            build.constant = constant  # type: ignore

    patch.setattr(shift_op, "shifted", shift)


def extend_by_zeros(patch: pytest.MonkeyPatch) -> None:
    original = HwBuilder.resized
    patch.setattr(
        HwBuilder,
        "resized",
        lambda self, wire, bits, target, signed: original(self, wire, bits, target, False),
    )


def pack_backwards(patch: pytest.MonkeyPatch) -> None:
    original = hw_builder.pack
    patch.setattr(hw_builder, "pack", lambda entries, bits: original(entries[::-1], bits))


def wrong_offset_in_hardware(patch: pytest.MonkeyPatch) -> None:
    original = kan_to_hw.Lowering.mark

    def mark(self: kan_to_hw.Lowering, op: MarkOp) -> None:
        original(self, op)
        node = self.nodes[-1]
        self.nodes[-1] = NodeAttr(
            node.node, node.signal, node.values, node.cycle, node.offset + 1, node.within
        )

    patch.setattr(kan_to_hw.Lowering, "mark", mark)


def wrong_cycle_in_hardware(patch: pytest.MonkeyPatch) -> None:
    original = kan_to_hw.Lowering.mark

    def mark(self: kan_to_hw.Lowering, op: MarkOp) -> None:
        original(self, op)
        node = self.nodes[-1]
        self.nodes[-1] = NodeAttr(
            node.node, node.signal, node.values, node.cycle + 1, node.offset, node.within
        )

    patch.setattr(kan_to_hw.Lowering, "mark", mark)


def late_valid(patch: pytest.MonkeyPatch) -> None:
    original = kan_to_hw.Lowering.valid_chain
    patch.setattr(
        kan_to_hw.Lowering,
        "valid_chain",
        lambda self, valid, ready, latency: original(self, valid, ready, latency + 1),
    )


def swap_outputs(patch: pytest.MonkeyPatch) -> None:
    original = expand_wires._Expansion.finish  # pyright: ignore

    def finish(self: expand_wires._Expansion, *arguments: object) -> func.FuncOp:  # pyright: ignore
        for value, wires in self.wires.items():
            if isinstance(value.owner, NodeSumOp):
                self.wires[value] = wires[::-1]
        return original(self, *arguments)  # pyright: ignore

    patch.setattr(expand_wires._Expansion, "finish", finish)  # pyright: ignore


def wrong_offset_of_marks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        expand_wires, "MarkOp", lambda value, node, **more: MarkOp(value, node, offset=1, **more)
    )


def swap_scales(patch: pytest.MonkeyPatch) -> None:
    original = expand_wires.argument_attributes

    def doubled(
        encoding: UniformQuantizedType, affine: tuple[float, float] | None = None
    ) -> DictionaryAttr:
        scales = UniformQuantizedType(4, False, encoding.scales * 2, encoding.zero_points)
        return original(scales, affine)

    patch.setattr(expand_wires, "argument_attributes", doubled)


def truncate_tables(patch: pytest.MonkeyPatch) -> None:
    original = fold_tables.code_table
    patch.setattr(
        fold_tables,
        "code_table",
        lambda values, scale, *more: original(np.floor(values / scale) * scale, scale, *more),
    )


def lose_the_bias(patch: pytest.MonkeyPatch) -> None:
    original = fold_affine._parameters  # pyright: ignore
    patch.setattr(fold_affine, "_parameters", lambda op: (original(op)[0], 0 * original(op)[1]))


BUGS = {
    "fold-affine loses a bias": Bug("kan-fold-affine", lose_the_bias, "output y0"),
    "tables truncated": Bug("kan-fold-tables", truncate_tables, "node layer0_node0"),
    "outputs swapped": Bug("kan-expand-wires", swap_outputs, "output y0"),
    "wrong offset of marks": Bug("kan-expand-wires", wrong_offset_of_marks, "node layer0_node0"),
    "wrong scales at the ports": Bug("kan-expand-wires", swap_scales, "scale of x0"),
    "saturates one code early": Bug(
        "kan-expand-wires", after_run(ExpandWiresPass, saturate_early), "node layer0_node0"
    ),
    "a bit of a table flipped": Bug("kan-narrow", after_run(NarrowPass, flip_a_bit), "layer0_node"),
    "last entry of a hidden table": Bug(
        "kan-narrow", after_run(NarrowPass, flip_the_last_entry_of_a_hidden_table), "layer1_node1"
    ),
    "offset off by one": Bug("kan-narrow", wrong_constant_of_a_term, "layer0_node0"),
    "entries off by one": Bug("kan-narrow", entries_off_by_one, "layer0_node0"),
    "an entry that matters": Bug(
        "kan-narrow", after_run(NarrowPass, forget_to_care), "layer0_node"
    ),
    "a mark dropped": Bug("kan-narrow", after_run(NarrowPass, drop_a_mark), "mark of node layer0"),
    "a carry dropped": Bug("kan-balance-sums", drop_a_carry, "layer1_node0"),
    "a register missing": Bug(
        "kan-schedule", after_run(schedule.SchedulePass, remove_a_register), "cycle"
    ),
    "a register too many": Bug(
        "kan-schedule", after_run(schedule.SchedulePass, add_a_register), "cycle"
    ),
    "another latency": Bug(
        "kan-schedule", after_run(schedule.SchedulePass, say_another_latency), "latency of 2"
    ),
    "shift rounds down": Bug("lower-kan-to-hw", round_down, "layer0_node"),
    "zeros for signs": Bug("lower-kan-to-hw", extend_by_zeros, "node layer0_node0"),
    "tables backwards": Bug("lower-kan-to-hw", pack_backwards, "layer0_node0"),
    "wrong offset in hardware": Bug("lower-kan-to-hw", wrong_offset_in_hardware, "layer0_node0"),
    "wrong cycle in hardware": Bug("lower-kan-to-hw", wrong_cycle_in_hardware, "layer0_node0"),
    "valid a cycle late": Bug("lower-kan-to-hw", late_valid, "out_valid"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_found_in_the_pass_that_has_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bug = BUGS[name]
    bug.install(monkeypatch)
    *good, bad = run_checked(NETWORK, list(COMPILER.expand()), Checker())
    assert bad.failed is not None, "the bug was not found"
    assert bad.name == bug.guilty, bad.summary()
    assert all(check.failed is None for check in good)
    with pytest.raises(KanError) as raised:
        bad.require_passed(tmp_path / "failure")
    message = str(raised.value)
    assert message.startswith(f"{bug.guilty} does not keep the function @net: ")
    assert bug.where in message and "before.mlir" in message


def test_what_is_written_shows_the_difference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    BUGS["a bit of a table flipped"].install(monkeypatch)
    bad = run_checked(NETWORK, list(COMPILER.expand()), Checker())[-1]
    with pytest.raises(KanError):
        bad.require_passed(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".kan-files",
        "after.mlir",
        "before.mlir",
        "sample.npz",
    ]
    other = tmp_path / "other"
    other.mkdir()
    (other / "before.mlir").write_text("mine")
    with pytest.raises(KanError, match=r"were not kept: .* is not empty, and --check-passes did"):
        bad.require_passed(other)
    assert [path.read_text() for path in other.iterdir()] == ["mine"]
    before, after = (
        Model.of(parse((tmp_path / name).read_text())) for name in ("before.mlir", "after.mlir")
    )
    sample = np.load(tmp_path / "sample.npz")
    np.testing.assert_array_equal(before.run_codes(sample["codes"])[0], sample["expected"])
    np.testing.assert_array_equal(after.run_codes(sample["codes"])[0], sample["got"])
    hidden = [model.run_nodes(sample["codes"])[1] for model in (before, after)]
    assert hidden[0] != hidden[1]
    # The numbers have these codes.
    np.testing.assert_array_equal(encode(before.ports()[0], sample["x"]), sample["codes"])


# Passes of others


@dataclass(frozen=True)
class HalveWeights(ModulePass):
    """A plain pass of xDSL, which says nothing of what it preserves."""

    name = "halve-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in op.walk():
            if isinstance(inner, BSplineOp):
                inner.coefficients = dense(to_floats(inner.coefficients) * 0.5)


@dataclass(frozen=True)
class TradingPass(HalveWeights):
    """The same, but it says so."""

    name = "halve-weights-knowingly"
    preserves = "half of it"


@dataclass(frozen=True)
class UnknownOpPass(ModulePass):
    """Brings in an op that nobody can evaluate."""

    name = "bring-in"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in list(op.walk()):
            if isinstance(inner, NodeSumOp):
                unknown = test.TestOp([inner.edges], [inner.edges.type])
                Rewriter.insert_op(unknown, InsertPoint.before(inner))
                inner.operands[0] = unknown.results[0]


@dataclass(frozen=True)
class OverflowPass(ModulePass):
    """Leaves a sum that its type does not hold."""

    name = "overflow"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in op.walk():
            if isinstance(inner, SumOp):
                kind = range_of(inner.result)
                narrow_type = IntType(kind.low, kind.high - 1)
                Rewriter.replace_value_with_new_type(inner.result, narrow_type)
                return


@dataclass(frozen=True)
class RenamePass(ModulePass):
    """Takes the function away."""

    name = "rename"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in op.ops:
            if isinstance(inner, func.FuncOp):
                inner.sym_name = StringAttr("other")


def test_a_pass_of_another_package_is_exact_unless_it_says_otherwise() -> None:
    (check,) = run_checked(NETWORK, [HalveWeights()], Checker())
    with pytest.raises(KanError) as raised:
        check.require_passed()
    message = str(raised.value)
    assert message.startswith("halve-weights does not keep the function @net: output y0 is ")
    assert message.endswith("; a pass that trades accuracy says so in `preserves`")


def test_a_pass_that_trades_tells_what() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (40, 3))
    (check,) = run_checked(NETWORK, [TradingPass()], Checker(samples))
    check.require_passed()
    before, after = Model.of(parse(NETWORK)), Model.of(check.after)
    apart = np.abs(before.run(samples) - after.run(samples))
    found = check.as_dict()
    assert found["claim"] == "half of it" and found["samples"] == 40
    assert found["max_abs_difference"] == pytest.approx(apart.max())
    assert found["mean_abs_difference"] == pytest.approx(apart.mean())
    changed = before.run(samples).argmax(axis=1) != after.run(samples).argmax(axis=1)
    assert found["classes_changed"] == pytest.approx(changed.mean())
    assert "on 40 calibration samples" in check.summary()


def test_a_pass_that_trades_must_leave_numbers() -> None:
    class Ruin(TradingPass):
        def apply(self, ctx: Context, op: ModuleOp) -> None:
            for inner in op.walk():
                if isinstance(inner, BaseOp):
                    inner.function = StringAttr("log")

    (check,) = run_checked(NETWORK, [Ruin()], Checker())
    with pytest.raises(KanError, match=r"output y0 is nan where .* was, sample"):
        check.require_passed()


@pytest.mark.parametrize(("factor", "passes"), [(1 + 1e-12, True), (1 + 1e-7, False)])
def test_floats_may_round_and_no_more(factor: float, passes: bool) -> None:
    """Outputs that grow without bound at one end hide nothing at the other."""

    class Scale(HalveWeights):
        def apply(self, ctx: Context, op: ModuleOp) -> None:
            for inner in op.walk():
                if isinstance(inner, BaseOp):
                    inner.weights = dense(to_floats(inner.weights) * [1.0, factor])

    text = """
    func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
      %e = kan.base "exp" %x weights dense<[[1.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>
        : tensor<2xf32> -> tensor<2x2xf32>
      %n = kan.node_sum %e : tensor<2x2xf32> -> tensor<2xf32>
      func.return %n : tensor<2xf32>
    }"""
    far = np.array([[300.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    (check,) = run_checked(text, [Scale()], Checker(far))
    assert (check.failed is None) is passes, check.summary()


def test_an_op_without_meaning_is_named() -> None:
    (check,) = run_checked(NETWORK, [UnknownOpPass()], Checker())
    with pytest.raises(KanError, match=r"bring-in .*cannot be evaluated any more: 'test\.op'"):
        check.require_passed()


def raising(error: Exception, mark: str | None = None) -> Callable[..., Sequence[Array]]:
    """An evaluation of `kan.base` that raises, always or at ops with an attribute of this name."""
    original = BaseOp.evaluate

    def evaluate(op: BaseOp, operands: Sequence[Array]) -> Sequence[Array]:
        if mark is None or mark in op.attributes:
            raise error
        return original(op, operands)

    return evaluate


class MarkBases(HalveWeights):
    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in op.walk():
            if isinstance(inner, BaseOp):
                inner.attributes["mark"] = i64


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (IndexError("no such row"), "IndexError: no such row, in 'kan.base'"),
        (TypeError("not a number"), "TypeError: not a number, in 'kan.base'"),
        (KanError("no such function"), "no such function"),
    ],
)
def test_a_result_that_cannot_be_evaluated_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    monkeypatch.setattr(BaseOp, "evaluate", raising(error, "mark"))
    (check,) = run_checked(NETWORK, [MarkBases()], Checker())
    assert check.failed is not None
    with pytest.raises(KanError) as failure:
        check.require_passed()
    assert failure.value.message == (
        "halve-weights does not keep the function @net: it cannot be evaluated any more: " + reason
    )
    assert failure.value.__cause__ is error


@pytest.mark.parametrize("claim", ["exact", "about half"])
def test_an_input_that_cannot_be_evaluated_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, claim: str
) -> None:
    class Halve(HalveWeights):
        preserves = claim

    monkeypatch.setattr(BaseOp, "evaluate", raising(IndexError("no such row")))
    (check,) = run_checked(NETWORK, [Halve()], Checker())
    assert check.failed is not None
    with pytest.raises(KanError) as failure:
        check.require_passed()
    assert failure.value.message == (
        "halve-weights cannot be checked: @net: it cannot be evaluated before the pass: "
        "IndexError: no such row, in 'kan.base'"
    )


@pytest.mark.parametrize("start", [3, 4, -1])
def test_codes_that_cannot_be_evaluated_fail_the_check(
    monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    """Tables, wires and hardware have evaluations of their own."""
    module = parse(NETWORK)
    stages = list(COMPILER.expand())
    for stage in stages[:start]:
        stage.apply(Context(), module)
    checker = Checker()

    def run_nodes(model: Model, codes: IntArray) -> object:
        raise IndexError("no such row")

    monkeypatch.setattr(Model, "run_nodes", run_nodes)
    check = checker.apply(Context(), stages[start], module)
    with pytest.raises(
        KanError, match="cannot be evaluated before the pass: IndexError: no such row"
    ):
        check.require_passed()


def test_memory_that_runs_out_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaseOp, "evaluate", raising(MemoryError()))
    with pytest.raises(MemoryError):
        run_checked(NETWORK, [HalveWeights()], Checker())


def test_what_does_not_verify_is_the_fault_of_the_pass() -> None:
    passes = [*COMPILER.passes()[:4], OverflowPass()]
    with pytest.raises(KanError, match=r"overflow leaves IR that does not verify: .*kan\.sum"):
        run_checked(NETWORK, passes, Checker())


def test_a_function_that_is_gone_is_missed() -> None:
    (check,) = run_checked(NETWORK, [RenamePass()], Checker())
    assert check.failed is not None and "not there any more" in check.summary()


def test_samples_that_fit_no_function_are_refused() -> None:
    with pytest.raises(KanError, match="have 4 features, @net takes 3"):
        run_checked(NETWORK, [HalveWeights()], Checker(np.zeros((2, 4))))


def test_a_module_without_a_network_is_only_noted() -> None:
    text = "func.func @f(%x: i32) -> i32 {\n  func.return %x : i32\n}"
    (check,) = run_checked(text, [HalveWeights()], Checker())
    assert check.failed is None
    assert check.summary() == "halve-weights: not checked, no function of a KAN"


def test_a_module_that_could_never_be_evaluated_is_noted() -> None:
    text = """
    func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
      %y = "test.op"(%x) : (tensor<2xf32>) -> tensor<2xf32>
      func.return %y : tensor<2xf32>
    }"""

    class Touch(HalveWeights):
        def apply(self, ctx: Context, op: ModuleOp) -> None:
            next(iter(op.ops)).attributes["touched"] = i64

    (check,) = run_checked(text, [Touch()], Checker())
    assert check.failed is None
    assert "not checked: 'test.op' cannot be evaluated" in check.summary()


def test_each_function_of_a_module_is_compared() -> None:
    two = NETWORK + NETWORK.replace("@net", "@second")
    checks = run_checked(two, list(COMPILER.expand()), Checker())
    assert [found.function for found in checks[-1].functions] == ["net", "second"]
    assert all(check.failed is None for check in checks)

    class BreakSecond(HalveWeights):
        def apply(self, ctx: Context, op: ModuleOp) -> None:
            splines = [inner for inner in op.walk() if isinstance(inner, BSplineOp)]
            splines[1].coefficients = dense(to_floats(splines[1].coefficients) * 2.0)

    (check,) = run_checked(two, [BreakSecond()], Checker())
    assert check.failed is not None and check.failed.function == "second"


# Samples


def network(seed: int) -> ModuleOp:
    """Two layers of random tables: 3 inputs of 5 bits, 4 nodes that saturate, 2 outputs."""
    rng = np.random.default_rng(seed)
    builder = TableNetwork("net", UniformQuantizedType(5, False, 0.1), inputs=3)
    builder.add_layer(rng.integers(-20, 20, (4, 3, 32)), saturate=(-16, 15))
    builder.add_layer(rng.integers(-9, 9, (2, 4, 32)))
    return builder.module()


@pytest.mark.parametrize("expanded", [False, True])
def test_samples_reach_every_code_and_the_ends_of_the_first_sums(expanded: bool) -> None:
    module = network(0)
    lookup = next(op for op in module.walk() if isinstance(op, TablesOp))
    entries = to_integers(lookup.tables)
    if expanded:
        ExpandWiresPass().apply(Context(), module)
    model = Model.of(module)
    chosen = code_samples(model, None, np.random.default_rng(0), 500)
    assert not chosen.exhaustive
    for column in chosen.codes.T:
        assert set(column.tolist()) == set(range(32))
    sums = sum(entries[:, i, :][:, chosen.codes[:, i]] for i in range(3))
    np.testing.assert_array_equal(np.max(sums, axis=1), entries.max(axis=2).sum(axis=1))
    np.testing.assert_array_equal(np.min(sums, axis=1), entries.min(axis=2).sum(axis=1))
    # Hidden nodes: the ends that many random samples reach, and most codes between them.
    many = np.random.default_rng(1).integers(0, 32, (2000, 3))
    _, seen = model.run_nodes(chosen.codes)
    _, reached = model.run_nodes(many)
    for node, values in reached.items():
        if node.startswith("layer0"):
            assert seen[node].min() <= values.min() and seen[node].max() >= values.max()
            assert len(np.unique(seen[node])) >= 0.9 * len(np.unique(values))


def test_given_samples_come_first() -> None:
    given = np.array([[7, 8, 9], [1, 2, 3]])
    chosen = code_samples(Model.of(network(0)), given, np.random.default_rng(0), 500)
    np.testing.assert_array_equal(chosen.codes[:2], given)


def test_knots_and_ends_of_splines_are_among_the_samples() -> None:
    function = Model.of(parse(NETWORK)).op
    assert isinstance(function, func.FuncOp)
    x = real_samples(function, None, np.random.default_rng(0), 100)
    for column in x.T:
        assert {-1.0, 0.0, 1.0} <= set(column.tolist())
        assert column.min() < -1.0 and column.max() > 1.0
