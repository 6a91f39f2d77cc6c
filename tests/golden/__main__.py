"""`python -m golden`: Verilator must give KANELÉ's published integers with all options.

Small models are built with every combination of `kan-compile`'s options. The others are built with
the defaults and with few combinations that cover every pair of option values. Byte-identical
designs are simulated once, on all of `golden.npz` and the test set.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from golden.check import MODELS, SMALL, Design, Published, designs, load
from golden.options import all_options, few_options

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("KAN_SHARED_DATA", ROOT.parent / "shared" / "data"))


def check(model: Published, jobs: int, everything: bool, console: Console) -> int:
    """Print each design of a model with other integers. Returns their number."""
    wanted = all_options() if everything else few_options()
    wrong = 0
    with Progress(console=console) as progress, ThreadPoolExecutor(jobs) as pool:
        running: dict[Future[str | None], Design] = {}
        building = progress.add_task(f"{model.name}: designs", total=None)
        for design in designs(model, wanted):
            running[pool.submit(design.difference, model)] = design
            progress.update(
                building, advance=1, description=f"{model.name}: {len(running)} designs"
            )
        progress.update(building, total=len(running))
        simulating = progress.add_task(f"{model.name}: simulated", total=len(running))
        for future in as_completed(running):
            progress.advance(simulating)
            if (difference := future.result()) is not None:
                wrong += 1
                options = " ".join(
                    f"{name}={value}" for name, value in running[future].options.items()
                )
                progress.console.print(f"{model.name}, {options}: {difference}", markup=False)
    console.print(
        f"{model.name}: {len(wanted)} combinations of options, {len(running)} designs, "
        f"{len(model.codes)} samples each, {wrong} designs wrong"
    )
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Check some models. Returns 1 if integers differ."""
    parser = argparse.ArgumentParser(prog="golden", description=__doc__)
    parser.add_argument("--models", default=",".join(MODELS), help="(default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="simulations at once (default: 2)")
    options = parser.parse_args(arguments)
    if not (DATA / "kanele").is_dir():
        raise SystemExit(f"golden: there is no {DATA / 'kanele'}; set KAN_SHARED_DATA")
    console = Console()
    wrong = sum(
        check(load(name, DATA), options.jobs, name in SMALL, console)
        for name in options.models.split(",")
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
