"""Folders that commands write: nobody else's file is lost, and they are whole or as they were."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
from commands import exit_code

from kan_dialect.cli import kan_flow, kan_opt, kan_run
from kan_dialect.errors import KanError
from kan_dialect.files.folder_ownership import Owner
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.files.manifest import Listing, written_stages
from kan_dialect.files.output_folders import replacing_folder
from kan_dialect.flows.built_models import built_models
from kan_dialect.flows.prove.show import merge_proof
from kan_dialect.flows.report import merge_into_report
from kan_dialect.flows.tools import toolchain

TINY = """
func.func @{name}(%x: !kan.int<0:3>) -> !kan.int<0:9> {{
  %t = kan.table %x as "t" entries dense<[1, 2, 3, 4]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:9>
  func.return %t : !kan.int<0:9>
}}
"""
OWNER = Owner("test")
Tree = dict[str, str]


def tree(folder: Path) -> Tree:
    """The files of a folder, links by where they lead, empty folders too."""
    return {
        path.relative_to(folder).as_posix(): (
            f"-> {path.readlink()}"
            if path.is_symlink()
            else "/"
            if path.is_dir()
            else path.read_text(errors="replace")
        )
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir())
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.mlir"
    path.write_text(TINY.format(name="tiny"))
    return path


def run(tool: object, *arguments: object) -> object:
    return exit_code(tool.main, *arguments)


def build(source: Path, folder: Path, *options: object) -> object:
    fast = ("--simulator", "none", "--vectors", 4, "--no-check-passes")
    return run(kan_flow, "build", source, "-o", folder, *fast, *options)


@cache
def first_build() -> tempfile.TemporaryDirectory[str]:
    kept = tempfile.TemporaryDirectory(prefix="kan-test-folders-")
    source = Path(kept.name, "tiny.mlir")
    source.write_text(TINY.format(name="tiny"))
    assert build(source, Path(kept.name, "out")) == 0
    return kept


def built(folder: Path) -> None:
    """Make a folder as `build` writes it."""
    shutil.copytree(Path(first_build().name, "out"), folder)


def sweep(source: Path, folder: Path, *options: object) -> object:
    return run(kan_flow, "sweep", source, "-o", folder, "--vary", "levels=1", "--jobs", 1, *options)


def refusal(capfd: pytest.CaptureFixture[str]) -> str:
    error = capfd.readouterr().err
    assert error.count("error: ") == 1 and "Traceback" not in error and "internal" not in error
    return error


def put(folder: Path, files: Tree) -> Tree:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return files


PROJECT = {
    "rtl/top.sv": "module top; endmodule\n",
    "sim/run.py": "print()\n",
    "host/main.c": "int main() {}\n",
    "ir/notes.txt": "notes",
    "report.json": "{}",
    "sweep.csv": "my,table\n",
    "points/mine.json": "{}",
}


@pytest.mark.parametrize("command", [build, sweep], ids=["build", "sweep"])
@pytest.mark.parametrize("name", PROJECT)
def test_a_folder_of_others_is_refused(
    command: object, name: str, source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mine = put(tmp_path / "pr", {name: PROJECT[name]})
    assert command(source, tmp_path / "pr") == 1  # type: ignore[operator]
    assert "is not empty, and kan-flow" in refusal(capfd)
    assert tree(tmp_path / "pr") == mine


def test_the_folder_one_stands_in(
    source: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    mine = put(source.parent, PROJECT)
    monkeypatch.chdir(source.parent)
    assert build(source, Path()) == 1
    message = (
        ". cannot be replaced: the current folder is in it; name another folder, such as build"
    )
    assert message in refusal(capfd)
    (source.parent / "out" / "below").mkdir(parents=True)
    monkeypatch.chdir(source.parent / "out" / "below")
    assert build(source, source.parent / "out") == 1
    assert "the current folder is in it" in refusal(capfd)
    assert tree(source.parent) == {**mine, source.name: source.read_text(), "out/below": "/"}


@pytest.mark.parametrize("problem", ["it is a mount point", "no folder can be made beside it"])
def test_a_folder_that_cannot_be_renamed(
    problem: str,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "out"
    assert build(source, folder) == 0
    before = tree(folder)
    if "mount" in problem:
        monkeypatch.setattr(Path, "is_mount", lambda self: self == folder)
    else:
        access = os.access
        monkeypatch.setattr(os, "access", lambda at, mode: at != tmp_path and access(at, mode))
    # Decided before the model is read.
    assert build(tmp_path / "missing.onnx", folder) == 1
    assert f"{folder} cannot be replaced: {problem}" in refusal(capfd)
    assert tree(folder) == before


def test_force_replaces_what_is_in_the_way_and_names_it(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pr"
    beneath = {"host/tiny_codec.py/a": "mine", "host/tiny_codec.py/b/c": "mine"}
    mine = put(folder, {**PROJECT, "rtl/tiny.sv": "mine", **beneath})
    assert build(source, folder, "--force") == 0
    gone = {*beneath, "report.json", "rtl/tiny.sv"}
    note = f"kan-flow: note: --force replaces in {folder}: {', '.join(sorted(gone))}\n"
    assert note in capfd.readouterr().err
    after = tree(folder)
    assert {name: after[name] for name in mine if name not in gone} == {
        name: text for name, text in mine.items() if name not in gone
    }
    assert after["rtl/tiny.sv"].startswith("//")
    # Now it is a folder of ours, with files of others in it.
    assert build(source, folder) == 0
    assert "--force" not in capfd.readouterr().err
    assert tree(folder).items() >= {"rtl/top.sv": mine["rtl/top.sv"]}.items()


def test_a_build_replaces_its_own_files_only(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert build(source, folder) == 0
    mine = put(folder, {"rtl/top.sv": "mine", "notes.txt": "mine", "ir/x.mlir": "mine"})
    (folder / "empty").mkdir()
    other = tmp_path / "other.mlir"
    other.write_text(TINY.format(name="other"))
    assert build(other, folder, "-p", "lower-kan-to-hw") == 0
    after = tree(folder)
    assert after.items() >= mine.items() and after["empty"] == "/"
    assert {name for name in after if "tiny" in name} == set()
    assert sorted(name for name in after if name.startswith("ir/")) == [
        "ir/00-import.mlir",
        "ir/01-lower-kan-to-hw.mlir",
        "ir/x.mlir",
    ]
    # What others put beside the stages is no stage.
    assert [path.name[:2] for path in written_stages(folder)] == ["00", "01"]
    assert built_models(folder)[1].name == "other"


def test_a_file_that_has_changed_is_not_replaced(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    built(folder)
    put(folder, {"rtl/tiny.sv": "edited", "host/tiny_codec.py": "edited"})
    before = tree(folder)
    assert build(source, folder) == 1
    assert (
        f"host/tiny_codec.py, rtl/tiny.sv in {folder} are not as kan-flow build wrote them; "
        "move them elsewhere, or add --force, which replaces them"
    ) in refusal(capfd)
    assert tree(folder) == before
    assert build(source, folder, "--force") == 0
    assert "replaces in" in capfd.readouterr().err
    assert "edited" not in tree(folder).values()


def test_a_file_of_others_at_a_new_name(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    built(folder)
    put(folder, {"rtl/other.sv": "mine"})
    before = tree(folder)
    assert build(source, folder, "--name", "other") == 1
    assert "rtl/other.sv in" in refusal(capfd)
    assert tree(folder) == before


def test_notes_of_other_commands_in_the_report_are_ours(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert build(source, folder) == 0
    merge_into_report(folder / "report.json", "synthesis", {"luts": 1}, {"yosys": "0"})
    merge_proof(folder / "report.json", {"engine": "none"})
    check = ["sha256sum", "--check", "--quiet", ".kan-files"]
    if shutil.which("sha256sum") is not None:
        subprocess.run(check, cwd=folder, check=True)
    assert build(source, folder) == 0
    assert "synthesis" not in json.loads((folder / "report.json").read_text())


def test_a_folder_without_a_list(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    built(folder)
    (folder / ".kan-files").unlink()
    mine = put(folder, {"ir/00-import.mlir": "changed", "rtl/top.sv": "mine"})
    before = tree(folder)
    assert build(source, folder) == 1
    assert "is not empty, and kan-flow build did not write it" in refusal(capfd)
    assert tree(folder) == before
    assert build(source, folder, "--force") == 0
    note = capfd.readouterr().err
    assert "ir/00-import.mlir" in note and "top.sv" not in note and "rtl/tiny.sv" not in note
    assert tree(folder)["rtl/top.sv"] == mine["rtl/top.sv"]


EDITS = {
    "RTL": (["rtl/tiny.sv"], "prove simulate report synth", ""),
    "VHDL": (["vhdl/tiny_pkg.vhd"], "report", ""),
    "the model": (["ir/00-import.mlir"], "prove simulate report", ""),
    "figures": (["report.json"], "prove report synth", "simulate"),
    "other files": (["sim/tiny_tb.sv", "host/tiny_codec.py"], "", "prove simulate report synth"),
}
"""Files of a build that are edited, the commands whose result would be of other files, and some
that go on."""


@pytest.mark.parametrize("edit", EDITS)
def test_files_that_have_changed_since_the_build_are_named(
    edit: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names, refusing, going_on = EDITS[edit]
    folder = tmp_path / "out"
    built(folder)
    for name in names:
        with (folder / name).open("a") as file:
            file.write("\n")
    for command in (*refusing.split(), *going_on.split()):
        before = tree(folder)
        capfd.readouterr()
        # A tool may be missing.
        code = run(kan_flow, command, folder)
        refused = f"error: {names[0]} in {folder} is not as kan-flow build wrote it; "
        assert (refused in capfd.readouterr().err) is (command in refusing.split())
        assert command in going_on.split() or (code == 1 and tree(folder) == before)


def test_another_build_in_its_place(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Stages and RTL of another build are equal to each other, and not the build's."""
    folder, other, out = tmp_path / "out", tmp_path / "other.mlir", tmp_path / "other"
    other.write_text(source.read_text().replace("[1, 2, 3, 4]", "[4, 3, 2, 1]"))
    assert build(source, folder) == 0 and build(other, out) == 0
    for name in ("ir", "rtl"):
        shutil.copytree(out / name, folder / name, dirs_exist_ok=True)
    capfd.readouterr()
    for command in ("prove", "simulate"):
        assert run(kan_flow, command, folder) == 1
        error = refusal(capfd)
        assert "ir/00-import.mlir, " in error and "rtl/tiny.sv in" in error
        assert "are not as kan-flow build wrote them; run kan-flow build again, or add" in error
    # RTL that is named is not the build's, and need not be. The stages must be.
    assert run(kan_flow, "prove", folder, "--rtl", folder / "rtl" / "tiny.sv") == 1
    error = refusal(capfd)
    assert "ir/00-import.mlir" in error and "rtl/tiny.sv" not in error
    (folder / ".kan-files").unlink()
    assert run(kan_flow, "prove", folder) == 1
    assert f".kan-files in {folder} is not as kan-flow build wrote it" in refusal(capfd)


@pytest.mark.skipif(toolchain.look_for("yosys") is None, reason="Yosys is not installed")
def test_files_that_were_changed_on_purpose_are_proven(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    built(folder)
    rtl = folder / "rtl" / "tiny.sv"
    rtl.write_text(rtl.read_text().replace("\n", "\n\n", 1))
    for options in (["--changed"], ["--rtl", rtl]):
        capfd.readouterr()
        assert run(kan_flow, "prove", folder, *options) == 0
        said = capfd.readouterr()
        assert "tiny in SystemVerilog: equal to the integer model" in said.out
        note = f"kan-flow: note: --changed: rtl/tiny.sv in {folder} is not as kan-flow build wrote"
        assert (note in said.err) is ("--changed" in options)
        assert run(kan_flow, "prove", folder, "--report", *options) == 1
        assert "--report notes proofs of what kan-flow build wrote" in refusal(capfd)
    assert "proof" not in json.loads((folder / "report.json").read_text())


@pytest.mark.parametrize("name", ["report.html", "report.json"])
def test_pages_and_reports_that_others_put_there(
    name: str, source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Commands that add figures write through no link, and over no edit."""
    folder, outside = tmp_path / "out", tmp_path / "outside"
    built(folder)
    text = (folder / name).read_text()
    for link in (True, False):
        (folder / name).unlink()
        if link:
            outside.write_text(text)
            (folder / name).symlink_to(outside)
        else:
            (folder / name).write_text(f"{text} ")
        before = tree(folder)
        capfd.readouterr()
        assert run(kan_flow, "report", folder) == 1
        assert f"{name} in {folder} is not as kan-flow build wrote it" in refusal(capfd)
        assert tree(folder) == before
        if name == "report.json":
            with pytest.raises(KanError, match=r"report\.json in .* is not as"):
                merge_proof(folder / "report.json", None)
            assert tree(folder) == before
        else:
            merge_proof(folder / "report.json", None)
            assert tree(folder)["report.html"] == before["report.html"]
        assert outside.read_text() == text


def test_folders_of_other_commands(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert sweep(source, folder) == 0
    before = tree(folder)
    assert build(source, folder) == 1
    assert "is a folder of kan-flow sweep" in refusal(capfd)
    assert tree(folder) == before


@pytest.mark.parametrize(
    "text",
    ["", "mine\n", "# Files that others wrote", "\0\xff"],
)
def test_a_list_that_is_none(
    text: str, source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = put(tmp_path / "out", {".kan-files": text, "rtl/tiny.sv": "mine"})
    assert build(source, tmp_path / "out") == 1
    assert "holds a file .kan-files that is no list of files" in refusal(capfd)
    assert tree(tmp_path / "out") == before


def test_a_list_names_no_files_elsewhere(source: Path, tmp_path: Path) -> None:
    """The list of a folder from strangers: above the folder, beneath a link, absolute."""
    outside = tmp_path / "outside"
    put(outside, {"mine": "mine"})
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    digests = Listing.of("", outside, ["mine"]).digests["mine"]
    names = ["../outside/mine", str(outside / "mine"), "link/mine"]
    listing = Listing("kan-flow build", dict.fromkeys(names, digests))
    (folder / ".kan-files").write_text(listing.text())
    assert build(source, folder, "--force") == 0
    assert tree(outside) == {"mine": "mine"} and (folder / "link").is_symlink()


@pytest.mark.parametrize("part", ["rtl", "rtl/tiny.sv"])
def test_links_in_a_folder_are_not_followed(
    part: str, source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, outside = tmp_path / "out", tmp_path / "outside"
    assert build(source, folder) == 0
    shutil.copytree(folder / "rtl", outside)
    target = outside if part == "rtl" else outside / "tiny.sv"
    shutil.rmtree(folder / "rtl")
    (folder / part).parent.mkdir(exist_ok=True)
    (folder / part).symlink_to(target)
    before = tree(outside)
    assert build(source, folder) == 1
    assert f"{part} in {folder}" in refusal(capfd) or part == "rtl"
    assert (folder / part).is_symlink()
    assert build(source, folder, "--force") == 0
    assert not (folder / part).is_symlink() and tree(outside) == before


@pytest.mark.parametrize("text", ["outside", "# Files that kan-flow sweep wrote into this folder."])
def test_a_list_that_is_a_link_is_not_written_through(
    text: str, source: Path, tmp_path: Path
) -> None:
    folder, outside = tmp_path / "out", tmp_path / "outside"
    folder.mkdir()
    outside.write_text(text)
    (folder / ".kan-files").symlink_to(outside)
    assert sweep(source, folder) == 1
    assert sweep(source, folder, "--force") == 0
    assert outside.read_text() == text
    assert not (folder / ".kan-files").is_symlink()


def test_a_folder_that_is_a_link(source: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for _ in range(2):
        assert build(source, tmp_path / "link") == 0
        put(tmp_path / "real", {"mine": "mine"})
    names = {path.name for path in (tmp_path / "real").iterdir()}
    assert names == {
        "rtl", "ir", "sim", "host", "project", "vhdl", "tiny.core", "README.md", "report.html",
        "report.json", ".kan-files", "mine",
    }  # fmt: skip


@pytest.mark.parametrize("command", [build, sweep], ids=["build", "sweep"])
def test_places_that_cannot_be_written(
    command: object, source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    places = {
        tmp_path / "loop": "Too many levels of symbolic links",
        tmp_path / "loop" / "below": "Too many levels of symbolic links",
        source: "it is a file",
        source / "below": "Not a directory",
        Path("/proc/kan-flow/out"): "No such file or directory",
        tmp_path / ("x" * 300): "File name too long",
    }
    for place, reason in places.items():
        assert command(source, place) == 1  # type: ignore[operator]
        assert f"cannot write into {place}: {reason}" in refusal(capfd)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loop", source.name]
    for tool, option in ((kan_opt, "-o"), (kan_run, "--outputs")):
        assert run(tool, source, option, tmp_path / "loop") == 1
        assert "Too many levels of symbolic links" in refusal(capfd)


def test_a_read_only_folder(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert build(source, folder) == 0
    folder.chmod(0o555)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("root may write everywhere")
        assert build(source, folder) == 1
        assert "Permission denied" in refusal(capfd)
    finally:
        folder.chmod(0o755)


def test_an_output_does_not_replace_what_is_read(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"a model")
    (tmp_path / "link").symlink_to("model.onnx")
    for output in ("model.onnx", "link"):
        assert run(kan_opt, tmp_path / "model.onnx", "-o", tmp_path / output) == 1
        assert "is read: the output would replace it" in refusal(capfd)
    assert run(kan_run, source, "--inputs", source, "--outputs", source) == 1
    assert "is read" in refusal(capfd) and (tmp_path / "model.onnx").read_bytes() == b"a model"
    # IR in place is what mlir-opt does, too.
    assert run(kan_opt, source, "-o", source) == 0


# Sweeps


def test_a_sweep_goes_on_in_its_folder_and_keeps_files_of_others(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert sweep(source, folder, "--vary", "parts=3") == 0
    mine = put(folder, {"notes.txt": "mine", "points/mine.json": "mine"})
    assert sweep(source, folder, "--vary", "parts=2,3") == 0
    assert "compiled by earlier runs" in capfd.readouterr().out
    assert tree(folder).items() >= mine.items()
    table = (folder / "sweep.csv").read_text()
    put(folder, {"sweep.csv": f"mine,{table}"})
    assert sweep(source, folder) == 1
    assert f"sweep.csv in {folder} is not as kan-flow sweep wrote it" in refusal(capfd)
    assert (folder / "sweep.csv").read_text() == f"mine,{table}"
    assert sweep(source, folder, "--force") == 0
    assert f"--force replaces in {folder}: sweep.csv" in capfd.readouterr().err
    (folder / "sweep.csv").unlink()
    (folder / "sweep.csv").symlink_to(source)
    assert sweep(source, folder) == 1
    assert sweep(source, folder, "--force") == 0
    assert not (folder / "sweep.csv").is_symlink() and source.read_text().startswith("\nfunc")


def test_a_sweep_that_was_killed_goes_on(tmp_path: Path) -> None:
    """Its list is ahead of its files."""
    folder = GrowingFolder(tmp_path / "out", OWNER)
    folder.create()
    folder.write("a", "one")
    listing = Listing.read(tmp_path / "out")
    with (tmp_path / "out" / ".kan-files").open("a") as file:
        file.write(f"{'0' * 64}  b\n{'1' * 30}")
    again = GrowingFolder(tmp_path / "out", OWNER)
    again.create()
    again.write("a", "two")
    again.write("b", "one")
    assert listing is not None and listing.digests.keys() == {"a"}
    assert tree(tmp_path / "out")["a"] == "two"
    GrowingFolder(tmp_path / "out", OWNER)
    put(tmp_path / "out", {"c": "mine"})
    with pytest.raises(KanError, match=r"c in .* is not as test wrote it"):
        again.write("c", "ours")
    again.write("c", "mine")


# Folders that change as a whole


def write(folder: Path, files: Tree, *, force: bool = False) -> None:
    with replacing_folder(folder, OWNER, force=force) as new:
        put(new, files)


@pytest.mark.parametrize("back", [True, False])
def test_a_folder_that_cannot_take_its_place(
    back: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    write(folder, {"a": "old", "b/c": "old"})
    put(folder, {"b/mine": "mine"})
    before = tree(folder)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == "new" or (self.name == "old" and not back):
            raise OSError(5, "a fault")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(KanError, match=r"cannot write into .*: a fault") as error:
        write(folder, {"a": "new", "b/x/c": "new", "d": "new"})
    if not back:
        kept = next(tmp_path.glob(".out.*/old"))
        assert f"it is now {kept}; move it back" in str(error.value)
        rename(kept, folder)
    assert tree(folder) == before
    assert not back or [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_that_changes_meanwhile_stays(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, {"a": "old", "b": "old"})
    with pytest.raises(KanError, match=r"a in .* is not as test wrote it"):  # noqa: SIM117
        with replacing_folder(folder, OWNER) as new:
            put(new, {"a": "new", "b": "new"})
            put(folder, {"a": "mine"})
    assert tree(folder).items() >= {"a": "mine", "b": "old"}.items()


def test_folders_in_the_way(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, {"a": "old"})
    put(folder, {"b/c": "mine", "b/d/e": "mine", "f": "mine"})
    (folder / "b" / "empty").mkdir()
    with pytest.raises(KanError, match=r"b/c, b/d/e, b/empty, f in .* are not as test wrote them"):
        write(folder, {"b": "new", "f/g": "new"})
    write(folder, {"b": "new", "f/g": "new"}, force=True)
    assert tree(folder).keys() == {"b", "f/g", ".kan-files"}


def test_what_comes_along(tmp_path: Path) -> None:
    """Files of others, with links, permissions and times; access to folders; read-only folders."""
    folder, linked = tmp_path / "out", tmp_path / "linked"
    write(folder, {"rtl/a": "old", "gone/a": "old"})
    new_folders = {path.stat().st_mode for path in (folder, folder / "rtl")}
    (tmp_path / "plain").mkdir()
    assert new_folders == {(tmp_path / "plain").stat().st_mode}
    put(linked, {"a": "outside"})
    put(folder, {"project/run/x": "mine", "rtl/mine": "mine", "read-only/x": "mine"})
    (folder / "link").symlink_to("../linked")
    (folder / "rtl" / "nowhere").symlink_to("missing")
    os.mkfifo(folder / "read-only" / "pipe")
    (folder / "rtl" / "mine").chmod(0o640)
    os.utime(folder / "rtl" / "mine", (1, 1))
    access = {folder: 0o2750, folder / "rtl": 0o700, folder / "read-only": 0o555}
    for path, mode in access.items():
        path.chmod(mode)
    before = {name: text for name, text in tree(folder / "rtl").items() if name != "a"}
    with replacing_folder(folder, OWNER) as new:
        put(new, {"rtl/b": "new", "other/c": "new"})
    assert {path: path.stat().st_mode & 0o7777 for path in access} == access
    state = (folder / "rtl" / "mine").stat()
    assert (state.st_mode & 0o777, state.st_mtime, state.st_nlink) == (0o640, 1, 1)
    assert tree(folder / "rtl") == {**before, "b": "new"}
    assert (folder / "read-only" / "pipe").is_fifo() and (folder / "link").readlink() == Path(
        "../linked"
    )
    assert tree(linked) == {"a": "outside"} and not (folder / "gone").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["linked", "out", "plain"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EXDEV])
def test_files_that_cannot_be_linked(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file system has no hard links, files are copied; others' disks are left alone."""

    def fail(*_: object, **_more: object) -> None:
        raise OSError(number, os.strerror(number))

    folder = tmp_path / "out"
    write(folder, {"a": "old"})
    put(folder, {"mine": "mine"})
    (folder / "link").symlink_to("mine")
    before = tree(folder)
    monkeypatch.setattr(os, "link", fail)
    if number == errno.EXDEV:
        with pytest.raises(KanError, match="is on another file system"):
            write(folder, {"b": "new"})
        assert tree(folder) == before
    else:
        write(folder, {"b": "new"})
        assert tree(folder).items() >= {"mine": "mine", "link": "-> mine", "b": "new"}.items()
    monkeypatch.setattr(Path, "is_mount", lambda self: self.name == "inner")
    (folder / "inner").mkdir()
    with pytest.raises(KanError, match=r"inner is on another file system"):
        write(folder, {"c": "new"})
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_process_that_is_killed_leaves_the_folder_whole(tmp_path: Path) -> None:
    script = (
        "import os, sys, signal; from pathlib import Path\n"
        "from kan_dialect.files.folder_ownership import Owner\n"
        "from kan_dialect.files.output_folders import replacing_folder\n"
        "with replacing_folder(Path(sys.argv[1]), Owner('test')) as new:\n"
        "    (new / 'a').write_text('killed')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    write(tmp_path / "out", {"a": "old"})
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "out")], check=False)
    assert tree(tmp_path / "out")["a"] == "old"
    (left,) = tmp_path.glob(".out.*")
    write(tmp_path / "out", {"a": "new"})
    assert tree(tmp_path / "out")["a"] == "new" and tree(left) == {"new/a": "killed"}


JOURNALS = {
    ".kan-new-x": {"goes": {"d/thesis.txt": None}, "comes": []},
    ".kan-new-y": {"goes": {"rc": None}, "comes": []},
}
"""Journals as versions up to 0.2 wrote and obeyed them: one deletes a file, one plants one."""


@pytest.mark.parametrize("is_built", [False, True])
def test_nothing_in_a_folder_is_an_instruction(
    is_built: bool, source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "dl"
    if is_built:
        built(folder)
    put(tmp_path / "home", {"thesis.txt": "precious"})
    left = {f"{name}/swap.json": json.dumps(journal) for name, journal in JOURNALS.items()}
    put(folder, {"rc": "payload", **left})
    (folder / "d").symlink_to("../home")
    for name in JOURNALS:
        (folder / name / "old").symlink_to("../../home")
    before = tree(tmp_path)
    for command in ("prove", "simulate", "report", "synth", "train-sim"):
        more = {"train-sim": ("--data", source), "simulate": ("--simulator", "icarus")}
        code = run(kan_flow, command, folder, *more.get(command, ()))
        assert is_built or code == 1
        after = tree(tmp_path)
        changed = {name for name in before | after if before.get(name) != after.get(name)}
        noted = {f"dl/{name}" for name in ("report.json", "report.html", ".kan-files")}
        assert changed <= (noted if is_built else set())
    build(source, folder, "--force")
    sweep(source, folder, "--force")
    assert tree(tmp_path / "home") == {"thesis.txt": "precious"}
    assert tree(folder).items() >= {"rc": "payload", "d": "-> ../home", **left}.items()


def test_builds_into_one_folder_do_not_mix(tmp_path: Path) -> None:
    """Three networks at once, each whole afterwards: many times, with the longest part left out."""
    script = (
        "import sys; from pathlib import Path\n"
        "from kan_dialect.files.folder_ownership import Owner\n"
        "from kan_dialect.files.output_folders import replacing_folder\n"
        "for _ in range(40):\n"
        "    with replacing_folder(Path(sys.argv[1]), Owner('test')) as new:\n"
        "        for part in ['rtl', 'ir', 'sim', 'host']:\n"
        "            (new / part).mkdir(); (new / part / sys.argv[2]).write_text(sys.argv[2])\n"
        "        (new / 'report.json').write_text(sys.argv[2])\n"
    )
    folder = tmp_path / "out"
    command = [sys.executable, "-c", script, str(folder)]
    writers = [subprocess.Popen([*command, name]) for name in ("one", "two", "three")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    name = (folder / "report.json").read_text()
    assert {path.name for path in folder.glob("*/*")} == {name}
    assert len(list(folder.glob("*/*"))) == 4 and len(list(tmp_path.iterdir())) == 1
    assert len(list(folder.iterdir())) == 6


def test_sha256sum_reads_the_list(source: Path, tmp_path: Path) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum")
    built(tmp_path / "out")
    put(tmp_path / "out", {"rtl/tiny.sv": "edited"})
    check = subprocess.run(
        ["sha256sum", "--check", "--quiet", ".kan-files"],
        cwd=tmp_path / "out",
        capture_output=True,
        text=True,
    )
    assert check.returncode == 1 and check.stdout == "rtl/tiny.sv: FAILED\n"
