"""Sizes of the layers of a model that a training starts from."""

from __future__ import annotations

from itertools import pairwise

from kan_dialect.api.network import Network
from kan_dialect.errors import KanError


def widths_of(network: Network) -> tuple[int, ...]:
    """Number of nodes of each hidden layer of a model.

    Raises
    ------
    KanError : its layers are not known, or are no chain.
    """
    shapes = [layer.shape for layer in network.layers]
    chained = all(one[0] == other[1] for one, other in pairwise(shapes))
    if not shapes or not chained or (shapes[0][1], shapes[-1][0]) != network.shape:
        raise no_chain(network)
    return tuple(nodes for nodes, _ in shapes[:-1])


def no_chain(network: Network) -> KanError:
    """Says that a model has more than layers of edges."""
    return KanError(
        f"@{network.name} is no plain chain of layers of edges, so that a training cannot start "
        "from it",
        remedy="distil it instead: give it as the teacher, with sizes of hidden layers",
    )
