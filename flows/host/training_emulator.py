"""Writes the training step in C99: forward, backward and the update of coefficients, bit for bit.

Each op of the step is a loop over its tensor. The coefficients are the caller's: a structure with
an array for each state. They change after everything else has been read, as in the hardware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.files.templates import filled
from kan_dialect.flows.design import Design
from kan_dialect.flows.host.c_text import array, braces
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.fixed_point import FixedType, fixed_type
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.on_chip.training_step import Step
from kan_dialect.ops.grid import BasisOp, LocateOp
from kan_dialect.ops.on_chip import (
    FACTOR_BITS,
    BackpropagateOp,
    CombineOp,
    ErrorOp,
    GatherOp,
    MacOp,
    UpdateOp,
)


def write_training_emulator(directory: Path, design: Design) -> None:
    """Write NAME_emulator.h, NAME_emulator.c and NAME_emulator.py.

    Parameters
    ----------
    directory : a folder, made where it is missing.
    design : hardware that trains itself.

    Raises
    ------
    KanError : the step has an op without a form in C.
    """
    training = design.training
    assert training is not None
    text = _StepText(training.step)
    numbers = training.number, training.target_number, training.output_number
    kinds = [(number.fraction, number.low, number.high) for number in numbers]
    values = {
        "name": design.name,
        "inputs": len(design.core.inputs),
        "targets": len(training.targets),
        "outputs": len(design.core.outputs),
        "what": training.target_name,
        "has_velocities": training.has_velocities,
        "states": {
            state_name(training.step, index): tensor_shape(state)
            for index, state in enumerate(training.step.states)
        },
        "initial": [_initialiser(state) for state in training.step.initial()],
        "tables": text.tables,
        "statements": text.lines,
        "kinds": kinds,
    }
    directory.mkdir(parents=True, exist_ok=True)
    for file in ("emulator.h", "emulator.c", "emulator.py"):
        path = directory / f"{design.name}_{file}"
        path.write_text(filled(f"flows/host/templates/training_{file}.j2", **values))


def state_name(step: Step, index: int) -> str:
    """The name of a state in C: `layer0`, or `velocity0` of a velocity."""
    if index < step.layers:
        return f"layer{index}"
    return f"velocity{index - step.layers}"


def _dimensions(shape: Sequence[int]) -> str:
    return "".join(f"[{size}]" for size in shape)


def _initialiser(state: IntArray) -> str:
    """Nested braces, so that compilers do not warn."""
    if state.ndim == 1:
        return braces(state.tolist())
    return "{\n" + ",\n".join(map(_initialiser, state)) + "\n}"


@dataclass
class _StepText:
    """Tables and statements of a step.

    Raises
    ------
    KanError : an op has no form in C.
    """

    step: Step
    tables: list[str] = field(default_factory=list[str])
    lines: list[str] = field(default_factory=list[str])
    _names: dict[SSAValue, str] = field(default_factory=dict[SSAValue, str])

    def __post_init__(self) -> None:
        self._numbers = count()
        self._names = {self.step.input: "x", self.step.target: "t"}
        for index, state in enumerate(self.step.states):
            self._names[state] = f"state->{state_name(self.step, index)}"
        later: list[str] = []
        for op in self.step.function.body.block.ops:
            if isinstance(op, UpdateOp):
                later += self._update(op)
            elif not isinstance(op, func.ReturnOp):
                self._add(op)
        (outputs,) = tensor_shape(self.step.output)
        output = self._names[self.step.output]
        self.lines += _loops([outputs], [f"y[a] = {output}[a];"])
        if later:
            self.lines += ["if (!train) return;", *later]

    def _add(self, op: Operation) -> None:
        match op:
            case LocateOp():
                self._locate(op)
            case BasisOp():
                self._basis(op)
            case GatherOp():
                source, cell = self._names[op.coefficients], self._names[op.cell]
                self._each(op.result, [f"{{}} = {source}[a][b][{cell}[b] + c];"])
            case CombineOp():
                terms = zip(op.terms, op.scaled_factors.tolist(), strict=True)
                total = " + ".join(f"{self._names[term]}[a][b][c] * {f}" for term, f in terms)
                self._each(op.result, [self._rounded("{}", total, FACTOR_BITS, op.result)])
            case MacOp():
                self._mac(op)
            case ErrorOp():
                total = f"{self._names[op.target]}[a] - {self._names[op.output]}[a]"
                self._each(op.result, [self._rounded("{}", total, 0, op.result)])
            case BackpropagateOp():
                error, slopes = self._names[op.error], self._names[op.slopes]
                (outputs,) = tensor_shape(op.error)
                lines = _loops([outputs], [f"total += {error}[e] * {slopes}[e][a];"], "e")
                self._sum(op.result, lines, (op.error, op.slopes))
            case _:
                raise KanError(f"@{self.step.name}: '{op.name}' has no form in C")

    def _locate(self, op: LocateOp) -> None:
        """Cells and local coordinates of positions, saturated to the grid."""
        (size,) = tensor_shape(op.input)
        lows, multipliers, shifts = (self._table(column) for column in op.positions())
        bits, last = op.local_bits, (op.cells.value.data << op.local_bits) - 1
        cell, local, inside = (self._declared(value) for value in op.results)
        source = self._names[op.input]
        self.lines += [
            f"for (int a = 0; a < {size}; ++a) {{",
            f"    const int64_t far = ({source}[a] - {lows}[a]) * {multipliers}[a];",
            f"    const int64_t position = floored(far, {shifts}[a]);",
            f"    const int64_t held = position < 0 ? 0 : position > {last} ? {last} : position;",
            f"    {cell}[a] = held >> {bits};",
            f"    {local}[a] = held & {(1 << bits) - 1};",
            f"    {inside}[a] = held == position;",
            "}",
            f"(void){inside};",
        ]

    def _basis(self, op: BasisOp) -> None:
        tables = op.tables
        _, entries, columns = tables.shape
        name, local = self._table(tables), self._names[op.local]
        text = f"{name}[(a * {entries} + {local}[a]) * {columns} + b]"
        if op.inside is not None:
            text = f"{self._names[op.inside]}[a] ? {text} : 0"
        self._each(op.result, [f"{{}} = {text};"])

    def _mac(self, op: MacOp) -> None:
        """A sum over the active coefficients, and over inputs where the result is one of nodes."""
        active, basis = self._names[op.active], self._names[op.basis]
        _, inputs, columns = tensor_shape(op.active)
        product = f"{active}[a][{{0}}][d] * {basis}[{{0}}][d];"
        if op.per_edge:
            lines = _loops([columns], [f"total += {product.format('b')}"], "d")
        else:
            lines = _loops([inputs, columns], [f"total += {product.format('e')}"], "ed")
        self._sum(op.result, lines, (op.active, op.basis))

    def _sum(self, result: SSAValue, lines: Sequence[str], factors: tuple[SSAValue, ...]) -> None:
        shift = sum(_kind(value).fraction for value in factors) - _kind(result).fraction
        stored = self._rounded("{}", "total", shift, result)
        self._each(result, ["int64_t total = 0;", *lines, stored])

    def _update(self, op: UpdateOp) -> list[str]:
        """Compute the moved coefficients; the statements that write them, for the end."""
        kind, cell = _kind(op.coefficients), self._names[op.cell]
        state, moved = self._names[op.coefficients], f"moved{next(self._numbers)}"
        outputs, inputs, _ = tensor_shape(op.coefficients)
        columns = tensor_shape(op.weights)[1]
        product = _kind(op.error).fraction + _kind(op.weights).fraction
        common = max(product, kind.fraction)
        start = f"{state}[a][b][{cell}[b] + c]"
        if op.origin is not None:
            start = f"{self._names[op.origin]}[a][b][c]"
        change = f"{self._names[op.error]}[a] * {self._names[op.weights]}[b][c]"
        total = f"{_scaled(start, common - kind.fraction)} + {_scaled(change, common - product)}"
        shape = [outputs, inputs, columns]
        self.lines.append(f"int64_t {moved}{_dimensions(shape)};")
        place = f"{moved}[a][b][c]"
        stored = self._rounded(place, total, common - kind.fraction, op.coefficients)
        self.lines += _loops(shape, [stored])
        return _loops(shape, [f"{state}[a][b][{cell}[b] + c] = {place};"])

    def _rounded(self, place: str, total: str, shift: int, result: SSAValue) -> str:
        kind = _kind(result)
        return f"{place} = rounded({total}, {shift}, {kind.low}, {kind.high});"

    def _each(self, result: SSAValue, body: Sequence[str]) -> None:
        """Statements for each element of a new tensor, whose place replaces `{}` in the last."""
        shape, name = tensor_shape(result), self._declared(result)
        place = name + "".join(f"[{letter}]" for letter in "abc"[: len(shape)])
        self.lines += _loops(shape, [*body[:-1], body[-1].format(place)])

    def _declared(self, value: SSAValue) -> str:
        name = self._names[value] = f"v{next(self._numbers)}"
        self.lines.append(f"int64_t {name}{_dimensions(tensor_shape(value))};")
        return name

    def _table(self, entries: IntArray) -> str:
        name = f"t{len(self.tables)}"
        self.tables.append(array(name, np.asarray(entries)))
        return name


def _kind(value: SSAValue) -> FixedType:
    kind = fixed_type(value)
    if kind is None:
        raise KanError(f"a value of type {value.type} is no fixed-point number")
    return kind


def _scaled(text: str, amount: int) -> str:
    return f"{text} * ((int64_t)1 << {amount})" if amount else text


def _loops(shape: Sequence[int], body: Sequence[str], letters: str = "abc") -> list[str]:
    """Nested loops over a shape around statements, a letter for each dimension."""
    lines = list(body)
    for letter, size in reversed(list(zip(letters, shape, strict=False))):
        lines = [
            f"for (int {letter} = 0; {letter} < {size}; ++{letter}) {{",
            *(f"    {line}" for line in lines),
            "}",
        ]
    return lines
