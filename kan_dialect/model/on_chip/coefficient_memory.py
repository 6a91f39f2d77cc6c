"""The memories of a training step in hardware: banks, rows and addresses of coefficients.

Coefficient j of an edge is in bank j mod (degree + 1), row j div (degree + 1), so degree + 1
neighbours are in different banks. The address of a word at the memory port consists of the edge
(counted layer by layer, node by node, input by input), the bank and the row, from the upper bits
down. Velocities follow all coefficients in the same way, and count as layers of their own here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.on_chip.training_step import Step
from kan_dialect.ops.on_chip import UpdateOp


@dataclass(frozen=True)
class Bank:
    """One memory: the coefficients of an edge whose indices have the same remainder."""

    layer: int
    output: int
    input: int
    number: int


@dataclass(frozen=True)
class MemoryMap:
    """The memories of a step."""

    shapes: tuple[tuple[int, int, int], ...]
    """Shape of each layer: (out, in, coefficients)."""
    banks: tuple[int, ...]
    """Number of banks of an edge in each layer: degree + 1."""

    @property
    def edges(self) -> int:
        return sum(outputs * inputs for outputs, inputs, _ in self.shapes)

    @property
    def bank_bits(self) -> int:
        return (max(self.banks) - 1).bit_length()

    @property
    def row_bits(self) -> int:
        return max((self.rows(layer) - 1).bit_length() for layer in range(len(self.shapes)))

    @property
    def address_bits(self) -> int:
        """Width of an address at the memory port."""
        return max(1, (self.edges - 1).bit_length() + self.bank_bits + self.row_bits)

    def rows(self, layer: int) -> int:
        """Number of words of each bank of a layer."""
        return -(-self.shapes[layer][2] // self.banks[layer])

    def all_banks(self) -> Iterator[Bank]:
        """All memories, in the order of their addresses."""
        for layer, (outputs, inputs, _) in enumerate(self.shapes):
            for output in range(outputs):
                for input in range(inputs):
                    for number in range(self.banks[layer]):
                        yield Bank(layer, output, input, number)

    def place(self, bank: Bank) -> int:
        """The upper bits of a bank's addresses, which are edge and bank."""
        first = sum(outputs * inputs for outputs, inputs, _ in self.shapes[: bank.layer])
        edge = first + bank.output * self.shapes[bank.layer][1] + bank.input
        return edge << self.bank_bits | bank.number

    def addresses(self, layer: int) -> IntArray:
        """The addresses of a layer's coefficients: (out, in, coefficients), int64."""
        outputs, inputs, count = self.shapes[layer]
        first = self.place(Bank(layer, 0, 0, 0)) >> self.bank_bits
        edges = first + np.arange(outputs * inputs).reshape(outputs, inputs, 1)
        row, bank = np.divmod(np.arange(count), self.banks[layer])
        return ((edges << self.bank_bits | bank) << self.row_bits | row).astype(np.int64)

    def words(self, bank: Bank, state: IntArray) -> IntArray:
        """The words (rows), int64, of a bank, given its layer's coefficients.

        Parameters
        ----------
        state : (out, in, coefficients), int64.
        """
        held = np.zeros(self.rows(bank.layer), dtype=np.int64)
        own = state[bank.output, bank.input, bank.number :: self.banks[bank.layer]]
        held[: len(own)] = own
        return held


def memory_map(step: Step) -> MemoryMap:
    """The memories of a step.

    Raises
    ------
    KanError : the next value of a state is not the result of its `kan.update`.
    """
    shapes: list[tuple[int, int, int]] = []
    banks: list[int] = []
    for state, following in zip(step.states, step.next_states, strict=True):
        op = following.owner
        if not isinstance(op, UpdateOp) or op.coefficients != state:
            raise KanError(
                f"@{step.name}: the next state of argument {state.index} must be a kan.update of it"
            )
        outputs, inputs, count = tensor_shape(state)
        shapes.append((outputs, inputs, count))
        banks.append(tensor_shape(op.weights)[1])
    return MemoryMap(tuple(shapes), tuple(banks))
