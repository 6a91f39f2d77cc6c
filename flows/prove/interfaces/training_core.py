"""A wrapper around hardware that trains, which is there as its contract says.

The contract is what `kan-flow prove` proves of the hardware (`flows/prove/on_chip/handshake.py`):
a sample is taken where `in_valid` and `in_ready` are 1, and has its outputs `latency` cycles later;
an access is taken where `mem_valid` and `mem_ready` are 1, and what it read comes two cycles later.
`in_ready` is 0 where `mem_valid` is 1, and in `interval` - 1 cycles behind a sample that trains;
`mem_ready` is 0 in `busy` cycles behind any sample. `rst` drops what is under way. Outputs and
words are any: which they must be is the proof of the hardware itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.ir import SSAValue

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.interfaces.boundary import Clocking
from kan_dialect.flows.prove.interfaces.signals import WrapperSignals, find_core
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.flows.prove.on_chip.handshake import READ_CYCLES, Timing
from kan_dialect.ir.fixed_point import fixed_type
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.interface import Port
from kan_dialect.model.on_chip.coefficient_memory import memory_map
from kan_dialect.model.on_chip.training_step import Step


@dataclass(frozen=True)
class TrainingNetwork:
    """Ports and cycles of hardware that trains."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    targets: tuple[Port, ...]
    """Of a sample: targets, or errors."""
    address: Port
    word: Port
    """A word that is written to the memory."""
    read_word: Port
    latency: int
    """Cycles from a sample to its outputs."""
    interval: int
    """Cycles from a sample that trains to the next sample."""
    busy: int
    """Cycles behind a sample in which no access to the memory is taken."""

    @staticmethod
    def of(step: Step, timing: Timing) -> TrainingNetwork:
        """The network of a training step.

        Raises
        ------
        KanError : the step is real-valued.
        """

        def ports(letter: str, value: SSAValue) -> tuple[Port, ...]:
            count = tensor_shape(value)[0]
            return tuple(_of_kind(step, f"{letter}{index}", value) for index in range(count))

        last = (1 << memory_map(step).address_bits) - 1
        return TrainingNetwork(
            step.name,
            ports("x", step.input),
            ports("y", step.output),
            ports("e" if step.fed_error else "t", step.target),
            Port.of_range("mem_address", 0, last),
            _of_kind(step, "mem_data", step.input),
            _of_kind(step, "mem_read_data", step.input),
            timing.latency,
            timing.interval,
            timing.busy,
        )

    @property
    def written(self) -> tuple[Port, ...]:
        """The ports whose registers a host writes, in the order of the registers."""
        return (*self.inputs, *self.targets, self.address, self.word)

    @property
    def read(self) -> tuple[Port, ...]:
        """The ports whose registers a host reads only."""
        return (*self.outputs, self.read_word)


def _of_kind(step: Step, name: str, value: SSAValue) -> Port:
    kind = fixed_type(value)
    if kind is None:
        raise KanError(f"@{step.name} is real-valued: hardware needs fixed-point numbers")
    return Port(name, kind.bits, kind.low, kind.high)


class TrainingCore(WrapperSignals):
    """The signals of a wrapper and of the hardware in it, as terms."""

    def __init__(
        self, netlist: Netlist, boundary: Clocking, network: TrainingNetwork, pool: Pool
    ) -> None:
        single = ("clk", "rst", "in_valid", "train", "mem_valid", "mem_write")
        inputs = dict.fromkeys(single, 1) | {port.name: port.width for port in network.written}
        super().__init__(
            netlist, boundary, find_core(netlist, network.name, inputs, boundary), pool
        )
        self.network = network
        self._free = {port.name: port.width for port in network.read}

    @property
    def inner_paths(self) -> Mapping[str, str]:
        return {"in_ready": "mem_valid"}

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
