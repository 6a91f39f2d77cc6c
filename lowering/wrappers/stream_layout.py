"""The bytes of a sample on a bus: which bits of which beat carry the code of which port.

A port's code fills a field of whole bytes, extended by its sign where codes go below 0, else by
zeros. Fields follow each other without gaps, `x0` in the lowest bytes. Zeros pad the last field to
whole beats. A sample is one beat, or several beats of a chosen width in a chosen order.

Hardware, host codecs, testbenches and package descriptions all read this description.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import Port

BYTE = 8
MAX_BEAT_BITS = 1 << 13
"""Widest beat that a user may choose; a sample in one beat may be wider."""

WordOrder: TypeAlias = Literal["low-first", "high-first"]
"""Order of the beats of a sample: `low-first` begins with the beat of `x0`."""

Bytes: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True)
class StreamField:
    """The place of a port's code in a sample."""

    port: Port
    offset: int
    """Lowest bit of the field in the sample; a multiple of 8."""

    @property
    def name(self) -> str:
        return self.port.name

    @property
    def bits(self) -> int:
        """Width of the code."""
        return self.port.width

    @property
    def signed(self) -> bool:
        """Whether the code's sign fills the field, else zeros."""
        return self.port.signed

    @property
    def bytes(self) -> int:
        """Size of the field in bytes."""
        return -(-self.bits // BYTE)

    @property
    def field_bits(self) -> int:
        """Size of the field in bits; a multiple of 8."""
        return BYTE * self.bytes


@dataclass(frozen=True)
class StreamLayout:
    """Fields of a sample, and the beats that carry it."""

    fields: tuple[StreamField, ...]
    beat_bits: int
    """Width of TDATA; a multiple of 8."""
    order: WordOrder = "low-first"

    @classmethod
    def of(
        cls, ports: Sequence[Port], beat_bits: int | None = None, order: WordOrder = "low-first"
    ) -> StreamLayout:
        """The layout of samples of these ports.

        Parameters
        ----------
        ports : all inputs of a design, or all outputs.
        beat_bits : width of a beat; None: a sample is one beat, as narrow as its fields allow.
        order : of the beats of a sample that takes several.

        Raises
        ------
        KanError : the width of a beat is no multiple of 8, or out of bounds.
        """
        fields: list[StreamField] = []
        offset = 0
        for port in ports:
            fields.append(StreamField(port, offset))
            offset += fields[-1].field_bits
        if beat_bits is None:
            beat_bits = offset
        elif beat_bits % BYTE or not BYTE <= beat_bits <= MAX_BEAT_BITS:
            raise KanError(
                f"a beat of {beat_bits} bits is not possible",
                remedy=f"give a multiple of {BYTE} in {BYTE}..{MAX_BEAT_BITS}",
            )
        return cls(tuple(fields), beat_bits, order)

    @cached_property
    def payload_bytes(self) -> int:
        """Bytes of all fields, without padding."""
        return sum(field.bytes for field in self.fields)

    @property
    def beat_bytes(self) -> int:
        return self.beat_bits // BYTE

    @property
    def beats(self) -> int:
        """Number of beats of a sample."""
        return -(-self.payload_bytes // self.beat_bytes)

    @property
    def sample_bytes(self) -> int:
        """Bytes of a sample on the bus: fields and padding."""
        return self.beats * self.beat_bytes

    @property
    def sample_bits(self) -> int:
        return BYTE * self.sample_bytes

    @property
    def has_keep(self) -> bool:
        """Whether some bytes are padding, so that the bus has TKEEP."""
        return self.sample_bytes > self.payload_bytes

    @property
    def words(self) -> tuple[int, ...]:
        """For each beat in its order: its place in the sample, from 0, the lowest bits."""
        places = tuple(range(self.beats))
        return places if self.order == "low-first" else places[::-1]

    def keep(self, beat: int) -> int:
        """TKEEP of a beat: bit k is 1 where byte k belongs to a field."""
        first = self.words[beat] * self.beat_bytes
        kept = min(max(self.payload_bytes - first, 0), self.beat_bytes)
        return (1 << kept) - 1

    def pack(self, codes: IntArray) -> Bytes:
        """The bytes of samples on the bus.

        Parameters
        ----------
        codes : (samples, ports), int64.

        Returns
        -------
        (samples, beats, bytes of a beat), uint8: beats in the order in which they are sent, byte 0
        of a beat in TDATA[7:0].
        """
        raw = np.ascontiguousarray(codes, dtype="<i8").view(np.uint8)
        raw = raw.reshape(len(codes), len(self.fields), 8)
        sample = np.zeros((len(codes), self.sample_bytes), dtype=np.uint8)
        for index, field in enumerate(self.fields):
            first = field.offset // BYTE
            sample[:, first : first + field.bytes] = raw[:, index, : field.bytes]
        return sample.reshape(len(codes), self.beats, self.beat_bytes)[:, list(self.words)]

    def unpack(self, beats: Bytes) -> IntArray:
        """The codes (samples, ports), int64, of bytes of the shape that `pack` returns."""
        ordered = np.empty_like(beats)
        ordered[:, list(self.words)] = beats
        sample = ordered.reshape(len(beats), self.sample_bytes)
        codes = np.zeros((len(beats), len(self.fields)), dtype=np.int64)
        for index, field in enumerate(self.fields):
            first = field.offset // BYTE
            raw = np.zeros((len(beats), 8), dtype=np.uint8)
            raw[:, : field.bytes] = sample[:, first : first + field.bytes]
            pattern = raw.view("<i8")[:, 0]
            unused = 64 - field.bits
            codes[:, index] = (
                pattern << unused >> unused if field.signed else pattern & ((1 << field.bits) - 1)
            )
        return codes
