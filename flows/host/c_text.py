"""Parts of C text that several files of the host share: integer types, literals, arrays."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from kan_dialect.ir.constants import Array
from kan_dialect.model.interface import Interface, Port

INT32 = (-(1 << 31), (1 << 31) - 1)
INT64 = (-(1 << 63), (1 << 63) - 1)


def fits(low: int, high: int, bounds: tuple[int, int]) -> bool:
    """Whether a range lies within bounds."""
    return bounds[0] <= low and high <= bounds[1]


def smallest_type(low: int, high: int) -> str:
    """The smallest integer type of C that holds a range."""
    for bits in (8, 16, 32, 64):
        if low >= 0 and high < 1 << bits:
            return f"uint{bits}_t"
        if -(1 << (bits - 1)) <= low and high < 1 << (bits - 1):
            return f"int{bits}_t"
    raise ValueError(f"no integer type holds {low}..{high}")


def literal(value: int) -> str:
    """An integer; a large one in hexadecimal, which is unsigned where it must be."""
    if value < -(1 << 63) + 1:
        return f"({value + 1} - 1)"
    return str(value) if value <= INT32[1] else hex(value)


def text_literal(text: str) -> str:
    """A string in UTF-8. All bytes but printable ASCII are escaped, and so are trigraphs."""
    kept = (chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(kept)}"'


def array(name: str, entries: Array) -> str:
    """The definition of a constant table, in the smallest type that holds its entries."""
    values: list[int] = entries.ravel().tolist()
    kind = smallest_type(min(values), max(values))
    return f"static const {kind} {name}[{len(values)}] = {braces(values)};"


def braces(values: Sequence[int] | Iterable[int]) -> str:
    """An initialiser, in lines."""
    text = ", ".join(map(literal, values))
    lines = textwrap.wrap(text, 96, break_long_words=False, break_on_hyphens=False)
    return "{\n" + "\n".join(f"    {line}" for line in lines) + "\n}"


MAX_STATEMENTS = 1000
"""Most statements of one C function: compilers take long for larger ones."""


def compute_functions(
    code: str, groups: Sequence[Sequence[str]], results: Sequence[str], slots: int
) -> list[list[str]]:
    """The function `compute(x, y)` of groups of statements, and functions that it calls.

    Parameters
    ----------
    code : type of codes.
    groups : statements; those of a group stay in one function.
    results : expressions of the outputs.
    slots : number of values in the array `s`, through which parts of a long function hand them on.
        0 gives one function with local variables.
    """
    stored = [f"y[{index}] = ({code}){text};" for index, text in enumerate(results)]
    signature = f"static void compute(const {code} *x, {code} *y)"
    if not slots:
        return [_function(signature, [*(line for group in groups for line in group), *stored])]
    parts: list[list[str]] = [[]]
    for group in groups:
        if len(parts[-1]) + len(group) > MAX_STATEMENTS and parts[-1]:
            parts.append([])
        parts[-1] += group
    calls = [f"part{index}(x, s);" for index in range(len(parts))]
    return [
        *(
            _function(f"static void part{index}(const {code} *x, int64_t *s)", part)
            for index, part in enumerate(parts)
        ),
        _function(signature, [f"int64_t s[{slots}];", *calls, *stored]),
    ]


def _function(signature: str, body: Sequence[str]) -> list[str]:
    """A function of statements; it says that it does not read its input where that is so."""
    unread = [] if any("x[" in line or "(x" in line for line in body) else ["(void)x;"]
    return [signature, "{", *(f"    {line}" for line in [*unread, *body]), "}"]


def code_type(interface: Interface) -> str:
    """The type of codes: one that holds all of every port."""
    ports: tuple[Port, ...] = (*interface.inputs, *interface.outputs)
    narrow = all(fits(port.low, port.high, INT32) for port in ports)
    return "int32_t" if narrow else "int64_t"
