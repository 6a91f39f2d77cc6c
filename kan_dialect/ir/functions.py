"""The functions of a module, as passes and evaluators read them."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue

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


def function_of(
    name: str,
    block: Block,
    results: Sequence[SSAValue | Operation],
    *,
    arg_attrs: ArrayAttr[DictionaryAttr] | None = None,
    res_attrs: ArrayAttr[DictionaryAttr] | None = None,
) -> func.FuncOp:
    """The function of a block, which gets a `func.return` of the results.

    Parameters
    ----------
    block : its arguments are those of the function.
    arg_attrs, res_attrs : attributes of each argument and result.
    """
    end = func.ReturnOp(*results)
    block.add_op(end)
    types = [value.type for value in block.args], [value.type for value in end.operands]
    return func.FuncOp(name, types, Region(block), arg_attrs=arg_attrs, res_attrs=res_attrs)


def module_of(name: str, block: Block, *results: SSAValue | Operation) -> ModuleOp:
    """A verified module with the function of a block.

    Raises
    ------
    VerifyException : an op of the block does not verify.
    """
    module = ModuleOp([function_of(name, block, results)])
    module.verify()
    return module
