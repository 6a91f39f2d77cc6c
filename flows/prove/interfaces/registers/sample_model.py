"""Registers of single samples around a network: commands, status and results.

Samples are those of the network's contract (`system.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.terms import Term, ordered
from kan_dialect.flows.prove.interfaces.induction import Candidate
from kan_dialect.flows.prove.interfaces.registers.model import RegisterModel
from kan_dialect.flows.prove.interfaces.registers.ports import Place, RegisterPorts
from kan_dialect.flows.prove.interfaces.signals import free_name
from kan_dialect.flows.prove.interfaces.system import System


class SampleModel(RegisterModel):
    """The registers around a network.

    State beside that of all registers: `age`, cycles since the start, from 1, and 0 where no sample
    is under way. `mine`: the sample started last is the followed one; `right`: the outputs are its
    result; `used`: there was a result.
    """

    def __init__(self, system: System, ports: RegisterPorts, identity: int) -> None:
        super().__init__(system, ports, identity, system.network.latency)
        self.network = system
        self.next |= {
            "age": lambda t: self._counted("age", t, self.starts(t), self.last),
            "mine": lambda t: self._loaded("mine", t, self.starts(t), self._is_sample(t)),
            "right": lambda t: self._loaded("right", t, self.ends(t), self.at("mine", t)),
            "used": lambda t: self.pool.any_of([self.at("used", t), self.ends(t)]),
        }

    @property
    def last(self) -> int:
        """Age of a sample whose result comes."""
        return self.latency + 1

    @property
    def samples(self) -> tuple[int, int]:
        network = self.network.network
        return len(network.inputs), len(network.outputs)

    def ends(self, cycle: int) -> Term:
        return self.network.valid(self.latency, cycle)

    def _is_sample(self, cycle: int) -> Term:
        codes = self.network.codes
        same = [self.pool.equal(self.input_code(p, cycle), code) for p, code in codes.items()]
        return self.pool.both(*same)

    def status(self, cycle: int) -> Sequence[Term]:
        return self.at("busy", cycle), self.at("done", cycle)

    def result(self, place: Place, cycle: int) -> tuple[Term, Term]:
        pool, used = self.pool, self.at("used", cycle)
        code = pool.part(self.network.results[place.port.name], place.low, place.bits)
        known = pool.any_of([self.at("right", cycle), pool.inverted(used)])
        return pool.chosen(used, code, pool.constant(0, code.width)), known

    def claims(self, cycle: int) -> Iterator[Claim]:
        yield from super().claims(cycle)
        pool = self.pool
        enters = self.network.valid(0, cycle)
        name = "a start is one sample of the network, with its inputs"
        yield Claim(name, pool.equal(enters, self.is_age(1, cycle)))
        same = self.network.is_sample(0, cycle)
        yield Claim(name, self.implied(enters, self.at("mine", cycle), same))
        name = f"the result comes {self.last} cycles behind the start"
        yield Claim(name, pool.equal(self.ends(cycle), self.is_age(self.last, cycle)))
        idle = self.is_age(0, cycle)
        yield Claim(name, pool.equal(self.at("busy", cycle), pool.inverted(idle)))

    def guesses(self) -> Iterator[Candidate]:
        pool, network = self.pool, self.network
        for register in network.registers():
            width = len(register.connections["Q"])
            if width == 1:
                yield Candidate(
                    f"{register.name} is 1 in the cycle behind a start",
                    lambda t, r=register: pool.equal(network.value(r, t), self.is_age(1, t)),
                )
            load = network.machine.next_state(register, 0)
            variables = {each.data for each in ordered([load]) if each.kind == "var"}
            for port, result in network.results.items():
                if free_name(port, 0) in variables and result.width == width:
                    yield Candidate(
                        f"{register.name} holds {port}",
                        lambda t, r=register, y=result: self._output(network.value(r, t), y, t),
                    )
        for port in network.codes:
            yield Candidate(
                f"the network gets {port} from its registers",
                lambda t, p=port: pool.equal(network.core_input(p, t), self.input_code(p, t)),
            )
        yield Candidate(
            "a result is that of the sample under way",
            lambda t: self.at_most("age", self.last, t),
        )
        for stage in range(1, self.latency + 1):
            yield Candidate(
                f"stage {stage} of the network is that of the age",
                lambda t, s=stage: pool.equal(network.valid(s, t), self.is_age(s + 1, t)),
            )
            yield Candidate(
                f"the followed sample in stage {stage}",
                lambda t, s=stage: self.implied(
                    self.at("mine", t), self.is_age(s + 1, t), network.is_sample(s, t)
                ),
            )

    def _output(self, held: Term, result: Term, cycle: int) -> Term:
        pool = self.pool
        zero = pool.equal(held, pool.constant(0, held.width))
        right = self.implied(self.at("right", cycle), pool.equal(held, result))
        return pool.both(right, pool.any_of([self.at("used", cycle), zero]))
