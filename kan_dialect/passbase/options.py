"""The options of passes, read from where they are declared: the fields of the pass's dataclass.

A field gives an option's name, type and default; `bounded` adds the numbers that it takes and the
values that a search tries; the docstring below the field is its help text. A pass that hands an
option on to another pass takes the field over with `taken_from`. Command lines, sweeps and the
documentation read `options_of`.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from functools import cache
from itertools import pairwise
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from xdsl.utils.hints import type_repr

from kan_dialect.passbase.option_bounds import BOUNDS, TRIED, Bounds

_Pass = TypeVar("_Pass")

_SOURCE = "taken from"
"""Key of a field's metadata: the class that declares the option."""


@dataclass(frozen=True)
class Option:
    """An option of a pass."""

    name: str
    """As pipelines and command lines spell it: `max-luts`."""
    type: str
    """As the field is annotated: `int | None`."""
    kinds: tuple[object, ...]
    """The alternatives of the type, evaluated: `(int, NoneType)`; empty where that fails."""
    default: object
    """`dataclasses.MISSING` where the option is required."""
    bounds: Bounds | None
    """The numbers that it takes; None where all are taken, or it takes none."""
    help: str
    """The field's docstring as one line; empty without one."""
    tried: tuple[Any, ...] = ()
    """Values among which `kan-flow tune` searches; all of them give the same outputs."""

    @property
    def field(self) -> str:
        """The name of the dataclass's field: `max_luts`."""
        return self.name.replace("-", "_")

    @property
    def required(self) -> bool:
        """Whether the option has no default."""
        return self.default is MISSING

    @property
    def takes_floats(self) -> bool:
        """Whether numbers are floats, which may be spelt as integers too."""
        return float in self.kinds and int not in self.kinds

    @property
    def is_loss(self) -> bool:
        """Whether the number is a loss, which may be given in percent: `1%` for 0.01."""
        return self.takes_floats and self.name.endswith("-loss")

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that the type lists, such as `auto`; empty where it lists none."""
        listed = (get_args(kind) for kind in self.kinds if get_origin(kind) is Literal)
        return tuple(word for words in listed for word in words)

    @property
    def is_choice(self) -> bool:
        """Whether the option takes the words of `choices` only."""
        return bool(self.choices) and all(
            get_origin(kind) is Literal or kind is NoneType for kind in self.kinds
        )


@cache
def options_of(owner: type[Any]) -> tuple[Option, ...]:
    """The options of a pass, in the order of its fields.

    Parameters
    ----------
    owner : a pass, or any other dataclass with documented fields.
    """
    try:
        types = get_type_hints(owner)
    except NameError:  # an annotation of another package's pass that only type checkers resolve
        types = {}
    return tuple(
        Option(
            option_name(field.name),
            field.type if isinstance(field.type, str) else type_repr(field.type),
            _alternatives(types.get(field.name)),
            _default_of(field),
            field.metadata.get(BOUNDS),
            _help_of(owner, field),
            field.metadata.get(TRIED, ()),
        )
        for field in _fields(owner)
    )


def option_of(owner: type[Any], name: str) -> Option:
    """The option of that name, spelt `max-luts`.

    Raises
    ------
    KeyError : the option is unknown.
    """
    return {option.name: option for option in options_of(owner)}[name]


def option_name(field: str) -> str:
    """The option that a dataclass's field declares: `max-luts` for `max_luts`."""
    return field.replace("_", "-")


def taken_from(owner: type[Any], field: str, *, default: object = MISSING) -> Any:
    """A dataclass field for an option that another pass declares.

    Default, bounds and help text are those of the declaration. A docstring below the new field
    replaces the help text.

    Parameters
    ----------
    owner : the pass that declares the option.
    field : the name of its field there; the new field has the same.
    default : in place of the declared one.
    """
    declared = {each.name: each for each in dataclasses.fields(owner)}[field]
    return dataclasses.field(
        default=declared.default if default is MISSING else default,
        metadata={**declared.metadata, _SOURCE: owner},
    )


def sharing(options: object, kind: Callable[..., _Pass], **chosen: object) -> _Pass:
    """A pass whose options have the values of the same options of another pass.

    Parameters
    ----------
    options : the other pass.
    kind : the class of the pass; its other options keep their defaults.
    chosen : values for single options, in place of the other pass's.
    """
    known = {field.name: getattr(options, field.name) for field in _fields(options)}
    shared = {field.name: known[field.name] for field in _fields(kind) if field.name in known}
    return kind(**(shared | chosen))


def _fields(owner: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(owner) if field.init]


def _alternatives(kind: object) -> tuple[object, ...]:
    if kind is None:
        return ()
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _default_of(field: dataclasses.Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _help_of(owner: type[Any], field: dataclasses.Field[Any]) -> str:
    for cls in owner.__mro__:
        if field.name in inspect.get_annotations(cls):
            text = _field_docstrings(cls).get(field.name, "")
            source = field.metadata.get(_SOURCE)
            if text or source is None:
                return text
            declared = {each.name: each for each in dataclasses.fields(source)}
            return _help_of(source, declared[field.name])
    return ""


@cache
def _field_docstrings(cls: type[Any]) -> Mapping[str, str]:
    """The docstrings below a class's own fields, each as one line."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, SyntaxError):  # no source beside the module, or not this class's
        return {}
    body = cast(ast.ClassDef, tree.body[0]).body
    found: dict[str, str] = {}
    for statement, below in pairwise(body):
        match statement, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
            case _:
                pass
    return found
