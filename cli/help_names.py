"""`kan-opt --help-pass` and `--help-op`: the reference of a pass or an op of any package."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
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


class HelpPass(argparse.Action):
    """Prints the reference of a pass, and exits.

    Raises
    ------
    KanError : there is no pass of this name.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        name, factories = str(values), installed_universe().all_passes
        known = list(factories)
        if name not in known:
            raise KanError(
                f"there is no pass {name!r}", remedy=suggestion(name, known, "passes are", known)
            )
        _show(name, passes.pass_reference(factories[name](), markdown.bullets))
        parser.exit()


class HelpOp(argparse.Action):
    """Prints the reference of an op, and exits.

    Raises
    ------
    KanError : there is no op of this name.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        name, dialects = str(values), installed_universe().all_dialects
        prefix = name.partition(".")[0]
        if prefix not in dialects:
            known = list(dialects)
            raise KanError(
                f"there is no dialect {prefix!r}",
                remedy=suggestion(prefix, known, "dialects are", known),
            )
        found = dialects[prefix]().operations
        operations = {op.name: op for op in found if issubclass(op, IRDLOperation)}
        known = list(operations)
        if name not in known:
            raise KanError(
                f"there is no op {name!r}", remedy=suggestion(name, known, "ops are", known)
            )
        _show(name, ops.op_reference(operations[name], markdown.bullets))
        parser.exit()


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
