"""What a rule of an ONNX operator is, and the operator that it gets.

A rule `rule(op, operands)` gives bounds of the results of a node from bounds of its operands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper

from kan_dialect.analysis.enclosures import NoEnclosureError
from kan_dialect.analysis.onnx.bounds import DOUBLE, Noise, constant, noise_of
from kan_dialect.evaluate.onnx_node import NodeFunction, open_node
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.maths.interval_functions import Range


@dataclass(eq=False)
class Operator:
    """A node of a graph, with what its rule needs.

    Parameters
    ----------
    kinds : ONNX element types of inputs and outputs, by name.
    version : version of the operator set.
    constants : constants of the graph, by name.
    """

    node: onnx.NodeProto
    kinds: Mapping[str, int]
    version: int
    constants: Mapping[str, Array]
    attributes: dict[str, Any] = field(init=False)
    sources: list[IntArray] | None = None
    """For a movement: the source element of each result element, counted from 1; 0 is a zero."""

    def __post_init__(self) -> None:
        self.attributes = {
            each.name: helper.get_attribute_value(each) for each in self.node.attribute
        }

    @property
    def kind(self) -> int:
        """Element type of the first result."""
        return self.kinds[self.node.output[0]]

    @property
    def noise(self) -> Noise:
        return noise_of(self.kind)

    @cached_property
    def _function(self) -> NodeFunction:
        return open_node(self.node, self.version, [DOUBLE])

    def evaluate(self, x: FloatArray) -> FloatArray:
        """The operator's result for its one operand, in float64."""
        return self._function([x])[0]

    def number(self, name: str, default: float) -> float:
        return float(self.attributes.get(name, default))

    def parameter(self, name: str, default: float) -> Range:
        """An attribute as bounds; runtimes keep defaults as float32 or as float64."""
        if name in self.attributes:
            return constant(np.array(self.number(name, default)))
        ends = [np.full(1, default), np.full(1, default, dtype=np.float32).astype(np.float64)]
        return Range(np.minimum(*ends), np.maximum(*ends))

    def integer(self, name: str, default: int) -> int:
        return int(self.attributes.get(name, default))

    def none(self, why: str) -> NoEnclosureError:
        return NoEnclosureError(f"the ONNX operator {self.node.op_type} has no bounds {why}")

    def point(self, index: int) -> FloatArray | None:
        """Value of an operand that is a constant; else None."""
        found = self.constants.get(self.node.input[index])
        return None if found is None else found.astype(np.float64)

    def known(self, index: int, what: str) -> IntArray:
        """An operand that must be a constant of integers.

        Parameters
        ----------
        what : name of the operand, for the message.

        Raises
        ------
        NoEnclosureError : it is computed.
        """
        found = self.constants.get(self.node.input[index])
        if found is None:
            raise self.none(f"where {what} is computed")
        return found.astype(np.int64)


Operands: TypeAlias = Sequence[Range | None]
Results: TypeAlias = Range | list[Range]
Rule: TypeAlias = Callable[[Operator, Any], Results]
