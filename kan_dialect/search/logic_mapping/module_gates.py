"""The logic of a hardware module as gates, with what it takes beside them.

Carry chains, memories and registers are leaves. Memories that nothing writes are tables where they
are small. A chain's bit takes lookup tables of its own, or
gates before it, as the family's adders do.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from xdsl.dialects import comb, hw, seq
from xdsl.ir import Operation, SSAValue

from kan_dialect.devices.family import DeviceFamily
from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.ops.memory import (
    ROM_WORDS,
    MemoryOp,
    MemoryReadOp,
    MemoryWordOp,
    MemoryWriteOp,
    memory_type,
)
from kan_dialect.search.logic_mapping.gates import ONE, ZERO, GateKind, Gates, Literal

BLOCK_BITS = 64
"""Fewest bits of a memory in a block, by Yosys's cost of one (`ice40/brams.txt`)."""

CONSTANTS = frozenset((ZERO, ONE))


class ModuleGates:
    """A module read into gates; instances are left out."""

    def __init__(self, module: hw.HWModuleOp, device: DeviceFamily) -> None:
        self.device = device
        self.gates = Gates()
        self.bits: dict[SSAValue, list[Literal]] = {}
        """Bits of each value, lowest first."""
        self.needs: dict[int, list[Literal]] = {}
        """What a leaf depends on: a register, or a bit of a memory or adder."""
        self.registers: set[int] = set()
        """The leaves that are registers."""
        self.luts_of: dict[int, float] = {}
        """LUTs of leaves that are bits of adders and memories."""
        self.excess: dict[int, int] = {}
        """Bits that a table reads beyond those of a lookup table, of the gates that make it."""
        self.rows: dict[SSAValue, list[tuple[Literal, list[Literal]]]] = {}
        """Words that exclude each other, the last of multiplexers in a row first."""
        self.roots: list[Literal] = []
        """What outputs and instances read."""
        self._same: dict[tuple[Literal, ...], Literal] = {}
        """Registers by what they read: synthesis merges equal ones."""
        self.memories: dict[SSAValue, Literal] = {}
        """A leaf for the contents of each memory, which depends on what is written."""
        self.block_reads = Counter[SSAValue]()
        """How often each memory in block RAM is read in a cycle."""
        ops = list(module.body.block.ops)
        for value in (*module.body.block.args, *_read_early(ops)):
            width = 1 if value.type == seq.clock else bit_width(value.type)
            self.bits[value] = [self.gates.leaf() for _ in range(width)]
        for op in ops:
            self._read(op)
        for op in ops:
            if isinstance(op, seq.CompRegOp):
                self._connect(op)
            elif isinstance(op, MemoryWriteOp):
                values = (op.address, op.data, op.enable)
                written = [bit for value in values for bit in self.bits[value]]
                self.needs[self.memories[op.memory] // 2] += written

    def _read(self, op: Operation) -> None:
        """The bits of an op's result, lowest first."""
        bits, gates = self.bits, self.gates
        found: list[Literal]
        match op:
            case hw.ConstantOp():
                number = op.value.value.data
                found = [(number >> place) & 1 for place in range(bit_width(op.result.type))]
            case comb.ExtractOp():
                low = op.low_bit.value.data
                found = bits[op.input][low : low + bit_width(op.result.type)]
            case comb.ConcatOp() | hw.ArrayCreateOp():
                found = [bit for value in reversed(op.inputs) for bit in bits[value]]
            case comb.ReplicateOp():
                found = bits[op.input] * (bit_width(op.result.type) // len(bits[op.input]))
            case comb.AndOp():
                found = self._each(op, gates.all_of)
            case comb.OrOp():
                found = self._each(op, gates.any_of)
            case comb.XorOp():
                found = self._each(op, gates.differ)
            case comb.MuxOp():
                found = self._chosen(op)
            case comb.ICmpOp():
                found = [self._compared(op)]
            case comb.AddOp() | comb.SubOp():
                found = self._sum(op)
            case MemoryOp():
                self.memories[op.result] = self._leaf([], 0.0)
                return
            case MemoryWordOp():
                found = self._word(op)
            case MemoryReadOp():
                found = self._word_in_next_cycle(op)
            case hw.BitcastOp():
                found = bits[op.input]
            case hw.ArrayGetOp():
                found = self._looked_up(bits[op.input], bits[op.index], bit_width(op.result.type))
            case seq.CompRegOp():
                if op.data in bits:
                    return
                found = self._registers(op)
            case hw.InstanceOp() | hw.OutputOp():
                self.roots += [bit for value in op.operands for bit in bits[value]]
                for value in op.results:
                    bits.setdefault(value, [gates.leaf() for _ in range(bit_width(value.type))])
                return
            case _:
                # A lookup table of the device; of other ops, as products, one for each bit.
                needs = [bit for value in op.operands for bit in bits.get(value, ())]
                for value in op.results:
                    bits[value] = [self._leaf(needs, 1.0) for _ in range(bit_width(value.type))]
                return
        bits[op.results[0]] = found

    def _each(self, op: Operation, gate: Callable[..., Literal]) -> list[Literal]:
        """A gate for each place of an op's operands."""
        columns = zip(*(self.bits[value] for value in op.operands), strict=True)
        return [gate(*column) for column in columns]

    def _chosen(self, op: comb.MuxOp) -> list[Literal]:
        """One of two words. Synthesis joins a row of words, each with the bit that chooses it."""
        gates, (condition,) = self.gates, self.bits[op.cond]
        taken, other = self.bits[op.true_value], self.bits[op.false_value]
        for word, kept in ((taken, other), (other, taken)):
            if CONSTANTS.issuperset(word) and _is_cleared(op):
                return [self._leaf([bit, condition], 0.0) for bit in kept]
        others = self.rows.get(op.false_value, [])
        is_row = others or set(other) == {ZERO}
        if not is_row or not all(gates.exclude(condition, each) for each, _ in others):
            pairs = zip(taken, other, strict=True)
            return [gates.chosen(condition, one, zero) for one, zero in pairs]
        row = self.rows[op.result] = [(condition, taken), *others]
        words = [[gates.all_of(chooses, bit) for bit in word] for chooses, word in row]
        return [gates.any_of(*column) for column in zip(*words, strict=True)]

    def _looked_up(
        self, entries: Sequence[Literal], index: Sequence[Literal], width: int
    ) -> list[Literal]:
        """A word of an array; entries beyond its end are those of the last word."""
        count, before = 1 << len(index), len(self.gates.gates)
        words = [entries[low : low + width] for low in range(0, len(entries), width)]
        words += [words[-1]] * (count - len(words))
        if not CONSTANTS.issuperset(entries):
            return self._named(words, index)
        columns = zip(*words, strict=True)
        tables = [sum(bit << word for word, bit in enumerate(column)) for column in columns]
        found = [self.gates.looked_up(table, index) for table in tables]
        excess = len(index) - self.device.lut_inputs
        if excess > 0:
            self.excess |= dict.fromkeys(range(before, len(self.gates.gates)), excess)
        return found

    def _compared(self, op: comb.ICmpOp) -> Literal:
        one, other = self.bits[op.lhs], self.bits[op.rhs]
        name = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
        gates = self.gates
        if name in ("eq", "ne"):
            differ = [gates.differ(*pair) for pair in zip(one, other, strict=True)]
            return gates.any_of(*differ) ^ int(name == "eq")
        if name.startswith("s"):
            one, other = ([*bits[:-1], bits[-1] ^ 1] for bits in (one, other))
        if name[1:] in ("gt", "le"):
            one, other = other, one
        inverted = int(name[1:] in ("ge", "le"))
        has_constant = CONSTANTS.issuperset(one) or CONSTANTS.issuperset(other)
        if self._is_chain(one) and not (has_constant and self._merges_chains):
            return self._chain(one, [bit ^ 1 for bit in other])[-1] ^ inverted
        less = ZERO
        for first, second in zip(one, other, strict=True):
            less = gates.chosen(gates.differ(first, second), second, less)
        return less ^ inverted

    @property
    def _merges_chains(self) -> bool:
        """Whether the bits of a chain are lookup tables that synthesis merges with others."""
        return self.device.adders.beside_luts or not self.device.adders.whole_bits

    def _is_chain(self, bits: Sequence[Literal]) -> bool:
        adders = self.device.adders
        return adders.carry_chains and len(bits) >= max(adders.shortest_chain, 1)

    def _sum(self, op: comb.AddOp | comb.SubOp) -> list[Literal]:
        """The bits of a sum, on carry chains or of gates."""
        total, *terms = (self.bits[value] for value in op.operands)
        is_difference = isinstance(op, comb.SubOp)
        for term in terms:
            other = [bit ^ 1 for bit in term] if is_difference else term
            total = self._added(total, other, int(is_difference))
        return total

    def _added(
        self, one: Sequence[Literal], other: Sequence[Literal], carry: Literal
    ) -> list[Literal]:
        """The bits of a sum. Low rows of equal bits, and those above nothing, take no adder."""
        found: list[Literal] = []
        for first, second in zip(one, other, strict=True):
            if first == second:
                found.append(carry)
                carry = first
            elif carry == ZERO == min(first, second):
                found.append(max(first, second))
            else:
                break
        one, other = one[len(found) :], other[len(found) :]
        # A carry enters a chain as a row of its own.
        below = [] if carry in CONSTANTS else [carry]
        if one and self._is_chain([*below, *one]):
            return [*found, *self._chain([*below, *one], [*below, *other])[len(below) :]]
        for first, second in zip(one, other, strict=True):
            half = self.gates.differ(first, second)
            found.append(self.gates.differ(half, carry))
            carry = self.gates.chosen(half, carry, first)
        return found

    def _chain(self, one: Sequence[Literal], other: Sequence[Literal]) -> list[Literal]:
        """The bits of a sum on a carry chain: each needs the one below."""
        adders, found = self.device.adders, list[Literal]()
        below: list[Literal] = []
        for place, pair in enumerate(zip(one, other, strict=True)):
            needs, luts = list(pair), 0.0
            if adders.beside_luts:
                found.append(self.gates.differ(*pair, *below))
                below = [self._leaf([*needs, *below], luts)]
                continue
            if not adders.whole_bits:
                # A gate drives the chain, which takes the first operand, and the carry, past it.
                needs = [self.gates.differ(*pair), pair[0]]
            elif place % adders.cell_bits == 0:
                luts = float(adders.cell_bits + adders.chain_ends * (place == 0))
            found.append(self._leaf([*needs, *below], luts))
            below = found[-1:]
        return found

    def _leaf(self, needs: list[Literal], luts: float) -> Literal:
        """A bit of something that is not a gate."""
        leaf = self.gates.leaf()
        self.needs[leaf // 2] = needs
        self.luts_of[leaf // 2] = luts
        return leaf

    def _word(self, op: MemoryWordOp) -> list[Literal]:
        """The bits of a word of a memory, at an address of the same cycle.

        Synthesis takes the register of the address into the memory. Lookup tables and registers
        have none, so there is a second one beside them. A block has one, but not the word of a
        write in the same cycle, so there are registers for that word, and multiplexers.
        """
        kind, address = memory_type(op.memory), self.bits[op.address]
        device, size = self.device, kind.words * kind.bits
        if device.lut_memory is None and device.block_ram_shapes and size >= BLOCK_BITS:
            contents = self.memories[op.memory]
            differs = self._register([contents, *address])
            saved = [self._register([contents]) for _ in range(kind.bits)]
            pairs = zip(saved, self._word_in_block(op), strict=True)
            return [self.gates.chosen(differs, new, old) for new, old in pairs]
        return self._word_in_luts(op, [self._register([bit]) for bit in address])

    def _word_in_next_cycle(self, op: MemoryReadOp) -> list[Literal]:
        """The bits of a word of a memory that is read into registers, which a block has."""
        memory, address = _memory_of(op), self.bits[op.address]
        is_large = not memory.style and memory_type(op.memory).words > ROM_WORDS
        if self.device.block_ram_shapes and (memory.style == "block" or is_large):
            return self._word_in_block(op)
        return [self._register([bit]) for bit in self._word_in_luts(op, address)]

    def _word_in_block(self, op: MemoryReadOp | MemoryWordOp) -> list[Literal]:
        """The bits of a word of a block RAM, behind multiplexers where several are side by side."""
        kind, address = memory_type(op.memory), self.bits[op.address]
        self.block_reads[op.memory] += 1
        beside = self.device.block_ram_words(kind.words, kind.bits)
        upper = (beside - 1).bit_length()
        needs = [self.memories[op.memory], *address[: len(address) - upper]]
        words = [[self._leaf(needs, 0.0) for _ in range(kind.bits)] for _ in range(beside)]
        words += words[-1:] * ((1 << upper) - beside)
        return self._named(words, [self._register([bit]) for bit in address[-upper:] if upper])

    def _word_in_luts(
        self, op: MemoryReadOp | MemoryWordOp, address: Sequence[Literal]
    ) -> list[Literal]:
        """The bits of a word of a memory of lookup tables, at an address of the same cycle."""
        kind, memory = memory_type(op.memory), self.device.lut_memory
        words = _memory_of(op).contents
        is_written = any(isinstance(use.operation, MemoryWriteOp) for use in op.memory.uses)
        if words is not None and not is_written:
            entries = [(word >> bit) & 1 for word in words.tolist() for bit in range(kind.bits)]
            return self._looked_up(entries, address, kind.bits)
        contents = self.memories[op.memory]
        if memory is None:
            return self._stored(kind.words, kind.bits, address, contents)
        blocks = math.ceil(kind.words / memory.words) * math.ceil(kind.bits / memory.bits)
        luts = blocks * memory.luts / kind.bits
        return [self._leaf([contents, *address], luts) for _ in range(kind.bits)]

    def _stored(
        self, words: int, bits: int, address: Sequence[Literal], contents: Literal
    ) -> list[Literal]:
        """A word of a memory of registers with an enable for each word, behind multiplexers."""
        stored: list[list[Literal]] = []
        for _ in range(words):
            enable = self._leaf([contents], 1.0)
            stored.append([self._register([enable]) for _ in range(bits)])
        return self._named(stored, address)

    def _named(self, words: Sequence[Sequence[Literal]], index: Sequence[Literal]) -> list[Literal]:
        """The word that an index names, by multiplexers, its lowest bit first."""
        for bit in index:
            pairs = zip(words[::2], words[1::2], strict=True)
            words = [
                [self.gates.chosen(bit, one, zero) for zero, one in zip(*pair, strict=True)]
                for pair in pairs
            ]
        return list(words[0])

    def _register(self, needs: list[Literal]) -> Literal:
        """A bit of a register that the text does not have."""
        leaf = self._leaf(needs, 0.0)
        self.registers.add(leaf // 2)
        return leaf

    def _registers(self, op: seq.CompRegOp) -> list[Literal]:
        """The bits of a register. Equal ones are one, and those of constants are constants."""
        read = self.bits.get(op.input)
        if read is None:
            return [self.gates.leaf() for _ in range(bit_width(op.data.type))]
        resets = [] if op.reset is None else self.bits[op.reset]
        keys = [(bit, *resets) for bit in read]
        still = {ZERO} if resets else CONSTANTS
        return [
            key[0] if key[0] in still else self._same.setdefault(key, self.gates.leaf())
            for key in keys
        ]

    def _connect(self, op: seq.CompRegOp) -> None:
        """What each bit of a register depends on. An enable keeps it without a LUT."""
        resets = [] if op.reset is None else self.bits[op.reset]
        for own, following in zip(self.bits[op.data], self.bits[op.input], strict=True):
            if own in CONSTANTS:
                continue
            gate = self.gates.gates[following // 2]
            holds = gate.kind is GateKind.MUX and own in gate.inputs[1:]
            needs = [bit for bit in gate.inputs if bit != own] if holds else [following]
            self.needs[own // 2] = [*reversed(needs), *resets]
            self.registers.add(own // 2)


def _is_cleared(op: comb.MuxOp) -> bool:
    """Whether registers without a reset load a choice, and nothing else reads it.

    Their set or reset makes the choice where one of the words is constant.
    """
    users = [use.operation for use in op.result.uses]
    return all(isinstance(user, seq.CompRegOp) and user.reset is None for user in users)


def _memory_of(op: MemoryReadOp | MemoryWordOp) -> MemoryOp:
    """The memory that an op reads."""
    assert isinstance(op.memory.owner, MemoryOp)
    return op.memory.owner


def _read_early(ops: Sequence[Operation]) -> list[SSAValue]:
    """Registers and instances' results that are read before they are written: they close loops."""
    known, early = set[SSAValue](), list[SSAValue]()
    for op in ops:
        for value in op.operands:
            is_state = isinstance(value.owner, seq.CompRegOp | hw.InstanceOp)
            if is_state and value not in known:
                early.append(value)
                known.add(value)
        known.update(op.results)
    return early
