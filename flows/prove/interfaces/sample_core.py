"""A wrapper run from a free state, with the network in it as its contract says.

The contract is what `kan-flow prove` proves of the network: its outputs are a function of its
inputs, `latency` cycles later, whatever its other ports carry; `out_valid` is `in_valid`, `latency`
cycles later; `rst` clears what is between them.

One sample of the history is followed. Its codes X and its result Y are variables that no cycle
changes. So the network needs to remember one bit of a cycle's inputs: whether they were X. If so,
the outputs are Y, else anything. A real network is one of these, for every X, with Y = f(X).
"""

from __future__ import annotations

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
        inputs = {"clk": 1, "rst": 1, "in_valid": 1}
        inputs |= {port.name: port.width for port in network.inputs}
        core = find_core(netlist, network.name, inputs, boundary)
        super().__init__(netlist, boundary, core, pool)
        self.network = network
        self._entered: dict[tuple[int, int], Term] = {}
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
        return self.moved("valid", stage, cycle, lambda c: self.core_input("in_valid", c))

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
        """Whether the inputs of the network were X, `stage` cycles earlier."""
        pool = self.pool
        if stage and cycle:
            return self.is_sample(stage - 1, cycle - 1)
        if stage:
            return pool.variable(f"core:is_sample{stage}@0", 1)
        inputs = ((self.core_input(port, cycle), code) for port, code in self.codes.items())
        return pool.both(*(pool.equal(found, code) for found, code in inputs))

    def core_port(self, port: str, cycle: int) -> Term | None:
        latency = self.network.latency
        if port == "out_valid":
            return self.valid(latency, cycle)
        if port not in self.results:
            return None
        result = self.results[port]
        other = self.free(port, cycle, result.width)
        return self.pool.chosen(self.is_sample(latency, cycle), result, other)
