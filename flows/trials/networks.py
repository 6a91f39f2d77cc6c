"""The networks of a study: IR and data as text and arrays, which other machines can read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.flows.samples import Samples
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.model.model import Model


@dataclass(frozen=True, eq=False)
class Network:
    """A network to compile, with its data."""

    name: str
    ir: str
    """The imported network in textual form."""
    has_codes: bool
    """Whether its inputs and outputs are codes, so that no pipeline chooses their bits."""
    calibration: Samples | None = None
    """Samples that passes may use."""
    scored: Mapping[str, Samples] = field(default_factory=dict[str, Samples])
    """Samples for figures of quality, by the first word of the figures' names."""
    probes: FloatArray | None = None
    """Real inputs, (samples, inputs), whose codes are among those on which designs are compared."""
    layers: int = 0
    """Number of widths that `kan-quantize` takes beside the width of the inputs."""

    @property
    def calibration_data(self) -> dict[str, Array]:
        """The arrays of a data file with the calibration samples, by name."""
        if self.calibration is None:
            return {}
        found = {"x": self.calibration.x, "y": self.calibration.y}
        arrays = {name: array for name, array in found.items() if array is not None}
        classes = self.calibration.classes
        return {**arrays, "class_names": np.array(classes)} if classes else arrays

    @cached_property
    def digest(self) -> str:
        """SHA-256 of IR and data."""
        whole = hashlib.sha256(self.ir.encode())
        for array in self._arrays():
            whole.update(b"-" if array is None else f"{array.dtype.str} {array.shape}".encode())
            whole.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        return whole.hexdigest()

    def _arrays(self) -> Iterator[Array | None]:
        for samples in (self.calibration, *self.scored.values()):
            yield from (None, None) if samples is None else (samples.x, samples.y)
        yield self.probes


def model_of(module: ModuleOp) -> Model:
    """The model that a network is made of.

    Raises
    ------
    KanError : the module holds no model, or hardware.
    """
    model = Model.of(module)
    if model.level == "hardware":
        raise KanError(
            f"@{model.name} is hardware already: no pass or option is left to vary",
            remedy="give the model, or IR of an earlier stage",
        )
    return model


def with_reference(model: Model, samples: Samples) -> Samples:
    """Samples with the outputs of a float model.

    Raises
    ------
    KanError : the samples do not fit the model.
    """
    outputs = model.run(samples.x)
    return samples if model.has_codes else Samples(samples.x, samples.y, outputs)
