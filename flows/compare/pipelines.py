"""The pipelines of a comparison: text as after `-p`, and the baseline with one pass changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast

from kan_dialect.errors import KanError
from kan_dialect.flows.trials.pipeline import Change, Pipeline

BASELINE = "baseline"
"""Name of the pipeline that the others are compared with."""


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
    return Pipeline(found[2], found[1])


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
    change = Change(place, found[3], found[1])
    return replace(baseline, name=f"with {found[1]}", change=change)


def without(name: str, baseline: Pipeline) -> Pipeline:
    """The baseline without a pass."""
    name = name.strip()
    return replace(baseline, name=f"without {name}", change=Change("without", name))


def spelt(pipeline: Pipeline) -> str:
    """A pipeline in words: its text and its change."""
    change = pipeline.change
    if change is None:
        return pipeline.text
    if change.place == "without":
        return f"{pipeline.text} without {change.anchor}"
    return f"{pipeline.text} with {change.passes} {change.place} {change.anchor}"


def require_distinct(what: str, names: Sequence[str], remedy: str) -> None:
    """Refuse two things of one name.

    Raises
    ------
    KanError : names it.
    """
    for name in names:
        if names.count(name) > 1:
            raise KanError(f"there are two {what} {name!r}", remedy=remedy)
