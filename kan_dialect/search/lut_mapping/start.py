"""A first network of LUTs: functions of too many bits are choices between their cofactors.

Each function, and its complement, becomes one LUT at most, so functions share cofactors. The
variable of a choice is the one whose cofactors are known already, or depend on the fewest bits.
With LUTs of six inputs, a choice may take two variables, for fewer levels.
"""

from __future__ import annotations

from collections.abc import Sequence

from kan_dialect.maths.truth_tables import all_codes, low_half
from kan_dialect.search.lut_mapping.network import Lut, LutNetwork, table_of

_KNOWN = 4
"""Number of variables that a cofactor counts for which no signal has yet."""


class Start:
    """The network that `start_network` returns, while it grows.

    Parameters
    ----------
    inputs : number of input bits.
    lut_inputs : most inputs of a LUT, at least 3.
    wide : choices take two variables, where LUTs have room.
    """

    def __init__(self, inputs: int, lut_inputs: int, *, wide: bool) -> None:
        self._inputs, self._lut_inputs = inputs, lut_inputs
        self._wide = wide and lut_inputs >= 6
        self._every = all_codes(inputs)
        self._signals = [self._every ^ low_half(inputs, each) for each in range(inputs)]
        self._known = {function: signal for signal, function in enumerate(self._signals)}
        self.luts: list[Lut] = []

    def signal_of(self, function: int) -> int:
        """A signal that is the function."""
        signal = self._build(function)
        if self._signals[signal] != function:
            inverted = self._every ^ self._signals[signal]
            if inverted not in self._known:
                self._add(function, (signal,))
            signal = self._known[function]
        return signal

    def _build(self, function: int) -> int:
        """A signal that is the function or its complement."""
        for each in (function, self._every ^ function):
            if each in self._known:
                return self._known[each]
        variables = self._support(function)
        if len(variables) <= self._lut_inputs:
            return self._add(function, variables)
        chosen: list[int] = []
        parts = [function]
        for _ in range(1 + (self._wide and len(variables) > self._lut_inputs + 1)):
            rest = [each for each in variables if each not in chosen]
            chosen.append(min(rest, key=lambda variable: self._cost(parts, variable)))
            parts = [half for part in parts for half in self._cofactors(part, chosen[-1])]
        constants = (0, self._every)
        signals = {self._build(part) for part in parts if part not in constants}
        return self._add(function, tuple(sorted({*chosen, *signals})))

    def _add(self, function: int, inputs: tuple[int, ...]) -> int:
        table = table_of(function, [self._signals[each] for each in inputs])
        self.luts.append(Lut(inputs, table))
        self._signals.append(function)
        self._known[function] = len(self._signals) - 1
        return len(self._signals) - 1

    def _cofactors(self, function: int, variable: int) -> tuple[int, int]:
        low, step = low_half(self._inputs, variable), 1 << variable
        zero, one = function & low, function >> step & low
        return zero | zero << step, one | one << step

    def _support(self, function: int) -> tuple[int, ...]:
        return tuple(
            each
            for each in range(self._inputs)
            if (function ^ function >> (1 << each)) & low_half(self._inputs, each)
        )

    def _cost(self, parts: Sequence[int], variable: int) -> int:
        halves = {half for part in parts for half in self._cofactors(part, variable)}
        return sum(
            len(self._support(half))
            + _KNOWN * (half not in self._known and self._every ^ half not in self._known)
            for half in halves
        )


def start_network(
    functions: Sequence[int], inputs: int, lut_inputs: int, *, wide: bool
) -> LutNetwork:
    """A network of choices between cofactors.

    Parameters
    ----------
    functions : truth tables, none of them constant.
    inputs : number of input bits.
    lut_inputs : most inputs of a LUT, at least 3.
    wide : choices take two variables where LUTs have room.
    """
    start = Start(inputs, lut_inputs, wide=wide)
    outputs = tuple(start.signal_of(function) for function in functions)
    return LutNetwork(inputs, tuple(start.luts), outputs)
