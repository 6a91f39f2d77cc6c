# %% [markdown]
# # Learning on the chip
#
# Hardware that trains itself takes a step of gradient descent with each sample. This notebook
# follows a function that changes, with the integers that the hardware computes. [Train on the
# chip](../howto/train-on-chip.md) builds and proves such hardware, and
# [training](../reference/training.md) describes its numbers.

# %%
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import kan_dialect as kan
from kan_dialect.flows.on_chip.simulation import open_circuit
from kan_dialect.model.on_chip.training_step import infer, run_steps, step_of

network = kan.load("examples/tracker.mlir")
print(network.text())

# %% [markdown]
# The network has one edge, whose coefficients are 0. `kan-make-trainable` makes it a step: inputs,
# target and coefficients in, output and new coefficients out.

# %%
learner = network.apply("kan-make-trainable{learning-rate=0.15}")
print("\n".join(line[:110] for line in learner.text().splitlines() if " = kan." in line))

# %% [markdown]
# ## Follow a function
#
# Samples are uniform on [-2, 2]. After 500 of them the function is another one. `run_steps`
# computes each step in fixed point, as the RTL does.

# %%
step = step_of(learner.module())
rng = np.random.default_rng(0)
x = rng.uniform(-2, 2, 1000)
first, second = np.sin(x) + 0.3 * x**2, 1 - np.cos(2 * x) + 0.1 * x**3
y = np.where(np.arange(1000) < 500, first, second)
course = run_steps(
    step,
    step.encode(x[:, np.newaxis]),
    step.encode_targets(y[:, np.newaxis]),
    np.ones(1000, dtype=bool),
)
error = step.decode(course.outputs)[:, 0] - y
for start in range(0, 1000, 100):
    mean = np.mean(error[start : start + 100] ** 2)
    print(f"samples {start:3} to {start + 99:3}: mean squared error {mean:.4f}")

# %%
grid = np.linspace(-2, 2, 201)
learnt = step.decode(infer(step, step.encode(grid[:, np.newaxis]), course.states))[:, 0]
figure = Figure(figsize=(8, 3), layout="constrained")
left, right = figure.subplots(1, 2)
left.semilogy(np.arange(49, 1000), np.convolve(error**2, np.ones(50) / 50, mode="valid"))
left.axvline(500, color="grey", linestyle=":")
left.set(xlabel="sample", ylabel="squared error, mean of 50")
right.plot(grid, 1 - np.cos(2 * grid) + 0.1 * grid**3, label="function", color="grey")
right.plot(grid, learnt, label="learnt, 16 bits", linestyle="--")
right.set(xlabel="x")
right.legend()
figure

# %% [markdown]
# A sample moves the four coefficients of its interval, and no others. Where no samples come in, the
# network keeps what it has learnt.
#
# ## The same integers in hardware
#
# The step lowers to RTL. Verilator runs it on the same samples, and every output and coefficient
# must be the one that was computed above.

# %%
hardware = learner.apply("lower-training-to-hw")
rtl = Path("out/tracker.sv")
rtl.parent.mkdir(exist_ok=True)
rtl.write_text(hardware.systemverilog())
with open_circuit(rtl, step) as circuit:
    outputs = circuit.run(
        step.encode(x[:, np.newaxis]),
        step.encode_targets(y[:, np.newaxis]),
        np.ones(1000, dtype=bool),
    )
    states = circuit.read()
assert (outputs == course.outputs).all()
assert all((one == other).all() for one, other in zip(states, course.states, strict=True))
print(f"{len(outputs)} samples in Verilator: the same outputs and coefficients")
