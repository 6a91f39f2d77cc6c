"""What STUDY.toml asks for, and what is refused. Needs no PyTorch."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import flow

import kan_dialect as kan
from kan_dialect.errors import KanError
from kan_dialect.flows.trials.points import Axis
from kan_dialect.qat.study.plan import read_plan

STUDY = """
title = "Bits"
seeds = 2
seconds = 3
[data.moons]
hidden = [2]
[data.mine]
file = "mine.npz"
[options]
steps = 100
[axes]
input-bits = [1, 2]
hidden = [[2], [3]]
[tuned]
rate = [0.01, 0.1]
"""


def written(folder: Path, text: str = STUDY) -> Path:
    path = folder / "study.toml"
    path.write_text(text)
    return path


def test_every_point_gets_the_same_tries_and_seeds(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path))
    assert (plan.title, plan.seeds, plan.seconds, plan.loss) == ("Bits", 2, 3, 0.01)
    assert plan.axes == (Axis("input-bits", (1, 2)), Axis("hidden", ((2,), (3,))))
    tasks = plan.tasks()
    assert len(tasks) == 2 * (2 * 2) * 2 * 2
    first, last = tasks[0], tasks[-1]
    assert (first.data, str(first.point)) == ("moons", "input-bits=1 hidden=2")
    assert [(t.options.seed, t.options.schedule.rate) for t in tasks[:4]] == [
        (0, 0.01), (1, 0.01), (0, 0.1), (1, 0.1),
    ]  # fmt: skip
    # The point wins over the data set.
    assert (last.data, last.options.hidden, last.options.schedule.steps) == ("mine", (3,), 100)
    assert last.given["hidden"] == (3,) and last.given["seed"] == 1


def test_samples_are_read_beside_the_plan(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    samples = {"x": np.zeros((4, 1)), "y": np.arange(4), "x_test": np.zeros((2, 1))}
    np.savez(tmp_path / "mine.npz", **samples, y_test=np.arange(2))
    found = read_plan(written(tmp_path)).read()
    assert found["mine"]["y_test"].tolist() == [0, 1]
    assert found["moons"]["x"].shape == (1050, 2)
    np.savez(tmp_path / "mine.npz", **samples)
    with pytest.raises(KanError, match=r"mine\.npz has no test set; give arrays x_test and y_test"):
        read_plan(written(tmp_path)).read()


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "there is no data set; give a table for each, as"),
    ({"data": {}}, "there is no data set"),
    ({"data": {"wine": 3}}, "there is no data set"),
    ({"data": {"wine": {}}, "seed": 3}, "there is no key seed; .*seeds"),
    ({"data": {"wine": {}}, "seeds": 0}, "seeds must be at least 1|seeds must lie in"),
    ({"data": {"wine": {}}, "seeds": "3"}, "seeds cannot be '3'"),
    ({"data": {"wine": {}}, "seeds": True}, "seeds cannot be True"),
    ({"data": {"wine": {}}, "seconds": 0}, "seconds must be above 0"),
    ({"data": {"wine": {}}, "axes": {"steps": 3}}, r"steps has no list of values; give a list"),
    ({"data": {"wine": {}}, "axes": {"steps": []}}, "steps has no list of values"),
    ({"data": {"wine": {}}, "axes": {"bit": [3]}}, "wine, bit=3: there is no option bit"),
    ({"data": {"wine": {}}, "axes": {"input-bits": [2, 11]}}, "input-bits=11: input-bits must lie"),
    ({"data": {"wine": {}}, "tuned": {"rate": ["x"]}}, "wine, defaults: rate takes .*got 'x'"),
    ({"data": {"wine": {}}, "options": {"shapes": [2]}}, "shapes takes"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED)
def test_what_a_plan_cannot_say(content: dict[str, Any], message: str) -> None:
    with pytest.raises(KanError, match=message):
        read_plan(content).tasks()


@pytest.mark.parametrize("text", ["seeds = ", "\udcff"])
def test_files_that_are_no_plan(text: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(KanError, match=r"cannot read .*study\.toml"):
        read_plan(path)
    with pytest.raises(KanError, match=r"study\.toml: there is no key seed"):
        read_plan(written(tmp_path, "seed = 3"))


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed")
def test_a_study_says_that_it_needs_pytorch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KanError, match="training needs PyTorch"):
        kan.study({"data": {"wine": {}}}, tmp_path / "out")
    assert flow("study", written(tmp_path), "-o", tmp_path / "out") == 1
    assert "training needs PyTorch" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
