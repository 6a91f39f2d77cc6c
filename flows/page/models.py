"""The models that the page of a build draws, read back from the stages in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import ParseError, VerifyException

from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import has_real_edges
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.model.model import Model


@dataclass(frozen=True)
class PageModels:
    """The network at the levels that have edges; None where a build lacks this level."""

    real: Model | None = None
    """Floats: as calibrated, or as read."""
    tables: Model | None = None
    """Tables of codes, after the last pass at table level; or wires, where there are no others."""

    @property
    def shown(self) -> Model | None:
        """The model whose edges the picture shows."""
        return self.tables or self.real


def models_of(
    folder: Path, report: Mapping[str, Any], context: Context | None = None
) -> PageModels:
    """The models of a build's folder.

    A stage that is missing, or is no IR any more, is left out: the page says less, then.

    Parameters
    ----------
    context : has the dialects of the build; None: those that are installed.
    """
    stages: Sequence[Mapping[str, str]] = report.get("stages", ())
    real = [each["file"] for each in stages if each["level"] == "spline"]
    tables = [each["file"] for each in stages if each["level"] == "table"]
    if not real and not tables:
        # Without other levels the picture is of wires, whose IR takes longest to read.
        tables = [each["file"] for each in stages if each["level"] == "wire"]
    known = context or make_context()
    read = {file: _read(folder / file, known) for file in (*real[-1:], *tables[-1:])}
    coded = read[tables[-1]] if tables else None
    if coded is not None and has_real_edges(coded.op) and not real:
        return PageModels(coded)
    return PageModels(read[real[-1]] if real else None, coded)


def models_in(module: ModuleOp) -> PageModels:
    """The model of a module that is not built."""
    model = Model.of(module)
    if not isinstance(model.op, func.FuncOp):
        return PageModels()
    if model.has_codes and not has_real_edges(model.op):
        return PageModels(None, model)
    return PageModels(model)


def _read(path: Path, context: Context) -> Model | None:
    try:
        return Model.of(load_model(context, path))
    except (KanError, ParseError, VerifyException):
        return None
