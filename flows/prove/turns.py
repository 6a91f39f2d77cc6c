"""Registers that count the cycles of an interval: they are the same in every run after a reset.

Such a register loads a function of itself, of others that count, and of `rst` alone. What it holds
in each cycle is found by playing it from its reset on, and is a constant in the proof of everything
else. Choices by the count are then no choices, so that a sum over several cycles ends where it
begins. All other registers may hold anything when a sample is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.circuit import Circuit
from kan_dialect.flows.prove.difference import difference
from kan_dialect.flows.prove.forms import (
    Form,
    TooHard,
    Undefined,
    Variable,
    bounds,
    constant,
    variable,
)
from kan_dialect.flows.prove.netlist import RESULTS, Bit, Cell, InputPort, Netlist, Source
from kan_dialect.flows.prove.plans import Cut

MOST_BITS = 10
"""Most bits of a register that counts."""


def find_turns(netlist: Netlist, interval: int) -> None:
    """Note what registers hold in the cycles of an interval, and prove `in_ready`.

    Raises
    ------
    KanError : `in_ready` is not 1 in the first cycle after a reset and once an interval since.
    """
    registers = [
        cell
        for cell in netlist.cells
        if cell.kind == "dff" and len(cell.connections["Q"]) <= MOST_BITS
    ]
    found = True
    while found:
        counting = [cell for cell in registers if cell not in netlist.turns]
        counting = [cell for cell in counting if _counts(netlist, cell)]
        played = [(cell, _played(netlist, cell, interval)) for cell in counting]
        found = {cell: held for cell, held in played if held is not None}
        netlist.turns.update(found)
    circuit = Circuit(netlist, _leaf(mem_valid=0))
    for cycle in range(interval):
        ready = circuit.value(netlist.outputs["in_ready"], cycle, signed=False)
        if bounds(ready) != (int(not cycle),) * 2:
            raise KanError(f"in_ready is not {int(not cycle)} {cycle} cycles after a reset")


def check_valid_turns(netlist: Netlist, latency: int, interval: int) -> str | None:
    """The error in `out_valid` of a design with an interval; None where it is proven.

    Without a reset from the cycle on in which a sample is taken, it is the `in_valid` of this cycle
    `latency` cycles later, and 0 in the other cycles of an interval. A reset clears all registers
    before it.
    """
    circuit, bits = Circuit(netlist, _leaf(rst=0, mem_valid=0)), netlist.outputs["out_valid"]
    taken = variable(Variable("in_valid", 0, 0, 1))
    for late in range(interval):
        found = circuit.value(bits, latency + late, signed=False)
        if difference(found, constant(0) if late else taken) is not None:
            return f"out_valid is wrong {latency + late} cycles after a sample is taken"
    reset = Circuit(netlist, _leaf(rst=1))
    for cell in _before(netlist, bits):
        if cell.kind != "dff" or cell in netlist.turns:
            continue
        if bounds(reset.value(cell.connections["D"], 0, signed=False)) != (0, 0):
            return f"{cell.place}: rst does not clear a register before out_valid"
    return None


def _leaf(**constants: int) -> Callable[[InputPort | Cut, int], Form]:
    """Inputs of one bit as variables, or constants from cycle 0 on."""

    def leaf(source: InputPort | Cut, cycle: int) -> Form:
        if source.name in constants and cycle >= 0:
            return constant(constants[source.name])
        return variable(Variable(source.name, cycle, 0, 1))

    return leaf


def _played(netlist: Netlist, register: Cell, interval: int) -> tuple[int, ...] | None:
    """What a register holds in the cycles after a reset; None where it counts something else."""

    def leaf(source: InputPort | Cut, cycle: int) -> Form:
        if isinstance(source, Cut):
            return variable(Variable(source.name, cycle, source.low, source.high))
        return constant(1)

    # A reset takes one cycle, whatever any register held before.
    after_reset = Circuit(netlist, leaf)
    for cell in (register, *netlist.turns):
        after_reset.cut(_cut(cell))
    try:
        low, high = bounds(after_reset.value(register.connections["D"], 0, signed=False))
    except (TooHard, Undefined):
        return None
    if low != high:
        return None
    held = [low]
    circuit = Circuit(
        netlist, lambda source, cycle: constant(held[cycle] if isinstance(source, Cut) else 0)
    )
    circuit.cut(_cut(register))
    for cycle in range(interval):
        following = circuit.value(register.connections["D"], cycle, signed=False)
        held.append(bounds(following)[0])
    return tuple(held[:-1]) if held[-1] == held[0] else None


def _cut(register: Cell) -> Cut:
    bits = tuple(register.connections["Q"])
    return Cut(register.name, 0, 0, (1 << len(bits)) - 1, bits)


def _counts(netlist: Netlist, register: Cell) -> bool:
    """Whether a register loads a function of itself, of others that count and `rst` alone."""
    own = {register, netlist.drivers[netlist.inputs["rst"][0]][0], *netlist.turns}
    return all(
        source in own or (isinstance(source, Cell) and source.kind != "dff")
        for source in _walk(netlist, register.connections["D"], through_registers=False)
    )


def _before(netlist: Netlist, bits: Sequence[Bit]) -> Iterable[Cell]:
    """The cells that bits depend on, in any cycle."""
    found = _walk(netlist, bits, through_registers=True)
    return [source for source in found if isinstance(source, Cell)]


def _walk(netlist: Netlist, bits: Sequence[Bit], *, through_registers: bool) -> Iterator[Source]:
    pending, seen = list(bits), set[Source]()
    while pending:
        source, _ = netlist.drivers.get(pending.pop(), (None, 0))
        if source is None or source in seen:
            continue
        seen.add(source)
        yield source
        if isinstance(source, Cell) and (through_registers or source.kind != "dff"):
            for port, read in source.connections.items():
                if port not in RESULTS and port != "CLK":
                    pending.extend(read)
