"""AXI4-Lite around networks: registers, answers and pauses, against the map and the integers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from axi_lite_bench import Accesses
from folded_design import FOLDED, every_sample, folded_sums
from loadable_networks import loadable
from loadable_networks import network as loadable_network
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from fuzz.networks import Drawing
from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wrappers.register_map import RegisterMap, c_header, register_map
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.model import Model
from kan_dialect.model.on_chip.training_step import run_steps, step_of
from kan_dialect.passes.make_trainable import MakeTrainablePass
from lint import require_silent
from repository import ROOT
from training_reference import random_network
from vhdl_modules import circuits_of, require_systemverilog


def wrapped(seed: int, **options: object) -> tuple[ModuleOp, RegisterMap]:
    """A random network with its wrapper, and the registers."""
    module = Drawing(np.random.default_rng(seed)).network("net").module()
    for stage in CompilePass(**options).expand():  # pyright: ignore[reportArgumentType]
        stage.apply(Context(), module)
    (core,) = circuits_of(module)
    registers = register_map(core, Model.of(module).interface().latency)
    WrapInterfacePass(interface="axi-lite").apply(Context(), module)
    module.verify()
    return module, registers


def write_codes(accesses: Accesses, registers: RegisterMap, codes: dict[str, int]) -> None:
    for name, code in codes.items():
        for register in registers.of_port(name):
            accesses.write(register.offset, code >> register.low)


def read_codes(accesses: Accesses, registers: RegisterMap, codes: dict[str, int]) -> None:
    for name, code in codes.items():
        for register in registers.of_port(name):
            accesses.read(register.offset, code >> register.low)


@pytest.mark.parametrize("seed", range(3))
def test_samples_through_registers(seed: int, tmp_path: Path) -> None:
    """Random codes, pauses of every channel, address and data in any order, unmapped addresses."""
    module, registers = wrapped(seed, cycles=2)
    model = Model.of(module)
    interface = model.interface()
    rng = np.random.default_rng(seed)
    lows = [port.low for port in interface.inputs]
    highs = [port.high for port in interface.inputs]
    codes = rng.integers(lows, highs, (12, len(lows)), endpoint=True)
    results = model.run_codes(codes)
    accesses = Accesses()
    at = {each.name: each.offset for each in registers.registers}
    beyond = 4 * len(registers.registers)
    for name in ("ID", "VERSION", "HASH", "PORTS", "LATENCY"):
        accesses.read(at[name], registers.named(name).value)
        accesses.write(at[name], 0, refused=True)
    for count, (sample, result) in enumerate(zip(codes.tolist(), results.tolist(), strict=True)):
        for port, code in zip(interface.inputs, sample, strict=True):
            for register in registers.of_port(port.name):
                pauses = rng.integers(0, 5, 3).tolist()
                accesses.write(register.offset, code >> register.low, pauses=pauses)
                accesses.write(register.offset, ~code, strobes=0, pauses=pauses)
        accesses.write(at["CONTROL"], 1, pauses=rng.integers(0, 4, 3).tolist())
        accesses.idle(interface.latency + 4)
        accesses.read(at["STATUS"], 2, rng.integers(0, 4, 2).tolist())
        accesses.read(at["COUNT"], count + 1)
        read_codes(
            accesses, registers, dict(zip((p.name for p in interface.inputs), sample, strict=True))
        )
        read_codes(
            accesses, registers, dict(zip((p.name for p in interface.outputs), result, strict=True))
        )
        accesses.write(registers.of_port("y0")[0].offset, 1, refused=True)
        if beyond < 1 << registers.address_bits:
            accesses.write(beyond, 1, refused=True, pauses=[3, 0, 0])
            accesses.read(beyond, 0, refused=True)
        # A start without its byte is none.
        accesses.write(at["CONTROL"], 1, strobes=14)
        accesses.idle(interface.latency + 4)
        accesses.read(at["COUNT"], count + 1)
    rtl = emit_systemverilog(module)
    accesses.play(rtl, "net_axi_lite", registers.address_bits, tmp_path)


def test_start_while_a_sample_is_under_way_is_refused(tmp_path: Path) -> None:
    module, registers = wrapped(1, cycles=8)
    at = {each.name: each.offset for each in registers.registers}
    accesses = Accesses()
    accesses.write(at["CONTROL"], 1)
    accesses.write(at["CONTROL"], 1, refused=True)
    accesses.read(at["STATUS"], 1)
    accesses.idle(12)
    accesses.read(at["STATUS"], 2)
    accesses.read(at["COUNT"], 1)
    rtl = emit_systemverilog(module)
    accesses.play(rtl, "net_axi_lite", registers.address_bits, tmp_path)


def test_a_folded_network_takes_the_sample_of_its_start(tmp_path: Path) -> None:
    """The next sample's code is written at once, while this one may still wait for its turn."""
    module = load_model(make_context(), FOLDED)
    WrapInterfacePass(interface="axi-lite").apply(Context(), module)
    registers = register_map(circuits_of(module)[0], 5)
    codes = every_sample()[:24]
    at = {each.name: each.offset for each in registers.registers}
    accesses = Accesses()
    write_codes(accesses, registers, {"x0": int(codes[0, 0]), "x1": int(codes[0, 1])})
    for (_, x1), (x0, _), (y0,) in zip(codes, codes[1:], folded_sums(codes).tolist(), strict=False):
        write_codes(accesses, registers, {"x1": int(x1)})
        accesses.write(at["CONTROL"], 1)
        write_codes(accesses, registers, {"x0": int(x0)})
        accesses.idle(12)
        accesses.read(at["STATUS"], 2)
        read_codes(accesses, registers, {"y0": y0})
    rtl = emit_systemverilog(module)
    accesses.play(rtl, "folded_axi_lite", registers.address_bits, tmp_path)


def test_training_and_coefficients_through_registers(tmp_path: Path) -> None:
    """Outputs before each update, and every coefficient afterwards, are those of the integers."""
    module = random_network(np.random.default_rng(3), [2, 1], [2], [3])
    MakeTrainablePass().apply(Context(), module)
    step = step_of(module.clone())
    LowerTrainingToHwPass().apply(Context(), module)
    (core,) = circuits_of(module)
    name = core.sym_name.data
    registers = register_map(core, 0)
    WrapInterfacePass(interface="axi-lite").apply(Context(), module)
    rng = np.random.default_rng(0)
    inputs = step.encode(rng.uniform(-1, 1, (8, 2)))
    targets = step.encode_targets(rng.uniform(-1, 1, (8, 1)))
    train = np.array([1, 1, 0, 1, 1, 0, 1, 1], dtype=np.bool_)
    run = run_steps(step, inputs, targets, train)
    at = {each.name: each.offset for each in registers.registers}
    accesses = Accesses()
    for x, t, y, trains in zip(inputs, targets, run.outputs, train, strict=True):
        sample = {f"x{n}": int(code) for n, code in enumerate(x)}
        write_codes(accesses, registers, {**sample, "t0": int(t[0])})
        accesses.write(at["CONTROL"], 1 | 2 * bool(trains))
        accesses.idle(20)
        accesses.read(at["STATUS"], 2)
        read_codes(accesses, registers, {"y0": int(y[0])})
    for code in (-5, 77):
        write_codes(accesses, registers, {"mem_address": 3, "mem_data": code})
        accesses.write(at["MEM_CONTROL"], 2)
        accesses.idle(12)
        accesses.read(at["STATUS"], 2 | 8)
        accesses.write(at["MEM_CONTROL"], 1)
        accesses.idle(12)
        read_codes(accesses, registers, {"mem_read_data": code})
    rtl = emit_systemverilog(module)
    accesses.play(rtl, f"{name}_axi_lite", registers.address_bits, tmp_path)


def test_linters_have_nothing_to_say(tmp_path: Path) -> None:
    module, _ = wrapped(2, cycles=2)
    wrapper = circuits_of(module)[1]
    assert wrapper.sym_name.data == "net_axi_lite"
    files: list[Path] = []
    for name in ("net_axi_lite", "net"):
        files.append(tmp_path / f"{name}.sv")
        files[-1].write_text(emit_systemverilog(module, [name]))
    require_silent(tmp_path, files, "--top", "net_axi_lite")
    read = " ".join(path.name for path in files)
    yosys = toolchain.look_for("yosys")
    if yosys is None:
        pytest.skip("Yosys is not installed")
    script = f"read_verilog -sv {read}; synth -top net_axi_lite; check"
    assert tool_runs.run(yosys, ["-q", "-p", script], cwd=tmp_path) == ""


def test_vhdl_of_the_wrapper_is_its_systemverilog(tmp_path: Path) -> None:
    module, _ = wrapped(6, cycles=2)
    high = [int(cycle != 3) for cycle in range(600)]
    low = [1 - bit for bit in high]
    require_systemverilog(module, tmp_path, rst=low, aresetn=high)


def test_the_hash_changes_with_the_network() -> None:
    found = {wrapped(seed, cycles=2)[1].named("HASH").value for seed in (1, 2, 1)}
    assert len(found) == 2


def test_c_header_has_the_map(tmp_path: Path) -> None:
    _, registers = wrapped(1, cycles=2)
    text = c_header("net", registers.registers)
    for register in registers.registers:
        assert f"#define NET_{register.name} 0x{register.offset:02X}u" in text
    (tmp_path / "net_registers.h").write_text(text)
    (tmp_path / "user.c").write_text(
        '#include "net_registers.h"\n#include "net_registers.h"\n'
        "int main(void) { return (int)(NET_BIT_START - 1u + NET_ID); }\n"
    )
    command = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "user.c", "-o", "user"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run(["./user"], cwd=tmp_path, check=True)


def tables(title: str) -> list[list[str]]:
    """The rows of all tables of a section of the page, as cells."""
    text = (ROOT / "docs" / "reference" / "axi-lite.md").read_text()
    section = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| [`…]", line)]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def expected_rows(registers: RegisterMap) -> tuple[list[list[str]], list[list[str]]]:
    """Rows of registers that hold no port, and of their fields, by the map."""
    fixed = [each for each in registers.registers if each.port is None]
    rows = [
        [
            f"`0x{each.offset:02X}`",
            f"`{each.name}`",
            "write" if each.is_writable else "read",
            each.meaning,
        ]
        for each in fixed
    ]
    fields: list[list[str]] = []
    for register in fixed:
        for field in register.fields:
            bits = f"{field.low + field.bits - 1}..{field.low}" if field.bits > 1 else field.low
            if field.bits < 32:
                fields.append([f"`{register.name}.{field.name}`", str(bits), field.meaning])
    return rows, fields


def test_page_has_the_map() -> None:
    """The rows of the page are those of the map: of a fixed network, and what training adds."""
    _, registers = wrapped(1, cycles=2)
    rows, fields = expected_rows(registers)
    page = tables("The registers")
    assert [row for row in page if len(row) == 4][: len(rows)] == rows
    assert [row for row in page if len(row) == 3] == fields
    assert page[len(rows)][:2] == [f"`0x{registers.named('X0').offset:02X}` …", "`X0` …"]

    module = random_network(np.random.default_rng(3), [2, 1], [2], [3])
    MakeTrainablePass().apply(Context(), module)
    LowerTrainingToHwPass().apply(Context(), module)
    training = register_map(circuits_of(module)[0], 4)
    more, more_fields = expected_rows(training)
    loaded = loadable_network(7, 1)
    loadable(loaded, 4)
    with_tables = register_map(circuits_of(loaded)[0], 4)
    places = [*with_tables.of_port("mem_address"), *with_tables.of_port("mem_data")]
    page = tables("Tables that can be loaded")
    assert page == [["…", f"`{each.name}`", "write", each.meaning] for each in places]
    page = tables("Networks that train")
    new = [row for row in more if row not in rows]
    assert [row for row in page if len(row) == 4][: len(new)] == new
    assert [row for row in page if len(row) == 3] == [f for f in more_fields if f not in fields]
    assert [each.port.name for each in training.registers if each.port is not None] == [
        *("x0", "x1", "t0", "mem_address", "mem_data", "y0", "mem_read_data")
    ]
    names = " ".join(row[1] for row in page if len(row) == 4)
    order = ["MEM_CONTROL", "X0", "T0", "MEM_ADDRESS", "MEM_DATA", "Y0", "MEM_READ_DATA"]
    places = [names.index(f"`{each}`") for each in order]
    assert places == sorted(places)
    assert page[len(new)][:2] == [f"`0x{training.named('X0').offset:02X}` …", "`X0` …"]
