"""FPGA families: what their lookup tables, adders and registers cost, and how long they take.

A device is a record of figures. Passes, searches, the emitter and the estimate of a function
(`estimate.py`) read them here. They are calibrated against Yosys and nextpnr
(`benchmarks/calibrate_cost.py`). Costs are in LUTs as the family's reports count them.

Other packages publish devices under the entry point group `kan_dialect.devices`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

from kan_dialect.devices.parts import (
    CYCLONE_V_PARTS,
    ECP5_PARTS,
    GATEMATE_PARTS,
    GOWIN_PARTS,
    ICE40_PARTS,
    NEXUS_PARTS,
    SERIES_7,
    ULTRASCALE_PLUS,
    Part,
)
from kan_dialect.devices.table_cost import Mapper
from kan_dialect.errors import KanError
from kan_dialect.extensions import Registry
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.maths.truth_tables import by_size, supports

MAX_LUT_INPUTS = 8
"""Most inputs of a lookup table; searches list all functions of a few inputs."""
MAX_WIDE_INPUTS = 12
"""Most inputs of a function of several lookup tables and the multiplexers beside them."""


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
    """A family of devices: lookup tables, adders and registers."""

    name: str
    lut_inputs: int
    timing: Timing
    adders: Adders = Adders()
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
    shortest_shift: int = 0
    """Registers of the shortest chain that lookup tables hold as a shift register; 0: they hold
    none."""
    highest_mhz: float | None = None
    """Highest clock of the network that distributes clocks, in MHz, of the speed grade of the part
    that projects name by default; None where no data sheet is named."""
    lut_memory: LutMemory | None = None
    """None: registers and multiplexers make such memories."""
    parts: tuple[Part, ...] = field(default=(), hash=False)
    """Parts of the family, the one with the fewest LUTs first; empty where none is listed."""
    project_part: str = ""
    """Name of the part that projects are for; empty where `parts` is."""

    def part(self, name: str) -> Part:
        """The part of a name."""
        return next(part for part in self.parts if part.name == name)

    def smallest_part(self, luts: int, registers: int) -> Part | None:
        """The first part that holds so many LUTs and registers; None if all are too small."""
        return next((part for part in self.parts if part.holds(luts, registers)), None)

    def period_of(self, delay: float, luts: int) -> float:
        """Typical period of a design in ns.

        Parameters
        ----------
        delay : of its slowest stage in ns, by typical delays.
        """
        period = delay * self.timing.growth_of(luts)
        return period if self.highest_mhz is None else max(period, 1000 / self.highest_mhz)

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
        """Lookup tables of the device that hold functions, given how many have 1, 2, ... inputs."""
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
        wide = self.expected_wide_factor * np.exp2(used - self.lut_inputs)
        return np.where(used < 2, 0.0, np.where(used <= self.lut_inputs, 1.0, wide))

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


XCUP = DeviceFamily(
    "xcup",
    6,
    Timing(
        register=0.12, lut=0.25, carry=0.31, carry_bit=0.008, clamp=0.26, spread=1.1, growth=0.12
    ),
    # Five inputs: synthesis does not always find the one LUT, as its mapper counts a LUT6 as much
    # as a LUT5 and a LUT2 (docs/rationale/hardware.md).
    Adders(
        whole_bits=False,
        bit_luts=0.5,
        constant_luts=0,
        absorbed_luts=(0.5, 0.5, 0.5, 0.5, 1.0, 1.25),
    ),
    shared_inputs=4,
    wide_inputs=8,
    wide_factor=1.75,
    expected_wide_factor=1.5,
    clamps_by_reset=True,
    shortest_shift=3,
    lut_memory=LutMemory(32, 14, 8),
    parts=ULTRASCALE_PLUS,
    project_part="XCKU5P",
    # AMD DS922, "Clock Buffers and Networks": F_MAX of BUFG at speed grade -2 and 0.85 V, as of
    # `XILINX_PART`. It is 891 MHz at -3, and 667 MHz at -1.
    highest_mhz=775.0,
)
"""AMD UltraScale+ (and 7-series). No open tool times these devices: delays are rough, from the
published periods of ten designs (`benchmarks/calibrate_clock.py --vendor`)."""

ECP5 = DeviceFamily(
    "ecp5",
    4,
    Timing(
        register=1.7,
        lut=1.4,
        carry=1.64,
        carry_bit=0.06,
        wide=0.2,
        clamp=0.92,
        spread=1.065,
        growth=0.065,
    ),
    # An adder takes a bit for the zero that stops its carry, and half a bit as a chain has an even
    # number. The carry cells at both ends, of two bits each, are those of a chain of many adders.
    Adders(carry_in_luts=1.0, further_luts=1.5, shortest_chain=5, chain_luts=4, joined_bits=48),
    wide_inputs=7,
    parts_factor=1.15,
    keeps_gates=False,
    lut_memory=LutMemory(16, 4, 4),
    parts=ECP5_PARTS,
    project_part="LFE5U-85F",
)
"""Lattice ECP5. Delays are of nextpnr, on networks of no benchmark. Yosys's `arith_map.v` tells
which sums take a carry chain."""

ICE40 = DeviceFamily(
    "ice40",
    4,
    Timing(
        register=0.89,
        lut=1.19,
        carry=1.39,
        carry_bit=0.27,
        clamp=2.49,
        spread=1.08,
        growth=0.12,
    ),
    # A bit at a carry input takes a carry cell and no lookup table. A further adder takes lookup
    # tables for its last carry and where only one of its numbers has bits.
    Adders(constant_luts=0, carry_in_luts=1.0, further_luts=1.5),
    expected_wide_factor=1.125,
    chooses_by_luts=True,
    mapped_factor=0.55,
    # Lattice FPGA-DS-02029, "External Switching Characteristics, HX Devices": f_MAX_GBUF.
    highest_mhz=275.0,
    parts=ICE40_PARTS,
    project_part="iCE40HX8K",
)
"""Lattice iCE40 HX. Delays are of nextpnr, on networks of no benchmark."""


XC7 = replace(
    XCUP,
    name="xc7",
    timing=Timing(register=0.6, lut=0.9, carry=1.1, carry_bit=0.03),
    highest_mhz=None,
    parts=SERIES_7,
    project_part="XC7A35T",
)
"""AMD 7-series: logic cells of UltraScale+. Delays are an estimate: no nextpnr wheel times it."""

CYCLONEV = DeviceFamily(
    "cyclonev",
    6,
    # MISTRAL_FF, MISTRAL_ALUT6, MISTRAL_ALUT_ARITH of Yosys's library, as much again for routing.
    Timing(register=0.9, lut=1.2, carry=2.4, carry_bit=0.036),
    parts=CYCLONE_V_PARTS,
    project_part="5CSEBA6",
)
"""Intel Cyclone V. Delays are an estimate by Yosys's cell library: no wheel of nextpnr times it."""

GOWIN = DeviceFamily(
    "gowin",
    4,
    Timing(register=0.8, lut=1.45, carry=2.3, carry_bit=0.057),
    wide_inputs=8,
    parts=GOWIN_PARTS,
    project_part="GW2A-18",
)
"""Gowin GW1N (LittleBee), speed grade C6/I5. Delays are of nextpnr."""

NEXUS = DeviceFamily(
    "nexus",
    4,
    Timing(register=0.4, lut=0.45, carry=0.8, carry_bit=0.03),
    # A carry cell, of two lookup tables, feeds the carry in.
    Adders(chain_luts=2),
    wide_inputs=5,
    parts=NEXUS_PARTS,
    project_part="LIFCL-40",
)
"""Lattice Nexus, speed grade 9. Delays are of nextpnr."""

GATEMATE = DeviceFamily(
    "gatemate",
    # Half a CPE holds any function of two inputs, and of four inputs a tree of these only.
    3,
    Timing(register=0.65, lut=2.2, carry=2.5, carry_bit=0.1),
    parts=GATEMATE_PARTS,
    project_part="CCGM1A1",
)
"""CologneChip GateMate, speed mode and worst corner. Delays are of nextpnr."""


def generic(inputs: int) -> DeviceFamily:
    """A device of nothing but lookup tables with this number of inputs; delays count levels."""
    return DeviceFamily(
        f"lut{inputs}",
        inputs,
        Timing(register=0.0, lut=1.0, carry=0.0, carry_bit=0.0),
        Adders(carry_chains=False, bit_luts=1.5),
    )


_FAMILIES = (XCUP, ECP5, ICE40, XC7, CYCLONEV, GOWIN, NEXUS, GATEMATE)

DEVICES = {device.name: device for device in (*_FAMILIES, *map(generic, range(3, 9)))}
"""Devices by name: xcup, ecp5, ice40, xc7, cyclonev, gowin, nexus, gatemate, lut3 .. lut8."""


def _problem_of(family: DeviceFamily) -> str | None:
    """What is wrong with the figures of a device, in words; None if nothing is."""
    timing, adders, inputs = family.timing, family.adders, family.lut_inputs
    if type(timing) is not Timing or type(adders) is not Adders:
        return "timing must be a Timing, and adders an Adders"
    if type(inputs) is not int or not 3 <= inputs <= MAX_LUT_INPUTS:
        return f"lut_inputs must be an integer in 3..{MAX_LUT_INPUTS}, got {inputs!r}"
    counts = {
        "shared_inputs": (family.shared_inputs, 0, family.lut_inputs),
        "wide_inputs": (family.wide_inputs, 0, MAX_WIDE_INPUTS),
        "adders.shortest_chain": (adders.shortest_chain, 0, 64),
        "adders.chain_luts": (adders.chain_luts, 0, 16),
        "adders.joined_bits": (adders.joined_bits, 0, 1 << 10),
        "shortest_shift": (family.shortest_shift, 0, 1 << 20),
        "adders.bit_inputs": (adders.bit_inputs, 2, family.lut_inputs),
        "the length of adders.absorbed_luts": (
            adders.absorbed_inputs + 1,
            0,
            family.lut_inputs + 1,
        ),
    }
    for name, (count, low, high) in counts.items():
        if type(count) is not int or not low <= count <= high:
            return f"{name} must be an integer in {low}..{high}, got {count!r}"
    figures = {
        **{f"timing.{name}": value for name, value in vars(timing).items()},
        "adders.carry_in_luts": adders.carry_in_luts,
        "adders.further_luts": adders.further_luts,
        **{f"adders.absorbed_luts[{i}]": luts for i, luts in enumerate(adders.absorbed_luts)},
    }
    for name, value in figures.items():
        if not _is_figure(value) or value < 0:
            return f"{name} must be a number, 0 or more, got {value!r}"
    positive = {
        "timing.lut": timing.lut,
        "timing.spread": timing.spread,
        "adders.bit_luts": adders.bit_luts,
        "wide_factor": family.wide_factor,
        "expected_wide_factor": family.expected_wide_factor,
        "parts_factor": family.parts_factor,
    }
    if family.highest_mhz is not None:
        positive["highest_mhz"] = family.highest_mhz
    for name, value in positive.items():
        if not _is_figure(value) or value <= 0:
            return f"{name} must be a positive number, got {value!r}"
    if 0 < family.wide_inputs <= family.lut_inputs:
        return f"wide_inputs must be 0 or more than lut_inputs, got {family.wide_inputs}"
    return _problem_of_parts(family)


def _problem_of_parts(family: DeviceFamily) -> str | None:
    parts: object = family.parts
    if type(parts) is not tuple or any(type(part) is not Part for part in family.parts):
        return "parts must be a tuple of Part"
    names = [part.name for part in family.parts]
    if family.project_part not in (names or [""]):
        return f"project_part must be one of the parts, got {family.project_part!r}"
    if [*family.parts] != sorted(family.parts, key=lambda part: part.luts):
        return "parts must begin with the one of the fewest LUTs"
    return None


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


REGISTRY = Registry("kan_dialect.devices", DeviceFamily, "device", _problem_of, DEVICES)
"""All devices: those of other packages go by the names of their entry points."""


@lru_cache(1 << 6)
def device(name: str) -> DeviceFamily:
    """The device of a name, of this compiler or of an installed package.

    Raises
    ------
    KanError : there is none; lists the names. Or its package publishes no valid record, or two
        packages have it.
    """
    found = REGISTRY.find(name)
    if found is None:
        raise KanError(
            f"there is no target {name!r}", remedy=f"take one of {', '.join(device_names())}"
        )
    return found


def device_names() -> list[str]:
    """Names of all devices, those of other packages last."""
    return REGISTRY.names()


def described_devices() -> Iterator[str]:
    """A line for each device: name, inputs of a lookup table, and whether a package brings it."""
    for name in device_names():
        try:
            family = device(name)
        except KanError as error:
            yield f"{name}  {error.message}"
            continue
        origin = "" if name in DEVICES else ", of an installed package"
        yield f"{name}  lookup tables of {family.lut_inputs} inputs{origin}"
