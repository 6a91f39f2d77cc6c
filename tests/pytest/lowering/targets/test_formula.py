"""The target `formula`, executed line by line, against the interpreter of the IR."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import cast

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import FloatArray
from kan_dialect.lowering.targets.formula import FormulaTarget
from kan_dialect.model.model import Model
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.ops.symbolic import SYMBOLIC_FUNCTIONS

NETWORK = """
func.func @net(%x: tensor<2xf64>) -> tensor<1xf64> {
  %s0 = kan.bspline %x degree 1 knots dense<[-2.0, -1.0, 0.0, 1.0, 2.0]> : tensor<5xf64>
    coefficients dense<[[[0.5, -1.0, 0.25], [1.0, 0.5, -0.5]],
                        [[-0.5, 1.0, 0.0], [0.0, 0.25, 0.5]]]> : tensor<2x2x3xf64>
    : tensor<2xf64> -> tensor<2x2xf64>
  %t0 = kan.bspline %x degree 0 knots dense<[-2.0, 0.0, 2.0]> : tensor<3xf64>
    coefficients dense<[[[0.5, -1.0], [1.0, 0.5]],
                        [[-0.5, 1.0], [0.0, 0.25]]]> : tensor<2x2x2xf64>
    : tensor<2xf64> -> tensor<2x2xf64>
  %b0 = kan.base "silu" %x weights dense<[[0.5, 0.0], [0.25, -1.0]]> : tensor<2x2xf64>
    : tensor<2xf64> -> tensor<2x2xf64>
  %e0 = arith.addf %s0, %t0 : tensor<2x2xf64>
  %f0 = arith.addf %e0, %b0 : tensor<2x2xf64>
  %n0 = kan.node_sum %f0 {first} : tensor<2x2xf64> -> tensor<2xf64>
  %s1 = kan.bspline %n0 degree 1 knots dense<[-4.0, -1.0, 0.0, 1.0, 4.0]> : tensor<5xf64>
    coefficients dense<[[[2.0, -1.5, 0.25], [1.0, 0.25, -0.5]]]> : tensor<1x2x3xf64>
    : tensor<2xf64> -> tensor<1x2xf64>
  %n1 = kan.node_sum %s1 {second} : tensor<1x2xf64> -> tensor<1xf64>
  %y = kan.map "square" %n1 : tensor<1xf64>
  func.return %y : tensor<1xf64>
}
"""


def parse(first: str = "", second: str = "") -> ModuleOp:
    text = NETWORK.replace("{first}", first).replace("{second}", second)
    return Parser(make_context(), text).parse_module()


def formulas(module: ModuleOp) -> list[str]:
    stream = StringIO()
    FormulaTarget().emit(make_context(), module, stream)
    return stream.getvalue().splitlines()


def edge(op: BSplineOp, output: int, index: int) -> Callable[[FloatArray], FloatArray]:
    """One edge function of an op, of many values."""
    return lambda x: op.edges(np.repeat(x[:, np.newaxis], op.inputs, axis=1))[:, output, index]


def execute(module: ModuleOp, prefixes: list[str], x: FloatArray) -> FloatArray:
    """What the lines compute; `prefixes` says what the functions of each spline are called."""
    known: dict[str, object] = {**SYMBOLIC_FUNCTIONS, "x0": x[:, 0], "x1": x[:, 1]}
    splines = [op for op in module.walk() if isinstance(op, BSplineOp)]
    for prefix, op in zip(prefixes, splines, strict=True):
        for output, index in np.ndindex(op.outputs, op.inputs):
            known[f"{prefix}_edge{output}_{index}"] = edge(op, output, index)
    for line in formulas(module):
        name, _, formula = line.partition(" = ")
        assert name not in known, f"{name} is two things"
        known[name] = eval(formula.replace("^", "**"), {}, known)
    return cast("FloatArray", known["y0"])


def check(module: ModuleOp, prefixes: list[str]) -> None:
    x = np.random.default_rng(0).uniform(-2.0, 2.0, size=(100, 2))
    expected = Model.of(module).run(x)[:, 0]
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(execute(module, prefixes, x), expected, rtol=1e-12)


def test_layers_without_names_are_told_apart() -> None:
    check(parse(), ["layer0", "layer0_1", "layer1"])


def test_functions_are_called_after_the_layer_that_adds_them_up() -> None:
    check(parse('as "hidden"', 'as "last"'), ["hidden", "hidden_1", "last"])


def test_a_number_that_is_a_name_already_is_passed_over() -> None:
    check(parse("", 'as "layer0"'), ["layer1", "layer1_1", "layer0"])


def test_layers_of_the_same_name_are_told_apart() -> None:
    check(parse('as "same"', 'as "same"'), ["same", "same_1", "same_1_1"])


def test_functions_have_their_names_above_them() -> None:
    module = parse()
    other = parse()
    (function,) = other.ops
    function.detach()
    module.body.block.add_op(function)
    lines = formulas(module)
    assert lines.count("# net") == 2 and lines[0] == "# net"
    assert lines[1 : len(lines) // 2] == formulas(parse())
