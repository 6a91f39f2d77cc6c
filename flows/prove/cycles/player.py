"""Plays cycles on a file in Icarus Verilog."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copyfile

from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.flows.tools import tool_runs, toolchain


def played(
    rtl: Path,
    name: str,
    netlist: Netlist,
    clock: str,
    cycles: Sequence[Mapping[str, int]],
    *,
    forced: Sequence[Sequence[str]] = (),
    more: Sequence[str] = (),
    inside: Sequence[str] = (),
) -> list[dict[str, str]]:
    """The bits of each output of a module in every cycle. Before the first one, inputs are 0.

    Parameters
    ----------
    cycles : patterns of the inputs; one that is not there is 0.
    forced : further assignments in each cycle; the module is the instance `dut`.
    more : lines of other modules.
    inside : further signals to read, by hierarchical names that begin with `dut`.

    Raises
    ------
    KanError : Icarus is missing or refuses the file.
    """
    inputs = {port: len(bits) for port, bits in netlist.inputs.items() if port != clock}
    outputs = {port: len(bits) for port, bits in netlist.outputs.items()}
    lines = [f"module {name}_player;", f"  reg {clock} = 0;"]
    lines += [f"  reg [{width - 1}:0] {port} = 0;" for port, width in inputs.items()]
    lines += [f"  wire [{width - 1}:0] {port};" for port, width in outputs.items()]
    pins = ", ".join(f".{port}({port})" for port in (clock, *inputs, *outputs))
    lines += [f"  {name} dut ({pins});", "  initial begin"]
    seen = [*outputs, *inside]
    shown = f'$display("{" ".join("%b" for _ in seen)}", {", ".join(seen)})'
    for index, cycle in enumerate(cycles):
        drive = [f"{port} = {width}'d{cycle.get(port, 0)};" for port, width in inputs.items()]
        drive += forced[index] if forced else []
        lines.append(f"    {' '.join(drive)} #1 {shown};")
        lines.append(f"    #1 {clock} = 1; #1 {clock} = 0;")
    lines += ["    $finish;", "  end", "endmodule", "", *more]
    with tempfile.TemporaryDirectory(prefix="kan-proof-") as directory:
        folder = Path(directory)
        copyfile(rtl, folder / "design.sv")
        (folder / "player.sv").write_text("\n".join(lines))
        arguments = ["-g2012", "-s", f"{name}_player", "-o", "player.vvp", "player.sv", "design.sv"]
        compiler, player = toolchain.find("iverilog"), toolchain.find("vvp")
        tool_runs.run(compiler, arguments, cwd=folder, phase="compiling the simulation")
        printed = tool_runs.run(player, ["-n", "player.vvp"], cwd=folder, phase="simulating")
    rows = [row.split() for row in printed.splitlines()]
    rows = [row for row in rows if len(row) == len(seen)][: len(cycles)]
    return [dict(zip(seen, row, strict=True)) for row in rows]
