"""Writes the VHDL of a build: the package and the wrapper, and the network if it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.flows.vhdl.package import package_text
from kan_dialect.flows.vhdl.port_declarations import core_ports
from kan_dialect.flows.vhdl.wrapper import wrapper_text
from kan_dialect.lowering.vhdl import emit_vhdl


def write_vhdl(
    folder: Path,
    name: str,
    latency: int,
    interval: int,
    ports: Sequence[Mapping[str, Any]],
    hardware: ModuleOp | None = None,
) -> Path:
    """Write NAME_pkg.vhd and NAME_wrapper.vhd, and NAME.vhd of the hardware if it is given.

    Parameters
    ----------
    folder : a folder, created if it is missing.
    latency : clock cycles from a sample to its outputs; 0 if combinational.
    interval : clock cycles from a sample to the next.
    ports : the entries of the report, `report_ports.port_entries`.

    Returns
    -------
    Path of NAME.vhd.

    Raises
    ------
    KanError : the hardware cannot be printed as VHDL.
    """
    folder.mkdir(parents=True, exist_ok=True)
    declared = core_ports(name, ports)
    (folder / f"{name}_pkg.vhd").write_text(package_text(name, latency, interval, declared))
    (folder / f"{name}_wrapper.vhd").write_text(wrapper_text(name, declared))
    network = folder / f"{name}.vhd"
    if hardware is not None:
        network.write_text(emit_vhdl(hardware))
    return network
