"""Logic cells of the same hardware modules, written by our emitter and by CIRCT's export.

    python benchmarks/circt_export.py                        KANELÉ's four models, and the sweep's
    python benchmarks/circt_export.py --models wine,moons
    python benchmarks/circt_export.py --circt OTHER/bin/python     another version of CIRCT

Each model is compiled with `cycles=2` twice: with adders on carry chains (the default), and with
plain sums (`adders=plain`). Each module is printed as SystemVerilog by `kan-opt -t systemverilog`,
and with `-t circt` for CIRCT, which lowers it with `--passes` and exports it. Yosys maps all of
them with the same command. Ratios are to our emitter's text with adders on carry chains.

Models are read from `kanele` and `kanele_sweep` in `../shared/data`, or in `$KAN_SHARED_DATA`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kan_dialect.errors import KanError
from kan_dialect.flows.tools.synthesis import find_target, synthesize
from kan_dialect.flows.tools.toolchain import find

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("KAN_SHARED_DATA", ROOT.parent / "shared" / "data"))
FOUR = ("jsc_openml", "wine", "drybean", "moons")
SWEEP = ("bits4", "bits8", "pruned_half", "pruned_most", "width16", "width2")

EXPORT = """
import io, sys
import circt
from circt.ir import Context, Module
from circt.passmanager import PassManager

with Context() as context:
    circt.register_dialects(context)
    module = Module.parse(sys.stdin.read())
    PassManager.parse(f"builtin.module({sys.argv[1]})").run(module.operation)
    text = io.StringIO()
    circt.export_verilog(module, text)
print(text.getvalue())
"""
"""Run by the Python that has CIRCT."""

STYLES = {"chains": "", "plain": " adders=plain"}
COLUMNS = [(style, writer) for style in STYLES for writer in ("ours", "CIRCT")]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", default=",".join((*FOUR, *SWEEP)))
    parser.add_argument("--options", default="cycles=2", help="of kan-compile")
    parser.add_argument("--passes", default="lower-seq-to-sv", help="of CIRCT, before the export")
    parser.add_argument("--target", default="xcup", help="whose cells Yosys maps to")
    parser.add_argument("--circt", default=sys.executable, help="the Python that has CIRCT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    arguments = parser.parse_args()
    print(f"# yosys {find('yosys').version}, circt {circt_version(arguments.circt)}")
    cells: dict[str, dict[str, int]] = {}
    for model in arguments.models.split(","):
        cells[model] = dict(measured(model, arguments))
        print(f"# {model} {cells[model]}", flush=True)
    Console().print(table(cells))
    if arguments.json:
        arguments.json.write_text(json.dumps(cells, indent=1))
    return 0


def circt_version(python: str) -> str:
    code = "from importlib.metadata import version; print(version('circt'))"
    return output_of([python, "-c", code]).strip()


def measured(model: str, arguments: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Logic cells of one model by style and writer."""
    places = (SHARED / room / model / "truth_tables.json" for room in ("kanele", "kanele_sweep"))
    tables = next((place for place in places if place.exists()), None)
    if tables is None:
        raise KanError(f"there is no model '{model}' in {SHARED}", remedy="set KAN_SHARED_DATA")
    for style, option in STYLES.items():
        pipeline = f"kan-compile{{{arguments.options}{option}}}"
        for writer in ("ours", "CIRCT"):
            language = "systemverilog" if writer == "ours" else "circt"
            command = [sys.executable, "-m", "kan_dialect.cli.kan_opt", str(tables)]
            text = output_of([*command, "-p", pipeline, "-t", language])
            if writer == "CIRCT":
                text = output_of([arguments.circt, "-c", EXPORT, arguments.passes], text)
            with tempfile.TemporaryDirectory() as directory:
                rtl = Path(directory) / "design.sv"
                rtl.write_text(text)
                cells = synthesize(rtl, find_target(arguments.target)).cells
            yield f"{style}, {writer}", cells.luts


def output_of(command: list[str], given: str = "") -> str:
    """The standard output of a command. Raises KanError with its message if it fails."""
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    if done.returncode:
        raise KanError(done.stderr.strip())
    return done.stdout


def table(cells: dict[str, dict[str, int]]) -> Table:
    """The cells of all models, with ratios to the first column; geometric means last."""
    columns = list(next(iter(cells.values())))
    shown = Table("model", *columns)
    logarithms = {column: 0.0 for column in columns}
    for model, row in cells.items():
        ratios = {column: row[column] / row[columns[0]] for column in columns}
        for column in columns:
            logarithms[column] += math.log(ratios[column]) / len(cells)
        shown.add_row(model, *(f"{row[column]} ({ratios[column]:.2f})" for column in columns))
    shown.add_row("geometric mean", *(f"{math.exp(mean):.3f}" for mean in logarithms.values()))
    return shown


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KanError as error:
        raise SystemExit(f"circt_export.py: {error}") from None
