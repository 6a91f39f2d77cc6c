"""The quantisers of a network as data, for training frameworks.

`quantizers_in_ir` reads them from a function at table level. `quantizer_json` reads and writes
files. `kan-quantize` takes them in place of its own choice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from xdsl.dialects.builtin import AnyFloat

from kan_dialect.ir.constants import Array, BoolArray, FloatArray, IntArray
from kan_dialect.ir.quant import (
    UniformQuantizedType,
    default_bounds,
    storage_for,
)


@dataclass(frozen=True)
class Codes:
    """The codes of n inputs or nodes: `clamp(round(x / scale) + zero_point, low, high)`.

    Parameters
    ----------
    low, high : smallest and largest code, (n), int64.
    scale, zero_point : float64 and int64, (n), or () if the type is per tensor.
    """

    low: IntArray
    high: IntArray
    scale: FloatArray
    zero_point: IntArray

    def __len__(self) -> int:
        return len(self.low)

    def element(self, expressed: AnyFloat) -> UniformQuantizedType:
        """The type of a tensor of these codes, in the narrowest storage."""
        low, high = int(self.low.min()), int(self.high.max())
        bits, signed = storage_for(low, high)
        return UniformQuantizedType(
            bits,
            signed,
            self.scale,
            self.zero_point,
            axis=0 if self.scale.ndim else None,
            # `!quant.uniform` refuses storage bounds of a single code.
            bounds=(low, high) if low < high else default_bounds(bits, signed),
            expressed=expressed,
        )

    def equals(self, other: Codes) -> bool:
        """True if all numbers are equal, whether per tensor or per element."""
        return all(
            np.array_equal(np.broadcast_to(mine, len(self)), np.broadcast_to(its, len(self)))
            for mine, its in zip(self._arrays(), other._arrays(), strict=True)
        )

    def _arrays(self) -> tuple[Array, ...]:
        return self.low, self.high, self.scale, self.zero_point


@dataclass(frozen=True)
class Argument:
    """An argument's codes, and the affine in front of them.

    Parameters
    ----------
    gain, offset : codes are those of x * gain + offset; (n), float64. The host computes it without
        `port`, and the hardware with it.
    name : the name in `Layer.reads`.
    port : codes of the ports, which hardware rounds to `codes`; None if the ports carry `codes`.
    """

    codes: Codes
    gain: FloatArray
    offset: FloatArray
    name: str
    port: Codes | None = None

    @property
    def has_affine(self) -> bool:
        """Whether gain or offset change a value."""
        return bool((self.gain != 1.0).any() or (self.offset != 0.0).any())

    @property
    def rescales(self) -> bool:
        """Whether hardware multiplies the codes of ports by more than powers of two."""
        if self.port is None:
            return False
        return self.has_affine or not are_powers_of_two(self.codes.scale / self.port.scale)


@dataclass(frozen=True)
class Edges:
    """The edges of a layer: integers `round(value / scale)`, which nodes add exactly.

    Parameters
    ----------
    scale : float64, (out), or () if the type is per tensor.
    kept : True for edges that exist, (out, in).
    low, high : smallest and largest integer of each edge, (out, in), int64; 0 without an edge.
    bias : the constant that each node adds, (out), int64.
    """

    scale: FloatArray
    kept: BoolArray
    low: IntArray
    high: IntArray
    bias: IntArray


@dataclass(frozen=True)
class Grid:
    """The knots of a layer's B-splines: (in, K), or (K) for all inputs."""

    degree: int
    knots: FloatArray


@dataclass(frozen=True)
class Layer:
    """A layer of nodes that sum edges; without edges, a function of each element."""

    name: str
    reads: tuple[str, ...]
    """Names of the arguments and layers whose codes the layer reads, concatenated in order."""
    nodes: Codes
    saturates: bool
    """True if sums saturate to codes of `nodes`; False for results of the function."""
    edges: Edges | None = None
    splines: tuple[Grid, ...] = ()
    fixed: bool = False
    """True of results whose ports have all codes of `nodes`, whichever occur."""

    @property
    def shift(self) -> IntArray:
        """Shifts (out), int64: codes are sums / 2^shift, rounded half to even.

        Defined for layers with edges only.
        """
        assert self.edges is not None
        ratio = np.broadcast_to(self.nodes.scale / self.edges.scale, len(self.nodes))
        return np.rint(np.log2(ratio)).astype(np.int64)


def are_powers_of_two(ratios: FloatArray) -> bool:
    """True if all ratios of scales are powers of two, up to their last digits."""
    exponents = np.rint(np.log2(ratios))
    return bool(np.allclose(ratios, np.exp2(exponents), rtol=1e-12, atol=0.0))


@dataclass(frozen=True)
class Quantizers:
    """The quantisers of a function, in the function's order."""

    name: str
    arguments: tuple[Argument, ...]
    layers: tuple[Layer, ...]
    digest: str | None = None
    """The digest of `description` in the file; None without a file, or if the file has none."""

    def description(self) -> Mapping[str, object]:
        """The fields that describe the network, by place in the file.

        `kan-quantize` does not read them. It refuses a file in which they were edited.
        """
        found: dict[str, object] = {"name": self.name}
        for index, argument in enumerate(self.arguments):
            found[f"inputs[{index}].name"] = argument.name
        for index, layer in enumerate(self.layers):
            where = f"layers[{index}]"
            found[f"{where}.name"] = layer.name
            found[f"{where}.reads"] = list(layer.reads)
            if layer.edges is not None:
                for name in ("low", "high", "bias"):
                    found[f"{where}.edges.{name}"] = getattr(layer.edges, name).tolist()
            if not layer.saturates:
                found[f"{where}.nodes.low"] = layer.nodes.low.tolist()
                found[f"{where}.nodes.high"] = layer.nodes.high.tolist()
            for number, grid in enumerate(layer.splines):
                found[f"{where}.splines[{number}].degree"] = grid.degree
                found[f"{where}.splines[{number}].knots"] = grid.knots.tolist()
        return found

    def description_digest(self) -> str:
        """SHA-256 of the description, in hexadecimal."""
        return sha256(json.dumps(self.description()).encode()).hexdigest()

    def with_splines_of(self, earlier: Quantizers | None) -> Quantizers:
        """These quantisers with the spline grids of an earlier stage, since tables have none."""
        if earlier is None or len(earlier.layers) != len(self.layers):
            return self
        layers = [
            replace(now, splines=now.splines or before.splines)
            for now, before in zip(self.layers, earlier.layers, strict=True)
        ]
        return replace(self, layers=tuple(layers))
