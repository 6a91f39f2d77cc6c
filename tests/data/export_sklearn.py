"""Write the files of skl2onnx that tests of the importer read.

To regenerate `tests/data/sklearn`: pip install scikit-learn skl2onnx, then

    python tests/data/export_sklearn.py

The .npz of the same name holds `x`, (samples, in) float32, `y`, the predictions, and
`probabilities` of a classifier, as scikit-learn 1.9.1 computes them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

FOLDER = Path(__file__).parent / "sklearn"
SAMPLES = 50


def main() -> None:
    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    binary = (y == 2).astype(int)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    missing = x.copy()
    missing[::7, 1] = np.nan
    mlp = {"hidden_layer_sizes": (6,), "max_iter": 400, "random_state": 0}
    cases = {
        "mlp_classifier": (make_pipeline(StandardScaler(), MLPClassifier(**mlp)), x, y),
        "mlp_binary": (make_pipeline(StandardScaler(), MLPClassifier(**mlp)), x, binary),
        "mlp_names": (
            make_pipeline(MinMaxScaler(), MLPClassifier(activation="tanh", **mlp)),
            x,
            names,
        ),
        "mlp_regressor": (
            make_pipeline(StandardScaler(), MLPRegressor(activation="logistic", **mlp)),
            x[:, :3],
            x[:, 3],
        ),
        "logistic": (make_pipeline(SimpleImputer(), LogisticRegression()), missing, y),
        "logistic_binary": (make_pipeline(StandardScaler(), LogisticRegression()), x, binary),
        "linear": (make_pipeline(StandardScaler(), LinearRegression()), x[:, :3], x[:, 3]),
        "normalizer": (make_pipeline(Normalizer(), LogisticRegression()), x, y),
    }
    for name, (pipeline, inputs, targets) in cases.items():
        pipeline.fit(inputs, targets)
        model = to_onnx(pipeline, inputs[:1], target_opset={"": 17, "ai.onnx.ml": 3})
        (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())
        samples = inputs[:: len(inputs) // SAMPLES]
        arrays = {"x": samples, "y": pipeline.predict(samples)}
        if hasattr(pipeline, "predict_proba"):
            arrays["probabilities"] = pipeline.predict_proba(samples)
        np.savez_compressed(FOLDER / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main()
