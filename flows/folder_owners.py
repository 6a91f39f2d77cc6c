"""Who writes the folders of builds, sweeps and tuning, and which files are theirs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.files.folder_ownership import Owner
from kan_dialect.files.manifest import Listing, UnreadableListing
from kan_dialect.flows import readme
from kan_dialect.flows.report import read_report


def _former_build(folder: Path) -> Sequence[str]:
    """Files of a build of a version that kept no list, going by its report and their names."""
    try:
        report = read_report(folder / "report.json")
    except KanError:
        return ()
    if not isinstance(report.get("latency_cycles"), int):
        return ()
    name = report["name"]
    found = [f"rtl/{name}.sv", "quantizers.json", "report.json"]
    for pattern in ("ir/[0-9][0-9]-*.mlir", f"sim/{name}_*", f"host/{name}_*"):
        found += [path.relative_to(folder).as_posix() for path in folder.glob(pattern)]
    if readme.is_signed(folder / readme.NAME):
        found.append(readme.NAME)
    return [file for file in found if (folder / file).exists()]


def _former_sweep(folder: Path) -> Sequence[str]:
    """Files of a sweep of a version that kept no list."""
    points = [
        path.relative_to(folder).as_posix()
        for path in folder.glob("points/*.json")
        if re.fullmatch("[0-9a-f]{20}", path.stem)
    ]
    try:
        found: Any = json.loads((folder / "sweep.json").read_text())
        tables = isinstance(found, dict) and {"model", "options", "front"} <= found.keys()
    except (OSError, ValueError):
        tables = False
    names = [f"sweep.{kind}" for kind in ("csv", "json", "html", "parquet")]
    names += [f"{picture}.png" for picture in ("front", "heatmap", "schedule")]
    names = [*names, "calibration.npz"] if tables else []
    return [*points, *(name for name in names if (folder / name).exists())]


BUILD = Owner("kan-flow build", _former_build)
SWEEP = Owner("kan-flow sweep", _former_sweep)
TUNE = Owner("kan-flow tune")


def spared_files(folder: Path) -> Sequence[str]:
    """Files of a folder that a build leaves as they are: a README.md that is not as it wrote it."""
    path = folder / readme.NAME
    if not os.path.lexists(path):
        return ()
    try:
        listing = Listing.read(folder)
    except UnreadableListing:
        listing = None
    if listing is None:
        return () if readme.is_signed(path) else (readme.NAME,)
    return () if listing.is_unchanged(folder, readme.NAME) else (readme.NAME,)
