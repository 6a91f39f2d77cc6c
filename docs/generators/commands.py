"""The reference of the commands: every option, as their parsers declare them."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import entry_points
from unittest import mock

from kan_dialect.cli.reference.markdown import table
from kan_dialect.frontends.frontend import find_frontends
from kan_dialect.universe import UNIVERSE

COMMANDS = ("kan-opt", "kan-run", "kan-flow")


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of a command; the command itself does not run."""
    (entry,) = entry_points(group="console_scripts", name=command)
    main: Callable[[list[str]], None] = import_module(f"kan_dialect.cli.{entry.attr}").main

    found: list[argparse.ArgumentParser] = []

    def stop(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        found.append(parser)
        raise SystemExit(0)

    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", stop),
        contextlib.suppress(SystemExit),
    ):
        main([])
    return found[0]


def subcommands(parser: argparse.ArgumentParser) -> dict[str, tuple[str, argparse.ArgumentParser]]:
    """Help and parser of each subcommand."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {each.dest: each.help or "" for each in action._choices_actions}
            return {name: (helps.get(name, ""), each) for name, each in action.choices.items()}
    return {}


def options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Arguments and options of a parser but `--help`, in their order."""
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            yield action


def reference(command: str) -> str:
    """All options of a command, and of each of its subcommands."""
    parser = parser_of(command)
    subs = subcommands(parser)
    parts = [_table(parser, command)]
    parts += [
        f"### Options of {command} {name}\n\n{_table(each, f'{command} {name}')}"
        for name, (_, each) in subs.items()
    ]
    return "\n\n".join(part for part in parts if part)


def subcommand_reference(command: str, name: str) -> str:
    """All options of one subcommand."""
    return _table(subcommands(parser_of(command))[name][1], f"{command} {name}")


def _table(parser: argparse.ArgumentParser, prog: str) -> str:
    rows = [
        (_flags(each), _takes(each), _default(each), _help(each, prog)) for each in options(parser)
    ]
    return table(("option", "takes", "default", "meaning"), rows)


def _flags(action: argparse.Action) -> str:
    if action.option_strings:
        return ", ".join(f"`{each}`" for each in action.option_strings)
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return f"`{metavar}`"


def _takes(action: argparse.Action) -> str:
    if action.nargs == 0 or not action.option_strings:
        return ""
    if action.choices is not None:
        choices = [f"`{each}`" for each in action.choices]
        return ", ".join(choices)
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return f"`{metavar}`"


def _default(action: argparse.Action) -> str:
    if action.required and action.option_strings:
        return "required"
    if action.nargs == 0 or action.default in (None, argparse.SUPPRESS, [], ()):
        return ""
    return f"`{action.default}`"


def _help(action: argparse.Action, prog: str) -> str:
    text = action.help or ""
    if text == argparse.SUPPRESS:
        return ""
    text = re.sub(r"\s*Available \w+ are:.*", "", text, flags=re.DOTALL)
    return text % {**vars(action), "prog": prog}


def frontends() -> str:
    """The installed frontends by extension."""
    found = {each.name: each for each in find_frontends().values()}
    rows = [("`.mlir`", "`mlir`", "IR of any level, in MLIR's textual form")]
    rows += [
        (", ".join(f"`{each}`" for each in frontend.extensions), f"`{name}`", frontend.description)
        for name, frontend in sorted(found.items())
    ]
    return table(("files", "frontend", "reads"), rows)


def targets() -> str:
    """The targets that this package adds to xDSL's."""
    rows = [
        (f"`{name}`", (factory().__doc__ or "").strip().split("\n\n")[0])
        for name, factory in sorted(UNIVERSE.all_targets.items())
    ]
    return table(("target", "prints"), rows)
