"""The emitted text as gates, by Yosys: `read_verilog -sv`, `proc`, `techmap`, `write_aiger`.

What an operator means is Yosys' to say. Undefined bits become free ones, so nothing is shown that
depends on one.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.second_opinion.graph import FALSE, Graph
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import Tool

_TABLES = r"""
(* techmap_celltype = "$shiftx" *)
module table_bit (A, B, Y);
  parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1;
  input [A_WIDTH-1:0] A; input [B_WIDTH-1:0] B; output [Y_WIDTH-1:0] Y;
  wire _TECHMAP_FAIL_ = Y_WIDTH != 1 || B_SIGNED || B_WIDTH > 16 || A_WIDTH > 1 << B_WIDTH;
  wire [(1 << B_WIDTH)-1:0] entries = {{(1 << B_WIDTH){1'bx}}, A};
  \$bmux #(.WIDTH(1), .S_WIDTH(B_WIDTH)) choice (.A(entries), .S(B), .Y(Y));
endmodule
"""
"""A bit of a table as a tree of multiplexers, which is a quarter of Yosys' own shifter."""


@dataclass
class Design:
    """A module as gates and registers; literals are those of AIGER."""

    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    signals: dict[str, list[int]]
    """Of each signal that was asked for."""
    free: dict[int, tuple[str, int]]
    """By number of an input: its port, or a name of its own, and which bit it is."""
    loads: dict[int, int]
    """By number of a register, the literal that it loads."""
    gates: dict[int, tuple[int, int]]


def read_text(
    rtl: Path, top: str, signals: Iterable[str], yosys: Tool, timeout: float | None = None
) -> Design:
    """The module `top` of a SystemVerilog file, with signals in it.

    Raises
    ------
    KanError : the file is missing, Yosys refuses it, or a register has another clock.
    """
    if not rtl.is_file():
        raise KanError(f"there is no {rtl}", remedy="run kan-flow build first")
    with tempfile.TemporaryDirectory(prefix="kan-second-") as directory:
        # The wheel's Yosys sees little more than the folder that it runs in.
        folder = Path(directory)
        shutil.copyfile(rtl, folder / "design.sv")
        (folder / "tables.v").write_text(_TABLES)
        commands = [
            "read_verilog -sv -nomem2reg design.sv",
            f"hierarchy -check -top {top}",
            "setattr -mod -unset keep_hierarchy *",
            "flatten",
            "proc -noopt",
            # Registers that the rising edge of clk does not write.
            "tee -q -o others.txt select -list t:$dff r:CLK_POLARITY=1'1 %d "
            "t:$dff w:clk %co1:+$dff[CLK] %d %u",
            "memory_map",
            "techmap -map tables.v",
            "bmuxmap",
            "simplemap",
            "techmap",
            "setundef -undriven -anyseq",
            "setundef -anyseq",
            "aigmap",
            *(f"expose w:{signal}" for signal in signals),
            "write_aiger -ascii -symbols design.aag",
        ]
        phase = "reading the RTL as gates"
        arguments = ["-q", "-p", "; ".join(commands)]
        run(yosys, arguments, cwd=folder, timeout=timeout, phase=phase)
        others = (folder / "others.txt").read_text(errors="replace").split()
        if others:
            raise KanError(f"register {others[0]} of the RTL is not written by rising edges of clk")
        return _parsed((folder / "design.aag").read_text(errors="replace"), set(signals))


_SYMBOL = re.compile(r"^([io])(\d+) ([^\[\s]+)(?:\[(\d+)\])?$", re.MULTILINE)


def _parsed(text: str, signals: set[str]) -> Design:
    header, *lines = text.splitlines()
    _, inputs, latches, outputs, gates = map(int, header.split()[1:6])
    rows = iter([[*map(int, line.split())] for line in lines[: inputs + latches + outputs + gates]])
    read = [next(rows)[0] for _ in range(inputs)]
    loads = {number >> 1: load for number, load, *_ in (next(rows) for _ in range(latches))}
    shown = [next(rows)[0] for _ in range(outputs)]
    made = {number >> 1: (one, other) for number, one, other in rows}
    names: dict[tuple[str, int], tuple[str, int]] = {
        (kind, int(index)): (name, int(bit or 0))
        for kind, index, name, bit in _SYMBOL.findall(text)
    }
    words: dict[str, dict[str, dict[int, int]]] = {"i": {}, "o": {}}
    free: dict[int, tuple[str, int]] = {}
    for kind, literals in (("i", read), ("o", shown)):
        for index, literal in enumerate(literals):
            name, bit = names.get((kind, index), (f"undefined {index}", 0))
            if (kind, index) in names:
                words[kind].setdefault(name, {})[bit] = literal
            if kind == "i":
                free[literal >> 1] = name, bit
    ports, values = (
        {name: [bits[place] for place in sorted(bits)] for name, bits in words[kind].items()}
        for kind in "io"
    )
    outside = {name: bits for name, bits in values.items() if name not in signals}
    return Design(ports, outside, ports | values, free, loads, made)


class Cycles:
    """A design unrolled over clock cycles, from its outputs back to inputs and to cuts."""

    def __init__(self, design: Design, graph: Graph, free: dict[tuple[str, int, int], int]) -> None:
        """`free`: inputs of the graph, by port, bit and cycle; more are added."""
        self.design, self.graph, self.free = design, graph, free
        self.known: dict[tuple[int, int], int] = {}
        """By number and cycle, the literal of the graph."""

    def cut(self, literal: int, cycle: int, by: int) -> None:
        """What stands for a bit of the design in a cycle."""
        self.known[literal >> 1, cycle] = by ^ literal & 1

    def literals(self, bits: Iterable[int], cycle: int) -> list[int]:
        """Bits of the design in a cycle."""
        return [self._literal(bit, cycle) for bit in bits]

    def _literal(self, literal: int, cycle: int) -> int:
        design, pending = self.design, [(literal >> 1, cycle)]
        while pending:
            number, at = key = pending[-1]
            if key in self.known or number == 0:
                pending.pop()
                continue
            if at < cycle - len(design.loads) - 1:
                raise KanError("a register of the RTL depends on itself")
            if number in design.free:
                self.known[key] = self._input(*design.free[number], at)
                continue
            gate = design.gates.get(number)
            operands, when = (gate, at) if gate is not None else ((design.loads[number],), at - 1)
            missing = [(o >> 1, when) for o in operands if self._of(o, when) is None]
            if missing:
                pending += missing
                continue
            found = [self._of(operand, when) for operand in operands]
            one, other = found[0], found[-1]
            assert one is not None and other is not None
            self.known[key] = self.graph.both(one, other) if gate is not None else one
        found = self._of(literal, cycle)
        assert found is not None
        return found

    def _of(self, literal: int, cycle: int) -> int | None:
        found = FALSE if literal < 2 else self.known.get((literal >> 1, cycle))
        return None if found is None else found ^ literal & 1

    def _input(self, name: str, bit: int, cycle: int) -> int:
        key = name, bit, cycle
        if key not in self.free:
            self.free[key] = self.graph.input()
        return self.free[key]
