"""Compares the SystemVerilog of two source trees byte for byte, for changes that keep behaviour.

    python benchmarks/emitted_text.py out/before --bin OTHER_TREE/.venv/bin
    python benchmarks/emitted_text.py out/after
    python benchmarks/emitted_text.py out/after --compare out/before

The script calls `kan-opt` and `kan-flow` and imports nothing of the compiler, so that one copy of
it serves every tree. Models are those of the shared data (`KAN_SHARED_DATA`) and of `examples/`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("KAN_SHARED_DATA", ROOT.parent / "shared" / "data"))
KANELE = ("jsc_openml", "wine", "drybean", "moons")

OPTIONS = {
    "default": "",
    "fast": "fast=true",
    **{f"cycles{n}": f"cycles={n}" for n in (1, 2, 3)},
    **{f"levels{n}": f"levels={n}" for n in (1, 2, 3)},
    "combinational": "combinational=true",
    "ecp5": "target=ecp5",
}
"""Options of `kan-compile`, by name."""

TRAINING = "kan-make-trainable{learning-rate=0.15},lower-training-to-hw,kan-form-carry-chains"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the text goes")
    parser.add_argument("--bin", type=Path, default=Path(sys.executable).parent)
    parser.add_argument("--compare", type=Path, help="compare FOLDER with this one; emit nothing")
    parser.add_argument("--but-header", action="store_true", help="leave out comments")
    parser.add_argument("--only", default="", help="designs whose name holds this text")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.compare is not None:
        return compare(arguments.folder, arguments.compare, but_header=arguments.but_header)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        runs = [
            pool.submit(emit, arguments.bin, command, arguments.folder / f"{name}.sv")
            for name, command in commands()
            if arguments.only in name
        ]
        failures = [message for run in runs if (message := run.result())]
    print("\n".join(failures) or f"{len(runs)} designs in {arguments.folder}")
    return bool(failures)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Name and command of every design; `OUT` stands for a folder of its own."""
    models: list[tuple[str, list[str], str]] = []
    for name in KANELE:
        tables = SHARED / "kanele" / name / "truth_tables.json"
        if tables.exists():
            models.append((name, [str(tables)], ""))
        else:
            print(f"skipped: no {tables}")
    for name in ("wine", "digits"):
        folder = ROOT / "examples"
        data = f'data="{folder / name}.npz" bits=6'
        models.append((f"{name}_onnx", [str(folder / f"{name}.onnx")], data))
    for name, model, given in models:
        for label, option in OPTIONS.items():
            text = f"kan-compile{{{' '.join(filter(None, (given, option)))}}}"
            text = text.removesuffix("{}")
            yield f"{name}_{label}", ["kan-opt", *model, "-p", text, "-t", "systemverilog"]
    for name in ("load", "tracker"):
        model = str(ROOT / "examples" / f"{name}.mlir")
        yield (
            f"{name}_training",
            ["kan-opt", model, "-p", TRAINING, "-t", "systemverilog"],
        )


def emit(folder: Path, command: list[str], output: Path) -> str:
    """Run one command with its standard output into `output`. Returns the error, or None."""
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(
            [str(folder / command[0]), *command[1:]], cwd=place, capture_output=True, text=True
        )
    if done.returncode:
        return f"{output.name}: {done.stderr.strip()}"
    output.write_text(done.stdout)
    return ""


def compare(ours: Path, theirs: Path, *, but_header: bool) -> int:
    """Print the designs whose text differs, or that one folder lacks."""
    names = sorted(file.name for file in ours.glob("*.sv"))
    different = 0
    for name in names:
        if not ((ours / name).exists() and (theirs / name).exists()):
            print(f"{name}: not in the other folder")
            different += 1
        elif text_of(ours / name, but_header) != text_of(theirs / name, but_header):
            print(f"{name}: differs")
            different += 1
    print(f"{len(names) - different} of {len(names)} designs are the same")
    return bool(different)


def text_of(file: Path, but_header: bool) -> str:
    text = file.read_text()
    if not but_header:
        return text
    return "\n".join(line for line in text.splitlines() if not line.startswith("//"))


if __name__ == "__main__":
    raise SystemExit(main())
