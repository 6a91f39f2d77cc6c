"""Passes over random wire-level functions, down to hardware: all inputs there are, bit for bit.

The functions are built op by op with what each value is for every input, so that types may be wider
than they must be, and entries that no input reaches may be anything.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.parser import Parser
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter
from xdsl.transforms.canonicalize import CanonicalizePass
from xdsl.transforms.common_subexpression_elimination import CommonSubexpressionElimination

from kan_dialect.analysis.nodes import dead_nodes, saturated
from kan_dialect.analysis.wires import cycles_of, latency_of
from kan_dialect.checking import Checker, run_passes
from kan_dialect.devices.carry_chains import addends_of
from kan_dialect.devices.device import device
from kan_dialect.devices.estimate import delay_of, estimate
from kan_dialect.devices.lut_count import count_luts
from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import simulate_hardware
from kan_dialect.evaluate.interpreter import evaluate_inside, find_function
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.attributes.module_attributes import nodes_of
from kan_dialect.ir.constants import Array, IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.lowering.kan_to_hw import NAME_HINT, TABLE_SUFFIX, LowerKanToHwPass
from kan_dialect.model.model import Model
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.shift import ShiftOp, shift_range
from kan_dialect.ops.wire import ConstantOp, DelayOp, MarkOp, SumOp, TableOp, sum_range
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.fold_clamps import FoldClampsPass
from kan_dialect.passes.merge_tables import MergeTablesPass
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.passes.schedule import SchedulePass
from kan_dialect.passes.share_sums import ShareSumsPass
from kan_dialect.passes.share_tables import ShareTablesPass
from kan_dialect.passes.split_tables import SplitTablesPass

deterministic = settings(derandomize=True, deadline=None, max_examples=60)

LIMIT = 1 << 20
"""No value gets larger than this."""
NO_CYCLE = -1
"""The cycle of what depends on constants only."""


@dataclass
class Building:
    """A function that grows; of each value what it is for every input, and in which cycle."""

    draw: st.DrawFn
    block: Block
    samples: dict[SSAValue, IntArray]
    cycles: dict[SSAValue, int]
    names: itertools.count[int] = field(default_factory=itertools.count)

    def name(self) -> str | None:
        return f"v{next(self.names)}" if self.draw(st.booleans()) else None

    def widened(self, low: int, high: int) -> IntType:
        """A type that holds low..high, at times more."""
        extra = st.sampled_from([0, 0, 0, 1, 5])
        return IntType(low - self.draw(extra), high + self.draw(extra))

    def operands(self, count: int) -> list[SSAValue]:
        """Values of one cycle, or that are always there, with repetition."""
        cycle = self.cycles[self.draw(st.sampled_from(list(self.cycles)))]
        pool = [value for value, c in self.cycles.items() if c in (cycle, NO_CYCLE)]
        return [self.draw(st.sampled_from(pool)) for _ in range(count)]

    def add(self, op: Operation, values: IntArray) -> SSAValue:
        self.block.add_op(op)
        cycle = max((self.cycles[operand] for operand in op.operands), default=NO_CYCLE)
        if isinstance(op, DelayOp) and cycle != NO_CYCLE:
            cycle += op.cycles.value.data
        self.samples[op.results[0]], self.cycles[op.results[0]] = values, cycle
        return op.results[0]

    def constant(self) -> None:
        value = self.draw(st.integers(-9, 9))
        self.add(ConstantOp(value), np.full(len(next(iter(self.samples.values()))), value))

    def table(self) -> None:
        inputs = self.operands(self.draw(st.integers(1, 3)))
        while sum(range_of(value).bits for value in inputs) > 10:
            inputs.pop()
        if not inputs:
            return
        shape = [range_of(value).size for value in inputs]
        index = tuple(self.samples[value] - range_of(value).low for value in inputs)
        rng = np.random.default_rng(self.draw(st.integers(0, 1 << 30)))
        low = self.draw(st.sampled_from([-200, -3, 0, 5]))
        entries = rng.integers(low, low + self.draw(st.sampled_from([1, 2, 9, 400])), size=shape)
        care, reached = np.ones(shape, dtype=bool), np.zeros(shape, dtype=bool)
        reached[index] = True
        if self.draw(st.booleans()):
            # Some of what is never read does not matter, and is out of range.
            care = reached | (rng.random(shape) < 0.5)
            entries[~care] = rng.integers(-1000, 1000, size=int((~care).sum()))
        kept = entries[care]
        result_type = self.widened(int(kept.min()), int(kept.max()))
        self.add(
            TableOp(inputs, entries, care=care, result_type=result_type, name=self.name()),
            entries[index],
        )

    def sum(self) -> None:
        inputs = self.operands(self.draw(st.integers(1, 5)))
        result_type = self.widened(*sum_range(inputs))
        if max(-result_type.low, result_type.high) < LIMIT:
            total = np.sum([self.samples[value] for value in inputs], axis=0)
            self.add(SumOp(inputs, result_type=result_type, name=self.name()), total)

    def clamp(self) -> None:
        (value,) = self.operands(1)
        near = st.integers(range_of(value).low - 3, range_of(value).high + 3)
        low, high = sorted((self.draw(near), self.draw(near)))
        op = ClampOp(value, low, high, name=self.name())
        self.add(op, np.clip(self.samples[value], low, high))

    def shift(self) -> None:
        (value,) = self.operands(1)
        amount = self.draw(st.integers(-4, 5))
        low, high = shift_range(range_of(value), amount)
        if max(-low, high) < LIMIT:
            op = ShiftOp(value, amount, name=self.name())
            Rewriter.replace_value_with_new_type(op.result, self.widened(low, high))
            self.add(op, np.rint(self.samples[value] / 2.0**amount).astype(np.int64))

    def delay(self) -> None:
        (value,) = self.operands(1)
        op = DelayOp(value, self.draw(st.integers(0, 3)), name=self.name())
        self.add(op, self.samples[value])

    def mark(self) -> None:
        (value,) = self.operands(1)
        offset = self.draw(st.integers(-5, 5))
        node, cycle = f"node{next(self.names)}", max(self.cycles[value], 0)
        self.block.add_op(MarkOp(value, node, offset=offset, cycle=cycle))

    def results(self) -> list[SSAValue]:
        """One to four values, repeated or not, brought to one cycle."""
        chosen = st.lists(st.sampled_from(list(self.cycles)), min_size=1, max_size=4)
        values = self.draw(chosen)
        last = max(self.cycles[value] for value in values)
        return [
            self.add(DelayOp(value, last - self.cycles[value]), self.samples[value])
            if NO_CYCLE < self.cycles[value] < last
            else value
            for value in values
        ]


@st.composite
def wire_modules(draw: st.DrawFn) -> str:
    """The text of a module with one function, `@net`."""
    sizes = draw(st.lists(st.sampled_from([1, 2, 3, 4, 8, 11]), min_size=1, max_size=3))
    lows = [draw(st.integers(-12, 12)) for _ in sizes]
    types = [IntType(low, low + size - 1) for low, size in zip(lows, sizes, strict=True)]
    block = Block(arg_types=types)
    columns = all_inputs(types).T
    arguments = list(block.args)
    building = Building(
        draw, block, dict(zip(arguments, columns, strict=True)), dict.fromkeys(arguments, 0)
    )
    kinds = ["constant", "table", "table", "sum", "sum", "clamp", "shift", "delay", "mark"]
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=14)):
        getattr(building, kind)()
    results = building.results()
    block.add_op(func.ReturnOp(*results))
    module = ModuleOp(
        [func.FuncOp("net", (types, [value.type for value in results]), Region(block))]
    )
    module.verify()
    return str(module)


def parse(text: str) -> ModuleOp:
    return Parser(make_context(), text).parse_module()


def all_inputs(types: list[IntType]) -> IntArray:
    """Every combination of input codes: (samples, inputs)."""
    ranges = [np.arange(kind.low, kind.high + 1) for kind in types]
    return np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, len(types))


def inputs_of(module: ModuleOp) -> IntArray:
    return all_inputs([range_of(argument) for argument in find_function(module).args])


def outputs_and_nodes(module: ModuleOp) -> tuple[IntArray, dict[str, IntArray]]:
    """Results and marked nodes for all inputs; every value is checked against its type."""
    function = find_function(module)
    ops = list(function.body.block.ops)
    values = [value for op in ops for value in op.results]
    marks = [op for op in ops if isinstance(op, MarkOp)]
    terminator = function.get_return_op()
    assert terminator is not None
    wanted = [*values, *(mark.value for mark in marks), *terminator.operands]
    columns: list[Array] = evaluate_inside(function, list(inputs_of(module).T), wanted)
    for value, seen in zip(wanted, columns, strict=True):
        kind = range_of(value)
        assert kind.low <= seen.min() and seen.max() <= kind.high, f"{value} leaves its range"
    nodes = {
        mark.node.data: saturated(seen + mark.offset.value.data, mark.within)
        for mark, seen in zip(marks, columns[len(values) :], strict=False)
    }
    return np.stack(columns[len(values) + len(marks) :], axis=1), nodes


def names_of(module: ModuleOp) -> list[str]:
    names = [op.properties.get("name") for op in module.walk() if op.name.startswith("kan.")]
    return [name.data for name in names if isinstance(name, StringAttr)]


def run(module: ModuleOp, *passes: ModulePass) -> ModuleOp:
    """A module after the passes, verified and checked after each."""
    result = module.clone()
    run_passes(Context(), result, passes, Checker(count=100))
    return result


schedules = st.one_of(
    st.builds(SchedulePass, levels=st.integers(1, 4)),
    st.builds(SchedulePass, cycles=st.integers(0, 9)),
    st.builds(SchedulePass, mhz=st.floats(10, 60), target=st.sampled_from(["xcup", "ecp5"])),
    st.just(SchedulePass(combinational=True)),
)
passes = st.one_of(
    st.just(NarrowPass()),
    st.builds(
        BalanceSumsPass,
        target=st.sampled_from(["xcup", "ecp5"]),
        extra_levels=st.one_of(st.integers(0, 2), st.tuples(st.integers(0, 2), st.integers(0, 2))),
    ),
    st.builds(SplitTablesPass, target=st.sampled_from(["xcup", "lut4"]), parts=st.integers(1, 3)),
    st.just(ShareSumsPass()),
    st.builds(FoldClampsPass, target=st.sampled_from(["xcup", "lut4"])),
    st.builds(MergeTablesPass, target=st.sampled_from(["xcup", "ice40"])),
    st.builds(ShareTablesPass, target=st.sampled_from(["xcup", "ecp5"])),
    schedules,
    st.sampled_from([CanonicalizePass(), CommonSubexpressionElimination()]),
)


@deterministic
@given(wire_modules(), st.lists(passes, min_size=1, max_size=5))
def test_passes_in_any_order_keep_every_output_and_every_node(
    text: str, pipeline: list[ModulePass]
) -> None:
    module = parse(text)
    expected, nodes = outputs_and_nodes(module)
    result = run(module, *pipeline)
    outputs, marked = outputs_and_nodes(result)
    np.testing.assert_array_equal(outputs, expected)
    dead = dead_nodes(find_function(result))
    assert marked.keys() | dead == nodes.keys() and marked.keys().isdisjoint(dead)
    for node, values in marked.items():
        np.testing.assert_array_equal(values, nodes[node])
    # Marks say the cycle in which their value is there, and all results come in one.
    cycles_of(find_function(result))
    latency_of(find_function(result))


@deterministic
@given(wire_modules(), st.lists(passes, max_size=3), schedules)
def test_hardware_computes_what_the_function_does(
    text: str, pipeline: list[ModulePass], schedule: SchedulePass
) -> None:
    module = parse(text)
    expected, nodes = outputs_and_nodes(module)
    scheduled = run(module, *pipeline, schedule)
    latency = latency_of(find_function(scheduled))
    model = Model.of(run(scheduled, LowerKanToHwPass()))
    assert model.interface().latency == latency
    np.testing.assert_array_equal(model.run_codes(inputs_of(module)), expected)
    assert isinstance(model.op, hw.HWModuleOp)
    check_signals(model.op, inputs_of(module), nodes)


def check_signals(module: hw.HWModuleOp, codes: IntArray, nodes: dict[str, IntArray]) -> None:
    """The signals that `kan.nodes` lists hold the nodes' codes, in the cycles that it says."""
    named = [node for node in nodes_of(module) if node.signal]
    probed = module.clone()
    output = probed.body.block.last_op
    assert output is not None
    signals = [find_signal(probed, node.signal) for node in named]
    output.operands = [*output.operands, *signals]
    kinds = [
        hw.ModulePort(StringAttr(f"probe{i}"), signal.type, hw.DirectionAttr(hw.Direction.OUTPUT))
        for i, signal in enumerate(signals)
    ]
    ports = ArrayAttr([*module.module_type.ports.data, *kinds])
    probed.properties["module_type"] = hw.ModuleType(ports)
    last = max((node.cycle for node in named), default=0)
    seen = simulate_hardware(probed, stimuli(module, codes, last))
    for i, node in enumerate(named):
        bits = node.values.bits
        values = seen[f"probe{i}"].astype(np.int64)[node.cycle : node.cycle + len(codes)]
        if node.values.is_signed:
            values = np.where(values >= 1 << (bits - 1), values - (1 << bits), values)
        values = values + node.offset
        if node.within is not None:
            values = np.clip(values, node.within.low, node.within.high)
        np.testing.assert_array_equal(values, nodes[node.node])


def stimuli(module: hw.HWModuleOp, codes: IntArray, cycles: int) -> dict[str, Array]:
    """A sample a cycle, and then the last one for some cycles more."""
    held = np.concatenate([codes, np.repeat(codes[-1:], cycles, axis=0)])
    inputs: dict[str, Array] = {f"x{i}": held[:, i] for i in range(codes.shape[1])}
    if any(port.port_name.data == "clk" for port in module.module_type.ports):
        inputs |= {"rst": np.zeros(len(held)), "in_valid": np.ones(len(held))}
    return inputs


def find_signal(module: hw.HWModuleOp, signal: str) -> SSAValue:
    for argument in module.body.block.args:
        if argument.name_hint == signal:
            return argument
    for op in module.body.block.ops:
        hint = op.attributes.get(NAME_HINT)
        if hint == StringAttr(signal):
            return op.results[0]
        if hint == StringAttr(signal + TABLE_SUFFIX):
            (use,) = op.results[0].uses
            return use.operation.results[0]
    raise AssertionError(f"there is no signal {signal}")


@deterministic
@given(wire_modules())
def test_a_narrowed_module_is_narrow(text: str) -> None:
    once = run(parse(text), NarrowPass())
    twice = run(once, NarrowPass())
    np.testing.assert_array_equal(outputs_and_nodes(once)[0], outputs_and_nodes(twice)[0])
    for before, after in zip(types_of(once), types_of(twice), strict=True):
        assert (before.low, before.high) == (after.low, after.high)


def types_of(module: ModuleOp) -> list[IntType]:
    results = find_function(module).function_type.outputs.data
    return [kind for kind in results if isinstance(kind, IntType)]


@deterministic
@given(wire_modules(), st.lists(passes, min_size=1, max_size=4))
def test_names_stay_unique_and_are_not_made_up(text: str, pipeline: list[ModulePass]) -> None:
    """New names say what they are: `_partN` of a sum, `_sN` for a register of stage N."""
    module = parse(text)
    given_names = set(names_of(module))
    names = names_of(run(module, *pipeline))
    assert len(set(names)) == len(names)
    for name in names:
        stem = name.split("_")[0]
        assert stem in given_names or stem.startswith("x"), name


@deterministic
@given(wire_modules(), schedules)
def test_a_schedule_is_as_deep_as_it_was_asked_to_be(text: str, schedule: SchedulePass) -> None:
    scheduled = find_function(run(parse(text), schedule))
    latency = latency_of(scheduled)
    if schedule.combinational or schedule.cycles == 0:
        assert latency == 0
        assert not any(isinstance(op, DelayOp) for op in scheduled.body.block.ops)
    elif schedule.cycles is not None:
        assert latency == schedule.cycles
    else:
        assert latency >= 1


@deterministic
@given(
    wire_modules(),
    st.sampled_from(["xcup", "ecp5", "ice40", "lut4"]),
    st.floats(0.8, 3),
    st.booleans(),
)
def test_a_schedule_reaches_its_clock(text: str, name: str, room: float, balance: bool) -> None:
    """A period has room for some of the slowest op."""
    module = run(parse(text), *([BalanceSumsPass(target=name)] if balance else []))
    remove_dead(find_function(module))  # Not scheduled, however slow.
    target = device(name)
    slowest = max(delay_of(op, target) for op in find_function(module).body.block.ops) or 1.0
    luts = target.pack(count_luts(find_function(module).body.block.ops, target))
    spread = target.timing.spread_of(luts)
    period = target.timing.register + room * slowest
    mhz = 1000 / period / spread
    if target.highest_mhz is not None and mhz > target.highest_mhz:
        with pytest.raises(KanError, match=f"clock network of {name}"):
            run(module.clone(), SchedulePass(mhz=mhz, target=name))
        if room < 1:
            return
        mhz = target.highest_mhz
        period = 1000 / mhz / spread
    if room < 1 and any(delay_of(op, target) for op in find_function(module).body.block.ops):
        with pytest.raises(KanError) as refused:
            run(module, SchedulePass(mhz=mhz, target=name))
        said = re.search(
            r"takes ([\d.]+) ns, .* leave ([\d.]+) ns; .* mhz=(\d+);", str(refused.value)
        )
        assert said is not None and float(said[1]) >= float(said[2])
        run(module, SchedulePass(mhz=int(said[3]), target=name))
        return
    scheduled = find_function(run(module, SchedulePass(mhz=mhz, target=name)))
    assert estimate(scheduled, target).delay_ns <= period + 1e-9
    if latency_of(scheduled) > 1:
        # Half the clock takes no more cycles.
        slower = find_function(run(module, SchedulePass(mhz=mhz / 2, target=name)))
        assert latency_of(slower) <= latency_of(scheduled)


@deterministic
@given(wire_modules())
def test_sums_are_balanced_to_adders_of_two(text: str) -> None:
    balanced = run(parse(text), BalanceSumsPass())
    assert all(len(op.inputs) <= 2 for op in balanced.walk() if isinstance(op, SumOp))


RANGES = [(0, 0), (-1, -1), (-1, 0), (0, 1), (5, 5), (-8, 7), (0, 15), (-3, 9), (6, 21), (-20, -3)]


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_every_shift_and_clamp_of_small_ranges(low: int, high: int) -> None:
    block = Block(arg_types=[IntType(low, high)])
    (x,) = block.args
    ops: list[Operation] = [ShiftOp(x, amount) for amount in range(-6, 9)]
    ends = range(low - 3, high + 4)
    ops += [ClampOp(x, a, b) for a in ends for b in ends if a <= b]
    results = [op.results[0] for op in ops]
    block.add_ops(ops)
    module = module_of("net", block, *results)
    expected, _ = outputs_and_nodes(module)
    for passes in ((), (NarrowPass(),)):
        hardware = Model.of(run(module, *passes, LowerKanToHwPass()))
        np.testing.assert_array_equal(hardware.run_codes(inputs_of(module)), expected)


def test_a_table_of_which_no_entry_matters_may_be_anything() -> None:
    block = Block(arg_types=[IntType(0, 1)])
    table = TableOp([block.args[0]], np.array([7, 9]), care=np.zeros(2, dtype=bool))
    block.add_op(table)
    module = module_of("net", block, table)
    run(module, SchedulePass(), LowerKanToHwPass())
    run(module, NarrowPass(), SchedulePass(), LowerKanToHwPass())


def test_a_long_table_is_put_together_in_order() -> None:
    """More bits than one constant of hardware holds."""
    entries = np.random.default_rng(0).integers(-13, 14, size=4096)
    block = Block(arg_types=[IntType(0, 4095)])
    table = TableOp([block.args[0]], entries)
    block.add_op(table)
    module = module_of("net", block, table)
    codes = np.arange(4096)[:, np.newaxis]
    hardware = Model.of(run(module, LowerKanToHwPass()))
    np.testing.assert_array_equal(hardware.run_codes(codes)[:, 0], entries)


@st.composite
def sums_of_bits(draw: st.DrawFn) -> tuple[ModuleOp, list[IntArray]]:
    """A sum of shifted inputs, many of them single bits, maybe with a constant; and samples."""
    widths = draw(st.lists(st.sampled_from([1, 1, 1, 2, 4]), min_size=4, max_size=9))
    types = [IntType(0, (1 << width) - 1) for width in widths]
    block = Block(arg_types=types)
    terms: list[SSAValue] = []
    for argument, width in zip(block.args, widths, strict=True):
        shifted = np.arange(1 << width) << draw(st.integers(0, 2))
        block.add_op(table := TableOp([argument], shifted))
        terms.append(table.result)
    if draw(st.booleans()):
        block.add_op(constant := ConstantOp(draw(st.integers(-40, 40))))
        terms.append(constant.result)
    whole = SumOp(draw(st.permutations(terms)))
    block.add_op(whole)
    module = module_of("net", block, whole.result)
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    return module, [rng.integers(0, 1 << width, 300) for width in widths]


@deterministic
@given(sums_of_bits(), st.integers(0, 2), st.sampled_from(["xcup", "ice40"]))
def test_bits_of_any_weight_come_in_at_carries(
    given_one: tuple[ModuleOp, list[IntArray]], further: int, target: str
) -> None:
    module, codes = given_one
    expected = Model.of(module.clone()).run_codes(np.stack(codes, axis=1))
    balanced = module.clone()
    BalanceSumsPass(target=target, extra_levels=further).apply(make_context(), balanced)
    balanced.verify()
    np.testing.assert_array_equal(Model.of(balanced).run_codes(np.stack(codes, axis=1)), expected)
    LowerKanToHwPass().apply(make_context(), balanced)
    np.testing.assert_array_equal(Model.of(balanced).run_codes(np.stack(codes, axis=1)), expected)


@st.composite
def sums_that_share(draw: st.DrawFn) -> str:
    """Two layers of sums that read others of their layer, and values more than once."""
    block = Block(arg_types=[IntType(0, (1 << draw(st.integers(1, 5))) - 1)] * 6)
    types = list(block.arg_types)
    values: list[SSAValue] = list(block.args)
    nodes: list[ClampOp] = []
    for layer in range(2):
        sums: list[SSAValue] = []
        for _ in range(draw(st.integers(1, 4))):
            some = draw(st.lists(st.sampled_from([*values, *sums]), min_size=2, max_size=12))
            block.add_op(whole := SumOp(some))
            sums.append(whole.result)
        nodes = [ClampOp(value, 0, 7) for value in sums]
        for index, node in enumerate(nodes):
            block.add_ops([node, MarkOp(node.result, f"layer{layer}_node{index}")])
        values = [node.result for node in nodes]
    block.add_op(func.ReturnOp(*values))
    results = [node.result.type for node in nodes]
    return str(ModuleOp([func.FuncOp("net", (types, results), Region(block))]))


@deterministic
@given(sums_that_share(), st.integers(0, 2), st.sampled_from(["xcup", "ecp5", "lut4"]))
def test_sums_that_read_sums_and_values_twice(text: str, further: int, target: str) -> None:
    balanced = run(parse(text), BalanceSumsPass(extra_levels=further, target=target))
    assert all(len(addends_of(op)) <= 2 for op in balanced.walk() if isinstance(op, SumOp))
