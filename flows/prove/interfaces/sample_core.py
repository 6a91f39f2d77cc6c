"""A wrapper run from a free state, with the network in it as its contract says.

The contract is what `kan-flow prove` proves of the network: its outputs are a function of its
inputs, `latency` cycles later, whatever its other ports carry; `out_valid` is `in_valid`, `latency`
cycles later; `rst` clears what is between them. A folded network takes a sample in one cycle of an
interval alone, whatever its inputs are: in the cycle behind a reset, and so on. It has no outputs
of what it does not take. One whose tables can be loaded takes no sample where a word waits; a word
that it takes changes the function of the samples behind it, and no other.

One sample of the history is followed. Its codes X and its result Y are variables that no cycle
changes. So the network needs to remember one bit of a cycle's inputs: whether they were X. If so,
the outputs are Y, else anything. A real network is one of these, for every X, with Y = f(X).
"""

from __future__ import annotations

from kan_dialect.flows.design import Design
from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.flows.prove.interfaces.boundary import Clocking
from kan_dialect.flows.prove.interfaces.signals import WrapperSignals, find_core
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.model.interface import Interface


class SampleCore(WrapperSignals):
    """The signals of a wrapper and its network by cycle, as terms."""

    def __init__(
        self, netlist: Netlist, boundary: Clocking, network: Interface, pool: Pool
    ) -> None:
        ports = Design(network).ports.items()
        inputs = {name: bits for name, (is_output, bits) in ports if not is_output}
        core = find_core(netlist, network.name, inputs, boundary)
        super().__init__(netlist, boundary, core, pool)
        self.network = network
        self._entered: dict[tuple[int, int], Term] = {}
        self._turns: dict[int, Term] = {}
        self._tables: dict[int, Term] = {}
        self.codes: dict[str, Term] = {
            port.name: pool.variable(f"sample:{port.name}", port.width) for port in network.inputs
        }
        """X, by port of the network."""
        self.results: dict[str, Term] = {
            port.name: pool.variable(f"result:{port.name}", port.width) for port in network.outputs
        }
        """Y, by port of the network."""

    # The network.

    def valid(self, stage: int, cycle: int) -> Term:
        """Whether the network has a sample that entered it `stage` cycles earlier."""
        return self.moved("valid", stage, cycle, self._taken)

    def _taken(self, cycle: int) -> Term:
        return self.pool.both(self.takes(cycle), self.core_input("in_valid", cycle))

    def takes(self, cycle: int) -> Term:
        """Whether the network takes a sample that is offered."""
        in_turn = self.pool.is_number(self.turn(cycle), 0)
        if not self.network.memory:
            return in_turn
        return self.pool.both(in_turn, self.pool.inverted(self.core_input("mem_valid", cycle)))

    def loaded(self, cycle: int) -> Term:
        """Whether the network takes a word of a table."""
        port = self.load_port(cycle)
        return self.pool.both(port["mem_valid"], port["mem_ready"])

    def load_port(self, cycle: int) -> dict[str, Term]:
        """The ports of the network that write tables."""
        inputs = (name for name in self.core.inputs if name.startswith("mem_"))
        found = {name: self.core_input(name, cycle) for name in inputs}
        return found | ({"mem_ready": self.free("mem_ready", cycle, 1)} if found else {})

    def has_tables(self, cycle: int) -> Term:
        """Whether the tables are those with which the result of X is Y."""
        pool = self.pool
        if not self.network.memory:
            return pool.constant(1, 1)
        if cycle not in self._tables:
            found = pool.variable(f"core:tables@{cycle}", 1)
            if cycle:
                found = pool.chosen(self.loaded(cycle - 1), found, self.has_tables(cycle - 1))
            self._tables[cycle] = found
        return self._tables[cycle]

    def turn(self, cycle: int) -> Term:
        """Cycles since the last one in which the network took a sample, or could have."""
        pool, last = self.pool, self.network.interval - 1
        bits = last.bit_length()
        if not bits:
            return pool.constant(0, 1)
        if cycle not in self._turns:
            found = pool.variable("core:turn@0", bits)
            if cycle:
                old, zero = self.turn(cycle - 1), pool.constant(0, bits)
                following = pool.sum(old, pool.constant(1, bits))
                following = pool.chosen(pool.is_number(old, last), zero, following)
                found = pool.chosen(self.core_input("rst", cycle - 1), zero, following)
            self._turns[cycle] = found
        return self._turns[cycle]

    def entered(self, stage: int, cycle: int, bits: int) -> Term:
        """The number of samples that had entered the network `stage` cycles ago, modulo 2^bits.

        A sample in a stage has this number of the stage as its serial number. Numbers move from
        stage to stage as samples do, so what relates neighbours is kept by the move alone: no sum
        over stages is needed.
        """
        pool = self.pool
        if cycle == 0:
            return pool.variable(f"core:entered{stage}@0", bits)
        key = stage, cycle
        if key not in self._entered:
            found = self.entered(max(stage - 1, 0), cycle - 1, bits)
            if stage == 0:
                found = pool.sum(found, self.valid(0, cycle - 1))
            cleared = self.core_input("rst", cycle - 1)
            self._entered[key] = pool.chosen(cleared, pool.constant(0, bits), found)
        return self._entered[key]

    def is_sample(self, stage: int, cycle: int) -> Term:
        """Whether the inputs of the network were X, and the tables those of Y, at a stage."""
        pool = self.pool
        if stage and cycle:
            return self.is_sample(stage - 1, cycle - 1)
        if stage:
            return pool.variable(f"core:is_sample{stage}@0", 1)
        inputs = ((self.core_input(port, cycle), code) for port, code in self.codes.items())
        same = [pool.equal(found, code) for found, code in inputs]
        return pool.both(self.has_tables(cycle), *same)

    def core_port(self, port: str, cycle: int) -> Term | None:
        latency = self.network.latency
        if port == "out_valid":
            return self.valid(latency, cycle)
        if port == "in_ready" and self.network.interval > 1:
            return self.takes(cycle)
        if port == "mem_ready":
            return self.load_port(cycle).get(port)
        if port not in self.results:
            return None
        result = self.results[port]
        other = self.free(port, cycle, result.width)
        known = self.is_sample(latency, cycle)
        if self.network.interval > 1:
            known = self.pool.both(known, self.valid(latency, cycle))
        return self.pool.chosen(known, result, other)
