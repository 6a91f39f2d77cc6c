"""Every fenced block of the documentation runs, parses, or says in the page why it does not."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from dataclasses import replace

import pytest
from code_blocks import PAGES, PROSE, ROOT, Block, Pages, blocks, runnable
from xdsl.parser import Parser

from kan_dialect.dialect import Kan
from kan_dialect.frontends.loading import make_context


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Folders of the pages."""
    return Pages(tmp_path_factory.mktemp("pages"))


@pytest.mark.parametrize("block", runnable("sh", "console", "python"))
def test_commands_and_python_work_as_printed(block: Block, pages: Pages) -> None:
    if block.missing:
        pytest.skip(f"not installed: {', '.join(block.missing)}")
    if block.language == "python":
        pages.execute(block)
    else:
        pages.run(block)


@pytest.mark.parametrize("block", [b for b in runnable("mlir") if b.values[0].file is None])
def test_ir_parses_and_verifies(block: Block) -> None:
    """Files that a page tells to write may have ops of that page; its commands read them."""
    parser = Parser(make_context(), block.text, block.page)
    if block.text.startswith("#"):
        while parser.parse_optional_attribute():
            pass
        return
    # Values that a fragment does not define stay forward references, of the types that it names.
    count = 0
    while (operation := parser.parse_optional_operation()) is not None:
        operation.verify()
        count += 1
    assert count
    assert not parser.pos < len(block.text.rstrip()), block.text[parser.pos :]


@pytest.mark.parametrize("block", runnable("json", "toml"))
def test_json_and_toml_parse(block: Block) -> None:
    parse = {"json": json.loads, "toml": tomllib.loads}[block.language]
    assert parse(block.text)


@pytest.mark.skipif(importlib.util.find_spec("pyslang") is None, reason="pyslang is not installed")
@pytest.mark.parametrize("block", runnable("systemverilog"))
def test_systemverilog_parses(block: Block) -> None:
    """`...` alone on a line stands for lines that are left out."""
    import pyslang

    for part in re.split(r"^ *\.\.\.\n", block.text, flags=re.MULTILINE):
        tree = pyslang.syntax.SyntaxTree.fromText(f"module page;\n{part}endmodule\n")
        assert not [str(d) for d in tree.diagnostics if d.isError()], part


def test_every_block_runs_or_says_why_not() -> None:
    """Blocks that do not run are code all the same: they name ops that exist.

    VHDL is in files, which the commands of its page read.
    """
    languages = {"sh", "console", "python", "mlir", "json", "toml", "systemverilog", "vhdl"}
    languages |= PROSE
    ops = {op.name for op in Kan.operations}
    for page in PAGES:
        found = list(blocks(page))
        assert 2 * len(found) == len(re.findall(r"^ *```", (ROOT / page).read_text(), re.M)), page
        for block in found:
            assert block.language in languages, str(block)
            assert block.reason is None or len(block.reason) > 10, str(block)
            assert block.language != "vhdl" or block.file is not None, str(block)
            if block.language == "mlir":
                named = re.findall(r"(?:= |^ *)(kan\.[a-z_]+) ", block.text, re.MULTILINE)
                assert set(named) <= ops, str(block)


def test_blocks_tell_what_they_need() -> None:
    """A page's blocks that need a tool which is nowhere are skipped by its name."""
    page = "docs/howto/soc-axi-lite.md"
    needs = {each for block in blocks(page) for each in block.needs}
    assert needs == {"amaranth", "yosys", "c++", "iverilog", "verilator"}
    block = next(block for block in blocks(page) if block.needs)
    assert block.reason is None
    assert replace(block, needs=("json", "no_such_tool")).missing == ["no_such_tool"]
