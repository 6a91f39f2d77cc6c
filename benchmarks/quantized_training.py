"""Accuracy at few bits before and after training with the quantisers in place.

    python benchmarks/quantized_training.py [--only wine|digits]

Takes the shipped networks, `kan-flow build` for the quantisers, and `examples/train_quantized.py`
with them: a few minutes. LUTs are estimates for xcup. A row is printed as soon as it is known.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kan_dialect.cli import kan_flow

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
BITS = {
    "wine": ("2,2,2", "2,3,3", "3,3,3", "4,4,4"),
    "digits": ("2,2,2", "2,3,3", "2,4,4", "2,5,5"),
}


def built(model: Path, data: Path, folder: Path, *options: str) -> dict[str, Any]:
    """The report of a build without simulation."""
    arguments = [str(model), "--calibration", str(data), "-o", str(folder), *options]
    command = [sys.executable, kan_flow.__file__, "build", *arguments]
    command += ["--simulator", "none", "--no-check-passes"]
    subprocess.run(command, check=True, capture_output=True)
    return json.loads((folder / "report.json").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=BITS)
    only = parser.parse_args().only
    print("| network | bits | test, before | LUTs | test, after | LUTs |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, widths in BITS.items():
        if only not in (None, name):
            continue
        model, data = EXAMPLES / f"{name}.onnx", EXAMPLES / f"{name}.npz"
        for bits in widths:
            with TemporaryDirectory() as folder:
                before, trained = Path(folder) / "before", Path(folder) / "trained"
                was = built(model, data, before, "--bits", bits)
                given = ["--quantizers", str(before / "quantizers.json")]
                script = EXAMPLES / "train_quantized.py"
                command = [sys.executable, str(script), name, *given, "-o", str(trained)]
                subprocess.run(command, check=True, capture_output=True)
                now = built(trained / f"{name}.onnx", data, Path(folder) / "after", *given)
            scores = (
                f"{report['accuracy']['integer']:.4f} | {report['estimate']['luts']}"
                for report in (was, now)
            )
            print(f"| {name} | {bits} | {' | '.join(scores)} |", flush=True)


if __name__ == "__main__":
    main()
