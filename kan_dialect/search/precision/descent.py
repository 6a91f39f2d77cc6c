"""Coordinate descent: changes a chain of layers one edge at a time, exactly, in integers.

The profile of a node is the loss of every sample as a function of the node's code, with all else
unchanged. From it follows the loss of each value of each entry of the node's tables, as a sum over
the samples that read the entry. After a change, only the values that depend on it are computed
again.
"""

from __future__ import annotations

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.search.precision.bits import edge_luts
from kan_dialect.search.precision.edges import Candidate, best_table
from kan_dialect.search.precision.network import TableChain, TableLayer
from kan_dialect.search.precision.objective import Floats32, Objective

MOST_STEPS = 128
"""Largest distance of an entry's candidates from the middle of its table."""
FURTHER_STEPS = 8
"""Largest distance of an entry's candidates beyond the range of its table."""


class Descent:
    """Evaluates a chain on samples, and replaces its tables by better or cheaper ones."""

    def __init__(
        self, chain: TableChain, codes: IntArray, objective: Objective, prices: FloatArray
    ) -> None:
        """
        Parameters
        ----------
        chain : changed in place.
        codes : bit patterns of the input codes (in, samples).
        objective : of these samples.
        prices : LUTs of a table's bit that depends on 0, 1, ... inputs, adding included.
        """
        self.chain = chain
        self.layers = chain.layers
        self.objective = objective
        self.prices = prices
        self.codes: list[IntArray] = [codes]
        """Codes that each layer reads, (in, samples)."""
        self.sums: list[IntArray] = []
        """Sums of each layer, (out, samples)."""
        self._evaluate(0)
        self._anchors = [layer.tables.copy() for layer in self.layers]
        self._weights = [
            np.stack([np.bincount(row, minlength=layer.tables.shape[2]) for row in codes])
            for layer, codes in zip(self.layers, self.codes, strict=True)
        ]
        self.luts = [edge_luts(layer, prices) for layer in self.layers]
        """LUTs of each edge, for each layer (out, in)."""

    def loss(self) -> float:
        """Mean loss of the samples."""
        return float(self.objective.loss(self.sums[-1]).mean())

    def sweep(self, weight: float, prior: float, rng: np.random.Generator) -> None:
        """Give every edge the table of least loss + weight · LUTs, once, the last layer first.

        Parameters
        ----------
        weight : worth of a LUT in mean loss of a sample.
        prior : loss of the squared distance of an entry to its first value, as a mean over all
            samples. It keeps entries near that few samples read.
        """
        for index in reversed(range(len(self.layers))):
            for node in rng.permutation(len(self.layers[index].tables)).tolist():
                profile = self._profile(index, node)
                for edge in rng.permutation(self.layers[index].tables.shape[1]).tolist():
                    found = self._best(index, node, edge, profile, weight, prior)
                    self._set(index, node, edge, found)

    def _evaluate(self, first: int) -> None:
        """Compute codes and sums from a layer on."""
        del self.codes[first + 1 :], self.sums[first:]
        for layer in self.layers[first:]:
            self.sums.append(layer.sums(self.codes[-1]))
            if layer.sizes is not None:
                self.codes.append(layer.codes(self.sums[-1]))

    def _results(self, index: int, sums: IntArray) -> IntArray:
        """Sums of the last layer, given those of another one."""
        for layer, after in zip(self.layers[index:], self.layers[index + 1 :], strict=False):
            sums = after.sums(layer.codes(sums))
        return sums

    def _profile(self, index: int, node: int) -> Floats32 | None:
        """Losses (samples, codes) for every code of a node; None for the last layer."""
        layer = self.layers[index]
        if layer.sizes is None:
            return None
        tables = self.layers[index + 1].tables[:, node]
        now: IntArray = tables[:, self.codes[index + 1][node]]
        rest = self.sums[index + 1] - now
        found = np.empty((int(layer.sizes[node]), rest.shape[1]), dtype=np.float32)
        for code in range(len(found)):
            results = self._results(index + 1, rest + tables[:, code, np.newaxis])
            found[code] = self.objective.loss(results)
        return np.ascontiguousarray(found.T)

    def _best(
        self,
        index: int,
        node: int,
        edge: int,
        profile: Floats32 | None,
        weight: float,
        prior: float,
    ) -> Candidate:
        layer = self.layers[index]
        count = 1 << int(layer.input_bits[edge])
        old = layer.tables[node, edge, :count]
        low, high = int(old.min()), int(old.max())
        most = min(MOST_STEPS, (high - low) // 2 + FURTHER_STEPS)
        if layer.sizes is not None:
            most = min(most, 2 * int(layer.sizes[node]) << int(layer.shift[node]))
        values = (low + high) // 2 + np.arange(-most, most + 1)
        losses = self._losses(index, node, edge, values, profile)[:count]
        anchor = self._anchors[index][node, edge, :count]
        read = self._weights[index][edge, :count] + 1e-9
        offset = np.rint(np.average(old - anchor, weights=read)).astype(np.int64)
        losses += prior * self.samples * (values - (anchor + offset)[:, np.newaxis]) ** 2
        weight *= self.samples
        found = best_table(losses, values, self.prices, weight)
        luts = float(self.luts[index][node, edge])
        place = old - values[0]
        if int(place.min()) < 0 or int(place.max()) >= len(values):
            return found
        # The present table was given, or found at another worth by the same rules.
        now = float(losses[np.arange(count), place].sum())
        if now + weight * luts <= found.loss + weight * found.luts:
            return Candidate(old.copy(), now, luts)
        return found

    @property
    def samples(self) -> int:
        return self.codes[0].shape[1]

    def _losses(
        self, index: int, node: int, edge: int, values: IntArray, profile: Floats32 | None
    ) -> FloatArray:
        """Losses (patterns, values) of the samples that read an entry, for each of its values."""
        layer = self.layers[index]
        read = self.codes[index][edge]
        rest = self.sums[index][node] - layer.tables[node, edge].take(read)
        order = np.argsort(read, kind="stable")
        if profile is None:
            sums = self.sums[index].copy()
            sums[node] = rest
            each = self.objective.along(sums, node, values)[order]
        else:
            codes = layer.code_of(node, rest[order][:, np.newaxis] + values)
            each = profile[order[:, np.newaxis], codes]
        read = read[order]
        starts = np.flatnonzero(np.diff(read, prepend=-1))
        losses = np.zeros((layer.tables.shape[2], len(values)))
        losses[read[starts]] = np.add.reduceat(each, starts, axis=0, dtype=np.float64)
        return losses

    def _set(self, index: int, node: int, edge: int, found: Candidate) -> None:
        """Give an edge a table; its least entry moves to the bias."""
        layer = self.layers[index]
        low = int(found.entries.min())
        table = np.zeros(layer.tables.shape[2], dtype=np.int64)
        table[: len(found.entries)] = found.entries - low
        change = table - layer.tables[node, edge]
        layer.tables[node, edge] = table
        layer.bias[node] += low
        self.luts[index][node, edge] = found.luts
        self.sums[index][node] += change.take(self.codes[index][edge]) + low
        if layer.sizes is None:
            return
        codes = layer.code_of(node, self.sums[index][node])
        old = self.codes[index + 1][node].copy()
        self.codes[index + 1][node] = codes
        tables = self.layers[index + 1].tables[:, node]
        self.sums[index + 1] += tables.take(codes, axis=1) - tables.take(old, axis=1)
        if index + 2 < len(self.layers):
            self.codes[index + 2] = self.layers[index + 1].codes(self.sums[index + 1])
            self._evaluate(index + 2)


def coarsened(chain: TableChain, bits: int, unit: float, codes: IntArray) -> TableChain:
    """The chain with fewer bits of hidden nodes and results, rounded.

    Parameters
    ----------
    bits : most bits of hidden nodes.
    unit : new step of the results, in present steps; rounded down to a power of two.
    codes : bit patterns of the input codes (in, samples) on which the mean of each sum stays.
    """
    layers: list[TableLayer] = []
    old_codes = new_codes = codes
    # For each input, the old codes of its new codes.
    widths: list[int] = chain.layers[0].input_bits.tolist()
    meaning: list[IntArray] = [np.arange(1 << width, dtype=np.int64) for width in widths]
    for layer in chain.layers:
        old = layer.sums(old_codes)
        if layer.sizes is None:
            coarser = np.full(len(old), max(0, int(np.floor(np.log2(max(unit, 1.0))))))
        else:
            excess = [int(size - 1).bit_length() - bits for size in layer.sizes]
            coarser = np.maximum(np.array(excess, dtype=np.int64), 0)
        zero = layer.zero >> coarser
        phase = layer.zero - (zero << coarser)
        sizes = None if layer.sizes is None else ((layer.sizes - 1 - phase) >> coarser) + 1
        step = np.exp2(layer.shift + coarser)
        new = TableLayer(
            _reindexed(layer.tables / step[:, np.newaxis, np.newaxis], meaning),
            np.array([max(1, (len(each) - 1).bit_length()) for each in meaning]),
            np.zeros(len(old), dtype=np.int64),
            np.zeros(len(old), dtype=np.int64),
            zero.copy(),
            sizes,
            layer.scales * step,
        )
        new.bias = np.rint((old / step[:, np.newaxis] - new.sums(new_codes)).mean(axis=1))
        new.bias = new.bias.astype(np.int64)
        layers.append(new)
        if layer.sizes is not None and sizes is not None:
            old_codes, new_codes = layer.codes(old), new.codes(new.sums(new_codes))
            meaning = [
                (np.arange(size, dtype=np.int64) << up) + low
                for size, up, low in zip(
                    sizes.tolist(), coarser.tolist(), phase.tolist(), strict=True
                )
            ]
    return TableChain(layers)


def _reindexed(tables: FloatArray, meaning: list[IntArray]) -> IntArray:
    """Tables (out, in, patterns) with some entries, rounded."""
    width = max(max(1, (len(each) - 1).bit_length()) for each in meaning)
    found = np.empty((*tables.shape[:2], 1 << width), dtype=np.int64)
    for index, taken in enumerate(meaning):
        some = np.rint(tables[:, index].take(taken, axis=1))
        found[:, index, : len(taken)] = some
        found[:, index, len(taken) :] = some[:, -1:]
    return found
