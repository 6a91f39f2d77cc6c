"""The emitted text as Yosys's SMT back end writes it: terms of bit vectors, cycle by cycle.

Yosys parses and elaborates (`read_verilog -sv`, `hierarchy`, `proc`) and states the design in
SMT-LIB (`write_smt2`), which the solver parses. What an operator means is said there, and the
solver knows it; nothing here does. Undefined bits become free ones, so that no proof depends on
them.

A register is what it loaded one cycle earlier. So a signal in a cycle is a term over the inputs in
certain cycles.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.second_opinion.solver import Solver, Term, width_of
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import Tool
from kan_dialect.ir.constants import IntArray

EARLIEST = -64
"""First cycle that is looked at; the sample enters in cycle 0."""


class Undecided(Exception):
    """There is no answer; the text says why."""


@dataclass(frozen=True, eq=False)
class Variable:
    """A free variable: an input in a cycle, or a signal that holds a node."""

    name: str
    cycle: int
    width: int
    low: int
    high: int
    """Its codes, two's complement where `low` < 0."""

    number: int
    """Counts up, among all variables."""

    term: Term

    @property
    def signed(self) -> bool:
        return self.low < 0

    @property
    def codes(self) -> IntArray:
        return np.arange(self.low, self.high + 1, dtype=np.int64)

    def code(self, pattern: int) -> int:
        """The code of an unsigned number."""
        return pattern - (1 << self.width if self.signed and pattern >> self.width - 1 else 0)

    def patterns(self, codes: IntArray) -> NDArray[np.uint64]:
        """Codes as unsigned numbers."""
        return codes.astype(np.uint64) & np.uint64((1 << self.width) - 1)


Bit: TypeAlias = tuple[Term, int] | str
"""A bit of a term that is neither a slice nor a concatenation, or the constant `0` or `1`."""


@dataclass
class Design:
    """A module as terms."""

    solver: Solver
    inputs: dict[str, int]
    outputs: dict[str, int]
    """Ports, with their widths."""

    signals: Mapping[str, str]
    """What each signal of the text is in SMT-LIB."""

    following: Mapping[str, str]
    """Of each register, what it loads, in SMT-LIB."""

    parse: Callable[[str], Term]
    variables: list[Variable] = field(default_factory=list[Variable])
    """All of them, by number."""

    by_place: dict[tuple[str, int], Variable] = field(
        default_factory=dict[tuple[str, int], Variable]
    )
    """Inputs and undefined words in a cycle, by name."""

    _ports: dict[Term, dict[int, tuple[str, int]]] = field(
        default_factory=dict[Term, dict[int, tuple[str, int]]]
    )
    """Of each constant of inputs, the bits."""

    _known: dict[tuple[Term, int], Term] = field(default_factory=dict[tuple[Term, int], Term])
    _leaves: dict[tuple[Term, int], Term] = field(default_factory=dict[tuple[Term, int], Term])

    def __post_init__(self) -> None:
        for port in self.inputs:
            for index, bit in enumerate(bits_of(self.parse(self.signals[port]))):
                assert not isinstance(bit, str)
                self._ports.setdefault(bit[0], {})[bit[1]] = port, index

    def variable(
        self, name: str, cycle: int, width: int, low: int = 0, high: int | None = None
    ) -> Variable:
        """A new variable; without ends, of all unsigned numbers."""
        term = self.solver.free(width, f"{name}@{cycle}")
        highest = (1 << width) - 1 if high is None else high
        found = Variable(name, cycle, width, low, highest, len(self.variables), term)
        self.variables.append(found)
        return found

    def at(self, signal: str, cycle: int) -> Term:
        """A signal of the text in a cycle, as bits.

        Raises
        ------
        KanError : it depends on itself.
        """
        return self._at(self.solver.bits(self.parse(self.signals[signal])), cycle)

    def _at(self, term: Term, cycle: int) -> Term:
        if (term, cycle) not in self._known:
            if cycle < EARLIEST:
                raise KanError(
                    "a signal of the RTL depends on itself",
                    remedy="only pipelines without feedback can be proven",
                )
            leaves = [each for each in below(term, ()) if each.kind().name == "CONSTANT"]
            by = {leaf: self._leaf(leaf, cycle) for leaf in leaves}
            self._known[term, cycle] = self.solver.substituted(term, by)
        return self._known[term, cycle]

    def _leaf(self, leaf: Term, cycle: int) -> Term:
        """A register, an input or an undefined word in a cycle."""
        if (leaf, cycle) not in self._leaves:
            self._leaves[leaf, cycle] = self._new_leaf(leaf, cycle)
        return self._leaves[leaf, cycle]

    def _new_leaf(self, leaf: Term, cycle: int) -> Term:
        name = leaf.symbol()
        if name in self.following:
            return self._at(self.parse(self.following[name]), cycle - 1)
        bits: dict[int, tuple[Term, int]] = {}
        for index, (port, bit) in self._ports.get(leaf, {}).items():
            bits[index] = self._free(port, cycle, self.inputs[port]), bit
        width = max(1, width_of(leaf))
        if len(bits) < width:
            undefined = self._free(f"undefined {name}", cycle, width)
            bits = {index: (undefined, index) for index in range(width)} | bits
        return with_bits(leaf, bits, self.solver)

    def _free(self, name: str, cycle: int, width: int) -> Term:
        if (name, cycle) not in self.by_place:
            self.by_place[name, cycle] = self.variable(name, cycle, width)
        return self.by_place[name, cycle].term


def below(root: Term, known: Mapping[Term, object] | tuple[()]) -> Iterator[Term]:
    """The terms that a term is made of, each once and after its arguments; known ones left out."""
    done: set[Term] = set()
    waiting: list[tuple[Term, bool]] = [(root, False)]
    while waiting:
        term, is_ready = waiting.pop()
        if is_ready:
            yield term
        elif term not in done and term not in known:
            done.add(term)
            waiting.append((term, True))
            waiting.extend((child, False) for child in term.children())


def bits_of(term: Term) -> list[Bit]:
    """The bits of a term, lowest first."""
    children, width = term.children(), width_of(term)
    match term.kind().name:
        case "VALUE" if width:
            return list(reversed(term.value(2).zfill(width)))
        case "BV_CONCAT":
            return [bit for child in reversed(children) for bit in bits_of(child)]
        case "BV_EXTRACT":
            high, low = term.indices()
            return bits_of(children[0])[low : high + 1]
        case "ITE" if width == 1 and [bits_of(child) for child in children[1:]] == [["1"], ["0"]]:
            return bits_of(children[0])
        case "EQUAL" if width_of(children[0]) == 1 and bits_of(children[1]) == ["1"]:
            return bits_of(children[0])
        case _:
            return [(term, index) for index in range(max(1, width))]


def with_bits(term: Term, bits: Mapping[int, tuple[Term, int]], solver: Solver) -> Term:
    """A term with some of its bits replaced by bits of others."""
    found: Term | None = None
    whole = solver.bits(term)
    at, width = 0, width_of(whole)
    while at < width:
        source, first = bits.get(at, (whole, at))
        end = at + 1
        while end < width and bits.get(end, (whole, end)) == (source, first + end - at):
            end += 1
        high = first + end - at - 1
        is_whole = (first, high) == (0, width_of(source) - 1)
        part = source if is_whole else solver.slice(source, high, first)
        found = part if found is None else solver.apply("BV_CONCAT", part, found)
        at = end
    assert found is not None
    return found if width_of(term) else solver.apply("EQUAL", found, solver.constant(1, 1))


_PORT = re.compile(r"^; yosys-smt2-(input|output) (\S+) (\d+)$", re.MULTILINE)
_STEP = re.compile(r"^ *\(= (.*) \((\|[^|]*\|) next_state\)\)", re.MULTILINE)
_STATE = re.compile(r"\((\|[^|]*\|) state\)")


def read_text(
    rtl: Path, top: str, yosys: Tool, solver: Solver, timeout: float | None = None
) -> Design:
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
        return design_of((folder / "design.smt2").read_text(errors="replace"), top, solver)


def design_of(text: str, top: str, solver: Solver) -> Design:
    """The module that Yosys wrote, whose functions of a state become constants and terms."""
    ports = {side: dict[str, int]() for side in ("input", "output")}
    for side, name, width in _PORT.findall(text):
        ports[side][name] = int(width)
    text = _STATE.sub(r"\1", text)
    functions, _, steps = text.partition(f"(define-fun |{top}_t| ")
    functions = functions.replace(f"((state |{top}_s|))", "()").replace(f"(|{top}_s|)", "()")
    following = {register: loaded for loaded, register in _STEP.findall(steps)}
    names = re.findall(rf"^\(define-fun (\|{re.escape(top)}_n ([^|]*)\|)", functions, re.MULTILINE)
    signals = {name: written for written, name in names}
    read = solver.read(functions)
    return Design(solver, ports["input"], ports["output"], signals, following, read)
