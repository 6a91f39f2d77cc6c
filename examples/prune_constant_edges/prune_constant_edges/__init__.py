"""What the package adds to `kan-opt`: one pass, imported when it is asked for."""

from xdsl.passes import ModulePass
from xdsl.universe import Universe


def _prune_constant_edges() -> type[ModulePass]:
    from prune_constant_edges.constant_edges import PruneConstantEdgesPass

    return PruneConstantEdgesPass


UNIVERSE = Universe(all_passes={"prune-constant-edges": _prune_constant_edges})
