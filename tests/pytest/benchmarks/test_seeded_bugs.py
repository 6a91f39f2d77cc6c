"""A few of the bugs that `benchmarks/seeded_bugs.py` seeds; every seed still fits the source."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from kan_dialect.flows.tools.toolchain import find_simulator, look_for
from repository import BENCHMARKS

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


@pytest.mark.ci
def test_every_seed_fits_the_source() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from seeds import SEEDS, generated, spoilt_module, training, wrappers\n"
        "others = [*wrappers.SEEDS, *training.SEEDS, *(each.seed for each in generated.SEEDS)]\n"
        "for seed in [*SEEDS, *others]:\n"
        "    compile(getattr(spoilt_module(seed), 'tree', ''), seed.name, 'exec')\n"
        "assert sum(not seed.equivalent for seed in SEEDS) >= 159\n"
    )
    subprocess.run([sys.executable, "-c", script, str(BENCHMARKS)], check=True)


def test_a_seed_without_its_place_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    edits, seeds = importlib.import_module("edits"), importlib.import_module("seeds")

    def message(function: str, old: str) -> str:
        seed = seeds.Seed("a bug", "kan-narrow", function, edits.Replace(old, "0"))
        with pytest.raises(seeds.SeedError) as failure:
            seeds.spoilt_module(seed)
        return str(failure.value)

    start = "seed 'a bug' of kan-narrow: "
    assert message("no_such_function", "x") == (
        f"{start}no_such_function: expected one module that defines it, found none"
    )
    several = message("main", "x")
    assert several.startswith(f"{start}main: expected one module that defines it, found kan_")
    assert ".kan_opt" in several and ".kan_run" in several
    assert message("fold_tables:_tables", "no_such_name").endswith(
        "fold_tables: 0 places match 'no_such_name', expected one"
    )
    assert "places match 'node_sum', expected one" in message("fold_tables:_tables", "node_sum")


@pytest.mark.ci
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
