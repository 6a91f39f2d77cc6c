"""`kan-opt` with a mistake in `kan-narrow`: what moves from tables into a sum is one too much."""

from typing import Any

from kan_dialect.cli.kan_opt import main
from kan_dialect.passes import narrow

_term: Any = narrow._Term  # pyright: ignore[reportPrivateUsage]


def _wrong_term(values: Any, constant: int, name: str | None = None) -> Any:
    return _term(values, constant + len(values), name)


narrow._Term = _wrong_term  # type: ignore

main()
