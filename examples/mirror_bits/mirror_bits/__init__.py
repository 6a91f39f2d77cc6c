"""What the package adds: the dialect `mirror_bits` and a pass, imported when asked for."""

from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.universe import Universe


def _dialect() -> Dialect:
    from mirror_bits.fold import FoldOp

    return Dialect("mirror_bits", [FoldOp])


def _mirror_even_tables() -> type[ModulePass]:
    from mirror_bits.even_tables import MirrorEvenTablesPass

    return MirrorEvenTablesPass


UNIVERSE = Universe(
    all_dialects={"mirror_bits": _dialect},
    all_passes={"mirror-even-tables": _mirror_even_tables},
)
