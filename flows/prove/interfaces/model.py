"""What a wrapper must show at its ports: state that the ports drive, and claims about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.interfaces.signals import WrapperSignals
from kan_dialect.flows.prove.netlist import Cell

OfCycle = Callable[[int], Term]
"""A term of each cycle."""


@dataclass(frozen=True)
class Candidate:
    """A guess about every cycle behind a reset."""

    name: str
    at: OfCycle
    """A term that is 1 where the guess holds."""


@dataclass(frozen=True)
class Word:
    """What a register of the wrapper may hold."""

    name: str
    at: OfCycle
    where: OfCycle | None = None
    """Cycles in which it must; None: in all."""
    low_bits: bool = False
    """Whether a register may hold the lower bits alone."""


@dataclass(frozen=True)
class Offers:
    """What one side of a bus offers until the other side takes it."""

    valid: str
    ready: str
    payload: tuple[str, ...]


class WrapperModel(ABC):
    """The state that the ports must show, by cycle. In cycle 0 it is free; a reset clears it."""

    group: str
    """Of its claims."""
    silent: tuple[str, ...]
    """Outputs that are 0 behind a reset."""
    offered: tuple[Offers, ...]
    """What the other side of the wrapper offers, and keeps until it is taken."""
    paths: Sequence[tuple[Sequence[str], str]]
    """Inputs, and an output that depends on none of them in the same cycle."""

    def __init__(self, signals: WrapperSignals) -> None:
        self.signals, self.pool = signals, signals.pool
        self.widths: dict[str, int] = {}
        """Of the state; 1 where none is given."""
        self.next: dict[str, OfCycle] = {}
        """By name: the next value, by the cycle before."""
        self._known: dict[tuple[str, int], Term] = {}

    def at(self, name: str, cycle: int) -> Term:
        key = name, cycle
        if key not in self._known:
            if cycle == 0:
                found = self.pool.variable(f"model:{name}@0", self.widths.get(name, 1))
            else:
                after = self.next[name](cycle - 1)
                zero = self.pool.constant(0, after.width)
                found = self.pool.chosen(self.signals.in_reset(cycle - 1), zero, after)
            self._known[key] = found
        return self._known[key]

    @abstractmethod
    def claims(self, cycle: int) -> Iterator[Claim]:
        """What must hold of a cycle without reset and the cycle behind it."""

    @abstractmethod
    def guesses(self) -> Iterator[list[Candidate]]:
        """Groups of candidates for invariants; each group may need those before it."""

    @abstractmethod
    def finding(self, measured: dict[str, int]) -> str:
        """What a proof says, for a reader."""

    def overdue(self, cycle: int) -> Iterator[Claim]:
        """What must hold in a cycle without resets before it, beside the claims."""
        yield from ()

    # Rules of a bus.

    def silence(self, cycle: int) -> Iterator[Claim]:
        """What must hold in the cycle behind a reset."""
        for port in self.silent:
            yield Claim(f"{port} is 0", self.pool.inverted(self.signals.port(port, cycle)))

    def kept(self, offers: Offers, cycle: int) -> Iterator[Claim]:
        """What is offered and not taken is there in the next cycle, the same."""
        pool, port = self.pool, self.signals.port
        waits = pool.both(
            *(pool.inverted(self.signals.in_reset(c)) for c in (cycle, cycle + 1)),
            port(offers.valid, cycle),
            pool.inverted(port(offers.ready, cycle)),
        )
        yield Claim("valid stays until ready", pool.implied(waits, port(offers.valid, cycle + 1)))
        for name in offers.payload:
            same = pool.equal(port(name, cycle + 1), port(name, cycle))
            yield Claim("data stay until ready", pool.implied(waits, same))

    def registers_that_hold(self, words: Sequence[Word]) -> Iterator[Candidate]:
        """Guesses that registers of the wrapper are words of the model."""
        for register in self.signals.registers():
            for word in words:
                width, whole = len(register.connections["Q"]), word.at(0).width
                if width != whole and not (word.low_bits and width < whole):
                    continue

                def holds(t: int, r: Cell = register, w: Word = word) -> Term:
                    value = self.signals.value(r, t)
                    wanted = self.pool.extended(w.at(t), value.width, signed=False)
                    equal = self.pool.equal(value, wanted)
                    return equal if w.where is None else self.pool.implied(w.where(t), equal)

                yield Candidate(f"{register.name} is {word.name}", holds)
