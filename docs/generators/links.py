"""Links of pages in the repository, as the site has them.

Some pages of the site are files outside `docs/`. Links from and to them are relative to the
repository; on the site they are relative to the page's address there.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""

_OUTSIDE = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "benchmarks/README.md": "results/index.md",
    "examples/README.md": "project/examples.md",
}

_LINK = re.compile(r"(?<!!)\[(?P<label>[^\]\[]*)\]\((?P<target>[^)\s]+)\)")


def outside_pages() -> dict[str, str]:
    """Pages of the site that are no files of `docs/`: path in the repository, place on the site."""
    results = sorted((ROOT / "benchmarks" / "results").glob("*.md"))
    return _OUTSIDE | {
        f"benchmarks/results/{page.name}": f"results/{page.name}" for page in results
    }


def source_of(place: str) -> str:
    """The path in the repository of a page of the site."""
    for source, outside in outside_pages().items():
        if outside == place:
            return source
    return f"docs/{place}"


def place_of(source: str) -> str | None:
    """The place on the site of a file of the repository, if it has one.

    A notebook's place is the page that shows its outputs.
    """
    if source.startswith("docs/notebooks/") and source.endswith(".py"):
        return str(Path(source.removeprefix("docs/")).with_suffix(".md"))
    if source.startswith("docs/"):
        return source.removeprefix("docs/")
    return outside_pages().get(source)


def site_links(markdown: str, place: str) -> str:
    """The page at `place`, with links as the site needs them.

    A link to a file that is no page of the site becomes its label. A link to nothing stays, so that
    a strict build refuses it.
    """
    source = source_of(place)

    def rewritten(link: re.Match[str]) -> str:
        label, target = link["label"], link["target"]
        if target.startswith("#") or ":" in target:
            return link[0]
        path, anchor = target.partition("#")[::2]
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        there = place_of(wanted)
        if there is None:
            return label if (ROOT / wanted).exists() else link[0]
        relative = posixpath.relpath(there, posixpath.dirname(place) or ".")
        return f"[{label}]({relative}{'#' + anchor if anchor else ''})"

    return _LINK.sub(rewritten, markdown)
