"""Designs that tests compile and change: what of them is proven must be right in a simulator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.prove import Proof, prove
from kan_dialect.flows.simulate.simulation import simulate
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.frontends.loading import make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model


class Design(NamedTuple):
    """A network in hardware."""

    integer: Model
    """The table-level network."""
    circuit: Model
    text: str

    def proof(self, folder: Path, text: str | None = None) -> Proof:
        """The proof of its text, or of another one."""
        rtl = folder / "net.sv"
        rtl.write_text(self.text if text is None else text)
        return prove(rtl, self.integer, self.circuit)

    def mutants_proven(self, texts: Iterable[str], folder: Path, seed: int) -> Iterator[bool]:
        """Whether each changed text is proven. Texts that `prove` refuses are skipped.

        Raises
        ------
        AssertionError : one is proven, and differs from the network in Icarus.
        """
        codes = stimuli(self.circuit.interface(), random=3000, seed=seed)
        expected = self.integer.run_codes(codes)
        for text in texts:
            try:
                is_proven = self.proof(folder, text).proven
            except KanError:
                continue
            if is_proven:
                interface = self.circuit.interface()
                got = simulate(folder / "net.sv", interface, codes, simulator="icarus")
                np.testing.assert_array_equal(got, expected)
            yield is_proven


def compiled(module: ModuleOp, **options: bool | int | str) -> Design:
    """The design of a network at table level or below, which `kan-compile` changes in place.

    Raises
    ------
    KanError : the compiler refuses it.
    """
    integer = Model.of(module.clone())
    for stage in CompilePass(**options).expand():  # pyright: ignore[reportArgumentType]
        if Model.of(module).level == "table":
            integer = Model.of(module.clone())
        stage.apply(make_context(), module)
    return Design(integer, Model.of(module), emit_systemverilog(module))
