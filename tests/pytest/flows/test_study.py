"""Studies without trainings: intervals, data sets, choices, the page."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kan_dialect.errors import KanError
from kan_dialect.flows.compare.bootstrap import Interval, mean_interval
from kan_dialect.flows.study.data import SETS, sklearn_set
from kan_dialect.flows.study.page import effect_table, point_table, study_page
from kan_dialect.flows.study.picture import study_picture
from kan_dialect.flows.study.results import Cell, Studied
from kan_dialect.flows.trials.columns import Row
from kan_dialect.flows.trials.points import Axis, Point, grid
from kan_dialect.ir.constants import FloatArray


def test_an_interval_over_seeds_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(1).normal(10.0, 2.0, 12)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    found = mean_interval(values[:, np.newaxis])
    assert found.mean == pytest.approx(values.mean())
    assert found.bounds == pytest.approx((expected.low, expected.high), abs=0.06)


@pytest.mark.parametrize(("of_seeds", "of_samples"), [(1.0, 0.0), (0.0, 1.0), (0.5, 2.0)])
def test_an_interval_has_the_variance_of_seeds_and_of_samples(
    of_seeds: float, of_samples: float
) -> None:
    rng = np.random.default_rng(3)
    seeds, samples = rng.normal(0.0, of_seeds, 40), rng.normal(0.0, of_samples, 300)
    found = mean_interval(seeds[:, np.newaxis] + samples)
    assert found.bounds is not None
    # The variance of a sum of two independent means.
    half = 1.96 * np.sqrt(seeds.var() / 40 + samples.var() / 300)
    assert (found.bounds[1] - found.bounds[0]) / 2 == pytest.approx(half, rel=0.05)


SCORES = st.tuples(st.integers(1, 7), st.integers(1, 9)).flatmap(
    lambda shape: arrays.arrays(np.float64, shape, elements=st.floats(-1e3, 1e3))
)


@given(SCORES)
def test_an_interval_holds_its_mean_and_that_of_no_difference_nothing(values: FloatArray) -> None:
    found = mean_interval(values)
    assert (found.bounds is None) == (len(values) < 5)
    if found.bounds is not None:
        assert found.bounds[0] - 1e-9 <= found.mean <= found.bounds[1] + 1e-9
    assert mean_interval(values - values).shown("+.3f") == "+0.000"


def test_intervals_are_shown_with_their_bounds() -> None:
    assert Interval(0.5, (0.25, 0.75)).shown(".2f") == "0.50 [0.25, 0.75]"
    assert Interval(0.5, None).shown(".1f") == "0.5"


@pytest.mark.parametrize("name", SETS)
def test_data_sets_of_scikit_learn_have_a_test_set(name: str) -> None:
    pytest.importorskip("sklearn")
    found = sklearn_set(name)
    samples, tests = len(found["x"]), len(found["x_test"])
    assert tests / (samples + tests) == pytest.approx(0.3, abs=0.01)
    assert (len(found["y"]), len(found["y_test"])) == (samples, tests)
    if name in ("diabetes", "friedman1", "friedman2"):
        assert found["y"].dtype.kind == "f"
    else:
        shares, of_tests = (np.bincount(y) / len(y) for y in (found["y"], found["y_test"]))
        np.testing.assert_allclose(shares, of_tests, atol=0.02)
    again = sklearn_set(name)
    assert all((again[key] == array).all() for key, array in found.items())


def test_unknown_data_sets_are_named() -> None:
    with pytest.raises(KanError, match=r"no data set 'iris'; data sets are wine.*file = \"iris"):
        sklearn_set("iris")


BITS = Axis("input-bits", (1, 2, 4))


def cell(data: str, point: Point, scores: FloatArray, luts: int) -> Cell:
    """With the mean of `scores` as the held-out score, too."""
    rows: list[Row] = [
        {"held_out_score": scores.mean(), "estimate_luts": luts + seed, "seconds": 2.0}
        for seed in range(len(scores))
    ]
    return Cell(data, point, rows, scores)


def studied(*axes: Axis, loss: float = 0.01) -> Studied:
    """Scores rise with the first option, LUTs with both; half of the seeds differ."""
    rng = np.random.default_rng(0)
    hits = rng.random((6, 200))
    cells = [
        cell(data, point, (hits < 1.0 - 0.4 / place).astype(np.float64), 10 * place)
        for data in ("a", "b")
        for place, point in enumerate(grid(axes), 1)
    ]
    return Studied("Bits", axes, loss, cells, [{"data": "a", "error": "no"}], [])


def test_the_choice_is_the_cheapest_point_that_is_good_enough() -> None:
    few = studied(BITS)
    assert [str(c.point) for c in few.of("a")] == [f"input-bits={bits}" for bits in (1, 2, 4)]
    assert few.reference("a") is few.of("a")[-1] is few.choice("a")
    loose = studied(BITS, loss=0.1)
    choice, reference = loose.choice("b"), loose.reference("b")
    assert choice is loose.of("b")[1]
    difference = choice.less(reference)
    assert difference.mean == pytest.approx(choice.test.mean - reference.test.mean)
    assert difference.bounds is not None and difference.bounds[1] < 0.0
    assert choice.test.bounds is not None
    # Paired: narrower than the difference of independent scores.
    low, high = choice.test.bounds
    assert difference.bounds[1] - difference.bounds[0] < 1.4 * (high - low)
    head, first, _ = loose.summary()
    row = dict(zip(head, first, strict=False))
    assert row["data set"] == "a" and row["choice"] == "input-bits=2"
    assert row["difference"] == difference.shown("+.3f")
    assert loose.failed == ["no"] and "input-bits=2" in loose._repr_html_()


def test_a_step_is_worth_its_mean_over_points_that_differ_in_it_alone() -> None:
    whole = studied(BITS, Axis("functions", ("spline", "line")))
    (a, b), (c, d), (e, f) = zip(whole.of("a")[::2], whole.of("a")[1::2], strict=True)
    found = whole.effects("a")
    assert [*found] == [
        ("input-bits", 1, 2), ("input-bits", 2, 4), ("functions", "spline", "line"),
    ]  # fmt: skip
    step = found["input-bits", 1, 2]
    expected = [(c.less(a).mean + d.less(b).mean) / 2, np.sqrt(c.luts.mean * d.luts.mean)]
    assert step.score.mean == pytest.approx(expected[0])
    assert step.luts == pytest.approx(expected[1] / np.sqrt(a.luts.mean * b.luts.mean))
    lines = (b.scores - a.scores + d.scores - c.scores + f.scores - e.scores) / 3
    assert found["functions", "spline", "line"].score == mean_interval(lines)
    # A point that is left out takes its pairs with it.
    cells = [cell for cell in whole.cells if cell is not d]
    fewer = replace(whole, cells=cells).effects("a")
    assert fewer["input-bits", 1, 2].score == c.less(a)
    head, first, *_ = effect_table(whole)
    assert head == ("step", "a", "b") and first[:2] == ("input-bits: 1 → 2", str(step))


def test_tables_of_one_option_and_of_two() -> None:
    one = studied(BITS)
    head, *rows = point_table(one, "a")
    assert head[0] == "point" and rows[-1][0] == "**input-bits=4**" and rows[-1][4] == ""
    assert rows[0][4] == one.of("a")[0].less(one.of("a")[-1]).shown("+.3f")
    two = studied(BITS, Axis("functions", ("spline", "line")))
    head, *rows = point_table(two, "a")
    assert head == ("input-bits \\ functions", "spline", "line")
    assert [row[0] for row in rows] == ["1", "2", "4"]
    assert rows[0][1] == f"{two.of('a')[0].test.mean:.3f}, 12"


@pytest.mark.parametrize("axes", [(), (BITS,), (BITS, Axis("functions", ("spline", "line")))])
def test_the_page_has_all_tables_and_the_picture_is_drawn(axes: tuple[Axis, ...]) -> None:
    pytest.importorskip("matplotlib")
    found = studied(*axes)
    page = study_page(found, {"trainings": "12"})
    assert page.startswith("# Bits\n") and "| trainings | 12 |" in page
    for line in (*found.summary(), *point_table(found, "b")):
        assert f"| {' | '.join(line)} |" in page
    picture = study_picture(found)
    assert picture.startswith(b"\x89PNG") and "<img" not in found._repr_html_()
    shown = replace(found, picture=picture)._repr_html_()
    assert b64encode(picture).decode() in shown and found.summary()[1][1] in shown
