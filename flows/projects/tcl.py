"""Parts that the Tcl scripts for vendors' tools share."""

from __future__ import annotations

from collections.abc import Iterator

from kan_dialect.flows.projects.design import ProjectDesign


def script_head(what: str, command: str, manual: str) -> Iterator[str]:
    """The comment of a script, and the folder that it stands in.

    Parameters
    ----------
    what : what the script does.
    command : the command that runs it in its folder.
    manual : the manuals of its commands.
    """
    yield f"# {what}"
    yield f"# In this folder: {command}"
    yield f"# Commands: {manual}"
    yield "set here [file dirname [info script]]"


def source_list(design: ProjectDesign) -> Iterator[str]:
    """Set `sources` to the paths of the design's files."""
    yield "set sources [list \\"
    yield from (f"  [file join $here .. .. {source}] \\" for source in design.sources)
    yield "]"
