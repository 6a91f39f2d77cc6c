"""The claims of a second opinion on a design, in the order in which they are shown.

Nodes have ranks: 1 where they depend on inputs alone, else one more than the highest rank that they
depend on. A node is compared with the model while the signals of all nodes of lower ranks are free,
each with the codes that the model gives it. Where a mark says `within`, the signal is free in the
mark's range, which it is shown to stay in. A dead node is in no signal, and free in the model,
unless it is a function of one value, which its readers may have taken in. Outputs come last. Marks
are hints: a claim shown with a wrong hint is shown all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xdsl.dialects import hw

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.second_opinion.model import Add, Clamp, Code, outputs_of
from kan_dialect.flows.prove.second_opinion.text import Design
from kan_dialect.flows.prove.second_opinion.words import (
    Bit,
    Undecided,
    Variable,
    bits_of,
)
from kan_dialect.ir.attributes.module_attributes import nodes_of
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model

MAX_CODES = 1 << 24
"""No variable has more codes: they are listed."""


@dataclass(frozen=True)
class Mark:
    """Where the hardware holds a node: its code is signal + offset, in this cycle."""

    signal: str
    cycle: int
    offset: int
    low: int
    high: int
    within: Clamp | None
    """The clamp that makes the code of signal + offset; None where none is needed."""


@dataclass(frozen=True, eq=False)
class Claim:
    """A signal that must hold a code of the model for all values of the free variables."""

    name: str
    signal: str
    cycle: int
    signed: bool
    expected: Code
    rank: int
    mark: Mark | None = None
    """None of an output."""


@dataclass
class Plan:
    """All claims in the order of their ranks, and the cut points of each rank."""

    claims: list[Claim] = field(default_factory=list[Claim])
    variables: list[Variable] = field(default_factory=list[Variable])
    inputs: dict[str, Variable] = field(default_factory=dict[str, Variable])
    """Inputs in cycle 0, by port."""
    cuts: list[tuple[int, list[tuple[str, int, int]], Variable]] = field(
        default_factory=list[tuple[int, list[tuple[str, int, int]], Variable]]
    )
    """A cut point: its rank, its bits (function, cycle and bit), and its variable."""
    ranks: dict[Variable, int] = field(default_factory=dict[Variable, int])
    """Of each variable that is the signal of nodes."""
    held: dict[Variable, list[Claim]] = field(default_factory=dict[Variable, list[Claim]])
    """The claims on what such a variable holds."""
    lowest: dict[Variable, int] = field(default_factory=dict[Variable, int])
    """Of such a variable, which bit of the signal its lowest bit is."""
    dead: int = 0


def marks_of(circuit: Model) -> dict[str, Mark | None]:
    """The marks of a hardware module by node; None of a dead one."""
    assert isinstance(circuit.op, hw.HWModuleOp)
    return {
        node.node: None
        if node.is_dead
        else Mark(
            node.signal,
            node.cycle,
            node.offset,
            node.values.low,
            node.values.high,
            None if node.within is None else Clamp(node.within.low, node.within.high),
        )
        for node in nodes_of(circuit.op)
    }


def plan(integer: Model, circuit: Model, design: Design, interface: Interface) -> Plan:
    """What to show.

    Raises
    ------
    KanError : the ports of the text are not the interface's.
    Undecided : an output of the model is not a function of nodes that signals hold; a port has more
        codes than can be listed.
    """
    _check_ports(design, interface)
    return _Planner(design, marks_of(circuit)).run(integer, interface)


@dataclass
class _Planner:
    design: Design
    marks: Mapping[str, Mark | None]
    plan: Plan = field(default_factory=Plan)
    held: dict[tuple[str, int], Variable] = field(default_factory=dict[tuple[str, int], Variable])

    def run(self, integer: Model, interface: Interface) -> Plan:
        codes: list[Code] = []
        for port in interface.inputs:
            of = self.variable(port.name, 0, port.width, port.low, port.high)
            self.plan.inputs[port.name] = of
            codes.append(Code({of: of.codes}).without_constants())
        outputs = outputs_of(integer, codes, self.node)
        last = 1 + max(self.plan.ranks.values(), default=0)
        for port, code in zip(interface.outputs, outputs, strict=True):
            self.plan.claims.append(
                Claim(port.name, port.name, interface.latency, port.signed, code, last)
            )
        return self.plan

    def variable(self, name: str, cycle: int, width: int, low: int, high: int) -> Variable:
        if high - low >= MAX_CODES:
            raise Undecided(f"{name} has more than {MAX_CODES.bit_length() - 1} bits")
        found = Variable(name, cycle, width, low, high, len(self.plan.variables))
        self.plan.variables.append(found)
        return found

    def node(self, name: str, code: Code) -> Code:
        """Plan the proof of a node. Returns its code as the nodes that read it see it."""
        mark = self.marks.get(name)
        if mark is None and name in self.marks:
            self.plan.dead += 1
            low, high = code.range
            if low == high:
                return Code(constant=low)
            if len(code.tables) == 1:
                return code
            width = max(low.bit_length(), high.bit_length()) + 1
            of = self.variable(f"{name} (dead)", 0, width, low, high)
            return Code({of: of.codes})
        if mark is None or mark.signal not in self.design.signals:
            return code
        rank = 1 + max((self.plan.ranks.get(of, 0) for of in code.tables), default=0)
        claim = Claim(name, mark.signal, mark.cycle, mark.low < 0, code, rank, mark)
        self.plan.claims.append(claim)
        low, high = (end - mark.offset for end in code.range)
        if mark.within is not None:
            # Where the code is not saturated, it is the signal.
            saturated = mark.within.low - mark.offset, mark.within.high - mark.offset
            low = max(mark.low, low) if low > saturated[0] else mark.low
            high = min(mark.high, high) if high < saturated[1] else mark.high
        if low == high or not code.tables:
            return code
        signal = self.free(mark, low, high, claim)
        if signal is None:
            return code
        free = signal.then(Add(mark.offset))
        if mark.within is None:
            return free
        # A node that is shown has the model's codes; a wrong mark may say otherwise.
        return free.then(mark.within).then(Clamp(*code.range))

    def free(self, mark: Mark, low: int, high: int, claim: Claim) -> Code | None:
        """A signal in a range as a free variable of other claims; None where it cannot be free."""
        every = bits_of(self.design, mark.signal)
        outside = {bit for name in self.design.inputs for bit in bits_of(self.design, name)}
        # Below the lowest bit that is free, all are constant.
        fixed = next((i for i, bit in enumerate(every) if not isinstance(bit, str)), len(every))
        constant = sum(1 << index for index in range(fixed) if every[index] == "1")
        bits = significant(every[fixed:], signed=low < 0)
        functions = [bit for bit in bits if not isinstance(bit, str)]
        if not bits or len(set(functions)) < len(bits) or not outside.isdisjoint(bits):
            return None
        low, high = -((constant - low) >> fixed), (high - constant) >> fixed
        if low < -(1 << len(bits) - 1) or high >= 1 << len(bits) - (low < 0):
            return None
        if high - low >= MAX_CODES:
            return None
        key = mark.signal, mark.cycle
        if key not in self.held:
            of = self.held[key] = self.variable(mark.signal, mark.cycle, len(bits), low, high)
            self.plan.ranks[of] = claim.rank
            self.plan.lowest[of] = fixed
            self.plan.cuts.append((claim.rank, cycle_of(functions, mark.cycle), of))
        of = self.held[key]
        if (of.low, of.high) != (low, high):
            return None
        self.plan.held.setdefault(of, []).append(claim)
        return Code({of: (of.codes << fixed) + constant})


def cycle_of(bits: Sequence[tuple[str, int]], cycle: int) -> list[tuple[str, int, int]]:
    """Bits of functions in a cycle."""
    return [(function, cycle, bit) for function, bit in bits]


def significant(bits: Sequence[Bit], *, signed: bool) -> Sequence[Bit]:
    """The bits of a number without what only extends its sign, or without zeros above it."""
    count = len(bits)
    while count > 1 and bits[count - 1] == (bits[count - 2] if signed else "0"):
        count -= 1
    return bits[:count]


def _check_ports(design: Design, interface: Interface) -> None:
    inputs = {port.name: port.width for port in interface.inputs}
    outputs = {port.name: port.width for port in interface.outputs}
    if not interface.combinational:
        inputs |= dict.fromkeys(("clk", "rst", "in_valid"), 1)
        outputs |= {"out_valid": 1}
    for side, meant, found in (
        ("inputs", inputs, design.inputs),
        ("outputs", outputs, design.outputs),
    ):
        if meant != found:
            names = sorted({*meant.items()} ^ {*found.items()})
            raise KanError(
                f"the {side} of the RTL are not those of the model: {names[0][0]} has "
                f"{found.get(names[0][0], 0)} bits, not {meant.get(names[0][0], 0)}"
            )
