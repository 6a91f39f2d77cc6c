"""Prints how long proofs of wrappers take, by the latency of the network in them.

    python benchmarks/wrapper_proofs.py                  all (some minutes)
    python benchmarks/wrapper_proofs.py --latency 2 12   these latencies

The network has 10 inputs and 10 outputs, of 5 to 12 bits; the buffer behind it has 64 words.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from kan_dialect.model.interface import Port

WORDS = 64
WRAPPERS = ("READY", "STREAM", "BEATS", "SLOW", "LITE", "ENABLE")
"""Names in `flows/prove/interfaces/test_prove_wrappers.py`."""
INPUTS = [Port.of_range(f"x{index}", -8, 3 << index) for index in range(10)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--latency", type=int, nargs="+", default=[2, 12, 20, 40], metavar="N")
    parser.add_argument("--only", nargs="+", default=[*WRAPPERS], choices=WRAPPERS)
    options = parser.parse_args()
    tests_folder = Path(__file__).parent.parent / "tests" / "pytest"
    sys.path += [str(tests_folder), str(tests_folder / "flows" / "prove" / "interfaces")]
    tests = importlib.import_module("test_prove_wrappers")
    print(f"{'wrapper':24} latency  invariants  processor [s]")
    bad = 0
    for name in options.only:
        wrap = getattr(tests, name)
        wrap = wrap if name in ("LITE", "ENABLE") else replace(wrap, buffer_words=WORDS)
        for latency in options.latency:
            with tempfile.TemporaryDirectory(prefix="kan-times-") as folder:
                start = time.process_time()
                proof = tests.proof_of(Path(folder), wrap, latency, inputs=INPUTS)
                seconds = time.process_time() - start
            kind = (
                "clock enable" if wrap.clock_enable else f"{wrap.interface} {wrap.beat_bits or ''}"
            )
            failed = "" if proof.proven else "  NOT proven"
            bad += not proof.proven
            print(
                f"{kind:24} {latency:7}  {len(proof.invariants):10}  {seconds:13.1f}{failed}",
                flush=True,
            )
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
