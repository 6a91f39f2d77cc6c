"""`python -m fuzz`: a campaign of random networks and broken files, for some time."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fuzz.campaign import Campaign
from fuzz.commands import quicken
from fuzz.kinds import KINDS, corpus, folders


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign. Returns 1 if there are failures."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long (default: 300)")
    parser.add_argument("--seed", type=int, help="of everything; the time where not given")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (default: 2)")
    parser.add_argument(
        "--only", choices=sorted(KINDS), action="append", help="this kind of case only"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("build/fuzz"), help="state and failures go here"
    )
    options = parser.parse_args(arguments)
    seed = int(time.time()) if options.seed is None else options.seed
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    # Many small arrays: threads cost more than they give, here and in what is forked.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    kinds = {name: kind for name, kind in KINDS.items() if name in (options.only or KINDS)}
    if "folders" in kinds:
        folders()
    if kinds.keys() & {"files", "folders", "graphs", "options", "outputs"}:
        quicken()
    if "files" in kinds:
        corpus()
        importlib.import_module("onnxruntime")  # Loaded once, before processes are forked.
    campaign = Campaign(kinds, folder.absolute(), seed)
    print(f"seed {seed}, {options.seconds:g} s, state and failures in {folder}", flush=True)
    campaign.run(options.seconds, options.jobs, lambda text: print(text, flush=True))
    print(campaign.summary())
    for signature, count in campaign.signatures.items():
        print(f"  {count} x {signature}")
    return 1 if campaign.signatures else 0


if __name__ == "__main__":
    sys.exit(main())
