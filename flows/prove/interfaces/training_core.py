"""A wrapper around hardware that trains, which is there as its contract says.

The contract is what `kan-flow prove` proves of the hardware (`flows/prove/on_chip/handshake.py`):
a sample is taken where `in_valid` and `in_ready` are 1, and has its outputs `latency` cycles later;
an access is taken where `mem_valid` and `mem_ready` are 1, and what it read comes two cycles later.
`in_ready` is 0 where `mem_valid` is 1, and in `interval` - 1 cycles behind a sample that trains;
`mem_ready` is 0 in `busy` cycles behind any sample. `rst` drops what is under way. Outputs and
words are any: which they must be is the proof of the hardware itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.interfaces.boundary import Clocking
from kan_dialect.flows.prove.interfaces.signals import WrapperSignals, find_core
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.flows.prove.on_chip.handshake import READ_CYCLES
from kan_dialect.flows.prove.on_chip.step_ports import StepPorts


@dataclass(frozen=True)
class TrainingNetwork:
    """Ports and cycles of hardware that trains."""

    ports: StepPorts
    latency: int
    """Cycles from a sample to its outputs."""
    interval: int
    """Cycles from a sample that trains to the next sample."""
    busy: int
    """Cycles behind a sample in which no access to the memory is taken."""

    @property
    def name(self) -> str:
        return self.ports.name


class TrainingCore(WrapperSignals):
    """The signals of a wrapper and of the hardware in it, as terms."""

    def __init__(
        self, netlist: Netlist, boundary: Clocking, network: TrainingNetwork, pool: Pool
    ) -> None:
        single = ("clk", "rst", "in_valid", "train", "mem_valid", "mem_write")
        inputs = dict.fromkeys(single, 1) | {
            port.name: port.width for port in network.ports.written
        }
        super().__init__(
            netlist, boundary, find_core(netlist, network.name, inputs, boundary), pool
        )
        self.network = network
        self._free = {port.name: port.width for port in network.ports.read}

    def taken(self, age: int, cycle: int) -> Term:
        """A sample was taken `age` cycles earlier."""
        return self.moved("taken", age, cycle, lambda c: self._both("in_valid", "in_ready", c))

    def trained(self, age: int, cycle: int) -> Term:
        """A sample that trains was taken `age` cycles earlier."""

        def first(c: int) -> Term:
            return self.pool.both(self.taken(0, c), self.core_input("train", c))

        return self.moved("trained", age, cycle, first)

    def accessed(self, cycle: int) -> Term:
        """An access is taken."""
        return self._both("mem_valid", "mem_ready", cycle)

    def asked(self, age: int, cycle: int) -> Term:
        """An access that reads was taken `age` cycles earlier."""

        def first(c: int) -> Term:
            reads = self.pool.inverted(self.core_input("mem_write", c))
            return self.pool.both(self.accessed(c), reads)

        return self.moved("asked", age, cycle, first)

    def _both(self, valid: str, ready: str, cycle: int) -> Term:
        found = self.core_port(ready, cycle)
        assert found is not None
        return self.pool.both(self.core_input(valid, cycle), found)

    def core_port(self, port: str, cycle: int) -> Term | None:
        pool, network = self.pool, self.network
        match port:
            case "in_ready":
                training = (self.trained(age, cycle) for age in range(1, network.interval))
                stops = pool.any_of([self.core_input("mem_valid", cycle), *training])
                return pool.inverted(stops)
            case "mem_ready":
                busy = (self.taken(age, cycle) for age in range(1, network.busy + 1))
                return pool.inverted(pool.any_of(busy))
            case "out_valid":
                return self.taken(network.latency, cycle)
            case "mem_read_valid":
                return self.asked(READ_CYCLES, cycle)
            case _ if port in self._free:
                return self.free(port, cycle, self._free[port])
            case _:
                return None
