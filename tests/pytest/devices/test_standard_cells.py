"""Liberty files: what is read of them, and the device that they are."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from commands import flow

from kan_dialect.devices.device import device
from kan_dialect.devices.liberty import read_library
from kan_dialect.errors import KanError
from repository import EXAMPLES
from repository import SMALL_LIBRARY as LIBRARY
from small_networks import model

TEXT = LIBRARY.read_text()


def test_what_is_read_of_a_library() -> None:
    found = read_library(LIBRARY)
    assert found.name == "small"
    assert found.areas == {"BUF": 1.5, "INV": 1.0, "NAND2": 2.0, "NOR2": 2.5, "DFF": 9.0}
    assert found.flip_flops == {"DFF"}
    assert (found.gate, found.flip_flop) == (2.0, 9.0)
    assert (found.gate_ns, found.register_ns) == (0.1, 0.2)


@pytest.mark.parametrize(
    ("was", "text"),
    [
        ('time_unit : "1ns";', 'time_unit : "100ps";'),
        ("area : 2;", "/* } a comment */ area : 2; // {"),
        ("cell (NAND2) {", 'cell ("NAND2") \\\n {'),
    ],
)
def test_spellings_of_liberty(was: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.lib"
    path.write_text(TEXT.replace(was, text))
    expected, found = read_library(LIBRARY), read_library(path)
    assert found.areas == expected.areas
    assert found.gate_ns == pytest.approx(0.1 * found.unit_ns)


def test_delays_are_read_at_a_load_of_four_gates(tmp_path: Path) -> None:
    path = tmp_path / "slopes.lib"
    path.write_text(TEXT.replace("0.1, 0.1", "0.1, 1.1"))
    assert read_library(path).gate_ns == pytest.approx(0.1 + 4 * 0.001)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("module cells; endmodule", "is no Liberty file: it has no library"),
        (TEXT[:-5], "is no whole Liberty file: 2 groups do not end"),
        (TEXT.replace("ff (", "latch ("), "has no flip-flop among its 5 cells"),
        (TEXT.replace("area : 2", "length : 2"), "has no gate of two inputs with an area"),
        (TEXT.replace("area : 2;", "area : two;"), "is wrong: could not convert"),
        (TEXT.replace('"0.1, 0.1"', '"0.1"'), "is wrong: fp and xp"),
    ],
)
def test_a_broken_library_is_refused(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.lib"
    path.write_text(text)
    with pytest.raises(KanError, match=message):
        read_library(path)
    network = EXAMPLES / "load.mlir"
    assert flow("build", network, "--target", path, "-o", tmp_path / "o") == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_a_library_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KanError, match=r"cannot read the library .*: No such file"):
        device(str(tmp_path / "none.lib"))


def test_a_library_is_a_target(tmp_path: Path) -> None:
    network = tmp_path / "net.mlir"
    network.write_text(model([[1.0, 0.5], [-0.75, 2.0]]))
    folder = tmp_path / "o"
    # A register takes 0.2 ns, a table of four inputs 0.5 ns, and a bit of an adder 0.12 ns.
    options = ["--input-format", "s2.2", "--target", LIBRARY, "--mhz", 400]
    assert flow("build", network, *options, "-o", folder) == 0
    estimate = json.loads((folder / "report.json").read_text())["estimate"]
    assert estimate["library"] == "small"
    assert estimate["sha256"] == sha256(LIBRARY.read_bytes()).hexdigest()
    assert estimate["area"] == 2.0 * estimate["luts"] + 9.0 * estimate["registers"]
    assert estimate["fmax_mhz"] >= 400
    assert "gate equivalents" in (folder / "report.html").read_text()
