"""A controller whose hardware learns the load while it works: a closed loop, in simulation.

    python examples/learn_load.py [--plot load.png]

A joint follows a reference. Its motor works against gravity and cogging, which the controller does
not know; after 20 seconds the payload doubles, and after 40 learning stops. A weak feedback
controller pulls the joint to the reference; the network adds the torque that it has learnt for the
angle, and what the feedback still has to add is its error (feedback-error learning: Kawato,
Furukawa and Suzuki, Biological Cybernetics 57, 1987). The learner is the circuit itself, compiled
by Verilator, one sample a control period. Beside it: feedback alone, and a perceptron that learns
the same in fixed point.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fixed_point_mlp import FixedPointMlp

import kan_dialect as kan
from kan_dialect.flows.on_chip.simulation import TrainingCircuit, open_circuit
from kan_dialect.ir.constants import FloatArray
from kan_dialect.model.on_chip.training_step import Step, run_steps, step_of

PERIOD = 1e-3
"""Seconds between two control steps."""
STEPS = 50_000
HEAVIER = 20_000
"""The period in which the payload doubles."""
FROZEN = 40_000
"""The period from which on nothing is learnt."""
STIFFNESS, DAMPING = 60.0, 12.0
"""Of the feedback, Nm/rad and Nms/rad; the joint's inertia is 1."""

Learner = Callable[[float, float, bool], float]
"""Given an angle, the feedback's torque and whether to learn: the torque to add; what it learns is
that it should have been more by the feedback's."""


@dataclass
class Joint:
    """Angle in rad, speed in rad/s."""

    angle: float = 0.0
    speed: float = 0.0

    def move(self, torque: float, payload: float) -> None:
        """One period under a torque, against gravity, cogging and friction."""
        load = 5.0 * payload * np.sin(self.angle) + 1.5 * np.sin(6 * self.angle)
        self.speed += PERIOD * (torque - load - 0.5 * self.speed)
        self.angle += PERIOD * self.speed


def reference(time: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Angle, speed and acceleration to follow: two sines."""
    a, b = 1.1 * np.sin(1.9 * time), 0.6 * np.sin(3.1 * time)
    return (
        a + b,
        1.1 * 1.9 * np.cos(1.9 * time) + 0.6 * 3.1 * np.cos(3.1 * time),
        (-(1.9**2) * a - 3.1**2 * b),
    )


def follow(learner: Learner) -> FloatArray:
    """The distance from the reference in each period: (STEPS), rad."""
    angle, speed, acceleration = reference(np.arange(STEPS) * PERIOD)
    joint = Joint(float(angle[0]), float(speed[0]))
    away = np.empty(STEPS)
    for index in range(STEPS):
        away[index] = angle[index] - joint.angle
        feedback = STIFFNESS * away[index] + DAMPING * (speed[index] - joint.speed)
        known = acceleration[index] + 0.5 * speed[index]
        torque = feedback + known + learner(joint.angle, feedback, index < FROZEN)
        joint.move(torque, 1.0 if index < HEAVIER else 2.0)
    return away


def circuit_learner(
    circuit: TrainingCircuit, step: Step, seen: list[tuple[int, int, int]]
) -> Learner:
    """The circuit as learner; notes input, error and output of each sample as codes."""

    def learn(angle: float, feedback: float, learning: bool) -> float:
        x = step.encode(np.array([[angle]]))
        error = step.encode_targets(np.array([[feedback]]))
        y = circuit.run(x, error, np.array([learning]))
        seen.append((int(x[0, 0]), int(error[0, 0]), int(y[0, 0])))
        return float(step.decode(y)[0, 0])

    return learn


def perceptron_learner() -> Learner:
    """As many bits, and more parameters: 16 hidden nodes."""
    mlp = FixedPointMlp(hidden=16, bits=16, fraction=10, rate=0.02, seed=0)

    def learn(angle: float, feedback: float, learning: bool) -> float:
        y = mlp.output(round(angle * 1024))
        if learning:
            mlp.learn(max(-(1 << 16), min((1 << 16) - 1, round(feedback * 1024))))
        return y / 1024

    return learn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plot", type=Path, help="draw the distance from the reference")
    options = parser.parse_args()
    network = kan.load(Path(__file__).with_name("load.mlir"))
    learner = network.apply("kan-make-trainable{learning-rate=0.1 error=fed}")
    hardware = learner.apply("lower-training-to-hw,kan-form-carry-chains")
    step = step_of(learner.module())
    seen: list[tuple[int, int, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        rtl = Path(folder) / "load.sv"
        rtl.write_text(hardware.systemverilog())
        with open_circuit(rtl, step) as circuit:
            learnt = follow(circuit_learner(circuit, step, seen))
            states = circuit.read()
    codes = np.array(seen)
    run = run_steps(step, codes[:, :1], codes[:, 1:2], np.arange(STEPS) < FROZEN)
    same = (run.outputs[:, 0] == codes[:, 2]).all() and (run.states[0] == states[0]).all()
    says = "the same" if same else "otherwise"
    print(f"{len(codes)} samples in the loop; the integer model says {says}")
    courses = {
        "feedback alone": follow(lambda _angle, _feedback, _learning: 0.0),
        "with an MLP": follow(perceptron_learner()),
        "with the circuit": learnt,
    }
    print("root mean square distance from the reference, mrad")
    print(f"{'seconds':18}" + "".join(f"{end:8}" for end in range(5, 51, 5)))
    for name, away in courses.items():
        parts = [1000 * np.sqrt((part**2).mean()) for part in np.split(away, 10)]
        print(f"{name:18}" + "".join(f"{part:8.2f}" for part in parts))
    if options.plot is not None:
        _plot(options.plot, courses)


def _plot(path: Path, courses: dict[str, FloatArray]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name, away in courses.items():
        axes.plot(np.arange(STEPS) * PERIOD, 1000 * away, label=name, linewidth=0.8)
    axes.set_xlabel("s")
    axes.set_ylabel("distance from the reference, mrad")
    axes.legend()
    figure.savefig(path)


if __name__ == "__main__":
    main()
