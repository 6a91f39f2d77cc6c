"""Where ops stand in the text that they were read from, for messages of verifiers.

xDSL keeps no places of ops. The parser here keeps one number for each op; lines and columns are
counted only where a message needs them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, cast

from xdsl.context import Context
from xdsl.dialects.builtin import DenseResourceAttr, ModuleOp, TensorType
from xdsl.ir import Attribute, Operation
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import ELIDED, elided
from kan_dialect.ir.module_verifier import verify_module
from kan_dialect.ir.verifier import ContextError

_RESULTS = re.compile(r"((?:%[\w$.-]+(?::\d+)?\s*,?\s*)+)=\s*")
"""What stands in front of an op's name."""

_ELIDED = re.compile(rf'dense_resource\s*<\s*"?{ELIDED}"?\s*>')


@dataclass
class OpPlaces:
    """Where the ops of a text begin."""

    text: str
    name: str
    """Of the file, for messages."""
    starts: dict[Operation, int] = field(default_factory=dict[Operation, int])
    """Offset of each op's first character, in characters."""
    lines_before: int = 0
    """Lines of the file that come before the text."""

    def of(self, op: Operation) -> str | None:
        """`FILE:LINE:COLUMN` of an op's name; None for an op that is not in the text."""
        start = self.starts.get(op)
        if start is None:
            return None
        results = _RESULTS.match(self.text, start)
        start = start if results is None else results.end()
        line = self.text.count("\n", 0, start) + 1 + self.lines_before
        return f"{self.name}:{line}:{start - self.text.rfind(chr(10), 0, start)}"

    def result_of(self, op: Operation) -> str | None:
        """The name of an op's first result as the text spells it, `%3`; None without results."""
        start = self.starts.get(op)
        results = None if start is None else _RESULTS.match(self.text, start)
        return None if results is None else re.split(r"[\s:,=]", results[1], maxsplit=1)[0]

    def located(self, op: Operation, message: str) -> str:
        """A message on an op, with the op's place in front if it is in the text."""
        place = self.of(op)
        return message if place is None else f"{place}: {message}"


class PlacedParser(Parser):
    """A parser that keeps where each op begins.

    Constants that are left out of the text become `elided` placeholders.
    """

    def __init__(self, context: Context, text: str, name: str) -> None:
        super().__init__(context, text, name)
        self.places = OpPlaces(text, name)

    def parse_operation(self) -> Operation:
        start = self._current_token.span.start
        op = super().parse_operation()
        self.places.starts[op] = start
        return op

    def parse_optional_attribute(self) -> Attribute | None:
        start = self._current_token.span.start
        attribute = super().parse_optional_attribute()
        if not isinstance(attribute, DenseResourceAttr):
            return attribute
        # xDSL renames a resource whose name it has met, so the text is asked.
        elsewhere = _ELIDED.match(self.places.text, start) is None
        kind = cast(Attribute, attribute.type)
        if elsewhere or not isinstance(kind, TensorType):
            return attribute
        return elided(cast("TensorType[Any]", kind))


def verify_placed(module: ModuleOp, places: OpPlaces | None) -> None:
    """Verify a module that was read, and the order of its ops.

    Raises
    ------
    KanError : it does not verify; names the op's place where the text had it.
    VerifyException : the same, where `places` is None.
    """
    try:
        verify_module(module)
    except VerifyException as error:
        if places is None:
            raise
        op = error.op if isinstance(error, ContextError) else _failing(module)
        raise KanError(places.located(op, str(error))) from None


def _failing(op: Operation) -> Operation:
    """The innermost op that does not verify."""
    for region in op.regions:
        for block in region.blocks:
            for inner in block.ops:
                try:
                    inner.verify()
                except VerifyException:
                    return _failing(inner)
    return op
