"""A head: the decision on the outputs of a network that its hardware makes.

The head is an attribute of the function, and of its hardware: kind, number of the network's outputs
that it reads, and the numbers that the kind needs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

import numpy as np
from xdsl.dialects.builtin import DictionaryAttr, FloatAttr, IntegerAttr, StringAttr, f64, i64
from xdsl.ir import Attribute, Operation

from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.attribute_names import HEAD
from kan_dialect.ir.constants import Array, FloatArray, IntArray

Kind: TypeAlias = Literal["argmax", "threshold", "top-k"]
"""Kinds of heads."""


@dataclass(frozen=True)
class Head:
    """A decision on the outputs of a network."""

    kind: Kind
    """`argmax`: index of the first largest output. `threshold`: for each output, 1 if it is greater
    than the threshold. `top-k`: indices of the k largest outputs in order, the first of equal ones
    first."""
    inputs: int
    """Outputs of the network, which the head reads."""
    threshold: float = 0.0
    """On the real scale of the outputs, of kind `threshold`."""
    probability: float | None = None
    """The probability of a sigmoid that the threshold was given as."""
    k: int = 1
    """Number of indices of kind `top-k`."""

    @property
    def outputs(self) -> int:
        """Numbers that the head gives."""
        return {"argmax": 1, "threshold": self.inputs, "top-k": self.k}[self.kind]

    def decide(self, outputs: FloatArray | IntArray) -> IntArray:
        """The decisions for outputs of the network.

        Parameters
        ----------
        outputs : (samples, inputs), real numbers, or integers of one scale.

        Returns
        -------
        (samples, outputs), int64: indices, or bits of kind `threshold`.
        """
        match self.kind:
            case "argmax":
                return outputs.argmax(axis=1).astype(np.int64)[:, np.newaxis]
            case "threshold":
                return (outputs > self.threshold).astype(np.int64)
            case "top-k":
                order = np.argsort(-outputs, axis=1, kind="stable")
                return order[:, : self.k].astype(np.int64)

    def accuracy(self, decisions: IntArray, labels: Array) -> float | None:
        """Share of right decisions: of `top-k`, of samples whose class is among the k.

        None where the labels are no classes, or of `threshold` no bits, one for each output.

        Parameters
        ----------
        decisions : (samples, outputs) of `decide`.
        labels : (samples) or (samples, n), classes or bits.
        """
        if labels.dtype.kind == "f":
            return None
        flat = labels.reshape(len(labels), -1)
        if self.kind == "threshold":
            bits = flat.shape == decisions.shape and bool(np.isin(flat, (0, 1)).all())
            return float((decisions == flat).mean()) if bits else None
        if flat.shape[1] != 1:
            return None
        return float((decisions == flat).any(axis=1).mean())

    def describe(self) -> str:
        """The decision in a few words."""
        match self.kind:
            case "argmax":
                return f"index of the first largest of {self.inputs} outputs"
            case "threshold":
                given = (
                    f"output > {self.threshold:g}"
                    if self.probability is None
                    else f"sigmoid(output) > {self.probability:g}, output > {self.threshold:g}"
                )
                return f"1 if {given}" + (", for each output" if self.inputs > 1 else "")
            case "top-k":
                return f"indices of the {self.k} largest of {self.inputs} outputs, in order"

    def as_dict(self) -> dict[str, str | int | float]:
        """The head as `report.json` has it."""
        found: dict[str, str | int | float] = {"kind": self.kind, "reads": self.inputs}
        if self.kind == "threshold":
            found["threshold"] = self.threshold
            if self.probability is not None:
                found["probability"] = self.probability
        elif self.kind == "top-k":
            found["k"] = self.k
        return found


def logit(probability: float) -> float:
    """The number whose sigmoid is `probability`, which lies between 0 and 1."""
    return math.log(probability) - math.log1p(-probability)


def declare_head(op: Operation, head: Head) -> None:
    """Set the attribute `kan.head` of a function or module."""
    entries: dict[str, Attribute] = {
        "kind": StringAttr(head.kind),
        "reads": IntegerAttr(head.inputs, i64),
    }
    if head.kind == "threshold":
        entries["threshold"] = FloatAttr(head.threshold, f64)
        if head.probability is not None:
            entries["probability"] = FloatAttr(head.probability, f64)
    elif head.kind == "top-k":
        entries["k"] = IntegerAttr(head.k, i64)
    op.attributes[HEAD] = DictionaryAttr(entries)


def declared_head(op: Operation) -> Head | None:
    """The head of a function or module; None without one.

    Raises
    ------
    KanError : the attribute holds something else.
    """
    attribute = op.attributes.get(HEAD)
    if attribute is None:
        return None
    data: Mapping[str, Attribute] = {}
    if isinstance(attribute, DictionaryAttr):
        data = attribute.data
    kind, reads = data.get("kind"), data.get("reads")
    if not (
        isinstance(kind, StringAttr)
        and isinstance(reads, IntegerAttr)
        and kind.data in get_args(Kind)
    ):
        raise KanError(
            f"{HEAD} is no head: {attribute}",
            remedy="lower the model again with this version of kan-compile",
        )
    threshold, probability, k = (data.get(name) for name in ("threshold", "probability", "k"))
    return Head(
        cast("Kind", kind.data),
        reads.value.data,
        threshold.value.data if isinstance(threshold, FloatAttr) else 0.0,
        probability.value.data if isinstance(probability, FloatAttr) else None,
        k.value.data if isinstance(k, IntegerAttr) else 1,
    )
