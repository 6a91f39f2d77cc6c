"""Cycles at the ports that refute a wrapper, from a reset on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from kan_dialect.flows.prove.cycles.claims import Claim
from kan_dialect.flows.prove.cycles.solver import Solver, Values
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.interfaces.induction import evaluated
from kan_dialect.flows.prove.interfaces.prove import WrapperProof, scoreboard
from kan_dialect.flows.prove.interfaces.registers.model import RegisterModel
from kan_dialect.flows.prove.interfaces.registers.prove import RegisterProof
from kan_dialect.flows.prove.interfaces.registers.training_core import TrainingSystem
from kan_dialect.flows.prove.interfaces.scoreboard import SLACK, Scoreboard
from kan_dialect.flows.prove.interfaces.signals import WrapperSignals, free_name
from kan_dialect.flows.prove.interfaces.stand_in import SampleStandIn, StandIn, TrainingStandIn
from kan_dialect.flows.prove.interfaces.system import System
from kan_dialect.flows.prove.on_chip.handshake import READ_CYCLES
from kan_dialect.model.interface import Port

HistoryProof: TypeAlias = WrapperProof | RegisterProof[object]
"""A proof for every history of the ports."""

LONGEST = 256
"""Cycles of the longest history that is tried."""


@dataclass(frozen=True)
class Witness:
    """A history that starts behind a reset, and what is wrong in its last cycle."""

    cycles: list[dict[str, int]]
    """Each port in each cycle, the clock left out; the first cycle is the reset."""
    network: StandIn
    problem: str


def find_witness(
    proof: WrapperProof | RegisterProof[object], seconds: float = 30
) -> Witness | None:
    """A history in which a claim is wrong; None where none was found in so many seconds.

    The other side keeps its own rules: what it offers stays until it is taken.
    """
    if isinstance(proof, RegisterProof):
        model = proof.model()
        return _searched(model.system, model.claims, lambda c: _host_keeps(model, c), seconds)
    board = scoreboard(proof)
    return _searched(
        board.system,
        lambda cycle: _claims(proof, board, cycle),
        lambda cycle: _keeps_rules(board, cycle),
        seconds,
    )


def _searched(
    system: WrapperSignals,
    claims_of: Callable[[int], Iterable[Claim]],
    rules_of: Callable[[int], Term],
    seconds: float,
) -> Witness | None:
    end, pool = time.monotonic() + seconds, system.pool
    solver = Solver(end)
    length = 4
    while length <= LONGEST and time.monotonic() < end:
        claims = [(c, claim) for c in range(1, length) for claim in claims_of(c)]
        rules = [system.in_reset(0)]
        rules += [pool.inverted(system.in_reset(cycle)) for cycle in range(1, length + 1)]
        rules += [rules_of(cycle) for cycle in range(1, length)]
        wrong = pool.inverted(pool.both(*(claim.term for _, claim in claims)))
        # What is known of memories is only there when the terms have been made.
        found = solver.find([*rules, wrong, *system.congruences])
        if isinstance(found, dict):
            holds = evaluated([claim.term for _, claim in claims], found)
            last, claim = next(pair for pair, right in zip(claims, holds, strict=True) if not right)
            # A claim may speak of the cycle behind it.
            shown = range(min(last + 2, length + 1))
            names = [*system.netlist.inputs, *system.netlist.outputs]
            names.remove(system.boundary.clock)
            return Witness(
                [_numbers({n: system.port(n, c) for n in names}, found) for c in shown],
                _stand_in(system, found, len(shown)),
                claim.name,
            )
        length *= 2
    return None


def _stand_in(system: WrapperSignals, found: Values, cycles: int) -> StandIn:
    def stages(last: int, of: Callable[[int, int], Term]) -> list[int]:
        return evaluated([of(stage, 0) for stage in range(1, last + 1)], found)

    def others(ports: Sequence[Port]) -> list[dict[str, int]]:
        return [
            {port.name: found.get(free_name(port.name, c), 0) for port in ports}
            for c in range(cycles)
        ]

    if isinstance(system, TrainingSystem):
        core = system.network
        last = max(core.latency, core.busy, core.interval)
        return TrainingStandIn(
            others(core.read),
            core,
            stages(last, system.taken),
            stages(last, system.trained),
            stages(READ_CYCLES, system.asked),
        )
    assert isinstance(system, System)
    network = system.network
    return SampleStandIn(
        others(network.outputs),
        network,
        _numbers(system.codes, found),
        _numbers(system.results, found),
        stages(network.latency, system.valid),
        stages(network.latency, system.is_sample),
    )


def _numbers(terms: dict[str, Term], found: Values) -> dict[str, int]:
    return dict(zip(terms, evaluated([*terms.values()], found), strict=True))


def _host_keeps(model: RegisterModel, cycle: int) -> Term:
    """The host keeps an address or data until they are taken."""
    pool, kept = model.pool, list[Term]()
    for channel, payload in (("aw", ["awaddr"]), ("w", ["wdata", "wstrb"]), ("ar", ["araddr"])):
        waits = pool.both(
            model.bus(f"{channel}valid", cycle), pool.inverted(model.bus(f"{channel}ready", cycle))
        )
        same = [
            pool.equal(model.bus(port, cycle + 1), model.bus(port, cycle))
            for port in (f"{channel}valid", *payload)
        ]
        kept.append(pool.any_of([pool.inverted(waits), pool.both(*same)]))
    return pool.both(*kept)


def _claims(proof: WrapperProof, board: Scoreboard, cycle: int) -> Iterator[Claim]:
    """What must hold in a cycle of a history without further resets."""
    yield from board.claims(cycle)
    if cycle > 1:
        yield from board.stable(cycle - 1)
    pool, system = board.pool, board.system
    if cycle == 1:
        for port in (proof.boundary.source.ready, proof.boundary.result.valid):
            yield Claim(f"{port} is 0 behind reset", pool.inverted(system.port(port, 1)))
    window = proof.interface.latency + SLACK
    first = cycle - window
    if first >= 1:
        ready = [system.port(proof.boundary.result.ready, c) for c in range(first, cycle + 1)]
        waits = [board.counter("follows", c) for c in range(first, cycle + 1)]
        stuck = pool.both(*ready, *waits, pool.inverted(board.delivers(cycle)))
        yield Claim("every sample is delivered", pool.inverted(stuck))


def _keeps_rules(board: Scoreboard, cycle: int) -> Term:
    """The source keeps what it offers until it is taken."""
    pool, system, stream = board.pool, board.system, board.source
    same = [
        pool.equal(system.port(port, cycle + 1), system.port(port, cycle))
        for port in (stream.valid, *stream.payload)
    ]
    return pool.any_of([pool.inverted(board.waits(stream, cycle)), pool.both(*same)])
