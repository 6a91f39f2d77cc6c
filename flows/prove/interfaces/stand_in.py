"""Modules in place of the network, with which a history of a wrapper is played in a simulator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from kan_dialect.flows.prove.interfaces.registers.training_core import TrainingNetwork
from kan_dialect.model.interface import Interface, Port


@dataclass(frozen=True)
class StandIn(ABC):
    """A network in the cycles of a history.

    Its module has a variable `other_NAME` for each output NAME: its value where the contract leaves
    it free.
    """

    others: list[dict[str, int]]
    """Values of free outputs in each cycle."""

    @abstractmethod
    def module(self) -> list[str]:
        """Lines of SystemVerilog."""


@dataclass(frozen=True)
class SampleStandIn(StandIn):
    """A pipeline that knows the result of one sample."""

    network: Interface
    sample: dict[str, int]
    """Codes of the followed sample, by input."""
    result: dict[str, int]
    """Its outputs."""
    valid: list[int]
    """Stages with a sample in cycle 0, the first one first."""
    is_sample: list[int]
    """Stages in cycle 0 whose inputs were the sample."""

    def module(self) -> list[str]:
        network, high = self.network, self.network.latency - 1
        controls = ["input clk, rst, in_valid", "output out_valid"]
        codes = [f"{p.name} == {p.width}'d{self.sample[p.name]}" for p in network.inputs]
        lines = [
            _header(network.name, controls, network.inputs, network.outputs),
            _stages("valid", self.valid),
            _stages("same", self.is_sample),
            "  always @(posedge clk) begin",
            f"    valid <= rst ? {len(self.valid)}'d0 : {{valid, in_valid}};",
            f"    same <= {{same, {' && '.join(codes)}}};",
            "  end",
            f"  assign out_valid = valid[{high}];",
        ]
        for port in network.outputs:
            own = f"{port.width}'d{self.result[port.name]}"
            lines.append(f"  reg [{port.width - 1}:0] other_{port.name};")
            lines.append(f"  assign {port.name} = same[{high}] ? {own} : other_{port.name};")
        return [*lines, "endmodule", ""]


@dataclass(frozen=True)
class TrainingStandIn(StandIn):
    """Hardware that trains, with the cycles of its contract."""

    network: TrainingNetwork
    taken: list[int]
    """Stages with a sample in cycle 0, the first one first."""
    trained: list[int]
    """Stages with a sample that trains."""
    asked: list[int]
    """Stages with an access that reads."""

    def module(self) -> list[str]:
        network = self.network
        controls = ["input clk, rst, in_valid, train, mem_valid, mem_write"]
        controls.append("output in_ready, out_valid, mem_ready, mem_read_valid")
        lines = [_header(network.name, controls, network.written, network.read)]
        stages = (
            ("taken", self.taken, "in_valid & in_ready"),
            ("trained", self.trained, "in_valid & in_ready & train"),
            ("asked", self.asked, "mem_valid & mem_ready & ~mem_write"),
        )
        for name, bits, first in stages:
            lines.append(_stages(name, bits))
            shifted = f"{{{name}, {first}}}"
            lines.append(f"  always @(posedge clk) {name} <= rst ? {len(bits)}'d0 : {shifted};")
        training = f" & ~|trained[{network.interval - 2}:0]" if network.interval > 1 else ""
        busy = f"~|taken[{network.busy - 1}:0]" if network.busy else "1'b1"
        lines += [
            f"  assign in_ready = ~mem_valid{training};",
            f"  assign mem_ready = {busy};",
            f"  assign out_valid = taken[{network.latency - 1}];",
            f"  assign mem_read_valid = asked[{len(self.asked) - 1}];",
        ]
        for port in network.read:
            lines.append(f"  reg [{port.width - 1}:0] other_{port.name};")
            lines.append(f"  assign {port.name} = other_{port.name};")
        return [*lines, "endmodule", ""]


def _header(
    name: str, controls: Sequence[str], inputs: Sequence[Port], outputs: Sequence[Port]
) -> str:
    ports = [*controls]
    ports += [f"input [{port.width - 1}:0] {port.name}" for port in inputs]
    ports += [f"output [{port.width - 1}:0] {port.name}" for port in outputs]
    return f"module {name} ({', '.join(ports)});"


def _stages(name: str, bits: Sequence[int]) -> str:
    """A shift register and what it holds at first, the first stage in its lowest bit."""
    number = sum(bit << place for place, bit in enumerate(bits))
    return f"  reg [{len(bits) - 1}:0] {name} = {len(bits)}'d{number};"
