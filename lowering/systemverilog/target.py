"""The target `systemverilog`, and the text of its file.

The file sets the default net type to none, so that tools report names without a declaration.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from kan_dialect.errors import KanError
from kan_dialect.ir.operation import ops_of
from kan_dialect.lowering.hardware_ops import hardware_modules
from kan_dialect.lowering.lut_modules import lut_module
from kan_dialect.lowering.systemverilog.header import file_header
from kan_dialect.lowering.systemverilog.module import write_lut_module, write_module
from kan_dialect.lowering.systemverilog.names import Names, module_name, module_name_problem
from kan_dialect.ops.lut import LutOp
from kan_dialect.passbase.garbage_collector import collector_paused

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SystemVerilogTarget(Target):
    """Prints hardware modules as SystemVerilog."""

    name = "systemverilog"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        output.write(emit_systemverilog(module))


def emit_systemverilog(module: ModuleOp, only: Container[str] | None = None) -> str:
    """The hardware modules of `module` as one SystemVerilog file.

    The same module gives the same bytes.

    Parameters
    ----------
    only : names of the modules to print, as in the IR; None: all.

    Raises
    ------
    KanError : an op is not lowered to hardware yet, or is outside the subset.
    """
    modules = hardware_modules(module)
    for op in module.ops:
        if op not in modules:
            raise KanError(f"'{op.name}' cannot be printed as SystemVerilog")
    names = Names()
    named = {op.sym_name.data: _name_of(op, names) for op in modules}
    with collector_paused():
        shown = [op for op in modules if only is None or op.sym_name.data in only]
        texts = [text for op in shown for text in _texts(op, named[op.sym_name.data], named, names)]
    body = "\n".join(texts)
    return f"{file_header(module, shown)}`default_nettype none\n\n{body}\n`default_nettype wire\n"


def _texts(
    module: hw.HWModuleOp, name: str, named: Mapping[str, str], names: Names
) -> Iterator[str]:
    """The texts of a module, behind those of the modules of its lookup tables.

    Parameters
    ----------
    named : names in the file of the modules of the IR.
    """
    found = {lut_module(op)[0] for op in ops_of(module.body.block) if type(op) is LutOp}
    luts = {each: names.take(each.name(name)) for each in sorted(found)}
    for each, taken in luts.items():
        yield write_lut_module(each, taken)
    yield write_module(module, name, named, luts)


def _name_of(module: hw.HWModuleOp, names: Names) -> str:
    """The module's name in the file, with a warning if it differs from that in the IR."""
    wanted = module.sym_name.data
    problem = module_name_problem(wanted)
    name = names.take(module_name(wanted))
    if problem is not None:
        _LOG.warning("module '%s' is called '%s': %s", wanted, name, problem)
    return name
