"""What a device is: a record of all facts about an FPGA family.

Passes, searches, the emitter and the estimate of a function (`estimate.py`) read its figures.
Synthesis, place and route, projects and reports read its tools and parts. `families/` has a file a
family. Costs are in LUTs as the family's reports count them, and in gate equivalents on standard
cells (`standard_cells.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

from kan_dialect.devices.liberty import Library
from kan_dialect.devices.open_tools import Nextpnr, Yosys
from kan_dialect.devices.parts import Part
from kan_dialect.devices.table_cost import Mapper
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.maths.truth_tables import by_size, supports

MAX_LUT_INPUTS = 8
"""Most inputs of a lookup table; searches list all functions of a few inputs."""
MAX_WIDE_INPUTS = 12
"""Most inputs of a function of several lookup tables and the multiplexers beside them."""

VENDOR_TOOLS = ("vivado", "quartus", "diamond", "radiant", "gowin")
"""Vendors' tools that projects are written for."""


@dataclass(frozen=True)
class Timing:
    """Typical delays in ns, routing included."""

    register: float
    """Clock to output of a register, the way out of it, and setup at the next: once a stage."""
    lut: float
    """A lookup table and the way to it."""
    carry: float
    """Onto a carry chain and off it, and the way to it."""
    carry_bit: float
    """Along the chain, for each bit. Adders in a row take it once: their chains run together."""
    wide: float = 0.0
    """A multiplexer beside lookup tables, for each input of a function beyond those of one."""
    clamp: float = 0.0
    """A clamp and the way to it; 0: as two lookup tables."""
    spread: float = 1.0
    """A period over what typical delays may take of it. The rest is for designs whose longest path
    takes more than is typical: nine of ten designs reach their clock."""
    growth: float = 0.0
    """Delays grow with LUTs to this power, and are those of 1000 LUTs: the more there are, the
    longer are the ways between them. By Rent's rule it is about 0.1 to 0.2 (Donath 1979)."""

    def growth_of(self, luts: int) -> float:
        """Delays in a design over those in one of 1000 LUTs; the same for all below 100 LUTs."""
        return (max(luts, 100) / 1000) ** self.growth

    def spread_of(self, luts: int) -> float:
        """What a period is divided by to be a typical delay of a design of 1000 LUTs."""
        return self.spread * self.growth_of(luts)

    def logic_ns(self, mhz: float, luts: int) -> float:
        """Time for logic between two registers, in typical delays; none is left where it is 0."""
        return 1000 / mhz / self.spread_of(luts) - self.register


@dataclass(frozen=True)
class Adders:
    """What adders of two numbers take, in LUTs."""

    carry_chains: bool = True
    """The device has carry chains. Otherwise LUTs make sums and carries."""
    whole_bits: bool = True
    """Carry chains take whole bits: every bit of a sum takes a LUT, and comparisons with powers of
    two take a chain. Otherwise only bits where both operands are present take LUTs."""
    bit_inputs: int = 2
    """Inputs of the LUT that a bit of an adder takes."""
    bit_luts: float = 1.0
    """LUTs of a bit of an adder."""
    constant_luts: int = 1
    """LUTs of a bit of a chain that adds a constant, whose sum other LUTs read: 0 where the chain
    itself takes none."""
    carry_in_luts: float = 0.5
    """LUTs that a bit saves where it enters at an adder's carry input instead of an operand."""
    further_luts: float = 0.75
    """LUTs of a further adder beside its bits: the sum gets wider, and its tree deeper. Chosen by
    Yosys's results for four networks (docs/rationale/hardware.md)."""
    shortest_chain: int = 0
    """Bits of the shortest carry chain; synthesis makes narrower sums of lookup tables."""
    beside_luts: bool = False
    """Cells of a carry chain make carries only. A lookup table makes the sum of a bit, which
    synthesis merges with others."""
    cell_bits: int = 1
    """Bits of a cell of a carry chain: chains take whole cells."""
    chain_luts: int = 0
    """LUTs that a carry chain takes beside its bits, at its ends. Not counted where adders share
    chains."""
    joined_bits: int = 0
    """Most bits of a chain that adders of their own share; 0: each has its own. Sharing is worth it
    where chains take LUTs beside their bits."""
    absorbed_luts: tuple[float, ...] = ()
    """LUTs of a bit of an adder together with a table's bit of 0, 1, ... inputs in the same LUT.
    The adder has to take its other operand past the LUT. Empty: no adder does."""

    @property
    def chain_ends(self) -> int:
        """LUTs that each adder takes for the ends of its chain."""
        return 0 if self.joined_bits else self.chain_luts

    @property
    def absorbed_inputs(self) -> int:
        """Most inputs of a table's bit that fits into the LUT of an adder's bit; -1: none fits."""
        return len(self.absorbed_luts) - 1


@dataclass(frozen=True)
class LutMemory:
    """The smallest memory that lookup tables make, with a word at an address in the same cycle."""

    words: int
    bits: int
    luts: int


@dataclass(frozen=True)
class DeviceFamily:
    """A family of devices, or a part of one: figures, tools and parts."""

    name: str
    lut_inputs: int
    timing: Timing
    adders: Adders = Adders()
    areas: tuple[float, ...] = ()
    """Costs of functions of 1 .. `lut_inputs` inputs, where they differ; empty: a LUT each."""
    library: Library | None = field(default=None, hash=False)
    """The standard cells that make all functions; None: lookup tables do."""
    shared_inputs: int = 0
    """Inputs of the largest function that shares a LUT with another, as Yosys's estimate of Xilinx
    logic cells has it; 0: no two functions share one."""
    wide_inputs: int = 0
    """Inputs of the largest function that lookup tables make with the multiplexers beside them."""
    wide_factor: float = 1.0
    """LUTs of a wide function in a whole design, as a multiple of the LUTs that its multiplexers
    join, where these all differ. Synthesis often uses further LUTs instead."""
    expected_wide_factor: float = 1.0
    """The same multiple for a function of unknown contents."""
    parts_factor: float = 1.0
    """LUTs of a table's parts in a whole design, as a multiple of those of the parts by themselves,
    over the same multiple for whole tables. Bits of parts are less smooth than those of whole
    tables: synthesis makes more LUTs of them where their paths have time left."""
    keeps_gates: bool = True
    """Synthesis makes a gate behind functions of the other inputs where the text has one.
    Otherwise it takes both into one wide function, which costs more."""
    chooses_by_luts: bool = False
    """Lookup tables choose between those of a function of more inputs, and a bit of an adder takes
    one lookup table and nothing else. So tables in parts take fewer LUTs, though each part brings
    an adder that absorbs nothing."""
    mapped_factor: float = 0.0
    """`kan-map-tables` makes this many LUTs of a table for each LUT of a choice between cofactors.
    0: it maps no tables, as synthesis is about as good."""
    clamps_by_reset: bool = False
    """The set or reset of registers makes a clamp before them, if it has one end."""
    register_luts: float = 0.0
    """Lookup tables that a register of a folded design takes, on average. Where a cell is a lookup
    table and the register behind it, a register that another register drives takes a whole cell."""
    shortest_shift: int = 0
    """Registers of the shortest chain that lookup tables hold as a shift register; 0: they hold
    none."""
    highest_mhz: float | None = None
    """Highest clock of the network that distributes clocks, in MHz, of the speed grade of the part
    that projects name by default; None where no data sheet is named."""
    lut_memory: LutMemory | None = None
    """None: registers and multiplexers make such memories."""
    block_ram_shapes: tuple[tuple[int, int], ...] = ()
    """Words and their bits that a block RAM is configured to, parity included, the deepest first.
    Empty: the family has no block RAM, or no source is known; lookup tables make all memories."""
    block_ram_reads: int = 1
    """Words of a ROM that a block gives in a cycle. The widest shape gives one."""
    yosys: Yosys | None = field(default=None, hash=False)
    """None: Yosys does not map to the family."""
    nextpnr: Nextpnr | None = field(default=None, hash=False)
    """None: nextpnr does not place the family."""
    vendor_tool: str = ""
    """The vendor's tool that projects are written for, one of `VENDOR_TOOLS`; empty: open tools
    only."""
    parts: tuple[Part, ...] = field(default=(), hash=False)
    """Parts of the family, the one with the fewest LUTs first; empty where none is listed."""
    project_part: str = ""
    """Name of the part that projects are for; empty where `parts` is."""
    part_of: str = ""
    """Name of the family, of a device that is a part of one."""

    @property
    def family(self) -> str:
        """Name of the family. A part has the name of its family."""
        return self.part_of or self.name

    def part(self, name: str) -> Part:
        """The part of a name."""
        return next(part for part in self.parts if part.name == name)

    def on(self, part: Part) -> DeviceFamily:
        """The device with this part only."""
        name = part.target_of(self.name)
        return replace(self, name=name, parts=(part,), project_part=part.name, part_of=self.family)

    @property
    def routed_part(self) -> Part | None:
        """The part that nextpnr places designs on; None if it places none."""
        placed = [part for part in self.parts if part.nextpnr and self.nextpnr is not None]
        default = [part for part in placed if self.nextpnr and part.name == self.nextpnr.part]
        return next(iter((*default, *placed)), None)

    def smallest_part(self, luts: int, registers: int, block_rams: int = 0) -> Part | None:
        """The first part that holds a design of this size; None if all are too small."""
        return next((part for part in self.parts if part.holds(luts, registers, block_rams)), None)

    def period_of(self, delay: float, luts: int) -> float:
        """Typical period of a design in ns.

        Parameters
        ----------
        delay : of its slowest stage in ns, by typical delays.
        """
        period = delay * self.timing.growth_of(luts)
        return period if self.highest_mhz is None else max(period, 1000 / self.highest_mhz)

    @property
    def block_ram_kilobits(self) -> int | None:
        """Kilobits of a block RAM, parity included; None where its shapes are not known."""
        return max((words * bits >> 10 for words, bits in self.block_ram_shapes), default=None)

    def block_rams(self, words: int, bits: int, reads: int = 1) -> int:
        """Block RAMs of a memory, in the shape that takes the fewest.

        A memory of more words than the shape is several words side by side, and multiplexers behind
        them, as Yosys's `memory_libmap` makes it.

        Parameters
        ----------
        reads : words that are read in a cycle.
        """
        shapes = self.block_ram_shapes
        pairs = reads // 2 if self.block_ram_reads == 2 else 0
        shared = _least_blocks(shapes[:-1], words, bits)[0] if pairs else 0
        return pairs * shared + (reads - 2 * pairs) * _least_blocks(shapes, words, bits)[0]

    def block_ram_words(self, words: int, bits: int) -> int:
        """Words of a memory that stand side by side in its block RAMs."""
        return _least_blocks(self.block_ram_shapes, words, bits)[1]

    @property
    def lut_areas(self) -> Sequence[float]:
        """Areas of functions of 1, 2, ... inputs, by which synthesis chooses."""
        if self.areas:
            return self.areas
        if self.yosys is not None and self.yosys.lut_areas:
            return self.yosys.lut_areas
        inputs = range(1, max(self.lut_inputs, self.wide_inputs) + 1)
        return [float(1 << max(0, each - self.lut_inputs)) for each in inputs]

    @property
    def small_inputs(self) -> int:
        """Inputs of the largest function that takes the least: a shared LUT, or one."""
        return self.shared_inputs or self.lut_inputs

    @property
    def takes_tables_apart(self) -> bool:
        """Whether tables in parts may take fewer LUTs than whole ones: adders absorb tables,
        or share chains so that a further one takes little, or lookup tables choose.
        """
        adders = self.adders
        return adders.absorbed_inputs >= 0 or adders.joined_bits > 0 or self.chooses_by_luts

    @property
    def without_joined_chains(self) -> DeviceFamily:
        """The device for designs whose adders have chains of their own."""
        return replace(self, adders=replace(self.adders, joined_bits=0))

    @property
    def with_ends_in_further_adders(self) -> DeviceFamily:
        """The device for searches that know a further adder by one figure."""
        further = self.adders.further_luts + self.adders.chain_ends
        return replace(self, adders=replace(self.adders, further_luts=further))

    @property
    def maps_tables(self) -> bool:
        """Whether `kan-map-tables` maps tables, for synthesis to keep."""
        return self.mapped_factor > 0

    @property
    def mapper(self) -> Mapper:
        """Counts the lookup tables of tables that read the same values."""
        return Mapper(self.lut_inputs, self.wide_inputs, self.wide_factor)

    @cached_property
    def worth_absorbing(self) -> frozenset[int]:
        """Numbers of inputs with which a table's bit saves LUTs in the LUT of an adder's bit."""
        own = self.adders.bit_luts

        def apart(inputs: int) -> float:
            """LUTs of the bit and the adder's, one beside the other."""
            return own + (0.0 if inputs < 2 else 0.5 if inputs <= self.shared_inputs else 1.0)

        absorbed = enumerate(self.adders.absorbed_luts)
        return frozenset(inputs for inputs, luts in absorbed if luts < apart(inputs))

    def pack(self, luts: Counter[int]) -> int:
        """LUTs of the device that hold functions, given how many have 1, 2, ... inputs."""
        if self.areas:
            return round(sum(self.areas[size - 1] * count for size, count in luts.items()))
        if not self.shared_inputs:
            return luts.total()
        single, pairs = luts[1], luts[2]
        large = sum(count for size, count in luts.items() if size > 2)
        # Functions of one input sit beside those of up to five; functions of two, of up to four.
        free = luts[3] + luts[4]
        pairs -= min(pairs, free)
        single -= min(single, luts[5])
        return large + (pairs + single + 1) // 2

    @lru_cache(1 << 6)  # noqa: B019 (devices are few, and live as long as the program)
    def bit_costs(self, inputs: int) -> FloatArray:
        """LUTs of a table's bit that depends on 0 .. `inputs` inputs."""
        used = np.arange(inputs + 1)
        own = np.array([0.0, *(self.areas or np.ones(self.lut_inputs))])
        wide = own[-1] * self.expected_wide_factor * np.exp2(used - self.lut_inputs)
        small = own[np.minimum(used, self.lut_inputs)]
        return np.where(used < 2, 0.0, np.where(used <= self.lut_inputs, small, wide))

    @lru_cache(1 << 6)  # noqa: B019
    def summand_costs(self, inputs: int, *, ideal: bool = False) -> FloatArray:
        """LUTs of a table's bit that depends on 0 .. `inputs` inputs, and of adding it to a sum.

        Parameters
        ----------
        ideal : a table's bit and the adder's that fit into one LUT take one at most. Otherwise as
            synthesis makes them, which sometimes uses two.
        """
        costs = self.bit_costs(inputs) + self.adders.bit_luts
        absorbed = np.array(self.adders.absorbed_luts[: inputs + 1])
        costs[: len(absorbed)] = np.minimum(absorbed, 1.0) if ideal else absorbed
        costs[0] = 0.0
        return costs

    def summand_cost(self, entries: IntArray, bits: int) -> float:
        """LUTs of a table and of adding it to a sum of `bits` bits.

        Parameters
        ----------
        entries : by bit pattern of the inputs, int64.
        """
        return float(self.summand_costs_of([entries], bits)[0])

    def summand_costs_of(self, tables: Sequence[IntArray], bits: int) -> FloatArray:
        """`summand_cost` of many tables at once: (tables,)."""
        found = np.zeros(len(tables))
        for which, entries in by_size(tables):
            costs = self.summand_costs((entries.shape[1] - 1).bit_length())
            found[which] = costs[supports(entries, bits)].sum(axis=1)
        return found


def _least_blocks(shapes: Sequence[tuple[int, int]], words: int, bits: int) -> tuple[int, int]:
    """Block RAMs of a memory in the one of some shapes that takes the fewest, and the words that
    stand side by side there.
    """
    beside = [(-(-words // deep), wide) for deep, wide in shapes]
    return min((-(-count * bits // wide), count) for count, wide in beside)
