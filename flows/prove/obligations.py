"""The obligations of a proof: each node and each output, and the assumptions allowed for it.

The induction: nodes have ranks, 1 where they depend on inputs alone, else one more than the highest
rank that they depend on. A node of rank n is proven with all nodes of lower ranks free: variables
that may have any code which the reference can give to that node. That is enough, since those nodes
are proven to hold just the reference's codes. Marks in the IR say in which signal, cycle and code;
they are hints, for a mark that is wrong has no proof.

Where a mark says that the code is the signal once it is saturated, the signal is what is free, in
the range of the mark, which it is proven to stay in.

A node that is said to be dead is in no signal. It is free in the nodes that read it in the
reference, which proves that no result depends on it. A function of one value is not free: the
tables that read it may have taken it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from xdsl.dialects import hw

from kan_dialect.analysis.nodes import saturated
from kan_dialect.errors import KanError
from kan_dialect.flows.design import Design
from kan_dialect.flows.prove.circuit import MAX_WIDTH, Cut
from kan_dialect.flows.prove.forms import (
    MAX_POINTS,
    MAX_VALUES,
    Choice,
    Form,
    Table,
    Variable,
    add,
    bounds,
    constant,
    mapped,
    substituted,
    values_of,
    variable,
    variables,
)
from kan_dialect.flows.prove.netlist import Bit, Cell, Netlist
from kan_dialect.flows.prove.reference import Reference, reference
from kan_dialect.ir.attributes.module_attributes import nodes_of
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import IntType
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model


@dataclass(frozen=True)
class Mark:
    """Where the hardware holds a node: node code = signal + offset, saturated, in this cycle."""

    node: str
    signal: str
    cycle: int
    offset: int
    low: int
    high: int
    within: IntType | None = None
    """Where the code is saturated; None: it need not be."""

    def code(self, signal: IntArray) -> IntArray:
        """The node's codes for numbers of the signal."""
        return saturated(signal + self.offset, self.within)


@dataclass(frozen=True, eq=False)
class Obligation:
    """A signal that must be a form, for all values of the form's variables."""

    name: str
    """The node's, or the output port's."""

    bits: list[Bit]
    cycle: int
    signed: bool
    expected: Form
    rank: int
    is_output: bool = False
    unsaturated: Mark | None = None
    """Of a node that the signal is only once it is saturated, the mark that says so."""

    def compared(self, signal: IntArray) -> IntArray:
        """Numbers of the signal, as they are compared with the form."""
        mark = self.unsaturated
        return signal if mark is None else mark.code(signal) - mark.offset

    def leaves_range(self, signal: Form) -> bool:
        """Whether a signal that is not saturated can be what its mark says that it cannot."""
        mark = self.unsaturated
        if mark is None:
            return False
        low, high = bounds(signal)
        return low < mark.low or high > mark.high


@dataclass(frozen=True, eq=False)
class _Held:
    """The patterns that the wires of a node's signal can hold."""

    wires: tuple[Bit, ...]
    """Each once."""

    low: int
    high: int
    numbers: IntArray | None = None
    """Of low..high, the number that each stands for; None: all of them come."""

    patterns: IntArray | None = None
    """The wires for each of `numbers`."""


@dataclass
class Plan:
    """All that is to be proven, in an order in which each may rely on those before."""

    obligations: list[Obligation] = field(default_factory=list[Obligation])
    cuts: list[tuple[int, Cut]] = field(default_factory=list[tuple[int, Cut]])
    """Free nodes, each with its rank."""

    reference: Reference = field(default_factory=Reference)
    hidden: dict[str, tuple[Variable, Mark]] = field(
        default_factory=dict[str, tuple[Variable, Mark]]
    )
    """Of each node that is free for others, its variable and mark."""

    missing: list[str] = field(default_factory=list[str])
    """Nodes that no signal of the design is said to hold: they are proven with their readers."""

    dead: list[str] = field(default_factory=list[str])
    """Nodes that are said to be dead."""

    ranks: dict[Variable, int] = field(default_factory=dict[Variable, int])
    """Of each node that is free, by its variable."""

    def cuts_below(self, rank: int) -> list[Cut]:
        return [cut for of, cut in self.cuts if of < rank]

    def expanded(self, form: Form, rank: int) -> Form:
        """The form with the nodes from a rank on as the reference has them, and so not free.

        Raises
        ------
        TooHard : that leaves the forms.
        """
        nodes = {of: (name, mark) for name, (of, mark) in self.hidden.items()}
        by: dict[Variable, Form] = {}
        for of in variables(form):
            if self.ranks.get(of, 0) >= rank:
                name, mark = nodes[of]
                signal = add(self.reference.nodes[name], constant(-mark.offset))
                # A signal that is saturated may be any that gives the code.
                within = mapped(lambda v, of=of: v.clip(of.low, of.high), signal)
                by[of] = self.expanded(within, rank)
        return substituted(form, by)


def marks_of(circuit: Model) -> dict[str, Mark | None]:
    """The marks of a hardware module, by node; None of a dead one."""
    assert isinstance(circuit.op, hw.HWModuleOp)
    return {
        node.node: None
        if node.is_dead
        else Mark(
            node.node,
            node.signal,
            node.cycle,
            node.offset,
            node.values.low,
            node.values.high,
            node.within,
        )
        for node in nodes_of(circuit.op)
    }


def plan(integer: Model, circuit: Model, netlist: Netlist, interface: Interface) -> Plan:
    """What to prove.

    Raises
    ------
    KanError : the RTL's ports are not the interface's, or the model cannot be read.
    """
    if integer.level == "hardware":
        raise KanError(
            f"@{integer.name} is hardware already: there are no tables to prove it against",
            remedy="build from an earlier stage, or name a model with --against",
        )
    _check_models(integer.interface(), interface)
    _check_ports(netlist, interface)
    return _Planner(netlist, interface, marks_of(circuit)).run(integer)


@dataclass
class _Planner:
    netlist: Netlist
    interface: Interface
    marks: dict[str, Mark | None]
    plan: Plan = field(default_factory=Plan)
    of_signal: dict[str, tuple[Variable, int]] = field(
        default_factory=dict[str, tuple[Variable, int]]
    )
    """Of each signal that is cut, the variable and the cycle."""

    def run(self, integer: Model) -> Plan:
        found = self.plan.reference = reference(integer, self.interface.inputs, self.node)
        last = 1 + max((rank for rank, _ in self.plan.cuts), default=0)
        for port, expected in zip(self.interface.outputs, found.outputs, strict=True):
            low, high = bounds(expected)
            if low < port.low or high > port.high:
                raise KanError(
                    f"{port.name} can be {low} .. {high}, and the interface says "
                    f"{port.low} .. {port.high}"
                )
            self.plan.obligations.append(
                Obligation(
                    port.name,
                    self.netlist.outputs[port.name],
                    self.interface.latency,
                    port.signed,
                    expected,
                    last,
                    is_output=True,
                )
            )
        return self.plan

    def node(self, name: str, code: Form) -> Form:
        """Plan the proof of a node; what stands for its code in the nodes that read it."""
        mark = self.marks.get(name)
        if name in self.marks and mark is None:
            return self.dead(name, code)
        if mark is None or mark.signal not in self.netlist.names:
            low, high = bounds(code)
            if low < high:
                self.plan.missing.append(name)
            return code
        ranks = self.plan.ranks
        # A value that is constant in the reference may read any earlier node.
        below = [ranks.get(v, 0) for v in variables(code)] or ranks.values()
        rank = 1 + max(below, default=0)
        expected = add(code, constant(-mark.offset))
        bits = self.netlist.names[mark.signal]
        low = -(1 << len(bits) - 1) if mark.low < 0 else 0
        if (
            isinstance(expected, Choice)
            and low <= expected.low
            and expected.high < low + (1 << len(bits))
        ):
            expected = expected.wrapped(len(bits), low)
        unsaturated = None if mark.within is None else mark
        self.plan.obligations.append(
            Obligation(
                name, bits, mark.cycle, mark.low < 0, expected, rank, unsaturated=unsaturated
            )
        )
        held = self._held(bits, expected, unsaturated) if variables(code) else None
        if held is None:
            return code
        low, high = held.low, held.high
        if mark.signal in self.of_signal:
            # Two nodes in one signal: proven each, they are one variable.
            of, cycle = self.of_signal[mark.signal]
            if cycle != mark.cycle or (of.low, of.high) != (low, high):
                return code
        else:
            of = Variable(mark.signal, 0, low, high)
            self.of_signal[mark.signal] = of, mark.cycle
            self.plan.ranks[of] = rank
            cut = Cut(mark.signal, mark.cycle, low, high, held.wires, held.patterns)
            self.plan.cuts.append((rank, cut))
        self.plan.hidden[name] = of, mark
        if unsaturated is None and held.numbers is None:
            return add(variable(of), constant(mark.offset))
        # What is proven to be the reference's code has its range; a wrong mark may say otherwise.
        first, last = bounds(code)
        numbers = np.arange(low, high + 1) if held.numbers is None else held.numbers
        return Table((of,), mark.code(numbers).clip(first, last))

    def _held(self, bits: Sequence[Bit], expected: Form, unsaturated: Mark | None) -> _Held | None:
        """The values of a node's signal and its wires; None where it cannot be a free variable."""
        wires = tuple(dict.fromkeys(bit for bit in bits if isinstance(bit, int)))
        if not all(self._is_inside(bit) for bit in wires) or len(bits) > MAX_WIDTH:
            return None
        low, high = bounds(expected) if unsaturated is None else (unsaturated.low, unsaturated.high)
        if high - low >= MAX_POINTS:
            plain = unsaturated is None and len(wires) == len(bits) and high - low < MAX_VALUES
            return _Held(wires, low, high) if plain else None
        numbers = np.arange(low, high + 1) if unsaturated is not None else values_of(expected)
        # Bits that are constant, or the same wire as others, are so in all numbers that come.
        columns = {bit: numbers >> place & 1 for place, bit in reversed([*enumerate(bits)])}
        wrong = np.zeros(len(numbers), dtype=np.bool_)
        for place, bit in enumerate(bits):
            right = columns[bit] if isinstance(bit, int) else {"0": 0, "1": 1}.get(bit, -1)
            wrong |= (numbers >> place & 1) != right
        numbers = numbers[~wrong]
        if len(numbers) < 2:
            return None
        low, high = int(numbers[0]), int(numbers[-1])
        if len(wires) == len(bits) and len(numbers) == high - low + 1:
            return _Held(wires, low, high)
        # A number that never comes is replaced by the next lower one that does.
        numbers = numbers[np.searchsorted(numbers, np.arange(low, high + 1), side="right") - 1]
        places = [bits.index(bit) for bit in wires]
        patterns = sum((numbers >> place & 1) << bit for bit, place in enumerate(places))
        return _Held(wires, low, high, numbers, np.asarray(patterns))

    def dead(self, name: str, code: Form) -> Form:
        """A node that no signal holds, as what reads it has it: itself, or any of its codes."""
        self.plan.dead.append(name)
        low, high = bounds(code)
        if low == high or len(variables(code)) == 1:
            return code
        # No signal's name has a space in it.
        of = Variable(f"{name} (dead)", 0, low, high)
        self.plan.hidden[name] = of, Mark(name, of.name, 0, 0, low, high)
        return variable(of)

    def _is_inside(self, bit: Bit) -> bool:
        return bit in self.netlist.drivers and isinstance(self.netlist.drivers[bit][0], Cell)


def _check_models(meant: Interface, built: Interface) -> None:
    """Refuse a reference of other inputs or outputs than the hardware's."""
    for side, expected, found in (
        ("inputs", meant.inputs, built.inputs),
        ("outputs", meant.outputs, built.outputs),
    ):
        if len(expected) != len(found):
            raise KanError(f"the model has {len(expected)} {side}, the hardware {len(found)}")
    for port, other in zip(meant.inputs, built.inputs, strict=True):
        if (port.low, port.high) != (other.low, other.high):
            raise KanError(
                f"codes of {port.name} are {port.low} .. {port.high} in the model, and "
                f"{other.low} .. {other.high} in the hardware"
            )


def _check_ports(netlist: Netlist, interface: Interface) -> None:
    inputs = {port.name: port.width for port in interface.inputs}
    outputs = {port.name: port.width for port in interface.outputs}
    if not interface.combinational:
        inputs = dict.fromkeys(("clk", "rst", "in_valid"), 1) | inputs
        outputs = {"out_valid": 1} | outputs
    for side, expected, found in (
        ("inputs", inputs, netlist.inputs),
        ("outputs", outputs, netlist.outputs),
    ):
        widths = {name: len(bits) for name, bits in found.items()}
        wrong = [n for n in {**expected, **widths} if expected.get(n) != widths.get(n)]
        if wrong:
            name = wrong[0]
            raise KanError(
                f"the {side} of the RTL are not those of the model: {name} has "
                f"{widths.get(name, 0)} bits, not {expected.get(name, 0)}"
            )
    for found, expected in zip(netlist.ports, Design(interface).ports, strict=True):
        if found != expected:
            raise KanError(f"port {found} of the RTL stands where {expected} should")
