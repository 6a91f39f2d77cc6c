"""Multiplexers of four signals, as Yosys's `muxcover` makes them of trees of choices.

It joins a choice and the two that it chooses between, where these have the same condition and
nothing else reads them, before logic is mapped to lookup tables. Of a tree, it makes as many as
possible.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from kan_dialect.search.logic_mapping.gates import Choice, Gates, Literal


def four_way_choices(gates: Gates, readers: Mapping[int, int]) -> dict[int, list[Literal]]:
    """The gates that are multiplexers of four signals, with the bits that each one reads.

    Parameters
    ----------
    readers : how often each gate is read; gates that nothing reads are left out.
    """
    choices = {gate: gates.choices[gate] for gate in gates.choices if readers.get(gate)}
    chosen = Counter(bit // 2 for choice in choices.values() for bit in choice.words)
    inner = {gate for gate in choices if readers[gate] == chosen[gate] == 1}

    def below(choice: Choice) -> list[int]:
        """The choices that only this one reads."""
        return [bit // 2 for bit in choice.words if bit // 2 in inner]

    most: dict[int, int] = {}
    """Multiplexers of four signals at a choice and below it."""
    joined: dict[int, list[Literal]] = {}
    for gate, choice in choices.items():
        parts = [choices[each] for each in below(choice)]
        most[gate] = sum(most[each] for each in below(choice))
        if len(parts) < 2 or parts[0].condition != parts[1].condition:
            continue
        further = 1 + sum(most[each] for part in parts for each in below(part))
        if further > most[gate]:
            most[gate] = further
            words = [bit for part in parts for bit in part.words]
            joined[gate] = [choice.condition, parts[0].condition, *words]
    for gate in reversed(choices):
        if gate in joined:
            for part in below(choices[gate]):
                joined.pop(part, None)
    return joined
