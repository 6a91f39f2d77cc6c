"""Functions that no network can have are refused by every pass and tool, with one message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from commands import exit_code, opt

from kan_dialect.cli import kan_flow, kan_opt, kan_run
from kan_dialect.universe import UNIVERSE

BLOCKS = """
func.func @net(%x: tensor<1xf64>) -> tensor<1xf64> {
  cf.br ^bb1(%x : tensor<1xf64>)
^bb1(%y: tensor<1xf64>):
  func.return %y : tensor<1xf64>
}
"""
TWO_BLOCKS = "error: @net has 2 blocks; the function of a network is one block, without branches\n"

REQUIRED = {
    "kan-calibrate": "data={data}",
    "kan-choose-bits": "data={data} max-error=1",
    "kan-prune": "data={data} threshold=0.1",
    "kan-refine-precision": "data={data} target=ecp5 max-error=1",
    "kan-share-shapes": "shapes=2",
    "kan-shape-tables": "shapes=2",
}
"""Options without which a pass is refused."""


SCALES = "1 scales for 2 indices of dimension 0"
SECOND_AXIS = "quantised dimension 1 of a tensor of 1 dimension(s)"
TYPES = {
    "1x!quant.uniform<u8:f32:1, {0.5}>": SECOND_AXIS,
    "2x!quant.uniform<u8:f32:0, {0.5}>": SCALES,
    "1x!quant.uniform<u8:f32:0, {0.5,0.25}>": "2 scales for 1 indices of dimension 0",
    "?x!quant.uniform<u2:f32, 0.5>": "must have known extents of at least 1, got tensor<",
}
"""Tensors of codes that there are none of, and what is said of them."""


def refusal(
    main: Callable[[Sequence[str]], NoReturn],
    arguments: Sequence[str],
    capsys: pytest.CaptureFixture[str],
) -> str:
    """What a tool prints that ends with exit code 1, without the tool's name."""
    assert exit_code(main, *arguments) == 1
    return capsys.readouterr().err.partition(": ")[2]


@pytest.mark.parametrize("name", [*UNIVERSE.all_passes])
def test_passes_refuse_a_function_of_several_blocks(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, data = tmp_path / "net.mlir", tmp_path / "data.npz"
    source.write_text(BLOCKS)
    np.savez(data, x=np.zeros((8, 1)), y=np.zeros(8))
    options = REQUIRED.get(name, "").format(data=f'"{data}"')
    assert refusal(kan_opt.main, [str(source), "-p", f"{name}{{{options}}}"], capsys) == TWO_BLOCKS


def test_tools_refuse_a_function_of_several_blocks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "net.mlir"
    source.write_text(BLOCKS)
    assert refusal(kan_run.main, [str(source)], capsys) == TWO_BLOCKS
    build = ["build", str(source), "-o", str(tmp_path / "out")]
    assert refusal(kan_flow.main, build, capsys) == TWO_BLOCKS
    checked = [str(source), "--check-passes", "-p", "canonicalize"]
    assert refusal(kan_opt.main, checked, capsys) == TWO_BLOCKS
    for target in ("quantizers", "picture", "formula"):
        assert refusal(kan_opt.main, [str(source), "-t", target], capsys) == TWO_BLOCKS


def test_a_function_of_several_blocks_is_read_and_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "net.mlir"
    source.write_text(BLOCKS)
    assert opt(source) == 0
    assert "cf.br ^bb1(" in capsys.readouterr().out


@pytest.mark.parametrize("kind", TYPES)
def test_codes_of_arguments_have_the_scales_of_their_shape(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "net.mlir"
    source.write_text(
        f"func.func @net(%x: tensor<{kind}>) -> tensor<{kind}> {{\n"
        f"  func.return %x : tensor<{kind}>\n}}\n"
    )
    for main in (kan_opt.main, kan_run.main):
        error = refusal(main, [str(source)], capsys)
        assert error.startswith(f"error: {source}:1:1: @net: argument 0") and TYPES[kind] in error


def test_codes_of_results_have_the_scales_of_their_shape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, kind = tmp_path / "net.mlir", "tensor<2x!quant.uniform<u8:f32:0, {0.5}>>"
    source.write_text(
        f"func.func @net(%x: tensor<2xi8>) -> {kind} {{\n"
        f"  %y = builtin.unrealized_conversion_cast %x : tensor<2xi8> to {kind}\n"
        f"  func.return %y : {kind}\n}}\n"
    )
    error = refusal(kan_opt.main, [str(source)], capsys)
    assert error == f"error: {source}:1:1: @net: result 0: {SCALES}\n"


def test_figures_are_a_dictionary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "net.mlir"
    source.write_text(
        """
func.func @net(%x: tensor<1xf32> {kan.range = [-1.0, 1.0]}) -> tensor<1xf32>
    attributes {kan.bits = "a"} {
  func.return %x : tensor<1xf32>
}
"""
    )
    error = refusal(kan_opt.main, [str(source), "-p", "kan-quantize{bits=auto}"], capsys)
    assert error == (
        'error: @net: kan.bits must be a dictionary of figures, got "a"; leave the attribute out\n'
    )
