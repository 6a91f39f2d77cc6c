"""Samples of variables: for questions that forms cannot decide, and to show a difference.

A circuit is evaluated for many samples at once by letting every leaf be a table over one variable
that counts the samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from kan_dialect.flows.prove.circuit import Circuit
from kan_dialect.flows.prove.forms import Assignment, Form, Table, Variable, listed, variable
from kan_dialect.flows.prove.netlist import Bit, InputPort, Netlist
from kan_dialect.flows.prove.plans import Cut
from kan_dialect.ir.constants import IntArray

Ranges: TypeAlias = dict[str, tuple[int, int]]
"""Smallest and largest code of each data input."""


@dataclass
class Samples:
    """Values of variables, drawn when they are first asked for; the first rows may be given."""

    count: int
    given: Sequence[Assignment]
    rng: np.random.Generator
    columns: dict[Variable, IntArray] = field(default_factory=dict[Variable, IntArray])
    ranges: Ranges = field(default_factory=dict[str, tuple[int, int]])
    """Names of variables whose samples all lie in the range, at all times."""

    def column(self, of: Variable) -> IntArray:
        """(count), int64."""
        if of.name in self.ranges:
            of = Variable(of.name, of.sample, *self.ranges[of.name])
        if of not in self.columns:
            values = self.rng.integers(of.low, of.high, self.count, endpoint=True)
            # A tenth at the ends of the range, where sums overflow.
            ends = self.rng.choice([of.low, of.high], self.count)
            values = np.where(self.rng.random(self.count) < 0.1, ends, values)
            for row, assignment in enumerate(self.given[: self.count]):
                values[row] = assignment.get(of, values[row])
            self.columns[of] = values
        return self.columns[of]

    def leaf(self, source: InputPort | Cut, of: Variable) -> Form:
        """What an input or a cut, which is this variable, holds in each sample."""
        values = self.column(of)
        if isinstance(source, Cut) and source.patterns is not None and of.sample == 0:
            values = source.patterns[values - of.low]
        return Table((Variable("", 0, 0, self.count - 1),), values)

    def listed(self, form: Form) -> IntArray:
        """The value of a form at each sample: (count)."""
        return listed(form, (Variable("", 0, 0, self.count - 1),))

    def assignment(self, row: int) -> Assignment:
        return {of: int(values[row]) for of, values in self.columns.items()}


def leaf_variable(
    netlist: Netlist, source: InputPort | Cut, cycle: int, ranges: Ranges
) -> Variable:
    """The variable that an input or a cut is in a cycle.

    Of the sample that the proof is about, it has the range that is known; of others it may be any
    pattern, since data ports may carry anything where `in_valid` is low.
    """
    if isinstance(source, Cut):
        sample, low, high = cycle - source.cycle, source.low, source.high
        width = source.width
    else:
        sample, width = cycle, len(netlist.inputs[source.name])
        low, high = ranges.get(source.name, (0, 1))
    if sample == 0:
        return Variable(source.name, 0, low, high)
    if low < 0 and not (isinstance(source, Cut) and source.patterns is not None):
        return Variable(source.name, sample, -(1 << (width - 1)), (1 << (width - 1)) - 1)
    return Variable(source.name, sample, 0, (1 << width) - 1)


def leaf_form(source: InputPort | Cut, of: Variable) -> Form:
    """What an input or a cut, which is this variable, holds."""
    if isinstance(source, Cut) and source.patterns is not None and of.sample == 0:
        return Table((of,), source.patterns)
    return variable(of)


def evaluate_on(
    samples: Samples,
    netlist: Netlist,
    ranges: Ranges,
    cuts: Sequence[Cut],
    words: Sequence[tuple[Sequence[Bit], int, bool]],
) -> list[IntArray]:
    """What words (bits, cycle, signed) are in each sample: (count) each."""

    def leaf(source: InputPort | Cut, cycle: int) -> Form:
        return samples.leaf(source, leaf_variable(netlist, source, cycle, ranges))

    circuit = Circuit(netlist, leaf)
    for cut in cuts:
        circuit.cut(cut)
    return [samples.listed(circuit.value(*word)) for word in words]
