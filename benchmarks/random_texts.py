"""SystemVerilog of random networks, for a comparison of two source trees byte for byte.

    python benchmarks/random_texts.py out/before          in one tree
    python benchmarks/random_texts.py out/after           in the other one
    python benchmarks/emitted_text.py out/after --compare out/before

Each network is compiled with every one of `OPTIONS`. Widths, bits and coefficients are random; the
same number gives the same network in every tree.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from compile_speed import random_network

from kan_dialect.frontends.loading import make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog

OPTIONS = {
    "default": CompilePass,
    "fast": lambda **given: CompilePass(fast=True, **given),
    "cycles2": lambda **given: CompilePass(cycles=2, **given),
    "ecp5": lambda **given: CompilePass(target="ecp5", **given),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where the text goes")
    parser.add_argument("--networks", type=int, default=200)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for number in range(arguments.networks):
        rng = np.random.default_rng(number)
        widths = rng.integers(1, 7, rng.integers(2, 5)).tolist()
        bits, guard = int(rng.integers(3, 9)), int(rng.integers(0, 4))
        for name, passes in OPTIONS.items():
            module = random_network(widths, number)
            passes(bits=bits, guard_bits=guard).apply(make_context(), module)
            (arguments.folder / f"random{number}_{name}.sv").write_text(emit_systemverilog(module))
    print(f"{arguments.networks} networks in {arguments.folder}")


if __name__ == "__main__":
    main()
