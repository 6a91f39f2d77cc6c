"""Verification of the module that a pass left."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import VerifyException

from kan_dialect.errors import KanError
from kan_dialect.ir.module_verifier import verify_module
from kan_dialect.ir.operation import ops_of


def verify_after(stage: ModulePass, module: ModuleOp) -> None:
    """Verify the module that a pass left.

    Raises
    ------
    KanError : the module does not verify, or an op that is not in it reads a value of it. Names the
        pass.
    """
    try:
        verify_module(module)
    except VerifyException as error:
        raise KanError(f"{stage.name} leaves IR that does not verify: {error}") from None
    reader = next(_readers_outside(module), None)
    if reader is not None:
        raise KanError(
            f"{stage.name} leaves '{reader.name}' outside of the module, which reads a value of it",
            remedy="insert an op that a pass builds, or erase it",
        )


def _readers_outside(module: ModuleOp) -> Iterator[Operation]:
    """Ops that read a value of the module, and are not in it: later passes would meet them."""
    blocks = [block for op in module.ops for region in op.regions for block in region.blocks]
    while blocks:
        block = blocks.pop()
        ops = ops_of(block)
        blocks += (inner for op in ops for region in op.regions for inner in region.blocks)
        for value in chain(block.args, chain.from_iterable(op.results for op in ops)):
            for use in value.uses:
                reader = use.operation
                if reader.parent is not block and not module.is_ancestor(reader):
                    yield reader
