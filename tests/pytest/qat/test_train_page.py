"""train.html: its figures are those of the results, its links are files, its texts are escaped."""

from __future__ import annotations

import csv
import json
import math
import re
import shlex
import xml.etree.ElementTree as ElementTree
from html import escape, unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import flow
from html_reader import Reader

from kan_dialect.api import from_ir
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.page import line_charts
from kan_dialect.qat.metrics import wilson

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")

HOSTILE = "<script>alert('1')</script>"


def table(path: Path, label: str, is_classes: bool) -> Path:
    """Samples of three features, of one that repeats another, and of a constant one."""
    random = np.random.default_rng(3)
    x = random.uniform(-1.0, 1.0, (240, 3))
    score = x[:, 0] + np.abs(x[:, 1]) + random.normal(0.0, 0.1, 240)
    names = ("low", "</td>mid", "high")
    labels = [names[i] for i in np.digitize(score, (0.2, 0.8))] if is_classes else score.tolist()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([HOSTILE, "b & c", "d", "again", "constant", "split", label])
        for index, (row, known) in enumerate(zip(x.tolist(), labels, strict=True)):
            split = "test" if index % 4 == 3 else "train"
            writer.writerow([*row, row[0], 7, split, known])
    return path


def trained(path: Path, *options: object) -> tuple[Path, dict[str, Any], str]:
    """The folder of a short training, its record and its page."""
    folder = path.parent / "out"
    steps = ("--steps", 200, "--folds", 2, "--jobs", 1)
    assert flow("train", path, *steps, *options, "-o", folder) == 0
    record = json.loads((folder / "training.json").read_text())
    return folder, record, (folder / "train.html").read_text()


def require_page(text: str, networks: int) -> None:
    """It is well formed, has no text as code, and links to nothing but files of its folder."""
    reader = Reader()
    reader.feed(text)
    assert reader.open == [] and len(reader.ids) == len(set(reader.ids))
    links = {link for link in reader.links if link[0] != "#"}
    files = {f"front/{i}{end}" for i in range(networks) for end in (".mlir", "/report.html")}
    assert links == files | {"data:,"}
    assert {link[1:] for link in reader.links if link[0] == "#"} <= set(reader.ids)
    assert not re.search(r"@import|url\(", text)
    for picture in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(picture)
    assert "<script>alert" not in text and text.count("<script") == 2
    assert escape(HOSTILE) in text and "nan" not in re.sub(r"<style>.*?</style>", "", text)


def rows(text: str, section: str) -> list[list[str]]:
    """Rows of the tables of a section, as text."""
    part = text.partition(f'<section id="{section}"')[2].partition("</section>")[0]
    found = re.findall(r"<tr>(.*?)</tr>", part, re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in found]
    return [[unescape(re.sub(r"<[^>]*>", "", each)) for each in row] for row in cells]


def require_features(folder: Path, text: str) -> None:
    """Edges and bits of each feature are those of the chosen network's tables."""
    network = from_ir((folder / "network.mlir").read_text())
    first = network.layers[0]
    shown = {row[0].split(" ")[0]: row[1:] for row in rows(text, "features")[1:]}
    for index, port in enumerate(network.inputs):
        tables = first.tables[:, index]
        changing = (tables != tables[:, :1]).any(axis=1)
        codes = np.arange(tables.shape[1])
        read = [(tables != tables[:, codes ^ (1 << bit)]).any() for bit in range(port.width)]
        if changing.any():
            edges, bits, luts = shown.pop(port.name)
            assert (int(edges), int(bits)) == (changing.sum(), sum(read))
            assert float(luts) > 0.0
        else:
            assert re.search(rf"No edge reads .*\b{port.name}\b", text)
    assert not shown
    # They repeat another one, or are constant.
    assert re.search(r"No edge reads .*x3 \(again\), x4 \(constant\)\.", text)


def test_the_page_of_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = table(tmp_path / "plant.csv", "label", is_classes=True)
    folder, record, text = trained(data, "--hidden", 2)
    points = list(csv.DictReader((folder / "front.csv").open()))
    require_page(text, len(points))
    assert "180 samples of 5 features; 3 classes" in text
    assert "not read: `again`" in text and "not read: `constant`" in text
    assert ["--hidden", "2"] in rows(text, "samples") and "--rate" not in text
    known = {"held-out": record["held_out"], "test": record["test"]}
    shown = rows(text, "front")
    scores = [f"{each['accuracy']:.4g} ± {each['standard_error']:.2g}" for each in known.values()]
    assert ["accuracy", *scores] in shown
    front = [row for row in shown if row[0].startswith("front/")]
    assert [row[0] for row in front] == [point["file"] for point in points]
    assert [row[0] for row in front if row[1] == "*"] == [record["chosen"]]
    assert [row[2:5] for row in front] == [
        [point[key] for key in ("luts", "registers", "levels")] for point in points
    ]
    names = [f"{i} {name}" for i, name in enumerate(load_dataset(data).schema.classes)]
    for each in known.values():
        for row, counts in enumerate(each["confusion"]):
            for decided, count in enumerate(counts):
                told = f"class {names[row]} decided {names[decided]}: {count} of {sum(counts)}"
                assert escape(told) in text
    for row, name in zip(rows(text, "quality")[1:], known["test"]["recall"], strict=False):
        cells = iter(row[1:])
        for each in known.values():
            index = list(each["recall"]).index(name)
            samples = sum(each["confusion"][index])
            low, high = wilson(each["confusion"][index][index], samples)
            recall = f"{each['recall'][name]:.3f} ({low:.3f} to {high:.3f})"
            assert [next(cells), next(cells)] == [str(samples), recall]
            assert next(cells).startswith(f"{each['precision'][name]:.3f} (")
    require_features(folder, text)
    curves = re.findall(r'<path d="M([^"]*)" class="series"><title>', text)
    assert [len(each.split()) // 2 for each in curves] == [20, 20, 20]
    # The command of a row builds its network where the link points, and the training goes on.
    program, *arguments = shlex.split(front[-1][-1].replace("DATA", str(data)))
    monkeypatch.chdir(folder)
    assert program == "kan-flow" and flow(*arguments, "--simulator", "none") == 0
    assert (folder / f"front/{len(front) - 1}/report.html").exists()
    assert trained(data, "--hidden", 2)[2] == text


@pytest.mark.parametrize("metric", [None, "mae"])
def test_the_page_of_a_regression(tmp_path: Path, metric: str | None) -> None:
    data = table(tmp_path / "plant.csv", "yield <kg>", is_classes=False)
    options = [] if metric is None else ["--metric", metric]
    folder, record, text = trained(data, "--label", "yield <kg>", *options)
    require_page(text, len((folder / "front.csv").read_text().splitlines()) - 1)
    name = metric or "rmse"
    assert "regression of 1 target in `yield &lt;kg&gt;`" in text
    known = [record["held_out"], record["test"]]
    shown = rows(text, "front")
    assert [name, *(f"{each[name]:.4g} ± {each['standard_error']:.2g}" for each in known)] in shown
    assert (["R²", *(f"{each.get('r2', 0):.4f}" for each in known)] in shown) == (metric is None)
    pattern = r"y0: target ([-\d.e]+), integer ([-\d.e]+)"
    points = np.array([[float(each) for each in pair] for pair in re.findall(pattern, text)])
    held_out, test = points[:180], points[180:]
    assert len(held_out) == 180 and len(test) == 60
    apart = np.abs(test[:, 1] - test[:, 0])
    figure = math.sqrt(float((apart**2).mean())) if metric is None else float(apart.mean())
    assert figure == pytest.approx(record["test"][name], rel=1e-3)
    assert np.abs(held_out[:, 1] - held_out[:, 0]).mean() < 2 * apart.mean()
    counts = [int(each) for each in re.findall(r"[\d.e+-]+ to [\d.e+-]+: (\d+)</title>", text)]
    assert (sum(counts[:31]), sum(counts[31:])) == (180, 60)
    require_features(folder, text)


def test_scores_that_are_not_known_are_not_drawn() -> None:
    nan = math.nan
    drawn = line_charts.front([(30, 0.9, 0.01), (20, nan, nan), (10, 0.8, 0.0)], 0, nan, "auc")
    assert drawn is not None and "nan" not in drawn and drawn.count("<title>front/") == 2
    assert line_charts.front([(30, nan, nan)], 0, None, "auc") is None


@pytest.mark.parametrize("values", [[0.0, 0.0], [2.5, 2.5], [0.0, 3.0], [1.0, 9e4], [-1e-9, 1e-9]])
def test_figures_are_within_their_axes(values: list[float]) -> None:
    drawn = line_charts.curve(np.array([10.0, 20.0]), np.array(values), "loss")
    places = re.findall(r'class="series"', drawn)
    (path,) = re.findall(r'<path d="M([^"]*)"', drawn)
    figures = [float(each) for each in path.split()]
    assert places and all(0 <= x <= 352 for x in figures[::2])
    assert all(0 <= y <= 210 for y in figures[1::2])
    ticks = re.findall(r'text-anchor="end">([^<]*)</text>', drawn)[:-1]
    assert 1 <= len(ticks) <= 12 and len(set(ticks)) == len(ticks)
