"""Figures of merit, goals, weights and tables of a training, without PyTorch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kan_dialect.errors import KanError
from kan_dialect.files.sample_parts import grouped_parts, timed_parts
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.qat.goals import Goals, class_weights, read_goals
from kan_dialect.qat.judge import Judge
from kan_dialect.qat.metrics import METRICS, MetricName, confusion, decisions, recalls, wilson
from kan_dialect.qat.table import Table, TableOptions, read_table

NAMES: tuple[MetricName, ...] = ("accuracy", "balanced", "f1", "auc")


def value(name: MetricName, results: FloatArray, targets: Array) -> float:
    return METRICS[name].measured(results, targets)[0]


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=4, max_size=30))
def test_figures_of_two_classes_are_those_of_counting(samples: list[tuple[int, bool]]) -> None:
    targets = np.array([of for _, of in samples], dtype=np.int64)
    assume(0 < targets.sum() < len(targets))
    logits = np.array([[float(logit)] for logit, _ in samples])
    pairs = [(p, n) for p, a in samples if a for n, b in samples if not b]
    ordered = sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs)
    hit, alarm = (sum(logit > 0 for logit, of in samples if of is each) for each in (True, False))
    positives, negatives = int(targets.sum()), int((1 - targets).sum())
    assert value("auc", logits, targets) == pytest.approx(ordered / len(pairs))
    assert value("balanced", logits, targets) == pytest.approx(
        (hit / positives + 1.0 - alarm / negatives) / 2.0
    )
    assert value("f1", logits, targets) == pytest.approx(2 * hit / (positives + hit + alarm))
    assert value("accuracy", logits, targets) == pytest.approx(
        (hit + negatives - alarm) / len(samples)
    )


@pytest.mark.parametrize("name", NAMES)
def test_figures_of_more_classes_are_1_where_all_is_right(name: MetricName) -> None:
    targets = np.arange(30) % 3
    right = np.eye(3)[targets]
    assert METRICS[name].measured(right, targets) == (1.0, 0.0)
    assert value(name, right[:, ::-1], targets) < 0.7


def test_errors_of_numbers_are_in_their_unit() -> None:
    targets = np.zeros((4, 1))
    results = np.array([[3.0], [-3.0], [4.0], [4.0]])
    assert value("rmse", results, targets) == pytest.approx(12.5**0.5)
    assert value("mae", results, targets) == 3.5


def test_the_jackknife_is_the_standard_error_of_a_mean() -> None:
    """The root of a mean square has the error of the mean by its slope."""
    results = np.random.default_rng(0).normal(1.0, 0.1, (40000, 1))
    measured = METRICS["rmse"].measured(results, np.zeros((40000, 1)))[1]
    assert measured == pytest.approx(0.1 / 200.0, rel=0.5)


@pytest.mark.parametrize(
    ("count", "samples", "low", "high"),
    [(5, 9, 0.267, 0.811), (9, 9, 0.701, 1.0), (0, 9, 0.0, 0.299), (0, 0, 0.0, 1.0)],
)
def test_intervals_of_shares(count: int, samples: int, low: float, high: float) -> None:
    assert wilson(count, samples) == pytest.approx((low, high), abs=1e-3)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(-6, 6), st.booleans()), min_size=4, max_size=40),
    st.integers(1, 100),
    st.booleans(),
)
def test_a_threshold_keeps_a_goal_and_no_other_keeps_it_better(
    samples: list[tuple[int, bool]], percent: int, of_one: bool
) -> None:
    targets = np.array([of for _, of in samples], dtype=np.int64)
    assume(0 < targets.sum() < len(targets))
    logits = np.array([[float(logit)] for logit, _ in samples])
    goals = Goals({int(of_one): percent / 100.0})
    threshold = goals.threshold(logits[:, 0], targets)

    def found(at: float) -> FloatArray:
        return recalls(confusion(decisions(logits - at), targets, 2))

    assert found(threshold)[int(of_one)] >= percent / 100.0 - 1e-12
    shares = [found(at) for at in np.arange(-7.5, 7.0)]
    others = [share[int(not of_one)] for share in shares if share[int(of_one)] >= percent / 100.0]
    assert found(threshold)[int(not of_one)] == max(others)


def test_goals_of_both_classes_are_kept_where_they_can_be() -> None:
    logits, targets = np.array([-3.0, -1.0, 1.0, 2.0, 4.0, 5.0]), np.array([0, 0, 0, 1, 1, 1])
    goals = Goals({0: 1.0, 1: 0.9})
    threshold = goals.threshold(logits, targets)
    assert 1.0 < threshold < 2.0
    judge = Judge(2, goals=goals)
    assert judge.needs_goals and judge.measure(logits[:, None], targets, logits).risk <= 0.0


def test_false_alarms_of_two_classes_are_the_other_recall() -> None:
    goals = read_goals(["fault=0.25"], [], ("fault", "ok"), 2)
    assert goals.least_recall().tolist() == [0.0, 0.75]
    assert Judge(2, goals=goals).free == 0
    assert read_goals(["0.1"], [], (), 2).least_recall().tolist() == pytest.approx([0.9, 0.0])


def test_goals_of_more_classes_are_missed_by_the_worst() -> None:
    matrix = np.array([[8, 2, 0], [0, 10, 0], [1, 0, 9]])
    goals = read_goals(["b=0.05"], ["a=0.9", "c=0.9"], ("a", "b", "c"), 3)
    assert goals.missed(matrix) == pytest.approx(0.1)
    assert read_goals(["b=0.2"], ["a=0.7"], ("a", "b", "c"), 3).missed(matrix) < 0.0
    assert Judge(3, goals=goals).needs_goals


@pytest.mark.parametrize(
    ("alarms", "recall", "classes", "count", "message"),
    [
        ([], ["x=0.9"], ("a", "b"), 2, "there is no class 'x'; the classes are a, b"),
        ([], ["5=0.9"], (), 3, "there is no class '5'; the classes are 0 to 2"),
        (
            [],
            ["a=2"],
            ("a", "b"),
            2,
            "recall a=2: the share must be above 0 and at most 1, got 2",
        ),
        (["a=1"], [], ("a", "b"), 2, "alarms a=1: the share must be at least 0 and below 1, got 1"),
        ([], ["a=x"], ("a", "b"), 2, "--min-recall a=x: 'x' is no share"),
        (["0.1"], [], ("a", "b"), 2, "0.1 names no class; give CLASS=SHARE, such as a=0.1"),
        (["0.1"], [], (), 0, "are goals of classes, and labels are numbers"),
    ],
)
def test_wrong_goals_get_one_message(
    alarms: list[str], recall: list[str], classes: tuple[str, ...], count: int, message: str
) -> None:
    with pytest.raises(KanError, match=re.escape(message)):
        read_goals(alarms, recall, classes, count)


def test_weights_have_a_mean_of_1() -> None:
    counts = np.array([90, 10])
    balanced = class_weights("balanced", None, counts, ())
    assert (balanced * counts).tolist() == pytest.approx([50.0, 50.0])
    given_ones = class_weights("w.csv", [("b", 3.0), ("a", 1.0)], counts, ("a", "b"))
    assert given_ones[1] == pytest.approx(3.0 * given_ones[0])
    assert (given_ones * counts).sum() == pytest.approx(100.0)


@given(st.lists(st.integers(0, 6), min_size=3, max_size=60), st.integers(2, 3))
def test_groups_and_times_stay_in_one_part(labels: list[int], parts: int) -> None:
    numbers = np.array(labels)
    assume(len(set(labels)) >= parts)
    part = grouped_parts(numbers, parts, 0)
    assert set(part.tolist()) == set(range(parts))
    assert all(len(set(part[numbers == each].tolist())) == 1 for each in set(labels))
    try:
        timed = timed_parts(numbers, parts)
    except KanError as error:
        assert "too few for" in str(error)
        return
    order = np.argsort(numbers, kind="stable")
    assert (np.diff(timed[order]) >= 0).all() and timed.max() == parts - 1
    assert all(len(set(timed[numbers == each].tolist())) == 1 for each in set(labels))


# Tables

PLANT = """\
id,when,run,pressure [Pa],temp [K],copy,const,state
1,2026-01-01,a,101325,300.5,300.5,7,ok
2,2026-01-02,a,,301.5,301.5,7,ok
3,2026-01-02,b,101225,NA,NA,7,fault
4,2026-01-03,b,101425,299.5,299.5,7,
"""
APART: dict[str, Any] = {"label": ("state",), "without": ("id", "when", "run")}


def table(folder: Path, text: str = PLANT, **options: Any) -> Table:
    path = folder / "plant.csv"
    path.write_text(text)
    return read_table(path, TableOptions(**{**APART, **options}))


def test_medians_stand_for_missing_values(tmp_path: Path) -> None:
    found = table(tmp_path, PLANT.rsplit("\n", 2)[0] + "\n", missing="median")
    assert found.dataset.x.tolist() == [
        [101325.0, 300.5, 300.5, 7.0],
        [101275.0, 301.5, 301.5, 7.0],
        [101225.0, 301.0, 301.0, 7.0],
    ]
    schema = found.dataset.schema
    assert schema.missing == (101275.0, 301.0, 301.0, 7.0)
    assert (schema.features[0], schema.classes, schema.label) == (
        "pressure [Pa]",
        ("fault", "ok"),
        "state",
    )
    assert found.summary() == "3 samples of 4 features; 2 classes in `state`: fault (1), ok (2)"
    assert found.notes == (
        "2 of 3 samples miss values: 1 of `pressure [Pa]`, 1 of `temp [K]`, 1 of `copy`: medians "
        "stand for them",
        "columns that repeat others are not read: `copy` (as `temp [K]`)",
        "columns that are constant are not read: `const`",
    )


def test_samples_that_lack_something_are_left_out(tmp_path: Path) -> None:
    found = table(tmp_path, missing="drop", group="run", without=("id", "when"))
    assert found.dataset.x[:, 0].tolist() == [101325.0]
    assert found.group is not None and found.group.tolist() == ["a"]


def test_times_are_numbers_or_dates(tmp_path: Path) -> None:
    text = PLANT.rsplit("\n", 2)[0] + "\n"
    found = table(tmp_path, text, missing="median", time="when", without=("id", "run"))
    assert found.time is not None and found.time.dtype.kind == "M"
    found = table(tmp_path, text, missing="median", time="id", without=("when", "run"))
    assert found.time is not None and found.time.tolist() == [1.0, 2.0, 3.0]


def test_several_labels_are_targets(tmp_path: Path) -> None:
    text = "a,u [V],v\n1,2,3\n2,3,4\n"
    found = table(tmp_path, text, label=("v", "u [V]"), without=())
    assert found.dataset.y is not None and found.dataset.y.tolist() == [[3.0, 2.0], [4.0, 3.0]]
    assert found.dataset.schema.targets == ("v", "u [V]")
    assert "regression of 2 targets" in found.summary()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {},
            "`x`: 2 of 4 samples miss values: 1 of `pressure [Pa]`, 1 of `temp [K]`, 1 of `copy`",
        ),
        ({"missing": "median"}, "the label of sample 3 is missing; leave out samples without"),
        ({"label": ("mass",)}, "has no column `mass`; it has `id`, `when`, `run`"),
        ({"group": "run", "time": "when"}, "--group and --time both say which samples"),
        ({"missing": "drop", "time": "run", "without": ("id", "when")}, "`run` holds 'a', no ti"),
        ({"missing": "drop", "class_weights": "none.csv"}, "there is no file none.csv of class"),
        (
            {"missing": "drop", "task": "regression"},
            "labels are text such as 'ok', and a regression",
        ),
    ],
)
def test_wrong_tables_get_one_message(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(KanError, match=re.escape(message)):
        table(tmp_path, **options)


def test_arrays_have_groups_by_name() -> None:
    arrays = {"x": np.eye(4), "y": np.arange(4) % 2, "run": np.array([1, 1, 2, 2])}
    found = read_table(arrays, TableOptions(group="run"))
    assert found.group is not None and found.group.tolist() == [1, 1, 2, 2]
    with pytest.raises(KanError, match="data has no array `day` of shape"):
        read_table(arrays, TableOptions(time="day"))
    with pytest.raises(KanError, match="--label names a column, and data has arrays"):
        read_table(arrays, TableOptions(label=("y",)))


def test_images_are_rows_of_their_pixels() -> None:
    images = np.arange(24.0).reshape(3, 2, 4) % 7
    arrays = {"x_train": images, "y": np.arange(3) % 2, "x_test": images[:1], "y_test": np.ones(1)}
    found = read_table(arrays, TableOptions(missing="median"))
    assert found.dataset.x[1].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 1.0]
    assert found.dataset.x_test is not None and found.dataset.x_test.shape == (1, 8)


def test_many_constant_columns_are_a_line() -> None:
    found = read_table({"x": np.ones((4, 9)), "y": np.arange(4) % 2}, TableOptions())
    (note,) = found.notes
    assert note.endswith("not read: `x0`, `x1`, `x2`, `x3`, `x4`, `x5` and 3 more columns")
