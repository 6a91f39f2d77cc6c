"""Signals of a netlist as sums, with the upper bits of sums as free variables.

A tree of adders keeps the low bits of one sum beside the upper bits of another, or adds a carry
below the upper bits. Where such words depend on many nodes, the forms of `Circuit` cannot list
their values. Here they are sums, of `quotients`.

A function of such a sum, as a clamp is, lists the values of the sum once its quotients are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from kan_dialect.flows.prove.circuit import Circuit, Key, Source
from kan_dialect.flows.prove.forms import Form, TooHard, Undefined
from kan_dialect.flows.prove.netlist import Bit, Cell
from kan_dialect.flows.prove.quotients import Quotients


@dataclass
class LinearCircuit(Circuit):
    """A circuit whose words are sums with quotients."""

    quotients: Quotients = field(default_factory=Quotients)

    def value(self, bits: Sequence[Bit], cycle: int, signed: bool) -> Form:
        """The value of a word in a cycle, as a form of nodes and ports alone.

        Raises
        ------
        TooHard : quotients are left, or the word is undefined for quotients that may never come
            together.
        KanError : as of `Circuit.value`.
        """
        try:
            found = super().value(bits, cycle, signed)
        except Undefined:
            raise TooHard("a word is undefined for some quotients") from None
        if self.quotients.are_in(found):
            raise TooHard("quotients of sums are left")
        return found

    def without_quotients(self, key: Key) -> tuple[Form, int] | None:
        """What a source gives in a cycle, with its width; None where quotients are left."""
        try:
            self._evaluate_all([key])
        except (TooHard, Undefined):
            return None
        found = self._known[key]
        return None if self.quotients.are_in(found[0]) else found

    def _shifted(self, form: Form, exponent: int) -> Form:
        return self.quotients.shifted(form, exponent)

    def _within(self, form: Form, width: int, low: int) -> Form:
        return self.quotients.within(form, width, low)

    def _tamed(self, form: Form, width: int, lows: Sequence[int]) -> Form | None:
        return self.quotients.tamed(form, width, lows)


@dataclass
class FunctionsOfSums(Circuit):
    """A circuit whose sums are those of a `LinearCircuit`, where that has no quotients left."""

    linear: LinearCircuit = field(kw_only=True)

    _sums: dict[Key, tuple[Form, int] | None] = field(
        default_factory=dict[Key, tuple[Form, int] | None]
    )

    def keep(self, is_kept: Callable[[Source], bool]) -> None:
        super().keep(is_kept)
        self._sums = {key: known for key, known in self._sums.items() if is_kept(key[0])}

    def _inputs(self, key: Key) -> Iterator[Key]:
        if self._sum(key) is None:
            yield from super()._inputs(key)

    def _evaluate(self, key: Key) -> tuple[Form, int]:
        return self._sum(key) or super()._evaluate(key)

    def _sum(self, key: Key) -> tuple[Form, int] | None:
        source, _ = key
        if not isinstance(source, Cell) or source.kind not in ("add", "sub"):
            return None
        if key not in self._sums:
            self._sums[key] = self.linear.without_quotients(key)
        return self._sums[key]
