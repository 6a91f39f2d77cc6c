"""A function that changes twice, followed by hardware that trains itself, in simulation.

    python examples/track_function.py [--plot tracking.png]

A cubic network of one edge, grid 5 on [-2, 2], 16 bits with 10 behind the point, learning rate
0.15, begins with zeros and sees 1500 samples; after 500 and 1000 of them the function is another.
The RTL is simulated in Verilator and compared with the integer model. Beside it, a perceptron of
one hidden layer learns the same samples with the same number of bits (`fixed_point_mlp.py`).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from fixed_point_mlp import FixedPointMlp

import kan_dialect as kan
from kan_dialect.files.data_sets import Dataset
from kan_dialect.flows.on_chip.learning_curve import Course, plot_training, simulate_training
from kan_dialect.ir.constants import FloatArray
from kan_dialect.model.on_chip.training_step import Step, step_of

WINDOW = 50
SAMPLES = 500
"""Of each function."""
NETWORK = Path(__file__).with_name("tracker.mlir")


def functions(x: FloatArray) -> list[FloatArray]:
    """The three functions that there are to follow."""
    return [
        np.sin(x) + 0.3 * x**2,
        -np.cos(2 * x) + 0.1 * x**3 + 1,
        np.exp(-((x - 1) ** 2) / 2) + 0.05 * x**3,
    ]


def samples(seed: int = 0) -> Dataset:
    """Uniform inputs on [-2, 2], and the functions one after another."""
    x = np.random.default_rng(seed).uniform(-2, 2, 3 * SAMPLES)
    parts = np.split(x, 3)
    y = np.concatenate([functions(part)[index] for index, part in enumerate(parts)])
    return Dataset(x[:, np.newaxis], y)


def track(dataset: Dataset) -> tuple[Step, Course]:
    """Train the RTL in simulation."""
    learner = kan.load(NETWORK).apply("kan-make-trainable{learning-rate=0.15}")
    hardware = learner.apply("lower-training-to-hw,kan-form-carry-chains")
    step = step_of(learner.module())
    with tempfile.TemporaryDirectory() as folder:
        rtl = Path(folder) / "tracker.sv"
        rtl.write_text(hardware.systemverilog())
        return step, simulate_training(rtl, step, dataset)


def windows(squared_error: FloatArray) -> FloatArray:
    """Mean squared error of the last 50 samples after 50, 100, 150, 200 and 500 of a function."""
    ends = [50, 100, 150, 200, 500]
    return np.array(
        [
            [squared_error[start + end - WINDOW : start + end].mean() for end in ends]
            for start in range(0, 3 * SAMPLES, SAMPLES)
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plot", type=Path, help="draw error and learnt function")
    options = parser.parse_args()
    dataset = samples()
    assert dataset.y is not None
    step, course = track(dataset)
    mlp = FixedPointMlp(hidden=8, bits=16, fraction=10, rate=0.05, seed=0)
    learnt = mlp.train(dataset.x[:, 0], dataset.y)
    print(f"RTL: {course.verdict.describe()}, {course.verdict.cycles} cycles")
    print("mean squared error over 50 samples, so many samples after each change")
    print("learner   function       50      100      150      200      500")
    for name, errors in (("KAN", course.squared_error), ("MLP", learnt)):
        for index, row in enumerate(windows(errors)):
            print(f"{name:8}  {index + 1:8}  " + " ".join(f"{value:8.4f}" for value in row))
    if options.plot is not None:
        plot_training(options.plot, step, course, dataset, WINDOW)


if __name__ == "__main__":
    main()
