"""`kan-snap-symbolic` and the target `formula`: what fits find, and what text says."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.builder import ImplicitBuilder
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType, f64
from xdsl.ir import Block, Region, SSAValue

from kan_dialect.checking import Checker
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_inside
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import FloatArray
from kan_dialect.ir.functions import module_of
from kan_dialect.lowering.targets.formula import FormulaTarget
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import AffineOp, ConcatOp, MapOp, NodeSumOp
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.ops.symbolic import SYMBOLIC_FUNCTIONS, SymbolicOp
from kan_dialect.passes.calibrate import CalibratePass, observe
from kan_dialect.passes.snap_symbolic import SIMPLEST_FIRST, SnapSymbolicPass
from kan_dialect.search.fits.symbolic_fit import fit
from repository import EXAMPLES

EXAMPLE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"


def written(module: ModuleOp) -> str:
    output = io.StringIO()
    FormulaTarget().emit(Context(), module, output)
    return output.getvalue()


def computed(text: str, x: FloatArray) -> FloatArray:
    """What formulas say: Python evaluates them, of whose notation only the power differs."""
    names: dict[str, object] = dict(SYMBOLIC_FUNCTIONS)
    names |= {f"x{index}": x[:, index] for index in range(x.shape[1])}
    for line in text.splitlines():
        name, formula = line.split(" = ")
        names[name] = eval(formula.replace("^", "**"), names)
    count = len(re.findall(r"^y\d+ =", text, re.MULTILINE))
    columns = [np.broadcast_to(np.asarray(names[f"y{index}"]), len(x)) for index in range(count)]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("name", [name for name in SIMPLEST_FIRST if name != "zero"])
def test_a_fit_finds_what_a_function_is(name: str) -> None:
    rng = np.random.default_rng(0)
    t = np.linspace(-1.05, 1.05, 127)
    a = rng.uniform(0.5, 4.0, 20) * rng.choice([-1, 1], 20)
    b = rng.uniform(-2.0, 2.0, 20)
    if name in ("sqrt", "log", "reciprocal"):
        b = np.abs(a) * 1.1 + np.abs(b)  # within the domain
    c, d = rng.uniform(0.1, 3.0, 20), rng.normal(size=20)
    values = SYMBOLIC_FUNCTIONS[name](a[:, np.newaxis] * t + b[:, np.newaxis])
    y = c[:, np.newaxis] * values + d[:, np.newaxis]
    weights = rng.dirichlet(np.ones(len(t)), 20)
    found = fit(name, t, y, weights)
    variance = (weights * y**2).sum(axis=1) - (weights * y).sum(axis=1) ** 2
    # Where little of a function is seen, others come close, too.
    assert (found.error <= 5e-4 * variance + 1e-12).all()
    assert np.median(found.error) <= 1e-6 * np.median(variance)
    # What is said of the error is what the formula has.
    a, b, c, d = (each[:, np.newaxis] for each in found.affine.T)
    formula = c * SYMBOLIC_FUNCTIONS[name](a * t + b) + d
    error = (weights * (formula - y) ** 2).sum(axis=1)
    np.testing.assert_allclose(error, found.error, rtol=1e-4, atol=1e-9)


def random_network(seed: int) -> tuple[ModuleOp, int]:
    """Layers of formulas, with affines, functions of nodes and ways past layers; and its width."""
    rng = np.random.default_rng(seed)
    smooth = ["sin", "square", "gaussian", "tanh", "identity", "abs", "cube", "zero", "power4"]
    first = width = int(rng.integers(1, 4))
    layers = int(rng.integers(1, 4))
    block = Block(arg_types=[TensorType(f64, (width,))])
    with ImplicitBuilder(block):
        x: SSAValue = block.args[0]
        for layer in range(layers):
            nodes = int(rng.integers(1, 4))
            names = [str(name) for name in rng.permutation(smooth)[: rng.integers(1, 5)]]
            choice = rng.integers(len(names), size=(nodes, width))
            affine = rng.choice([0.0, 1.0, -1.0, 0.3, -0.7, 1.6], (nodes, width, 4))
            edges = SymbolicOp(names, x, choice, affine).result
            mask, bias = rng.random((nodes, width)) < 0.9, rng.normal(size=nodes)
            new = NodeSumOp(edges, mask=mask, bias=bias, name=f"layer{layer}").result
            if rng.random() < 0.5:
                new = AffineOp(new, rng.normal(size=nodes), rng.normal(size=nodes)).result
            if rng.random() < 0.5:
                new = MapOp("tanh", new).result
            past = rng.random() < 0.3
            x = ConcatOp([new, x]).result if past else new
            width = nodes + width if past else nodes
    module = module_of("net", block, x)
    return module, first


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 1 << 30))
def test_formulas_say_what_the_network_computes(seed: int) -> None:
    module, width = random_network(seed)
    x = np.random.default_rng(seed).uniform(-1, 1, (50, width))
    expected = Model.of(module).run(x)
    # Six digits are written; a value may be large, and a difference of such.
    np.testing.assert_allclose(
        computed(written(module), x), expected, atol=1e-3 * max(1.0, np.abs(expected).max())
    )


@pytest.mark.ci
@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 1 << 30), st.sampled_from([0.003, 0.03, 0.3]))
def test_edges_are_within_the_budget(seed: int, error: float) -> None:
    """Splines on uniform data: of each node, edges differ by so much of what it varies by."""
    rng = np.random.default_rng(seed)
    inputs, outputs = (int(n) for n in rng.integers(1, 5, 2))
    knots, coefficients = np.linspace(-1, 1, 5), rng.normal(size=(outputs, inputs, 7))
    block = Block(arg_types=[TensorType(f64, (inputs,))])
    with ImplicitBuilder(block):
        edges = BSplineOp(block.args[0], 3, knots, coefficients, extend=True).result
        nodes = NodeSumOp(edges, name="layer0").result
        func.ReturnOp(nodes)
    function = func.FuncOp("net", ([block.args[0].type], [nodes.type]), Region(block))
    module = ModuleOp([function])
    x = np.linspace(-1, 1, 2001)[:, np.newaxis].repeat(inputs, axis=1)
    observe(function, [x], 1024)
    before = edges_of(function, x)
    SnapSymbolicPass(error=error).apply(make_context(), module)
    module.verify()
    after = edges_of(function, x)
    spread = np.sqrt(before.var(axis=0).sum(axis=1))[:, np.newaxis]
    # Points lie a little apart from the samples.
    assert (np.sqrt(((after - before) ** 2).mean(axis=0)) <= 1.1 * error * spread + 1e-9).all()
    assert np.isfinite(edges_of(function, 1.04 * x)).all()


def edges_of(function: func.FuncOp, x: FloatArray) -> FloatArray:
    """What the node sum adds up: (samples, out, in)."""
    (nodes,) = (op for op in function.body.block.ops if isinstance(op, NodeSumOp))
    return evaluate_inside(function, [x], [nodes.edges])[0]


def test_the_check_of_passes_finds_an_edge_beyond_the_budget() -> None:
    before, data = load_model(make_context(), EXAMPLE), load_dataset(DATA)
    CalibratePass(str(DATA)).apply(make_context(), before)
    after = before.clone()
    SnapSymbolicPass(error=0.1).apply(make_context(), after)
    checker = Checker(data.x)
    checker.check(SnapSymbolicPass(error=0.1), before, after).require_passed()
    with pytest.raises(KanError, match=r"edge \[\d, \d+\] of layer0 is off by .* 0\.05 of"):
        checker.check(SnapSymbolicPass(error=0.05), before, after).require_passed()
