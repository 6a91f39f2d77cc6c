"""Cost and delay of devices: from contents of tables and ranges of values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from xdsl.dialects import func
from xdsl.ir import Block, Operation, Region, SSAValue

from kan_dialect.analysis.nodes import dead_nodes
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import DEVICES, ECP5, ICE40, XCUP, DeviceFamily
from kan_dialect.devices.estimate import delay_of, estimate, levels_of, longest_delay
from kan_dialect.devices.lut_count import absorbed_bits, count_luts, luts_of
from kan_dialect.devices.table_cost import Mapper
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import IntType
from kan_dialect.maths.truth_tables import planes, support
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.wire import ConstantOp, DelayOp, ExtractOp, SumOp, TableOp
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passes.schedule import SchedulePass


def argument(low: int, high: int) -> SSAValue:
    return Block(arg_types=[IntType(low, high)]).args[0]


def table(entries: Sequence[int] | IntArray) -> TableOp:
    return TableOp([argument(0, len(entries) - 1)], np.array(entries, dtype=np.int64))


def test_support_is_exact() -> None:
    x = np.arange(64)
    (parity,) = planes((x ^ (x >> 3) ^ (x >> 5)) & 1, 1)
    assert support(parity, 6) == 3
    assert support(0, 6) == support((1 << 64) - 1, 6) == 0


def test_planes_that_are_constant_wires_or_alike_take_nothing() -> None:
    x = np.arange(64)
    assert luts_of(table(x), XCUP) == 0
    assert luts_of(table(63 - x), XCUP) == 0
    odd = np.array([bin(code).count("1") & 1 for code in x])
    # One plane, its complement beside it, and a constant.
    assert luts_of(table(odd), XCUP) == luts_of(table(odd + 2 * (1 - odd) + 4), XCUP) == 1


def test_tables_that_share_an_input_share_planes() -> None:
    odd = np.array([bin(code).count("1") & 1 for code in range(64)])
    x = argument(0, 63)
    pair = [TableOp([x], odd), TableOp([x], 1 - odd)]
    assert count_luts(pair, XCUP).total() == 1
    apart = [table(odd), table(odd)]
    assert count_luts(apart, XCUP).total() == 2
    # Bits that are taken twice are the same signals.
    slices = [ExtractOp(argument(-128, 127), 2, 6)]
    slices.append(ExtractOp(slices[0].input, 2, 6))
    assert count_luts([TableOp([part], odd) for part in slices], XCUP).total() == 1


@pytest.mark.parametrize("low, high", [(0, 7), (0, 4), (3, 6), (-5, 2), (-9, -2)])
def test_inverters_take_nothing_whatever_the_range(low: int, high: int) -> None:
    codes = np.arange(low, high + 1)
    inverted = TableOp([argument(low, high)], ~codes if low < 0 else 7 - codes)
    assert luts_of(inverted, XCUP) == 0


@pytest.mark.parametrize(("bits", "most"), [(6, 1), (7, 4), (8, 7)])
def test_random_planes_take_wide_multiplexers(bits: int, most: int) -> None:
    """And more LUTs than these join, as synthesis takes many apart that are not on a slow path."""
    plane = np.random.default_rng(bits).integers(0, 2, 1 << bits)
    assert luts_of(table(plane), XCUP) == most


def test_a_threshold_is_cheap_without_wide_multiplexers() -> None:
    """Of 8 bits, two lookup tables; synthesis prefers four with multiplexers where these exist."""
    threshold = table((np.arange(256) >= 77).astype(np.int64))
    assert luts_of(threshold, DEVICES["lut6"]) == 2
    assert luts_of(threshold, XCUP) == 4


def test_small_tables_share_one_on_xilinx() -> None:
    assert XCUP.pack(Counter({2: 10})) == 5
    # As Yosys's `stat -tech xilinx` says of LUT1, LUT2, LUT3, LUT4 and LUT5 cells.
    assert XCUP.pack(Counter({4: 5, 2: 8, 3: 5})) == 10
    assert XCUP.pack(Counter({5: 5, 2: 5})) == 8
    assert XCUP.pack(Counter({3: 11})) == 11
    assert ECP5.pack(Counter({2: 10, 4: 3})) == 13


def test_a_clamp_before_a_table_is_part_of_it() -> None:
    x = argument(-32, 31)
    clamp = ClampOp(x, -16, 15)
    odd = np.array([bin(code).count("1") & 1 for code in range(32)])
    reader = TableOp([clamp], odd)
    assert count_luts([clamp, reader], XCUP) == {6: 1}
    assert count_luts([clamp, reader], ICE40).total() > 2


def test_the_small_bits_of_a_table_share_luts_with_the_adder() -> None:
    x = np.arange(64)
    every, upper = (np.bitwise_count(codes) & 1 for codes in (x, x >> 3))
    mixed = table(every + 2 * upper.astype(np.int64))
    total = SumOp([argument(0, 255), mixed])
    assert absorbed_bits(mixed.result, XCUP) == 1
    assert count_luts([mixed, total], XCUP) == {6: 1, 2: 1, 4: 1}
    # Something else reads it.
    SumOp([argument(0, 255), mixed])
    assert absorbed_bits(mixed.result, XCUP) == 0


def test_sums_that_are_wires_take_nothing_and_adders_take_in_both_tables() -> None:
    random = np.random.default_rng(5)
    upper, lower = table(16 * random.integers(0, 16, 16)), table(random.integers(0, 16, 16))
    both = SumOp([upper.result, lower.result])
    adder = SumOp([both.result, argument(0, 255)])
    assert (luts_of(both, XCUP), levels_of(both, XCUP), delay_of(both, XCUP)) == (0, 0, 0.0)
    # Not the zeros of the upper one.
    assert absorbed_bits(both.result, XCUP) == 8
    carries = SumOp([argument(0, 255), ConstantOp(128).result])
    assert count_luts([carries], XCUP) == {2: 1}
    inverted = SumOp([argument(-128, 127), ConstantOp(128).result])
    assert (luts_of(inverted, XCUP), levels_of(inverted, XCUP)) == (0, 0)
    # The LUTs of four inputs are the adder's own: one a bit.
    assert XCUP.pack(count_luts([upper, lower, both, adder], XCUP)) == 8


def test_the_reset_of_registers_clamps_at_one_end() -> None:
    def clamped(low: int, high: int) -> Counter[int]:
        clamp = ClampOp(argument(low, high), -64, 63)
        return count_luts([clamp, DelayOp(clamp, 1)], XCUP)

    assert clamped(-100, 50) == {2: 1}
    assert clamped(-64, 200) == {3: 1}
    assert clamped(-100, 100) == {3: 6}
    alone = ClampOp(argument(-100, 50), -64, 63)
    assert count_luts([alone], XCUP) == {3: 6}


def test_bits_of_two_three_and_five_inputs_are_worth_absorbing() -> None:
    """A bit of four shares a LUT with another function anyway; no other family absorbs any."""
    assert XCUP.worth_absorbing == {2, 3, 5}
    assert XCUP.adders.absorbed_inputs == 5
    assert not any(DEVICES[name].worth_absorbing for name in ("ecp5", "ice40", "lut6"))


def test_sums_narrower_than_a_carry_chain_are_functions_in_lookup_tables() -> None:
    """Yosys makes no chain of ECP5 for sums of at most four bits (its `arith_map.v`)."""
    timing = ECP5.timing

    def delay(*terms: SSAValue) -> float:
        return delay_of(SumOp(list(terms)), ECP5)

    chain = timing.carry + 5 * timing.carry_bit
    assert delay(argument(0, 15), argument(0, 15)) == pytest.approx(chain)
    # Four bits of six inputs, and the same one place higher.
    wide = timing.lut + 2 * timing.wide
    assert delay(argument(0, 7), argument(0, 7)) == pytest.approx(wide)
    pair = [table(2 * np.arange(8)).result, table(2 * np.arange(8)).result]
    assert delay(*pair) == pytest.approx(wide)
    assert delay(argument(0, 7), ConstantOp(5).result) == pytest.approx(timing.lut)
    # A bit at the carry input takes a bit of the chain below the others.
    assert delay(argument(0, 3), argument(0, 3), argument(0, 1)) == pytest.approx(
        timing.lut + timing.wide
    )
    assert delay(argument(0, 7), argument(0, 7), argument(0, 1)) == pytest.approx(
        timing.carry + 4 * timing.carry_bit
    )


def test_a_clamp_of_few_bits_is_one_function_with_the_table_behind_it() -> None:
    """Synthesis makes no clamp of it: the whole takes what a table of the clamp's input takes."""
    timing = ECP5.timing

    def period(low: int, high: int, *, registers: int = 0, is_result: bool = False) -> float:
        """What a clamp to 5 bits, registers behind it and a table of its result take."""
        block = Block(arg_types=[IntType(low, high)])
        clamp = ClampOp(block.args[0], 0, 31)
        block.add_op(clamp)
        if registers:
            block.add_op(DelayOp(clamp, registers))
        read = TableOp([clamp.result], np.arange(32) ** 2 % 31)
        block.add_op(read)
        results = [read.result, clamp.result] if is_result else [read.result]
        block.add_op(func.ReturnOp(*results))
        return longest_delay(list(block.ops), ECP5)

    apart = timing.clamp + timing.lut + timing.lut + timing.wide
    assert period(-16, 31) == pytest.approx(timing.lut + 2 * timing.wide)
    assert period(-40, 60) == pytest.approx(timing.lut + 3 * timing.wide)
    assert period(-100, 155) == pytest.approx(apart)
    # A register takes the clamp's result as well; another reader needs the clamp by itself.
    assert period(-16, 31, registers=1) == pytest.approx(timing.lut + 2 * timing.wide)
    assert period(-16, 31, is_result=True) == pytest.approx(apart)


def test_every_device_has_levels_and_delays() -> None:
    ops: list[Operation] = [
        table(np.arange(256) ** 2 % 251),
        SumOp([argument(0, 63), argument(-8, 7)]),
        ClampOp(argument(-100, 100), -64, 63),
    ]
    for device in DEVICES.values():
        for op in ops:
            assert (
                levels_of(op, device) >= 1 and delay_of(op, device) > 0 and luts_of(op, device) > 0
            )


def test_registers_count_and_end_paths() -> None:
    block = Block(arg_types=[IntType(0, 7), IntType(0, 7)])
    first = SumOp(block.args)
    later = DelayOp(first, 2)
    second = TableOp([later], np.arange(15) ** 2 % 13)
    last = DelayOp(second, 1)
    block.add_ops([first, later, second, last, func.ReturnOp(last)])
    types = ([IntType(0, 7)] * 2, [last.result.type])
    found = estimate(func.FuncOp("f", types, Region(block)))
    assert found.levels == 1
    assert found.registers == 2 * 4 + 4 + 3
    assert 0.3 < found.delay_ns < 1.5


@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_no_clock_is_above_that_of_the_clock_network(device: DeviceFamily) -> None:
    block = Block(arg_types=[IntType(0, 1)])
    last = DelayOp(block.args[0], 1)
    block.add_ops([last, func.ReturnOp(last)])
    function = func.FuncOp("f", ([IntType(0, 1)], [last.result.type]), Region(block))
    found = estimate(function, device)
    if found.fmax_mhz is None:  # A device of lookup tables alone has no delay of registers.
        assert found.delay_ns == 0
        return
    alone = 1000 / device.timing.register / device.timing.growth_of(1)
    assert found.fmax_mhz == pytest.approx(min(alone, device.highest_mhz or alone))
    assert found.period_ns == pytest.approx(1000 / found.fmax_mhz)


def test_a_clock_above_that_of_the_clock_network_is_refused() -> None:
    text = "func.func @f(%x: !kan.int<0:1>) -> !kan.int<0:1> { func.return %x : !kan.int<0:1> }"
    module = parse_text(make_context(), text.encode(), "text")
    with pytest.raises(KanError, match=r"300 MHz is more than the clock network of ice40 can do"):
        SchedulePass(mhz=300, target="ice40").apply(make_context(), module)


def scheduled(text: str) -> func.FuncOp:
    module = parse_text(make_context(), f"func.func {text}".encode(), "text")
    (function,) = wire_functions(module)
    return function


def test_registers_of_one_bit_are_counted_once() -> None:
    """Bits of a registered value, terms side by side, and equal bits of tables."""
    function = scheduled("""
      @f(%x: !kan.int<0:15>, %y: !kan.int<0:3>) -> (!kan.int<0:15>, !kan.int<0:15>) {
        %late = kan.delay %x by 1 : !kan.int<0:15>
        %upper = kan.extract %x from 2 : !kan.int<0:15> -> !kan.int<0:3>
        %same = kan.delay %upper by 1 : !kan.int<0:3>
        %by4 = kan.table %upper entries dense<[0, 8, 4, 12]> : tensor<4xi8>
          : !kan.int<0:3> -> !kan.int<0:12>
        %both = kan.sum %by4, %y : !kan.int<0:12>, !kan.int<0:3> -> !kan.int<0:15>
        %joined = kan.delay %both by 1 : !kan.int<0:15>
        %constant = kan.constant 5 : !kan.int<5:5>
        %never = kan.delay %constant by 1 : !kan.int<5:5>
        func.return %late, %joined : !kan.int<0:15>, !kan.int<0:15>
      }""")
    # Of x four, of y two; the table only exchanges bits of x.
    assert estimate(function).registers == 4 + 2 + 1


def test_long_chains_of_registers_are_shift_registers() -> None:
    """As Yosys does for Xilinx: three or more, read at their end only."""
    function = scheduled("""
      @f(%x: !kan.int<0:3>, %y: !kan.int<0:1>) -> (!kan.int<0:3>, !kan.int<0:2>) {
        %x4 = kan.delay %x by 4 : !kan.int<0:3>
        %y2 = kan.delay %y by 2 : !kan.int<0:1>
        %sum = kan.sum %y2, %y2 : !kan.int<0:1>, !kan.int<0:1> -> !kan.int<0:2>
        %y4 = kan.delay %sum by 2 : !kan.int<0:2>
        func.return %x4, %y4 : !kan.int<0:3>, !kan.int<0:2>
      }""")
    found = estimate(function)
    assert (found.registers, found.shift_registers) == (2 + 2 * 2 + 4, 2)
    ecp5 = estimate(function, DEVICES["ecp5"])
    assert (ecp5.registers, ecp5.shift_registers) == (2 * 4 + 2 + 2 * 2 + 4, 0)


def test_dead_nodes_cost_nothing() -> None:
    """A mark alone keeps neither registers nor lookup tables."""
    function = scheduled("""
      @f(%x: !kan.int<0:63>, %y: !kan.int<0:63>) -> !kan.int<0:63> {
        %s = kan.sum %x, %y : !kan.int<0:63>, !kan.int<0:63> -> !kan.int<0:126>
        kan.mark %s as "layer0_node0" offset 0 cycle 0 : !kan.int<0:126>
        func.return %x : !kan.int<0:63>
      }""")
    assert estimate(function).luts > 0
    remove_dead(function)
    assert estimate(function).luts == 0
    assert dead_nodes(function) == {"layer0_node0"}


def test_large_tables_are_counted_in_good_time() -> None:
    """The largest table there may be; work must not grow with the square of its size."""
    random = np.random.default_rng(0).integers(0, 2, 1 << 20)
    assert luts_of(table(random), ICE40) > 1 << 16
    assert luts_of(table(np.arange(1 << 20) >> 19), ICE40) == 0


def test_planes_exist_once() -> None:
    mapper = Mapper(4, 4)
    plane = 0x6996
    assert mapper.add(plane, 4) == mapper.add(plane ^ 0xFFFF, 4) == 1
    assert mapper.luts.total() == 1
