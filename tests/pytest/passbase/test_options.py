"""Options of commands, passes and targets, given any value: one message, no traceback."""

from __future__ import annotations

import argparse
import dataclasses
import math
from functools import cache
from importlib.metadata import entry_points

import pytest
from xdsl.universe import Universe
from xdsl.utils.arg_spec import ArgSpec

from fuzz.options import Option, all_options
from kan_dialect import multiverse
from kan_dialect.cli import kan_flow, kan_opt, kan_run
from kan_dialect.cli.flow.build import add_build, compile_pass
from kan_dialect.cli.number_options import NumberType
from kan_dialect.errors import KanError
from kan_dialect.flows.build_options import BuildOptions
from kan_dialect.flows.trials.cluster import require_address
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.passbase.kan_pass import pass_text, unwrapped
from kan_dialect.passbase.option_bounds import Bounds, declared_bounds
from kan_dialect.passbase.option_text import OptionValue, expected, read_value, spell_value
from kan_dialect.passbase.options import Option as PassOption
from kan_dialect.passbase.options import option_of, options_of, sharing, taken_from
from kan_dialect.passbase.pipeline import build_pipeline, parse_passes
from kan_dialect.passes.make_trainable import MakeTrainablePass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.universe import UNIVERSE

WRONG = ["", "x", "-1", "1.5", "nan", "inf", "-inf", "1e999", "9" * 20, "9" * 5000, "\udcff", "%"]
"""Of the wrong type, negative, huge, no number, empty, no UTF-8."""


FORMS = ("max_rmse", "max_error")
"""Budgets have a form of their own, `10%`; see `kan_dialect.search.precision.budgets`."""


MODULES = {"kan-flow": kan_flow, "kan-opt": kan_opt, "kan-run": kan_run}
OPTIONS = all_options()
WRITTEN = ("benchmark-set --output", "kan-opt --new-pass")
"""Names of folders for commands that read nothing: a word is right."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, with what is installed looked up once."""
    monkeypatch.setattr(multiverse, "entry_points", cache(entry_points))
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
        if f"{option.command[-1]} {option.name}" in WRITTEN and ended.value.code == 0:
            continue
        assert ended.value.code == 1, (text, error)
        assert error.count(": error: ") == 1, (text, error)
        assert "Traceback" not in error and "internal" not in error, (text, error)


@pytest.mark.parametrize("name", sorted(UNIVERSE.all_passes))
def test_every_option_of_a_pass_has_a_help_text(name: str) -> None:
    """The docstring below its field, or below the field that it is taken from."""
    for option in options_of(UNIVERSE.all_passes[name]()):
        assert option.help, option.name
        assert not option.help.startswith("See "), option.name


@dataclasses.dataclass(frozen=True)
class Taker:
    """A pass that takes an option over as it is, and two with a change."""

    percentile: float = taken_from(QuantizePass, "percentile")
    scale: str = taken_from(QuantizePass, "scale", default="minmax")
    bits: int | None = taken_from(QuantizePass, "bits", default=None)
    """Its own
    help."""


def test_an_option_is_taken_from_the_pass_that_declares_it() -> None:
    taken, declared = options_of(Taker), {o.name: o for o in options_of(QuantizePass)}
    percentile, scale, bits = taken
    assert percentile == declared["percentile"]
    assert scale == dataclasses.replace(declared["scale"], default="minmax")
    assert bits.bounds == declared["bits"].bounds
    assert (bits.help, bits.type, bits.default) == ("Its own help.", "int | None", None)
    assert sharing(Taker(99.0, bits=5), QuantizePass, scale="percentile") == QuantizePass(
        5, "percentile", percentile=99.0
    )
    with pytest.raises(KeyError):
        taken_from(QuantizePass, "bitz")


NOT_HANDED_ON = {
    "kan-calibrate": {"bins", "results"},
    "kan-choose-bits": {"share", "at-least", "at-most"},
    "kan-refine-precision": {"validation"},
}
"""Options of the passes of `kan-compile` that it sets itself, or leaves at their defaults."""


def test_the_default_pipeline_has_the_options_of_its_passes() -> None:
    """Of the same type but for None, with the same bounds."""
    own = {option.name: option for option in options_of(CompilePass)}
    found: dict[str, set[str]] = {}
    for stage in CompilePass(data="x.npz", bits="auto", precision="auto").passes():
        for option in options_of(type(stage)):
            if option.name not in own:
                found.setdefault(stage.name, set()).add(option.name)
                continue
            mine = own[option.name]
            assert set(option.kinds) <= set(mine.kinds), (stage.name, option.name)
            assert option.bounds == mine.bounds, (stage.name, option.name)
    assert found == NOT_HANDED_ON


OTHER_VALUES: dict[str, OptionValue] = {
    "data": "data.npz", "bits": 5, "scale": "minmax", "percentile": 99.0, "per-tensor": True,
    "per-layer": True, "guard-bits": 2, "quantizers": "quantizers.json", "precision": "auto",
    "max-accuracy-loss": 0.25, "max-rmse": "10%", "max-error": 3.0, "max-luts": 700,
    "max-levels": 12, "seed": 9, "target": "ecp5", "parts": 5, "extra-levels": (1, 2),
    "levels": 7, "cycles": 11, "mhz": 123.0, "combinational": True, "fast": True,
    "input-format": "x0=s12.8", "output-format": "s16.8", "head": "argmax", "threshold": 0.5,
    "probability": 0.9, "k": 3, "adders": "plain",
    "tables": "plain", "interval": 12, "loadable": True, "logic-words": 256,
}  # fmt: skip
"""A value of each option of `kan-compile` that is not its default."""
HEADS = {"threshold": "threshold", "probability": "threshold", "k": "top-k"}
"""The head that an option is for."""


@pytest.mark.parametrize("option", options_of(CompilePass), ids=lambda each: each.name)
def test_options_of_the_default_pipeline_reach_their_passes(option: PassOption) -> None:
    """Every pass that has the option gets its value; another value makes another pipeline."""
    value = OTHER_VALUES[option.name]
    needed = {"data": "x.npz", "precision": "auto"}
    if option.name == "quantizers":
        needed = {"data": "x.npz"}
    if option.name in HEADS:
        needed["head"] = HEADS[option.name]
    if option.name == "tables":
        needed["target"] = "ice40"
    if option.name in ("loadable", "logic-words"):
        needed["interval"] = 12
    if option.name == "percentile":
        needed["scale"] = "percentile"
    stages = CompilePass(**needed | {option.field: value}).passes()  # pyright: ignore[reportArgumentType]
    got = [
        getattr(stage, option.field)
        for stage in stages
        if option.name in {each.name for each in options_of(type(stage))}
    ]
    assert all(each == value for each in got)
    default = CompilePass(**needed).passes()  # pyright: ignore[reportArgumentType]
    if option.name == "precision":
        default = CompilePass(data="x.npz").passes()
    assert stages != default


@pytest.mark.parametrize("option", options_of(CompilePass), ids=lambda each: each.name)
def test_kan_flow_build_has_every_option_of_the_default_pipeline(option: PassOption) -> None:
    """On the command line its value is read as in a pipeline, and becomes the pass's."""
    value = OTHER_VALUES[option.name]
    flag = "--calibration" if option.name == "data" else f"--{option.name}"
    if option.name == "max-accuracy-loss":
        words = [flag, "25%"]
    elif value is True:
        words = [flag]
    else:
        words = [flag, spell_value(value, ",")]
    if option.name in ("max-accuracy-loss", "max-rmse", "max-error", "max-luts", "max-levels"):
        words += ["--precision", "auto"]
    if "auto" in words:
        words += ["--calibration", "data.npz"]
    if option.name in HEADS:
        words += ["--head", HEADS[option.name]]
    if option.name == "loadable":
        words += ["--interval", "12"]
    parser = argparse.ArgumentParser()
    add_build(parser)
    made = compile_pass(parser.parse_args(["none.mlir", "-o", "none", *words]))
    assert getattr(made, option.field) == value


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("bits", "6,8", (6, 8)),
        ("bits", "AUTO", "auto"),
        ("max-accuracy-loss", "1%", 0.01),
        ("max-rmse", "10%", "10%"),
        ("max-rmse", "0.25", 0.25),
        ("levels", "none", None),
        ("fast", "True", True),
    ],
)
def test_values_as_text(option: str, text: str, value: object) -> None:
    assert read_value(option_of(CompilePass, option), text, ",") == value


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("bits", "6,x", "whole numbers, as 8 or 6,8,8, auto, or none"),
        ("levels", "2.5", "a whole number or none"),
        ("mhz", "fast", "a number or none"),
        ("fast", "1", "true or false"),
        ("precision", "some", "given or auto"),
    ],
)
def test_texts_that_are_no_values(option: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"{option} does not take"):
        read_value(option_of(CompilePass, option), text, ",")
    assert expected(option_of(CompilePass, option), ",") == words


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
            assert option.action.type.bounds == dict(declared_bounds(BuildOptions))[option.name[2:]]
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


def test_a_word_outside_the_choices_names_them() -> None:
    with pytest.raises(KanError) as caught:
        build_pipeline(UNIVERSE.all_passes, 'kan-compile{precision="finest"}')
    assert str(caught.value) == ("pass kan-compile: precision cannot be 'finest'; use given, auto")


NUMBERS = (1e-5, 1.5e-7, -2e-9, 1e16, 1e300, 0.25, 3.0)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_pass_texts_are_read_back(number: float) -> None:
    spec = ArgSpec("a-pass", {"one": (number,), "more": (number, 1, "word", True)})
    assert parse_passes(pass_text(spec)) == [spec]


def test_a_recorded_pass_with_a_small_number_is_read_back() -> None:
    recorded = MakeTrainablePass(learning_rate=1e-5).recorded()
    assert "learning-rate=1.0e-05" in recorded
    (again,) = build_pipeline(UNIVERSE.all_passes, recorded)
    assert unwrapped(again) == MakeTrainablePass(learning_rate=1e-5)


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.0e-3", "0.001"])
def test_options_take_numbers_with_exponents(text: str) -> None:
    (stage,) = build_pipeline(UNIVERSE.all_passes, f"kan-make-trainable{{learning-rate={text}}}")
    assert unwrapped(stage) == MakeTrainablePass(learning_rate=0.001)
