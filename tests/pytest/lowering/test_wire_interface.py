"""Wire-level ops of other packages: costs, ranges, hardware and proof, or a refusal by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import comb, func, seq
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Dialect, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.traits import Pure

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import DEVICES, XCUP, DeviceFamily
from kan_dialect.devices.estimate import delay_of, estimate, levels_of
from kan_dialect.devices.lut_count import count_luts
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.ir.constants import Array
from kan_dialect.ir.semantics import Evaluable
from kan_dialect.ir.types import IntType, int_type, range_of
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wire_interface import WireInterface
from kan_dialect.model.model import Model
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.passes.schedule import SchedulePass

SAID: dict[str, Callable[..., object]] = {}
"""What a test makes of a method, by the method's name."""


@irdl_op_definition
class GrayOp(IRDLOperation, WireInterface):
    """The Gray code of a number without sign, and whether the number is odd."""

    name = "their.gray"
    input = operand_def(IntType)
    result = result_def(IntType)
    odd = result_def(IntType)
    assembly_format = "$input attr-dict `:` type($input) `->` type($result) `,` type($odd)"

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        (x,) = operands
        return SAID.get("evaluate", lambda x: (x ^ (x >> 1), x & 1))(x)  # pyright: ignore[reportReturnType]

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        (kind,) = operands
        codes = np.arange(kind.low, kind.high + 1)
        gray, odd = codes ^ (codes >> 1), codes & 1
        ranges = [int_type(int(each.min()), int(each.max())) for each in (gray, odd)]
        return SAID.get("result_ranges", lambda ranges: ranges)(ranges)  # pyright: ignore[reportReturnType]

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        luts = {2: range_of(self.input).bits - 1}
        return SAID.get("luts_on", lambda luts: luts)(luts)  # pyright: ignore[reportReturnType]

    def levels_on(self, device: DeviceFamily) -> int:
        return SAID.get("levels_on", lambda: 1)()  # pyright: ignore[reportReturnType]

    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        (wire,), bits = wires, range_of(self.input).bits
        if "lower" in SAID:
            return SAID["lower"](build, wire)  # pyright: ignore[reportReturnType]
        shifted = build.resized(build.part(wire, 1, bits - 1), bits - 1, bits, signed=False)
        gray = build.add(comb.XorOp([wire, shifted]))
        gray = build.resized(gray, bits, range_of(self.result).bits, signed=False)
        return [gray, build.part(wire, 0, 1)]


@irdl_op_definition
class BareOp(IRDLOperation, Evaluable):
    """An op with semantics alone."""

    name = "their.bare"
    input = operand_def(IntType)
    result = result_def(IntType)
    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` type($input) `->` type($result)"

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (SAID.get("evaluate", lambda array: array)(operands[0]),)  # pyright: ignore[reportReturnType]


NETWORK = """
func.func @net(%x: !kan.int<0:15>, %y: !kan.int<0:15>) -> (!kan.int<0:1001>, !kan.int<0:1>) {
  %wide = kan.table %x as "wide" entries dense<[0, 9, 4, 11, 3, 3, 5, 1, 2, 8, 10, 7, 6, 0, 1, 11]>
    : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:31>
  %g, %odd = their.gray %wide : !kan.int<0:31> -> !kan.int<0:31>, !kan.int<0:1>
  %t = kan.table %g as "t" entries dense<ENTRIES> : tensor<32xi16>
    : !kan.int<0:31> -> !kan.int<0:1000>
  %u, %o = their.gray %y : !kan.int<0:15> -> !kan.int<0:15>, !kan.int<0:1>
  %s = kan.sum %t, %o as "s" : !kan.int<0:1000>, !kan.int<0:1> -> !kan.int<0:1001>
  kan.mark %s as "n" offset 0 cycle 0 : !kan.int<0:1001>
  func.return %s, %odd : !kan.int<0:1001>, !kan.int<0:1>
}
""".replace("ENTRIES", str((np.arange(32) ** 2 % 1001).tolist()))

BARE = """
func.func @net(%x: !kan.int<0:15>) -> !kan.int<0:15> {
  %g = their.bare %x : !kan.int<0:15> -> !kan.int<0:15>
  func.return %g : !kan.int<0:15>
}
"""


def parse(text: str) -> ModuleOp:
    context = make_context()
    context.register_dialect("their", lambda: Dialect("their", [GrayOp, BareOp]))
    module = Parser(context, text).parse_module()
    module.verify()
    return module


def codes() -> Array:
    return np.array(np.meshgrid(np.arange(16), np.arange(16))).reshape(2, -1).T


def expected() -> Array:
    """The network's outputs, by the definition of Gray codes."""
    wide = np.array([0, 9, 4, 11, 3, 3, 5, 1, 2, 8, 10, 7, 6, 0, 1, 11])
    x, y = codes().T
    gray = [int(f"{w:b}", 2) ^ int(f"{w >> 1:b}", 2) for w in wide[x].tolist()]
    first = np.array(gray) ** 2 % 1001 + y % 2
    return np.stack([first, wide[x] % 2], axis=1)


def gray_ops(module: ModuleOp) -> list[GrayOp]:
    return [op for op in module.walk() if isinstance(op, GrayOp)]


def function_of(module: ModuleOp) -> func.FuncOp:
    (function,) = wire_functions(module)
    return function


def test_narrowing_gives_the_op_narrower_operands_and_exact_results() -> None:
    module = parse(NETWORK)
    NarrowPass().apply(Context(), module)
    module.verify()
    first, second = gray_ops(module)
    assert range_of(first.input) == int_type(0, 11)
    # 11 is 1011, and its Gray code 1110 is the greatest but for 1111 of 10.
    assert range_of(first.result) == int_type(0, 15)
    assert (range_of(second.result), range_of(second.odd)) == (int_type(0, 15), int_type(0, 1))
    np.testing.assert_array_equal(Model.of(module).run_codes(codes()), expected())


def test_a_result_that_is_always_the_same_becomes_a_constant() -> None:
    text = """
    func.func @net(%x: !kan.int<0:3>) -> (!kan.int<0:3>, !kan.int<0:1>) {
      %one = kan.constant 3 : !kan.int<3:3>
      %r, %odd = their.gray %one : !kan.int<3:3> -> !kan.int<0:3>, !kan.int<0:1>
      func.return %r, %odd : !kan.int<0:3>, !kan.int<0:1>
    }
    """
    module = parse(text)
    NarrowPass().apply(Context(), module)
    module.verify()
    assert not gray_ops(module)
    assert Model.of(module).run_codes(np.array([[0]])).tolist() == [[2, 1]]


def test_costs_are_counted_as_the_op_says() -> None:
    module = parse(NETWORK)
    first, second = gray_ops(module)
    for device in DEVICES.values():
        assert count_luts([first, second], device) == {2: 4 + 3}
        assert (levels_of(first, device), delay_of(first, device)) == (1, device.timing.lut)
    function = function_of(module)
    whole = estimate(function, XCUP)
    tables = [op for op in function.body.block.ops if not isinstance(op, GrayOp)]
    assert whole.luts == XCUP.pack(count_luts(tables, XCUP) + count_luts([first, second], XCUP))
    # Table, Gray code, table, adder.
    assert whole.levels == sum(levels_of(op, XCUP) for op in function.body.block.ops) - 1


@pytest.mark.parametrize("bits", [5, 20])
def test_registers_of_the_ops_bits_are_traced_where_it_reads_few(bits: int) -> None:
    # Odd is the lowest bit of the input, so one register holds both.
    kind = f"!kan.int<0:{(1 << bits) - 1}>"
    module = parse(f"""
    func.func @net(%x: {kind}) -> ({kind}, !kan.int<0:1>) {{
      %g, %odd = their.gray %x : {kind} -> {kind}, !kan.int<0:1>
      %a = kan.delay %x by 1 : {kind}
      %b = kan.delay %odd by 1 : !kan.int<0:1>
      func.return %a, %b : {kind}, !kan.int<0:1>
    }}
    """)
    shared = bits <= 12
    assert estimate(function_of(module)).registers == bits + (0 if shared else 1) + 1


def test_a_schedule_counts_the_ops_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    module = parse(NETWORK)
    SchedulePass(levels=2).apply(Context(), module)
    assert estimate(function_of(module)).levels == 2
    monkeypatch.setitem(SAID, "levels_on", lambda: 3)
    slow = parse(NETWORK)
    SchedulePass(levels=3).apply(Context(), slow)
    slow.verify()
    latency = Model.of(slow).interface().latency
    again = parse(NETWORK)
    SchedulePass(levels=6).apply(Context(), again)
    assert Model.of(again).interface().latency < latency
    with pytest.raises(KanError, match="gray alone takes"):
        SchedulePass(mhz=1000, target="nexus").apply(Context(), parse(NETWORK))


def test_trees_of_adders_let_late_values_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = [f"%x{i}: !kan.int<0:15>" for i in range(4)]
    text = f"""
    func.func @net({", ".join(inputs)}) -> !kan.int<0:60> {{
      %g, %odd = their.gray %x0 : !kan.int<0:15> -> !kan.int<0:15>, !kan.int<0:1>
      %s = kan.sum %g, %x1, %x2, %x3 : !kan.int<0:15>, !kan.int<0:15>, !kan.int<0:15>,
        !kan.int<0:15> -> !kan.int<0:60>
      func.return %s : !kan.int<0:60>
    }}
    """

    def levels(own: int) -> int:
        monkeypatch.setitem(SAID, "levels_on", lambda: own)
        module = parse(text)
        BalanceSumsPass().apply(Context(), module)
        module.verify()
        return estimate(function_of(module)).levels

    assert levels(0) == 2
    # The op's value enters at the last of two or three adders in a row.
    assert levels(2) == 3


def test_the_op_goes_to_systemverilog(tmp_path: Path) -> None:
    module = parse(NETWORK)
    CompilePass().apply(Context(), module)
    module.verify()
    model = Model.of(module)
    assert model.level == "hardware"
    np.testing.assert_array_equal(model.run_codes(codes()), expected())
    assert "^" in emit_systemverilog(module)


@pytest.mark.parametrize(
    ("method", "said", "message"),
    [
        ("luts_on", lambda luts: 4, r"luts_on\(xcup\) returned 4; return numbers of LUTs"),
        ("luts_on", lambda luts: {9: 1}, r"luts_on\(xcup\) returned {9: 1}; .* 1 to 6"),
        ("luts_on", lambda luts: {2: -1}, r"luts_on\(xcup\) returned {2: -1}"),
        ("luts_on", lambda luts: {2: 1.5}, r"luts_on\(xcup\) returned {2: 1.5}"),
        ("levels_on", lambda: -1, r"levels_on\(xcup\) returned -1; return a number of levels"),
        ("levels_on", lambda: None, r"levels_on\(xcup\) returned None"),
        ("levels_on", lambda: 1 / 0, "of the package .* failed at .*: ZeroDivisionError"),
    ],
)
def test_costs_that_are_none_are_refused(
    method: str, said: Callable[..., object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAID, method, said)
    with pytest.raises(KanError, match=f"'their.gray'.*{message}"):
        estimate(function_of(parse(NETWORK)))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (lambda ranges: ranges[:1], r"returned \[.*\]; return a sequence of 2 ranges"),
        (lambda ranges: ranges[0], r"returned !kan.int<0:15>; return"),
        (lambda ranges: (0, 15), r"returned \(0, 15\); return"),
    ],
)
def test_ranges_that_are_none_are_refused(
    said: Callable[..., object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAID, "result_ranges", said)
    with pytest.raises(KanError, match=f"'their.gray': result_ranges {message}"):
        NarrowPass().apply(Context(), parse(NETWORK))


def test_results_outside_their_range_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SAID, "result_ranges", lambda ranges: [int_type(0, 7), ranges[1]])
    module = parse(NETWORK)
    NarrowPass().apply(Context(), module)
    with pytest.raises(KanError, match=r"evaluate returned \d+ as result 0, .*!kan.int<0:7>"):
        Model.of(module).run_codes(codes())


def register(build: HwBuilder, wire: SSAValue) -> list[SSAValue]:
    clock = build.input("c", seq.clock)
    return [build.add(seq.CompRegOp(wire, clock)), build.part(wire, 0, 1)]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (lambda build, wire: [wire], "returned i5; return a sequence of 2 wires: i5, i1"),
        (lambda build, wire: [wire, wire], "returned i5, i5; return"),
        (lambda build, wire: wire, "returned a wire instead of a sequence; return"),
        (lambda build, wire: None, "returned NoneType instead of a sequence; return"),
        (register, "made 'seq.compreg'; make comb and hw ops only"),
    ],
)
def test_hardware_that_does_not_fit_is_refused(
    said: Callable[..., object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAID, "lower", said)
    with pytest.raises(KanError, match=f"'their.gray': lower {message}"):
        LowerKanToHwPass().apply(Context(), parse(NETWORK))


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (lambda module: estimate(function_of(module)), "what it costs on a device"),
        (lambda module: NarrowPass().apply(Context(), module), "the ranges of its results"),
        (lambda module: SchedulePass().apply(Context(), module), "what it costs on a device"),
        (
            lambda module: SchedulePass(mhz=100).apply(Context(), module),
            "what it costs on a device",
        ),
        (lambda module: LowerKanToHwPass().apply(Context(), module), "what its hardware is"),
        (lambda module: CompilePass().apply(Context(), module), "the ranges of its results"),
    ],
)
def test_an_op_without_the_interface_is_refused_by_name(
    step: Callable[[ModuleOp], object], what: str
) -> None:
    module = parse(BARE)
    with pytest.raises(KanError, match=f"'their.bare' at wire level does not say {what}; implem"):
        step(module)
    # Its meaning is known all the same.
    assert Model.of(parse(BARE)).run_codes(np.array([[7]])).tolist() == [[7]]


def test_codes_that_are_floats_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SAID, "evaluate", lambda array: array * 1.0)
    message = "'their.bare': evaluate returned an array of float64 in place of integers as result 0"
    with pytest.raises(KanError, match=message):
        Model.of(parse(BARE)).run_codes(np.array([[7]]))


@pytest.mark.parametrize("kind", ["bool", "uint8"])
def test_codes_of_narrow_kinds_do_not_wrap(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 + 1 is 1 in bool, and 200 + 200 is 144 in uint8."""
    most = {"bool": 1, "uint8": 200}[kind]
    text = f"""
func.func @net(%x: !kan.int<0:{most}>) -> !kan.int<0:{2 * most}> {{
  %g = their.bare %x : !kan.int<0:{most}> -> !kan.int<0:{most}>
  %h = their.bare %x : !kan.int<0:{most}> -> !kan.int<0:{most}>
  %s = kan.sum %g, %h : !kan.int<0:{most}>, !kan.int<0:{most}> -> !kan.int<0:{2 * most}>
  func.return %s : !kan.int<0:{2 * most}>
}}
"""
    monkeypatch.setitem(SAID, "evaluate", lambda array: array.astype(kind))
    assert Model.of(parse(text)).run_codes(np.array([[most]])).tolist() == [[2 * most]]


def test_an_op_without_a_method_of_the_interface_is_refused_as_it_is_parsed() -> None:
    @irdl_op_definition
    class LowerlessOp(IRDLOperation, WireInterface):
        name = "their.lowerless"
        input = operand_def(IntType)
        result = result_def(IntType)
        assembly_format = "$input attr-dict `:` type($input) `->` type($result)"
        evaluate, result_ranges = BareOp.evaluate, GrayOp.result_ranges
        luts_on, levels_on = GrayOp.luts_on, GrayOp.levels_on

    context = make_context()
    context.register_dialect("their", lambda: Dialect("their", [LowerlessOp]))
    message = "abstract class LowerlessOp .*lower.*; give the op every method of its interface"
    with pytest.raises(KanError, match=message):
        parse_text(context, BARE.replace("bare", "lowerless").encode(), "net.mlir")


def test_abstract_methods_are_asked_for() -> None:
    missing = {"evaluate", "result_ranges", "luts_on", "levels_on", "lower"}
    assert WireInterface.__abstractmethods__ == missing
    assert issubclass(GrayOp, Operation)
