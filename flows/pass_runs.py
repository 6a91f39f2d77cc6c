"""Runs the passes of a build: each is checked, and the IR after it written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.checking import Checker, PassCheck, verify_after
from kan_dialect.flows.build_options import CommonOptions

Progress = Callable[[str], None]
"""Receives a few words on each step that begins."""


@dataclass
class PassRuns:
    """The stages of a build, and the checks of the passes between them."""

    folder: Path
    """Of the IR."""
    level_of: Callable[[ModuleOp], str]
    files: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The entries `stages` of the report: file, pass, level."""
    checks: list[PassCheck] = field(default_factory=list[PassCheck])

    def run(
        self,
        context: Context,
        module: ModuleOp,
        passes: Iterable[ModulePass],
        options: CommonOptions,
        progress: Progress,
    ) -> Iterator[ModulePass | None]:
        """Each pass when it has run; None in front of the first one.

        A pass is asked for when the one before has run, and what it yielded has been dealt with.

        Raises
        ------
        KanError : a pass refuses the module, or breaks its claim.
        """
        self.folder.mkdir()
        samples = None if options.dataset is None else options.dataset.x
        checker = Checker(samples, seed=options.seed) if options.check_passes else None
        self._write(module, "00-import")
        yield None
        for index, stage in enumerate(passes, start=1):
            progress(f"running {stage.name}")
            if checker is None:
                stage.apply(context, module)
                verify_after(stage, module)
            else:
                check = checker.apply(context, stage, module)
                check.require_passed(options.check_dir)
                self.checks.append(check)
            self._write(module, f"{index:02d}-{stage.name}", {"pass": stage.name})
            yield stage

    def _write(self, module: ModuleOp, name: str, about: dict[str, str] | None = None) -> None:
        (self.folder / f"{name}.mlir").write_text(f"{module!s}\n")
        file = f"{self.folder.name}/{name}.mlir"
        self.files.append({"file": file, **(about or {}), "level": self.level_of(module)})
