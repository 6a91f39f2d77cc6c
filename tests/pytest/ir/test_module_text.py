"""Modules are printed as xDSL prints them."""

from __future__ import annotations

from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp, StringAttr

from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.module_text import module_text
from kan_dialect.lowering.compile import CompilePass
from repository import BENCHMARKS, EXAMPLES

NETWORKS = BENCHMARKS / "seeded_networks"
WINE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"


@pytest.mark.parametrize(
    "path, passes",
    [
        (NETWORKS / "negative.mlir", CompilePass()),
        (NETWORKS / "wires.mlir", CompilePass()),
        (WINE, CompilePass(bits=3, data=str(DATA))),
    ],
    ids=["tables", "wires", "splines"],
)
def test_the_text_of_every_stage_is_the_same(path: Path, passes: CompilePass) -> None:
    context = make_context()
    module = load_model(context, path)
    assert module_text(module) == str(module)
    for stage in passes.passes():
        stage.apply(context, module)
        assert module_text(module) == str(module), stage.name


@pytest.mark.parametrize("text", ["two\nlines", "", 'a "quoted" word', "ends\n"])
def test_strings_are_the_same(text: str) -> None:
    module = ModuleOp([], {"note": StringAttr(text)})
    assert module_text(module) == str(module)
