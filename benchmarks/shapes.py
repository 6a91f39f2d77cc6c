"""Accuracy over the number of shapes, and the LUTs that shared tables save.

    python benchmarks/shapes.py [--data ../shared/data/onnx] [--floats] [--picture FILE.png]

Runs `kan-share-shapes` with each number of shapes over the shipped networks, and over the
efficient-kan networks of `--data`; takes ten minutes, with `--floats` (no integers, no LUTs) two.
Shapes are fitted to training samples; the test set is only reported. LUTs are estimates for xcup,
of codes of 6 bits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from measurements import EXAMPLES, MarkdownTable, print_versions

import kan_dialect
from kan_dialect import Network
from kan_dialect.files.data_sets import Dataset, accuracy, load_dataset
from kan_dialect.passes.share_shapes import ShareShapesPass, UpTo

COUNTS = (1, 2, 3, 4, 6, 8)
BITS = 6
UP_TO: dict[UpTo, str] = {"scale": "scale and shift", "gain": "gain", "sign": "sign, each input"}


def test_accuracy(network: Network, data: Dataset) -> float:
    assert data.x_test is not None and data.y_test is not None
    share = accuracy(network.run(data.x_test), data.y_test)
    assert share is not None
    return share


def integers(network: Network, data: Dataset, *, per_layer: bool) -> tuple[str, int]:
    """Test accuracy of the integers, and LUTs."""
    wires = network.compile(level="wire", bits=BITS, per_layer=per_layer)
    return f"{test_accuracy(wires, data):.4f}", wires.estimate().luts


def measure(
    table: MarkdownTable, name: str, model: Path, samples: Path, floats: bool
) -> dict[str, list[tuple[int, float]]]:
    """Print the rows of one network. Returns the curves of its picture; 0 shapes: none shared."""
    data = load_dataset(samples)
    network = kan_dialect.load(model).apply(f'kan-fold-affine,kan-calibrate{{data="{samples}"}}')
    given = test_accuracy(network, data)
    rest = () if floats else integers(network, data, per_layer=False)
    table.add(name, "not shared", "", f"{given:.4f}", *rest)
    curves: dict[str, list[tuple[int, float]]] = {"given": [(0, given)]}
    for up_to, words in UP_TO.items():
        curves[up_to] = []
        for count in COUNTS:
            shared = network.apply(ShareShapesPass(shapes=count, up_to=up_to))
            right = test_accuracy(shared, data)
            curves[up_to].append((count, right))
            rest = () if floats else integers(shared, data, per_layer=up_to == "sign")
            table.add("", words, count, f"{right:.4f}", *rest)
    return curves


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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="DIR", help="other networks, not shipped")
    parser.add_argument("--floats", action="store_true", help="floats only, which is faster")
    parser.add_argument("--picture", type=Path, metavar="FILE.png")
    options = parser.parse_args()
    networks = {n: (EXAMPLES / f"{n}.onnx", EXAMPLES / f"{n}.npz") for n in ("wine", "digits")}
    if options.data is not None:
        for name in ("wine", "digits"):
            model = options.data / f"efficient_kan_{name}.onnx"
            networks[f"{name}, efficient-kan"] = (model, options.data / f"{name}.npz")
    print_versions(packages=["numpy"])
    columns = () if options.floats else (f"{BITS} bits", "LUTs")
    table = MarkdownTable("network", "up to", "shapes", "floats", *columns)
    curves = {
        name: measure(table, name, *files, options.floats) for name, files in networks.items()
    }
    if options.picture is not None:
        draw(options.picture, curves)


if __name__ == "__main__":
    main()
