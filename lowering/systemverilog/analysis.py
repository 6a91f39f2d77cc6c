"""Analysis of a hardware module for the SystemVerilog emitter.

The facts are constants, sign extensions, numbers of uses, values that need a name, values that are
signed numbers, and the pipeline stage of each op.

Functions that visit every op compare `type(op)`. `isinstance` on a class of ops goes through
Python's `abc`, and takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xdsl.dialects import comb, hw, seq
from xdsl.ir import Operation, OpResult, SSAValue

from kan_dialect.evaluate.hardware import (
    REGISTERED,
    bit_width,
    in_dataflow_order,
    low_bit_of,
)
from kan_dialect.ir.attributes.module_attributes import ports_of
from kan_dialect.ir.attributes.value_names import name_hint
from kan_dialect.ir.constants import Array
from kan_dialect.ir.operation import operands_of, ops_of, result_of
from kan_dialect.lowering.chain_adder import ChainAdder, chain_adder_of
from kan_dialect.lowering.constant_folding import fold_constants
from kan_dialect.lowering.systemverilog.names import Names
from kan_dialect.lowering.systemverilog.tables import planes
from kan_dialect.ops.lut import LutOp
from kan_dialect.ops.memory import MemoryOp, MemoryReadOp, MemoryWordOp, MemoryWriteOp

_SIGN_KEEPING = {comb.AddOp, comb.SubOp, comb.MuxOp, seq.CompRegOp}
_REGISTERED = set(REGISTERED)
_SELECTING = {
    comb.ExtractOp,
    comb.ConcatOp,
    hw.ArrayGetOp,
    hw.BitcastOp,
    seq.CompRegOp,
    MemoryReadOp,
    MemoryWriteOp,
    MemoryWordOp,
}
"""Ops some of whose operands may have to be signals."""
_SIGNALS = {seq.CompRegOp, MemoryReadOp, MemoryWordOp, MemoryOp, hw.InstanceOp, LutOp}


@dataclass
class Analysis:
    """The facts about one module."""

    ops: list[Operation] = field(default_factory=list[Operation])
    """The ops to print, operands before users."""
    hints: dict[SSAValue, str] = field(default_factory=dict[SSAValue, str])
    """Names of values in the IR."""
    constants: dict[SSAValue, Array] = field(default_factory=dict[SSAValue, Array])
    """Constant values: (1), or (1, size) of an array."""
    planes: dict[SSAValue, list[int]] = field(default_factory=dict[SSAValue, list[int]])
    """Planes of constant arrays; `planes_of` has all of them."""
    extended: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    """The extended value of each sign extension."""
    uses: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    """Number of uses of each value."""
    user: dict[SSAValue, Operation] = field(default_factory=dict[SSAValue, Operation])
    """One of the ops that use a value."""
    named: set[SSAValue] = field(default_factory=set[SSAValue])
    """Values that must be signals, for the language or for readers."""
    signed: set[SSAValue] = field(default_factory=set[SSAValue])
    """Values that an op or port reads as two's complement."""
    chains: dict[SSAValue, ChainAdder] = field(default_factory=dict[SSAValue, ChainAdder])
    """Sums of adders on carry chains: the text calls a function, and names none of their ops."""
    stages: list[int] = field(default_factory=list[int])
    """Number of registers before each of `ops`. Registers in a loop do not count, and neither do
    those that depend on the reset alone."""
    loops: set[Operation] = field(default_factory=set[Operation])
    """Ops of loops through registers, and registers that depend on no input but the reset."""
    written: dict[int, list[SSAValue]] = field(default_factory=dict[int, list[SSAValue]])
    """Cache of `operands`, by the identity of ops."""

    def is_table(self, op: Operation) -> bool:
        """Whether an op is a lookup in a constant array."""
        return type(op) is hw.ArrayGetOp and operands_of(op)[0] in self.constants

    def codes_of(self, op: hw.ArrayGetOp) -> list[int]:
        """The entries of a table as readers know them: negative ones where they are signed."""
        result, (table, _) = result_of(op), operands_of(op)
        codes: list[int] = self.constants[table][0].tolist()
        if result not in self.signed:
            return codes
        width = bit_width(result.type)
        return [code - (code >> (width - 1) << width) for code in codes]

    def fills_a_statement(self, value: SSAValue) -> bool:
        """True if the value is the whole right side of a register's load or of an output."""
        return type(self.user[value]) in (seq.CompRegOp, hw.OutputOp)

    def operands(self, op: Operation) -> list[SSAValue]:
        """The operands that the text of an op names: constants and extended bits are left out.

        All constants and extensions must be known before the first call.
        """
        found = self.written.get(id(op))
        if found is None:
            operands: Iterable[SSAValue] = operands_of(op)
            if type(op) is comb.ExtractOp:
                chain = self.chains.get(result_of(op))
                operands = operands if chain is None else chain.operands
            elif (
                type(op) is comb.ConcatOp
                and (source := self.extended.get(result_of(op))) is not None
            ):
                operands = [source]
            found = [operand for operand in operands if operand not in self.constants]
            self.written[id(op)] = found
        return found

    def planes_of(self, array: SSAValue, width: int) -> list[int]:
        """The planes of a constant array of entries of `width` bits (`tables.planes`)."""
        found = self.planes.get(array)
        if found is None:
            found = self.planes[array] = planes(self.constants[array][0], width)
        return found

    def kind(self, op: Operation) -> type[Operation]:
        """The class of an op; `comb.AddOp` of one that gives the sum of an adder on a chain."""
        kind = type(op)
        if kind is comb.ExtractOp and not self.chains.keys().isdisjoint(op.results):
            return comb.AddOp
        return kind

    def slice_of(self, value: SSAValue) -> comb.ExtractOp | None:
        """The op of a value that the text shows as a slice of another; None for other values."""
        op = value.owner
        return op if type(op) is comb.ExtractOp and value not in self.chains else None


def generated_name(op: Operation, result: OpResult, facts: Analysis, names: Names) -> str:
    """A name for a result that the IR gives none."""
    if isinstance(op, hw.InstanceOp):
        return names.take(f"{op.instance_name.data}_{op.result_names.data[result.index].data}")
    return names.numbered(_GENERATED.get(facts.kind(op), op.name.partition(".")[2]))


_GENERATED: dict[type[Operation], str] = {
    comb.AddOp: "sum",
    comb.SubOp: "difference",
    comb.MulOp: "product",
    comb.ICmpOp: "test",
    comb.MuxOp: "choice",
    comb.ExtractOp: "bits",
    comb.ConcatOp: "bits",
    comb.ReplicateOp: "bits",
    hw.BitcastOp: "bits",
    hw.ArrayCreateOp: "array",
    hw.ArrayGetOp: "entry",
    LutOp: "lut",
    seq.CompRegOp: "register",
}
"""Base of generated names by kind of op; by default, the name of the op."""


def analyse(module: hw.HWModuleOp) -> Analysis:
    """The facts about a module.

    Raises
    ------
    KanError : the module has a combinational loop.
    """
    facts = Analysis()
    ops = in_dataflow_order(ops_of(module.body.block), through_registers=False)
    facts.constants, facts.planes = fold_constants(ops)
    for op in ops:
        kind = type(op)
        if op.attributes or kind is hw.ArrayGetOp:
            for result in op.results:
                if (hint := name_hint(result)) is not None:
                    facts.hints[result] = hint
        if kind is comb.ExtractOp:
            chain = chain_adder_of(op, facts.constants)
            if chain is not None:
                facts.chains[result_of(op)] = chain
        elif type(op) is comb.ConcatOp:
            source = _sign_extension(op)
            if source is not None and facts.constants.keys().isdisjoint((source, *op.results)):
                facts.extended[result_of(op)] = source
    live = _live(ops, facts)
    facts.ops = [op for op in ops if id(op) in live]
    for op in facts.ops:
        _find_uses(op, facts)
    facts.signed.update(_signed_outputs(module))
    for op in reversed(facts.ops):
        _find_signed(op, facts)
    facts.stages = _stages(facts)
    return facts


def _sign_extension(op: comb.ConcatOp) -> SSAValue | None:
    """The value whose highest bit the op copies above it; None for other concatenations."""
    if len(operands := operands_of(op)) != 2:
        return None
    copies, source = operands
    bit = copies.owner
    if type(bit) is comb.ReplicateOp:
        bit = operands_of(bit)[0].owner
    if (
        type(bit) is comb.ExtractOp
        and operands_of(bit)[0] is source
        and bit_width(result_of(bit).type) == 1
        and low_bit_of(bit) == bit_width(source.type) - 1
    ):
        return source
    return None


def _live(ops: Sequence[Operation], facts: Analysis) -> set[int]:
    """Identities of the ops that an output or a named value depends on, without folded ops.

    Identities are faster to look up than ops, and there are thousands of lookups.
    """
    wanted = [op for op in ops if not op.results or type(op) is hw.InstanceOp]
    wanted += [value.op for value in facts.hints if isinstance(value, OpResult)]
    pending = [op for op in wanted if facts.constants.keys().isdisjoint(op.results)]
    live = {id(op) for op in pending}
    while pending:
        for value in facts.operands(pending.pop()):
            if isinstance(value, OpResult) and id(value.op) not in live:
                live.add(id(value.op))
                pending.append(value.op)
    return live


def is_written_anywhere(op: Operation, facts: Analysis) -> bool:
    """True for slices and extensions: repeating them reads better than a name."""
    return facts.kind(op) is comb.ExtractOp or (
        type(op) is comb.ConcatOp and len(facts.operands(op)) == 1
    )


def _is_short(value: SSAValue, facts: Analysis) -> bool:
    return isinstance(value, OpResult) and is_written_anywhere(value.op, facts)


def _find_uses(op: Operation, facts: Analysis) -> None:
    operands, kind = facts.operands(op), type(op)
    uses, user, named = facts.uses, facts.user, facts.named
    for operand in operands:
        uses[operand] = uses.get(operand, 0) + 1
        user[operand] = op
    if kind in _SELECTING:
        named.update(_named_operands(op, operands, facts))
    is_signal = kind in _SIGNALS or (
        kind is hw.ArrayGetOp and operands_of(op)[0] in facts.constants
    )
    for result in op.results:
        if is_signal or result in facts.hints or type(result.type) is hw.ArrayType:
            named.add(result)


def _named_operands(
    op: Operation, operands: Sequence[SSAValue], facts: Analysis
) -> Iterable[SSAValue]:
    """The operands that must be signals: the language selects parts of names only."""
    if type(op) is comb.ExtractOp:
        return () if result_of(op) in facts.chains else operands
    if type(op) is comb.ConcatOp:
        if result_of(op) in facts.extended:
            return operands
        if len(operands) == 1:
            return [value for value in operands if not _is_short(value, facts)]
        return ()
    if type(op) is hw.ArrayGetOp:
        # A slice of a signal can be an index without a name.
        return [value for value in operands if facts.slice_of(value) is None]
    if type(op) is seq.CompRegOp:
        return operands_of(op)[1:]  # clock and reset
    if type(op) is hw.BitcastOp:
        return operands if operands_of(op)[0].type != result_of(op).type else ()
    if type(op) is MemoryReadOp or type(op) is MemoryWriteOp:
        return op.memory, op.clock
    return (op.memory,) if type(op) is MemoryWordOp else ()


def _signed_outputs(module: hw.HWModuleOp) -> Iterator[SSAValue]:
    """The outputs with negative codes, according to the module's `#kan.port`s."""
    signed = {port.port for port in ports_of(module) or () if port.codes.is_signed}
    outputs = [port for port in module.module_type.ports if port.dir.data is hw.Direction.OUTPUT]
    terminator = module.body.block.last_op
    assert terminator is not None
    for port, value in zip(outputs, terminator.operands, strict=True):
        if port.port_name.data in signed:
            yield value


def _find_signed(op: Operation, facts: Analysis) -> None:
    if type(op) is comb.ICmpOp:
        is_signed = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data][0] == "s"
    elif type(op) is comb.ConcatOp:
        is_signed = result_of(op) in facts.extended
    else:
        is_signed = facts.kind(op) in _SIGN_KEEPING and result_of(op) in facts.signed
    if is_signed:
        chain = facts.chains.get(result_of(op))
        # A carry is a bit, not a number.
        numbers = facts.operands(op) if chain is None else (chain.left, chain.right)
        facts.signed.update(numbers)


def _stages(facts: Analysis) -> list[int]:
    """The stage of each op. Also fills in `loops`."""
    stages = _stages_in_order(facts)
    if stages is not None:
        return stages
    places = {id(op): place for place, op in enumerate(facts.ops)}
    owners = [
        [places[id(value.op)] for value in facts.operands(op) if isinstance(value, OpResult)]
        for op in facts.ops
    ]
    registers = [type(op) in _REGISTERED for op in facts.ops]
    stages = [0] * len(facts.ops)
    counting: set[int] = set()  # Ops that depend on no input but the reset: in every stage.
    for group in _connected(owners):
        before = [
            stages[owner] + registers[owner]
            for place in group
            for owner in owners[place]
            if owner not in group and owner not in counting
        ]
        for place in group:
            stages[place] = max(before, default=0)
        is_loop = len(group) > 1 or any(place in owners[place] for place in group)
        known = (counting, group)
        if all(_depends_on(facts, facts.ops[place], places, known) for place in group):
            counting.update(group)
            is_loop |= any(registers[place] for place in group)
        if is_loop:
            facts.loops.update(facts.ops[place] for place in group)
    return stages


def _depends_on(
    facts: Analysis,
    op: Operation,
    places: Mapping[int, int],
    known: Iterable[Container[int]],
) -> bool:
    """Whether an op computes or loads a function of constants and of known ops alone."""
    read = [op.input] if type(op) is seq.CompRegOp else facts.operands(op)
    return all(
        isinstance(value, OpResult) and any(places[id(value.op)] in each for each in known)
        for value in read
        if value not in facts.constants
    )


def _stages_in_order(facts: Analysis) -> list[int] | None:
    """The stage of each op; None where a register reads a value of a later op."""
    stages: list[int] = []
    behind: dict[int, int] = {}  # by the identity of values
    for op in facts.ops:
        before = 0
        for value in facts.operands(op):
            number = behind.get(id(value))
            if number is None:
                if isinstance(value, OpResult):
                    return None
            elif number > before:
                before = number
        stages.append(before)
        after = before + (type(op) in _REGISTERED)
        for result in op.results:
            behind[id(result)] = after
    return stages


def _connected(owners: Sequence[Sequence[int]]) -> Iterator[Collection[int]]:
    """Strongly connected components of the ops, as indices, operands before users.

    Tarjan, Depth-first search and linear graph algorithms, SIAM J. Comput. 1972.

    Parameters
    ----------
    owners : indices of the ops whose results each op reads.
    """
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}
    open_ops: dict[int, None] = {}
    for root in range(len(owners)):
        if root in number:
            continue
        number[root] = lowest[root] = len(number)
        open_ops[root] = None
        path = [(root, iter(owners[root]))]
        while path:
            op, left = path[-1]
            following = next(left, None)
            if following is not None:
                if following not in number:
                    number[following] = lowest[following] = len(number)
                    open_ops[following] = None
                    path.append((following, iter(owners[following])))
                elif following in open_ops:
                    lowest[op] = min(lowest[op], number[following])
                continue
            path.pop()
            if path:
                lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[op])
            if lowest[op] == number[op]:
                group: dict[int, None] = {}
                while op not in group:
                    group[open_ops.popitem()[0]] = None
                yield group.keys()
