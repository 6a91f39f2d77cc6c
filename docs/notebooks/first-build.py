# %% [markdown]
# # A first build from Python
#
# A trained network becomes verified SystemVerilog. [Your first build](../tutorials/first-build.md)
# does the same on the command line, and looks into the folder that a build writes.

# %%
import numpy as np

import kan_dialect as kan

network = kan.load("examples/wine.onnx", data="examples/wine.npz")
network

# %% [markdown]
# The picture has a grid for each layer: a row for each node, and a column for each input. An edge
# is one function of one input. `network.data` keeps the samples. The float network tells the three
# wines apart:

# %%
x, y = network.data.x_test, network.data.y_test


def accuracy(some: kan.Network) -> float:
    """The share of test samples whose largest output is that of their class."""
    return float((some.run(x).argmax(axis=1) == y).mean())


print(f"{accuracy(network):.4f} of {len(x)} samples")

# %% [markdown]
# ## From functions to tables
#
# `compile` runs the default pipeline, and stops at the level that it is asked for. At table level
# an edge holds one integer for each code of its input. The picture below shows the function as it
# was trained, its table, and the error at each code.

# %%
tables = network.compile(bits=6, level="table")
edge = tables.layers[0].edge(1, 6)
print(edge.name, edge.table)

# %%
edge.picture(network.layers[0].edge(1, 6))

# %% [markdown]
# ## From tables to hardware
#
# At hardware level the network is `hw`, `comb` and `seq` of CIRCT. Its outputs are those of the
# tables, integer for integer, and it still tells the wines apart.

# %%
design = network.compile(bits=6)
codes = np.random.default_rng(0).integers(
    [port.low for port in design.inputs],
    [port.high + 1 for port in design.inputs],
    size=(1000, len(design.inputs)),
)
assert (design.run_codes(codes) == tables.run_codes(codes)).all()
print(f"{accuracy(design):.4f} of {len(x)} samples, {design.latency_cycles} cycles")
figures = design.estimate("ecp5")
print(f"{figures.luts} LUTs and {figures.registers} registers of an ECP5")

# %% [markdown]
# ## Build and prove
#
# `build` writes the RTL and everything around it into a folder. It evaluates the network before and
# after each pass, and simulates the RTL. `prove` covers all input codes.

# %%
built = network.build("out/wine", bits=6)
built

# %%
proof = built.prove()
assert proof.proven
print(f"{proof.nodes} nodes and {proof.outputs} outputs are equal for all codes")

# %%
lines = built.systemverilog().splitlines()
start = next(number for number, line in enumerate(lines) if line.startswith("module wine"))
print("\n".join(lines[start : start + 12]))

# %% [markdown]
# Next: [the IR at each level](levels.py), or [how many bits](precision.py) the network needs.
# [Networks from Python](../reference/python.md) lists all names.
