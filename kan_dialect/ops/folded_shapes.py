"""Wire level: folded layers whose edges choose among few shapes, in place of tables of their own.

A memory holds the shapes, and another one the choices. Edges then take some bits each, where tables
take an entry for each code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import irdl_op_definition, prop_def

from kan_dialect.ir import verifier
from kan_dialect.ir.constants import IntArray, dense, to_integers, to_numpy
from kan_dialect.ir.types import range_of
from kan_dialect.ir.verifier import require, shape_text
from kan_dialect.ops.folded import InputByInput, sum_ranges, unread_bits

if TYPE_CHECKING:
    from kan_dialect.devices.device import DeviceFamily
    from kan_dialect.lowering.hw_builder import HwBuilder

MAX_SHIFT = 30
"""Largest power of two of a factor."""


@irdl_op_definition
class FoldedShapesOp(InputByInput):
    """The sums of a layer, input by input, of edges that choose among few shapes.

    result[o] = bias[o] + sum_i factors[o, i] * shapes[i, choices[o, i], x_i - from].
    Factors are 0, or a power of two with a sign. `shapes` is (inputs, shapes, codes), or
    (1, shapes, codes) where all inputs share them; `choices` and `factors` are (nodes, inputs), and
    `bias` is (nodes).

    Each of ceil(inputs / interval) lanes has its shapes in a memory, and the choices of its inputs
    in another, a word for each input. Every cycle has one input of each lane. A node chooses one of
    its shapes, shifts it, inverts it where the factor is negative, and adds it to an accumulator.
    `word` is the bits of a word of a memory. Memories of up to `logic` words are lookup tables, and
    larger ones block RAM.

    The function has the attribute `kan.interval`. Operands are read in one cycle, and results are
    there in one cycle, `latency` cycles later.

    Example:

        %s = kan.folded_shapes %x, %x as "layer0" interval 2 shapes dense<[[[0, 1, 4, 9]]]> :
          tensor<1x1x4xi8> from 0 choices dense<0> : tensor<1x2xi8> factors dense<[[2, -1]]> :
          tensor<1x2xi8> bias dense<[3]> : tensor<1xi8> : !kan.int<0:3>, !kan.int<0:3>
          -> !kan.int<-6:21>
    """

    name = "kan.folded_shapes"
    ENTRY_CYCLES: ClassVar[int] = 4

    shapes = prop_def(DenseIntOrFPElementsAttr)
    choices = prop_def(DenseIntOrFPElementsAttr)
    factors = prop_def(DenseIntOrFPElementsAttr)

    assembly_format = (
        "$inputs (`as` $name^)? `interval` $interval `shapes` custom<Constant>($shapes) `from` "
        "$from `choices` custom<Constant>($choices) `factors` custom<Constant>($factors) `bias` "
        "custom<Constant>($bias) (`word` $word^)? (`logic` $logic^)? attr-dict `:` type($inputs) "
        "`->` type($sums)"
    )

    def __init__(
        self,
        inputs: Sequence[SSAValue],
        shapes: IntArray,
        first: int,
        choices: IntArray,
        factors: IntArray,
        bias: IntArray,
        interval: int,
        *,
        word: int | None = None,
        logic: int | None = None,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        shapes : (1 or inputs, shapes, codes), integers; entry 0 is that of code `first`.
        choices : (nodes, inputs), the number of a shape.
        factors : (nodes, inputs), 0 or a power of two with a sign.
        bias : (nodes), integers.
        """
        kinds = [range_of(value) for value in inputs]
        tables = _tables(shapes, choices, factors, slice(None)).transpose(1, 0, 2)
        self.set_up(
            inputs,
            sum_ranges(tables, first, bias, kinds),
            interval=interval,
            shapes=dense(shapes),
            choices=dense(choices),
            factors=dense(factors),
            bias=dense(bias),
            word=word,
            logic=logic,
            name=name,
            **{"from": first},
        )

    @property
    def shape_count(self) -> int:
        """Shapes of the layer, or of each input."""
        return self.shapes.get_shape()[1]

    @property
    def is_shared(self) -> bool:
        """Whether all inputs have the same shapes."""
        return self.shapes.get_shape()[0] == 1

    @property
    def code_count(self) -> int:
        return self.shapes.get_shape()[2]

    @property
    def unread_bits(self) -> int:
        return unread_bits(to_numpy(self.shapes), self.codes)

    def edge_tables(self, nodes: slice = slice(None), inputs: slice = slice(None)) -> IntArray:
        choices, factors = (to_numpy(each)[nodes] for each in (self.choices, self.factors))
        return _tables(to_numpy(self.shapes), choices, factors, inputs)

    @property
    def memory_words(self) -> int:
        shapes = 1 << self.read_bits
        return max(self.turns, shapes if self.is_shared else self.turns * shapes)

    @property
    def memories(self) -> Sequence[tuple[int, int]]:
        """Those of choices, and those of shapes."""
        parts, words = self._parts(), 1 << self.read_bits
        choices = [(self.turns, int(bits)) for bits in _bits(parts.fields).sum(axis=(0, 2))]
        depth = words if self.is_shared else self.turns * words
        shapes = [(depth, int(bits)) for bits in _bits(parts.shapes).sum(axis=1)]
        return [*choices, *shapes]

    def check_edges(self) -> None:
        shapes = verifier.constant(self.shapes, "shapes", floats=False)
        inputs = len(self.inputs)
        require(
            shapes.ndim == 3 and shapes.shape[0] in (1, inputs) and bool(shapes.size),
            f"shapes must have shape 1 or {inputs} x shapes x codes, got "
            f"{shape_text(shapes.shape)}",
        )
        expected = len(self.sums), inputs
        choices = verifier.constant(self.choices, "choices", floats=False, shape=expected)
        factors = verifier.constant(self.factors, "factors", floats=False, shape=expected)
        require(
            bool(((choices >= 0) & (choices < shapes.shape[1])).all()),
            f"choices must lie in 0..{shapes.shape[1] - 1}",
        )
        sizes = np.abs(factors.astype(np.int64))
        require(
            bool(((sizes & (sizes - 1) == 0) & (sizes <= 1 << MAX_SHIFT)).all()),
            f"factors must be 0, or a power of two up to 2^{MAX_SHIFT} with a sign",
        )

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        """Those of every folded layer; choices among shapes, and shifts."""
        parts = self._parts()
        muxes = parts.widths * parts.fields[0].max(axis=2)
        shifts = parts.term_bits * _bits(parts.fields[1])
        found = dict(super().luts_on(device))
        found[3] += int((muxes + shifts).sum())
        return found

    def delay_on(self, device: DeviceFamily) -> float:
        """The adder of an accumulator, or the longer one of a choice and a shift."""
        levels = int(_bits(self._parts().fields[:2]).max())
        return max(super().delay_on(device), levels * device.timing.lut)

    # Hardware

    def entries(
        self, build: HwBuilder, turn: SSAValue, codes: Sequence[SSAValue]
    ) -> tuple[IntArray, list[list[tuple[SSAValue, int]]]]:
        parts, nodes = self._parts(), len(self.sums)
        terms: list[list[tuple[SSAValue, int]]] = [[] for _ in range(nodes)]
        for lane, code in enumerate(codes):
            if not parts.term_bits[lane].any():
                continue  # All edges are pruned, or constant.
            shapes = self._shapes(build, turn, code, parts.shapes[lane], lane)
            choices = self._choices(build, turn, parts.fields[:, lane], lane)
            for node in range(nodes):
                bits = int(parts.term_bits[lane, node])
                if bits:
                    fields = [each[node] for each in choices]
                    widths = int(parts.widths[lane, node]), bits
                    term = self._term(build, shapes, fields, widths, f"{node}_{lane}")
                    terms[node].append((term, bits))
        return parts.floors, terms

    def _shapes(
        self, build: HwBuilder, turn: SSAValue, code: SSAValue, words: IntArray, lane: int
    ) -> list[tuple[SSAValue, int]]:
        """The entry of each shape at a code, with its bits.

        Parameters
        ----------
        words : (shapes, addresses).
        """
        address = code if self.is_shared else self.address(build, turn, code)
        return self._fields(build, address, words, f"shapes{lane}")

    def _choices(
        self, build: HwBuilder, turn: SSAValue, fields: IntArray, lane: int
    ) -> list[list[tuple[SSAValue, int]]]:
        """Choice, shift and sign of each node in a turn, with their bits.

        Parameters
        ----------
        fields : (3, nodes, turns).
        """
        address = build.part(turn, 0, max(1, (self.turns - 1).bit_length()))
        found = self._fields(build, address, np.concatenate(fields), f"choices{lane}")
        nodes = fields.shape[1]
        return [found[first : first + nodes] for first in range(0, 3 * nodes, nodes)]

    def _fields(
        self, build: HwBuilder, address: SSAValue, words: IntArray, name: str
    ) -> list[tuple[SSAValue, int]]:
        """The fields of the word at an address, two cycles later, each with its bits.

        A field that is always 0 has no bits, and a wire of one.

        Parameters
        ----------
        words : (fields, addresses).
        """
        largest: list[int] = words.max(axis=1).tolist()
        spans = [each.bit_length() for each in largest]
        if words.shape[1] == 1 or not any(spans):
            numbers = zip(largest, spans, strict=True)
            return [(build.constant(each, max(bits, 1)), bits) for each, bits in numbers]
        joined = self.read(build, address, words, spans, self.called(name))
        found: list[tuple[SSAValue, int]] = []
        place = 0
        for bits in spans:
            entry = build.part(joined, place, bits) if bits else build.constant(0, 1)
            found.append((entry, bits))
            place += bits
        return found

    def _term(
        self,
        build: HwBuilder,
        shapes: Sequence[tuple[SSAValue, int]],
        fields: Sequence[tuple[SSAValue, int]],
        widths: tuple[int, int],
        edge: str,
    ) -> SSAValue:
        """The term of a node: one of its shapes, shifted, and inverted where it is negative.

        Parameters
        ----------
        shapes : entries with their bits.
        fields : choice, shift and sign with their bits.
        widths : bits of the shapes that the node chooses from, and of the term.
        edge : the end of names.
        """
        (choice, choices), *later = fields
        width, bits = widths
        entries = [build.resized(entry, max(own, 1), width, signed=False) for entry, own in shapes]
        entries.append(build.constant(0, width))  # the choice of nothing
        chosen = _chosen(build, entries[: 1 << choices], choice, choices)
        chosen = build.register(chosen, self.called(f"chosen{edge}"))
        (shift, shifts), (sign, signs) = (
            (build.register(wire, self.called(f"{name}{edge}")) if own else wire, own)
            for name, (wire, own) in zip(("shift", "sign"), later, strict=True)
        )
        term = build.resized(chosen, width, bits, signed=False)
        for place in range(shifts):
            moved = 1 << place
            below = build.constant(0, min(moved, bits))
            shifted = below
            if moved < bits:
                shifted = build.joined([build.part(term, 0, bits - moved), below], bits)
            term = build.chosen(build.part(shift, place, 1), shifted, term)
        if signs:
            term = build.differs(term, build.repeated(sign, bits) if bits > 1 else sign)
        return build.register(term, self.called(f"term{edge}"))

    def _parts(self) -> _Parts:
        """What the memories hold, and the bits of terms."""
        shapes, choices, factors = map(to_integers, (self.shapes, self.choices, self.factors))
        # A lane with fewer inputs has edges of nothing in the last turn.
        rest = (0, self.turns * self.lanes - len(self.inputs))
        rows = np.pad(_rows(len(self.inputs), self.is_shared), rest)
        choices, factors = np.pad(choices, ((0, 0), rest)), np.pad(factors, ((0, 0), rest))
        floors = (factors * shapes.min(axis=2)[rows, choices]).sum(axis=1)
        shapes -= shapes.min(axis=2, keepdims=True)
        largest = shapes.max(axis=2)[rows, choices]
        sizes, is_used = np.abs(factors), factors != 0
        shifts = np.log2(np.maximum(sizes, 1)).astype(np.int64)
        choices = np.where(is_used, choices, shapes.shape[1])
        fields = self._by_lane(np.stack([choices, shifts, (factors < 0).astype(np.int64)]))
        # A node without edges in a lane chooses nothing there.
        fields[0] *= self._by_lane(is_used).any(axis=-1, keepdims=True)
        sums = [range_of(value).bits for value in self.sums]
        term_bits = np.minimum(_bits(self._by_lane(largest * sizes)), sums)
        widths = np.minimum(_bits(self._by_lane(largest * is_used)), sums)
        # An inverted term t is 2^bits - 1 - t.
        floors -= (fields[2].sum(axis=2) * ((1 << term_bits) - 1)).sum(axis=0)
        return _Parts(self._shape_words(shapes), fields, widths, term_bits, floors)

    def _shape_words(self, shapes: IntArray) -> IntArray:
        """The shapes by lane, shape and address, (lanes, shapes, addresses)."""
        lanes, found = self.lanes, shapes[:, :, self.addressed_codes]
        if self.is_shared:
            return np.broadcast_to(found, (lanes, *found.shape[1:]))
        missing = self.turns * lanes - len(found)
        found = np.pad(found, ((0, missing), (0, 0), (0, 0)))
        found = found.reshape(self.turns, lanes, *found.shape[1:]).transpose(1, 2, 0, 3)
        return found.reshape(lanes, found.shape[1], -1)

    def _by_lane(self, edges: IntArray) -> IntArray:
        """Numbers of edges, (..., nodes, turns * lanes), as (..., lanes, nodes, turns)."""
        found = edges.reshape(*edges.shape[:-1], self.turns, self.lanes)
        return np.moveaxis(found, -1, -3)


@dataclass(frozen=True)
class _Parts:
    """What the memories of a layer hold."""

    shapes: IntArray
    """(lanes, shapes, addresses), not negative."""
    fields: IntArray
    """Choice, shift and sign, (3, lanes, nodes, turns). A choice behind the last shape is 0."""
    widths: IntArray
    """Bits of the shapes that a node chooses from, (lanes, nodes)."""
    term_bits: IntArray
    """Bits of a node's terms, (lanes, nodes)."""
    floors: IntArray
    """What all terms of a node are less by, (nodes)."""


def _tables(shapes: IntArray, choices: IntArray, factors: IntArray, inputs: slice) -> IntArray:
    """The entries of edges, (nodes, inputs, codes), int64."""
    rows = _rows(choices.shape[1], len(shapes) == 1)[inputs]
    chosen = shapes.astype(np.int64)[rows, choices[:, inputs]]
    return chosen * factors[:, inputs, np.newaxis]


def _rows(inputs: int, is_shared: bool) -> IntArray:
    """The first index of the shapes of each input."""
    return np.zeros(inputs, dtype=np.int64) if is_shared else np.arange(inputs)


def _bits(numbers: IntArray) -> IntArray:
    """The bits of the largest number in all turns."""
    return np.frexp(numbers.max(axis=-1).astype(np.float64))[1].astype(np.int64)


def _chosen(build: HwBuilder, entries: Sequence[SSAValue], choice: SSAValue, bits: int) -> SSAValue:
    """The entry whose number is `choice`, by a tree of choices; behind the last entry, any."""
    for place in range(bits):
        bit = build.part(choice, place, 1)
        pairs = [entries[first : first + 2] for first in range(0, len(entries), 2)]
        entries = [
            build.chosen(bit, pair[1], pair[0]) if len(pair) > 1 else pair[0] for pair in pairs
        ]
    return entries[0]


FOLDED_SHAPES_OPS: list[type[Operation]] = [FoldedShapesOp]
