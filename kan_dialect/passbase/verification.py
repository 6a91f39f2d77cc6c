"""Verification of the module that a pass left."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import VerifyException

from kan_dialect.errors import KanError
from kan_dialect.ir.module_verifier import verify_module


def verify_after(stage: ModulePass, module: ModuleOp) -> None:
    """Verify the module that a pass left.

    Raises
    ------
    KanError : the module does not verify. Names the pass.
    """
    try:
        verify_module(module)
    except VerifyException as error:
        raise KanError(f"{stage.name} leaves IR that does not verify: {error}") from None
