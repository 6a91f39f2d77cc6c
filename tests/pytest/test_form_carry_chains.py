"""`kan-form-carry-chains` keeps every value, and both writers read the adders that it makes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerType, ModuleOp, StringAttr
from xdsl.ir import SSAValue

from kan_dialect.evaluate.hardware import bit_width, simulate_hardware
from kan_dialect.ir.constants import Array
from kan_dialect.lowering.chain_adder import chain_adder_of
from kan_dialect.lowering.constant_folding import fold_constant
from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.vhdl.target import emit_vhdl

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


def circuit_of(module: ModuleOp) -> hw.HWModuleOp:
    (circuit,) = module.ops
    assert isinstance(circuit, hw.HWModuleOp)
    return circuit


def outputs_of(module: ModuleOp) -> dict[str, list[int]]:
    """The outputs for random inputs, and for the ends of their ranges."""
    rng = np.random.default_rng(0)
    inputs = {
        f"x{i}": np.concatenate([[0, 2**bits - 1], rng.integers(0, 2**bits, 200)])
        for i, bits in enumerate(WIDTHS)
    }
    return {
        name: np.broadcast_to(codes, 202).tolist()
        for name, codes in simulate_hardware(circuit_of(module), inputs).items()
    }


def adders_in(module: ModuleOp) -> int:
    constants: dict[SSAValue, Array] = {}
    ops = list(circuit_of(module).body.block.ops)
    for op in ops:
        fold_constant(op, constants)
    return sum(chain_adder_of(op, constants) is not None for op in ops)


@settings(max_examples=60, deadline=None)
@given(sums())
def test_every_sum_keeps_its_value(module: ModuleOp) -> None:
    plain = outputs_of(module)
    FormCarryChainsPass().apply(Context(), module)
    module.verify()
    assert outputs_of(module) == plain
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
