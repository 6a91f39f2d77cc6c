"""Ops of a training step as arithmetic in time.

Each op is lowered as it comes: its numbers are placed in the first cycle in which its operands can
meet, and their registers are made then. docs/reference/training.md shows the pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from xdsl.dialects import comb, func
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.fixed_point import FixedType
from kan_dialect.ir.number_tensors import fixed_types
from kan_dialect.ir.types import tensor_shape
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.lowering.on_chip.banks import CoefficientBanks
from kan_dialect.lowering.on_chip.datapath import Datapath, Number
from kan_dialect.lowering.on_chip.schedule import Numbers, Schedule, Timed, mapped, number_array
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


@dataclass
class StepOps:
    """One rule for each op of a training step."""

    step: Step
    number: FixedType
    """Of the coefficients."""
    trained: SSAValue
    """A sample that trains is accepted in this cycle."""
    build: HwBuilder
    math: Datapath
    time: Schedule
    banks: CoefficientBanks
    tables: dict[tuple[bytes, SSAValue], Number] = field(
        default_factory=dict[tuple[bytes, SSAValue], Number]
    )
    """By entries and index."""

    def lower(self, op: Operation) -> None:
        """Add the op's results to the values of the schedule."""
        match op:
            case LocateOp():
                self._locate(op)
            case BasisOp():
                self._basis(op)
            case GatherOp():
                self._gather(op)
            case CombineOp():
                self._combine(op)
            case MacOp():
                self._mac(op)
            case ErrorOp():
                self._error(op)
            case BackpropagateOp():
                self._backpropagate(op)
            case UpdateOp():
                self._update(op)
            case func.ReturnOp():
                pass
            case _:
                raise KanError(f"@{self.step.name}: '{op.name}' has no lowering to hardware")

    def _locate(self, op: LocateOp) -> None:
        """Cells and local coordinates: of the network's inputs, in a cycle of their own.

        Those of nodes are in the cycle of their tables, since nodes lie in the loop from a
        sample's reads to its writes, which has to be short.
        """
        source = self.time.ready(op.input)
        apart = int(op.input == self.step.input)
        bits, cells = op.local_bits, op.cells.value.data
        columns: tuple[list[Number], ...] = ([], [], [])
        starts, multipliers, shifts = (column.tolist() for column in op.positions())
        for index, number in enumerate(source.numbers):
            distance = self.math.difference(number, self.math.constant(starts[index]))
            scaled = self.math.times(distance, multipliers[index])
            position = self.math.shifted_right(scaled, shifts[index])
            held, inside = self._within(position, bits, cells)
            name = f"{op.given_name or 'layer'}_position{index}"
            held = self.time.delayed(self.math.named(held, name), apart)
            columns[0].append(self.math.shifted_right(held, bits))
            columns[1].append(Number(self.build.part(held.wire, 0, bits), 0, (1 << bits) - 1))
            columns[2].append(self.time.delayed(Number(inside, 0, 1), apart))
        for value, numbers in zip(op.results, columns, strict=True):
            array = number_array(numbers, (len(numbers),))
            self.time.values[value] = Timed(array, source.cycle + apart)

    def _within(self, position: Number, bits: int, cells: int) -> tuple[Number, SSAValue]:
        """A position saturated to the grid, and whether it lies within."""
        last = (cells << bits) - 1
        cell = self.math.shifted_right(position, bits)
        width = self.math.constant(last).bits
        held = self.build.resized(position.wire, position.bits, width, position.is_signed)
        beyond: list[SSAValue] = []
        if cell.high >= cells:
            bound = self.build.constant(cells, cell.bits)
            over = self.build.add(comb.ICmpOp(cell.wire, bound, "sge" if cell.is_signed else "uge"))
            held = self.build.add(comb.MuxOp(over, self.build.constant(last, width), held))
            beyond.append(over)
        if position.low < 0:
            under = self.build.part(position.wire, position.bits - 1, 1)
            held = self.build.add(comb.MuxOp(under, self.build.constant(0, width), held))
            beyond.append(under)
        if not beyond:
            return Number(held, 0, last), self.build.constant(1, 1)
        return Number(held, 0, last), self.build.inverted(self.build.any_of(beyond), 1)

    def _basis(self, op: BasisOp) -> None:
        """Tables of the local coordinate, in its cycle."""
        local = self.time.ready(op.local)
        numbers: list[Number] = []
        for index, table in enumerate(op.tables):
            for j in range(table.shape[1]):
                column = np.ascontiguousarray(table[:, j])
                wire = local.numbers[index].wire
                name = f"{op.given_name or 'basis'}{index}_{j}"
                number = self._table(column, wire, name)
                if op.inside is not None:
                    inside = self.time.at(self.time.values[op.inside], local.cycle)[index]
                    number = self._masked(number, inside.wire)
                numbers.append(number)
        array = number_array(numbers, tensor_shape(op.result))
        self.time.values[op.result] = Timed(array, local.cycle, settled=False)

    def _table(self, entries: IntArray, index: SSAValue, name: str) -> Number:
        key = (entries.tobytes(), index)
        if key not in self.tables:
            self.tables[key] = self.math.read(entries, index, name)
        return self.tables[key]

    def _masked(self, number: Number, enable: SSAValue) -> Number:
        zero = self.build.constant(0, number.bits)
        wire = self.build.add(comb.MuxOp(enable, number.wire, zero))
        return Number(wire, min(number.low, 0), max(number.high, 0))

    def _gather(self, op: GatherOp) -> None:
        if op.coefficients not in self.step.states:
            raise KanError(f"@{self.step.name}: only states can be gathered in hardware")
        for use in op.result.uses:
            if not isinstance(use.operation, MacOp | CombineOp | UpdateOp):
                raise KanError(
                    f"@{self.step.name}: '{use.operation.name}' cannot read gathered coefficients "
                    "in hardware"
                )
        self.time.values[op.result] = self.banks.read(op.coefficients, op.cell)

    def _combine(self, op: CombineOp) -> None:
        """Sums of scaled terms, bank by bank, in the cycle of the last term."""
        for term in op.terms:
            self._require_banked(op, term)
        (kind,) = fixed_types(op.result)
        given = [self.time.ready(term) for term in op.terms]
        cycle = max(term.cycle for term in given)
        terms = [self.time.at(term, cycle) for term in given]
        shape, name = terms[0].shape, op.given_name or "combined"
        totals: list[Number] = []
        for index, numbers in enumerate(zip(*(term.ravel() for term in terms), strict=True)):
            scaled = [
                self._share(number, factor)
                for number, factor in zip(numbers, op.scaled_factors.tolist(), strict=True)
            ]
            total = scaled[0]
            for other in scaled[1:]:
                total = self.math.sum(total, other)
            rounded = self.math.saturated(self.math.rounded(total, FACTOR_BITS), kind)
            totals.append(self.math.named(rounded, f"{name}{index}"))
        self.time.values[op.result] = Timed(number_array(totals, shape), cycle, settled=False)

    def _require_banked(self, op: Operation, value: SSAValue) -> None:
        if not isinstance(value.owner, GatherOp | CombineOp):
            raise KanError(
                f"@{self.step.name}: in hardware, '{op.name}' takes results of kan.gather and "
                "kan.combine only"
            )

    def _share(self, number: Number, factor: int) -> Number:
        """A number times a factor, or the number less the rest where that takes fewer adders."""
        lost = (1 << FACTOR_BITS) - factor
        if lost.bit_count() >= factor.bit_count():
            return self.math.times(number, factor)
        whole = self.math.shifted_left(number, FACTOR_BITS)
        return whole if lost == 0 else self.math.difference(whole, self.math.times(number, lost))

    def _mac(self, op: MacOp) -> None:
        gather = op.active.owner
        if not isinstance(gather, GatherOp) or op.basis not in self.time.values:
            raise KanError(f"@{self.step.name}: kan.mac takes gathered coefficients and a basis")
        active, basis = self.time.values[op.active], self.banks.rotated(op.basis, gather.cell)
        cycle = max(active.cycle, basis.cycle)
        coefficients, weights = self.time.at(active, cycle), self.time.at(basis, cycle)
        terms = number_array(
            [
                self.math.product(old, weight)
                for node in coefficients
                for old, weight in zip(node.ravel(), weights.ravel(), strict=True)
            ],
            coefficients.shape,
        )
        shape = tensor_shape(op.result)
        terms = terms.reshape(*shape, -1)
        self.time.values[op.result] = self._accumulated(op, terms, cycle, (op.active, op.basis))

    def _backpropagate(self, op: BackpropagateOp) -> None:
        error, slopes = self.time.ready(op.error), self.time.ready(op.slopes)
        cycle = max(error.cycle, slopes.cycle)
        errors, factors = self.time.at(error, cycle), self.time.at(slopes, cycle)
        outputs, inputs = factors.shape
        terms = number_array(
            [
                self.math.product(errors[o], factors[o, i])
                for i in range(inputs)
                for o in range(outputs)
            ],
            (inputs, outputs),
        )
        self.time.values[op.result] = self._accumulated(op, terms, cycle, (op.error, op.slopes))

    def _accumulated(
        self, op: MacOp | BackpropagateOp, terms: Numbers, cycle: int, operands: Sequence[SSAValue]
    ) -> Timed:
        """Sums over the last axis, rounded: at most two adders in a row in a stage.

        The levels of adders are divided evenly between the stage behind the products and the stage
        in front of rounding; the first one has the odd level.
        """
        left, right, kind = fixed_types(*operands, op.result)
        name, first = op.given_name or "sum", cycle
        levels = (terms.shape[-1] - 1).bit_length()
        row = min(2, (levels + 1) // 2)
        while levels:
            for _ in range(row):
                terms = self._paired(terms)
            levels -= row
            if cycle == first or levels:
                terms, cycle = self._registered(terms, name, cycle)
            row = min(2, levels)
        shift = left.fraction + right.fraction - kind.fraction
        numbers = [
            self.math.named(
                self.math.saturated(self.math.rounded(total, shift), kind), f"{name}{index}"
            )
            for index, total in enumerate(terms.ravel())
        ]
        return Timed(number_array(numbers, terms.shape[:-1]), cycle, settled=False)

    def _paired(self, terms: Numbers) -> Numbers:
        """Sums of neighbours along the last axis."""
        count = terms.shape[-1]
        rows = [
            [
                self.math.sum(row[k], row[k + 1]) if k + 1 < count else row[k]
                for k in range(0, count, 2)
            ]
            for row in terms.reshape(-1, count)
        ]
        flat = [number for row in rows for number in row]
        return number_array(flat, (*terms.shape[:-1], -(-count // 2)))

    def _registered(self, terms: Numbers, name: str, cycle: int) -> tuple[Numbers, int]:
        for index, number in enumerate(terms.ravel()):
            row, part = divmod(index, terms.shape[-1])
            self.math.named(number, f"{name}{row}_part{part}")
        return mapped(lambda number: self.time.delayed(number, 1), terms), cycle + 1

    def _error(self, op: ErrorOp) -> None:
        """Target less output, behind the output's logic in the same cycle."""
        output, target = self.time.values[op.output], self.time.values[op.target]
        cycle = max(output.cycle, target.cycle)
        (kind,) = fixed_types(op.result)
        name = op.given_name or "error"
        numbers = [
            self.math.named(self.math.saturated(self.math.difference(t, y), kind), f"{name}{index}")
            for index, (t, y) in enumerate(
                zip(self.time.at(target, cycle), self.time.at(output, cycle), strict=True)
            )
        ]
        array = number_array(numbers, (len(numbers),))
        self.time.values[op.result] = Timed(array, cycle, settled=False)

    def _update(self, op: UpdateOp) -> None:
        state = op.coefficients
        layer = self.step.states.index(state)
        origin = self.banks.read(state, op.cell)
        if op.origin is not None:
            self._require_banked(op, op.origin)
            origin = self.time.ready(op.origin)
        weights = self.banks.rotated(op.weights, op.cell)
        error = self.time.ready(op.error)
        cycle = max(origin.cycle, weights.cycle, error.cycle)
        places = self.banks.placed(op.cell, self.banks.map.banks[layer])
        left, right = fixed_types(op.error, op.weights)
        shift = left.fraction + right.fraction - self.number.fraction
        errors, factors = self.time.at(error, cycle), self.time.at(weights, cycle)
        origins = self.time.at(origin, cycle)
        enable = self.time.after(self.trained, cycle, clear=True)
        for bank in self.banks.of_layer(layer):
            step = self.math.product(errors[bank.output], factors[bank.input, bank.number])
            old = origins[bank.output, bank.input, bank.number]
            moved = self.math.saturated(self.math.rounded(step, shift, plus=old), self.number)
            self.math.named(moved, f"{self.banks.edge(bank)}_next{bank.number}")
            row = self.time.after(self.banks.addresses[bank], cycle - places.cycle)
            self.banks.write(bank, row, self.math.extended(moved, self.number.bits), enable)
        self.banks.write_cycles[state] = cycle
