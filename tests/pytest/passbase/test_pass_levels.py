"""A pass that finds nothing of its level says so, once; kan-compile's own passes stay quiet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kan_dialect.passbase.kan_pass import LEVELS, KanPass
from kan_dialect.universe import UNIVERSE

SCRIPTS = Path(sys.executable).parent
WIRES = """
func.func @net(%x: !kan.int<0:3>) -> !kan.int<0:2> {
  %t = kan.table %x as "t" entries dense<[0, 1, 1, 2]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:2>
  func.return %t : !kan.int<0:2>
}
"""
REALS = """
func.func @net(%x: tensor<1xf32>) -> tensor<1xf32> {
  %b = kan.base "silu" %x weights dense<[[1.0]]> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %b as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}
"""  # noqa: E501 (IR)


def notes(tool: str, text: str, pipeline: str, folder: Path) -> list[str]:
    """Lines on standard error of a tool that runs passes."""
    source = folder / "net.mlir"
    source.write_text(text)
    command = [SCRIPTS / tool, source, "-p", pipeline, "-o", folder / "out.mlir"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()


@pytest.mark.parametrize(("tool", "before"), [("kan-opt", "kan-opt: note: "), ("xdsl-opt", "")])
def test_a_pass_of_another_level_says_so_once(tool: str, before: str, tmp_path: Path) -> None:
    found = "found nothing at wire level (behind kan-expand-wires); the module is at spline level"
    assert notes(tool, REALS, "kan-narrow", tmp_path) == [f"{before}pass kan-narrow {found}"]
    found = "found nothing at spline level (models as imported); the module is at wire level"
    assert notes(tool, WIRES, "kan-quantize{bits=4}", tmp_path) == [
        f"{before}pass kan-quantize {found}"
    ]


@pytest.mark.parametrize("tool", ["kan-opt", "xdsl-opt"])
def test_passes_that_have_nothing_to_do_at_their_level_say_nothing(
    tool: str, tmp_path: Path
) -> None:
    assert notes(tool, WIRES, "kan-narrow,kan-share-sums,kan-compile", tmp_path) == []


def test_every_pass_says_where_it_works() -> None:
    kinds = [factory() for factory in UNIVERSE.all_passes.values()]
    for kind in kinds:
        if issubclass(kind, KanPass):
            assert kind.works_at and set(kind.works_at) <= set(LEVELS), kind.name
