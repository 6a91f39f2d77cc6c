"""The bugs that `seeded_bugs.py` puts into the compiler: an edit of one function each."""

from __future__ import annotations

from seeds import hardware, layer_passes, systemverilog, wire_passes
from seeds.seed import Seed, SeedError, imported_with_bug, spoilt_module

__all__ = ["SEEDS", "Seed", "SeedError", "imported_with_bug", "spoilt_module"]

SEEDS = [*layer_passes.SEEDS, *wire_passes.SEEDS, *hardware.SEEDS, *systemverilog.SEEDS]
