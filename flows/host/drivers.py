"""Writes drivers of the wrapper that a build chose, for processors beside the fabric."""

from __future__ import annotations

from pathlib import Path

from kan_dialect.flows.host.bus_bytes import bus_bytes
from kan_dialect.flows.host.pynq import register_driver, stream_driver
from kan_dialect.flows.host.registers import DriverRegisters
from kan_dialect.flows.host.uio import uio_example
from kan_dialect.lowering.wrappers.register_map import RegisterMap
from kan_dialect.lowering.wrappers.wrapper_ports import InterfaceName, StreamChoice
from kan_dialect.model.interface import Interface


def write_drivers(
    directory: Path,
    interface: Interface,
    chosen: InterfaceName,
    stream: StreamChoice,
    registers: RegisterMap | None = None,
) -> None:
    """Write NAME_pynq.py for AXI4-Stream and AXI4-Lite, NAME_uio.c for AXI4-Lite.

    A DMA needs TLAST, so AXI4-Stream without it has no driver. Other interfaces have none.

    Parameters
    ----------
    directory : a folder, made where it is missing.
    registers : of the AXI4-Lite wrapper.

    Raises
    ------
    KanError : a beat cannot have its width.
    """
    if chosen == "axi-stream" and stream.last:
        directory.mkdir(parents=True, exist_ok=True)
        text = stream_driver(interface, bus_bytes(interface, stream))
        (directory / f"{interface.name}_pynq.py").write_text(text)
    if chosen == "axi-lite" and registers is not None:
        directory.mkdir(parents=True, exist_ok=True)
        known = DriverRegisters.of(registers)
        (directory / f"{interface.name}_pynq.py").write_text(register_driver(interface, known))
        (directory / f"{interface.name}_uio.c").write_text(uio_example(interface, known))
