"""The ports of hardware that trains, by its training step (docs/reference/training.md)."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from kan_dialect.errors import KanError
from kan_dialect.flows.design import Design
from kan_dialect.ir.fixed_point import FixedType, fixed_type
from kan_dialect.model.interface import Port
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
        design = Design.of_step(step, 0, 0)
        training = design.training
        assert training is not None
        return StepPorts(
            step.name,
            design.core.inputs,
            design.core.outputs,
            training.targets,
            training.address_port,
            training.code_port("mem_data"),
            training.code_port("mem_read_data"),
        )

    @property
    def written(self) -> tuple[Port, ...]:
        """Inputs of the hardware: those of a sample, then those of an access."""
        return (*self.inputs, *self.targets, self.address, self.word)

    @property
    def read(self) -> tuple[Port, ...]:
        """Outputs of the hardware."""
        return (*self.outputs, self.read_word)

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
