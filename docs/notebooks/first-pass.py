# %% [markdown]
# # A first pass in a notebook
#
# A pass is a class, and an instance of it runs on a network. It needs no package and no entry
# point. [Your first pass](../tutorials/first-pass.md) makes a package of another one, for
# `kan-opt`.
#
# The pass here works at table level. It rounds all entries of tables down to even numbers. Tables
# with fewer different bits need fewer LUTs, and outputs change a little.

# %%
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

import kan_dialect as kan
from kan_dialect.ir.constants import dense, to_integers
from kan_dialect.ops.table import TablesOp
from kan_dialect.passbase.kan_pass import KanPass


@dataclass(frozen=True)
class EvenEntries(KanPass):
    """Rounds entries of tables down to even numbers."""

    name = "even-entries"
    works_at = ("table",)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        lookups = [op for op in module.walk() if isinstance(op, TablesOp)]
        for op in lookups:
            entries = to_integers(op.tables)  # (nodes, inputs, entries)
            low, high = entries.min(-1, keepdims=True), entries.max(-1, keepdims=True)
            even = np.clip(entries & ~1, low, high)
            op.tables = dense(even, op.tables.get_element_type())
        return bool(lookups)


# %% [markdown]
# `run` says whether the module is of the pass's level. Sums behind the tables rely on the range of
# each edge, so entries stay within it. The verifier refuses a table that leaves it.

# %%
network = kan.load("examples/wine.onnx", data="examples/wine.npz")
tables = network.compile(bits=6, level="table")
even = tables.apply(EvenEntries())
print(tables.layers[0].edge(1, 6).table)
print(even.layers[0].edge(1, 6).table)

# %% [markdown]
# ## The check
#
# A pass that says nothing else claims to be exact. With `check=True` the network is evaluated
# before and after the pass, and the claim is refused:

# %%
try:
    tables.apply(EvenEntries(), check=True)
except kan.KanError as error:
    print(error)

# %% [markdown]
# `preserves` names the trade in a few words. The check then measures it:


# %%
@dataclass(frozen=True)
class RoundedEntries(EvenEntries):
    """As `EvenEntries`, and says that outputs change."""

    name = "rounded-entries"
    preserves = "outputs within an entry's lowest bit of each edge"


checked = tables.apply(RoundedEntries(), check=True)
print(checked.checks[-1])

# %% [markdown]
# ## Does it help?
#
# Passes and the default pipeline combine: `compile` does what a network has not been through. The
# test samples say what the pass costs, and the estimate says what it saves.

# %%
x, y = network.data.x_test, network.data.y_test
for name, some in {"as it was": tables, "even entries": checked}.items():
    design = some.compile()
    right = np.mean(design.run(x).argmax(axis=1) == y)
    print(f"{name:14} {design.estimate('xcup').luts:5} LUTs, {right:.4f} of test samples")

# %% [markdown]
# One network at one number of bits proves little. [A precision study](precision.py) runs over
# several numbers of bits.
