"""Candidates for invariants of a wrapper with streams, read off its registers.

They are guesses. `induction.py` keeps a set of them that holds after a reset and carries itself
from each cycle to the next. A wrong guess is dropped, and can prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from kan_dialect.flows.prove.cycles.terms import Term, ordered
from kan_dialect.flows.prove.interfaces.boundary import Boundary
from kan_dialect.flows.prove.interfaces.model import Candidate, Word
from kan_dialect.flows.prove.interfaces.sample_core import SampleCore
from kan_dialect.flows.prove.interfaces.stream_model import StreamModel
from kan_dialect.flows.prove.netlist import Cell


class GuessedStreams(StreamModel):
    """The bookkeeping, and what registers may have to do with it."""

    def __init__(self, core: SampleCore, streams: Boundary) -> None:
        super().__init__(core, streams)
        self.registers = core.registers()
        self.bits_of = {cell: len(cell.connections["Q"]) for cell in self.registers}

    def guesses(self) -> Iterator[list[Candidate]]:
        yield [*self._beats()]
        yield [*self._turns(), *self._network(), *self._counts()]
        yield [*self._followed(), *self._memories(), *self._beside_the_network()]

    # Words of the bookkeeping.

    def _entered(self, stage: int, cycle: int) -> Term:
        """Serial number of the sample in a stage of the network, or of the next one to come."""
        return self.core.entered(stage, cycle, self.bits)

    def _younger(self, stages: int, cycle: int) -> Term:
        """Samples in the first stages of the network."""
        return self.pool.difference(self._entered(0, cycle), self._entered(stages, cycle))

    def _is_behind(self, stage: int, cycle: int) -> Term:
        """Whether the followed sample came to the network before the one in a stage."""
        older = self.pool.difference(self._entered(stage, cycle), self.at("left", cycle))
        return self.pool.less(self.ahead(cycle), older)

    def _is_at(self, stage: int, cycle: int) -> Term:
        """Whether the followed sample entered the network `stage` cycles ago."""
        return self.pool.both(
            self.at("follows", cycle),
            self.core.valid(stage, cycle),
            self.pool.equal(self.at("mine", cycle), self._entered(stage, cycle)),
        )

    def _has_beats(self, count: int, cycle: int) -> Term:
        return self.pool.inverted(self.pool.less(self.at("in_beat", cycle), count))

    # Candidates.

    def _beats(self) -> Iterator[Candidate]:
        """Registers that count beats, and registers that keep beats of an unfinished sample."""
        words: list[Word] = []
        for name, stream in (("in_beat", self.source), ("out_beat", self.result)):
            count = len(stream.beats)
            if count > 1:
                yield Candidate(
                    f"{name} is below {count}",
                    lambda t, n=name, k=count - 1: self.pool.at_most(self.at(n, t), k),
                )
                words.append(Word(name, lambda t, n=name: self.at(n, t)))
        for register, late in self._kept_beats():
            yield Candidate(
                f"{register.name} is the beat of {late} before",
                lambda t, r=register, k=late: self.pool.implied(
                    self._has_beats(k, t),
                    self.pool.equal(self.core.value(r, t), self.beat_before(k, t)),
                ),
            )
        if self.source.user and len(self.source.beats) > 1:
            words.append(
                Word(
                    "TUSER of the sample's first beat",
                    lambda t: self.at("user", t),
                    lambda t: self._has_beats(1, t),
                )
            )
        yield from self.registers_that_hold(words)

    def _kept_beats(self) -> Iterator[tuple[Cell, int]]:
        """Registers in a row behind the data, with the number of beats accepted since."""
        before, width = self.data(0), self.data(0).width
        left = [register for register in self.registers if self.bits_of[register] == width]
        for late in range(1, len(self.source.beats)):
            loads = (r for r in left if before in ordered([self.core.load(r)]))
            register = next(loads, None)
            if register is None:
                return
            yield register, late
            left.remove(register)
            before = self.core.value(register, 0)

    def _network(self) -> Iterator[Candidate]:
        """Serial numbers in the network: each sample has the next one, and no stage two."""
        pool = self.pool
        yield Candidate(
            "samples enter the network as they are accepted",
            lambda t: pool.equal(self._entered(0, t), self.at("entered", t)),
        )
        for stage in range(1, self.latency + 1):
            yield Candidate(
                f"the serial number in stage {stage} of the network",
                lambda t, s=stage: pool.equal(
                    self._entered(s - 1, t), pool.sum(self._entered(s, t), self.core.valid(s, t))
                ),
            )
            yield Candidate(
                f"no more samples in {stage} stages than were taken in as many cycles",
                lambda t, s=stage: self._bounded(s, t),
            )

    def _turns(self) -> Iterator[Candidate]:
        """A folded network takes samples in one cycle of an interval alone."""
        pool, core, interval = self.pool, self.core, self.interval
        if interval == 1:
            return
        yield Candidate("the turn", lambda t: pool.at_most(core.turn(t), interval - 1))
        yield from self.registers_that_hold([Word("the turn", core.turn)])
        for stage in range(1, self.latency + 1):
            yield Candidate(
                f"a sample in stage {stage} came in its turn",
                lambda t, s=stage: pool.implied(
                    core.valid(s, t), pool.is_number(core.turn(t), s % interval)
                ),
            )

    def _bounded(self, stages: int, cycle: int) -> Term:
        """At most one sample for each cycle of the last `stages` in which the network takes one."""
        pool, younger = self.pool, self._younger(stages, cycle)
        turn = self.core.turn(cycle)
        return pool.both(
            *(
                pool.implied(
                    pool.is_number(turn, at),
                    pool.at_most(
                        younger, len(range(at or self.interval, stages + 1, self.interval))
                    ),
                )
                for at in range(self.interval)
            )
        )

    def _counts(self) -> Iterator[Candidate]:
        """Registers count samples, which are bounded, and those in the network among them."""
        pool = self.pool
        yield Candidate(
            "those in the network are held",
            lambda t: pool.at_most(self._younger(self.latency, t), self.held(t)),
        )
        words = (
            Word("the samples held", self.held, low_bits=True),
            Word(
                "those that left the network", lambda t: self._entered(self.latency, t), None, True
            ),
            Word("the results delivered", lambda t: self.at("left", t), None, True),
        )
        yield from self.registers_that_hold(words)
        flags = [register for register, width in self.bits_of.items() if width == 1]
        for limit in self._limits():
            yield Candidate(
                f"at most {limit} samples are held",
                lambda t, k=limit: pool.at_most(self.held(t), k),
            )
            for flag in flags:
                yield Candidate(
                    f"{flag.name}: fewer than {limit} samples are held",
                    lambda t, r=flag, k=limit: pool.implied(
                        self.core.value(r, t), pool.less(self.held(t), k)
                    ),
                )
                yield Candidate(
                    f"not {flag.name}: {limit} samples are held",
                    lambda t, r=flag, k=limit: pool.any_of(
                        [self.core.value(r, t), pool.is_number(self.held(t), k)]
                    ),
                )

    def _limits(self) -> list[int]:
        """Numbers that a register may count to: the most that one holds, and what one becomes is
        compared with.
        """
        words = {width for width in self.bits_of.values() if 1 < width < self.bits}
        most = {(1 << width) - 1 for width in words}
        for each in ordered(map(self.core.load, self.registers)):
            if each.kind == "eq" and each.args[0].width in words:
                most |= {arg.data for arg in each.args if arg.is_constant and arg.data > 1}
        return sorted(most)

    def _followed(self) -> Iterator[Candidate]:
        """The followed sample in the network: in the stage that its place in the order says."""
        pool = self.pool

        def follows(t: int, *then: Term) -> Term:
            return pool.implied(self.at("follows", t), *then)

        yield Candidate(
            "the followed sample is held",
            lambda t: follows(t, pool.less(self.ahead(t), self.held(t))),
        )
        for stage in range(1, self.latency + 1):
            yield Candidate(
                f"a sample that has waited {stage} cycles is behind stage {stage}",
                lambda t, s=stage: follows(
                    t,
                    pool.inverted(pool.less(self.at("patience", t), s)),
                    self._is_behind(s, t),
                ),
            )
            yield Candidate(
                f"the followed sample in stage {stage} of the network",
                lambda t, s=stage: pool.implied(self._is_at(s, t), self.core.is_sample(s, t)),
            )

    def _sidebands(self) -> list[Term]:
        """TUSER and TLAST of the followed sample, side by side, the last one highest."""
        of_ports = ((self.source.user, self.user), (self.source.last, self.last))
        return [term for port, term in of_ports if port]

    def _memories(self) -> Iterator[Candidate]:
        """The followed sample in the memories: result and sidebands, side by side."""
        pool = self.pool
        expected = self.pool.row([*self.core.results.values(), *self._sidebands()])
        memories, low = self.core.netlist.memories, 0
        if sum(memory.width for memory in memories.values()) != expected.width:
            return
        for name, memory in memories.items():
            bits = len(memory.reads[0].connections["ADDR"])
            part, low = pool.part(expected, low, memory.width), low + memory.width

            def holds(t: int, n: str = name, w: int = bits, e: Term = part) -> Term:
                # Its serial number says its word: an address that no cycle changes.
                place = pool.extended(self.at("mine", t), w, signed=False)
                return pool.implied(
                    self.at("follows", t),
                    self._is_behind(self.latency, t),
                    pool.equal(self.core.word(n, t, place), e),
                )

            yield Candidate(f"{name} has the followed sample", holds)

    def _beside_the_network(self) -> Iterator[Candidate]:
        """Registers that carry the sidebands of a sample beside the network, by turns."""
        sidebands = self._sidebands()
        if not sidebands:
            return
        expected = self.pool.row(sidebands)
        for register, stages in self._rows():
            if self.bits_of[register] == expected.width:
                yield Candidate(
                    f"{register.name} goes with the followed sample",
                    lambda t, r=register, s=stages: self.pool.implied(
                        self.pool.any_of([self._is_at(each, t) for each in s]),
                        self.pool.equal(self.core.value(r, t), expected),
                    ),
                )

    def _rows(self) -> Iterator[tuple[Cell, range]]:
        """Registers in rows that end at what a memory is written with, and their stages."""
        of_variable = {f"{cell.name}@0": cell for cell in self.registers}
        for memory in self.core.netlist.memories.values():
            for write in memory.writes:
                for term in ordered([self.core.machine.writing(write, 0).data]):
                    for first in reversed(range(1, self.latency + 1, self.interval)):
                        register = of_variable.get(term.data) if term.kind == "var" else None
                        if register is None:
                            break
                        yield register, range(first, min(first + self.interval, self.latency + 1))
                        loads = self.core.load(register)
                        # By turns: what it loads, or what it holds.
                        others = [each for each in loads.args[1:] if each is not term]
                        term = others[0] if loads.kind == "ite" and len(others) == 1 else loads
