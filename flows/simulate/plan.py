"""Plans of a simulation: the inputs of each cycle, and the check of the outputs.

A plan gives the values that the simulator drives in every cycle, and the vector whose outputs are
due. A recording holds the outputs of the design. Simulators play plans and check nothing, so the
checks here apply to all simulators alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.port_words import (
    from_hex,
    from_words,
    masks,
    to_words,
    word_bytes,
)
from kan_dialect.ir.constants import IntArray
from kan_dialect.limits import MAX_VECTORS
from kan_dialect.model.interface import Interface, Port, check_codes, show_codes
from kan_dialect.passbase.option_bounds import SEED, Bounds
from kan_dialect.quantity import every, quantity

IN_VALID = 1
RST = 2
MEM_VALID = 4
"""Bits of `Plan.control`."""
CONTROL = Port("control", 3, 0, 7)

FLAGS = (Port("in_ready", 1, 0, 1), Port("out_valid", 1, 0, 1), Port("mem_ready", 1, 0, 1))
"""What players record in front of the outputs; 1 of a design without the port."""

BUBBLES = Bounds(0, 1, below=True)
"""Bounds of the chance that a cycle carries no sample."""

RESETS = Bounds(0, 100_000)
"""Bounds of the number of resets in mid-stream."""

MAX_CYCLES = 2 * MAX_VECTORS
"""Largest expected number of cycles that vectors and bubbles may take."""

_NONE_DUE = -1
_NOT_EXAMINED = -2


@dataclass(frozen=True)
class Plan:
    """The inputs of every cycle. The data ports carry random bits in cycles without a sample."""

    codes: IntArray
    """Codes of the vectors, (vectors, inputs), int64."""

    control: NDArray[np.uint8]
    """(cycles), sums of IN_VALID, RST and MEM_VALID; all IN_VALID for a combinational design."""

    words: NDArray[np.unsignedinteger[Any]]
    """Words on the ports `Interface.driven`, (cycles, ports), as narrow as all ports allow."""

    due: IntArray
    """(cycles), int64: index of the vector whose outputs are on the ports before the clock edge
    that ends the cycle. -1: out_valid must be low. -2: the cycle is not examined."""

    ready: NDArray[np.bool_]
    """(cycles); whether in_ready must be high."""


@dataclass(frozen=True)
class Recording:
    """The outputs of every cycle, before the clock edge that ends it."""

    flags: NDArray[np.bool_]
    """`FLAGS`, (cycles, 3)."""

    flags_known: NDArray[np.bool_]
    """(cycles, 3); false where a flag is X or Z."""

    words: NDArray[np.unsignedinteger[Any]]
    """Words on the output ports, (cycles, outputs)."""

    known: NDArray[np.bool_]
    """(cycles, outputs); false where a bit is X or Z."""

    @classmethod
    def of_lines(cls, lines: bytes, interface: Interface) -> Recording:
        """The recording of a player in hardware: hexadecimal lines of `FLAGS` and outputs."""
        words, known = from_hex(lines, [port.width for port in (*FLAGS, *interface.outputs)])
        flags, outputs = slice(len(FLAGS)), slice(len(FLAGS), None)
        high = known[:, flags] & (words[:, flags] == 1)
        return cls(high, known[:, flags], words[:, outputs], known[:, outputs])


def plan(
    interface: Interface,
    codes: IntArray,
    *,
    bubbles: float = 0.0,
    resets: int = 0,
    seed: int = 0,
    accesses: IntArray | None = None,
) -> Plan:
    """Make a plan that streams vectors through a design, back to back without bubbles.

    A clocked design first gets valid random samples until its pipeline is full, then one cycle of
    reset. So a valid bit that reset does not clear shows at once. A vector of a folded design waits
    for in_ready a random number of cycles; the data ports have its codes when it is taken.

    Parameters
    ----------
    codes : (vectors, inputs), int64.
    bubbles : chance, from 0 to below 1, that an interval carries no sample.
    resets : number of resets in mid-stream, one cycle each. Vectors that a reset loses are sent
        again after it.
    seed : of the random samples, bubbles, waits and places of resets.
    accesses : words that are written to the design's memory behind the first reset, one in each
        cycle, (accesses, 2): address and word, int64; None: none. Samples wait for them.

    Raises
    ------
    KanError : a code is outside its port's range, a number is out of bounds, or vectors and bubbles
        take more than MAX_CYCLES cycles; there are accesses, and the design has no memory port.
    """
    BUBBLES.require("the chance of bubbles", bubbles)
    RESETS.require("the number of resets", resets)
    SEED.require("the seed", seed)
    if len(codes) * interface.interval > (1 - bubbles) * MAX_CYCLES:
        raise KanError(
            f"{len(codes)} vectors, one {every(interface.interval, 'cycle')}, with a chance of "
            f"bubbles of {bubbles:g} take more than {MAX_CYCLES} cycles",
            remedy="give fewer vectors or bubbles",
        )
    check_codes(codes, interface.inputs)
    if interface.combinational:
        return Plan(
            codes,
            control=np.full(len(codes), IN_VALID, dtype=np.uint8),
            words=to_words(codes, interface.inputs).astype(_word_type(interface)),
            due=np.arange(len(codes)),
            ready=np.ones(len(codes), dtype=np.bool_),
        )
    rng = np.random.default_rng(seed)
    if accesses is None:
        accesses = np.zeros((0, 2), dtype=np.int64)
    elif not interface.memory:
        raise KanError(f"{interface.name} has no port that writes tables")
    sent, control = _timeline(len(codes), interface, bubbles, resets, len(accesses), rng)
    words = _driven_words(interface, codes, sent, rng)
    if len(accesses):
        words[control & MEM_VALID > 0, -2:] = to_words(accesses, interface.memory)
    due = _due_vectors(sent, control, interface.latency)
    return Plan(codes, control, words, due, _ready(control, interface.interval))


def _timeline(
    vectors: int,
    interface: Interface,
    bubbles: float,
    resets: int,
    accesses: int,
    rng: np.random.Generator,
) -> tuple[IntArray, NDArray[np.uint8]]:
    """For every cycle the index of the vector that enters (-1: none), and the control bits."""
    latency, interval = interface.latency, interface.interval
    fill = np.full(latency + interval, -1)
    sent: list[IntArray] = [fill]
    control: list[NDArray[np.uint8]] = [np.full(len(fill), IN_VALID, dtype=np.uint8)]
    stops = np.sort(rng.integers(0, vectors + 1, resets)).tolist()
    if accesses:
        # A valid sample waits for the accesses, up to the next reset.
        sent.append(np.full(1 + accesses, -1))
        loads = np.full(1 + accesses, IN_VALID | MEM_VALID, dtype=np.uint8)
        loads[0] = IN_VALID | RST
        control.append(loads)
    start = 0
    for stop in [*stops, vectors]:
        # A valid sample enters in the cycle of a reset; it must be lost too.
        sent.append(np.array([-1]))
        control.append(np.array([IN_VALID | RST], dtype=np.uint8))
        gaps = rng.geometric(1 - bubbles, max(stop - start, 0))
        cycles = (np.cumsum(gaps) - 1) * interval
        # The next reset comes at any count of the cycles of an interval.
        length = int(cycles[-1] + 1 + rng.integers(interval)) if len(cycles) else 0
        stream = np.full(length, -1)
        stream[cycles] = np.arange(start, start + len(cycles))
        sent.append(stream)
        waits = np.minimum(rng.integers(interval, size=len(cycles)), cycles)
        control.append(_offered(cycles, waits, length) * np.uint8(IN_VALID))
        start += int(np.count_nonzero(cycles + latency < length))
    # Drain the pipeline, with further cycles to see late or repeated outputs.
    drain = 2 * (latency + interval)
    sent.append(np.full(drain, -1))
    control.append(np.zeros(drain, dtype=np.uint8))
    return np.concatenate(sent), np.concatenate(control)


def _offered(cycles: IntArray, waits: IntArray, length: int) -> NDArray[np.uint8]:
    """Whether a vector is offered (length): in the cycle that takes it, and `waits` before."""
    ends = np.zeros(length + 1, dtype=np.int64)
    ends[cycles - waits] += 1
    ends[cycles + 1] -= 1
    return np.cumsum(ends)[:length].astype(np.uint8)


def _ready(control: NDArray[np.uint8], interval: int) -> NDArray[np.bool_]:
    """`Plan.ready`: after a reset, and once in each interval; not at an access."""
    cycles = np.arange(len(control))
    last_reset = np.maximum.accumulate(np.where(control & RST, cycles, 0))
    return ((cycles - last_reset) % interval == 1 % interval) & (control & MEM_VALID == 0)


def _driven_words(
    interface: Interface, codes: IntArray, sent: IntArray, rng: np.random.Generator
) -> NDArray[np.unsignedinteger[Any]]:
    """Words on the input ports, (cycles, inputs): of the vector that enters, or random bits."""
    ports, kind = interface.driven, _word_type(interface)
    highest = masks([port.width for port in ports]).astype(kind)
    words = rng.integers(highest, size=(len(sent), len(ports)), dtype=kind, endpoint=True)
    taken = np.flatnonzero(sent >= 0)
    words[taken, : len(interface.inputs)] = to_words(codes, interface.inputs)[sent[taken]]
    return words


def _word_type(interface: Interface) -> np.dtype[np.unsignedinteger[Any]]:
    return np.dtype(f"u{word_bytes(interface.driven)}")


def _due_vectors(sent: IntArray, control: NDArray[np.uint8], latency: int) -> IntArray:
    """`Plan.due`: the vectors that entered `latency` cycles ago, unless a reset lost them."""
    due = np.full(len(sent), _NONE_DUE)
    due[latency:] = sent[: len(sent) - latency]
    # A reset loses the vectors in the pipeline. The cycle of the reset itself is not examined.
    reset_cycles = np.flatnonzero(control & RST)
    for cycle in reset_cycles:
        due[cycle + 1 : cycle + 1 + latency] = _NONE_DUE
    due[reset_cycles] = _NOT_EXAMINED
    due[: reset_cycles[0]] = _NOT_EXAMINED
    return due


def collect(interface: Interface, plan: Plan, recording: Recording) -> IntArray:
    """Check a recording and return the outputs of each vector: (vectors, outputs), int64.

    Raises
    ------
    KanError : out_valid is not high exactly where outputs are due, in_ready not once in each
        interval, mem_ready not at an access, or an output is X or outside its port's range. The
        message names the first such vector.
    """
    _check_flags(interface, plan, recording)
    cycles = np.flatnonzero(plan.due >= 0)
    _check_known(interface, plan, recording, cycles)
    outputs = np.empty((len(plan.codes), len(interface.outputs)), dtype=np.int64)
    words = recording.words[cycles].astype(np.uint64)
    outputs[plan.due[cycles]] = from_words(words, interface.outputs)
    try:
        check_codes(outputs, interface.outputs)
    except KanError as error:
        raise KanError(f"{interface.name}: an output is wrong: {error}") from error
    return outputs


def _check_flags(interface: Interface, plan: Plan, recording: Recording) -> None:
    # Where no access waits, the port may be ready or not.
    idle = (plan.control & MEM_VALID > 0) | recording.flags[:, 2]
    expected = np.stack([plan.ready, plan.due >= 0, idle], axis=1)
    wrong = (recording.flags != expected) | ~recording.flags_known
    wrong[plan.due == _NOT_EXAMINED] = False
    if not wrong.any():
        return
    cycle, flag = (int(place) for place in np.argwhere(wrong)[0])
    vector = int(plan.due[cycle])
    latency = interface.latency
    state = "high" if recording.flags[cycle, flag] else "low"
    if not recording.flags_known[cycle, flag]:
        state, where = "X", f"at vector {vector}" if vector >= 0 else "after reset"
    elif FLAGS[flag].name == "mem_ready":
        where = f"{_after_reset(plan, cycle)}, where no sample is under way"
    elif FLAGS[flag].name == "in_ready":
        where = f"{_after_reset(plan, cycle)}, not once {every(interface.interval, 'cycle')}"
    elif vector >= 0:
        where = f"at vector {vector}, {latency} cycles after its input"
    else:
        where = f"where no output is due ({_after(plan, cycle)})"
    raise KanError(
        f"{interface.name}: {FLAGS[flag].name} is {state} {where}",
        remedy=_hint(plan, recording, latency),
    )


def _after(plan: Plan, cycle: int) -> str:
    """Place in the stream of a cycle in which no output is due."""
    before = plan.due[: cycle + 1]
    last_due = np.flatnonzero(before >= 0)
    if last_due.size and last_due[-1] > _last_reset(plan, cycle):
        return f"after vector {before[last_due[-1]]}"
    return _after_reset(plan, cycle)


def _after_reset(plan: Plan, cycle: int) -> str:
    return f"{quantity(cycle - _last_reset(plan, cycle), 'cycle')} after reset"


def _last_reset(plan: Plan, cycle: int) -> int:
    return int(np.flatnonzero(plan.control[: cycle + 1] & RST)[-1])


def _hint(plan: Plan, recording: Recording, latency: int) -> str:
    """Probable cause of wrong flags: another latency, or a reset without effect."""
    first_reset = int(np.flatnonzero(plan.control & RST)[0])
    accepted = (plan.control[first_reset:] == IN_VALID) & plan.ready[first_reset:]
    valid = recording.flags[first_reset:, 1]
    for other in range(2 * latency + 3):
        delayed = np.zeros_like(accepted)
        delayed[other:] = accepted[: len(accepted) - other]
        # out_valid may be high in the cycle of the reset itself, which is not examined.
        if other != latency and np.array_equal(delayed[1:], valid[1:]):
            return f"its latency is {other} cycles, not the {latency} that it should have"
    return "check that reset clears every valid bit and that data and valid have equal registers"


def _check_known(
    interface: Interface, plan: Plan, recording: Recording, cycles: NDArray[np.intp]
) -> None:
    rows, columns = np.nonzero(~recording.known[cycles])
    if rows.size:
        vector = int(plan.due[cycles[rows[0]]])
        raise KanError(
            f"{interface.name}: {interface.outputs[int(columns[0])].name} is X at vector {vector} "
            f"({show_codes(plan.codes[vector].tolist(), interface.inputs)})"
        )
