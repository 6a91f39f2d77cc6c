"""The RTL as Yosys reads it, as terms by cycle; signals of nodes may be free variables.

A sample enters in cycle 0. Undefined bits are free variables, so that no proof depends on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.machine import Machine
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.netlist import Bit, Netlist
from kan_dialect.flows.prove.plans import Cut
from kan_dialect.ir.constants import IntArray

LONGEST = 64
"""Most cycles before the sample that a signal may depend on."""


class Undecided(Exception):
    """There is no answer; the text says why."""


@dataclass(frozen=True, eq=False)
class Variable:
    """A free variable: an input in a cycle, or a signal that holds a node."""

    name: str
    low: int
    high: int
    """Its codes, two's complement where `low` < 0."""
    term: Term

    @property
    def width(self) -> int:
        return self.term.width

    @property
    def signed(self) -> bool:
        return self.low < 0

    @property
    def codes(self) -> IntArray:
        return np.arange(self.low, self.high + 1, dtype=np.int64)

    def code(self, pattern: int) -> int:
        """The code of an unsigned number."""
        return pattern - (1 << self.width if self.signed and pattern >> self.width - 1 else 0)

    def patterns(self, codes: IntArray) -> NDArray[np.uint64]:
        """Codes as unsigned numbers."""
        return codes.astype(np.uint64) & np.uint64((1 << self.width) - 1)


@dataclass
class Design:
    """A module as terms."""

    netlist: Netlist
    latency: int
    pool: Pool = field(default_factory=Pool)
    partial: dict[Term, int] = field(default_factory=dict[Term, int])
    """Of tables without a word for each index, the last index."""
    _variables: dict[Term, Variable] = field(default_factory=dict[Term, Variable])

    def variable(self, name: str, width: int, low: int, high: int) -> Variable:
        """A new variable."""
        term = self.pool.variable(name, width)
        self._variables[term] = found = Variable(name.partition("@")[0], low, high, term)
        return found

    def input(self, port: str, cycle: int, low: int, high: int) -> Variable:
        """An input in a cycle, whose codes lie in a range."""
        width = len(self.netlist.inputs[port])
        return self.variable(f"{port}@{self._place(cycle)}", width, low, high)

    def input_term(self, port: str, cycle: int) -> Term:
        """An input in a cycle, whatever its codes."""
        return self.pool.variable(f"{port}@{self._place(cycle)}", len(self.netlist.inputs[port]))

    def variables_of(self, term: Term) -> list[Variable]:
        """The variables that a term is made of, in the order in which they were made."""
        every = self.pool.variables
        numbers = (n for n in range(term.support.bit_length()) if term.support >> n & 1)
        return [self._variable_of(every[number]) for number in numbers]

    def _variable_of(self, term: Term) -> Variable:
        """A variable; one that nothing is known of may be any unsigned number."""
        return self._variables.get(term) or self.variable(
            term.data, term.width, 0, (1 << term.width) - 1
        )

    def _place(self, cycle: int) -> int:
        """A cycle, counted from a state that no signal may depend on."""
        return cycle + self.latency + LONGEST

    def machine(self, cuts: Sequence[tuple[Variable, Cut]]) -> Machine:
        """The design with variables in place of the wires of signals, in a cycle each."""
        by_net: dict[tuple[Bit, int], tuple[Term, int]] = {}
        for of, cut in cuts:
            wires = self.pool.extended(of.term, cut.width, signed=of.signed)
            if cut.patterns is not None:
                wires = self.table(of, cut.patterns, cut.width)
            for index, bit in enumerate(cut.bits):
                by_net[bit, self._place(cut.cycle)] = wires, index
        return Machine(self.netlist, self.pool, cuts=by_net, partial=self.partial)

    def table(self, of: Variable, values: IntArray, width: int) -> Term:
        """A function of a variable, modulo 2^width; of patterns that are no codes, any value."""
        entries = np.full(1 << of.width, int(values[0]), np.int64)
        entries[of.patterns(of.codes).astype(np.int64)] = values
        return self.entry(of, entries, width)

    def entry(self, of: Variable, entries: IntArray, width: int) -> Term:
        """The entry, modulo 2^width, of a variable's pattern."""
        mask = (1 << width) - 1
        words = tuple(entry & mask for entry in entries.tolist())
        return self.pool.make("table", width, [of.term], words)

    def word(self, machine: Machine, bits: Sequence[Bit], cycle: int) -> Term:
        """A word in a cycle.

        Raises
        ------
        KanError : it depends on itself, or a cell has no meaning here.
        """
        found = machine.word(bits, self._place(cycle))
        if any(of.term.data.endswith("@0") for of in self.variables_of(found)):
            raise KanError(
                "a signal of the RTL depends on itself",
                remedy="only pipelines without feedback can be proven",
            )
        return found
