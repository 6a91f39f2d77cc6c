"""Runs single ONNX operators in the reference implementation of the `onnx` package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from kan_dialect.evaluate.onnx_subgraph import BatchNormalization
from kan_dialect.ir.constants import Array

NodeFunction = Callable[[Sequence[Array | None]], list[Array]]
"""Operands, None for an omitted one -> results."""


def open_node(node: onnx.NodeProto, version: int, kinds: Sequence[int]) -> NodeFunction:
    """A node as a function of its operands, which may have any shape.

    Parameters
    ----------
    version : version of the operator set.
    kinds : ONNX element types of the operands; 0 for an omitted one.

    Raises
    ------
    Exception : of any type, if the reference implementation lacks the operator.
    """
    alone = onnx.NodeProto()
    alone.CopyFrom(node)
    names = [f"i{index}" if kind else "" for index, kind in enumerate(kinds)]
    alone.input[:] = names
    alone.output[:] = [f"o{index}" if name else "" for index, name in enumerate(node.output)]
    ends = [
        helper.make_tensor_value_info(name, kind, None)
        for name, kind in zip(names, kinds, strict=True)
        if kind
    ]
    results = [onnx.ValueInfoProto(name=name) for name in alone.output if name]
    graph = helper.make_graph([alone], "node", ends, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    evaluator: Any = ReferenceEvaluator(model, new_ops=[BatchNormalization])

    def run(operands: Sequence[Array | None]) -> list[Array]:
        feed = {name: each for name, each in zip(names, operands, strict=True) if name}
        with np.errstate(all="ignore"):
            return [np.asarray(each) for each in evaluator.run(None, feed)]

    return run


def run_node(node: onnx.NodeProto, version: int, operands: Sequence[Array | None]) -> list[Array]:
    """Results of a node, in the types of its operands; None for an omitted operand.

    Raises
    ------
    Exception : of any type, if the operands do not fit, or the operator is not implemented.
    """
    kinds = [0 if x is None else helper.np_dtype_to_tensor_dtype(x.dtype) for x in operands]
    return open_node(node, version, kinds)(operands)
