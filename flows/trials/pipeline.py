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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec

from kan_dialect.devices.device import XCUP
from kan_dialect.errors import KanError
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.multiverse import installed_universe
from kan_dialect.passbase.kan_pass import (
    EXACT,
    KanPass,
    NamedPass,
    WrappedPass,
    claim_of,
    pass_text,
    unwrapped,
)
from kan_dialect.passbase.option_text import OptionValue
from kan_dialect.passbase.options import Option, option_of, options_of
from kan_dialect.passbase.pipeline import (
    DATA,
    CompositePass,
    build_pass,
    parse_passes,
    pass_class,
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


def recorded(stage: ModulePass) -> str:
    """A pass with its options but paths."""
    inner = unwrapped(stage)
    return inner.recorded() if isinstance(inner, KanPass) else pass_text(inner.spec())


def trading_passes(passes: Sequence[ModulePass]) -> int:
    """Number of passes up to the last one that trades accuracy; the later ones are exact."""
    return max((n for n, stage in enumerate(passes, 1) if claim_of(stage) != EXACT), default=0)


def up_to_trades(passes: Sequence[ModulePass]) -> list[str]:
    """The passes up to the last one that trades accuracy.

    Pipelines that begin with the same ones give the same codes, if all later passes are exact.
    """
    return [recorded(stage) for stage in passes[: trading_passes(passes)]]


@dataclass(frozen=True)
class Resolved:
    """A pipeline with a value for each option that varies."""

    passes: tuple[ModulePass, ...]
    """The passes in order, composite ones expanded."""
    target: str
    """The device that the passes optimise for."""
    text: str
    """The pipeline for `kan-flow build -p`."""

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Each pass with its options, without paths of calibration data."""
        return tuple(map(recorded, self.passes))

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
class Change:
    """A change of a pipeline: passes added next to a pass, or a pass left out."""

    place: Literal["before", "after", "without"]
    anchor: str
    """Name of the pass: its first place for `before`, its last for `after`, all for `without`."""
    passes: str = ""
    """As after `-p`."""


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as text."""

    text: str = COMPILE
    name: str = ""
    """Its name in a comparison."""
    change: Change | None = None
    fill: Values = ()
    """Values by option: each pass that has the option and is not given it gets the value."""

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

    def option(self, name: str) -> Option:
        """The declaration of an option that may vary, under its canonical name.

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
        if not dot and option in _available():
            return Option(option, "bool", (bool,), True, None, "Whether the pass runs.")
        owner = owner if dot else self._owner_of(option)
        declared = _options(owner)
        if option not in declared:
            raise KanError(
                f"pass {owner} has no option {option!r}",
                remedy=suggestion(option, list(declared), "its options are", list(declared)),
            )
        return replace(declared[option], name=option if owner == COMPILE else f"{owner}.{option}")

    def _owner_of(self, option: str) -> str:
        """The one pass that has an option of this short name."""
        known: dict[str, list[str]] = {}
        for owner in [COMPILE] if self.compiles else self.names:
            for name in _options(owner):
                known.setdefault(name, []).append(owner)
        if option not in known:
            raise KanError(
                f"there is no option {option!r} to vary",
                remedy=suggestion(option, list(known), "options are", list(known)),
            )
        if len(known[option]) > 1:
            several = " or ".join(f"{owner}.{option}" for owner in known[option])
            raise KanError(f"option {option!r} is one of several passes", remedy=f"write {several}")
        return known[option][0]

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
        files = [value for spec in self.specs for value in spec.parameters.get(DATA, ())]
        return [value for value in files if isinstance(value, str)]

    def without_data(self) -> Pipeline:
        """The pipeline whose passes name no file of calibration data."""
        if not self.data_files():
            return self
        kept = (
            ArgSpec(spec.name, {name: v for name, v in spec.parameters.items() if name != DATA})
            for spec in self.specs
        )
        return replace(self, text=",".join(map(pass_text, kept)))

    def resolved(self, values: Values = (), layers: int = 0, data: str | None = None) -> Resolved:
        """The pipeline with values for options.

        Parameters
        ----------
        values : by canonical name.
        layers : number of widths that `kan-quantize` takes beside the width of the inputs.
        data : path of the calibration data for passes that read samples and are given none.

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
        else:
            owner, _, option = name.rpartition(".")
            chosen.setdefault(owner or COMPILE, {})[_field(option)] = value
    fill = dict(pipeline.fill) | ({} if data is None else {DATA: data})
    instances = [
        _instance(_filled(spec, fill), chosen.get(spec.name, {}), layers) for spec in pipeline.specs
    ]
    whole = [stage for instance in instances for stage in _expanded(instance)]
    inner = {name: fields for name, fields in chosen.items() if name not in pipeline.names}
    passes = [
        _replaced(stage, inner[stage.name]) if stage.name in inner else stage
        for stage in whole
        if runs.get(stage.name, True)
    ]
    names = list(dict.fromkeys(stage.name for stage in whole))
    for missing in (inner.keys() | runs.keys()) - set(names):
        raise _without_pass("the pipeline", missing, names)
    if pipeline.change is not None:
        passes = _changed(passes, pipeline.change, pipeline.fill, data)
    targets = [each.target for each in instances if isinstance(each, TargetPass | CompilePass)]
    # As given, unless something in an expansion differs.
    shown = map(unwrapped, passes) if inner or passes != whole else instances
    return Resolved(
        tuple(passes),
        targets[-1] if targets else XCUP.name,
        ",".join(pass_text(stage.spec()) for stage in shown),
    )


def _expanded(instance: ModulePass) -> Sequence[ModulePass]:
    return instance.expand() if isinstance(instance, CompositePass) else [NamedPass(instance)]


def _filled(spec: ArgSpec, fill: Mapping[str, OptionValue]) -> ArgSpec:
    """A pass of the text with values for options that it is not given."""
    fields = {option.field for option in options_of(_class(spec.name))}
    given = spec.parameters
    missing = {name: _as_parameter(v) for name, v in fill.items() if name in fields - given.keys()}
    if "quantizers" in given:
        missing.pop("bits", None)
    return ArgSpec(spec.name, {**given, **missing})


def _instance(spec: ArgSpec, chosen: Mapping[str, OptionValue], layers: int) -> ModulePass:
    """A pass of the text, with the values of the options that vary."""
    parts = {name: chosen[name] for name in map(_field, PARTS_OF_BITS) if name in chosen}
    others = {field: _as_parameter(chosen[field]) for field in chosen.keys() - parts.keys()}
    instance = build_pass(_available(), ArgSpec(spec.name, {**spec.parameters, **others}))
    if parts and isinstance(instance, CompilePass):
        inputs, rest = (parts.get(_field(name), instance.given_bits) for name in PARTS_OF_BITS)
        bits: Any = (inputs, *(rest,) * layers)
        return replace(instance, bits=bits)
    return instance


def _without_pass(what: str, name: str, names: Sequence[str]) -> KanError:
    remedy = suggestion(name, names, "its passes are", names)
    return KanError(f"{what} has no pass {name!r}", remedy=remedy)


def _changed(
    passes: Sequence[ModulePass], change: Change, fill: Values, data: str | None
) -> list[ModulePass]:
    places = [n for n, stage in enumerate(passes) if stage.name == change.anchor]
    if not places:
        names = list(dict.fromkeys(stage.name for stage in passes))
        raise _without_pass("the baseline", change.anchor, names)
    if change.place == "without":
        return [stage for stage in passes if stage.name != change.anchor]
    added = Pipeline(change.passes, fill=fill).resolved(data=data).passes
    at = places[0] if change.place == "before" else places[-1] + 1
    return [*passes[:at], *added, *passes[at:]]


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


def _options(owner: str) -> dict[str, Option]:
    """The options of a pass that may vary, by name."""
    found = {option.name: option for option in options_of(_class(owner)) if option.name != DATA}
    if owner == COMPILE:
        bits = replace(option_of(QuantizePass, "bits"), kinds=(int,))
        found |= dict.fromkeys(PARTS_OF_BITS, bits)
    return found


def _file_digest(name: str) -> str | None:
    """SHA-256 of a file, or None where the file does not exist."""
    try:
        path = Path(name)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    except (OSError, ValueError):
        return None
