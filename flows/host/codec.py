"""Writes the host's side of a design: floats to input codes, output codes to floats.

Once in Python, for NumPy, and once in C99, for an embedded processor; both give the same integers,
and depend on nothing of ours.
"""

from __future__ import annotations

from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.host.bus_bytes import bus_bytes
from kan_dialect.flows.host.c import c_codec
from kan_dialect.flows.host.python import python_codec
from kan_dialect.lowering.wrappers.wrapper_ports import StreamChoice
from kan_dialect.model.interface import Interface

_LIMIT = 1 << 51
"""Codes beyond this are refused: with their zero point they would not be exact in float64."""


def write_host(
    directory: Path, interface: Interface, stream: StreamChoice | None = None
) -> tuple[Path, Path]:
    """Write NAME_codec.py and NAME_codec.h.

    Parameters
    ----------
    directory : a folder, made where it is missing.
    stream : what the AXI4-Stream wrapper looks like; None: a sample is one beat.

    Returns
    -------
    The Python module and the C header.

    Raises
    ------
    KanError : a port's codes are too large for float64, or a beat cannot have its width.
    """
    for port in (*interface.inputs, *interface.outputs):
        if port.low < -_LIMIT or port.high > _LIMIT:
            raise KanError(f"{interface.name}: port {port.name} is too wide for a codec")
    directory.mkdir(parents=True, exist_ok=True)
    python = directory / f"{interface.name}_codec.py"
    header = directory / f"{interface.name}_codec.h"
    bus = bus_bytes(interface, StreamChoice() if stream is None else stream)
    python.write_text(python_codec(interface, bus))
    header.write_text(c_codec(interface, bus))
    return python, header
