"""The pictures of a build: the network at each level, and the schedule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xdsl.context import Context

from kan_dialect.errors import KanError
from kan_dialect.flows.pictures.network import network_picture
from kan_dialect.flows.pictures.schedule import schedule_picture
from kan_dialect.frontends.loading import load_model
from kan_dialect.model.model import Level, Model

_NAMES: dict[Level, str] = {"spline": "network", "table": "tables", "wire": "wires"}
"""The picture of the network at each level."""


def write_pictures(context: Context, ir: Path, levels: Sequence[Level], folder: Path) -> None:
    """Draw the IR of a build into `folder`: the last IR of each level, and the first of all.

    Parameters
    ----------
    ir : the folder with the IR after each pass, in the order of the names.
    levels : the level of each.
    """
    folder.mkdir()
    files = sorted(ir.glob("*.mlir"))
    chosen: dict[Level, Path] = dict(zip(levels, files, strict=True))
    # The first one shows the functions over their whole grids, as they were read.
    chosen[levels[0]] = files[0]
    for level, file in chosen.items():
        if level == "hardware":
            continue
        model = Model.of(load_model(context.clone(), file))
        try:
            picture = network_picture(model)
        except KanError:
            # Networks without layers have nothing to draw.
            continue
        (folder / f"{_NAMES[level]}.svg").write_text(picture)
        if level == "wire":
            (folder / "schedule.svg").write_text(schedule_picture(model))
