"""Writes the cocotb testbench of a build: sim/test_NAME.py and sim/Makefile.

The testbench does not depend on this package. It drives the chosen interface with the codes of the
build's vectors and with random ones, and compares with the emulator in `host/`.
"""

from __future__ import annotations

from pathlib import Path

from kan_dialect.flows.cocotb.makefile import makefile
from kan_dialect.flows.cocotb.python import python_bench
from kan_dialect.flows.cocotb.training import training_bench
from kan_dialect.lowering.wrappers.register_map import RegisterMap
from kan_dialect.lowering.wrappers.wrapper_ports import InterfaceName, StreamChoice, wrapper_name
from kan_dialect.model.interface import Interface
from kan_dialect.model.training.training_step import Step


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
    text = python_bench(interface, chosen, StreamChoice() if stream is None else stream, registers)
    _write(directory, interface.name, chosen, text)


def write_training_cocotb(
    directory: Path, step: Step, latency: int, interval: int, registers: RegisterMap | None = None
) -> None:
    """Write test_NAME.py and Makefile of a network that trains.

    Parameters
    ----------
    directory : the folder of the testbench, `sim/` of a build.
    latency, interval : of the hardware, in cycles.
    registers : of the AXI4-Lite wrapper; None: the testbench drives the memory port.

    Raises
    ------
    KanError : the step is real-valued.
    """
    text = training_bench(step, latency, interval, registers)
    _write(directory, step.name, "valid" if registers is None else "axi-lite", text)


def _write(directory: Path, name: str, chosen: InterfaceName, text: str) -> None:
    top = wrapper_name(name, chosen)
    sources = [f"../rtl/{name}.sv"]
    if top != name:
        sources.append(f"../rtl/{top}.sv")
    modules = ["cocotb", "numpy", *(["cocotbext.axi"] if chosen.startswith("axi") else [])]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"test_{name}.py").write_text(text)
    (directory / "Makefile").write_text(makefile(name, top, sources, modules))
