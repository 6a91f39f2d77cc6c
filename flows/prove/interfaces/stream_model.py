"""The bookkeeping of a proof: what has been accepted, what has been delivered, and what must be.

These counters are of the proof, not of the design. They count what the ports show, and follow one
sample that `mark` picks out of those that are accepted; `mark` is free, so it may be any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.interfaces.boundary import Boundary, Piece, Stream
from kan_dialect.flows.prove.interfaces.model import Offers, WrapperModel
from kan_dialect.flows.prove.interfaces.sample_core import SampleCore
from kan_dialect.quantity import quantity

SLACK = 8
"""Cycles beyond the network's latency that a wrapper may take."""


class StreamModel(WrapperModel):
    """Samples that are accepted and results that are delivered.

    State: `entered`, `left`: samples accepted and results delivered, modulo 2^bits. `in_beat`,
    `out_beat`: beats of the current sample and result so far. `follows`: the marked sample is held;
    `mine`: its serial number, from 0; `patience`: the cycles for which it has been held while the
    output was ready, up to `most_patience`. `user`: TUSER of the current sample's first beat.
    `before1`, ...: data of the beat accepted one beat earlier, and so on, all ports of a beat side
    by side.
    """

    group = "order"

    def __init__(self, core: SampleCore, streams: Boundary) -> None:
        super().__init__(core)
        self.core, self.streams = core, streams
        self.source, self.result = streams.source, streams.result
        self.latency, self.interval = core.network.latency, core.network.interval
        self.silent = self.source.ready, self.result.valid
        self.offered = (_offers(self.source),)
        self.paths = (
            ((self.result.ready, self.source.valid), self.source.ready),
            ((self.result.ready,), self.result.valid),
        )
        words = sum(len(memory.entries) for memory in core.netlist.memories.values())
        self.bits = (2 * (words + self.latency) + 8).bit_length()
        """Width of counters of samples. That they do not overflow is one of the claims."""
        self.most_patience = self.latency + SLACK
        self.last = self.pool.variable("sample:last", 1)
        self.user = self.pool.variable("sample:user", max(1, streams.user_bits))
        self.widths = dict.fromkeys(("entered", "left", "mine"), self.bits)
        self.widths |= {"patience": self.most_patience.bit_length(), "user": self.user.width}
        self.next = {
            "entered": lambda t: self.pool.sum(self.at("entered", t), self.enters(t)),
            "left": lambda t: self.pool.sum(self.at("left", t), self.leaves(t)),
            "mine": lambda t: self.chosen("follows", "mine", "entered", t),
            "follows": self._follows,
            "patience": self._patience,
            "in_beat": self._in_beat,
            "out_beat": lambda t: self._beat("out_beat", t, self.delivers(t), self._ends("out", t)),
            "user": self._user,
        }
        for beat, stream in (("in_beat", self.source), ("out_beat", self.result)):
            self.widths[beat] = max(1, (len(stream.beats) - 1).bit_length())
        for late in range(1, len(self.source.beats)):
            self.widths[f"before{late}"] = self.data(0).width
            self.next[f"before{late}"] = lambda t, k=late: self.pool.chosen(
                self.accepts(t), self.beat_before(k - 1, t), self.at(f"before{k}", t)
            )

    def finding(self, measured: Mapping[str, int]) -> str:
        held = quantity(measured["samples_held"], "sample")
        cycles = quantity(measured["delivery_cycles"], "cycle")
        return (
            "the results of its samples, in order, for every history of valid and ready "
            f"({held} held at most, delivered within {cycles})"
        )

    # What the ports show.

    def accepts(self, cycle: int) -> Term:
        """A beat is accepted."""
        return self._moves(self.source, cycle)

    def delivers(self, cycle: int) -> Term:
        """A beat is delivered."""
        return self._moves(self.result, cycle)

    def _moves(self, stream: Stream, cycle: int) -> Term:
        running = self.pool.inverted(self.core.in_reset(cycle))
        ports = (self.core.port(port, cycle) for port in (stream.valid, stream.ready))
        return self.pool.both(running, *ports)

    def enters(self, cycle: int) -> Term:
        """The last beat of a sample is accepted."""
        return self.pool.both(self.accepts(cycle), self._ends("in", cycle))

    def waits_for_turn(self, cycle: int) -> Term:
        """The last beat of a sample would be accepted in another cycle of the interval."""
        return self.pool.both(self.pool.inverted(self.core.takes(cycle)), self._ends("in", cycle))

    def leaves(self, cycle: int) -> Term:
        """The last beat of a result is delivered."""
        return self.pool.both(self.delivers(cycle), self._ends("out", cycle))

    def _ends(self, side: str, cycle: int) -> Term:
        stream = self.source if side == "in" else self.result
        return self._is_beat(f"{side}_beat", cycle, len(stream.beats) - 1)

    def _is_beat(self, counter: str, cycle: int, beat: int) -> Term:
        if len((self.source if counter == "in_beat" else self.result).beats) == 1:
            return self.pool.constant(1, 1)
        return self.pool.is_number(self.at(counter, cycle), beat)

    def data(self, cycle: int) -> Term:
        """All ports with codes of the source, the first one lowest."""
        return self.pool.row(self.core.port(port, cycle) for port in self.source.ports)

    def beat_before(self, late: int, cycle: int) -> Term:
        """Data of the beat of some beats before; 0: of the one that is offered."""
        return self.at(f"before{late}", cycle) if late else self.data(cycle)

    # State.

    def chosen(self, condition: str, one: str, zero: str, cycle: int) -> Term:
        """One of two words of the state."""
        return self.pool.chosen(*(self.at(name, cycle) for name in (condition, one, zero)))

    def held(self, cycle: int) -> Term:
        """Samples accepted and not delivered."""
        return self.pool.difference(self.at("entered", cycle), self.at("left", cycle))

    def ahead(self, cycle: int) -> Term:
        """Results that are due before that of the followed sample."""
        return self.pool.difference(self.at("mine", cycle), self.at("left", cycle))

    def _is_next(self, cycle: int) -> Term:
        return self.pool.is_number(self.ahead(cycle), 0)

    def _patience(self, cycle: int) -> Term:
        pool, old = self.pool, self.at("patience", cycle)
        counted = pool.sum(old, pool.less(old, self.most_patience))
        ready = self.core.port(self.result.ready, cycle)
        goes_on = pool.both(self.at("follows", cycle), ready)
        return pool.chosen(goes_on, counted, pool.constant(0, old.width))

    def _in_beat(self, cycle: int) -> Term:
        ends = self._ends("in", cycle)
        if self.source.last and len(self.source.beats) > 1:
            # A packet that ends within a sample drops that sample.
            ends = self.pool.any_of([ends, self.core.port(self.source.last, cycle)])
        return self._beat("in_beat", cycle, self.accepts(cycle), ends)

    def _beat(self, name: str, cycle: int, moves: Term, ends: Term) -> Term:
        pool, old = self.pool, self.at(name, cycle)
        following = pool.chosen(ends, pool.constant(0, old.width), pool.sum(old, moves))
        return pool.chosen(moves, following, old)

    def _user(self, cycle: int) -> Term:
        first = self.pool.both(self.accepts(cycle), self._is_beat("in_beat", cycle, 0))
        new = self.core.port(self.source.user, cycle)
        return self.pool.chosen(first, new, self.at("user", cycle))

    def _follows(self, cycle: int) -> Term:
        pool, old = self.pool, self.at("follows", cycle)
        mark = pool.variable(f"proof:mark@{cycle}", 1)
        marks = pool.both(mark, self.enters(cycle), self._is_followed(cycle))
        done = pool.both(self.leaves(cycle), self._is_next(cycle))
        return pool.chosen(old, pool.inverted(done), marks)

    def _is_followed(self, cycle: int) -> Term:
        """Whether codes and sidebands of the sample that enters are those of the variables."""
        pool, beats = self.pool, self.source.beats
        terms = [self.core.has_tables(cycle)]
        for index, beat in enumerate(beats):
            data = self.beat_before(len(beats) - 1 - index, cycle)
            low = 0
            for piece in (piece for pieces in beat.values() for piece in pieces):
                if piece.code and not piece.sign:
                    found = pool.part(data, low, piece.width)
                    wanted = pool.part(self.core.codes[piece.code], piece.low, piece.width)
                    terms.append(pool.equal(found, wanted))
                low += piece.width
        if self.source.last:
            terms.append(pool.equal(self.core.port(self.source.last, cycle), self.last))
        if self.source.user:
            one = len(beats) == 1
            user = self.core.port(self.source.user, cycle) if one else self.at("user", cycle)
            terms.append(pool.equal(user, self.user))
        return pool.both(*terms)

    # Claims.

    def claims(self, cycle: int) -> Iterator[Claim]:
        pool, port = self.pool, self.core.port
        valid = port(self.result.valid, cycle)
        some = pool.inverted(pool.is_number(self.held(cycle), 0))
        yield Claim("no result without a sample", pool.implied(valid, some))
        mine = pool.both(valid, self.at("follows", cycle), self._is_next(cycle))

        def shown(condition: Term, output: str, wanted: Term) -> Term:
            return pool.implied(condition, pool.equal(port(output, cycle), wanted))

        for name in self.result.ports:
            words = [self._pieces(beat[name]) for beat in self.result.beats]
            yield Claim("results in order", shown(mine, name, self._of_beat(words, cycle)))
        if self.result.last:
            wanted = pool.both(self.last, self._ends("out", cycle))
            yield Claim("TLAST with its sample", shown(mine, self.result.last, wanted))
        if self.result.user:
            first, zero = self._is_beat("out_beat", cycle, 0), pool.constant(0, self.user.width)
            wanted = pool.chosen(first, self.user, zero)
            yield Claim("TUSER with its sample", shown(mine, self.result.user, wanted))
        if self.result.keep_port:
            width = self.streams.widths[self.result.keep_port]
            masks = [pool.constant(mask, width) for mask in self.result.keep]
            wanted = self._of_beat(masks, cycle)
            yield Claim("TKEEP of the beat", shown(valid, self.result.keep_port, wanted))
        yield from self.kept(_offers(self.result), cycle)
        for name, own in self.core.load_port(cycle).items():
            same = pool.equal(port(name, cycle), own)
            yield Claim("the port that writes tables is that of the network", same)

    def overdue(self, cycle: int) -> Iterator[Claim]:
        first = cycle - self.latency - SLACK
        if first >= 1:
            window = range(first, cycle + 1)
            ready = [self.core.port(self.result.ready, c) for c in window]
            waits = [self.at("follows", c) for c in window]
            delivered = self.pool.implied(*ready, *waits, self.delivers(cycle))
            yield Claim("every sample is delivered", delivered)

    def _pieces(self, pieces: Sequence[Piece]) -> Term:
        """The bits of a port in a beat of the followed sample's result."""
        pool, results = self.pool, self.core.results
        terms: list[Term] = []
        for piece in pieces:
            if not piece.code:
                terms.append(pool.constant(0, piece.width))
            else:
                bits = pool.part(results[piece.code], piece.low, 1 if piece.sign else piece.width)
                terms.append(pool.extended(bits, piece.width, signed=True))
        return pool.row(terms)

    def _of_beat(self, choices: Sequence[Term], cycle: int) -> Term:
        """The choice of the current beat of a result."""
        found = choices[-1]
        for beat in reversed(range(len(choices) - 1)):
            found = self.pool.chosen(self._is_beat("out_beat", cycle, beat), choices[beat], found)
        return found


def _offers(stream: Stream) -> Offers:
    return Offers(stream.valid, stream.ready, stream.payload)
