"""Reads the state dict of a KANELÉ checkpoint into the parameters of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.frontends.kanele.config import Architecture, SplineSettings
from kan_dialect.frontends.torch.files import read_torch_file
from kan_dialect.frontends.torch.state_dict import StateDict
from kan_dialect.ir.constants import FloatArray

BATCH_NORM_EPS = 1e-5
"""PyTorch's default, which KANELÉ keeps."""
_STATE_KEYS = ("model_state_dict", "state_dict")
_BATCH_NORM = "input_layer.pre_transforms.0"
_BIAS = "input_layer.pre_transforms.1.bias"


@dataclass(frozen=True)
class InputQuantizer:
    """Input quantiser: code = round_half_even((x * gain + offset) / scale), saturated."""

    gain: FloatArray
    """(in), float64: gain of the batch norm."""
    offset: FloatArray
    """(in), float64: offset of the batch norm plus the bias behind it."""
    scale: float


@dataclass(frozen=True)
class Layer:
    """Edge functions and quantiser of a layer."""

    base_weights: FloatArray
    """(out, in)"""
    coefficients: FloatArray
    """(out, in, grid + degree): spline weights times the scaler of their edge."""
    knots: FloatArray
    """(in, grid + 1 + 2 * degree)"""
    mask: FloatArray
    """(out, in): 1 for edges that exist, 0 for pruned ones."""
    scale: float
    """Scale of the codes of edges and nodes."""


@dataclass(frozen=True)
class Parameters:
    """The parameters of a network."""

    input: InputQuantizer
    layers: tuple[Layer, ...]


def read_parameters(path: Path, shape: Architecture, splines: SplineSettings) -> Parameters:
    """Read the parameters of a checkpoint.

    Raises
    ------
    KanError : the file is no checkpoint; a key is missing, unknown, or its shape contradicts the
        configuration.
    """
    shape.check_memory(splines.knots)
    state = StateDict(path.name, _state_dict(path), "KANELÉ", shape.path.name)
    parameters = Parameters(
        _input(state, shape),
        tuple(_layer(state, index, shape, splines) for index in range(shape.layers)),
    )
    state.require_all_read()
    return parameters


def _state_dict(path: Path) -> Mapping[object, object]:
    content = read_torch_file(path)
    if isinstance(content, dict):
        content = cast("dict[object, object]", content)
        for key in _STATE_KEYS:
            if isinstance(content.get(key), dict):
                return cast("dict[object, object]", content[key])
        if any(isinstance(key, str) and key.startswith("layers.") for key in content):
            return content
    raise KanError(
        f"{path.name} holds no `model_state_dict`",
        remedy="a KANELÉ checkpoint is a dict with the network's state dict under that key",
    )


def _scale(state: StateDict, prefix: str, bits: int) -> float:
    """Scale of the signed quantiser under a prefix: its range over 2^(bits - 1)."""
    keys = [
        key
        for key in state.entries
        if key.startswith(prefix) and key.endswith("scaling_impl.value")
    ]
    if len(keys) != 1:
        raise KanError(
            f"{state.file}: {len(keys)} keys `{prefix}...scaling_impl.value`, not one",
            remedy="each quantiser has one scale",
        )
    value = float(state.array(keys[0], ()))
    if value <= 0.0:
        raise KanError(f"{state.file}: `{keys[0]}` is {value}", remedy="a scale must be positive")
    return value / (1 << (bits - 1))


def _input(state: StateDict, shape: Architecture) -> InputQuantizer:
    count = (shape.widths[0],)
    gain, offset = np.ones(count), np.zeros(count)
    if any(key.startswith(f"{_BATCH_NORM}.") for key in state.entries):
        variance = state.array(f"{_BATCH_NORM}.running_var", count)
        if (variance < 0.0).any():
            raise KanError(f"{state.file}: `{_BATCH_NORM}.running_var` is negative")
        gain = state.optional(f"{_BATCH_NORM}.weight", count, 1.0) / np.sqrt(
            variance + BATCH_NORM_EPS
        )
        mean = state.array(f"{_BATCH_NORM}.running_mean", count)
        offset = state.optional(f"{_BATCH_NORM}.bias", count, 0.0) - mean * gain
        state.ignore(f"{_BATCH_NORM}.num_batches_tracked")
    if _BIAS in state:
        offset = offset + state.array(_BIAS, ())
    return InputQuantizer(gain, offset, _scale(state, "input_layer.", shape.bits[0]))


def _layer(state: StateDict, index: int, shape: Architecture, splines: SplineSettings) -> Layer:
    inputs, outputs = shape.widths[index], shape.widths[index + 1]
    edges = (outputs, inputs)
    prefix = f"layers.{index}."
    weights = state.array(f"{prefix}spline_weight", (*edges, splines.functions))
    scaler = state.optional(f"{prefix}spline_scaler", edges, 1.0)
    knots = state.knots(f"{prefix}grid", (inputs, splines.knots))
    mask = state.optional(f"{prefix}spline_selector", edges, 1.0)
    if not np.isin(mask, (0.0, 1.0)).all():
        raise KanError(
            f"{state.file}: `{prefix}spline_selector` holds other numbers than 0 and 1",
            remedy="finish pruning before saving: 0 for a pruned edge, 1 for any other",
        )
    return Layer(
        base_weights=state.array(f"{prefix}base_weight", edges),
        coefficients=weights * scaler[..., np.newaxis],
        knots=knots,
        mask=mask,
        scale=_scale(state, f"{prefix}output_quantizer.", shape.bits[index + 1]),
    )
