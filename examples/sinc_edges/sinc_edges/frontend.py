"""Trained sinc networks: `NAME.sinc.npz` with `weights0`, `rates0`, `weights1`, `rates1`, ...

Both arrays of a layer have shape (out, in). NumPy reads them without executing anything
(`allow_pickle=False`).
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import Frontend
from kan_dialect.frontends.naming import identifier
from kan_dialect.ir.constants import FloatArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ops.layer import NodeSumOp
from sinc_edges.edges import SincEdgesOp

EXTENSION = ".sinc.npz"


def read_layers(path: Path) -> list[tuple[FloatArray, FloatArray]]:
    """Weights and rates of each layer, (out, in), float64.

    Raises
    ------
    KanError : the file is not an archive of this kind, or its layers do not fit each other.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name], dtype=np.float64) for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise KanError(f"{path.name}: cannot be read: {error}") from None
    layers: list[tuple[FloatArray, FloatArray]] = []
    while (name := f"weights{len(layers)}") in arrays:
        weights, rates = arrays[name], arrays.get(f"rates{len(layers)}")
        if rates is None or weights.ndim != 2 or rates.shape != weights.shape:
            raise KanError(
                f"{path.name}: layer {len(layers)} needs rates of the shape of its weights, "
                f"(out, in); the weights have {weights.shape}"
            )
        if layers and weights.shape[1] != len(layers[-1][0]):
            raise KanError(
                f"{path.name}: layer {len(layers)} has {weights.shape[1]} inputs, the layer before "
                f"has {len(layers[-1][0])} nodes"
            )
        if not (np.isfinite(weights).all() and np.isfinite(rates).all()):
            raise KanError(f"{path.name}: layer {len(layers)} has values that are not finite")
        layers.append((weights, rates))
    if not layers:
        raise KanError(f"{path.name}: there is no array weights0", remedy="save layers from 0 on")
    return layers


def load(path: Path) -> ModuleOp:
    """The network of a file at spline level."""
    layers = read_layers(path)
    block = Block(arg_types=[TensorType(f32, (layers[0][0].shape[1],))])
    block.args[0].name_hint = "x"

    def add(op: Operation) -> SSAValue:
        block.add_op(op)
        return op.results[0]

    value: SSAValue = block.args[0]
    for index, (weights, rates) in enumerate(layers):
        name = f"layer{index}"
        value = add(NodeSumOp(add(SincEdgesOp(value, weights, rates, name=name)), name=name))
    return module_of(identifier(path.name.lower().removesuffix(EXTENSION)), block, value)


FRONTEND = Frontend("sinc-edges", (EXTENSION,), "networks of sinc edges, NumPy archives", load)
