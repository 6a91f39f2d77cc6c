"""Edits of syntax trees that seeded bugs consist of: `benchmarks/edits.py`."""

from __future__ import annotations

import ast
import re
import sys

import pytest

from repository import BENCHMARKS

sys.path.insert(0, str(BENCHMARKS))
from edits import Edit, EditError, Replace, ReplaceText, edited

SOURCE = '''
LIMITS = {"low": 1, "high": 2}


class Table:
    """A table: cut(low, high)."""

    def cut(self, low, high):
        """Return low + 1."""
        if low:  # a comment
            high = clamp(
                high,
                low + 1,
                name="high",
                bound=low,
            )
        else:
            high = 0
        self.seen.add(high)
        return f"[{high - 1}:{low}] {{{low}, {high}}}" + 'x'

    def other(self, low):
        def inner():
            return low + 1

        return inner() + low + 1
'''


def after(name: str, edit: Edit, source: str = SOURCE) -> str:
    """The definition after the edit, as text."""
    tree = edited(ast.parse(source), name, edit)
    compile(tree, "table", "exec")
    return ast.unparse(tree)


@pytest.mark.parametrize(
    ("name", "edit", "expected"),
    [
        ("Table.cut", Replace("low + 1", "low - 1"), "clamp(high, low - 1,"),
        ("Table.cut", Replace("clamp(high, ...)", "clamp(low, ...)"), "clamp(low, low + 1, name="),
        ("Table.cut", Replace("clamp(..., bound=low)", "clamp(...)"), "low + 1, name='high')"),
        ("Table.cut", Replace("clamp(..., bound=low)", "clamp(..., bound=0)"), "'high', bound=0)"),
        ("Table.cut", Replace("clamp(...)", "clamp(..., wide=1)"), "bound=low, wide=1)"),
        ("Table.cut", Replace("... + 'x'", "'x' + ..."), "return 'x' + f"),
        ("Table.cut", Replace("high - 1", "high"), "[{high}:{low}]"),
        (
            "Table.cut",
            Replace("if low: ...\nelse: ...", "if low > 0: ...\nelse: ..."),
            "if low > 0:\n            high = clamp",
        ),
        ("Table.cut", Replace("high = 0", ""), "else:\n            pass"),
        ("Table.cut", Replace("self.seen.add(high)", ""), "high = 0\n        return"),
        ("Table.cut", Replace("high = 0", "high = 1\nlow = 2"), "high = 1\n            low = 2"),
        ("Table.cut", ReplaceText("{{{low}, {high}", "{{{high}, {low}"), "{{{high}, {low}}}"),
        ("Table.cut", ReplaceText("]", "]'"), "]' {{"),
        ("Table.cut", ReplaceText("x", "y"), "'y'"),
        ("Table.other", Replace("inner() + low + 1", "0"), "return 0"),
        ("Table.other.inner", Replace("low + 1", "low"), "return low\n"),
        ("LIMITS", Replace("2", "3"), "'high': 3}"),
    ],
)
def test_edit(name: str, edit: Edit, expected: str) -> None:
    changed = after(name, edit)
    assert expected in changed
    assert expected not in ast.unparse(ast.parse(SOURCE))


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("Table.gone", Replace("low", "high"), "0 definitions of Table.gone, expected one"),
        ("cut", Replace("low + 1", "low"), "0 definitions of cut, expected one"),
        ("Table.cut", Replace("low + 2", "low"), "0 places match 'low + 2', expected one"),
        ("Table.cut", Replace("low", "high"), "5 places match 'low', expected one"),
        ("Table.cut", Replace("low + 1", "low + 1"), "the edit changes nothing"),
        ("Table.cut", Replace("low + 1", "low + ..."), "has no counterpart in the pattern"),
        ("Table.cut", ReplaceText("posedge", "negedge"), "0 places match 'posedge', expected one"),
        ("Table.cut", ReplaceText("Return", "Give"), "0 places match 'Return', expected one"),
        ("Table.cut", ReplaceText("{high", "{low"), "2 places match '{high', expected one"),
    ],
)
def test_missing_or_ambiguous(name: str, edit: Edit, message: str) -> None:
    with pytest.raises(EditError, match=re.escape(message)):
        after(name, edit)


def test_layout_and_comments_do_not_matter() -> None:
    source = "def f(a):\n    '''Return a + 1.'''\n    return g(  # first\n  a\n        + 1,\n )\n"
    assert "return g(a - 1)" in after("f", Replace("g(a + 1)", "g(a - 1)"), source)


def test_two_definitions_of_a_name() -> None:
    source = "if x:\n    def f(): return 1\nelse:\n    def f(): return 1\n"
    with pytest.raises(EditError, match="2 definitions of f, expected one"):
        after("f", Replace("1", "2"), source)
