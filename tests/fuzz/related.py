"""Random networks whose nodes have few values and are read together, by sums, skips and lookups.

Values that a proof could treat as free variables depend on each other. Wires are shared or
constant, and the compiler can use relations between values.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fuzz.networks import Codes, Drawing, Layer, Network, joined

MAX_CODES = 600
"""Codes that a layer's inputs span at most."""


class RelatedDrawing(Drawing):
    """Draws two to four layers of few nodes, most of them shifted to a few bits."""

    def network(self, name: str) -> Network:
        values = [self.codes(self.whole(2, 4), self.whole(5, 8))]
        layers: list[Layer] = []
        for number in range(self.whole(2, 4)):
            sources = [len(values) - 1]
            if number and self.chance(0.6):
                first = 0 if self.chance(0.3) else 1
                sources.append(self.whole(first, len(values) - 1))
            before = joined([values[source] for source in sources])
            if before.high - before.low > MAX_CODES:
                sources = sources[:1]
                before = values[sources[0]]
            if number and self.chance(0.25):
                layer = self.lookups(tuple(sources), before)
                values.append(self.looked_up(layer, before))
            else:
                layer = self.sums(tuple(sources), before)
                values.append(self._result(layer))
            layers.append(layer)
        last = len(values) - 1
        results = (last,) if self.chance(0.6) else (last, self.whole(0, last))
        return Network(name, tuple(values[:1]), self.chance(0.3), tuple(layers), results)

    def lookups(self, sources: tuple[int, ...], before: Codes) -> Layer:
        """A table for each value."""
        count = before.count
        tables = self.tables((1, count, before.high - before.low + 1))[0]
        mask, bias = np.ones((count, 1), dtype=np.bool_), np.zeros(count, dtype=np.int64)
        codes = self.codes(count, self.whole(1, 4))
        return Layer(sources, before.low, tables, mask, bias, 0, 1.0, codes)

    @staticmethod
    def looked_up(layer: Layer, before: Codes) -> Codes:
        assert layer.codes is not None
        lower = np.full(before.count, layer.codes.low)
        upper = np.full(before.count, layer.codes.high)
        return replace(layer.codes, lower=lower, upper=upper)

    def sums(self, sources: tuple[int, ...], before: Codes) -> Layer:
        """Sums of similar, stepped, common or random tables, shifted by 0 to 5 bits."""
        rng = self.rng
        nodes, span = self.whole(1, 4), 1 << self.whole(2, 7)
        entries = before.high - before.low + 1
        tables = rng.integers(-span, span, (nodes, before.count, entries))
        if self.chance(0.4):
            step = 1 << self.whole(1, 3)
            tables = tables // step * step
        if self.chance(0.4):
            tables = np.repeat(tables[:, :, ::2], 2, axis=2)[:, :, :entries]
        if self.chance(0.3):
            tables[:] = tables[:1]
        share = 1.0 if self.chance(0.7) else 0.7
        mask = rng.random((nodes, before.count)) < share
        bias = rng.integers(-12, 12, nodes)
        codes = None
        if self.chance(0.9):
            codes = replace(
                self.codes(nodes, self.whole(1, 5)),
                scale=2.0 ** rng.integers(0, 6, nodes),
                zero_point=rng.integers(-3, 4, nodes),
            )
        slack = int(rng.choice([0, 0, 3, -1]))
        return Layer(sources, before.low, tables, mask, bias, slack, 1.0, codes)
