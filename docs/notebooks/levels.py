# %% [markdown]
# # The IR at each level
#
# The compiler takes a network through four levels: functions of floats, tables of integers, wires
# and hardware. Each is IR that prints, parses, verifies and computes outputs.
# [The IR](../reference/ir.md) describes the levels, and this notebook looks at one network in all
# of them.

# %%
import re

import numpy as np

import kan_dialect as kan

network = kan.load("examples/wine.onnx", data="examples/wine.npz")
x = network.data.x_test[:5]


def show(some: kan.Network, *words: str, most: int = 8) -> None:
    """Print the first lines of the IR with one of some words, without long constants."""
    text = re.sub(r'dense<"0x\w+">', "dense<...>", some.text())
    lines = [line for line in text.splitlines() if any(word in line for word in words)]
    print("\n".join(line[:150] for line in lines[:most]))


# %% [markdown]
# ## Spline level
#
# Values are tensors of floats. `kan.bspline` gives the values of all edges of a layer, (nodes,
# inputs), and `kan.node_sum` adds those of each node.

# %%
show(network, "= kan.", "func.func")
print(network.layers[0].shape, network.run(x)[0])

# %% [markdown]
# ## Table level
#
# `steps` gives the network after each pass. `kan-calibrate` measures ranges, `kan-quantize` puts
# integer codes at edges and nodes, and `kan-fold-tables` evaluates each edge at every code.

# %%
to_tables = (
    "kan-fold-affine",
    'kan-calibrate{data="examples/wine.npz"}',
    "kan-quantize{bits=5}",
    "kan-fold-tables",
)
for tables in network.steps(*to_tables):
    away = np.abs(tables.run(x) - network.run(x)).max()
    print(f"{tables.level:8} {tables.passes[-1]:24} {away:.3f}")

# %% [markdown]
# The last column is the largest difference to the float network. Rounding happens in
# `kan-quantize`. `kan-fold-tables` keeps every integer.

# %%
show(tables, "= kan.")
layer = tables.layers[0]
print("tables (nodes, inputs, entries):", layer.tables.shape)
print("edge from input 5 to node 3:", layer.edge(3, 5).table)

# %% [markdown]
# ## Wire level
#
# Each value is one integer, and its type is its exact range: `!kan.int<0:3>` needs two wires. The
# passes from here on save area. None of them may change an output.

# %%
to_wires = (
    "kan-expand-wires,kan-narrow,kan-fold-clamps,kan-window-tables,kan-merge-tables,"
    "kan-share-tables,kan-share-sums,kan-compress-codes,kan-split-tables,kan-balance-sums,"
    "kan-schedule"
)
for wires in tables.steps(to_wires):
    figures = wires.estimate("xcup")
    print(f"{wires.passes[-1][:30]:32} {figures.luts:6} LUTs, {figures.levels:3} levels")
assert (wires.run(x) == tables.run(x)).all()

# %%
show(wires, "layer0_edge3_5", "layer0_node3")

# %% [markdown]
# `kan-balance-sums` makes the sum of each node a tree. Leaves are tables, and values that arrive
# late or are wide come in late:

# %%
wires.picture("layer1_node1")

# %% [markdown]
# `kan-schedule` places registers. A column of the next picture is a clock cycle, and a row is a
# part of the network:

# %%
wires.picture("schedule")

# %% [markdown]
# ## Hardware level
#
# `lower-kan-to-hw` makes `hw`, `comb` and `seq` of CIRCT. The result computes the same integers,
# and prints as SystemVerilog.

# %%
hardware = wires.apply("lower-kan-to-hw")
assert (hardware.run(x) == wires.run(x)).all()
show(hardware, "layer0_node3", most=4)
print()
print("\n".join(hardware.systemverilog().splitlines()[-12:]))

# %% [markdown]
# Text is a way in, too: `kan.from_ir(text)` reads what `text()` gives.

# %%
again = kan.from_ir(tables.text())
assert (again.run(x) == tables.run(x)).all()
again
