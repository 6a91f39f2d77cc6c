"""The emitted SystemVerilog as text: lint, determinism, memory inference, and what is refused.

That it computes what the hardware ops mean is tested in test_hardware_semantics.py.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr

from fuzz.networks import Drawing
from hardware_text import in_module, parse
from kan_dialect.errors import KanError
from kan_dialect.flows.prove.text import check_text
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass
from kan_dialect.lowering.hardware_ops import hardware_modules
from kan_dialect.lowering.hw_builder import HwBuilder, integer
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.ops.memory import MemoryOp, MemoryReadOp
from lint import require_no_lint

SHAPES = """
builtin.module attributes {"kan.pipeline" = ["kan-narrow", "lower-kan-to-hw"]} {
hw.module @shapes(
    in %clk : !seq.clock, in %rst : i1, in %x0 : i3, in %x1 : i4, in %bit : i1, in %wide : i40,
    out y0 : i6, out y1 : i4, out y2 : i1, out y3 : i40, out y4 : i1, out y5 : i4, out y6 : i8)
    attributes {"kan.latency" = 1 : i64} {
  // A table of eight entries, one with entries that no index finds, and one of a single bit each.
  %t0 = hw.constant 12345678 : i24
  %a0 = hw.bitcast %t0 {sv.namehint = "full_table"} : (i24) -> !hw.array<8xi3>
  %e0 = hw.array_get %a0[%x0] : !hw.array<8xi3>, i3
  %t1 = hw.constant 20000 : i20
  %a1 = hw.bitcast %t1 {sv.namehint = "partial_table"} : (i20) -> !hw.array<5xi4>
  %e1 = hw.array_get %a1[%x0] : !hw.array<5xi4>, i3
  %t2 = hw.constant -2 : i2
  %a2 = hw.bitcast %t2 {sv.namehint = "bit_table"} : (i2) -> !hw.array<2xi1>
  %e2 = hw.array_get %a2[%bit] : !hw.array<2xi1>, i1
  %t3 = hw.constant 1234567890123456789 : i80
  %a3 = hw.bitcast %t3 {sv.namehint = "wide_table"} : (i80) -> !hw.array<2xi40>
  %e3 = hw.array_get %a3[%bit] : !hw.array<2xi40>, i1
  // Sign extension, of a single bit, too.
  %s0 = comb.extract %e0 from 2 : (i3) -> i1
  %r0 = comb.replicate %s0 : (i1) -> i3
  %w0 = comb.concat %r0, %e0 : i3, i3
  %r1 = comb.replicate %bit : (i1) -> i5
  %w1 = comb.concat %r1, %bit : i5, i1
  %bias = hw.constant -20 : i6
  %sum = comb.add %w0, %w1, %bias : i6
  %sum_s1 = seq.compreg %sum, %clk {sv.namehint = "sum_s1"} : i6
  // A clamp of a sum, in one expression.
  %low = hw.constant -8 : i6
  %high = hw.constant 7 : i6
  %below = comb.icmp slt %sum, %low : i6
  %above = comb.icmp sgt %sum, %high : i6
  %cut = comb.extract %sum from 0 : (i6) -> i4
  %low4 = hw.constant -8 : i4
  %high4 = hw.constant 7 : i4
  %m0 = comb.mux %below, %low4, %cut : i4
  %m1 = comb.mux %above, %high4, %m0 : i4
  // Comparisons of sums; shifts; signed and unsigned mixed.
  %s1 = comb.add %e1, %x1 : i4
  %s2 = comb.sub %x1, %e1 : i4
  %less = comb.icmp ult %s1, %s2 : i4
  %less_s1 = seq.compreg %less, %clk reset %rst, %bit : i1
  %shifted = comb.shrs %s2, %x1 : i4
  %mixed = comb.add %shifted, %x1 : i4
  %wide_sum = comb.add %wide, %e3 : i40
  %parity = comb.parity %e2 : i1
  %array = hw.array_create %x1, %m1 : i4
  %element = hw.array_get %array[%bit] : !hw.array<2xi4>, i1
  %flat = hw.bitcast %array : (!hw.array<2xi4>) -> i8
  %y5 = comb.xor %element, %mixed : i4
  hw.output %sum_s1, %m1, %less_s1, %wide_sum, %parity, %y5, %flat : i6, i4, i1, i40, i1, i4, i8
}
}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "dut.sv"
    path.write_text(text)
    return path


def run_tool(name: str, *arguments: str | Path) -> str:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    command = [name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def registered_tables(entries: int, width: int) -> str:
    """Two tables in a row between registers, which is what tools make block RAM of."""
    index = (entries - 1).bit_length()
    bits = entries * width
    value = random.Random(0).getrandbits(bits)
    return f"""
    hw.module @rom(in %clk : !seq.clock, in %x : i{index}, out y : i{width}) {{
      %x_s1 = seq.compreg %x, %clk {{sv.namehint = "x_s1"}} : i{index}
      %t = hw.constant {value:#x} : i{bits}
      %a = hw.bitcast %t {{sv.namehint = "e_table"}} : (i{bits}) -> !hw.array<{entries}xi{width}>
      %e = hw.array_get %a[%x_s1] : !hw.array<{entries}xi{width}>, i{index}
      %e_s2 = seq.compreg %e, %clk {{sv.namehint = "e_s2"}} : i{width}
      %i = comb.extract %e_s2 from 0 : (i{width}) -> i3
      %u = hw.constant 0xFA5301 : i24
      %b = hw.bitcast %u {{sv.namehint = "f_table"}} : (i24) -> !hw.array<8xi3>
      %f = hw.array_get %b[%i] : !hw.array<8xi3>, i3
      %g = comb.extract %e_s2 from 3 : (i{width}) -> i{width - 3}
      %h = comb.concat %f, %g : i3, i{width - 3}
      %h_s3 = seq.compreg %h, %clk {{sv.namehint = "h_s3"}} : i{width}
      hw.output %h_s3 : i{width}
    }}
    """


# Tools


UNREAD = """
hw.module @unread(
    in %clk : !seq.clock, in %rst : i1, in %x0 : i4, in %x1 : i8, in %x2 : i3, in %x3 : i6,
    out y0 : i3, out y1 : i2, out y2 : i2, out y3 : i4) {
  // Neither a clock nor x0 has a reader, and of x1 some bits on both sides have none.
  %high = comb.extract %x1 from 6 : (i8) -> i1
  %low = comb.extract %x1 from 1 : (i8) -> i2
  %y0 = comb.concat %high, %low : i1, i2
  // Two tables that are a bit of their index and the complement of one, of a slice, too.
  %t0 = hw.constant 0xAA55 : i16
  %a0 = hw.bitcast %t0 {sv.namehint = "one_bit"} : (i16) -> !hw.array<8xi2>
  %y1 = hw.array_get %a0[%x2] : !hw.array<8xi2>, i3
  %slice = comb.extract %x3 from 2 : (i6) -> i3
  %y2 = hw.array_get %a0[%slice] : !hw.array<8xi2>, i3
  // A sum of which the upper bits alone are read, and a name that nothing reads.
  %sum = comb.add %x1, %x1 {sv.namehint = "sum"} : i8
  %y3 = comb.extract %sum from 4 : (i8) -> i4
  %mark = comb.mul %x1, %x1 {sv.namehint = "mark"} : i8
  // An array of which one element is read.
  %array = hw.array_create %y3, %y3 : i4
  %one = hw.constant 1 : i1
  %element = hw.array_get %array[%one] : !hw.array<2xi4>, i1
  hw.output %y0, %y1, %y2, %element : i3, i2, i2, i4
}
"""


@pytest.mark.parametrize("text", [SHAPES, UNREAD], ids=["shapes", "unread"])
def test_linters_have_nothing_to_say(text: str, tmp_path: Path) -> None:
    require_no_lint(tmp_path, hardware_modules(parse(text)))


def test_linters_have_nothing_to_say_of_random_networks(tmp_path: Path) -> None:
    """Every schedule and helper function, inputs that nothing reads, sums taken modulo."""
    schedules = [{"cycles": 2}, {"levels": 1}, {"combinational": True}]
    circuits: list[hw.HWModuleOp] = []
    for index in (0, 1, 2, 6, 7, 8, 14):
        module = Drawing(np.random.default_rng([8, index])).network(f"net{index}").module()
        for stage in CompilePass(**schedules[index % 3]).expand():
            stage.apply(Context(), module)
        circuits += hardware_modules(module)
    texts = [emit_systemverilog(ModuleOp([circuit.clone()])) for circuit in circuits]
    for needed in ("absorb", "_carry(", "unused_bits", "always_ff"):
        assert any(needed in text for text in texts), needed
    require_no_lint(tmp_path, circuits)


def test_icarus_and_yosys_read_it(tmp_path: Path) -> None:
    path = written(tmp_path, emit_systemverilog(parse(SHAPES)))
    assert run_tool("iverilog", "-g2012", "-Wall", "-o", tmp_path / "dut.vvp", path) == ""
    assert run_tool("yosys", "-q", "-p", f"read_verilog -sv {path}; synth") == ""


@pytest.mark.parametrize(("flow", "entries"), [("synth_ice40", 256), ("synth_ecp5", 512)])
def test_tables_stay_logic(flow: str, entries: int, tmp_path: Path) -> None:
    """Registers around a table that is a `case` make it block RAM."""
    path = written(tmp_path, emit_systemverilog(parse(registered_tables(entries, 8))))
    no_rams = "select -assert-count 0 t:SB_RAM40_4K t:DP16KD %u"
    run_tool(
        "yosys", "-q", "-p", f"read_verilog -sv {path}; {flow} -run begin:map_ffram; {no_rams}"
    )


def test_registers_stay_before_tables(tmp_path: Path) -> None:
    """6 bits of address, 8 of the word and its sign: as many registers as are written."""
    path = written(tmp_path, emit_systemverilog(parse(registered_tables(64, 8))))
    count = "select -assert-count 22 t:FD*"
    xilinx = "synth_xilinx -family xcup -flatten -noiopad -noclkbuf"
    run_tool("yosys", "-q", "-p", f"read_verilog -sv {path}; {xilinx}; {count}")


def test_sums_of_sums_stay_carry_chains(tmp_path: Path) -> None:
    """Eight operands: 7 adders of 8 to 10 bits, a LUT each; compressors would take 100."""
    body = ["%z = hw.constant 0 : i3"]
    body += [f"%w{i} = comb.concat %z, %x{i} : i3, i8" for i in range(8)]
    body += [f"%s{i} = comb.add %w{2 * i}, %w{2 * i + 1} : i11" for i in range(4)]
    body += ["%t0 = comb.add %s0, %s1 : i11", "%t1 = comb.add %s2, %s3 : i11"]
    body += ["%y = comb.add %t0, %t1 : i11", "hw.output %y : i11"]
    ports = ", ".join([*(f"in %x{i} : i8" for i in range(8)), "out y : i11"])
    module = in_module("\n".join(body), ports)
    FormCarryChainsPass().apply(Context(), module)
    text = emit_systemverilog(module)
    assert text.count("endfunction") == 1
    xilinx = "synth_xilinx -family xcup -flatten -noiopad -noclkbuf"
    count = "select -assert-none t:LUT3 t:LUT4 t:LUT5 t:LUT6"
    run_tool("yosys", "-q", "-p", f"read_verilog -sv {written(tmp_path, text)}; {xilinx}; {count}")


def test_long_tables_fit_into_lines(tmp_path: Path) -> None:
    text = emit_systemverilog(parse(registered_tables(4096, 8)))
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) < 2000
    require_no_lint(tmp_path, hardware_modules(parse(registered_tables(4096, 8))))


def test_long_tables_are_a_multiplexer_an_entry(tmp_path: Path) -> None:
    """As vectors, each bit of an entry would take one for every bit of the code."""
    path = written(tmp_path, emit_systemverilog(parse(registered_tables(2048, 4))))
    count = "select -assert-max 8300 t:$_MUX_"
    run_tool("yosys", "-q", "-p", f"read_verilog -sv {path}; proc; techmap; {count}")


@pytest.mark.parametrize("flow", ["xilinx -family xcup -abc9 -noiopad", "ecp5", "ice40", "gowin"])
def test_yosys_synthesises_small_tables(flow: str, tmp_path: Path) -> None:
    path = written(tmp_path, emit_systemverilog(parse(registered_tables(16, 4))))
    run_tool("yosys", "-q", "-p", f"read_verilog -sv {path}; synth_{flow} -top rom")


# Text


def test_the_same_module_gives_the_same_bytes() -> None:
    first, second = (emit_systemverilog(parse(SHAPES)) for _ in range(2))
    assert first == second
    module = parse(SHAPES)
    before = str(module)
    assert emit_systemverilog(module) == emit_systemverilog(module) == first
    assert str(module) == before


def test_a_comment_cannot_be_escaped() -> None:
    module = in_module("hw.output %a : i4")
    module.attributes["kan.pipeline"] = ArrayAttr([StringAttr("pass\nendmodule\r\x85")])
    assert "//   pass?endmodule??\n" in emit_systemverilog(module)


def test_long_statements_are_broken() -> None:
    terms = 40
    names = [f"layer0_edge0_{index}" for index in range(terms)]
    body = [f'%{n} = comb.xor %a, %a {{sv.namehint = "{n}"}} : i4' for n in names]
    body.append(f"%s = comb.add {', '.join(f'%{n}' for n in names)} : i4")
    lines = emit_systemverilog(in_module("\n".join([*body, "hw.output %s : i4"]))).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum("layer0_edge0_3" in line for line in lines) > 1


def test_expressions_do_not_grow_without_bound() -> None:
    body = ["%v0 = comb.xor %a, %a : i4"]
    body += [f"%v{i + 1} = comb.add %v{i}, %a : i4" for i in range(500)]
    text = emit_systemverilog(in_module("\n".join([*body, "hw.output %v500 : i4"])))
    assert max(map(len, text.splitlines())) <= 100
    assert text.count("wire logic [3:0] sum_") > 10


def test_values_that_nothing_needs_are_left_out() -> None:
    body = """
    %dead = comb.add %a, %a : i4
    %kept = comb.mul %a, %a {sv.namehint = "mark"} : i4
    hw.output %a : i4
    """
    text = emit_systemverilog(in_module(body))
    assert "a + a" not in text
    assert "wire logic [3:0] mark = a * a;" in text


# Refusals


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("func.func @f() { func.return }", "'func.func' is not a hardware op; run kan-compile"),
        ("builtin.module {}", "there is no 'hw.module'; run kan-compile"),
        (
            "hw.module @m(in %a : i0, out y : i4) {\n%c = hw.constant 0 : i4\nhw.output %c : i4 }",
            "@m: port 'a' of type i0 cannot be printed as SystemVerilog",
        ),
        (
            "hw.module @m(in %a : !hw.array<2xi4>) { hw.output }",
            "@m: port 'a' of type !hw.array<2xi4> cannot be printed",
        ),
        (
            "hw.module @m<p: i4>(in %a : i4) { hw.output }",
            "@m: a module with parameters cannot be printed",
        ),
        (
            """
            hw.module @m(in %a : i4) {
              %b = hw.array_create %a, %a : i4
              %c = hw.array_create %b, %b : !hw.array<2xi4>
              hw.output
            }
            """,
            "@m: 'hw.array_create' of type !hw.array<2x!hw.array<2xi4>> cannot be printed",
        ),
        (
            """
            hw.module @m(in %clk : !seq.clock, in %a : i4, out y : i4) {
              %r = seq.compreg %a, %clk powerOn %a : i4
              hw.output %r : i4
            }
            """,
            "@m: 'seq.compreg' with a power-on value cannot be printed",
        ),
        (
            """
            hw.module @m(in %a : i4, out y : i4) {
              %b = comb.add %a, %c : i4
              %c = comb.xor %b, %a : i4
              hw.output %c : i4
            }
            """,
            "combinational loop",
        ),
        (
            """
            hw.module.extern @leaf(in %a : i4)
            hw.module @m(in %a : i4) { hw.output }
            """,
            "'hw.module.extern' cannot be printed as SystemVerilog",
        ),
    ],
)
def test_what_is_outside_the_subset_is_named(text: str, message: str) -> None:
    with pytest.raises(KanError) as raised:
        emit_systemverilog(parse(text))
    assert message in str(raised.value)


def test_long_memories_have_their_words_in_several_blocks() -> None:
    """Yosys takes time by the square of the words of a block."""
    words, build = np.arange(600) % 13, HwBuilder()
    clock, address = build.input("clk", seq.clock), build.input("a", integer(10))
    rom = build.add(MemoryOp(600, 4, words, "rom"))
    word = build.add(MemoryReadOp(rom, address, clock))
    text = emit_systemverilog(ModuleOp([build.finish(StringAttr("m"), {"y": word})]))
    assert text.count("initial begin") == 3
    assert check_text(text)["m"].memories["rom"].entries == words.tolist()
