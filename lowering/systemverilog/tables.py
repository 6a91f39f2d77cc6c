"""Tables as text: a constant vector for each bit of the entries, indexed by the code.

Yosys reads these vectors as small functions of bits. It would read a `case` as a memory, and move
its address register behind the table, where it is as wide as an entry
(docs/rationale/hardware.md has figures). A comment lists the entry of each code, with equal
neighbours together.

Yosys turns an indexed vector into a barrel shifter first, with a multiplexer for each entry and
each bit of the code. Long tables are written as nested choices between words instead, with one
multiplexer for each entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress, count, islice
from operator import ne

import numpy as np

from kan_dialect.ir.constants import Array
from kan_dialect.lowering.systemverilog.layout import LINE_LENGTH, broken, commented, listed
from kan_dialect.maths.truth_tables import bits_of_code

LISTED_ENTRIES = 256
"""Longest table whose entries are listed in a comment; longer ones show their range."""

LONGEST_VECTOR = 1 << 10
"""Longest table that is written as vectors; longer ones are choices."""

ROW = 16
"""Number of entries in a row of a table of choices. Equal rows are written once."""

BITS_OF_A_LITERAL = 256
"""Longest literal in bits. Longer vectors are concatenated, so that they fit into lines."""


def planes(entries: Array, width: int) -> list[int]:
    """For each bit of the entries, lowest first, an integer whose bit c is that of code c."""
    # Entries of more than 64 bits are Python's integers.
    places = np.arange(width, dtype=entries.dtype)[:, np.newaxis]
    bits = (entries >> places) & 1
    packed = np.packbits(bits.astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(plane.tobytes(), "little") for plane in packed]


def index_bits_read(planes: Sequence[int], size: int, inputs: int) -> int:
    """Mask of the bits of a table's index that its text reads.

    A constant plane reads none, a plane that equals a bit of the index reads that bit, and any
    other plane, an indexed vector, reads all.

    Parameters
    ----------
    planes : of the table's entries.
    size : number of entries.
    inputs : bits of the index.
    """
    every = (1 << inputs) - 1
    constants = {0, (1 << size) - 1}
    own = bits_of_code(inputs) if size == 1 << inputs else {}
    mask = 0
    for plane in planes:
        if plane not in constants:
            mask |= 1 << own[plane][0] if plane in own else every
    return mask


def vector(name: str, plane: int, size: int) -> Iterable[str]:
    """The declaration of the constant vector of a plane."""
    starts = range(0, size, BITS_OF_A_LITERAL)
    pieces: list[str] = []
    for start in reversed(starts):
        bits = min(BITS_OF_A_LITERAL, size - start)
        piece = (plane >> start) & ((1 << bits) - 1)
        pieces.append(f"{bits}'h{piece:0{-(-bits // 4)}X}")
    head = f"  localparam logic [{size - 1}:0] {name} ="
    text = pieces[0] if len(pieces) == 1 else "{" + ", ".join(pieces) + "}"
    if len(pieces) > 1 or len(head) > LINE_LENGTH:
        return broken(f"{head} {text};")
    if len(head) + len(text) + 2 <= LINE_LENGTH:
        return [f"{head} {text};"]
    return [head, f"      {text};"]


def choices(
    entries: Sequence[str], code: Sequence[str], row: Callable[[str], tuple[str, str]]
) -> tuple[list[str], str]:
    """A table as nested choices by the bits of the code.

    Parameters
    ----------
    entries : the literal of each code, from 0.
    code : a primary expression for each bit of the table's index, lowest first.
    row : function from the expression of a row to its declaration and name.

    Returns
    -------
    The declarations of rows, and the expression of the whole table.
    """
    declarations: list[str] = []
    rows: dict[str, str] = {}

    def chosen(first: int, place: int) -> str:
        """The entries from `first` on, by the lowest `place` bits of the code."""
        if place == 0 or first >= len(entries):
            # No code reads this entry, so its value does not matter: repeat the last one.
            return entries[min(first, len(entries) - 1)]
        half = 1 << (place - 1)
        low, high = chosen(first, place - 1), chosen(first + half, place - 1)
        if low == high:
            return low
        text = f"{code[place - 1]} ? {_alternative(high)} : {_alternative(low)}"
        if 1 << place != ROW:
            return text
        if text not in rows:
            declaration, rows[text] = row(text)
            declarations.append(declaration)
        return rows[text]

    return declarations, chosen(0, (len(entries) - 1).bit_length())


def _alternative(text: str) -> str:
    return f"({text})" if " ? " in text else text


def description(name: str, index: str, entries: Sequence[int], mark: str = "//") -> Iterator[str]:
    """A comment that lists the entries: `// layer0_edge0_1[x1]: 0 .. 36: 5, 37 .. 63: 4`."""
    if len(entries) > LISTED_ENTRIES:
        parts = [f"{len(entries)} entries", f"{min(entries)} .. {max(entries)}"]
    else:
        parts = _runs(entries)
    # Numbers are safe in a comment.
    parts[0] = f"{commented(f'{name}[{index}]')}: {parts[0]}"
    parts[:-1] = [f"{part}," for part in parts[:-1]]
    return listed(parts, "  ", mark)


def _runs(entries: Sequence[int]) -> list[str]:
    """Runs of equal entries, each as `12 .. 14: 8`."""
    starts = [*compress(count(1), map(ne, entries, islice(entries, 1, None)))]
    return [
        f"{first}: {entries[first]}"
        if first + 1 == end
        else f"{first} .. {end - 1}: {entries[first]}"
        for first, end in zip([0, *starts], [*starts, len(entries)], strict=True)
    ]
