"""Puts bugs into the wrappers around networks, one at a time, and prints the proof's verdict.

    python benchmarks/seeded_wrappers.py                 all (five minutes)
    python benchmarks/seeded_wrappers.py --only ready    seeds whose name contains a word

Each seed (`seeds/wrappers.py`) is imported in a process of its own, where wrappers of seven kinds
are made and proven, some of them around tables that can be loaded, too. The exit code is 1 if a bug
is in none of them or is proven, or if a wrapper without a bug is not proven.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from seeds import imported_with_bug, spoilt_module
from seeds.seed import Seed
from seeds.wrappers import SEEDS

from kan_dialect.flows.prove.interfaces.prove import InterfaceProof

TRAINING = "TRAINING"
"""Registers around hardware that trains."""

LOADABLE = "loadable "
"""In front of wrappers around networks whose tables can be loaded."""

ROOT = Path(__file__).parent.parent


def verdict(name: str) -> str:
    """The first claim that fails with a seed; empty: all wrappers are proven."""
    seed = next((seed for seed in SEEDS if seed.name == name), None)
    with imported_with_bug(spoilt_module(seed)) if seed else nullcontext():
        for folder in ("", "flows/prove/interfaces", "flows/prove/on_chip"):
            sys.path.append(str(ROOT / "tests" / "pytest" / folder))
        for wrapper in _wrappers(seed):
            with tempfile.TemporaryDirectory(prefix="kan-seeded-") as folder:
                try:
                    proof = _proof(wrapper, Path(folder))
                except Exception as error:
                    return f"{type(error).__name__}: {error}"
            for outcome in proof.outcomes:
                if not outcome.proven:
                    return f"{proof.name}: {outcome.group}, {outcome.name}: {outcome.problem}"
    return ""


def _proof(wrapper: str, folder: Path) -> InterfaceProof:
    """The proof of a wrapper, by its name in `test_prove_wrappers.py`, or of one that trains."""
    if wrapper == TRAINING:
        tests = importlib.import_module("test_training_registers")
        return tests.proof_of(folder, tests.network())
    tests = importlib.import_module("test_prove_wrappers")
    wrap = getattr(tests, wrapper.removeprefix(LOADABLE))
    if wrapper.startswith(LOADABLE):
        return tests.proof_around(folder, wrap, *tests.loadable_network())
    return tests.proof_of(folder, wrap, 1)


def _wrappers(seed: Seed | None) -> tuple[str, ...]:
    """The wrappers that have what a seed changes."""
    streams = ("READY", "STREAM", "BEATS", "HIGH", f"{LOADABLE}STREAM")
    registers = ("LITE", TRAINING, f"{LOADABLE}LITE")
    enables = ("ENABLE", f"{LOADABLE}ENABLE")
    if seed is None:
        return (*streams, *registers, *enables)
    if seed.function.startswith("_AxiLite."):
        return registers
    return enables if seed.function == "with_clock_enable" else streams


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="WORD")
    options = parser.parse_args()
    names = ["", *(seed.name for seed in SEEDS if options.only in seed.name)]
    bad = 0
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name, found in zip(names, pool.imap(verdict, names, chunksize=1), strict=True):
            print(f"{name or 'without a bug'}: {found or 'proven'}", flush=True)
            bad += bool(found) != bool(name)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
