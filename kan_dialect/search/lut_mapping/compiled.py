"""The search in C (`c/resubstitution.c`) where there is a compiler: the same network, faster."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from kan_dialect.files.c_library import load_c_library
from kan_dialect.search.lut_mapping.network import Lut, LutNetwork
from kan_dialect.search.lut_mapping.resubstitution import Effort, Resubstitution, renumbered

_MOST_INPUTS = 6
"""Inputs of a LUT that the C text has room for."""


@cache
def _library() -> ctypes.CDLL | None:
    source = Path(__file__).with_name("c") / "resubstitution.c"
    library = load_c_library("lut-mapping", [source])
    if library is not None:
        library.kan_resubstitute.argtypes = [ctypes.c_void_p] * 6
    return library


def resubstituted(
    network: LutNetwork,
    functions: Sequence[int],
    patterns: int,
    lut_inputs: int,
    most_levels: int,
    effort: Effort,
) -> LutNetwork:
    """The network with fewer LUTs, compiled where that is possible; see `Resubstitution`."""
    library = _library()
    if library is None:
        search = Resubstitution(network, functions, patterns, lut_inputs, most_levels)
        return search.run(effort)
    words = -(-patterns // 64)
    numbers = [network.inputs, len(network.luts), len(network.outputs), lut_inputs, patterns]
    numbers += [most_levels, effort.tries, effort.rounds, effort.idle_rounds]
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
    if library.kan_resubstitute(*[each.ctypes.data for each in arrays]):
        raise MemoryError
    luts = [
        Lut(tuple(row[:size]), table)
        for row, size, table in zip(operands.tolist(), sizes.tolist(), tables.tolist(), strict=True)
    ]
    found: list[int] = outputs.tolist()
    return renumbered(network.inputs, luts, found)
