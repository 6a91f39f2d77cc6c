"""The commands of the how-to pages work as printed."""

from __future__ import annotations

import pytest
from printed_commands import ROOT, Command, Pages, commands, pages, parameters

__all__ = ["pages"]

PAGES = [f"docs/howto/{name}.md" for name in ("check", "deploy", "prove", "sweep", "train-on-chip")]


@pytest.mark.parametrize("command", parameters(*PAGES, ci=True))
def test_commands_work_as_printed(command: Command, pages: Pages) -> None:
    pages.check(command)


def test_every_page_with_commands_is_here() -> None:
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")}
    with_commands = {page for page in found if commands(page)}
    listed = {*PAGES} | {page for page in found if page.startswith("docs/tutorials/")}
    assert with_commands - listed <= {"docs/reference/rtl-subset.md", "docs/reference/frontends.md"}
