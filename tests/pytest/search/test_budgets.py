"""Budgets of accuracy: how they are spelt, what they come to, and that they count from floats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import flow
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.universe import Universe

from kan_dialect.checking import run_passes
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.flows.trials.points import parse_axis
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import Array
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.model.model import Model
from kan_dialect.passbase.kan_pass import NamedPass
from kan_dialect.passbase.pipeline import build_pipeline
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.passes.refine_precision import RefinePrecisionPass
from kan_dialect.search.precision import judge, search
from kan_dialect.search.precision.bits import trade_of
from kan_dialect.search.precision.budgets import Limit, allowed, parse_loss
from kan_dialect.search.precision.network import read_chain
from small_networks import build, model, square


def test_losses_are_spelt_alike() -> None:
    assert parse_loss("0.5%", "--loss") == parse_loss("0.005", "--loss") == 0.005
    for text in ("few", "nan%", "inf", "%", ""):
        with pytest.raises(KanError, match=r"--loss takes a share, as 0.5% or 0.005"):
            parse_loss(text, "--loss")
    assert parse_axis("max-accuracy-loss=0.5%,0.01").values == (0.005, 0.01)
    assert parse_axis("max-rmse=10%,0.3,none").values == ("10%", 0.3, None)
    available = Universe.get_multiverse().all_passes
    (stage,) = build_pipeline(available, 'kan-refine-precision{data="d" max-accuracy-loss="1%"}')
    assert isinstance(stage, NamedPass)
    assert stage.inner == RefinePrecisionPass("d", max_accuracy_loss=0.01)


def test_limits() -> None:
    assert Limit.parse("0.3", "max-error").absolute(0.2, "max-error") == 0.3
    assert Limit.parse("10%", "max-error").absolute(0.2, "max-error") == pytest.approx(0.22)
    for text in ("-1", "few", "-5%", "inf"):
        with pytest.raises(KanError, match="max-error takes an error in the outputs' unit"):
            Limit.parse(text, "max-error")
    with pytest.raises(KanError, match=r"below the error of the float model itself, 0.2 on"):
        Limit.parse("0.1", "max-error").absolute(0.2, "max-error")
    with pytest.raises(KanError, match="relative to the float model's error, which is 0"):
        Limit.parse("10%", "max-error").absolute(0.0, "max-error")


def test_a_limit_of_the_squared_error_is_a_loss() -> None:
    """Of explained variance, so that what is promised of losses holds for it too."""
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(500, 2))
    reference = targets + rng.normal(0, 0.1, targets.shape)
    outputs = reference + rng.normal(0, 0.2, targets.shape)
    found = allowed(reference, targets, None, Limit(0.2), None)
    assert found.loss is not None and found.rmse == 0.2
    rest = [((each - targets) ** 2).mean() / targets.var(axis=0).mean() for each in (outputs,)]
    start = ((reference - targets) ** 2).mean() / targets.var(axis=0).mean()
    exact = allowed(
        reference, targets, None, Limit(float(((outputs - targets) ** 2).mean() ** 0.5)), None
    )
    assert exact.loss == pytest.approx(rest[0] - start)
    assert "a root mean squared error of" in (found.problem(outputs) or "")
    assert found.problem(reference) is None
    # Of classes, errors are those against the float model's outputs.
    classes = allowed(reference, (targets[:, 0] > 0).astype(np.int64), 0.01, None, Limit(0.5))
    assert classes.loss == 0.01 and np.array_equal(classes.targets, reference)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModuleOp, Path, Array, Array]:
    """A float model that decides by a sum, samples with its own labels, quantised to 3 bits."""
    folder = tmp_path_factory.mktemp("lines")
    x = square(400)
    labels = (x.sum(axis=1) > 0).astype(np.int64)
    np.savez(folder / "data.npz", x=x, y=labels)
    module = parse_text(make_context(), model([[1.0, 1.0]]).encode(), "net")
    for stage in (
        CalibratePass(str(folder / "data.npz"), results=True),
        QuantizePass(bits=4),
        FoldTablesPass(),
    ):
        stage.apply(Context(), module)
    return module, folder / "data.npz", x, labels


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search with few paths, few worths and few samples made near the given ones."""
    few = replace(search.LIMITS, worths=(1e-3, 1e-2), orders=1, splits=2, made_samples=200)
    monkeypatch.setattr(search, "LIMITS", few)
    monkeypatch.setattr(judge, "MANY_AROUND", 400)


@pytest.mark.usefixtures("quick")
def test_losses_count_from_the_float_model(
    lines: tuple[ModuleOp, Path, Array, Array],
) -> None:
    """What quantisation lost is a part of the budget."""
    module, path, x, labels = lines
    start = ((Model.of(module).run(x)[:, 0] > 0) == labels).mean()
    assert 0.9 < start < 0.985
    refined = module.clone()
    run_passes(Context(), refined, [RefinePrecisionPass(str(path), max_accuracy_loss=0.12)])
    figures = trade_of(find_function(refined))
    assert figures is not None
    # The float model is right on all samples.
    assert figures["calibration_before"] == figures["validation_before"] == 1.0
    after = ((Model.of(refined).run(x)[:, 0] > 0) == labels).mean()
    assert figures["calibration_after"] == pytest.approx(after)
    assert after >= 1.0 - 0.12
    assert "kan.reference" not in str(refined) and "kan.reference" in str(module)


def test_a_budget_that_quantisation_took(
    lines: tuple[ModuleOp, Path, Array, Array], tmp_path: Path
) -> None:
    module, path, x, labels = lines
    refined = module.clone()
    with pytest.raises(KanError, match=r"loses [\d.]+ % of the float model's score already") as bad:
        RefinePrecisionPass(str(path), max_accuracy_loss=0.002).apply(Context(), refined)
    assert bad.value.remedy is not None and "more bits" in bad.value.remedy
    assert str(refined) == str(module)
    np.savez(tmp_path / "other.npz", x=x[::-1], y=labels[::-1])
    with pytest.raises(KanError, match="was calibrated with other samples than those of"):
        RefinePrecisionPass(str(tmp_path / "other.npz")).apply(Context(), refined)


def test_decisions_near_samples_count_from_the_float_model() -> None:
    """What the given network decides otherwise on samples is added near them."""
    x = square(100)
    labels = (x[:, 0] > 0).astype(np.int64)
    held = np.arange(25)

    def given(some: Array) -> Array:
        return some[:, :1] - 0.2

    def now(some: Array) -> Array:
        return some[:, :1] - 0.3

    shown = [
        judge.Judge(x, labels, origin, given, held, [0], decided=given(x)).held_out(now(x), now)
        for origin in (given(x), x[:, :1])
    ]
    apart = float(((x[:, 0] > 0) & (x[:, 0] <= 0.2)).mean())
    assert apart > 0.05
    assert shown[1].near_changed - shown[0].near_changed == round(apart * shown[1].near)
    assert shown[1].changed == ((x[held, 0] > 0) & (x[held, 0] <= 0.3)).sum()


@pytest.mark.usefixtures("quick")
def test_a_network_keeps_edges(tmp_path: Path) -> None:
    """Nine samples of ten are of one class: no edges at all would keep the budget."""
    kind = UniformQuantizedType(3, False, 1.0, 0)
    tables = np.stack([np.where(np.arange(8) > 6, 6, -2), np.arange(8) % 2])[np.newaxis]
    module = TableNetwork("net", kind, 2).add_layer(tables).module()
    x = np.random.default_rng(0).integers(0, 8, (200, 2)).astype(np.float64)
    np.savez(tmp_path / "data.npz", x=x, y=(x[:, 0] > 6).astype(np.int64))
    stage = RefinePrecisionPass(str(tmp_path / "data.npz"), max_accuracy_loss=0.4)
    stage.apply(Context(), module)
    chain = read_chain(find_function(module))
    assert chain is not None and chain.edges > 0 and not chain.is_constant


def accuracy_of(text: str, x: Array, labels: Array, path: Path, bits: int) -> float:
    module = parse_text(make_context(), text.encode(), "net")
    for stage in (CalibratePass(str(path)), QuantizePass(bits=bits), FoldTablesPass()):
        stage.apply(Context(), module)
    return float(((Model.of(module).run(x)[:, 0] > 0) == labels).mean())


def test_bits_auto_are_the_fewest(tmp_path: Path) -> None:
    """Against all widths, each compiled by itself."""
    x = square(300)
    labels = (x.sum(axis=1) > 0).astype(np.int64)
    text = model([[1.0, 1.0]])
    options = ("--bits", "auto", "--max-accuracy-loss", "3%")
    report = build(tmp_path, text, {"x": x, "y": labels}, *options)
    bits = report["bits"]
    scores = [accuracy_of(text, x, labels, tmp_path / "data.npz", n) for n in range(2, 13)]
    kept = [n for n, score in enumerate(scores, start=2) if score >= 0.97]
    assert bits["bits"] == kept[0]
    assert (bits["before"], bits["after"]) == (1.0, pytest.approx(scores[kept[0] - 2]))
    assert bits["max_accuracy_loss"] == 0.03 and bits["samples"] == 300
    assert report["accuracy"]["integer"] == pytest.approx(scores[kept[0] - 2])


@pytest.mark.parametrize(
    ("option", "limit", "figure"),
    [("--max-rmse", "0.02", "rmse"), ("--max-error", "0.05", "max_error")],
)
def test_bits_auto_of_a_regression(tmp_path: Path, option: str, limit: str, figure: str) -> None:
    x = square(200)
    data = {"x": x, "y": 2 * x[:, 0] - x[:, 1]}
    text = model([[2.0, -1.0]])
    report = build(tmp_path, text, data, "--bits", "auto", option, limit)
    assert report["regression"]["integer"][figure] <= float(limit)
    fewer = build(tmp_path, text, data, "--bits", str(report["bits"]["bits"] - 1))
    assert fewer["regression"]["integer"][figure] > float(limit)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("option", [("--max-rmse", "0.2"), ("--max-error", "0.5")])
def test_precision_auto_of_a_regression(tmp_path: Path, option: tuple[str, str]) -> None:
    """Fewer bits than given, and the limit holds, on all calibration samples."""
    x = square(200)
    data = {"x": x, "y": 2 * x[:, 0] - x[:, 1]}
    text = model([[2.0, -1.0]])
    report = build(tmp_path, text, data, "--precision", "auto", *option)
    name = option[0][2:].replace("-", "_")
    assert report["precision"]["budget"] == {name: float(option[1])}
    figure = name if name == "max_error" else "rmse"
    assert report["regression"]["integer"][figure] <= float(option[1])
    given = build(tmp_path, text, data, "--bits", "6")
    assert report["estimate"]["luts"] < given["estimate"]["luts"]


def test_bits_auto_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.mlir").write_text(model([[2.0, -1.0]]))
    x = square(50)
    np.savez(tmp_path / "data.npz", x=x, y=2 * x[:, 0] - x[:, 1] + 0.1)
    data = ("--calibration", str(tmp_path / "data.npz"))
    cases: list[tuple[tuple[str, ...], str]] = [
        (("--bits", "auto"), "bits auto needs samples to choose by"),
        (("--bits", "auto", "--max-luts", "9", *data), "there is a budget, but precision is as"),
        (("--max-rmse", "1", *data), "there is a budget, but precision is as given"),
        (("--bits", "auto", "--max-rmse", "much", *data), "max-rmse takes an error in the"),
        (("--bits", "auto", "--max-rmse", "0.05", *data), "max-rmse=0.05 is below the error of"),
        (("--bits", "auto", "--max-error", "0.0001%", *data), "no number of bits from 2 to 12"),
        (("--bits", "some", *data), "--bits takes whole numbers, as 8 or 6,8,8, or auto"),
    ]
    for options, message in cases:
        command = ["build", str(tmp_path / "net.mlir"), "-o", str(tmp_path / "out"), *options]
        assert flow(*command) == 1
        error = capsys.readouterr().err
        assert message in error and error.count("error: ") == 1
        assert not (tmp_path / "out").exists()
    with pytest.raises(KanError, match="nothing was; run kan-choose-bits first"):
        module = parse_text(make_context(), model([[2.0, -1.0]]).encode(), "net")
        QuantizePass(bits="auto").apply(Context(), module)
