"""The functions of a module, as passes and evaluators read them."""

from __future__ import annotations

from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError


def functions_of(module: ModuleOp) -> list[func.FuncOp]:
    """The functions that have a body, in order. The body is one block.

    Raises
    ------
    KanError : a function has several blocks. The message names it.
    """
    functions = [op for op in module.ops if isinstance(op, func.FuncOp) and not op.is_declaration]
    for function in functions:
        if len(function.body.blocks) > 1:
            raise KanError(
                f"@{function.sym_name.data} has {len(function.body.blocks)} blocks",
                remedy="the function of a network is one block, without branches",
            )
    return functions
