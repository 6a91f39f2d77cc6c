"""Training in plain Python integers and fractions, written from docs/reference/training.md alone.

Nothing here shares code with the compiler: B-splines are the Cox-de Boor recursion in rational
numbers, and rounding is Python's of fractions. Below, the same network in PyTorch, in real numbers,
and random networks to train.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.random import Generator
from xdsl.dialects.builtin import ModuleOp, TensorType, f64
from xdsl.ir import Block, SSAValue

from kan_dialect.ir.functions import module_of
from kan_dialect.model.on_chip.training_step import Step
from kan_dialect.ops.grid import LocateOp
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.passes.make_trainable import MakeTrainablePass


def cox_de_boor(index: int, degree: int, x: Fraction) -> Fraction:
    """B-spline `index` on the knots ..., -1, 0, 1, 2, ... (its own are index .. index+degree+1)."""
    if degree == 0:
        return Fraction(index <= x < index + 1)
    left = (x - index) / degree * cox_de_boor(index, degree - 1, x)
    right = (index + degree + 1 - x) / degree * cox_de_boor(index + 1, degree - 1, x)
    return left + right


def slope(index: int, degree: int, x: Fraction) -> Fraction:
    """Its derivative."""
    return cox_de_boor(index, degree - 1, x) - cox_de_boor(index + 1, degree - 1, x)


@dataclass
class Layer:
    """A layer as docs/reference/training.md describes it; all numbers are codes."""

    degree: int
    cells: int
    grid: list[tuple[int, int]]
    coefficients: list[list[list[int]]]
    """[out][in][cells + degree]"""
    velocities: list[list[list[int]]]
    """Likewise."""


@dataclass
class Reference:
    """A network that trains, one sample at a time."""

    layers: list[Layer]
    bits: int
    fraction: int
    local_bits: int
    rate: Fraction
    fed: bool = False
    momentum: Fraction = Fraction(0)
    decay: Fraction = Fraction(0)
    tables: dict[tuple[int, int, str, Fraction], list[list[int]]] = field(default_factory=dict)

    @property
    def weight_fraction(self) -> int:
        return self.fraction - math.floor(math.log2(float(self.rate)))

    @property
    def states(self) -> list[list[list[list[int]]]]:
        """Coefficients of each layer, then, with momentum, velocities."""
        coefficients = [layer.coefficients for layer in self.layers]
        velocities = [layer.velocities for layer in self.layers]
        return [*coefficients, *velocities] if self.momentum else coefficients

    def begin(self, states: Sequence[Any]) -> None:
        """Begin with states in the order of `states`."""
        count = len(self.layers)
        for index, state in enumerate(states):
            layer = self.layers[index % count]
            if index < count:
                layer.coefficients = state.tolist()
            else:
                layer.velocities = state.tolist()

    def saturate(self, code: int, bits: int) -> int:
        return max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, code))

    def locate(self, layer: Layer, i: int, x: int) -> tuple[int, int, bool]:
        low, high = layer.grid[i]
        steps = layer.cells << self.local_bits
        shift = 0
        while True:
            exact = Fraction(steps * 2**shift, high - low)
            multiplier = round(exact)
            if multiplier == exact or multiplier >= 2 ** (len(f"{steps:b}") + 1):
                break
            shift += 1
        position = math.floor(Fraction((x - low) * multiplier, 2**shift))
        held = max(0, min(steps - 1, position))
        return held // 2**self.local_bits, held % 2**self.local_bits, held == position

    def basis(self, degree: int, kind: str, scale: Fraction, fraction: int) -> list[list[int]]:
        key = (degree, fraction, kind, scale)
        if key not in self.tables:
            function = slope if kind == "slope" else cox_de_boor
            self.tables[key] = [
                [
                    round(
                        function(
                            j - degree, degree, Fraction(2 * step + 1, 2 ** (self.local_bits + 1))
                        )
                        * scale
                        * 2**fraction
                    )
                    for j in range(degree + 1)
                ]
                for step in range(2**self.local_bits)
            ]
        return self.tables[key]

    def step(self, x: Sequence[int], target: Sequence[int], train: bool) -> list[int]:
        f, bits = self.fraction, self.bits
        values, seen = list(x), []
        for layer in self.layers:
            places = [self.locate(layer, i, value) for i, value in enumerate(values)]
            table = self.basis(layer.degree, "value", Fraction(1), f)
            nodes: list[int] = []
            for node in layer.coefficients:
                total = sum(
                    node[i][cell + j] * table[local][j]
                    for i, (cell, local, _) in enumerate(places)
                    for j in range(layer.degree + 1)
                )
                nodes.append(self.saturate(round(Fraction(total, 2**f)), bits))
            seen.append(places)
            values = nodes
        if not train:
            return values
        error = (
            list(target)
            if self.fed
            else [self.saturate(t - y, bits + 1) for t, y in zip(target, values, strict=True)]
        )
        for layer, places in zip(reversed(self.layers), reversed(seen), strict=True):
            before = [[list(edge) for edge in node] for node in layer.coefficients]
            weights = self.basis(layer.degree, "value", self.rate, self.weight_fraction)
            shift = f - 1 + self.weight_fraction - f
            for o, node in enumerate(layer.coefficients):
                for i, (cell, local, _) in enumerate(places):
                    for j in range(layer.degree + 1):
                        step = Fraction(error[o] * weights[local][j]) / Fraction(2) ** shift
                        old, speed = node[i][cell + j], layer.velocities[o][i][cell + j]
                        start = old
                        if self.momentum or self.decay:
                            carried = (1 - self.decay) * old + self.momentum * speed
                            wide = bits + (1 if self.momentum else 0)
                            start = self.saturate(round(carried), wide)
                        node[i][cell + j] = self.saturate(round(start + step), bits)
                        if self.momentum:
                            kept = self.saturate(round(self.momentum * speed), bits)
                            layer.velocities[o][i][cell + j] = self.saturate(
                                round(kept + step), bits
                            )
            below: list[int] = []
            for i, (cell, local, inside) in enumerate(places):
                low, high = layer.grid[i]
                scale = Fraction(float(layer.cells / (Fraction(high - low) / 2**f)))
                table = self.basis(layer.degree, "slope", scale, f)
                total = 0
                for o, node in enumerate(before):
                    rise = sum(
                        node[i][cell + j] * (table[local][j] if inside else 0)
                        for j in range(layer.degree + 1)
                    )
                    total += error[o] * self.saturate(round(Fraction(rise, 2**f)), bits)
                below.append(self.saturate(round(Fraction(total, 2**f)), bits + 1))
            error = below
        return values


def reference_of(step: Step, options: MakeTrainablePass) -> Reference:
    """The same network in plain integers; of the IR, only grids and coefficients are taken."""
    fraction = options.fraction_bits
    locates = [op for op in step.function.body.block.ops if isinstance(op, LocateOp)]
    layers = [
        Layer(
            degree=state.shape[2] - op.cells.value.data,
            cells=op.cells.value.data,
            grid=[(round(a * 2**fraction), round(b * 2**fraction)) for a, b in op.ends.tolist()],
            coefficients=state.tolist(),
            velocities=np.zeros_like(state).tolist(),
        )
        for op, state in zip(locates, step.initial()[: step.layers], strict=True)
    ]
    return Reference(
        layers,
        options.integer_bits + fraction,
        fraction,
        options.local_bits,
        Fraction(options.learning_rate),
        options.error == "fed",
        Fraction(round(options.momentum * 2**16), 2**16),
        Fraction(round(options.weight_decay * 2**16), 2**16),
    )


def torch_network(layers: list[Any], x: Any, coefficients: list[Any]) -> Any:
    """The network in PyTorch, by the recursion over all basis functions."""
    import torch

    value = x
    for layer, c in zip(layers, coefficients, strict=True):
        low = torch.tensor(layer.grid[:, 0].copy())
        high = torch.tensor(layer.grid[:, 1].copy())
        position = (torch.clamp(value, low, high) - low) * (layer.cells / (high - low))
        knots = torch.arange(-layer.degree, layer.cells + layer.degree + 1, dtype=torch.float64)
        points = position[:, None]
        basis = ((points >= knots[:-1]) & (points < knots[1:])).to(torch.float64)
        for k in range(1, layer.degree + 1):
            left = (points - knots[: -k - 1]) / k * basis[:, :-1]
            basis = left + (knots[k + 1 :] - points) / k * basis[:, 1:]
        value = torch.einsum("oim,im->o", c, basis)
    return value


def random_network(
    rng: Generator, sizes: Sequence[int], degrees: Sequence[int], cells: Sequence[int]
) -> ModuleOp:
    """Layers of B-splines on uniform grids around 0, at spline level."""
    block = Block(arg_types=[TensorType(f64, (sizes[0],))])
    value: SSAValue = block.args[0]
    for inputs, outputs, degree, count in zip(sizes[:-1], sizes[1:], degrees, cells, strict=True):
        ends = -1 - rng.random(inputs), 1 + rng.random(inputs)
        grid = np.linspace(*ends, count + 1).T
        coefficients = rng.normal(size=(outputs, inputs, count + degree)) / np.sqrt(inputs)
        spline = BSplineOp(value, degree, grid, coefficients, extend=True)
        node_sum = NodeSumOp(spline)
        block.add_ops([spline, node_sum])
        value = node_sum.result
    return module_of("net", block, value)
