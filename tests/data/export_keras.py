"""Write the files of Keras's exporter that tests of the importer read.

To regenerate `tests/data/keras`: pip install keras jax jax2onnx, then

    KERAS_BACKEND=jax python tests/data/export_keras.py

which writes `dense` and `kan`, and pip install keras tensorflow-cpu tf2onnx, then

    KERAS_BACKEND=tensorflow python tests/data/export_keras.py

which writes `convolutions` and `two_inputs` by tf2onnx, as Keras calls it.

The .npz of the same name holds `x`, (samples, in) float32, and `y`, the outputs, as Keras 3.15 on
JAX and on TensorFlow 2.21 computes them. Several inputs are side by side in `x`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

FOLDER = Path(__file__).parent / "keras"
SAMPLES = 48
GRID = 5


class KanLayer(layers.Layer):
    """Hat functions on a grid over -1 .. 1, plus a SiLU of each input."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units
        self.grid = np.linspace(-1.0, 1.0, GRID, dtype=np.float32)

    def build(self, input_shape: Any) -> None:
        inputs = input_shape[-1]
        self.hats = self.add_weight(shape=(inputs * GRID, self.units), initializer="random_normal")
        self.base = self.add_weight(shape=(inputs, self.units), initializer="random_normal")

    def call(self, x: Any) -> Any:
        away = ops.abs(ops.expand_dims(x, -1) - self.grid) * (GRID - 1) / 2
        hats = ops.reshape(ops.relu(1 - away), (-1, x.shape[-1] * GRID))
        return ops.matmul(hats, self.hats) + ops.matmul(ops.silu(x), self.base)


def write(name: str, model: Any, *inputs: Any) -> None:
    y = model.predict(inputs[0] if len(inputs) == 1 else list(inputs), verbose=0)
    model.export(FOLDER / f"{name}.onnx", format="onnx", verbose=False)
    x = np.concatenate([each.reshape(len(each), -1) for each in inputs], axis=1)
    np.savez_compressed(FOLDER / f"{name}.npz", x=x, y=y)


def by_tensorflow() -> None:
    rng = np.random.default_rng(0)
    convolutions = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(3, 3, strides=2, activation="relu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    write("convolutions", convolutions, rng.normal(size=(SAMPLES, 8, 8, 1)).astype(np.float32))
    one, other = keras.Input((4,)), keras.Input((3,))
    branches = [layers.Dense(5, "tanh")(one), layers.Dense(5, "silu")(other)]
    hidden = layers.Concatenate()(branches)
    hidden = layers.LeakyReLU()(layers.Add()([layers.Dense(10)(hidden), hidden]))
    two_inputs = keras.Model([one, other], layers.Dense(2)(hidden))
    inputs = (rng.normal(size=(SAMPLES, width)).astype(np.float32) for width in (4, 3))
    write("two_inputs", two_inputs, *inputs)


def main() -> None:
    keras.utils.set_random_seed(0)
    if keras.backend.backend() == "tensorflow":
        by_tensorflow()
    else:
        by_jax()


def by_jax() -> None:
    x = np.random.default_rng(0).normal(size=(256, 5)).astype(np.float32)
    dense = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(6, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.1),
            layers.Dense(4, activation="gelu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    kan = keras.Sequential(
        [keras.Input((5,)), KanLayer(4), layers.BatchNormalization(), KanLayer(1)]
    )
    classes = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    cases = {
        "dense": (dense, classes, "sparse_categorical_crossentropy"),
        "kan": (kan, x[:, :1] * x[:, 1:2], "mse"),
    }
    for name, (model, targets, loss) in cases.items():
        model.compile("adam", loss)
        model.fit(x, targets, epochs=3, verbose=0)  # Batch norms measure means and variances.
        write(name, model, x[:SAMPLES])


if __name__ == "__main__":
    main()
