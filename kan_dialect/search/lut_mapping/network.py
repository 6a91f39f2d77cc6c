"""Networks of lookup tables (LUTs) that compute several functions of the same few bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Lut(NamedTuple):
    """A lookup table.

    Attributes
    ----------
    inputs : signals, ascending: those before `LutNetwork.inputs` are the inputs of the network, and
        the i-th after them is the i-th LUT.
    table : truth table; bit p is the value where the k-th input has bit k of p.
    """

    inputs: tuple[int, ...]
    table: int


class LutNetwork(NamedTuple):
    """A network of LUTs.

    Attributes
    ----------
    inputs : number of inputs of the network.
    luts : operands first. LUTs of one input are inverters of outputs.
    outputs : the signal of each function.
    """

    inputs: int
    luts: tuple[Lut, ...]
    outputs: tuple[int, ...]

    @property
    def lut_count(self) -> int:
        """Number of LUTs of two inputs or more; what reads an inverter absorbs it."""
        return sum(len(lut.inputs) > 1 for lut in self.luts)

    @property
    def levels(self) -> int:
        """Most LUTs of two inputs or more on a path."""
        levels = [0] * self.inputs
        for lut in self.luts:
            levels.append(max(levels[each] for each in lut.inputs) + (len(lut.inputs) > 1))
        return max((levels[each] for each in self.outputs), default=0)

    def functions(self, inputs: Sequence[int], every: int) -> list[int]:
        """Truth tables of all signals.

        Parameters
        ----------
        inputs : truth tables of the inputs.
        every : the truth table that is 1 everywhere.
        """
        found = list(inputs)
        for lut in self.luts:
            found.append(look_up(lut.table, [found[each] for each in lut.inputs], every))
        return found


def table_of(function: int, inputs: Sequence[int]) -> int:
    """The table of a LUT that is 1 where a function is.

    Parameters
    ----------
    function : truth table that the inputs can tell, or the patterns of it that matter.
    inputs : truth tables of the LUT's inputs.
    """
    table = 0
    for pattern in range(1 << len(inputs)):
        cell = function
        for place, value in enumerate(inputs):
            cell &= value if pattern >> place & 1 else ~value
        table |= (cell != 0) << pattern
    return table


def look_up(table: int, inputs: Sequence[int], every: int) -> int:
    """The truth table of a LUT by a tree of multiplexers.

    Parameters
    ----------
    table : of the LUT.
    inputs : truth tables of its inputs.
    every : the truth table that is 1 everywhere.
    """
    level = [every if table >> pattern & 1 else 0 for pattern in range(1 << len(inputs))]
    for each in inputs:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [low ^ ((low ^ high) & each) for low, high in pairs]
    return level[0]
