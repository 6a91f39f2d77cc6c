"""Evaluation of functions: many samples, codes, ops of other packages, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from xdsl.dialects import arith, func, test
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType, f32
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, result_def

from kan_dialect.errors import KanError
from kan_dialect.evaluate import interpreter
from kan_dialect.evaluate.code_ports import code_values, host_affine
from kan_dialect.evaluate.interpreter import evaluate_function, evaluate_inside, find_function
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import Array, dense
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.semantics import is_univariate, semantics_of
from kan_dialect.ir.types import IntType
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import AffineOp, ConcatOp, MapOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp
from kan_dialect.ops.wire import ConstantOp, DelayOp, MarkOp, SumOp

CODES = UniformQuantizedType(4, False, 0.5, 8)


def vector(size: int, element: Attribute = f32) -> TensorType[Attribute]:
    return TensorType(element, (size,))


def function(
    arguments: Sequence[Attribute],
    ops: Sequence[Operation],
    results: Sequence[SSAValue],
    block: Block,
) -> func.FuncOp:
    block.add_ops([*ops, func.ReturnOp(*results)])
    types = FunctionType.from_lists(arguments, [result.type for result in results])
    op = func.FuncOp("f", types, Region(block))
    op.verify()
    return op


def two_layers() -> func.FuncOp:
    rng = np.random.default_rng(0)
    block = Block(arg_types=[vector(3)])
    edges = BaseOp("sin", block.args[0], rng.normal(size=(4, 3)))
    nodes = NodeSumOp(edges, mask=rng.random((4, 3)) < 0.7, bias=rng.normal(size=4))
    more = BaseOp("tanh", nodes, rng.normal(size=(2, 4)))
    last = NodeSumOp(more)
    return function([vector(3)], [edges, nodes, more, last], [last.result, nodes.result], block)


def test_chunks_of_samples_give_what_all_at_once_give(monkeypatch: pytest.MonkeyPatch) -> None:
    op = two_layers()
    x = np.random.default_rng(1).normal(size=(101, 3))
    whole = evaluate_function(op, [x])
    # The widest value has 12 elements: 8 samples a chunk, the last one smaller.
    monkeypatch.setattr(interpreter, "CHUNK_ELEMENTS", 100)
    for value, part in zip(whole, evaluate_function(op, [x]), strict=True):
        np.testing.assert_array_equal(value, part)
    monkeypatch.setattr(interpreter, "CHUNK_ELEMENTS", 1)
    for value, part in zip(whole, evaluate_function(op, [x]), strict=True):
        np.testing.assert_allclose(value, part, rtol=1e-14)


def test_no_samples_give_no_results() -> None:
    first, second = evaluate_function(two_layers(), [np.zeros((0, 3))])
    assert first.shape == (0, 2) and second.shape == (0, 4)


def test_values_inside_and_samples_that_are_integers() -> None:
    op = two_layers()
    nodes = op.body.block.ops.first
    assert isinstance(nodes, BaseOp)
    (edges,) = evaluate_inside(op, [np.array([[1, 0, 2]])], [nodes.result])
    assert edges.shape == (1, 4, 3) and edges.dtype == np.float64


def test_a_node_sum_leaves_pruned_edges_out_whatever_they_are() -> None:
    block = Block(arg_types=[TensorType(f32, (2, 2))])
    nodes = NodeSumOp(block.args[0], mask=np.array([[1, 0], [0, 0]]), bias=np.array([0.0, 5.0]))
    for odd in (np.inf, -np.inf, np.nan):
        (sums,) = nodes.evaluate([np.array([[[1.0, odd], [odd, odd]]])])
        assert sums.tolist() == [[1.0, 5.0]]
    (sums,) = NodeSumOp(block.args[0]).evaluate([np.array([[[1.0, np.inf], [1.0, 2.0]]])])
    assert sums.tolist() == [[np.inf, 3.0]]


def test_constants_are_spread_over_the_samples() -> None:
    block = Block(arg_types=[vector(2)])
    constant = arith.ConstantOp(dense(np.array([1.5, -1.0]), f32))
    total = arith.AddfOp(block.args[0], constant)
    both = ConcatOp([constant.result, total.result])
    op = function([vector(2)], [constant, total, both], [both.result, constant.result], block)
    joined, alone = evaluate_function(op, [np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])])
    assert joined.tolist() == [[1.5, -1, 1.5, 0], [1.5, -1, 3.5, 2], [1.5, -1, 5.5, 4]]
    assert alone.tolist() == [[1.5, -1.0]] * 3


def test_arithmetic_of_other_dialects() -> None:
    block = Block(arg_types=[vector(1), vector(1)])
    x, y = block.args
    ops = [arith.SubfOp(x, y), arith.MulfOp(x, y), arith.NegfOp(x)]
    op = function([vector(1)] * 2, ops, [o.results[0] for o in ops], block)
    results = evaluate_function(op, [np.array([[3.0]]), np.array([[-2.0]])])
    assert [float(result[0, 0]) for result in results] == [5.0, -6.0, -3.0]
    assert all(is_univariate(o) for o in ops)


def test_wire_level_values_and_marks() -> None:
    block = Block(arg_types=[IntType(0, 3)])
    constant = ConstantOp(5)
    total = SumOp([block.args[0], constant, block.args[0]])
    late = DelayOp(total, 3)
    mark = MarkOp(late, "node")
    op = function(
        [IntType(0, 3)], [constant, total, late, mark], [late.result, constant.result], block
    )
    first, second = evaluate_function(op, [np.array([0, 1, 3])])
    assert first.tolist() == [5, 7, 11] and second.tolist() == [5, 5, 5]


# Codes.


def test_codes_enter_behind_the_quantisers_and_leave_before_the_dequantisers() -> None:
    block = Block(arg_types=[vector(2), vector(1)])
    # Not in the order of the arguments, and an affine that the host computes.
    second = QuantizeOp(block.args[1], CODES)
    moved = AffineOp(block.args[0], np.array([2.0, 1.0]), np.array([0.5, 0.0]))
    scaled = AffineOp(moved, np.array([1.0, 4.0]), np.array([0.0, -1.0]))
    first = QuantizeOp(scaled, CODES)
    back = DequantizeOp(first)
    op = function(
        [vector(2), vector(1)],
        [second, moved, scaled, first, back],
        [back.result, second.result],
        block,
    )
    sources, results = code_values(op)
    assert list(sources) == [first.result, second.result]
    assert list(results) == [first.result, second.result]
    codes = [np.array([[1, 2]]), np.array([[3]])]
    assert [v.tolist() for v in evaluate_function(op, codes, codes=True)] == [[[1, 2]], [[3]]]
    # As real values: x * 2 + 0.5 and x * 4 - 1, in steps of 0.5 from code 8.
    real, code = evaluate_function(op, [np.array([[1.0, 1.0]]), np.array([[-0.5]])])
    assert real.tolist() == [[2.5, 3.0]] and code.tolist() == [[7]]
    affine = host_affine(first.result)
    assert affine is not None
    assert [part.tolist() for part in affine] == [[2.0, 4.0], [0.5, -1.0]]
    assert host_affine(second.result) is None


def test_tensors_of_codes_are_codes_already() -> None:
    block = Block(arg_types=[vector(1, CODES)])
    op = function([vector(1, CODES)], [], [block.args[0]], block)
    assert Model.of(ModuleOp([op])).run_codes(np.array([[3]])).tolist() == [[3]]


@pytest.mark.parametrize("readers", [0, 2])
def test_an_argument_must_have_one_quantiser(readers: int) -> None:
    block = Block(arg_types=[vector(1), vector(1)])
    quantisers = [QuantizeOp(block.args[0], CODES)]
    quantisers += [QuantizeOp(block.args[1], CODES) for _ in range(readers)]
    op = function([vector(1)] * 2, quantisers, [quantisers[0].result], block)
    with pytest.raises(KanError, match="argument 1 of @f is not read by one"):
        code_values(op)


# What is refused.


def test_inputs_of_another_number_or_shape() -> None:
    op = two_layers()
    with pytest.raises(KanError, match="@f takes 1 inputs, got 2"):
        evaluate_function(op, [np.zeros((1, 3)), np.zeros((1, 3))])
    with pytest.raises(KanError, match=r"input 0 of @f has shape \(samples, 3\), got \(1, 2\)"):
        evaluate_function(op, [np.zeros((1, 2))])


def test_codes_out_of_range_or_of_another_kind() -> None:
    network = TableNetwork("net", CODES, inputs=2)
    model = Model.of(network.add_layer(np.zeros((1, 2, 16), dtype=np.int64)).module())
    with pytest.raises(KanError, match=r"code 16 of x1 is outside its range 0\.\.15"):
        model.run_codes(np.array([[0, 0], [0, 16]]))
    with pytest.raises(KanError, match=r"expected integer codes of shape \(samples, 2\)"):
        model.run_codes(np.zeros((1, 2)))
    with pytest.raises(KanError, match=r"expected integer codes of shape \(samples, 2\)"):
        model.run_codes(np.zeros((1, 3), dtype=np.int64))


def test_an_op_without_meaning() -> None:
    block = Block(arg_types=[vector(1)])
    unknown = test.TestOp(operands=[block.args[0]], result_types=[vector(1)])
    op = function([vector(1)], [unknown], [unknown.results[0]], block)
    with pytest.raises(KanError, match=r"'test\.op' cannot be evaluated"):
        evaluate_function(op, [np.zeros((1, 1))])


def test_the_function_to_run_must_be_clear() -> None:
    module = ModuleOp([two_layers()])
    assert find_function(module).sym_name.data == find_function(module, "f").sym_name.data == "f"
    with pytest.raises(KanError, match="expected a function @g in the module, found 0"):
        find_function(module, "g")
    with pytest.raises(KanError, match="expected exactly one function in the module, found 0"):
        find_function(ModuleOp([]))


# Ops of other packages.


@irdl_op_definition
class HalfOp(IRDLOperation):
    """An op of somebody else, without an interface of ours."""

    name = "other.half"

    input = operand_def(TensorType)
    result = result_def(TensorType)


def test_a_meaning_can_be_registered_for_an_op_of_another_package() -> None:
    @semantics_of(HalfOp, elementwise=True)
    def half(op: HalfOp, operands: Sequence[Array]) -> Sequence[Array]:
        return (operands[0] / 2,)

    block = Block(arg_types=[vector(1)])
    halved = HalfOp(operands=[block.args[0]], result_types=[vector(1)])
    square = MapOp("square", halved)
    op = function([vector(1)], [halved, square], [square.result], block)
    assert is_univariate(halved)
    assert evaluate_function(op, [np.array([[6.0]])])[0].tolist() == [[9.0]]
    assert half(halved, [np.array([[1.0]])])[0].tolist() == [[0.5]]
