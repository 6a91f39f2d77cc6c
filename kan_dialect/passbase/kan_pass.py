"""The base class of passes over the `kan` dialect."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, cast

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec, ParameterType

from kan_dialect.deferred import deferred
from kan_dialect.other_packages import naming
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.given_options import GivenOption, require_as_recorded
from kan_dialect.passbase.option_bounds import require_bounds
from kan_dialect.passbase.record import (
    CHANGED,
    changed_by,
    content_digest,
    passes_in_force,
    record,
    recorded_names,
    recorded_pipeline,
)

_LOG = logging.getLogger(__name__)

_levels_in = cast(
    "Callable[[ModuleOp], set[str]]", deferred("kan_dialect.model.model", "levels_in")
)

EXACT = "exact"
"""`preserves` of a pass after which every output is the same.

Bit for bit where there are codes; where there are floats only, up to the rounding of float64, see
`kan_dialect.checking`.
"""


LEVELS = {
    "spline": "spline level (models as imported)",
    "table": "table level (behind kan-quantize and kan-fold-tables)",
    "wire": "wire level (behind kan-expand-wires)",
    "training": "the level of training steps (behind kan-make-trainable)",
    "hardware": "hardware level (behind lower-kan-to-hw)",
}
"""Levels of IR at which passes work, as messages call them."""


@dataclass(frozen=True)
class KanPass(ModulePass):
    """A pass that says what it preserves and leaves its trace in the module.

    A subclass implements `run`. Its result says whether the module is of the pass's level. A module
    of another level stays as it is, and gets no trace. Where a user asked for the pass, a note says
    so.
    """

    works_at: ClassVar[tuple[str, ...]] = ()
    """Names of the `LEVELS` at which the pass works, for that note."""

    option_levels: ClassVar[Mapping[str, str]] = {}
    """Further levels at which the pass works for the sake of one option, by its field."""

    preserves: ClassVar[str] = EXACT
    """`exact`, or the trade in a few words."""

    is_optional: ClassVar[bool] = False
    """Whether pipelines without the pass give the same outputs, by other hardware: `kan-flow tune`
    tries to leave it out."""

    unrecorded: ClassVar[frozenset[str]] = frozenset()
    """Options that the trace leaves out, such as paths: the same input must give the same bytes."""

    def __post_init__(self) -> None:
        """Refuse options out of their bounds; subclasses that check more call this first.

        Raises
        ------
        KanError : names the option, its bounds and its value.
        """
        require_bounds(self)

    @abstractmethod
    def run(self, ctx: Context, module: ModuleOp) -> bool:
        """Rewrite the module. Returns whether it contained something of the pass's level."""

    def require_possible(self, module: ModuleOp, before: Sequence[ModulePass]) -> None:
        """Refuse a module that the pass will refuse, whatever the passes before it make of it.

        A pipeline asks all passes before the first one runs, as searches take minutes.

        Parameters
        ----------
        before : the passes of the pipeline before this one.

        Raises
        ------
        KanError : as of `run`.
        """

    def violation(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        """How far a pass that trades accuracy exceeds its limits, in words; None if it keeps them.

        The check of passes calls it with the function before and after the pass.
        """
        return None

    @property
    def appends_head(self) -> bool:
        """Whether the outputs afterwards are the decision, by `kan.head`, on those before."""
        return False

    def skipped(self, module: ModuleOp) -> None:
        """Called in place of `run` for a module that the pass has already transformed."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        passed = recorded_pipeline(op)
        if not self.apply_to_recorded(ctx, op, passed):
            self._note_level(op)
        elif self.name in passes_in_force(passed):
            _LOG.warning("pass %s runs again: the record of the module has it already", self.name)

    def apply_to_recorded(self, ctx: Context, module: ModuleOp, passed: list[str]) -> bool:
        """Run on a module whose `recorded_pipeline` is `passed`. Returns what `run` returns."""
        with collector_paused():
            at_level = self.run(ctx, module)
            if at_level:
                record(module, [*passed, self.recorded()])
        return at_level

    def _note_level(self, module: ModuleOp) -> None:
        """Note that the module is of no level of the pass, if so."""
        found = _levels_in(module)
        if found.intersection(self.works_at):
            return
        _LOG.warning(
            "pass %s found nothing at %s; the module is at %s",
            self.name,
            " or ".join(LEVELS.get(level, level) for level in self.works_at) or "its level",
            " and ".join(f"{level} level" for level in sorted(found)) or "no level of a network",
        )

    def resuming(self, given: Sequence[GivenOption] = ()) -> ModulePass:
        """The same pass, except that it skips a module that it has already transformed.

        Parameters
        ----------
        given : options of the pass that a user gave. They are refused where the pass has run,
            unless it has run with the same ones.
        """
        return ResumedPass(self, tuple(given))

    def recorded(self) -> str:
        """The pass with its options, as the module's trace spells it."""
        spec = self.spec()
        for field in fields(self):
            if field.name in self.unrecorded:
                spec.parameters.pop(field.name, None)
        return pass_text(spec)


@dataclass(frozen=True)
class WrappedPass(ModulePass):
    """A pass that runs another one and has its name."""

    inner: ModulePass

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] (class variable)
        return self.inner.name


@dataclass(frozen=True)
class ResumedPass(WrappedPass):
    """Runs a pass unless the module's record has it, so that `kan-compile` resumes anywhere."""

    inner: KanPass
    given: tuple[GivenOption, ...] = ()
    """Options that a user gave; an error says so where the pass has run with others."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        passed = recorded_pipeline(op)
        with naming(f"pass {self.name}", type(self.inner)):
            has_run = self.inner.name in passes_in_force(passed)
            if has_run:
                self.inner.skipped(op)
            if has_run or not self.inner.apply_to_recorded(ctx, op, passed):
                require_as_recorded(self.given, self.inner.recorded(), passed)
            elif self.name in recorded_names(passed) and passed[-1].startswith("("):
                change = passed[-1].strip("()")
                _LOG.warning(
                    "pass %s and later ones run again: the module was %s", self.name, change
                )


@dataclass(frozen=True)
class NamedPass(WrappedPass):
    """Runs a pass as drivers do: failures name it, and the record says what it changed.

    A `KanPass` records itself. Any other pass leaves no record, so that a recorded module gets an
    entry that this pass changed it.
    """

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        passed = [] if isinstance(self.inner, KanPass) else recorded_pipeline(op)
        watched = bool(passed) and passed[-1] != CHANGED
        before = content_digest(op) if watched else ""
        with naming(f"pass {self.name}", type(self.inner)):
            self.inner.apply(ctx, op)
        if watched and content_digest(op) != before:
            record(op, [*passed, changed_by(pass_text(self.inner.spec()))])


def unwrapped(stage: ModulePass) -> ModulePass:
    """The pass itself."""
    while isinstance(stage, WrappedPass):
        stage = stage.inner
    return stage


def require_possible(passes: Sequence[ModulePass], module: ModuleOp) -> None:
    """Refuse a module before the passes run, if one of those that will run says so.

    Raises
    ------
    KanError : as of `KanPass.require_possible`.
    """
    done = passes_in_force(recorded_pipeline(module))
    inner = [unwrapped(stage) for stage in passes]
    for index, stage in enumerate(passes):
        each = inner[index]
        if isinstance(each, KanPass) and not (isinstance(stage, ResumedPass) and each.name in done):
            with naming(f"pass {each.name}", type(each)):
                each.require_possible(module, inner[:index])


def pass_text(spec: ArgSpec) -> str:
    """A pass with its options, spelt as `-p` takes them and messages print them: `min-bits`."""
    options = {
        name.replace("_", "-"): tuple(map(_spelt, values))
        for name, values in spec.parameters.items()
    }
    return str(ArgSpec(spec.name, options))


class _Number(float):
    """A float whose text has a point in front of an exponent: xDSL reads `1e-05` as a word."""

    def __str__(self) -> str:
        digits, exponent, power = float.__repr__(self).partition("e")
        point = ".0" if exponent and "." not in digits else ""
        return f"{digits}{point}{exponent}{power}"


def _spelt(value: ParameterType) -> ParameterType:
    return _Number(value) if isinstance(value, float) else value


def claim_of(stage: ModulePass) -> str:
    """The `preserves` of a pass; exact where it has none, as passes of other packages."""
    claim: object = getattr(unwrapped(stage), "preserves", EXACT)
    return claim if isinstance(claim, str) else EXACT


def appends_head(stage: ModulePass) -> bool:
    """Whether a pass makes outputs the decision on them."""
    stage = unwrapped(stage)
    return isinstance(stage, KanPass) and stage.appends_head


def promise_broken(stage: ModulePass, before: func.FuncOp, after: func.FuncOp) -> str | None:
    """How far a pass exceeds its limits, in words; None for passes without limits."""
    stage = unwrapped(stage)
    return stage.violation(before, after) if isinstance(stage, KanPass) else None
