"""Policies as circuits in closed loop: reward of the circuit beside that of the float policy.

    pip install gymnasium
    python benchmarks/control.py [--tasks CartPole-v1,Pendulum-v1] [--seeds 5]

A float controller plays episodes with some random actions. `kan.train` learns its actions at the
states that it saw. The integer model of each network plays 100 other episodes. The network of the
first seed is built and proven; its RTL is simulated on every state of its 100 episodes, so a loop
with the RTL takes the same course. LUTs are Yosys's for UltraScale+, ns are nextpnr's for ECP5,
combinational, between registers. Needs PyTorch.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from measurements import MarkdownTable, print_versions, some_of, synthesized

import kan_dialect as kan
from kan_dialect.devices.device import XCUP
from kan_dialect.flows.compare.bootstrap import mean_interval
from kan_dialect.ir.constants import Array, FloatArray

Policy: TypeAlias = Callable[[FloatArray], Array]
"""Actions (episodes, ...) of observations (episodes, features)."""

EPISODES = 100
TEACHING = range(10_000, 10_060)
"""Seeds of the episodes that networks learn from."""
RANDOM_ACTIONS = 0.3
"""Share of random actions in these, so that networks see states off the controller's course."""
SAMPLES = 12_000


def cart_pole_gains() -> FloatArray:
    """(4), gains of a linear-quadratic regulator for the cart-pole, linearised upright.

    Source of the dynamics: Barto, Sutton and Anderson, IEEE Trans. SMC 13, 1983; constants of
    CartPole-v1. The Riccati equation is iterated to its fixed point.
    """
    period, force, gravity, pole, half_length, mass = 0.02, 10.0, 9.8, 0.1, 0.5, 1.1
    inertia = half_length * (4 / 3 - pole / mass)
    coupling = pole * half_length / mass
    a, b = np.eye(4), np.zeros((4, 1))
    a[0, 1] = a[2, 3] = period
    a[1, 2] = -period * coupling * gravity / inertia
    a[3, 2] = period * gravity / inertia
    b[1, 0] = period * force * (1 + coupling / inertia) / mass
    b[3, 0] = -period * force / (inertia * mass)
    cost = weights = np.diag([1.0, 0.1, 1.0, 0.1])
    gains = np.zeros((1, 4))
    for _ in range(3000):
        gains = np.linalg.solve(1 + b.T @ cost @ b, b.T @ cost @ a)
        cost = weights + a.T @ cost @ (a - b @ gains)
    return -gains[0]


def cart_pole(observations: FloatArray) -> Array:
    """Push right where the regulator's force is positive."""
    return (observations @ GAINS > 0).astype(np.int64)


def pendulum(observations: FloatArray) -> Array:
    """Torque (episodes, 1): pumps energy while the rod hangs, and holds it by feedback at the top.

    The form is that of Åström and Furuta, Automatica 36, 2000. Its four constants are the mean of
    the best after eight rounds of the cross-entropy method.
    """
    cosine, sine, speed = observations.T
    missing = 5 * (1 - cosine) - speed**2 / 6
    """Energy at rest upright less that of the rod: mass and length 1, gravity 10."""
    holding = -9.49 * np.arctan2(sine, cosine) - 2.19 * speed
    return np.clip(np.where(cosine > 0.868, holding, 1.22 * missing * speed), -2, 2)[:, np.newaxis]


GAINS = cart_pole_gains()


@dataclass(frozen=True)
class Task:
    """An environment, its controller, and how networks of it are trained."""

    controller: Policy
    bits: Sequence[int]
    """Bits of inputs and of hidden nodes."""
    options: Mapping[str, Any]
    """Further ones of `kan.train`."""
    is_discrete: bool

    def policy(self, network: kan.Network) -> Policy:
        """The policy of a network."""
        if self.is_discrete:
            return lambda observations: network.run(observations)[:, 0].astype(np.int64)
        return lambda observations: network.run(observations)


COMMON = {"steps": 1200, "folds": 1}
TASKS = {
    "CartPole-v1": Task(cart_pole, range(1, 6), {**COMMON, "decides": True}, is_discrete=True),
    "Pendulum-v1": Task(pendulum, range(3, 9), {**COMMON, "hidden": (6,)}, is_discrete=False),
}


def play(
    name: str,
    policy: Policy,
    seeds: Sequence[int],
    randomness: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Play an episode of each seed.

    Parameters
    ----------
    randomness : share of actions that are drawn.

    Returns
    -------
    Rewards (episodes), and all observations (steps of all episodes, features).
    """
    environments = [gymnasium.make(name) for _ in seeds]
    rng = np.random.default_rng(0)
    observations = np.array(
        [each.reset(seed=seed)[0] for each, seed in zip(environments, seeds, strict=True)],
        dtype=np.float64,
    )
    for environment, seed in zip(environments, seeds, strict=True):
        environment.action_space.seed(seed)
    rewards, live = np.zeros(len(seeds)), np.arange(len(seeds))
    seen: list[FloatArray] = []
    while len(live):
        seen.append(observations[live])
        actions = policy(observations[live])
        still = np.ones(len(live), dtype=np.bool_)
        for index, row in enumerate(live.tolist()):
            environment, action = environments[row], actions[index]
            if rng.random() < randomness:
                action = environment.action_space.sample()
            observations[row], reward, fallen, late, _ = environment.step(action)
            rewards[row] += float(reward)
            still[index] = not (fallen or late)
        live = live[still]
    return rewards, np.concatenate(seen)


def samples(name: str, task: Task) -> dict[str, Array]:
    """States that the controller saw, and its actions there."""
    _, seen = play(name, task.controller, TEACHING, RANDOM_ACTIONS)
    x = np.random.default_rng(0).permutation(seen)[:SAMPLES]
    return {"x": x, "y": task.controller(x).ravel()}


def built(network: kan.Network, observations: FloatArray) -> tuple[object, object, object]:
    """Simulated vectors, LUTs and ns on ECP5 of a network that is built and proven."""
    with tempfile.TemporaryDirectory() as folder:
        build = network.build(
            Path(folder) / "policy",
            data={"x": observations},
            combinational=True,
            vectors=len(observations),
        )
        if not build.prove().proven:
            raise SystemExit("the design is not proven")
        routed = build.place_and_route("ecp5", seeds=3).summary()
        return build.report["simulation"]["vectors"], routed["luts"], routed["latency_ns"]


def measure(name: str, seeds: int, table: MarkdownTable) -> None:
    """Add the rows of a task, one for each number of bits."""
    task, episodes = TASKS[name], range(EPISODES)
    data = samples(name, task)
    floats, _ = play(name, task.controller, episodes)
    every = np.broadcast_to(floats, (seeds, EPISODES))
    table.add(name, "float", "", mean_interval(every).shown(".1f"), *[""] * 4)
    for bits in task.bits:
        rewards, luts = np.empty((seeds, EPISODES)), np.empty((seeds, 1))
        figures: tuple[object, ...] = ()
        for seed in range(seeds):
            trained = kan.train(
                data, input_bits=bits, hidden_bits=bits, seed=seed, name="policy", **task.options
            )
            network = trained.network
            rewards[seed], seen = play(name, task.policy(network), episodes)
            rtl = network.compile(combinational=True).systemverilog()
            luts[seed] = synthesized(rtl, "policy", XCUP).cells.luts
            if seed == 0:
                figures = built(network, seen)
        difference = mean_interval(rewards - every).shown("+.1f")
        cells = mean_interval(luts).shown(".0f")
        reward = mean_interval(rewards).shown(".1f")
        table.add(name, bits, cells, reward, difference, *figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=some_of(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=5, help="of trainings")
    options = parser.parse_args()
    print_versions(
        tools=["verilator", "yosys", "nextpnr-ecp5"], packages=["gymnasium", "torch", "numpy"]
    )
    table = MarkdownTable(
        "task", "bits", "LUTs", "reward", "less the float policy's", "vectors in Verilator",
        "ECP5 LUTs", "ns",
    )  # fmt: skip
    for name in options.tasks:
        measure(name, options.seeds, table)


if __name__ == "__main__":
    main()
