"""The wrapper `NAME_axi_stream`: samples as AXI4-Stream, one a beat or over several beats.

TLAST goes with the last beat of a sample, TUSER with the first; both leave with the sample that
they came with. A packet that ends within a sample drops that sample, so that the next packet starts
with a new one. TKEEP is there where beats have padding; at the input it is not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from xdsl.dialects import hw
from xdsl.ir import SSAValue

from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.lowering.wrappers.core import Core, Wrapper, core_results, wrapper_of
from kan_dialect.lowering.wrappers.credit_buffer import (
    LATENCY,
    CreditBuffer,
    beside_core,
    total_bits,
)
from kan_dialect.lowering.wrappers.stream_layout import StreamLayout
from kan_dialect.lowering.wrappers.wrapper_ports import StreamChoice, axi_stream_ports


def axi_stream_wrapper(core: Core, choice: StreamChoice, words: int) -> hw.HWModuleOp:
    """The wrapper around a core.

    Parameters
    ----------
    choice : beats and sidebands.
    words : of the buffer behind the core, a power of two.

    Raises
    ------
    KanError : a beat cannot have its width.
    """
    interface = core.interface
    source, result = choice.layouts(interface)
    wrapper = wrapper_of(core, "axi-stream", axi_stream_ports(interface, choice))
    build = wrapper.build
    reset = build.inverted(wrapper.wires["aresetn"], 1, "reset")
    side_bits = choice.last + choice.user_bits
    bits = sum(port.width for port in interface.outputs) + side_bits
    buffer = CreditBuffer(build, reset, words, bits)

    taken = _Input(wrapper, source, choice, reset, buffer.ready)
    results = core_results(wrapper, reset, taken.offered, taken.codes())
    moves = results.get("in_ready")
    taken.connect(moves)
    sample = [results[port.name] for port in interface.outputs]
    if side_bits:
        side = build.joined(taken.side[::-1], side_bits) if len(taken.side) > 1 else taken.side[0]
        if interface.memory:  # A word that waits makes in_ready 0, and samples move on.
            build.interval, build.reset = interface.interval, reset
            bits = (build.interval - 1).bit_length()
            moves = build.equal(build.turn(0), build.constant(0, bits))
        sample.append(beside_core(build, side, interface, moves, "side"))

    sent = _Output(wrapper, result, choice, reset, buffer)
    buffer.connect(taken.entered, results["out_valid"], sample, sent.left)
    outputs = {**results, "s_axis_tready": taken.ready, "m_axis_tvalid": buffer.valid}
    outputs |= sent.outputs()
    lines = [_RESET, *_lines("s_axis", source), *_lines("m_axis", result)]
    return wrapper.finish(outputs, interface.latency + LATENCY, lines)


_RESET = "aresetn: synchronous, active low; drops all samples"


def _lines(bus: str, layout: StreamLayout) -> Iterator[str]:
    """Where the codes are in the beats of a bus."""
    places = [
        f"{field.name} {field.offset + field.bits - 1}..{field.offset}" for field in layout.fields
    ]
    if layout.beats == 1:
        yield f"{bus}_tdata: {', '.join(places)}"
        return
    yield f"{bus}_tdata: {layout.beats} beats a sample, the {layout.order.split('-')[0]} bits first"
    yield f"  bits of the sample: {', '.join(places)}"


class _Beats:
    """The place of the current beat in its sample."""

    def __init__(self, build: HwBuilder, beats: int, reset: SSAValue, name: str) -> None:
        self.build, self.beats = build, beats
        self.bits = (beats - 1).bit_length()
        self.index = build.held(self.bits, name, (reset, build.constant(0, self.bits)))
        self.is_last = self.is_at(beats - 1, f"{name}_is_last")

    def is_at(self, beat: int, name: str | None = None) -> SSAValue:
        return self.build.equal(self.index, self.build.constant(beat, self.bits), name)

    def connect(self, moves: SSAValue, ends: SSAValue) -> None:
        """Count the cycles where `moves` is 1; the cycle after `ends` is at beat 0 again."""
        further = self.build.added([self.index, self.build.constant(1, self.bits)])
        following = self.build.chosen(ends, self.build.constant(0, self.bits), further)
        self.build.load(self.index, following, moves)


@dataclass
class _Input:
    """Beats become samples. All beats but the last of a sample wait in registers.

    A folded core takes the last one when its turn comes; until then it stays on the bus.
    """

    wrapper: Wrapper
    layout: StreamLayout
    choice: StreamChoice
    reset: SSAValue
    room: SSAValue

    """1: a sample fits into core and buffer."""

    def __post_init__(self) -> None:
        build, layout = self.wrapper.build, self.layout
        self.valid = self.offered = build.all_of([self.wires["s_axis_tvalid"], self.room])
        """1: the last beat of a sample is there, and fits."""
        self.beats: _Beats | None = None
        self.words = [self.wires["s_axis_tdata"]]
        """Words of the sample, in the order of its beats."""
        if layout.beats > 1:
            self.beats = _Beats(build, layout.beats, self.reset, "in_beat")
            self.offered = build.all_of([self.valid, self.beats.is_last])
            for index in range(1, layout.beats):
                self.words.insert(0, build.held(layout.beat_bits, f"word{index}"))
        self.side: list[SSAValue] = []
        """TUSER and TLAST of the sample, the lowest bits first."""
        if self.choice.user_bits:
            in_beat = self.wires["s_axis_tuser"]
            is_whole = self.beats is None
            self.side.append(
                in_beat if is_whole else build.held(self.choice.user_bits, "first_user")
            )
        if self.choice.last:
            self.side.append(self.wires["s_axis_tlast"])

    @property
    def wires(self) -> Mapping[str, SSAValue]:
        return self.wrapper.wires

    def connect(self, turn: SSAValue | None) -> None:
        """What moves beats.

        Parameters
        ----------
        turn : 1: the core takes a sample; None: it takes one in every cycle.
        """
        build, beats = self.wrapper.build, self.beats
        free = turn
        if beats is not None and turn is not None:
            free = build.any_of([turn, build.inverted(beats.is_last, 1)])
        self.ready = build.both(self.room, free)
        moves = build.named(build.both(self.valid, free), "taken")
        self.entered = moves
        """1: the last beat of a sample is taken."""
        if beats is None:
            return
        self.entered = build.named(build.both(self.offered, turn), "entered")
        ends = beats.is_last
        if self.choice.last:
            ends = build.any_of([ends, self.wires["s_axis_tlast"]])
        beats.connect(moves, ends)
        for register, later in pairwise(self.words):
            build.load(register, later, moves)
        if self.choice.user_bits:
            first = build.all_of([moves, beats.is_at(0)])
            build.load(self.side[0], self.wires["s_axis_tuser"], first)

    def codes(self) -> dict[str, SSAValue]:
        """The wire of each input of the core."""
        build, layout = self.wrapper.build, self.layout
        places = {place: word for place, word in zip(layout.words, self.words, strict=True)}
        return {
            field.name: _gathered(build, places, layout.beat_bits, field.offset, field.bits)
            for field in layout.fields
        }


def _gathered(
    build: HwBuilder, words: dict[int, SSAValue], size: int, low: int, bits: int
) -> SSAValue:
    """Bits low..low + bits - 1 of words of `size` bits that follow each other."""
    pieces: list[SSAValue] = []
    end = low + bits
    while low < end:
        place, first = divmod(low, size)
        width = min(size - first, end - low)
        word = words[place]
        pieces.append(word if width == size else build.part(word, first, width))
        low += width
    return pieces[0] if len(pieces) == 1 else build.joined(pieces[::-1], bits)


@dataclass
class _Output:
    """Samples of the buffer become beats."""

    wrapper: Wrapper
    layout: StreamLayout
    choice: StreamChoice
    reset: SSAValue
    buffer: CreditBuffer

    def __post_init__(self) -> None:
        build, layout = self.wrapper.build, self.layout
        ready = self.wrapper.wires["m_axis_tready"]
        moves = build.all_of([self.buffer.valid, ready], "sent")
        self.left = moves
        """1: the last beat of a sample is taken."""
        self.beats: _Beats | None = None
        if layout.beats > 1:
            self.beats = _Beats(build, layout.beats, self.reset, "out_beat")
            self.beats.connect(moves, self.beats.is_last)
            self.left = build.all_of([moves, self.beats.is_last], "left")

    def outputs(self) -> dict[str, SSAValue]:
        """Data and sidebands of the current beat."""
        build, layout = self.wrapper.build, self.layout
        found = {"m_axis_tdata": self._chosen(self._words())}
        if layout.has_keep:
            keep = [layout.keep(beat) for beat in range(layout.beats)]
            found["m_axis_tkeep"] = self._chosen(
                [build.constant(mask, layout.beat_bytes) for mask in keep]
            )
        low = sum(field.bits for field in layout.fields)
        if self.choice.user_bits:
            user = build.part(self.buffer.word, low, self.choice.user_bits)
            low += self.choice.user_bits
            if self.beats is not None:
                none = build.constant(0, self.choice.user_bits)
                user = build.chosen(self.beats.is_at(0), user, none)
            found["m_axis_tuser"] = user
        if self.choice.last:
            last = build.part(self.buffer.word, low, 1)
            if self.beats is not None:
                last = build.all_of([last, self.beats.is_last])
            found["m_axis_tlast"] = last
        return found

    def _words(self) -> list[SSAValue]:
        """The beats of the oldest sample, in their order."""
        build, layout = self.wrapper.build, self.layout
        pieces: list[SSAValue] = []
        low = 0
        for field in layout.fields:
            code = build.part(self.buffer.word, low, field.bits)
            pieces.append(build.resized(code, field.bits, field.field_bits, field.signed))
            low += field.bits
        padding = layout.sample_bits - total_bits(pieces)
        if padding:
            pieces.append(build.constant(0, padding))
        if layout.beats == 1:
            return [build.joined(pieces[::-1], layout.sample_bits) if pieces[1:] else pieces[0]]
        sample = build.joined(pieces[::-1], layout.sample_bits, "sample")
        size = layout.beat_bits
        return [build.part(sample, size * place, size) for place in layout.words]

    def _chosen(self, beats: Sequence[SSAValue]) -> SSAValue:
        """The wire of the current beat, of one wire a beat."""
        if self.beats is None:
            return beats[0]
        found = beats[-1]
        for beat in reversed(range(len(beats) - 1)):
            found = self.wrapper.build.chosen(self.beats.is_at(beat), beats[beat], found)
        return found
