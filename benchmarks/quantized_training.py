"""Accuracy at few bits before and after training with the quantisers in place.

    python benchmarks/quantized_training.py [--only wine|digits]

Takes the shipped networks, `kan-flow build` for the quantisers, and `examples/train_quantized.py`
with them: a few minutes. LUTs are estimates for xcup. A row is printed as soon as it is known.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from measurements import EXAMPLES, MarkdownTable, print_versions

import kan_dialect

BITS = {
    "wine": ((2, 2, 2), (2, 3, 3), (3, 3, 3), (4, 4, 4)),
    "digits": ((2, 2, 2), (2, 3, 3), (2, 4, 4), (2, 5, 5)),
}


def report(model: Path, data: Path, folder: Path, **options: Any) -> dict[str, Any]:
    """The report of a build without simulation."""
    network = kan_dialect.load(model, data=data)
    return network.build(folder, simulator="none", check_passes=False, **options).report


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=BITS)
    only = parser.parse_args().only
    print_versions(packages=["torch", "numpy"])
    table = MarkdownTable("network", "bits", "test, before", "LUTs", "test, after", "LUTs")
    for name in BITS if only is None else (only,):
        model, data = EXAMPLES / f"{name}.onnx", EXAMPLES / f"{name}.npz"
        for bits in BITS[name]:
            with TemporaryDirectory() as folder:
                before, trained = Path(folder) / "before", Path(folder) / "trained"
                was = report(model, data, before, bits=bits)
                given = before / "quantizers.json"
                script = EXAMPLES / "train_quantized.py"
                command = [sys.executable, script, name, "--quantizers", given, "-o", trained]
                subprocess.run(list(map(str, command)), check=True, capture_output=True)
                after = Path(folder) / "after"
                now = report(trained / f"{name}.onnx", data, after, quantizers=given)
            scores = [
                value
                for each in (was, now)
                for value in (f"{each['accuracy']['integer']:.4f}", each["estimate"]["luts"])
            ]
            table.add(name, ", ".join(map(str, bits)), *scores)


if __name__ == "__main__":
    main()
