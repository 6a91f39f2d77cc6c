"""LUTs and registers of a hardware module by estimate: of the wrapper around a network.

The module's logic is a graph of gates of one bit. Constants are folded, equal gates are one, and
what no output depends on is left out, as in synthesis. Each gate gets the cut of at most
`lut_inputs` inputs that takes the fewest LUTs by area flow, and the cuts that outputs and registers
need are the LUTs. A network's own module is estimated at wire level (`estimate.py`), where its
tables and sums are known.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from xdsl.dialects import comb, hw, seq
from xdsl.ir import Operation, SSAValue

from kan_dialect.devices.family import DeviceFamily
from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.ops.memory import MemoryOp, MemoryWordOp, MemoryWriteOp, memory_type

CUTS = 6
"""Cuts that are kept for each gate."""

BLOCK_BITS = 64
"""Fewest bits of a memory in a block, by Yosys's cost of one (`ice40/brams.txt`)."""

Literal: TypeAlias = int
"""A gate's number times two, and 1 if the bit is inverted."""

Leaves: TypeAlias = frozenset[int]

ZERO: Literal = 0
ONE: Literal = 1


class ModuleCost(NamedTuple):
    """What a module takes beside the modules that it instantiates."""

    luts: int
    registers: int
    shift_registers: int
    """Chains of registers that lookup tables hold, which `luts` and `registers` leave out."""


class _Gate(NamedTuple):
    kind: str
    """`and`, `xor`, `mux`; `leaf`."""
    inputs: tuple[Literal, ...]


class _Gates:
    """Gates of one bit, each once. Gate 0 is the constant."""

    def __init__(self) -> None:
        self.gates = [_Gate("leaf", ())]
        self._known: dict[_Gate, Literal] = {}

    def leaf(self) -> Literal:
        self.gates.append(_Gate("leaf", ()))
        return 2 * len(self.gates) - 2

    def _gate(self, kind: str, inputs: Iterable[Literal]) -> Literal:
        gate = _Gate(kind, tuple(inputs))
        if gate not in self._known:
            self._known[gate] = 2 * len(self.gates)
            self.gates.append(gate)
        return self._known[gate]

    def all_of(self, *bits: Literal) -> Literal:
        return _tree(self._both, bits, ONE)

    def any_of(self, *bits: Literal) -> Literal:
        return self.all_of(*(bit ^ 1 for bit in bits)) ^ 1

    def differ(self, *bits: Literal) -> Literal:
        return _tree(self._one, bits, ZERO)

    def _both(self, one: Literal, other: Literal) -> Literal:
        one, other = sorted((one, other))
        if one == ZERO or one == other ^ 1:
            return ZERO
        return other if one in (ONE, other) else self._gate("and", (one, other))

    def _one(self, one: Literal, other: Literal) -> Literal:
        inverted, (one, other) = (one ^ other) & 1, sorted((one & ~1, other & ~1))
        if one == other:
            return inverted
        return (other if one == ZERO else self._gate("xor", (one, other))) ^ inverted

    def chosen(self, condition: Literal, if_one: Literal, if_zero: Literal) -> Literal:
        if if_one == if_zero or condition == ZERO:
            return if_zero
        if condition == ONE:
            return if_one
        if if_one == if_zero ^ 1:
            return self.differ(condition, if_zero)
        if ZERO in (if_one, if_zero) or ONE in (if_one, if_zero):
            taken = self.all_of(condition, if_one)
            return self.any_of(taken, self.all_of(condition ^ 1, if_zero))
        return self._gate("mux", (condition, if_one, if_zero))

    def exclude(self, one: Literal, other: Literal) -> bool:
        """Whether two bits cannot both be 1, as comparisons with different constants."""
        first, second = self._factors(one), self._factors(other)
        return any(bit ^ 1 in second for bit in first)

    def _factors(self, bit: Literal) -> set[Literal]:
        """Bits that are all 1 where this one is."""
        gate = self.gates[bit // 2]
        if bit & 1 or gate.kind != "and":
            return {bit}
        return set[Literal]().union(*map(self._factors, gate.inputs))


def _tree(
    gate: Callable[[Literal, Literal], Literal], bits: Iterable[Literal], empty: Literal
) -> Literal:
    """A balanced tree of gates of two inputs."""
    level = list(bits)
    while len(level) > 1:
        pairs = [gate(*pair) for pair in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[2 * len(pairs) :]
    return level[0] if level else empty


def _leaves_of_luts(
    gates: Sequence[_Gate], readers: Mapping[int, int], lut_inputs: int
) -> list[Leaves]:
    """Inputs of the LUT that makes each gate: of its cuts, that with the fewest LUTs by area flow.

    Source: Mishchenko, Chatterjee, Brayton, "Improvements to technology mapping for LUT-based
    FPGAs", 2007.
    """
    flow = [0.0] * len(gates)
    cuts: list[list[Leaves]] = []
    for number, gate in enumerate(gates):
        alone = frozenset((number,) if number else ())
        found = {frozenset[int]()}
        for bit in gate.inputs:
            unions = {one | other for one in found for other in cuts[bit // 2]}
            found = {union for union in unions if len(union) <= lut_inputs}
        price = {cut: 1.0 + sum(flow[leaf] for leaf in cut) for cut in found}
        best = sorted(found, key=lambda cut: (price[cut], len(cut), sorted(cut)))[:CUTS]
        is_gate = bool(gate.inputs)
        flow[number] = price[best[0]] / max(readers[number], 1) if is_gate else 0.0
        cuts.append([*best, alone] if is_gate else [alone])
    return [choices[0] for choices in cuts]


def module_cost(module: hw.HWModuleOp, device: DeviceFamily) -> ModuleCost:
    """LUTs and registers of a module's own logic; instances are left out."""
    return _Reader(module, device).cost()


class _Reader:
    """Reads a module into gates, and counts what its outputs depend on."""

    def __init__(self, module: hw.HWModuleOp, device: DeviceFamily) -> None:
        self.device = device
        self.gates = _Gates()
        self.bits: dict[SSAValue, list[Literal]] = {}
        """Bits of each value, lowest first."""
        self.needs: dict[int, list[Literal]] = {}
        """What a leaf depends on: a register, or a bit of a memory or adder."""
        self.registers: set[int] = set()
        """The leaves that are registers."""
        self.luts_of: dict[int, float] = {}
        """LUTs of leaves that are bits of adders and memories."""
        self.rows: dict[SSAValue, list[tuple[Literal, list[Literal]]]] = {}
        """Words that exclude each other, the last of multiplexers in a row first."""
        self.roots: list[Literal] = []
        """What outputs and instances read."""
        ops = list(module.body.block.ops)
        # Registers close loops: their outputs are known before their inputs.
        states = (op for op in ops if isinstance(op, seq.CompRegOp | hw.InstanceOp))
        for value in (*module.body.block.args, *(value for op in states for value in op.results)):
            width = 1 if value.type == seq.clock else bit_width(value.type)
            self.bits[value] = [self.gates.leaf() for _ in range(width)]
        self.memories: dict[SSAValue, Literal] = {}
        """A leaf for the contents of each memory, which depends on what is written."""
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
            case comb.ConcatOp():
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
                found = self._sum([bits[value] for value in op.operands])
            case MemoryOp():
                self.memories[op.result] = self._leaf([], 0.0)
                return
            case MemoryWordOp():
                found = self._word(op)
            case hw.InstanceOp() | hw.OutputOp():
                self.roots += [bit for value in op.operands for bit in bits[value]]
                return
            case _:
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
        others = self.rows.get(op.false_value, [])
        is_row = others or set(other) == {ZERO}
        if not is_row or not all(gates.exclude(condition, each) for each, _ in others):
            pairs = zip(taken, other, strict=True)
            return [gates.chosen(condition, one, zero) for one, zero in pairs]
        row = self.rows[op.result] = [(condition, taken), *others]
        words = [[gates.all_of(chooses, bit) for bit in word] for chooses, word in row]
        return [gates.any_of(*column) for column in zip(*words, strict=True)]

    def _compared(self, op: comb.ICmpOp) -> Literal:
        one, other = self.bits[op.lhs], self.bits[op.rhs]
        name = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
        if name in ("eq", "ne"):
            differ = [self.gates.differ(*pair) for pair in zip(one, other, strict=True)]
            return self.gates.any_of(*differ) ^ int(name == "eq")
        return self._sum([one, other])[-1]

    def _sum(self, terms: Sequence[Sequence[Literal]]) -> list[Literal]:
        """The bits of a sum, on a carry chain or of gates."""
        adders, gates, width = self.device.adders, self.gates, len(terms[0])
        if adders.carry_chains and width >= adders.shortest_chain:
            constant = any(set(term) <= {ZERO, ONE} for term in terms)
            luts = float(adders.whole_bits) if constant else adders.bit_luts
            below = [[bit for term in terms for bit in term[: place + 1]] for place in range(width)]
            return [self._leaf(needs, luts) for needs in below]
        total = list(terms[0])
        for term in terms[1:]:
            carry = ZERO
            for place, (one, other) in enumerate(zip(total, term, strict=True)):
                half = gates.differ(one, other)
                total[place] = gates.differ(half, carry)
                carry = gates.chosen(half, carry, one)
        return total

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
        memory, contents = self.device.lut_memory, self.memories[op.memory]
        if memory is None and kind.words * kind.bits >= BLOCK_BITS:
            differs = self._register([contents, *address])
            saved = [self._register([contents]) for _ in range(kind.bits)]
            read = [self._leaf(address, 0.0) for _ in range(kind.bits)]
            pairs = zip(saved, read, strict=True)
            return [self.gates.chosen(differs, new, old) for new, old in pairs]
        copies = [self._register([bit]) for bit in address]
        if memory is None:
            return self._stored(kind.words, kind.bits, copies, contents)
        blocks = math.ceil(kind.words / memory.words) * math.ceil(kind.bits / memory.bits)
        luts = blocks * memory.luts / kind.bits
        return [self._leaf([contents, *copies], luts) for _ in range(kind.bits)]

    def _stored(
        self, words: int, bits: int, address: Sequence[Literal], contents: Literal
    ) -> list[Literal]:
        """A word of a memory of registers with an enable for each word, behind multiplexers."""
        stored: list[list[Literal]] = []
        for _ in range(words):
            enable = self._leaf([contents], 1.0)
            stored.append([self._register([enable]) for _ in range(bits)])
        for bit in address:
            pairs = zip(stored[::2], stored[1::2], strict=True)
            stored = [
                [self.gates.chosen(bit, one, zero) for zero, one in zip(*pair, strict=True)]
                for pair in pairs
            ]
        return stored[0]

    def _register(self, needs: list[Literal]) -> Literal:
        """A bit of a register that the text does not have."""
        leaf = self._leaf(needs, 0.0)
        self.registers.add(leaf // 2)
        return leaf

    def _connect(self, op: seq.CompRegOp) -> None:
        """What each bit of a register depends on. An enable keeps it without a LUT."""
        resets = [] if op.reset is None else self.bits[op.reset]
        for own, following in zip(self.bits[op.data], self.bits[op.input], strict=True):
            gate = self.gates.gates[following // 2]
            holds = gate.kind == "mux" and own in gate.inputs[1:]
            needs = [bit for bit in gate.inputs if bit != own] if holds else [following]
            self.needs[own // 2] = [*reversed(needs), *resets]
            self.registers.add(own // 2)

    def cost(self) -> ModuleCost:
        """LUTs and registers that the outputs depend on."""
        gates = self.gates.gates
        inputs = [frozenset(bit // 2 for bit in gate.inputs) for gate in gates]
        leaves = _leaves_of_luts(gates, self._readers(inputs), self.device.lut_inputs)
        readers = self._readers(leaves)
        luts = sum(self.luts_of.get(gate, 0.0) for gate in readers)
        sizes = Counter(len(leaves[gate]) for gate in readers if gates[gate].inputs)
        shifts = self._shift_registers(self.registers & readers.keys(), readers)
        registers = len(self.registers & readers.keys()) - sum(shifts)
        return ModuleCost(math.ceil(luts) + self.device.pack(sizes), registers, len(shifts))

    def _readers(self, inputs: Sequence[Leaves]) -> Counter[int]:
        """How often each gate is read that outputs depend on, given the gates that each reads."""
        readers = Counter(bit // 2 for bit in self.roots)
        waiting, seen = list(readers), set[int]()
        while waiting:
            gate = waiting.pop()
            if gate in seen:
                continue
            seen.add(gate)
            read = [bit // 2 for bit in self.needs.get(gate, [])]
            if self.gates.gates[gate].inputs:
                read = list(inputs[gate])
            readers.update(read)
            waiting += read
        del readers[0]
        return readers

    def _shift_registers(self, registers: set[int], readers: Counter[int]) -> list[int]:
        """Lengths of the chains of registers that lookup tables hold."""
        behind: dict[int, int] = {}
        for register in registers:
            first, *control = (bit // 2 for bit in self.needs[register])
            if not control and first in registers and readers[first] == 1:
                behind[first] = register
        lengths: list[int] = []
        for first in registers - set(behind.values()):
            length = 1
            while first in behind:
                first, length = behind[first], length + 1
            lengths.append(length)
        shortest = self.device.shortest_shift or math.inf
        return [length for length in lengths if length >= shortest]
