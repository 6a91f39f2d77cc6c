"""Cycles that refute a wrapper, played on its file in Icarus Verilog.

The wrapper is compiled as it was written. In place of the network stands a module with its cycles,
which gives the outputs that were found (`stand_in.py`).
"""

from __future__ import annotations

from kan_dialect.flows.prove.cycles.player import played
from kan_dialect.flows.prove.interfaces.boundary import Clocking
from kan_dialect.flows.prove.interfaces.proof import InterfaceProof
from kan_dialect.flows.prove.interfaces.witness import Witness


def first_difference(proof: InterfaceProof[Clocking, object], witness: Witness) -> str | None:
    """The first output behind the reset that Icarus has another value of; None: there is none.

    Undefined bits may be anything.

    Raises
    ------
    KanError : Icarus is missing or refuses the file.
    """
    (core,) = proof.netlist.instances.values()
    forced = [
        [f"dut.{core.name}.other_{port} = {code};" for port, code in others.items()]
        for others in witness.network.others
    ]
    rows = played(
        proof.rtl,
        proof.name,
        proof.netlist,
        proof.boundary.clock,
        witness.cycles,
        forced=forced,
        more=witness.network.module(),
    )
    for cycle, row in enumerate(rows):
        for port, bits in row.items():
            wanted = f"{witness.cycles[cycle][port]:0{len(bits)}b}"
            if cycle and any(a != b for a, b in zip(bits, wanted, strict=True) if a in "01"):
                return f"{port} is {bits} in cycle {cycle}, and not {wanted}"
    return None
