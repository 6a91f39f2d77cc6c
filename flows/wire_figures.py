"""Figures of a network at wire level: size by estimate, latency, bits of tables."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

from xdsl.dialects import func

from kan_dialect.devices.device import device
from kan_dialect.errors import KanError
from kan_dialect.flows.layer_costs import bits_of_tables
from kan_dialect.ir.operation import ops_of
from kan_dialect.lowering.estimate import estimate_design
from kan_dialect.model.model import Model

Figures: TypeAlias = dict[str, Any]
"""Figures by name: numbers, and names of designs and tools."""


def wire_figures(model: Model, target: str, lowered: Sequence[str] = ()) -> Figures:
    """The figures of a scheduled network, and a digest of its IR as `design`.

    Parameters
    ----------
    target : the device that the estimate is for.
    lowered : passes behind the lowering, which make another design of the same network.

    Raises
    ------
    KanError : the model is at another level, or its results do not come in one cycle.
    """
    if not isinstance(model.op, func.FuncOp) or model.level != "wire":
        raise KanError(
            f"the passes before lower-kan-to-hw end at {model.level} level, expected wire level",
            remedy="end the pipeline with kan-compile, or with passes of wire level",
        )
    design = "\n".join([str(model.op), *lowered])
    found = estimate_design(model.op, device(target))
    cycles = model.latency()
    blocks = {"estimate_block_rams": found.block_rams} if found.block_rams else {}
    return {
        "design": hashlib.sha256(design.encode()).hexdigest()[:12],
        "target": target,
        "latency_cycles": cycles,
        "table_bits": bits_of_tables(ops_of(model.op.body.block)),
        "estimate_luts": found.luts,
        "estimate_registers": found.registers,
        **blocks,
        "estimate_levels": found.levels,
        "estimate_delay_ns": round(found.period_ns, 4),
        "estimate_latency_ns": round(max(cycles, 1) * found.period_ns, 4),
    }
