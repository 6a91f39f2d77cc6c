"""The table of the benchmark set."""

from __future__ import annotations

from kan_dialect.cli.reference.markdown import table
from kan_dialect.flows.benchmark_set.networks import NETWORKS


def reference() -> str:
    """A row for each network, in the order of the set."""
    rows = [(f"`{each.name}`", each.level, f"`{each.model}`", each.purpose) for each in NETWORKS]
    return table(("network", "level", "model", "made of"), rows)
