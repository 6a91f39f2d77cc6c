"""Where the bytes of each port's code stand among the bytes of a sample on an AXI4-Stream."""

from __future__ import annotations

from dataclasses import dataclass

from kan_dialect.lowering.wrappers.stream_layout import BYTE, StreamLayout
from kan_dialect.lowering.wrappers.wrapper_ports import StreamChoice
from kan_dialect.model.interface import Interface


@dataclass(frozen=True)
class BusBytes:
    """The bytes of a sample in the order in which they are sent: beat by beat, TDATA[7:0] first."""

    size: int
    """Bytes of a sample, padding too."""
    places: tuple[tuple[int, ...], ...]
    """For each port the places of its code's bytes, lowest byte first."""

    @classmethod
    def of(cls, layout: StreamLayout) -> BusBytes:
        """The bytes of a layout."""
        sent_at = {word: beat for beat, word in enumerate(layout.words)}

        def place(byte: int) -> int:
            word, within = divmod(byte, layout.beat_bytes)
            return sent_at[word] * layout.beat_bytes + within

        places = (
            tuple(place(field.offset // BYTE + each) for each in range(field.bytes))
            for field in layout.fields
        )
        return cls(layout.sample_bytes, tuple(places))


def bus_bytes(interface: Interface, choice: StreamChoice) -> tuple[BusBytes, BusBytes]:
    """The bytes of input and output samples.

    Raises
    ------
    KanError : a beat cannot have its width.
    """
    source, result = choice.layouts(interface)
    return BusBytes.of(source), BusBytes.of(result)
