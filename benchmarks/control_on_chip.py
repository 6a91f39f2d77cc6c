"""CartPole learned in closed loop by hardware that trains itself, simulated in Verilator.

    pip install gymnasium
    python benchmarks/control_on_chip.py [--seeds 5] [--episodes 1500] [--picture PICTURE]

A cubic network of one layer, grid 5, has an output for the policy and one for the value of the
state (advantage actor-critic: Mnih et al., arXiv 1602.01783). The task, the algorithm and the grid
are those of the cart-pole demo of ECLAIR (arXiv 2602.02056). The host computes returns and feeds
the errors; the circuit evaluates and trains. The integer model repeats all samples of the first
seed and must give the same outputs and coefficients.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import gymnasium
import numpy as np
from measurements import MarkdownTable, print_versions, some_of
from training_cost import COLUMNS, ROUTED, measure, network

import kan_dialect as kan
from kan_dialect.flows.on_chip.simulation import TrainingCircuit, open_circuit
from kan_dialect.ir.constants import Array, BoolArray, FloatArray
from kan_dialect.model.on_chip.training_step import Step, run_steps, step_of

SIZES, CELLS = [4, 2], 5
RATE = 2**-6
STATE_SCALE = np.array([1.2, 1.5, 0.105, 1.5])
"""What is 1 at the inputs, whose grid is [-2, 2]: m, m/s, rad, rad/s."""
BATCH = 512
"""Steps between two trainings."""
DISCOUNT = 0.99
VALUE_SCALE = 1 / 16
"""Value output of a return of 1, so that returns up to 100 fit the numbers."""
CRITIC_RATE = 1 / 16
"""Rate of the value beside that of the policy."""
SOLVED = (195.0, 475.0)
"""Mean length of 100 episodes at which CartPole-v0 and CartPole-v1 count as solved."""
WINDOW = 100
PARTS = ("hardware", "learning")


class Learner(Protocol):
    """What evaluates and trains samples, one after another."""

    def run(self, inputs: Array, targets: Array, train: BoolArray, /) -> Array:
        """Outputs (samples, 2) before the update, of inputs (samples, 4) and errors (samples, 2);
        `train` is (samples)."""
        ...


@dataclass
class Model:
    """The step itself: fixed-point or real-valued."""

    step: Step
    states: list[Array]

    def run(self, inputs: Array, targets: Array, train: BoolArray, /) -> Array:
        run = run_steps(self.step, inputs, targets, train, self.states)
        self.states = run.states
        return run.outputs


@dataclass
class Recorder:
    """A circuit that notes all samples: inputs, errors, whether they train, and outputs."""

    circuit: TrainingCircuit
    seen: list[tuple[Array, Array, BoolArray, Array]] = field(
        default_factory=list[tuple[Array, Array, BoolArray, Array]]
    )

    def run(self, inputs: Array, targets: Array, train: BoolArray, /) -> Array:
        outputs = self.circuit.run(inputs, targets, train)
        self.seen.append((inputs, targets, train, outputs))
        return outputs

    def repeats(self, step: Step) -> bool:
        """Whether the integer model gives the same outputs and coefficients."""
        inputs, targets, train, outputs = map(np.concatenate, zip(*self.seen, strict=True))
        model = run_steps(step, inputs, targets, train)
        return np.array_equal(model.outputs, outputs) and all(
            map(np.array_equal, model.states, self.circuit.read())
        )


@dataclass
class Agent:
    """Actor and critic in one network: the outputs are a logit of the policy and a value."""

    step: Step
    learner: Learner
    rng: np.random.Generator

    def outputs(self, observation: FloatArray) -> tuple[Array, FloatArray]:
        """Input codes (1, 4), and the outputs (2) as real numbers."""
        inputs = self.step.encode(observation[np.newaxis] / STATE_SCALE)
        nothing = self.step.encode_targets(np.zeros((1, 2)))
        outputs = self.learner.run(inputs, nothing, np.zeros(1, dtype=np.bool_))
        return inputs, self.step.decode(outputs)[0]

    def learn(self, seed: int, episodes: int) -> list[int]:
        """Lengths of episodes until the last 100 are `SOLVED` in the mean, or there are enough."""
        environment = gymnasium.make("CartPole-v1")
        observation, _ = environment.reset(seed=seed)
        lengths: list[int] = []
        length = 0
        while len(lengths) < episodes and _moving(lengths)[-1] < SOLVED[-1]:
            inputs: list[Array] = []
            outputs, odds = np.empty((BATCH, 2)), np.empty(BATCH)
            tails = np.full(BATCH, np.nan)
            for index in range(BATCH):
                codes, outputs[index] = self.outputs(observation)
                chance = 1 / (1 + np.exp(-outputs[index, 0]))
                action = int(self.rng.random() < chance)
                odds[index] = action - chance
                inputs.append(codes)
                observation, _, fallen, late, _ = environment.step(action)
                length += 1
                if fallen or late:
                    tails[index] = 0.0 if fallen else self.outputs(observation)[1][1]
                    lengths.append(length)
                    observation, _ = environment.reset()
                    length = 0
            if np.isnan(tails[-1]):
                tails[-1] = self.outputs(observation)[1][1]
            gains = returns_of(VALUE_SCALE, tails)
            advantages = gains - outputs[:, 1]
            errors = np.stack(
                [odds * (advantages - advantages.mean()) / advantages.std(),
                 CRITIC_RATE * advantages], axis=1,
            )  # fmt: skip
            every = np.ones(BATCH, dtype=np.bool_)
            self.learner.run(np.concatenate(inputs), self.step.encode_targets(errors), every)
        return lengths


def _moving(lengths: Sequence[int]) -> FloatArray:
    """Mean length of the last 100 episodes, after each; 0 where there are fewer."""
    if len(lengths) < WINDOW:
        return np.zeros(1)
    return np.convolve(lengths, np.full(WINDOW, 1 / WINDOW), mode="valid")


def episodes_to(lengths: Sequence[int], mean: float) -> float:
    """Number of episodes after which the last 100 have a mean length; infinite without."""
    reached = np.flatnonzero(_moving(lengths) >= mean)
    return float(reached[0] + WINDOW) if len(reached) else np.inf


def returns_of(reward: float, tails: FloatArray) -> FloatArray:
    """Discounted sum of a constant reward from each step on, (steps,).

    Parameters
    ----------
    tails : what follows a step after which the sum is cut, or else NaN; (steps,), the last not NaN.
    """
    gains = np.empty(len(tails))
    following = 0.0
    for index in reversed(range(len(tails))):
        if not np.isnan(tails[index]):
            following = float(tails[index])
        following = gains[index] = reward + DISCOUNT * following
    return gains


def steady(step: Step, learner: Learner, seeds: range) -> FloatArray:
    """Lengths (episodes) without learning, with the action that is more probable."""
    environments = [gymnasium.make("CartPole-v1") for _ in seeds]
    observations = np.array(
        [each.reset(seed=seed)[0] for each, seed in zip(environments, seeds, strict=True)]
    )
    lengths, live = np.zeros(len(seeds)), np.arange(len(seeds))
    while len(live):
        inputs = step.encode(observations[live] / STATE_SCALE)
        nothing = step.encode_targets(np.zeros((len(live), 2)))
        outputs = learner.run(inputs, nothing, np.zeros(len(live), dtype=np.bool_))
        actions = (step.decode(outputs)[:, 0] > 0).astype(int)
        ended = np.zeros(len(live), dtype=np.bool_)
        for index, (row, action) in enumerate(zip(live.tolist(), actions.tolist(), strict=True)):
            observations[row], _, fallen, late, _ = environments[row].step(action)
            ended[index] = fallen or late
        lengths[live] += 1
        live = live[~ended]
    return lengths


def draw(path: Path, courses: dict[str, list[list[int]]]) -> None:
    """Draw the moving mean of each seed, a colour for each learner."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    for number, (name, course) in enumerate(courses.items()):
        for seed, lengths in enumerate(course):
            means = _moving(lengths)
            label = name if seed == 0 else None
            axes.plot(
                np.arange(len(means)) + WINDOW, means, color=f"C{number}", label=label, lw=0.9
            )
    axes.axhline(SOLVED[-1], color="grey", linestyle=":")
    axes.set(xlabel="episodes", ylabel="steps, mean of 100 episodes")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", type=some_of(PARTS), default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=1500, help="most episodes of a seed")
    parser.add_argument("--picture", type=Path, help="draw the lengths of episodes")
    options = parser.parse_args()
    print_versions(tools=["verilator", "yosys", "nextpnr-ecp5"], packages=["gymnasium", "numpy"])
    if "hardware" in options.parts:
        table = MarkdownTable(*COLUMNS, *ROUTED)
        table.add(*measure(SIZES, CELLS, RATE, 1, "fed"))
    if "learning" in options.parts:
        learning(options.seeds, options.episodes, options.picture)


def learning(seeds: int, episodes: int, picture: Path | None) -> None:
    """Learn with each learner and seed."""
    table = MarkdownTable(
        "learner", "seed", *(f"episodes to {mean:g}" for mean in SOLVED), "steps",
        "afterwards, 100 episodes", "seconds",
    )  # fmt: skip
    courses: dict[str, list[list[int]]] = {}
    for name, make in LEARNERS.items():
        for seed in range(seeds):
            start = time.process_time()
            with make() as (step, learner):
                lengths = Agent(step, learner, np.random.default_rng(seed)).learn(seed, episodes)
                after = steady(step, learner, range(10_000, 10_000 + WINDOW))
                if isinstance(learner, Recorder) and seed == 0 and not learner.repeats(step):
                    raise SystemExit("the integer model gives other outputs or coefficients")
            courses.setdefault(name, []).append(lengths)
            reached = [f"{episodes_to(lengths, mean):g}" for mean in SOLVED]
            seconds = f"{time.process_time() - start:.0f}"
            table.add(name, seed, *reached, sum(lengths), f"{after.mean():.1f}", seconds)
    if picture is not None:
        draw(picture, courses)


@contextmanager
def in_verilator() -> Generator[tuple[Step, Learner]]:
    """The circuit, with all its samples noted."""
    trainable = kan.from_ir(network(SIZES, CELLS)).apply(
        f"kan-make-trainable{{learning-rate={RATE} error=fed}}"
    )
    hardware = trainable.apply("lower-training-to-hw,kan-form-carry-chains")
    step = step_of(trainable.module())
    with tempfile.TemporaryDirectory() as folder:
        rtl = Path(folder) / "net.sv"
        rtl.write_text(hardware.systemverilog())
        with open_circuit(rtl, step) as circuit:
            yield step, Recorder(circuit)


@contextmanager
def in_float64() -> Generator[tuple[Step, Learner]]:
    """The real-valued step."""
    trainable = kan.from_ir(network(SIZES, CELLS)).apply(
        f"kan-make-trainable{{learning-rate={RATE} error=fed real=true}}"
    )
    step = step_of(trainable.module())
    yield step, Model(step, step.initial())


LEARNERS = {"circuit, 16 bits": in_verilator, "float64": in_float64}


if __name__ == "__main__":
    main()
