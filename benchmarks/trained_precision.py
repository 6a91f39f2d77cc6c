"""Bits of inputs and activations, trained at each point.

    python benchmarks/trained_precision.py [--data drybean] [--seeds 2] [--picture FILE.png]

Each point is a training of its own. It limits the bits that an edge reads of an input or of a
hidden node. Within these limits, bits are learned while the price of a LUT rises. Accuracy is that
of held-out samples: no test set is read. LUTs are estimates for xcup.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from measurements import print_versions, some_of
from training import DATA_SETS, best_so_far

from kan_dialect import train
from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.qat.options import Schedule, TrainingOptions

INPUT_BITS = (2, 3, 4, 6)
ACTIVATION_BITS = (1, 2, 3, 4)
HIDDEN: Mapping[str, tuple[int, ...]] = {"drybean": (3,), "digits": (8,), "moons": (2,)}
LIMITS: Mapping[str, tuple[int, ...]] = {
    "drybean": (250, 215, 180),
    "digits": (600, 400, 300, 200),
    "moons": (40, 30, 20),
}
"""LUTs that networks of a column of the table have at most."""
SCHEDULE = Schedule(steps=1500, first_price=1e-4, last_price=3e-3)


@dataclass(frozen=True)
class Cell:
    """The networks of one training."""

    input_bits: int
    activation_bits: int
    seed: int
    points: tuple[tuple[int, float], ...]
    """LUTs and held-out accuracy."""

    def best(self, luts: float) -> float:
        """The highest accuracy of the networks with at most `luts` LUTs; 0 without one."""
        return max((score for cost, score in self.points if cost <= luts), default=0.0)


def options_of(name: str, input_bits: int, activation_bits: int, seed: int) -> TrainingOptions:
    """Options of a training: one network, a quarter of the samples held out."""
    return TrainingOptions(
        hidden=HIDDEN[name],
        input_bits=input_bits,
        hidden_bits=activation_bits,
        folds=1,
        seed=seed,
        schedule=SCHEDULE,
        name=name,
    )


def samples_of(name: str) -> Dataset:
    """Without the test set."""
    whole = load_dataset(DATA_SETS[name].file)
    return Dataset(whole.x, whole.y)


def grid(name: str, seeds: Sequence[int], steps: int) -> list[Cell]:
    """A training for each number of input and activation bits, and each seed."""
    found: list[Cell] = []
    for seed in seeds:
        for activation_bits in ACTIVATION_BITS:
            for input_bits in INPUT_BITS:
                options = options_of(name, input_bits, activation_bits, seed)
                options = replace(options, schedule=replace(SCHEDULE, steps=steps))
                front = train(samples_of(name), options).front
                points = tuple((point.luts, point.score) for point in front)
                found.append(Cell(input_bits, activation_bits, seed, points))
                print(found[-1], file=sys.stderr, flush=True)
    return found


def grid_table(name: str, cells: Sequence[Cell]) -> str:
    """Accuracy at each point, the mean of the seeds: of any size, and with few LUTs."""
    columns = (np.inf, *LIMITS[name])
    heads = [
        "activation bits",
        "input bits",
        "any size",
        *(f"≤ {each} LUTs" for each in columns[1:]),
    ]
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for activation_bits in ACTIVATION_BITS:
        first = str(activation_bits)
        for input_bits in INPUT_BITS:
            key = (input_bits, activation_bits)
            members = [c for c in cells if (c.input_bits, c.activation_bits) == key]
            if not members:
                continue
            row = [first, str(input_bits)]
            for limit in columns:
                scores = [each.best(limit) for each in members]
                row.append(f"{np.mean(scores):.4f}" if min(scores) else "–")
            lines.append("| " + " | ".join(row) + " |")
            first = ""
    return "\n".join(lines) + "\n"


def draw(cells: Mapping[str, Sequence[Cell]], path: Path) -> None:
    """Fronts of held-out accuracy over LUTs, by activation bits and by input bits."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    size = (8, 3.4 * len(cells))
    figure, rows = plt.subplots(len(cells), 2, figsize=size, squeeze=False, sharey="row")
    for panels, (name, members) in zip(rows, cells.items(), strict=True):
        for panel, what in zip(panels, ("activation_bits", "input_bits"), strict=True):
            for index, bits in enumerate(sorted({getattr(each, what) for each in members})):
                own = [each for each in members if getattr(each, what) == bits]
                luts, scores = best_so_far(point for each in own for point in each.points)
                panel.step(luts, scores, where="post", color=f"C{index}", label=f"{bits}")
            title = what.replace("_", " ")
            panel.set(title=f"{name}, {title}", xscale="log", xlabel="LUTs")
            low, high = panel.get_ylim()
            panel.set_ylim(max(low, high - 0.12), high)
            panel.grid(alpha=0.3)
            panel.legend(title=title, fontsize=8, loc="lower right")
        panels[0].set_ylabel("held-out accuracy")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=some_of(HIDDEN), default=["drybean"], help="some of " + ", ".join(HIDDEN)
    )
    parser.add_argument("--seeds", type=int, default=2, help="number of seeds")
    parser.add_argument("--steps", type=int, default=SCHEDULE.steps, help="of each training")
    parser.add_argument("--picture", type=Path, metavar="FILE.png")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print_versions(packages=["torch"])
    found = {name: grid(name, range(options.seeds), options.steps) for name in options.data}
    for name, cells in found.items():
        print(f"### {name}\n\n{grid_table(name, cells)}")
    if options.picture:
        draw(found, options.picture)


if __name__ == "__main__":
    main()
