"""The ports of hardware that trains, by its training step (docs/reference/training.md)."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.netlist import Netlist, require_ports
from kan_dialect.ir.fixed_point import FixedType, fixed_type
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.interface import Port
from kan_dialect.model.on_chip.coefficient_memory import memory_map
from kan_dialect.model.on_chip.training_step import Step


@dataclass(frozen=True)
class StepPorts:
    """The ports that carry numbers."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    targets: tuple[Port, ...]
    """Of a sample: targets, or errors."""
    address: Port
    word: Port
    """A word that is written to the memory."""
    read_word: Port

    @staticmethod
    def of(step: Step) -> StepPorts:
        """The ports of a step.

        Raises
        ------
        KanError : the step is real-valued.
        """

        def ports(letter: str, value: SSAValue) -> tuple[Port, ...]:
            count = tensor_shape(value)[0]
            return tuple(_port(f"{letter}{index}", value) for index in range(count))

        return StepPorts(
            step.name,
            ports("x", step.input),
            ports("y", step.output),
            ports("e" if step.fed_error else "t", step.target),
            Port.of_range("mem_address", 0, (1 << memory_map(step).address_bits) - 1),
            _port("mem_data", step.input),
            _port("mem_read_data", step.input),
        )

    @property
    def written(self) -> tuple[Port, ...]:
        """Inputs of the hardware: those of a sample, then those of an access."""
        return (*self.inputs, *self.targets, self.address, self.word)

    @property
    def read(self) -> tuple[Port, ...]:
        """Outputs of the hardware."""
        return (*self.outputs, self.read_word)

    def require(self, netlist: Netlist) -> None:
        """Refuse a module with other ports.

        Raises
        ------
        KanError : names the first port that is another one.
        """
        given = ("clk", "rst", "in_valid", "train", "mem_valid", "mem_write")
        shown = ("in_ready", "out_valid", "mem_ready", "mem_read_valid")
        expected = {name: ("input", 1) for name in given}
        expected |= {name: ("output", 1) for name in shown}
        expected |= {port.name: ("input", port.width) for port in self.written}
        expected |= {port.name: ("output", port.width) for port in self.read}
        require_ports(netlist, expected, f"@{self.name}")

    def number(self, port: str, pattern: int) -> int:
        """The number that a port's pattern stands for."""
        found = (each for each in (*self.written, *self.read) if each.name == port)
        known = next(found, None)
        return signed(pattern, known.width) if known is not None and known.signed else pattern


def signed(pattern: int, bits: int) -> int:
    """The number of a two's complement word."""
    top = 1 << (bits - 1)
    return (pattern ^ top) - top


def number_type(value: SSAValue) -> FixedType:
    """The fixed-point type of a value.

    Raises
    ------
    KanError : it is real-valued.
    """
    kind = fixed_type(value)
    if kind is None:
        raise KanError("the training step is real-valued: hardware needs fixed-point numbers")
    return kind


def _port(name: str, value: SSAValue) -> Port:
    kind = number_type(value)
    return Port(name, kind.bits, kind.low, kind.high)
