"""Writes drivers of the wrapper that a build chose, for processors beside the fabric."""

from __future__ import annotations

from pathlib import Path

from kan_dialect.flows.host.bus_bytes import bus_bytes
from kan_dialect.flows.host.pynq import pynq_driver
from kan_dialect.lowering.wrappers.wrapper_ports import InterfaceName, StreamChoice
from kan_dialect.model.interface import Interface


def write_drivers(
    directory: Path, interface: Interface, chosen: InterfaceName, stream: StreamChoice
) -> None:
    """Write NAME_pynq.py for AXI4-Stream with TLAST, which a DMA needs; nothing for others.

    Parameters
    ----------
    directory : a folder, made where it is missing.

    Raises
    ------
    KanError : a beat cannot have its width.
    """
    if chosen == "axi-stream" and stream.last:
        directory.mkdir(parents=True, exist_ok=True)
        text = pynq_driver(interface, bus_bytes(interface, stream))
        (directory / f"{interface.name}_pynq.py").write_text(text)
