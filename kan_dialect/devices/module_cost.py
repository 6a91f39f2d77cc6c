"""LUTs and registers of a hardware module by estimate: of the wrapper around a network.

The module's logic is a graph of gates of one bit. Constants are folded, equal gates are one, and
what no output depends on is left out, as in synthesis. Each gate gets the cut of at most
`lut_inputs` inputs that takes the fewest LUTs by area flow (Mishchenko, Chatterjee, Brayton 2007),
and the cuts that outputs and registers need are the LUTs. A network's own module is estimated at
wire level (`estimate.py`), where its tables and sums are known.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from xdsl.dialects import comb, hw, seq
from xdsl.ir import Operation, SSAValue

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.ops.memory import MemoryOp, MemoryWordOp, MemoryWriteOp, memory_type

CUTS = 6
"""Cuts that are kept for each gate."""

BLOCK_BITS = 64
"""Fewest bits of a memory in a block, by Yosys's cost of one (`ice40/brams.txt`)."""

Literal: TypeAlias = int
"""A gate's number times two, and 1 if the bit is inverted."""

ZERO: Literal = 0
ONE: Literal = 1


class ModuleCost(NamedTuple):
    """What a module takes beside the modules that it instantiates."""

    luts: int
    registers: int
    shift_registers: int
    """Chains of registers that lookup tables hold, which `luts` and `registers` leave out."""


class _Gate(NamedTuple):
    """A gate, or a leaf: an input, register, or bit of a memory, adder or instance."""

    kind: str
    """`and`, `xor`, `mux`; `leaf`."""
    inputs: tuple[Literal, ...]


@dataclass
class _Gates:
    """Gates of one bit, each once. Gate 0 is the constant."""

    gates: list[_Gate] = field(default_factory=lambda: [_Gate("leaf", ())])
    known: dict[_Gate, int] = field(default_factory=dict[_Gate, int])

    def leaf(self) -> Literal:
        self.gates.append(_Gate("leaf", ()))
        return 2 * len(self.gates) - 2

    def _gate(self, kind: str, *inputs: Literal) -> Literal:
        gate = _Gate(kind, inputs)
        if gate not in self.known:
            self.known[gate] = len(self.gates)
            self.gates.append(gate)
        return 2 * self.known[gate]

    def all_of(self, one: Literal, other: Literal) -> Literal:
        one, other = sorted((one, other))
        if one == ZERO or one == other ^ 1:
            return ZERO
        if one in (ONE, other):
            return other
        return self._gate("and", one, other)

    def any_of(self, one: Literal, other: Literal) -> Literal:
        return self.all_of(one ^ 1, other ^ 1) ^ 1

    def differ(self, one: Literal, other: Literal) -> Literal:
        inverted, (one, other) = (one ^ other) & 1, sorted((one & ~1, other & ~1))
        if one == other:
            return inverted
        return (other if one == ZERO else self._gate("xor", one, other)) ^ inverted

    def chosen(self, condition: Literal, if_one: Literal, if_zero: Literal) -> Literal:
        if condition & 1:
            condition, if_one, if_zero = condition ^ 1, if_zero, if_one
        if if_one == if_zero or condition == ZERO:
            return if_zero
        if if_one == if_zero ^ 1:
            return self.differ(condition, if_zero)
        if ZERO in (if_one, if_zero) or ONE in (if_one, if_zero):
            taken = self.all_of(condition, if_one)
            if if_one == ONE:
                return self.any_of(condition, if_zero)
            if if_zero == ONE:
                return self.any_of(condition ^ 1, if_one)
            return taken if if_zero == ZERO else self.all_of(condition ^ 1, if_zero)
        return self._gate("mux", condition, if_one, if_zero)


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
        self.needs: dict[int, list[list[Literal]]] = {}
        """What a leaf depends on: a register, or a bit of a memory or adder."""
        self.registers: set[int] = set()
        """The leaves that are registers."""
        self.luts_of: dict[int, float] = {}
        """LUTs of leaves that are bits of adders and memories."""
        self.written: dict[SSAValue, list[Literal]] = {}
        """Address, data and enable of what is written into each memory."""
        self.roots: list[Literal] = []
        """What outputs and instances read."""
        ops = list(module.body.block.ops)
        # Registers and memories close loops: their outputs are known before their inputs.
        for value in module.body.block.args:
            self._leaves(value)
        for op in ops:
            if isinstance(op, seq.CompRegOp | hw.InstanceOp):
                for result in op.results:
                    self._leaves(result)
            elif isinstance(op, MemoryOp):
                self.written[op.result] = []
        for op in ops:
            self._read(op)
        for op in ops:
            if isinstance(op, seq.CompRegOp):
                self._connect(op)
            elif isinstance(op, MemoryWriteOp):
                operands = (op.address, op.data, op.enable)
                self.written[op.memory] += [bit for value in operands for bit in self.bits[value]]

    def _leaves(self, value: SSAValue) -> None:
        width = 1 if value.type == seq.clock else bit_width(value.type)
        self.bits[value] = [self.gates.leaf() for _ in range(width)]

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
                count = bit_width(op.result.type) // len(bits[op.input])
                found = bits[op.input] * count
            case comb.AndOp():
                found = self._each(op, gates.all_of)
            case comb.OrOp():
                found = self._each(op, gates.any_of)
            case comb.XorOp():
                found = self._each(op, gates.differ)
            case comb.MuxOp() if (choices := _exclusive(op)) is not None:
                users = [use.operation for use in op.result.uses]
                if len(users) == 1 and _goes_on(op, users[0]):
                    return  # It is read as a part of its user.
                # As synthesis has them: each word with the bit that chooses it, and all joined.
                words = [
                    [gates.all_of(bits[condition][0], bit) for bit in bits[value]]
                    for condition, value in choices
                ]
                found = [_tree(gates.any_of, column) for column in zip(*words, strict=True)]
            case comb.MuxOp():
                (condition,) = bits[op.cond]
                pairs = zip(bits[op.true_value], bits[op.false_value], strict=True)
                found = [gates.chosen(condition, one, zero) for one, zero in pairs]
            case comb.ICmpOp():
                found = [self._compared(op)]
            case comb.AddOp() | comb.SubOp():
                found = self._sum([bits[value] for value in op.operands])
            case MemoryWordOp():
                found = self._word(op)
            case hw.InstanceOp() | hw.OutputOp():
                self.roots += [bit for value in op.operands for bit in bits[value]]
                return
            case _:
                return
        bits[op.results[0]] = found

    def _each(self, op: Operation, gate: Callable[[Literal, Literal], Literal]) -> list[Literal]:
        """A gate for each place of an op's operands, as a tree of gates of two inputs."""
        columns = zip(*(self.bits[value] for value in op.operands), strict=True)
        return [_tree(gate, column) for column in columns]

    def _compared(self, op: comb.ICmpOp) -> Literal:
        pairs = list(zip(self.bits[op.lhs], self.bits[op.rhs], strict=True))
        name = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
        if name in ("eq", "ne"):
            differ = [self.gates.differ(one, other) for one, other in pairs]
            return _tree(self.gates.any_of, differ) ^ int(name == "eq")
        return self._sum([[one for one, _ in pairs], [other for _, other in pairs]])[-1]

    def _sum(self, terms: Sequence[Sequence[Literal]]) -> list[Literal]:
        """The bits of a sum, on a carry chain or of gates."""
        adders, width = self.device.adders, len(terms[0])
        constant = any(set(term) <= {ZERO, ONE} for term in terms)
        if not adders.carry_chains or width < adders.shortest_chain:
            return self._ripple(terms)
        found: list[Literal] = []
        luts = float(adders.whole_bits) if constant else adders.bit_luts
        for place in range(width):
            found.append(self._leaf([bit for term in terms for bit in term[: place + 1]], luts))
        return found

    def _leaf(self, needs: list[Literal], luts: float) -> Literal:
        """A bit of something that is no gate."""
        leaf = self.gates.leaf()
        self.needs[leaf // 2] = [needs]
        self.luts_of[leaf // 2] = luts
        return leaf

    def _ripple(self, terms: Sequence[Sequence[Literal]]) -> list[Literal]:
        """The bits of a sum, of gates alone."""
        gates, total = self.gates, list(terms[0])
        for term in terms[1:]:
            carry = ZERO
            for place, (one, other) in enumerate(zip(total, term, strict=True)):
                half = gates.differ(one, other)
                total[place] = gates.differ(half, carry)
                carry = gates.any_of(gates.all_of(one, other), gates.all_of(half, carry))
        return total

    def _word(self, op: MemoryWordOp) -> list[Literal]:
        """The bits of a word of a memory, at an address of the same cycle.

        Synthesis takes the register of the address into the memory. Lookup tables and registers
        have none, so there is a second one beside them. A block has one, but not the word of a
        write in the same cycle, so there are registers for that word, and multiplexers.
        """
        kind, address = memory_type(op.memory), self.bits[op.address]
        memory, written = self.device.lut_memory, self.written[op.memory]
        if memory is None and kind.words * kind.bits >= BLOCK_BITS:
            differs = self._register([*written, *address])
            saved = [self._register(written) for _ in range(kind.bits)]
            read = [self._leaf([*address], 0.0) for _ in range(kind.bits)]
            pairs = zip(saved, read, strict=True)
            return [self.gates.chosen(differs, new, old) for new, old in pairs]
        copies = [self._register([bit]) for bit in address]
        if memory is None:
            return self._stored(kind.words, kind.bits, copies, written)
        blocks = math.ceil(kind.words / memory.words) * math.ceil(kind.bits / memory.bits)
        found = [self._leaf(written, blocks * memory.luts / kind.bits) for _ in range(kind.bits)]
        for leaf in found:
            self.needs[leaf // 2].append(copies)
        return found

    def _stored(
        self, words: int, bits: int, address: Sequence[Literal], written: list[Literal]
    ) -> list[Literal]:
        """A word of a memory of registers with an enable for each word, behind multiplexers."""
        stored: list[list[Literal]] = []
        for _ in range(words):
            enable = self._leaf(written, 1.0)
            stored.append([self._register([enable, *written]) for _ in range(bits)])
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
        resets = [] if op.reset is None else [*self.bits[op.reset]]
        for own, following in zip(self.bits[op.data], self.bits[op.input], strict=True):
            needs = [following, *resets]
            gate = self.gates.gates[following // 2]
            if gate.kind == "mux" and own in gate.inputs[1:]:
                enable, *choices = gate.inputs
                (taken,) = [bit for bit in choices if bit != own]
                needs = [taken, enable, *resets]
            self.needs[own // 2] = [needs]
            self.registers.add(own // 2)

    def cost(self) -> ModuleCost:
        """LUTs and registers that the outputs depend on."""
        mapper = _Mapper(self.gates.gates, self.device.lut_inputs)
        luts, sizes, registers = 0.0, Counter[int](), set[int]()
        readers = Counter(bit // 2 for bit in self.roots)
        waiting, seen = list(readers), {0}
        while waiting:
            gate = waiting.pop()
            if gate in seen:
                continue
            seen.add(gate)
            if self.gates.gates[gate].kind == "leaf":
                luts += self.luts_of.get(gate, 0.0)
                needed = [bit // 2 for bits in self.needs.get(gate, []) for bit in bits]
                if gate in self.registers:
                    registers.add(gate)
            else:
                needed = list(mapper.cut_of(gate))
                sizes[len(needed)] += 1
            readers.update(needed)
            waiting += needed
        shifts = self._shift_registers(registers, readers)
        return ModuleCost(
            math.ceil(luts) + self.device.pack(sizes), len(registers) - sum(shifts), len(shifts)
        )

    def _shift_registers(self, registers: set[int], readers: Counter[int]) -> list[int]:
        """Lengths of the chains of registers that lookup tables hold."""
        shortest = self.device.shortest_shift
        if not shortest:
            return []
        behind: dict[int, int] = {}
        for register in registers:
            ((first, *control),) = self.needs[register]
            if not control and first // 2 in registers and readers[first // 2] == 1:
                behind[first // 2] = register
        lengths: list[int] = []
        for first in registers - set(behind.values()):
            length = 1
            while first in behind:
                first, length = behind[first], length + 1
            lengths.append(length)
        return [length for length in lengths if length >= shortest]


class _Mapper:
    """Chooses a cut for each gate: the fewest LUTs by area flow, then the fewest inputs."""

    def __init__(self, gates: Sequence[_Gate], lut_inputs: int) -> None:
        readers = Counter(bit // 2 for gate in gates for bit in gate.inputs)
        flow = [0.0] * len(gates)
        cuts: list[list[frozenset[int]]] = [[frozenset()]]
        for number, gate in enumerate(gates[1:], start=1):
            alone = frozenset((number,))
            if gate.kind == "leaf":
                cuts.append([alone])
                continue
            merged = {frozenset[int]()}
            for bit in gate.inputs:
                merged = {
                    union
                    for one in merged
                    for other in cuts[bit // 2]
                    if len(union := one | other) <= lut_inputs
                }
            price = {cut: 1.0 + sum(flow[leaf] for leaf in cut) for cut in merged}
            best = sorted(merged, key=lambda cut: (price[cut], len(cut), sorted(cut)))[:CUTS]
            flow[number] = price[best[0]] / max(readers[number], 1)
            cuts.append([*best, alone])
        self._cuts = cuts

    def cut_of(self, gate: int) -> frozenset[int]:
        """The inputs of the LUT that makes a gate."""
        return self._cuts[gate][0]


def _goes_on(op: comb.MuxOp, user: Operation) -> bool:
    """Whether a multiplexer is the rest of the row of another one."""
    if not isinstance(user, comb.MuxOp) or user.false_value is not op.result:
        return False
    return _exclusive(user) is not None


def _exclusive(op: comb.MuxOp) -> list[tuple[SSAValue, SSAValue]] | None:
    """Conditions and words of multiplexers in a row, of which one condition at most is met.

    These compare one value with constants, and the last word is zero. None for other ones.
    """
    found: list[tuple[SSAValue, SSAValue]] = []
    compared: set[SSAValue] = set()
    value: SSAValue = op.result
    while isinstance(value.owner, comb.MuxOp):
        test = value.owner.cond.owner
        if not isinstance(test, comb.ICmpOp) or not isinstance(test.rhs.owner, hw.ConstantOp):
            return None
        if comb.ICMP_COMPARISON_OPERATIONS[test.predicate.value.data] != "eq":
            return None
        compared.add(test.lhs)
        found.append((value.owner.cond, value.owner.true_value))
        value = value.owner.false_value
    last = value.owner
    is_zero = isinstance(last, hw.ConstantOp) and last.value.value.data == 0
    return found if is_zero and len(compared) == 1 else None


def _tree(gate: Callable[[Literal, Literal], Literal], bits: Iterable[Literal]) -> Literal:
    """A balanced tree of gates over bits, of which there is at least one."""
    level = list(bits)
    while len(level) > 1:
        pairs = [gate(*pair) for pair in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]
