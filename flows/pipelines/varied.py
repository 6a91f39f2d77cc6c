"""A pipeline whose options vary: its text, values for options, and the resolved passes.

An option that varies is called `PASS.OPTION`, as in `kan-split-tables.parts`. The pass stands in
the text, where all its occurrences take the value. If it does not, it stands in the expansion of a
pass of the text, as `kan-split-tables` does in that of `kan-compile`. Options of `kan-compile` go
by their short names, such as `bits`. Two further short names set a part of its `bits`: `input-bits`
for the codes of the inputs, `activation-bits` for all layers. The name of a pass alone varies
whether the pass runs: `kan-merge-tables=false` leaves it out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec

from kan_dialect.devices.device import XCUP
from kan_dialect.errors import KanError
from kan_dialect.flows.pipelines.stages import recorded
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.multiverse import installed_universe
from kan_dialect.other_packages import OURS, package_of
from kan_dialect.passbase.kan_pass import NamedPass, WrappedPass, pass_text, unwrapped
from kan_dialect.passbase.option_text import OptionValue
from kan_dialect.passbase.options import Option, option_of, options_of
from kan_dialect.passbase.pipeline import (
    DATA,
    CompositePass,
    build_pass,
    parse_passes,
    pass_class,
    reads_data,
    suggestion,
)
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.passes.schedule import SchedulePass

COMPILE = CompilePass.name

INPUT_BITS = "input-bits"
ACTIVATION_BITS = "activation-bits"
PARTS_OF_BITS = (INPUT_BITS, ACTIVATION_BITS)

SCHEDULE_OPTIONS = ("levels", "cycles", "combinational")
"""Options of `kan-schedule` that choose a schedule."""

Values = tuple[tuple[str, OptionValue], ...]
"""Values of options by canonical name."""

_BITS = replace(option_of(QuantizePass, "bits"), kinds=(int,))


@dataclass(frozen=True)
class Resolved:
    """A pipeline with a value for each option that varies."""

    passes: tuple[ModulePass, ...]
    """The passes in order, composite ones expanded."""
    texts: tuple[str, ...]
    """Each pass with its options, without paths of calibration data."""
    target: str
    """The device that the passes optimise for."""
    text: str
    """The pipeline for `kan-flow build -p`."""

    @property
    def key(self) -> list[str]:
        """Passes, options, target and the digests of the files that options name."""
        files = (
            value
            for stage in map(unwrapped, self.passes)
            for name, values in stage.spec().parameters.items()
            if name != DATA
            for value in values
            if isinstance(value, str)
        )
        return [*self.texts, self.target, *filter(None, map(_file_digest, files))]


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as text."""

    text: str = COMPILE

    @cached_property
    def specs(self) -> tuple[ArgSpec, ...]:
        """The passes of the text with their options.

        Raises
        ------
        KanError : the text does not parse.
        """
        return tuple(spec.normalize_parameter_names() for spec in parse_passes(self.text))

    @property
    def names(self) -> tuple[str, ...]:
        """Distinct names of the passes of the text."""
        return tuple(dict.fromkeys(spec.name for spec in self.specs))

    @property
    def compiles(self) -> bool:
        """Whether the pipeline contains `kan-compile`, whose options have short names."""
        return COMPILE in self.names

    @property
    def packages(self) -> tuple[str, ...]:
        """Top-level packages of the passes, apart from this compiler."""
        found = {package_of(_class(name)) for name in self.names}
        return tuple(sorted(found - {OURS}))

    def option(self, name: str) -> tuple[str, Option]:
        """The canonical name and the declaration of an option that may vary.

        Parameters
        ----------
        name : `PASS.OPTION`; the short name of an option of `kan-compile` or, in a pipeline
            without it, of an option that only one pass has; or `PASS`, which varies whether the
            pass runs.

        Raises
        ------
        KanError : this pipeline lacks the option, or several passes have it.
        """
        owner, dot, option = name.rpartition(".")
        option = option.replace("_", "-")
        if option == DATA:
            raise KanError(
                f"there is no option {name!r} to vary; --calibration gives the data",
                remedy="vary other options",
            )
        if dot:
            return self._option_of(owner, option)
        if option in _available():
            self._require_pass(option)
            return option, Option(option, "bool", (bool,), True, None, "Whether the pass runs.")
        known = self._short_names()
        if option in known:
            owners = known[option]
            if len(owners) > 1:
                several = " or ".join(f"{owner}.{option}" for owner in owners)
                raise KanError(
                    f"option {option!r} is one of several passes", remedy=f"write {several}"
                )
            return self._option_of(owners[0], option)
        raise KanError(
            f"there is no option {option!r} to vary",
            remedy=suggestion(option, list(known), "options are", list(known)),
        )

    def _short_names(self) -> dict[str, list[str]]:
        """Passes by the short names of their options."""
        owners = [COMPILE] if self.compiles else self.names
        known: dict[str, list[str]] = {}
        for owner in owners:
            for option in options_of(_class(owner)):
                if option.name != DATA:
                    known.setdefault(option.name, []).append(owner)
        return known | ({name: [COMPILE] for name in PARTS_OF_BITS} if self.compiles else {})

    def _require_pass(self, owner: str, option: str | None = None) -> None:
        expands = any(issubclass(_class(name), CompositePass) for name in self.names)
        if owner not in self.names and (owner not in _available() or not expands):
            varied = owner if option is None else f"{owner}.{option}"
            raise KanError(
                f"cannot vary {varied}: the pipeline has no pass {owner!r}",
                remedy=suggestion(owner, self._known_passes(), "its passes are", self.names),
            )

    def _option_of(self, owner: str, option: str) -> tuple[str, Option]:
        self._require_pass(owner, option)
        short = owner == COMPILE
        if short and option in PARTS_OF_BITS:
            return option, replace(_BITS, name=option)
        declared = {each.name: each for each in options_of(_class(owner)) if each.name != DATA}
        if option not in declared:
            raise KanError(
                f"pass {owner} has no option {option!r}",
                remedy=suggestion(option, list(declared), "its options are", list(declared)),
            )
        name = option if short else f"{owner}.{option}"
        return name, replace(declared[option], name=name)

    def _known_passes(self) -> list[str]:
        return [*self.names, *(name for name in _available() if name.startswith("kan-"))]

    def schedule_options(self) -> Mapping[str, str]:
        """Canonical names of the options of schedules.

        Raises
        ------
        KanError : no pass of the pipeline schedules.
        """
        if self.compiles:
            return {option: option for option in SCHEDULE_OPTIONS}
        if SchedulePass.name in self.names:
            return {option: f"{SchedulePass.name}.{option}" for option in SCHEDULE_OPTIONS}
        raise KanError(
            "--schedule varies the options of kan-schedule, which is not in the pipeline",
            remedy="add kan-schedule or kan-compile",
        )

    def data_files(self) -> list[str]:
        """Files of calibration data that the text names."""
        return [
            value
            for spec in self.specs
            for value in spec.parameters.get(DATA, ())
            if isinstance(value, str)
        ]

    def resolved(self, values: Values, layers: int, data: str | None) -> Resolved:
        """The pipeline with values for options.

        Parameters
        ----------
        values : by canonical name.
        layers : number of widths that `kan-quantize` takes beside the width of the inputs.
        data : path of the calibration data, or None. It replaces paths in the text, and is given
            to all passes that read samples.

        Raises
        ------
        KanError : an option does not take its value, or no pass has the option.
        """
        return _resolved(self, values, layers, data)


DEFAULT = Pipeline()
"""`kan-compile` alone."""


@lru_cache(maxsize=1024)
def _resolved(pipeline: Pipeline, values: Values, layers: int, data: str | None) -> Resolved:
    chosen: dict[str, dict[str, OptionValue]] = {}
    runs: dict[str, bool] = {}
    for name, value in values:
        if name in _available():
            runs[name] = bool(value)
            continue
        owner, _, option = name.rpartition(".")
        chosen.setdefault(owner or COMPILE, {})[option.replace("-", "_")] = value
    left_out = {name for name, is_run in runs.items() if not is_run}
    instances = [
        _instance(spec, chosen.get(spec.name, {}), layers, data) for spec in pipeline.specs
    ]
    found = set(pipeline.names)
    within = {name: fields for name, fields in chosen.items() if name not in found}
    passes: list[ModulePass] = []
    texts: list[str] = []
    for instance in instances:
        if not isinstance(instance, CompositePass):
            if instance.name not in left_out:
                passes.append(NamedPass(instance))
                texts.append(pass_text(instance.spec()))
            continue
        expanded = [(unwrapped(stage).name, stage) for stage in instance.expand()]
        inner = {name for name, _ in expanded}
        stages = [
            _replaced(stage, within[name]) if name in within else stage
            for name, stage in expanded
            if name not in left_out
        ]
        passes += stages
        if (within.keys() | left_out) & inner:
            texts += [pass_text(unwrapped(stage).spec()) for stage in stages]
        else:
            texts.append(pass_text(instance.spec()))
        found |= inner
    for missing in (within.keys() | runs.keys()) - found:
        raise KanError(
            f"the pipeline has no pass {missing!r} here",
            remedy=f"its passes are {', '.join(stage.name for stage in passes)}",
        )
    targets = [each.target for each in instances if isinstance(each, TargetPass | CompilePass)]
    return Resolved(
        tuple(passes),
        tuple(recorded(stage) for stage in passes),
        targets[-1] if targets else XCUP.name,
        ",".join(texts),
    )


def _instance(
    spec: ArgSpec, chosen: Mapping[str, OptionValue], layers: int, data: str | None
) -> ModulePass:
    """A pass of the text, with the values of the options that vary."""
    parts = {name: chosen[name] for name in map(_field, PARTS_OF_BITS) if name in chosen}
    parameters = dict(spec.parameters)
    for field, value in chosen.items():
        if field not in parts:
            parameters[field] = _as_parameter(value)
    if data is not None and reads_data(_class(spec.name)):
        parameters[DATA] = (data,)
    instance = build_pass(_available(), ArgSpec(spec.name, parameters))
    if parts and isinstance(instance, CompilePass):
        inputs, others = (parts.get(_field(name), instance.given_bits) for name in PARTS_OF_BITS)
        bits: Any = (inputs, *(others,) * layers)
        return replace(instance, bits=bits)
    return instance


def _as_parameter(value: OptionValue) -> tuple[Any, ...]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _replaced(stage: ModulePass, fields: Mapping[str, Any]) -> ModulePass:
    """A pass with other options, in its wrappers.

    Raises
    ------
    KanError : an option does not take its value.
    """
    if isinstance(stage, WrappedPass):
        return replace(stage, inner=_replaced(stage.inner, fields))
    return replace(stage, **fields)


def _field(option: str) -> str:
    return option.replace("-", "_")


@cache
def _available() -> Mapping[str, Callable[[], type[ModulePass]]]:
    """All installed passes by name."""
    return installed_universe().all_passes


def _class(name: str) -> type[ModulePass]:
    """The class of an installed pass.

    Raises
    ------
    KanError : the name is unknown, or its package does not import.
    """
    return pass_class(_available(), name)


def _file_digest(name: str) -> str | None:
    """SHA-256 of a file, or None where the file does not exist."""
    try:
        path = Path(name)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    except (OSError, ValueError):
        return None
