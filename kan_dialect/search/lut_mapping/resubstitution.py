"""Fewer LUTs by other inputs for each LUT: resubstitution with observability don't-cares.

The value of a LUT matters at the patterns at which its change reaches an output. At these, other
signals may tell it as well as its inputs do. They become its inputs if that leaves most LUTs
unread, and also if it leaves none: the next LUT then has other ways to go. Where one LUT cannot
save another, it gets other inputs together with one below it, which may become any function of any
signals. Truth tables of all signals tell exactly what may change. (A. Mishchenko, R. Brayton,
J.-H. R. Jiang and S. Jang, "Scalable don't-care-based logic optimization and resynthesis", ACM
TRETS 4(4), 2011.) `c/resubstitution.c` does it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kan_dialect.search.library import search_library
from kan_dialect.search.lut_mapping.network import Lut, LutNetwork

_MOST_INPUTS = 6
"""Inputs of a LUT that the C text has room for."""
_TRIES = 200
"""Sets of inputs that are extended at a visit of a LUT."""
_IDLE_ROUNDS = 100
"""Rounds without gain before the search ends."""


def resubstituted(
    network: LutNetwork,
    functions: Sequence[int],
    patterns: int,
    lut_inputs: int,
    most_levels: int,
    rounds: int,
) -> LutNetwork:
    """The network with fewer LUTs.

    Parameters
    ----------
    network : to start with.
    functions : truth tables of its signals.
    patterns : number of bits of a truth table.
    lut_inputs : most inputs of a LUT.
    most_levels : of LUTs; at least those of the network.
    rounds : most rounds; each visits all LUTs.
    """
    words = -(-patterns // 64)
    numbers = [network.inputs, len(network.luts), len(network.outputs), lut_inputs, patterns]
    numbers += [most_levels, _TRIES, rounds, _IDLE_ROUNDS]
    operands = np.zeros((len(network.luts), _MOST_INPUTS), dtype=np.int64)
    for row, lut in zip(operands, network.luts, strict=True):
        row[: len(lut.inputs)] = lut.inputs
    known = b"".join(each.to_bytes(8 * words, "little") for each in functions)
    sizes = np.array([len(lut.inputs) for lut in network.luts], dtype=np.int64)
    tables = np.array([lut.table for lut in network.luts], dtype=np.uint64)
    outputs = np.array(network.outputs, dtype=np.int64)
    words_of = np.frombuffer(bytearray(known), dtype=np.uint64)
    given = np.array(numbers, dtype=np.int64)
    arrays = (given, sizes, operands, tables, outputs, words_of)
    if search_library().kan_resubstitute(*[each.ctypes.data for each in arrays]):
        raise MemoryError
    luts = [
        Lut(tuple(row[:size]), table)
        for row, size, table in zip(operands.tolist(), sizes.tolist(), tables.tolist(), strict=True)
    ]
    return _renumbered(network.inputs, luts, outputs.tolist())


def _renumbered(inputs: int, luts: Sequence[Lut], outputs: Sequence[int]) -> LutNetwork:
    """The network of the LUTs that are read, operands first, their inputs ascending."""
    known = {signal: signal for signal in range(inputs)}
    found: list[Lut] = []

    def visit(signal: int) -> None:
        if signal in known:
            return
        lut = luts[signal - inputs]
        for each in lut.inputs:
            visit(each)
        places = sorted(range(len(lut.inputs)), key=lambda place: known[lut.inputs[place]])
        table = 0
        for pattern in range(1 << len(places)):
            old = sum((pattern >> new & 1) << place for new, place in enumerate(places))
            table |= (lut.table >> old & 1) << pattern
        found.append(Lut(tuple(known[lut.inputs[place]] for place in places), table))
        known[signal] = inputs + len(found) - 1

    for output in outputs:
        visit(output)
    return LutNetwork(inputs, tuple(found), tuple(known[output] for output in outputs))
