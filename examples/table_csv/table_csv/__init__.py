"""What the package adds to `kan-opt`: one target, imported when it is asked for."""

from xdsl.universe import Universe
from xdsl.utils.target import Target


def _table_csv() -> type[Target]:
    from table_csv.target import TableCsvTarget

    return TableCsvTarget


UNIVERSE = Universe(all_targets={"table-csv": _table_csv})
