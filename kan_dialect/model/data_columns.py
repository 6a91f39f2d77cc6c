"""Data for a network: its columns are read by name, and a network without names takes them."""

from __future__ import annotations

from dataclasses import replace

from xdsl.dialects import func, hw

from kan_dialect.files.data_sets import Dataset, RawData, read_samples
from kan_dialect.ir.attributes.data_schema import DataSchema, classes_of, features_of, outputs_of


def dataset_for(op: func.FuncOp | hw.HWModuleOp, data: RawData) -> Dataset:
    """Data as a network reads it; a network without names takes those of the data.

    Names that are not as many as the inputs, classes or outputs of the network are not taken:
    whether the data fits is for others to say.

    Raises
    ------
    KanError : see `read_samples`.
    """
    known = DataSchema.of(op)
    dataset = read_samples(data, known)
    given, outputs = dataset.schema, outputs_of(op)
    fits = {
        "features": len(given.features) == features_of(op),
        "classes": len(given.classes) == classes_of(outputs),
        "missing": len(given.missing) == features_of(op),
        "label": not known.targets,
        "targets": len(given.targets) == outputs and not known.label and not known.classes,
    }
    taken = {n: getattr(given, n) for n, fit in fits.items() if fit and not getattr(known, n)}
    joined = replace(known, **taken)
    if joined != known:
        joined.declare(op)
    return dataset
