"""Constants that `--elide-large-constants` left out, filled again from the printed file."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from io import StringIO
from typing import IO, cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    ModuleOp,
    StringAttr,
)
from xdsl.ir import Attribute, Operation, ParametrizedAttribute, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.frontends.op_places import OpPlaces
from kan_dialect.ir.constants import ConstantPrinter, DenseAttr, is_elided
from kan_dialect.ir.operation import op_text
from kan_dialect.passbase.record import DIGEST_ATTRIBUTE


@dataclass(frozen=True)
class _Constant:
    """A constant of the original module, and where it is."""

    value: DenseAttr
    function: str | None
    given: Attribute | None
    """The op's `name`."""
    result: str | None
    """The name of the op's first result, as printed: `%3`."""


class ElidedFrom:
    """The module that was printed. Its constants fill the ones that were left out."""

    def __init__(self, module: ModuleOp, name: str) -> None:
        """
        Parameters
        ----------
        module : whose record is settled, as that of a module that was read is.
        name : of the file, for messages.
        """
        self.name = name
        self.digest = module.attributes.get(DIGEST_ATTRIBUTE)
        self._constants: dict[tuple[str, str, Attribute], list[_Constant]] = defaultdict(list)
        printer = _NamesPrinter(StringIO())
        printer.print_op(module)
        for op in module.walk():
            function, given = _function_of(op), op.properties.get("name")
            result = printer.names.get(op.results[0]) if op.results else None
            for key, value in (*op.properties.items(), *op.attributes.items()):
                if isinstance(value, DenseIntOrFPElementsAttr):
                    constant = cast(DenseAttr, value)
                    found = _Constant(constant, function, given, result)
                    self._constants[op.name, key, constant.type].append(found)

    def fill(self, module: ModuleOp, places: OpPlaces) -> None:
        """Fill what was left out of a module, as it was read.

        Raises
        ------
        KanError : the module was printed from another one, or it is not certain which constant
            was left out; names the op.
        """
        digest = module.attributes.get(DIGEST_ATTRIBUTE)
        if digest is not None and digest != self.digest:
            raise KanError(
                f"{places.name} was not printed from {self.name}: passes left another module there",
                remedy="name the file that was printed with --elide-large-constants",
            )
        for op in module.walk():
            for attributes in (op.properties, op.attributes):
                for key, value in attributes.items():
                    if isinstance(value, DenseIntOrFPElementsAttr):
                        constant = cast(DenseAttr, value)
                        if is_elided(constant):
                            attributes[key] = self._constant(op, key, constant.type, places)

    def _constant(self, op: Operation, key: str, kind: Attribute, places: OpPlaces) -> DenseAttr:
        """The constant that was left out of an op.

        An op is known by its function, its `name` and the name of its result; by its function and
        its `name`, if it has one; by its result, if its `name` is new; or by being the only one
        with such a constant.
        """
        pool = self._constants.get((op.name, key, kind), [])
        function, given, result = _function_of(op), op.properties.get("name"), places.result_of(op)
        near = [each for each in pool if each.function == function and each.given == given]
        same = [each for each in near or pool if (each.function, each.result) == (function, result)]
        for group in (same, near if given is not None else [], pool):
            values = {each.value for each in group}
            if len(values) == 1:
                return values.pop()
        what = f"{op_text(op)}: the constant '{key}' is elided, and {self.name} has "
        if not pool:
            raise KanError(
                places.located(op, f"{what}none of type {kind}"),
                remedy="write the constant, or undo the change of its type",
            )
        results = ", ".join(each.result or "?" for each in (same or near or pool)[:8])
        raise KanError(
            places.located(op, f"{what}several that it may be, of {results}"),
            remedy="give the op and its result the names that they have there",
        )


class _NamesPrinter(ConstantPrinter):
    """Keeps the names that values have in the text."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(stream, elide_above=0)
        self.names: dict[SSAValue, str] = {}

    def print_ssa_value(self, value: SSAValue) -> str:
        name = super().print_ssa_value(value)
        self.names[value] = f"%{name}"
        return name


def require_complete(module: ModuleOp, places: OpPlaces | None) -> None:
    """Refuse a module with elided constants.

    Raises
    ------
    KanError : names the op.
    """
    for op in module.walk():
        for key, value in (*op.properties.items(), *op.attributes.items()):
            if _holds_elided(value):
                message = f"{op_text(op)}: the constant '{key}' is elided"
                raise KanError(
                    message if places is None else places.located(op, message),
                    remedy="fill it from the printed file: kan-opt FILE --fill-elided ORIGINAL",
                )


def _holds_elided(attribute: Attribute) -> bool:
    """Whether an attribute, or one inside it, is a constant that was left out."""
    match attribute:
        case DenseIntOrFPElementsAttr():
            return is_elided(cast(DenseAttr, attribute))
        case ArrayAttr():
            parts = attribute.data
        case DictionaryAttr():
            parts = attribute.data.values()
        case ParametrizedAttribute():
            parts = attribute.parameters
        case _:
            return False
    return any(_holds_elided(part) for part in parts)


def _function_of(op: Operation) -> str | None:
    """The symbol around an op."""
    parent = op.parent_op()
    while parent is not None:
        name = parent.properties.get("sym_name")
        if isinstance(name, StringAttr):
            return name.data
        parent = parent.parent_op()
    return None
