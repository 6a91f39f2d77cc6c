"""The bookkeeping of a proof: what has been accepted, what has been delivered, and what must be.

These counters are of the proof, not of the design. They count what the ports show, and follow one
sample that `mark` picks out of those that are accepted; `mark` is free, so it may be any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.interfaces.boundary import Boundary, Stream
from kan_dialect.flows.prove.interfaces.system import System

SLACK = 8
"""Cycles beyond the network's latency that a wrapper may take."""


@dataclass
class Scoreboard:
    """Counters by cycle. In cycle 0 they are free."""

    system: System
    boundary: Boundary
    bits: int
    """Width of counters of samples."""
    _known: dict[tuple[str, int], Term] = field(default_factory=dict[tuple[str, int], Term])

    def __post_init__(self) -> None:
        self.pool: Pool = self.system.pool
        self.source, self.result = self.boundary.source, self.boundary.result
        self.in_bits = max(1, (len(self.source.beats) - 1).bit_length())
        self.most_patience = self.system.network.latency + SLACK
        self.out_bits = max(1, (len(self.result.beats) - 1).bit_length())

    # What the ports show.

    def accepts(self, cycle: int) -> Term:
        """A beat is accepted."""
        pool, system = self.pool, self.system
        return pool.both(
            pool.inverted(system.in_reset(cycle)),
            system.port(self.source.valid, cycle),
            system.port(self.source.ready, cycle),
        )

    def delivers(self, cycle: int) -> Term:
        """A beat is delivered."""
        pool, system = self.pool, self.system
        return pool.both(
            pool.inverted(system.in_reset(cycle)),
            system.port(self.result.valid, cycle),
            system.port(self.result.ready, cycle),
        )

    def enters(self, cycle: int) -> Term:
        """The last beat of a sample is accepted."""
        return self.pool.both(self.accepts(cycle), self._is_beat("in_beat", cycle, -1))

    def leaves(self, cycle: int) -> Term:
        """The last beat of a result is delivered."""
        return self.pool.both(self.delivers(cycle), self._is_beat("out_beat", cycle, -1))

    def _is_beat(self, counter: str, cycle: int, beat: int) -> Term:
        stream = self.source if counter == "in_beat" else self.result
        count = len(stream.beats)
        if count == 1:
            return self.pool.constant(1, 1)
        index = self.counter(counter, cycle)
        return self.pool.equal(index, self.pool.constant(beat % count, index.width))

    def waits(self, stream: Stream, cycle: int) -> Term:
        """A beat is offered and not taken; there is no reset, nor in the next cycle."""
        pool, system = self.pool, self.system
        return pool.both(
            pool.inverted(system.in_reset(cycle)),
            pool.inverted(system.in_reset(cycle + 1)),
            system.port(stream.valid, cycle),
            pool.inverted(system.port(stream.ready, cycle)),
        )

    # Counters.

    def counter(self, name: str, cycle: int) -> Term:
        """`entered`, `left`: samples accepted and results delivered, modulo 2^bits. `in_beat`,
        `out_beat`: beats of the current sample and result so far. `follows`: the marked sample is
        held; `mine`: its serial number, from 0; `patience`: the cycles for which it has been held
        while the output was ready, up to `most_patience`. `user`: TUSER of the current sample's
        first beat. `before1`, ...: data of the beat accepted one beat earlier, and so on, all ports
        of a beat side by side.
        """
        key = name, cycle
        if key not in self._known:
            self._known[key] = self._counted(name, cycle)
        return self._known[key]

    def width(self, name: str) -> int:
        if name in ("entered", "left", "mine"):
            return self.bits
        if name == "patience":
            return self.most_patience.bit_length()
        if name.startswith("before"):
            return self.data(0).width
        return {"in_beat": self.in_bits, "out_beat": self.out_bits, "follows": 1}.get(
            name, self.system.user.width
        )

    def data(self, cycle: int) -> Term:
        """All ports with codes of the source, the first one lowest."""
        whole = self.system.port(self.source.ports[0], cycle)
        for port in self.source.ports[1:]:
            whole = self.pool.joined(self.system.port(port, cycle), whole)
        return whole

    def _counted(self, name: str, cycle: int) -> Term:
        pool = self.pool
        if cycle == 0:
            return pool.variable(f"proof:{name}@0", self.width(name))
        before = cycle - 1
        old = self.counter(name, before)
        if name.startswith("before"):
            number = int(name.removeprefix("before"))
            source = (
                self.data(before) if number == 1 else self.counter(f"before{number - 1}", before)
            )
            return pool.chosen(self.accepts(before), source, old)
        if name == "user":
            first = pool.both(self.accepts(before), self._is_beat("in_beat", before, 0))
            return pool.chosen(first, self.system.port(self.source.user, before), old)
        following = getattr(self, f"_{name}")(old, before)
        zero = pool.constant(0, old.width)
        return pool.chosen(self.system.in_reset(before), zero, following)

    def held(self, cycle: int) -> Term:
        """Samples accepted and not delivered."""
        entered, left = self.counter("entered", cycle), self.counter("left", cycle)
        return self.pool.make("sub", self.bits, [entered, left])

    def ahead(self, cycle: int) -> Term:
        """Results that are due before that of the followed sample."""
        mine, left = self.counter("mine", cycle), self.counter("left", cycle)
        return self.pool.make("sub", self.bits, [mine, left])

    def _entered(self, old: Term, cycle: int) -> Term:
        more = self.pool.extended(self.enters(cycle), self.bits, signed=False)
        return self.pool.make("add", self.bits, [old, more])

    def _left(self, old: Term, cycle: int) -> Term:
        more = self.pool.extended(self.leaves(cycle), self.bits, signed=False)
        return self.pool.make("add", self.bits, [old, more])

    def _mine(self, old: Term, cycle: int) -> Term:
        return self.pool.chosen(self.counter("follows", cycle), old, self.counter("entered", cycle))

    def _patience(self, old: Term, cycle: int) -> Term:
        pool = self.pool
        ready = self.system.port(self.result.ready, cycle)
        most = pool.constant(self.most_patience, old.width)
        more = pool.make("add", old.width, [old, pool.constant(1, old.width)])
        more = pool.chosen(pool.equal(old, most), most, more)
        goes_on = pool.both(self.counter("follows", cycle), ready)
        return pool.chosen(goes_on, more, pool.constant(0, old.width))

    def _in_beat(self, old: Term, cycle: int) -> Term:
        ends = self._is_beat("in_beat", cycle, -1)
        if self.source.last and len(self.source.beats) > 1:
            # A packet that ends within a sample drops that sample.
            ends = self.pool.any_of([ends, self.system.port(self.source.last, cycle)])
        return self._stepped(old, self.accepts(cycle), ends)

    def _out_beat(self, old: Term, cycle: int) -> Term:
        return self._stepped(old, self.delivers(cycle), self._is_beat("out_beat", cycle, -1))

    def _stepped(self, old: Term, moves: Term, ends: Term) -> Term:
        pool = self.pool
        one, zero = pool.constant(1, old.width), pool.constant(0, old.width)
        further = pool.chosen(ends, zero, pool.make("add", old.width, [old, one]))
        return pool.chosen(moves, further, old)

    def marks(self, cycle: int) -> Term:
        """The sample that is accepted now is the one to follow."""
        pool = self.pool
        return pool.both(
            pool.variable(f"proof:mark@{cycle}", 1),
            self.enters(cycle),
            pool.inverted(self.counter("follows", cycle)),
            self._is_followed(cycle),
        )

    def _is_followed(self, cycle: int) -> Term:
        """Whether codes and sidebands of the sample that enters are those of the variables."""
        pool, system = self.pool, self.system
        beats = self.source.beats
        terms: list[Term] = []
        for index, beat in enumerate(beats):
            late = len(beats) - 1 - index
            data = self.data(cycle) if late == 0 else self.counter(f"before{late}", cycle)
            low = 0
            for pieces in beat.values():
                for piece in pieces:
                    if piece.code and not piece.sign:
                        found = pool.part(data, low, piece.width)
                        wanted = pool.part(system.codes[piece.code], piece.low, piece.width)
                        terms.append(pool.equal(found, wanted))
                    low += piece.width
        if self.source.last:
            terms.append(pool.equal(system.port(self.source.last, cycle), system.last))
        if self.source.user:
            one = len(beats) == 1
            user = system.port(self.source.user, cycle) if one else self.counter("user", cycle)
            terms.append(pool.equal(user, system.user))
        return pool.both(*terms)

    def _follows(self, old: Term, cycle: int) -> Term:
        pool = self.pool
        done = pool.both(self.leaves(cycle), self._is_next(cycle))
        return pool.chosen(old, pool.inverted(done), self.marks(cycle))

    def _is_next(self, cycle: int) -> Term:
        ahead = self.ahead(cycle)
        return self.pool.equal(ahead, self.pool.constant(0, self.bits))

    # Claims.

    def claims(self, cycle: int) -> Iterator[Claim]:
        """What must hold in a cycle without reset, of the results that are offered."""
        pool, system = self.pool, self.system
        valid = system.port(self.result.valid, cycle)
        none = pool.equal(self.held(cycle), pool.constant(0, self.bits))
        yield Claim("no result without a sample", pool.inverted(pool.both(valid, none)))
        mine = pool.both(valid, self.counter("follows", cycle), self._is_next(cycle))
        for port in self.result.ports:
            wanted = self._of_beat(
                [system.pieces(beat[port], system.results) for beat in self.result.beats], cycle
            )
            yield self._implied("results in order", mine, port, wanted, cycle)
        if self.result.last:
            at_end = self._is_beat("out_beat", cycle, -1)
            wanted = pool.both(system.last, at_end)
            yield self._implied("TLAST with its sample", mine, self.result.last, wanted, cycle)
        if self.result.user:
            zero = pool.constant(0, system.user.width)
            wanted = pool.chosen(self._is_beat("out_beat", cycle, 0), system.user, zero)
            yield self._implied("TUSER with its sample", mine, self.result.user, wanted, cycle)
        if self.result.keep_port:
            width = self.boundary.widths[self.result.keep_port]
            keep = [pool.constant(mask, width) for mask in self.result.keep]
            wanted = self._of_beat(keep, cycle)
            yield self._implied("TKEEP of the beat", valid, self.result.keep_port, wanted, cycle)

    def _of_beat(self, choices: list[Term], cycle: int) -> Term:
        """The choice of the current beat of a result."""
        found = choices[-1]
        for beat in reversed(range(len(choices) - 1)):
            found = self.pool.chosen(self._is_beat("out_beat", cycle, beat), choices[beat], found)
        return found

    def _implied(self, name: str, condition: Term, port: str, wanted: Term, cycle: int) -> Claim:
        pool = self.pool
        equal = pool.equal(self.system.port(port, cycle), wanted)
        return Claim(name, pool.any_of([pool.inverted(condition), equal]))

    def stable(self, cycle: int = 0) -> Iterator[Claim]:
        """A result that waits in a cycle is there in the next one, the same."""
        pool, system, stream = self.pool, self.system, self.result
        free = pool.inverted(self.waits(stream, cycle))
        stays = system.port(stream.valid, cycle + 1)
        yield Claim("valid stays until ready", pool.any_of([free, stays]))
        for port in stream.payload:
            same = pool.equal(system.port(port, cycle + 1), system.port(port, cycle))
            yield Claim("data stay until ready", pool.any_of([free, same]))
