"""Rows of figures of trials; their columns, with labels and the direction that is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]
"""A row of the table: options and figures by column. An unknown figure is None or absent."""


@dataclass(frozen=True)
class Column:
    """A figure of a trial."""

    name: str
    label: str
    """The label for readers, with the unit."""
    better: int = -1
    """1: more is better; -1: less is better; 0: neither."""
    heading: str = ""
    """The short heading in the terminal, where unnamed tools mean estimates; empty: not shown."""


SCORES = ("validation_accuracy", "validation_mse", "validation_error")
"""Figures of the validation samples; of several splits, the means."""


def error_column(name: str) -> str:
    """The column of the standard error of a score over splits."""
    return f"{name}_se"


COLUMNS = {
    column.name: column
    for column in (
        Column("validation_accuracy", "accuracy (validation)", 1, "validation"),
        Column("validation_accuracy_se", "standard error of the accuracy", 0),
        Column("validation_mse", "mean squared error (validation)", -1, "validation mse"),
        Column("validation_mse_se", "standard error of the mean squared error", 0),
        Column("validation_error", "mean output error (validation)", -1, "error"),
        Column("validation_error_se", "standard error of the mean output error", 0),
        Column("test_accuracy", "accuracy (test)", 1, "test"),
        Column("test_mse", "mean squared error (test)", -1, "test mse"),
        Column("test_error", "mean output error (test)"),
        Column("accuracy", "accuracy", 0),
        Column("mse", "mean squared error", 0),
        Column("output_error", "output error", 0),
        Column("float_accuracy", "accuracy of the float model", 0),
        Column("float_mse", "mean squared error of the float model", 0),
        Column("compile_seconds", "compile time in s", 0),
        Column("latency_cycles", "latency in cycles", -1, "cycles"),
        Column("table_bits", "bits of tables"),
        Column("estimate_levels", "levels of logic (estimate)", -1, "logic levels"),
        Column("estimate_luts", "LUTs (estimate)", -1, "LUTs"),
        Column("estimate_registers", "registers (estimate)", -1, "registers"),
        Column("estimate_block_rams", "block RAMs (estimate)", -1, "block RAMs"),
        Column("estimate_delay_ns", "delay of a stage in ns (estimate)", -1, "stage ns"),
        Column("estimate_latency_ns", "latency in ns (estimate)", -1, "latency ns"),
        Column("synthesis_luts", "LUTs (Yosys)", -1, "LUTs (Yosys)"),
        Column("synthesis_registers", "registers (Yosys)", -1, "registers (Yosys)"),
        Column("pnr_luts", "LUTs (nextpnr)", -1, "LUTs (nextpnr)"),
        Column("pnr_registers", "registers (nextpnr)"),
        Column("pnr_fmax_mhz", "clock in MHz (nextpnr)", 1, "MHz"),
        Column("pnr_delay_ns", "delay of a stage in ns (nextpnr)"),
        Column("pnr_latency_ns", "latency in ns (nextpnr)", -1, "latency ns (nextpnr)"),
        Column("pnr_area_delay", "LUTs × ns (nextpnr)"),
    )
}
"""Figures by name. Figures of the test set are shown, but decide nothing."""

LAST = (
    *("synthesis_tool", "pnr_tool", "design", "target", "constant"),
    *("front", "within_noise_of", "wrong", "error"),
)
"""Columns behind the figures."""


def row_of(
    options: Mapping[str, Any],
    figures: Mapping[str, Any] | None,
    synthesis: Mapping[str, Any] | None,
    pnr: Mapping[str, Any] | None,
    last: Mapping[str, Any],
) -> Row:
    """A row of a table; what is not known has no column.

    Parameters
    ----------
    options : what the trial is, by column.
    figures : of the compiled trial.
    synthesis, pnr : sections of `synthesis` and `pnr` as in `report.json`.
    last : by columns of `LAST`.
    """
    mapped, routed = synthesis or {}, pnr or {}
    # The frequency includes paths from the ports. A combinational design has a path delay instead.
    fmax = routed.get("fmax_with_inputs_mhz")
    row = {
        **options,
        **{name: value for name, value in (figures or {}).items() if name != "outputs"},
        **{f"synthesis_{name}": mapped.get(name) for name in ("tool", "luts", "registers")},
        "pnr_tool": routed.get("tool"),
        "pnr_luts": routed.get("luts"),
        "pnr_registers": routed.get("registers", 0 if "path_ns" in routed else None),
        "pnr_fmax_mhz": fmax,
        "pnr_delay_ns": round(1000 / fmax, 3) if fmax else routed.get("path_ns"),
        "pnr_latency_ns": routed.get("latency_with_inputs_ns", routed.get("latency_ns")),
        "pnr_area_delay": routed.get("area_delay"),
        **last,
    }
    return {name: value for name, value in row.items() if value is not None}


def columns_of(rows: Iterable[Row]) -> list[str]:
    """Names of all columns: options in the order of the rows, then those of COLUMNS and LAST."""
    found = dict.fromkeys(name for row in rows for name in row)
    options = [name for name in found if name not in COLUMNS and name not in LAST]
    return [*options, *(name for name in (*COLUMNS, *LAST) if name in found)]


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
