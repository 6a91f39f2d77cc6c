"""`kan-add-head`: the hardware makes the decision, so that a class or a trigger leaves the chip.

The outputs of a wire-level function become the decision on them:

- `argmax`: the index of the first largest output, by a tree of `kan.larger`.
- `top-k`: the indices of the k largest outputs in order, by trees that merge sorted halves
  (Batcher's odd-even merge) with `kan.exchange`, without the parts that nothing reads.
- `threshold`: for each output, the bit output > threshold. The threshold becomes a constant of the
  output's sum, and the bit is the sign of that, so it takes next to no logic.

Outputs with number formats are compared as they are rounded. The decision itself has no format.

Indices and bits are exact: they are the decision on the numbers that the codes stand for. Every
candidate of a tree is a node with a mark, by which proofs go step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.attribute_names import OUTPUT_CODES
from kan_dialect.ir.attributes.module_attributes import wire_ports
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.types import MAX_RANGE_BITS, range_of
from kan_dialect.model.head import Head, Kind, declare_head, declared_head, logit
from kan_dialect.model.interface import Port
from kan_dialect.model.port_codes import decode
from kan_dialect.ops.decision import GreaterOp, PrecedesOp, SelectOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.wire import ConstantOp, MarkOp, SumOp, TableOp
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_bounds import Bounds, bounded

MAX_SHIFT = 31
"""Largest exponent of the ratio of two scales."""

DECISION = "the decision on the outputs"
"""What `kan-add-head` preserves."""


class _Candidate(NamedTuple):
    """An output and its index."""

    value: SSAValue
    number: SSAValue
    """The index."""


@dataclass(frozen=True)
class AddHeadPass(KanPass):
    """Makes the outputs the decision on them.

    Raises
    ------
    KanError : an option has no meaning for the kind, the network has too few outputs, or scales of
        outputs that are compared have a ratio that is no power of two.
    """

    name = "kan-add-head"
    works_at = ("wire",)
    preserves: ClassVar[str] = DECISION

    kind: Literal["argmax", "threshold", "top-k"] = "argmax"
    """`argmax`: index of the first largest output; `threshold`: a bit for each output, 1 if it is
    greater than the threshold; `top-k`: indices of the k largest outputs in order."""
    threshold: float | None = bounded(None, Bounds(-1e30, 1e30))
    """With `threshold`: the number that the output, on its real scale, must be greater than;
    default 0."""
    probability: float | None = bounded(None, Bounds(0, 1, above=True, below=True))
    """With `threshold`: the threshold as the probability of a sigmoid behind the output; 0.9 stands
    for threshold 2.197."""
    k: int | None = bounded(None, Bounds(1, 1024))
    """With `top-k`: number of indices; default 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_meaning(self.kind, self.threshold, self.probability, self.k)

    @property
    def appends_head(self) -> bool:
        return True

    def require_possible(self, module: ModuleOp, before: Sequence[ModulePass]) -> None:
        """Refuse a head that needs more outputs than the network has."""
        for function in functions_of(module):
            self._head(function)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        for function in functions:
            if declared_head(function) is not None:
                raise KanError(
                    f"@{function.sym_name.data} has a head already",
                    remedy="give the model as it was before kan-add-head",
                )
            _Builder(function, self._head(function)).run()
        return bool(functions)

    def _head(self, function: func.FuncOp) -> Head:
        """The head of a function.

        Raises
        ------
        KanError : it has too few outputs.
        """
        outputs = sum(
            prod(kind.get_shape()) if isinstance(kind, TensorType) else 1
            for kind in function.function_type.outputs.data
        )
        if self.kind == "threshold":
            given = 0.0 if self.threshold is None else self.threshold
            threshold = given if self.probability is None else logit(self.probability)
            return Head("threshold", outputs, threshold, self.probability)
        k = 1 if self.kind == "argmax" else 2 if self.k is None else self.k
        where = f"@{function.sym_name.data} has {outputs} output{'s' if outputs > 1 else ''}"
        if outputs < 2:
            raise KanError(
                f"{where}, and head {self.kind} compares outputs", remedy="use head threshold"
            )
        if k > outputs:
            raise KanError(f"{where}, and k is {k}", remedy=f"take k={outputs} at most")
        return Head(self.kind, outputs, k=k)


def require_meaning(
    kind: Kind | Literal["none"],
    threshold: float | None,
    probability: float | None,
    k: int | None,
) -> None:
    """Refuse options that mean nothing for a kind of head.

    Raises
    ------
    KanError : names the option and the head that takes it.
    """
    of = {"threshold": ("threshold", threshold), "probability": ("threshold", probability)}
    for name, (needed, value) in (of | {"k": ("top-k", k)}).items():
        if value is not None and kind != needed:
            beside = "without a head" if kind == "none" else f"for head {kind}"
            raise KanError(
                f"{name} has no meaning {beside}", remedy=f"leave it out, or take head {needed}"
            )
    if threshold is not None and probability is not None:
        raise KanError("threshold and probability exclude each other", remedy="keep one of them")


@dataclass
class _Builder:
    """Adds a head to one function."""

    function: func.FuncOp
    head: Head
    count: int = 0
    constants: dict[int, SSAValue] = field(default_factory=dict[int, SSAValue])
    marks: list[MarkOp] = field(default_factory=list[MarkOp])
    """Marks of candidates."""

    def run(self) -> None:
        terminator = self.function.get_return_op()
        assert terminator is not None
        _, outputs = wire_ports(self.function)
        ports = [Port.of_attribute(port) for port in outputs]
        values = list(terminator.operands)
        if self.head.kind == "threshold":
            decided = [
                self.threshold(value, _code_below(port, self.head.threshold), index)
                for index, (value, port) in enumerate(zip(values, ports, strict=True))
            ]
        else:
            decided = self.largest(self.on_one_scale(values, ports))
        terminator.operands = decided
        for mark in self.marks:
            if mark.value.has_one_use():  # Nothing but the mark reads it.
                chosen = mark.value.owner
                assert isinstance(chosen, SelectOp)
                Rewriter.erase_op(mark)
                Rewriter.erase_op(chosen)
        self.function.update_function_type()
        self.function.res_attrs = None
        self.function.attributes.pop(OUTPUT_CODES, None)  # Decisions have no number format.
        declare_head(self.function, self.head)

    def add(self, op: Operation) -> SSAValue:
        terminator = self.function.get_return_op()
        assert terminator is not None
        Rewriter.insert_op(op, InsertPoint.before(terminator))
        return op.results[0]

    def constant(self, value: int) -> SSAValue:
        if value not in self.constants:
            self.constants[value] = self.add(ConstantOp(value))
        return self.constants[value]

    # Thresholds

    def threshold(self, value: SSAValue, bound: int, index: int) -> SSAValue:
        """The bit value > bound."""
        name = f"head{index}"
        kind = range_of(value)
        if not kind.low <= bound < kind.high:
            return self.constant(int(kind.low > bound))
        owner = value.owner
        if isinstance(owner, TableOp) and len(owner.inputs) == 1 and owner.care is None:
            above = (owner.entries_array > bound).astype(np.int64)
            return self.add(TableOp(owner.inputs, above, name=name))
        readers = [use.operation for use in value.uses]
        alone = sum(not isinstance(reader, MarkOp) for reader in readers) == 1
        if isinstance(owner, SumOp) and alone:
            value, bound = self.lowered(owner, bound + 1), -1
        return self.add(GreaterOp(value, bound, name=name))

    def lowered(self, op: SumOp, amount: int) -> SSAValue:
        """The sum less `amount`, in place of the sum: its marks move to it."""
        constant = ConstantOp(-amount)
        less = SumOp([*op.inputs, constant.result], name=op.given_name)
        Rewriter.insert_op([constant, less], InsertPoint.before(op))
        for mark in [use.operation for use in op.result.uses]:
            if isinstance(mark, MarkOp):
                offset = mark.offset.value.data + amount
                moved = MarkOp(less, mark.node.data, offset=offset, cycle=mark.cycle.value.data)
                Rewriter.replace_op(mark, moved, [])
        op.result.replace_all_uses_with(less.result)
        Rewriter.erase_op(op)
        return less.result

    # Comparisons

    def on_one_scale(self, values: Sequence[SSAValue], ports: Sequence[Port]) -> list[SSAValue]:
        """The outputs as integers of one scale and zero point 0.

        Raises
        ------
        KanError : a ratio of scales is no power of two, or numbers get too wide.
        """
        finest = min(port.scale for port in ports)
        scaled: list[SSAValue] = []
        for value, port in zip(values, ports, strict=True):
            exponent = round(float(np.log2(port.scale / finest)))
            if port.scale != finest * 2.0**exponent:
                raise KanError(
                    f"@{self.function.sym_name.data}: outputs have scales {finest} and "
                    f"{port.scale}, whose ratio is no power of two, so their codes cannot be "
                    "compared",
                    remedy="quantise the results with one scale, as kan-quantize does",
                )
            if exponent > MAX_SHIFT or range_of(value).bits + exponent + 1 > MAX_RANGE_BITS:
                raise KanError(
                    f"@{self.function.sym_name.data}: outputs have scales {finest} and "
                    f"{port.scale}, on one scale they need more than {MAX_RANGE_BITS} bits",
                    remedy="quantise the results with one scale, as kan-quantize does",
                )
            if port.zero_point:
                value = self.add(SumOp([value, self.constant(-port.zero_point)]))
            if exponent:
                value = self.add(ShiftOp(value, -exponent))
            scaled.append(value)
        return scaled

    def largest(self, values: Sequence[SSAValue]) -> list[SSAValue]:
        """The indices of the largest values, in order."""
        candidates = [_Candidate(v, self.constant(i)) for i, v in enumerate(values)]
        if self.head.kind == "argmax":
            return [self.tree(candidates).number]
        order, comparators = _sorting_network(len(values), self.head.k)
        places = dict(enumerate(candidates))
        needed = _needed(order, comparators)
        for (left, right), reads_second in zip(comparators, needed, strict=True):
            if reads_second is None:
                continue
            one, other = places[left], places[right]
            if reads_second:
                places[left], places[right] = self.exchange(one, other)
            else:
                places[left] = self.larger(one, other)
        return [places[place].number for place in order]

    def tree(self, candidates: Sequence[_Candidate]) -> _Candidate:
        """The first of several candidates, by a tree of the least depth."""
        while len(candidates) > 1:
            pairs = zip(candidates[::2], candidates[1::2], strict=False)
            odd = candidates[len(candidates) // 2 * 2 :]
            candidates = [*(self.larger(*pair) for pair in pairs), *odd]
        return candidates[0]

    def larger(self, left: _Candidate, right: _Candidate) -> _Candidate:
        name = self.name()
        return self.chosen(self.compared(left, right, name), left, right, name)

    def exchange(self, left: _Candidate, right: _Candidate) -> tuple[_Candidate, _Candidate]:
        name = self.name()
        left_first = self.compared(left, right, name)
        first = self.chosen(left_first, left, right, name)
        return first, self.chosen(left_first, right, left, f"{name}_second")

    def compared(self, left: _Candidate, right: _Candidate, name: str) -> SSAValue:
        return self.add(PrecedesOp(*left, *right, name=f"{name}_left"))

    def chosen(
        self, condition: SSAValue, one: _Candidate, other: _Candidate, name: str
    ) -> _Candidate:
        """One of two candidates, by a condition, with marks."""
        value = SelectOp(condition, one.value, other.value, name=f"{name}_value")
        number = SelectOp(condition, one.number, other.number, name=f"{name}_index")
        return self.marked(name, self.add(value), self.add(number))

    def name(self) -> str:
        self.count += 1
        return f"head{self.count - 1}"

    def marked(self, name: str, value: SSAValue, index: SSAValue) -> _Candidate:
        for what, held in (("value", value), ("index", index)):
            mark = MarkOp(held, f"{name}_{what}")
            terminator = self.function.get_return_op()
            assert terminator is not None
            Rewriter.insert_op(mark, InsertPoint.before(terminator))
            self.marks.append(mark)
        return _Candidate(value, index)


def _code_below(port: Port, threshold: float) -> int:
    """The largest code of a port that stands for a number that is not above the threshold.

    Codes stand for numbers as the host decodes them, in float64. One less than the smallest code
    where all numbers are above.
    """
    low, high = port.low - 1, port.high
    while low < high:
        middle = (low + high + 1) // 2
        if decode([port], np.array([[middle]]))[0, 0] > threshold:
            high = middle - 1
        else:
            low = middle
    return low


_Comparator = tuple[int, int]
"""Two places; after it, the first of both candidates is in the left place."""


def _sorting_network(count: int, k: int) -> tuple[list[int], list[_Comparator]]:
    """Places of the k first of `count` candidates, in order, behind the comparators."""
    comparators: list[_Comparator] = []

    def merged(one: list[int], other: list[int]) -> list[int]:
        """Batcher's odd-even merge of two sorted lists of places (Knuth 5.3.4)."""
        if not one or not other:
            return one or other
        if len(one) == len(other) == 1:
            comparators.append((one[0], other[0]))
            return [one[0], other[0]]
        odd = merged(one[::2], other[::2])
        even = merged(one[1::2], other[1::2])
        whole = [odd[0]]
        for left, right in zip(even, odd[1:], strict=False):
            comparators.append((left, right))
            whole += [left, right]
        longer = odd[1:] if len(odd) - 1 > len(even) else even
        return whole + longer[min(len(odd) - 1, len(even)) :]

    def first(places: list[int]) -> list[int]:
        if len(places) == 1:
            return places
        half = (len(places) + 1) // 2
        return merged(first(places[:half]), first(places[half:]))[:k]

    return first(list(range(count))), comparators


def _needed(order: Sequence[int], comparators: Sequence[_Comparator]) -> list[bool | None]:
    """Of each comparator, whether its second result is read; None where nothing of it is."""
    live = set(order)
    found: list[bool | None] = []
    for left, right in reversed(comparators):
        if left not in live and right not in live:
            found.append(None)
            continue
        found.append(right in live)
        live |= {left, right}
    return found[::-1]
