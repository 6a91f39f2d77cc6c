"""Linters on emitted text: Verilator with -Wall and slang, nothing waived."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.systemverilog.names import legal_name


def require_no_lint(folder: Path, circuits: Iterable[hw.HWModuleOp]) -> None:
    """Both linters are silent about every circuit, each a file named like its module.

    One process of Verilator reads all files, below a module that has the ports of all.
    """
    ports: list[str] = []
    instances: list[str] = []
    files: list[Path] = []
    for number, circuit in enumerate(circuits):
        name = circuit.sym_name.data
        files.append(folder / f"{name}.sv")
        files[-1].write_text(emit_systemverilog(ModuleOp([circuit.clone()])))
        pins: list[str] = []
        for port in circuit.module_type.ports:
            direction = "output" if port.dir.data is hw.Direction.OUTPUT else "input"
            width = 1 if port.type == seq.clock else bit_width(port.type)
            signal = f"p{number}_{port.port_name.data}"
            ports.append(f"{direction} wire logic {f'[{width - 1}:0] ' * (width > 1)}{signal}")
            pins.append(f".{legal_name(port.port_name.data)}({signal})")
        instances.append(f"  {name} dut{number} ({', '.join(pins)});\n")
    top = folder / "all_of_them.sv"
    top.write_text(f"module all_of_them ({', '.join(ports)});\n{''.join(instances)}endmodule\n")
    require_silent(folder, [top, *files])


def require_silent(folder: Path, files: Iterable[Path], *options: str) -> None:
    """Both linters are silent about some files of one design."""
    paths = list(files)
    _require_silent_slang(paths)
    verilator = toolchain.look_for("verilator")
    if verilator is None:
        pytest.skip("verilator is not installed")
    # A warning is an error to --lint-only.
    tool_runs.run(verilator, ["--lint-only", "-Wall", *options, *map(str, paths)], cwd=folder)


def _require_silent_slang(files: list[Path]) -> None:
    pytest.importorskip("pyslang", reason="pyslang is not installed")
    from pyslang.ast import Compilation
    from pyslang.syntax import SyntaxTree

    compilation = Compilation()
    for path in files:
        compilation.addSyntaxTree(SyntaxTree.fromText(path.read_text()))
    # Every diagnostic, including those that slang hides by default.
    assert [str(diagnostic.code) for diagnostic in compilation.getAllDiagnostics()] == []
