"""The commands of the tutorials work as printed, on the files that the tutorials write."""

from __future__ import annotations

import pytest
from printed_commands import Command, Pages, pages, parameters

__all__ = ["pages"]

PAGES = [f"docs/tutorials/{name}.md" for name in ("first-build", "first-pass", "first-op")]


@pytest.mark.parametrize("command", parameters(*PAGES))
def test_commands_work_as_printed(command: Command, pages: Pages) -> None:
    pages.check(command)
