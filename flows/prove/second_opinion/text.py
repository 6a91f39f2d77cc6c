"""The emitted text as Yosys's SMT back end writes it: functions of bit vectors, one for each cell.

Yosys parses and elaborates (`read_verilog -sv`, `hierarchy`, `proc`) and states the design in
SMT-LIB (`write_smt2`). What an operator means is said there, and the solver knows it; nothing here
does. Undefined bits become free ones, so that no proof depends on them.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from kan_dialect.errors import KanError
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import Tool

Expression: TypeAlias = "str | tuple[Expression, ...]"
"""An expression of SMT-LIB: a word, or a list."""


@dataclass
class Design:
    """A module as functions of its state."""

    widths: dict[str, int] = field(default_factory=dict[str, int])
    """Of each function, its bits; 0 where it is a truth value."""

    bodies: dict[str, Expression] = field(default_factory=dict[str, Expression])
    """Of each function that is computed from others, how."""

    following: dict[str, Expression] = field(default_factory=dict[str, Expression])
    """The next value of each register."""

    signals: dict[str, str] = field(default_factory=dict[str, str])
    """Of each signal of the text, the function that it is."""

    inputs: dict[str, int] = field(default_factory=dict[str, int])
    outputs: dict[str, int] = field(default_factory=dict[str, int])
    """Ports, with their widths."""


def read_text(rtl: Path, top: str, yosys: Tool, timeout: float | None = None) -> Design:
    """The module `top` of a SystemVerilog file.

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
        commands = [
            "read_verilog -sv design.sv",
            f"hierarchy -check -top {top}",
            "setattr -mod -unset keep_hierarchy *",
            "flatten",
            "proc -noopt",
            "setundef -undriven -anyseq",
            # Registers that the rising edge of clk does not write.
            "tee -q -o others.txt select -list t:$dff r:CLK_POLARITY=1'1 %d "
            "t:$dff w:clk %co1:+$dff[CLK] %d %u",
            "write_smt2 -wires design.smt2",
        ]
        run(
            yosys,
            ["-q", "-p", "; ".join(commands)],
            cwd=folder,
            timeout=timeout,
            phase="reading the RTL as SMT",
        )
        others = (folder / "others.txt").read_text(errors="replace").split()
        if others:
            raise KanError(f"register {others[0]} of the RTL is not written by rising edges of clk")
        return parse((folder / "design.smt2").read_text(errors="replace"), top)


_TOKEN = re.compile(r"[()]|\|[^|]*\||[^\s()|;]+|;[^\n]*")
_PORT = re.compile(r"^; yosys-smt2-(input|output) (\S+) (\d+)$", re.MULTILINE)


def parse(text: str, top: str) -> Design:
    """The functions of a module that Yosys wrote.

    Raises
    ------
    KanError : the text holds something that no emitted design has.
    """
    design = Design()
    for kind, name, width in _PORT.findall(text):
        (design.inputs if kind == "input" else design.outputs)[name] = int(width)
    for command in _commands(text):
        match command:
            case ("declare-fun" | "define-fun", str(name), (*_,), sort, *body):
                _add(design, name.strip("|"), sort, body[0] if body else None, top)
            case ("declare-sort", *_):
                pass
            case _:
                raise KanError(f"Yosys's SMT text has a command that is not known: {command[0]}")
    return design


def _commands(text: str) -> list[tuple[Expression, ...]]:
    open_lists: list[list[Expression]] = [[]]
    for token in _TOKEN.findall(text):
        if token == "(":
            open_lists.append([])
        elif token == ")":
            done = tuple(open_lists.pop())
            open_lists[-1].append(done)
        elif token[0] != ";":
            open_lists[-1].append(token)
    (commands,) = open_lists
    return [command for command in commands if isinstance(command, tuple)]


def _add(design: Design, name: str, sort: Expression, body: Expression | None, top: str) -> None:
    match sort:
        case "Bool":
            width = 0
        case ("_", "BitVec", str(bits)):
            width = int(bits)
        case _:
            raise KanError(f"{name} is {sort} in Yosys's SMT text, and no bits")
    if name == f"{top}_t":
        _add_steps(design, body)
        return
    if name in (f"{top}_{letter}" for letter in ("is", "a", "u", "i", "h")):
        # Assumptions and initial states are not used.
        return
    design.widths[name] = width
    if body is not None:
        design.bodies[name] = body
    if name.startswith(f"{top}_n "):
        design.signals[name.removeprefix(f"{top}_n ")] = name


def _add_steps(design: Design, steps: Expression | None) -> None:
    match steps:
        case "true":
            return
        case ("and", *equations):
            pass
        case _:
            equations = [steps]
    for equation in equations:
        match equation:
            case ("=", before, (str(register), "next_state")) if register[0] == "|":
                design.following[register.strip("|")] = before
            case _:
                raise KanError("a step in Yosys's SMT text belongs to no register")
