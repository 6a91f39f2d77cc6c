"""Registers on AXI4-Lite, as docs/reference/axi-lite.md says: what reads and writes must do.

The model is driven by what the ports show. It shares no code with the wrapper's generator. A write
is done in the cycle before its response is first offered; a read sees the cycle in which its
address is taken. Samples are those of the network's contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.interfaces.boundary import Clocking
from kan_dialect.flows.prove.interfaces.system import System
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.model.interface import Interface, Port

WORD, LANE = 32, 8
BUS = "s_axi"
IDENTITY, VERSION = int.from_bytes(b"KAN1", "big"), 1
ID, VERSIONS, HASH, PORTS, LATENCY, CONTROL, STATUS, COUNT, FIRST = range(9)
"""Places of the registers in their order."""
OKAY, SLVERR = 0, 2

_INPUTS = {
    "awvalid": 1,
    "wvalid": 1,
    "wdata": WORD,
    "wstrb": WORD // LANE,
    "bready": 1,
    "arvalid": 1,
    "rready": 1,
}
_OUTPUTS = {
    "awready": 1,
    "wready": 1,
    "bvalid": 1,
    "bresp": 2,
    "arready": 1,
    "rvalid": 1,
    "rdata": WORD,
    "rresp": 2,
}


@dataclass(frozen=True)
class Place:
    """A register that has bits of a port."""

    port: Port
    low: int
    """Lowest bit of the port."""

    @property
    def bits(self) -> int:
        return min(WORD, self.port.width - self.low)

    @property
    def lanes(self) -> int:
        """Bytes with bits of the port."""
        return -(-self.bits // LANE)

    def lane_bits(self, lane: int) -> int:
        return min(LANE, self.bits - LANE * lane)


@dataclass(frozen=True)
class RegisterPorts(Clocking):
    """All ports of a wrapper with registers."""

    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]

    @property
    def count(self) -> int:
        """Number of registers."""
        return FIRST + len(self.inputs) + len(self.outputs)

    @property
    def address_bits(self) -> int:
        return (self.count - 1).bit_length() + 2


def register_ports(interface: Interface, netlist: Netlist) -> RegisterPorts:
    """The registers and ports of a wrapper.

    Raises
    ------
    KanError : a port is missing, there is another one, or one has another width.
    """

    def places(ports: tuple[Port, ...]) -> tuple[Place, ...]:
        return tuple(Place(p, low) for p in ports for low in range(0, p.width, WORD))

    found = RegisterPorts("aclk", "aresetn", 0, places(interface.inputs), places(interface.outputs))
    address = found.address_bits
    wanted: dict[str, tuple[str, int]] = {"aclk": ("input", 1), "aresetn": ("input", 1)}
    inputs = _INPUTS | {"awaddr": address, "araddr": address}
    wanted |= {f"{BUS}_{name}": ("input", bits) for name, bits in inputs.items()}
    wanted |= {f"{BUS}_{name}": ("output", bits) for name, bits in _OUTPUTS.items()}
    got = {name: ("input", len(bits)) for name, bits in netlist.inputs.items()}
    got |= {name: ("output", len(bits)) for name, bits in netlist.outputs.items()}
    for name in [*wanted, *got]:
        if wanted.get(name) != got.get(name):
            raise KanError(
                f"port {name} of the wrapper must be {_described(wanted.get(name))}, and is "
                f"{_described(got.get(name))}"
            )
    return found


def _described(port: tuple[str, int] | None) -> str:
    return "absent" if port is None else f"an {port[0]} of width {port[1]}"


@dataclass
class RegisterModel:
    """The state that reads and writes must show, by cycle. In cycle 0 it is free."""

    system: System
    ports: RegisterPorts
    identity: int
    """What HASH must hold."""
    _known: dict[tuple[str, int], Term] = field(default_factory=dict[tuple[str, int], Term])

    def __post_init__(self) -> None:
        self.pool = self.system.pool
        self.latency = self.system.network.latency
        pool = self.pool
        self.widths = {
            "address": self.ports.address_bits - 2,
            "data": WORD,
            "strobes": WORD // LANE,
            "count": WORD,
            "age": (self.latency + 2).bit_length(),
            "answer": WORD,
            "response": 2,
            "read_response": 2,
        }
        self.next: dict[str, Callable[[int], Term]] = {
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
            "age": self._aged,
            "count": lambda t: pool.make(
                "add", WORD, [self.at("count", t), pool.extended(self.ends(t), WORD, signed=False)]
            ),
            "mine": lambda t: self._loaded("mine", t, self.starts(t), self._is_sample(t)),
            "right": lambda t: self._loaded("right", t, self.ends(t), self.at("mine", t)),
            "used": lambda t: pool.any_of([self.at("used", t), self.ends(t)]),
            "reads": lambda t: self._set("reads", self.takes("ar", t), self.takes("r", t), t),
            "answer": lambda t: self._loaded("answer", t, self.takes("ar", t), self._read(t)[0]),
            "cares": lambda t: self._loaded("cares", t, self.takes("ar", t), self._read(t)[1]),
            "read_response": lambda t: self._loaded(
                "read_response", t, self.takes("ar", t), self._read_verdict(t)
            ),
        }
        for number, place in enumerate(self.ports.inputs):
            for lane in range(place.lanes):
                name = f"in{number}.{lane}"
                self.widths[name] = place.lane_bits(lane)
                self.next[name] = lambda t, n=number, k=lane: self._lane(n, k, t)

    # State.

    def at(self, name: str, cycle: int) -> Term:
        """`has_address`, `has_data`: a write's address or data wait for the other; then `address`,
        `data`, `strobes`. `answers`: a response waits, `response`. `busy`, `done`, `count`: as in
        the registers. `age`: cycles since the start, from 1; 0 where none is under way. `mine`: the
        sample started last is the followed one; `right`: the outputs are its result; `used`: there
        was a result. `reads`: a read waits, for `answer` where `cares`, and `read_response`.
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

    def _aged(self, cycle: int) -> Term:
        pool, age = self.pool, self.at("age", cycle)
        zero, one = pool.constant(0, age.width), pool.constant(1, age.width)
        still = pool.inverted(pool.any_of([pool.equal(age, zero), self.is_age(self.last, cycle)]))
        following = pool.chosen(still, pool.make("add", age.width, [age, one]), zero)
        return pool.chosen(self.starts(cycle), one, following)

    @property
    def last(self) -> int:
        """Age of a sample whose result comes."""
        return self.latency + 1

    def is_age(self, age: int, cycle: int) -> Term:
        now = self.at("age", cycle)
        return self.pool.equal(now, self.pool.constant(age, now.width))

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

    def _asks(self, cycle: int) -> Term:
        """The write is one of CONTROL that asks for a start."""
        return self.pool.both(
            self._is_at(self.at("address", cycle), CONTROL),
            self.pool.part(self.at("strobes", cycle), 0, 1),
            self.pool.part(self.at("data", cycle), 0, 1),
        )

    def starts(self, cycle: int) -> Term:
        free = self.pool.inverted(self.at("busy", cycle))
        return self.pool.both(self.executes(cycle), self._asks(cycle), free)

    def ends(self, cycle: int) -> Term:
        """The network has a result."""
        return self.system.valid(self.latency, cycle)

    def verdict(self, cycle: int) -> Term:
        """The response of a write."""
        pool, address = self.pool, self.at("address", cycle)
        writable = [CONTROL, *(FIRST + number for number in range(self.input_count))]
        known = pool.any_of([self._is_at(address, place) for place in writable])
        refused = pool.both(self._asks(cycle), self.at("busy", cycle))
        wrong = pool.any_of([pool.inverted(known), refused])
        return pool.chosen(wrong, pool.constant(SLVERR, 2), pool.constant(OKAY, 2))

    @property
    def input_count(self) -> int:
        return len(self.ports.inputs)

    def _lane(self, number: int, lane: int, cycle: int) -> Term:
        pool, name = self.pool, f"in{number}.{lane}"
        writes = pool.both(
            self.executes(cycle),
            self._is_at(self.at("address", cycle), FIRST + number),
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
        """The code of an input of the network."""
        words = [n for n, place in enumerate(self.ports.inputs) if place.port.name == port]
        whole = self.held(words[0], cycle)
        for number in words[1:]:
            whole = self.pool.joined(self.held(number, cycle), whole)
        return whole

    def _is_sample(self, cycle: int) -> Term:
        codes = self.system.codes
        same = [self.pool.equal(self.input_code(p, cycle), code) for p, code in codes.items()]
        return self.pool.both(*same)

    # Reads.

    def _read_verdict(self, cycle: int) -> Term:
        pool, address = self.pool, self._addr("ar", cycle)
        known = pool.any_of([self._is_at(address, place) for place in range(self.ports.count)])
        return pool.chosen(known, pool.constant(OKAY, 2), pool.constant(SLVERR, 2))

    def _read(self, cycle: int) -> tuple[Term, Term]:
        """The word that a read must give, and whether any is asked for."""
        pool, address = self.pool, self._addr("ar", cycle)
        network = self.system.network
        ports = len(network.inputs) | len(network.outputs) << 16
        fixed = {ID: IDENTITY, VERSIONS: VERSION, HASH: self.identity, PORTS: ports}
        fixed |= {LATENCY: self.latency, CONTROL: 0}
        words = {place: pool.constant(value, WORD) for place, value in fixed.items()}
        status = pool.joined(self.at("done", cycle), self.at("busy", cycle))
        words[STATUS] = pool.extended(status, WORD, signed=False)
        words[COUNT] = self.at("count", cycle)
        for number, place in enumerate(self.ports.inputs):
            held = self.held(number, cycle)
            words[FIRST + number] = pool.extended(held, WORD, signed=place.port.signed)
        first, is_output = FIRST + self.input_count, list[Term]()
        for number, place in enumerate(self.ports.outputs):
            code = pool.part(self.system.results[place.port.name], place.low, place.bits)
            word = pool.extended(code, WORD, signed=place.port.signed)
            before = pool.constant(0, WORD)
            words[first + number] = pool.chosen(self.at("used", cycle), word, before)
            is_output.append(self._is_at(address, first + number))
        found = pool.constant(0, WORD)
        for place, word in words.items():
            found = pool.chosen(self._is_at(address, place), word, found)
        known = pool.any_of([self.at("right", cycle), pool.inverted(self.at("used", cycle))])
        return found, pool.any_of([known, pool.inverted(pool.any_of(is_output))])

    # Claims.

    def claims(self, cycle: int) -> Iterator[Claim]:
        """What must hold in a cycle without reset."""
        pool = self.pool

        def implied(*terms: Term) -> Term:
            *conditions, then = terms
            return pool.any_of([pool.inverted(pool.both(*conditions)), then])

        def none(*names: str) -> Term:
            return pool.both(*(pool.inverted(self.at(name, cycle)) for name in names))

        address, data = self.at("has_address", cycle), self.at("has_data", cycle)
        both = pool.both(address, data)
        answers, reads = self.at("answers", cycle), self.at("reads", cycle)
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
        yield Claim(name, implied(both, pool.inverted(answers), self.executes(cycle)))
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
        enters = self.system.valid(0, cycle)
        name = "a start is one sample of the network, with its inputs"
        yield Claim(name, pool.equal(enters, self.is_age(1, cycle)))
        same = self.system.is_sample(0, cycle)
        yield Claim(name, implied(enters, self.at("mine", cycle), same))
        name = f"the result comes {self.last} cycles behind the start"
        yield Claim(name, pool.equal(self.ends(cycle), self.is_age(self.last, cycle)))
        idle = self.is_age(0, cycle)
        yield Claim(name, pool.equal(self.at("busy", cycle), pool.inverted(idle)))
