"""What mkdocs calls: pages from outside `docs/`, notebooks, pictures of the code."""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from generators import notebooks
from generators.links import ROOT, outside_pages, site_links
from generators.pages import with_pictures

_values: dict[str, list[str]] = {}
"""HTML of the values that each notebook shows, by place on the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository that are not in `docs/`, and the notebooks, run."""
    for source, place in outside_pages().items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for place, path in notebooks.notebooks().items():
        content, _values[place] = notebooks.page(path, config.extra["run_notebooks"])
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put pictures in their places, then turn links into those of the site."""
    return site_links(with_pictures(markdown), page.file.src_uri)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the values that notebooks show in their places."""
    return notebooks.with_values(html, _values.get(page.file.src_uri, []))
