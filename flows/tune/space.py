"""The designs that a search may reach: changes of passes and options that keep every output.

Passes declare them: `tried` of an option lists values, and `is_optional` says that the pass may be
left out. So passes of other packages take part as ours do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from xdsl.passes import ModulePass

from kan_dialect.flows.trials.points import Axis, Point
from kan_dialect.passbase.kan_pass import KanPass, unwrapped
from kan_dialect.passbase.option_text import OptionValue
from kan_dialect.passbase.options import options_of
from kan_dialect.passes.schedule import SchedulePass

Move: TypeAlias = tuple[tuple[str, OptionValue], ...]
"""Values for options, all at once."""

SCHEDULING = ("levels", "cycles", "mhz", "combinational")
"""Options of `kan-schedule` that decide the latency. They exclude each other."""


@dataclass(frozen=True)
class Space:
    """Options and passes that may change, each with its other values."""

    axes: tuple[Axis, ...]

    @staticmethod
    def of(passes: Sequence[ModulePass], *, with_schedule: bool) -> Space:
        """The space around a pipeline.

        Parameters
        ----------
        passes : the exact passes, as the pipeline has them.
        with_schedule : whether the latency may change, unless the pipeline chooses it.
        """
        found: dict[str, list[OptionValue]] = {}
        for stage in map(unwrapped, passes):
            if isinstance(stage, KanPass) and stage.is_optional:
                found[stage.name] = [False]
            chosen = not with_schedule or (
                isinstance(stage, SchedulePass)
                and any(getattr(stage, name) not in (None, False) for name in SCHEDULING)
            )
            for option in options_of(type(stage)):
                if stage.name == SchedulePass.name and option.name in SCHEDULING and chosen:
                    continue
                value: object = getattr(stage, option.field)
                others = [each for each in option.tried if each != value]
                if others:
                    found[f"{stage.name}.{option.name}"] = others
        return Space(tuple(Axis(name, tuple(values)) for name, values in found.items()))

    def moves(self) -> list[Move]:
        """Every value of every axis; then each value that several passes may take together."""
        single: list[Move] = [
            ((axis.option, value),) for axis in self.axes for value in axis.values
        ]
        joint: dict[tuple[str, OptionValue], list[tuple[str, OptionValue]]] = {}
        for axis in self.axes:
            _, dot, option = axis.option.rpartition(".")
            for value in axis.values if dot else ():
                joint.setdefault((option, value), []).append((axis.option, value))
        return [*single, *(tuple(move) for move in joint.values() if len(move) > 1)]

    def moved(self, point: Point, move: Iterable[tuple[str, OptionValue]]) -> Point:
        """A point with other values, in the order of the axes.

        Options of a pass that is left out have no meaning, so they are left out too.
        """
        return self._ordered({**dict(point.options), **dict(move)})

    def without(self, point: Point, option: str) -> Point:
        """A point with one option as in the pipeline."""
        return self._ordered({name: each for name, each in point.options if name != option})

    def _ordered(self, values: dict[str, OptionValue]) -> Point:
        left_out = {name for name, value in values.items() if value is False and "." not in name}
        return Point(
            tuple(
                (axis.option, values[axis.option])
                for axis in self.axes
                if (axis.option in values and axis.option.partition(".")[0] not in left_out)
                or axis.option in left_out
            )
        )
