"""Registers on AXI4-Lite, as docs/reference/axi-lite.md says: what reads and writes must do.

The model is driven by what the ports show. It shares no code with the wrapper's generator. A write
is done in the cycle before its response is first offered; a read sees the cycle in which its
address is taken. What a command does, and what becomes of it, is that of the core
(`sample_model.py`, `training_model.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.interfaces.induction import Candidate
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

State = dict[str, Callable[[int], Term]]
"""By name: the next value, by the cycle before."""


class RegisterModel(ABC):
    """The state that reads and writes must show, by cycle. In cycle 0 it is free."""

    def __init__(
        self, system: WrapperSignals, ports: RegisterPorts, identity: int, latency: int
    ) -> None:
        """`identity`: what HASH must hold. `latency`: of the core."""
        self.system, self.ports, self.identity, self.latency = system, ports, identity, latency
        self.pool = system.pool
        self._known: dict[tuple[str, int], Term] = {}
        self.widths: dict[str, int] = {
            "address": ports.address_bits - 2,
            "data": WORD,
            "strobes": WORD // LANE,
            "count": WORD,
            "age": (latency + 2).bit_length(),
            "answer": WORD,
            "response": 2,
            "read_response": 2,
        }
        self.next: State = {
            "has_address": lambda t: self._set(
                "has_address", self.takes("aw", t), self.executes(t), t
            ),
            "has_data": lambda t: self._set("has_data", self.takes("w", t), self.executes(t), t),
            "address": lambda t: self._loaded(
                "address", t, self.takes("aw", t), self._addr("aw", t)
            ),
            "data": lambda t: self._loaded("data", t, self.takes("w", t), self.bus("wdata", t)),
            "strobes": lambda t: self._loaded(
                "strobes", t, self.takes("w", t), self.bus("wstrb", t)
            ),
            "answers": lambda t: self._set("answers", self.executes(t), self.takes("b", t), t),
            "response": lambda t: self._loaded("response", t, self.executes(t), self.verdict(t)),
            "busy": lambda t: self._set("busy", self.starts(t), self.ends(t), t),
            "done": lambda t: self._set("done", self.ends(t), self.starts(t), t),
            "count": lambda t: self.pool.make(
                "add",
                WORD,
                [self.at("count", t), self.pool.extended(self.ends(t), WORD, signed=False)],
            ),
            "reads": lambda t: self._set("reads", self.takes("ar", t), self.takes("r", t), t),
            "answer": lambda t: self._loaded("answer", t, self.takes("ar", t), self._read(t)[0]),
            "cares": lambda t: self._loaded("cares", t, self.takes("ar", t), self._read(t)[1]),
            "read_response": lambda t: self._loaded(
                "read_response", t, self.takes("ar", t), self._read_verdict(t)
            ),
        }
        plain = ("has_address", "has_data", "answers", "busy", "done", "reads", "count")
        self.alike: dict[str, str] = dict.fromkeys(plain, "")
        """State that a register of the wrapper may hold too: where this other state is 1."""
        self.alike |= {"address": "has_address", "data": "has_data", "strobes": "has_data"}
        for number, place in enumerate(ports.inputs):
            for lane in range(place.lanes):
                name = f"in{number}.{lane}"
                self.widths[name] = place.lane_bits(lane)
                self.next[name] = lambda t, n=number, k=lane: self._lane(n, k, t)

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
    def guesses(self) -> Iterator[Candidate]:
        """Candidates for invariants that speak of the core."""

    def refuses(self, cycle: int) -> Term:
        """A write is a command that is refused."""
        return self.pool.both(self.asks(CONTROL, START, cycle), self.at("busy", cycle))

    def waiting(self, cycle: int) -> Term:
        """A command waits for the core, and writes wait behind it."""
        return self.pool.constant(0, 1)

    # State.

    def at(self, name: str, cycle: int) -> Term:
        """`has_address`, `has_data`: a write's address or data wait for the other; then `address`,
        `data`, `strobes`. `answers`: a response waits, `response`. `busy`, `done`, `count`: as in
        the registers. `reads`: a read waits, for `answer` where `cares`, and `read_response`.
        `in0.0`, ...: bytes of the registers that hold inputs.
        """
        key = name, cycle
        if key not in self._known:
            if cycle == 0:
                found = self.pool.variable(f"model:{name}@0", self.widths.get(name, 1))
            else:
                after = self.next[name](cycle - 1)
                zero = self.pool.constant(0, after.width)
                found = self.pool.chosen(self.system.in_reset(cycle - 1), zero, after)
            self._known[key] = found
        return self._known[key]

    def _loaded(self, name: str, cycle: int, loads: Term, word: Term) -> Term:
        return self.pool.chosen(loads, word, self.at(name, cycle))

    def _set(self, name: str, sets: Term, clears: Term, cycle: int) -> Term:
        kept = self.pool.both(self.at(name, cycle), self.pool.inverted(clears))
        return self.pool.any_of([sets, kept])

    def _counted(self, name: str, cycle: int, starts: Term, last: int) -> Term:
        """A counter of cycles: 1 behind a start, 0 behind `last` and where nothing is under way."""
        pool, age = self.pool, self.at(name, cycle)
        zero, one = pool.constant(0, age.width), pool.constant(1, age.width)
        ends = pool.equal(age, pool.constant(last, age.width))
        still = pool.inverted(pool.any_of([pool.equal(age, zero), ends]))
        following = pool.chosen(still, pool.make("add", age.width, [age, one]), zero)
        return pool.chosen(starts, one, following)

    def is_age(self, age: int, cycle: int, name: str = "age") -> Term:
        """A counter of cycles has a value."""
        now = self.at(name, cycle)
        return self.pool.equal(now, self.pool.constant(age, now.width))

    def at_most(self, name: str, most: int, cycle: int) -> Term:
        """A counter of cycles has no larger value."""
        now = self.at(name, cycle)
        above = self.pool.make("ult", 1, [self.pool.constant(most, now.width), now])
        return self.pool.inverted(above)

    # What the ports show.

    def bus(self, name: str, cycle: int) -> Term:
        return self.system.port(f"{BUS}_{name}", cycle)

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

    def _is_at(self, address: Term, place: int) -> Term:
        return self.pool.equal(address, self.pool.constant(place, address.width))

    def asks(self, place: int, bit: int, cycle: int) -> Term:
        """The write has a bit of a command set, and its byte valid."""
        return self.pool.both(
            self._is_at(self.at("address", cycle), place),
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
        known = pool.any_of([self._is_at(address, p) for p in (*self.ports.commands, *inputs)])
        wrong = pool.any_of([pool.inverted(known), self.refuses(cycle)])
        return pool.chosen(wrong, pool.constant(SLVERR, 2), pool.constant(OKAY, 2))

    def _lane(self, number: int, lane: int, cycle: int) -> Term:
        pool, name = self.pool, f"in{number}.{lane}"
        writes = pool.both(
            self.executes(cycle),
            self._is_at(self.at("address", cycle), self.ports.first + number),
            pool.part(self.at("strobes", cycle), lane, 1),
        )
        word = pool.part(self.at("data", cycle), LANE * lane, self.widths[name])
        return self._loaded(name, cycle, writes, word)

    def held(self, number: int, cycle: int) -> Term:
        """The bits of a register that holds an input."""
        whole = self.at(f"in{number}.0", cycle)
        for lane in range(1, self.ports.inputs[number].lanes):
            whole = self.pool.joined(self.at(f"in{number}.{lane}", cycle), whole)
        return whole

    def input_code(self, port: str, cycle: int) -> Term:
        """The code of an input of the core that the registers hold."""
        words = [n for n, place in enumerate(self.ports.inputs) if place.port.name == port]
        whole = self.held(words[0], cycle)
        for number in words[1:]:
            whole = self.pool.joined(self.held(number, cycle), whole)
        return whole

    # Reads.

    def _read_verdict(self, cycle: int) -> Term:
        pool, address = self.pool, self._addr("ar", cycle)
        known = pool.any_of([self._is_at(address, place) for place in range(self.ports.count)])
        return pool.chosen(known, pool.constant(OKAY, 2), pool.constant(SLVERR, 2))

    def _read(self, cycle: int) -> tuple[Term, Term]:
        """The word that a read must give, and whether any is asked for."""
        pool, address = self.pool, self._addr("ar", cycle)
        inputs, outputs = self.samples
        fixed = dict.fromkeys(self.ports.commands, 0)
        fixed |= {ID: IDENTITY, VERSIONS: VERSION, HASH: self.identity}
        fixed |= {PORTS: inputs | outputs << 16, LATENCY: self.latency}
        words = {place: pool.constant(value, WORD) for place, value in fixed.items()}
        bits = self.status(cycle)
        status = bits[0]
        for bit in bits[1:]:
            status = pool.joined(bit, status)
        words[STATUS] = pool.extended(status, WORD, signed=False)
        words[COUNT] = self.at("count", cycle)
        first = self.ports.first
        for number, place in enumerate(self.ports.inputs, first):
            held = self.held(number - first, cycle)
            words[number] = pool.extended(held, WORD, signed=place.port.signed)
        unknown: list[Term] = []
        for number, place in enumerate(self.ports.outputs, first + len(self.ports.inputs)):
            code, known = self.result(place, cycle)
            words[number] = pool.extended(code, WORD, signed=place.port.signed)
            unknown.append(pool.both(self._is_at(address, number), pool.inverted(known)))
        found = pool.constant(0, WORD)
        for place, word in words.items():
            found = pool.chosen(self._is_at(address, place), word, found)
        return found, pool.inverted(pool.any_of(unknown))

    # Claims.

    def implied(self, *terms: Term) -> Term:
        """The last term holds where all others do."""
        *conditions, then = terms
        return self.pool.any_of([self.pool.inverted(self.pool.both(*conditions)), then])

    def claims(self, cycle: int) -> Iterator[Claim]:
        """What must hold in a cycle without reset."""
        pool, implied = self.pool, self.implied

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
