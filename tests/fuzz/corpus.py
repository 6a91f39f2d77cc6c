"""Files to be broken, and commands to run on them."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.universe import Universe

from fuzz.commands import Case
from fuzz.floats import FloatDrawing
from fuzz.mutate import Mutator
from fuzz.networks import Drawing
from fuzz.pipelines import float_pipeline, integer_pipeline
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.model.model import Model
from kan_dialect.passbase.pipeline import build_pipeline

ROOT = Path(__file__).resolve().parent.parent.parent
PIPELINES = (
    "kan-compile",
    "kan-compile{bits=3 combinational=true}",
    "kan-compile{bits=2,3,4,5 levels=1}",
    "kan-quantize{bits=4},kan-fold-tables",
    "kan-fold-affine,kan-quantize{bits=5 guard-bits=2},kan-fold-tables,kan-expand-wires",
    "kan-expand-wires,kan-narrow,kan-narrow",
    "kan-narrow,kan-balance-sums,kan-schedule{cycles=3}",
    "kan-schedule{levels=1},lower-kan-to-hw",
    "lower-kan-to-hw",
    "canonicalize,cse",
)


class Corpus:
    """Files to be broken: IR of every level, model files, data."""

    def __init__(self) -> None:
        self.texts = [*_generated_texts(), *_test_texts()]
        self.onnx = [path.read_bytes() for path in _small_onnx()]
        self.tables = json.dumps(_tables([2, 3, 2], [3, 2, 4])).encode()
        self.tables_config = json.dumps(
            {"layers": [2, 3, 2], "layers_bitwidth": [3, 2, 4]}
        ).encode()
        self.dataset = _dataset()

    def case(self, rng: np.random.Generator) -> Case:
        """A broken file and a command that reads it."""
        mutator = Mutator(rng)
        share = rng.random()
        if share < 0.62:
            return self._ir(mutator)
        if share < 0.76:
            return self._onnx(mutator)
        if share < 0.85:
            return self._tables(mutator)
        if share < 0.97:
            return self._data(mutator)
        return self._options(mutator)

    def _ir(self, mutator: Mutator) -> Case:
        text = str(mutator.pick(self.texts))
        broken = mutator.text(text, str(mutator.pick(self.texts)))
        data = broken.encode(errors="replace")
        if not mutator.below(12):
            data = mutator.bytes(data)
        files = {"in.mlir": data, "x.npy": _npy(mutator)}
        return Case(files, "in.mlir", self._command(mutator, "in.mlir"))

    def _command(self, mutator: Mutator, name: str) -> tuple[str, ...]:
        pipeline = str(mutator.pick(PIPELINES))
        target = str(mutator.pick(["mlir", "systemverilog", "systemverilog", "circt"]))
        match mutator.below(9):
            case 0:
                return ("kan-opt", name, "-o", "out.txt")
            case 1 | 2:
                return ("kan-opt", name, "-p", "kan-compile", "-t", target, "-o", "out.txt")
            case 3:
                return ("kan-opt", name, "-p", pipeline, "-t", target)
            case 4:
                return ("kan-opt", name, "--check-passes", "-p", pipeline, "-o", "out.txt")
            case 5:
                return ("kan-run", name)
            case 6:
                codes = ["--codes"] if mutator.below(2) else []
                return ("kan-run", name, "--inputs", "x.npy", *codes, "--outputs", "out.npy")
            case 7:
                return ("kan-run", name, "--inputs", "x.npy", "--codes", "--against", name)
            case _:
                bits = str(mutator.pick(["3", "8", "2,3"]))
                quiet = ("--simulator", "none", "--vectors", "20")
                return ("kan-flow", "build", name, "-o", "built", *quiet, "--bits", bits)

    def _onnx(self, mutator: Mutator) -> Case:
        data = bytes(mutator.pick(self.onnx))
        data = mutator.onnx(data) if mutator.below(4) else mutator.bytes(data)
        files = {"in.onnx": data, "x.npy": _npy(mutator)}
        return Case(files, "in.onnx", self._command(mutator, "in.onnx"))

    @staticmethod
    def _json(mutator: Mutator, data: bytes) -> bytes:
        return mutator.json(data) if mutator.below(4) else mutator.bytes(data)

    def _tables(self, mutator: Mutator) -> Case:
        files = {"in.json": self.tables, "config.json": self.tables_config, "x.npy": _npy(mutator)}
        broken = "config.json" if not mutator.below(3) else "in.json"
        files[broken] = self._json(mutator, files[broken])
        return Case(files, broken, self._command(mutator, "in.json"))

    def _data(self, mutator: Mutator) -> Case:
        data = mutator.npz(self.dataset) if mutator.below(3) else mutator.bytes(self.dataset)
        files = {"in.mlir": _SPLINES.encode(), "d.npz": data}
        commands: list[tuple[str, ...]] = [
            ("kan-opt", "in.mlir", "-p", 'kan-compile{data="d.npz"}', "-o", "out.txt"),
            ("kan-opt", "in.mlir", "--check-passes=d.npz", "-p", "kan-fold-affine"),
            ("kan-run", "in.mlir", "--inputs", "d.npz", "--outputs", "out.npy"),
            ("kan-flow", "build", "in.mlir", "-o", "built", "--calibration", "d.npz",
             "--simulator", "none", "--vectors", "20"),
        ]  # fmt: skip
        return Case(files, "d.npz", tuple(mutator.pick(commands)))

    def _options(self, mutator: Mutator) -> Case:
        text = str(mutator.pick(self.texts))
        pipeline = mutator.text(str(mutator.pick(PIPELINES)), "kan-quantize{bits=3}")
        pipeline = pipeline.replace("\0", "").encode(errors="replace").decode()
        target = mutator.text("systemverilog", "circt{x=1}").replace("\0", "")
        command = ["kan-opt", "in.mlir", f"--passes={pipeline}", "-o", "out.txt"]
        if not mutator.below(3):
            command.append(f"--target={target}")
        return Case({"in.mlir": text.encode()}, "in.mlir", tuple(command))


_SPLINES = """
func.func @net(%x: tensor<2xf32>) -> tensor<2xf32> {
  %e = kan.bspline %x as "layer0" degree 2 extend knots dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
    coefficients dense<0.5> : tensor<2x2x4xf32> : tensor<2xf32> -> tensor<2x2xf32>
  %n = kan.node_sum %e as "layer0" : tensor<2x2xf32> -> tensor<2xf32>
  func.return %n : tensor<2xf32>
}
"""


def _npy(mutator: Mutator) -> bytes:
    """Samples of a few features."""
    features = 1 + mutator.below(4)
    array: Any = mutator.rng.integers(-3, 4, (5, features))
    if mutator.below(2):
        array = array * 0.37
    if not mutator.below(5):
        array = mutator.array(array)
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _generated_texts() -> list[str]:
    """The IR of small random networks before and after each pass."""
    texts: list[str] = []
    index = 0
    while len(texts) < 120:
        rng = np.random.default_rng([0, index])
        index += 1
        network = (Drawing if index % 2 else FloatDrawing)(rng).network("net")
        pipeline = integer_pipeline(rng) if index % 2 else float_pipeline(rng)
        module = network.module()
        if len(str(module)) < 5000:
            texts.extend(text for text in _stages(module, pipeline) if len(text) < 9000)
    return texts


def _stages(module: ModuleOp, pipeline: Sequence[str]) -> list[str]:
    context = make_context()
    texts = [str(module) + "\n"]
    for stage in build_pipeline(Universe.get_multiverse().all_passes, ",".join(pipeline)):
        try:
            stage.apply(context, module)
            Model.of(module)
        except KanError:
            break
        if str(module) + "\n" != texts[-1]:
            texts.append(str(module) + "\n")
    return texts


def _test_texts() -> list[str]:
    """Inputs of the lit tests: every op and attribute in every form."""
    texts: list[str] = []
    for path in sorted((ROOT / "tests" / "filecheck").rglob("*.mlir")):
        for text in path.read_text().split("// -----"):
            lines = [line for line in text.splitlines() if not line.strip().startswith("//")]
            if lines and len(text) < 9000:
                texts.append("\n".join(lines) + "\n")
    return texts


def _small_onnx() -> list[Path]:
    paths = (ROOT / "tests" / "data" / "onnx").glob("*.onnx")
    return sorted(path for path in paths if path.stat().st_size < 20_000)[::3]


def _tables(widths: Sequence[int], bits: Sequence[int]) -> dict[str, Any]:
    """KANELÉ's truth tables of a small network."""
    rng = np.random.default_rng(9)
    return {
        f"{layer}_{i}_{o}": {
            "acive": 1,
            "values_int": rng.integers(
                -(1 << (bits[layer + 1] - 1)), 1 << (bits[layer + 1] - 1), 1 << bits[layer]
            ).tolist(),
        }
        for layer in range(len(widths) - 1)
        for i in range(widths[layer])
        for o in range(widths[layer + 1])
    }


def _dataset() -> bytes:
    rng = np.random.default_rng(3)
    stream = io.BytesIO()
    x = rng.uniform(-1, 1, (12, 2)).astype(np.float32)
    np.savez(stream, x_train=x, y_train=rng.integers(0, 2, 12), x_test=x, y_test=np.ones(12))
    return stream.getvalue()
