"""Registers on AXI4-Lite, as docs/reference/axi-lite.md says: what reads and writes must do.

The model is driven by what the ports show. It shares no code with the wrapper's generator. A write
is done in the cycle before its response is first offered; a read sees the cycle in which its
address is taken. What a command does, and what becomes of it, is that of the core
(`sample_model.py`, `training_model.py`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cache

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.interfaces.model import (
    Candidate,
    OfCycle,
    Offers,
    Word,
    WrapperModel,
)
from kan_dialect.flows.prove.interfaces.registers.ports import (
    BUS,
    CONTROL,
    COUNT,
    HASH,
    ID,
    LANE,
    LATENCY,
    PORTS,
    STATUS,
    VERSIONS,
    WORD,
    Place,
    RegisterPorts,
)
from kan_dialect.flows.prove.interfaces.signals import WrapperSignals

IDENTITY, VERSION = int.from_bytes(b"KAN1", "big"), 1
OKAY, SLVERR = 0, 2
START = 0
"""Bit of CONTROL."""


class RegisterModel(WrapperModel):
    """The state that reads and writes must show.

    `has_address`, `has_data`: a write's address or data wait for the other; then `address`, `data`,
    `strobes`. `answers`: a response waits, `response`. `busy`, `done`, `count`: as in the
    registers. `reads`: a read waits, for `answer` where `cares`, and `read_response`. `in0.0`, ...:
    bytes of the registers that hold inputs.
    """

    group = "registers"
    silent = f"{BUS}_bvalid", f"{BUS}_rvalid"
    offered = tuple(
        Offers(f"{BUS}_{channel}valid", f"{BUS}_{channel}ready", payload)
        for channel, payload in (
            ("aw", (f"{BUS}_awaddr",)),
            ("w", (f"{BUS}_wdata", f"{BUS}_wstrb")),
            ("ar", (f"{BUS}_araddr",)),
        )
    )

    def __init__(self, core: WrapperSignals, ports: RegisterPorts, latency: int) -> None:
        """`latency`: of the core."""
        super().__init__(core)
        self.ports, self.latency = ports, latency
        self.paths = [(tuple(core.netlist.inputs), output) for output in core.netlist.outputs]
        self.identity = self._identity()
        """HASH: any number, but always the same."""
        self.widths = dict.fromkeys(("data", "count", "answer"), WORD)
        self.widths |= {"address": ports.address_bits - 2, "strobes": WORD // LANE}
        self.widths |= {"age": (latency + 2).bit_length(), "response": 2, "read_response": 2}
        self.switch("has_address", lambda t: self.takes("aw", t), self.executes)
        self.switch("has_data", lambda t: self.takes("w", t), self.executes)
        self.switch("answers", self.executes, lambda t: self.takes("b", t))
        self.switch("reads", lambda t: self.takes("ar", t), lambda t: self.takes("r", t))
        self.switch("busy", self.starts, self.ends)
        self.switch("done", self.ends, self.starts)
        taken: dict[str, tuple[str, OfCycle]] = {
            "address": ("aw", lambda t: self._addr("aw", t)),
            "data": ("w", lambda t: self.bus("wdata", t)),
            "strobes": ("w", lambda t: self.bus("wstrb", t)),
            "answer": ("ar", lambda t: self._read(t)[0]),
            "cares": ("ar", lambda t: self._read(t)[1]),
            "read_response": ("ar", self._read_verdict),
        }
        for name, (channel, word) in taken.items():
            self.load(name, lambda t, c=channel: self.takes(c, t), word)
        self.load("response", self.executes, self.verdict)
        self.next["count"] = lambda t: self.pool.sum(self.at("count", t), self.ends(t))
        self.alike = dict.fromkeys(
            ("has_address", "has_data", "answers", "busy", "done", "reads", "count"), ""
        )
        """State that a register of the wrapper may hold too: where this other state is 1."""
        self.alike |= {"address": "has_address", "data": "has_data", "strobes": "has_data"}
        for number, place in enumerate(ports.inputs):
            for lane in range(place.lanes):
                self._lane(number, lane, place.lane_bits(lane))

    def _identity(self) -> int:
        pool, port = self.pool, self.signals.port
        address = port(f"{BUS}_araddr", 0)
        ones = port(f"{BUS}_arvalid", 0), port(self.ports.reset, 0)
        replaced = dict.fromkeys(ones, pool.constant(1, 1))
        replaced[address] = pool.constant(HASH << 2, address.width)
        word = pool.rebuilt(port(f"{BUS}_rdata", 1), replaced)
        while word.kind == "ite":
            word = word.args[1]
        if not word.is_constant:
            raise KanError("the register HASH is not read as a constant", remedy="build again")
        return int(word.data)

    # What the core decides.

    @property
    @abstractmethod
    def samples(self) -> tuple[int, int]:
        """Number of inputs and of outputs of a sample."""

    @abstractmethod
    def ends(self, cycle: int) -> Term:
        """The core has the outputs of a sample."""

    @abstractmethod
    def status(self, cycle: int) -> Sequence[Term]:
        """The bits of STATUS, the lowest first."""

    @abstractmethod
    def result(self, place: Place, cycle: int) -> tuple[Term, Term]:
        """The bits in a register of an output, and whether they are known."""

    @abstractmethod
    def core_guesses(self) -> Iterator[Candidate]:
        """Candidates for invariants that speak of the core."""

    def guesses(self) -> Iterator[list[Candidate]]:
        """Claims are guesses themselves; registers may hold what the model does."""

        @cache
        def claims(cycle: int) -> list[Claim]:
            return [*self.claims(cycle)]

        def at(cycle: int, number: int) -> Term:
            in_reset = self.signals.in_reset(cycle)
            return self.pool.any_of([in_reset, claims(cycle)[number].term])

        claimed = [
            Candidate(claim.name, lambda t, n=number: at(t, n))
            for number, claim in enumerate(claims(0))
        ]
        words = [
            Word(
                name,
                lambda t, n=name: self.at(n, t),
                (lambda t, w=where: self.at(w, t)) if where else None,
            )
            for name, where in self.alike.items()
        ]
        yield [*claimed, *self.registers_that_hold(words), *self.core_guesses()]

    def refuses(self, cycle: int) -> Term:
        """A write is a command that is refused."""
        return self.pool.both(self.asks(CONTROL, START, cycle), self.at("busy", cycle))

    def waiting(self, cycle: int) -> Term:
        """A command waits for the core, and writes wait behind it."""
        return self.pool.constant(0, 1)

    # State.

    def load(self, name: str, loads: OfCycle, word: OfCycle) -> None:
        """State that takes a word in some cycles."""
        self.next[name] = lambda t: self.pool.chosen(loads(t), word(t), self.at(name, t))

    def switch(self, name: str, sets: OfCycle, clears: OfCycle) -> None:
        """A bit that is set in some cycles and cleared in others."""
        pool = self.pool
        self.next[name] = lambda t: pool.any_of(
            [sets(t), pool.both(self.at(name, t), pool.inverted(clears(t)))]
        )

    def count_age(self, name: str, starts: OfCycle, last: int) -> None:
        """A counter of cycles: 1 behind a start, 0 behind `last` and where nothing is under way."""
        pool = self.pool

        def following(cycle: int) -> Term:
            age = self.at(name, cycle)
            zero, one = pool.constant(0, age.width), pool.constant(1, age.width)
            idle = pool.any_of([pool.is_number(age, 0), pool.is_number(age, last)])
            return pool.chosen(starts(cycle), one, pool.chosen(idle, zero, pool.sum(age, one)))

        self.next[name] = following

    def is_age(self, age: int, cycle: int, name: str = "age") -> Term:
        """A counter of cycles has a value."""
        return self.pool.is_number(self.at(name, cycle), age)

    # What the ports show.

    def bus(self, name: str, cycle: int) -> Term:
        return self.signals.port(f"{BUS}_{name}", cycle)

    def takes(self, channel: str, cycle: int) -> Term:
        """A channel moves a word."""
        return self.pool.both(
            self.bus(f"{channel}valid", cycle), self.bus(f"{channel}ready", cycle)
        )

    def executes(self, cycle: int) -> Term:
        """A write is done: the next cycle is the first that offers its response."""
        pool = self.pool
        waited = pool.both(self.bus("bvalid", cycle), pool.inverted(self.bus("bready", cycle)))
        return pool.both(self.bus("bvalid", cycle + 1), pool.inverted(waited))

    def _addr(self, channel: str, cycle: int) -> Term:
        return self.pool.part(self.bus(f"{channel}addr", cycle), 2, self.widths["address"])

    # Writes.

    def asks(self, place: int, bit: int, cycle: int) -> Term:
        """The write has a bit of a command set, and its byte valid."""
        return self.pool.both(
            self.pool.is_number(self.at("address", cycle), place),
            self.pool.part(self.at("strobes", cycle), bit // LANE, 1),
            self.pool.part(self.at("data", cycle), bit, 1),
        )

    def starts(self, cycle: int) -> Term:
        free = self.pool.inverted(self.at("busy", cycle))
        return self.pool.both(self.executes(cycle), self.asks(CONTROL, START, cycle), free)

    def verdict(self, cycle: int) -> Term:
        """The response of a write."""
        pool, address, first = self.pool, self.at("address", cycle), self.ports.first
        inputs = range(first, first + len(self.ports.inputs))
        known = pool.any_of(
            [self.pool.is_number(address, p) for p in (*self.ports.commands, *inputs)]
        )
        wrong = pool.any_of([pool.inverted(known), self.refuses(cycle)])
        return pool.chosen(wrong, pool.constant(SLVERR, 2), pool.constant(OKAY, 2))

    def _lane(self, number: int, lane: int, bits: int) -> None:
        """A byte of a register that holds an input."""
        pool, name = self.pool, f"in{number}.{lane}"
        self.widths[name] = bits

        def writes(cycle: int) -> Term:
            return pool.both(
                self.executes(cycle),
                pool.is_number(self.at("address", cycle), self.ports.first + number),
                pool.part(self.at("strobes", cycle), lane, 1),
            )

        self.load(name, writes, lambda t: pool.part(self.at("data", t), LANE * lane, bits))

    def held(self, number: int, cycle: int) -> Term:
        """The bits of a register that holds an input."""
        lanes = range(self.ports.inputs[number].lanes)
        return self.pool.row(self.at(f"in{number}.{lane}", cycle) for lane in lanes)

    def input_code(self, port: str, cycle: int) -> Term:
        """The code of an input of the core that the registers hold."""
        words = [n for n, place in enumerate(self.ports.inputs) if place.port.name == port]
        return self.pool.row(self.held(number, cycle) for number in words)

    # Reads.

    def _read_verdict(self, cycle: int) -> Term:
        pool, address = self.pool, self._addr("ar", cycle)
        known = pool.any_of(
            [self.pool.is_number(address, place) for place in range(self.ports.count)]
        )
        return pool.chosen(known, pool.constant(OKAY, 2), pool.constant(SLVERR, 2))

    def _read(self, cycle: int) -> tuple[Term, Term]:
        """The word that a read must give, and whether any is asked for."""
        pool, address = self.pool, self._addr("ar", cycle)
        inputs, outputs = self.samples
        fixed = dict.fromkeys(self.ports.commands, 0)
        fixed |= {ID: IDENTITY, VERSIONS: VERSION, HASH: self.identity}
        fixed |= {PORTS: inputs | outputs << 16, LATENCY: self.latency}
        words = {place: pool.constant(value, WORD) for place, value in fixed.items()}
        words[STATUS] = pool.extended(pool.row(self.status(cycle)), WORD, signed=False)
        words[COUNT] = self.at("count", cycle)
        first = self.ports.first
        for number, place in enumerate(self.ports.inputs, first):
            held = self.held(number - first, cycle)
            words[number] = pool.extended(held, WORD, signed=place.port.signed)
        unknown: list[Term] = []
        for number, place in enumerate(self.ports.outputs, first + len(self.ports.inputs)):
            code, known = self.result(place, cycle)
            words[number] = pool.extended(code, WORD, signed=place.port.signed)
            unknown.append(pool.both(self.pool.is_number(address, number), pool.inverted(known)))
        found = pool.constant(0, WORD)
        for place, word in words.items():
            found = pool.chosen(self.pool.is_number(address, place), word, found)
        return found, pool.inverted(pool.any_of(unknown))

    # Claims.

    def claims(self, cycle: int) -> Iterator[Claim]:
        pool, implied = self.pool, self.pool.implied

        def none(name: str) -> Term:
            return pool.inverted(self.at(name, cycle))

        address, data = self.at("has_address", cycle), self.at("has_data", cycle)
        both = pool.both(address, data)
        answers, reads = self.at("answers", cycle), self.at("reads", cycle)
        free = pool.inverted(self.waiting(cycle))
        name = "one write at a time"
        yield Claim(name, implied(self.bus("awready", cycle), none("has_address")))
        yield Claim(name, implied(self.bus("wready", cycle), none("has_data")))
        name = "a response has an address and data of its own"
        yield Claim(name, implied(self.executes(cycle), both))
        name = "responses stay, and say what became of the write"
        yield Claim(name, pool.equal(self.bus("bvalid", cycle), answers))
        right = pool.equal(self.bus("bresp", cycle), self.at("response", cycle))
        yield Claim(name, implied(answers, right))
        name = "a write with address and data is answered in the next cycle"
        if not free.is_constant:
            name += " in which no command waits"
        yield Claim(name, implied(both, pool.inverted(answers), free, self.executes(cycle)))
        yield Claim("writes are taken", pool.any_of([address, self.bus("awready", cycle)]))
        yield Claim("writes are taken", pool.any_of([data, self.bus("wready", cycle)]))
        name = "a read is answered once, in the next cycle, until it is taken"
        yield Claim(name, pool.equal(self.bus("rvalid", cycle), reads))
        yield Claim(name, implied(self.bus("arready", cycle), none("reads")))
        yield Claim("reads are taken", pool.any_of([reads, self.bus("arready", cycle)]))
        right = pool.equal(self.bus("rdata", cycle), self.at("answer", cycle))
        yield Claim("reads give the registers", implied(reads, self.at("cares", cycle), right))
        right = pool.equal(self.bus("rresp", cycle), self.at("read_response", cycle))
        yield Claim("reads say whether there is a register", implied(reads, right))
