"""Random networks of integers, as descriptions that can be built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.ir.quant import UniformQuantizedType, default_bounds, storage_for
from kan_dialect.ir.types import bounds_constant
from kan_dialect.ops.layer import ConcatOp, NodeSumOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp, TablesOp

MAX_CODE_BITS = 12
"""Codes that a table reads are at most so wide."""
MAX_ENTRIES = 60_000
"""Entries of all tables of a network together."""
SCALES = (0.05, 1.0, 2.0**-7, 3.7e-3)


@dataclass(frozen=True)
class Codes:
    """Codes of a vector: their type, and the range of each element."""

    low: int
    high: int
    lower: IntArray
    """(n), at least `low`."""
    upper: IntArray
    """(n), at most `high`."""
    scale: FloatArray
    """(n), or () for all."""
    zero_point: IntArray
    """(n), or () for all."""

    @property
    def count(self) -> int:
        return len(self.lower)

    def element(self) -> UniformQuantizedType:
        bits, signed = storage_for(self.low, self.high)
        default = default_bounds(bits, signed)
        return UniformQuantizedType(
            bits,
            signed,
            self.scale,
            self.zero_point,
            axis=0 if self.scale.ndim else None,
            bounds=None if default == (self.low, self.high) else (self.low, self.high),
        )


@dataclass(frozen=True)
class Layer:
    """Edges over earlier values side by side, their sums, and perhaps a requantisation."""

    sources: tuple[int, ...]
    """Numbers of values: the inputs first, then the layers."""
    first: int
    """The code that entry 0 is of; other codes than those listed have the nearest entry."""
    tables: IntArray
    """(out, in, entries); (in, entries) for one table an input, without sums."""
    mask: Array
    """(out, in), bool."""
    bias: IntArray
    """(out)."""
    slack: int
    """By how much declared bounds exceed what is needed; negative: none are declared."""
    scale: float
    codes: Codes | None
    """Of the requantised nodes; None where the sums are the nodes."""

    @property
    def is_map(self) -> bool:
        return self.tables.ndim == 2


@dataclass(frozen=True)
class Network:
    """A table-level function."""

    name: str
    inputs: tuple[Codes, ...]
    coded: bool
    """Arguments are codes, not floats that are quantised."""
    layers: tuple[Layer, ...]
    results: tuple[int, ...]

    def module(self) -> ModuleOp:
        """The function in a module, verified."""
        return _Builder(self).module()


@dataclass
class _Builder:
    network: Network
    block: Block = field(default_factory=Block)
    values: list[SSAValue] = field(default_factory=list[SSAValue])
    codes: list[Codes] = field(default_factory=list[Codes])

    def add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def module(self) -> ModuleOp:
        network = self.network
        for index, codes in enumerate(network.inputs):
            element = codes.element()
            kind = TensorType(element, (codes.count,))
            if network.coded:
                # Arguments have no bounds per element: the type's hold.
                low, high = np.full(codes.count, codes.low), np.full(codes.count, codes.high)
                self.codes.append(replace(codes, lower=low, upper=high))
                self.values.append(self.block.insert_arg(kind, index))
                continue
            argument = self.block.insert_arg(
                TensorType(element.expressed_type, (codes.count,)), index
            )
            bounds = bounds_constant(kind, codes.lower, codes.upper)
            self.values.append(self.add(QuantizeOp(argument, element, bounds=bounds)))
            self.codes.append(codes)
        for index, layer in enumerate(network.layers):
            self.layer(layer, f"layer{index}")
        results: list[SSAValue] = []
        for result in network.results:
            value = self.values[result]
            results.append(value if network.coded else self.add(DequantizeOp(value)))
        self.block.add_op(func.ReturnOp(*results))
        kinds = [argument.type for argument in self.block.args]
        function = func.FuncOp(
            network.name, (kinds, [value.type for value in results]), Region(self.block)
        )
        module = ModuleOp([function])
        module.verify()
        return module

    def layer(self, layer: Layer, name: str) -> None:
        codes = joined([self.codes[source] for source in layer.sources])
        value = self.values[layer.sources[0]]
        if len(layer.sources) > 1:
            parts = [self.values[source] for source in layer.sources]
            value = self.add(ConcatOp(parts, TensorType(codes.element(), (codes.count,))))
        index = np.arange(codes.low, codes.high + 1) - layer.first
        tables = layer.tables[..., np.clip(index, 0, layer.tables.shape[-1] - 1)]
        if layer.is_map:
            assert layer.codes is not None
            after = replace(
                layer.codes,
                lower=np.full(codes.count, layer.codes.low),
                upper=np.full(codes.count, layer.codes.high),
            )
            tables = np.clip(tables, after.low, after.high)
            self.values.append(self.add(TablesOp(value, tables, after.element(), name=name)))
            self.codes.append(after)
            return
        tables = np.where(layer.mask[..., np.newaxis], tables, 0)
        lower, upper = tables.min(axis=-1), tables.max(axis=-1)
        slack = max(layer.slack, 0)
        edge_type = _narrowest(lower - slack, upper + slack, layer.scale)
        kind: TensorType[Attribute] = TensorType(edge_type, lower.shape)
        if layer.slack < 0:
            low, high = edge_type.bounds
            lower, upper = np.full(lower.shape, low), np.full(upper.shape, high)
            bounds = None
        else:
            lower, upper = lower - slack, upper + slack
            bounds = bounds_constant(kind, lower, upper)
        edges = self.add(TablesOp(value, tables, edge_type, bounds=bounds, name=name))
        low = np.where(layer.mask, lower, 0).sum(axis=1) + layer.bias - slack
        high = np.where(layer.mask, upper, 0).sum(axis=1) + layer.bias + slack
        sum_type = _narrowest(low, high, layer.scale)
        kind = TensorType(sum_type, low.shape)
        node = NodeSumOp(
            edges,
            mask=layer.mask,
            bias=layer.bias,
            bounds=None if layer.slack < 0 else bounds_constant(kind, low, high),
            result_type=kind,
            name=name,
        )
        value = self.add(node)
        if layer.slack < 0:
            low, high = (np.full(len(low), end) for end in sum_type.bounds)
        if layer.codes is None:
            self.values.append(value)
            self.codes.append(
                Codes(
                    *sum_type.bounds,
                    low,
                    high,
                    np.array(layer.scale),
                    np.array(0, dtype=np.int64),
                )
            )
            return
        after = layer.codes
        kind = TensorType(after.element(), (after.count,))
        bounds = bounds_constant(kind, after.lower, after.upper)
        self.values.append(self.add(RequantizeOp(value, after.element(), bounds=bounds, name=name)))
        self.codes.append(after)


def joined(parts: Sequence[Codes]) -> Codes:
    """Vectors side by side, in storage that holds them all."""
    if len(parts) == 1:
        return parts[0]
    bits, signed = storage_for(min(part.low for part in parts), max(part.high for part in parts))
    return Codes(
        *default_bounds(bits, signed),
        np.concatenate([part.lower for part in parts]),
        np.concatenate([part.upper for part in parts]),
        np.concatenate([np.broadcast_to(part.scale, part.count) for part in parts]),
        np.concatenate([np.broadcast_to(part.zero_point, part.count) for part in parts]),
    )


def _narrowest(low: IntArray, high: IntArray, scale: float) -> UniformQuantizedType:
    bits, signed = storage_for(min(int(low.min()), 0), max(int(high.max()), 0))
    return UniformQuantizedType(bits, signed, scale)


class Drawing:
    """Draws networks: mostly small ones, every kind of table, range and wiring."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def whole(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return int(self.rng.integers(low, high, endpoint=True))

    def small(self, high: int) -> int:
        """From 1 to high, mostly near 1."""
        return 1 + int(high * self.rng.random() ** 4 * 0.999)

    def network(self, name: str) -> Network:
        rng = self.rng
        inputs = [self.codes(self.small(40), self.whole(1, self.small(12)))]
        if self.chance(0.15):
            inputs.append(self.codes(self.small(6), self.whole(1, 5)))
        values = list(inputs)
        layers: list[Layer] = []
        budget = int(2 ** (4 + 12 * rng.random() ** 3))
        for _ in range(int(rng.choice([1, 1, 2, 2, 3, 4]))):
            usable = [
                i
                for i, codes in enumerate(values)
                if storage_for(codes.low, codes.high)[0] <= MAX_CODE_BITS
            ]
            if not usable:
                break
            sources = [usable[-1]]
            while self.chance(0.25) and len(sources) < 4:
                sources.append(int(rng.choice(usable)))
            before = joined([values[source] for source in sources])
            entries = before.high - before.low + 1
            if before.count * entries > 2 * MAX_ENTRIES or entries > 1 << MAX_CODE_BITS:
                sources = sources[:1]
                before = values[sources[0]]
                entries = before.high - before.low + 1
            most = max(1, min(12, budget // (before.count * entries)))
            layer = self.layer(tuple(sources), before, self.small(most))
            layers.append(layer)
            values.append(self._result(layer))
        if not layers:
            layers.append(self.layer((0,), values[0], 1))
        last = len(inputs) + len(layers) - 1
        results = [last]
        if self.chance(0.1):
            results.append(self.whole(0, last))
        return Network(name, tuple(inputs), self.chance(0.2), tuple(layers), tuple(results))

    def _result(self, layer: Layer) -> Codes:
        if layer.codes is not None:
            return layer.codes
        # An estimate is enough: the builder computes exact bounds.
        slack = max(layer.slack, 0)
        tables = np.where(layer.mask[..., np.newaxis], layer.tables, 0)
        lower, upper = tables.min(axis=-1) - slack, tables.max(axis=-1) + slack
        if layer.slack < 0:
            low, high = _narrowest(lower, upper, layer.scale).bounds
            lower, upper = np.full(lower.shape, low), np.full(upper.shape, high)
        low = np.where(layer.mask, lower, 0).sum(axis=1) + layer.bias - slack
        high = np.where(layer.mask, upper, 0).sum(axis=1) + layer.bias + slack
        ends = _narrowest(low, high, 1.0).bounds
        if layer.slack < 0:
            low, high = (np.full(len(low), end) for end in ends)
        return Codes(*ends, low, high, np.array(layer.scale), np.array(0, dtype=np.int64))

    def codes(self, count: int, bits: int, scale: float | None = None) -> Codes:
        """Codes of `count` elements. A given `scale` gets a random factor for each element."""
        rng = self.rng
        low, high = default_bounds(bits, self.chance(0.5))
        if high - low > 2 and self.chance(0.2):
            low, high = sorted(rng.choice(np.arange(low, high + 1), 2, replace=False).tolist())
        lower, upper = np.full(count, low), np.full(count, high)
        if self.chance(0.3):
            ends = np.sort(rng.integers(low, high, (2, count), endpoint=True), axis=0)
            chosen = rng.random(count) < 0.6
            lower, upper = np.where(chosen, ends[0], lower), np.where(chosen, ends[1], upper)
        shape = (count,) if self.chance(0.4) else ()
        zero = rng.integers(low - 3, high + 3, shape, endpoint=True)
        if self.chance(0.1):
            zero = rng.integers(-100_000, 100_000, shape)
        scales = rng.choice(SCALES, shape)
        if scale is not None:
            scales = np.full(shape, scale)
            if self.chance(0.5):
                scales = scale * 2.0 ** rng.integers(-3, 6, shape)
        return Codes(low, high, lower, upper, np.asarray(scales), np.asarray(zero))

    def layer(self, sources: tuple[int, ...], before: Codes, nodes: int) -> Layer:
        rng = self.rng
        entries, count = before.high - before.low + 1, before.count
        scale = float(rng.choice(SCALES))
        if self.chance(0.07) and len(sources) == 1:
            codes = self.codes(count, self.whole(1, 8))
            tables = self.tables((1, count, entries))[0]
            mask, bias = np.ones((count, 1), np.bool_), np.zeros(count, np.int64)
            return Layer(sources, before.low, tables, mask, bias, 0, scale, codes)
        tables = self.tables((nodes, count, entries))
        share = float(rng.choice([1.0, 1.0, 0.8, 0.4, 0.1, 0.0]))
        mask = rng.random((nodes, count)) < share
        bias = np.zeros(nodes, dtype=np.int64)
        if self.chance(0.4):
            bias = rng.integers(-(1 << self.whole(1, 20)), 1 << 10, nodes)
        slack = int(rng.choice([0, 0, 0, 1, 17, -1]))
        codes = None
        if self.chance(0.75):
            codes = self.codes(nodes, self.whole(1, self.small(12)), scale)
        return Layer(sources, before.low, tables, mask, bias, slack, scale, codes)

    def tables(self, shape: tuple[int, int, int]) -> IntArray:
        """(out, in, entries): every edge of a kind and width of its own."""
        rng = self.rng
        widths = rng.integers(1, 12, shape[:2], endpoint=True)
        if self.chance(0.05):
            widths = rng.integers(1, 22, shape[:2], endpoint=True)
        low = np.where(rng.random(shape[:2]) < 0.5, 0, -(1 << (widths - 1)))[..., np.newaxis]
        span = (1 << widths)[..., np.newaxis]
        random = low + rng.integers(0, 1 << 30, shape) % span
        steps = np.arange(shape[2])
        ramp = low + (steps * span) // max(shape[2], 1)
        extreme = np.where(rng.random(shape) < 0.5, low, low + span - 1)
        constant = np.broadcast_to(random[..., :1], shape)
        lone = np.where(steps == rng.integers(0, shape[2], (*shape[:2], 1)), low + span - 1, low)
        equal = np.broadcast_to(random[:1, :1], shape)
        kinds = [random, ramp, extreme, constant, lone, equal]
        if self.chance(0.5):
            return np.array(kinds[self.whole(0, 5)])
        chosen = rng.integers(0, len(kinds), (*shape[:2], 1))
        return np.choose(chosen, kinds).astype(np.int64)
