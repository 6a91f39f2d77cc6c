"""Options that are answered at once, after which the command exits, such as `--help`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence


class Answer(argparse.Action):
    """Calls a function with the option's value, where it takes one, and exits."""

    def __init__(
        self,
        option_strings: Sequence[str],
        dest: str,
        answer: Callable[..., None],
        metavar: str | None = None,
        help: str | None = None,
    ) -> None:
        nargs = 0 if metavar is None else None
        super().__init__(option_strings, dest, nargs=nargs, metavar=metavar, help=help)
        self._answer = answer

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        self._answer(*([values] if isinstance(values, str) else []))
        parser.exit()
