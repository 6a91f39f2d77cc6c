"""`kan-fold-layers`: which layers take several cycles a sample, with their tables in memories.

Each layer is folded where that takes fewer LUTs than its tables and adders side by side, by the
sizes of its tables. Where the memories of all folded layers need more block RAM than the part has,
or the largest part of a family, layers whose tables share few shapes keep shapes and choices
instead: those that save the most block RAM, until the rest fits. Choices take LUTs.

The pass says so by the attribute `kan.interval` of the function and of the `kan.node_sum`, and by
`kan.shape_count` of the latter. `kan-expand-wires` then writes the layer as one
`kan.folded_by_input` or `kan.folded_shapes`. Outputs are the same at every interval. Where no layer
is folded, the function is as before, and takes a sample every cycle.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block

from kan_dialect.analysis.nodes import zero_points_of_clamps
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.module_attributes import (
    declare_entry,
    declare_interval,
    declare_logic_words,
    declare_shapes,
    declare_word,
)
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import FloatArray, IntArray, to_numpy
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.operation import ops_of
from kan_dialect.ir.quant import storage_for
from kan_dialect.ir.types import int_type, quantized_type
from kan_dialect.ops.folded import (
    MAX_ENTRY_BITS,
    MAX_INTERVAL,
    MAX_WORD_BITS,
    WORD_BITS,
    FoldedOp,
    lanes_and_turns,
)
from kan_dialect.ops.folded_shapes import FoldedShapesOp
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.memory import MAX_WORDS, ROM_WORDS
from kan_dialect.ops.table import RequantizeOp
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.folded_layers import folded_layer, lookup_of
from kan_dialect.search.shared_shapes import MOST_SHAPES

HEADROOM = 2
"""Bits of a loadable entry beyond those of its node's codes."""
UNROLLED = 0.55
"""LUTs of layers side by side, as a share of those of their tables and adders one by one. Passes
share tables and sums, and split tables."""
MOST_DOUBLINGS = 60


@dataclass(frozen=True)
class FoldLayersPass(FunctionPass, TargetPass):
    """Chooses the layers that take several cycles a sample.

    Raises
    ------
    KanError : the interval is out of range, or needs memories that are too large.
    """

    name = "kan-fold-layers"
    works_at = ("table",)

    interval: int = bounded(1, Bounds(1, MAX_INTERVAL))
    """Cycles from a sample to the next one; 1: a sample every cycle, and no layer is folded."""
    loadable: bool = False
    """Fold all layers, with memories that can be written at run time, and a port for this."""
    logic_words: int = bounded(ROM_WORDS, Bounds(0, MAX_WORDS))
    """Most words of a memory that is made of lookup tables; larger ones are block RAM."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_interval(self.loadable, self.interval)
        require_storage(self.loadable, self.logic_words)

    def rewrite(self, function: func.FuncOp) -> None:
        if self.interval == 1:
            return
        for op, layer in self.folded(function).items():
            declare_interval(function, self.interval)
            declare_interval(op, self.interval)
            if isinstance(layer, FoldedShapesOp):
                declare_shapes(op, layer.shape_count)
            declare_word(op, self._word(layer))
            if self._logic_words is not None:
                declare_logic_words(op, self._logic_words)
            if layer.entry_bits is not None:
                declare_entry(op, layer.entry_bits)

    def folded(self, function: func.FuncOp) -> dict[NodeSumOp, FoldedOp]:
        """The layers of a function that are folded, as ops in no block.

        Raises
        ------
        KanError : memories of tables are too large, and the tables share no shapes.
        """
        sums = _sums(function)
        layers = {
            op: self._layer(op) for op in sums if self.loadable or self._is_smaller_folded(op)
        }
        if not self.loadable and self._block_rams(layers.values()) > self._held:
            shapes = {op: found for op in layers if (found := self._few_shapes(op)) is not None}
            saved = {
                op: self._block_rams([layers[op]]) - self._block_rams([each])
                for op, each in shapes.items()
            }
            for op in sorted(shapes, key=saved.__getitem__, reverse=True):
                if saved[op] > 0 and self._block_rams(layers.values()) > self._held:
                    layers[op] = shapes[op]
        for layer in layers.values():
            self._require_possible(layer)
        return layers

    def _layer(self, op: NodeSumOp, *, shares_shapes: bool = False) -> FoldedOp:
        """A folded layer whose inputs are arguments of a block of its own."""
        ends = (each.tolist() for each in bounds_of(lookup_of(op).input))
        kinds = [int_type(*each) for each in zip(*ends, strict=True)]
        inputs = Block(arg_types=kinds).args
        loadable = loadable_bits(op) if self.loadable else None
        return folded_layer(
            *(op, inputs, self.interval),
            shares_shapes=shares_shapes,
            logic_words=self._logic_words,
            loadable=loadable,
        )

    def _few_shapes(self, op: NodeSumOp) -> FoldedOp | None:
        """The layer with shapes in place of tables; None where these are not few."""
        layer = self._layer(op, shares_shapes=True)
        assert isinstance(layer, FoldedShapesOp)
        is_possible = layer.shape_count <= MOST_SHAPES and layer.memory_words <= MAX_WORDS
        return layer if is_possible else None

    def _block_rams(self, layers: Iterable[FoldedOp]) -> float:
        """Block RAMs of layers; more than any part has where a memory is too large."""
        return sum(
            layer.block_rams_on(self.device) if layer.memory_words <= MAX_WORDS else math.inf
            for layer in layers
        )

    @property
    def _logic_words(self) -> int | None:
        """None where tools decide, as by default."""
        return None if self.logic_words == ROM_WORDS else self.logic_words

    @property
    def _held(self) -> int:
        """Block RAMs of the part, or of the largest one; any number where they are not known."""
        counts = [part.block_rams for part in self.device.parts if part.block_rams is not None]
        return max(counts, default=sys.maxsize)

    def _word(self, layer: FoldedOp) -> int:
        """Bits of the words of a memory that fill block RAMs: a multiple of those of one block."""
        words, _ = layer.memories[0]
        shapes = self.device.block_ram_shapes or ((words, WORD_BITS),)
        bits = max((bits for deep, bits in shapes if deep >= words), default=shapes[0][1])
        return MAX_WORD_BITS // bits * bits

    def _require_possible(self, layer: FoldedOp) -> None:
        if layer.memory_words > MAX_WORDS:
            raise KanError(
                f"at an interval of {self.interval}, {len(layer.inputs)} inputs of "
                f"{layer.code_count} codes need memories of {layer.memory_words} words, more than "
                f"{MAX_WORDS}",
                remedy="take a smaller interval, or fewer bits",
            )

    def _is_smaller_folded(self, op: NodeSumOp) -> bool:
        """Whether shift registers and accumulators take fewer LUTs than tables and adders."""
        layer = _Layer(op)
        lanes, _ = lanes_and_turns(layer.codes.size, self.interval)
        lane_sums = (lanes - 1) * (_bits(layer.spans.max(axis=1)) + 1)
        shifts = layer.codes.max() * (layer.codes.size - lanes)
        folded = shifts + (layer.sum_bits + lane_sums).sum() + 2 * self.interval.bit_length()
        return bool(folded < UNROLLED * layer.unrolled(self.device))


def require_interval(loadable: bool, interval: int) -> None:
    """Refuse tables that can be loaded in a network that is not folded.

    Raises
    ------
    KanError : names the remedy.
    """
    if loadable and interval == 1:
        raise KanError(
            "loadable needs memories, and a network has them where layers take turns",
            remedy="give an interval of at least 2",
        )


def require_storage(loadable: bool, logic_words: int) -> None:
    """Refuse to choose what memories that are written are made of.

    Raises
    ------
    KanError : names the remedy.
    """
    if loadable and logic_words != ROM_WORDS:
        raise KanError(
            "logic-words is for constant memories, and loadable ones are written",
            remedy="leave out one of the two",
        )


def loadable_bits(op: NodeSumOp) -> int:
    """Bits of an entry of a layer whose tables can be loaded.

    Two bits more than the codes of its nodes, or, without a requantisation, of its inputs: room for
    an edge of twice their range, with its sign. Larger entries take as many bits as they need.

    Raises
    ------
    KanError : an entry needs more than MAX_ENTRY_BITS.
    """
    lookup = lookup_of(op)
    readers = [use.operation for use in op.result.uses]
    codes = [reader.result for reader in readers if isinstance(reader, RequantizeOp)]
    bits = quantized_type(codes[0] if codes else lookup.input).bits + HEADROOM
    entries = to_numpy(lookup.tables).astype(np.int64) * op.mask_array[:, :, np.newaxis]
    share = np.abs(op.bias_array + zero_points_of_clamps(op)).max() // entries.shape[1] + 1
    needed, _ = storage_for(min(int(entries.min() - share), -1), int(entries.max() + share))
    if max(bits, needed) > MAX_ENTRY_BITS:
        raise KanError(
            f"entries of {max(bits, needed)} bits are more than {MAX_ENTRY_BITS}, the most that "
            "loadable memories hold",
            remedy="take fewer bits",
        )
    return max(bits, needed)


def layer_luts(module: ModuleOp, fold: FoldLayersPass) -> int:
    """LUTs of all layers of a module at table level, by the sizes of their tables.

    Parameters
    ----------
    fold : which layers are folded, at its interval.

    Raises
    ------
    KanError : the interval needs memories that are too large.
    """
    total, device = 0.0, fold.device
    for function in functions_of(module):
        folded = {} if fold.interval == 1 else fold.folded(function)
        total += sum(device.pack(Counter(each.luts_on(device))) for each in folded.values())
        unrolled = [op for op in _sums(function) if op not in folded]
        total += UNROLLED * sum(_Layer(op).unrolled(device) for op in unrolled)
    return int(total)


def _sums(function: func.FuncOp) -> list[NodeSumOp]:
    return [op for op in ops_of(function.body.block) if isinstance(op, NodeSumOp)]


class _Layer:
    """Sizes of a layer's tables.

    Parameters
    ----------
    op : its nodes, at table level.
    """

    def __init__(self, op: NodeSumOp) -> None:
        lookup = lookup_of(op)
        tables = to_numpy(lookup.tables)
        lower, upper = (ends.tolist() for ends in bounds_of(lookup.input))
        self.spans = (tables.max(axis=2) - tables.min(axis=2).astype(np.int64)) * op.mask_array
        """The largest entry of each edge less the smallest, (nodes, inputs)."""
        self.codes = np.array([int_type(*ends).bits for ends in zip(lower, upper, strict=True)])
        """Bits of the code of each input."""
        self.sum_bits = _bits(self.spans.sum(axis=1))

    def unrolled(self, device: DeviceFamily) -> float:
        """LUTs of all edges side by side, with an adder each."""

        def luts_of_bit(inputs: IntArray) -> FloatArray:
            return np.exp2(np.clip(inputs - device.lut_inputs, 0, MOST_DOUBLINGS), dtype=np.float64)

        tables = (_bits(self.spans) * (luts_of_bit(self.codes) + 1)).sum(axis=1)
        # A node of few bits is one table of all its inputs.
        whole = self.sum_bits * luts_of_bit(((self.spans > 0) * self.codes).sum(axis=1))
        return float(np.minimum(tables, whole).sum())


def _bits(spans: IntArray) -> FloatArray:
    """The bits of each number of 0 to a span."""
    return np.ceil(np.log2(spans + 1.0))
