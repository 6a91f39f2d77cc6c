"""The emitted VHDL: it computes what the hardware ops mean, without a word from GHDL."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_hardware import CYCLES, Batch
from vhdl_bench import analyse, require_ghdl, run_modules
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from fuzz.networks import Drawing
from hardware_text import in_module, parse
from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.simulation import compare, simulate
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.vhdl import emit_vhdl
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.model import Model
from kan_dialect.passes.make_trainable import MakeTrainablePass
from repository import EXAMPLES
from training_reference import random_network
from vhdl_modules import circuits_of, require_systemverilog


def compiled(path: Path, **options: object) -> tuple[Context, ModuleOp]:
    context = make_context()
    module = load_model(context, path)
    CompilePass(**options).apply(context, module)  # pyright: ignore[reportArgumentType]
    return context, module


def require_equal(module: ModuleOp, folder: Path, vectors: int, **how: float) -> None:
    """Simulate the VHDL of a network, with bubbles and resets, against its integers."""
    require_ghdl()
    circuit = Model.of(module)
    interface = circuit.interface()
    vhdl = folder / "network.vhd"
    vhdl.write_text(emit_vhdl(module))
    codes = stimuli(interface, None, random=vectors, seed=0)
    got = simulate(vhdl, interface, codes, simulator="ghdl", **how)  # pyright: ignore[reportArgumentType]
    verdict = compare(circuit.run_codes(codes), got, codes)
    assert verdict.passed, verdict.describe(interface)


# Every op


@pytest.mark.parametrize("seed", range(4))
def test_random_hardware_is_what_numpy_evaluates(seed: int, tmp_path: Path) -> None:
    """Ops of all widths, registers, tables, arrays, and names that VHDL does not allow."""
    batch = Batch.draw(100 + seed, 12)
    analyse(tmp_path, emit_vhdl(batch.module))
    circuits = circuits_of(batch.module)
    for index, outputs in enumerate(run_modules(tmp_path, circuits, batch.inputs)):
        for name, values in outputs.items():
            assert len(values) == CYCLES
            for cycle in range(batch.known_from[index], CYCLES):
                expected = batch.outputs[index][name][cycle]
                assert int(values[cycle], 16) == expected, f"dut{index}.{name} in cycle {cycle}"


def test_constants_are_added_and_subtracted(tmp_path: Path) -> None:
    """All values and constants of 3 bits, modulo 8: constants from 4 on are negative."""
    names = [f"{op}{constant}" for op in ("add", "sub") for constant in range(8)]
    body = "".join(f"  %c{constant} = hw.constant {constant} : i3\n" for constant in range(8))
    body += "".join(f"  %{name} = comb.{name[:3]} %a, %c{name[3]} : i3\n" for name in names)
    ports = ", ".join(["in %a : i3", *(f"out {name} : i3" for name in names)])
    results = ", ".join(f"%{name}" for name in names), ", ".join(["i3"] * len(names))
    module = parse(f"hw.module @dut({ports}) {{\n{body}  hw.output {' : '.join(results)}\n}}")
    analyse(tmp_path, emit_vhdl(module))
    (got,) = run_modules(tmp_path, circuits_of(module), [{"a": list(range(8))}])
    for constant in range(8):
        for name, step in ((f"add{constant}", constant), (f"sub{constant}", -constant)):
            assert [int(each, 16) for each in got[name]] == [(a + step) % 8 for a in range(8)], name


def test_divisions_are_those_of_integers(tmp_path: Path) -> None:
    """All operands of 3 bits: quotients toward 0, remainders with the sign of the dividend."""
    pairs = [(left, right) for left in range(8) for right in range(1, 8)]
    columns = {"a": [left for left, _ in pairs], "b": [right for _, right in pairs]}
    ops = {"q": "divu", "r": "modu", "s": "divs", "t": "mods"}
    body = "".join(f"  %{name} = comb.{op} %a, %b : i3\n" for name, op in ops.items())
    ports = "in %a : i3, in %b : i3, " + ", ".join(f"out {name} : i3" for name in ops)
    results = "hw.output %q, %r, %s, %t : i3, i3, i3, i3"
    module = parse(f"hw.module @dut({ports}) {{\n{body}  {results}\n}}")
    analyse(tmp_path, emit_vhdl(module))
    (got,) = run_modules(tmp_path, circuits_of(module), [columns])
    for place, (left, right) in enumerate(pairs):
        one, other = (value - 8 * (value >> 2) for value in (left, right))
        quotient = abs(one) // abs(other) * (1 if one * other >= 0 else -1)
        expected = [left // right, left % right, quotient & 7, (one - quotient * other) & 7]
        assert [int(got[name][place], 16) for name in ops] == expected, (left, right)


# Networks


@pytest.mark.parametrize("options", [{}, {"combinational": True}, {"levels": 1}])
def test_wine_is_its_integers(options: dict[str, object], tmp_path: Path) -> None:
    data = str(EXAMPLES / "wine.npz")
    _, module = compiled(EXAMPLES / "wine.onnx", data=data, bits=6, **options)
    require_equal(module, tmp_path, 100, bubbles=0.3, resets=3)


@pytest.mark.ci
def test_digits_are_their_integers(tmp_path: Path) -> None:
    data = str(EXAMPLES / "digits.npz")
    _, module = compiled(EXAMPLES / "digits.onnx", data=data)
    require_equal(module, tmp_path, 200, bubbles=0.1, resets=1)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 1 << 32), st.sampled_from([{"cycles": 2}, {"levels": 1}, {"fast": True}]))
def test_random_networks_are_their_integers(
    tmp_path: Path, seed: int, options: dict[str, object]
) -> None:
    module = Drawing(np.random.default_rng(seed)).network("net").module()
    for stage in CompilePass(**options).expand():  # pyright: ignore[reportArgumentType]
        stage.apply(Context(), module)
    require_equal(module, tmp_path, 40, bubbles=0.2, resets=1)


def test_long_tables_have_rows_of_vectors(tmp_path: Path) -> None:
    """12 bits: 4 rows of 1024 entries, one of them constant; 3000 entries: the last is short."""
    rng = np.random.default_rng(5)
    for size in (4096, 3000):
        entries = rng.integers(0, 8, size)
        entries[1024:2048] = 5
        value = sum(int(entry) << (3 * place) for place, entry in enumerate(entries))
        module = parse(
            f"hw.module @dut(in %x : i12, out y : i3) {{ %t = hw.constant {value} : i{3 * size}\n"
            f'%a = hw.bitcast %t {{sv.namehint = "t_table"}} : (i{3 * size}) -> '
            f"!hw.array<{size}xi3>\n"
            f"%e = hw.array_get %a[%x] : !hw.array<{size}xi3>, i12\nhw.output %e : i3 }}"
        )
        analyse(tmp_path, text := emit_vhdl(module))
        assert max(map(len, text.splitlines())) <= 100
        codes = [int(code) for code in rng.integers(0, size, 200)]
        (found,) = run_modules(tmp_path, circuits_of(module), [{"x": codes}])
        assert [int(value, 16) for value in found["y"]] == [int(entries[code]) for code in codes]


def test_hardware_that_trains_is_its_systemverilog(tmp_path: Path) -> None:
    module = random_network(np.random.default_rng(3), [2, 1], [2], [3])
    MakeTrainablePass().apply(Context(), module)
    LowerTrainingToHwPass().apply(Context(), module)
    require_systemverilog(module, tmp_path, rst=[int(cycle == 3) for cycle in range(600)])


@pytest.mark.parametrize(
    "options", [{"interface": "ready-valid"}, {"interface": "axi-stream", "beat_bits": 16}]
)
def test_wrappers_are_their_systemverilog(tmp_path: Path, options: dict[str, object]) -> None:
    module = Drawing(np.random.default_rng(6)).network("net").module()
    for stage in CompilePass(cycles=2).expand():
        stage.apply(Context(), module)
    WrapInterfacePass(**options).apply(Context(), module)  # pyright: ignore[reportArgumentType]
    low = [int(cycle == 3) for cycle in range(600)]
    high = [int(cycle != 3) for cycle in range(600)]
    require_systemverilog(module, tmp_path, rst=low, aresetn=high)


# The text


def test_same_module_same_bytes() -> None:
    texts = {emit_vhdl(Batch.draw(7, 3).module) for _ in range(2)}
    assert len(texts) == 1


def test_lines_are_short_and_plain(tmp_path: Path) -> None:
    text = emit_vhdl(Batch.draw(11, 20).module)
    assert text.isascii() and "\t" not in text
    assert not re.search(r" $", text, re.MULTILINE)


def test_names_of_ports_stay_and_others_become_legal(tmp_path: Path) -> None:
    module = in_module(
        """
        %b = comb.xor %_a, %A {sv.namehint = "signal"} : i4
        %c = comb.add %b, %b {sv.namehint = "Sum__1_"} : i4
        %d = comb.add %c, %b {sv.namehint = "SUM_1"} : i4
        %e = comb.mul %d, %d {sv.namehint = "resize"} : i4
        %f = comb.concat %e, %e : i4, i4
        hw.output %e, %f : i4, i8
        """,
        "in %_a : i4, in %A : i4, out a : i4, out end : i8",
    )
    text = emit_vhdl(module)
    for declared in (
        "\\_a\\ : in std_logic_vector(3 downto 0);",
        "A : in std_logic_vector(3 downto 0);",
        "\\a\\ : out std_logic_vector(3 downto 0);",
        "\\end\\ : out std_logic_vector(7 downto 0)",
        "signal kan_signal : unsigned(3 downto 0);",
        "signal Sum_1 : unsigned(3 downto 0);",
        "signal SUM_1_1 : unsigned(3 downto 0);",
        "signal kan_resize : unsigned(3 downto 0);",
    ):
        assert declared in text
    analyse(tmp_path, text)


def test_names_of_modules(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An identifier of SystemVerilog stays, a keyword does not."""
    body = "(in %a : i1, out y : i1) { hw.output %a : i1 }"
    text = emit_vhdl(parse(f"hw.module @a__b_{body}\nhw.module @signal{body}"))
    analyse(tmp_path, text)
    assert "entity \\a__b_\\ is" in text and "entity kan_signal is" in text
    assert "module 'signal' is called 'kan_signal': it is a keyword of VHDL" in caplog.text
    with pytest.raises(KanError, match="'Net' and 'NET' are the same in VHDL"):
        emit_vhdl(parse(f"hw.module @Net{body}\nhw.module @NET{body}"))


def test_what_is_refused() -> None:
    with pytest.raises(KanError, match=r"@m: port 'a' of type i0 cannot be printed as VHDL"):
        emit_vhdl(parse("hw.module @m(in %a : i0, in %b : i1, out y : i1) { hw.output %b : i1 }"))
    with pytest.raises(KanError, match=r"'func\.func' is not a hardware op"):
        emit_vhdl(parse("func.func @f() { func.return }"))


# Synthesis


@pytest.mark.ci
def test_registers_are_those_of_the_systemverilog(tmp_path: Path) -> None:
    """GHDL synthesises it; Yosys finds as many registers, and no memory, in both."""
    require_ghdl()
    if shutil.which("yosys") is None:
        pytest.skip("yosys is not installed")
    data = str(EXAMPLES / "wine.npz")
    _, module = compiled(EXAMPLES / "wine.onnx", data=data, bits=5)
    analyse(tmp_path, emit_vhdl(module))
    netlist = subprocess.run(
        ["ghdl", "--synth", "--std=08", "--out=verilog", Model.of(module).name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ROM" not in netlist.stderr
    (tmp_path / "vhdl.v").write_text(netlist.stdout)
    (tmp_path / "plain.sv").write_text(emit_systemverilog(module))
    counts: list[dict[str, int]] = []
    for file in ("vhdl.v", "plain.sv"):
        script = f"read_verilog -sv {file}; synth -flatten -lut 6 -top wine; stat"
        done = subprocess.run(
            ["yosys", "-p", script], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        cells = re.findall(r"^\s+(\$\w+)\s+(\d+)$", done.stdout.rpartition("Printing")[2], re.M)
        counts.append({kind: int(count) for kind, count in cells})
    mine, plain = counts
    registers = {kind for kind in mine if "DFF" in kind}
    assert registers and all(mine[kind] == plain[kind] for kind in registers), counts
    assert abs(mine["$lut"] - plain["$lut"]) <= 0.02 * plain["$lut"], counts
