"""Registers of single samples around a network: commands, status and results.

Samples are those of the network's contract (`sample_core.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.terms import Term, ordered
from kan_dialect.flows.prove.interfaces.model import Candidate, OfCycle
from kan_dialect.flows.prove.interfaces.registers.model import RegisterModel
from kan_dialect.flows.prove.interfaces.registers.ports import LANE, Place, RegisterPorts
from kan_dialect.flows.prove.interfaces.sample_core import SampleCore
from kan_dialect.model.interface import Port


class SampleModel(RegisterModel):
    """The registers around a network.

    State beside that of all registers: `waits`: a sample waits for the network; `age`: cycles since
    the network took it, from 1, and 0 if it took none. `mine`: the sample started last is the
    followed one; `right`: the outputs are its result; `used`: there was a result. `loads`: a word
    of a table waits for the network.
    """

    def __init__(self, core: SampleCore, ports: RegisterPorts) -> None:
        super().__init__(core, ports, core.network.latency)
        self.core = core
        self.is_folded = core.network.interval > 1
        self.switch("waits", self.starts, lambda t: core.valid(0, t))
        self.alike |= {"waits": ""}
        self.count_age("age", lambda t: core.valid(0, t), self.latency)
        self.load("mine", self.starts, self._is_sample)
        self.load("right", self.ends, lambda t: self.at("mine", t))
        self.next["used"] = lambda t: self.pool.any_of([self.at("used", t), self.ends(t)])
        self.memory = core.network.memory
        if self.memory:
            address, word = self.memory
            self.switch("loads", lambda t: self._writes_last(word, t), core.loaded)
            self.alike |= {"loads": ""}
            self._count_words(address)

    def _writes_last(self, port: Port, cycle: int) -> Term:
        """A write has the highest byte of a port."""
        pool, places = self.pool, self.ports.inputs
        number = max(n for n, place in enumerate(places) if place.port == port)
        return pool.both(
            self.executes(cycle),
            pool.is_number(self.at("address", cycle), self.ports.first + number),
            pool.part(self.at("strobes", cycle), places[number].lanes - 1, 1),
        )

    def _count_words(self, port: Port) -> None:
        """Behind each word, the register of the address has the next one."""
        pool, places = self.pool, self.ports.inputs
        (number,) = (n for n, place in enumerate(places) if place.port == port)
        one = pool.constant(1, port.width)

        def counts(low: int, bits: int, writes: OfCycle) -> OfCycle:
            return lambda t: pool.chosen(
                self.core.loaded(t),
                pool.part(pool.sum(self.held(number, t), one), low, bits),
                writes(t),
            )

        for lane in range(places[number].lanes):
            name = f"in{number}.{lane}"
            bits = places[number].lane_bits(lane)
            self.next[name] = counts(LANE * lane, bits, self.next[name])

    def finding(self, measured: dict[str, int]) -> str:
        found = (
            "reads and writes are those of its registers, for every history of the bus; outputs "
            "are those of the sample started last"
        )
        words = ", with the words that were written before its start" if self.memory else ""
        return found + words

    @property
    def samples(self) -> tuple[int, int]:
        network = self.core.network
        return len(network.inputs), len(network.outputs)

    def ends(self, cycle: int) -> Term:
        return self.core.valid(self.latency, cycle)

    def waiting(self, cycle: int) -> Term:
        if not self.is_folded:
            return super().waiting(cycle)
        return self.pool.any_of(self.at(name, cycle) for name in self._commands)

    @property
    def _commands(self) -> Sequence[str]:
        """State: what waits for the network."""
        return ("waits", "loads") if self.memory else ("waits",)

    def _is_sample(self, cycle: int) -> Term:
        codes = self.core.codes
        same = [self.pool.equal(self.input_code(p, cycle), code) for p, code in codes.items()]
        return self.pool.both(self.core.has_tables(cycle), *same)

    def status(self, cycle: int) -> Sequence[Term]:
        return self.at("busy", cycle), self.at("done", cycle)

    def result(self, place: Place, cycle: int) -> tuple[Term, Term]:
        pool, used = self.pool, self.at("used", cycle)
        code = pool.part(self.core.results[place.port.name], place.low, place.bits)
        known = pool.any_of([self.at("right", cycle), pool.inverted(used)])
        return pool.chosen(used, code, pool.constant(0, code.width)), known

    def claims(self, cycle: int) -> Iterator[Claim]:
        yield from super().claims(cycle)
        pool, implied = self.pool, self.pool.implied
        enters = self.core.valid(0, cycle)
        name = "a start is one sample of the network, with its inputs"
        in_turn = pool.both(self.at("waits", cycle), self.core.takes(cycle))
        yield Claim(name, pool.equal(enters, in_turn))
        same = self.core.is_sample(0, cycle)
        yield Claim(name, implied(enters, self.at("mine", cycle), same))
        name = f"the result comes {self.latency + 1} cycles behind the start"
        if self.is_folded:
            name += ", and the wait for the turn of the network"
        yield Claim(name, pool.equal(self.ends(cycle), self.is_age(self.latency, cycle)))
        under_way = pool.any_of([self.at("waits", cycle), pool.inverted(self.is_age(0, cycle))])
        yield Claim(name, pool.equal(self.at("busy", cycle), under_way))
        if not self.memory:
            return
        loads, sent = self.at("loads", cycle), self.core.load_port(cycle)
        name = "a write of the highest byte of a word is one word of the network's port"
        yield Claim(name, pool.equal(sent["mem_valid"], loads))
        for port in self.memory:
            same = pool.equal(sent[port.name], self.input_code(port.name, cycle))
            yield Claim("a word has the address and bits of its registers", implied(loads, same))
        name = "no write is done while a sample or a word waits for the network"
        yield Claim(name, pool.inverted(pool.both(self.executes(cycle), self.waiting(cycle))))
        yield Claim(name, pool.inverted(pool.both(loads, self.at("waits", cycle))))

    def core_guesses(self) -> Iterator[Candidate]:
        pool, core = self.pool, self.core
        for register in core.registers():
            variables = {term.data for term in ordered([core.load(register)]) if term.kind == "var"}
            for port, result in core.results.items():
                free = core.free(port, 0, result.width)
                if free.data in variables and result.width == len(register.connections["Q"]):
                    yield Candidate(
                        f"{register.name} holds {port}",
                        lambda t, r=register, y=result: self._output(core.value(r, t), y, t),
                    )
        yield Candidate(
            "the sample that waits is that of the start",
            lambda t: pool.implied(self.at("waits", t), self.at("mine", t), core.is_sample(0, t)),
        )
        yield Candidate(
            "one sample at a time",
            lambda t: pool.implied(self.at("waits", t), self.is_age(0, t)),
        )
        for port in core.network.driven:
            yield Candidate(
                f"the network gets {port.name} from its registers",
                lambda t, p=port.name: pool.equal(core.core_input(p, t), self.input_code(p, t)),
            )
        yield Candidate(
            "a result is that of the sample under way",
            lambda t: pool.at_most(self.at("age", t), self.latency),
        )
        for stage in range(1, self.latency + 1):
            yield Candidate(
                f"stage {stage} of the network is that of the age",
                lambda t, s=stage: pool.equal(core.valid(s, t), self.is_age(s, t)),
            )
            yield Candidate(
                f"the followed sample in stage {stage}",
                lambda t, s=stage: self.pool.implied(
                    self.at("mine", t), self.is_age(s, t), core.is_sample(s, t)
                ),
            )

    def _output(self, held: Term, result: Term, cycle: int) -> Term:
        pool = self.pool
        zero = pool.is_number(held, 0)
        right = self.pool.implied(self.at("right", cycle), pool.equal(held, result))
        return pool.both(right, pool.any_of([self.at("used", cycle), zero]))
