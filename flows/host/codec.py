"""Writes the host's side of a design: floats to input codes, output codes to floats.

Once in Python, for NumPy, and once in C99, for an embedded processor; both give the same integers,
and depend on nothing of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.files.templates import filled
from kan_dialect.flows.host.bus_bytes import BusBytes, bus_bytes
from kan_dialect.flows.host.c_text import braces, code_type, smallest_type, text_literal
from kan_dialect.flows.host.table_file import LoadableTables
from kan_dialect.lowering.systemverilog.layout import commented
from kan_dialect.lowering.wrappers.wrapper_ports import StreamChoice
from kan_dialect.model.interface import Interface, Port

_LIMIT = 1 << 51
"""Codes beyond this are refused: with their zero point they would not be exact in float64."""


def write_host(
    directory: Path,
    interface: Interface,
    stream: StreamChoice | None = None,
    tables: LoadableTables | None = None,
) -> tuple[Path, Path]:
    """Write NAME_codec.py and NAME_codec.h, and NAME_tables.bin where tables can be loaded.

    Parameters
    ----------
    directory : a folder, made where it is missing.
    stream : what the AXI4-Stream wrapper looks like; None: a sample is one beat.
    tables : those of the design; None: they cannot be loaded.

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
    python.write_text(codec_text("codec.py", interface, stream, tables))
    header.write_text(codec_text("codec.h", interface, stream, tables))
    if tables is not None:
        (directory / f"{interface.name}_tables.bin").write_bytes(tables.file())
    return python, header


def codec_text(
    kind: str,
    interface: Interface,
    stream: StreamChoice | None = None,
    tables: LoadableTables | None = None,
) -> str:
    """The text of NAME_codec.py or NAME_codec.h.

    Parameters
    ----------
    kind : `codec.py` or `codec.h`.
    """
    sent, received = bus_bytes(interface, StreamChoice() if stream is None else stream)
    return filled(
        f"flows/host/templates/{kind}.j2",
        input_bytes=_packed_bytes(interface.inputs),
        output_bytes=_packed_bytes(interface.outputs),
        sent=sent,
        received=received,
        tables=tables,
        latency=interface.latency,
        interval=interface.interval,
        text_literal=text_literal,
        place_type=_place_type,
        all_places=_all_places,
        wraps=[place for place, port in enumerate(interface.inputs) if port.wraps],
        flags=[int(port.wraps) for port in interface.inputs],
        **host_values(interface),
    )


def host_values(interface: Interface) -> Mapping[str, object]:
    """Values of names that all templates for hosts share."""
    return {
        "name": interface.name,
        "inputs": len(interface.inputs),
        "outputs": len(interface.outputs),
        "input_ports": interface.inputs,
        "output_ports": interface.outputs,
        "features": interface.features,
        "missing": [port.missing for port in interface.inputs if port.missing is not None],
        "classes": interface.classes,
        "targets": []
        if interface.classes
        else [p.data_name for p in interface.outputs if p.data_name],
        "code": code_type(interface),
        "commented": commented,
    }


def _packed_bytes(ports: Sequence[Port]) -> int:
    """Bytes of a bus that carries all ports side by side."""
    return -(-sum(port.width for port in ports) // 8)


def _place_type(bus: BusBytes) -> str:
    """The type of C that holds the place of any byte."""
    return smallest_type(0, bus.size - 1)


def _all_places(bus: BusBytes) -> str:
    return braces(place for places in bus.places for place in places)
