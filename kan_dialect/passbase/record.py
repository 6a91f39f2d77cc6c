"""The record of the passes that shaped a module, and of later changes to it.

Two attributes of the module hold it: the passes in order, and a digest of the module that the last
of them left. The digest covers every op, type, property and attribute, but neither names of
features, classes and SSA values nor comments or layout. Discardable attributes of other dialects
(`my.note`) mean nothing to our passes, and are not covered. If it is not the module's digest,
something without a record has changed the module: an editor, or a pass that is no `KanPass`.

While a record is open, nothing but recording passes touches the module, and the digest is left out:
it takes as long as a small pass, and each pass needs it before and after it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    ModuleOp,
    StringAttr,
    UnregisteredOp,
)
from xdsl.ir import Attribute, Operation
from xdsl.irdl import IRDLOperation

from kan_dialect.ir.attributes.attribute_names import (
    CLASSES,
    FEATURES,
    LABEL,
    MISSING,
    TARGETS,
)
from kan_dialect.ir.attributes.value_names import NAME_HINT
from kan_dialect.ir.operation import operands_of

if TYPE_CHECKING:
    from kan_dialect.ir.constants import DenseAttr

PIPELINE_ATTRIBUTE = "kan.pipeline"
"""Module attribute: the passes that shaped the module, in order, as `-p` would spell them."""

DIGEST_ATTRIBUTE = "kan.digest"
"""Module attribute: the digest of the module, as the last of the recorded passes left it."""

_LEFT_OUT = frozenset(
    {PIPELINE_ATTRIBUTE, DIGEST_ATTRIBUTE, FEATURES, CLASSES, LABEL, TARGETS, MISSING}
)
"""Attributes that the digest does not cover: the record, and names, which change no hardware."""

CHANGED = "(edited, or changed by a pass that leaves no record)"
"""Entry of the record: the module changed after the passes before the entry."""


def changed_by(what: str) -> str:
    """The entry of a change by something with a name, such as a pass of another package."""
    return f"(changed by {what})"


_OPEN: WeakKeyDictionary[ModuleOp, list[str]] = WeakKeyDictionary()
"""The records that are open."""


@contextmanager
def open_record(
    module: ModuleOp, *, written: bool = True, trusted: bool = False
) -> Generator[None]:
    """Inside, only passes that record themselves change the module: no digest is needed.

    If a pass fails, the module counts as changed.

    Parameters
    ----------
    written : whether the attributes are written at the end. That takes a digest, and is for
        nothing where the module is not needed any more.
    trusted : whether the module is known to be the one that its recorded passes left.
    """
    if module in _OPEN:
        yield
        return
    passed = _OPEN[module] = _passed(module) if trusted else recorded_pipeline(module)
    failed = True
    try:
        yield
        failed = False
    finally:
        recorded = _OPEN.pop(module)
        if written and recorded is not passed:
            record(module, recorded)
            if failed:
                del module.attributes[DIGEST_ATTRIBUTE]


def recorded_pipeline(module: ModuleOp) -> list[str]:
    """The passes that shaped the module so far, as text.

    The last entry is `CHANGED` if the module is not the one that these passes left.
    """
    trusted = _OPEN.get(module)
    if trusted is not None:
        return list(trusted)
    passed = _passed(module)
    digest = module.attributes.get(DIGEST_ATTRIBUTE)
    if passed and digest != StringAttr(content_digest(module)):
        passed.append(CHANGED)
    return passed


def _passed(module: ModuleOp) -> list[str]:
    """The passes that the module's attribute lists."""
    trace = module.attributes.get(PIPELINE_ATTRIBUTE)
    if not isinstance(trace, ArrayAttr):
        return []
    entries = cast("ArrayAttr[Attribute]", trace).data
    return [entry.data for entry in entries if isinstance(entry, StringAttr)]


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
    if module in _OPEN:
        _OPEN[module] = list(passed)
        return
    module.attributes[PIPELINE_ATTRIBUTE] = ArrayAttr(StringAttr(entry) for entry in passed)
    module.attributes[DIGEST_ATTRIBUTE] = StringAttr(content_digest(module))


def settle_record(module: ModuleOp) -> None:
    """If the module has changed since its last recorded pass, add this to the record."""
    passed = recorded_pipeline(module)
    if passed:
        record(module, passed)


def content_digest(module: ModuleOp) -> str:
    """A digest, 16 hexadecimal digits, of the module without its record and names of data."""
    text = _Text(module)
    text.add(module)
    return blake2b("\n".join(text.lines).encode(), digest_size=8).hexdigest()


@lru_cache(maxsize=1 << 14)
def _text_of_type(kind: Attribute) -> str:
    """A type as text, cached: most types are the same in the next pass."""
    return str(kind)


def _is_foreign(name: str) -> bool:
    """Whether a discardable attribute has no meaning to our passes, by its name."""
    return not name.startswith("kan.") and name != NAME_HINT


@lru_cache(maxsize=1 << 10)
def _counts(kind: type[Operation], name: str) -> bool:
    """Whether an attribute of an op of this class belongs to the digest."""
    if not _is_foreign(name) or not issubclass(kind, IRDLOperation):
        return True
    return issubclass(kind, UnregisteredOp) or name in kind.get_irdl_definition().attributes


def _without_foreign(attribute: Attribute) -> Attribute:
    """Attributes of arguments and results, an array of dictionaries, without foreign ones."""
    entries = cast("ArrayAttr[Attribute]", attribute).data
    if not entries or not all(isinstance(each, DictionaryAttr) for each in entries):
        return attribute
    return ArrayAttr(
        DictionaryAttr({name: value for name, value in each.data.items() if not _is_foreign(name)})
        for each in cast("tuple[DictionaryAttr, ...]", entries)
    )


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
        """Add the lines of an op and of all ops within it.

        Thousands of ops go through here after each pass, so names are looked up once, and of all
        ops only the last one of a block, and the module, are asked for successors.
        """
        lines, numbers, types = self.lines, self.numbers, self.types
        number_of, append = numbers.setdefault, lines.append
        append(op.name)
        if operands := [number_of(id(each), len(numbers)) for each in operands_of(op)]:
            append(str(operands))
        if op.next_op is None and (successors := op.successors):
            append(str([number_of(id(each), len(numbers)) for each in successors]))
        for result in op.results:
            kind = result.type
            text = types.get(id(kind)) or self.of_type(kind)
            append(f"{number_of(id(result), len(numbers))}: {text}")
        if entries := op.properties:
            for name in sorted(entries) if len(entries) > 1 else entries:
                append(f"<{name} {self.of_attribute(entries[name])}")
        if entries := op.attributes:
            for name in sorted(entries) if len(entries) > 1 else entries:
                if name not in _LEFT_OUT and _counts(type(op), name):
                    append(f"{{{name} {self.of_attribute(entries[name])}")
        for region in op.regions:
            append("(")
            for block in region.blocks:
                append(f"^{number_of(id(block), len(numbers))}")
                for argument in block.args:
                    number = number_of(id(argument), len(numbers))
                    append(f"{number}: {self.of_type(argument.type)}")
                inner = block.first_op
                while inner is not None:
                    self.add(inner)
                    inner = inner.next_op
            append(")")

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
            dense = cast("DenseAttr", attribute)
            return f"{dense.data.data.hex()} {self.of_type(dense.type)}"
        if cls is DenseArrayBase:
            array = cast(DenseArrayBase, attribute)
            return f"[{array.data.data.hex()} {self.of_type(array.elt_type)}]"
        return str(_without_foreign(attribute) if cls is ArrayAttr else attribute)
