"""`kan-opt --help-pass` and `--help-op`: the reference of a pass or an op of any package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdsl.irdl import IRDLOperation

from kan_dialect.deferred import DeferredModule
from kan_dialect.errors import KanError
from kan_dialect.multiverse import installed_universe
from kan_dialect.passbase.pipeline import suggestion

if TYPE_CHECKING:
    from rich import console as rich_console
    from rich import markdown as rich_markdown

    from kan_dialect.cli.reference import markdown, ops, passes
else:
    markdown = DeferredModule("kan_dialect.cli.reference.markdown")
    ops = DeferredModule("kan_dialect.cli.reference.ops")
    passes = DeferredModule("kan_dialect.cli.reference.passes")
    rich_console = DeferredModule("rich.console")
    rich_markdown = DeferredModule("rich.markdown")

WIDTH = 100
"""Characters a line where the output is no terminal."""


def help_pass(name: str) -> None:
    """Print the reference of a pass.

    Raises
    ------
    KanError : there is no pass of this name.
    """
    factories = installed_universe().all_passes
    _require("pass", "passes", name, list(factories))
    _show(name, passes.pass_reference(factories[name](), markdown.bullets))


def help_op(name: str) -> None:
    """Print the reference of an op.

    Raises
    ------
    KanError : there is no op of this name.
    """
    dialects = installed_universe().all_dialects
    prefix = name.partition(".")[0]
    _require("dialect", "dialects", prefix, list(dialects))
    found = dialects[prefix]().operations
    operations = {op.name: op for op in found if issubclass(op, IRDLOperation)}
    _require("op", "ops", name, list(operations))
    _show(name, ops.op_reference(operations[name], markdown.bullets))


def _require(noun: str, nouns: str, name: str, known: list[str]) -> None:
    if name not in known:
        raise KanError(
            f"there is no {noun} {name!r}", remedy=suggestion(name, known, f"{nouns} are", known)
        )


def _show(name: str, text: str) -> None:
    """Print Markdown, laid out for the terminal."""
    terminal = rich_console.Console(highlight=False)
    shown = rich_markdown.Markdown(f"# {name}\n\n{text}")
    if terminal.is_terminal:
        terminal.print(shown)
        return
    plain = rich_console.Console(highlight=False, width=WIDTH)
    with plain.capture() as captured:
        plain.print(shown)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))
