"""The reference for authors of packages: the order of passes, and helpers with signatures."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from generators.passes import default_pipeline
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.cli.reference.markdown import table
from kan_dialect.devices.lut_count import luts_of
from kan_dialect.ir.constants import dense, to_floats, to_integers
from kan_dialect.ir.derived_names import derived_name
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.types import range_of
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.wire import ConstantOp, DelayOp, ExtractOp, SumOp, TableOp, complement
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.kan_pass import LEVELS, KanPass
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.universe import UNIVERSE

HELPERS: tuple[Callable[..., object], ...] = (
    wire_functions,
    range_of,
    module_of,
    TableOp.__init__,
    SumOp.__init__,
    ConstantOp.__init__,
    ExtractOp.__init__,
    ClampOp.__init__,
    ShiftOp.__init__,
    DelayOp.__init__,
    rebuild_sum,
    derived_name,
    complement,
    remove_dead,
    luts_of,
    to_integers,
    to_floats,
    dense,
)

_OPS: dict[str, type[object]] = {
    kind.__name__: kind
    for kind in (TableOp, SumOp, ConstantOp, ExtractOp, ClampOp, ShiftOp, DelayOp)
}

BUILDER_METHODS: tuple[Callable[..., object], ...] = (
    HwBuilder.add,
    HwBuilder.constant,
    HwBuilder.part,
    HwBuilder.joined,
    HwBuilder.repeated,
    HwBuilder.resized,
    HwBuilder.inverted,
    HwBuilder.added,
    HwBuilder.all_of,
    HwBuilder.any_of,
)


def order() -> str:
    """The passes of each level, those of the default pipeline in order, then the others."""
    kinds = {name: factory() for name, factory in UNIVERSE.all_passes.items()}
    default = default_pipeline()
    ordered = [*default, *sorted(set(kinds) - set(default))]
    rows: list[tuple[str, str, str]] = []
    for level, called in LEVELS.items():
        names = [name for name in ordered if level in _levels(kinds[name])]
        first = [f"[`{name}`](passes.md#{name})" for name in names if name in default]
        others = [f"[`{name}`](passes.md#{name})" for name in names if name not in default]
        rows.append((called, ", ".join(first), ", ".join(others)))
    return table(("level", "default pipeline, in order", "other passes"), rows)


def _levels(kind: type[object]) -> tuple[str, ...]:
    return kind.works_at if issubclass(kind, KanPass) else ()


def helpers() -> str:
    """A line for each helper: its import, its signature and what it does."""
    rows: list[tuple[str, str, str]] = []
    for helper in HELPERS:
        name = helper.__qualname__.removesuffix(".__init__")
        signature = _signature(helper)
        described = _OPS.get(name, helper)
        summary = inspect.cleandoc(described.__doc__ or "").split("\n\n")[0]
        rows.append((f"`from {helper.__module__} import {name}`", f"`{signature}`", summary))
    return table(("import", "signature", "gives"), rows)


def hw_builder() -> str:
    """A line for each method of `HwBuilder` that `lower` of a wire-level op may call."""
    rows = [
        (f"`{method.__name__}`", f"`{_signature(method)}`", inspect.cleandoc(method.__doc__ or ""))
        for method in BUILDER_METHODS
    ]
    return table(("method", "signature", "gives"), rows)


def _signature(function: Callable[..., object]) -> str:
    text = str(inspect.signature(function)).replace("'", "")
    return text.replace("(self, ", "(").replace("xdsl.ir.core.", "")
