"""The NumPy meaning of the hardware ops, against integers and against simulators of the RTL.

Random modules are drawn, evaluated, printed as SystemVerilog and simulated: as printed, as Yosys
reads it, and as CIRCT prints it.
"""

from __future__ import annotations

import io
import operator
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from random_hardware import Batch
from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import (
    IntegerAttr,
    IntegerType,
    ModuleOp,
    i1,
    i32,
)
from xdsl.ir import Operation

from icarus_runs import _output_of, _tool, run_icarus
from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import (
    bit_width,
    in_dataflow_order,
    simulate_cycles,
    simulate_hardware,
)
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.ir.constants import Array
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.targets.circt import CirctTarget
from lint import require_no_lint


def run_verilator(folder: Path, files: Sequence[Path]) -> str:
    flags = ["--binary", "--timing", "-Wno-fatal", "-Wno-lint", "-O1", "-j", "2", "-CFLAGS", "-O0"]
    _output_of(_tool("verilator"), *flags, "--top", "tb", "--Mdir", "obj", *files, folder=folder)
    return _output_of(folder / "obj" / "Vtb", folder=folder)


def test_linters_have_nothing_to_say(tmp_path: Path) -> None:
    """Nothing is waived, and every op, width and kind of name is there."""
    module = Batch.draw(8, 12).module
    require_no_lint(tmp_path, (op for op in module.ops if isinstance(op, hw.HWModuleOp)))


# Ops against Python's integers


def _signed(value: int, width: int) -> int:
    return value - (1 << width) if value >> (width - 1) else value


def _divided(a: int, b: int) -> tuple[int, int]:
    """Quotient towards zero and remainder; both 0 for a divisor of 0."""
    if b == 0:
        return 0, 0
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient, a - quotient * b


BINARY: list[tuple[type[Operation], Callable[[int, int, int], int]]] = [
    (comb.AddOp, lambda a, b, w: a + b),
    (comb.MulOp, lambda a, b, w: a * b),
    (comb.AndOp, lambda a, b, w: a & b),
    (comb.OrOp, lambda a, b, w: a | b),
    (comb.XorOp, lambda a, b, w: a ^ b),
    (comb.SubOp, lambda a, b, w: a - b),
    (comb.ShlOp, lambda a, b, w: a << min(b, w)),
    (comb.ShrUOp, lambda a, b, w: a >> min(b, w)),
    (comb.ShrSOp, lambda a, b, w: _signed(a, w) >> min(b, w)),
    (comb.DivUOp, lambda a, b, w: _divided(a, b)[0]),
    (comb.ModUOp, lambda a, b, w: _divided(a, b)[1]),
    (comb.DivSOp, lambda a, b, w: _divided(_signed(a, w), _signed(b, w))[0]),
    (comb.ModSOp, lambda a, b, w: _divided(_signed(a, w), _signed(b, w))[1]),
]


def _held(values: Sequence[int], width: int) -> Array:
    return np.array(values, dtype=np.int64 if width <= 63 else object)


def _evaluate(op: Operation, *operands: Array) -> list[int]:
    (result,) = evaluate_op(op, operands)
    width = bit_width(op.results[0].type)
    assert result.dtype == (np.int64 if width <= 63 else object)
    return [int(value) for value in result]


@st.composite
def samples(draw: st.DrawFn) -> tuple[int, list[int], list[int]]:
    """A width and two columns of patterns."""
    width = draw(st.sampled_from([1, 2, 7, 31, 32, 62, 63, 64, 65, 100]))
    pattern = st.one_of(
        st.integers(0, (1 << width) - 1),
        st.sampled_from([0, 1, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1]),
    )
    count = draw(st.integers(1, 8))
    column = st.lists(pattern.map(lambda v: v % (1 << width)), min_size=count, max_size=count)
    return width, draw(column), draw(column)


@settings(max_examples=300, deadline=None)
@given(samples())
def test_arithmetic_is_that_of_integers(drawn: tuple[int, list[int], list[int]]) -> None:
    width, a, b = drawn
    x, y = (hw.ConstantOp(0, width).result for _ in range(2))
    for kind, reference in BINARY:
        variadic = issubclass(kind, comb.VariadicCombOperation)
        make = cast("Callable[..., Operation]", kind)
        op = make([x, y]) if variadic else make(x, y)
        expected = [reference(p, q, width) % (1 << width) for p, q in zip(a, b, strict=True)]
        assert _evaluate(op, _held(a, width), _held(b, width)) == expected, op.name


@settings(max_examples=100, deadline=None)
@given(samples())
def test_comparisons_are_those_of_integers(drawn: tuple[int, list[int], list[int]]) -> None:
    width, a, b = drawn
    x, y = (hw.ConstantOp(0, width).result for _ in range(2))
    for predicate in comb.ICMP_COMPARISON_OPERATIONS:
        compare = getattr(operator, predicate[-2:])
        read = _signed if predicate[0] == "s" else lambda value, width: value
        expected = [int(compare(read(p, width), read(q, width))) for p, q in zip(a, b, strict=True)]
        assert _evaluate(comb.ICmpOp(x, y, predicate), _held(a, width), _held(b, width)) == expected


@settings(max_examples=100, deadline=None)
@given(samples(), st.data())
def test_wiring_moves_bits(drawn: tuple[int, list[int], list[int]], data: st.DataObject) -> None:
    width, a, b = drawn
    x, y = (hw.ConstantOp(0, width).result for _ in range(2))
    concat = comb.ConcatOp([x, y], IntegerType(2 * width))
    expected = [p << width | q for p, q in zip(a, b, strict=True)]
    assert _evaluate(concat, _held(a, width), _held(b, width)) == expected
    low = data.draw(st.integers(0, width - 1))
    size = data.draw(st.integers(1, width - low))
    extract = comb.ExtractOp(x, IntegerAttr(low, i32), IntegerType(size))
    assert _evaluate(extract, _held(a, width)) == [p >> low & ((1 << size) - 1) for p in a]
    replicate = comb.ReplicateOp(x, IntegerType(3 * width))
    expected = [p | p << width | p << 2 * width for p in a]
    assert _evaluate(replicate, _held(a, width)) == expected
    parity = comb.ParityOp.create(operands=[x], result_types=[i1])
    assert _evaluate(parity, _held(a, width)) == [p.bit_count() & 1 for p in a]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_table_holds_its_first_entry_lowest(data: st.DataObject) -> None:
    width = data.draw(st.sampled_from([1, 3, 6, 8, 32, 63, 64, 70]))
    entries = data.draw(st.lists(st.integers(0, (1 << width) - 1), min_size=1, max_size=70))
    bits = width * len(entries)
    packed = sum(entry << (width * index) for index, entry in enumerate(entries))
    constant = hw.ConstantOp(packed, bits)
    cast = hw.BitcastOp(constant, hw.ArrayType(IntegerType(width), len(entries)))
    (whole,) = evaluate_op(constant, [])
    (array,) = evaluate_op(cast, [whole])
    assert array.tolist() == [entries]
    index = hw.ConstantOp(0, (len(entries) - 1).bit_length())
    codes = np.arange(len(entries))
    assert _evaluate(hw.ArrayGetOp(cast, index), array, codes) == entries
    back = hw.BitcastOp(cast, IntegerType(bits))
    assert _evaluate(back, array) == [packed]


def test_a_table_of_more_digits_than_python_prints() -> None:
    bits = 20000
    constant = hw.ConstantOp((1 << bits) - 1, bits)
    (whole,) = evaluate_op(constant, [])
    cast = hw.BitcastOp(constant, hw.ArrayType(IntegerType(8), bits // 8))
    (array,) = evaluate_op(cast, [whole])
    assert (array == 255).all() and array.shape == (1, bits // 8)


# Time


def _module(text: str) -> hw.HWModuleOp:
    (circuit,) = parse_text(make_context(), text.encode(), "m.mlir").ops
    assert isinstance(circuit, hw.HWModuleOp)
    return circuit


def test_registers_delay_and_reset() -> None:
    circuit = _module(
        """
        hw.module @m(in %clk : !seq.clock, in %rst : i1, in %x : i4,
                     out p : i4, out q : i4, out r : i4) {
          %seven = hw.constant 7 : i4
          %p = seq.compreg %x, %clk : i4
          %q = seq.compreg %p, %clk reset %rst, %seven : i4
          %r = seq.compreg %x, %clk powerOn %seven : i4
          hw.output %p, %q, %r : i4, i4, i4
        }
        """
    )
    outputs = simulate_hardware(
        circuit, {"rst": np.array([0, 0, 1, 0, 0]), "x": np.array([1, -2, 3, 4, 5])}
    )
    assert outputs["p"].tolist() == [0, 1, 14, 3, 4]
    assert outputs["q"].tolist() == [0, 0, 1, 7, 3]
    assert outputs["r"].tolist() == [7, 1, 14, 3, 4]


def test_the_order_of_ops_does_not_matter() -> None:
    circuit = _module(
        """
        hw.module @m(in %clk : !seq.clock, in %x : i4, out y : i4) {
          %r = seq.compreg %s, %clk : i4
          %s = comb.add %c, %x : i4
          %c = hw.constant 1 : i4
          hw.output %r : i4
        }
        """
    )
    assert simulate_hardware(circuit, {"x": np.arange(4)})["y"].tolist() == [0, 1, 2, 3]


def test_cycle_by_cycle_is_as_all_cycles_at_once() -> None:
    circuit = _module(
        """
        hw.module @m(in %clk : !seq.clock, in %rst : i1, in %x : i4,
                     out p : i4, out q : i4, out r : i70, out s : i4, out t : i64) {
          %seven = hw.constant 7 : i4
          %high = hw.constant 1 : i66
          %q = seq.compreg %p, %clk reset %rst, %seven : i4
          %p = seq.compreg %x, %clk powerOn %seven : i4
          %wide = comb.concat %high, %p : i66, i4
          %r = seq.compreg %wide, %clk : i70
          %a = hw.array_create %x, %p, %q : i4
          %b = seq.compreg %a, %clk : !hw.array<3xi4>
          %one = hw.constant 1 : i2
          %s = hw.array_get %b[%one] : !hw.array<3xi4>, i2
          %m = kan.memory initial dense<[1, -2, 3]> : tensor<3xi64> : !kan.memory<3, i64>
          %low = comb.extract %x from 0 : (i4) -> i2
          %t = kan.memory_read %m[%low], %clk : !kan.memory<3, i64>, i2 -> i64
          hw.output %p, %q, %r, %s, %t : i4, i4, i70, i4, i64
        }
        """
    )
    rng = np.random.default_rng(0)
    lanes = [{"rst": rng.integers(2, size=9), "x": rng.integers(16, size=9)} for _ in range(2)]
    shown = list(
        simulate_cycles(
            circuit,
            (
                {k: np.array([lane[k][cycle] for lane in lanes]) for k in lanes[0]}
                for cycle in range(9)
            ),
        )
    )
    for index, lane in enumerate(lanes):
        for name, values in simulate_hardware(circuit, lane).items():
            found = [np.broadcast_to(cycle[name], 2)[index] for cycle in shown]
            assert found == values.tolist()
    word = {0: 1, 1: (1 << 64) - 2, 2: 3, 3: 0}
    assert simulate_hardware(circuit, lanes[0])["t"].tolist() == [
        0,
        *(word[x] for x in (lanes[0]["x"] & 3).tolist()[:-1]),
    ]


def test_feedback_is_simulated_cycle_by_cycle() -> None:
    circuit = _module(
        """
        hw.module @m(in %clk : !seq.clock, in %x : i4, out y : i4) {
          %s = comb.add %r, %x : i4
          %r = seq.compreg %s, %clk : i4
          hw.output %r : i4
        }
        """
    )
    inputs = ({"x": np.array([cycle, 1])} for cycle in range(5))
    shown = [cycle["y"].tolist() for cycle in simulate_cycles(circuit, inputs)]
    assert shown == [[0], [0, 1], [1, 2], [3, 3], [6, 4]]


def test_loops_are_refused() -> None:
    feedback = _module(
        """
        hw.module @m(in %clk : !seq.clock, in %x : i4, out y : i4) {
          %s = comb.add %r, %x : i4
          %r = seq.compreg %s, %clk : i4
          hw.output %r : i4
        }
        """
    )
    with pytest.raises(KanError, match="is part of a feedback loop"):
        simulate_hardware(feedback, {"x": np.arange(4)})
    ops = in_dataflow_order(feedback.body.block.ops, through_registers=False)
    assert [op.name for op in ops] == ["comb.add", "seq.compreg", "hw.output"]
    combinational = _module(
        """
        hw.module @m(in %x : i4, out y : i4) {
          %a = comb.add %b, %x : i4
          %b = comb.xor %a, %x : i4
          hw.output %b : i4
        }
        """
    )
    with pytest.raises(KanError, match="combinational loop"):
        in_dataflow_order(combinational.body.block.ops, through_registers=False)


def test_inputs_are_checked() -> None:
    circuit = _module("hw.module @m(in %a : i4, in %b : i4, out y : i4) { hw.output %a : i4 }")
    with pytest.raises(KanError, match="no values are given for input 'b' of @m"):
        simulate_hardware(circuit, {"a": np.arange(4)})
    with pytest.raises(KanError, match="input 'b' has 3 cycles, an earlier one has 4"):
        simulate_hardware(circuit, {"a": np.arange(4), "b": np.arange(3)})
    two_clocks = _module(
        """
        hw.module @m(in %c : !seq.clock, in %d : !seq.clock, in %x : i4, out y : i4) {
          %p = seq.compreg %x, %c : i4
          %q = seq.compreg %p, %d : i4
          hw.output %q : i4
        }
        """
    )
    with pytest.raises(KanError, match="2 clocks"):
        simulate_hardware(two_clocks, {"x": np.arange(4)})


# Random modules against simulators


def exported_by_circt(module: ModuleOp) -> str:
    import circt
    from circt.ir import Context as CirctContext
    from circt.ir import Module
    from circt.passmanager import PassManager

    text, exported = io.StringIO(), io.StringIO()
    CirctTarget().emit(make_context(), module, text)
    with CirctContext() as context:
        circt.register_dialects(context)
        parsed = Module.parse(text.getvalue())
        PassManager.parse("builtin.module(canonicalize,lower-seq-to-sv)").run(parsed.operation)
        circt.export_verilog(parsed, exported)
    return exported.getvalue()


@settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32 - 1))
def test_emitted_text_in_icarus(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    _tool("iverilog")
    batch = Batch.draw(seed, 30)
    batch.check(emit_systemverilog(batch.module), tmp_path_factory.mktemp("icarus"), run_icarus)


@pytest.mark.ci
def test_emitted_text_and_circts_in_verilator(tmp_path: Path) -> None:
    """One half each, in one simulation; Icarus does not read all of CIRCT's text."""
    _tool("verilator")
    export = exported_by_circt if find_spec("circt") else emit_systemverilog
    batch = Batch.draw(1, 50)
    ours, circts = batch.module.clone(), batch.module.clone()
    for index, (our, circt) in enumerate(zip([*ours.ops], [*circts.ops], strict=True)):
        (circt if index % 2 else our).detach()
    text = emit_systemverilog(ours) + export(circts)
    batch.check(text, tmp_path, run_verilator)


def test_emitted_text_as_yosys_reads_it(tmp_path: Path) -> None:
    _tool("yosys")
    batch = Batch.draw(2, 40)
    (tmp_path / "in.sv").write_text(emit_systemverilog(batch.module))
    script = "read_verilog -sv in.sv; proc; opt; memory_map; opt; write_verilog -noattr out.v"
    _output_of("yosys", "-q", "-p", script, folder=tmp_path)
    batch.check((tmp_path / "out.v").read_text(), tmp_path, run_icarus)
