"""How many shapes a layer needs: accuracy and bits of memory over the number of shapes.

    python benchmarks/folded_shapes.py                                all data sets (hours)
    python benchmarks/folded_shapes.py --data wine,friedman --seeds 2 --interval 16

Each network is trained with functions of its own for each edge, and with N shapes of each layer, as
`kan-flow train --shapes N` does, without a price of LUTs: an edge is ±1, 1/2, 1/4 or 1/8 of a
shape, or nothing. For `fitted`, `kan-shape-tables` makes the tables of the network with functions
of its own multiples of N, without further training. The test set chooses no
network. It gives the scores: accuracy, or explained variance of numbers, of the integers.

Bits are those of memories. With functions of their own, edges have a table each. With shapes, a
layer has the tables of its shapes, and each edge a choice of shape, sign and shift. Entries have
the bits of a table's range, and a table has an entry for each code that its edges tell apart.

With `--interval`, the last network of each row is compiled for ecp5-85, and its LUTs and block RAMs
are estimated.

Data sets are those of `training.py`, and Friedman's first function of ten inputs (Annals of
Statistics 19, 1991, section 4.3). Needs PyTorch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import TYPE_CHECKING, Any

import numpy as np
from measurements import MarkdownTable, print_versions, some_of
from training import DATA_SETS

from kan_dialect import Network
from kan_dialect.api.loading import from_ir
from kan_dialect.files.data_sets import (
    Dataset,
    Errors,
    accuracy,
    dataset_of,
    load_arrays,
    load_dataset,
)
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.passes.shape_tables import ShapeTablesPass
from kan_dialect.qat.judge import Judge
from kan_dialect.qat.options import Schedule, TrainingOptions
from kan_dialect.qat.table import Table
from kan_dialect.search.fits.shape_tables import SHIFTS
from kan_dialect.search.shared_shapes import shapes_of

if TYPE_CHECKING:
    pass

TARGET = "ecp5-85"
NO_PRICE = 1e-9
"""Of a LUT, where the price is that of memories."""
LAST_RATE = 0.02
"""Part of the learning rate that is left at the end: choices of edges settle."""
MULTIPLES = 2 * (SHIFTS + 1)
"""Of a shape: signs and shifts."""


@dataclass(frozen=True)
class Case:
    """Samples, and the training of a network."""

    read: Callable[[], Dataset]
    options: TrainingOptions

    def train(self, shapes: int | None, seed: int) -> Trained:
        """The network of a training that has the least loss on held-out samples."""
        from kan_dialect.qat.training import Training

        options = replace(self.options, shapes=shapes, seed=seed)
        training = Training(Table(self.read()), options, "data")
        run = training.run(0)
        while not run.is_done:
            run.advance()
        (_, module), *_ = training.candidates(Judge(training.objective.classes), "")
        return Trained(from_ir(module))


@dataclass(frozen=True)
class Trained:
    """A trained network."""

    network: Network

    def score(self, network: Network, samples: Dataset) -> float:
        """Accuracy of a network on the test set; of numbers, the explained variance."""
        assert samples.x_test is not None and samples.y_test is not None
        outputs = network.run(samples.x_test)
        share = accuracy(outputs, samples.y_test)
        if share is None:
            share = Errors.of(outputs, samples.y_test.reshape(outputs.shape)).r2
        assert share is not None
        return share


def friedman() -> Dataset:
    """10 sin(π x0 x1) + 20 (x2 - 1/2)² + 10 x3 + 5 x4 + noise, of ten inputs in 0 .. 1."""

    def samples(seed: int) -> tuple[FloatArray, FloatArray]:
        rng = np.random.default_rng(seed)
        x = rng.uniform(size=(2000, 10))
        clean = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
        return x, clean + 10 * x[:, 3] + 5 * x[:, 4] + rng.normal(size=len(x))

    return Dataset(*samples(0), *samples(1))


def mnist() -> Dataset:
    """Gray pixels."""
    arrays = dict(load_arrays(DATA_SETS["mnist"].file))
    for name in ("x_train", "x_test"):
        arrays[name] = arrays[name].reshape(len(arrays[name]), -1)
    return dataset_of(arrays, "mnist")


def case(
    read: Callable[[], Dataset], hidden: int, bits: tuple[int, int], steps: int, **given: Any
) -> Case:
    """A case.

    Parameters
    ----------
    bits : of inputs and of hidden nodes.
    given : further options of training.
    """
    batch = given.pop("batch", 512)
    schedule = Schedule(
        steps=steps,
        batch=batch,
        interval=100,
        last_rate=LAST_RATE,
        first_price=NO_PRICE,
        last_price=2 * NO_PRICE,
    )
    input_bits, hidden_bits = bits
    fixed = {"input_bits": input_bits, "hidden_bits": hidden_bits, "validation": 0.15, "folds": 1}
    return Case(read, TrainingOptions(hidden=(hidden,), schedule=schedule, **fixed, **given))


CASES: Mapping[str, Case] = {
    "wine": case(lambda: load_dataset(DATA_SETS["wine"].file), 4, (5, 5), 400, input_noise=0.06),
    "friedman": case(friedman, 6, (5, 6), 500),
    "drybean": case(lambda: load_dataset(DATA_SETS["drybean"].file), 6, (6, 5), 500),
    "digits": case(
        lambda: load_dataset(DATA_SETS["digits"].file), 16, (3, 5), 400, input_noise=0.1
    ),
    "mnist": case(mnist, 128, (2, 4), 600, batch=256),
}


def most_shapes(network: Network) -> int:
    """The most shapes that a layer of a network has."""
    return max(len(shapes_of(layer.tables[layer.mask])) for layer in network.layers)


def bits_of(network: Network, *, shaped: bool) -> int:
    """Bits of memory of a network at table level."""
    total = 0
    for layer in network.layers:
        tables = distinct_codes(layer.tables)
        if not shaped:
            total += table_bits(tables[layer.mask])
            continue
        shapes = shapes_of(tables[layer.mask])
        choices = ceil(log2(1 + MULTIPLES * len(shapes)))
        total += table_bits(shapes) + choices * layer.mask.size
    return total


def table_bits(tables: IntArray) -> int:
    """Bits of tables (n, codes), each with entries from 0 to its range."""
    ranges = np.ptp(tables, axis=1)
    return sum(tables.shape[1] * int(each).bit_length() for each in ranges.tolist())


def distinct_codes(tables: IntArray) -> IntArray:
    """Tables (nodes, inputs, codes) without the lower bits of codes that no edge reads."""
    while tables.shape[2] > 1 and (tables[..., ::2] == tables[..., 1::2]).all():
        tables = tables[..., ::2]
    return tables


def mean_and_error(values: Sequence[float]) -> str:
    """The mean of some values with its standard error."""
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1) / len(values) ** 0.5:.4f}"


def measure(name: str, counts: Sequence[int | None], seeds: int, interval: int | None) -> None:
    """Print the table of a data set."""
    chosen = CASES[name]
    samples = chosen.read()
    hardware = () if interval is None else ("LUTs", "block RAMs")
    print(f"\n### {name}\n")
    table = MarkdownTable(
        *("shapes", "trained", "fitted", "shapes used", "table bits", "bits with shapes", "s"),
        *hardware,
    )
    own: list[Trained] = []
    for count in counts:
        start = time.monotonic()
        trained = [chosen.train(count, seed) for seed in range(seeds)]
        seconds = (time.monotonic() - start) / seeds
        scores = [each.score(each.network, samples) for each in trained]
        own = own or trained
        row: list[object] = ["own" if count is None else count, mean_and_error(scores)]
        networks = [each.network for each in trained]
        bits = f"{np.mean([bits_of(each.network, shaped=False) for each in own]):.0f}"
        if count is None:
            row += ["", "", bits, ""]
        else:
            shaped = ShapeTablesPass(shapes=count)
            fitted = [each.score(each.network.apply(shaped), samples) for each in own]
            used = max(most_shapes(each) for each in networks)
            packed = f"{np.mean([bits_of(each, shaped=True) for each in networks]):.0f}"
            row += [mean_and_error(fitted), used, bits, packed]
        row.append(f"{seconds:.0f}")
        if interval is not None:
            found = networks[-1].compile(interval=interval, target=TARGET).estimate(TARGET)
            row += [found.luts, found.block_rams]
        table.add(*row)


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=some_of(CASES), default=list(CASES))
    parser.add_argument("--shapes", default="8,4,2,1", help="numbers of shapes")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--interval", type=int, help=f"cycles from a sample to the next, {TARGET}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print_versions(packages=["torch"])
    counts = [None, *(int(count) for count in options.shapes.split(","))]
    for name in options.data:
        measure(name, counts, options.seeds, options.interval)


if __name__ == "__main__":
    main()
