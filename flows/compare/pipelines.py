"""The pipelines of a comparison: text as after `-p`, and the baseline with one pass changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec

from kan_dialect.errors import KanError
from kan_dialect.flows.pipelines.stages import without as left_out
from kan_dialect.passbase.kan_pass import pass_text
from kan_dialect.passbase.options import options_of
from kan_dialect.passbase.pipeline import PassFactory, build_pipeline, parse_passes, suggestion

BASELINE = "baseline"
"""Name of the pipeline that the others are compared with."""

DEFAULT = "kan-compile"
"""The baseline where none is given."""


@dataclass(frozen=True)
class Change:
    """A change of a pipeline: passes added next to a pass, or a pass left out."""

    passes: str
    """As after `-p`; empty where `place` is `without`."""
    place: Literal["before", "after", "without"]
    anchor: str
    """Name of the pass: its first place for `before`, its last for `after`, all for `without`."""


@dataclass(frozen=True)
class Pipeline:
    """A pipeline with a name."""

    name: str
    text: str
    """As after `-p`."""
    change: Change | None = None

    def passes(
        self, available: Mapping[str, PassFactory], fill: Mapping[str, Any]
    ) -> list[ModulePass]:
        """The passes, in order, `kan-compile` expanded.

        Parameters
        ----------
        fill : values by option: each pass that has the option and is not given it gets the value.

        Raises
        ------
        KanError : the text cannot be read, or a change names a pass that is not there.
        """
        try:
            passes = build_pipeline(available, _filled(available, self.text, fill))
            return passes if self.change is None else self._changed(passes, available, fill)
        except KanError as error:
            raise KanError(
                f"pipeline {self.name!r}: {error.message}", remedy=error.remedy
            ) from None

    def _changed(
        self,
        passes: list[ModulePass],
        available: Mapping[str, PassFactory],
        fill: Mapping[str, Any],
    ) -> list[ModulePass]:
        change = cast(Change, self.change)
        places = [n for n, stage in enumerate(passes) if stage.name == change.anchor]
        if not places:
            names = list(dict.fromkeys(stage.name for stage in passes))
            raise KanError(
                f"the baseline has no pass {change.anchor!r}",
                remedy=suggestion(change.anchor, names, "its passes are", names),
            )
        if change.place == "without":
            return left_out(passes, change.anchor)
        added = build_pipeline(available, _filled(available, change.passes, fill))
        at = places[0] if change.place == "before" else places[-1] + 1
        return [*passes[:at], *added, *passes[at:]]


def _filled(available: Mapping[str, PassFactory], text: str, fill: Mapping[str, Any]) -> str:
    """A pipeline's text with options filled in."""
    return ",".join(pass_text(_with(available, spec, fill)) for spec in parse_passes(text))


def _with(available: Mapping[str, PassFactory], spec: ArgSpec, fill: Mapping[str, Any]) -> ArgSpec:
    if spec.name not in available:
        return spec
    spec = spec.normalize_parameter_names()
    fields = {option.field for option in options_of(available[spec.name]())}
    missing = {
        name: (value,)
        for name, value in fill.items()
        if name in fields and name not in spec.parameters
    }
    if "quantizers" in spec.parameters:
        missing.pop("bits", None)
    return ArgSpec(spec.name, {**spec.parameters, **missing})


def parse_named(text: str) -> Pipeline:
    """A pipeline from `NAME=TEXT`, as after `--pipeline`.

    Raises
    ------
    KanError : there is no name or no text.
    """
    found = re.fullmatch(r"\s*([\w.+-][\w .+-]*?)\s*=\s*(.+)", text, re.DOTALL)
    if found is None:
        raise KanError(
            f"cannot read --pipeline {text!r}",
            remedy="write NAME=PASSES, as fast=kan-compile{fast=true}, or NAME=@FILE",
        )
    return Pipeline(found[1], found[2])


def parse_change(text: str, baseline: Pipeline) -> Pipeline:
    """The baseline with passes added, from `PASSES before PASS` or `PASSES after PASS`.

    Raises
    ------
    KanError : the text says neither.
    """
    found = re.fullmatch(r"\s*(.+?)\s+(before|after)\s+([\w-]+)\s*", text, re.DOTALL)
    if found is None:
        raise KanError(
            f"cannot read --with {text!r}",
            remedy="write PASSES before PASS or PASSES after PASS, as my-pass before kan-narrow",
        )
    place = cast(Literal["before", "after"], found[2])
    return Pipeline(f"with {found[1]}", baseline.text, Change(found[1], place, found[3]))


def without(name: str, baseline: Pipeline) -> Pipeline:
    """The baseline without a pass."""
    name = name.strip()
    return Pipeline(f"without {name}", baseline.text, Change("", "without", name))


def require_different(pipelines: Sequence[Pipeline]) -> None:
    """Refuse two pipelines of one name, and a baseline that nothing is compared with.

    Raises
    ------
    KanError : names the pipeline.
    """
    names = [pipeline.name for pipeline in pipelines]
    for name in names:
        if names.count(name) > 1:
            raise KanError(
                f"there are two pipelines {name!r}",
                remedy="give one as --pipeline NAME=PASSES with another name, or leave it out",
            )
    if len(pipelines) < 2:
        raise KanError(
            "there is nothing to compare the baseline with",
            remedy="give --pipeline NAME=PASSES, --with 'PASSES before PASS' or --without PASS",
        )
