"""The README's commands work as printed, and print what it says they print."""

from __future__ import annotations

import pytest
from printed_commands import Command, Pages, pages, parameters

__all__ = ["pages"]


@pytest.mark.parametrize("command", parameters("README.md"))
def test_commands_work_as_printed(command: Command, pages: Pages) -> None:
    pages.check(command)
