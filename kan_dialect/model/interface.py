"""The interface of a design: its ports, their codes, and its latency.

Names and order of the ports are fixed. A clocked design has `clk`, `rst`, `in_valid`, `x0`..,
`out_valid`, `y0`.., and takes a sample in every cycle. A folded design takes one every N cycles: it
has `in_ready` in front of `out_valid`, which is 1 in the first cycle after a reset and in every
N-th cycle behind it. A sample is taken where `in_valid` and `in_ready` are 1. A folded design whose
tables can be loaded has `mem_valid`, `mem_address` and `mem_data` behind `x0`.., and `mem_ready`
behind `y0`... A word is written where `mem_valid` and `mem_ready` are 1. `in_ready` is 0 where
`mem_valid` is 1, and `mem_ready` where a sample is under way. A combinational
design has `x0`.., `y0`.. alone. `rst` is synchronous, active high, and clears valid bits, and the
counter of a folded design.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.data_schema import named_port
from kan_dialect.ir.attributes.hardware_attributes import MAX_PORT_ZERO_POINT, PortAttr
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.quant import storage_for
from kan_dialect.shown import Shown


@dataclass(frozen=True, repr=False)
class Port(Shown):
    """A data port. Its codes are two's complement if `low` < 0, else unsigned.

    A code `q` stands for `(q - zero_point) * scale`. At an input, this is the quantised value of
    `x * gain + offset`, which the host computes.
    """

    name: str
    width: int
    """Bits: 1 to 64 if signed, 1 to 63 if unsigned, since codes are int64 in Python."""

    low: int
    """Smallest code."""

    high: int
    """Largest code."""

    scale: float = 1.0
    zero_point: int = 0
    gain: float = 1.0
    offset: float = 0.0
    wraps: bool = False
    """Whether the host rounds values down and wraps codes, of which there are 2^n."""
    data_name: str = ""
    """Name of the feature, class or target that the port carries; empty where it is not known."""
    missing: float | None = None
    """What stands for a missing value at an input; None where no value may be missing."""

    def figures(self) -> dict[str, object]:
        """All fields."""
        return vars(self)

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise KanError(f"port {self.name}: empty range {self.low}..{self.high}")
        if not storage_for(self.low, self.high)[0] <= self.width <= 63 + self.signed:
            raise KanError(
                f"port {self.name}: a width of {self.width} bits does not fit the codes "
                f"{self.low}..{self.high}"
            )
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise KanError(f"port {self.name}: illegal scale {self.scale}")
        if abs(self.zero_point) >= MAX_PORT_ZERO_POINT:
            raise KanError(f"port {self.name}: illegal zero point {self.zero_point}")
        if not (math.isfinite(self.gain) and math.isfinite(self.offset)):
            raise KanError(f"port {self.name}: illegal gain {self.gain} or offset {self.offset}")

    @classmethod
    def of_range(
        cls,
        name: str,
        low: int,
        high: int,
        scale: float = 1.0,
        zero_point: int = 0,
        gain: float = 1.0,
        offset: float = 0.0,
        *,
        wraps: bool = False,
    ) -> Port:
        """A port of the narrowest width that holds every code of low..high."""
        width = storage_for(low, high)[0]
        return cls(name, width, low, high, scale, zero_point, gain, offset, wraps)

    @classmethod
    def of_attribute(cls, attribute: PortAttr) -> Port:
        """The port that a `#kan.port` describes. The scale is 1 by default."""
        codes, scale = attribute.codes, 1.0 if attribute.scale is None else attribute.scale
        affine = attribute.affine or (1.0, 0.0)
        return cls.of_range(
            *(attribute.port, codes.low, codes.high, scale, attribute.zero_point, *affine),
            wraps=attribute.wraps,
        )

    @property
    def label(self) -> str:
        """The port with the name that it has in the data: `x0 (alcohol)`."""
        return named_port(self.name, self.data_name)

    @property
    def signed(self) -> bool:
        """True if codes are two's complement."""
        return self.low < 0


@dataclass(frozen=True)
class Interface:
    """The ports and the timing of a design."""

    name: str
    """Name of the top module."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    latency: int
    """Clock edges between an input and its output; 0 if combinational."""

    combinational: bool = False
    """True if the design has no registers, and no clock, reset and valid ports."""

    classes: tuple[str, ...] = ()
    """Name of each class; empty where they are not known."""

    interval: int = 1
    """Clock cycles from a sample to the next; more than 1 in a folded design."""

    memory: tuple[Port, ...] = ()
    """`mem_address` and `mem_data` of a design whose tables can be loaded; empty of others."""

    @property
    def driven(self) -> tuple[Port, ...]:
        """All input ports of more than a flag."""
        return (*self.inputs, *self.memory)

    @property
    def features(self) -> tuple[str, ...]:
        """Name of the feature at each input; empty where they are not known."""
        return tuple(port.data_name for port in self.inputs if port.data_name)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z_]\w*", self.name, re.ASCII):
            raise KanError(f"'{self.name}' is no name for a module: it is no identifier")
        if not self.inputs or not self.outputs:
            raise KanError(f"{self.name}: a design has at least one input and one output")
        for letter, ports in (("x", self.inputs), ("y", self.outputs)):
            for index, port in enumerate(ports):
                if port.name != f"{letter}{index}":
                    raise KanError(
                        f"{self.name}: port {index} must be called {letter}{index}, not {port.name}"
                    )
        if self.latency < 0 or (self.combinational and self.latency != 0):
            kind = "combinational" if self.combinational else "clocked"
            raise KanError(
                f"{self.name}: a {kind} design cannot have a latency of {self.latency} cycles"
            )
        if self.interval < 1 or (self.combinational and self.interval != 1):
            raise KanError(
                f"{self.name}: a design of latency {self.latency} cannot have an interval of "
                f"{self.interval} cycles"
            )


def lows(ports: Sequence[Port]) -> IntArray:
    """The smallest code of each port: (ports), int64."""
    return np.array([port.low for port in ports], dtype=np.int64)


def highs(ports: Sequence[Port]) -> IntArray:
    """The largest code of each port: (ports), int64."""
    return np.array([port.high for port in ports], dtype=np.int64)


def check_codes(codes: IntArray, ports: Sequence[Port]) -> None:
    """Check that every code lies within the range of its port.

    Parameters
    ----------
    codes : (samples, ports), int64.

    Raises
    ------
    KanError : `codes` has another shape or dtype, or a code lies outside the range of its port. The
        message names sample and port.
    """
    if codes.ndim != 2 or codes.shape[1] != len(ports) or codes.dtype.kind not in "iu":
        raise KanError(
            f"expected integer codes of shape (samples, {len(ports)}), "
            f"got {codes.dtype} of shape {codes.shape}"
        )
    outside = (codes < lows(ports)) | (codes > highs(ports))
    if outside.any():
        sample, index = (int(position) for position in np.argwhere(outside)[0])
        port = ports[index]
        raise KanError(
            f"sample {sample}: code {codes[sample, index]} of {port.name} is outside its range "
            f"{port.low}..{port.high}"
        )


def show_codes(codes: Sequence[int], ports: Sequence[Port]) -> str:
    """The codes of one sample for messages: `x0 = 3, x1 = -7, ...`."""
    shown = [f"{port.name} = {code}" for port, code in zip(ports, codes, strict=True)]
    if len(shown) > _SHOWN_PORTS:
        shown[_SHOWN_PORTS:] = ["..."]
    return ", ".join(shown)


_SHOWN_PORTS = 16
"""Largest number of codes that a message shows."""
