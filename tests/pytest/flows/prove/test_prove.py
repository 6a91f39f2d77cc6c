"""`kan-flow prove`: right designs are proven, wrong ones found, and its own reasoning checked."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rtl_bugs import BUGS, first, flipped, victim_network
from xdsl.dialects import hw
from xdsl.dialects.builtin import (
    ModuleOp,
)

from kan_dialect.errors import KanError
from kan_dialect.extras import install_command
from kan_dialect.flows.prove import forms
from kan_dialect.flows.prove import prove as prove_module
from kan_dialect.flows.prove.circuit import Circuit
from kan_dialect.flows.prove.cycles.machine import Machine
from kan_dialect.flows.prove.cycles.readings import difference_of_readings
from kan_dialect.flows.prove.cycles.terms import Pool, evaluate
from kan_dialect.flows.prove.difference import difference, difference_by_pairs
from kan_dialect.flows.prove.forms import Form, Table, Total, Variable
from kan_dialect.flows.prove.netlist import Netlist, read_design
from kan_dialect.flows.prove.plans import marks_of
from kan_dialect.flows.prove.prove import Outcome, Proof, prove
from kan_dialect.flows.prove.second_opinion.opinion import second_opinion
from kan_dialect.flows.prove.show import print_proof
from kan_dialect.flows.prove.text import read_text
from kan_dialect.flows.prove.witness import find_witness
from kan_dialect.flows.simulate.simulation import simulate
from kan_dialect.flows.tools import toolchain
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.attributes.module_attributes import list_nodes, nodes_of
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import IntType
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.ops.wire import MarkOp
from kan_dialect.passbase.pipeline import build_pipeline
from kan_dialect.universe import UNIVERSE
from repository import EXAMPLES

EXAMPLE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"
needs_yosys = pytest.mark.skipif(
    toolchain.look_for("yosys") is None, reason="Yosys is not installed"
)
needs_icarus = pytest.mark.skipif(
    toolchain.find_simulator("icarus") is None, reason="Icarus Verilog is not installed"
)


# What it reasons with.

A, B, C = Variable("a", 0, -3, 4), Variable("b", 0, 0, 6), Variable("c", 1, 2, 6)
ALL = (A, B, C)


def random_form(rng: np.random.Generator, steps: int) -> Form:
    """Tables of one and of two variables, added up, scaled, saturated, looked up, taken modulo."""
    form: Form = forms.constant(int(rng.integers(-9, 9)))
    for _ in range(steps):
        over = tuple(sorted(ALL[i] for i in rng.choice(3, rng.integers(1, 3), replace=False)))
        values = rng.integers(-20, 20, [v.size for v in over])
        term: Form = Table(over, values)
        if rng.random() < 0.3:
            term = forms.variable(over[0])
        form = forms.add(form, forms.scale(term, int(rng.integers(-2, 3))))
        match rng.integers(0, 6):
            case 0:
                form = forms.mapped(lambda v: np.clip(v, -15, 11), form)
            case 1:
                form = forms.within(form, int(rng.integers(3, 8)), int(rng.integers(-40, 10)))
            case 2:
                form = forms.combined(lambda a, b: a * (b > 3), form, term)
            case _:
                pass
    return form


def everywhere(form: Form) -> np.ndarray:
    return np.array(forms.listed(form, ALL))


@given(st.integers(0, 2**32), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_forms_are_what_their_values_say(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = random_form(rng, steps), random_form(rng, steps)
    values = everywhere(left), everywhere(right)
    np.testing.assert_array_equal(everywhere(forms.add(left, right)), values[0] + values[1])
    np.testing.assert_array_equal(everywhere(forms.scale(left, -3)), -3 * values[0])
    wrapped = (values[0] + 5) % 16 - 5
    np.testing.assert_array_equal(everywhere(forms.within(left, 4, -5)), wrapped)
    assert forms.bounds(left) == (values[0].min(), values[0].max())
    for extreme, value in zip(forms.extremes(left), forms.bounds(left), strict=True):
        if not isinstance(left, forms.Image):
            assert at(left, extreme) == value
    wanted = int(rng.choice(values[0].ravel()))
    assignment = forms.preimage(left, wanted, rng)
    assert assignment is not None and at(left, assignment) == wanted
    assert forms.preimage(left, int(values[0].max()) + 1, rng) is None


def at(form: Form, assignment: forms.Assignment) -> int:
    values = {v: np.array([assignment.get(v, v.low)]) for v in ALL}
    return int(np.ravel(forms.evaluate(form, values))[0])


@given(st.integers(0, 2**32), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_differences_are_found_exactly_where_there_are_any(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    left = random_form(rng, steps)
    changed = forms.mapped(lambda v: v + (v == forms.bounds(left)[1]), left)
    term = random_form(rng, 1)
    same_again = forms.subtract(forms.add(left, term), term)
    right = [random_form(rng, steps), changed, same_again][rng.choice(3)]
    same = bool((everywhere(left) == everywhere(right)).all())
    # By comparing all points, and without.
    for listing in (1000, 0):
        found = difference(left, right, listing=listing)
        assert (found is None) == same
        if found is not None:
            assert at(left, found) != at(right, found)


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_wide_sums_are_decided_without_listing_all_points(seed: int) -> None:
    """16 inputs of 6 bits: 2^96 points. One entry that is wrong, seen past a clamp."""
    rng = np.random.default_rng(seed)
    inputs = [Variable(f"x{i}", 0, 0, 63) for i in range(16)]
    tables = [rng.integers(-20, 20, 64) for _ in inputs]

    def node(order: Sequence[int], wrong: int | None) -> Form:
        total: Form = forms.constant(3)
        for i in order:
            values = tables[i].copy()
            if i == wrong:
                values[17] += 1
            total = forms.add(total, Table((inputs[i],), values))
        return forms.mapped(lambda v: np.clip(v, -32, 31), total)

    order = rng.permutation(16).tolist()
    assert difference(node(order, None), node(range(16), None)) is None
    found = difference(node(order, 5), node(range(16), None))
    assert found is not None and found[inputs[5]] == 17
    # Where the sum is past the clamp in any case, the entry does not matter.
    tables[5] += 10_000
    assert difference(node(order, 5), node(range(16), None)) is None


def test_different_sums_with_the_same_clamped_values() -> None:
    """Decided by all pairs of sums that come together, past what samples show."""
    inputs = [Variable(f"x{i}", 0, 0, 63) for i in range(6)]

    def node(entry: int, high: int) -> Form:
        total: Form = forms.constant(0)
        for v in inputs:
            values = np.zeros(64, dtype=np.int64)
            values[5] = 1 if v is not inputs[0] else entry
            total = forms.add(total, Table((v,), values))
        return forms.mapped(lambda v: np.maximum(v, high), total)

    # Only with all six inputs at 5 does the sum pass 5; 1 in 2^36.
    found = difference(node(1, 5), node(2, 5))
    assert found is not None and found[inputs[0]] == 5
    assert sum(found[v] == 5 for v in inputs) >= 5
    assert difference(node(1, 7), node(2, 7)) is None


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_pairs_of_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = (forms.as_image(random_form(rng, 2)) for _ in range(2))
    if rng.random() < 0.5:
        right = forms.Image(left.of, np.where(rng.random(len(left.values)) < 0.02, 7, left.values))
    found = difference_by_pairs(left, right)
    assert (found is None) == bool((everywhere(left) == everywhere(right)).all())
    if found is not None:
        assert at(left, found) != at(right, found)


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_functions_of_sums_that_differ_by_few_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = random_form(rng, 2), random_form(rng, 2)
    if rng.random() < 0.5:
        # The same sum modulo 2^n in another way, shifted left.
        apart = forms.scale(Table((ALL[0],), rng.integers(0, 2, ALL[0].size)), 64)
        right = forms.scale(forms.add(left, apart), 2)
    left, right = (forms.as_image(form) for form in (left, right))
    found = forms.apply_to_sums(lambda columns: columns[0] * 3 - columns[1], [left, right])
    if found is not None:
        values = 3 * everywhere(left) - everywhere(right)
        np.testing.assert_array_equal(everywhere(found), values)


@given(st.integers(0, 2**32), st.integers(1, 3), st.booleans())
@settings(max_examples=150, deadline=None)
def test_low_bits_that_pass_an_adder_by(seed: int, low: int, above: bool) -> None:
    """The upper bits of a sum plus another sum, beside the lower bits: one sum, exactly."""
    rng = np.random.default_rng(seed)
    inputs = [Variable(f"x{i}", 0, 0, 63) for i in range(6)]
    tables = [Table((v,), rng.integers(-30, 30, 64)) for v in inputs]
    first, second = forms.constant(int(rng.integers(-9, 9))), forms.constant(0)
    for table in tables[:3]:
        first = forms.add(first, table)
    # The second sum may read what the first one does, as parts of one table do.
    for table in tables[2:] if above else tables[3:]:
        second = forms.add(second, table)
    upper = forms.shifted(first, low)
    upper = forms.add(forms.scale(upper, 2), forms.scale(second, -2))
    upper = forms.shifted(forms.add(upper, forms.constant(1)), 1)
    lower = forms.within(first, low, 0)
    word = forms.plain(forms.add(lower, forms.scale(upper, 1 << low)), 1 << 20)
    expected = forms.add(first, forms.scale(second, -(1 << low)))
    assert isinstance(word, Total)
    # The same modulo 2^20, and so the same: neither leaves 20 bits.
    assert difference(forms.within(word, 20, -(1 << 19)), expected) is None


def test_lower_bits_beside_upper_ones_that_were_listed() -> None:
    """Both are functions of one sum, and a part of a total has its variables together."""
    rng = np.random.default_rng(0)
    x, y, z = (Variable(name, 0, 0, 63) for name in "xyz")
    first, second, third = (Table((v,), rng.integers(0, 30, 64)) for v in (x, y, z))
    whole = forms.add(first, second)
    upper = Table((x, y), forms.listed(forms.shifted(whole, 3), (x, y)))
    upper = forms.add(forms.scale(upper, 8), third)
    assert isinstance(upper, Total)
    found = forms.add(forms.as_image(forms.within(whole, 3, 0)), upper)
    assert isinstance(found, Total)
    assert difference(found, forms.add(whole, third)) is None


def test_functions_of_one_sum_of_many_bits_stay_functions_of_the_sum() -> None:
    """Listed, they would be split into a part for each of the 2^16 subsets of the bits."""
    rng = np.random.default_rng(0)
    bits = [Variable(f"x{i:02}", 0, 0, 1) for i in range(16)]
    whole: Form = forms.constant(0)
    for bit in bits:
        whole = forms.add(whole, Table((bit,), rng.integers(0, 100, 2)))
    clamped = forms.mapped(lambda v: np.minimum(v, 800), whole)
    squared = forms.mapped(lambda v: v * v, whole)
    found = forms.add(clamped, squared)
    assert isinstance(found, forms.Image)
    expected = forms.mapped(lambda v: np.minimum(v, 800) + v * v, whole)
    assert difference(found, expected) is None


def test_a_port_that_is_too_wide_is_named() -> None:
    wide = forms.variable(Variable("x0", 0, 0, (1 << 21) - 1))
    with pytest.raises(forms.TooHard, match=r"^values of more than 20 bits: x0$"):
        forms.mapped(lambda v: v // 3, wide)
    with pytest.raises(forms.TooHard, match=r"^values of more than 20 bits: x1$"):
        forms.variable(Variable("x1", 0, 0, 1 << 24))


def test_constants_differ_too() -> None:
    assert difference(forms.constant(3), forms.constant(3)) is None
    assert difference(forms.constant(3), forms.constant(4)) == {}
    total = Total(3, {})
    assert difference(total, forms.constant(4)) == {}
    assert difference(forms.add(forms.variable(A), forms.constant(1)), forms.variable(A)) == {A: -3}


def test_undefined_values_are_met_only_where_they_can_come() -> None:
    def look_up(address: np.ndarray) -> np.ndarray:
        if bool((address > 6).any()):
            raise forms.UndefinedAt(int(np.flatnonzero(address > 6)[0]))
        return address

    assert forms.bounds(forms.mapped(look_up, forms.variable(B))) == (0, 6)
    with pytest.raises(forms.Undefined) as undefined:
        forms.mapped(look_up, forms.add(forms.variable(B), forms.constant(1)))
    assert undefined.value.assignment == {B: 6}


def test_normal_form_of_several_variables() -> None:
    rng = np.random.default_rng(0)
    table = Table(ALL, rng.integers(-9, 9, [v.size for v in ALL]))
    total = forms.as_total(table)
    np.testing.assert_array_equal(everywhere(total), table.values)
    assert sorted(map(len, total.parts)) == [1, 1, 1, 2, 2, 2, 3]
    separate = forms.add(forms.variable(A), forms.variable(B))
    joint = Table((A, B), np.add.outer(np.arange(-3, 5), np.arange(7)))
    assert isinstance(separate, Total) and forms.as_total(joint).key == separate.key


OPERATORS = """
module ops (input wire [3:0] a, input wire signed [2:0] b, input wire c,
    output wire [5:0] y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15,
    output wire [5:0] y16, y17, y18, y19, y20, y21, y22, y23, y24, y25, y26, y27, y28, y29,
    output wire [5:0] y30, y31);
  wire signed [3:0] s = a;
  assign y0 = a + b;             assign y1 = s + b;        assign y2 = a - {b, c};
  assign y3 = s * b;             assign y4 = s * 3'sd3;    assign y5 = -b;
  assign y6 = ~a;                assign y7 = a & {1'b1, b}; assign y8 = s | b;
  assign y9 = a ^ {3{c}};        assign y10 = a ~^ b;      assign y11 = {s < b, a < 4'd9};
  assign y12 = {s <= b, a <= b}; assign y13 = {s > -3'sd2, a >= 4'd7};
  assign y14 = {s == b, a != b};
  assign y15 = {&a, |a, ^a, ~^a, !a, ~|a};
  assign y16 = {a && c, a || c}; assign y17 = a << 2;      assign y18 = s >>> 1;
  assign y19 = a >> b[1:0];      assign y20 = a << b[1:0]; assign y21 = c ? a : {3'd1, c};
  assign y22 = {{3{b[2]}}, b};   assign y23 = {b[1:0], a}; assign y24 = a[2:1];
  assign y25 = $signed(b[1:0]);  assign y26 = {a + b} > 5; assign y27 = s >= b ? s : b;
  assign y28 = c ? 6'd33 : {b, a[2:0]};
  localparam logic [15:0] plane = 16'hC5A3;
  assign y30 = {plane[a], b, 2'd1};
  wire [5:0] twice = {1'b0, a, 1'b0} + {2'd0, b, 1'b0}; assign y31 = {1'b0, twice[5:1]};
  assign y29 = (a == 3) ? 6'd5 : (a == 9) ? {a, 2'd1} : 6'd40;
endmodule
"""

BENCH = """
module bench;
  reg [3:0] a; reg signed [2:0] b; reg c; integer i; wire [6*32-1:0] y;
  ops dut (.a(a), .b(b), .c(c), PORTS);
  initial for (i = 0; i < 256; i = i + 1) begin
    {c, b, a} = i; #1; $display("%b", y);
  end
endmodule
"""


@needs_yosys
@needs_icarus
def test_every_operator_means_what_icarus_says(tmp_path: Path) -> None:
    (tmp_path / "ops.sv").write_text(OPERATORS)
    ports = ", ".join(f".y{i}(y[{6 * i} +: 6])" for i in range(32))
    (tmp_path / "bench.sv").write_text(BENCH.replace("PORTS", ports))
    command = ["iverilog", "-g2012", "-o", "sim", "ops.sv", "bench.sv"]
    subprocess.run(command, cwd=tmp_path, check=True)
    printed = subprocess.run(
        ["vvp", "sim"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    words = [int(line, 2) for line in printed.split()]
    netlist = read_design(tmp_path / "ops.sv", "ops", toolchain.find("yosys"))
    over = (
        Variable("a", 0, 0, 15),
        Variable("b", 0, -4, 3),
        Variable("c", 0, 0, 1),
    )
    circuit = Circuit(
        netlist, lambda source, _: forms.variable(next(v for v in over if v.name == source.name))
    )
    machine = Machine(netlist, Pool())
    index = np.arange(256)
    codes = {"a@0": index & 15, "b@0": index >> 4 & 7, "c@0": index >> 7}
    patterns = {over[0]: index & 15, over[1]: ((index >> 4 & 7) ^ 4) - 4, over[2]: index >> 7}
    for number in range(32):
        form = circuit.value(netlist.outputs[f"y{number}"], 0, signed=False)
        got = np.broadcast_to(forms.evaluate(form, patterns), 256)
        expected = [word >> 6 * number & 63 for word in words]
        np.testing.assert_array_equal(got, expected, err_msg=f"y{number}")
        term = machine.port(f"y{number}", 0)
        np.testing.assert_array_equal(evaluate(term, codes), expected, err_msg=f"y{number}")


# Whole networks.


def network(seed: int, layers: int = 2) -> ModuleOp:
    """A random network: pruned edges, codes of any sign, some nodes not saturated."""
    rng = np.random.default_rng(seed)
    bits, signed = int(rng.integers(2, 6)), bool(rng.integers(2))
    width = int(rng.integers(2, 6))
    tables = TableNetwork("net", UniformQuantizedType(bits, signed, 0.5), width)
    entries = 1 << bits
    for layer in range(layers):
        outputs = int(rng.integers(1, 5))
        values = rng.integers(-13, 12, (outputs, width, entries))
        mask = rng.random((outputs, width)) < 0.8
        low = int(rng.integers(-12, 1))
        saturate = (low, low + int(rng.integers(1, 30)))
        last = layer == layers - 1
        tables.add_layer(values, mask=mask, saturate=None if last and seed % 2 else saturate)
        width = outputs
        entries = saturate[1] - saturate[0] + 1
    return tables.module()


Made = tuple[Model, Model, str]


def compiled(module: ModuleOp, *passes: object) -> Made:
    """Reference, hardware and SystemVerilog."""
    integer = Model.of(module.clone())
    context = make_context()
    for stage in passes:
        stage.apply(context, module)  # type: ignore[attr-defined]
    return integer, Model.of(module), emit_systemverilog(module)


def check(made: Made, folder: Path, **options: int) -> Proof:
    integer, circuit, text = made
    rtl = folder / "design.sv"
    rtl.write_text(text)
    return prove(rtl, integer, circuit, **options)


PIPELINES: list[dict[str, int | bool]] = [
    {},
    {"combinational": True},
    {"levels": 1},
    {"levels": 5},
    {"cycles": 1},
    {"cycles": 23},
]


@needs_yosys
def test_nodes_of_many_bits_are_not_listed(tmp_path: Path) -> None:
    """Sums of 29 bits, and a register behind each: a list of their values takes 2 GB."""
    tables = TableNetwork("net", UniformQuantizedType(2, False, 1.0), 3)
    values = np.random.default_rng(0).integers(-(1 << 27), 1 << 27, (2, 3, 4))
    tables.add_layer(values, mask=np.ones((2, 3), bool))
    made = compiled(tables.module(), *CompilePass(levels=1).expand())
    tracemalloc.start()
    try:
        assert check(made, tmp_path).proven
        assert second_opinion(tmp_path / "design.sv", *made[:2]).shown
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()


@needs_yosys
@pytest.mark.parametrize("seed, inputs", [(0, 110), (1, 110), (2, 110), (3, 250), (4, 250)])
def test_sums_of_many_single_bits_are_proven(tmp_path: Path, seed: int, inputs: int) -> None:
    """Their adders take sums of many variables apart, and put them together again."""
    rng = np.random.default_rng(seed)
    places = rng.choice(7, size=(1, inputs), p=[0.02, 0.03, 0.05, 0.2, 0.35, 0.25, 0.1])
    values = np.zeros((1, inputs, 2), dtype=np.int64)
    values[..., 1] = (1 << places) * rng.choice([-1, 1], size=places.shape)
    tables = TableNetwork("net", UniformQuantizedType(1, False, 1.0), inputs)
    tables.add_layer(values, mask=np.ones((1, inputs), bool))
    assert check(compiled(tables.module(), *CompilePass().expand()), tmp_path).proven


@needs_yosys
@pytest.mark.parametrize("seed, nodes", [(0, 110), (2, 250), (4, 250)])
def test_sums_of_full_adders_are_proven(tmp_path: Path, seed: int, nodes: int) -> None:
    """Nodes of one bit, each of two inputs, and a sum of all: adders absorb full adders."""
    rng = np.random.default_rng(seed)
    hidden = np.zeros((nodes, nodes, 2), dtype=np.int64)
    mask = np.zeros((nodes, nodes), dtype=np.bool_)
    for node in range(nodes):
        for edge in (node, (node + 1) % nodes):
            hidden[node, edge] = rng.permutation([0, 1])
            mask[node, edge] = True
    places = rng.choice(7, size=(1, nodes), p=[0.02, 0.03, 0.05, 0.2, 0.35, 0.25, 0.1])
    values = np.zeros((1, nodes, 2), dtype=np.int64)
    values[..., 1] = (1 << places) * rng.choice([-1, 1], size=places.shape)
    tables = TableNetwork("net", UniformQuantizedType(1, False, 1.0), nodes)
    tables.add_layer(hidden, mask=mask, saturate=(0, 1))
    tables.add_layer(values)
    assert check(compiled(tables.module(), *CompilePass().expand()), tmp_path).proven


@needs_yosys
@pytest.mark.parametrize("seed", range(18))
def test_random_networks_are_proven(seed: int, tmp_path: Path) -> None:
    options = PIPELINES[seed % len(PIPELINES)]
    stages = CompilePass(**options).expand()  # pyright: ignore[reportArgumentType]
    made = compiled(network(seed, 1 + seed % 3), *stages)
    proof = check(made, tmp_path, jobs=1 + (seed == 0))
    assert proof.proven, [o for o in proof.outcomes if not o.proven]
    assert not proof.plan.missing
    assert proof.outputs == len(made[1].interface().outputs)


@needs_yosys
def test_long_tables_are_proven(tmp_path: Path) -> None:
    """Choices between words; an entry that is wrong is found."""
    codes = np.arange(1 << 11)
    values = np.stack([np.rint(40 * np.sin(codes / 500 + k)) for k in range(2)])[np.newaxis]
    tables = TableNetwork("net", UniformQuantizedType(11, False, 0.5), 2)
    tables.add_layer(values.astype(np.int64), mask=np.ones((1, 2), bool), saturate=(-30, 30))
    made = compiled(tables.module(), *CompilePass(fast=True).expand())
    assert "_row0 = x0[3] ? " in made[2]
    assert check(made, tmp_path).proven
    wrong = re.sub(
        r"(_row9 = .*? : 7'd)(\d+)",
        lambda m: f"{m[1]}{int(m[2]) ^ 1}",
        made[2],
        count=1,
        flags=re.S,
    )
    assert wrong != made[2]
    assert not check((*made[:2], wrong), tmp_path).proven


@needs_yosys
def test_processes_of_a_proof_can_always_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SIGTERM: a handler of Python's, as the tools have, would miss it before a wait.

    The pool would then wait for ever. SIGINT is for the parent, which ends the others.
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    seen: list[tuple[int, int]] = []

    def look(_outcome: Outcome, _number: int, _count: int) -> None:
        children = multiprocessing.active_children()
        assert len(children) <= 2
        for child in children:
            lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
            masks = dict(line.split(":", 1) for line in lines if line.startswith("Sig"))
            seen.append((int(masks["SigCgt"], 16), int(masks["SigIgn"], 16)))

    try:
        for number in handlers:
            signal.signal(number, lambda *_: sys.exit(1))
        rtl = tmp_path / "design.sv"
        integer, circuit, text = compiled(network(0), *CompilePass().expand())
        rtl.write_text(text)
        # As many as there are processors, whatever is asked for.
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        assert prove(rtl, integer, circuit, jobs=1000, progress=look).proven
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    # Those that ignore SIGINT have begun.
    caught, ignored = (1 << signal.SIGTERM - 1 | 1 << signal.SIGHUP - 1), 1 << signal.SIGINT - 1
    assert seen and any(not c & caught and i & ignored for c, i in seen)
    assert all(not c & caught for c, i in seen if i & ignored)


@needs_yosys
@pytest.mark.parametrize(
    "pipeline",
    [
        "kan-expand-wires,kan-schedule{combinational=true},lower-kan-to-hw",
        "kan-expand-wires,kan-schedule,lower-kan-to-hw",
        "kan-expand-wires,kan-balance-sums,kan-schedule{levels=1},lower-kan-to-hw",
        "kan-expand-wires,kan-narrow,kan-schedule{levels=3},lower-kan-to-hw",
        "kan-expand-wires,kan-narrow,kan-narrow,kan-balance-sums,kan-schedule,lower-kan-to-hw",
    ],
)
def test_any_pipeline_is_proven(pipeline: str, tmp_path: Path) -> None:
    for seed in (3, 8):
        stages = build_pipeline(UNIVERSE.all_passes, pipeline)
        proof = check(compiled(network(seed), *stages), tmp_path)
        assert proof.proven, [o for o in proof.outcomes if not o.proven]


@needs_yosys
def test_wire_level_is_a_reference_too(tmp_path: Path) -> None:
    context, module = make_context(), network(4)
    stages = CompilePass().expand()
    wire = next(i for i, stage in enumerate(stages) if stage.name == "kan-expand-wires")
    for stage in stages[: wire + 1]:
        stage.apply(context, module)
    assert Model.of(module).level == "wire"
    proof = check(compiled(module, *stages[wire + 1 :]), tmp_path)
    assert proof.proven and proof.nodes == len(proof.plan.reference.nodes) > 0


SKIP = """
func.func @skip(%x: tensor<2xf32>) -> tensor<3xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 1.0>>
  %t = kan.tables %q tables dense<[[[0, 9, 3, 14], [3, 2, 11, 0]]]> : tensor<1x2x4xi8>
    : tensor<2x!quant.uniform<u2:f32, 1.0>> -> tensor<1x2x!quant.uniform<u4:f32, 0.25>>
  %n = kan.node_sum %t : tensor<1x2x!quant.uniform<u4:f32, 0.25>>
    -> tensor<1x!quant.uniform<u5:f32, 0.25>>
  %c = kan.requantize %n : tensor<1x!quant.uniform<u5:f32, 0.25>>
    -> tensor<1x!quant.uniform<u2:f32, 1.0>>
  %p = kan.tables %c tables dense<[[1, 0, 3, 2]]> : tensor<1x4xi8>
    : tensor<1x!quant.uniform<u2:f32, 1.0>> -> tensor<1x!quant.uniform<u2:f32, 1.0>>
  %k = kan.concat %q, %p : tensor<2x!quant.uniform<u2:f32, 1.0>>,
    tensor<1x!quant.uniform<u2:f32, 1.0>> -> tensor<3x!quant.uniform<u2:f32, 1.0>>
  %u = kan.tables %k tables dense<[[[0, 1, 2, 3], [3, -2, 1, 0], [-7, 0, 5, 1]]]> : tensor<1x3x4xi8>
    : tensor<3x!quant.uniform<u2:f32, 1.0>> -> tensor<1x3x!quant.uniform<i4:f32, 1.0>>
  %m = kan.node_sum %u bias dense<[5]> : tensor<1xi64> : tensor<1x3x!quant.uniform<i4:f32, 1.0>>
    -> tensor<1x!quant.uniform<i6:f32, 1.0>>
  %r = kan.requantize %m : tensor<1x!quant.uniform<i6:f32, 1.0>>
    -> tensor<1x!quant.uniform<u2:f32, 1.0>>
  %o = kan.concat %r, %q : tensor<1x!quant.uniform<u2:f32, 1.0>>,
    tensor<2x!quant.uniform<u2:f32, 1.0>> -> tensor<3x!quant.uniform<u2:f32, 1.0>>
  %y = kan.dequantize %o : tensor<3x!quant.uniform<u2:f32, 1.0>> -> tensor<3xf32>
  func.return %y : tensor<3xf32>
}
"""
TWICE = """
func.func @twice(%x: !kan.int<0:9>, %z: !kan.int<-4:3>) -> (!kan.int<0:3>, !kan.int<-20:20>) {
  %s = kan.sum %x, %z as "sum" : !kan.int<0:9>, !kan.int<-4:3> -> !kan.int<-4:12>
  %c = kan.clamp %s as "node" : !kan.int<-4:12> -> !kan.int<0:7>
  kan.mark %c as "node_a" offset 0 cycle 0 : !kan.int<0:7>
  kan.mark %c as "node_b" offset -3 cycle 0 : !kan.int<0:7>
  %k = kan.constant 5 : !kan.int<5:5>
  kan.mark %k as "node_c" offset 0 cycle 0 : !kan.int<5:5>
  %t = kan.table %c, %z as "both" entries dense<1> : tensor<8x8xi8> : !kan.int<0:7>, !kan.int<-4:3>
    -> !kan.int<1:1>
  %h = kan.shift %c by 1 as "half" : !kan.int<0:7> -> !kan.int<0:4>
  %d = kan.clamp %h as "small" : !kan.int<0:4> -> !kan.int<0:3>
  %e = kan.sum %c, %t, %k as "all" : !kan.int<0:7>, !kan.int<1:1>, !kan.int<5:5> -> !kan.int<-20:20>
  func.return %d, %e : !kan.int<0:3>, !kan.int<-20:20>
}
"""


@needs_yosys
@pytest.mark.parametrize("text", [SKIP, TWICE], ids=["skip", "twice"])
def test_skips_shared_signals_and_constants(text: str, tmp_path: Path) -> None:
    """Inputs read by a later layer, outputs that are inputs, two nodes in one signal, shifts."""
    for options in ({}, {"levels": 1}, {"combinational": True}):
        module = parse_text(make_context(), text.encode(), "text")
        proof = check(compiled(module, *CompilePass(**options).expand()), tmp_path)
        assert proof.proven, [o for o in proof.outcomes if not o.proven]


@needs_yosys
def test_a_constant_output_that_is_wrong_is_found(tmp_path: Path) -> None:
    tables = TableNetwork("net", UniformQuantizedType(2, False, 1.0), 1)
    tables.add_layer(np.full((1, 1, 4), 5))
    made = compiled(tables.module(), *CompilePass().expand())
    assert check(made, tmp_path).proven
    wrong = first(r"assign y0 = (\d)'d5", r"assign y0 = \1'd4")
    proof = check(mutated(made, wrong), tmp_path)
    assert [o.got for o in proof.outcomes if not o.proven] == [4]
    # An entry beyond the end of a table is x.
    beyond = first(r"assign y0 = .*;", "localparam logic [2:0] t = 3'h5; assign y0 = {3{t[x0]}};")
    proof = check(mutated(made, beyond), tmp_path)
    assert [o.problem for o in proof.outcomes if not o.proven] == ["undefined"]


# Seeded bugs.


BENIGN: dict[str, Callable[[str], str]] = {
    "terms in another order": first(r"(wire .*) = (\{[^}]*\}) \+ (\{[^}]*\});", r"\1 = \3 + \2;"),
    "a comparison with the end itself": first(
        r"< -(\d+)'sd(\d+)\)", lambda m: f"<= -{m[1]}'sd{m[2]})"
    ),
    "a name that nobody marks": lambda text: text.replace("layer0_edge0_0", "renamed"),
}
VALID_BUGS: dict[str, tuple[Callable[[str], str], str]] = {
    "no reset": (first(r"valid_s2 <= 1'b0;", "valid_s2 <= valid_s1;"), "rst does not clear"),
    "set by reset": (first(r"valid_s2 <= 1'b0;", "valid_s2 <= 1'b1;"), "in reset"),
    "too early": (first(r"valid_s2 <= valid_s1", "valid_s2 <= in_valid"), "cycles after in_valid"),
    "inverted": (first(r"valid_s2 <= valid_s1", "valid_s2 <= ~valid_s1"), "loads 0 after a 1"),
    "stuck": (first(r"valid_s2 <= valid_s1", "valid_s2 <= 1'b1"), "does not load one valid bit"),
}


@pytest.fixture(scope="module")
def victim() -> Made:
    """Two layers that saturate, in several stages, with sign extensions."""
    made = compiled(victim_network(), *CompilePass(levels=1, extra_levels=0).expand())
    assert made[1].interface().latency >= 6
    return made


def mutated(made: Made, mutation: Callable[[str], str]) -> Made:
    text = mutation(made[2])
    assert text != made[2], "the mutation did not apply"
    return made[0], made[1], text


@needs_yosys
@pytest.mark.parametrize("bug", BUGS)
def test_bugs_are_found_and_shown(bug: str, victim: Made, tmp_path: Path) -> None:
    mutation, where = BUGS[bug]
    proof = check(mutated(victim, mutation), tmp_path)
    assert not proof.proven and proof.valid_problem is None
    failed = [outcome for outcome in proof.outcomes if not outcome.proven]
    assert where in failed[0].name
    assert failed[0].assignment is not None
    witness = find_witness(proof, failed[0])
    if bug == "data that reset clears":
        # Nothing is wrong with a stream that no reset hits.
        assert witness is None
        return
    assert witness is not None and witness.got != witness.expected
    model = proof.integer.run_codes(witness.stream)[witness.index]
    if witness.got is not None and witness.at_output:
        port = int(witness.where[1:])
        assert model[port] == witness.expected


def unsaturated_network() -> ModuleOp:
    """Two layers; tables take in the clamps of the first one's nodes."""
    rng = np.random.default_rng(1)
    tables = TableNetwork("net", UniformQuantizedType(4, False, 1.0), 3)
    tables.add_layer(rng.integers(-6, 7, (2, 3, 16)), saturate=(-10, 9))
    tables.add_layer(rng.integers(-40, 40, (2, 2, 20)), saturate=(-128, 127))
    return tables.module()


def with_entry(
    made: Made, *, offset: int = 0, high: int = 0, at_least: int = 0, at_most: int = 0
) -> Made:
    """The same with numbers added to those of the first node's `#kan.node`."""
    op = made[1].op.clone()
    assert isinstance(op, hw.HWModuleOp)
    node, *others = nodes_of(op)
    assert node.within is not None
    values = IntType(node.values.low, node.values.high + high)
    within = IntType(node.within.low + at_least, node.within.high + at_most)
    changed = NodeAttr(node.node, node.signal, values, node.cycle, node.offset + offset, within)
    list_nodes(op, [changed, *others])
    return made[0], dataclasses.replace(made[1], op=op), made[2]


@needs_yosys
def test_nodes_that_tables_saturate_are_proven(tmp_path: Path) -> None:
    made = compiled(unsaturated_network(), *CompilePass(cycles=2).expand())
    marks = marks_of(made[1]).values()
    assert sum(mark is not None and mark.within is not None for mark in marks) == 2
    proof = check(made, tmp_path)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]
    assert {"layer0_node0", "layer0_node1"} <= proof.plan.hidden.keys() and not proof.plan.missing
    # What their marks say is proven, too.
    for wrong, problem in (
        (with_entry(made, at_most=1), "differs"),
        (with_entry(made, at_least=1), "differs"),
        (with_entry(made, offset=1), "differs"),
        (with_entry(made, high=-1), "leaves the range that its mark says"),
    ):
        failed = [o for o in check(wrong, tmp_path).outcomes if o.problem]
        assert (failed[0].name, failed[0].problem) == ("layer0_node0", problem)


def dead_network() -> ModuleOp:
    """Of three nodes of the first layer, tables read the second one that are all constant."""
    rng = np.random.default_rng(3)
    tables = TableNetwork("net", UniformQuantizedType(2, False, 1.0), 2)
    tables.add_layer(rng.integers(-3, 4, (3, 2, 4)), saturate=(0, 3))
    readers = rng.integers(-3, 4, (2, 3, 4))
    readers[:, 1] = readers[:, 1, :1]
    tables.add_layer(readers)
    return tables.module()


def says_dead(made: Made, node: str) -> Made:
    """The same, with hardware that says that a node is dead."""
    op = made[1].op.clone()
    assert isinstance(op, hw.HWModuleOp)
    list_nodes(op, [NodeAttr.of_dead(n.node) if n.node == node else n for n in nodes_of(op)])
    return made[0], dataclasses.replace(made[1], op=op), made[2]


@needs_yosys
def test_dead_nodes_take_no_hardware_and_are_proven_to_be_dead(tmp_path: Path) -> None:
    made = compiled(dead_network(), *CompilePass(levels=1).expand())
    assert marks_of(made[1])["layer0_node1"].is_dead
    assert not re.search(r"layer0_(node|sum|edge)1", made[2])
    proof = check(made, tmp_path)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]
    assert proof.plan.dead == ["layer0_node1"] and proof.summary()["dead"] == 1
    # Results depend on the first node, whatever its entry says.
    proof = check(says_dead(made, "layer0_node0"), tmp_path)
    failed = [o for o in proof.outcomes if not o.proven]
    assert failed and failed[0].problem == "differs"
    assert any(v.name == "layer0_node0 (dead)" for v in failed[0].assignment or ())
    find_witness(proof, failed[0])


TWO_RESULTS = """
func.func @two(%x: !kan.int<0:3>) -> !kan.int<-4:3> {
  %first = kan.table %x as "first" entries dense<[0, 1, 1, 0]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:1>
  kan.mark %first as "layer0_node0" offset 0 cycle 0 : !kan.int<0:1>
  %y = kan.table %first as "y" entries dense<[-4, 3]> : tensor<2xi8>
    : !kan.int<0:1> -> !kan.int<-4:3>
  kan.mark %y as "layer1_node0" offset 0 cycle 0 : !kan.int<-4:3>
  func.return %y : !kan.int<-4:3>
}
"""


@needs_yosys
def test_nodes_with_bits_that_are_one_wire_are_proven(tmp_path: Path) -> None:
    """Of their range, most values never come: -4 is 100, 3 is 011, and the lower bits are one."""
    source = tmp_path / "two.mlir"
    source.write_text(TWO_RESULTS)
    folder = tmp_path / "out"
    pipeline = "kan-expand-wires,lower-kan-to-hw"
    assert flow("build", source, "-o", folder, "-p", pipeline, "--simulator", "none") == 0
    assert flow("prove", folder) == 0


@needs_yosys
def test_entries_beyond_the_end_of_a_node_are_proven(tmp_path: Path) -> None:
    """Every bit of the entries that make up for a clamp matters, or no sum reaches it."""
    made = compiled(unsaturated_network(), *CompilePass(cycles=2, fast=True).expand())
    found = re.search(r"\[\d+:0\] (layer1_edge\w+_bit0) = (\d+)'h(\w+);", made[2])
    assert found is not None
    flipped = f"{int(found[3], 16) ^ (1 << 1):0{len(found[3])}X}"
    text = made[2].replace(found[0], found[0].replace(f"'h{found[3]}", f"'h{flipped}"))
    proof = check((made[0], made[1], text), tmp_path)
    assert not proof.proven
    failed = next(o for o in proof.outcomes if not o.proven)
    assert failed.name.startswith("layer1_node")
    assert find_witness(proof, failed) is not None


@needs_yosys
def test_a_reference_whose_nodes_are_not_saturated(tmp_path: Path) -> None:
    module = unsaturated_network()
    stages = list(CompilePass(combinational=True).expand())
    names = [stage.name for stage in stages]
    folded = names.index("kan-fold-clamps") + 1
    for stage in stages[:folded]:
        stage.apply(make_context(), module)
    assert any(isinstance(op, MarkOp) and op.within is not None for op in module.walk())
    proof = check(compiled(module, *stages[folded:]), tmp_path)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]


@needs_yosys
def test_a_bug_of_the_function_that_adds_is_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    made = compiled(network(4), *CompilePass(combinational=True).expand())
    wide = TableNetwork("net", UniformQuantizedType(6, False, 1.0), 7)
    wide.add_layer(rng.integers(-20, 20, (2, 7, 64)), saturate=(-64, 63))
    others = compiled(wide.module(), *CompilePass(combinational=True).expand())
    for victim, before, after in (
        (others, r"\{left, 1'b0\} \+ \{right, 1'b0\}", "{left, 1'b1} + {right, 1'b1}"),
        (made, r"\{left, 1'b0\} - \{~right, 1'b1\}", "{left, 1'b0} - {~right, 1'b0}"),
    ):
        assert check(victim, tmp_path).proven
        assert not check(mutated(victim, first(before, after)), tmp_path).proven


@needs_yosys
@pytest.mark.parametrize("change", BENIGN)
def test_harmless_changes_are_proven(change: str, victim: Made, tmp_path: Path) -> None:
    assert check(mutated(victim, BENIGN[change]), tmp_path).proven


@needs_yosys
@pytest.mark.parametrize("bug", VALID_BUGS)
def test_bugs_of_the_valid_chain_are_found(bug: str, victim: Made, tmp_path: Path) -> None:
    mutation, words = VALID_BUGS[bug]
    proof = check(mutated(victim, mutation), tmp_path)
    assert proof.valid_problem is not None and words in proof.valid_problem
    assert all(outcome.proven for outcome in proof.outcomes)


@needs_yosys
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (first(r"posedge clk\)\n  begin", "negedge clk)\n  begin"), "the token negedge"),
        (
            first(r"logic \[3:0\] x1", "logic [2:0] x1"),
            "cannot select range of [3:1] from 'logic[2:0]'",
        ),
        (
            first(r"(\n\);\n)", r",\n  input  wire logic x9\1"),
            "port x9 of the RTL must be absent, and is an input",
        ),
        (first(r"input  wire logic \[3:0\] x6,\n", ""), "x6"),
        (first(r"^endmodule", "endmodul"), "a construct of the kind named type"),
        # Yosys takes it for a wire. It is a variable that is set once, before time begins.
        (first(r"wire (logic \[\d+:0\] \w+ =)", r"\1"), "initializer for static variable"),
        (first(r"module net ", "module other "), "net"),
        (
            first(r"posedge clk\)\n  begin", "posedge rst)\n  begin"),
            "a clock that is read as data, rst",
        ),
    ],
)
def test_what_cannot_be_proven_is_refused(
    change: Callable[[str], str], words: str, victim: Made, tmp_path: Path
) -> None:
    with pytest.raises(KanError, match=re.escape(words)):
        check(mutated(victim, change), tmp_path)


@needs_yosys
def test_feedback_and_written_memories_are_refused(victim: Made, tmp_path: Path) -> None:
    feedback = first(r"(layer0_sum0_part\d_s2) <= (\w+);", r"\1 <= \2 + \1;")
    with pytest.raises(KanError, match="feed back"):
        check(mutated(victim, feedback), tmp_path)
    loop = first(r"(layer0_sum0_part\d) =\s", r"\1 = \1 + ")
    with pytest.raises(KanError, match="not a name that has a value here, layer0_sum0_part"):
        check(mutated(victim, loop), tmp_path)
    memory = "  logic [3:0] memory [0:15];"
    memory += "  always_ff @(posedge clk) if (in_valid) memory[x1] <= x2;"
    written = first(r"\);\n", f");\n{memory}\n  wire logic [3:0] word = memory[x0];\n")
    changed = mutated(mutated(victim, written), first(r"(_bit\d)\[x0\]", r"\1[word]"))
    with pytest.raises(KanError, match="a memory that is written to"):
        check(changed, tmp_path)
    inner = "module inner (input wire logic a, output wire logic b); assign b = a; endmodule"
    assert check(mutated(victim, first(r"^endmodule", f"endmodule\n{inner}")), tmp_path).proven


Changed = Callable[[str], str]


@needs_yosys
@pytest.mark.parametrize(
    ("ours", "theirs", "problem"),
    [
        (
            None,
            BUGS["one bit of a table in the last layer"][0],
            r"layer1_edge\w+",
        ),
        (
            BUGS["one bit of a table"][0],
            None,
            r"layer0_edge\w+",
        ),
        (
            None,
            first(r"valid_s2 <= valid_s1", "valid_s2 <= in_valid"),
            r"valid_s2\[0\]",
        ),
        # Other names, and the same function.
        (BENIGN["a name that nobody marks"], None, r"\w+"),
    ],
)
def test_readings_that_differ_are_no_proof(
    ours: Changed | None,
    theirs: Changed | None,
    problem: str,
    victim: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Yosys is given another text, as if it read the same one otherwise."""
    read = prove_module.read_design

    def reading(rtl: Path, *arguments: Any) -> Netlist:
        other = rtl.with_name("other.sv")
        other.write_text(theirs(victim[2]) if theirs else victim[2])
        return read(other, *arguments)

    monkeypatch.setattr(prove_module, "read_design", reading)
    proof = check(mutated(victim, ours) if ours else victim, tmp_path)
    assert not proof.proven
    assert re.fullmatch(problem, str(proof.readings_problem))
    print_proof(proof, tmp_path / "design.sv", Console(width=200))
    printed = capsys.readouterr().out
    assert f"Yosys reads the file otherwise: {proof.readings_problem}" in printed
    assert "NOT proven" in printed


@needs_yosys
def test_readings_are_compared_cell_by_cell(victim: Made, tmp_path: Path) -> None:
    """So nothing is proven twice; and every change of a cell shows."""
    yosys = toolchain.find("yosys")

    def readings(text: str) -> list[Netlist]:
        (tmp_path / "net.sv").write_text(text)
        path = tmp_path / "net.sv"
        return [read_text(path, "net"), read_design(path, "net", yosys)]

    ours, theirs = readings(victim[2])
    assert difference_of_readings(ours, theirs) is None
    for name, (change, _) in (BUGS | VALID_BUGS).items():
        if name == "no reset":
            continue  # Yosys leaves out a choice between equal words.
        (tmp_path / "net.sv").write_text(change(victim[2]))
        assert difference_of_readings(read_text(tmp_path / "net.sv", "net"), theirs), name


@needs_yosys
def test_a_mark_that_is_wrong_has_no_proof(victim: Made, tmp_path: Path) -> None:
    integer, circuit, text = victim
    printed = str(circuit.op.parent_op())
    cycles = re.findall(r"cycle = (\d+)", printed)
    for old, new in (
        (r"(range = \S+, cycle = \d+)>", r"\1, offset = 1>"),
        (f"cycle = {cycles[-1]}", "cycle = 3"),
    ):
        wrong = re.sub(old, new, printed, count=1)
        assert wrong != printed
        changed = parse_text(make_context(), wrong.encode(), "changed")
        assert not check((integer, Model.of(changed), text), tmp_path).proven


@needs_yosys
def test_words_of_upper_and_lower_bits_are_proven(tmp_path: Path) -> None:
    """At 7 bits, sums of the example meet in words of both, extended, and beside carries."""
    model, data = (EXAMPLES / name for name in ("wine.onnx", "wine.npz"))
    options = ["--calibration", data, "--bits", "7", "--cycles", "2", "--simulator", "none"]
    assert flow("build", model, "-o", tmp_path / "out", *options) == 0
    assert flow("prove", tmp_path / "out") == 0


SCHEDULES = {
    # Low bits that registers hold beside the upper ones.
    "default": (),
    "cycles=7": ("-p", "kan-compile{cycles=7}"),
    "levels=2": ("--levels=2",),
    "combinational": ("--combinational",),
    # Sums in words of upper and lower bits, extended by their sign, beside a carry; and upper
    # bits that are listed beside lower ones that are not.
    "cycles=2": ("-p", "kan-compile{cycles=2}"),
    "extra-levels": ("-p", "kan-compile{cycles=2 extra-levels=4,1}"),
}
PUBLISHED = (
    ("jsc_openml", "default"),
    ("drybean", "cycles=2"),
    ("wine", "extra-levels"),
    *(("moons", schedule) for schedule in SCHEDULES),
)
LARGER = (("jsc_openml", "combinational"), ("drybean", "levels=2"), ("wine", "cycles=7"))


@needs_yosys
@pytest.mark.parametrize(
    ("name", "schedule"),
    [*PUBLISHED, *(pytest.param(*each, marks=pytest.mark.ci) for each in LARGER)],
)
def test_published_networks_are_proven(
    name: str, schedule: str, shared_data: Path, tmp_path: Path
) -> None:
    tables, folder = shared_data / "kanele" / name / "truth_tables.json", tmp_path / "out"
    options = SCHEDULES[schedule]
    assert flow("build", tables, "-o", folder, "--simulator", "none", *options) == 0
    assert flow("prove", folder, "--report") == 0
    report = json.loads((folder / "report.json").read_text())
    proof = report["proof"]
    assert proof["outputs"] == report["outputs"]
    assert proof["cycles_proven"] == report["latency_cycles"]
    assert proof["nodes"] >= report["outputs"] and "yosys" in proof["engine"]


@needs_yosys
def test_guard_bits_and_a_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "wine"
    arguments = ["--calibration", DATA, "--bits", 6, "--guard-bits", 2, "--simulator", "none"]
    assert flow("build", EXAMPLE, "-o", folder, *arguments) == 0
    assert flow("prove", folder, "--report") == 0
    printed = capfd.readouterr().out
    assert "equal to the integer model for all codes" in printed and "layer0 nodes" in printed
    assert json.loads((folder / "report.json").read_text())["proof"]["nodes"] == 7

    wrong = tmp_path / "wrong.sv"
    text = (folder / "rtl" / "wine.sv").read_text()
    wrong.write_text(first(r"(layer0_edge\w+_bit\d = \d+'h)(\w+);", flipped)(text))
    assert flow("prove", folder, "--rtl", wrong) == 1
    printed = capfd.readouterr().out
    assert "NOT proven" in printed and "Input codes that show it" in printed
    assert flow("prove", folder, "--against", folder / "ir" / "05-kan-expand-wires.mlir") == 0
    assert flow("prove", folder, "--against", EXAMPLE) == 1
    assert "no codes" in capfd.readouterr().err
    other = tmp_path / "other.mlir"
    other.write_text(str(network(0)))
    assert flow("prove", folder, "--against", other) == 1
    assert "inputs, the hardware 13" in capfd.readouterr().err
    for jobs in (0, 1_000_000):
        assert flow("prove", folder, "--jobs", jobs) == 1
        assert f"--jobs must lie in 1..1024, got {jobs}" in capfd.readouterr().err


@needs_yosys
def test_errors_are_one_message(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "net"
    arguments = ["--calibration", DATA, "--bits", 4, "--simulator", "none"]
    assert flow("build", EXAMPLE, "-o", folder, *arguments) == 0
    capfd.readouterr()
    assert flow("prove", tmp_path / "none") == 1
    assert "run kan-flow build first" in capfd.readouterr().err
    assert flow("prove", folder, "--rtl", tmp_path / "none.sv") == 1
    assert "there is no" in capfd.readouterr().err
    assert flow("prove", folder, "--timeout", "0.0001") == 1
    assert "within 0.0001 s" in capfd.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert flow("prove", folder) == 1
    error = capfd.readouterr().err
    assert f"'yosys' is not installed; get it with: {install_command('synthesis')}" in error
    assert error.count("\n") == 1


def random_mutation(text: str, rng: np.random.Generator) -> str:
    """A number, an operator or a name in the body is replaced by another."""
    body = text.index("// Stage") if "// Stage" in text else text.index(");\n")
    lines = r"(?m:^ *//.*$)|"
    words = r"(?<=['d\[ ])\d+(?=[];:,) ])|(?<='h)[0-9A-F]+|[-+<>?](?=[ (])|\blayer\w+"
    tokens = [
        token
        for token in re.finditer(lines + words, text)
        if token.start() > body and "//" not in token[0]
    ]
    token = tokens[int(rng.integers(len(tokens)))]
    alike = [other[0] for other in tokens if other[0] != token[0] and kind(other) == kind(token)]
    if not alike:
        return text
    return text[: token.start()] + str(rng.choice(alike)) + text[token.end() :]


def kind(token: re.Match[str]) -> str:
    if token.string[token.start() - 1] == "h":
        return "bits"
    word = token[0]
    return "digit" if word.isdigit() else word[:1] if word.isidentifier() else "operator"


@needs_yosys
@needs_icarus
@pytest.mark.parametrize("seed", range(8))
def test_no_mutant_is_proven_that_differs_for_some_codes(seed: int, tmp_path: Path) -> None:
    """All input codes in Icarus decide; a mutant that is proven must be right for each."""
    rng = np.random.default_rng(seed)
    tables = TableNetwork("net", UniformQuantizedType(3, bool(seed % 2), 1.0), 3)
    tables.add_layer(rng.integers(-9, 9, (2, 3, 8)), saturate=(-8, 7))
    tables.add_layer(rng.integers(-9, 9, (2, 2, 16)), saturate=(-8, 7))
    options = PIPELINES[seed % len(PIPELINES)]
    stages = CompilePass(**options).expand()  # pyright: ignore[reportArgumentType]
    made = compiled(tables.module(), *stages)
    interface = made[1].interface()
    ranges = [np.arange(port.low, port.high + 1) for port in interface.inputs]
    codes = rng.permutation(np.stack(np.meshgrid(*ranges), -1).reshape(-1, 3))
    text = random_mutation(made[2], rng)
    rtl = tmp_path / "design.sv"
    rtl.write_text(text)
    try:
        proof = prove(rtl, made[0], made[1])
    except KanError:
        return  # Refused: it is no design of this kind any more.
    if proof.proven:
        outputs = simulate(rtl, interface, codes, simulator="icarus")
        np.testing.assert_array_equal(outputs, made[0].run_codes(codes))
    else:
        assert text != made[2]
