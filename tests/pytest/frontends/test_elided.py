"""Constants that were left out of a text, filled from the module that was printed."""

from __future__ import annotations

from io import StringIO

import pytest
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.frontends.elided import ElidedFrom
from kan_dialect.frontends.loading import make_context, parse_module, parse_text
from kan_dialect.frontends.op_places import PlacedParser
from kan_dialect.ir.constants import ConstantPrinter
from kan_dialect.ops.wire import TableOp
from kan_dialect.passbase.record import CHANGED, recorded_pipeline
from kan_dialect.passes.narrow import NarrowPass

TABLES = """
func.func @net(%x: !kan.int<0:3>) -> !kan.int<0:9> {
  %a = kan.table %x{first} entries dense<[0, 1, 2, 3]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:3>
  %b = kan.table %x{second} entries dense<[3, 2, 1, 0]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:3>
  %c = kan.table %x{third} entries dense<[3, 0, 3, 0]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:3>
  %s = kan.sum %a, %b, %c : !kan.int<0:3>, !kan.int<0:3>, !kan.int<0:3> -> !kan.int<0:9>
  func.return %s : !kan.int<0:9>
}
"""


def parse(text: str) -> ModuleOp:
    return parse_text(make_context(), text.encode(), "original.mlir")


def network(*names: str) -> ModuleOp:
    """The network; its tables have these names, or none."""
    text = TABLES
    for place, name in zip(("{first}", "{second}", "{third}"), names, strict=True):
        text = text.replace(place, f' as "{name}"' if name else "")
    return parse(text)


def short(module: ModuleOp) -> str:
    """The text of a module without its constants."""
    stream = StringIO()
    ConstantPrinter(stream=stream, elide_above=0).print_op(module)
    assert "dense<" not in stream.getvalue()
    return stream.getvalue()


def tables_of(module: ModuleOp) -> list[tuple[str | None, list[int]]]:
    """Names and entries of the tables, in order."""
    tables = [op for op in module.walk() if isinstance(op, TableOp)]
    return [(op.given_name, op.entries_array.tolist()) for op in tables]


def filled(text: str, original: ModuleOp) -> ModuleOp:
    parser = PlacedParser(make_context(), text, "edited.mlir")
    module = parse_module(parser, original=ElidedFrom(original, "original.mlir"))
    module.verify()
    return module


def test_lines_that_were_removed_or_moved() -> None:
    original = network("p", "q", "r")
    lines = short(original).splitlines()
    first, second = (next(line for line in lines if f'"{name}"' in line) for name in "pq")
    lines.remove(first)
    lines.insert(lines.index(second) + 1, first)
    moved = filled("\n".join(lines), original)
    assert str(moved).splitlines()[2:5] == [str(original).splitlines()[at] for at in (3, 2, 4)]


def test_names_of_results_count_where_ops_have_none() -> None:
    original = network("", "", "")
    lines = [line for line in short(original).splitlines() if "%b =" not in line]
    text = (
        "\n".join(lines)
        .replace("%b, ", "")
        .replace("!kan.int<0:3>, !kan.int<0:3>, ", "!kan.int<0:3>, ")
    )
    module = filled(text, original)
    assert "dense<[0, 1, 2, 3]>" in str(module) and "dense<[3, 0, 3, 0]>" in str(module)
    numbered = original.clone()
    for op in numbered.walk():
        for result in op.results:
            result.name_hint = None
    assert "%1 = kan.table" in short(numbered)
    assert str(filled(short(numbered), numbered)) == str(numbered)


def test_names_of_ops_count_where_results_were_renamed() -> None:
    original = network("p", "q", "r")
    text = short(original)
    for old, new in (("%a", "%t"), ("%b", "%a"), ("%t", "%b")):
        text = text.replace(old, new)
    module = filled(text, original)
    assert tables_of(module) == tables_of(original)


def test_what_is_not_certain_is_refused() -> None:
    original = network("", "", "")
    with pytest.raises(KanError) as refused:
        filled(short(original).replace("%a", "%new"), original)
    assert str(refused.value) == (
        "edited.mlir:3:12: 'kan.table' op: the constant 'entries' is elided, and original.mlir has "
        "several that it may be, of %a, %b, %c; give the op and its result the names that they "
        "have there"
    )
    named = network("p", "p", "p")
    with pytest.raises(
        KanError, match=r'op "p": the constant .* several that it may be, of %a, %b'
    ):
        filled(short(named).replace("%a", "%new"), named)
    named = network("p", "q", "r")
    with pytest.raises(KanError, match=r'op "other": the constant .* several that it may be'):
        filled(
            short(network("p", "q", "r")).replace('"q"', '"other"').replace("%b", "%new"),
            network("p", "q", "r"),
        )
    with pytest.raises(KanError, match=r"original.mlir has none of type tensor<5xi8>"):
        filled(short(original).replace("tensor<4xi8>", "tensor<5xi8>"), original)


def test_alike_constants_are_certain() -> None:
    text = str(network("", "", ""))
    original = parse(
        text.replace("[3, 2, 1, 0]", "[0, 1, 2, 3]").replace("[3, 0, 3, 0]", "[0, 1, 2, 3]")
    )
    assert [entries for _, entries in tables_of(original)] == [[0, 1, 2, 3]] * 3
    assert str(filled(short(original), original)) == str(original)
    renamed = filled(short(original).replace("%a", "%new"), original)
    assert str(renamed) == str(original).replace("%a", "%new")


def test_another_module_is_refused() -> None:
    original = network("p", "q", "r")
    NarrowPass().apply(make_context(), original)
    text = short(original)
    with pytest.raises(KanError, match=r"edited.mlir was not printed from original.mlir"):
        filled(text, network("p", "q", "r"))
    other = parse(str(original).replace("[0, 1, 2, 3]", "[0, 1, 2, 2]"))
    with pytest.raises(KanError, match=r"edited.mlir was not printed from original.mlir"):
        filled(text, other)


def test_an_edit_beside_the_constants_is_recorded() -> None:
    original = network("p", "q", "r")
    NarrowPass().apply(make_context(), original)
    assert recorded_pipeline(filled(short(original), original)) == ["kan-narrow"]
    edited = filled(short(original).replace('"q"', '"other"'), original)
    assert recorded_pipeline(edited) == ["kan-narrow", CHANGED]
