"""Networks trained for a device, counted on each device: is one smaller where it was trained for?

    python benchmarks/trained_targets.py                                    all (hours)
    python benchmarks/trained_targets.py --data moons,drybean --seeds 2 --targets xcup,ice40

Each data set is trained for each device, as `kan-flow train --target` does, with the options of
`training.py`, fewer steps, and without teachers. Seeds and held-out samples are the same for all
devices. Up to 6 networks of each training are compiled for the first device and for their own, and
LUTs are estimated there. Those of the first device are compiled for each. With `--synth`, Yosys
counts the network that the rule of `kan-flow train` chooses of them.

Two trainings are compared on a device by the least LUTs of networks with at most some held-out
loss, interpolated on a logarithmic scale from network to network, at every loss that a network of
either has and that lies within both fronts. The ratio of a seed is the geometric mean over these.
The test set chooses nothing: it gives the accuracy of chosen networks.

Results are kept in a folder (`--folder`): a run that was stopped goes on where it was. Needs
PyTorch.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from measurements import (
    MarkdownTable,
    Measurements,
    compiler_digest,
    geometric_mean,
    print_versions,
    some_of,
)
from training import DATA_SETS, OURS

from kan_dialect.api.loading import from_ir
from kan_dialect.devices.device import device
from kan_dialect.files.data_sets import Dataset, accuracy
from kan_dialect.ir.constants import FloatArray
from kan_dialect.qat.results import chosen_by

TARGETS = ("xcup", "ecp5", "ice40")
"""The first one is what the others are compared with."""
SHORTER: Mapping[str, Mapping[str, Any]] = {
    "wine": {"steps": 800, "interval": 20},
    "drybean": {"steps": 1200, "interval": 20},
    "moons": {"steps": 1500, "interval": 20},
    "digits": {"steps": 500, "interval": 20, "folds": 1, "first_price": 1e-3},
    "mnist": {"steps": 2500, "interval": 100, "hidden": (200,)},
}
"""Options in place of those of `training.py`."""
TEACHING = ("teacher", "teacher_weight", "teacher_temperature", "seeds")
"""Options of `training.py` that are left out."""
NETWORKS = 6
"""Most networks of a training that are compiled for each device."""


@dataclass(frozen=True)
class Counted:
    """A network."""

    luts: int
    """On the device that it was trained for, estimated."""
    risk: float
    """Loss on held-out samples."""
    risk_error: float
    counts: Mapping[str, int]
    """LUTs by device, estimated."""
    accuracy: float
    """On the test set."""
    rtl: Mapping[str, str]
    """By device."""


@dataclass(frozen=True)
class Front:
    """The networks of a training, and the one that the rule of `kan-flow train` chooses."""

    networks: Sequence[Counted]
    chosen: Counted
    synthesised: Mapping[str, int]
    """LUTs of the chosen network by Yosys, by device; empty without `--synth`."""

    def luts(self, losses: FloatArray, target: str) -> FloatArray:
        """The least LUTs on a device at each of some losses within the front."""
        networks = sorted(self.networks, key=lambda each: each.risk)
        least = np.minimum.accumulate([max(each.counts[target], 1) for each in networks])
        return np.exp(np.interp(losses, [each.risk for each in networks], np.log(least)))


class Bench:
    """Trains for devices and counts on devices."""

    def __init__(self, measured: Measurements, targets: Sequence[str], *, synth: bool) -> None:
        self._measured, self._targets, self._synth = measured, targets, synth

    def front(self, name: str, target: str, seed: int) -> Front:
        """A training for a device.

        Raises
        ------
        KanError : the data set is missing.
        """
        first = self._targets[0]
        counted = self._targets if target == first else (first, target)
        options = {k: v for k, v in OURS[name][0].items() if k not in TEACHING}
        options |= {**SHORTER[name], "target": target, "seed": seed, "name": "network"}
        parts = (compiler_digest(), name, options, counted)
        kept = self._measured.kept("trained", parts, lambda: _train(name, options, counted))
        networks = [Counted(**each) for each in kept]
        chosen = chosen_by(networks, None)
        assert chosen is not None
        synthesised = {
            each: self._measured.cells(rtl, "network", device(each))["luts"]
            for each, rtl in chosen.rtl.items()
            if self._synth
        }
        return Front(networks, chosen, synthesised)


def _train(name: str, given: Mapping[str, Any], targets: Sequence[str]) -> list[dict[str, Any]]:
    """Fields of `Counted` of the networks of a training."""
    from kan_dialect.qat.judge import Judge
    from kan_dialect.qat.options import Schedule, TrainingOptions
    from kan_dialect.qat.table import Table
    from kan_dialect.qat.training import Training

    names = {field.name for field in fields(Schedule)}
    schedule = Schedule(**{key: value for key, value in given.items() if key in names})
    others = {key: value for key, value in given.items() if key not in names}
    options = TrainingOptions(**others, schedule=schedule)
    samples = DATA_SETS[name].read()
    assert samples.x_test is not None and samples.y_test is not None
    training = Training(Table(Dataset(samples.x, samples.y)), options, name)
    for run in map(training.run, range(training.count)):
        while not run.is_done:
            run.advance()
    every = training.candidates(Judge(training.objective.classes), "")
    picked = np.linspace(0, len(every) - 1, NETWORKS).round().astype(int)
    found: list[dict[str, Any]] = []
    for candidate, module in (every[index] for index in np.unique(picked).tolist()):
        network = from_ir(str(module))
        compiled = {each: network.compile(target=each, combinational=True) for each in targets}
        counts = {each: made.estimate(each).luts for each, made in compiled.items()}
        found.append(
            {
                "luts": counts[options.target],
                "risk": candidate.held_out.risk,
                "risk_error": candidate.held_out.risk_error,
                "counts": counts,
                "accuracy": accuracy(network.run(samples.x_test), samples.y_test),
                "rtl": {each: made.systemverilog() for each, made in compiled.items()},
            }
        )
    return found


def ratio(one: Front, other: Front, target: str) -> float:
    """LUTs on a device of one front over those of another, at equal held-out losses; NaN where the
    fronts have no losses in common.
    """
    risks = [np.array([each.risk for each in front.networks]) for front in (one, other)]
    levels = np.unique(np.concatenate(risks))
    low, high = max(each.min() for each in risks), min(each.max() for each in risks)
    levels = levels[(levels >= low) & (levels <= high)]
    ratios: list[float] = (one.luts(levels, target) / other.luts(levels, target)).tolist()
    return geometric_mean(ratios)


def spread(found: Sequence[float]) -> str:
    """The median of numbers, with the least and the largest one; NaN is left out."""
    values = [value for value in found if not math.isnan(value)]
    if len(values) < 2:
        return "".join(f"{value:.2f}" for value in values)
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def show(name: str, fronts: Mapping[tuple[str, int], Front], targets: Sequence[str]) -> None:
    """Print the tables of a data set."""
    seeds = sorted({seed for _, seed in fronts})
    first, *others = targets
    print(f"\n### {name}, {len(seeds)} seeds\n\nRatio of LUTs to those of training for {first}\n")
    table = MarkdownTable("trained for", f"on {first}", "there")
    for own in others:
        pairs = [(fronts[own, seed], fronts[first, seed]) for seed in seeds]
        table.add(own, *(spread([ratio(*pair, on) for pair in pairs]) for on in (first, own)))
    print("\nChosen networks: median LUTs, by Yosys in brackets; test accuracy\n")
    table = MarkdownTable("trained for", *(f"on {each}" for each in targets), "test")
    for own in targets:
        of_seeds = [fronts[own, seed] for seed in seeds]
        cells: list[str] = []
        for on in targets:
            counts = [each.chosen.counts[on] for each in of_seeds if on in each.chosen.counts]
            cell = f"{statistics.median(counts):g}" if counts else ""
            by_yosys = [each.synthesised[on] for each in of_seeds if on in each.synthesised]
            cells.append(cell + (f" ({statistics.median(by_yosys):g})" if by_yosys else ""))
        tested = statistics.median(each.chosen.accuracy for each in of_seeds)
        table.add(own, *cells, f"{tested:.4f}")


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=some_of(DATA_SETS), default=list(DATA_SETS))
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--targets", type=some_of(TARGETS), default=list(TARGETS))
    parser.add_argument("--synth", action="store_true", help="count chosen networks by Yosys")
    parser.add_argument("--folder", type=Path, default=Path("build/trained_targets"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    print_versions(tools=["yosys"], packages=["torch"])
    bench = Bench(Measurements(options.folder), options.targets, synth=options.synth)
    for name in options.data:
        fronts = {
            (target, seed): bench.front(name, target, seed)
            for seed in range(options.seeds)
            for target in options.targets
        }
        show(name, fronts, options.targets)


if __name__ == "__main__":
    main()
