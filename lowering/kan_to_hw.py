"""`lower-kan-to-hw`: wire-level functions become `hw.module`s of `hw`, `comb` and `seq` ops.

A value of `!kan.int<lo:hi>` becomes a signless integer of its type's width, two's complement where
lo < 0. A table becomes a constant array that the input's bits index directly. A sum becomes an
adder of its result's width: it is modular, and exact since the result fits. A delay becomes
registers without reset. Every other op makes its own hardware (`ir/wire_interface.py`). Modules
with registers have `clk`, `rst` and valid bits.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, count

from xdsl.context import Context
from xdsl.dialects import func, hw, seq
from xdsl.dialects.builtin import ModuleOp, StringAttr, i1
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import Rewriter

from kan_dialect.analysis.nodes import unmarked_nodes
from kan_dialect.analysis.tables import bit_patterns_of, low_zeros_of
from kan_dialect.analysis.wires import cycles_of, latency_of, wire_functions
from kan_dialect.devices.carry_chains import inverts_top, joined_of
from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.data_schema import DataSchema
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.attributes.module_attributes import (
    declare_interval,
    declare_latency,
    declared_interval,
    list_nodes,
    list_ports,
    wire_ports,
)
from kan_dialect.ir.attributes.value_names import NAME_HINT, TABLE_SUFFIX, name_hint
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.operation import ops_of
from kan_dialect.ir.types import range_of
from kan_dialect.ir.wire_operation import WireOp, cycles_through
from kan_dialect.lowering.hw_builder import HwBuilder, integer
from kan_dialect.lowering.load_port import write_memories
from kan_dialect.lowering.wire_interface import lowered
from kan_dialect.model.head import declare_head, declared_head
from kan_dialect.ops.folded import FoldedByInputOp
from kan_dialect.ops.wire import (
    ConstantOp,
    DeadOp,
    DelayOp,
    MarkOp,
    SumOp,
    TableOp,
    complement_of,
    low_zeros,
)
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.record import recorded_names, recorded_pipeline
from kan_dialect.passes.expand_wires import ExpandWiresPass

_LOG = logging.getLogger(__name__)

MAX_PASSED_BITS = 18
"""In sums of more bits, all bits go through the adder: proofs list the sums that can come."""


@dataclass(frozen=True)
class LowerKanToHwPass(KanPass):
    """Lowers wire-level functions to hardware."""

    name = "lower-kan-to-hw"
    works_at = ("wire",)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        expanded = ExpandWiresPass.name in recorded_names(recorded_pipeline(module))
        for function in functions:
            if expanded:  # IR that is written by hand need not mark its nodes.
                _warn_of_unmarked(function)
            Rewriter.replace_op(function, Lowering(function).run())
        return bool(functions)


def _warn_of_unmarked(function: func.FuncOp) -> None:
    unmarked = unmarked_nodes(function)
    if unmarked:
        _LOG.warning(
            "@%s: the kan.mark of %s is gone, so that the proof and pictures leave it out; put it "
            'back, or write kan.dead "%s" if no value holds the node',
            function.sym_name.data,
            unmarked[0] if len(unmarked) == 1 else f"{unmarked[0]} and {len(unmarked) - 1} more",
            unmarked[0],
        )


@dataclass
class Lowering:
    """Builds the hardware module of one function."""

    function: func.FuncOp
    build: HwBuilder = field(default_factory=HwBuilder)
    wires: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    nodes: list[NodeAttr] = field(default_factory=list[NodeAttr])
    cycles: dict[SSAValue, int | None] = field(default_factory=dict[SSAValue, int | None])
    zeros: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    """Low bits, always 0, that the wires of values lack."""
    known_zeros: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    """Low bits of values that are always 0."""
    patterns: dict[SSAValue, IntArray] = field(default_factory=dict[SSAValue, IntArray])
    """The entries of the table of each value, by bit pattern of the inputs."""
    under_way: list[SSAValue] = field(default_factory=list[SSAValue])
    """The valid bits of samples under way."""
    given: set[str] = field(default_factory=set[str])
    """Names that no other signal may have."""

    def run(self) -> hw.HWModuleOp:
        self.cycles = cycles_of(self.function)
        latency = latency_of(self.function, self.cycles)
        interval = self.build.interval = declared_interval(self.function) or 1
        valid = None
        if interval > 1 and not latency:
            raise KanError(
                f"@{self.function.sym_name.data}: layers that take {interval} cycles a sample have "
                "no schedule",
                remedy="run kan-schedule",
            )
        if latency:
            self.build.clock = self.build.input("clk", seq.clock)
            self.build.reset = self.build.input("rst", i1)
            valid = self.build.input("in_valid", i1)
        for index, argument in enumerate(self.function.args):
            kind = integer(range_of(argument).bits)
            self.wires[argument] = self.build.input(f"x{index}", kind)
        inputs, outputs = wire_ports(self.function)
        ops = ops_of(self.function.body.block)
        loads = None
        if any(isinstance(op, FoldedByInputOp) and op.loadable is not None for op in ops):
            loads = self.build.input("mem_valid", i1)
        results: dict[str, SSAValue] = {}
        moves = None
        if interval > 1:
            moves = self.build.is_turn(0)
            results["in_ready"] = self.unless(loads, moves)
        if valid is not None:
            taken = self.unless(loads, valid)
            results["out_valid"] = self.valid_chain(taken, moves, latency)
        tables = [op for op in ops if type(op) is TableOp]
        results_of_tables = [table.result for table in tables]
        self.known_zeros.update(zip(results_of_tables, low_zeros_of(tables), strict=True))
        self.patterns.update(zip(results_of_tables, bit_patterns_of(tables), strict=True))
        for op in ops:
            if type(op) is func.ReturnOp:
                for port, value in zip(outputs, op.operands, strict=True):
                    results[port.port] = self.resize(value, port.codes.bits)
            else:
                self.visit(op)
        if loads is not None:
            results["mem_ready"] = write_memories(self.build, loads, self.under_way)
        module = self.build.finish(self.function.sym_name, results)
        declare_latency(module, latency)
        if interval > 1:
            declare_interval(module, interval)
        list_ports(module, [*inputs, *outputs])
        list_nodes(module, self.nodes)
        head = declared_head(self.function)
        if head is not None:
            declare_head(module, head)
        DataSchema.of(self.function).declare(module)
        return module

    def zeros_of(self, value: SSAValue) -> int:
        """The number of low bits, always 0, that the value's wire lacks: only sums read it."""
        found = self.zeros.get(value)
        if found is not None:
            return found
        if type(value.owner) is DelayOp:
            found = self.zeros_of(value.owner.input)
        else:
            known = min(low_zeros(value, self.known_zeros), range_of(value).bits - 1)
            is_whole = type(value.owner) is ConstantOp
            found = known if known and not is_whole and _only_sums_read(value) else 0
        self.zeros[value] = found
        return found

    def name_by(self, name: str | None, zeros: int) -> str | None:
        """The name of a wire that lacks low bits: `sum0_by4` carries a quarter of `sum0`."""
        return f"{name}_by{1 << zeros}" if name is not None and zeros else name

    def resize(self, value: SSAValue, bits: int, without: int = 0) -> SSAValue:
        """A value without its lowest `without` bits, extended or cut off to `bits` bits."""
        zeros = self.zeros_of(value) - without
        wire = self.wires[value]
        own = range_of(value).bits - without
        if zeros < 0:
            wire, zeros = self.build.part(wire, -zeros, own), 0
        if zeros:
            below = self.build.constant(0, zeros)
            wire = self.build.joined([wire, below], own)
        return self.build.resized(wire, own, bits, range_of(value).is_signed)

    def unless(self, loads: SSAValue | None, bit: SSAValue) -> SSAValue:
        """A bit where no word of a table waits to be written."""
        return bit if loads is None else self.build.all_of([bit, self.build.inverted(loads, 1)])

    def valid_chain(self, valid: SSAValue, moves: SSAValue | None, latency: int) -> SSAValue:
        """The valid bit of each sample under way, which moves on where the next one may be taken.

        Parameters
        ----------
        moves : 1: the next one may be taken; None: in every cycle.
        """
        for stage in range(1, -(-latency // self.build.interval) + 1):
            register = self.build.held(1, f"valid_s{stage}", self.cleared)
            self.build.load(register, valid, moves)
            valid = register
            self.under_way.append(register)
        if moves is None:
            return valid
        return self.build.all_of([valid, self.build.is_turn(latency)])

    @property
    def cleared(self) -> tuple[SSAValue, SSAValue]:
        """The reset of a bit, and what it becomes."""
        assert self.build.reset is not None
        return self.build.reset, self.build.constant(0, 1)

    # One rule for each op

    def visit(self, op: Operation) -> None:
        for result in op.results:
            low_zeros(result, self.known_zeros)  # in order, so that no chain is followed twice
        if type(op) is MarkOp:
            self.mark(op)
        elif type(op) is DeadOp:
            self.nodes.append(NodeAttr.of_dead(op.node.data))
        else:
            self.wires.update(zip(op.results, self.wires_of(op), strict=True))

    def wires_of(self, op: Operation) -> Sequence[SSAValue]:
        """The wires of the op's results."""
        wire = self.wire(op)
        if wire is not None:
            return [wire]
        if cycles_through(op):
            self.build.cycle = max(self.cycles[value] or 0 for value in op.operands)
        return lowered(op, self.build, [self.wires[value] for value in op.operands])

    def wire(self, op: Operation) -> SSAValue | None:
        """The wire of a table, a sum or a register, which may lack low bits; None for other ops."""
        if type(op) is TableOp:
            return self.table(op)
        if type(op) is SumOp:
            return self.sum(op)
        if type(op) is DelayOp:
            return self.delay(op)
        return None

    def table(self, op: TableOp) -> SSAValue:
        zeros = self.zeros_of(op.result)
        bits = range_of(op.result).bits - zeros
        inverted = complement_of(op.result)
        width = bits if inverted is None else range_of(inverted.value).bits
        if inverted is not None and zeros + bits <= width:
            wire = self.resize(inverted.value, width)
            if bits < width:
                wire = self.build.part(wire, zeros, bits)
            return self.build.inverted(wire, bits, self.name_by(op.given_name, zeros))
        entries = self.patterns[op.result] >> zeros
        array = self.build.array(entries, bits, self.name_by(op.given_name, zeros))
        wires = [self.wires[value] for value in op.inputs]
        index = wires[0]
        if len(wires) > 1:
            width = sum(range_of(value).bits for value in op.inputs)
            index = self.build.joined(wires, width)
        return self.build.entry(array, index, bits)

    def sum(self, op: SumOp) -> SSAValue:
        zeros = self.zeros_of(op.result)
        bits = range_of(op.result).bits - zeros
        name = self.name_by(op.given_name, zeros)
        inverted = inverts_top(op)
        if inverted is not None and zeros == 0:
            wire = self.resize(inverted, bits)
            top = self.build.inverted(self.build.part(wire, bits - 1, 1), 1)
            if bits > 1:
                top = self.build.joined([top, self.build.part(wire, 0, bits - 1)], bits)
            return self.build.named(top, name)
        together = joined_of(op, self.known_zeros)
        if together is not None:
            return self.side_by_side(*together, zeros, bits, name)
        through = self.passed_through(op)
        if through is not None:
            value, count = through
            low = self.resize(value, count - zeros, zeros)
            upper = [self.resize(each, bits + zeros - count, count) for each in op.inputs]
            whole = self.build.added(upper)
            return self.build.joined([whole, low], bits, name)
        terms = [self.resize(value, bits, zeros) for value in op.inputs]
        if len(terms) == 1:
            return terms[0]
        return self.build.added(terms, name)

    def side_by_side(
        self, upper: SSAValue, lower: SSAValue, zeros: int, bits: int, name: str | None
    ) -> SSAValue:
        """The sum of two terms whose bits do not meet, as wires side by side.

        Parameters
        ----------
        zeros : lowest bits that are left out, since they are always 0.
        bits : width of the result.
        """
        count = low_zeros(upper, self.known_zeros)
        width = range_of(lower).bits
        pieces = [self.resize(upper, bits + zeros - count, count)]
        if max(width, zeros) < count:
            pieces.append(self.build.constant(0, count - max(width, zeros)))
        if width > zeros:
            pieces.append(self.resize(lower, width - zeros, zeros))
        return self.build.joined(pieces, bits, name)

    def passed_through(self, op: SumOp) -> tuple[SSAValue, int] | None:
        """A summand whose low bits are those of the sum, and their number.

        All other summands are 0 in these bits, so that the adder need not span them.
        """
        if len(op.inputs) < 2 or range_of(op.result).bits > MAX_PASSED_BITS:
            return None
        zeros = [low_zeros(value, self.known_zeros) for value in op.inputs]
        least, count = sorted(zeros)[:2]
        if least == count:
            return None
        if count >= min(range_of(value).bits for value in (*op.inputs, op.result)):
            return None
        return op.inputs[zeros.index(least)], count

    def delay(self, op: DelayOp) -> SSAValue:
        wire = self.wires[op.input]
        if self.cycles[op.result] is None or self.build.clock is None:
            return wire
        cycles = op.cycles.value.data
        for cycle in range(1, cycles + 1):
            name = self.name_by(op.given_name, self.zeros_of(op.result))
            if name is not None and cycle < cycles:
                name = f"{name}_{cycle}"
            wire = self.build.register(wire, name)
        return wire

    def mark(self, op: MarkOp) -> None:
        """List the node, its signal, and the cycle in which the signal holds it."""
        wire = self.wires[op.value]
        kind = range_of(op.value)
        # A design of latency 0 has no clock, and so none of the function's registers.
        cycle = 0 if self.build.clock is None else op.cycle.value.data
        signal = name_hint(wire) or self.name_node(wire, op.node.data)
        self.nodes.append(
            NodeAttr(op.node.data, signal, kind, cycle, op.offset.value.data, op.within)
        )

    def name_node(self, wire: SSAValue, node: str) -> str:
        """Name an unnamed wire that holds a node, for proofs; "" of a constant."""
        owner = wire.owner
        if not isinstance(owner, Operation) or isinstance(owner, hw.ConstantOp):
            return ""
        name = hint = self.unused_name(node)
        if isinstance(owner, hw.ArrayGetOp):
            owner, hint = owner.operands[0].owner, f"{name}{TABLE_SUFFIX}"
            assert isinstance(owner, Operation)
        owner.attributes[NAME_HINT] = StringAttr(hint)
        return name

    def unused_name(self, node: str) -> str:
        """The node's name, numbered where another value has it."""
        if not self.given:
            ops = ops_of(self.function.body.block)
            self.given.update(op.given_name or "" for op in ops if isinstance(op, WireOp))
        numbered = (f"{node}_{number}" for number in count(1))
        name = next(name for name in chain([node], numbered) if name not in self.given)
        self.given.add(name)
        return name


def _only_sums_read(value: SSAValue) -> bool:
    """Whether sums alone read a value, directly or behind registers."""
    pending = [value]
    while pending:
        for use in pending.pop().uses:
            kind = type(use.operation)
            if kind is DelayOp:
                pending.append(use.operation.results[0])
            elif kind is not SumOp:
                return False
    return True
