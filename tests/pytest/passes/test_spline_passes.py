"""Passes over random networks of splines: folding, quantisation, tables, and all the way down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator
from xdsl.builder import ImplicitBuilder
from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import AnyFloat, ModuleOp, TensorType, f32, f64
from xdsl.ir import Block, SSAValue
from xdsl.parser import Parser
from xdsl.passes import ModulePass

from kan_dialect.checking import Checker, run_passes
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.types import tensor_shape
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.model.model import Model
from kan_dialect.model.quantizer_json import to_json
from kan_dialect.model.quantizers_in_ir import quantizers_of
from kan_dialect.ops.layer import AffineOp, ConcatOp, MapOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp, ChebyshevOp, RadialOp
from kan_dialect.ops.symbolic import SymbolicOp
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.calibrate import observe
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.passes.schedule import SchedulePass

deterministic = settings(derandomize=True, deadline=None, max_examples=40)

TO_HARDWARE = (ExpandWiresPass(), NarrowPass(), BalanceSumsPass(), SchedulePass())


def edges_of(kind: str, x: SSAValue, outputs: int, rng: Generator) -> SSAValue:
    """Random edges (out, in) of one kind."""
    (inputs,) = tensor_shape(x)
    size = (outputs, inputs)
    spread = 1 / np.sqrt(inputs)
    match kind:
        case "grid":
            coefficients = rng.normal(size=(*size, 8)) * spread
            op = BSplineOp(x, 3, np.linspace(-1, 1, 6), coefficients, extend=True, closed=True)
        case "knots":
            knots = np.sort(rng.uniform(-2, 2, size=(inputs, 9)), axis=1)
            op = BSplineOp(x, 2, knots, rng.normal(size=(*size, 6)).astype(np.float32) * spread)
        case "radial":
            coefficients = rng.normal(size=(*size, 5)) * spread
            op = RadialOp("gaussian", x, np.linspace(-2, 2, 5), np.full(5, 0.8), coefficients)
        case "chebyshev":
            op = ChebyshevOp(MapOp("tanh", x), rng.normal(size=(*size, 4)) * spread)
        case "symbolic":
            affine = rng.normal(size=(*size, 4)) * spread
            op = SymbolicOp(["sin", "gaussian"], x, rng.integers(0, 2, size=size), affine)
        case _:
            op = BaseOp(kind, x, rng.normal(size=size) * spread)
    return op.results[0]


def layer(x: SSAValue, outputs: int, rng: Generator, kinds: Sequence[str]) -> SSAValue:
    """A layer whose edges are sums of the kinds, some pruned."""
    edges = edges_of(kinds[0], x, outputs, rng)
    for kind in kinds[1:]:
        edges = arith.AddfOp(edges, edges_of(kind, x, outputs, rng)).result
    mask = rng.random(tensor_shape(edges)) < 0.8
    bias = rng.normal(size=outputs) * 0.3 if rng.random() < 0.5 else None
    return NodeSumOp(edges, mask=mask, bias=bias).result


def build(
    widths: Sequence[int], body: Callable[..., Sequence[SSAValue]], element: AnyFloat = f32
) -> ModuleOp:
    """A module with the function `@net` of arguments of these widths."""
    block = Block(arg_types=[TensorType(element, (width,)) for width in widths])
    with ImplicitBuilder(block):
        results = body(*block.args)
    return module_of("net", block, *results)


EDGES = ["grid", "knots", "radial", "chebyshev", "symbolic", "silu", "identity", "abs"]


@st.composite
def networks(draw: st.DrawFn) -> tuple[str, list[int]]:
    """The text of a module, and the widths of its arguments."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    widths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=2))
    kinds = st.lists(st.sampled_from(EDGES), min_size=1, max_size=3)

    def affine(x: SSAValue) -> SSAValue:
        (size,) = tensor_shape(x)
        scale = rng.normal(size=size) if draw(st.booleans()) else rng.normal(size=1)
        return AffineOp(x, scale, rng.normal(size=size) * 0.3).result

    def body(*arguments: SSAValue) -> Sequence[SSAValue]:
        x = arguments[0] if len(arguments) == 1 else ConcatOp(arguments).result
        for _ in range(draw(st.integers(1, 3))):
            skipped = x
            if draw(st.booleans()):
                x = MapOp("tanh", x).result
            for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
                x = affine(x)
            x = layer(x, draw(st.integers(1, 4)), rng, draw(kinds))
            for _ in range(draw(st.integers(0, 2))):
                x = affine(x)
            if draw(st.integers(0, 3)) == 0:
                x = ConcatOp([x, skipped]).result
        if draw(st.booleans()):
            x = MapOp("sigmoid", x).result
        return [x]

    return str(build(widths, body)), widths


def parse(text: str) -> ModuleOp:
    return Parser(make_context(), text).parse_module()


def run(module: ModuleOp, *passes: ModulePass) -> ModuleOp:
    """A module after the passes, verified and checked after each."""
    result = module.clone()
    run_passes(Context(), result, passes, Checker(count=100))
    return result


def samples(widths: Sequence[int], count: int = 200) -> FloatArray:
    return np.random.default_rng(0).normal(size=(count, sum(widths))) * 0.6


def calibrated(module: ModuleOp, x: FloatArray, widths: Sequence[int]) -> ModuleOp:
    result = module.clone()
    observe(find_function(result), np.split(x, np.cumsum(widths)[:-1], axis=1), 256)
    result.verify()
    return result


def random_codes(module: ModuleOp, count: int = 200) -> IntArray:
    """Codes in the ranges of the inputs, the ends among them."""
    ports = Model.of(module).interface().inputs
    low, high = np.array([[port.low, port.high] for port in ports]).T
    codes = np.random.default_rng(1).integers(low, high + 1, size=(count, len(ports)))
    codes[0], codes[1] = low, high
    return codes


@deterministic
@given(networks())
def test_folding_affines_keeps_the_function(network: tuple[str, list[int]]) -> None:
    text, widths = network
    module = parse(text)
    x = samples(widths)
    expected = Model.of(module).run(x)
    folded = run(module, FoldAffinePass())
    actual = Model.of(folded).run(x)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


options = st.builds(
    QuantizePass,
    bits=st.integers(1, 7),
    scale=st.sampled_from(["minmax", "percentile", "mse"]),
    per_tensor=st.booleans(),
    guard_bits=st.integers(0, 3),
)


@deterministic
@given(networks(), options)
def test_tables_give_the_codes_that_the_functions_gave(
    network: tuple[str, list[int]], quantize: QuantizePass
) -> None:
    text, widths = network
    module = run(parse(text), FoldAffinePass())
    quantized = run(calibrated(module, samples(widths), widths), quantize)
    codes = random_codes(quantized)
    expected = Model.of(quantized).run_codes(codes)
    result = quantized
    for one in (FoldTablesPass(), *TO_HARDWARE, LowerKanToHwPass()):
        result = run(result, one)
        np.testing.assert_array_equal(Model.of(result).run_codes(codes), expected, one.name)


@pytest.mark.ci
@deterministic
@given(networks(), options)
def test_quantizers_given_back_give_the_same_network(
    network: tuple[str, list[int]], quantize: QuantizePass
) -> None:
    text, widths = network
    observed = calibrated(run(parse(text), FoldAffinePass()), samples(widths), widths)
    chosen = run(observed, quantize)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "quantizers.json"
        for stage in (chosen, run(chosen, FoldTablesPass())):
            path.write_text(to_json(quantizers_of(find_function(stage))))
            again = run(observed, QuantizePass(quantizers=str(path)))
            assert str(find_function(again)) == str(find_function(chosen))


# Shapes of networks that need care.

Body = Callable[..., Sequence[SSAValue]]


def two_results(x: SSAValue, y: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    return [layer(x, 3, rng, ["grid"]), layer(y, 2, rng, ["grid"])]


def permuted_results(x: SSAValue, y: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    return two_results(x, y, rng)[::-1]


def repeated_result(x: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    nodes = layer(x, 3, rng, ["grid"])
    return [nodes, nodes]


def nodes_returned_and_read(x: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    nodes = layer(x, 3, rng, ["grid"])
    return [nodes, layer(nodes, 2, rng, ["silu"])]


def head(x: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    return [MapOp("sigmoid", layer(x, 3, rng, ["grid"])).result]


def head_and_nodes(x: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    nodes = layer(x, 3, rng, ["grid"])
    return [MapOp("abs", nodes).result, nodes]


def concat_of_arguments(x: SSAValue, y: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    return [layer(ConcatOp([y, x]).result, 2, rng, ["grid"])]


def concat_of_layers(x: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    sides = [layer(x, 3, rng, ["grid"]), layer(x, 2, rng, ["silu"])]
    return [layer(ConcatOp(sides).result, 2, rng, ["grid"])]


def skip_connection(x: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    nodes = layer(x, 3, rng, ["grid"])
    return [layer(ConcatOp([MapOp("tanh", nodes).result, x]).result, 2, rng, ["grid"])]


def nested_concat(x: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    nodes = layer(x, 2, rng, ["grid"])
    inner = ConcatOp([nodes, x]).result
    return [layer(ConcatOp([inner, nodes]).result, 2, rng, ["grid"])]


def concat_returned(x: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    return [ConcatOp([layer(x, 3, rng, ["grid"]), x]).result]


def two_layers_of_one_argument(x: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    return [layer(x, 1, rng, ["grid"]), layer(x, 2, rng, ["radial"])]


def argument_returned(x: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    return [x, layer(x, 1, rng, ["grid"])]


def doubled_value(x: SSAValue, rng: Generator) -> Sequence[SSAValue]:
    nodes = layer(x, 3, rng, ["grid"])
    return [layer(arith.AddfOp(nodes, nodes).result, 2, rng, ["silu"])]


SHAPES: list[tuple[Body, list[int]]] = [
    (two_results, [2, 3]),
    (permuted_results, [2, 3]),
    (repeated_result, [2]),
    (nodes_returned_and_read, [2]),
    (head, [2]),
    (head_and_nodes, [2]),
    (concat_of_arguments, [2, 3]),
    (concat_of_layers, [2]),
    (skip_connection, [2]),
    (nested_concat, [2]),
    (concat_returned, [2]),
    (two_layers_of_one_argument, [3]),
    (argument_returned, [2]),
    (doubled_value, [2]),
]


@pytest.mark.parametrize(("body", "widths"), SHAPES, ids=[body.__name__ for body, _ in SHAPES])
@pytest.mark.parametrize("per_tensor", [False, True])
def test_networks_of_any_shape(body: Body, widths: list[int], per_tensor: bool) -> None:
    rng = np.random.default_rng(0)
    module = build(widths, lambda *arguments: body(*arguments, rng))
    x = samples(widths)
    expected = Model.of(module).run(x)
    observed = calibrated(run(module, FoldAffinePass()), x, widths)
    result = run(observed, QuantizePass(bits=10, per_tensor=per_tensor))
    codes = random_codes(result)
    code_results = Model.of(result).run_codes(codes)
    for one in (FoldTablesPass(), *TO_HARDWARE, LowerKanToHwPass()):
        result = run(result, one)
        np.testing.assert_array_equal(Model.of(result).run_codes(codes), code_results, one.name)
    assert np.abs(Model.of(result).run(x) - expected).max() < 0.1


def test_networks_of_double_precision_keep_their_type() -> None:
    rng = np.random.default_rng(0)

    def body(x: SSAValue) -> Sequence[SSAValue]:
        nodes = layer(AffineOp(x, np.ones(2) * 2, np.ones(2)).result, 3, rng, ["grid", "silu"])
        return [MapOp("tanh", nodes).result]

    module = build([2], body, f64)
    observed = calibrated(run(module, FoldAffinePass()), samples([2]), [2])
    quantized = run(observed, QuantizePass())
    codes = random_codes(quantized)
    hardware = run(quantized, FoldTablesPass(), *TO_HARDWARE, LowerKanToHwPass())
    np.testing.assert_array_equal(
        Model.of(hardware).run_codes(codes), Model.of(quantized).run_codes(codes)
    )
