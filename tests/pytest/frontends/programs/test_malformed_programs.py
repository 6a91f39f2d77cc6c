"""Programs that are wrong in one way each: every one ends in one message."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import opt

from kan_dialect.errors import KanError
from kan_dialect.frontends.programs.frontend import load_program

Program = list[Any]
TABLE = {
    "spec": {"hash": "", "out_qint": {"min": 0.0, "max": 3.0, "step": 1.0}, "inp_width": 2},
    "table": [0, 1, 2, 3],
}
GOOD: Program = [
    [2, 1],
    [0, 0],
    [3],
    [0],
    [False],
    [
        [0, -1, -1, 0, [0.0, 3.0, 1.0], 0.0, 0.0],
        [1, -1, -1, 0, [0.0, 3.0, 1.0], 0.0, 0.0],
        [0, -1, 8, 0, [0.0, 3.0, 1.0], 0.0, 0.0],
        [2, 1, 0, 0, [0.0, 6.0, 1.0], 0.0, 0.0],
    ],
    -1,
    1,
    [TABLE],
]


def at(*place: int | str | slice, to: object) -> Callable[[Program], object]:
    """An edit: another value at a place."""

    def edit(program: Program) -> object:
        whole: list[Any] = [program]
        spot: Any = whole
        for step in (0, *place[:-1]):
            spot = spot[step]
        spot[place[-1]] = to
        return whole[0]

    return edit


def versioned(version: object, meta: object = "ALIRModel") -> Callable[[Program], object]:
    return lambda program: {"meta": meta, "spec_version": version, "model": program}


CASES: dict[str, tuple[Callable[[Program], object], str]] = {
    "number": (lambda _: 3, "the file has 3 in place of an object"),
    "empty": (lambda _: [], "8 or 9 fields, not 0"),
    "pipeline": (lambda program: [[program]], "a pipeline of several programs"),
    "version": (versioned(1), "version 1; versions 2, 3, 4 of ALIRModel or DAISModel"),
    "kind": (versioned(2, "FSM"), "of kind 'FSM' and version 2"),
    "model": (lambda _: {"meta": "ALIRModel", "spec_version": 3}, "None in place of a list"),
    "old rows": (versioned(3), "operation 0: it has 7 entries in place of 6"),
    "shape": (at(0, to=[10**12, 1]), "field 1 has 2 entries in place of 1000000000000"),
    "outputs": (at(0, to=[2, 10**12]), "field 2 has 1 entries in place of 1000000000000"),
    "no outputs": (
        lambda program: [[2, 0], [0, 0], [], [], [], *program[5:]],
        "the program has no outputs",
    ),
    "result": (at(2, to=[4]), "output 0 is result 4"),
    "sign": (at(4, to=["no"]), "of sign 'no'"),
    "boolean": (at(2, to=[True]), "field 2 has True in place of an integer"),
    "rows": (at(5, to={}), "field 5 has {} in place of a list"),
    "row": (at(5, 2, to=[1, 2]), "operation 2: it has 2 entries in place of 7"),
    "forward": (at(5, 2, 0, to=3), "operation 2: it reads result 3, which is not an earlier one"),
    "itself": (at(5, 3, 1, to=3), "operation 3: it reads result 3"),
    "negative": (at(5, 3, 1, to=-1), "operation 3: it reads result -1"),
    "float": (at(5, 3, 0, to=1.5), "operation 3: it has 1.5 in place of an integer"),
    "large": (at(5, 3, 3, to=1 << 70), "in place of an integer"),
    "opcode": (at(5, 3, 2, to=12), "operation 3: its opcode 12 is not known"),
    "opcode of alkaid": (at(5, 3, 2, to=11), "its opcode 11 is not known"),
    "product": (at(5, 3, 2, to=7), r"operation 3: it multiplies the results 2 and 1 \(opcode 7\)"),
    "input": (at(5, 1, 0, to=2), "operation 1: it reads input 2 of 2"),
    "table": (at(5, 2, 3, to=1), "operation 2: it reads table 1 of 1"),
    "no tables": (lambda program: program[:8], "operation 2: it reads table 0 of 0"),
    "bit operation": (at(5, 2, slice(2, 4), to=[9, 7]), "its bit operation 7 is not known"),
    "shift": (at(5, 3, 3, to=99), r"operation 3: it has 2\^99"),
    "wide edge": (
        at(5, 3, slice(0, 4), to=[1, 2, 0, 62]),
        "operation 3: it needs 64 bits, more than 52",
    ),
    "wide sum": (at(5, 3, 3, to=60), "operation 3: it needs 62 bits, more than 52"),
    "input shift": (at(1, to=[0, 70]), r"an input's shift has 2\^70"),
    "range": (at(5, 0, 4, to=[0.0, 3.0]), "operation 0: it has 2 entries in place of 3"),
    "text": (at(5, 0, 4, to=[0.0, "3", 1.0]), "operation 0: it has '3' in place of a number"),
    "infinite": (at(5, 0, 4, to=[0.0, float("inf"), 1.0]), "inf in place of a number"),
    "order": (at(5, 0, 4, to=[3.0, 0.0, 1.0]), r"range 3\.0\.\.0\.0"),
    "step": (at(5, 0, 4, to=[0.0, 3.0, 0.3]), "step 0.3, not a power of two"),
    "no step": (at(5, 0, 4, to=[0.0, 0.0, 0.0]), "step 0.0, not a power of two"),
    "between": (at(5, 0, 4, to=[0.0, 3.5, 1.0]), r"range of 0\.0\.\.3\.5 in steps of 1\.0"),
    "wide": (at(5, 0, 4, to=[0.0, 2.0**60, 1.0]), "operation 0: it needs 61 bits, more than 52"),
    "huge": (at(5, 0, 4, to=[0.0, 1e300, 1e-300]), "operation 0"),
    "wide port": (at(5, 0, 4, to=[0.0, 2.0**40, 1.0]), "input 0 needs 41 bits, more than 32"),
    "wide output": (
        at(5, 3, slice(0, 4), to=[2, 1, 0, 33]),
        "an output needs",
    ),
    "wide table": (
        at(5, 0, 4, to=[0.0, 2.0**25, 1.0]),
        "operation 2: a table of 26 input bits, more than 20",
    ),
    "entries": (at(8, 0, "table", to=[]), "table 0 has no entries"),
    "entry": (at(8, 0, "table", to=[0, 0.5]), "table 0 has 0.5 in place of an integer"),
    "no spec": (at(8, 0, to={"table": [1]}), "table 0 has None in place of an object"),
    "list as table": (at(8, 0, to=[1]), r"table 0 has \[1\] in place of an object"),
}


def refused(path: Path, words: str) -> None:
    with pytest.raises(KanError, match=words) as refusal:
        load_program(path)
    assert refusal.value.message.startswith(path.name)
    assert refusal.value.remedy


@pytest.mark.parametrize("name", CASES)
def test_malformed_programs(name: str, tmp_path: Path) -> None:
    edit, words = CASES[name]
    path = tmp_path / "net.json"
    path.write_text(json.dumps(edit(copy.deepcopy(GOOD))))
    refused(path, words)


def test_the_program_that_is_edited_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(GOOD))
    load_program(path).verify()


def test_text_that_is_no_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.json"
    whole = json.dumps(GOOD)
    for text in (whole[:-20], "[" * 100_000, "", '{"meta": 1, "meta": 2}', "\xff"):
        path.write_text(text, encoding="latin-1")
        refused(path, "is not JSON")
    path.write_text(whole[:-20])
    assert opt(path) == 1
    assert "is not JSON" in capsys.readouterr().err
    path = tmp_path / "net.json.gz"
    path.write_bytes(b"\x1f\x8b" + whole.encode())
    assert opt(path) == 1
    assert "cannot read" in capsys.readouterr().err
