"""A program of fixed-point operations, each on inputs and earlier results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "input", "sum", "quantiser", "relu", "choice", "table", "not", "any", "all", "and", "or", "xor"
]
"""What an operation computes.

`input` : an input of the program, number `index`, brought to `codes`.
`sum` : its terms and `constant`, exactly.
`quantiser` : its term, brought to `codes`: rounded down to their step, modulo their range.
`relu` : max(term, 0), then as `quantiser`.
`choice` : the second of three terms where the top bit of the first is 1, else the third, then as
    `quantiser`. The top bit is that of the codes of the term's operation.
`table` : the entry of table `index` for its term.
`not` : the inverted bits of its term, then as `quantiser`.
`any`, `all` : 1 where any bit, or all bits, of its term are 1.
`and`, `or`, `xor` : of the bits of two terms, then as `quantiser`.
"""


@dataclass(frozen=True)
class Codes:
    """Two's complement of some bits: a code c stands for c * 2^step."""

    is_signed: bool
    bits: int
    step: int

    @property
    def low(self) -> int:
        """The smallest code."""
        return -(1 << (self.bits - 1)) if self.is_signed else 0

    @property
    def high(self) -> int:
        """The largest code."""
        return self.low + (1 << self.bits) - 1


@dataclass(frozen=True)
class Term:
    """An earlier result, times 2^shift, negative or not."""

    operation: int
    is_negative: bool = False
    shift: int = 0


@dataclass(frozen=True)
class Constant:
    """The number code * 2^step."""

    code: int
    step: int


ZERO = Constant(0, 0)


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes
    ----------
    codes : the codes that the program declares for the result.
    first : the least value that it declares, as a code: the first entry of tables that read it.
    index : of the input or table.
    """

    kind: Kind
    terms: tuple[Term, ...]
    codes: Codes
    first: int
    index: int = 0
    constant: Constant = ZERO


@dataclass(frozen=True)
class Table:
    """Entries of a table, as codes that are within `codes`."""

    entries: tuple[int, ...]
    codes: Codes


@dataclass(frozen=True)
class Program:
    """A program.

    Attributes
    ----------
    name : of the file, for messages.
    shifts : of each input: operations read x * 2^shift.
    results : of each output, a term; None of an output that is always 0.
    """

    name: str
    shifts: tuple[int, ...]
    operations: tuple[Operation, ...]
    tables: tuple[Table, ...]
    results: tuple[Term | None, ...]
