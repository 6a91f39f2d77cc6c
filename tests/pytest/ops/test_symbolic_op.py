"""kan.symbolic: what it computes, how it prints, and what its verifier refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import Block
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.symbolic import SYMBOLIC_FUNCTIONS, SymbolicOp
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.quantize import QuantizePass


def network(
    functions: Sequence[str], choice: IntArray, affine: FloatArray, name: str | None = "layer0"
) -> ModuleOp:
    block = Block(arg_types=[TensorType(f32, (choice.shape[1],))])
    edges = SymbolicOp(functions, block.args[0], choice, affine, name=name)
    nodes = NodeSumOp(edges, name=name)
    block.add_ops([edges, nodes])
    return module_of("formula", block, nodes)


AFFINE = np.array([[[2.0, 0.5, 3.0, -1.0], [1.0, 0.0, -1.0, 0.25]]])


def test_edges_are_formulas() -> None:
    module = network(["sin", "square"], np.array([[0, 1]]), AFFINE)
    module.verify()
    x = np.random.default_rng(0).normal(size=(50, 2))
    expected = 3.0 * np.sin(2.0 * x[:, 0] + 0.5) - 1.0 - x[:, 1] ** 2 + 0.25
    np.testing.assert_allclose(Model.of(module).run(x)[:, 0], expected, rtol=1e-14)


def test_an_edge_without_function_is_its_constant_anywhere() -> None:
    affine = np.array([[[1.0, 0.0, 0.0, 0.5]]])
    module = network(["log"], np.array([[0]]), affine)
    assert Model.of(module).run(np.array([[-1.0], [0.0]])).tolist() == [[0.5], [0.5]]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("power4", lambda x: x * x * x * x),
        ("power5", lambda x: x * x * x * x * x),
        ("power3_2", lambda x: x * np.sqrt(x)),
        ("reciprocal_square", lambda x: (1 / x) * (1 / x)),
        ("reciprocal_cube", lambda x: (1 / x) ** 3),
        ("reciprocal_power4", lambda x: (1 / x) ** 4),
        ("reciprocal_power5", lambda x: (1 / x) ** 5),
        ("reciprocal_sqrt", lambda x: np.sqrt(1 / x)),
        ("tan", lambda x: np.sin(x) / np.cos(x)),
        ("arcsin", lambda x: np.arctan2(x, np.sqrt(1 - x * x))),
        ("arccos", lambda x: np.arctan2(np.sqrt(1 - x * x), x)),
        ("arctan", lambda x: np.arctan2(x, 1)),
        ("arctanh", lambda x: 0.5 * np.log((1 + x) / (1 - x))),
        ("gaussian", lambda x: 1 / np.exp(x * x)),
        ("sign", lambda x: x / np.abs(x)),
        ("zero", lambda x: 0 * x),
    ],
)
def test_functions(name: str, function: Callable[[FloatArray], FloatArray]) -> None:
    x = np.linspace(0.05, 0.95, 50)
    np.testing.assert_allclose(SYMBOLIC_FUNCTIONS[name](x), function(x), rtol=1e-12)


def test_reads_back_as_it_prints() -> None:
    for name in ("layer0", None):
        text = str(network(["sin", "square"], np.array([[0, 1]]), AFFINE, name))
        assert str(Parser(make_context(), text).parse_module()) == text


@pytest.mark.parametrize(
    ("functions", "choice", "affine", "message"),
    [
        ([], [[0, 0]], AFFINE, "at least one function"),
        (["sin", "sin"], [[0, 0]], AFFINE, "listed twice"),
        (["bessel"], [[0, 0]], AFFINE, "unknown function 'bessel'"),
        (["sin"], [[0, 1]], AFFINE, "choice must lie in 0..0"),
        (["sin"], [[0, -1]], AFFINE, "choice must lie in 0..0"),
        (["sin"], [[0, 0]], AFFINE[..., :3], "affine must have shape 1x2x4"),
        (["sin"], [[0, 0]], AFFINE + np.inf, "must be finite"),
    ],
)
def test_verifier(
    functions: list[str], choice: list[list[int]], affine: FloatArray, message: str
) -> None:
    with pytest.raises(VerifyException, match="kan.symbolic.*" + message):
        network(functions, np.array(choice), affine).verify()


def test_names_must_reach_the_rtl() -> None:
    with pytest.raises(VerifyException, match="is not an identifier"):
        network(["sin"], np.array([[0, 0]]), AFFINE, "no name").verify()


def test_folds_into_tables_and_hardware(tmp_path: object) -> None:
    module = network(["sin", "square"], np.array([[0, 1]]), AFFINE)
    context = make_context()
    path = f"{tmp_path}/data.npz"
    np.savez(path, x=np.random.default_rng(0).uniform(-1, 1, size=(500, 2)))
    CalibratePass(path).apply(context, module)
    QuantizePass(bits=6).apply(context, module)
    codes = np.random.default_rng(1).integers(0, 64, size=(300, 2))
    expected = Model.of(module).run_codes(codes)
    CompilePass().apply(context, module)
    assert Model.of(module).level == "hardware"
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), expected)
