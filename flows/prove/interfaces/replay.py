"""Cycles that refute a wrapper, played on its file in Icarus Verilog.

The wrapper is compiled as it was written. In place of the network stands a module with its cycles,
which gives the outputs that were found (`stand_in.py`).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from shutil import copyfile

from kan_dialect.flows.prove.interfaces.boundary import Clocking
from kan_dialect.flows.prove.interfaces.proof import InterfaceProof
from kan_dialect.flows.prove.interfaces.witness import Witness
from kan_dialect.flows.tools import tool_runs, toolchain


def first_difference(proof: InterfaceProof[Clocking, object], witness: Witness) -> str | None:
    """The first output behind the reset that Icarus has another value of; None: there is none.

    Undefined bits may be anything.

    Raises
    ------
    KanError : Icarus is missing or refuses the file.
    """
    outputs = list(proof.netlist.outputs)
    for cycle, row in enumerate(_printed(proof, witness)):
        for port, bits in zip(outputs, row.split(), strict=True):
            wanted = f"{witness.cycles[cycle][port]:0{len(bits)}b}"
            if cycle and any(a != b for a, b in zip(bits, wanted, strict=True) if a in "01"):
                return f"{port} is {bits} in cycle {cycle}, and not {wanted}"
    return None


def _printed(proof: InterfaceProof[Clocking, object], witness: Witness) -> list[str]:
    name, clock = proof.name, proof.boundary.clock
    inputs = {p: len(b) for p, b in proof.netlist.inputs.items() if p != clock}
    outputs = {p: len(b) for p, b in proof.netlist.outputs.items()}
    lines = [f"module {name}_player;", f"  reg {clock} = 0;"]
    lines += [f"  reg [{width - 1}:0] {port} = 0;" for port, width in inputs.items()]
    lines += [f"  wire [{width - 1}:0] {port};" for port, width in outputs.items()]
    pins = ", ".join(f".{port}({port})" for port in (clock, *inputs, *outputs))
    lines += [f"  {name} dut ({pins});", "  initial begin"]
    (core,) = proof.netlist.instances.values()
    for ports, others in zip(witness.cycles, witness.network.others, strict=True):
        drive = [f"{port} = {width}'d{ports[port]};" for port, width in inputs.items()]
        drive += [f"dut.{core.name}.other_{port} = {code};" for port, code in others.items()]
        shown = " ".join("%b" for _ in outputs)
        lines.append(f'    {" ".join(drive)} #1 $display("{shown}", {", ".join(outputs)});')
        lines.append(f"    #1 {clock} = 1; #1 {clock} = 0;")
    lines += ["    $finish;", "  end", "endmodule", ""]
    lines += witness.network.module()
    with tempfile.TemporaryDirectory(prefix="kan-proof-") as directory:
        folder = Path(directory)
        copyfile(proof.rtl, folder / "design.sv")
        (folder / "player.sv").write_text("\n".join(lines))
        arguments = ["-g2012", "-s", f"{name}_player", "-o", "player.vvp", "player.sv", "design.sv"]
        compiler = toolchain.find("iverilog")
        tool_runs.run(compiler, arguments, cwd=folder, phase="compiling the simulation")
        printed = tool_runs.run(
            toolchain.find("vvp"), ["-n", "player.vvp"], cwd=folder, phase="simulating"
        )
    rows = [row for row in printed.splitlines() if len(row.split()) == len(outputs)]
    return rows[: len(witness.cycles)]
