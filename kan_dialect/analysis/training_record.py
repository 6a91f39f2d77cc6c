"""The record of a training in the IR: what a network was trained for, and how well it did."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.ir.attributes.figures import record_figures, recorded_figures

TRAINING = "kan.training"
"""Attribute of a function: figures of `kan-flow train`."""


def record_training(module: ModuleOp, figures: Mapping[str, object]) -> None:
    """Attach the figures of a training to the function of a module."""
    for op in module.ops:
        if isinstance(op, func.FuncOp):
            record_figures(op, TRAINING, figures)


def recorded_training(module: ModuleOp) -> dict[str, object] | None:
    """The figures that `record_training` attached; None without any."""
    for op in module.ops:
        if isinstance(op, func.FuncOp):
            found = recorded_figures(op, TRAINING)
            if found is not None:
                return found
    return None
