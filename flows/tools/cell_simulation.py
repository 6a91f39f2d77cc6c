"""Plays vectors on a netlist of standard cells: its outputs, and how often its nets toggle.

A value is an array over the vectors. Registers hand on what they read: in a pipeline without
feedback, that is the order of the vectors at every net. Cells have no delay, so that glitches are
not counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

import numpy as np

from kan_dialect.devices.liberty import Library
from kan_dialect.ir.constants import BoolArray

Bit: TypeAlias = int | str
"""A net's number in Yosys's JSON, or a constant: `"0"`, `"1"`, `"x"`."""


def play_cells(
    module: Mapping[str, Any], library: Library, inputs: Mapping[Bit, BoolArray]
) -> dict[Bit, BoolArray] | None:
    """Values of all nets; None of a netlist with feedback.

    Parameters
    ----------
    module : in Yosys's JSON form, mapped to cells of the library.
    inputs : by net: (vectors,).
    """
    drivers = {
        bit: (cell, pin)
        for cell in module["cells"].values()
        for pin in library.functions[cell["type"]]
        for bit in cell["connections"].get(pin, ())
    }
    needs = {
        bit: [
            net[0]
            for pin, net in cell["connections"].items()
            if pin not in library.functions[cell["type"]] and net
        ]
        for bit, (cell, _) in drivers.items()
    }
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError:
        return None
    count = len(next(iter(inputs.values())))
    zero = np.zeros(count, dtype=np.bool_)
    values: dict[Bit, BoolArray] = {"0": zero, "1": ~zero, "x": zero, **inputs}
    for bit in order:
        if bit not in drivers:
            continue
        cell, pin = drivers[bit]
        pins = {
            name: values[net[0]]
            for name, net in cell["connections"].items()
            if net and net[0] in values
        }
        flip_flop = library.flip_flops.get(cell["type"])
        if flip_flop is not None:
            state = evaluate(flip_flop.text("next_state"), pins)
            pins |= dict(zip(flip_flop.arguments, (state, ~state), strict=False))
        values[bit] = evaluate(library.functions[cell["type"]][pin], pins)
    return values


def activities_of(
    module: Mapping[str, Any], library: Library, values: Mapping[Bit, BoolArray]
) -> dict[str, float]:
    """Changes of each cell's output in a cycle, by the cell's name; the mean of several outputs."""
    rates = {bit: float(np.mean(value[1:] ^ value[:-1])) for bit, value in values.items()}
    return {
        name: float(np.mean([rates[bit] for bit in outputs]))
        for name, cell in module["cells"].items()
        if (outputs := list(_outputs(cell, library)))
    }


def _outputs(cell: Mapping[str, Any], library: Library) -> Iterator[Bit]:
    """The nets that a cell drives."""
    for pin in library.functions[cell["type"]]:
        yield from cell["connections"].get(pin, ())


_OPERATIONS = {"+": np.logical_or, "|": np.logical_or, "^": np.logical_xor}
_LEVELS = ("+|", "^")
"""Operators that bind weakest first; `*`, `&` and a space bind stronger."""


def evaluate(function: str, pins: Mapping[str, BoolArray]) -> BoolArray:
    """The value of a Liberty function (Liberty User Guide, "function" of a pin)."""
    tokens = re.findall(r"\w+|[()!'^+|*&]", function)
    value, rest = _weak(tokens, pins, 0)
    assert not rest, function
    return value


def _weak(
    tokens: Sequence[str], pins: Mapping[str, BoolArray], level: int
) -> tuple[BoolArray, Sequence[str]]:
    """The value of the operators of a level and stronger ones, and the tokens behind it."""
    if level == len(_LEVELS):
        return _product(tokens, pins)
    value, tokens = _weak(tokens, pins, level + 1)
    while tokens and tokens[0] in _LEVELS[level]:
        other, rest = _weak(tokens[1:], pins, level + 1)
        value, tokens = _OPERATIONS[tokens[0]](value, other), rest
    return value, tokens


def _product(
    tokens: Sequence[str], pins: Mapping[str, BoolArray]
) -> tuple[BoolArray, Sequence[str]]:
    value, tokens = _factor(tokens, pins)
    while tokens and tokens[0] not in ")+|^":
        other, tokens = _factor(tokens[tokens[0] in "*&" :], pins)
        value = value & other
    return value, tokens


def _factor(
    tokens: Sequence[str], pins: Mapping[str, BoolArray]
) -> tuple[BoolArray, Sequence[str]]:
    first, tokens = tokens[0], tokens[1:]
    if first == "!":
        value, tokens = _factor(tokens, pins)
        return ~value, tokens
    if first == "(":
        value, tokens = _weak(tokens, pins, 0)
        tokens = tokens[1:]
    elif first in "01":
        value = np.full_like(next(iter(pins.values())), first == "1")
    else:
        value = pins[first]
    while tokens and tokens[0] == "'":
        value, tokens = ~value, tokens[1:]
    return value, tokens
