"""The results of a training step as terms, bank by bank, from the definitions of its ops.

Coefficient j of an edge is word j div n of bank j mod n, with n = degree + 1. Of the coefficients
cell ... cell + degree one is in each bank, so that sums over j are sums over banks: nothing else is
assumed of the hardware. The ops say positions, factors and tables (`kan_dialect.ops.on_chip`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.integers import Arithmetic, Integer
from kan_dialect.flows.prove.cycles.terms import Pool
from kan_dialect.flows.prove.on_chip.step_ports import number_type
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.on_chip.coefficient_memory import Bank, MemoryMap, memory_map
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

Integers = NDArray[np.object_]
"""`Integer`s in the shape of a value's tensor; gathered ones by bank instead of by j."""


@dataclass(frozen=True)
class Part:
    """A number that the step computes."""

    group: str
    """`layer0 positions`; empty where it is only a step on the way."""
    name: str


Settle = Callable[[Part, Integer], Integer]
"""Told of each number, in order; gives what stands for it in all that follows."""


def unsettled(_: Part, number: Integer) -> Integer:
    """Every number stands for itself."""
    return number


@dataclass
class Reference:
    """A step, computed for one sample."""

    step: Step
    pool: Pool
    settle: Settle
    word: Callable[[Bank], Integer]
    """The word of a bank that takes part; asked for when its rows are there."""
    input: list[Integer]
    target: list[Integer]
    rows: dict[Bank, Integer] = field(default_factory=dict[Bank, Integer])
    """Where in each bank the word is that takes part."""
    outputs: list[Integer] = field(default_factory=list[Integer])
    following: dict[Bank, Integer] = field(default_factory=dict[Bank, Integer])
    """What each bank's word becomes."""
    values: dict[SSAValue, Integers] = field(default_factory=dict[SSAValue, Integers])
    _locates: dict[SSAValue, LocateOp] = field(default_factory=dict[SSAValue, LocateOp])
    """By cells, and by local coordinates."""
    _banked: dict[tuple[SSAValue, SSAValue], Integers] = field(
        default_factory=dict[tuple[SSAValue, SSAValue], Integers]
    )

    def __post_init__(self) -> None:
        self.math = Arithmetic(self.pool)
        self.map: MemoryMap = memory_map(self.step)
        self.values[self.step.input] = _array(self.input, (len(self.input),))
        self.values[self.step.target] = _array(self.target, (len(self.target),))

    def run(self) -> None:
        """Compute all.

        Raises
        ------
        KanError : an op that has no meaning here.
        """
        for op in self.step.function.body.block.ops:
            self._visit(op)
        self.outputs = self.values[self.step.output].tolist()

    def _visit(self, op: Operation) -> None:
        match op:
            case LocateOp():
                self._locate(op)
            case BasisOp():
                pass  # Of what it is with the cells, see `_of_banks`.
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
                raise KanError(f"@{self.step.name}: '{op.name}' is not an op of a training step")

    def _settled(self, group: str, name: str, number: Integer) -> Integer:
        return self.settle(Part(group, name), number)

    def _locate(self, op: LocateOp) -> None:
        math, name = self.math, op.given_name or "layer"
        last = (op.cells.value.data << op.local_bits) - 1
        positions: list[Integer] = []
        inside: list[Integer] = []
        factors = zip(*(column.tolist() for column in op.positions()), strict=True)
        for index, (start, multiplier, shift) in enumerate(factors):
            number = self.values[op.input][index]
            distance = math.difference(number, math.constant(start))
            exact = math.shifted_right(math.product(distance, math.constant(multiplier)), shift)
            held = math.saturated(exact, 0, last)
            within = Integer(math.equal(held, exact), 0, 1)
            positions.append(self._settled(f"{name} positions", f"{name}_position{index}", held))
            if op.inside.uses.get_length():
                within = self._settled("", f"{name}_inside{index}", within)
            inside.append(within)
        self._locates[op.cell] = self._locates[op.local] = op
        self.values[op.cell] = self.values[op.local] = _array(positions, (len(positions),))
        self.values[op.inside] = _array(inside, (len(inside),))

    def _cells(self, cell: SSAValue) -> tuple[Integers, IntArray, IntArray]:
        """The positions of inputs, and the cell and the local coordinate at each position."""
        op = self._locates.get(cell)
        if op is None:
            raise KanError(f"@{self.step.name}: cells that no kan.locate gives")
        every = np.arange(op.cells.value.data << op.local_bits)
        return self.values[cell], every >> op.local_bits, every & ((1 << op.local_bits) - 1)

    def _of_banks(self, basis: SSAValue, cell: SSAValue) -> Integers:
        """The basis function of each bank's coefficient: (in, banks)."""
        if (basis, cell) in self._banked:
            return self._banked[basis, cell]
        op = basis.owner
        if not isinstance(op, BasisOp) or self._locates.get(op.local) is not self._locates[cell]:
            raise KanError(f"@{self.step.name}: a basis at other places than its coefficients")
        positions, cells, local = self._cells(cell)
        tables = op.tables
        banks = tables.shape[2]
        name = op.given_name or "basis"
        found: list[Integer] = []
        for index, position in enumerate(positions):
            for bank in range(banks):
                # Coefficient cell + j is in this bank for j = bank - cell.
                entries = tables[index][local, (bank - cells) % banks]
                number = self.math.entry(position, entries)
                if op.inside is not None:
                    number = self._masked(self.values[op.inside][index], number)
                found.append(self._settled("", f"{name}{index}_bank{bank}", number))
        self._banked[basis, cell] = _array(found, (len(positions), banks))
        return self._banked[basis, cell]

    def _masked(self, inside: Integer, number: Integer) -> Integer:
        low, high = min(number.low, 0), max(number.high, 0)
        word = self.math.held(number, low, high).term
        zero = self.pool.constant(0, word.width)
        return Integer(self.pool.chosen(inside.term, word, zero), low, high)

    def banks_of(self, state: SSAValue) -> Iterator[Bank]:
        """The memories of a state, in the order (out, in, bank)."""
        states: list[SSAValue] = list(self.step.states)
        layer = states.index(state)
        return (bank for bank in self.map.all_banks() if bank.layer == layer)

    def _gather(self, op: GatherOp) -> None:
        if op.coefficients not in self.step.states:
            raise KanError(f"@{self.step.name}: kan.gather of a value other than state")
        positions, cells, _ = self._cells(op.cell)
        outputs, inputs, count = tensor_shape(op.result)
        words: list[Integer] = []
        for bank in self.banks_of(op.coefficients):
            # The one of cell, cell + 1, ... cell + degree that leaves the bank's remainder.
            coefficient = cells + (bank.number - cells) % count
            self.rows[bank] = self.math.entry(positions[bank.input], coefficient // count)
            words.append(self.word(bank))
        self.values[op.result] = _array(words, (outputs, inputs, count))

    def _combine(self, op: CombineOp) -> None:
        kind, math, name = number_type(op.result), self.math, op.given_name or "combined"
        shape = self.values[op.terms[0]].shape
        found: list[Integer] = []
        columns = [self.values[term].ravel() for term in op.terms]
        for index, numbers in enumerate(zip(*columns, strict=True)):
            factors = op.scaled_factors.tolist()
            terms = [
                self._settled("", f"{name}_share", math.product(number, math.constant(factor)))
                for number, factor in zip(numbers, factors, strict=True)
            ]
            total = math.in_type(math.rounded(math.total(terms), FACTOR_BITS), kind)
            found.append(self._settled("", f"{name}{index}", total))
        self.values[op.result] = _array(found, shape)

    def _mac(self, op: MacOp) -> None:
        gathered = op.active.owner
        if not isinstance(gathered, GatherOp):
            raise KanError(f"@{self.step.name}: kan.mac of a value that was not gathered")
        active, basis = self.values[op.active], self._of_banks(op.basis, gathered.cell)
        name = op.given_name or "sum"
        products = _array(
            [
                self._settled("", f"{name}_product", self.math.product(word, factor))
                for node in active
                for word, factor in zip(node.ravel(), basis.ravel(), strict=True)
            ],
            active.shape,
        )
        shape = tensor_shape(op.result)
        rows = products.reshape(int(np.prod(shape)), -1)
        self.values[op.result] = self._totals(op, rows, (op.active, op.basis), shape)

    def _backpropagate(self, op: BackpropagateOp) -> None:
        errors, slopes = self.values[op.error], self.values[op.slopes]
        outputs, inputs = slopes.shape
        name = op.given_name or "sum"
        products = [
            self._settled("", f"{name}_product", self.math.product(errors[o], slopes[o, i]))
            for i in range(inputs)
            for o in range(outputs)
        ]
        rows = _array(products, (inputs, outputs))
        self.values[op.result] = self._totals(op, rows, (op.error, op.slopes), (inputs,))

    def _totals(
        self,
        op: MacOp | BackpropagateOp,
        rows: Integers,
        factors: tuple[SSAValue, SSAValue],
        shape: tuple[int, ...],
    ) -> Integers:
        """Sums of products, each rounded and saturated once."""
        kind, math, name = number_type(op.result), self.math, op.given_name or "sum"
        places = number_type(factors[0]).fraction + number_type(factors[1]).fraction - kind.fraction
        found: list[Integer] = []
        for index, row in enumerate(rows):
            total = self._settled("", f"{name}{index}_total", math.total(row.tolist()))
            number = math.in_type(math.rounded(total, places), kind)
            found.append(self._settled(f"{name}s", f"{name}{index}", number))
        return _array(found, shape)

    def _error(self, op: ErrorOp) -> None:
        kind, name = number_type(op.result), op.given_name or "error"
        pairs = zip(self.values[op.target], self.values[op.output], strict=True)
        found = [
            self._settled(
                f"{name}s",
                f"{name}{index}",
                self.math.in_type(self.math.difference(target, output), kind),
            )
            for index, (target, output) in enumerate(pairs)
        ]
        self.values[op.result] = _array(found, (len(found),))

    def _update(self, op: UpdateOp) -> None:
        math, kind = self.math, number_type(op.coefficients)
        errors, weights = self.values[op.error], self._of_banks(op.weights, op.cell)
        places = number_type(op.error).fraction + number_type(op.weights).fraction - kind.fraction
        start = self.values[op.origin] if op.origin is not None else self._own_words(op)
        for bank in self.banks_of(op.coefficients):
            old = start[bank.output, bank.input, bank.number]
            product = math.product(errors[bank.output], weights[bank.input, bank.number])
            product = self._settled("", f"{op.given_name or 'update'}_product", product)
            exact = (
                math.sum(math.shifted_left(old, places), product)
                if places >= 0
                else math.sum(old, math.shifted_left(product, -places))
            )
            self.following[bank] = math.in_type(math.rounded(exact, max(places, 0)), kind)

    def _own_words(self, op: UpdateOp) -> Integers:
        for use in op.coefficients.uses:
            gather = use.operation
            if isinstance(gather, GatherOp) and gather.cell == op.cell:
                return self.values[gather.result]
        raise KanError(f"@{self.step.name}: kan.update of a value that was not gathered")


def _array(numbers: list[Integer], shape: tuple[int, ...]) -> Integers:
    array = np.empty(len(numbers), dtype=object)
    array[:] = numbers
    return array.reshape(shape)
