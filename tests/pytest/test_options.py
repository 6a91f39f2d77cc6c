"""Options of commands, passes and targets, given any value: one message, no traceback."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from xdsl.universe import Universe
from xdsl.utils.arg_spec import ArgSpec

from fuzz.options import Option, all_options
from kan_dialect.cli import kan_flow, kan_opt, kan_run
from kan_dialect.cli.options import NumberType
from kan_dialect.errors import KanError
from kan_dialect.flows.build import BuildOptions
from kan_dialect.flows.sweep.cluster import require_address
from kan_dialect.passbase.option_bounds import Bounds, bounds_of, declared_bounds
from kan_dialect.passbase.pipeline import build_pipeline
from kan_dialect.universe import UNIVERSE

ROOT = Path(__file__).parent.parent.parent
WRONG = ["", "x", "-1", "1.5", "nan", "inf", "-inf", "1e999", "9" * 20, "9" * 5000, "\udcff", "%"]
"""Of the wrong type, negative, huge, no number, empty, no UTF-8."""


FORMS = ("max_rmse", "max_error")
"""Budgets have a form of their own, `10%`; see `kan_dialect.search.precision.budgets`."""


MODULES = {"kan-flow": kan_flow, "kan-opt": kan_opt, "kan-run": kan_run}
OPTIONS = all_options()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, with what is installed looked up once."""
    multiverse = Universe.get_multiverse()
    monkeypatch.setattr(Universe, "get_multiverse", staticmethod(lambda: multiverse))
    monkeypatch.chdir(str(tmp_path))


def test_every_number_is_bounded() -> None:
    """Except for --jobs, which depends on the machine."""
    for option in OPTIONS:
        assert option.action.type not in (int, float) or option.name == "--jobs", option
    for name, factory in UNIVERSE.all_passes.items():
        stage = factory()
        bounded = dict(declared_bounds(stage))
        for field in dataclasses.fields(stage):
            words = str(field.type).replace("|", " ").replace("[", " ").split()
            if {"int", "float", "int,"} & set(words) and field.name not in (
                "max_rmse",
                "max_error",
            ):
                assert field.name in bounded, (name, field.name)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda each: f"{each.command[-1]} {each.name}")
def test_options_of_commands(option: Option, capfd: pytest.CaptureFixture[str]) -> None:
    """On a file that is not there, so that what is read ends in a message, too."""
    for text in WRONG:
        with pytest.raises(SystemExit) as ended:
            MODULES[option.command[0]].main(
                [*option.command[1:], *option.needed, f"{option.name}={text}"]
            )
        error = capfd.readouterr().err
        assert ended.value.code == 1, (text, error)
        assert error.count(": error: ") == 1, (text, error)
        assert "Traceback" not in error and "internal" not in error, (text, error)


@pytest.mark.parametrize("name", sorted(UNIVERSE.all_passes))
def test_options_of_passes(name: str) -> None:
    """A value is taken, or refused with a message that names the option."""
    available = Universe.get_multiverse().all_passes
    texts = [*WRONG[1:9], '"x"', '""', "true", "1,1,1", "-1,2", "9" * 400]
    for field in dataclasses.fields(available[name]()):
        option = field.name.replace("_", "-")
        for text in texts:
            try:
                build_pipeline(available, f"{name}{{{option}={text}}}")
            except KanError as error:
                assert len(str(error)) < 1500, (option, text)


@pytest.mark.parametrize("target", sorted(UNIVERSE.all_targets))
def test_options_of_targets(target: str, capfd: pytest.CaptureFixture[str]) -> None:
    for text in ("x", "x=-1", "x=nan", f"x={'9' * 20}", "x=", '"'):
        with pytest.raises(SystemExit) as ended:
            kan_opt.main(["none.mlir", "-t", f"{target}{{{text}}}"])
        error = capfd.readouterr().err
        assert ended.value.code == 1 and error.count("error: ") == 1, (text, error)
        assert "internal" not in error, (text, error)


@pytest.mark.parametrize(
    "text", ['kan-prune{data="x.npz" seed=-1}', 'kan-calibrate{data="x.npz" bins=1}']
)
def test_what_a_pass_says(text: str) -> None:
    with pytest.raises(KanError, match=r"must lie in \d+\.\.\d+, got -?\d+$"):
        build_pipeline(Universe.get_multiverse().all_passes, text)


def test_the_documentation_has_the_ranges_of_all_passes() -> None:
    found: dict[tuple[str, str], list[str]] = {}
    for name, factory in sorted(UNIVERSE.all_passes.items()):
        for option, bounds in declared_bounds(factory()):
            found.setdefault((option.replace("_", "-"), bounds.range), []).append(f"`{name}`")
    rows = [
        f"| `{option}` | {text} | {', '.join(names)} |" for (option, text), names in found.items()
    ]
    documented = (
        (ROOT / "docs" / "reference" / "passes.md").read_text().partition("## Ranges of options")[2]
    )
    assert sorted(rows) == sorted(documented.splitlines()[-len(rows) :])


@pytest.mark.parametrize(
    ("bounds", "phrase", "inside", "outside"),
    [
        (Bounds(0, 8), "lie in 0..8", [0, 8], [-1, 9, math.nan]),
        (Bounds(1), "be at least 1", [1, math.inf], [0, math.nan, -math.inf]),
        (Bounds(0, above=True), "be above 0", [1e-300, math.inf], [0, math.nan]),
        (Bounds(0, above=True, below=True), "be above 0 and finite", [1], [0, math.inf]),
        (Bounds(0, 1, above=True, below=True), "lie between 0 and 1", [0.5], [0, 1]),
        (Bounds(0, 1, below=True), "be at least 0 and below 1", [0], [1]),
        (Bounds(0, 1, above=True), "be above 0 and at most 1", [1], [0]),
    ],
)
def test_bounds(bounds: Bounds, phrase: str, inside: list[float], outside: list[float]) -> None:
    assert str(bounds) == phrase
    assert all(map(bounds.admits, inside)) and not any(map(bounds.admits, outside))
    with pytest.raises(KanError, match=f"--n must {phrase}, got"):
        bounds.require("--n", outside[0])


def test_a_command_takes_what_its_library_takes() -> None:
    for option in OPTIONS:
        if option.command[-1] == "build" and option.name in ("--vectors", "--seed"):
            assert isinstance(option.action.type, NumberType)
            assert option.action.type.bounds == bounds_of(BuildOptions, option.name[2:])
    with pytest.raises(KanError, match=r"vectors must lie in 0\.\.10000000, got -1"):
        BuildOptions([], vectors=-1)


@pytest.mark.parametrize(
    "address",
    ["garbage", "", "tcp://", "tcp://host", "tcp://a:b", "http://a:1", "tcp://a:99999", "tcp://a:0",
     "inproc://x", "[", "tcp://a b:1"],
)  # fmt: skip
def test_addresses_of_schedulers(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Dask, which prints a traceback when the process ends, is not asked."""
    arguments = ["sweep", "none.mlir", "-o", "out", "--vary", "levels=1", "--scheduler", address]
    with pytest.raises(SystemExit) as ended:
        kan_flow.main(arguments)
    error = capfd.readouterr().err
    assert ended.value.code == 1
    assert error.startswith("kan-flow: error: --scheduler takes an address, as tcp://host:8786")


@pytest.mark.parametrize("address", ["tcp://host:8786", "127.0.0.1:8786", "ws://[::1]:1"])
def test_schedulers_of_others_are_asked(address: str) -> None:
    require_address(address)


def test_a_number_is_no_truth() -> None:
    spec = ArgSpec("kan-calibrate", {"data": ("x",), "bins": (True,)})
    with pytest.raises(KanError, match="bins takes a number, got true"):
        UNIVERSE.all_passes["kan-calibrate"]().from_spec(spec)
