"""Writes da4ml's Verilog of a program that it saved; run in an environment that has da4ml 0.5.

    E/bin/python benchmarks/da4ml_program.py program.json FOLDER

Registers are those of the authors of HGQ-LUT (`latency_cutoff=2`). Prints a JSON object: `rtl`,
whose module is `theirs` and whose tables are files in the folder, and `input_bits`, of the
registers at its inputs. Needs da4ml, and nothing of this project.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from da4ml.cmvm.types import CombLogic
from da4ml.codegen import RTLModel


def main() -> None:
    program, folder = map(Path, sys.argv[1:])
    RTLModel(CombLogic.load(program), "theirs", folder, latency_cutoff=2).write()
    tables = {table.name: table for table in sorted(folder.rglob("*.mem"))}
    # Yosys reads the file of the parameter's default, too, which nobody writes.
    tables["whatever.mem"] = next(iter(tables.values()))
    sources = [file.read_text() for file in sorted((folder / "src").rglob("*.v"))]
    rtl = re.sub(r'"([^"]*\.mem)"', lambda name: f'"{tables[name[1]]}"', "\n".join(sources))
    inputs = re.search(r"module theirs \(\s*input clk,\s*input \[(\d+):0\]", rtl)
    assert inputs is not None
    print(json.dumps({"rtl": rtl, "input_bits": int(inputs[1]) + 1}))


if __name__ == "__main__":
    main()
