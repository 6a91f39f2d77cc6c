"""Cycles of valid and ready that refute a wrapper, from a reset on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from kan_dialect.flows.prove.cycles.solver import Solver
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.interfaces.induction import evaluated
from kan_dialect.flows.prove.interfaces.prove import WrapperProof, scoreboard
from kan_dialect.flows.prove.interfaces.scoreboard import SLACK, Claim, Scoreboard

LONGEST = 256
"""Cycles of the longest history that is tried."""


@dataclass(frozen=True)
class Witness:
    """A history that starts behind a reset, and what is wrong in its last cycle."""

    cycles: list[dict[str, int]]
    """Each port in each cycle, the clock left out; the first cycle is the reset."""
    problem: str


def find_witness(proof: WrapperProof, seconds: float = 30) -> Witness | None:
    """A history in which a claim is wrong; None where none was found in so many seconds.

    The source keeps its own rules: what it offers stays until it is taken.
    """
    board, end = scoreboard(proof), time.monotonic() + seconds
    solver = Solver(end)
    length = 4
    while length <= LONGEST and time.monotonic() < end:
        claims = [(c, claim) for c in range(1, length) for claim in _claims(proof, board, c)]
        system, pool = board.system, board.pool
        rules = [system.in_reset(0)]
        rules += [pool.inverted(system.in_reset(cycle)) for cycle in range(1, length + 1)]
        rules += [_keeps_rules(board, cycle) for cycle in range(1, length)]
        wrong = pool.inverted(pool.both(*(claim.term for _, claim in claims)))
        # What is known of memories is only there when the terms have been made.
        found = solver.find([*rules, wrong, *system.congruences])
        if isinstance(found, dict):
            holds = evaluated([claim.term for _, claim in claims], found)
            last, claim = next(pair for pair, right in zip(claims, holds, strict=True) if not right)
            names = [*proof.netlist.inputs, *proof.netlist.outputs]
            names.remove(proof.boundary.clock)
            cycles = [
                dict(
                    zip(
                        names,
                        evaluated([system.port(name, cycle) for name in names], found),
                        strict=True,
                    )
                )
                for cycle in range(last + 1)
            ]
            return Witness(cycles, claim.name)
        length *= 2
    return None


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
