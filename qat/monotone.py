"""Results that rise or fall with a feature, by construction.

Edges from such a feature rise or fall with its code, and edges of later layers rise: so do sums,
their codes, and results (Daniels and Velikova, "Monotone and Partially Monotone Neural Networks",
IEEE Transactions on Neural Networks 21, 2010). Rounding keeps the order of values.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray

_WAYS = {"+": 1.0, "-": -1.0}


def directions_of(texts: Sequence[str], features: Sequence[str]) -> FloatArray:
    """The direction of each feature, (features): 1 where results rise, -1 where they fall, else 0.

    Parameters
    ----------
    texts : `FEATURE=+` or `FEATURE=-`.

    Raises
    ------
    KanError : a feature or its direction is unknown, or it is named twice.
    """
    directions = np.zeros(len(features))
    for text in texts:
        name, _, way = text.rpartition("=")
        if way not in _WAYS or not name:
            raise KanError(
                f"--monotone {text} says no direction", remedy=f"write {features[0]}=+, or =-"
            )
        if name not in features:
            raise KanError(
                f"there is no feature {name!r}", remedy=f"name one of {', '.join(features)}"
            )
        index = list(features).index(name)
        if directions[index]:
            raise KanError(f"--monotone names {name!r} twice", remedy="give it one direction")
        directions[index] = _WAYS[way]
    return directions


def property_text(texts: Sequence[str], outputs: Sequence[str]) -> str:
    """The file of these properties, which `kan-flow prove --property` reads.

    Parameters
    ----------
    texts : see `directions_of`.
    outputs : names of the results.
    """
    lines: list[str] = []
    for text in texts:
        name, _, way = text.rpartition("=")
        for output in outputs:
            verb = "rises" if way == "+" else "falls"
            claim = json.dumps(f"{output} {verb} with {name}", ensure_ascii=False)
            lines += [f"[{claim}]", f"monotone = {claim}", ""]
    return "\n".join(lines)


def directed(values: Tensor, directions: Tensor) -> Tensor:
    """Values in an order: the middle of their greatest so far and the least that follows.

    Parameters
    ----------
    values : (..., values).
    directions : (...): 1 for values that rise, -1 for values that fall, 0 for others, which stay.
    """
    signs = torch.where(directions < 0.0, -1.0, 1.0)[..., None]
    rising = values * signs
    greatest = rising.cummax(-1).values
    least = rising.flip(-1).cummin(-1).values.flip(-1)
    return torch.where(directions[..., None].eq(0.0), values, (greatest + least) / 2.0 * signs)
