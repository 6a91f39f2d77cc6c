"""`kan-map-tables` keeps every value; texts have its lookup tables as modules, which tools keep."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st
from random_hardware import circuit_of, outputs_of
from xdsl.context import Context
from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import IntegerType, ModuleOp, StringAttr, i1
from xdsl.ir import SSAValue

from kan_dialect.devices.device import ICE40
from kan_dialect.evaluate.hardware import bit_width, simulate_hardware
from kan_dialect.flows.prove.cycles.readings import difference_of_readings
from kan_dialect.flows.prove.netlist import read_design
from kan_dialect.flows.prove.text import NotInSubset, check_text, read_text
from kan_dialect.flows.tools import toolchain
from kan_dialect.flows.tools.synthesis import synthesize
from kan_dialect.lowering import map_tables
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.lowering.lut_modules import LutModule, lut_module
from kan_dialect.lowering.map_tables import MapTablesPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.vhdl.target import emit_vhdl
from kan_dialect.ops.lut import LutOp
from kan_dialect.search.lut_mapping.mapping import ROUNDS, map_functions
from kan_dialect.search.lut_mapping.network import LutNetwork
from repository import EXAMPLES

WIDTHS = (6, 5, 3, 1)
"""Of the inputs."""

needs_yosys = pytest.mark.skipif(
    toolchain.look_for("yosys") is None, reason="Yosys is not installed"
)


def table(build: HwBuilder, index: SSAValue, entries: list[int], bits: int) -> SSAValue:
    """The entry of a table."""
    return build.entry(build.array(np.array(entries), bits, None), index, bits)


@st.composite
def tables(draw: st.DrawFn) -> ModuleOp:
    """A module of tables: of inputs, parts of them, several, registers, and entries of tables.

    Some entries are constants, bits of the index or their complements, or those of another table.
    """
    build = HwBuilder()
    build.clock = build.input("clk", seq.clock)
    values = [build.input(f"x{i}", IntegerType(bits)) for i, bits in enumerate(WIDTHS)]
    for _ in range(draw(st.integers(1, 5))):
        index = draw(st.sampled_from(values))
        match draw(st.integers(0, 3)):
            case 0:
                low = draw(st.integers(0, bit_width(index.type) - 1))
                index = build.part(index, low, draw(st.integers(1, bit_width(index.type) - low)))
            case 1:
                index = build.register(index)
            case 2:
                other = draw(st.sampled_from(values[2:4]))
                index = build.joined([other, index], bit_width(index.type) + bit_width(other.type))
            case _:
                pass
        bits, size = draw(st.integers(1, 5)), 1 << bit_width(index.type)
        codes = np.arange(size)
        planes: list[int] = []
        for _ in range(bits):
            kind = draw(st.integers(0, 5))
            plane = np.array(draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
            if kind == 0:
                plane = np.full(size, draw(st.integers(0, 1)))
            elif kind == 1:
                plane = codes >> draw(st.integers(0, bit_width(index.type) - 1)) & 1
                plane = plane ^ draw(st.integers(0, 1))
            planes.append(plane)
        entries = sum(plane << place for place, plane in enumerate(planes))
        values.append(table(build, index, entries.tolist(), bits))
    shown = {f"y{i}": value for i, value in enumerate(values[len(WIDTHS) :])}
    if draw(st.booleans()):
        last = values[-1]
        shown["z"] = build.part(last, draw(st.integers(0, bit_width(last.type) - 1)), 1)
        del shown[f"y{len(values) - len(WIDTHS) - 1}"]
    return ModuleOp([build.finish(StringAttr("net"), shown)])


def luts_in(module: ModuleOp) -> list[LutOp]:
    return [op for op in module.walk() if isinstance(op, LutOp)]


@settings(max_examples=60, deadline=None)
@given(tables(), st.sampled_from(["ice40", "xcup"]), st.booleans())
def test_every_table_keeps_its_value(module: ModuleOp, target: str, any_levels: bool) -> None:
    """In the IR, and in both texts: `conftest.py` reads SystemVerilog by the grammar of proofs."""
    plain = outputs_of(module, WIDTHS)
    MapTablesPass(target=target, any_levels=any_levels).apply(Context(), module)
    module.verify()
    assert outputs_of(module, WIDTHS) == plain
    assert target == "ice40" or not luts_in(module)
    assert "module net (" in emit_systemverilog(module)
    emit_vhdl(module)


@pytest.mark.ci
@needs_yosys
@settings(max_examples=8, deadline=None)
@given(module=tables())
def test_synthesis_keeps_the_lookup_tables(
    tmp_path_factory: pytest.TempPathFactory, module: ModuleOp
) -> None:
    """Yosys reads what is written. It makes no lookup table beside those of the IR but inverters,
    and those of tables that take one a bit."""
    MapTablesPass(target="ice40").apply(Context(), module)
    path = tmp_path_factory.mktemp("luts") / "net.sv"
    path.write_text(emit_systemverilog(module))
    theirs = read_design(path, "net", toolchain.find("yosys"))
    assert difference_of_readings(read_text(path, "net"), theirs) is None
    if any(isinstance(op, hw.ArrayGetOp) for op in module.walk()):
        return
    bits = sum(bit_width(value.type) for value in circuit_of(module).body.block.last_op.operands)
    cells = synthesize(path, ICE40, top="net").cells
    assert cells.luts <= len(luts_in(module)) + bits


def random_table(inputs: int, bits: int, seed: int = 0) -> ModuleOp:
    """A table with random entries."""
    build = HwBuilder()
    index = build.input("x", IntegerType(inputs))
    entries = np.random.default_rng(seed).integers(0, 1 << bits, 1 << inputs)
    found = table(build, index, entries.tolist(), bits)
    return ModuleOp([build.finish(StringAttr("net"), {"y": found})])


def smooth_table(inputs: int, bits: int) -> ModuleOp:
    """A table of a function as KANs have them."""
    build = HwBuilder()
    index = build.input("x", IntegerType(inputs))
    codes = np.arange(1 << inputs) / (1 << inputs)
    entries = np.rint(((1 << bits) - 1) * np.sin(2.5 * codes)).astype(np.int64)
    found = table(build, index, entries.tolist(), bits)
    return ModuleOp([build.finish(StringAttr("net"), {"y": found})])


def levels_of(module: ModuleOp) -> int:
    """Most lookup tables on a path."""
    levels: dict[SSAValue, int] = {}
    for op in luts_in(module):
        levels[op.result] = 1 + max(levels.get(each, 0) for each in op.inputs)
    return max(levels.values())


@pytest.mark.ci
@pytest.mark.parametrize("kind", ["smooth", "random"])
def test_levels_are_limited(kind: str) -> None:
    """To those of choices between cofactors, one input at a time. Synthesis takes as many."""
    made = smooth_table if kind == "smooth" else random_table
    few, any_levels = made(8, 6), made(8, 6)
    MapTablesPass(target="ice40").apply(Context(), few)
    MapTablesPass(target="ice40", any_levels=True).apply(Context(), any_levels)
    assert levels_of(few) <= 1 + 8 - 4 < levels_of(any_levels)
    assert len(luts_in(any_levels)) < len(luts_in(few))


def test_time_grows_with_the_design_and_no_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few bits of tables are mapped together, and with fewer rounds where there are many."""
    calls: list[tuple[int, int]] = []

    def counted(functions: list[int], *options: int | None, rounds: int) -> LutNetwork:
        calls.append((len(functions), rounds))
        return map_functions(functions, *options, rounds=rounds)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(map_tables, "map_functions", counted)
    monkeypatch.setattr(map_tables, "MOST_RESULTS", 8)
    monkeypatch.setattr(map_tables, "RESULTS_OF_ALL_ROUNDS", 6)
    build = HwBuilder()
    index = build.input("x", IntegerType(5))
    rng = np.random.default_rng(0)
    entries = [rng.integers(0, 8, 32).tolist() for _ in range(5)]
    found = [table(build, index, each, 3) for each in entries]
    shown = {f"y{place}": value for place, value in enumerate(found)}
    module = ModuleOp([build.finish(StringAttr("net"), shown)])
    MapTablesPass(target="ice40").apply(Context(), module)
    assert [functions for functions, _ in calls] == [3, 6, 6]
    assert {rounds for _, rounds in calls} == {ROUNDS * 6 // 15}
    codes = np.arange(32)
    outputs = simulate_hardware(circuit_of(module), {"x": codes})
    assert [outputs[name].tolist() for name in shown] == entries


@pytest.mark.ci
@needs_yosys
def test_random_tables_take_fewer_cells_than_synthesis_makes(tmp_path: Path) -> None:
    cells: list[int] = []
    for mapped in (False, True):
        module = random_table(7, 6)
        if mapped:
            MapTablesPass(target="ice40").apply(Context(), module)
        path = tmp_path / f"{mapped}.sv"
        path.write_text(emit_systemverilog(module))
        cells.append(synthesize(path, ICE40, top="net").cells.luts)
    assert cells[1] == len(luts_in(module)) < 0.9 * cells[0]


@pytest.mark.parametrize("count", range(1, 7))
def test_a_module_serves_all_orders_of_inputs(count: int) -> None:
    """The table of the module, at the module's inputs, is the op's at the op's."""
    rng = np.random.default_rng(count)
    entries = rng.integers(0, 2, (2,) * count)
    found: set[LutModule] = set()
    for order in list(permutations(range(count)))[:24]:
        moved = entries.transpose(order).ravel()
        number = sum(int(bit) << place for place, bit in enumerate(moved))
        op = LutOp(number, [HwBuilder().input("x", i1) for _ in range(count)])
        module, inputs = lut_module(op)
        found.add(module)
        for pattern in range(1 << count):
            index = sum((pattern >> place & 1) << new for new, place in enumerate(inputs))
            assert module.table >> index & 1 == number >> pattern & 1
    assert len(found) == 1


def test_a_kept_module_is_logic_alone() -> None:
    text = """`default_nettype none

(* keep_hierarchy = "yes", syn_hier = "hard" *)
module late (
  input  wire logic clk,
  input  wire logic x,
  output wire logic y
);
  logic held;
  always_ff @(posedge clk)
    held <= x;
  assign y = held;
endmodule

`default_nettype wire
"""
    with pytest.raises(NotInSubset, match="a kept module of more than logic"):
        check_text(text)
    (netlist,) = check_text(
        text.replace('(* keep_hierarchy = "yes", syn_hier = "hard" *)\n', "")
    ).values()
    assert not netlist.is_kept


@pytest.mark.ci
@needs_yosys
def test_a_network_of_lookup_tables_is_proven(tmp_path: Path) -> None:
    """Both readings of its text, and not if a lookup table has another entry."""
    model = EXAMPLES / "wine.onnx"
    data = model.with_suffix(".npz")
    pipeline = f'kan-compile{{data="{data}" bits=5 target=ice40 cycles=2}}'
    options = ["-p", pipeline, "--simulator", "none", "--no-check-passes"]
    assert flow("build", model, *options, "-o", tmp_path / "wine") == 0
    rtl = tmp_path / "wine" / "rtl" / "wine.sv"
    text = rtl.read_text()
    head, digits = "TABLE = 16'h", 4
    place = text.index(head) + len(head)
    assert flow("prove", tmp_path / "wine", "--second") == 0
    other = f"{int(text[place : place + digits], 16) ^ 1:04X}"
    rtl.write_text(text[:place] + other + text[place + digits :])
    assert flow("prove", tmp_path / "wine") == 1
