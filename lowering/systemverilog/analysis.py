"""Analysis of a hardware module for the SystemVerilog emitter.

The facts are constants, sign extensions, numbers of uses, values that need a name, values that are
signed numbers, and the pipeline stage of each op.

Functions that visit every op compare `type(op)`. `isinstance` on a class of ops goes through
Python's `abc`, and takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import NamedTuple, TypeGuard

from xdsl.dialects import comb, hw, seq
from xdsl.ir import Block, Operation, OpResult, SSAValue

from kan_dialect.devices.device import EMITTED_FOR
from kan_dialect.evaluate.hardware import REGISTERED, bit_width, in_dataflow_order
from kan_dialect.ir.attributes.module_attributes import ports_of
from kan_dialect.ir.attributes.value_names import name_hint
from kan_dialect.ir.constants import Array
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.lowering.systemverilog.tables import planes
from kan_dialect.maths.truth_tables import support
from kan_dialect.ops.memory import MemoryOp, MemoryReadOp, MemoryWordOp, MemoryWriteOp

_WIRING = (hw.BitcastOp, hw.ArrayCreateOp, hw.ArrayGetOp)
_SIGN_KEEPING = {comb.AddOp, comb.SubOp, comb.MuxOp, seq.CompRegOp}
_REGISTERED = set(REGISTERED)
_SIGNALS = {seq.CompRegOp, MemoryReadOp, MemoryWordOp, MemoryOp, hw.InstanceOp}


class _Carry(NamedTuple):
    """The carry into a sum of two terms."""

    place: int
    """Index of the carry among the terms."""
    bit: SSAValue


@dataclass
class Analysis:
    """The facts about one module."""

    ops: list[Operation] = field(default_factory=list[Operation])
    """The ops to print, operands before users."""
    hints: dict[SSAValue, str] = field(default_factory=dict[SSAValue, str])
    """Names of values in the IR."""
    constants: dict[SSAValue, Array] = field(default_factory=dict[SSAValue, Array])
    """Constant values: (1), or (1, size) of an array."""
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
    inner_sums: set[SSAValue] = field(default_factory=set[SSAValue])
    """Sums that are terms of other sums of the same stage."""
    carries: dict[SSAValue, _Carry] = field(default_factory=dict[SSAValue, "_Carry"])
    """The carry of each sum of two terms and a bit."""
    absorbed: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    """For sums of two terms: the term that is a table, if its bits fit into the LUTs of the sum."""
    stages: list[int] = field(default_factory=list[int])
    """Number of registers before each of `ops`; registers within a loop do not count."""
    loops: set[Operation] = field(default_factory=set[Operation])
    """Ops of loops through registers."""
    written: dict[int, list[SSAValue]] = field(default_factory=dict[int, list[SSAValue]])
    """Cache of `operands`, by the identity of ops."""

    def operands(self, op: Operation) -> list[SSAValue]:
        """The operands that the text of an op names: constants and extended bits are left out.

        All constants and extensions must be known before the first call.
        """
        found = self.written.get(id(op))
        if found is None:
            source = self.extended.get(op.results[0]) if op.results else None
            if source is not None:
                found = [source]
            else:
                found = [operand for operand in op.operands if operand not in self.constants]
            self.written[id(op)] = found
        return found


def analyse(module: hw.HWModuleOp) -> Analysis:
    """The facts about a module.

    Raises
    ------
    KanError : the module has a combinational loop.
    """
    facts = Analysis()
    ops = in_dataflow_order(module.body.block.ops, through_registers=False)
    for op in ops:
        for result in op.results:
            if (hint := name_hint(result)) is not None:
                facts.hints[result] = hint
        _find_constant(op, facts.constants)
        if type(op) is comb.ConcatOp and op.results[0] not in facts.constants:
            source = _sign_extension(op)
            if source is not None and source not in facts.constants:
                facts.extended[op.result] = source
    live = _live(ops, facts)
    facts.ops = [op for op in ops if id(op) in live]
    for op in facts.ops:
        _find_uses(op, facts)
    sums = [op for op in facts.ops if type(op) is comb.AddOp]
    facts.carries.update(_carries(sums, facts))
    facts.inner_sums.update(_inner_sums(sums, facts))
    facts.absorbed.update(_absorbed(sums, facts))
    facts.signed.update(_signed_outputs(module))
    for op in reversed(facts.ops):
        _find_signed(op, facts)
    facts.stages = _stages(facts)
    return facts


def _find_constant(op: Operation, constants: dict[SSAValue, Array]) -> None:
    """Fold an op with constant operands, or with the same result for all operands.

    Linters warn of such expressions.
    """
    if type(op) is hw.ConstantOp or (
        _is_foldable(type(op)) and all(operand in constants for operand in op.operands)
    ):
        results = evaluate_op(op, [constants[operand] for operand in op.operands])
        constants.update(zip(op.results, results, strict=True))
        return
    decided = None
    if type(op) is comb.ICmpOp:
        decided = _decided(op, constants)
    elif type(op) is comb.ShlOp or type(op) is comb.ShrUOp:
        amount = constants.get(op.rhs)
        if amount is not None and int(amount[0]) >= bit_width(op.result.type):
            decided = amount * 0
    if decided is not None:
        constants[op.results[0]] = decided


@cache
def _is_foldable(kind: type[Operation]) -> bool:
    return kind.name.startswith("comb.") or issubclass(kind, _WIRING)


def _decided(op: comb.ICmpOp, constants: dict[SSAValue, Array]) -> Array | None:
    """The result of a comparison with an end of the range, if it is the same for all operands.

    `x < lowest`, for example, equals `lowest < lowest`: the constant is compared with itself.
    """
    predicate = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
    if predicate in ("eq", "ne"):
        return None
    lhs, rhs = constants.get(op.lhs), constants.get(op.rhs)
    known = rhs if lhs is None else lhs
    if known is None or (lhs is not None and rhs is not None):
        return None
    width = bit_width(op.lhs.type)
    if predicate[0] == "s":
        lowest, highest = 1 << (width - 1), (1 << (width - 1)) - 1
    else:
        lowest, highest = 0, (1 << width) - 1
    # Nothing is below the lowest value: `x < lowest` and `x >= lowest` are decided.
    below = (predicate[1:] in ("lt", "ge")) == (lhs is None)
    end = lowest if below else highest
    return evaluate_op(op, [known, known])[0] if int(known[0]) == end else None


def _sign_extension(op: comb.ConcatOp) -> SSAValue | None:
    """The value whose highest bit the op copies above it; None for other concatenations."""
    if len(op.operands) != 2:
        return None
    copies, source = op.operands
    bit = copies.owner
    if type(bit) is comb.ReplicateOp:
        bit = bit.operands[0].owner
    if (
        type(bit) is comb.ExtractOp
        and bit.operands[0] is source
        and bit_width(bit.results[0].type) == 1
        and bit.low_bit.value.data == bit_width(source.type) - 1
    ):
        return source
    return None


def _live(ops: Sequence[Operation], facts: Analysis) -> set[int]:
    """Identities of the ops that an output or a named value depends on, without folded ops.

    Identities are faster to look up than ops, and there are thousands of lookups.
    """
    wanted = [op for op in ops if not op.results or type(op) is hw.InstanceOp]
    wanted += [value.op for value in facts.hints if type(value) is OpResult]
    pending = [op for op in wanted if facts.constants.keys().isdisjoint(op.results)]
    live = {id(op) for op in pending}
    while pending:
        for value in facts.operands(pending.pop()):
            if type(value) is OpResult and id(value.op) not in live:
                live.add(id(value.op))
                pending.append(value.op)
    return live


def is_written_anywhere(op: Operation, facts: Analysis) -> bool:
    """True for slices and extensions: repeating them reads better than a name."""
    return type(op) is comb.ExtractOp or (
        type(op) is comb.ConcatOp and len(facts.operands(op)) == 1
    )


def _takes_parts(op: Operation, facts: Analysis) -> bool:
    """True if the text selects parts of the operands, which the language allows of names only."""
    kind = type(op)
    if kind is hw.BitcastOp:
        return op.operands[0].type != op.results[0].type
    if kind is comb.ConcatOp:
        return op.results[0] in facts.extended
    return kind is comb.ExtractOp or kind is hw.ArrayGetOp


def _is_short(value: SSAValue, facts: Analysis) -> bool:
    return isinstance(value, OpResult) and is_written_anywhere(value.op, facts)


def _find_uses(op: Operation, facts: Analysis) -> None:
    operands, kind = facts.operands(op), type(op)
    for operand in operands:
        facts.uses[operand] = facts.uses.get(operand, 0) + 1
        facts.user[operand] = op
    if kind is hw.ArrayGetOp:
        # A slice of a signal can be an index without a name.
        facts.named.update(v for v in operands if type(v.owner) is not comb.ExtractOp)
    elif _takes_parts(op, facts):
        facts.named.update(operands)
    elif is_written_anywhere(op, facts):
        facts.named.update(value for value in operands if not _is_short(value, facts))
    if kind is seq.CompRegOp:
        facts.named.update(op.operands[1:])  # clock and reset
    if type(op) is MemoryReadOp or type(op) is MemoryWriteOp:
        facts.named.update((op.memory, op.clock))
    if type(op) is MemoryWordOp:
        facts.named.add(op.memory)
    is_signal = kind in _SIGNALS or (kind is hw.ArrayGetOp and op.operands[0] in facts.constants)
    for result in op.results:
        if is_signal or type(result.type) is hw.ArrayType or result in facts.hints:
            facts.named.add(result)


def _carries(sums: Sequence[comb.AddOp], facts: Analysis) -> Iterator[tuple[SSAValue, _Carry]]:
    """The carry of each sum of three terms with a term that is a zero-extended bit."""
    for op in sums:
        if len(op.operands) != 3:
            continue
        for place in (2, 1, 0):
            bit = _single_bit(op.operands[place], facts)
            if bit is not None:
                yield op.result, _Carry(place, bit)
                break


def _single_bit(term: SSAValue, facts: Analysis) -> SSAValue | None:
    """The bit in a term that is one bit or a zero-extended bit; None for other terms."""
    source = term.owner
    if bit_width(term.type) == 1:
        return None if term in facts.constants else term
    if type(source) is not comb.ConcatOp or len(source.operands) != 2:
        return None
    zeros, bit = source.operands
    if bit_width(bit.type) != 1 or bit in facts.constants or zeros not in facts.constants:
        return None
    return None if facts.constants[zeros].any() else bit


def addends(op: comb.AddOp, facts: Analysis) -> list[SSAValue]:
    """The terms of a sum without its carry."""
    terms, carry = list(op.operands), facts.carries.get(op.result)
    if carry is not None:
        del terms[carry.place]
    return terms


def _inner_sums(sums: Sequence[comb.AddOp], facts: Analysis) -> Iterator[SSAValue]:
    """Sums of two terms that are terms of other sums, possibly extended."""
    for op in sums:
        for term in op.operands:
            yield from _sums_in(term, facts)


def _sums_in(value: SSAValue, facts: Analysis) -> Iterator[SSAValue]:
    source = value.owner
    if _is_slicing(source):
        for operand in source.operands:
            yield from _sums_in(operand, facts)
    elif type(source) is comb.AddOp and len(addends(source, facts)) == 2:
        yield source.result


def _absorbed(sums: Sequence[comb.AddOp], facts: Analysis) -> Iterator[tuple[SSAValue, SSAValue]]:
    """Sums of two terms with the table among these that they absorb. Only the sum reads it."""
    for op in sums:
        terms = addends(op, facts)
        if len(terms) != 2 or any(term in facts.constants for term in terms):
            continue
        fits = {term: _fitting_bits(op, term, facts) for term in terms}
        # The last one of equal terms.
        best = max(reversed(terms), key=lambda term: fits[term])
        if fits[best] > 0:
            yield op.result, best


def _fitting_bits(op: comb.AddOp, term: SSAValue, facts: Analysis) -> float:
    """Number of bits of a term's tables that save LUTs in the LUTs of a sum; inf if all bits fit.

    If not all bits of a table fit, its bits of four inputs do not count: such a bit and the adder's
    bit take no more LUTs apart, one of four inputs and one of two.
    """
    low, high = 0, bit_width(term.type)
    return sum(
        _fitting_bits_of(op, *piece, facts) for piece in _pieces(term, low, high, facts.constants)
    )


def _fitting_bits_of(
    op: comb.AddOp, source: SSAValue, low: int, high: int, facts: Analysis
) -> float:
    """`_fitting_bits` of bits low..high - 1 of a value."""
    table = source.owner
    if (
        type(table) is not hw.ArrayGetOp
        or table.input not in facts.constants
        or set(_readers(source, low, high)) != {op}
    ):
        return 0
    entries = facts.constants[table.input][0]
    inputs, most = (len(entries) - 1).bit_length(), EMITTED_FOR.adders.absorbed_inputs
    if inputs <= most:
        return inf
    used = [support(plane, inputs) for plane in planes(entries, bit_width(source.type))]
    if max(used) <= most:
        return inf
    worth = EMITTED_FOR.worth_absorbing
    return sum(each in worth for each in used[low:high])


def _pieces(
    value: SSAValue, low: int, high: int, constants: Collection[SSAValue]
) -> Iterator[tuple[SSAValue, int, int]]:
    """The sources of bits low..high - 1 of a value, each with its range of bits.

    Each source comes once. Constants are left out.
    """
    source = value.owner
    if type(source) is comb.ExtractOp:
        first = source.low_bit.value.data
        yield from _pieces(source.input, low + first, high + first, constants)
    elif type(source) is comb.ConcatOp:
        below = bit_width(value.type)
        seen: set[SSAValue] = set()
        for operand in source.operands:
            below -= bit_width(operand.type)
            inner = max(low - below, 0), min(high - below, bit_width(operand.type))
            if operand in constants or inner[0] >= inner[1]:
                continue
            for piece in _pieces(operand, *inner, constants):
                if piece[0] not in seen:
                    seen.add(piece[0])
                    yield piece
    elif type(source) is not comb.ReplicateOp:
        yield value, low, high


def _is_slicing(source: Operation | Block) -> TypeGuard[comb.ConcatOp | comb.ExtractOp]:
    """True if the value is a slice or concatenation of others."""
    return type(source) is comb.ConcatOp or type(source) is comb.ExtractOp


def _readers(value: SSAValue, low: int, high: int) -> Iterator[Operation]:
    """Ops that read bits low..high - 1 of a value, looking through slices and concatenations."""
    for use in value.uses:
        op = use.operation
        if isinstance(op, comb.ExtractOp):
            first = op.low_bit.value.data
            inner = max(low - first, 0), min(high - first, bit_width(op.result.type))
            if inner[0] < inner[1]:
                yield from _readers(op.result, *inner)
        elif isinstance(op, comb.ConcatOp):
            below = sum(bit_width(each.type) for each in op.operands[use.index + 1 :])
            yield from _readers(op.result, low + below, high + below)
        else:
            yield op


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
        is_signed = op.results[0] in facts.extended
    else:
        is_signed = type(op) in _SIGN_KEEPING and op.results[0] in facts.signed
    if is_signed:
        facts.signed.update(facts.operands(op))


def _stages(facts: Analysis) -> list[int]:
    """The stage of each op. Also fills in `loops`."""
    stages = [0] * len(facts.ops)
    places = {op: place for place, op in enumerate(facts.ops)}
    owners = [
        [places[value.op] for value in facts.operands(op) if type(value) is OpResult]
        for op in facts.ops
    ]
    for group in _connected(owners):
        before = [
            stages[owner] + (type(facts.ops[owner]) in _REGISTERED)
            for place in group
            for owner in owners[place]
            if owner not in group
        ]
        for place in group:
            stages[place] = max(before, default=0)
        if len(group) > 1 or any(place in owners[place] for place in group):
            facts.loops.update(facts.ops[place] for place in group)
    return stages


def _connected(owners: Sequence[Sequence[int]]) -> Iterator[Collection[int]]:
    """Strongly connected components of the ops, as indices, operands before users.

    Tarjan, Depth-first search and linear graph algorithms, SIAM J. Comput. 1972.

    Parameters
    ----------
    owners : indices of the ops whose results each op reads.
    """
    if all(owner < op for op, some in enumerate(owners) for owner in some):
        yield from ((op,) for op in range(len(owners)))
        return
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
