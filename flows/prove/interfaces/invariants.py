"""Candidates for invariants of a wrapper, read off its registers.

They are guesses. `induction.py` keeps a set of them that holds after a reset and carries itself
from each cycle to the next. A wrong guess is dropped, and can prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kan_dialect.flows.prove.cycles.terms import Term, ordered
from kan_dialect.flows.prove.interfaces.induction import Candidate
from kan_dialect.flows.prove.interfaces.scoreboard import Scoreboard
from kan_dialect.flows.prove.interfaces.system import System
from kan_dialect.flows.prove.netlist import Cell, Memory


@dataclass
class Guesses:
    """Finds candidates."""

    board: Scoreboard

    def __post_init__(self) -> None:
        self.system: System = self.board.system
        self.pool = self.board.pool
        self.latency = self.system.network.latency
        self.registers = self.system.registers()
        self.widths = {cell: len(cell.connections["Q"]) for cell in self.registers}
        self.of_variable = {f"{cell.name}@0": cell for cell in self.registers}
        self.loads = {cell: self._load(cell) for cell in self.registers}

    def layers(self) -> list[list[Candidate]]:
        """Groups of guesses; each group may need those before it."""
        return [
            [*self._beats()],
            [*self._network(), *self._counts(), *self._pointers()],
            [*self._followed(), *self._memories(), *self._delays()],
        ]

    # What registers load.

    def _load(self, register: Cell) -> Term:
        """What a register becomes, in terms of cycle 0."""
        return self.system.machine.next_state(register, 0)

    def _sources(self, term: Term) -> Iterator[Term]:
        """The alternatives of a choice."""
        pending = [term]
        while pending:
            each = pending.pop()
            if each.kind == "ite":
                pending += each.args[1:]
            else:
                yield each

    def _register(self, term: Term) -> Cell | None:
        return self.of_variable.get(term.data) if term.kind == "var" else None

    # Words of the bookkeeping.

    def _const(self, value: int, width: int) -> Term:
        return self.pool.constant(value, width)

    def _implies(self, condition: Term, term: Term) -> Term:
        return self.pool.any_of([self.pool.inverted(condition), term])

    def _entered(self, stage: int, cycle: int) -> Term:
        """Serial number of the sample in a stage of the network, or of the next one to come."""
        return self.system.entered(stage, cycle, self.board.bits)

    def _younger(self, stages: int, cycle: int) -> Term:
        """Samples in the first stages of the network."""
        first, last = self._entered(0, cycle), self._entered(stages, cycle)
        return self.pool.make("sub", self.board.bits, [first, last])

    def _stored(self, cycle: int) -> Term:
        """Samples that have left the network and are held."""
        return self._older(self.latency, cycle)

    def _older(self, stage: int, cycle: int) -> Term:
        """Samples that are held and came to the network before the one in a stage."""
        entered, left = self._entered(stage, cycle), self.board.counter("left", cycle)
        return self.pool.make("sub", self.board.bits, [entered, left])

    def _is_at(self, stage: int, cycle: int) -> Term:
        """Whether the followed sample entered the network `stage` cycles ago."""
        return self.pool.both(
            self.board.counter("follows", cycle),
            self.system.valid(stage, cycle),
            self.pool.equal(self.board.counter("mine", cycle), self._entered(stage, cycle)),
        )

    # Candidates.

    def _counts(self) -> Iterator[Candidate]:
        """The samples held are bounded, in a register, and those in the network among them."""
        board, pool, bits = self.board, self.pool, self.board.bits
        limits = self._limits()
        for limit in limits:
            for more in range(limit, limit + 2):
                yield Candidate(
                    f"at most {more} samples are held",
                    lambda t, k=more: pool.inverted(
                        pool.make("ult", 1, [self._const(k, bits), board.held(t)])
                    ),
                )
        yield Candidate(
            "those in the network are held",
            lambda t: pool.inverted(
                pool.make("ult", 1, [board.held(t), self._younger(self.latency, t)])
            ),
        )
        for register, width in self.widths.items():
            if 1 < width <= bits:
                yield Candidate(
                    f"{register.name} counts the samples held",
                    lambda t, r=register: self._is_word(r, board.held(t), t),
                )
            if width == 1:
                for limit in limits:
                    yield Candidate(
                        f"{register.name}: fewer than {limit} samples are held",
                        lambda t, r=register, k=limit: self._implies(
                            self.system.value(r, t),
                            pool.make("ult", 1, [board.held(t), self._const(k, bits)]),
                        ),
                    )
                    yield Candidate(
                        f"not {register.name}: {limit} samples are held",
                        lambda t, r=register, k=limit: pool.any_of(
                            [
                                self.system.value(r, t),
                                pool.equal(board.held(t), self._const(k, bits)),
                            ]
                        ),
                    )

    def _limits(self) -> list[int]:
        """Numbers that a register may count to: the most that one holds, and what one becomes is
        compared with.
        """
        most = {(1 << width) - 1 for width in self.widths.values() if width < self.board.bits}
        words = {width for width in self.widths.values() if 1 < width < self.board.bits}
        for each in ordered(self.loads.values()):
            if each.kind == "eq" and each.args[0].width in words:
                most |= {arg.data for arg in each.args if arg.is_constant and arg.data > 1}
        return sorted(most)

    def _is_word(self, register: Cell, counter: Term, cycle: int) -> Term:
        """A register is a counter, whose upper bits are 0."""
        word = self.pool.extended(self.system.value(register, cycle), counter.width, signed=False)
        return self.pool.equal(word, counter)

    def _network(self) -> Iterator[Candidate]:
        """Serial numbers in the network: each sample has the next one, and no stage two."""
        pool, bits = self.pool, self.board.bits
        yield Candidate(
            "samples enter the network as they are accepted",
            lambda t: pool.equal(self._entered(0, t), self.board.counter("entered", t)),
        )
        for stage in range(1, self.latency + 1):
            yield Candidate(
                f"the serial number in stage {stage} of the network",
                lambda t, s=stage: pool.equal(
                    self._entered(s - 1, t),
                    pool.make(
                        "add",
                        bits,
                        [
                            self._entered(s, t),
                            pool.extended(self.system.valid(s, t), bits, signed=False),
                        ],
                    ),
                ),
            )
            yield Candidate(
                f"at most {stage} samples in as many stages",
                lambda t, s=stage: self._at_most(self._younger(s, t), s),
            )

    def _at_most(self, term: Term, limit: int) -> Term:
        more = self.pool.make("ult", 1, [self._const(limit, term.width), term])
        return self.pool.inverted(more)

    def _followed(self) -> Iterator[Candidate]:
        """The followed sample in the network: in the stage that its place in the order says."""
        board, pool = self.board, self.pool
        yield Candidate(
            "the followed sample is held",
            lambda t: self._implies(
                board.counter("follows", t),
                pool.make("ult", 1, [board.ahead(t), board.held(t)]),
            ),
        )
        for stage in range(1, self.latency + 1):
            yield Candidate(
                f"a sample that has waited {stage} cycles is behind stage {stage}",
                lambda t, s=stage: self._implies(
                    pool.both(
                        board.counter("follows", t),
                        pool.inverted(
                            pool.make(
                                "ult",
                                1,
                                [
                                    board.counter("patience", t),
                                    self._const(s, board.width("patience")),
                                ],
                            )
                        ),
                    ),
                    pool.make("ult", 1, [board.ahead(t), self._older(s, t)]),
                ),
            )
            yield Candidate(
                f"the followed sample in stage {stage} of the network",
                lambda t, s=stage: self._implies(self._is_at(s, t), self.system.is_sample(s, t)),
            )

    def _beats(self) -> Iterator[Candidate]:
        """Registers that count beats, and registers that keep beats of an unfinished sample."""
        board, pool, system = self.board, self.pool, self.system
        for name, stream in (("in_beat", board.source), ("out_beat", board.result)):
            count = len(stream.beats)
            if count == 1:
                continue
            width = board.width(name)
            yield Candidate(
                f"{name} is below {count}",
                lambda t, n=name, k=count - 1, w=width: pool.inverted(
                    pool.make("ult", 1, [self._const(k, w), board.counter(n, t)])
                ),
            )
            for register, found in self.widths.items():
                if found == width:
                    yield Candidate(
                        f"{register.name} counts beats",
                        lambda t, r=register, n=name: self._is_word(r, board.counter(n, t), t),
                    )
        for register, late in self._kept_beats().items():
            yield Candidate(
                f"{register.name} has the beat of {late} before",
                lambda t, r=register, k=late: self._implies(
                    self._has_beats(k, t),
                    pool.equal(system.value(r, t), board.counter(f"before{k}", t)),
                ),
            )
        if board.source.user and len(board.source.beats) > 1:
            for register, found in self.widths.items():
                if found == system.user.width:
                    yield Candidate(
                        f"{register.name} has TUSER of the sample's first beat",
                        lambda t, r=register: self._implies(
                            self._has_beats(1, t),
                            pool.equal(system.value(r, t), board.counter("user", t)),
                        ),
                    )

    def _has_beats(self, count: int, cycle: int) -> Term:
        index = self.board.counter("in_beat", cycle)
        less = self.pool.make("ult", 1, [index, self._const(count, index.width)])
        return self.pool.inverted(less)

    def _kept_beats(self) -> dict[Cell, int]:
        """Registers that may hold an earlier beat, with the number of beats accepted since."""
        data = self.board.data(0)
        found: dict[Cell, int] = {}
        count = len(self.board.source.beats)
        pending: list[tuple[Term, int]] = [(data, 1)] if count > 1 else []
        while pending:
            source, late = pending.pop()
            for register, load in self.loads.items():
                if register in found or self.widths[register] != data.width or late >= count:
                    continue
                if any(each is source for each in self._sources(load)):
                    found[register] = late
                    pending.append((self.system.value(register, 0), late + 1))
        return found

    # The memory behind the network.

    def _memory_ends(self, memory: Memory) -> tuple[Cell, Cell] | None:
        """The registers that address a memory: to write, to read."""
        if len(memory.writes) != 1 or len(memory.reads) != 1:
            return None
        machine = self.system.machine
        written = self._register(machine.word(memory.writes[0].connections["ADDR"], 0))
        read = self._register(machine.word(memory.reads[0].connections["ADDR"], 0))
        return None if written is None or read is None else (written, read)

    def _pointers(self) -> Iterator[Candidate]:
        ends = {self._memory_ends(memory) for memory in self.system.netlist.memories.values()}
        for pair in sorted(filter(None, ends), key=lambda pair: pair[0].name):
            written, read = pair
            yield Candidate(
                f"{written.name} counts the samples that have left the network",
                lambda t, r=written: self._is_low(r, self._entered(self.latency, t), t),
            )
            yield Candidate(
                f"{read.name} counts the results delivered",
                lambda t, r=read: self._is_low(r, self.board.counter("left", t), t),
            )

    def _is_low(self, register: Cell, counter: Term, cycle: int) -> Term:
        """A register is the lower bits of a counter."""
        word = self.system.value(register, cycle)
        return self.pool.equal(word, self.pool.extended(counter, word.width, signed=False))

    def _memories(self) -> Iterator[Candidate]:
        """The followed sample, where a memory has it: as it was written."""
        pool, board, system = self.pool, self.board, self.system
        for name, memory in system.netlist.memories.items():
            ends = self._memory_ends(memory)
            if ends is None:
                continue
            _, read = ends
            data = system.machine.writing(memory.writes[0], 0).data
            expected = self._expected(data, self.latency)
            if expected is None:
                continue
            width = self.widths[read]

            def holds(t: int, n: str = name, w: int = width, e: Term = expected) -> Term:
                # Its serial number says its word: an address that no cycle changes.
                place = pool.extended(board.counter("mine", t), w, signed=False)
                inside = pool.both(
                    board.counter("follows", t),
                    pool.make("ult", 1, [board.ahead(t), self._stored(t)]),
                )
                return self._implies(inside, pool.equal(system.word(n, t, place), e))

            yield Candidate(f"{name} has the followed sample", holds)

    # Registers beside the network.

    def _delays(self) -> Iterator[Candidate]:
        """Registers that carry something of a sample beside the network, one a cycle."""
        pool, system = self.pool, self.system
        for register, stage in self._beside().items():
            expected = self._expected(system.value(register, 0), stage)
            if expected is not None:
                yield Candidate(
                    f"{register.name} goes with the followed sample",
                    lambda t, r=register, s=stage, e=expected: self._implies(
                        self._is_at(s, t), pool.equal(system.value(r, t), e)
                    ),
                )

    def _beside(self) -> dict[Cell, int]:
        """Registers in rows that end at what a memory is written with, and their stages."""
        found: dict[Cell, int] = {}
        machine = self.system.machine
        for memory in self.system.netlist.memories.values():
            for write in memory.writes:
                for each in ordered([machine.writing(write, 0).data]):
                    register, stage = self._register(each), self.latency
                    while register is not None and register not in found and stage:
                        found[register] = stage
                        register, stage = self._register(self.loads[register]), stage - 1
        return found

    def _expected(self, term: Term, stage: int) -> Term | None:
        """What a term is for the followed sample in a stage, by its inputs; None: unknown."""
        beside = self._beside()
        while True:
            rows = {
                variable: register
                for variable in ordered([term])
                if (register := self._register(variable)) is not None
                and beside.get(register) == stage
            }
            if not rows or stage == 0:
                break
            loads = {variable: self.loads[register] for variable, register in rows.items()}
            term = self.pool.rebuilt(self._settled(term, stage), loads)
            stage -= 1
        return self._constant(self._settled(term, stage))

    def _settled(self, term: Term, stage: int) -> Term:
        """The outputs of the network replaced by the result."""
        if stage != self.latency:
            return term
        one = self.pool.constant(1, 1)
        return self.pool.rebuilt(term, {self.system.is_sample(self.latency, 0): one})

    def _constant(self, term: Term) -> Term | None:
        """A term of the sample's own variables: ports and registers that have its sidebands."""
        system, source = self.system, self.board.source
        known: dict[str, Term] = {}
        if source.last:
            known[f"{source.last}@0"] = system.last
        if source.user:
            known[f"{source.user}@0"] = system.user
            if len(source.beats) > 1:
                known |= {
                    name: system.user
                    for name, cell in self.of_variable.items()
                    if self.widths[cell] == system.user.width
                }
        replaced: Mapping[Term, Term] = {
            each: known[each.data]
            for each in ordered([term])
            if each.kind == "var" and each.data in known
        }
        found = self.pool.rebuilt(term, replaced)
        names = [each.data for each in ordered([found]) if each.kind == "var"]
        own = ("sample:", "result:")
        return found if all(name.startswith(own) for name in names) else None
