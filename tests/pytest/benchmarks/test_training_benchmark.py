"""What `benchmarks/training.py` computes itself: jobs, fronts, RTL of look-up-table networks."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repository import BENCHMARKS, EXAMPLES

sys.path.insert(0, str(BENCHMARKS))
from logic_hardware import Encoder, Layer, output_bits, sums, verilog
from measurements import Measurements, play
from peer_training import Job, candidates, decisions, read_job, smoothed, write_job
from training import (
    Bench,
    DataSet,
    Front,
    Point,
    best_so_far,
    class_bits,
    decision,
    draw,
    job_of,
    options_of,
    registered,
    seconds_of_steps,
    show_goals,
    show_least,
    show_networks,
    train_ours,
    with_copies,
)

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.qat.options import TrainingOptions

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog")
INPUTS, BITS = 3, 4


def layer(rng: np.random.Generator, width: int, rank: int, nodes: int) -> Layer:
    """Random nodes."""
    inputs = rng.integers(0, width, (rank, nodes))
    return Layer(inputs, rng.random((nodes, 1 << rank)) < 0.5)


@needs_icarus
@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize("group", [1, 2, 7])
def test_rtl_of_look_up_tables_gives_their_sums(group: int, outputs: int) -> None:
    rng = np.random.default_rng(group)
    codes = rng.integers(0, 1 << BITS, (100, INPUTS))
    encoder = Encoder(codes, 3)
    first = layer(rng, len(encoder.feature), 4, 2 * group * outputs)
    layers = [first, layer(rng, 2 * group * outputs, 2, group * outputs)]
    expected = sums(layers, encoder(codes), outputs)
    bits = output_bits(layers, outputs)
    rtl = verilog(encoder, layers, inputs=INPUTS, bits=BITS, outputs=outputs)
    whole = rtl + registered(INPUTS, outputs, BITS, bits)
    found = play(whole, "registered", codes, outputs, bits, cycles=1)
    np.testing.assert_array_equal(found, expected)
    assert expected.max() <= group
    threshold = group / 2 if outputs == 1 else 0.0
    whole = rtl + decision(INPUTS, outputs, BITS, bits, threshold)
    width = class_bits(outputs) + 1
    classes = play(
        whole + registered(INPUTS, 1, BITS, width, "whole"), "registered", codes, 1, width, cycles=1
    )
    np.testing.assert_array_equal(classes[:, 0], decisions(expected - threshold))
    assert sums(layers, encoder(codes[:0]), outputs).shape == (0, outputs)


def test_nodes_read_their_first_input_as_the_upper_bit() -> None:
    node = Layer(np.array([[0], [1]]), np.array([[False, False, True, False]]))
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.bool_)
    assert node(bits)[:, 0].tolist() == [False, False, True, False]


def test_a_job_comes_back_from_its_file(tmp_path: Path) -> None:
    held = np.array([[True, False, True, False]])
    codes = np.arange(8).reshape(4, 2)
    job = Job(codes, np.arange(4) % 2, held, codes[:1], 6, 1, seed=3, seconds=1.5, most=4)
    write_job(job, tmp_path / "job.npz")
    found = read_job(tmp_path / "job.npz")
    assert (found.bits, found.outputs, found.seed, found.seconds, found.most) == (6, 1, 3, 1.5, 4)
    ((trained, kept),) = found.runs
    assert (trained.tolist(), kept.tolist()) == ([1, 3], [0, 2])
    np.testing.assert_array_equal(found.test_codes, codes[:1])


def test_a_run_over_all_samples_follows_several_folds() -> None:
    held = np.array([[True, False], [False, True]])
    job = Job(np.zeros((2, 1), int), np.arange(2), held, np.zeros((1, 1), int), 6, 1, 0, 1.0, 4)
    runs = [(trained.tolist(), kept.tolist()) for trained, kept in job.runs]
    assert runs == [([1], [0]), ([0], [1]), ([0, 1], [])]


def test_data_sets_have_images(tmp_path: Path) -> None:
    images = np.array([[[0, 127], [128, 255]], [[255, 0], [0, 0]]], dtype=np.uint8)
    labels = np.array([0, 1], dtype=np.uint8)
    arrays = {"x_train": images, "y_train": labels, "x_test": images[:1], "y_test": labels[:1]}
    np.savez(tmp_path / "images.npz", **arrays)
    data = DataSet(tmp_path / "images.npz", (), bits=1)
    found = data.read()
    assert found.x.tolist() == [[0, 127, 128, 255], [255, 0, 0, 0]]
    assert found.x_test is not None and found.x_test.tolist() == [[0, 127, 128, 255]]
    with pytest.raises(KanError, match="there is no data file"):
        replace(data, file=tmp_path / "other.npz").read()
    (tmp_path / "short.npz").write_bytes((tmp_path / "images.npz").read_bytes()[:200])
    with pytest.raises(KanError, match="cannot read"):
        replace(data, file=tmp_path / "short.npz").read()
    np.savez(tmp_path / "labels.npz", y_train=labels)
    with pytest.raises(KanError, match="no array `x`"):
        replace(data, file=tmp_path / "labels.npz").read()


def test_decisions_are_those_of_the_hardware() -> None:
    assert decisions(np.array([[0], [1], [-1]])).tolist() == [0, 1, 0]
    assert decisions(np.array([[2, 2, 1], [0, 1, 1]])).tolist() == [0, 1]


def test_no_candidate_is_worse_than_a_cheaper_one() -> None:
    costs, scores = [8.0, 4.0, 2.0, 1.0, 16.0], [0.9, 0.95, 0.86, 0.85, 0.96]
    assert candidates(costs, scores, 9) == [3, 2, 1, 4]
    assert candidates(costs, scores, 2) == [3, 4]


def test_networks_of_low_accuracy_are_no_candidates() -> None:
    costs, scores = [8.0, 4.0, 2.0], [0.9, 0.8, 0.3]
    assert candidates(costs, scores, 9) == [1, 0]
    assert candidates(costs, [-0.1, -0.2, -0.3], 9, accuracies=scores) == [1, 0]


def test_records_are_averaged_with_their_neighbours() -> None:
    values = np.zeros(20)
    values[10] = 7.0
    assert smoothed(values).tolist() == [0.0] * 7 + [1.0] * 7 + [0.0] * 6


def test_a_front_is_read_by_held_out_samples_and_shown_by_test_samples(
    capsys: pytest.CaptureFixture[str],
) -> None:
    points = (
        Point(9, 10, 12, 0.90, 0.97, "a", 0.20, 0.02, 2.0),
        Point(19, 20, 22, 0.98, 0.96, "b", 0.10, 0.02, 2.0),
        Point(24, 25, 27, 0.985, 0.96, "d", 0.11, 0.02, 2.0),
        Point(29, 30, 32, 0.99, 0.98, "c", 0.09, 0.02, 0.5),
    )
    front = Front("moons", "ours", 0, 60.0, points)
    goal = DataSet(Path(), (), 0.9735, 53, 25)
    # Of those within the goal the least loss, not the best accuracy; else a standard error.
    assert front.chosen(goal).luts == 20
    assert front.chosen(replace(goal, goal=35)).luts == 30
    assert front.chosen(replace(goal, goal=8)).luts == 20
    assert front.chosen(DataSet(Path(), ())).luts == 20
    assert front.least(0.96, "luts") == 10
    assert front.least(0.96, "product") == 15.0
    pairs = [(point.luts, point.accuracy) for point in points]
    assert best_so_far(pairs) == ([10, 30], [0.97, 0.98])
    other = Front("moons", "torchlogix", 0, 60.0, points[:1])
    show_least([front, other], "moons")
    show_networks([front], "moons")
    show_goals([front])
    printed = capsys.readouterr().out
    assert "| 0.9600 | 10 / 12, 15 | 10 / 12, 20 |" in printed
    assert "| 0.9735 | 30 / 32, 15 | – |" in printed
    assert "| ours, seed 0 | a | 0.9000 | 0.9700 | 9 | 10 | 12 | 2.0 | 20 |" in printed
    assert "| moons | 53 | 8 | ours | 20 | 20 (0.9600) | 0 of 1 | 60 |" in printed


def test_fronts_of_any_seed_have_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    points = (
        Point(9, 10, 12, 0.90, 0.97, "a", 0.1, 0.01),
        Point(19, 20, 22, 0.98, 0.96, "b", 0.02, 0.01),
    )
    fronts = [Front("moons", "ours", 5, 60.0, points), Front("digits", "hgq-lut", 6, 60.0, points)]
    draw(fronts, tmp_path / "fronts.svg")
    # Glyphs are paths; the text they draw stands in a comment.
    text = (tmp_path / "fronts.svg").read_text()
    assert all(f"<!-- {word} -->" in text for word in ("moons", "digits", "ours", "hgq-lut"))


def test_perceptrons_have_more_nodes() -> None:
    (perceptron,) = options_of("drybean", "perceptron")
    assert (perceptron["functions"], perceptron["hidden"]) == ("line", [6])
    assert "teacher" in perceptron
    assert options_of("wine", "perceptron")[0]["hidden"] == [4]
    assert options_of("mnist", "perceptron")[0]["hidden"] == [200]
    assert [options["hidden"] for options in options_of("digits", "perceptron")] == [[16], [16]]
    assert "hidden" not in options_of("digits", "ours")[0]


def test_time_of_a_training_is_fixed_and_that_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    def train(_: Dataset, options: TrainingOptions, teacher: object) -> None:
        assert teacher is None and options.seeds == 1
        done.append(options.schedule.steps)

    class Clock:
        @property
        def seconds(self) -> float:
            return 2.0 + 0.5 * done[-1]

    monkeypatch.setattr("training.train", train)
    monkeypatch.setattr("training.Clock", Clock)
    dataset = Dataset(np.zeros((2, 1)), np.arange(2))
    assert seconds_of_steps(TrainingOptions(seeds=4), dataset, None) == (2.0, 0.5)
    assert len(set(done)) == 2


@pytest.mark.torch
@pytest.mark.parametrize(("few", "designs"), [(0, 1), (10_000, 3)])
def test_a_front_is_made_of_several_trainings(
    few: int, designs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("training.FEW_LUTS", few)
    data = EXAMPLES / "wine.npz"
    options = [{"input_bits": 2, "last_price": 2e-2}, {"input_bits": 4, "last_price": 2e-5}]
    job = job_of(load_dataset(data), seed=3, seconds=0.1, most=100)
    train_ours(json.dumps(options), data, job, tmp_path / "result.json")
    result = json.loads((tmp_path / "result.json").read_text())
    found = {network["what"]: len(network["designs"]) for network in result["networks"]}
    assert found == {
        "no hidden nodes, inputs of 2 bits, 100 steps": designs,
        "no hidden nodes, inputs of 4 bits, 100 steps": designs,
    }


@pytest.mark.torch
def test_peers_read_the_bits_and_hold_out_the_share_of_ours() -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    pixels = (rng.random((3000, 24)) < 0.5).astype(np.float64)
    dataset = Dataset(pixels, np.arange(3000) % 3, pixels[:2], np.zeros(2, int))
    job = job_of(dataset, seed=0, seconds=1.0, most=1, bits=1, share=0.1)
    np.testing.assert_array_equal(job.codes, pixels)
    assert (job.bits, job.outputs, job.wide, job.held_out.shape) == (1, 3, False, (1, 3000))
    assert abs(job.held_out.sum() - 300) <= 3
    assert abs(job_of(dataset, seed=0, seconds=1.0, most=1).held_out.sum() - 750) <= 3


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["perceptrons", "convolutions"])
def test_teachers_learn_classes_of_images(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from teachers import TEACHERS, trained_teacher

    monkeypatch.setattr(TEACHERS[kind], "steps", 100)
    rng = np.random.default_rng(6)
    images = rng.random((200, 8, 8))
    labels = np.arange(200) % 2
    images[labels == 1, :4] += 1.0
    dataset = Dataset(images.reshape(200, -1), labels)
    teacher = trained_teacher(kind, dataset, seed=1)
    logits = teacher(torch.from_numpy(dataset.x).float())
    assert logits.shape == (200, 2)
    assert (logits.argmax(dim=1).numpy() == labels).mean() > 0.95
    copies = with_copies(dataset, teacher, 2)
    np.testing.assert_array_equal(copies["x"][:200], dataset.x)
    for each in np.split(copies["x"], 3)[1:]:
        assert (each[labels == 1].mean() > each[labels == 0].mean()) and each.shape == (200, 64)
        assert np.allclose(each, dataset.x) == (kind == "perceptrons")
    np.testing.assert_array_equal(copies["y"][copies["sample"] == 7], [1, 1, 1])


@needs_icarus
@pytest.mark.skipif(look_for("yosys") is None, reason="needs Yosys")
@pytest.mark.torch
def test_a_front_of_images_from_file_to_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from teachers import TEACHERS

    monkeypatch.setattr(TEACHERS["convolutions"], "steps", 10)
    rng = np.random.default_rng(7)
    labels = np.arange(90) % 3
    images = np.zeros((90, 4, 4), dtype=np.int64)
    images[np.arange(90), labels, labels] = 255
    images[:, :, 3] = rng.integers(0, 256, (90, 4))
    arrays = {"x_train": images[:60], "y_train": labels[:60]}
    np.savez(tmp_path / "i.npz", **arrays, x_test=images[60:], y_test=labels[60:])
    options = [{"input_bits": 1, "teacher": "perceptrons", "last_price": 1e-2}]
    groups = [
        {
            **{"input_bits": 1, "hidden": (9,), "table_inputs": 2, "group_sum": True},
            **{"teacher": "convolutions", "copies": 2},
        }
    ]
    data = DataSet(tmp_path / "i.npz", (), bits=1)
    monkeypatch.setattr("training.DATA_SETS", {"i": data, "groups": data})
    monkeypatch.setattr("training.OURS", {"i": options, "groups": groups})
    bench = Bench(Measurements(tmp_path / "kept"), None, seconds=0.1, most=3, route=False)
    found = bench.front("i", "ours", seed=2)
    assert max(point.accuracy for point in found.points) > 0.9
    assert 0 < found.points[-1].luts < 20 and found.points[-1].ns is None
    # Counts are unsigned, and up to 3.
    assert bench.front("groups", "ours", seed=2).points[-1].luts > 0
    monkeypatch.setattr("training.subprocess", None)
    assert bench.front("i", "ours", seed=2) == found
