"""Registers around hardware that trains: commands of samples and of coefficients, and results.

A command hands the core what the registers hold when it is given. The core takes it when it is
ready; until then all writes wait. So the core gets samples and accesses in the order of their
commands, each once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.interfaces.model import Candidate
from kan_dialect.flows.prove.interfaces.registers.model import RegisterModel
from kan_dialect.flows.prove.interfaces.registers.ports import (
    MEM_CONTROL,
    Place,
    RegisterPorts,
)
from kan_dialect.flows.prove.interfaces.training_core import TrainingCore
from kan_dialect.flows.prove.on_chip.handshake import READ_CYCLES
from kan_dialect.quantity import quantity

TRAIN, READ, WRITE = 1, 0, 1
"""Bits of CONTROL, and of MEM_CONTROL."""


class TrainingModel(RegisterModel):
    """The registers around hardware that trains.

    State beside that of all registers: `sample`, `access`: a command waits for the core; `waited`:
    for so many cycles; `trains`, `mem_write`: which command it was. `age`: cycles since the core
    took the sample, `read_age`: since it took an access that reads; from 1, and 0 where there is
    none. `mem_busy`, `mem_done`: as in the registers. `sent:x0`, ...: a code at the command.
    `got:y0`, ...: what the core gave last.
    """

    def __init__(self, core: TrainingCore, ports: RegisterPorts) -> None:
        network = core.network
        super().__init__(core, ports, network.latency)
        self.core = core
        self.longest = max(network.interval - 1, network.busy)
        """Cycles that a command waits for the core, at most."""
        self.widths["read_age"] = READ_CYCLES.bit_length()
        self.widths["waited"] = (self.longest + 2).bit_length()
        self.switch("sample", self.starts, lambda t: core.taken(0, t))
        self.switch("access", self.accesses, core.accessed)
        self.switch("mem_busy", self.accesses, self._access_ends)
        self.switch("mem_done", self._access_ends, self.accesses)
        self.load("trains", self.starts, lambda t: self._bit(TRAIN, t))
        self.load("mem_write", self.accesses, lambda t: self._bit(WRITE, t))
        self.count_age("age", lambda t: core.taken(0, t), network.latency)
        self.count_age("read_age", lambda t: core.asked(0, t), READ_CYCLES)
        self.next["waited"] = self._waited
        plain = ("sample", "access", "trains", "mem_write", "mem_busy", "mem_done")
        self.alike |= dict.fromkeys(plain, "")
        self.memory = (network.ports.address, network.ports.word)
        """Ports of an access; the others that are written are those of a sample."""
        for port in network.ports.written:
            name, commands = f"sent:{port.name}", self.starts
            if port in self.memory:
                commands = self.accesses
            self.widths[name] = port.width
            self.load(name, commands, lambda t, p=port.name: self.input_code(p, t))
        for port in network.ports.read:
            name, comes = f"got:{port.name}", self.ends
            if port == network.ports.read_word:
                comes = self._word_comes
            self.widths[name], self.alike[name] = port.width, ""
            self.load(name, comes, lambda t, p=port: core.free(p.name, t, p.width))

    def finding(self, measured: dict[str, int]) -> str:
        return (
            "reads and writes are those of its registers, for every history of the bus; samples "
            "and accesses to coefficients are those of its commands, each once, in their order"
        )

    # Commands.

    @property
    def samples(self) -> tuple[int, int]:
        return len(self.core.network.ports.inputs), len(self.core.network.ports.outputs)

    def ends(self, cycle: int) -> Term:
        return self.core.taken(self.latency, cycle)

    def _bit(self, bit: int, cycle: int) -> Term:
        return self.pool.part(self.at("data", cycle), bit, 1)

    def _asks_access(self, cycle: int) -> Term:
        return self.pool.any_of(self.asks(MEM_CONTROL, bit, cycle) for bit in (READ, WRITE))

    def accesses(self, cycle: int) -> Term:
        """A write is a command of an access that is not refused."""
        free = self.pool.inverted(self.at("mem_busy", cycle))
        return self.pool.both(self.executes(cycle), self._asks_access(cycle), free)

    def _word_comes(self, cycle: int) -> Term:
        return self.core.asked(READ_CYCLES, cycle)

    def _access_ends(self, cycle: int) -> Term:
        writes = self.core.core_input("mem_write", cycle)
        written = self.pool.both(self.core.accessed(cycle), writes)
        return self.pool.any_of([written, self._word_comes(cycle)])

    def refuses(self, cycle: int) -> Term:
        access = self.pool.both(self._asks_access(cycle), self.at("mem_busy", cycle))
        return self.pool.any_of([super().refuses(cycle), access])

    def waiting(self, cycle: int) -> Term:
        return self.pool.any_of([self.at("sample", cycle), self.at("access", cycle)])

    def _waited(self, cycle: int) -> Term:
        pool, waited = self.pool, self.at("waited", cycle)
        taken = pool.any_of([self.core.taken(0, cycle), self.core.accessed(cycle)])
        still = pool.both(self.waiting(cycle), pool.inverted(taken))
        one = pool.constant(1, waited.width)
        return pool.chosen(still, pool.sum(waited, one), pool.constant(0, waited.width))

    def status(self, cycle: int) -> Sequence[Term]:
        return [self.at(name, cycle) for name in ("busy", "done", "mem_busy", "mem_done")]

    def result(self, place: Place, cycle: int) -> tuple[Term, Term]:
        got = self.at(f"got:{place.port.name}", cycle)
        return self.pool.part(got, place.low, place.bits), self.pool.constant(1, 1)

    # Claims.

    def claims(self, cycle: int) -> Iterator[Claim]:
        yield from super().claims(cycle)
        pool, core, network = self.pool, self.core, self.core.network
        sample, access = self.at("sample", cycle), self.at("access", cycle)

        def sent(condition: Term, pin: str, name: str) -> Term:
            same = pool.equal(core.core_input(pin, cycle), self.at(name, cycle))
            return pool.implied(condition, same)

        name = "a start is one sample of the network"
        yield Claim(name, pool.equal(core.core_input("in_valid", cycle), sample))
        name = "a sample trains if its start says so, with the codes at its start"
        yield Claim(name, sent(sample, "train", "trains"))
        for port in (*network.ports.inputs, *network.ports.targets):
            yield Claim(name, sent(sample, port.name, f"sent:{port.name}"))
        name = "a command of an access is one access of the memory port"
        yield Claim(name, pool.equal(core.core_input("mem_valid", cycle), access))
        name = "an access has the address and word at its command"
        yield Claim(name, sent(access, "mem_write", "mem_write"))
        for port in self.memory:
            yield Claim(name, sent(access, port.name, f"sent:{port.name}"))
        name = "no write is done while a command waits for the network"
        yield Claim(name, pool.inverted(pool.both(self.executes(cycle), self.waiting(cycle))))
        yield Claim(name, pool.inverted(pool.both(sample, access)))
        name = f"a command waits for {quantity(self.longest, 'cycle')} at most"
        yield Claim(name, pool.at_most(self.at("waited", cycle), self.longest))
        name = "a sample is under way from its start until its outputs"
        under_way = pool.any_of([sample, pool.inverted(self.is_age(0, cycle))])
        yield Claim(name, pool.equal(self.at("busy", cycle), under_way))
        yield Claim(name, pool.equal(self.ends(cycle), self.is_age(self.latency, cycle)))
        name = "an access is under way from its command until it is done"
        read_comes = self.is_age(READ_CYCLES, cycle, "read_age")
        under_way = pool.any_of([access, pool.inverted(self.is_age(0, cycle, "read_age"))])
        yield Claim(name, pool.equal(self.at("mem_busy", cycle), under_way))
        yield Claim(name, pool.equal(core.asked(READ_CYCLES, cycle), read_comes))

    def core_guesses(self) -> Iterator[Candidate]:
        pool, core, network = self.pool, self.core, self.core.network
        for port in network.ports.written:
            yield Candidate(
                f"the network gets {port.name} from its registers",
                lambda t, p=port.name: pool.equal(core.core_input(p, t), self.input_code(p, t)),
            )
            waits = "access" if port in self.memory else "sample"
            yield Candidate(
                f"{port.name} stays while a command waits",
                lambda t, p=port.name, w=waits: pool.implied(
                    self.at(w, t), pool.equal(self.at(f"sent:{p}", t), self.input_code(p, t))
                ),
            )
        counters = (("age", "sample", network.latency, core.taken),)
        counters += (("read_age", "access", READ_CYCLES, core.asked),)
        for name, waits, last, stage in counters:
            yield Candidate(
                f"{name} ends", lambda t, n=name, k=last: pool.at_most(self.at(n, t), k)
            )
            yield Candidate(
                f"{waits} waits or is under way",
                lambda t, n=name, w=waits: pool.implied(self.at(w, t), self.is_age(0, t, n)),
            )
            for age in range(1, last + 1):
                yield Candidate(
                    f"{name} is {age} in its stage",
                    lambda t, n=name, k=age, s=stage: pool.equal(s(k, t), self.is_age(k, t, n)),
                )
        yield Candidate(
            "only what waits has waited",
            lambda t: pool.any_of([self.waiting(t), self.is_age(0, t, "waited")]),
        )
        for age in range(1, self.longest + 1):
            for stage in (core.taken, core.trained):
                yield Candidate(
                    f"nothing was taken {age} cycles ago while a command waits longer",
                    lambda t, k=age, s=stage: pool.any_of(
                        [pool.at_most(self.at("waited", t), k - 1), pool.inverted(s(k, t))]
                    ),
                )
