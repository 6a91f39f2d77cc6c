"""Train a 64-16-10 KAN on scikit-learn's 8 x 8 digits: `digits.onnx` and `digits.npz`.

    python examples/train_digits.py

Pixels go in raw, 0 to 16. Most edges are pruned to exactly zero.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from kan_layers import (
    Kan,
    KanLayer,
    Rescale,
    accuracy,
    check_export,
    edge_counts,
    export,
    train_classifier,
)
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 0


def load_data() -> dict[str, np.ndarray]:
    """x_train (1347, 64), x_test (450, 64) float32; y_train (1347), y_test (450) int64."""
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        x.astype(np.float32), y.astype(np.int64), test_size=0.25, stratify=y, random_state=SEED
    )
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def build_model() -> Kan:
    """Cubic splines, three cells each for the pixels, which a fixed factor maps to [-1, 1].

    A batch norm in its place would blow up pixels that are nearly constant.
    """
    pixels = KanLayer(64, 16, intervals=3, noise=0.3)
    hidden = KanLayer(16, 10, intervals=6, domain=(-3.0, 3.0), noise=0.3)
    return Kan(Rescale(1 / 8, -1.0), pixels, hidden)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent)
    directory = parser.parse_args().output
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # Sums then have one order, on any number of cores.
    data = load_data()
    x_train, y_train, x_test, y_test = (torch.from_numpy(array) for array in data.values())
    model = build_model()
    train_classifier(model, x_train, y_train, epochs=250, batch=64, keep=0.4)
    kept, edges = edge_counts(model)
    print(f"train accuracy {accuracy(model, x_train, y_train):.4f}")
    print(f"test accuracy  {accuracy(model, x_test, y_test):.4f}")
    print(f"edges kept     {kept} of {edges}")
    export(model, x_train[:2], directory / "digits.onnx", opset=17, dynamo=False)
    check_export(model, torch.cat([x_train, x_test]), directory / "digits.onnx")
    np.savez_compressed(directory / "digits.npz", **data)


if __name__ == "__main__":
    main()
