"""Registers of single samples around a network: commands, status and results.

Samples are those of the network's contract (`sample_core.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.terms import Term, ordered
from kan_dialect.flows.prove.interfaces.model import Candidate
from kan_dialect.flows.prove.interfaces.registers.model import RegisterModel
from kan_dialect.flows.prove.interfaces.registers.ports import Place, RegisterPorts
from kan_dialect.flows.prove.interfaces.sample_core import SampleCore


class SampleModel(RegisterModel):
    """The registers around a network.

    State beside that of all registers: `waits`: a sample waits for the network; `age`: cycles since
    the network took it, from 1, and 0 if it took none. `mine`: the sample started last is the
    followed one; `right`: the outputs are its result; `used`: there was a result.
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

    def finding(self, measured: dict[str, int]) -> str:
        return (
            "reads and writes are those of its registers, for every history of the bus; outputs "
            "are those of the sample started last"
        )

    @property
    def samples(self) -> tuple[int, int]:
        network = self.core.network
        return len(network.inputs), len(network.outputs)

    def ends(self, cycle: int) -> Term:
        return self.core.valid(self.latency, cycle)

    def waiting(self, cycle: int) -> Term:
        return self.at("waits", cycle) if self.is_folded else super().waiting(cycle)

    def _is_sample(self, cycle: int) -> Term:
        codes = self.core.codes
        same = [self.pool.equal(self.input_code(p, cycle), code) for p, code in codes.items()]
        return self.pool.both(*same)

    def status(self, cycle: int) -> Sequence[Term]:
        return self.at("busy", cycle), self.at("done", cycle)

    def result(self, place: Place, cycle: int) -> tuple[Term, Term]:
        pool, used = self.pool, self.at("used", cycle)
        code = pool.part(self.core.results[place.port.name], place.low, place.bits)
        known = pool.any_of([self.at("right", cycle), pool.inverted(used)])
        return pool.chosen(used, code, pool.constant(0, code.width)), known

    def claims(self, cycle: int) -> Iterator[Claim]:
        yield from super().claims(cycle)
        pool = self.pool
        enters = self.core.valid(0, cycle)
        name = "a start is one sample of the network, with its inputs"
        in_turn = pool.both(self.at("waits", cycle), self.core.takes(cycle))
        yield Claim(name, pool.equal(enters, in_turn))
        same = self.core.is_sample(0, cycle)
        yield Claim(name, self.pool.implied(enters, self.at("mine", cycle), same))
        name = f"the result comes {self.latency + 1} cycles behind the start"
        if self.is_folded:
            name += ", and the wait for the turn of the network"
        yield Claim(name, pool.equal(self.ends(cycle), self.is_age(self.latency, cycle)))
        under_way = pool.any_of([self.at("waits", cycle), pool.inverted(self.is_age(0, cycle))])
        yield Claim(name, pool.equal(self.at("busy", cycle), under_way))

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
        for port in core.codes:
            yield Candidate(
                f"the network gets {port} from its registers",
                lambda t, p=port: pool.equal(core.core_input(p, t), self.input_code(p, t)),
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
