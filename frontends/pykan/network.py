"""Builds the IR of a pykan network from its state dict.

Layers come out at spline level: splines on the grid of each input, base functions, symbolic edges,
and the affines of the nodes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.frontends.pykan.config import PykanConfig
from kan_dialect.frontends.torch.state_dict import StateDict
from kan_dialect.ir.constants import FloatArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp, EdgeOp
from kan_dialect.ops.symbolic import SymbolicOp


def build_pykan(
    name: str, config: PykanConfig, file: str, entries: Mapping[object, object]
) -> ModuleOp:
    """Build a network from the parameters in a state dict.

    Parameters
    ----------
    name : name of the function.
    file : name of the state dict, for messages.

    Raises
    ------
    KanError : a parameter is missing, unknown, or contradicts the configuration.
    """
    state = StateDict(file, entries, "pykan", config.name)
    block = Block(arg_types=[TensorType(f32, (config.widths[0],))])
    value: SSAValue = block.args[0]
    for index in range(config.layers):
        value = _Layer(block, state, config, index).build(value)
    state.require_all_read()
    return module_of(name, block, value)


class _Layer:
    """One layer: phi(x) = m * (scale_base * base(x) + scale_sp * spline(x)) + n * symbolic(x)."""

    def __init__(self, block: Block, state: StateDict, config: PykanConfig, index: int) -> None:
        self.block = block
        self.state = state
        self.config = config
        self.index = index
        self.inputs, self.outputs = config.widths[index], config.widths[index + 1]
        self.name = f"layer{index}"
        # pykan's numerical part is (in, out), its symbolic part (out, in).
        self.mask = self.numeric("mask", 1.0)
        self.symbolic_mask = state.optional(
            f"symbolic_fun.{index}.mask", (self.outputs, self.inputs), 0.0
        )
        self.affine = state.optional(
            f"symbolic_fun.{index}.affine", (self.outputs, self.inputs, 4), 0.0
        )
        if config.symbolic_names is None:
            self.symbolic_mask = np.zeros_like(self.symbolic_mask)

    def build(self, x: SSAValue) -> SSAValue:
        candidates = (self.spline(x), self.base(x), self.symbolic(x))
        parts = [part for part in candidates if part is not None]
        if not parts:
            # All edges are pruned: the nodes are constants, and one op keeps the layer's shape.
            parts = [BaseOp("identity", x, np.zeros((self.outputs, self.inputs)), name=self.name)]
        edges = self.add(parts[0])
        for part in parts[1:]:
            edges = self.add(arith.AddfOp(edges, self.add(part)))
        kept = (self.mask != 0.0) | (self.symbolic_mask != 0.0)
        nodes = self.add(NodeSumOp(edges, mask=kept, name=self.name))
        scale, bias = self.node_affine()
        if (scale == 1.0).all() and (bias == 0.0).all():
            return nodes
        return self.add(AffineOp(nodes, scale, bias))

    def add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def numeric(self, key: str, default: float) -> FloatArray:
        """A parameter of the numerical part, transposed to (out, in)."""
        full = f"act_fun.{self.index}.{key}"
        return self.state.optional(full, (self.inputs, self.outputs), default).T

    def spline(self, x: SSAValue) -> EdgeOp | None:
        config, prefix = self.config, f"act_fun.{self.index}"
        knots = self.state.knots(
            f"{prefix}.grid", (self.inputs, config.grid_size + 1 + 2 * config.degree)
        )
        shape = (self.inputs, self.outputs, config.grid_size + config.degree)
        coefficients = self.state.array(f"{prefix}.coef", shape).transpose(1, 0, 2)
        weights = self.mask * self.numeric("scale_sp", 1.0)
        if not weights.any():
            return None
        return BSplineOp(
            x, config.degree, knots, coefficients * weights[..., np.newaxis], name=self.name
        )

    def base(self, x: SSAValue) -> EdgeOp | None:
        weights = self.mask * self.numeric("scale_base", 0.0)
        if self.config.base is None or not weights.any():
            return None
        return BaseOp(self.config.base, x, weights)

    def symbolic(self, x: SSAValue) -> EdgeOp | None:
        if not self.symbolic_mask.any():
            return None
        kept = (self.symbolic_mask != 0.0).astype(np.int64)
        names, choice = self.config.choice(self.index, kept)
        # The mask multiplies the edge: c * f(a * x + b) + d.
        factors = np.stack([kept, kept, self.symbolic_mask, self.symbolic_mask], axis=-1)
        return SymbolicOp(names, x, choice, self.affine * factors)

    def node_affine(self) -> tuple[FloatArray, FloatArray]:
        """Scale and bias (out) of subnodes and nodes, composed."""
        shape = (self.outputs,)
        inner, outer = (
            (
                self.state.optional(f"{kind}_scale_{self.index}", shape, 1.0),
                self.state.optional(f"{kind}_bias_{self.index}", shape, 0.0),
            )
            for kind in ("subnode", "node")
        )
        return inner[0] * outer[0], inner[1] * outer[0] + outer[1]
