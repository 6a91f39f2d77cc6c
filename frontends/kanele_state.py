"""The state dict of a KANELÉ checkpoint, as the parameters of its layers.

Every key must be understood: one that is not could mean that the network computes something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from kan_dialect.constants import FloatArray
from kan_dialect.errors import KanError
from kan_dialect.frontends.kanele_config import Architecture, SplineSettings
from kan_dialect.frontends.torch_files import read_torch_file, tensor_array

BATCH_NORM_EPS = 1e-5
"""PyTorch's default, which KANELÉ keeps."""
_STATE_KEYS = ("model_state_dict", "state_dict")
_BATCH_NORM = "input_layer.pre_transforms.0"
_BIAS = "input_layer.pre_transforms.1.bias"


@dataclass(frozen=True)
class InputQuantizer:
    """Input codes: `round_half_even((x * gain + offset) / scale)`, saturated."""

    gain: FloatArray
    """(in): of the batch norm."""
    offset: FloatArray
    """(in): of the batch norm and the bias behind it."""
    scale: float


@dataclass(frozen=True)
class Layer:
    """Edge functions and quantiser of a layer."""

    base_weights: FloatArray
    """(out, in)"""
    coefficients: FloatArray
    """(out, in, grid + degree): spline weights times their scaler."""
    knots: FloatArray
    """(in, grid + 1 + 2 * degree)"""
    mask: FloatArray
    """(out, in) of 0 and 1: 0 where the edge is pruned."""
    scale: float
    """Of the edges' and nodes' codes."""


@dataclass(frozen=True)
class Parameters:
    """A whole network."""

    input: InputQuantizer
    layers: tuple[Layer, ...]


def read_parameters(path: Path, shape: Architecture, splines: SplineSettings) -> Parameters:
    """The parameters in a checkpoint.

    Raises
    ------
    KanError : no checkpoint, a key missing, unknown or of another shape than the configuration's.
    """
    shape.check_memory(splines.knots)
    state = _State(path, _state_dict(path))
    parameters = Parameters(
        _input(state, shape),
        tuple(_layer(state, index, shape, splines) for index in range(shape.layers)),
    )
    state.require_all_read(shape.layers)
    return parameters


def _state_dict(path: Path) -> Mapping[str, object]:
    content = read_torch_file(path)
    if isinstance(content, dict):
        content = cast("dict[object, object]", content)
        for key in _STATE_KEYS:
            if isinstance(content.get(key), dict):
                return cast("dict[str, object]", content[key])
        if any(isinstance(key, str) and key.startswith("layers.") for key in content):
            return cast("dict[str, object]", content)
    raise KanError(
        f"{path.name} holds no `model_state_dict`",
        remedy="a KANELÉ checkpoint is a dict with the network's state dict under that key",
    )


class _State:
    """The tensors of a state dict; remembers which were read."""

    def __init__(self, path: Path, entries: Mapping[str, object]) -> None:
        self.path = path
        self.entries = entries
        self.read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def array(self, key: str, shape: tuple[int, ...]) -> FloatArray:
        """The tensor under a key, which must be of that shape and finite."""
        if key not in self.entries:
            raise KanError(
                f"{self.path.name}: the state dict has no key `{key}`",
                remedy="is it a KANELÉ checkpoint of the network that config.json describes?",
            )
        self.read.add(key)
        array = tensor_array(self.entries[key], f"{self.path.name}: `{key}`")
        if array is None:
            raise KanError(f"{self.path.name}: `{key}` is no tensor")
        if array.shape != shape and not (shape == () and array.shape == (1,)):
            raise KanError(
                f"{self.path.name}: `{key}` has shape {array.shape}, config.json asks for {shape}",
                remedy="the two must belong to the same model",
            )
        floats = array.astype(np.float64)
        bad = np.argwhere(~np.isfinite(floats))
        if bad.size:
            raise KanError(
                f"{self.path.name}: `{key}`{bad[0].tolist()} is {floats[tuple(bad[0])]}",
                remedy="parameters must be finite: the training diverged",
            )
        return floats.reshape(shape)

    def optional(self, key: str, shape: tuple[int, ...], default: float) -> FloatArray:
        return self.array(key, shape) if key in self else np.full(shape, default)

    def ignore(self, key: str) -> None:
        self.read.add(key)

    def scale(self, prefix: str, bits: int) -> float:
        """The step of the signed integer quantiser under a prefix: its range over 2^(bits - 1)."""
        keys = [
            key
            for key in self.entries
            if key.startswith(prefix) and key.endswith("scaling_impl.value")
        ]
        if len(keys) != 1:
            raise KanError(
                f"{self.path.name}: {len(keys)} keys `{prefix}...scaling_impl.value`, not one",
                remedy="each quantiser has one scale",
            )
        value = float(self.array(keys[0], ()))
        if value <= 0.0:
            raise KanError(
                f"{self.path.name}: `{keys[0]}` is {value}", remedy="a scale must be positive"
            )
        return value / (1 << (bits - 1))

    def require_all_read(self, layers: int) -> None:
        unknown = [key for key in self.entries if key not in self.read]
        if unknown:
            raise KanError(
                f"{self.path.name}: key `{unknown[0]}` of the state dict is not understood in a "
                f"network of {layers} layer(s)",
                remedy="only what KANELÉ's own layers compute is read; does config.json belong to "
                "this checkpoint?",
            )


def _input(state: _State, shape: Architecture) -> InputQuantizer:
    count = (shape.widths[0],)
    gain, offset = np.ones(count), np.zeros(count)
    if any(key.startswith(f"{_BATCH_NORM}.") for key in state.entries):
        variance = state.array(f"{_BATCH_NORM}.running_var", count)
        if (variance < 0.0).any():
            raise KanError(f"{state.path.name}: `{_BATCH_NORM}.running_var` is negative")
        gain = state.optional(f"{_BATCH_NORM}.weight", count, 1.0) / np.sqrt(
            variance + BATCH_NORM_EPS
        )
        mean = state.array(f"{_BATCH_NORM}.running_mean", count)
        offset = state.optional(f"{_BATCH_NORM}.bias", count, 0.0) - mean * gain
        state.ignore(f"{_BATCH_NORM}.num_batches_tracked")
    if _BIAS in state:
        offset = offset + state.array(_BIAS, ())
    return InputQuantizer(gain, offset, state.scale("input_layer.", shape.bits[0]))


def _layer(state: _State, index: int, shape: Architecture, splines: SplineSettings) -> Layer:
    inputs, outputs = shape.widths[index], shape.widths[index + 1]
    edges = (outputs, inputs)
    prefix = f"layers.{index}."
    weights = state.array(f"{prefix}spline_weight", (*edges, splines.functions))
    scaler = state.optional(f"{prefix}spline_scaler", edges, 1.0)
    knots = state.array(f"{prefix}grid", (inputs, splines.knots))
    if (np.diff(knots, axis=1) < 0.0).any():
        raise KanError(f"{state.path.name}: `{prefix}grid` is not in ascending order")
    mask = state.optional(f"{prefix}spline_selector", edges, 1.0)
    if not np.isin(mask, (0.0, 1.0)).all():
        raise KanError(
            f"{state.path.name}: `{prefix}spline_selector` holds other numbers than 0 and 1",
            remedy="finish pruning before saving: an edge exists or does not",
        )
    return Layer(
        base_weights=state.array(f"{prefix}base_weight", edges),
        coefficients=weights * scaler[..., np.newaxis],
        knots=knots,
        mask=mask,
        scale=state.scale(f"{prefix}output_quantizer.", shape.bits[index + 1]),
    )
