"""Pages with the text that is made for them.

Text stands in the page, between `<!-- generated: NAME -->` and `<!-- end of generated text -->`, so
that a clone has all of the reference; `make reference` renews it. Pictures that are drawn for the
site alone go to the line `<!-- drawn: NAME -->`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from generators import architecture, benchmark_set, commands, extending, ops, passes, report
from generators.links import ROOT

_END = "<!-- end of generated text -->"

_GENERATED = re.compile(
    r"^(?P<mark><!-- generated: (?P<name>[a-z-]+)(?: (?P<words>[a-z -]+))? -->)\n"
    rf"(?:.*?^{_END}\n)?",
    re.MULTILINE | re.DOTALL,
)

_GENERATORS: dict[str, Callable[..., str]] = {
    "benchmark-set": benchmark_set.reference,
    "code-map": architecture.code_map,
    "command": commands.reference,
    "frontends": commands.frontends,
    "helpers": extending.helpers,
    "hw-builder": extending.hw_builder,
    "ops": ops.reference,
    "passes": passes.reference,
    "passes-order": extending.order,
    "passes-overview": passes.overview,
    "report": report.reference,
    "subcommand": commands.subcommand_reference,
    "targets": commands.targets,
}


def renewed(markdown: str) -> str:
    """A page with the present text below each mark.

    Raises
    ------
    KeyError : there is no generator of this name.
    """

    def written(found: re.Match[str]) -> str:
        text = _GENERATORS[found["name"]](*(found["words"] or "").split())
        return f"{found['mark']}\n\n{text}\n\n{_END}\n"

    return _GENERATED.sub(written, markdown)


def with_pictures(markdown: str) -> str:
    """A page with the pictures of the site."""
    return re.sub(
        r"^<!-- drawn: architecture -->$",
        lambda _: architecture.pictures(),
        markdown,
        flags=re.MULTILINE,
    )


def renew_pages() -> list[str]:
    """Write the pages whose text is out of date; returns their paths in the repository."""
    found: list[str] = []
    for page in sorted((ROOT / "docs").rglob("*.md")):
        old = page.read_text()
        new = renewed(old)
        if new != old:
            page.write_text(new)
            found.append(str(page.relative_to(ROOT)))
    return found
