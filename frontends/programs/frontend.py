"""Frontend of da4ml's and alkaid's programs."""

from __future__ import annotations

from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.frontends.frontend import Frontend, ImportOptions, Original
from kan_dialect.frontends.naming import identifier
from kan_dialect.frontends.programs.evaluation import evaluate_program
from kan_dialect.frontends.programs.file import read_program
from kan_dialect.frontends.programs.wires import build_module

_FIXED_STEMS = ("comb", "program", "model")
"""File stems that stand for no model; the folder, or the one above `model`, names it."""


def function_name(path: Path) -> str:
    """Function name of a program: its file's stem, or its folder's name for a usual stem."""
    path = path.absolute()
    names = [path.name.partition(".")[0], *[parent.name for parent in path.parents]]
    return identifier(next((name for name in names if name not in _FIXED_STEMS), names[0]))


def load_program(path: Path) -> ModuleOp:
    """Import a program at wire level: its integers, exactly.

    Raises
    ------
    KanError : the file holds no program that can be read; see `read_program`, `build_module`.
    """
    return build_module(read_program(path), function_name(path))


def program_original(path: Path, options: ImportOptions) -> Original:
    """The evaluation of the program's operations, without IR.

    Raises
    ------
    KanError : as `load_program`.
    """
    program = read_program(path)
    return Original("the program's operations", lambda x: evaluate_program(program, x))


PROGRAM_FRONTEND = Frontend(
    name="program",
    extensions=(".json.gz",),
    description="programs of da4ml and alkaid",
    load=load_program,
    original=program_original,
)
