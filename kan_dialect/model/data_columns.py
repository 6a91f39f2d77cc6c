"""Columns of data files against the inputs of a network: what both name must agree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from xdsl.dialects import func, hw

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.ir.attributes.data_names import (
    DataNames,
    classes_of,
    features_of,
    input_ports,
    outputs_of,
)

_SHOWN = 64
"""Largest number of names that a message shows."""


def dataset_for(op: func.FuncOp | hw.HWModuleOp, path: str | Path) -> Dataset:
    """Read a data file for a network, see `join_names`.

    Raises
    ------
    KanError : see `load_dataset` and `join_names`.
    """
    dataset = load_dataset(path)
    join_names(op, dataset)
    return dataset


def join_names(op: func.FuncOp | hw.HWModuleOp, dataset: Dataset) -> None:
    """Require the names of data to be those of a network; a network without names takes them.

    Names that are not as many as the inputs or classes of the network are not taken: whether the
    data fits is for others to say.

    Raises
    ------
    KanError : a column or class of the data has another name than the network's, or another place.
    """
    known, given = DataNames.of(op), dataset.names
    inputs = features_of(op)
    ports = input_ports(inputs)
    features = known.features
    if not features and set(given.features) == set(ports):
        features = ports
    if given.features and features:
        where = f"{dataset.where}: column"
        _require_same(where, given.features, features, f"input x{{}} of @{op.sym_name.data} takes")
    if given.classes and known.classes:
        where = f"{dataset.where}: class"
        _require_same(where, given.classes, known.classes, f"class {{}} of @{op.sym_name.data} is")
    fits = len(given.features) == inputs, len(given.classes) == classes_of(outputs_of(op))
    joined = DataNames(
        known.features or (given.features if fits[0] else ()),
        known.classes or (given.classes if fits[1] else ()),
    )
    if joined != known:
        joined.declare(op)


def _require_same(where: str, given: Sequence[str], known: Sequence[str], takes: str) -> None:
    """
    Parameters
    ----------
    takes : words between place and name of what the network takes.
    """
    for place, (got, wanted) in enumerate(zip_longest(given, known)):
        if got == wanted:
            continue
        has = f"{where} {place} is {got!r}" if got is not None else f"{where} {place} is missing"
        takes = "the network has no more" if wanted is None else f"{takes.format(place)} {wanted!r}"
        order = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
        raise KanError(f"{has}, {takes}", remedy=f"give them in the order of the network: {order}")
