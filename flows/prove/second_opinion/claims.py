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
from kan_dialect.flows.prove.second_opinion.solver import Term
from kan_dialect.flows.prove.second_opinion.text import (
    Bit,
    Design,
    Undecided,
    Variable,
    bits_of,
    with_bits,
)
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.attributes.module_attributes import nodes_of
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model

MAX_CODES = 1 << 24
"""No variable has more codes: they are listed."""


@dataclass(frozen=True, eq=False)
class Claim:
    """A signal that must hold a code of the model for all values of the free variables."""

    name: str
    signal: str
    cycle: int
    signed: bool
    expected: Code
    rank: int
    mark: NodeAttr | None = None
    """None of an output."""


@dataclass
class Plan:
    """All claims in the order of their ranks, and the cut points of each rank."""

    design: Design
    claims: list[Claim] = field(default_factory=list[Claim])
    ranks: dict[Variable, int] = field(default_factory=dict[Variable, int])
    """Of each variable that is the signal of nodes."""

    held: dict[Variable, Claim] = field(default_factory=dict[Variable, Claim])
    """A claim on what such a variable holds."""

    tables: dict[Variable, IntArray] = field(default_factory=dict[Variable, IntArray])
    """Of each code of such a variable, the number of the signal."""

    places: dict[tuple[str, int], Variable] = field(default_factory=dict[tuple[str, int], Variable])
    """Such variables, by signal and cycle."""

    bits: dict[Variable, list[tuple[Term, int]]] = field(
        default_factory=dict[Variable, list[tuple[Term, int]]]
    )
    """Of such a variable, the bits of terms that it stands for."""

    dead: int = 0

    def term(self, claim: Claim, rank: int) -> Term:
        """The signal of a claim, with the signals of all nodes below a rank free."""
        cut: dict[Term, dict[int, tuple[Term, int]]] = {}
        for of, bits in self.bits.items():
            if self.ranks[of] < rank:
                for index, (term, bit) in enumerate(bits):
                    cut.setdefault(term, {})[bit] = of.term, index
        solver = self.design.solver
        by: dict[Term, Term] = {}
        for term, bits in cut.items():
            # Its other bits read nodes before it.
            by[term] = with_bits(solver.substituted(term, by), bits, solver)
        return solver.substituted(self.design.at(claim.signal, claim.cycle), by)


def plan(integer: Model, circuit: Model, design: Design, interface: Interface) -> Plan:
    """What to show.

    Raises
    ------
    KanError : the ports of the text are not the interface's.
    Undecided : an output of the model is not a function of nodes that signals hold; a port has more
        codes than can be listed.
    """
    _check_ports(design, interface)
    assert isinstance(circuit.op, hw.HWModuleOp)
    marks = {node.node: node for node in nodes_of(circuit.op)}
    return _Planner(design, marks, Plan(design)).run(integer, interface)


@dataclass
class _Planner:
    design: Design
    marks: Mapping[str, NodeAttr]
    plan: Plan

    def run(self, integer: Model, interface: Interface) -> Plan:
        codes: list[Code] = []
        for port in interface.inputs:
            of = self.variable(port.name, 0, port.width, port.low, port.high)
            self.design.by_place[port.name, 0] = of
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
        return self.design.variable(name, cycle, width, low, high)

    def node(self, name: str, code: Code) -> Code:
        """Plan the proof of a node. Returns its code as the nodes that read it see it."""
        mark = self.marks.get(name)
        if mark is not None and mark.is_dead:
            self.plan.dead += 1
            low, high = code.range
            if low == high or len(code.tables) == 1:
                return code.simple()
            width = max(low.bit_length(), high.bit_length()) + 1
            of = self.variable(f"{name} (dead)", 0, width, low, high)
            return Code({of: of.codes})
        if mark is None or mark.signal not in self.design.signals:
            return code
        rank = 1 + max((self.plan.ranks.get(of, 0) for of in code.tables), default=0)
        claim = Claim(name, mark.signal, mark.cycle, mark.values.low < 0, code, rank, mark)
        self.plan.claims.append(claim)
        low, high = (end - mark.offset for end in code.range)
        if mark.within is not None:
            # Where the code is not saturated, it is the signal.
            if low <= mark.within.low - mark.offset:
                low = mark.values.low
            if high >= mark.within.high - mark.offset:
                high = mark.values.high
            low, high = max(low, mark.values.low), min(high, mark.values.high)
        if low == high or not code.tables:
            return code
        of = self.free(claim, mark, low, high)
        if of is None:
            return code
        free = Code({of: self.plan.tables[of]}).then(Add(mark.offset))
        if mark.within is None:
            return free
        # A node that is shown has the model's codes; a wrong mark may say otherwise.
        saturated = free.then(Clamp(mark.within.low, mark.within.high))
        return saturated.then(Clamp(*code.range))

    def free(self, claim: Claim, mark: NodeAttr, low: int, high: int) -> Variable | None:
        """A signal in a range as a free variable of other claims; None where it cannot be free."""
        every = bits_of(self.design.at(mark.signal, mark.cycle))
        # Below the lowest bit that is free, all are constant.
        fixed = next((i for i, bit in enumerate(every) if not isinstance(bit, str)), len(every))
        constant = sum(1 << index for index in range(fixed) if every[index] == "1")
        bits = significant(every[fixed:], signed=low < 0)
        terms = [bit for bit in bits if not isinstance(bit, str)]
        is_input = any(term.kind().name == "CONSTANT" for term, _ in terms)
        if not bits or len(set(terms)) < len(bits) or is_input:
            return None
        low, high = -((constant - low) >> fixed), (high - constant) >> fixed
        if low < -(1 << len(bits) - 1) or high >= 1 << len(bits) - (low < 0):
            return None
        if high - low >= MAX_CODES:
            return None
        key = mark.signal, mark.cycle
        if key not in self.plan.places:
            of = self.plan.places[key] = self.variable(*key, len(bits), low, high)
            self.plan.ranks[of] = claim.rank
            self.plan.tables[of] = (of.codes << fixed) + constant
            self.plan.bits[of] = terms
        of = self.plan.places[key]
        if (of.low, of.high) != (low, high):
            return None
        self.plan.held.setdefault(of, claim)
        return of


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
