"""A buffer behind a core that cannot stall: a sample enters the core only if the buffer has room.

A counter holds the number of samples that are in the core or in the buffer. `ready` is a register
that says whether another one fits, so that no path leads from the output's ready to the input's.
A folded core takes a sample where its `in_ready` is 1 too, and holds fewer at a time.
The buffer is a memory of lookup tables, whose word at the read address is there within the cycle.

docs/rationale/hardware.md compares it with a core that stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.ir import SSAValue

from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.model.interface import Interface
from kan_dialect.ops.memory import DISTRIBUTED_WORDS, MemoryOp, MemoryWordOp, MemoryWriteOp

MEMORY_BITS = 64
"""Widest word of a memory; wider samples take several memories."""

LATENCY = 1
"""Cycles that the buffer adds to the core's latency."""

SPARE = 2
"""Words of the buffer beyond the samples that are under way: the sample whose credit comes back,
and the word that tells full from empty."""


def words_for(latency: int, interval: int) -> int:
    """Words of the smallest buffer that a core never waits for while the output is ready.

    Parameters
    ----------
    latency, interval : of the core, in clock cycles.
    """
    under_way = max(1, (latency + LATENCY) // interval)
    return 1 << (under_way + SPARE - 1).bit_length()


def checked_words(latency: int, interval: int, chosen: int | None) -> int:
    """The words of the buffer that a user chose; None: the fewest.

    Raises
    ------
    KanError : they are no power of two, too few for the core's interval, or too many for lookup
        tables.
    """
    least = words_for(latency, interval)
    if least > DISTRIBUTED_WORDS:
        raise KanError(
            f"a core with a latency of {latency} cycles is too deep for a buffer of at most "
            f"{DISTRIBUTED_WORDS} words",
            remedy="schedule more levels of logic into a cycle",
        )
    if chosen is None:
        return least
    if chosen & (chosen - 1) or not least <= chosen <= DISTRIBUTED_WORDS:
        raise KanError(
            f"a buffer of {chosen} words is not possible behind a latency of {latency} cycles",
            remedy=f"give a power of two in {least}..{DISTRIBUTED_WORDS}",
        )
    return chosen


@dataclass
class CreditBuffer:
    """The buffer's registers and memories; `connect` closes the loops."""

    build: HwBuilder
    reset: SSAValue
    """Active high."""
    words: int
    """Power of two; the buffer and the core hold one sample less."""
    bits: int
    """Width of a sample in the buffer."""
    memories: list[SSAValue] = field(default_factory=list[SSAValue])

    def __post_init__(self) -> None:
        build, self.address_bits = self.build, (self.words - 1).bit_length()
        zero = build.constant(0, self.address_bits)
        self.ready = build.held(1, "ready", (self.reset, build.constant(0, 1)))
        """1: a sample may enter the core."""
        self.in_flight = build.held(self.address_bits, "in_flight", (self.reset, zero))
        self.written = build.held(self.address_bits, "written", (self.reset, zero))
        self.read = build.held(self.address_bits, "read", (self.reset, zero))
        empty = build.equal(self.written, self.read, "empty")
        self.valid = build.inverted(empty, 1, "stored")
        """1: `word` is the oldest sample of the buffer."""
        widths = [min(MEMORY_BITS, self.bits - low) for low in range(0, self.bits, MEMORY_BITS)]
        names = ["fifo"] if len(widths) == 1 else [f"fifo{index}" for index in range(len(widths))]
        pieces: list[SSAValue] = []
        for name, width in zip(names, widths, strict=True):
            self.memories.append(build.add(MemoryOp(self.words, width, None, name)))
            word = MemoryWordOp(self.memories[-1], self.read)
            pieces.append(build.add(word, f"{name}_word"))
        self.word = pieces[0] if len(pieces) == 1 else build.joined(pieces[::-1], self.bits)

    def connect(
        self, entered: SSAValue, arrived: SSAValue, sample: Sequence[SSAValue], left: SSAValue
    ) -> None:
        """What moves samples.

        Parameters
        ----------
        entered : 1: the core takes a sample; only while `ready`.
        arrived : 1: `sample` leaves the core.
        sample : wires, the lowest bits first.
        left : 1: `word` leaves the buffer; only while `valid`.
        """
        build, bits = self.build, self.address_bits
        assert build.clock is not None
        one = build.constant(1, bits)
        falls = build.all_of([left, build.inverted(entered, 1)], "falls")
        step = build.joined([build.repeated(falls, bits - 1), build.constant(1, 1)], bits)
        moved = build.added([self.in_flight, step])
        differs = build.differs(entered, left)
        following = build.chosen(differs, moved, self.in_flight, "in_flight_next")
        build.load(self.in_flight, following)
        full = build.equal(following, build.constant(self.words - 1, bits), "full_next")
        build.load(self.ready, build.inverted(full, 1))
        build.load(self.written, build.added([self.written, one]), arrived)
        build.load(self.read, build.added([self.read, one]), left)
        whole = sample[0] if len(sample) == 1 else build.joined(sample[::-1], self.bits)
        for index, memory in enumerate(self.memories):
            low = index * MEMORY_BITS
            width = min(MEMORY_BITS, self.bits - low)
            piece = whole if width == self.bits else build.part(whole, low, width)
            build.block.add_op(MemoryWriteOp(memory, self.written, piece, arrived, build.clock))


def beside_core(
    build: HwBuilder, wire: SSAValue, core: Interface, moves: SSAValue | None, name: str
) -> SSAValue:
    """A wire that goes with the samples of a core, behind registers without reset.

    Parameters
    ----------
    moves : 1: samples under way make room for the next one; None: in every cycle.
    """
    for number in range(1, -(-core.latency // core.interval) + 1):
        register = build.held(bit_width(wire.type), f"{name}_s{number}")
        build.load(register, wire, moves)
        wire = register
    return wire


def total_bits(wires: Sequence[SSAValue]) -> int:
    """Width of wires side by side."""
    return sum(bit_width(wire.type) for wire in wires)
