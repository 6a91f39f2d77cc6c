"""Axes and grids: values of options that vary."""

from __future__ import annotations

import pytest

from kan_dialect.errors import KanError
from kan_dialect.flows.trials.pipeline import DEFAULT
from kan_dialect.flows.trials.points import Axis, grid, parse_axis


def test_values_are_read_by_the_type_of_their_option() -> None:
    assert parse_axis("bits=2..4,8,6:8:8") == Axis("bits", (2, 3, 4, 8, (6, 8, 8)))
    assert parse_axis("guard_bits=0..8..4") == Axis("guard-bits", (0, 4, 8))
    assert parse_axis("cycles=none,2,2") == Axis("cycles", (None, 2))
    assert parse_axis("percentile=99,99.9") == Axis("percentile", (99.0, 99.9))
    assert parse_axis("per-tensor=true,false") == Axis("per-tensor", (True, False))
    assert parse_axis("scale=mse, minmax") == Axis("scale", ("mse", "minmax"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bits", "write --vary OPTION=VALUES"),
        ("data=a.npz", "calibration gives the data"),
        ("bits=", "the grid is empty"),
        ("bits=two", "cannot be 'two'; it takes whole numbers, as 8 or 6:8:8, auto, or none"),
        ("levels=2.5", "cannot be '2.5'; it takes a whole number"),
        ("per-tensor=1", "it takes true or false"),
        ("levels=1..9..0", "step of 1..9..0 is 0"),
        ("levels=1..999999999", "999999999 values, more than"),
    ],
)
def test_what_is_no_axis_is_refused(text: str, message: str) -> None:
    with pytest.raises(KanError, match=message):
        parse_axis(text)


def test_a_grid_is_all_combinations() -> None:
    axes = [parse_axis("input-bits=4,6"), parse_axis("activation-bits=8"), parse_axis("levels=1,2")]
    points = grid(axes)
    assert [str(point) for point in points][:2] == [
        "input-bits=4 activation-bits=8 levels=1",
        "input-bits=4 activation-bits=8 levels=2",
    ]
    assert len(points) == 4
    assert DEFAULT.resolved(points[3].options, 2, None).text == "kan-compile{bits=6,8,8 levels=2}"
    assert DEFAULT.resolved((("activation-bits", 3),), 1, None).text == "kan-compile{bits=8,3}"
    for twice in (["bits=2", "bits=3"], ["bits=2", "input-bits=3"]):
        with pytest.raises(KanError, match=r"varies twice|cannot vary beside"):
            grid([parse_axis(text) for text in twice])
    with pytest.raises(KanError, match="1000000 points, more than"):
        grid([parse_axis(f"{name}=1..1000") for name in ("levels", "cycles")])
