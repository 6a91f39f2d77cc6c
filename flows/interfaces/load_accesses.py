"""Accesses of a host that writes tables and runs samples, for the testbench of the registers."""

from __future__ import annotations

from kan_dialect.flows.host.table_file import rewritten
from kan_dialect.flows.interfaces.register_bench import Accesses
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.wrappers.register_map import BUSY, DONE, START, RegisterMap
from kan_dialect.model.interface import Interface

MOST_WORDS = 1000
"""Most words that the testbench writes, each twice."""
MOST_SAMPLES = 50


def load_accesses(
    registers: RegisterMap,
    interface: Interface,
    tables: IntArray,
    codes: IntArray,
    expected: IntArray,
) -> Accesses:
    """Words are written inverted, and then as they are, at once behind the start of a sample.

    Parameters
    ----------
    tables : address and word of each access that writes the tables of the build, (words, 2), int64.
    codes : of the inputs, (samples, inputs), int64.
    expected : codes of the outputs, (samples, outputs), int64.
    """
    accesses = Accesses()
    for register in registers.registers:
        if register.access == "constant":
            accesses.read(register, register.value)
    status = registers.named("STATUS")
    samples = zip(codes[:MOST_SAMPLES].tolist(), expected.tolist(), strict=False)
    for number, (sample, outputs) in enumerate(samples):
        for port, code in zip(interface.inputs, sample, strict=True):
            accesses.write_port(registers.of_port(port.name), code)
        accesses.write(registers.named("CONTROL"), 1 << START)
        if number == 0:
            _write_words(accesses, registers, rewritten(tables, interface, MOST_WORDS))
        accesses.poll(status, 1 << DONE, 1 << DONE | 1 << BUSY)
        for port, code in zip(interface.outputs, outputs, strict=True):
            accesses.read_port(registers.of_port(port.name), code)
    return accesses


def _write_words(accesses: Accesses, registers: RegisterMap, words: IntArray) -> None:
    """Write words; addresses only where they do not follow."""
    following = None
    for address, word in words.tolist():
        if address != following:
            accesses.write_port(registers.of_port("mem_address"), address)
        accesses.write_port(registers.of_port("mem_data"), word)
        following = address + 1
