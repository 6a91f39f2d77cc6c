"""`kan-fold-layers`: which layers take several cycles a sample, with their tables in memories.

Each layer is folded where that takes fewer LUTs than its tables and adders side by side, by the
sizes of its tables. The pass says so by the attribute `kan.interval` of the function and of the
`kan.node_sum`; `kan-expand-wires` then writes the layer as one `kan.folded_by_input`. Outputs are
the same at every interval. Where no layer is folded, the function is as before, and takes a sample
every cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.nodes import zero_points_of_clamps
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.module_attributes import (
    declare_entry,
    declare_interval,
    declare_word,
)
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import FloatArray, IntArray, to_numpy
from kan_dialect.ir.operation import ops_of
from kan_dialect.ir.quant import storage_for
from kan_dialect.ir.types import int_type, quantized_type, tensor_shape
from kan_dialect.ops.folded import (
    MAX_ENTRY_BITS,
    MAX_INTERVAL,
    MAX_WORD_BITS,
    WORD_BITS,
    lanes_and_turns,
)
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.memory import MAX_WORDS
from kan_dialect.ops.table import RequantizeOp, TablesOp
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.target_pass import TargetPass

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

    def __post_init__(self) -> None:
        super().__post_init__()
        require_interval(self.loadable, self.interval)

    def rewrite(self, function: func.FuncOp) -> None:
        if self.interval == 1:
            return
        for op in ops_of(function.body.block):
            if not isinstance(op, NodeSumOp):
                continue
            lookup = lookup_of(op)
            if self.loadable or self._is_smaller_folded(op, lookup):
                declare_interval(function, self.interval)
                declare_interval(op, self.interval)
                declare_word(op, self._word(lookup))
            if self.loadable:
                declare_entry(op, loadable_bits(op, lookup))

    def _word(self, lookup: TablesOp) -> int:
        """Bits of the words of a memory that fill block RAMs: a multiple of those of one block."""
        inputs, codes = tensor_shape(lookup.result)[1], to_numpy(lookup.tables).shape[2]
        _, turns = lanes_and_turns(inputs, self.interval)
        shapes = self.device.block_ram_shapes or ((codes, WORD_BITS),)
        words = turns << (codes - 1).bit_length()
        if words > MAX_WORDS:
            raise KanError(
                f"at an interval of {self.interval}, {inputs} inputs of {codes} codes need "
                f"memories of {words} words, more than {MAX_WORDS}",
                remedy="take a smaller interval, or fewer bits",
            )
        bits = max((bits for deep, bits in shapes if deep >= words), default=shapes[0][1])
        return MAX_WORD_BITS // bits * bits

    def _is_smaller_folded(self, op: NodeSumOp, lookup: TablesOp) -> bool:
        """Whether shift registers and accumulators take fewer LUTs than tables and adders."""
        layer = _Layer(op, lookup)
        lanes, _ = lanes_and_turns(layer.codes.size, self.interval)
        lane_sums = (lanes - 1) * (_bits(layer.spans.max(axis=1)) + 1)
        shifts = layer.codes.max() * (layer.codes.size - lanes)
        folded = shifts + (layer.sum_bits + lane_sums).sum() + 2 * self.interval.bit_length()
        return bool(folded < UNROLLED * layer.unrolled(self.device))


def unrolled_luts(module: ModuleOp, device: DeviceFamily) -> int:
    """LUTs of all layers of a module at table level side by side, by the sizes of their tables."""
    sums = [op for op in module.walk() if isinstance(op, NodeSumOp)]
    return int(UNROLLED * sum(_Layer(op, lookup_of(op)).unrolled(device) for op in sums))


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


def loadable_bits(op: NodeSumOp, lookup: TablesOp) -> int:
    """Bits of an entry of a layer whose tables can be loaded.

    Two bits more than the codes of its nodes, or, without a requantisation, of its inputs: room for
    an edge of twice their range, with its sign. Larger entries take as many bits as they need.

    Raises
    ------
    KanError : an entry needs more than MAX_ENTRY_BITS.
    """
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


def lookup_of(op: NodeSumOp) -> TablesOp:
    """The tables that a layer's nodes add up."""
    lookup = op.edges.owner
    assert isinstance(lookup, TablesOp)
    return lookup


class _Layer:
    """Sizes of a layer's tables.

    Parameters
    ----------
    op, lookup : its nodes and its tables, at table level.
    """

    def __init__(self, op: NodeSumOp, lookup: TablesOp) -> None:
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
