"""Accuracy over the number of shapes, and the LUTs that shared tables save.

    python benchmarks/shapes.py [--data ../shared/data/onnx] [--floats] [--picture FILE.png]

Runs `kan-share-shapes` with each number of shapes over the shipped networks, and over the
efficient-kan networks of `--data`; takes ten minutes, with `--floats` (no integers, no LUTs) two.
Shapes are fitted to training samples; the test set is only reported. LUTs are estimates for xcup,
of codes of 6 and 8 bits.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.estimate import estimate
from kan_dialect.files.data_sets import Dataset, accuracy, load_dataset
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.share_shapes import ShareShapesPass

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
COUNTS = (1, 2, 3, 4, 6, 8)
WIDTHS = (6, 8)
UP_TO = {"scale": "scale and shift", "gain": "gain", "sign": "sign, each input"}


def test_accuracy(module: ModuleOp, data: Dataset) -> float:
    assert data.x_test is not None and data.y_test is not None
    share = accuracy(Model.of(module).run(data.x_test), data.y_test)
    assert share is not None
    return share


def compiled(module: ModuleOp, stages: Sequence[KanPass], data: Dataset) -> tuple[float, int]:
    """Test accuracy of the integers, and LUTs."""
    module = module.clone()
    right = 0.0
    for stage in stages[:-1]:
        stage.apply(Context(), module)
        if stage.name == "kan-fold-tables":
            right = test_accuracy(module, data)
    return right, estimate(next(iter(wire_functions(module)))).luts


def measure(
    name: str, model: Path, path: Path, widths: Sequence[int]
) -> dict[str, list[tuple[int, float]]]:
    """Print the rows of one network. Returns the curves of its picture; 0 shapes: none shared."""
    data = load_dataset(path)
    module = load_model(make_context(), model)
    for stage in (FoldAffinePass(), CalibratePass(str(path))):
        stage.apply(Context(), module)

    def integers(shared: ModuleOp, *, per_layer: bool) -> str:
        found = [
            compiled(shared, CompilePass(bits=bits, per_layer=per_layer).passes()[1:], data)
            for bits in widths
        ]
        return "".join(f" {right:.4f} | {luts} |" for right, luts in found)

    given = test_accuracy(module, data)
    print(f"| {name} | not shared | | {given:.4f} |{integers(module, per_layer=False)}")
    curves: dict[str, list[tuple[int, float]]] = {}
    for up_to, words in UP_TO.items():
        curves[up_to] = []
        for count in COUNTS:
            shared = module.clone()
            ShareShapesPass(shapes=count, up_to=up_to).apply(Context(), shared)
            right = test_accuracy(shared, data)
            curves[up_to].append((count, right))
            rest = integers(shared, per_layer=up_to == "sign")
            print(f"| | {words} | {count} | {right:.4f} |{rest}", flush=True)
    return {"given": [(0, given)], **curves}


def draw(path: Path, curves: dict[str, dict[str, list[tuple[int, float]]]]) -> None:
    """Draw test accuracy over the number of shapes, one panel a network."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(curves), figsize=(4 * len(curves), 3.4), squeeze=False)
    for panel, (name, lines) in zip(panels[0], curves.items(), strict=True):
        panel.axhline(lines["given"][0][1], color="0.5", linewidth=1, label="not shared")
        for up_to, words in UP_TO.items():
            panel.plot(*np.array(lines[up_to]).T, marker="o", label=f"up to {words}")
        panel.set_title(name)
        panel.set_xticks(COUNTS)
        panel.set_xlabel("shapes of a layer (of an input)")
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("test accuracy of floats")
    panels[0][-1].legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="DIR", help="other networks, not shipped")
    parser.add_argument("--floats", action="store_true", help="floats only, which is faster")
    parser.add_argument("--picture", type=Path, metavar="FILE.png")
    options = parser.parse_args()
    networks = {n: (EXAMPLES / f"{n}.onnx", EXAMPLES / f"{n}.npz") for n in ("wine", "digits")}
    if options.data is not None:
        for name in ("wine", "digits"):
            model = options.data / f"efficient_kan_{name}.onnx"
            networks[f"{name}, efficient-kan"] = (model, options.data / f"{name}.npz")
    widths = () if options.floats else WIDTHS
    print("| network | up to | shapes | floats |" + "".join(f" {n} bits | LUTs |" for n in widths))
    print("| --- | --- | --- | --- |" + " --- | --- |" * len(widths))
    curves = {name: measure(name, *files, widths) for name, files in networks.items()}
    if options.picture is not None:
        draw(options.picture, curves)


if __name__ == "__main__":
    main()
