"""`kan-opt` with an evaluation that raises: `before` at lookups, `after` kan-narrow at tables."""

import sys
from typing import Any

from kan_dialect.cli.kan_opt import main
from kan_dialect.ops.table import TablesOp
from kan_dialect.ops.wire import TableOp
from kan_dialect.passes.narrow import NarrowPass


def _raise(op: Any, operands: Any) -> Any:
    raise IndexError("no such row")


if sys.argv.pop(1) == "before":
    TablesOp.evaluate = _raise
else:
    narrow = NarrowPass.run

    def _run(self: NarrowPass, ctx: Any, module: Any) -> bool:
        changed = narrow(self, ctx, module)
        TableOp.evaluate = _raise
        return changed

    NarrowPass.run = _run

main()
