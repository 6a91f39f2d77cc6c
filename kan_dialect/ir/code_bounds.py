"""The smallest and largest code of each element of a tensor: guaranteed by the op that makes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import cast

from xdsl.ir import SSAValue

from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import QuantTensor, element_bounds


class BoundedCodes(ABC):
    """Interface of an op that bounds the codes of its result more tightly than their storage."""

    @abstractmethod
    def code_bounds(self) -> tuple[IntArray, IntArray]:
        """Smallest and largest code of each element of the result, int64, in its shape."""


def bounds_of(value: SSAValue) -> tuple[IntArray, IntArray]:
    """Smallest and largest code of each element of a tensor of codes: by its producer, or its type.

    Parameters
    ----------
    value : of a tensor of `!quant.uniform`.
    """
    owner = value.owner
    if isinstance(owner, BoundedCodes):
        return owner.code_bounds()
    return element_bounds(cast(QuantTensor, value.type), None)
