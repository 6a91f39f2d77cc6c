"""Area on standard cells beside that of others at the same clock, all by one flow.

    python benchmarks/standard_cells.py
    python benchmarks/standard_cells.py --networks wine,moons --da4ml E/bin/python

Each design goes through `synthesize_asic`: Yosys, ABC and OpenSTA with an open library of 130 nm
cells. The clock is the one that the design of others reaches when mapped for area:

- KANELÉ's structure with the registers of its generator (`kanele_structure.py`), adders of four;
- da4ml's RTL of networks of HGQ-LUT (`da4ml_program.py`), without the registers at its inputs,
  which no other design has.

Of the others, the smallest design that keeps this clock counts, each mapped for it: the compiler's
for the library and for xcup, and KANELÉ's structure with registers at the best places, all of one
to six cycles. Below 1 we need less area. da4ml has an environment of its own:
`python -m venv E && E/bin/pip install da4ml==0.5.1`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kanele_structure import Structure, read_network
from measurements import (
    DATA,
    NETWORKS,
    TRAINERS,
    MarkdownTable,
    Measurements,
    geometric_mean,
    print_versions,
    require_data,
    run_alone,
    some_of,
    tables_of,
)

from kan_dialect.devices.liberty import read_library
from kan_dialect.errors import KanError
from kan_dialect.flows.tools import asic
from kan_dialect.flows.tools.toolchain import find

LIBRARY = DATA / "asic" / "sg13g2_stdcell_typ_1p20V_25C.lib"
MOST_CYCLES = 6
FACTORS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.4)
"""Clocks that the compiler is asked for, over the one that counts: its delays are an estimate."""
OPERANDS = 4
"""Of an adder in KANELÉ's structure, as its generator has them."""


@dataclass(frozen=True)
class Cells:
    """A design in cells."""

    area: float
    path_ns: float
    registers: int

    def __str__(self) -> str:
        return f"{self.area:.0f}, {self.registers} ff"


class Bench:
    """Measures designs in cells."""

    def __init__(self, measured: Measurements, da4ml: str | None) -> None:
        self._measured = measured
        self._da4ml = da4ml

    def cells(self, rtl: str, top: str, mhz: float | None = None) -> Cells:
        """A design mapped for a clock, or for area."""
        tools = Path(asic.__file__).read_text(), find("yosys").version, find("sta").version
        parts = (rtl, top, mhz, *tools)

        def compute() -> Any:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "design.sv"
                file.write_text(rtl)
                found = asic.synthesize_asic(file, LIBRARY, top=top, mhz=mhz)
            assert found.timing is not None
            return [found.area, found.timing.path_ns, found.registers]

        return Cells(*self._measured.kept("asic", parts, compute))

    def smallest(self, mhz: float, top: str, designs: Iterable[str]) -> Cells | None:
        """The smallest design that keeps a clock; None without one."""
        mapped = [self.cells(rtl, top, mhz) for rtl in dict.fromkeys(designs)]
        kept = (cells for cells in mapped if cells.path_ns <= 1000 / mhz)
        return min(kept, key=lambda cells: cells.area, default=None)

    def ours(self, network: str, mhz: float, target: str) -> Cells | None:
        """The compiler's design for a device."""
        form = f"{network}/program.json" if network in TRAINERS else network
        return self.smallest(mhz, network, self._designs(form, mhz, target))

    def _designs(self, form: str, mhz: float, target: str) -> Iterator[str]:
        """Designs of some latencies, and for standard cells those of clocks around one."""
        for cycles in range(1, MOST_CYCLES + 1):
            yield self._measured.build(form, cycles=cycles, target=target).rtl
        for factor in FACTORS if target == str(LIBRARY) else ():
            with suppress(KanError):
                yield self._measured.build(form, mhz=mhz * factor, target=target).rtl

    def structure(self, network: str, mhz: float) -> Cells | None:
        """KANELÉ's structure, with registers at any place."""
        structure = Structure(read_network(tables_of(network)), OPERANDS)
        cuts = filter(None, map(structure.best_cuts, range(1, MOST_CYCLES + 1)))
        return self.smallest(mhz, network, map(structure.emit, cuts))

    def others(self, network: str) -> Cells:
        """The design of others with their own registers."""
        if network in TRAINERS:
            return self._da4ml_cells(network)
        structure = Structure(read_network(tables_of(network)), OPERANDS)
        return self.cells(structure.emit(structure.own_cuts), network)

    def _da4ml_cells(self, network: str) -> Cells:
        script = Path(__file__).with_name("da4ml_program.py")
        program = DATA / "hgq_lut" / network / "program.json"
        if not self._da4ml:
            raise SystemExit("da4ml needs --da4ml, the Python of an environment that has it")
        with tempfile.TemporaryDirectory() as folder:
            made = run_alone(script, program, folder, python=self._da4ml)
            found = self.cells(made["rtl"], "theirs")
        bits = made["input_bits"]
        area = found.area - bits * read_library(LIBRARY).flip_flop
        return Cells(area, found.path_ns, found.registers - bits)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = (*NETWORKS, *TRAINERS)
    parser.add_argument("--networks", type=some_of(known), default=list(known))
    parser.add_argument("--da4ml", metavar="PYTHON", help="of an environment that has da4ml 0.5.1")
    parser.add_argument("--folder", type=Path, default=Path("build/asic"), help="keeps results")
    options = parser.parse_args()
    require_data()
    bench = Bench(Measurements(options.folder), options.da4ml)
    print_versions(tools=["yosys", "sta"], packages=["xdsl"])
    table = MarkdownTable("network", "MHz", "ours", "others", "their structure", "ours for xcup")
    ratios: list[list[float]] = [[], [], []]
    for network in options.networks:
        others = bench.others(network)
        mhz = 1000 / others.path_ns
        ours = bench.ours(network, mhz, str(LIBRARY))
        structure = None if network in TRAINERS else bench.structure(network, mhz)
        compared = [others, structure, bench.ours(network, mhz, "xcup")]
        table.add(network, f"{mhz:.0f}", ours or "–", *_compared(ours, compared, ratios))
    means = [f"**{geometric_mean(column):.3f}**" for column in ratios]
    table.add("**geometric mean**", "", "", *means)
    return 0


def _compared(
    ours: Cells | None, designs: Sequence[Cells | None], ratios: Sequence[list[float]]
) -> list[str]:
    """Designs of others with the ratio of our area to theirs, which is noted in the columns."""
    shown: list[str] = []
    for design, column in zip(designs, ratios, strict=True):
        shown.append(str(design or "–"))
        if ours and design:
            column.append(ours.area / design.area)
            shown[-1] += f" ({column[-1]:.2f})"
    return shown


if __name__ == "__main__":
    sys.exit(main())
