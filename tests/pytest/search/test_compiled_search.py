"""The compiled search for splits finds the same sums as Python's; its library is in a cache."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect.devices.device import DEVICES, XCUP
from kan_dialect.files.c_library import load_c_library
from kan_dialect.ir.constants import IntArray
from kan_dialect.search.adder_trees.compiled import CompiledPairing, pairing_of
from kan_dialect.search.adder_trees.pairing import Summands
from kan_dialect.search.table_split import compiled
from kan_dialect.search.table_split.costs import PartCosts
from kan_dialect.search.table_split.limits import SearchLimits
from kan_dialect.search.table_split.parts import Split
from kan_dialect.search.table_split.splitter import Splitter
from repository import EXAMPLES

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


@st.composite
def tables(draw: st.DrawFn) -> IntArray:
    """Curves, steps, noise and repeated entries, of any width."""
    inputs, bits = draw(st.integers(0, 9)), draw(st.integers(1, 46))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    x = np.linspace(-1, 1, 1 << inputs)
    curves = {
        "sine": lambda: np.sin(x * rng.uniform(0.5, 6) + rng.uniform(0, 6)),
        "cube": lambda: x**3 * rng.normal(),
        "noise": lambda: rng.uniform(-1, 1, len(x)),
        "clamped": lambda: np.clip(x * rng.normal() * 2, -0.4, 0.3),
        "steps": lambda: np.repeat(rng.uniform(-1, 1, len(x)), 4)[: len(x)],
        "walk": lambda: np.cumsum(rng.integers(-2, 3, len(x))) * 2.0**-bits,
    }
    curve = curves[draw(st.sampled_from(sorted(curves)))]()
    noise = rng.integers(0, draw(st.integers(1, 3)), len(x))
    return np.round(curve * 2.0**bits).astype(np.int64) + noise


def same(one: Split, other: Split) -> bool:
    """Whether two splits are equal in every field, types of arrays included."""
    if (one[0], *one[2:]) != (other[0], *other[2:]) or len(one.parts) != len(other.parts):
        return False
    return all(
        type(left) is type(right)
        and all(
            (a.dtype, a.shape, a.tolist()) == (b.dtype, b.shape, b.tolist())
            if isinstance(a, np.ndarray)
            else a == b
            for a, b in zip(left, right, strict=True)
        )
        for left, right in zip(one.parts, other.parts, strict=True)
    )


@needs_compiler
@settings(max_examples=60, deadline=None)
@given(
    st.lists(tables(), min_size=1, max_size=5),
    st.sampled_from(sorted(DEVICES)),
    st.integers(1, 6),
)
def test_the_compiled_search_finds_the_same_splits(
    some: list[IntArray], device: str, parts: int
) -> None:
    costs = PartCosts.on(DEVICES[device])
    found = search_of(costs).split_all(some, parts)
    expected = Splitter(costs, parts, compiled=False).split_all(some)
    assert all(map(same, found, expected))


def search_of(costs: PartCosts) -> compiled.CompiledSearch:
    found = compiled.CompiledSearch.of(costs)
    assert found is not None
    return found


@needs_compiler
def test_limits_of_the_search_are_those_of_python() -> None:
    rng = np.random.default_rng(3)
    some = [rng.integers(0, 40, 64) + np.arange(64) for _ in range(20)]
    for limits in (
        SearchLimits(offsets=5),
        SearchLimits(high_offsets=1, offset_bits=2),
        SearchLimits(decompositions=2, refined=1),
        SearchLimits(refined=7, refined_once=1 << 4),
        SearchLimits(gate_variants=1 << 3, shape_bits=2, shape_inputs=4),
        SearchLimits(gate_bits=2),
    ):
        costs = PartCosts(XCUP.bit_costs(8), XCUP.summand_costs(8), XCUP.adders, limits)
        found = search_of(costs).split_all(some, 3)
        expected = Splitter(costs, 3, compiled=False).split_all(some)
        assert all(map(same, found, expected)), limits


def test_costs_that_rounding_would_change_are_left_to_python() -> None:
    thirds = replace(XCUP, adders=replace(XCUP.adders, further_luts=1 / 3))
    assert not compiled.is_exact(PartCosts.on(thirds))
    assert compiled.CompiledSearch.of(PartCosts.on(thirds)) is None
    assert all(compiled.is_exact(PartCosts.on(device)) for device in DEVICES.values())
    # Words and arrays of the C text have no room for these.
    costs = XCUP.bit_costs(8), XCUP.summand_costs(8), XCUP.adders
    for limits in (SearchLimits(shape_bits=4), SearchLimits(gate_bits=15)):
        assert compiled.CompiledSearch.of(PartCosts(*costs, limits)) is None


@needs_compiler
def test_tables_that_c_integers_do_not_hold_are_left_to_python() -> None:
    search = search_of(PartCosts.on(XCUP))
    table = np.arange(8)
    assert search.takes([table, -table])
    assert not search.takes([table, table << 50])
    assert not search.takes([table.astype(object)])
    splits = Splitter(PartCosts.on(XCUP), 2).split_all([table << 51])
    assert splits[0].constant + sum(part.values(3)[7] for part in splits[0].parts) == 7 << 51


@needs_compiler
def test_compiled_searches_are_used_where_there_is_a_compiler() -> None:
    assert isinstance(pairing_of(Summands.of([], [], [], []), 0), CompiledPairing)
    assert Splitter(PartCosts.on(XCUP), 2)._compiled is not None


@needs_compiler
@pytest.mark.parametrize("options", ["", "cycles=2", "target=ecp5", "fast=true"])
def test_text_is_the_same_with_compiled_searches_and_without(
    options: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = EXAMPLES
    given = f'bits=5 data="{examples / "wine.npz"}" {options}'
    command = [
        Path(sys.executable).with_name("kan-opt"),
        examples / "wine.onnx",
        "-p",
        f"kan-compile{{{given.strip()}}}",
        "-t",
        "systemverilog",
    ]
    texts: list[str] = []
    for switch in ("1", "0"):
        monkeypatch.setenv("KAN_COMPILED_SEARCH", switch)
        texts.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert texts[0] == texts[1] and "endmodule" in texts[0]


SOURCE = "int seven(void) { return 7; }\n"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CC", raising=False)
    path = tmp_path / "seven.c"
    path.write_text(SOURCE)
    return path


def libraries(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").iterdir())


@needs_compiler
def test_a_library_is_compiled_once(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = load_c_library("seven", [source])
    assert library is not None and library.seven() == 7
    (kept,) = libraries(tmp_path)
    # The compiler is not called again.
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", None)
        assert load_c_library("seven", [source]) is not None
    source.write_text(SOURCE.replace("7;", "8;"))
    library = load_c_library("seven", [source])
    assert library is not None and library.seven() == 8
    assert len(libraries(tmp_path)) == 2 and kept in libraries(tmp_path)


@needs_compiler
@pytest.mark.parametrize("damage", [b"", b"no library", None])
def test_a_damaged_library_is_compiled_again(
    source: Path, tmp_path: Path, damage: bytes | None
) -> None:
    load_c_library("seven", [source])
    (kept,) = libraries(tmp_path)
    content = kept.read_bytes()
    kept.unlink()  # the loaded file itself must not change
    kept.write_bytes(content[:2000] if damage is None else damage)
    library = load_c_library("seven", [source])
    assert library is not None and library.seven() == 7
    assert [path.read_bytes() for path in libraries(tmp_path)] == [content]


@needs_compiler
def test_a_file_that_no_system_loads_is_compiled_again(source: Path, tmp_path: Path) -> None:
    load_c_library("seven", [source])
    (kept,) = libraries(tmp_path)
    stem = kept.stem.rpartition("-")[0]
    kept.unlink()
    # Its digest is right, as if another system had compiled it into the same folder.
    other = b"\x7fELF of another system"
    kept.with_name(f"{stem}-{sha256(other).hexdigest()[:16]}.so").write_bytes(other)
    assert load_c_library("seven", [source]) is not None
    assert libraries(tmp_path) == [kept]


def test_without_a_compiler_there_is_no_library(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert load_c_library("seven", [source]) is None
    refuses = tmp_path / "cc"
    refuses.write_text("#!/bin/sh\nexit 1\n")
    refuses.chmod(refuses.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    assert load_c_library("seven", [source]) is None
    assert libraries(tmp_path) == []


@pytest.mark.parametrize("name, value", [("KAN_COMPILED_SEARCH", "0"), ("KAN_CACHE", "")])
def test_nothing_is_compiled_where_that_is_asked_for(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert load_c_library("seven", [source]) is None
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_made_is_no_error(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAN_CACHE", str(source))
    assert load_c_library("seven", [source]) is None


@needs_compiler
def test_few_old_libraries_are_kept(source: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    for number in range(9):
        old = tmp_path / "cache" / f"seven-{number}-0.so"
        old.write_bytes(b"")
        os.utime(old, (number, number))
    (tmp_path / "cache" / "other-0-0.so").write_bytes(b"")
    load_c_library("seven", [source])
    kept = {path.name for path in libraries(tmp_path)}
    assert {"seven-6-0.so", "seven-7-0.so", "seven-8-0.so", "other-0-0.so"} < kept
    assert len(kept) == 5


@needs_compiler
def test_processes_may_compile_at_once(source: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from kan_dialect.files.c_library import *; "
        f"sys.exit(load_c_library('seven', [Path({str(source)!r})]).seven())"
    )
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]
    assert [each.wait() for each in running] == [7] * 4
    assert len(libraries(tmp_path)) == 1
