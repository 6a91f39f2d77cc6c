"""Writes the wrapper of a build, and says what it offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.flows.interfaces.package import package_name, systemverilog_package
from kan_dialect.flows.report_ports import port_entries
from kan_dialect.ir.attributes.module_attributes import declared_interface, declared_latency
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wrappers.credit_buffer import checked_words
from kan_dialect.lowering.wrappers.register_map import c_header, register_map
from kan_dialect.lowering.wrappers.stream_layout import StreamLayout
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.interface import Interface


def wrappers_in(module: ModuleOp) -> list[hw.HWModuleOp]:
    """The wrappers of a module, in its order."""
    return [
        op
        for op in module.ops
        if isinstance(op, hw.HWModuleOp) and declared_interface(op) is not None
    ]


def cores_in(module: ModuleOp) -> list[hw.HWModuleOp]:
    """The hardware modules of a module that are no wrappers."""
    found = wrappers_in(module)
    return [op for op in module.ops if isinstance(op, hw.HWModuleOp) and op not in found]


def write_interface(
    folder: Path, module: ModuleOp, interface: Interface, chosen: WrapInterfacePass | None
) -> dict[str, Any] | None:
    """Write `rtl/NAME_<interface>.sv` of each wrapper into the folder of a build.

    Parameters
    ----------
    interface : of the core.
    chosen : the pass that made the wrapper; None where none is in the pipeline.

    Returns
    -------
    What `report.json` holds under `interface`; None where the design is the core alone.
    """
    entry: dict[str, Any] | None = None
    for wrapper in wrappers_in(module):
        entry = write_wrapper(folder, module, wrapper)
        if chosen is not None and chosen.interface == "axi-lite":
            (core,) = cores_in(module)
            entry["registers"] = write_registers(folder / "host", core, interface.latency)
        elif chosen is not None and chosen.interface != "valid":
            entry["buffer_words"] = checked_words(
                interface.latency, interface.interval, chosen.buffer_words
            )
            if chosen.interface == "axi-stream":
                source, result = chosen.choice.layouts(interface)
                entry |= {"input": layout_entry(source), "output": layout_entry(result)}
    return entry


def write_wrapper(folder: Path, module: ModuleOp, wrapper: hw.HWModuleOp) -> dict[str, Any]:
    """Write the file of a wrapper into the folder of a build.

    Returns
    -------
    Its entry in `report.json`: `name`, `top`, `file`, `latency_cycles` and `ports`.
    """
    name = wrapper.sym_name.data
    file = f"rtl/{name}.sv"
    (folder / file).write_text(emit_systemverilog(module, {name}))
    return {
        "name": declared_interface(wrapper),
        "top": name,
        "file": file,
        "latency_cycles": declared_latency(wrapper),
        "ports": port_entries(wrapper, ()),
    }


def write_registers(folder: Path, core: hw.HWModuleOp, latency: int) -> list[dict[str, Any]]:
    """Write NAME_registers.h, the registers of AXI4-Lite for C.

    Parameters
    ----------
    folder : created if it is missing.
    latency : of the core, in clock cycles.

    Returns
    -------
    An entry a register, for `report.json`: `name`, `offset`, `access`, `meaning`.
    """
    name, registers = core.sym_name.data, register_map(core, latency).registers
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}_registers.h").write_text(c_header(name, registers))
    return [
        {
            "name": each.name,
            "offset": each.offset,
            "access": "write" if each.is_writable else "read",
            "meaning": each.meaning,
        }
        for each in registers
    ]


def write_packages(
    folder: Path,
    interface: Interface,
    entry: Mapping[str, Any] | None,
    chosen: WrapInterfacePass | None,
) -> None:
    """Write `rtl/NAME_pkg.sv` into the folder of a build.

    Parameters
    ----------
    entry : what `write_interface` returned.
    chosen : the pass that made the wrapper; None where none is in the pipeline.
    """
    latency = None if entry is None else cast(int, entry["latency_cycles"])
    streams = None
    if chosen is not None and chosen.interface == "axi-stream":
        streams = chosen.choice.layouts(interface)
    path = folder / "rtl" / f"{package_name(interface.name)}.sv"
    path.write_text(systemverilog_package(interface, latency, streams))


def layout_entry(layout: StreamLayout) -> dict[str, Any]:
    """The bytes of a bus: `beats`, `beat_bits`, `order`, `bytes`, `fields`."""
    return {
        "beats": layout.beats,
        "beat_bits": layout.beat_bits,
        "order": layout.order,
        "bytes": layout.sample_bytes,
        "fields": [
            {"port": field.name, "offset": field.offset, "bits": field.bits}
            for field in layout.fields
        ],
    }
