"""A few of the bugs that `benchmarks/seeded_bugs.py` seeds; and that every seed still fits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kan_dialect.flows.tools.toolchain import find_simulator, look_for

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
SLICE = {
    "merged affines: the inner bias": {"check-passes"},
    "scales are four times too coarse": {"check-passes"},
    "a bias rounds down": {"check-passes"},
    "tables round down": {"check-passes"},
    "tables are cut one code too late": {"check-passes"},
    "a clamp one too narrow": {"check-passes", "simulation", "proof"},
    "one summand twice": {"check-passes"},
    "results come a cycle early": {"check-passes"},
    "reset clears no valid bit": {"simulation", "proof"},
    "rounding overflows": {"check-passes", "simulation", "proof"},
    "ports in the wrong order": {"proof"},
    "vectors start at their highest bit": {"simulation", "proof"},
}


def test_every_seed_fits_the_source() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from seeded_bugs import spoilt_source\nfrom seeds import SEEDS\n"
        "for seed in SEEDS: compile(spoilt_source(seed), seed.module, 'exec')\n"
        "assert sum(not seed.equivalent for seed in SEEDS) >= 60\n"
    )
    subprocess.run([sys.executable, "-c", script, str(BENCHMARKS)], check=True)


@pytest.mark.skipif(
    not (find_simulator("verilator") and look_for("yosys")),
    reason="Verilator or Yosys is not installed",
)
def test_seeded_bugs_are_found(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "seeded_bugs.py"), "--jobs", "1"]
    command += ["--networks", "wires,negative,odd", "--json", str(tmp_path / "found.json")]
    for word in SLICE:
        command += ["--only", word]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for verdict in json.loads((tmp_path / "found.json").read_text()):
        name = verdict["seed"]["name"]
        wanted = next(checks for word, checks in SLICE.items() if word in name)
        assert wanted <= verdict["found"].keys(), (name, verdict["found"])
