"""Tables that are written at run time: the words of one network in the hardware of another."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loadable_networks import loadable, network
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import simulate_cycles
from kan_dialect.flows.simulate.simulation import SimulatorName, simulate
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.model.table_memory import layout_of


def text(model: Model) -> str:
    """SystemVerilog without comments and the words of memories."""
    module = model.op.parent_op()
    assert isinstance(module, ModuleOp)
    return re.sub(r"//[^\n]*|\w+\[\d+\] = -?\d+'d\d+;", "", emit_systemverilog(module))


def samples(model: Model, count: int) -> IntArray:
    ports, rng = model.interface().inputs, np.random.default_rng(count)
    columns = [rng.integers(port.low, port.high, count, endpoint=True) for port in ports]
    return np.stack(columns, axis=1)


def evaluated(model: Model, accesses: IntArray, codes: IntArray) -> IntArray:
    """Outputs of the hardware in IR, one sample a lane, once all words are written."""
    assert isinstance(model.op, hw.HWModuleOp)
    interface, lanes = model.interface(), len(codes)
    cycles = 1 + len(accesses) + interface.interval
    quiet = dict.fromkeys(["in_valid", "mem_valid", "mem_address", "mem_data"], 0)
    given = [{"rst": 1, **quiet}]
    for address, data in accesses.tolist():
        given.append({"rst": 0, **quiet, "mem_valid": 1, "mem_address": address, "mem_data": data})
    given += [{"rst": 0, **quiet, "in_valid": 1}] * interface.interval
    given += [{"rst": 0, **quiet}] * interface.latency
    inputs = [
        {name: np.full(lanes, value) for name, value in each.items()}
        | {port.name: codes[:, place] for place, port in enumerate(interface.inputs)}
        for each in given
    ]
    for cycle, values in enumerate(simulate_cycles(model.op, inputs)):
        if 1 <= cycle <= len(accesses):
            assert values["mem_ready"].all()
            assert not values["in_ready"].any()
        if values["out_valid"].any() and cycle > len(accesses) + 1:
            assert cycle < cycles + interface.latency
            outputs = [np.broadcast_to(values[port.name], lanes) for port in interface.outputs]
            found = np.stack(outputs, axis=1)
            top = np.array([1 << port.width for port in interface.outputs])
            signed = np.array([port.signed for port in interface.outputs])
            return np.where(signed & (found >= top // 2), found - top, found)
    raise AssertionError("no output came")


@settings(max_examples=12, deadline=None)
@given(shape=st.integers(0, 10_000), interval=st.sampled_from([2, 3, 4, 8, 20]))
def test_words_of_another_network(shape: int, interval: int) -> None:
    """Two networks of one shape have one RTL but for the words, and their words fit each other."""
    first, own = loadable(network(shape, 1), interval)
    other_tables = network(shape, 2)
    expected_of = Model.of(other_tables.clone())
    second, words = loadable(other_tables, interval)
    assert text(first) == text(second)
    assert layout_of(first.op) == layout_of(second.op)  # pyright: ignore[reportArgumentType]
    assert (own != words).any()
    codes = samples(first, 40)
    np.testing.assert_array_equal(evaluated(first, own, codes), first.run_codes(codes))
    expected = expected_of.run_codes(codes)
    np.testing.assert_array_equal(second.run_codes(codes), expected)
    np.testing.assert_array_equal(evaluated(first, words, codes), expected)


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_rtl_with_words_of_another_network(tmp_path: Path, simulator: SimulatorName) -> None:
    if simulator == "icarus" and not look_for("iverilog"):
        pytest.skip("Icarus Verilog is not installed")
    first, own = loadable(network(7, 1), 4, target="ecp5")
    second, words = loadable(network(7, 2), 4, target="ecp5")
    rtl = tmp_path / "net.sv"
    module = first.op.parent_op()
    assert isinstance(module, ModuleOp)
    rtl.write_text(emit_systemverilog(module))
    codes, interface = samples(first, 300), first.interface()
    for accesses, model in ((None, first), (words, second), (np.vstack([words, own]), first)):
        got = simulate(
            rtl, interface, codes, simulator=simulator, resets=2, bubbles=0.3, accesses=accesses
        )
        np.testing.assert_array_equal(got, model.run_codes(codes))


def test_layouts_differ() -> None:
    """Another shape, another interval and larger entries are another layout."""
    layouts = {
        layout_of(loadable(network(shape, 1, span), interval)[0].op)  # pyright: ignore[reportArgumentType]
        for shape, span, interval in ((7, 0, 4), (8, 0, 4), (7, 0, 3), (7, 200, 4))
    }
    assert len(layouts) == 4


def test_without_an_interval() -> None:
    with pytest.raises(KanError, match="loadable needs memories") as raised:
        CompilePass(loadable=True)
    assert raised.value.remedy == "give an interval of at least 2"
