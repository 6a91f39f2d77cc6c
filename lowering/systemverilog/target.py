"""The target and the file: header, modules, and the default net type that shows typing errors."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from kan_dialect.errors import KanError
from kan_dialect.lowering.hardware_ops import hardware_modules
from kan_dialect.lowering.systemverilog.header import file_header
from kan_dialect.lowering.systemverilog.module import write_module
from kan_dialect.lowering.systemverilog.names import Names, module_name, module_name_problem
from kan_dialect.passbase.garbage_collector import collector_paused

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SystemVerilogTarget(Target):
    """Prints hardware modules as SystemVerilog."""

    name = "systemverilog"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        output.write(emit_systemverilog(module))


def emit_systemverilog(module: ModuleOp) -> str:
    """The hardware modules of `module` as one SystemVerilog file.

    The same module gives the same bytes.

    Raises
    ------
    KanError : the module holds something that is no hardware yet, or hardware that this target
        does not print.
    """
    modules = hardware_modules(module)
    for op in module.ops:
        if op not in modules:
            raise KanError(f"'{op.name}' cannot be printed as SystemVerilog")
    names = Names()
    with collector_paused():
        texts = [write_module(op, _name_of(op, names)) for op in modules]
    body = "\n".join(texts)
    return f"{file_header(module)}`default_nettype none\n\n{body}\n`default_nettype wire\n"


def _name_of(module: hw.HWModuleOp, names: Names) -> str:
    """The module's name in the file; a note says where it cannot be that of the IR."""
    wanted = module.sym_name.data
    problem = module_name_problem(wanted)
    name = names.take(module_name(wanted))
    if problem is not None:
        _LOG.warning("module '%s' is called '%s': %s", wanted, name, problem)
    return name
