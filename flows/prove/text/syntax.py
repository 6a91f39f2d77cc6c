"""The tree of a text: what `docs/reference/rtl-subset.md` has productions for.

`at` is the index of a token, for messages. Widths are in bits, patterns are unsigned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

Dimensions: TypeAlias = tuple[int, ...]
"""Of a packed type: () a bit, (width,) a vector, (elements, width) an array of vectors."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A sized number: `4'd3`, `-4'sd3`."""

    at: int
    width: int
    pattern: int
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Name:
    """All of a signal."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Element:
    """`name[index]`: a bit of a vector, an element of an array, a word of a memory."""

    at: int
    name: str
    index: Expression | int
    """A plain number, or an expression."""


@dataclass(frozen=True, slots=True)
class Part:
    """`name[high:low]`."""

    at: int
    name: str
    high: int
    low: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function."""

    at: int
    name: str
    arguments: list[Expression]


@dataclass(frozen=True, slots=True)
class Concatenation:
    """`{a, b}`, the highest part first."""

    at: int
    parts: list[Expression]


@dataclass(frozen=True, slots=True)
class Replication:
    """`{count{part}}`."""

    at: int
    count: int
    part: Expression


@dataclass(frozen=True, slots=True)
class Cast:
    """`$signed(operand)`, `$unsigned(operand)`."""

    at: int
    signed: bool
    operand: Expression


@dataclass(frozen=True, slots=True)
class Unary:
    """`-a`, `~a`, or the parity `^a`."""

    at: int
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and an operator between them."""

    at: int
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? if_true : if_false`."""

    at: int
    condition: Expression
    if_true: Expression
    if_false: Expression


Expression: TypeAlias = (
    Literal
    | Name
    | Element
    | Part
    | Call
    | Concatenation
    | Replication
    | Cast
    | Unary
    | Binary
    | Choice
)


@dataclass(frozen=True, slots=True)
class Port:
    at: int
    name: str
    is_output: bool
    dimensions: Dimensions


@dataclass(frozen=True, slots=True)
class Constant:
    """`localparam logic [size-1:0] name = value;`: one bit of a table's entries."""

    at: int
    name: str
    size: int
    value: list[Literal]
    """The highest first."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire and its expression."""

    at: int
    name: str
    dimensions: Dimensions
    value: Expression


@dataclass(frozen=True, slots=True)
class Register:
    """The declaration of a register, which a process loads, or of an output of an instance."""

    at: int
    name: str
    dimensions: Dimensions


@dataclass(frozen=True, slots=True)
class Memory:
    """The declaration of a memory: words that processes write and read."""

    at: int
    name: str
    dimensions: Dimensions
    """Of a word: a bit or a vector."""

    words: int
    distributed: bool
    contents: list[Literal] | None
    """Of each word, when the device wakes up; None: nothing is said."""


@dataclass(frozen=True, slots=True)
class Adder:
    """A function that adds two numbers, `left + right + carry`, modulo 2^width.

    `twice = {left, carry} + {right, carry}`, or `{left, carry} - {~right, ~carry}`, one bit wider;
    the function is all of it but the lowest bit. Without a carry, that is 0.
    """

    at: int
    name: str
    width: int
    carries: bool
    subtracts: bool
    """Written as a difference."""

    locals: list[str] = field(default_factory=list[str])
    """Names of the arguments and variables."""


@dataclass(frozen=True, slots=True)
class Load:
    """`register <= value;`, where the value may be a word of a memory."""

    at: int
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Write:
    """`if (enable) memory[address] <= value;`."""

    at: int
    memory: str
    address: Expression | int
    enable: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class Process:
    """`always_ff @(posedge clock)`, with all that happens at an edge."""

    at: int
    clock: Name
    reset: Expression | None
    resets: list[Load]
    """Values that the registers load while `reset` is 1, in the order of `loads`."""

    loads: list[Load | Write]


@dataclass(frozen=True, slots=True)
class Assignment:
    """`assign output = value;`."""

    at: int
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Connection:
    """`.port(value)`."""

    at: int
    port: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Instance:
    """`module name (.port(value), ...);`."""

    at: int
    module: str
    name: str
    connections: list[Connection]


Item: TypeAlias = Constant | Wire | Register | Memory | Adder | Process | Assignment | Instance


@dataclass(frozen=True, slots=True)
class Module:
    at: int
    name: str
    ports: list[Port]
    items: list[Item]
    is_kept: bool
    """It has the attribute by which synthesis keeps it apart."""
