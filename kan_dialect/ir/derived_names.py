"""Names of ops that passes make from named ones."""

from __future__ import annotations

from kan_dialect.ir.operation import MAX_NAME


def derived_name(name: str | None, suffix: str) -> str | None:
    """The name of an op that a pass makes from a named one; the name itself where it is too long.

    `layer0_sum3`, `common` -> `layer0_sum3_common`
    """
    if name is None or len(name) + len(suffix) + 1 > MAX_NAME:
        return name
    return f"{name}_{suffix}"
