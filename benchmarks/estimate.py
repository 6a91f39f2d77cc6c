"""Error of the estimate of whole designs against synthesis.

    python benchmarks/estimate.py                               all families (hours)
    python benchmarks/estimate.py --targets ecp5 --seed 7       one, of other trained networks
    python benchmarks/estimate.py --without trained             without training
    python benchmarks/estimate.py --targets gowin --clocks      clocks too, by nextpnr

Designs are networks of the benchmark set at 4 to 10 bits, published networks of KANELÉ and HGQ-LUT,
and networks that `kan_dialect.train` makes of wine, moons and digits for each of three targets,
which needs PyTorch; some have a head, and some a wrapper. No figure of the estimate was
fitted to them. Each is built for the target, and synthesised by Yosys. Results are in
`benchmarks/results/estimate.md`. Designs are kept in a folder (`--folder`): a run that was stopped
goes on where it was.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measurements import (
    DATA,
    EXAMPLES,
    PUBLISHED,
    MarkdownTable,
    Measurements,
    compiler_digest,
    print_versions,
    some_of,
    tables_of,
)

import kan_dialect
from kan_dialect import Network
from kan_dialect.devices.device import FAMILIES, device
from kan_dialect.flows.benchmark_set.folder import write
from kan_dialect.flows.benchmark_set.networks import chosen
from kan_dialect.flows.tools.synthesis import yosys_of

SPLINES = {
    "wine": 4, "cubic": 5, "affines": 6, "radial": 6, "kinks": 6, "wide": 6, "chebyshev": 7,
    "symbolic": 8, "pruned": 10,
}  # fmt: skip
"""Networks of the benchmark set, with their bits."""
INTEGERS = ("binary", "mixed", "random", "alike", "kanele", "wires", "smooth")
WRAPPED = {"wine": "axi-stream", "kanele": "ready-valid", "binary": "axi-lite"}
TRAINERS = ("openml_0_743", "cernbox_0_737")
TRAININGS = {
    "wine": {"input_bits": 5, "hidden": (4,)},
    "moons": {"input_bits": 6, "hidden": (3,)},
    "digits": {"input_bits": 2, "functions": "table"},
}
STEPS = 1500
"""Of a training."""
SHARES = (0.25, 0.5, 0.75)
"""Places on the front of a training, from the largest network on."""
KINDS = ("set", "heads", "wrappers", "published", "trained")


@dataclass(frozen=True)
class Design:
    kind: str
    name: str
    network: Callable[[], Network]
    options: dict[str, Any] = field(default_factory=dict[str, Any])


def designs(folder: Path, seed: int, kinds: Sequence[str]) -> Iterator[Design]:
    """All designs of some kinds; the trained ones are trained here."""
    of_set = {each.name: each for each in chosen([*SPLINES, *INTEGERS])}
    write(list(of_set.values()), folder / "set", force=True)

    def network(name: str) -> Callable[[], Network]:
        files, data = folder / "set", of_set[name].data
        samples = files / data if data and (files / data).exists() else None
        return partial(kan_dialect.load, files / of_set[name].model, data=samples, name=name)

    for name, bits in SPLINES.items():
        yield Design("set", name, network(name), {"bits": bits, "cycles": 2})
    for name in INTEGERS:
        yield Design("set", name, network(name), {"cycles": 2})
    for name in ("wine", "kanele"):
        head = {"head": "argmax", "cycles": 2} | ({"bits": 4} if name in SPLINES else {})
        yield Design("heads", name, network(name), head)
    for name, interface in WRAPPED.items():
        bits = {"bits": 4} if name in SPLINES else {}
        yield Design("wrappers", name, network(name), {**bits, "interface": interface})
    if DATA.is_dir():
        for name in PUBLISHED:
            load = partial(kan_dialect.load, tables_of(name), table_overflow="saturate")
            yield Design("published", name, load, {"cycles": 2})
        for name in TRAINERS:
            load = partial(kan_dialect.load, DATA / "hgq_lut" / name / "one_table.mlir")
            yield Design("published", name, load, {"cycles": 3})
    if "trained" in kinds:
        yield from trained(folder, seed)


def trained(folder: Path, seed: int) -> Iterator[Design]:
    """Networks of trainings for three targets, with and without a head."""
    files = {"wine": EXAMPLES / "wine.npz", "digits": EXAMPLES / "digits.npz"}
    files["moons"] = DATA / "kanele" / "moons" / "dataset.npz"
    targets = ("xcup", "ecp5", "ice40")
    for place, (name, options) in enumerate(TRAININGS.items()):
        if not files[name].exists():
            continue
        target = targets[(place + seed) % len(targets)]
        found = kan_dialect.train(
            files[name],
            folder=folder / f"{name}_{target}_{seed}",
            steps=STEPS,
            seed=seed,
            target=target,
            **options,
        )
        for share in SHARES:
            point = found.front[int(share * (len(found.front) - 1))]
            load = partial(kan_dialect.from_ir, point.network.text())
            yield Design("trained", f"{name} for {target}, {share:g}", load, {"cycles": 2})
        if len(found.network.outputs) == 1:
            continue  # a decision of two classes is a bit already
        load = partial(kan_dialect.from_ir, found.network.text())
        argmax = {"cycles": 2, "head": "argmax"}
        yield Design("trained", f"{name} for {target}, argmax", load, argmax)


def measure(
    design: Design, target: str, measured: Measurements, *, clocks: bool
) -> dict[str, float]:
    """LUTs and registers of a design, estimated and by Yosys; with `clocks`, MHz by nextpnr too."""
    given = design.network()
    parts = (
        compiler_digest(),
        given.text(),
        target,
        design.options,
        clocks,
        yosys_of(device(target)).command,
    )

    def compute() -> dict[str, float]:
        quick: dict[str, Any] = {"simulator": "none", "check_passes": False, "certificate": "never"}
        with tempfile.TemporaryDirectory() as folder:
            built = given.build(Path(folder) / "net", target=target, **quick, **design.options)
            cells = built.synthesize(target).cells
            found = built.report["estimate"]
            mhz: dict[str, float] = {}
            if clocks:
                placed = built.place_and_route(target, seeds=1).summary()
                mhz["MHz"] = round(placed["fmax_with_inputs_mhz"], 1)
                mhz["estimated MHz"] = round(1000 / found["delay_ns"], 1)
        return {
            "luts": cells.luts,
            "estimated luts": found["luts"],
            "registers": cells.registers,
            "estimated registers": found["registers"],
            **mhz,
        }

    return measured.kept("estimate", parts, compute)


def show(rows: Sequence[tuple[str, str, dict[str, float]]]) -> None:
    """Median and 90th percentile of the size of errors, by target and by kind.

    Parameters
    ----------
    rows : target, kind and figures of each design.
    """
    table = MarkdownTable(
        "target", "kind", "designs", "LUTs: median", "90th percentile", "mean",
        "registers: median", "90th percentile",
    )  # fmt: skip
    for target in dict.fromkeys(row[0] for row in rows):
        for kind in ("all", *KINDS):
            some = [row[2] for row in rows if row[0] == target and kind in ("all", row[1])]
            if not some:
                continue
            errors = {
                name: np.array(
                    [each[f"estimated {name}"] / max(each[name], 1) - 1 for each in some]
                )
                for name in ("luts", "registers")
            }
            luts, registers = (np.percentile(np.abs(errors[name]), (50, 90)) for name in errors)
            cells = [*luts, errors["luts"].mean(), *registers]
            signed = [
                f"{each:+.1%}" if place == 2 else f"{each:.1%}" for place, each in enumerate(cells)
            ]
            table.add(target, kind, len(some), *signed)


def main() -> None:
    parser = argparse.ArgumentParser(description="How far the estimate is from synthesis.")
    names = [family.name for family in FAMILIES]
    parser.add_argument(
        "--targets", type=some_of(names), default=names, help="some of " + ", ".join(names)
    )
    parser.add_argument("--seed", type=int, default=1, help="of the trainings (default: 1)")
    parser.add_argument(
        "--without", type=some_of(KINDS), default=[], help="kinds of designs to leave out"
    )
    parser.add_argument(
        "--clocks", action="store_true", help="place and route each design by nextpnr"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("build/estimate"), help="results that are kept"
    )
    options = parser.parse_args()
    print_versions(tools=["yosys"])
    kinds = [kind for kind in KINDS if kind not in options.without]
    measured, rows = Measurements(options.folder), list[tuple[str, str, dict[str, float]]]()
    some = [each for each in designs(options.folder, options.seed, kinds) if each.kind in kinds]
    clocks = ("MHz", "estimated") if options.clocks else ()
    columns = ("LUTs", "estimated", "registers", "estimated", *clocks)
    lines = MarkdownTable("target", "kind", "design", *columns)
    for target in options.targets:
        for design in some:
            figures = measure(design, target, measured, clocks=options.clocks)
            rows.append((target, design.kind, figures))
            lines.add(target, design.kind, design.name, *figures.values())
    print()
    show(rows)


if __name__ == "__main__":
    main()
