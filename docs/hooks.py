"""What mkdocs calls: pages from outside `docs/`, and reference text made from the code."""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from generators.links import ROOT, outside_pages, site_links
from generators.pages import filled


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository that are not in `docs/`."""
    for source, place in outside_pages().items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put generated text in its place, then turn links into those of the site."""
    return site_links(filled(markdown), page.file.src_uri)
