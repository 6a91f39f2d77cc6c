"""Train a 13-4-3 KAN on scikit-learn's wine data: `wine.onnx` and `wine.npz`.

    python examples/train_wine.py

The features go in raw, as a chemist measures them: the network begins with a batch norm, so the
exported file needs no preprocessing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxscript  # noqa: F401 (The export needs it: without it, nothing is trained.)
import torch
from kan_layers import Kan, KanLayer, accuracy, check_export, edge_counts, export, train_classifier
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

SEED = 0


def load_data() -> dict[str, np.ndarray]:
    """x_train (124, 13), x_test (54, 13) float32; y_train (124), y_test (54) int64."""
    x, y = load_wine(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        x.astype(np.float32), y.astype(np.int64), test_size=0.3, stratify=y, random_state=SEED
    )
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def build_model() -> Kan:
    """A network of cubic splines on [-3, 3], six cells each."""
    spline = {"degree": 3, "intervals": 6, "domain": (-3.0, 3.0), "noise": 0.1}
    return Kan(KanLayer(13, 4, batch_norm=True, **spline), KanLayer(4, 3, **spline))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent)
    directory = parser.parse_args().output
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # Sums then have one order, on any number of cores.
    data = load_data()
    x_train, y_train, x_test, y_test = (torch.from_numpy(array) for array in data.values())
    model = build_model()
    train_classifier(model, x_train, y_train, epochs=600, batch=124)
    kept, edges = edge_counts(model)
    print(f"train accuracy {accuracy(model, x_train, y_train):.4f}")
    print(f"test accuracy  {accuracy(model, x_test, y_test):.4f}")
    print(f"edges kept     {kept} of {edges}")
    export(model, x_train[:2], directory / "wine.onnx", opset=18, dynamo=True)
    check_export(model, torch.cat([x_train, x_test]), directory / "wine.onnx")
    np.savez_compressed(directory / "wine.npz", **data)


if __name__ == "__main__":
    main()
