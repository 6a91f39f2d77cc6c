"""Block RAMs of memories: as many as Yosys makes, on every family that has some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from commands import flow
from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import SSAValue

from kan_dialect.devices.device import FAMILIES, device
from kan_dialect.devices.estimate import Estimate
from kan_dialect.flows.estimate_entry import estimate_entry, size_caution
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

needs_yosys = pytest.mark.skipif(look_for("yosys") is None, reason="yosys not installed")
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


def test_the_estimate_of_a_build_has_the_share_of_the_part() -> None:
    found, module = Estimate("ecp5", 0, 0, 0), roms([(512, 36), (2048, 7)])
    entry = estimate_entry(found, [module])
    assert (entry["block_rams"], entry["part"]["block_rams_share"]) == (2, 2 / 32)
    assert entry["part"]["name"] == "LFE5U-12F"
    assert size_caution(entry | {"block_rams": 209}) == [
        "the design is larger than every part of ecp5: 0 LUTs, 0 registers and 209 block RAMs, "
        "where LFE5U-85F has 83640, 83640 and 208; give fewer bits (--bits), or more "
        "cycles (--fit)"
    ]
    alone = estimate_entry(found, [roms([(60, 2)])])
    assert "block_rams" not in alone and "block_rams_share" not in alone["part"]


@pytest.mark.skipif(look_for("nextpnr-ecp5") is None, reason="nextpnr-ecp5 not installed")
@needs_yosys
def test_commands_print_block_rams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rtl = tmp_path / "roms.sv"
    rtl.write_text(emit_systemverilog(ModuleOp([roms([(300, 8), (512, 20)])])))
    for command in (["synth"], ["pnr", "--seeds", "1"]):
        assert flow(*command, str(rtl), "--target", "ecp5-25") == 0
        lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert "block RAMs 2" in lines
        assert "3.6% of its block RAMs" in " ".join(lines)


@pytest.mark.ci
@needs_yosys
@FAMILY
@pytest.mark.parametrize("reads", [1, 2])
def test_synthesis_makes_as_many(name: str, reads: int, tmp_path: Path) -> None:
    shapes = [(2048, 7), (512, 36), (100, 24), (3000, 10), (65, 40)]
    module, rtl = roms(shapes, reads), tmp_path / "roms.sv"
    rtl.write_text(emit_systemverilog(ModuleOp([module])))
    cells = synthesize(rtl, device(name)).cells
    expected = module_cost(module, device(name))
    assert cells.block_rams == expected.block_rams > 0
