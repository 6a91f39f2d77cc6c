"""Block RAMs of memories: as many as Yosys makes, on every family that has some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import SSAValue

from kan_dialect.devices.device import FAMILIES, device
from kan_dialect.flows.tools.synthesis import synthesize
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.lowering.hw_builder import HwBuilder, integer
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.ops.memory import MemoryOp, MemoryReadOp
from kan_dialect.search.logic_mapping.module_cost import module_cost

SHAPES = (
    *((2048, 7), (2048, 62), (1024, 18), (512, 36), (4096, 5), (16384, 2), (100, 24)),
    *((3000, 10), (300, 8), (2048, 20), (65, 40)),
)
EIGHTEEN = (1, 7, 1, 1, 2, 2, 1, 2, 1, 3, 2)
BLOCKS = {
    "ice40": (4, 31, 5, 5, 5, 8, 2, 8, 1, 10, 3),
    "cyclonev": (2, 13, 2, 2, 2, 4, 1, 3, 1, 4, 1),
    "gatemate": (1, 7, 1, 1, 1, 2, 1, 2, 1, 2, 1),
}
"""Of each shape, by Yosys 0.52. RAMB36 and CC_BRAM_40K are two blocks."""

FAMILY = pytest.mark.parametrize("name", [family.name for family in FAMILIES])


def roms(shapes: Sequence[tuple[int, int]], reads: int = 1) -> hw.HWModuleOp:
    """A module of memories that nothing writes, with random words, each read in every cycle."""
    build, rng = HwBuilder(), np.random.default_rng(6)
    build.clock = build.input("clk", seq.clock)
    outputs: dict[str, SSAValue] = {}
    for words, bits in shapes:
        contents = rng.integers(0, 1 << bits, words)
        memory = build.add(MemoryOp(words, bits, contents, f"rom{words}"))
        for port in range(reads):
            name = f"{words}_{bits}_{port}"
            address = build.input(f"a{name}", integer((words - 1).bit_length()))
            outputs[f"y{name}"] = build.add(MemoryReadOp(memory, address, build.clock))
    return build.finish(StringAttr("roms"), outputs)


@FAMILY
def test_block_rams_of_memories(name: str) -> None:
    family = device(name)
    found = tuple(family.block_rams(words, bits) for words, bits in SHAPES)
    assert found == BLOCKS.get(name, EIGHTEEN)


def test_a_block_gives_two_words_but_not_of_its_widest_shape() -> None:
    two = {name: device(name).block_rams(2048, 7, reads=2) for name in ("ecp5", "ice40")}
    assert two == {"ecp5": 1, "ice40": 8}
    assert device("ecp5").block_rams(512, 36, reads=2) == 2
    assert device("ecp5").block_rams(2048, 7, reads=3) == 2


@FAMILY
def test_the_estimate_counts_block_rams(name: str) -> None:
    """Words beyond a block's are chosen by multiplexers, by a register of the address."""
    family = device(name)
    found = module_cost(roms([(3000, 10)]), family)
    beside = family.block_ram_words(3000, 10)
    assert found.block_rams == family.block_rams(3000, 10)
    assert found.registers == (beside - 1).bit_length()
    assert (found.luts > 0) == (beside > 1)


@pytest.mark.parametrize(("name", "words"), [("ecp5", 64), ("lut4", 300)])
def test_small_memories_and_those_of_a_device_without_blocks_are_logic(
    name: str, words: int
) -> None:
    found = module_cost(roms([(words, 3)]), device(name))
    assert (found.registers, found.block_rams) == (3, 0)
    assert found.luts >= 3 * words // 16


@pytest.mark.ci
@pytest.mark.skipif(look_for("yosys") is None, reason="yosys not installed")
@FAMILY
@pytest.mark.parametrize("reads", [1, 2])
def test_synthesis_makes_as_many(name: str, reads: int, tmp_path: Path) -> None:
    shapes = [(words, bits) for words, bits in SHAPES if words * bits < 50_000]
    module, rtl = roms(shapes, reads), tmp_path / "roms.sv"
    rtl.write_text(emit_systemverilog(ModuleOp([module])))
    cells = synthesize(rtl, device(name)).cells
    expected = module_cost(module, device(name))
    assert cells.block_rams == expected.block_rams > 0
