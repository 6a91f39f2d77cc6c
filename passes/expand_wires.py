"""`kan-expand-wires`: from tensors of codes to one integer value per input, edge and node.

Arguments become `x0`, `x1`, ... and results `y0`, `y1`, ..., with their scale and zero point in the
attribute `kan.encoding`; an affine in front of the codes is the host's, and stands in `kan.affine`
(gain, offset). Edges are named `layer0_edge3_5` (node 3, input 5), sums `layer0_sum3` and
nodes `layer0_node3`, and every node gets its `kan.mark`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.rewriter import Rewriter

from kan_dialect.analysis.nodes import is_requantized, layer_names, zero_points_of_clamps
from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import code_values, host_affine
from kan_dialect.evaluate.rescaling import Rescaling, rescalings_of
from kan_dialect.ir.attributes.module_attributes import (
    argument_attributes,
    declared_entry,
    declared_interval,
    declared_logic_words,
    declared_shapes,
    declared_word,
)
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import to_numpy
from kan_dialect.ir.functions import function_of, functions_of
from kan_dialect.ir.types import IntType, is_quantized, quantized_type, range_of, tensor_shape
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.layer import AffineOp, ConcatOp, NodeSumOp, reads_argument
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp, TablesOp
from kan_dialect.ops.wire import ConstantOp, ExtractOp, MarkOp, SumOp, TableOp
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.search.folded_layers import folded_layer

_LISTED = 6
"""Most bits of a port's code that a table rounds at once: the inputs of a lookup table."""


@dataclass(frozen=True)
class ExpandWiresPass(KanPass):
    """One op per edge and node."""

    name = "kan-expand-wires"
    works_at = ("table",)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        expanded = False
        for op in functions_of(module):
            if _at_table_level(op):
                Rewriter.replace_op(op, _Expansion(op).run())
                expanded = True
        return expanded


def _at_table_level(function: func.FuncOp) -> bool:
    return any(isinstance(op, QuantizeOp) for op in function.body.block.ops) or any(
        is_quantized(argument) for argument in function.args
    )


@dataclass
class _Expansion:
    """Builds the wire-level function beside the table-level one."""

    function: func.FuncOp
    block: Block = field(default_factory=Block)
    wires: dict[SSAValue, list[SSAValue]] = field(default_factory=dict[SSAValue, list[SSAValue]])
    edges: dict[SSAValue, TablesOp] = field(default_factory=dict[SSAValue, TablesOp])
    layers: dict[SSAValue, str] = field(init=False)

    def __post_init__(self) -> None:
        self.layers = layer_names(self.function)

    def add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def run(self) -> func.FuncOp:
        sources, _ = code_values(self.function)
        encodings = [encoding for source in sources for encoding in self.argument(source)]
        affines = [affine for source in sources for affine in _affines(source)]
        results: Sequence[SSAValue] = ()
        for op in self.function.body.block.ops:
            match op:
                case QuantizeOp() if op.result in self.wires:
                    pass
                case TablesOp():
                    self.lookup(op)
                case NodeSumOp():
                    self.node_sum(op)
                case RequantizeOp():
                    self.requantize(op)
                case ConcatOp():
                    self.wires[op.result] = [w for part in op.inputs for w in self.wires[part]]
                case DequantizeOp():
                    pass
                case AffineOp() if reads_argument(op.input):
                    pass
                case func.ReturnOp():
                    results = op.operands
                case _:
                    raise KanError(
                        f"@{self.function.sym_name.data}: '{op.name}' is not at table level",
                        remedy="run kan-quantize and kan-fold-tables first",
                    )
        return self.finish(encodings, affines, results)

    def argument(self, codes: SSAValue) -> list[Attribute]:
        """One block argument for each element of an argument's codes; their encodings."""
        self.require_vector(codes, "an argument")
        element = quantized_type(codes)
        lower, upper = bounds_of(codes)
        start = len(self.block.args)
        self.wires[codes] = [
            self.block.insert_arg(IntType(low, high), start + index)
            for index, (low, high) in enumerate(zip(lower.tolist(), upper.tolist(), strict=True))
        ]
        for index, wire in enumerate(self.wires[codes]):
            wire.name_hint = f"x{start + index}"
        return [element.element([index]) for index in range(len(lower))]

    def require_vector(self, codes: SSAValue, what: str) -> None:
        if not is_quantized(codes) or len(tensor_shape(codes)) != 1:
            raise KanError(
                f"@{self.function.sym_name.data}: {what} of type {codes.type} is no vector of "
                "codes",
                remedy="arguments and results must be tensor<n x !quant.uniform>",
            )

    def lookup(self, op: TablesOp) -> None:
        """Tables per node are left to the sum that reads them: pruned edges get no table."""
        if len(tensor_shape(op.result)) == 2:
            self.edges[op.result] = op
            return
        layer = self.layers[op.result]
        self.wires[op.result] = [
            self.table(op, (index,), wire, f"{layer}_table{index}")
            for index, wire in enumerate(self.wires[op.input])
        ]

    def table(self, op: TablesOp, index: tuple[int, ...], wire: SSAValue, name: str) -> SSAValue:
        """The table at `index`, with entries for the range of its input only."""
        low, _ = quantized_type(op.input).bounds
        codes = range_of(wire)
        entries = to_numpy(op.tables)[index][codes.low - low : codes.high - low + 1].astype(
            np.int64
        )
        return self.add(TableOp([wire], entries, name=name))

    def node_sum(self, op: NodeSumOp) -> None:
        lookup = self.edges[op.edges]
        inputs = self.wires[lookup.input]
        mask, bias = op.mask_array, op.bias_array
        layer = self.layers[op.result]
        interval = declared_interval(op)
        if interval is not None:
            folded = folded_layer(
                *(op, inputs, interval),
                shares_shapes=declared_shapes(op) is not None,
                word=declared_word(op),
                logic_words=declared_logic_words(op),
                loadable=declared_entry(op),
                name=layer,
            )
            self.block.add_op(folded)
            self.finish_sums(op, list(folded.sums))
            return
        sums: list[SSAValue] = []
        for node in range(mask.shape[0]):
            terms = [
                self.table(lookup, (node, int(i)), inputs[i], f"{layer}_edge{node}_{i}")
                for i in np.flatnonzero(mask[node])
            ]
            if int(bias[node]) or not terms:
                terms.append(self.add(ConstantOp(int(bias[node]))))
            sums.append(
                terms[0] if len(terms) == 1 else self.add(SumOp(terms, name=f"{layer}_sum{node}"))
            )
        self.finish_sums(op, sums)

    def finish_sums(self, op: NodeSumOp, sums: list[SSAValue]) -> None:
        self.wires[op.result] = sums
        if not is_requantized(op):
            self.mark(sums, self.layers[op.result])

    def mark(self, values: Sequence[SSAValue], layer: str) -> None:
        for node, value in enumerate(values):
            self.block.add_op(MarkOp(value, f"{layer}_node{node}"))

    def requantize(self, op: RequantizeOp) -> None:
        if op.affine is not None:
            self.rescale(op)
            return
        before, after = quantized_type(op.input), quantized_type(op.result)
        count = len(self.wires[op.input])
        zero_in = np.broadcast_to(before.zero_point_for(1), (count,)).tolist()
        zero_out = np.broadcast_to(after.zero_point_for(1), (count,))
        lower, upper = bounds_of(op.result)
        layer = self.layers[op.result]
        match op.input.owner:
            case NodeSumOp() as sums if declared_entry(sums) is not None:
                # They are in the bias.
                zero_out = zero_out - zero_points_of_clamps(sums)
            case _:
                pass
        zero_out = zero_out.tolist()
        codes: list[SSAValue] = []
        for node, wire in enumerate(self.wires[op.input]):
            name = f"{layer}_node{node}"
            shift = int(op.shifts[node])
            if shift:
                wire = self.offset(wire, -zero_in[node])
                wire = self.add(ShiftOp(wire, shift, name=f"{name}_scaled"))
                wire = self.offset(wire, zero_out[node])
            else:
                wire = self.offset(wire, zero_out[node] - zero_in[node])
            codes.append(self.add(ClampOp(wire, int(lower[node]), int(upper[node]), name=name)))
        self.wires[op.result] = codes
        self.mark(codes, layer)

    def rescale(self, op: RequantizeOp) -> None:
        """Round codes with gain and offset."""
        layer = self.layers[op.result]
        codes: list[SSAValue] = []
        for node, (wire, each) in enumerate(
            zip(self.wires[op.input], rescalings_of(op), strict=True)
        ):
            codes.append(self.rescaled(wire, each, f"{layer}_node{node}"))
        self.wires[op.result] = codes
        self.mark(codes, layer)

    def rescaled(self, wire: SSAValue, each: Rescaling, name: str) -> SSAValue:
        """A code, rounded in blocks of 2^bits codes, within which the result changes by one.

        A table of the block holds 2^bits times its first result, and the number of codes that it
        lacks to the change. Added to the place in the block, the upper bits are the result.
        """
        reached, is_sum = range_of(wire), isinstance(wire.owner, Operation)
        each = each.between(reached.low, reached.high)
        ends = sorted(each.ends)
        if ends[0] == ends[1]:
            return self.add(ConstantOp(ends[0]))
        least, most = each.unsaturated
        if (most - least).bit_length() + 1 < range_of(wire).bits:
            # Most codes are saturated: a clamp makes the table smaller.
            wire = self.offset(self.add(ClampOp(wire, least, most)), -least)
            each = each.within(least, most)
        kind, blocks = range_of(wire), each.blocks()
        if is_sum and bool((np.diff(each.entries) == 1).all()):
            # A table would go into the edges that read it, and the node could not be proven.
            return self.add(ClampOp(self.offset(wire, ends[0] - kind.low), *ends, name=name))
        if kind.bits <= _LISTED or not blocks.bits:
            return self.add(TableOp([wire], each.entries, name=name))
        size, start = 1 << blocks.bits, min(0, ends[0])
        mask = (1 << (ends[1] - start).bit_length()) - 1
        falls = each.gain < 0
        counts = blocks.first - start
        counts = (mask - counts if falls else counts) << blocks.bits
        counts += np.where(blocks.step < size, size - blocks.step, 0)
        width = kind.bits - blocks.bits
        patterns = np.arange(1 << width)
        if kind.is_signed:
            patterns -= (patterns >> (width - 1)) << width
        entries = counts[(patterns - (kind.low >> blocks.bits)).clip(0, len(counts) - 1)]
        table = self.add(TableOp([self.add(ExtractOp(wire, blocks.bits, width))], entries))
        total = self.add(SumOp([table, self.add(ExtractOp(wire, 0, blocks.bits))]))
        code = self.add(ExtractOp(total, blocks.bits, range_of(total).bits - blocks.bits))
        if falls:
            code = self.add(TableOp([code], mask - np.arange(range_of(code).high + 1)))
        return self.add(ClampOp(self.offset(code, start), *ends, name=name))

    def offset(self, wire: SSAValue, amount: int) -> SSAValue:
        if amount == 0:
            return wire
        return self.add(SumOp([wire, self.add(ConstantOp(amount))]))

    def finish(
        self,
        encodings: list[Attribute],
        affines: list[tuple[float, float] | None],
        results: Sequence[SSAValue],
    ) -> func.FuncOp:
        outputs: list[SSAValue] = []
        output_encodings: list[Attribute] = []
        for result in results:
            codes = result.owner.input if isinstance(result.owner, DequantizeOp) else result
            self.require_vector(codes, "a result")
            element = quantized_type(codes)
            outputs.extend(self.wires[codes])
            output_encodings.extend(
                element.element([index]) for index in range(len(self.wires[codes]))
            )
        expanded = function_of(
            self.function.sym_name.data,
            self.block,
            outputs,
            arg_attrs=ArrayAttr(map(argument_attributes, encodings, affines)),
            res_attrs=ArrayAttr(map(argument_attributes, output_encodings)),
        )
        expanded.attributes.update(self.function.attributes)
        return expanded


def _affines(codes: SSAValue) -> Sequence[tuple[float, float] | None]:
    """Gain and offset of each element of an argument; None for each if the host has no affine."""
    affine = host_affine(codes)
    if affine is None:
        return [None] * tensor_shape(codes)[0]
    gains, offsets = affine
    return list(zip(gains.tolist(), offsets.tolist(), strict=True))
