"""The results of trials in a folder: a file a trial, written as soon as something is known.

A file is called by the digest of its trial (`Study.digest`), so a run reuses the results of earlier
runs, also those of another grid, and no result of other inputs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias, cast

from kan_dialect.files.growing_folder import GrowingFolder

Results: TypeAlias = dict[str, dict[str, Any]]
"""Figures of a trial by kind: those of the compilation, and those of each tool."""

FIGURES = "figures"
COMPILED = ("design", "target", "outputs", "latency_cycles", "estimate_luts", "estimate_levels")
"""Figures of every compiled trial."""


class Store:
    """Results by digest."""

    def __init__(
        self, folder: GrowingFolder, place: str, needed: Collection[str] = COMPILED
    ) -> None:
        """
        Parameters
        ----------
        place : name of the folder of the files, in `folder`.
        needed : figures without which a file is incomplete.
        """
        self._folder, self._place, self._needed = folder, place, needed

    def read(self, digest: str) -> Results:
        """The known results of a trial; empty if the file is missing or incomplete."""
        try:
            found: object = json.loads((self._folder.path / self._file(digest)).read_text())
        except (OSError, ValueError):
            return {}
        known = cast("dict[str, object]", found) if isinstance(found, dict) else {}
        results: Results = {kind: each for kind, each in known.items() if isinstance(each, dict)}
        return results if results.get(FIGURES, {}).keys() >= {*self._needed} else {}

    def write(self, digest: str, about: Mapping[str, object], results: Results) -> None:
        """Write the results of a trial, behind words about it for readers.

        Raises
        ------
        KanError : the file cannot be written.
        """
        self._folder.write(self._file(digest), json.dumps({**about, **results}, indent=1) + "\n")

    def _file(self, digest: str) -> str:
        return f"{self._place}/{digest}.json"
