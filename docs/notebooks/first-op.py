# %% [markdown]
# # A first op in a notebook
#
# An edge function of one's own is an op with `evaluate`. Quantisation, tables and hardware follow
# from what it computes. [Your first op](../tutorials/first-op.md) publishes an op from a package,
# so that text with it parses in `kan-opt`.
#
# The op here is a chirp: edges are w · sin(x²).

# %%
from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, ModuleOp, TensorType, f32
from xdsl.ir import Block
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, prop_def, result_def

import kan_dialect as kan
from kan_dialect.ir.constants import Array, dense, to_floats
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.semantics import Univariate
from kan_dialect.ops.layer import NodeSumOp


@irdl_op_definition
class ChirpOp(IRDLOperation, Univariate):
    """Edges phi[o, i](x) = w[o, i] * sin(x_i ** 2)."""

    name = "my.chirp"

    input = operand_def(TensorType)
    weights = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    assembly_format = "$input `weights` $weights attr-dict `:` type($input) `->` type($result)"

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        (x,) = operands  # (samples, in)
        return (to_floats(self.weights) * np.sin(x**2)[:, np.newaxis, :],)  # (samples, out, in)


# %% [markdown]
# `Univariate` says that each edge maps one input, and that the op has no side effects.
#
# ## A network of it
#
# Objects take the place of text: a function with one argument, the op, and the sum of each node.

# %%
WEIGHTS = np.array([[1.0, -0.5], [0.25, 0.75]])


def chirps(weights: np.ndarray) -> ModuleOp:
    """The network of one layer with these weights, (nodes, inputs)."""
    nodes, inputs = weights.shape
    block = Block(arg_types=[TensorType(f32, [inputs])])
    edges = ChirpOp(
        operands=[block.args[0]],
        properties={"weights": dense(weights)},
        result_types=[TensorType(f32, [nodes, inputs])],
    )
    total = NodeSumOp(edges.result, name="layer0")
    block.add_ops([edges, total])
    return module_of("chirps", block, total.result)


x = np.random.default_rng(0).uniform(-2.5, 2.5, (400, 2))
network = kan.from_ir(chirps(WEIGHTS), data=x)
print(network.text())
network

# %% [markdown]
# It computes what is meant, here against NumPy:

# %%
meant = np.sin(x**2) @ WEIGHTS.T
assert np.allclose(network.run(x), meant, atol=1e-6)
network.layers[0].edge(0, 0)

# %% [markdown]
# ## To hardware
#
# The op goes where its table comes. The check of `kan-fold-tables` evaluates all input codes.

# %%
tables = network.compile(bits=6, level="table", check=True)
print("\n".join(tables.checks))
tables.layers[0].edge(0, 0).picture(network.layers[0].edge(0, 0))

# %%
design = network.compile(bits=6)
print(f"largest error {np.abs(design.run(x) - meant).max():.3f}")
print(design.estimate("ecp5").luts, "LUTs of an ECP5")

# %%
built = network.build("out/chirps", bits=6)
simulation = built.report["simulation"]
assert simulation["mismatches"] == 0
print(f"{simulation['vectors']} vectors, {simulation['mismatches']} mismatches")

# %% [markdown]
# `prove` reads the IR of the folder again, and finds the op there. For that, and for `kan-opt`, the
# op belongs in a package with an entry point: [your first op](../tutorials/first-op.md).
