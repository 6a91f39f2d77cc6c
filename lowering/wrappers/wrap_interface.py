"""`kan-wrap-interface`: a module with a standard interface around each network's module.

The wrapper is a second hardware module behind the network's, which stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.module_attributes import (
    declared_interface,
    declared_interval,
    declared_latency,
    trains_itself,
)
from kan_dialect.ir.functions import functions_of
from kan_dialect.lowering.wrappers.axi_lite import axi_lite_wrapper
from kan_dialect.lowering.wrappers.axi_stream import axi_stream_wrapper
from kan_dialect.lowering.wrappers.clock_enable import with_clock_enable
from kan_dialect.lowering.wrappers.core import Core
from kan_dialect.lowering.wrappers.credit_buffer import checked_words
from kan_dialect.lowering.wrappers.ready_valid import ready_valid_wrapper
from kan_dialect.lowering.wrappers.stream_layout import BYTE, MAX_BEAT_BITS, StreamLayout
from kan_dialect.lowering.wrappers.wrapper_ports import (
    MAX_USER_BITS,
    StreamChoice,
    require_clock,
)
from kan_dialect.model.model import Model
from kan_dialect.ops.memory import DISTRIBUTED_WORDS
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passes.fold_layers import FoldLayersPass
from kan_dialect.passes.schedule import SchedulePass

_READ = {
    "valid": {"interface", "clock_enable"},
    "ready-valid": {"interface", "buffer_words"},
    "axi-stream": {
        "interface",
        "beat_bits",
        "beat_order",
        "no_last",
        "user_bits",
        "buffer_words",
    },
    "axi-lite": {"interface"},
}
"""The options that each interface reads."""


@dataclass(frozen=True)
class WrapInterfacePass(KanPass):
    """Adds a module with a standard interface around each network's module."""

    name = "kan-wrap-interface"
    works_at = ("hardware",)

    interface: Literal["valid", "ready-valid", "axi-stream", "axi-lite"] = "valid"
    """`valid`: the network's module as it is; `ready-valid`: with ready at both sides;
    `axi-stream`: AXI4-Stream; `axi-lite`: registers for single samples."""
    beat_bits: tuple[int, ...] | int | None = bounded(None, Bounds(BYTE, MAX_BEAT_BITS))
    """Width of TDATA, a multiple of 8: one number, or one of the input and one of the output.
    Samples take as many beats as they need. Default: one beat."""
    beat_order: Literal["low-first", "high-first"] = "low-first"
    """Order of the beats of a sample: `low-first` begins with the beat of `x0`, or of `y0`."""
    no_last: bool = False
    """Leave out TLAST."""
    user_bits: int = bounded(0, Bounds(0, MAX_USER_BITS))
    """Width of TUSER; 0 leaves TUSER out."""
    buffer_words: int | None = bounded(None, Bounds(2, DISTRIBUTED_WORDS))
    """Words of the buffer behind the network, a power of two. Default: the fewest that keep the
    network's speed."""

    clock_enable: bool = False
    """Add the module `NAME_clock_enable`: the network's with a port `ce`, which stops it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in fields(self):
            unread = field.name not in _READ[self.interface]
            if unread and getattr(self, field.name) != field.default:
                raise KanError(
                    f"{field.name.replace('_', '-')} has no meaning with the interface "
                    f"{self.interface}",
                    remedy="leave it out, or choose another interface",
                )
        if isinstance(self.beat_bits, tuple) and len(self.beat_bits) > 2:
            raise KanError(
                f"beat-bits takes one or two numbers, got {len(self.beat_bits)}",
                remedy="give one of the input and one of the output",
            )

    @property
    def choice(self) -> StreamChoice:
        """The options of AXI4-Stream."""
        widths: Sequence[int | None]
        widths = self.beat_bits if isinstance(self.beat_bits, tuple) else [self.beat_bits]
        return StreamChoice(
            widths[0], widths[-1], self.beat_order, last=not self.no_last, user_bits=self.user_bits
        )

    def require_possible(self, module: ModuleOp, before: Sequence[ModulePass]) -> None:
        """Refuse widths of beats, and a latency that the pipeline states, as `wrapper` does."""
        for width in (self.choice.input_beat_bits, self.choice.output_beat_bits):
            StreamLayout.of((), width)
        latencies = [stage.latency for stage in before if isinstance(stage, SchedulePass)]
        intervals = [stage.interval for stage in before if isinstance(stage, FoldLayersPass)]
        for function in functions_of(module):
            interval = max(declared_interval(function) or 1, *intervals, 1)
            for latency in latencies:
                if latency is not None:
                    self._require_latency(function.sym_name.data, latency, interval)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        circuits = [
            op
            for op in module.ops
            if isinstance(op, hw.HWModuleOp)
            and declared_interface(op) is None
            and (not trains_itself(op) or self.interface == "axi-lite")
        ]
        for circuit in circuits:
            wrapper = self.wrapper(circuit)
            if wrapper is not None:
                _require_new(wrapper, module)
                Rewriter.insert_op(wrapper, InsertPoint.after(circuit))
        return bool(circuits)

    def _require_latency(self, name: str, latency: int, interval: int) -> None:
        """Refuse a latency that the interface does not allow.

        Raises
        ------
        KanError : the network has no clock, or is too deep for its buffer.
        """
        require_clock(name, latency, self.interface)
        if self.clock_enable and not latency:
            raise KanError(
                f"{name} is combinational: it has no clock for a clock enable",
                remedy="leave out --combinational or --clock-enable",
            )
        if "buffer_words" in _READ[self.interface]:
            checked_words(latency, interval, self.buffer_words)

    def wrapper(self, circuit: hw.HWModuleOp) -> hw.HWModuleOp | None:
        """The wrapper around a network's module; None for the interface `valid`.

        Raises
        ------
        KanError : the module has no clock, or an option does not fit it.
        """
        if trains_itself(circuit):
            return axi_lite_wrapper(circuit, declared_latency(circuit) or 0)
        interface = Model(circuit, "hardware").interface()
        self._require_latency(interface.name, interface.latency, interface.interval)
        if self.clock_enable:
            return with_clock_enable(circuit)
        if self.interface == "valid":
            return None
        if self.interface == "axi-lite":
            return axi_lite_wrapper(circuit, interface.latency)
        core = Core(circuit, interface)
        words = checked_words(interface.latency, interface.interval, self.buffer_words)
        if self.interface == "ready-valid":
            return ready_valid_wrapper(core, words)
        return axi_stream_wrapper(core, self.choice, words)


def _require_new(wrapper: hw.HWModuleOp, module: ModuleOp) -> None:
    """Refuse a wrapper that the module has, which may have been made with other options."""
    name = wrapper.sym_name.data
    if any(isinstance(op, hw.HWModuleOp) and op.sym_name.data == name for op in module.ops):
        raise KanError(
            f"the IR has {name} already",
            remedy="leave the interface out, or give IR of a stage before kan-wrap-interface",
        )
