"""Proof of `out_valid`: it is `in_valid` delayed by the latency, and a reset clears it.

`out_valid` must be a chain of registers. Each loads the one before, or 0 while `rst` is high. Every
step is proven for all values of the signals that it reads.
"""

from __future__ import annotations

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.circuit import Circuit
from kan_dialect.flows.prove.forms import Table, Variable, variable, variables
from kan_dialect.flows.prove.netlist import Bit, Cell, InputPort, Netlist, check_clock
from kan_dialect.flows.prove.plans import Cut


def check_valid(netlist: Netlist, latency: int) -> str | None:
    """The error in `out_valid`; None where it is proven."""
    circuit = Circuit(netlist, lambda source, _: variable(Variable(source.name, 0, 0, 1)))
    bits: dict[str, Bit] = {name: port[0] for name, port in netlist.inputs.items()}
    for cell in netlist.cells:
        if cell.kind == "dff":
            bits[cell.name] = cell.connections["Q"][0]
            circuit.cut(Cut(cell.name, 0, 0, 1, tuple(cell.connections["Q"][:1])))
    bit = netlist.outputs["out_valid"][0]
    for step in range(latency):
        register, _ = netlist.drivers.get(bit, (None, 0))
        if isinstance(register, InputPort) and register.name == "in_valid":
            return f"out_valid comes {step} cycles after in_valid, not {latency}"
        if not isinstance(register, Cell) or register.kind != "dff":
            return f"register {latency - step} of {latency} before out_valid is missing"
        before = _before(circuit, register, bits)
        if before not in bits.values():
            return str(before)
        bit = before
    source, _ = netlist.drivers.get(bit, (None, 0))
    if not isinstance(source, InputPort) or source.name != "in_valid":
        return f"out_valid is not in_valid {latency} cycles later"
    return None


def _before(circuit: Circuit, register: Cell, bits: dict[str, Bit]) -> Bit | str:
    """The bit that a valid register loads, or the error in that register."""
    where = register.place
    try:
        check_clock(circuit.netlist, register)
        loaded = circuit.value(register.connections["D"], 0, signed=False)
    except KanError as error:
        return f"{where}: {error}"
    names = [v.name for v in variables(loaded) if v.name != "rst"]
    if not isinstance(loaded, Table) or len(names) != 1:
        return f"{where}: a valid register does not load one valid bit"
    rst = next((v for v in loaded.over if v.name == "rst"), None)
    if rst is None:
        return f"{where}: rst does not clear a valid register"
    columns = loaded.values if loaded.over[0] is rst else loaded.values.T
    if columns.tolist() != [[0, 1], [0, 0]]:
        return (
            f"{where}: a valid register loads {columns[0, 1]} after a 1, {columns[0, 0]} after a 0 "
            f"and {columns[1].tolist()} in reset"
        )
    return bits[names[0]]
