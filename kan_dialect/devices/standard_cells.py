"""A device of standard cells, from a Liberty file.

Costs are in gate equivalents: areas of the library's smallest gate of two inputs. Functions of a
few inputs and full adders of static CMOS take about as many gate equivalents in any library; these
figures are fitted to Yosys and ABC (`benchmarks/results/standard-cells.md`). Areas of gate and
flip-flop, and delays, are those of the file.
"""

from __future__ import annotations

from pathlib import Path

from kan_dialect.devices.family import Adders, DeviceFamily, Timing
from kan_dialect.devices.liberty import read_library

FUNCTIONS = (1.0, 1.5, 1.8, 3.3)
"""Gate equivalents of a function of 1, 2, ... inputs in a table."""
FULL_ADDER = 6.2
"""Gate equivalents of a bit of an adder."""
HALF_ADDER = 3.0
"""Gate equivalents that a bit saves where one of its three operands is 0."""
FUNCTION_GATES = 3.0
"""Gates in a row that a function of `len(FUNCTIONS)` inputs takes."""
ADDER_GATES = 5.0
"""Gates in a row that a bit of an adder takes: two XORs and the way to them."""
CARRY_GATES = 0.8
"""Gates in a row that a carry takes for each bit."""


def is_library(target: str) -> bool:
    """Whether a target is a Liberty file, by the ending of its name."""
    return target.endswith(".lib")


def standard_cells(path: Path) -> DeviceFamily:
    """The device of a Liberty file, named by its path.

    Raises
    ------
    KanError : as of `read_library`.
    """
    library = read_library(path)
    # Without delays in the file, they count levels.
    gate = library.gate_ns or 1 / FUNCTION_GATES
    return DeviceFamily(
        str(path),
        len(FUNCTIONS),
        Timing(
            register=library.register_ns,
            lut=FUNCTION_GATES * gate,
            carry=ADDER_GATES * gate,
            carry_bit=CARRY_GATES * gate,
        ),
        Adders(
            carry_chains=False,
            bit_inputs=1,
            bit_luts=FULL_ADDER,
            carry_in_luts=HALF_ADDER,
            further_luts=HALF_ADDER,
        ),
        areas=FUNCTIONS,
        library=library,
        register_luts=library.flip_flop / library.gate,
    )
