"""Commands import the heavy libraries that their input needs, and no others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from malformed_files import checkpoint, pykan_files, state_dict

from fuzz import torch_archive
from repository import ROOT

HEAVY = ("torch", "onnx", "onnxruntime", "matplotlib", "distributed", "pyarrow", "sklearn", "yaml")

PROGRAM = """
import json, os, sys
from importlib import import_module
tool, arguments, heavy = json.loads(sys.argv[1])
sys.stdout = open(os.devnull, "w")
try:
    import_module(f"kan_dialect.cli.{tool}").main(arguments)
except SystemExit as ended:
    assert not ended.code, ended.code
print(json.dumps([name for name in heavy if name in sys.modules]), file=sys.__stdout__)
"""

IR = """
func.func @net(%x: tensor<1xf32>) -> tensor<1xf32> {
  %e = kan.base "silu" %x weights dense<1.0> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %n = kan.node_sum %e as "layer0" : tensor<1x1xf32> -> tensor<1xf32>
  func.return %n : tensor<1xf32>
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    checkpoint(folder, {"model_state_dict": state_dict()})
    edge = {"acive": 1, "values_int": [1] * 16}
    edges = {f"0_{i}_{o}": edge for i in range(3) for o in range(2)}
    (folder / "tables.json").write_text(json.dumps(edges))
    torch_archive.save({"model_state_dict": state_dict()}, folder / "checkpoint.pt")
    pykan_files(folder)
    (folder / "net.mlir").write_text(IR)
    np.savez(folder / "x.npz", x=np.linspace(-1, 1, 20)[:, np.newaxis])
    return folder


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("kan_opt net.mlir -o out.mlir", []),
        ('kan_opt net.mlir -p kan-compile{input-format="s6.3"} -t systemverilog -o out.sv', []),
        ("kan_opt tables.json -o out.mlir", []),
        ("kan_opt net.pt -o out.mlir", []),
        ("kan_opt net_config.yml -o out.mlir", ["yaml"]),
        (f"kan_opt {ROOT}/examples/wine.onnx -o out.mlir", ["onnx", "onnxruntime"]),
        ("kan_run net.mlir --inputs x.npz --outputs y.npy", []),
        ("kan_flow build net.mlir -o built --calibration x.npz --simulator none --vectors 9", []),
        *((f"kan_flow {name} --help", []) for name in ("build", "synth", "pnr", "prove")),
        *((f"kan_flow {name} --help", []) for name in ("compare", "study", "sweep", "train")),
    ],
)  # fmt: skip
def test_what_a_command_imports(command: str, needed: list[str], folder: Path) -> None:
    tool, *arguments = command.split()
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([tool, arguments, HEAVY])],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == needed
