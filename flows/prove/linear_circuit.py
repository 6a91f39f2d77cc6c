"""Signals of a netlist as sums, with the upper bits of sums as free variables.

A tree of adders keeps the low bits of one sum beside the upper bits of another, or adds a carry
below the upper bits. Where such words depend on many nodes, the forms of `Circuit` cannot list
their values. Here they are sums, of `quotients`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kan_dialect.flows.prove.circuit import Circuit
from kan_dialect.flows.prove.forms import Form, TooHard, Undefined
from kan_dialect.flows.prove.netlist import Bit
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

    def _shifted(self, form: Form, exponent: int) -> Form:
        return self.quotients.shifted(form, exponent)

    def _within(self, form: Form, width: int, low: int) -> Form:
        return self.quotients.within(form, width, low)

    def _tamed(self, form: Form, width: int, low: int) -> Form | None:
        return self.quotients.tamed(form, width, low)
