"""Plans of a simulation: the inputs of each cycle, and the check of the outputs.

A plan gives the values that the simulator drives in every cycle, and the vector whose outputs are
due. A recording holds the outputs of the design. Simulators play plans and check nothing, so the
checks here apply to all simulators alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.port_words import Words, from_hex, from_words, masks, to_words
from kan_dialect.ir.constants import IntArray
from kan_dialect.limits import MAX_VECTORS
from kan_dialect.model.interface import Interface, check_codes, show_codes
from kan_dialect.passbase.option_bounds import SEED, Bounds
from kan_dialect.quantity import quantity

IN_VALID = 1
RST = 2
"""Bits of `Plan.control`."""

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
    """(cycles), sums of IN_VALID and RST; all IN_VALID for a combinational design."""

    words: Words
    """Words on the input ports, (cycles, inputs), uint64."""

    due: IntArray
    """(cycles), int64: index of the vector whose outputs are on the ports before the clock edge
    that ends the cycle. -1: out_valid must be low. -2: the cycle is not examined."""


@dataclass(frozen=True)
class Recording:
    """The outputs of every cycle, before the clock edge that ends it."""

    valid: NDArray[np.bool_]
    """out_valid, (cycles); all true for a combinational design."""

    valid_known: NDArray[np.bool_]
    """(cycles); false where out_valid is X or Z."""

    words: Words
    """Words on the output ports, (cycles, outputs), uint64."""

    known: NDArray[np.bool_]
    """(cycles, outputs); false where a bit is X or Z."""

    @classmethod
    def of_lines(cls, lines: bytes, interface: Interface) -> Recording:
        """The recording of a player in hardware: hexadecimal lines of `out_valid` and outputs."""
        words, known = from_hex(lines, [1, *(port.width for port in interface.outputs)])
        valid = known[:, 0]
        return cls(valid & (words[:, 0] == 1), valid, words[:, 1:], known[:, 1:])


def plan(
    interface: Interface,
    codes: IntArray,
    *,
    bubbles: float = 0.0,
    resets: int = 0,
    seed: int = 0,
) -> Plan:
    """Make a plan that streams vectors through a design, back to back without bubbles.

    A clocked design first gets valid random samples until its pipeline is full, then one cycle of
    reset. So a valid bit that reset does not clear shows at once.

    Parameters
    ----------
    codes : (vectors, inputs), int64.
    bubbles : chance, from 0 to below 1, that a cycle carries no sample.
    resets : number of resets in mid-stream, one cycle each. Vectors that a reset loses are sent
        again after it.
    seed : of the random samples, bubbles and places of resets.

    Raises
    ------
    KanError : a code is outside its port's range, a number is out of bounds, or vectors and bubbles
        take more than MAX_CYCLES cycles.
    """
    BUBBLES.require("the chance of bubbles", bubbles)
    RESETS.require("the number of resets", resets)
    SEED.require("the seed", seed)
    if len(codes) > (1 - bubbles) * MAX_CYCLES:
        raise KanError(
            f"{len(codes)} vectors with a chance of bubbles of {bubbles:g} take more than "
            f"{MAX_CYCLES} cycles",
            remedy="give fewer vectors or bubbles",
        )
    check_codes(codes, interface.inputs)
    if interface.combinational:
        return Plan(
            codes,
            control=np.full(len(codes), IN_VALID, dtype=np.uint8),
            words=to_words(codes, interface.inputs),
            due=np.arange(len(codes)),
        )
    rng = np.random.default_rng(seed)
    latency = interface.latency
    sent, control = _timeline(len(codes), latency, bubbles, resets, rng)
    words = _driven_words(interface, codes, sent, rng)
    return Plan(codes, control, words, _due_vectors(sent, control, latency))


def _timeline(
    vectors: int, latency: int, bubbles: float, resets: int, rng: np.random.Generator
) -> tuple[IntArray, NDArray[np.uint8]]:
    """For every cycle the index of the vector that enters (-1: none), and the control bits."""
    fill = np.full(latency + 1, -1)
    sent: list[IntArray] = [fill]
    control: list[NDArray[np.uint8]] = [np.full(len(fill), IN_VALID, dtype=np.uint8)]
    stops = np.sort(rng.integers(0, vectors + 1, resets)).tolist()
    start = 0
    for stop in [*stops, vectors]:
        # A valid sample enters in the cycle of a reset; it must be lost too.
        sent.append(np.array([-1]))
        control.append(np.array([IN_VALID | RST], dtype=np.uint8))
        gaps = rng.geometric(1 - bubbles, max(stop - start, 0))
        cycles = np.cumsum(gaps) - 1
        length = int(cycles[-1]) + 1 if len(cycles) else 0
        stream = np.full(length, -1)
        stream[cycles] = np.arange(start, start + len(cycles))
        sent.append(stream)
        control.append((stream >= 0).astype(np.uint8) * np.uint8(IN_VALID))
        start += int(np.count_nonzero(cycles + latency < length))
    # Drain the pipeline, with further cycles to see late or repeated outputs.
    drain = 2 * latency + 2
    sent.append(np.full(drain, -1))
    control.append(np.zeros(drain, dtype=np.uint8))
    return np.concatenate(sent), np.concatenate(control)


def _driven_words(
    interface: Interface, codes: IntArray, sent: IntArray, rng: np.random.Generator
) -> Words:
    """Words on the input ports, (cycles, inputs): of the vector that enters, or random bits."""
    inputs = interface.inputs
    idle = sent < 0
    words = np.empty((len(sent), len(inputs)), dtype=np.uint64)
    random = rng.integers(0, 1 << 64, (np.count_nonzero(idle), len(inputs)), dtype=np.uint64)
    words[idle] = random & masks([port.width for port in inputs])
    words[~idle] = to_words(codes, inputs)[sent[~idle]]
    return words


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
    KanError : out_valid is not high exactly where outputs are due, or an output is X or outside
        its port's range. The message names the first such vector.
    """
    _check_valid(interface, plan, recording)
    cycles = np.flatnonzero(plan.due >= 0)
    _check_known(interface, plan, recording, cycles)
    outputs = np.empty((len(plan.codes), len(interface.outputs)), dtype=np.int64)
    outputs[plan.due[cycles]] = from_words(recording.words[cycles], interface.outputs)
    try:
        check_codes(outputs, interface.outputs)
    except KanError as error:
        raise KanError(f"{interface.name}: an output is wrong: {error}") from error
    return outputs


def _check_valid(interface: Interface, plan: Plan, recording: Recording) -> None:
    examined = plan.due != _NOT_EXAMINED
    wrong = examined & ((recording.valid != (plan.due >= 0)) | ~recording.valid_known)
    if not wrong.any():
        return
    cycle = int(np.flatnonzero(wrong)[0])
    vector = int(plan.due[cycle])
    latency = interface.latency
    if not recording.valid_known[cycle]:
        what = "out_valid is X"
        where = f"at vector {vector}" if vector >= 0 else "after reset"
    elif vector >= 0:
        what, where = "out_valid is low", f"at vector {vector}, {latency} cycles after its input"
    else:
        what, where = "out_valid is high", f"where no output is due {_after(plan, cycle)}"
    raise KanError(f"{interface.name}: {what} {where}", remedy=_hint(plan, recording, latency))


def _after(plan: Plan, cycle: int) -> str:
    """Place in the stream of a cycle in which no output is due."""
    before = plan.due[: cycle + 1]
    last_reset = int(np.flatnonzero(plan.control[: cycle + 1] & RST)[-1])
    last_due = np.flatnonzero(before >= 0)
    if last_due.size and last_due[-1] > last_reset:
        return f"(after vector {before[last_due[-1]]})"
    return f"({quantity(cycle - last_reset, 'cycle')} after reset)"


def _hint(plan: Plan, recording: Recording, latency: int) -> str:
    """Probable cause of wrong valid bits: another latency, or a reset without effect."""
    first_reset = int(np.flatnonzero(plan.control & RST)[0])
    accepted = plan.control[first_reset:] == IN_VALID
    valid = recording.valid[first_reset:]
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
