"""What the package adds to `kan-opt`: one pass, imported when it is asked for."""

from xdsl.passes import ModulePass
from xdsl.universe import Universe


def _fold_symmetric_tables() -> type[ModulePass]:
    from fold_symmetric_tables.symmetric_tables import FoldSymmetricTablesPass

    return FoldSymmetricTablesPass


UNIVERSE = Universe(all_passes={"fold-symmetric-tables": _fold_symmetric_tables})
