"""Random trees as output folders: no command may lose a file that it did not write.

The files that a command may replace are read from `.kan-files` by a parser of this file's own.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from fuzz.campaign import FailedCase
from fuzz.commands import Case, Ended, run_inside
from fuzz.options import MODEL

FOLDER = "out"
LIST = ".kan-files"
Tree = Mapping[str, bytes]

NAMES = (
    "rtl/tiny.sv", "rtl/top.sv", "rtl", "report.json", "README.md", "sweep.csv", "sweep.json",
    "points/mine.json", "points", "ir/00-import.mlir", "ir/99-x.mlir", "sim/tiny_tb.sv", "host",
    "notes.txt", "deep/er/file", LIST, ".kan-new-mine/x", "calibration.npz",
)  # fmt: skip
TEXTS = (b"", b"mine\n", b"{}", b'{"name": "tiny", "latency_cycles": 1}')

BUILD = ("kan-flow", "build", "tiny.mlir", "-o", FOLDER, "--simulator", "none", "--vectors", "5",
         "--no-check-passes")  # fmt: skip
SWEEP = ("kan-flow", "sweep", "tiny.mlir", "-o", FOLDER, "--vary", "levels=1", "--jobs", "1")


def tree(folder: Path) -> Tree:
    """The files of a folder by path, with their contents; links with their targets."""
    return {
        path.relative_to(folder).as_posix(): b"-> " + str(path.readlink()).encode()
        if path.is_symlink()
        else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def ours(before: Tree, command: Sequence[str]) -> set[str]:
    """The files that the command may replace: files of its list that are unchanged."""
    lines = before.get(LIST, b"").decode(errors="replace").splitlines()
    if not lines or not lines[0].startswith(f"# Files that {command[0]} {command[1]} wrote into"):
        return set()
    listed = {tuple(line.split("  ", 1)) for line in lines[1:] if "  " in line}
    found = {LIST}
    for name, data in before.items():
        if (hashlib.sha256(data).hexdigest(), name) in listed:
            found.add(name)
    return found


def wrong(command: Sequence[str], ended: Ended, before: Tree, after: Tree) -> str | None:
    """What a command did wrong to its output folder, in words; None if nothing."""
    if ended.timed_out or ended.code not in (0, 1):
        return f"exit code {ended.code}: {ended.err[-300:]}"
    for sign in ("Traceback", "This is a bug", "Warning:"):
        if sign in ended.err:
            return f"'{sign}': {ended.err[-400:]}"
    if ended.code != ended.err.count("kan-flow: error: "):
        return f"exit code {ended.code}, and: {ended.err[-300:]}"
    own = ours(before, command)
    for name, data in before.items():
        kept = after.get(name) == data
        if name in own and (kept or ended.code == 0 or command[1] == "sweep"):
            continue
        named = f" {name}" in ended.err
        # A sweep writes its files one by one, and may end at a later one.
        went = "--force" in command and (ended.code == 0 or command[1] == "sweep")
        if not kept and not (went and named):
            return f"{name} was lost (exit code {ended.code})"
    return None


@cache
def written(command: Sequence[str]) -> Tree:
    """The files that a command writes into a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="kan-fuzz-") as name:
        (Path(name) / "tiny.mlir").write_bytes(MODEL)
        run_inside(command, Path(name))
        return tree(Path(name) / FOLDER)


def _place(folder: Path, name: str, rng: np.random.Generator) -> None:
    """Change the folder as a user would: a file, an edit, a link, an empty folder, a removal."""
    path = folder / name
    inside = [*path.parents][: -len(folder.parents) - 1]
    if any(above.is_symlink() or above.is_file() for above in inside):
        return
    choice = int(rng.integers(6))
    if path.is_symlink() or path.is_file():
        if choice == 0:
            path.unlink()
        elif choice < 4 and not path.is_symlink():
            data = path.read_bytes()
            path.write_bytes(data[: len(data) // 2] if choice == 1 else data + b"\nedited")
    elif not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        if choice == 0:
            path.symlink_to(folder.parent / "outside")
        elif choice == 1:
            path.symlink_to(folder.parent / "outside" / "file")
        elif choice == 2:
            path.mkdir()
        else:
            path.write_bytes(TEXTS[int(rng.integers(len(TEXTS)))])


def check(rng: np.random.Generator) -> Ended:
    """Run a command into a random folder.

    Raises
    ------
    FailedCase : it did something wrong.
    """
    with tempfile.TemporaryDirectory(prefix="kan-fuzz-") as name:
        home = Path(name)
        folder, outside = home / FOLDER, home / "outside"
        first = (BUILD, SWEEP)[int(rng.integers(5) == 0)]
        there = written(first) if rng.integers(4) else {}
        inside = {f"{FOLDER}/{file}": data for file, data in there.items()}
        Case({"tiny.mlir": MODEL, "outside/file": b"outside", **inside}, "", ()).write(home)
        folder.mkdir(exist_ok=True)
        present = [*tree(folder), *NAMES]
        for _ in range(int(rng.integers(4))):
            _place(folder, present[int(rng.integers(len(present)))], rng)
        command = [*(first if rng.integers(8) else (BUILD, SWEEP)[int(first is BUILD)])]
        command += ["--force"] * int(not rng.integers(3))
        command += ["--name", "top"] * int(not rng.integers(4))
        before = tree(folder)
        ended = run_inside(command, home)
        found = wrong(command, ended, before, tree(folder))
        left = [path.name for path in home.iterdir() if path.name.startswith(f".{FOLDER}.")]
        if left:
            found = found or f"{left[0]} is left behind"
        if tree(outside) != {"file": b"outside"}:
            found = found or "a file outside of the folder has changed"
    if found is not None:
        files = {f"{FOLDER}/{name}": data for name, data in before.items()}
        raise FailedCase(found, Case(files, "", tuple(command)).shown())
    return ended
