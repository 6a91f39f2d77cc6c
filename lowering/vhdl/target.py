"""The target `vhdl`, and the text of its file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from kan_dialect.errors import KanError
from kan_dialect.lowering.hardware_ops import hardware_modules
from kan_dialect.lowering.systemverilog.header import file_header
from kan_dialect.lowering.systemverilog.names import module_name, module_name_problem
from kan_dialect.lowering.vhdl.module import write_entity
from kan_dialect.lowering.vhdl.names import identifier
from kan_dialect.passbase.garbage_collector import collector_paused

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class VhdlTarget(Target):
    """Prints hardware modules as VHDL."""

    name = "vhdl"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        output.write(emit_vhdl(module))


def emit_vhdl(module: ModuleOp) -> str:
    """The hardware modules of `module` as one VHDL file.

    The same module gives the same bytes.

    Raises
    ------
    KanError : an op is not lowered to hardware yet, or is outside the subset; or two modules have
        names that differ in case only.
    """
    modules = hardware_modules(module)
    for op in module.ops:
        if op not in modules:
            raise KanError(f"'{op.name}' cannot be printed as VHDL")
    taken: dict[str, str] = {}
    texts = [file_header(module, mark="--")]
    with collector_paused():
        for op in modules:
            name = _name_of(op.sym_name.data)
            if name.lower() in taken:
                raise KanError(
                    f"the names of the modules '{taken[name.lower()]}' and '{op.sym_name.data}' "
                    "are the same in VHDL, where case does not count",
                    remedy="rename one",
                )
            taken[name.lower()] = op.sym_name.data
            texts.append(write_entity(op, name))
    return "\n".join(texts)


def _name_of(wanted: str) -> str:
    """The name of a module in VHDL, with a warning if it is another one than in the IR."""
    problem, name = module_name_problem(wanted), module_name(wanted)
    if problem is not None:
        _LOG.warning("module '%s' is called '%s': %s", wanted, name, problem)
    return identifier(name)
