# %% [markdown]
# # A precision study
#
# How many bits does a network need? This notebook compiles one at several numbers of bits, and
# draws accuracy and error against LUTs. [Choose bits and stages](../howto/sweep.md) does it from
# the command line, for each option and on all cores.

# %%
import numpy as np
from matplotlib.figure import Figure

import kan_dialect as kan

network = kan.load("examples/wine.onnx", data="examples/wine.npz")
x, y = network.data.x_test, network.data.y_test
floats = network.run(x)


def right(some: kan.Network) -> np.ndarray:
    """Which test samples are classified right."""
    return some.run(x).argmax(axis=1) == y


# %% [markdown]
# ## One number of bits everywhere

# %%
bits = range(2, 9)
designs = {each: network.compile(bits=each) for each in bits}
rows = [
    (
        each,
        design.estimate("xcup").luts,
        float(right(design).mean()),
        float(np.abs(design.run(x) - floats).max()),
    )
    for each, design in designs.items()
]
print("bits   LUTs  accuracy  error at most")
for each, luts, accuracy, error in rows:
    print(f"{each:4} {luts:6} {accuracy:9.4f} {error:14.4f}")

# %% [markdown]
# ## What is noise?
#
# There are few test samples. Drawing them anew, with replacement, gives a spread of accuracies
# (Efron's bootstrap). Two designs whose bars overlap are not told apart by these samples.

# %%
draws = np.random.default_rng(0).integers(0, len(x), (2000, len(x)))
spread = {
    each: np.quantile(right(design)[draws].mean(axis=1), [0.025, 0.975])
    for each, design in designs.items()
}
luts = [row[1] for row in rows]
accuracy = np.array([row[2] for row in rows])
bars = np.abs(np.array(list(spread.values())).T - accuracy)

figure = Figure(figsize=(7, 3), layout="constrained")
left, middle = figure.subplots(1, 2)
left.errorbar(luts, accuracy, yerr=bars, marker="o", capsize=3)
left.set(xlabel="LUTs", ylabel="accuracy, 95 %", xscale="log")
middle.plot(luts, [row[3] for row in rows], marker="o")
middle.set(xlabel="LUTs", ylabel="output error at most", xscale="log", yscale="log")
for each, count, share in zip(bits, luts, accuracy, strict=True):
    left.annotate(f"{each}", (count, share), xytext=(4, -12), textcoords="offset points")
figure

# %% [markdown]
# Accuracy saturates long before the error does: classes need fewer bits than values.
#
# ## Bits of inputs and of layers
#
# `bits` also takes a number for the inputs and one for each layer.

# %%
few = range(3, 7)
luts = np.zeros((len(few), len(few)), dtype=int)
shares = np.zeros((len(few), len(few)))
for row, input_bits in enumerate(few):
    for column, layer_bits in enumerate(few):
        some = network.compile(bits=(input_bits, layer_bits, layer_bits))
        luts[row, column] = some.estimate("xcup").luts
        shares[row, column] = right(some).mean()

figure = Figure(figsize=(4.5, 3.4), layout="constrained")
axes = figure.subplots()
image = axes.imshow(luts, origin="lower", extent=(2.5, 6.5, 2.5, 6.5), cmap="Blues", alpha=0.6)
for row, column in np.ndindex(shares.shape):
    axes.text(few[column], few[row], f"{shares[row, column]:.3f}", ha="center", va="center")
axes.set(xlabel="bits of layers", ylabel="bits of inputs", title="accuracy; LUTs as colour")
axes.set(xticks=few, yticks=few)
figure.colorbar(image, label="LUTs")
figure

# %% [markdown]
# The search `precision="auto"` goes further: it chooses bits of every input, edge and node within a
# budget (`max_accuracy_loss="2%"`), in a minute or two for this network.
#
# ## Where the area is
#
# Colours say what each table costs, at the fewest LUTs of the picture above that lose at most two
# samples:

# %%
good = np.where(shares >= 1 - 2 / len(x), luts, luts.max() + 1)
row, column = np.unravel_index(good.argmin(), good.shape)
chosen = few[row], few[column]
print(f"{chosen[0]} bits of inputs, {chosen[1]} of layers: {luts[row, column]} LUTs")
network.compile(bits=(chosen[0], chosen[1], chosen[1]), level="table").picture(colour="luts")
