"""The record of the passes that shaped a module, and of later changes to it.

Two attributes of the module hold it: the passes in order, and a digest of the module that the last
of them left. The digest covers every op, type, property and attribute, but neither names of SSA
values nor comments or layout. If it is not the module's digest, something without a record has
changed the module: an editor, or a pass that is no `KanPass`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    ModuleOp,
    StringAttr,
)
from xdsl.ir import Attribute, Operation

from kan_dialect.ir.constants import DenseAttr

PIPELINE_ATTRIBUTE = "kan.pipeline"
"""Module attribute: the passes that shaped the module, in order, as `-p` would spell them."""

DIGEST_ATTRIBUTE = "kan.digest"
"""Module attribute: the digest of the module, as the last of the recorded passes left it."""

CHANGED = "(edited, or changed by a pass that leaves no record)"
"""Entry of the record: the module changed after the passes before the entry."""


def changed_by(what: str) -> str:
    """The entry of a change by something with a name, such as a pass of another package."""
    return f"(changed by {what})"


def recorded_pipeline(module: ModuleOp) -> list[str]:
    """The passes that shaped the module so far, as text.

    The last entry is `CHANGED` if the module is not the one that these passes left.
    """
    trace = module.attributes.get(PIPELINE_ATTRIBUTE)
    if not isinstance(trace, ArrayAttr):
        return []
    entries = cast("ArrayAttr[Attribute]", trace).data
    passed = [entry.data for entry in entries if isinstance(entry, StringAttr)]
    digest = module.attributes.get(DIGEST_ATTRIBUTE)
    if passed and digest != StringAttr(content_digest(module)):
        passed.append(CHANGED)
    return passed


def recorded_names(recorded: Sequence[str]) -> set[str]:
    """Names of all passes in a record."""
    return {entry.removeprefix("(changed by ").rstrip(")").partition("{")[0] for entry in recorded}


def passes_in_force(recorded: Sequence[str]) -> set[str]:
    """Names of the recorded passes since the last change of the module."""
    in_force: set[str] = set()
    for entry in recorded:
        if entry.startswith("("):
            in_force.clear()
        else:
            in_force.add(entry.partition("{")[0])
    return in_force


def record(module: ModuleOp, passed: Sequence[str]) -> None:
    """Record the passes that shaped the module, with its digest."""
    module.attributes[PIPELINE_ATTRIBUTE] = ArrayAttr(StringAttr(entry) for entry in passed)
    module.attributes[DIGEST_ATTRIBUTE] = StringAttr(content_digest(module))


def settle_record(module: ModuleOp) -> None:
    """If the module has changed since its last recorded pass, add this to the record."""
    passed = recorded_pipeline(module)
    if passed:
        record(module, passed)


def content_digest(module: ModuleOp) -> str:
    """A digest, 16 hexadecimal digits, of the module without its record."""
    text = _Text(module)
    text.add(module)
    return blake2b("\n".join(text.lines).encode(), digest_size=8).hexdigest()


@lru_cache(maxsize=1 << 14)
def _text_of_type(kind: Attribute) -> str:
    """A type as text, cached: most types are the same in the next pass."""
    return str(kind)


class _Text:
    """A module as lines of text for the digest. Much faster than xDSL's printer.

    Values and blocks are numbered in order. They and attributes are keys by identity, since all of
    them stay alive meanwhile, and hashing an attribute walks all of its parts.
    """

    def __init__(self, module: ModuleOp) -> None:
        self.module = module
        self.lines: list[str] = []
        self.numbers: dict[int, int] = {}
        self.types: dict[int, str] = {}

    def add(self, op: Operation) -> None:
        lines, numbers = self.lines, self.numbers
        lines.append(op.name)
        for group in (op.operands, op.successors):
            if group:
                lines.append(str([numbers.setdefault(id(each), len(numbers)) for each in group]))
        for result in op.results:
            number = numbers.setdefault(id(result), len(numbers))
            lines.append(f"{number}: {self.of_type(result.type)}")
        for kind, entries in (("<", op.properties), ("{", op.attributes)):
            if not entries:
                continue
            for name in sorted(entries) if len(entries) > 1 else entries:
                if op is not self.module or name not in (PIPELINE_ATTRIBUTE, DIGEST_ATTRIBUTE):
                    lines.append(f"{kind}{name} {self.of_attribute(entries[name])}")
        for region in op.regions:
            lines.append("(")
            for block in region.blocks:
                lines.append(f"^{numbers.setdefault(id(block), len(numbers))}")
                for argument in block.args:
                    number = numbers.setdefault(id(argument), len(numbers))
                    lines.append(f"{number}: {self.of_type(argument.type)}")
                for inner in block.ops:
                    self.add(inner)
            lines.append(")")

    def of_type(self, kind: Attribute) -> str:
        text = self.types.get(id(kind))
        if text is None:
            text = self.types[id(kind)] = _text_of_type(kind)
        return text

    def of_attribute(self, attribute: Attribute) -> str:
        # By class, most frequent first: it is quicker than `match`, which takes subclasses, too.
        cls = type(attribute)
        if cls is StringAttr:
            return repr(cast(StringAttr, attribute).data)
        if cls is IntegerAttr:
            number = cast("IntegerAttr[IntegerType | IndexType]", attribute)
            return f"{number.value.data} {self.of_type(number.type)}"
        if cls is DenseIntOrFPElementsAttr:
            dense = cast(DenseAttr, attribute)
            return f"{dense.data.data.hex()} {self.of_type(dense.type)}"
        if cls is DenseArrayBase:
            array = cast(DenseArrayBase, attribute)
            return f"[{array.data.data.hex()} {self.of_type(array.elt_type)}]"
        return str(attribute)
