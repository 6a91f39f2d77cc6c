"""Networks before and after quantisation, and samples on which certificates are tested."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType, f64
from xdsl.ir import Block, SSAValue

from kan_dialect.analysis.certificate import Certificate
from kan_dialect.ir.constants import FloatArray
from kan_dialect.ir.functions import module_of
from kan_dialect.model.model import Model
from kan_dialect.model.saturation import saturating_samples
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import EdgeOp
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.quantize import QuantizePass

Functions = tuple[func.FuncOp, func.FuncOp]


def only(module: ModuleOp) -> func.FuncOp:
    (function,) = module.ops
    assert isinstance(function, func.FuncOp)
    return function


def quantised(module: ModuleOp, stage: QuantizePass) -> Functions:
    """The functions before and after quantisation, of a module that is calibrated."""
    real = module.clone()
    stage.apply(Context(), module)
    FoldTablesPass().apply(Context(), module)
    return only(real), only(module)


def samples_of(box: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """Inputs in a box: anywhere, at its ends, and along its diagonals."""
    low, high = box.T
    shares = rng.uniform(0, 1, (count, len(box)))
    kinds = rng.integers(0, 3, (count, 1))
    shares = np.where(kinds == 1, np.round(shares), shares)
    shares = np.where(kinds == 2, np.abs(np.round(shares) - shares[:, :1]), shares)
    return np.clip(low + (high - low) * shares, low, high)


def excess(functions: Functions, found: Certificate, x: FloatArray) -> float:
    """How far samples are beyond the bounds: below 0 if they keep them."""
    real, integers = Model(functions[0], "spline"), Model(functions[1], "table")
    apart = np.abs(real.run(x) - integers.run(x))
    inside = ~saturating_samples(integers, x)
    beyond = (apart - found.bounds).max()
    return max(float(beyond), float((apart[inside] - found.unsaturated).max(initial=-np.inf)))


def one_layer(edges: Callable[[SSAValue], EdgeOp], inputs: int = 1) -> ModuleOp:
    """A function of one layer."""
    block = Block(arg_types=[TensorType(f64, (inputs,))])
    op = edges(block.args[0])
    nodes = NodeSumOp(op, name="layer0")
    block.add_ops([op, nodes])
    return module_of("net", block, nodes.result)
