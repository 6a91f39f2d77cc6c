"""LUTs, registers and block RAMs of a hardware module by estimate.

The module's logic is a graph of gates of one bit. Constants are folded, equal gates and registers
are one, and what no output depends on is left out, as in synthesis. Covers of LUTs are compared by
the areas by which synthesis compares them (`Yosys.lut_areas`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from xdsl.dialects import hw

from kan_dialect.devices.family import DeviceFamily
from kan_dialect.ops.memory import memory_type
from kan_dialect.search.logic_mapping.cover import lut_sizes
from kan_dialect.search.logic_mapping.gates import Gate, GateKind
from kan_dialect.search.logic_mapping.module_gates import ModuleGates
from kan_dialect.search.logic_mapping.mux_cover import four_way_choices


class ModuleCost(NamedTuple):
    """What a module takes beside the modules that it instantiates."""

    luts: int
    registers: int
    shift_registers: int
    """Chains of registers that lookup tables hold, which `luts` and `registers` leave out."""
    block_rams: int


def module_cost(module: hw.HWModuleOp, device: DeviceFamily) -> ModuleCost:
    """What a module's own logic takes that its outputs depend on."""
    read = ModuleGates(module, device)
    gates = read.gates.gates
    readers = _readers(read)
    if device.yosys is not None and device.yosys.covers_choices:
        for each, needs in four_way_choices(read.gates, readers).items():
            gates[each] = Gate(GateKind.LEAF, ())
            read.needs[each], read.luts_of[each] = needs, device.yosys.mux_luts
    leaves = [each for each in readers if not gates[each].inputs]
    roots = {bit // 2 for bit in read.roots}
    roots.update(bit // 2 for each in leaves for bit in read.needs.get(each, ()))
    luts = sum(read.luts_of.get(each, 0.0) for each in leaves)
    sizes = lut_sizes(gates, roots, device.lut_areas)
    restructured = 0.0 if device.yosys is None else device.yosys.restructured
    for each, excess in read.excess.items():
        luts += restructured * excess * _luts_of(sizes[each], device) * (sizes[each] > 0)
    mapped = _packed(Counter(size for size in sizes if size), device)
    shifts = _shift_registers(read, readers)
    registers = len(read.registers & readers.keys()) - sum(shifts)
    return ModuleCost(
        math.ceil(luts) + mapped, registers, len(shifts), _block_rams(read, readers.keys())
    )


def _packed(sizes: Counter[int], device: DeviceFamily) -> int:
    """LUTs of the device that hold functions, given how many have 2, 3, ... inputs."""
    small = Counter[int]()
    for size, count in sizes.items():
        small[min(size, device.lut_inputs)] += count * _luts_of(size, device)
    return device.pack(small)


def _luts_of(size: int, device: DeviceFamily) -> int:
    """LUTs of a function of some inputs; multiplexers beside them join several."""
    return 1 << max(0, size - device.lut_inputs)


def _readers(read: ModuleGates) -> Counter[int]:
    """How often each gate is read that outputs depend on."""
    readers = Counter(bit // 2 for bit in read.roots)
    waiting, seen = list(readers), set[int]()
    while waiting:
        gate = waiting.pop()
        if gate in seen:
            continue
        seen.add(gate)
        inputs = read.gates.gates[gate].inputs or read.needs.get(gate, ())
        numbers = [bit // 2 for bit in inputs]
        readers.update(numbers)
        waiting += numbers
    del readers[0]
    return readers


def _block_rams(read: ModuleGates, needed: Collection[int]) -> int:
    """Block RAMs of the memories that outputs depend on."""
    return sum(
        read.device.block_rams(memory_type(memory).words, memory_type(memory).bits, reads)
        for memory, reads in read.block_reads.items()
        if read.memories[memory] // 2 in needed
    )


def _shift_registers(read: ModuleGates, readers: Counter[int]) -> Sequence[int]:
    """Lengths of the chains of registers that lookup tables hold."""
    registers = read.registers & readers.keys()
    behind: dict[int, int] = {}
    for register in registers:
        first, *control = (bit // 2 for bit in read.needs[register])
        if not control and first in registers and readers[first] == 1:
            behind[first] = register
    lengths: list[int] = []
    for first in registers - set(behind.values()):
        length = 1
        while first in behind:
            first, length = behind[first], length + 1
        lengths.append(length)
    shortest = read.device.shortest_shift or math.inf
    return [length for length in lengths if length >= shortest]
