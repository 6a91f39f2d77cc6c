"""Folders that commands write: nobody else's file is lost, and they are whole or as they were."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kan_dialect.cli import kan_flow, kan_opt, kan_run
from kan_dialect.errors import KanError
from kan_dialect.files import growing_folder
from kan_dialect.files.file_swap import settle
from kan_dialect.files.folder_ownership import Owner
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.files.manifest import Listing, written_stages
from kan_dialect.files.output_folders import replacing_folder
from kan_dialect.flows.built_models import built_models

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
    with pytest.raises(SystemExit) as ended:
        tool.main([str(argument) for argument in arguments])  # type: ignore[attr-defined]
    return ended.value.code


def build(source: Path, folder: Path, *options: object) -> object:
    fast = ("--simulator", "none", "--vectors", 4, "--no-check-passes")
    return run(kan_flow, "build", source, "-o", folder, *fast, *options)


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
    assert ". is not empty, and kan-flow build did not write it" in refusal(capfd)
    assert tree(source.parent) == {**mine, source.name: source.read_text()}


def test_force_replaces_what_is_in_the_way_and_names_it(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pr"
    mine = put(folder, {**PROJECT, "rtl/tiny.sv": "mine"})
    assert build(source, folder, "--force") == 0
    note = "kan-flow: note: --force replaces in {}: report.json, rtl/tiny.sv\n"
    assert note.format(folder) in capfd.readouterr().err
    after = tree(folder)
    gone = {"report.json", "rtl/tiny.sv"}
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
    assert build(source, folder) == 0
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
    assert build(source, folder) == 0
    put(folder, {"rtl/other.sv": "mine"})
    before = tree(folder)
    assert build(source, folder, "--name", "other") == 1
    assert "rtl/other.sv in" in refusal(capfd)
    assert tree(folder) == before


def test_notes_of_other_commands_in_the_report_are_ours(source: Path, tmp_path: Path) -> None:
    from kan_dialect.flows.prove.show import merge_proof
    from kan_dialect.flows.report import merge_into_report

    folder = tmp_path / "out"
    assert build(source, folder) == 0
    merge_into_report(folder / "report.json", "synthesis", {"luts": 1}, {"yosys": "0"})
    merge_proof(folder / "report.json", {"engine": "none"})
    assert build(source, folder) == 0
    assert "synthesis" not in json.loads((folder / "report.json").read_text())


def test_a_folder_without_a_list(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As versions wrote it that kept no list: refused, and taken over with --force."""
    folder = tmp_path / "out"
    assert build(source, folder) == 0
    (folder / ".kan-files").unlink()
    stale = put(folder, {"ir/99-kan-narrow.mlir": "stale", "rtl/top.sv": "mine"})
    before = tree(folder)
    assert build(source, folder) == 1
    assert "was written by a version of kan-flow build that kept no list" in refusal(capfd)
    assert tree(folder) == before
    assert build(source, folder, "--force") == 0
    note = capfd.readouterr().err
    assert "ir/99-kan-narrow.mlir" in note and "top.sv" not in note and "rtl/tiny.sv" in note
    assert set(stale) & set(tree(folder)) == {"rtl/top.sv"}


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


def test_a_file_that_cannot_be_moved_undoes_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    write(folder, {"a": "old", "b/c": "old"})
    before = tree(folder)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == "d" and "new" in self.parts:
            raise OSError(5, "a fault")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(KanError, match=r"cannot write into .*: a fault"):
        write(folder, {"a": "new", "b/x/c": "new", "d": "new"})
    assert tree(folder) == before and len(list(folder.iterdir())) == 3


def test_a_file_that_changes_meanwhile_stays(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, {"a": "old", "b": "old"})
    with pytest.raises(KanError, match=r"a in .* is not as test wrote it"):  # noqa: SIM117
        with replacing_folder(folder, OWNER) as new:
            put(new, {"a": "new", "b": "new"})
            put(folder, {"a": "mine"})
    assert tree(folder).items() >= {"a": "mine", "b": "old"}.items()


def test_folders_in_the_way(tmp_path: Path) -> None:
    write(tmp_path / "out", {"a": "old"})
    put(tmp_path / "out", {"b/c": "mine"})
    with pytest.raises(KanError, match=r"b in .* is not as test wrote it"):
        write(tmp_path / "out", {"b": "new"})
    write(tmp_path / "out", {"b": "new"}, force=True)
    assert tree(tmp_path / "out").keys() == {"b", ".kan-files"}


KILLED = """
import os, sys
from pathlib import Path
from kan_dialect.files.folder_ownership import Owner
from kan_dialect.files.output_folders import replacing_folder
left = int(sys.argv[2])
def counting(move):
    def count(self, target):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
        return move(self, target)
    return count
for steps in range(left + 1):
    if os.fork() == 0:
        left, folder = steps, Path(sys.argv[1], str(steps))
        Path.rename, Path.replace = counting(Path.rename), counting(Path.replace)
        with replacing_folder(folder, Owner("test")) as new:
            (new / "b").mkdir()
            for name in ("a", "b/c", "report.json"):
                (new / name).write_text("new")
        os._exit(0)
    os.wait()
"""


def test_a_process_that_is_killed_at_any_step_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """After each number of renames; whoever looks at the folder next finds it whole."""
    steps = 11
    files = {"a": "old", "b/c": "old", "d": "old", "report.json": "old"}
    for step in range(steps + 1):
        write(tmp_path / str(step), files)
        put(tmp_path / str(step), {"mine": "mine", "b/mine": "mine"})
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(steps)], check=True)
    seen: list[str] = []
    for step in range(steps + 1):
        folder = tmp_path / str(step)
        settle(folder)
        after = tree(folder)
        assert after.pop("mine") == after.pop("b/mine") == "mine"
        assert Listing.read(folder) is not None
        del after[".kan-files"]
        new = {"a": "new", "b/c": "new", "report.json": "new"}
        assert after in (files, new), (step, after)
        seen.append(after["a"])
        write(folder, {"a": "newest"})
    assert seen[0] == "old" and seen[-1] == "new" and seen == sorted(seen, reverse=True)


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    script = (
        "import os, sys, signal; from pathlib import Path\n"
        "from kan_dialect.files.folder_ownership import Owner\n"
        "from kan_dialect.files.output_folders import replacing_folder\n"
        "with replacing_folder(Path(sys.argv[1]), Owner('test')): os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "out")], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    put(tmp_path, {".out.kan-mine/notes": "mine"})
    with replacing_folder(tmp_path / "out", OWNER) as first:
        (first / "a").write_text("1")
        # One that is at work is left alone.
        with replacing_folder(tmp_path / "out", OWNER) as second:
            (second / "a").write_text("2")
        assert first.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.kan-mine", "out"]
    assert (tmp_path / "out" / "a").read_text() == "1"


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
    assert build(source, tmp_path / "out") == 0
    put(tmp_path / "out", {"rtl/tiny.sv": "edited"})
    check = subprocess.run(
        ["sha256sum", "--check", "--quiet", ".kan-files"],
        cwd=tmp_path / "out",
        capture_output=True,
        text=True,
    )
    assert check.returncode == 1 and check.stdout == "rtl/tiny.sv: FAILED\n"


def test_a_link_in_place_of_the_list_is_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.write_text("mine")
    folder.mkdir()
    (folder / ".kan-files").symlink_to(outside)
    growing_folder._append(folder, "a line")  # pyright: ignore[reportPrivateUsage]
    assert outside.read_text() == "mine"
    assert (folder / ".kan-files").read_text() == "a line\n"
