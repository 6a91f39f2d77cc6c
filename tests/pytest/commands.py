"""The commands, run in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kan_dialect.cli import kan_flow, kan_opt


def exit_code(main: Callable[[list[str]], object], *arguments: object) -> int:
    """The code that a command ends with."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def flow(*arguments: object) -> int:
    """The exit code of `kan-flow`."""
    return exit_code(kan_flow.main, *arguments)


def opt(*arguments: object) -> int:
    """The exit code of `kan-opt`."""
    return exit_code(kan_opt.main, *arguments)
