"""Parts of a testbench for cocotb that do not depend on the design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HEADER = '''\
"""cocotb testbench of @top@: the hardware against the emulator in host/.

    make cocotb SIM=verilator       in this folder; or SIM=icarus

@about@
Environment: SAMPLES (default @samples@), SEED (default 0).
"""

import os
import random
import sys
@warnings@from collections import @collections@
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import @triggers@
@imports@
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "host"))

@model@  # noqa: E402

NAME = "@name@"
SAMPLES = int(os.environ.get("SAMPLES") or @samples@)
SEED = int(os.environ.get("SEED") or 0)
TIMEOUT = 10 * (@start@ + @cycles@ * SAMPLES)  # ns, for a sample that never comes out
@constants@
'''
"""Docstring, imports and constants."""

PAUSES = '''
def pauses(rng, chances):
    """Whether to pause, cycle by cycle: for PHASE cycles with each chance, again and again."""
    while True:
        for chance in chances:
            for _ in range(PHASE):
                yield rng.random() < chance


def require_covered(log, what, seen, wanted):
    """Report how often each combination was there at a clock edge, and require all of `wanted`."""
    for combination in wanted:
        log.info("%s = %s: %d cycles", what, combination, seen[combination])
    missing = [str(combination) for combination in wanted if not seen[combination]]
    assert not missing, f"not covered: {what} = {', '.join(missing)}; take more samples"

'''
"""Random pauses, and the coverage of what they bring."""

START_AND_RESET = '''\
    async def start(self):
        """Start the clock, and hold the reset for two cycles."""
        Clock(self.dut.aclk, 10, "ns").start()
        await self.reset()
        cocotb.start_soon(self.watch())

    async def reset(self):
        self.dut.aresetn.value = 0
        for _ in range(2):
            await RisingEdge(self.dut.aclk)
        self.dut.aresetn.value = 1
        for _ in range(2):
            await RisingEdge(self.dut.aclk)

'''
"""Methods of a class `Bench` around a bus."""

QUIET = """
# cocotbext-axi uses names that cocotb is about to give up.
warnings.filterwarnings("ignore", category=DeprecationWarning, module="cocotbext")
"""

AXI_LITE_BENCH = '''
class Bench:
    """A master on the bus, with pauses, and a count of the pairs of valid and ready."""

    CHANNELS = ("aw", "w", "b", "ar", "r")

    def __init__(self, dut):
        self.dut = dut
        self.seen = {channel: Counter() for channel in self.CHANNELS}
        bus = AxiLiteBus.from_prefix(dut, "s_axi")
        self.master = AxiLiteMaster(bus, dut.aclk, dut.aresetn, reset_active_level=False)
        for end in (self.master.write_if, self.master.read_if):
            end.log.setLevel("WARNING")

@start_and_reset@    def pause(self):
        """Random pauses on all channels."""
        write, read = self.master.write_if, self.master.read_if
        ends = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]
        for number, end in enumerate(ends):
            end.set_pause_generator(pauses(random.Random(SEED + number), BUS_PAUSES))

    async def watch(self):
        while True:
            await RisingEdge(self.dut.aclk)
            for channel, seen in self.seen.items():
                pair = (getattr(self.dut, f"s_axi_{channel}{w}").value for w in ("valid", "ready"))
                seen[tuple(map(int, pair))] += 1

    def require_covered(self):
        """Require the pairs of valid and ready that pauses on all channels bring."""
        for channel, seen in self.seen.items():
            what = f"(s_axi_{channel}valid, s_axi_{channel}ready)"
            # The wrapper pauses the master only by its responses, so the others need not wait.
            pairs = [(0, 1), (1, 0), (1, 1)] if channel in ("b", "r") else [(1, 1)]
            require_covered(self.dut._log, what, seen, pairs)

'''
"""The beginning of a class `Bench`: a master with pauses on AXI4-Lite."""


def filled(parts: Sequence[str], values: Mapping[str, object]) -> str:
    """The text of parts side by side, with a value for each `@marker@`."""
    text = "".join(parts)
    for marker, value in {"start_and_reset": START_AND_RESET, **values}.items():
        text = text.replace(f"@{marker}@", str(value))
    return text
