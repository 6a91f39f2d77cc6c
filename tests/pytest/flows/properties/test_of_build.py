"""Properties of a build: command, Python, report, page, and replay on the RTL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import flow

import kan_dialect as kan
from kan_dialect.cli.flow import prove
from kan_dialect.errors import KanError
from kan_dialect.flows.properties.property import Built, read_properties
from kan_dialect.flows.properties.prove import prove_property
from kan_dialect.flows.properties.show import print_verdict
from kan_dialect.flows.tools.toolchain import find_simulator
from small_networks import build, model, square

PROPERTIES = """
[ends]
range = "y0 - y1"

[rising]
monotone = "y0 rises with x1"

[robust]
robust = 1
data = "data.npz"

[same]
equivalent = "out"

[trigger]
never = "y0 > 2"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("properties")
    build(folder, model([[1.0, 0.5], [-0.5, 1.0]]), {"x": square(40)}, "--bits", "4")
    (folder / "property.toml").write_text(PROPERTIES)
    return folder


def test_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    arguments = ("prove", folder / "out", "--property", folder / "property.toml", "--report")
    assert flow(*arguments) == 1
    text = capsys.readouterr().out
    for line in (
        "ends: proven, y0 - y1 (",
        "rising: proven, y0 rises with x1 (",
        "robust: refuted, same class within 1 code of all features, 40 samples of data.npz (",
        "same: proven, same class as out (",
        "trigger: refuted, never y0 > 2 (",
        "net: 3 of 5 properties proven of the integer model, for all codes",
    ):
        assert f"\n{line}" in f"\n{text}"
    if find_simulator("icarus") or find_simulator("verilator"):
        assert text.count("; the same in ") == 5
    report = json.loads((folder / "out" / "report.json").read_text())
    statuses = [entry["status"] for entry in report["properties"]]
    assert statuses == ["proven", "proven", "refuted", "proven", "refuted"]
    page = (folder / "out" / "report.html").read_text()
    assert "never y0 &gt; 2" in page and "refuted" in page


def test_python(folder: Path) -> None:
    built = kan.Build(folder / "out")
    ends, rising = built.prove_properties(
        {"ends": {"range": "y0"}, "rising": {"monotone": "y1 falls with x0"}}
    )
    assert ends.proven and rising.proven
    (port,) = (port for port in built.report["ports"] if port["name"] == "y0")
    low, high = port["low"], port["high"]
    assert low <= ends.results["least"] < ends.results["greatest"] <= high  # type: ignore[operator]
    assert [entry["name"] for entry in built.report["properties"]] == ["ends", "rising"]


def test_rtl_that_gives_other_results_is_named(folder: Path, tmp_path: Path) -> None:
    if not (find_simulator("icarus") or find_simulator("verilator")):
        pytest.skip("needs a simulator")
    built = Built.of(folder / "out")
    wrong = tmp_path / "net.sv"
    text = built.rtl.read_text()
    assert "assign y0 = " in text
    wrong.write_text(text.replace("assign y0 = ", "assign y0 = 5'd1 ^ "))
    (wanted,) = read_properties(built.integer, {"it": {"never": "y0 > 2"}})
    verdict = prove_property(built.integer, wanted)
    with pytest.raises(KanError, match="gives y0 = "):
        print_verdict(verdict, Built(built.integer, built.circuit, wrong))


@pytest.mark.parametrize("option", [("--second",), ("--rtl", "a.sv"), ("--against", "a.mlir")])
def test_options_that_mean_nothing_are_refused(
    folder: Path, option: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code = flow("prove", folder / "out", "--property", folder / "property.toml", *option)
    assert code == 1
    assert f"{option[0]} has no meaning with --property" in capsys.readouterr().err


def test_hardware_that_trains_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prove, "is_trainable_build", lambda _: True)  # pyright: ignore[reportUnknownLambdaType]
    assert flow("prove", folder / "out", "--property", folder / "property.toml") == 1
    assert "leave --property out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"), [(None, "cannot read"), ("[a", "is no TOML"), ("a = 1", "has 0 kinds")]
)
def test_files_that_are_no_properties(
    folder: Path, text: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "other.toml"
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)
    assert flow("prove", folder / "out", "--property", path) == 1
    assert message in capsys.readouterr().err
