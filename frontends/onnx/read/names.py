"""Names of features and classes in an ONNX model.

The model's metadata (`metadata_props`) may hold `feature_names` and `class_names`, each a list of
texts as JSON. Without `feature_names`, inputs of one column each name the features.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import onnx

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import TEXTS
from kan_dialect.frontends.onnx.read.inputs import column_names
from kan_dialect.ir.attributes.data_schema import DataSchema


def names_of(path: Path, model: onnx.ModelProto, known: DataSchema) -> DataSchema:
    """The names in a model whose inputs are not joined yet.

    Parameters
    ----------
    known : what operators of the model tell; metadata has precedence.

    Raises
    ------
    KanError : metadata is no list of texts; or a name is empty, not printable, or given twice.
    """
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    features, classes = (_listed(path, metadata, key) for key in TEXTS[:2])
    features = features or column_names(model.graph)
    found = DataSchema.read(path.name, features, classes or known.classes)
    return replace(found, missing=known.missing)


def _listed(path: Path, metadata: dict[str, str], key: str) -> list[str]:
    if key not in metadata:
        return []
    try:
        found: object = json.loads(metadata[key])
    except (ValueError, RecursionError):
        found = None
    entries = cast("list[object]", found) if isinstance(found, list) else [None]
    texts = [each for each in entries if isinstance(each, str)]
    if len(texts) < len(entries):
        raise KanError(
            f"{path.name}: the metadata `{key}` is no list of texts in JSON",
            remedy='write it as json.dumps(["length", "width"]), or leave it out',
        )
    return texts
