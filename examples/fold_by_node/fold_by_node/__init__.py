"""What the package adds: the dialect `fold_by_node` and a pass, imported when asked for."""

from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.universe import Universe


def _dialect() -> Dialect:
    from fold_by_node.layer import LayerOp

    return Dialect("fold_by_node", [LayerOp])


def _fold_by_node() -> type[ModulePass]:
    from fold_by_node.schedule import FoldByNodePass

    return FoldByNodePass


UNIVERSE = Universe(
    all_dialects={"fold_by_node": _dialect}, all_passes={"fold-by-node": _fold_by_node}
)
