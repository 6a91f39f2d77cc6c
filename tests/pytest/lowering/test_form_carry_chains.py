"""`kan-form-carry-chains` and `kan-join-carry-chains` keep every value.

Both writers read the adders that the first one makes. Networks of joined adders are proven.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ci_cases import others_in_ci
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st
from random_hardware import circuit_of, outputs_of
from xdsl.context import Context
from xdsl.dialects import comb
from xdsl.dialects.builtin import IntegerType, ModuleOp, StringAttr
from xdsl.ir import SSAValue

from kan_dialect.devices.device import device
from kan_dialect.evaluate.hardware import bit_width, simulate_hardware
from kan_dialect.flows.tools import toolchain
from kan_dialect.ir.attributes.value_names import name_hint
from kan_dialect.ir.constants import Array
from kan_dialect.lowering.chain_adder import chain_adder_of
from kan_dialect.lowering.constant_folding import fold_constant
from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.lowering.join_carry_chains import JoinCarryChainsPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.vhdl.target import emit_vhdl
from repository import EXAMPLES

WIDTHS = (3, 4, 4, 2, 1, 1)
"""Of the inputs."""


@st.composite
def sums(draw: st.DrawFn) -> ModuleOp:
    """A module of sums of inputs, bits, entries of tables, constants and sums.

    Numbers are extended with their sign or without it, and cut off.
    """
    build = HwBuilder()
    values = [build.input(f"x{i}", IntegerType(bits)) for i, bits in enumerate(WIDTHS)]

    def term(width: int) -> SSAValue:
        match draw(st.integers(0, 6)):
            case 0:
                return build.constant(draw(st.integers(0, 2**width - 1)), width)
            case 1 | 2:
                index = draw(st.sampled_from([each for each in values if bit_width(each.type) < 8]))
                bits = draw(st.integers(1, width))
                size = 1 << bit_width(index.type)
                entries = draw(st.lists(st.integers(0, 2**bits - 1), min_size=size, max_size=size))
                array = build.array(np.array(entries), bits, None)
                return build.resized(build.entry(array, index, bits), bits, width, False)
            case _:
                value = draw(st.sampled_from(values))
                return build.resized(value, bit_width(value.type), width, draw(st.booleans()))

    for _ in range(draw(st.integers(1, 6))):
        width = draw(st.integers(1, 9))
        terms = [term(width) for _ in range(draw(st.sampled_from((2, 2, 3, 3, 4))))]
        values.append(build.added(terms))
    shown = {f"y{i}": value for i, value in enumerate(values[len(WIDTHS) :])}
    return ModuleOp([build.finish(StringAttr("net"), shown)])


def adders_in(module: ModuleOp) -> int:
    constants: dict[SSAValue, Array] = {}
    ops = list(circuit_of(module).body.block.ops)
    for op in ops:
        fold_constant(op, constants)
    return sum(chain_adder_of(op, constants) is not None for op in ops)


@settings(max_examples=60, deadline=None)
@given(sums())
def test_every_sum_keeps_its_value(module: ModuleOp) -> None:
    plain = outputs_of(module, WIDTHS)
    FormCarryChainsPass().apply(Context(), module)
    module.verify()
    assert outputs_of(module, WIDTHS) == plain
    text = str(circuit_of(module))
    FormCarryChainsPass().apply(Context(), module)
    assert str(circuit_of(module)) == text


@settings(max_examples=30, deadline=None)
@given(sums())
def test_the_text_calls_a_function_for_each_adder(module: ModuleOp) -> None:
    for emit in (emit_systemverilog, emit_vhdl):
        assert calls_in(emit(module)) == 0
    FormCarryChainsPass().apply(Context(), module)
    for emit in (emit_systemverilog, emit_vhdl):
        assert calls_in(emit(module)) == adders_in(module)


def calls_in(text: str) -> int:
    """Number of calls of functions that add."""
    lines = [line for line in text.splitlines() if "function" not in line]
    return len(re.findall(r"\b(?:add|absorb)\d+(?:_carry)?\(", "\n".join(lines)))


@pytest.mark.parametrize("width", [2, 31, 64, 100])
def test_wide_adders(width: int) -> None:
    """All kinds of adders, and numbers that NumPy holds as Python's integers."""
    build = HwBuilder()
    a, b, c = (build.input(name, IntegerType(width)) for name in "abc")
    bit, index = build.input("bit", IntegerType(1)), build.input("index", IntegerType(2))
    high = (1 << width) - 1
    entries = np.array([0, high, 1, high >> 1], dtype=object)

    def entry() -> SSAValue:
        return build.entry(build.array(entries, width, None), index, width)

    carry = build.resized(bit, 1, width, False)
    results = [
        build.added([build.added([a, b]), c]),
        build.added([a, b, carry]),
        build.added([a, entry()]),
        build.added([entry(), carry, a]),
    ]
    outputs = {f"y{i}": value for i, value in enumerate(results)}
    module = ModuleOp([build.finish(StringAttr("net"), outputs)])
    FormCarryChainsPass().apply(Context(), module)
    module.verify()
    assert adders_in(module) == 4
    rng = np.random.default_rng(width)
    values = [
        np.array([int.from_bytes(rng.bytes(13), "little") & high for _ in range(50)], dtype=object)
        for _ in "abc"
    ]
    bits, places = rng.integers(0, 2, 50), rng.integers(0, 4, 50)
    inputs = dict(zip("abc", values, strict=True)) | {"bit": bits, "index": places}
    found = simulate_hardware(circuit_of(module), inputs)
    first, second, third = values
    table = entries[places]
    expected = [first + second + third, first + second + bits, first + table, first + table + bits]
    for place, total in enumerate(expected):
        assert (found[f"y{place}"] == (total & high)).all(), place


@settings(max_examples=100, deadline=None)
@given(sums(), st.booleans())
def test_joined_adders_keep_every_value(module: ModuleOp, keep_paths: bool) -> None:
    plain = outputs_of(module, WIDTHS)
    FormCarryChainsPass(target="ecp5").apply(Context(), module)
    additions = additions_in(module)
    JoinCarryChainsPass(target="ecp5", keep_paths=keep_paths).apply(Context(), module)
    module.verify()
    assert outputs_of(module, WIDTHS) == plain
    assert additions_in(module) <= additions


def additions_in(module: ModuleOp) -> int:
    return sum(type(op) is comb.AddOp for op in circuit_of(module).body.block.ops)


@pytest.mark.parametrize("count", [2, 5, 12])
def test_independent_adders_share_chains_of_a_bounded_length(count: int) -> None:
    """Each sum is that of its own numbers where all bits below it carry."""
    width = 7
    build = HwBuilder()
    names = [f"{side}{i}" for i in range(count) for side in "ab"]
    wires = {name: build.input(name, IntegerType(width)) for name in names}
    sums = {f"y{i}": build.added([wires[f"a{i}"], wires[f"b{i}"]]) for i in range(count)}
    module = ModuleOp([build.finish(StringAttr("net"), sums)])
    JoinCarryChainsPass(target="ecp5").apply(Context(), module)
    module.verify()
    longest = device("ecp5").adders.joined_bits
    chains = [op for op in circuit_of(module).body.block.ops if type(op) is comb.AddOp]
    assert len(chains) == -(-count * (width + 1) // longest)
    assert all(bit_width(op.result.type) <= longest for op in chains)
    rng = np.random.default_rng(count)
    most = (1 << width) - 1
    codes = {name: np.append(rng.integers(0, most + 1, 50), most) for name in names}
    found = simulate_hardware(circuit_of(module), codes)
    for i in range(count):
        assert found[f"y{i}"].tolist() == ((codes[f"a{i}"] + codes[f"b{i}"]) & most).tolist()


def trees(*shapes: tuple[int, int]) -> ModuleOp:
    """Sums of inputs, one after the other: `sum0_0` adds two, and `sum0_1` a third.

    Parameters
    ----------
    shapes : number of terms of each sum, and bits of each term.
    """
    build = HwBuilder()
    shown: dict[str, SSAValue] = {}
    for number, (terms, width) in enumerate(shapes):
        inputs = [build.input(f"x{number}_{i}", IntegerType(width)) for i in range(terms)]
        total, *others = inputs
        for place, other in enumerate(others):
            total = build.added([total, other], f"sum{number}_{place}")
        shown[f"y{number}"] = total
    return ModuleOp([build.finish(StringAttr("net"), shown)])


def chains_of_waiting_in(module: ModuleOp) -> list[list[str]]:
    """Names of the sums on each chain of several, the lowest first, after `keep-paths`."""
    JoinCarryChainsPass(target="ecp5", keep_paths=True).apply(Context(), module)
    found: list[list[str]] = []
    for op in circuit_of(module).body.block.ops:
        if type(op) is comb.AddOp and (name_hint(op.result) or "").startswith("chain"):
            slices = [use.operation for use in op.result.uses]
            parts = [each for each in slices if isinstance(each, comb.ExtractOp)]
            parts.sort(key=lambda part: part.low_bit.value.data)
            found.append([name_hint(part.result) or "" for part in parts])
    return sorted(found)


def test_adders_that_wait_stand_above_earlier_ones_of_other_sums() -> None:
    """No two chains depend on each other: `sum2_1` on the chain of `sum0_0` would close a loop."""
    found = chains_of_waiting_in(trees((3, 7), (3, 7), (3, 7)))
    assert found == [["sum1_0", "sum0_1"], ["sum2_0", "sum1_1"]]


@pytest.mark.parametrize(("width", "joined"), [(10, True), (40, False)])
def test_no_path_gets_longer(width: int, joined: bool) -> None:
    """A carry that passes 10 bits is there before the adder that waits has its sum."""
    found = chains_of_waiting_in(trees((3, 6), (2, width)))
    assert found == ([["sum1_0", "sum0_1"]] if joined else [])


def test_adders_that_come_at_the_same_time_have_chains_of_their_own() -> None:
    assert chains_of_waiting_in(trees((2, 7), (2, 7), (2, 7))) == []


def test_sums_too_narrow_for_a_chain_share_none() -> None:
    """They are functions of lookup tables."""
    shortest = device("ecp5").adders.shortest_chain
    assert chains_of_waiting_in(trees((3, 7), (2, shortest))) == [["sum1_0", "sum0_1"]]
    assert chains_of_waiting_in(trees((3, 7), (2, shortest - 1))) == []


def test_chains_of_waiting_adders_are_bounded() -> None:
    longest = device("ecp5").adders.joined_bits
    assert chains_of_waiting_in(trees((4, longest // 2), (3, longest // 2))) == []


@pytest.mark.skipif(toolchain.look_for("yosys") is None, reason="Yosys is not installed")
@pytest.mark.parametrize("limit", others_in_ci(["mhz=150", "cycles=2"]))
def test_a_network_of_joined_adders_is_proven(tmp_path: Path, limit: str) -> None:
    """Both readings of its text, and not if carries go from one adder to the next."""
    folder = build_wine(tmp_path, limit)
    rtl = folder / "rtl" / "wine.sv"
    text = rtl.read_text()
    zeros = re.findall(r"wire logic (no_carry\d+) = .*;", text)
    assert zeros and "chain1 =" in text
    assert flow("prove", folder, "--second") == 0
    broken = re.sub(rf"wire logic {zeros[0]} = .*;", f"wire logic {zeros[0]} = 1'b1;", text)
    rtl.write_text(broken)
    assert flow("prove", folder) == 1


@pytest.mark.skipif(toolchain.look_for("iverilog") is None, reason="Icarus is not installed")
def test_a_stage_without_a_sample_leaves_the_others_known(tmp_path: Path) -> None:
    """A simulator of four states makes a whole sum unknown for one unknown bit of an operand."""
    folder = build_wine(tmp_path, "mhz=150 fast=true", bits=6)
    assert "chain1 =" in (folder / "rtl" / "wine.sv").read_text()
    assert flow("simulate", folder, "--simulator", "icarus", "--vectors", 100) == 0


def build_wine(folder: Path, limit: str, bits: int = 4) -> Path:
    """The wine example for ECP5, with joined adders."""
    model = EXAMPLES / "wine.onnx"
    data = model.with_suffix(".npz")
    pipeline = f'kan-compile{{data="{data}" bits={bits} target=ecp5 {limit}}}'
    options = ["-p", pipeline, "--simulator", "none", "--no-check-passes"]
    assert flow("build", model, *options, "-o", folder / "wine") == 0
    return folder / "wine"
