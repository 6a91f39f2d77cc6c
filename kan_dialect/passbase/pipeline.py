"""Pass pipelines from text, `kan-narrow,kan-schedule{cycles=3}`; errors say what to do."""

from __future__ import annotations

import difflib
import math
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec, ParameterType, parse_pipeline
from xdsl.utils.exceptions import ArgSpecParseError

from kan_dialect.deferred import deferred
from kan_dialect.errors import KanError
from kan_dialect.other_packages import name_failure, naming
from kan_dialect.passbase.kan_pass import NamedPass
from kan_dialect.passbase.options import Option, option_name, options_of

_parse_loss = cast(
    "Callable[[str, str], float]", deferred("kan_dialect.search.precision.budgets", "parse_loss")
)
_WITHOUT_POINT = re.compile(r"\d+[eE]-?\d+")
"""A number that xDSL reads as a word."""

DATA = "data"
"""Option of passes that read samples: the path of a data file."""

PassFactory = Callable[[], type[ModulePass]]


class CompositePass(ModulePass):
    """A pass that stands for others; drivers run those: each is timed, printed and checked."""

    @abstractmethod
    def expand(self) -> Sequence[ModulePass]:
        """The passes, in order."""


def suggestion(name: str, names: Sequence[str], what: str, listed: Sequence[str]) -> str:
    """A remedy for an unknown name: the closest of `names`, and the names in `listed`.

    Parameters
    ----------
    what : subject and verb in front of the list: `its options are`.
    listed : some or all of `names`.
    """
    known = f"{what} {', '.join(listed) or 'none'}"
    match = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {match[0]}? {known[0].upper()}{known[1:]}" if match else known


def build_pipeline(
    available: Mapping[str, PassFactory], text: str, data: str | None = None
) -> list[ModulePass]:
    """The passes that `text` names, composite ones expanded.

    Parameters
    ----------
    data : path of a data file, for passes that read samples where the text names no file.

    Raises
    ------
    KanError : the text does not parse, or a pass or option does not exist or has a wrong value.
    """
    passes: list[ModulePass] = []
    for spec in parse_passes(text):
        if data is not None and lacks_data(available, spec):
            spec = ArgSpec(spec.name, {**spec.parameters, DATA: (data,)})
        instance = build_pass(available, spec)
        if isinstance(instance, CompositePass):
            passes.extend(instance.expand())
        else:
            passes.append(NamedPass(instance))
    return passes


def lacks_data(available: Mapping[str, PassFactory], spec: ArgSpec) -> bool:
    """Whether a pass reads samples, and its spec names no file of them.

    Raises
    ------
    KanError : the pass is unknown.
    """
    return DATA not in spec.parameters and reads_data(pass_class(available, spec.name))


def reads_data(kind: type[ModulePass]) -> bool:
    """Whether a pass has the option `data`, a path of samples."""
    return any(option.name == DATA and str in option.kinds for option in options_of(kind))


def parse_passes(text: str) -> list[ArgSpec]:
    """Names and options of the passes in a text. Whether the passes exist is not checked.

    Raises
    ------
    KanError : the text does not parse.
    """
    text = _on_one_line(text)
    try:
        return list(parse_pipeline(text))
    except ArgSpecParseError as error:
        reason = str(error).splitlines()[-1].strip() or "syntax error"
        raise KanError(
            f"cannot read the pass pipeline {text!r}: {reason}",
            remedy='write passes as name{option=value option="text"}, separated by commas',
        ) from None


def _on_one_line(text: str) -> str:
    """A pipeline that was broken over lines: no white space around commas outside quotes."""
    parts = text.strip().split('"')
    parts[::2] = [re.sub(r"\s*,\s*", ",", part) for part in parts[::2]]
    return '"'.join(parts)


def pass_class(available: Mapping[str, PassFactory], name: str) -> type[ModulePass]:
    """The class of a pass.

    Raises
    ------
    KanError : the pass is unknown, or its package fails to import.
    """
    if name not in available:
        ours = sorted(name for name in available if "kan" in name)
        raise KanError(
            f"unknown pass {name!r}",
            remedy=suggestion(name, list(available), "passes over KANs are", ours),
        )
    with naming(f"pass {name}", available[name]):
        return available[name]()


def build_pass(available: Mapping[str, PassFactory], spec: ArgSpec) -> ModulePass:
    """One pass from its spec.

    Raises
    ------
    KanError : a pass or an option is unknown, or a value has the wrong type.
    """
    what = f"pass {spec.name}"
    cls = pass_class(available, spec.name)
    normal = spec.normalize_parameter_names()
    options = {option.field: option for option in options_of(cls)}
    names = [option.name for option in options.values()]
    for field in normal.parameters:
        if field not in options:
            wrong = option_name(field)
            raise KanError(
                f"pass {spec.name} has no option {wrong!r}",
                remedy=suggestion(wrong, names, "its options are", names),
            )
    for field, values in normal.parameters.items():
        option = options[field]
        if option.is_choice and not set(values) <= set(option.choices):
            wrong = next(value for value in values if value not in option.choices)
            raise KanError(
                f"{what}: {option.name} cannot be {wrong!r}",
                remedy=f"use {', '.join(option.choices)}",
            )
        if option.takes_floats:
            normal.parameters[field] = tuple(_as_float(options[field], value) for value in values)
    try:
        return cls.from_spec(normal)
    except KanError as error:
        raise KanError(f"{what}: {error}") from None
    except ValueError as error:
        reason = str(error)
        for field in options:
            reason = reason.replace(f'"{field}"', f'"{option_name(field)}"')
        for field, values in normal.parameters.items():
            if f"given {values}" in reason:
                given = ", ".join(str(value) for value in values)
                reason = f"option {option_name(field)} cannot be {given}"
        types = ", ".join(f"{option.name}: {option.type}" for option in options.values())
        raise KanError(f"{what}: {reason}", remedy=f"its options are {types}") from None
    except Exception as error:
        name_failure(what, cls, error)
        raise


def _as_float(option: Option, value: ParameterType) -> ParameterType:
    """A float, spelt as an integer too, or without a point (`1e-3`), and a loss in percent."""
    if isinstance(value, str) and value.endswith("%") and option.is_loss:
        return _parse_loss(value, option.name)
    if isinstance(value, str) and _WITHOUT_POINT.fullmatch(value):
        return float(value)
    try:
        return float(value) if type(value) is int else value
    except OverflowError:
        return math.inf if isinstance(value, int) and value > 0 else -math.inf
