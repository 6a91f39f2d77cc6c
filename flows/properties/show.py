"""What `kan-flow prove --property` prints: verdicts, codes that refute, and their replay on RTL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
from rich.console import Console

from kan_dialect.errors import KanError
from kan_dialect.flows.properties.property import Built
from kan_dialect.flows.properties.prove import OTHER, Verdict
from kan_dialect.flows.prove.proof_table import print_line
from kan_dialect.flows.simulate.simulation import SimulatorName, simulate
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import show_codes
from kan_dialect.quantity import quantity


def print_verdict(verdict: Verdict, built: Built) -> None:
    """One property: its verdict, figures, and codes with what the model and the RTL make of them.

    Raises
    ------
    KanError : the RTL gives other results than the model.
    """
    console = Console(highlight=False)
    wanted, seconds = verdict.wanted, f"({verdict.seconds:.1f} s)"
    style = None if verdict.proven else "red"
    print_line(f"{wanted.name}: {verdict.status}, {wanted.claim} {seconds}", console, style)
    for line in _figures(verdict):
        print_line(f"  {line}", console)
    for of, codes in verdict.samples:
        network = wanted.other if of == OTHER and wanted.other is not None else built
        inputs, outputs = network.integer.ports()
        results = network.integer.run_codes(codes[np.newaxis])
        shown = show_codes(codes.tolist(), inputs)
        print_line(f"  {of}{': ' if of else ''}{shown}", console)
        shown = show_codes(results[0].tolist(), outputs)
        print_line(f"    gives {shown}{_replayed(codes, results, network)}", console)


def _figures(verdict: Verdict) -> Iterator[str]:
    figures = verdict.results
    for end in ("least", "greatest"):
        if f"{end}_bound" in figures:
            yield f"{end}: undecided, between {figures[end]} and {figures[f'{end}_bound']}"
    if "certified" in figures:
        certified = cast(Sequence[int], figures["certified"])
        samples = cast(int, figures["samples"])
        for within, number in enumerate(certified, 1):
            share = f"{number / samples:.1%}" if samples else "0"
            yield f"within {quantity(within, 'code')}: {number} of {samples} samples ({share})"
        if figures["undecided"]:
            yield f"undecided: {figures['undecided']}"


def _replayed(codes: IntArray, results: IntArray, built: Built) -> str:
    """That a simulator gives the same results, (1, outputs); empty without a simulator."""
    name = next((name for name in ("icarus", "verilator") if find_simulator(name)), None)
    if name is None:
        return ""
    simulator, interface = cast(SimulatorName, name), built.circuit.interface()
    got = simulate(built.rtl, interface, codes[np.newaxis], simulator=simulator)
    if (got != results).any():
        raise KanError(
            f"{built.rtl} gives {show_codes(got[0].tolist(), interface.outputs)} in {name}",
            remedy="find out where it differs from the model: kan-flow prove DIR",
        )
    return f"; the same in {name}"
