"""From a module to hardware by a pipeline, with everything compared on the way."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.universe import Universe

from kan_dialect.checking import Checker, run_passes
from kan_dialect.evaluate.edge_tables import has_real_edges
from kan_dialect.flows.prove.prove import prove
from kan_dialect.flows.prove.second_opinion.opinion import second_opinion
from kan_dialect.flows.prove.text import check_text
from kan_dialect.flows.simulate.simulation import SimulatorName, compare, simulate
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.targets.circt import CirctTarget
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.lowering.wrappers.wrapper_ports import InterfaceName
from kan_dialect.model.head import declared_head
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.passbase.kan_pass import EXACT, appends_head, claim_of
from kan_dialect.passbase.pipeline import PassFactory, build_pipeline

VECTORS = 80
"""Samples that a design is compared on, beyond those of the check of every pass."""
INTERFACES: tuple[InterfaceName, ...] = get_args(InterfaceName)
CIRCT_PASSES = "builtin.module(canonicalize,cse,lower-seq-to-sv,hw-memory-sim)"


class Mismatch(Exception):
    """Two results that should be equal differ."""


@dataclass(frozen=True)
class Design:
    """A network in hardware, with the outputs that it should have."""

    module: ModuleOp
    integer: Model
    """The first stage that has codes only; behind the head, with one."""
    tables: Model
    """The last stage at table level: passes of xDSL may merge layers, whose numbers then change.
    With a head, the wires behind it."""
    circuit: Model
    interface: Interface
    codes: IntArray
    """Input codes (vectors, inputs)."""
    expected: IntArray
    """Output codes (vectors, outputs) of the integer model."""

    @property
    def text(self) -> str:
        """SystemVerilog of ours, in the language that proofs read.

        Raises
        ------
        KanError : it is not.
        """
        text = emit_systemverilog(self.module)
        check_text(text)
        return text


def compile_design(module: ModuleOp, pipeline: Sequence[str], seed: int) -> Design:
    """Run the passes, each checked; compare the hardware level with the integer model.

    Raises
    ------
    Mismatch : they differ. KanError : a pass refuses the module, or fails its check.
    """
    context = Context()
    passes = build_pipeline(_passes(), ",".join(pipeline))
    checker = Checker(seed=seed, count=64)
    integer = tables = _integer(module)
    for stage in passes:
        run_passes(context, module, [stage], checker)
        if appends_head(stage):
            integer = tables = Model.of(module.clone())
        elif claim_of(stage) != EXACT:
            integer = tables = _integer(module)
        elif Model.of(module).level == "table":
            tables = _integer(module)
            integer = integer or tables
    circuit = Model.of(module)
    if circuit.level != "hardware" or integer is None or tables is None:
        raise Mismatch(f"the pipeline ends at {circuit.level} level")
    interface = circuit.interface()
    rng = np.random.default_rng(seed)
    codes = rng.permutation(stimuli(interface, random=VECTORS, seed=seed))[:VECTORS]
    expected = integer.run_codes(codes)
    verdict = compare(expected, circuit.run_codes(codes), codes)
    if not verdict.passed:
        raise Mismatch(f"hardware level in NumPy: {verdict.describe(interface)}")
    return Design(module, integer, tables, circuit, interface, codes, expected)


def require_wrapper(design: Design, interface: InterfaceName) -> None:
    """Wrap a design, which has a clock, and emit it.

    Raises
    ------
    VerifyException : the wrapper is invalid. KanError : it is in another language than proofs read.
    """
    module = design.module.clone()
    WrapInterfacePass(interface, clock_enable=interface == "valid").apply(Context(), module)
    module.verify()
    check_text(emit_systemverilog(module))


def require_same_text(module: ModuleOp) -> None:
    """Read a module back, and print it twice.

    Raises
    ------
    Mismatch : it is another one, or other bytes.
    """
    text = str(module)
    if str(parse_text(make_context(), text.encode(), "printed")) != text:
        raise Mismatch("the module does not read back as it prints")
    if Model.of(module).level == "hardware" and emit_systemverilog(module) != emit_systemverilog(
        module
    ):
        raise Mismatch("the same module gives other bytes")


@cache
def _passes() -> Mapping[str, PassFactory]:
    return Universe.get_multiverse().all_passes


def _integer(module: ModuleOp) -> Model | None:
    """The integer model, where the module is one."""
    model = Model.of(module)
    return Model.of(module.clone()) if model.has_codes and not has_real_edges(module) else None


def require_proof(design: Design) -> None:
    """Prove the emitted text equal to the integer model, with a second opinion if available.

    Raises
    ------
    Mismatch : it is not proven. KanError : Yosys refuses the text.
    """
    with tempfile.TemporaryDirectory(prefix="kan-fuzz-") as folder:
        rtl = Path(folder) / f"{design.interface.name}.sv"
        rtl.write_text(design.text)
        proof = prove(rtl, design.tables, design.circuit, timeout=60)
        second = (
            second_opinion(rtl, design.tables, design.circuit, timeout=60)
            if find_spec("bitwuzla") is not None and _is_second_read(design.circuit)
            else None
        )
    if not proof.proven:
        problems = [f"{o.name}: {o.problem}" for o in proof.outcomes if not o.proven]
        raise Mismatch(f"not proven: {'; '.join([*problems, proof.valid_problem or ''])}")
    if second is not None and not second.shown:
        raise Mismatch(f"no second opinion: {'; '.join(second.problems())}")


def _is_second_read(circuit: Model) -> bool:
    """Whether `kan-flow prove --second` reads the circuit: no head compares its outputs."""
    head = declared_head(circuit.op)
    return head is None or head.kind == "threshold"


def circt_text(module: ModuleOp) -> str:
    """The module as CIRCT reads it."""
    output = io.StringIO()
    CirctTarget().emit(Context(), module, output)
    return output.getvalue()


def circt_export(text: str) -> str:
    """CIRCT's SystemVerilog of a module in its syntax: parsed, verified, canonicalised.

    Raises
    ------
    Mismatch : CIRCT refuses it. ImportError : it is not installed.
    """
    import circt  # pyright: ignore[reportMissingTypeStubs]
    from circt.ir import Context as CirctContext  # pyright: ignore
    from circt.ir import MLIRError, Module  # pyright: ignore
    from circt.passmanager import PassManager  # pyright: ignore

    exported = io.StringIO()
    with CirctContext() as context:  # pyright: ignore
        circt.register_dialects(context)  # pyright: ignore
        try:
            parsed = Module.parse(text)  # pyright: ignore
            parsed.operation.verify()  # pyright: ignore
            PassManager.parse(CIRCT_PASSES).run(parsed.operation)  # pyright: ignore
            circt.export_verilog(parsed, exported)  # pyright: ignore
        except MLIRError as error:  # pyright: ignore
            raise Mismatch(f"CIRCT refuses the module: {error}") from None
    return exported.getvalue()


def require_simulation(design: Design, text: str, simulator: SimulatorName) -> None:
    """Simulate a text of a design, with gaps and resets.

    Raises
    ------
    Mismatch : outputs differ. KanError : the simulator refuses it, or outputs come at a wrong time.
    """
    with tempfile.TemporaryDirectory(prefix="kan-fuzz-") as folder:
        rtl = Path(folder) / f"{design.interface.name}.sv"
        rtl.write_text(text)
        got = simulate(
            rtl, design.interface, design.codes, simulator=simulator, bubbles=0.2, resets=2
        )
    verdict = compare(design.expected, got, design.codes)
    if not verdict.passed:
        raise Mismatch(f"{simulator}: {verdict.describe(design.interface)}")
