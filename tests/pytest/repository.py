"""Folders of the repository."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
BENCHMARKS = ROOT / "benchmarks"
TEST_DATA = ROOT / "tests" / "data"
SMALL_LIBRARY = EXAMPLES / "cells.lib"
"""Standard cells with areas, delays and energies that are made up."""
