"""Tables that are written at run time: the port that writes them, and any words in them.

The words of tables stay from the cycle in which a sample is taken to the one in which its outputs
are valid. So the proof of the build's words is one of constants. The proof of any words takes each
entry that a sample reads as a free variable: the nodes are clamped sums of such entries, and each
entry is read at the address of its turn and code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xdsl.dialects import func, hw
from xdsl.ir import Operation, SSAValue

from kan_dialect.analysis.wires import cycles_of
from kan_dialect.errors import KanError
from kan_dialect.flows.prove.circuit import Circuit
from kan_dialect.flows.prove.difference import difference
from kan_dialect.flows.prove.form_arithmetic import FormArithmetic
from kan_dialect.flows.prove.forms import (
    Form,
    Variable,
    add,
    bounds,
    constant,
    mapped,
    scale,
    variable,
)
from kan_dialect.flows.prove.netlist import Bit, InputPort, Netlist, check_clock
from kan_dialect.flows.prove.plans import Cut, Obligation, Plan, Planner, marks_of
from kan_dialect.flows.prove.reference import WireLevel
from kan_dialect.ir.attributes.value_names import name_hint
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.model.table_memory import TableMemory, table_memory
from kan_dialect.ops.folded import FoldedByInputOp

# The port


def find_loads(netlist: Netlist, circuit: Model) -> None:
    """Note the memories that a port writes, and prove the port.

    Raises
    ------
    KanError : a word can change while a sample is under way, a sample is taken where a word waits,
        or the port writes another word than the one that is addressed.
    """
    space, interface = _memory_of(circuit), circuit.interface()
    for memory in space.memories:
        netlist.loaded.add(_name(memory))
    problem = next(_problems(netlist, space, interface), None)
    if problem is not None:
        raise KanError(f"{interface.name}: {problem}")


def _problems(netlist: Netlist, space: TableMemory, interface: Interface) -> Iterator[str]:
    if set(netlist.loaded) != {name for name, of in netlist.memories.items() if of.writes}:
        yield "the memories that are written are not those of the tables"
    enables = {name: _enable(netlist, name) for name in sorted(netlist.loaded)}
    taken = _Leaf({"rst": 0}, {("in_valid", 0): 1, ("mem_valid", 0): 0}).circuit(netlist)
    for cycle in range(interface.latency + 1):
        for name, bits in enables.items():
            if bounds(taken.value(bits, cycle, signed=False)) != (0, 0):
                yield f"{name} can be written {cycle} cycles after a sample is taken"
    waits = _Leaf({"rst": 0, "mem_valid": 1}).circuit(netlist)
    for cycle in range(interface.interval):
        if bounds(waits.value(netlist.outputs["in_ready"], cycle, signed=False)) != (0, 0):
            yield "in_ready is 1 where a word waits"
    late = _Leaf({"rst": 0}, {("mem_valid", 0): 1}).circuit(netlist)
    valid = netlist.outputs["out_valid"]
    if bounds(late.value(valid, interface.latency, signed=False)) != (0, 0):
        yield "out_valid comes of a sample that waits for a word"
    yield from _problems_of_access(netlist, space, enables)


def _problems_of_access(
    netlist: Netlist, space: TableMemory, enables: Mapping[str, Sequence[Bit]]
) -> Iterator[str]:
    """The errors of an access while no sample is under way."""
    row = Variable("row", 0, 0, (1 << space.row_bits) - 1)
    place = Variable("memory", 0, 0, (1 << (space.address_bits - space.row_bits)) - 1)
    address = add(variable(row), scale(variable(place), 1 << space.row_bits))
    idle = _Leaf({"rst": 0, "in_valid": 0, "mem_valid": 1}, forms={"mem_address": address})
    circuit = idle.circuit(netlist)
    if bounds(circuit.value(netlist.outputs["mem_ready"], 0, signed=False)) != (1, 1):
        yield "mem_ready is 0 where no sample is under way"
    for number, memory in enumerate(space.memories):
        name = _name(memory)
        found = circuit.value(enables[name], 0, signed=False)
        chosen = mapped(lambda codes, own=number: codes == own, variable(place))
        if difference(found, chosen) is not None:
            yield f"{name} is written at the addresses of another memory"
        (write,) = netlist.memories[name].writes
        for port, given in (("ADDR", "mem_address"), ("DATA", "mem_data")):
            bits = write.connections[port]
            if bits != netlist.inputs[given][: len(bits)]:
                yield f"{name} is not written with the lowest bits of {given}"


def _enable(netlist: Netlist, name: str) -> Sequence[Bit]:
    """The bit that enables the write of a memory."""
    (write,) = netlist.memories[name].writes
    bits = write.connections["EN"]
    if any(bit != bits[0] for bit in bits):
        raise KanError(f"{write.place}: a part of a word is written")
    return bits[:1]


@dataclass(frozen=True)
class _Leaf:
    """Inputs: constants in all cycles, or in one cycle; forms; else variables of one bit."""

    constants: Mapping[str, int]
    at: Mapping[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    forms: Mapping[str, Form] = field(default_factory=dict[str, Form])

    def __call__(self, source: InputPort | Cut, cycle: int) -> Form:
        name = source.name
        if (name, cycle) in self.at:
            return constant(self.at[name, cycle])
        if name in self.constants:
            return constant(self.constants[name])
        return self.forms.get(name) or variable(Variable(name, cycle, 0, 1))

    def circuit(self, netlist: Netlist) -> Circuit:
        return Circuit(netlist, self)


def _memory_of(circuit: Model) -> TableMemory:
    assert isinstance(circuit.op, hw.HWModuleOp)
    space = table_memory(circuit.op)
    assert space is not None, "a design with a memory port has memories"
    return space


def _name(memory: Operation) -> str:
    return name_hint(memory.results[0]) or ""


# Any words

_REGISTERS = 2
"""Registers behind a memory. Entries are free behind them, where bits of a word are apart."""


@dataclass
class FreeTables(WireLevel[Form]):
    """The nodes of a function at wire level whose tables hold any words."""

    cycles: Mapping[SSAValue, int | None] = field(default_factory=dict[SSAValue, int | None])
    layers: list[tuple[FoldedByInputOp, Sequence[Form]]] = field(
        default_factory=list[tuple[FoldedByInputOp, Sequence[Form]]]
    )
    """The folded layers, with the codes of their inputs."""

    def results_of(self, op: Operation, operands: Sequence[Form]) -> list[Form]:
        if not isinstance(op, FoldedByInputOp) or op.entry_bits is None:
            return super().results_of(op, operands)
        layer = len(self.layers)
        self.layers.append((op, operands))
        half = 1 << (op.entry_bits - 1)
        return [
            self.found.math.total(
                [
                    variable(Variable(_entry(layer, lane, node), turn, -half, half - 1))
                    for turn in range(op.turns)
                    for lane in range(op.lanes)
                ]
            )
            for node in range(len(op.sums))
        ]

    def first_read(self, op: FoldedByInputOp) -> int:
        """The cycle in which a layer reads the words of its first turn."""
        return 1 + max(self.cycles[value] or 0 for value in op.operands)


def _entry(layer: int, lane: int, node: int) -> str:
    # No signal's name has a space in it.
    return f"entry of layer{layer} node{node} lane{lane}"


def plan_any_words(netlist: Netlist, scheduled: Model, circuit: Model) -> Plan[Form, Variable]:
    """What to prove of any words.

    Parameters
    ----------
    netlist : after `find_loads`.
    scheduled : the function at wire level that the hardware was lowered from.
    """
    assert isinstance(scheduled.op, func.FuncOp)
    interface = circuit.interface()
    planner = Planner(netlist, interface, marks_of(circuit), FormArithmetic())
    level = FreeTables(planner.plan.reference, cycles_of(scheduled.op))
    inputs = [planner.math.input(port) for port in interface.inputs]
    outputs = level.outputs_of(scheduled.op, inputs)
    memories, registers = iter(_memory_of(circuit).memories), _Registers(netlist)
    for layer, (op, codes) in enumerate(level.layers):
        first = level.first_read(op)
        for lane in range(op.lanes):
            bits: list[Bit] = []
            while len(bits) < len(op.sums) * (op.entry_bits or 0):
                name = _name(next(memories))
                (read,) = netlist.memories[name].reads
                bits += registers.later(read.connections["DATA"], _REGISTERS)
                addresses = _addresses(op, lane, codes)
                planner.plan.obligations += [
                    Obligation(
                        f"{name} address in turn {turn}",
                        read.connections["ADDR"],
                        first + turn,
                        False,
                        expected,
                        planner.rank_above(planner.math.variables(expected)),
                        is_address=True,
                    )
                    for turn, expected in enumerate(addresses)
                ]
            planner.plan.entries += _entries(op, layer, lane, first + _REGISTERS, bits)
    planner.with_outputs(outputs)
    return planner.plan


@dataclass
class _Registers:
    """The registers of a design, by the bits that they load."""

    netlist: Netlist

    def __post_init__(self) -> None:
        registers = (cell for cell in self.netlist.cells if cell.kind == "dff")
        self.loading = {tuple(cell.connections["D"]): cell for cell in registers}

    def later(self, bits: Sequence[Bit], cycles: int) -> Sequence[Bit]:
        """The bits of the register that holds a word some cycles later.

        Raises
        ------
        KanError : the design has no register of this name.
        """
        for _ in range(cycles):
            cell = self.loading.get(tuple(bits))
            if cell is None:
                raise KanError(f"a word of a table has fewer than {cycles} registers behind it")
            check_clock(self.netlist, cell)
            bits = cell.connections["Q"]
        return bits


def _addresses(op: FoldedByInputOp, lane: int, codes: Sequence[Form]) -> Iterator[Form]:
    """The address of a lane in each turn: the turn above the bits of the code, 0 without one."""
    width = op.codes.bits
    for turn in range(op.turns):
        place = turn * op.lanes + lane
        code = codes[place] if place < len(codes) else constant(0)
        if bounds(code)[0] < 0:
            code = mapped(lambda values: values & ((1 << width) - 1), code)
        yield add(constant(turn << width), code)


def _entries(
    op: FoldedByInputOp, layer: int, lane: int, cycle: int, bits: Sequence[Bit]
) -> Iterator[Cut]:
    """The entries of a lane's word as free signals, from a cycle on."""
    width = op.entry_bits or 0
    half = 1 << (width - 1)
    for node in range(len(op.sums)):
        own = tuple(bits[node * width : (node + 1) * width])
        yield Cut(_entry(layer, lane, node), cycle, -half, half - 1, own)
