"""`kan-form-carry-chains`: sums of two numbers become adders that synthesis maps to a carry chain.

Left as `comb.add`, sums of a network cost up to half as many cells again, for three reasons:

- Yosys (`alumacc`) merges a sum with the sums that it adds into one `$macc` of many operands, which
  `maccmap` makes of compressors in LUTs: a row of LUTs more for each further operand. A bit below
  both numbers, of which the slice behind the sum takes none, keeps the adders apart. On a chain
  (CARRY4 and CARRY8 of Xilinx, CCU2C of ECP5, SB_CARRY of iCE40) each then takes a LUT a bit.
- A bit that is added to two numbers is an operand more. In the place of the bit below, on both
  sides, it comes in as a carry, and takes no LUT.
- An entry of a table of few inputs fits into the LUTs of the adder that adds it: on Xilinx' chains
  the LUT makes left ^ right, while the chain's own input takes `left` past it. ABC maps LUTs
  without knowing the chain, and Yosys takes either operand for that input, as it sorts those of a
  sum by name. It keeps the order of a difference. So the entry is subtracted: a + b = a - ~b - 1.
  Where the adders of the target absorb nothing (ECP5, iCE40), no entry is.

`lowering/chain_adder.py` has the ops. Sums that nothing merges with, adds to or absorbs stay as
they are, and so do sums of constants and of one bit. Tools that find all of this by themselves may
be served better by plain sums: leave the pass out (`kan-compile{adders=plain}`).

Every value stays the same in every cycle. Sums keep their names and their places in the module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import ClassVar, NamedTuple, TypeGuard

from xdsl.context import Context
from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import Rewriter

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.evaluate.hardware import bit_width, in_dataflow_order, low_bit_of
from kan_dialect.ir.attributes.value_names import name_hint
from kan_dialect.ir.constants import Array
from kan_dialect.ir.operation import operands_of, ops_of, result_of
from kan_dialect.lowering.chain_adder import ChainAdder, chain_adder_of
from kan_dialect.lowering.constant_folding import Constants, fold_constants
from kan_dialect.lowering.hw_builder import LooseOps
from kan_dialect.maths.truth_tables import bits_of_code, planes, support
from kan_dialect.passbase.target_pass import TargetPass


@dataclass(frozen=True)
class FormCarryChainsPass(TargetPass):
    """Writes sums of two numbers as adders that synthesis maps to one carry chain each."""

    name = "kan-form-carry-chains"
    works_at = ("hardware",)
    is_optional: ClassVar[bool] = True

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        circuits = [op for op in module.ops if isinstance(op, hw.HWModuleOp)]
        for circuit in circuits:
            _form_chains(circuit, self.device)
        return bool(circuits)


@dataclass(frozen=True)
class _Sum:
    """A sum of two numbers and perhaps a carry."""

    op: comb.AddOp
    numbers: tuple[int, int]
    """Places of the numbers among the operands, an absorbed table's entry second."""
    carry: int | None
    """Place of the carry."""
    absorbs: bool

    def adder(self, constants: dict[SSAValue, Array]) -> ChainAdder:
        """The adder of the sum's operands as they are now."""
        left, right = (self.op.operands[place] for place in self.numbers)
        carry = None
        if self.carry is not None:
            carry = _single_bit(self.op.operands[self.carry], constants)
        return ChainAdder(left, right, carry, self.absorbs)


def _form_chains(module: hw.HWModuleOp, device: DeviceFamily) -> None:
    ops = in_dataflow_order(ops_of(module.body.block), through_registers=False)
    constants = fold_constants(ops)
    build = LooseOps()
    for each in list(_chosen(ops, constants, device)):
        total = each.adder(constants.values).build(build, name_hint(each.op.result))
        Rewriter.replace_op(each.op, build.take(), [total])


def _chosen(ops: Sequence[Operation], constants: Constants, device: DeviceFamily) -> Iterator[_Sum]:
    """The sums that become adders on chains."""
    chains = (chain_adder_of(op, constants.values) for op in ops)
    formed = {
        operands_of(op)[0] for op, chain in zip(ops, chains, strict=True) if chain is not None
    }
    sums = [
        _sum_of(op, constants, device)
        for op in ops
        if type(op) is comb.AddOp
        and result_of(op) not in formed
        and bit_width(result_of(op).type) > 1
    ]
    found = {each.op.result: each for each in sums if each is not None}
    inner = {
        total
        for op in ops
        if type(op) is comb.AddOp and result_of(op) not in formed
        for term in operands_of(op)
        for total in _sums_in(term)
    }
    for total, each in found.items():
        constant = any(each.op.operands[place] in constants.values for place in each.numbers)
        if each.carry is not None or each.absorbs or (total in inner and not constant):
            yield each


def _sum_of(op: comb.AddOp, constants: Constants, device: DeviceFamily) -> _Sum | None:
    """A sum of two numbers and perhaps a carry; None for a sum of more or fewer."""
    carry, operands = None, operands_of(op)
    if len(operands) == 3:
        bits = (place for place in (2, 1, 0) if _single_bit(operands[place], constants.values))
        carry = next(bits, None)
    numbers = [place for place in range(len(operands)) if place != carry]
    if len(numbers) != 2:
        return None
    first, second = numbers
    if any(operands[place] in constants.values for place in numbers):
        return _Sum(op, (first, second), carry, False)
    fits = [_fitting_bits(op, operands[place], constants, device) for place in numbers]
    if fits[0] > fits[1]:
        first, second = second, first
    return _Sum(op, (first, second), carry, max(fits) > 0)


def _single_bit(term: SSAValue, constants: dict[SSAValue, Array]) -> SSAValue | None:
    """The bit in a term that is a zero-extended bit; None for other terms."""
    source = term.owner
    if type(source) is not comb.ConcatOp or len(operands := operands_of(source)) != 2:
        return None
    zeros, bit = operands
    if bit_width(bit.type) != 1 or bit in constants or zeros not in constants:
        return None
    return None if constants[zeros].any() else bit


def _sums_in(value: SSAValue) -> Iterator[SSAValue]:
    """The sums that a value consists of, looking through slices and concatenations."""
    source = value.owner
    if _is_slicing(source):
        for operand in operands_of(source):
            yield from _sums_in(operand)
    elif type(source) is comb.AddOp:
        yield result_of(source)


def _is_slicing(source: Operation | Block) -> TypeGuard[comb.ConcatOp | comb.ExtractOp]:
    """True if the value is a slice or concatenation of others."""
    return type(source) is comb.ConcatOp or type(source) is comb.ExtractOp


# Which entries of tables an adder absorbs


def _fitting_bits(
    op: comb.AddOp, term: SSAValue, constants: Constants, device: DeviceFamily
) -> float:
    """Number of bits of a term's tables that save LUTs in the LUTs of a sum; inf if all bits fit.

    If not all bits of a table fit, its bits of four inputs do not count: such a bit and the adder's
    bit take no more LUTs apart, one of four inputs and one of two.
    """
    pieces = _pieces(term, 0, bit_width(term.type), constants.values)
    return sum(_fitting_bits_of(op, *piece, constants, device) for piece in pieces)


def _fitting_bits_of(
    op: comb.AddOp,
    source: SSAValue,
    low: int,
    high: int,
    constants: Constants,
    device: DeviceFamily,
) -> float:
    """`_fitting_bits` of bits low..high - 1 of a value. Only the sum may read them."""
    table = source.owner
    if type(table) is not hw.ArrayGetOp:
        return 0
    bit = _read_bit(table, constants)
    if bit is not None:
        return int(_is_rarer(bit, constants))
    array, _ = operands_of(table)
    if array not in constants.values or set(_readers(source, low, high)) != {op}:
        return 0
    entries = constants.values[array][0]
    inputs, most = (len(entries) - 1).bit_length(), device.adders.absorbed_inputs
    if inputs <= most:
        return inf
    own = constants.planes.get(array) or planes(entries, bit_width(source.type))
    used = [support(plane, inputs) for plane in own]
    if max(used) <= most:
        return inf
    worth = device.worth_absorbing
    return sum(each in worth for each in used[low:high])


class _ReadBit(NamedTuple):
    """A bit of another value, or its complement, as a table of one bit."""

    source: SSAValue
    place: int
    is_inverted: bool


def _read_bit(table: Operation, constants: Constants) -> _ReadBit | None:
    """The bit of another value that a table gives; None of other tables."""
    if type(table) is not hw.ArrayGetOp or bit_width(result_of(table).type) != 1:
        return None
    array, index = operands_of(table)
    if array not in constants.values:
        return None
    entries = constants.values[array][0]
    own = bits_of_code((len(entries) - 1).bit_length()).get(planes(entries, 1)[0])
    if own is None:
        return None
    found = next(_pieces(index, own[0], own[0] + 1, constants.values), None)
    return None if found is None else _ReadBit(*found[:2], own[1])


def _is_rarer(bit: _ReadBit, constants: Constants) -> bool:
    """Whether sums have a bit the other way round, inverted or not, more often.

    The carry chain takes one operand as it is. So a bit that enters both inverted and not takes a
    lookup table twice, unless the LUTs of sums absorb the rarer one.
    """
    alike = other = 0
    for reader in _readers(bit.source, bit.place, bit.place + 1):
        read = _read_bit(reader, constants)
        if read is not None and read[:2] == bit[:2]:
            alike += read.is_inverted == bit.is_inverted
            other += read.is_inverted != bit.is_inverted
    return alike < other or (alike == other and bit.is_inverted)


def _pieces(
    value: SSAValue, low: int, high: int, constants: Collection[SSAValue]
) -> Iterator[tuple[SSAValue, int, int]]:
    """The sources of bits low..high - 1 of a value, each with its range of bits.

    Each source comes once. Constants are left out.
    """
    source = value.owner
    if type(source) is comb.ExtractOp:
        first, (operand,) = low_bit_of(source), operands_of(source)
        yield from _pieces(operand, low + first, high + first, constants)
    elif type(source) is comb.ConcatOp:
        below = bit_width(value.type)
        seen: set[SSAValue] = set()
        for operand in operands_of(source):
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


def _readers(value: SSAValue, low: int, high: int) -> Iterator[Operation]:
    """Ops that read bits low..high - 1 of a value, looking through slices and concatenations."""
    for use in value.uses:
        op = use.operation
        if type(op) is comb.ExtractOp:
            first, result = low_bit_of(op), result_of(op)
            inner = max(low - first, 0), min(high - first, bit_width(result.type))
            if inner[0] < inner[1]:
                yield from _readers(result, *inner)
        elif type(op) is comb.ConcatOp:
            below = sum(bit_width(each.type) for each in operands_of(op)[use.index + 1 :])
            yield from _readers(result_of(op), low + below, high + below)
        else:
            yield op
