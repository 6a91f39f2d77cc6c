"""A function at one stage of the pipeline, and its outputs on samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import AnyFloat, ModuleOp, TensorType
from xdsl.ir import Attribute, IRNode, SSAValue
from xdsl.traits import IsTerminator

from kan_dialect.analysis.nodes import dead_nodes, wire_nodes
from kan_dialect.analysis.wires import latency_of
from kan_dialect.checking.samples import CodeSamples
from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.attribute_names import PORTS
from kan_dialect.ir.attributes.module_attributes import declared_latency, nodes_of
from kan_dialect.ir.constants import Array, FloatArray, IntArray, dense
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.ir.types import IntType, range_of, tensor_shape
from kan_dialect.model.interface import Port
from kan_dialect.model.model import Model
from kan_dialect.model.on_chip.training_step import as_step, is_trainable
from kan_dialect.ops.wire import TableOp

Network: TypeAlias = func.FuncOp | hw.HWModuleOp


def networks(module: ModuleOp) -> dict[str, Network]:
    """The functions of KANs in a module, by name. They can be evaluated on samples."""
    found: dict[str, Network] = {}
    functions = functions_of(module)
    for op in module.ops:
        match op:
            case hw.HWModuleOp() if PORTS in op.attributes:
                found[op.sym_name.data] = op
            case func.FuncOp() if (
                op in functions and _is_public(op) and (_has_samples(op) or is_trainable(op))
            ):
                found[op.sym_name.data] = op
            case _:
                pass
    return found


def _is_public(op: func.FuncOp) -> bool:
    return op.sym_visibility is None or op.sym_visibility.data == "public"


def _has_samples(op: func.FuncOp) -> bool:
    """Whether arguments and results are vectors of floats or codes, or wires."""
    inputs, outputs = op.function_type.inputs.data, op.function_type.outputs.data
    types = [*inputs, *outputs]
    if not inputs or not outputs:
        return False
    return all(isinstance(kind, IntType) for kind in types) or all(map(_is_vector, types))


def _is_vector(kind: Attribute) -> bool:
    if not isinstance(kind, TensorType):
        return False
    tensor = cast("TensorType[Attribute]", kind)
    numbers = isinstance(tensor.get_element_type(), AnyFloat | UniformQuantizedType)
    return numbers and len(tensor.get_shape()) == 1 and tensor.get_shape()[0] > 0


def inputs_of(op: Network) -> int:
    """Number of features of a sample."""
    if isinstance(op, hw.HWModuleOp):
        return len(Model(op, "hardware").ports()[0])
    if is_trainable(op):
        return tensor_shape(as_step(op).input)[0]
    return sum(
        tensor_shape(argument)[0] if isinstance(argument.type, TensorType) else 1
        for argument in op.args
    )


def equivalent(one: Network, other: Network) -> bool:
    context: dict[IRNode | SSAValue, IRNode | SSAValue] = {}
    if one.parent is not None and other.parent is not None:
        context[one.parent] = other.parent
    return one.is_structurally_equivalent(other, context)


@dataclass(frozen=True)
class Codes:
    """Codes of outputs (samples, outputs) and nodes (samples), and masks of the defined ones.

    A code that depends on a don't-care entry of a table is undefined: a pass may change it.
    """

    outputs: IntArray
    nodes: dict[str, IntArray]
    outputs_defined: Array
    nodes_defined: dict[str, Array]


class Snapshot:
    """A function at one stage of the pipeline, evaluated on each set of samples once."""

    def __init__(self, op: Network, module: ModuleOp, rng: np.random.Generator) -> None:
        self.op = op
        model = Model.of(module, op.sym_name.data)
        self.level = model.level
        self.model = Model(_without_dont_cares(op, rng), model.level)
        self._codes: tuple[CodeSamples, Codes] | None = None
        self._reals: tuple[FloatArray, FloatArray] | None = None

    def ports(self) -> tuple[tuple[Port, ...], tuple[Port, ...]] | None:
        """Inputs and outputs; None where the function has no codes."""
        if self.level == "spline":
            return None
        try:
            return self.model.ports()
        except KanError:
            if self.level != "table":
                raise
            return None

    def codes(self, samples: CodeSamples) -> Codes:
        """Output codes and codes of nodes."""
        if self._codes is None or self._codes[0] is not samples:
            self._codes = samples, self._evaluate(samples.codes)
        return self._codes[1]

    def _evaluate(self, codes: IntArray) -> Codes:
        outputs, nodes = self.model.run_nodes(codes)
        if self.model.op is self.op or not isinstance(self.op, func.FuncOp):
            everywhere = np.ones(len(codes), dtype=np.bool_)
            nodes_defined = dict.fromkeys(nodes, everywhere)
            return Codes(outputs, nodes, np.ones(outputs.shape, dtype=np.bool_), nodes_defined)
        undefined = _undefined_values(self.op, codes)
        terminator = self.op.get_return_op()
        assert terminator is not None
        columns = [~undefined[value] for value in terminator.operands]
        nodes_defined = {mark.node.data: ~undefined[mark.value] for mark in wire_nodes(self.op)}
        return Codes(outputs, nodes, np.stack(columns, axis=1), nodes_defined)

    def reals(self, x: FloatArray) -> FloatArray:
        """Outputs as numbers."""
        if self._reals is None or self._reals[0] is not x:
            with np.errstate(all="ignore"):
                self._reals = x, self.model.run(x)
        return self._reals[1]

    def node_names(self) -> set[str]:
        """Names of the nodes that are marked, or declared dead."""
        if isinstance(self.op, hw.HWModuleOp):
            return {node.node for node in nodes_of(self.op)}
        return {mark.node.data for mark in wire_nodes(self.op)} | dead_nodes(self.op)

    def schedule_problem(self) -> str | None:
        """The first contradiction in the cycles of a wire-level function; None without one."""
        if self.level != "wire" or not isinstance(self.op, func.FuncOp):
            return None
        try:
            latency = latency_of(self.op)
        except KanError as error:
            return str(error)
        declared = declared_latency(self.op)
        if declared not in (None, latency):
            return f"the function says a latency of {declared} cycles, it has {latency}"
        return None


def _undefined_values(function: func.FuncOp, codes: IntArray) -> dict[SSAValue, Array]:
    """For each wire-level value, the mask of samples at which it depends on a don't-care entry."""
    values: dict[SSAValue, Array] = dict(zip(function.args, codes.T, strict=True))
    undefined: dict[SSAValue, Array] = dict.fromkeys(
        function.args, np.zeros(len(codes), dtype=np.bool_)
    )
    for op in function.body.block.ops:
        if op.has_trait(IsTerminator):
            continue
        some = np.any([undefined[v] for v in op.operands] or [undefined[function.args[0]]], axis=0)
        results = evaluate_op(op, [values[operand] for operand in op.operands])
        if isinstance(op, TableOp):
            index = tuple(values[value] - range_of(value).low for value in op.inputs)
            some |= ~op.care_array[index]
        for result, value in zip(op.results, results, strict=True):
            values[result], undefined[result] = value, some
    return undefined


def _without_dont_cares(op: Network, rng: np.random.Generator) -> Network:
    """The function with random values, in the table's range, in place of don't-care entries.

    So a don't-care that does matter shows at the pass that declared it, not where it is filled in.
    """
    if not any(isinstance(inner, TableOp) and inner.care for inner in op.body.block.ops):
        return op
    clone = op.clone()
    for table in clone.body.block.ops:
        if isinstance(table, TableOp) and table.care is not None:
            kind = range_of(table.result)
            entries = table.entries_array
            noise = rng.integers(kind.low, kind.high, entries.shape, endpoint=True)
            # Never the value in place, which may be right.
            noise = np.where(noise == entries, kind.low + (noise - kind.low + 1) % kind.size, noise)
            table.entries = dense(np.where(table.care_array, entries, noise))
            table.care = None
    return clone
