"""Parts that the Tcl scripts for vendors' tools share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    """Set `sources` to the paths of the design's files.

    Of a build with VHDL, also set `is_vhdl`: the environment variable HDL chooses the language.
    """
    yield from _listed("sources", design.sources)
    if design.vhdl:
        yield "# HDL=vhdl in the environment takes the VHDL in place of the SystemVerilog."
        yield 'set is_vhdl [expr {[info exists ::env(HDL)] && $::env(HDL) eq "vhdl"}]'
        yield "if {$is_vhdl} {"
        yield from (f"  {line}" for line in _listed("sources", design.vhdl))
        yield "}"


def by_language(
    design: ProjectDesign, verilog: Sequence[str], vhdl: Sequence[str]
) -> Iterator[str]:
    """Commands for the SystemVerilog; of a build with VHDL, those for the chosen language."""
    if not design.vhdl:
        yield from verilog
        return
    yield "if {$is_vhdl} {"
    yield from (f"  {line}" for line in vhdl)
    yield "} else {"
    yield from (f"  {line}" for line in verilog)
    yield "}"


def add_by_language(command: str, verilog: str, vhdl: str) -> str:
    """A loop that adds all sources, each with the word for its language.

    Parameters
    ----------
    command : adds a file, up to that word.
    """
    language = f'[expr {{[file extension $source] eq ".vhd" ? "{vhdl}" : "{verilog}"}}]'
    return f"foreach source $sources {{ {command} {language} $source }}"


def in_vhdl(design: ProjectDesign, command: str) -> Iterator[str]:
    """A command for the VHDL of a build that has it."""
    if design.vhdl:
        yield f"if {{$is_vhdl}} {{ {command} }}"


def _listed(name: str, sources: Sequence[str]) -> Iterator[str]:
    yield f"set {name} [list \\"
    yield from (f"  [file join $here .. .. {source}] \\" for source in sources)
    yield "]"
