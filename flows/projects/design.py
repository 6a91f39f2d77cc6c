"""What a project says about a design: its files, ports and clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ArrayAttr

from kan_dialect.devices.device import FAMILIES, DeviceFamily, Part, device
from kan_dialect.devices.estimate import Estimate
from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.lowering.wrappers.register_map import RegisterMap
from kan_dialect.passbase.given_options import recorded_options
from kan_dialect.passes.schedule import SchedulePass

DEFAULT_PERIOD_NS = 10.0
"""Clock period of a design that has neither a given clock nor an estimate."""


@dataclass(frozen=True)
class TopPort:
    """A port of the top module."""

    name: str
    is_output: bool
    bits: int
    is_clock: bool = False

    @property
    def pattern(self) -> str:
        """The port's name, or the pattern of its bits, for constraints and assignments."""
        return self.name if self.bits == 1 else f"{self.name}[*]"

    @property
    def bit_names(self) -> Sequence[str]:
        """Names of the port's bits, lowest first."""
        if self.bits == 1:
            return (self.name,)
        return tuple(f"{self.name}[{bit}]" for bit in range(self.bits))

    @property
    def is_active_high(self) -> bool:
        """Whether a reset resets where it is 1."""
        return not self.name.endswith("n")


@dataclass(frozen=True)
class Period:
    """Clock period in ns, or of a combinational design the longest delay, and its origin."""

    ns: float
    origin: str
    asked_mhz: float | None = None
    """The clock that the build was told; None where none was."""

    @property
    def mhz(self) -> float:
        return 1000 / self.ns


@dataclass(frozen=True)
class ProjectDesign:
    """A design as its projects see it. Paths are relative to the build's folder."""

    name: str
    """Name of the network, of its core and of the project's files."""
    top: str
    """Name of the top module: the core, or the wrapper around it."""
    ports: tuple[TopPort, ...]
    """Ports of the top module, in its order."""
    sources: tuple[str, ...]
    """SystemVerilog files in the order of compilation."""
    testbench: tuple[str, ...]
    """The testbench of the core, and the files that it reads."""
    period: Period
    target: str
    """Name of the device that the build chose for: a family or a part."""
    vhdl: tuple[str, ...] = ()
    """The same design as VHDL-2008: the network, its package, its wrapper; empty without."""
    vhdl_testbench: tuple[str, ...] = ()
    """The testbench of the core in VHDL, and the files that it reads."""
    cocotb: tuple[str, ...] = ()
    """The cocotb testbench of the top module, its Makefile, vectors, and files of `host/`."""
    registers: RegisterMap | None = None
    """The registers of the top module; None unless it has AXI4-Lite."""

    @property
    def clock(self) -> TopPort | None:
        """The clock; None of a combinational design."""
        return next((port for port in self.ports if port.is_clock), None)

    @property
    def device(self) -> DeviceFamily:
        """The device that the build chose for."""
        return device(self.target)

    def part_for(self, tool: str) -> Part:
        """The part that projects of a vendor's tool name, where the user names none.

        It is that of the design's device if the tool knows it, else of the tool's first family.
        """
        families = (self.device, *FAMILIES)
        known = next(family for family in families if family.vendor_tool == tool)
        return known.part(known.project_part)

    @property
    def reset(self) -> TopPort | None:
        """The synchronous reset: `rst`, active high, or `aresetn`, active low."""
        return next((port for port in self.ports if port.name in ("rst", "aresetn")), None)

    @property
    def bits(self) -> int:
        """Number of bits of all ports."""
        return sum(port.bits for port in self.ports)

    @property
    def few_pins(self) -> str:
        """Name of the module with three pins around the top module.

        Place and route gives every port a pin. Networks often have more ports than a package has
        pins. In this module all inputs are registers in a chain, which is filled from one pin, and
        all outputs are registers whose exclusive or leads to one pin. So the logic of the design
        lies between registers, and synthesis keeps all of it. Quartus has virtual pins for this
        purpose, Vivado and nextpnr for ECP5 work out of context.
        """
        return f"{self.top}_few_pins"

    @property
    def few_pins_file(self) -> str:
        """Path of that module's file in the build's folder."""
        return f"project/{self.few_pins}.sv"

    @property
    def timed(self) -> str:
        """Name of the module with a register at every port around the top module.

        nextpnr's clock is that of paths between registers. The logic before the first registers of
        a design starts at ports, so it is not in that clock, and out of context nextpnr does not
        time it at all. In this module such logic lies between registers. They stand for the ports'
        neighbours, as the delays of 0 in the constraints of other tools do.
        """
        return f"{self.top}_timed"

    def bus(self, prefix: str) -> Sequence[TopPort]:
        """Ports of an AXI bus, by the prefix of their names."""
        return [port for port in self.ports if port.name.startswith(f"{prefix}_")]

    @property
    def bus_clock(self) -> Sequence[TopPort]:
        """Clock and reset of the AXI buses."""
        return [port for port in self.ports if port.name in ("aclk", "aresetn")]

    @property
    def inputs(self) -> Sequence[TopPort]:
        """Inputs without the clock."""
        return [port for port in self.ports if not port.is_output and not port.is_clock]

    @property
    def outputs(self) -> Sequence[TopPort]:
        return [port for port in self.ports if port.is_output]


def placeable(design: ProjectDesign, part: Part) -> ProjectDesign:
    """The design as a project places it on a part: in a module of three pins, if it needs more."""
    if design.bits <= part.pins:
        return design
    return replace(
        design,
        top=design.few_pins,
        ports=(
            TopPort("clk", False, 1, is_clock=True),
            TopPort("scan", False, 1),
            TopPort("sink", True, 1),
        ),
        sources=(*design.sources, design.few_pins_file),
        vhdl=(*design.vhdl, design.few_pins_file) if design.vhdl else (),
    )


def design_of(
    folder: Path,
    name: str,
    top: hw.HWModuleOp,
    period: Period,
    target: str,
    registers: RegisterMap | None = None,
) -> ProjectDesign:
    """The design of a build's folder, whose `rtl/` and `sim/` are written.

    Parameters
    ----------
    name : name of the core.
    top : the core, or the wrapper around it.
    registers : of the wrapper, if it has AXI4-Lite.
    """
    ports: ArrayAttr[hw.ModulePort] = top.module_type.ports
    sim = folder / "sim"
    data = sorted(sim.glob(f"{name}_*.hex"))
    has_vhdl = (folder / "vhdl" / f"{name}.vhd").exists()

    def listed(*paths: Path) -> tuple[str, ...]:
        """Those of the files that the build has, the first of them required for any."""
        if not paths[0].exists():
            return ()
        return tuple(path.relative_to(folder).as_posix() for path in paths if path.exists())

    host = sorted(path for path in (folder / "host").glob(f"{name}_*") if path.is_file())
    return ProjectDesign(
        name,
        top.sym_name.data,
        tuple(_port(port) for port in ports),
        _sources(folder, name),
        listed(sim / f"{name}_tb.sv", *data),
        period,
        target,
        tuple(f"vhdl/{name}{part}.vhd" for part in ("", "_pkg", "_wrapper")) if has_vhdl else (),
        listed(sim / f"{name}_tb.vhd", *data),
        listed(sim / f"test_{name}.py", sim / "Makefile", *data, *host),
        registers,
    )


def _port(port: hw.ModulePort) -> TopPort:
    is_clock = port.type == seq.clock
    return TopPort(
        port.port_name.data,
        port.dir.data is hw.Direction.OUTPUT,
        1 if is_clock else bit_width(port.type),
        is_clock,
    )


def _sources(folder: Path, name: str) -> tuple[str, ...]:
    """Packages, then the core, then what instantiates it."""

    def order(path: Path) -> tuple[int, str]:
        if path.stem.endswith("_pkg"):
            return 0, path.name
        return (1 if path.stem == name else 2), path.name

    found = sorted((folder / "rtl").glob("*.sv"), key=order)
    return tuple(path.relative_to(folder).as_posix() for path in found)


def period_of(recorded: Sequence[str], found: Estimate | None) -> Period:
    """The clock that the registers were scheduled for (`mhz`), else the estimate.

    Parameters
    ----------
    recorded : the passes that the module has been through.
    found : the estimate of the slowest stage.
    """
    mhz = next(iter(recorded_options(recorded, SchedulePass.name).get("mhz", ())), None)
    if isinstance(mhz, int | float) and mhz > 0:
        return Period(1000 / mhz, f"{mhz:g} MHz, as the build was told (mhz)", float(mhz))
    if found is not None and found.period_ns > 0:
        return Period(found.period_ns, f"estimated for {found.target}")
    return Period(DEFAULT_PERIOD_NS, "a default: the build has no estimate")
