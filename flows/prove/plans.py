"""What a proof shows: each node and each output, and the nodes that are free for it.

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

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np
from xdsl.dialects import hw

from kan_dialect.analysis.nodes import saturated
from kan_dialect.errors import KanError
from kan_dialect.flows.prove.netlist import Bit, Cell, Netlist, require_interface
from kan_dialect.flows.prove.reference import Reference
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.attributes.module_attributes import nodes_of
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.exact_arithmetic import ExactArithmetic, NumberT
from kan_dialect.ir.types import int_type
from kan_dialect.model.interface import Interface, Port
from kan_dialect.model.model import Model

MAX_WIDTH = 62
"""Most bits of a word: numbers are int64."""

MAX_POINTS = 1 << 20
"""No table is listed over more points, and no function of a sum over more sums."""

MAX_VALUES = 16 * MAX_POINTS
"""No variable has more values. One alone is listed as it is, for what only passes it on."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A signal taken as a free variable: a node that has a proof of its own."""

    name: str
    cycle: int
    """The cycle in which the signal holds the node of the sample that enters in cycle 0."""

    low: int
    high: int
    bits: tuple[Bit, ...]
    """The signal's wires, each once."""

    patterns: IntArray | None = None
    """Bit patterns of the wires for the values low..high of the signal; None: the value itself.

    A value that the signal never takes has the pattern of the next lower value that it takes.
    """

    @property
    def width(self) -> int:
        return len(self.bits)


class HasRange(Hashable, Protocol):
    """A free variable."""

    @property
    def low(self) -> int: ...
    @property
    def high(self) -> int: ...


VariableT = TypeVar("VariableT", bound=HasRange)


class PlanArithmetic(ExactArithmetic[NumberT], Generic[NumberT, VariableT]):
    """Integers as a plan needs them: with ranges and variables."""

    @abstractmethod
    def input(self, port: Port) -> NumberT:
        """The codes of an input."""

    @abstractmethod
    def variable(self, name: str, low: int, high: int) -> VariableT:
        """A new variable."""

    @abstractmethod
    def listed(self, of: VariableT, values: IntArray) -> NumberT:
        """A function of a variable, by its values from the lowest on."""

    @abstractmethod
    def variables(self, number: NumberT) -> Sequence[VariableT]: ...

    @abstractmethod
    def bounds(self, number: NumberT) -> tuple[int, int]: ...

    @abstractmethod
    def values(self, number: NumberT) -> IntArray:
        """Numbers that hold all values, rising."""

    def wrapped(self, number: NumberT, width: int, signed: bool) -> NumberT:
        """The same number, where it is a word of this width, in a form that is compared easily."""
        return number


@dataclass(frozen=True, eq=False)
class Obligation(Generic[NumberT]):
    """A signal that must be a number, for all values of the number's variables."""

    name: str
    """The node's, or the output port's."""

    bits: list[Bit]
    cycle: int
    signed: bool
    expected: NumberT
    rank: int
    mark: NodeAttr | None = None
    """None of an output or an address."""
    is_address: bool = False
    """Of an entry of a table."""

    @property
    def is_output(self) -> bool:
        return self.mark is None and not self.is_address

    @property
    def offset(self) -> int:
        """The code less the signal."""
        return 0 if self.mark is None else self.mark.offset

    @property
    def unsaturated(self) -> NodeAttr | None:
        """Of a node that the signal is only once it is saturated, the mark that says so."""
        return self.mark if self.mark is not None and self.mark.within is not None else None

    def compared(self, signal: IntArray) -> IntArray:
        """Numbers of the signal, as they are compared with the form."""
        mark = self.unsaturated
        return signal if mark is None else code_of(mark, signal) - mark.offset


def code_of(mark: NodeAttr, signal: IntArray) -> IntArray:
    """A node's codes for numbers of its signal."""
    return saturated(signal + mark.offset, mark.within)


@dataclass(frozen=True)
class Free(Generic[NumberT]):
    """A signal that is free for nodes of higher ranks."""

    obligation: Obligation[NumberT]
    """On what it holds."""
    cut: Cut
    numbers: IntArray
    """Of each value of the variable, the number of the signal."""


@dataclass
class Plan(Generic[NumberT, VariableT]):
    """All that is to be proven, in an order in which each may rely on those before."""

    reference: Reference[NumberT]
    obligations: list[Obligation[NumberT]] = field(default_factory=list[Obligation[NumberT]])
    free: dict[VariableT, Free[NumberT]] = field(default_factory=dict[VariableT, Free[NumberT]])
    hidden: dict[str, tuple[VariableT, NodeAttr]] = field(
        default_factory=dict[str, tuple[VariableT, NodeAttr]]
    )
    """Of each node that is free for others, its variable and mark."""

    entries: list[Cut] = field(default_factory=list[Cut])
    """Entries of tables that are free."""
    missing: list[str] = field(default_factory=list[str])
    """Nodes that no signal of the design is said to hold: they are proven with their readers."""

    dead: list[str] = field(default_factory=list[str])
    """Nodes that are said to be dead."""

    def rank(self, of: VariableT) -> int:
        """The rank of a free node; 0 of an input or an entry of a table."""
        return self.free[of].obligation.rank if of in self.free else 0

    def free_below(self, rank: int) -> list[tuple[VariableT, Cut]]:
        """The nodes that are free for those of a rank."""
        pairs = self.free.items()
        return [(of, each.cut) for of, each in pairs if each.obligation.rank < rank]


def plan(
    integer: Model,
    circuit: Model,
    netlist: Netlist,
    interface: Interface,
    math: PlanArithmetic[NumberT, VariableT],
) -> Plan[NumberT, VariableT]:
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
    require_interface(netlist, interface)
    return Planner(netlist, interface, marks_of(circuit), math).run(integer)


def marks_of(circuit: Model) -> dict[str, NodeAttr]:
    """The marks of a hardware module, by node."""
    assert isinstance(circuit.op, hw.HWModuleOp)
    return {node.node: node for node in nodes_of(circuit.op)}


@dataclass
class Planner(Generic[NumberT, VariableT]):
    netlist: Netlist
    interface: Interface
    marks: dict[str, NodeAttr]
    math: PlanArithmetic[NumberT, VariableT]
    of_signal: dict[str, VariableT] = field(default_factory=dict[str, VariableT])
    """Of each signal that is free, the variable."""

    def __post_init__(self) -> None:
        self.plan: Plan[NumberT, VariableT] = Plan(Reference(self.math, self.node))

    def run(self, integer: Model) -> Plan[NumberT, VariableT]:
        found = self.plan.reference
        found.run(integer, [self.math.input(port) for port in self.interface.inputs])
        self.with_outputs(found.outputs)
        return self.plan

    def with_outputs(self, outputs: Sequence[NumberT]) -> None:
        """Plan the proof of the outputs.

        Raises
        ------
        KanError : an output has values beyond the codes of its port.
        """
        last = self.rank_above(list(self.plan.free))
        for port, expected in zip(self.interface.outputs, outputs, strict=True):
            low, high = self.math.bounds(expected)
            if low < port.low or high > port.high:
                raise KanError(
                    f"{port.name} can be {low} .. {high}, and the interface says "
                    f"{port.low} .. {port.high}"
                )
            bits, latency = self.netlist.outputs[port.name], self.interface.latency
            obligation = Obligation(port.name, bits, latency, port.signed, expected, last)
            self.plan.obligations.append(obligation)

    def rank_above(self, variables: Sequence[VariableT]) -> int:
        return 1 + max(map(self.plan.rank, variables), default=0)

    def node(self, name: str, code: NumberT) -> NumberT:
        """Plan the proof of a node; what stands for its code in the nodes that read it."""
        math, mark = self.math, self.marks.get(name)
        if mark is not None and mark.is_dead:
            return self.dead(name, code)
        first, last = math.bounds(code)
        if mark is None or mark.signal not in self.netlist.names:
            if first < last:
                self.plan.missing.append(name)
            return code
        variables = math.variables(code)
        # A value that is constant in the reference may read any earlier node.
        rank = self.rank_above(variables or list(self.plan.free))
        bits, signed = self.netlist.names[mark.signal], mark.values.low < 0
        expected = math.total([code, math.constant(-mark.offset)])
        expected = math.wrapped(expected, len(bits), signed)
        obligation = Obligation(name, bits, mark.cycle, signed, expected, rank, mark)
        self.plan.obligations.append(obligation)
        held = self._held(obligation) if variables else None
        if held is None:
            return code
        # Two nodes in one signal: proven each, they are one variable.
        of = self.of_signal.get(mark.signal)
        if of is None:
            of = math.variable(mark.signal, held.cut.low, held.cut.high)
            self.of_signal[mark.signal] = of
            self.plan.free[of] = held
        here = self.plan.free[of].cut
        if (here.cycle, here.low, here.high) != (mark.cycle, held.cut.low, held.cut.high):
            return code
        self.plan.hidden[name] = of, mark
        # What is proven to be the reference's code has its range; a wrong mark may say otherwise.
        return math.listed(of, code_of(mark, held.numbers).clip(first, last))

    def _held(self, obligation: Obligation[NumberT]) -> Free[NumberT] | None:
        """The values of a node's signal and its wires; None where it cannot be a free variable."""
        bits, mark, cycle = obligation.bits, obligation.unsaturated, obligation.cycle
        assert obligation.mark is not None
        name = obligation.mark.signal
        wires = tuple(dict.fromkeys(bit for bit in bits if isinstance(bit, int)))
        if not all(self._is_inside(bit) for bit in wires) or len(bits) > MAX_WIDTH:
            return None
        low, high = self.math.bounds(obligation.expected)
        if mark is not None:
            low, high = mark.values.low, mark.values.high
        if high - low >= MAX_POINTS:
            plain = mark is None and len(wires) == len(bits) and high - low < MAX_VALUES
            numbers = np.arange(low, high + 1) if plain else None
            cut = Cut(name, cycle, low, high, wires)
            return None if numbers is None else Free(obligation, cut, numbers)
        numbers = np.arange(low, high + 1)
        if mark is None:
            numbers = self.math.values(obligation.expected)
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
            return Free(obligation, Cut(name, cycle, low, high, wires), numbers)
        # A number that never comes is replaced by the next lower one that does.
        numbers = numbers[np.searchsorted(numbers, np.arange(low, high + 1), side="right") - 1]
        places = [bits.index(bit) for bit in wires]
        patterns = sum((numbers >> place & 1) << bit for bit, place in enumerate(places))
        cut = Cut(name, cycle, low, high, wires, np.asarray(patterns))
        return Free(obligation, cut, numbers)

    def dead(self, name: str, code: NumberT) -> NumberT:
        """A node that no signal holds, as what reads it has it: itself, or any of its codes."""
        self.plan.dead.append(name)
        low, high = self.math.bounds(code)
        if low == high or len(self.math.variables(code)) == 1:
            return code
        # No signal's name has a space in it.
        of = self.math.variable(f"{name} (dead)", low, high)
        self.plan.hidden[name] = of, NodeAttr(name, "", int_type(low, high))
        return self.math.listed(of, np.arange(low, high + 1))

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
