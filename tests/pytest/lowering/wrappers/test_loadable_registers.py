"""Tables that are written through registers on AXI4-Lite, in simulation.

A word waits for the sample under way, and a start for words. So each sample has the tables of the
words that were written before its start.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from axi_lite_bench import Accesses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loadable_networks import loadable, network
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wrappers.register_map import RegisterMap, register_map
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.model import Model
from lint import require_silent
from vhdl_modules import circuits_of, require_systemverilog


@cache
def wrapped(shape: int, interval: int, span: int) -> tuple[ModuleOp, RegisterMap, list[IntArray]]:
    """The design of a network, its registers, and the words of three networks of its layout."""
    networks = [network(shape, tables, span) for tables in (1, 2, 3)]
    made = [loadable(each, interval) for each in networks]
    module = networks[0]
    (core,) = circuits_of(module)
    registers = register_map(core, made[0][0].interface().latency)
    maps = {register_map(circuits_of(each)[0], 0).named("HASH").value for each in networks}
    assert len(maps) == 1
    WrapInterfacePass(interface="axi-lite").apply(make_context(), module)
    module.verify()
    return module, registers, [words for _, words in made]


class Host(Accesses):
    """Accesses of a host that knows the registers."""

    def __init__(self, registers: RegisterMap, seed: int) -> None:
        super().__init__()
        self.registers, self.random = registers, np.random.default_rng(seed)
        self.at = {each.name: each.offset for each in registers.registers}

    def codes(self, name: str, code: int) -> None:
        for register in self.registers.of_port(name):
            pauses = self.random.integers(0, 3, 3).tolist()
            self.write(register.offset, code >> register.low, pauses=pauses)

    def load(self, words: IntArray) -> None:
        """Write words; addresses only where they do not follow."""
        following = None
        for address, word in words.tolist():
            if address != following:
                self.codes("mem_address", address)
            self.codes("mem_data", word)
            following = address + 1

    def start(self, codes: IntArray) -> None:
        for place, code in enumerate(codes.tolist()):
            self.codes(f"x{place}", code)
        self.write(self.at["CONTROL"], 1)

    def results(self, codes: IntArray) -> None:
        for place, code in enumerate(codes.tolist()):
            for register in self.registers.of_port(f"y{place}"):
                self.read(register.offset, code >> register.low)


def check(folder: Path, shape: int, interval: int, span: int = 0) -> None:
    """Samples with the tables of three networks; words are written behind a start at once."""
    module, registers, words = wrapped(shape, interval, span)
    integers = [Model.of(network(shape, tables, span)) for tables in (1, 2, 3)]
    interface = Model.of(module).interface()
    host, latency = Host(registers, shape), registers.named("LATENCY").value
    lows, highs = ([getattr(port, end) for port in interface.inputs] for end in ("low", "high"))
    for tables in (0, 1, 2, 0):
        codes = host.random.integers(lows, highs, (3, len(lows)), endpoint=True)
        results = integers[tables].run_codes(codes)
        for place, (sample, result) in enumerate(zip(codes, results, strict=True)):
            host.start(sample)
            if place == 2:  # The sample that was started has the words from before.
                host.load(words[(tables + 1) % 3])
            host.idle(latency + interval)
            host.read(host.at["STATUS"], 2)
            host.results(result)
    rtl = emit_systemverilog(module)
    host.play(rtl, "net_axi_lite", registers.address_bits, folder)


@pytest.mark.parametrize(("shape", "span", "registers"), [(7, 0, 1), (5, 60, 2)])
def test_words_through_registers(shape: int, span: int, registers: int, tmp_path: Path) -> None:
    """Words of 25 bits, and of 35 bits in two registers."""
    assert len(wrapped(shape, 4, span)[1].of_port("mem_data")) == registers
    check(tmp_path, shape, 4, span)


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(shape=st.integers(0, 10_000), interval=st.sampled_from([2, 3, 5, 8]))
def test_random_networks_through_registers(
    tmp_path_factory: pytest.TempPathFactory, shape: int, interval: int
) -> None:
    check(tmp_path_factory.mktemp("loaded"), shape, interval)


def test_bytes_of_a_word(tmp_path: Path) -> None:
    """The write of the highest byte writes the word; an address of one byte stays what it was."""
    module, registers, (words, *_) = wrapped(7, 4, 0)
    host, (register,) = Host(registers, 0), registers.of_port("mem_data")
    start, second = host.at["MEM_ADDRESS"], registers.of_port("mem_address")[0].bits > 8
    assert second
    for address, word in words[:3].tolist():
        host.write(start, address)
        for byte in range(4):
            host.read(start, address)
            host.write(register.offset, word, strobes=1 << byte)
        host.read(start, address + 1)
        host.read(register.offset, word)
    host.write(start, 0x1FF)
    host.write(start, 0, strobes=0b0010)
    host.read(start, 0xFF)
    host.write(start, 0x1FF)
    host.codes("mem_data", 0)  # the last address is followed by 0
    host.idle(30)
    host.read(start, 0)
    host.play(emit_systemverilog(module), "net_axi_lite", registers.address_bits, tmp_path)


def test_linters_have_nothing_to_say(tmp_path: Path) -> None:
    module, _, _ = wrapped(7, 4, 0)
    files: list[Path] = []
    for name in ("net_axi_lite", "net"):
        files.append(tmp_path / f"{name}.sv")
        files[-1].write_text(emit_systemverilog(module, [name]))
    require_silent(tmp_path, files, "--top", "net_axi_lite")


def test_vhdl_of_the_wrapper_is_its_systemverilog(tmp_path: Path) -> None:
    module, _, _ = wrapped(7, 4, 0)
    high = [int(cycle != 3) for cycle in range(600)]
    low = [1 - bit for bit in high]
    require_systemverilog(module, tmp_path, rst=low, aresetn=high)
