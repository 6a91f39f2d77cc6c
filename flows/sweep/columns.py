"""The columns of a sweep's table: names, labels, and the direction that is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]
"""A row of the table: options and figures by column. An unknown figure is None or absent."""


@dataclass(frozen=True)
class Column:
    """A figure of a point."""

    name: str
    label: str
    """The label for readers, with the unit."""
    better: int = -1
    """1: more is better; -1: less is better; 0: neither."""


SCORES = ("validation_accuracy", "validation_mse", "validation_error")
"""Figures of the validation samples; of several splits, the means."""


def error_column(name: str) -> str:
    """The column of the standard error of a score over splits."""
    return f"{name}_se"


COLUMNS = {
    column.name: column
    for column in (
        Column("validation_accuracy", "accuracy (validation)", 1),
        Column("validation_accuracy_se", "standard error of the accuracy", 0),
        Column("validation_mse", "mean squared error (validation)"),
        Column("validation_mse_se", "standard error of the mean squared error", 0),
        Column("validation_error", "mean output error (validation)"),
        Column("validation_error_se", "standard error of the mean output error", 0),
        Column("test_accuracy", "accuracy (test)", 1),
        Column("test_mse", "mean squared error (test)"),
        Column("test_error", "mean output error (test)"),
        Column("latency_cycles", "latency in cycles"),
        Column("table_bits", "bits of tables"),
        Column("estimate_luts", "LUTs (estimate)"),
        Column("estimate_registers", "registers (estimate)"),
        Column("estimate_levels", "levels of logic (estimate)"),
        Column("estimate_delay_ns", "delay of a stage in ns (estimate)"),
        Column("estimate_latency_ns", "latency in ns (estimate)"),
        Column("synthesis_luts", "LUTs (Yosys)"),
        Column("synthesis_registers", "registers (Yosys)"),
        Column("pnr_luts", "LUTs (nextpnr)"),
        Column("pnr_registers", "registers (nextpnr)"),
        Column("pnr_fmax_mhz", "clock in MHz (nextpnr)", 1),
        Column("pnr_delay_ns", "delay of a stage in ns (nextpnr)"),
        Column("pnr_latency_ns", "latency in ns (nextpnr)"),
        Column("pnr_area_delay", "LUTs × ns (nextpnr)"),
    )
}
"""Figures by name. Figures of the test set are shown, but decide nothing."""


def label(name: str) -> str:
    """The label of a column for readers."""
    return COLUMNS[name].label if name in COLUMNS else name.replace("_", "-")


def is_number(value: object) -> bool:
    """Whether a value of a row is a number; a Boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def has(rows: Iterable[Row], name: str) -> bool:
    """Whether some row has this figure."""
    return any(row.get(name) is not None for row in rows)


def first_of(rows: Iterable[Row], *names: str) -> str | None:
    """The first of the named columns in which some row has a figure, or None."""
    every = list(rows)
    return next((name for name in names if has(every, name)), None)


def quality(rows: Iterable[Row]) -> str | None:
    """The column of the outputs' quality on validation samples, or None without such figures."""
    return first_of(rows, *SCORES)


def area(rows: Iterable[Row]) -> str:
    """The column of LUTs: measured ones, or else the estimate."""
    return first_of(rows, "synthesis_luts", "pnr_luts") or "estimate_luts"


def registers(rows: Iterable[Row]) -> str:
    """The column of registers: measured ones, or else the estimate."""
    return first_of(rows, "synthesis_registers", "pnr_registers") or "estimate_registers"


def delay(rows: Iterable[Row]) -> str:
    """The column of the delay of a stage: measured, or else the estimate."""
    return first_of(rows, "pnr_delay_ns") or "estimate_delay_ns"


def latency(rows: Iterable[Row]) -> str:
    """The column of the latency in ns: measured, or else the estimate."""
    return first_of(rows, "pnr_latency_ns") or "estimate_latency_ns"
