"""Plays vectors on a netlist of standard cells: its outputs, and how often its cells change.

Yosys puts the function of the Liberty file in the place of each cell, so that gates of one bit are
left. A value is an array over the vectors. Registers hand on what they read: in a pipeline without
feedback, that is the order of the vectors at every net. Gates have no delay, so that glitches are
not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

import numpy as np

from kan_dialect.ir.constants import BoolArray

Bit: TypeAlias = int | str
"""A net's number in Yosys's JSON, or a constant: `"0"`, `"1"`, `"x"`."""

READ_CELLS = (
    "read_liberty -ignore_miss_func -ignore_miss_dir -ignore_miss_data_latch cells.lib",
    "write_json netlist.json",
    "flatten",
    "write_json gates.json",
)
"""Yosys's commands that write the netlist with the directions of pins, and its gates."""

_GATES: Mapping[str, Callable[..., BoolArray]] = {
    "$_NOT_": np.logical_not,
    "$_AND_": np.logical_and,
    "$_OR_": np.logical_or,
    "$_XOR_": np.logical_xor,
}
"""What Yosys makes of functions in a Liberty file; all else are flip-flops with `D` and `Q`."""


def play_gates(
    gates: Mapping[str, Any], inputs: Mapping[Bit, BoolArray]
) -> dict[Bit, BoolArray] | None:
    """Values of all nets; None of a netlist with feedback.

    Parameters
    ----------
    gates : a flat module in Yosys's JSON form.
    inputs : by net: (vectors,).
    """
    drivers: dict[Bit, tuple[Callable[..., BoolArray] | None, list[Bit]]] = {}
    for cell in gates["cells"].values():
        pins = {pin: bits[0] for pin, bits in cell["connections"].items()}
        if (gate := _GATES.get(cell["type"])) is not None:
            drivers[pins["Y"]] = gate, [pins[pin] for pin in "AB" if pin in pins]
        elif "Q" in pins:
            drivers[pins["Q"]] = None, [pins["D"]]
    try:
        order = list(
            TopologicalSorter({bit: read for bit, (_, read) in drivers.items()}).static_order()
        )
    except CycleError:
        return None
    zero = np.zeros_like(next(iter(inputs.values())))
    values: dict[Bit, BoolArray] = {"0": zero, "1": ~zero, "x": zero, **inputs}
    for bit in order:
        if bit in drivers:
            gate, read = drivers[bit]
            operands = [values[each] for each in read]
            values[bit] = operands[0] if gate is None else gate(*operands)
    return values


def activities_of(
    netlist: Mapping[str, Any], gates: Mapping[str, Any], values: Mapping[Bit, BoolArray]
) -> dict[str, float]:
    """Changes of each cell's output in a cycle, by the cell's name; the mean of several outputs.

    Parameters
    ----------
    netlist, gates : the module with cells, and the same one of gates, in Yosys's JSON form.
    values : of the nets of the gates.
    """
    rates = {bit: float(np.mean(value[1:] ^ value[:-1])) for bit, value in values.items()}
    found: dict[str, float] = {}
    for name, cell in netlist["cells"].items():
        outputs = [pin for pin, way in cell["port_directions"].items() if way == "output"]
        nets = [gates["netnames"][f"{name}.{pin}"]["bits"][0] for pin in outputs]
        found[name] = float(np.mean([rates[net] for net in nets]))
    return found
