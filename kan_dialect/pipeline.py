"""Pass pipelines from text, `kan-narrow,kan-schedule{cycles=3}`; errors say what to do."""

from __future__ import annotations

import dataclasses
import difflib
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec, parse_pipeline
from xdsl.utils.exceptions import ArgSpecParseError
from xdsl.utils.hints import type_repr

from kan_dialect.errors import KanError

PassFactory = Callable[[], type[ModulePass]]


class CompositePass(ModulePass):
    """A pass that stands for others; drivers run those: each is timed, printed and checked."""

    @abstractmethod
    def expand(self) -> Sequence[ModulePass]:
        """The passes, in order."""


def closest(name: str, names: Sequence[str]) -> str:
    """` (did you mean ...?)`, or nothing."""
    match = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {match[0]}?)" if match else ""


def build_pipeline(available: Mapping[str, PassFactory], text: str) -> list[ModulePass]:
    """The passes that `text` names, composite ones expanded.

    Raises
    ------
    KanError : the text does not parse, or a pass or option does not exist or has a wrong value.
    """
    text = _on_one_line(text)
    try:
        specs = list(parse_pipeline(text))
    except ArgSpecParseError as error:
        reason = str(error).splitlines()[-1].strip() or "syntax error"
        raise KanError(
            f"cannot read the pass pipeline {text!r}: {reason}",
            remedy='write passes as name{option=value option="text"}, separated by commas',
        ) from None
    passes: list[ModulePass] = []
    for spec in specs:
        instance = build_pass(available, spec)
        passes.extend(instance.expand() if isinstance(instance, CompositePass) else [instance])
    return passes


def _on_one_line(text: str) -> str:
    """A pipeline that was broken over lines: no white space around commas outside quotes."""
    parts = text.strip().split('"')
    parts[::2] = [re.sub(r"\s*,\s*", ",", part) for part in parts[::2]]
    return '"'.join(parts)


def build_pass(available: Mapping[str, PassFactory], spec: ArgSpec) -> ModulePass:
    """One pass from its spec.

    Raises
    ------
    KanError : no such pass or option, or a value of the wrong type.
    """
    if spec.name not in available:
        ours = sorted(name for name in available if "kan" in name)
        raise KanError(
            f"unknown pass {spec.name!r}{closest(spec.name, list(available))}",
            remedy=f"passes over KANs are {', '.join(ours)}",
        )
    cls = available[spec.name]()
    normal = spec.normalize_parameter_names()
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for option in normal.parameters:
        if option not in fields:
            listed = ", ".join(_option_name(name) for name in fields) or "none"
            raise KanError(
                f"pass {spec.name} has no option {_option_name(option)!r}"
                f"{closest(option, list(fields))}",
                remedy=f"its options are: {listed}",
            )
    for option, values in normal.parameters.items():
        if fields[option].type in ("float", float, "float | None"):
            # A float may be spelt as an integer.
            normal.parameters[option] = tuple(
                float(value) if type(value) is int else value for value in values
            )
    try:
        return cls.from_spec(normal)
    except KanError as error:
        raise KanError(f"pass {spec.name}: {error}") from None
    except ValueError as error:
        what = str(error)
        for option, values in normal.parameters.items():
            if f"given {values}" in what:
                given = ", ".join(str(value) for value in values)
                what = f"option {_option_name(option)} cannot be {given}"
        types = ", ".join(f"{_option_name(name)}: {_type_name(f)}" for name, f in fields.items())
        raise KanError(f"pass {spec.name}: {what}", remedy=f"its options are {types}") from None


def _option_name(field: str) -> str:
    return field.replace("_", "-")


def _type_name(field: dataclasses.Field[object]) -> str:
    return field.type if isinstance(field.type, str) else type_repr(field.type)
