"""Writes the cocotb testbench of a build: sim/test_NAME.py and sim/Makefile.

The testbench does not depend on this package. It drives the chosen interface with the codes of the
build's vectors and with random ones, and compares with the emulator in `host/`.
"""

from __future__ import annotations

from pathlib import Path

from kan_dialect.flows.cocotb.makefile import makefile
from kan_dialect.flows.cocotb.python import python_bench
from kan_dialect.lowering.wrappers.register_map import RegisterMap
from kan_dialect.lowering.wrappers.wrapper_ports import InterfaceName, StreamChoice, wrapper_name
from kan_dialect.model.interface import Interface


def write_cocotb(
    directory: Path,
    interface: Interface,
    chosen: InterfaceName = "valid",
    stream: StreamChoice | None = None,
    registers: RegisterMap | None = None,
) -> None:
    """Write test_NAME.py and Makefile.

    Parameters
    ----------
    directory : the folder of the testbench and its vectors, `sim/` of a build.
    interface : the ports of the network's module.
    chosen : the interface that the testbench drives.
    stream : what the AXI4-Stream wrapper looks like; None: a sample is one beat.
    registers : of the AXI4-Lite wrapper.

    Raises
    ------
    KanError : a beat cannot have its width.
    """
    top = wrapper_name(interface.name, chosen)
    sources = [f"../rtl/{interface.name}.sv"]
    if top != interface.name:
        sources.append(f"../rtl/{top}.sv")
    modules = ["cocotb", "numpy", *(["cocotbext.axi"] if chosen.startswith("axi") else [])]
    text = python_bench(interface, chosen, StreamChoice() if stream is None else stream, registers)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"test_{interface.name}.py").write_text(text)
    (directory / "Makefile").write_text(makefile(interface.name, top, sources, modules))
