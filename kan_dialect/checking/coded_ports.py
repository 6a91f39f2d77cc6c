"""Checks the formats that ports of a network with codes were given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from xdsl.dialects import func

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.model.interface import Port
from kan_dialect.model.model import Model
from kan_dialect.model.number_formats import NumberFormat
from kan_dialect.model.port_codes import decode, encode

_SAMPLES = 200
"""Random samples of port codes, beside the ends."""


def coded_formats_problem(
    before: func.FuncOp,
    after: func.FuncOp,
    inputs: Sequence[Sequence[NumberFormat | None]],
    outputs: Sequence[Sequence[NumberFormat | None]],
) -> str | None:
    """The first difference between a network with formats and the network behind its host.

    The host would decode the codes of the ports, encode them for the network before the pass,
    decode its results, and encode them in the formats of the outputs.

    Parameters
    ----------
    inputs, outputs : the formats, by argument and result.

    Returns
    -------
    The problem in words, or None.
    """
    old, new = Model(before, "table"), Model(after, "table")
    mine, its = old.ports(), new.ports()
    given = [list(chain.from_iterable(side)) for side in (inputs, outputs)]
    for side, formats, ports in zip(("input", "output"), given, its, strict=True):
        for index, (each, port) in enumerate(zip(formats, ports, strict=True)):
            if each is not None and not _has(port, each):
                return f"{side} {index} does not have the format {each}"
    codes = _samples(its[0])
    expected = _through(old, mine, its, given, codes)
    got = new.run_codes(codes)
    apart = np.argwhere(got != expected)
    if not len(apart):
        return None
    sample, output = apart[0].tolist()
    return (
        f"output {output} is {got[sample, output]} where {expected[sample, output]} was expected, "
        f"for the port codes {codes[sample].tolist()}"
    )


def _has(port: Port, each: NumberFormat) -> bool:
    codes = (port.low, port.high) == each.codes
    return codes and (port.scale, port.zero_point) == (each.scale, each.zero_point)


def _samples(ports: Sequence[Port]) -> IntArray:
    """Codes (samples, ports): both ends, and random ones."""
    low, high = np.array([[port.low, port.high] for port in ports]).T
    drawn = np.random.default_rng(0).integers(low, high, (_SAMPLES, len(ports)), endpoint=True)
    return np.concatenate([[low], [high], drawn])


def _through(
    old: Model,
    mine: tuple[Sequence[Port], Sequence[Port]],
    its: tuple[Sequence[Port], Sequence[Port]],
    given: Sequence[Sequence[NumberFormat | None]],
    codes: IntArray,
) -> IntArray:
    """Output codes of the network before the pass between conversions of numbers."""
    real: FloatArray = decode(its[0], codes)
    named = np.array([each is not None for each in given[0]])
    read = np.where(named, encode(mine[0], real), codes)
    results = old.run_codes(read)
    named = np.array([each is not None for each in given[1]])
    return np.where(named, encode(its[1], decode(mine[1], results)), results)
