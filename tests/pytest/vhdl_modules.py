"""VHDL against the SystemVerilog of the same module."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from random_hardware import Batch
from vhdl_bench import analyse, run_modules
from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ModuleOp

from icarus_runs import run_icarus
from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.vhdl import emit_vhdl


def circuits_of(module: ModuleOp) -> list[hw.HWModuleOp]:
    return [op for op in module.ops if isinstance(op, hw.HWModuleOp)]


def require_systemverilog(module: ModuleOp, folder: Path, **driven: list[int]) -> None:
    """Every known output of every cycle is that of the SystemVerilog, under random inputs.

    Parameters
    ----------
    driven : values of inputs that are not random.
    """
    circuits = circuits_of(module)
    rng = np.random.default_rng(4)
    inputs = [
        {
            port.port_name.data: [
                int(value) & ((1 << bit_width(port.type)) - 1)
                for value in rng.integers(0, 1 << 62, 600)
            ]
            for port in circuit.module_type.ports
            if port.dir.data is hw.Direction.INPUT and port.type != seq.clock
        }
        for circuit in circuits
    ]
    for each in inputs:
        each.update({name: values for name, values in driven.items() if name in each})
    analyse(folder, emit_vhdl(module))
    found = run_modules(folder, circuits, inputs)
    files = Batch(module, inputs, [{}], [0]).write(emit_systemverilog(module), folder)
    known: dict[str, int] = {}
    for line in run_icarus(folder, files).splitlines():
        if line.startswith("@"):
            cycle, index, name, value = line[1:].split()
            if not set(value.lower()) & set("xz"):
                known[f"{index} {name}"] = known.get(f"{index} {name}", 0) + 1
                mine = found[int(index)][name][int(cycle)].lower()
                assert mine == value, f"{name} of module {index} in cycle {cycle}"
    assert len(known) == sum(map(len, found)) and min(known.values()) > 100
