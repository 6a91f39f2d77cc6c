"""Second opinions on networks: their agreement with the proof, and their time.

    python benchmarks/second_opinion.py --networks 200 BUILD...

BUILD are folders that `kan-flow build` wrote. Random networks and pipelines are those of `make
fuzz`. Times are of the processor, the solver's included and Yosys's not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.built_models import built_models
from kan_dialect.flows.prove.prove import prove
from kan_dialect.flows.prove.second_opinion.opinion import Opinion, second_opinion
from kan_dialect.model.model import Model

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from fuzz.designs import compile_design
from fuzz.kinds import network_case


def compare(name: str, rtl: Path, integer: Model, circuit: Model) -> tuple[str, Opinion | None]:
    """Print one line on a design. Returns the second opinion."""
    start = time.process_time()
    try:
        proven = prove(rtl, integer, circuit, timeout=120).proven
    except KanError as error:
        print(f"{name:24} no proof: {error}")
        return "refused by the proof", None
    middle = time.process_time()
    opinion = second_opinion(rtl, integer, circuit, timeout=120)
    end = time.process_time()
    same = "agree" if proven == opinion.shown else "undecided" if opinion.is_undecided else "differ"
    if same != "agree" or not name.startswith("net"):
        print(f"{name:24} {same}, proof {middle - start:.2f} s, second {end - middle:.2f} s")
        for line in opinion.problems():
            print(f"  {line}")
    return same, opinion


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("builds", nargs="*", type=Path, metavar="BUILD")
    parser.add_argument("--networks", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    start = time.process_time()
    for folder in options.builds:
        integer, circuit = built_models(folder)
        rtl = folder / "rtl" / f"{circuit.name}.sv"
        counts[f"builds {compare(folder.name, rtl, integer, circuit)[0]}"] += 1
    for index in range(options.networks):
        network, drawn = network_case("integers", options.seed, index)
        # A head that compares outputs is refused by the second opinion.
        pipeline = [stage for stage in drawn if not stage.startswith("kan-add-head")]
        design = compile_design(network.module(), pipeline, index)
        with tempfile.TemporaryDirectory() as folder:
            rtl = Path(folder) / f"{design.interface.name}.sv"
            rtl.write_text(design.text)
            same, opinion = compare(f"net {index}", rtl, design.tables, design.circuit)
        counts[f"networks {same}"] += 1
        counts["nodes and outputs"] += 0 if opinion is None else len(opinion.verdicts)
    for what, count in sorted(counts.items()):
        print(f"{count:6} {what}")
    print(f"{time.process_time() - start:.0f} s of processor time, compiling and proofs included")


if __name__ == "__main__":
    main()
