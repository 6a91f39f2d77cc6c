"""How large things may be: beyond, memory or time would run away without a message why."""

from __future__ import annotations

import math
import re

from kan_dialect.errors import KanError

MAX_TENSOR_ELEMENTS = 1 << 26
"""Of a tensor that IR in textual form names: 256 MiB of float32."""

MAX_AXES = 32
"""Axes of a tensor; arrays of NumPy 1 have no more."""

MAX_EVALUATED_ELEMENTS = 1 << 27
"""Entries of all tables of a layer together: 1 GiB of float64 while they are computed."""

MAX_LAYER_EDGES = 1 << 19
"""Edges of a layer: each becomes an op, of some 20 KiB."""

MAX_DATA_BYTES = 1 << 29
"""Arrays of a data file together, once they are unpacked."""

MAX_VECTORS = 10_000_000
"""Random vectors of a simulation."""

_SHAPED = re.compile(rb"\b(?:tensor|vector|memref)<((?:\d+x)+)")


def require_tensors(text: bytes, name: str) -> None:
    """Refuse IR in textual form that names a huge tensor, before a parser makes it.

    Raises
    ------
    KanError : names the type.
    """
    for shape in _SHAPED.findall(text):
        sizes = shape.split(b"x")[:-1]
        if len(sizes) > MAX_AXES:
            raise KanError(f"{name} holds a tensor of {len(sizes)} axes, more than {MAX_AXES}")
        # A long number need not be read to know that it is too large. An empty tensor may still
        # have an extent that no array has.
        if any(len(size) > 20 for size in sizes) or (
            math.prod(max(int(size), 1) for size in sizes) > MAX_TENSOR_ELEMENTS
        ):
            shown = shape[:-1].decode()[:60]
            raise KanError(
                f"{name} holds a tensor of shape {shown}, of more than {MAX_TENSOR_ELEMENTS} "
                "elements",
                remedy="fewer inputs, edges or bits",
            )


def require_evaluable(entries: int, edges: int, layer: str) -> None:
    """Refuse tables of so many entries that they could not be computed.

    Raises
    ------
    KanError : names the layer.
    """
    if entries * edges > MAX_EVALUATED_ELEMENTS:
        raise KanError(
            f"{layer}: {edges} tables of {entries} entries are more than {MAX_EVALUATED_ELEMENTS} "
            "together",
            remedy="fewer bits for its inputs, or fewer edges",
        )
