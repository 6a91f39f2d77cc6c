"""What the package adds to the IR: the dialect `sinc`, imported when it is asked for."""

from xdsl.ir import Dialect
from xdsl.universe import Universe


def _sinc() -> Dialect:
    from sinc_edges.edges import SincEdgesOp

    return Dialect("sinc", [SincEdgesOp])


UNIVERSE = Universe(all_dialects={"sinc": _sinc})
