"""Ops and passes of other packages that do wrong: messages that name them, and no table beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Dialect
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, result_def
from xdsl.parser import Parser
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter
from xdsl.traits import is_side_effect_free
from xdsl.utils.exceptions import PassFailedException

from kan_dialect.checking import Checker
from kan_dialect.cli.error_messages import run_tool
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import Array
from kan_dialect.ir.semantics import Univariate, semantics_of
from kan_dialect.ir.types import int_type
from kan_dialect.model.model import Model
from kan_dialect.ops.wire import DelayOp, MarkOp
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.pipeline import PassFactory, build_pipeline
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.universe import UNIVERSE


@irdl_op_definition
class HalfOp(IRDLOperation, Univariate):
    """A univariate op that returns whatever a test wants."""

    name = "their.half"
    input = operand_def(TensorType)
    result = result_def(TensorType)
    assembly_format = "$input attr-dict `:` type($input) `->` type($result)"

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return RETURNED["half"](operands[0])  # pyright: ignore[reportReturnType] (that is tested)


@irdl_op_definition
class TwiceOp(IRDLOperation):
    """An op of a package that registers its meaning only, and no traits."""

    name = "their.twice"
    input = operand_def(TensorType)
    result = result_def(TensorType)
    assembly_format = "$input attr-dict `:` type($input) `->` type($result)"


@semantics_of(TwiceOp, elementwise=True)
def _twice(op: TwiceOp, operands: Sequence[Array]) -> Sequence[Array]:
    return (2 * operands[0],)


PACKAGE = __name__.partition(".")[0]
"""What this package is called."""

RETURNED: dict[str, Callable[[Array], object]] = {"half": lambda x: (x[:, np.newaxis, :] / 2,)}
"""What HalfOp computes."""

NETWORK = """
func.func @net(%x: tensor<2xf32>) -> tensor<1xf32> {
  %q = kan.quantize %x : tensor<2xf32> -> tensor<2x!quant.uniform<u2:f32, 1.0>>
  %d = kan.dequantize %q : tensor<2x!quant.uniform<u2:f32, 1.0>> -> tensor<2xf32>
  %t = their.twice %d : tensor<2xf32> -> tensor<2xf32>
  %e = their.half %t : tensor<2xf32> -> tensor<1x2xf32>
  %c = kan.quantize %e : tensor<1x2xf32> -> tensor<1x2x!quant.uniform<u4:f32, 0.5>>
  %n = kan.node_sum %c as "layer0" bounds dense<[[0, 30]]> : tensor<1x2xi8>
    : tensor<1x2x!quant.uniform<u4:f32, 0.5>> -> tensor<1x!quant.uniform<u5:f32, 0.5>>
  %y = kan.dequantize %n : tensor<1x!quant.uniform<u5:f32, 0.5>> -> tensor<1xf32>
  func.return %y : tensor<1xf32>
}
"""


def parse() -> ModuleOp:
    context = make_context()
    context.register_dialect("their", lambda: Dialect("their", [HalfOp, TwiceOp]))
    module = Parser(context, NETWORK).parse_module()
    module.verify()
    return module


def test_univariate_ops_have_no_effects_and_go_with_their_chain() -> None:
    module = parse()
    assert all(is_side_effect_free(op) for op in module.walk() if isinstance(op, HalfOp))
    codes = np.array([[0, 0], [3, 1], [2, 3]])
    expected = 2 * codes.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), expected)
    FoldTablesPass().apply(Context(), module)
    assert "their." not in str(module)
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), expected)


def fail(x: Array) -> object:
    raise IndexError("no such wave")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda x: x[:, np.newaxis, :],
            r"an array of shape \(4, 1, 2\) instead of a sequence of arrays",
        ),
        (lambda x: None, "NoneType instead of a sequence of arrays"),
        (lambda x: (x, x), "2 arrays"),
        (lambda x: (x,), r"an array of shape \(4, 2\) as result 0"),
        (lambda x: (x[:3, np.newaxis, :],), r"an array of shape \(3, 1, 2\) as result 0"),
        (lambda x: ([1.0],), "list as result 0"),
        (lambda x: (x[:, np.newaxis, :] + 0j,), "an array of complex128 as result 0"),
    ],
)
def test_results_of_another_shape_are_refused(
    function: Callable[[Array], object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RETURNED, "half", function)
    expected = (
        r"'their.half': evaluate returned {} for 4 samples; "
        r"return a sequence of 1 array: \(samples, 1, 2\)"
    )
    with pytest.raises(KanError, match=expected.format(message)):
        FoldTablesPass().apply(Context(), parse())


def test_a_single_precision_result_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RETURNED, "half", lambda x: (np.float32(x[:, np.newaxis, :] / 2),))
    module = parse()
    FoldTablesPass().apply(Context(), module)
    assert Model.of(module).run_codes(np.array([[3, 1]])).tolist() == [[8]]


def test_an_op_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RETURNED, "half", fail)
    with pytest.raises(KanError) as raised:
        FoldTablesPass().apply(Context(), parse())
    message = str(raised.value)
    assert f"'their.half' of the package {PACKAGE} failed at test_foreign.py:" in message
    assert "IndexError: no such wave; it is no part of kan-dialect; KAN_TRACEBACK=1" in message


@dataclass(frozen=True)
class FailingPass(KanPass):
    name = "their-pass"
    how: str = "bug"

    def __post_init__(self) -> None:
        if self.how == "option":
            raise TypeError("no option like this")

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        match self.how:
            case "bug":
                raise IndexError("list index out of range")
            case "recursion":
                raise RecursionError("maximum recursion depth exceeded")
            case "message":
                raise PassFailedException("layers must have names")
            case _:
                raise MemoryError


def _broken() -> type[ModulePass]:
    raise ImportError("no module named their_tables")


PASSES: dict[str, PassFactory] = {
    **UNIVERSE.all_passes,
    "their-pass": lambda: FailingPass,
    "their-broken-pass": _broken,
}


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("their-pass", "pass their-pass of the package {package} failed at test_foreign.py:"),
        ("their-pass", "IndexError: list index out of range; it is no part of kan-dialect"),
        ("their-pass{how=recursion}", "pass their-pass of the package {package} failed"),
        ("their-pass{how=option}", "pass their-pass of the package {package} failed"),
        ("their-pass{how=message}", "error: pass their-pass: layers must have names\n"),
        ("their-pass{how=memory}", "error: out of memory"),
        ("their-broken-pass", "pass their-broken-pass of the package {package} failed"),
    ],
)
def test_a_pass_that_fails_is_named(
    pipeline: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> None:
        for stage in build_pipeline(PASSES, pipeline):
            stage.apply(Context(), parse())

    assert run_tool("tool", run) == 1
    printed = capsys.readouterr().err
    assert message.format(package=PACKAGE) in printed
    assert "report it" not in printed and "internal error" not in printed


@dataclass(frozen=True)
class PromisingPass(KanPass):
    name = "their-promise"
    preserves = "roughly"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        Rewriter.erase_op(next(op for op in module.walk() if isinstance(op, MarkOp)))
        return True

    def violation(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        raise ValueError("x")


def test_a_promise_that_fails_names_the_pass() -> None:
    function = func.FuncOp("f", ([int_type(0, 3)], [int_type(0, 3)]))
    (x,) = function.body.block.args
    function.body.block.add_ops([MarkOp(x, "layer0_node0"), func.ReturnOp(x)])
    with pytest.raises(KanError) as raised:
        Checker().apply(Context(), PromisingPass(), ModuleOp([function]))
    message = str(raised.value)
    assert message.startswith(
        f"pass their-promise of the package {PACKAGE} failed at test_foreign.py:"
    )
    assert "ValueError: x;" in message


@dataclass(frozen=True)
class LeakyPass(KanPass):
    """Builds an op and drops it."""

    name = "their-leak"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        mark = next(op for op in module.walk() if isinstance(op, MarkOp))
        DelayOp(mark.value, 1)
        return True


def test_an_op_that_a_pass_builds_and_drops_names_the_pass() -> None:
    function = func.FuncOp("f", ([int_type(0, 3)], [int_type(0, 3)]))
    (x,) = function.body.block.args
    function.body.block.add_ops([MarkOp(x, "layer0_node0"), func.ReturnOp(x)])
    with pytest.raises(KanError, match=r"^their-leak leaves 'kan.delay' outside of the module"):
        Checker().apply(Context(), LeakyPass(), ModuleOp([function]))


def test_a_bug_of_ours_names_the_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(self: object, ctx: Context, module: ModuleOp) -> bool:
        raise IndexError("too far")

    monkeypatch.setattr(FoldTablesPass, "run", fails)
    (stage,) = build_pipeline(PASSES, "kan-fold-tables")
    assert run_tool("tool", lambda: stage.apply(Context(), parse())) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(
        "tool: error: internal error in pass kan-fold-tables: IndexError: too"
    )


def test_the_traceback_is_a_variable_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAN_TRACEBACK", "1")
    (stage,) = build_pipeline(PASSES, "their-pass")
    assert run_tool("tool", lambda: stage.apply(Context(), parse())) == 1
    assert 'raise IndexError("list index out of range")' in capsys.readouterr().err
