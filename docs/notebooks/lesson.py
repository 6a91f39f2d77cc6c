# needs torch, sklearn, matplotlib

# %% [markdown]
# # A lesson: are curves worth their tables?
#
# For a lecture of an hour and a half. Students see what a Kolmogorov–Arnold network computes, what
# is left of it as integers, what that costs on an FPGA, and when a perceptron is the better choice.
# Each part is a question, a picture, and a task. The last part trains for about a minute, with
# PyTorch and scikit-learn (`pip install '.[study]'`).

# %%
import numpy as np

import kan_dialect as kan

# %% [markdown]
# ## What does a KAN compute?
#
# A perceptron multiplies each input by a weight. A KAN applies a function of one variable to it,
# and learns the function. A node adds the functions of its inputs:
#
#     y[o] = phi[o, 0](x[0]) + phi[o, 1](x[1]) + ...
#
# (Liu et al., KAN: Kolmogorov–Arnold Networks, 2024, equation 2.5.) The network below tells three
# wines apart by 13 measurements. The picture has a grid for each layer: a row for each node, a
# column for each input. Empty places are edges that training removed.

# %%
network = kan.load("examples/wine.onnx", data="examples/wine.npz")
network

# %%
edge = network.layers[0].edge(1, 6)
edge.picture()

# %% [markdown]
# **Task.** Find an edge that a weight could replace, one that saturates, and one that rises and
# falls. Which measurement decides most, and by which sign?
#
# ## What is left of it in integers?
#
# Hardware has no real numbers. With 3 bits an input has 8 codes, so an edge has 8 values. These
# integers are all that the hardware needs to know of the edge: they are its table.

# %%
coarse = network.compile(bits=3, level="table")
print(coarse.layers[0].edge(1, 6).table)
coarse.layers[0].edge(1, 6).picture(edge)

# %%
fine = network.compile(bits=6, level="table")
fine.layers[0].edge(1, 6).picture(edge)

# %% [markdown]
# **Task.** How large is the table of an input of b bits? What does one bit more cost, and by how
# much does the error shrink? A multiplier of b bits grows with b²: where do tables lose?
#
# ## What does a table cost?
#
# An FPGA is made of lookup tables (LUTs) of 6 inputs. A table of 6 bits takes a LUT for each bit of
# its values, unless it is simpler than that. Shades say how many LUTs each edge takes.

# %%
x, y = network.data.x_test, network.data.y_test
print("bits   LUTs  accuracy")
for bits in range(2, 8):
    design = network.compile(bits=bits)
    right = np.mean(design.run(x).argmax(axis=1) == y)
    print(f"{bits:4} {design.estimate('xcup').luts:6} {right:9.3f}")

# %%
fine.picture(colour="luts")

# %% [markdown]
# **Task.** There are 54 test samples. Which of these accuracies differ by more than one sample? How
# many bits would you build?
#
# ## Would a perceptron do?
#
# The same trainer makes perceptrons: with `functions = "line"` each edge is a weight. Both kinds
# get the same samples, quantisers, steps and bounds on LUTs. Held-out samples choose the network of
# each training, and the test set is read once, at the end. Five seeds say how much is luck.

# %%
plan = {
    "title": "Weights and curves on two moons",
    "data": {"moons": {"hidden": [4]}},
    "options": {"steps": 150, "folds": 1, "rate": 0.03, "last-price": 0.1, "interval": 25},
    "axes": {"functions": ["spline", "line"], "max-luts": [50, 100]},
}
studied = kan.study(plan, "out/lesson")
studied

# %% [markdown]
# The table compares the choice with weights under the larger bound, the last value of each option.
# The map has the test accuracy of each kind and bound, and the chart its interval of 95 % over
# LUTs. The study has written the networks, too. These are the two of seed 0 under the tighter
# bound, as tables:

# %%
kan.load("out/lesson/networks/moons_line_50_0.mlir").picture()

# %%
kan.load("out/lesson/networks/moons_spline_50_0.mlir").picture()

# %% [markdown]
# Paired differences compare each test sample under the same seed. An interval that holds 0 is
# noise:

# %%
for spline, line in zip(studied.of("moons")[:2], studied.of("moons")[2:], strict=True):
    print(f"{spline.point} less {line.point}: {spline.less(line).shown('+.3f')}")

# %% [markdown]
# **Task.** Why do weights fail here, however many LUTs they get? Add `"wine": {"hidden": [4]}` or
# `"diabetes": {"hidden": [4]}` to the data sets, and say where the perceptron wins. A study that
# runs again trains only what is new. [The whole study](../../benchmarks/results/perceptron.md) has
# eight data sets.
#
# Next: [build and prove the network](first-build.py), or [find the bits it needs](precision.py).
