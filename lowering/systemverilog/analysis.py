"""What the SystemVerilog emitter wants to know about a hardware module before it writes.

Which values are constants, which are sign extensions, what is used and how often, what needs a
name, which values are meant as signed numbers, and in which stage of the pipeline each op is.

Kinds of ops are compared by identity in what looks at every op: for classes of ops, `isinstance`
goes through Python's `abc`, which takes ten times as long.
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
_SIGNALS = {seq.CompRegOp, MemoryReadOp, MemoryWordOp, MemoryOp}


class _Carry(NamedTuple):
    """The bit that comes in below a sum of two terms."""

    place: int
    """Which term it is."""
    bit: SSAValue


@dataclass
class Analysis:
    """The facts about one module; `ops` are those worth writing, operands before users."""

    ops: list[Operation] = field(default_factory=list[Operation])
    hints: dict[SSAValue, str] = field(default_factory=dict[SSAValue, str])
    """The names that the IR gives."""
    constants: dict[SSAValue, Array] = field(default_factory=dict[SSAValue, Array])
    """Values that are known, arrays among them: (1,) or (1, size)."""
    extended: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    """Sign extensions, and what they extend."""
    uses: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    """How often each value is used."""
    user: dict[SSAValue, Operation] = field(default_factory=dict[SSAValue, Operation])
    """One of the ops that use a value."""
    named: set[SSAValue] = field(default_factory=set[SSAValue])
    """Values that must be signals of their own, for the language or for their readers."""
    signed: set[SSAValue] = field(default_factory=set[SSAValue])
    """Values that something reads as two's complement."""
    inner_sums: set[SSAValue] = field(default_factory=set[SSAValue])
    """Sums that other sums of the same stage add up."""
    carries: dict[SSAValue, _Carry] = field(default_factory=dict[SSAValue, "_Carry"])
    """Sums of two terms and a bit, and that bit of each."""
    absorbed: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    """Sums of two terms, and that term of each which is a table whose bits fit into its LUTs."""
    stages: list[int] = field(default_factory=list[int])
    """Of each of `ops` the number of registers before it; within loops of registers, none count."""
    loops: set[Operation] = field(default_factory=set[Operation])
    """Ops of loops through registers."""
    written: dict[int, list[SSAValue]] = field(default_factory=dict[int, list[SSAValue]])
    """What `operands` found before, by the identity of ops."""

    def operands(self, op: Operation) -> list[SSAValue]:
        """What the text of an op is made of: its operands, but for what is folded into the text.

        Not to be asked before all constants and extensions are known.
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
    KanError : it holds a combinational loop.
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
    """Folds an op whose operands are known, and others that give the same for every operand.

    Linters warn of both where they are written out.
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
    """The result of comparing with an end of the range, where it is always the same.

    `x < lowest`, say, equals `lowest < lowest`: so the known operand is compared with itself.
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
    """What the op extends by copies of its highest bit, if that is what it does."""
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
    """The ops that an output or a name of the IR depends on, constants and folded ones apart.

    By identity, as thousands are looked up.
    """
    wanted = [op for op in ops if not op.results]
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
    """Whether the op is so short that repeating it reads better than a name: slices, extensions."""
    return type(op) is comb.ExtractOp or (
        type(op) is comb.ConcatOp and len(facts.operands(op)) == 1
    )


def _takes_parts(op: Operation, facts: Analysis) -> bool:
    """Whether the text shows parts of the operands, which only names have."""
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
        # Bits of a signal are an index as they are.
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
    """Sums of three terms of which one is a single bit, with zeros above it."""
    for op in sums:
        if len(op.operands) != 3:
            continue
        for place in (2, 1, 0):
            bit = _single_bit(op.operands[place], facts)
            if bit is not None:
                yield op.result, _Carry(place, bit)
                break


def _single_bit(term: SSAValue, facts: Analysis) -> SSAValue | None:
    """The bit that a term is, extended by zeros or not."""
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
    """The terms of a sum, but for the bit that is its carry."""
    terms, carry = list(op.operands), facts.carries.get(op.result)
    if carry is not None:
        del terms[carry.place]
    return terms


def _inner_sums(sums: Sequence[comb.AddOp], facts: Analysis) -> Iterator[SSAValue]:
    """Sums of two terms that are terms themselves, be it extended."""
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
    """Sums of two terms with a term that is a table which nothing else reads, of small bits."""
    for op in sums:
        terms = addends(op, facts)
        if len(terms) != 2 or any(term in facts.constants for term in terms):
            continue
        fits = {term: _fitting_bits(op, term, facts) for term in terms}
        # Of equal ones, the last.
        best = max(reversed(terms), key=lambda term: fits[term])
        if fits[best] > 0:
            yield op.result, best


def _fitting_bits(op: comb.AddOp, term: SSAValue, facts: Analysis) -> float:
    """How many bits of the tables that a term is made of gain by sharing the LUTs of a sum's bits.

    All of a table of which every bit fits. A bit of four inputs, not among these: it and the
    adder's bit take as much apart, a LUT of four inputs beside one of two.
    """
    low, high = 0, bit_width(term.type)
    return sum(
        _fitting_bits_of(op, *piece, facts) for piece in _pieces(term, low, high, facts.constants)
    )


def _fitting_bits_of(
    op: comb.AddOp, source: SSAValue, low: int, high: int, facts: Analysis
) -> float:
    """The same for some bits of a value."""
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
    """What some bits of a value are made of: of other values, from which bit to before which.

    Each value once, constants not.
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
    """Whether the value is a part of another one, or an extension."""
    return type(source) is comb.ConcatOp or type(source) is comb.ExtractOp


def _readers(value: SSAValue, low: int, high: int) -> Iterator[Operation]:
    """What reads these bits of a value, other than to take it apart or to put it together."""
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
    """The outputs whose codes may be negative, by what the module says of its ports."""
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
    """The stage of each op; fills in `loops`, too."""
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
    """Ops that depend on each other in groups, operands before users; by their numbers.

    Tarjan, Depth-first search and linear graph algorithms, SIAM J. Comput. 1972.
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
