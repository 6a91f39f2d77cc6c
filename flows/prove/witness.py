"""From a difference at a node to input codes of the network that show it.

The nodes that a proof took as free may not be able to have just the codes of a difference all at
once. So input codes are looked for that lead there: backwards through the sums for the nodes that
matter, and at random. What is found is run through the integer model and through the RTL as Yosys
reads it, without cuts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kan_dialect.flows.prove.forms import (
    Assignment,
    Form,
    TooHard,
    Undefined,
    Variable,
    evaluate,
    preimage,
    variables,
)
from kan_dialect.flows.prove.netlist import Bit
from kan_dialect.flows.prove.plans import Obligation, code_of
from kan_dialect.flows.prove.prove import Outcome, Proof
from kan_dialect.flows.prove.samples import Samples, evaluate_on
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.constants import Array, IntArray

STREAMS = 20_000
"""Streams of samples that are tried."""
_TARGETED = 64
"""Number of samples that lead to each of the codes that matter."""


@dataclass(frozen=True)
class Witness:
    """Samples of input codes, one a cycle, on which the design differs from the model."""

    stream: IntArray
    """(samples, inputs), int64."""

    index: int
    """Index of the sample with a wrong output."""

    where: str
    """The node or the output that differs."""

    expected: int
    got: int | None
    """None where undefined."""

    at_output: bool
    """Whether the design's outputs differ, not just a signal inside."""


def find_witness(proof: Proof, outcome: Outcome) -> Witness | None:
    """Input codes that show the difference; None where none is found."""
    assert outcome.assignment is not None
    obligation = next(o for o in proof.plan.obligations if o.name == outcome.name)
    search = _Search(proof, obligation, outcome.assignment, outcome.form)
    try:
        return search.run()
    except (TooHard, Undefined):
        # Undefined anywhere else than where it was found is another difference; one is enough.
        return None


@dataclass
class _Search:
    proof: Proof
    obligation: Obligation[Form]
    assignment: Assignment
    form: Form | None
    """The signal's wrong value, where it is known."""

    def run(self) -> Witness | None:
        rng = np.random.default_rng(0)
        given = list(self.candidates(rng))
        # A stream without gaps and resets.
        control = {"rst": (0, 0), "in_valid": (1, 1)}
        samples = Samples(STREAMS, given, rng, ranges=self.proof.ranges | control)
        node = (self.obligation.bits, self.obligation.cycle, self.obligation.signed)
        expected_node, expected_outputs = self.expected(samples)
        words = [*self.outputs(), node]
        names = [port.name for port in self.proof.interface.outputs]
        try:
            got = evaluate_on(samples, self.proof.netlist, self.proof.ranges, [], words)
        except Undefined as error:
            # Undefined for all, where it depends on nothing.
            row = next(iter(error.assignment.values()), 0)
            return self.witness(
                samples, row, self.obligation.name, int(expected_node[row]), None, True
            )
        for name, column, values in zip(names, got, expected_outputs.T, strict=False):
            rows = np.flatnonzero(column != values)
            if rows.size:
                row = int(rows[0])
                return self.witness(samples, row, name, int(values[row]), int(column[row]), True)
        got[-1] = self.obligation.compared(got[-1])
        rows = np.flatnonzero(got[-1] != expected_node)
        if not rows.size:
            return None
        row = int(rows[0])
        codes = int(expected_node[row]), int(got[-1][row])
        return self.witness(samples, row, self.obligation.name, *codes, False)

    def outputs(self) -> Iterator[tuple[list[Bit], int, bool]]:
        for port in self.proof.interface.outputs:
            bits = self.proof.netlist.outputs[port.name]
            yield bits, self.proof.interface.latency, port.signed

    def expected(self, samples: Samples) -> tuple[Array, Array]:
        """The right values of the node's signal (count) and of the outputs (count, outputs)."""
        ports = self.proof.interface.inputs
        inputs = [Variable(port.name, 0, port.low, port.high) for port in ports]
        values = {of: samples.column(of) for of in inputs}
        for name, form in self.proof.plan.reference.nodes.items():
            if name in self.proof.plan.hidden:
                of, mark = self.proof.plan.hidden[name]
                values[of] = (evaluate(form, values) - mark.offset).clip(of.low, of.high)
        forms = [self.obligation.expected, *self.proof.plan.reference.outputs]
        columns = [np.broadcast_to(evaluate(form, values), samples.count) for form in forms]
        return columns[0], np.stack(columns[1:], axis=1)

    def candidates(self, rng: np.random.Generator) -> Iterator[Assignment]:
        """Assignments to inputs of the network that may show the difference."""
        direct: Assignment = {}
        for v, code in self.assignment.items():
            if v.name in self.proof.ranges:
                low, high = self.proof.ranges[v.name]
                direct[Variable(v.name, v.sample, low, high)] = min(max(code, low), high)
        yield direct
        hidden = {of: (name, mark) for name, (of, mark) in self.proof.plan.hidden.items()}
        critical = [v for v in self.by_weight(rng) if v in hidden]
        for v in critical[:4]:
            for _ in range(_TARGETED):
                yield direct | self.inputs_for(v, self.assignment[v], hidden, rng)

    def by_weight(self, rng: np.random.Generator) -> list[Variable]:
        """Variables, those first whose codes matter most for the difference.

        Where the reference's code hardly changes with the others, only these can.
        """
        weights: dict[Variable, float] = {}
        got = self.form
        for v, code in self.assignment.items():
            if got is None:
                weights[v] = rng.random()
                continue
            values = {
                of: rng.integers(of.low, of.high, 256, endpoint=True)
                for of in {*variables(got), *variables(self.obligation.expected)}
            }
            values[v] = np.full(256, code)
            differs = evaluate(got, values) != evaluate(self.obligation.expected, values)
            weights[v] = float(differs.mean())
        return sorted(weights, key=lambda v: -weights[v])

    def inputs_for(
        self,
        of: Variable,
        code: int,
        hidden: dict[Variable, tuple[str, NodeAttr]],
        rng: np.random.Generator,
    ) -> Assignment:
        """Inputs that give a free node some code; of deeper networks only likely to."""
        name, mark = hidden[of]
        form: Form = self.proof.plan.reference.nodes[name]
        found: Assignment = {}
        for v, value in (preimage(form, int(code_of(mark, np.array(code))), rng) or {}).items():
            found |= self.inputs_for(v, value, hidden, rng) if v in hidden else {v: value}
        return found

    def witness(
        self,
        samples: Samples,
        row: int,
        where: str,
        expected: int,
        got: int | None,
        at_output: bool,
    ) -> Witness:
        """The samples that have a part in it, in the order in which they come."""
        ports = self.proof.interface.inputs
        cycles = sorted({0, *(v.sample for v in samples.columns if v.name in self.proof.ranges)})
        every = range(cycles[0], cycles[-1] + 1)
        stream = [
            [
                int(samples.column(Variable(port.name, cycle, port.low, port.high))[row])
                for port in ports
            ]
            for cycle in every
        ]
        return Witness(np.array(stream), -cycles[0], where, expected, got, at_output)
