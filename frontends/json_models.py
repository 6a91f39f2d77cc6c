"""Frontend of `.json` files: programs, and KANELÉ's truth tables.

A list, or an object with the key `meta`, is a program. Anything else is truth tables.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.frontends.frontend import NO_OPTIONS, ImportOptions, Original
from kan_dialect.frontends.kanele.frontend import TABLES_FRONTEND, load_tables
from kan_dialect.frontends.programs.file import is_program
from kan_dialect.frontends.programs.frontend import (
    PROGRAM_FRONTEND,
    load_program,
    program_original,
)


def load_json(path: Path, options: ImportOptions = NO_OPTIONS) -> ModuleOp:
    """Import a program or truth tables.

    Raises
    ------
    KanError : the file holds neither; or an option is given that its kind does not take.
    """
    frontend = PROGRAM_FRONTEND if is_program(path) else TABLES_FRONTEND
    options.require_among(frontend.options, path.name, f"the frontend {frontend.name}")
    return load_program(path) if frontend is PROGRAM_FRONTEND else load_tables(path, options)


def json_original(path: Path, options: ImportOptions) -> Original | None:
    """The evaluation of a program's operations; None of truth tables."""
    return program_original(path, options) if is_program(path) else None


JSON_FRONTEND = replace(
    TABLES_FRONTEND,
    description=f"{TABLES_FRONTEND.description}; {PROGRAM_FRONTEND.description}",
    load=load_json,
    load_with=load_json,
    takes=TABLES_FRONTEND.takes | {"strip_head"},  # refused by the name of the kind
    original=json_original,
)
