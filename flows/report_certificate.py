"""The certificate of a build: proven bounds on the error, beside errors on samples."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from xdsl.dialects import func

from kan_dialect.analysis.certificate import MAX_ENTRIES, certify, entries_of
from kan_dialect.analysis.enclosures import NoEnclosureError
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray
from kan_dialect.model.head import declared_head
from kan_dialect.model.model import Model
from kan_dialect.model.saturation import saturating_samples

CertificateChoice: TypeAlias = Literal["auto", "always", "never"]
"""`auto` computes a certificate up to `MAX_ENTRIES` table entries."""


def certificate_entry(
    real: Model, integers: Model | None, x: FloatArray | None, choice: CertificateChoice
) -> dict[str, Any] | None:
    """The entry `certificate` of `report.json`.

    Parameters
    ----------
    real : the float network that `kan-quantize` reads.
    integers : the integer model, or None.
    x : calibration samples, (samples, inputs), float64, or None.

    Returns
    -------
    `outputs`, `box` and `samples`. An output has `bound`, `bound_unsaturated` and, with samples,
    `observed` and `observed_unsaturated`. Without a certificate, `none` gives the reason. The
    choice `never` returns None.

    Raises
    ------
    KanError : the error of a sample exceeds the bound, which is a bug.
    """
    if choice == "never":
        return None
    if integers is not None and declared_head(integers.op) is not None:
        return {"none": "a decision has no error bound; build without --head to bound the outputs"}
    if integers is None or integers.level != "table":
        return {"none": "the last pass that trades accuracy leaves no tables"}
    assert isinstance(real.op, func.FuncOp) and isinstance(integers.op, func.FuncOp)
    entries = entries_of(integers.op)
    if choice == "auto" and entries > MAX_ENTRIES:
        return {"none": f"{entries} table entries take long; --certificate always"}
    try:
        found = certify(real.op, integers.op)
    except NoEnclosureError as error:
        return {"none": error.message}
    columns: dict[str, FloatArray] = {
        "bound": found.bounds,
        "bound_unsaturated": found.unsaturated,
    }
    entry: dict[str, Any] = {}
    if x is not None:
        apart = np.abs(real.run(x) - integers.run(x))
        inside = ~saturating_samples(integers, x)
        columns["observed"] = apart.max(axis=0)
        columns["observed_unsaturated"] = apart[inside].max(axis=0, initial=0.0)
        for bound, seen in (("bound", "observed"), ("bound_unsaturated", "observed_unsaturated")):
            if (columns[seen] > columns[bound]).any():
                raise KanError(
                    f"an output is off by {columns[seen].max():g} on the calibration samples, the "
                    f"certificate says at most {columns[bound].max():g}",
                    remedy="this is a bug; please report it",
                )
        entry["samples"] = {"all": len(x), "unsaturated": int(inside.sum())}
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    outputs = [dict(zip(columns, row, strict=True)) for row in rows]
    return {"outputs": outputs, "box": found.box.tolist(), **entry}


def certificate_text(entry: dict[str, Any]) -> str:
    """A certificate in one line: the largest bound, and the largest error on samples."""
    if "none" in entry:
        return f"none: {entry['none']}"

    def largest(key: str) -> float:
        return max(output[key] for output in entry["outputs"])

    seen = f"; {largest('observed'):.4g} seen" if "samples" in entry else ""
    return (
        f"{largest('bound'):.4g} at most, {largest('bound_unsaturated'):.4g} where nothing "
        f"saturates{seen}"
    )
