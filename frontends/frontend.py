"""Frontends: readers of model files, found through entry points.

A frontend reads a model file into a module of the `kan` dialect. This package and any other publish
theirs under the entry point group `kan_dialect.frontends`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.deferred import DeferredModule
from kan_dialect.errors import KanError
from kan_dialect.extensions import duplicated, package_of_entry

if TYPE_CHECKING:
    import numpy as np

    from kan_dialect.ir.constants import FloatArray
else:
    np = DeferredModule("numpy")

ENTRY_POINT_GROUP = "kan_dialect.frontends"


KEEP, SATURATE, WRAP = "keep", "saturate", "wrap"
TABLE_OVERFLOWS = (KEEP, SATURATE, WRAP)
"""How table entries that do not fit the bits of their layer are read."""


@dataclass(frozen=True, eq=False)
class ImportOptions:
    """User's choices for reading a model.

    Attributes
    ----------
    strip_head : import the network up to the softmax, argmax or similar head after its last layer.
    samples : (samples, in), float64, real inputs of the network. They choose where its functions
        are probed, and the network is compared with the file on all of them.
    table_overflow : one of `TABLE_OVERFLOWS`. Table entries that do not fit their layer's bits stay
        as they are, saturate at the range of these bits, or keep their lowest bits.
    test_samples : (samples, in), float64, further real inputs to compare on. They choose nothing.

    Raises
    ------
    KanError : `table_overflow` is unknown.
    """

    strip_head: bool = False
    samples: FloatArray | None = None
    table_overflow: str = KEEP
    test_samples: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.table_overflow not in TABLE_OVERFLOWS:
            raise KanError(
                f"table overflow cannot be {self.table_overflow!r}",
                remedy=f"take one of {', '.join(TABLE_OVERFLOWS)}",
            )

    @property
    def given(self) -> frozenset[str]:
        """Names of the options that differ from their defaults."""
        given = {
            "strip_head": self.strip_head,
            "samples": self.samples is not None,
            "table_overflow": self.table_overflow != KEEP,
        }
        return frozenset(name for name, is_given in given.items() if is_given)

    @property
    def real_inputs(self) -> FloatArray | None:
        """All real inputs, (samples, in), float64; None without any."""
        given = [each for each in (self.samples, self.test_samples) if each is not None]
        return np.concatenate(given) if given else None

    def without(self, names: Collection[str]) -> ImportOptions:
        """A copy with these options at their defaults."""
        return replace(self, **{name: getattr(ImportOptions, name) for name in names})

    def check_samples(self, where: str, inputs: int) -> None:
        """Refuse samples that do not fit a network of `inputs` inputs.

        Raises
        ------
        KanError : wrong number of columns, no rows, or values that are not finite.
        """
        for samples in (self.samples, self.test_samples):
            if samples is None:
                continue
            if samples.ndim != 2 or samples.shape[1] != inputs or not len(samples):
                raise KanError(
                    f"{where}: the samples have shape {samples.shape}, the network has {inputs} "
                    f"input{'s' if inputs > 1 else ''}",
                    remedy=f"give samples of shape (samples, {inputs}), a column for each input",
                )
            if not bool(np.isfinite(samples).all()):
                raise KanError(
                    f"{where}: the samples are not finite",
                    remedy="leave out samples with NaN or infinite values",
                )

    def require_none(self, where: str, reader: str) -> None:
        """Refuse all options, for readers without any.

        Raises
        ------
        KanError : an option is set; names it.
        """
        self.require_among(frozenset(), where, reader)

    def require_among(self, taken: Collection[str], where: str, reader: str) -> None:
        """Refuse options that the reader does not take.

        Raises
        ------
        KanError : such an option is set; names it.
        """
        for name, refusal in _REFUSALS.items():
            if name in self.given and name not in taken:
                raise KanError(
                    f"{where}: {reader} {refusal}",
                    remedy=f"leave --{name.replace('_', '-')} ({name}) out",
                )


_REFUSALS = {
    "strip_head": "strips no head",
    "samples": "has no use for samples",
    "table_overflow": "has no tables whose entries might overflow",
}
"""Option -> refusal of a reader that does not take it, as the end of a sentence."""

NO_OPTIONS = ImportOptions()
"""All options at their defaults."""


@dataclass(frozen=True)
class Original:
    """A model as its own runtime computes it: the reference for an import or a build.

    Attributes
    ----------
    engine : name and version of the runtime, for reports.
    run : samples (samples, in), float64 -> outputs (samples, out), float64.
    """

    engine: str
    run: Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Frontend:
    """A reader of one kind of model file.

    Attributes
    ----------
    name : the frontend's name in messages.
    extensions : endings of its file names, with the dot: `.onnx`, `_config.yml`.
    description : one line.
    load : reads a file into `builtin.module { func.func @... }`; raises KanError if it cannot.
    load_with : the same with options, for frontends that take any.
    takes : names of the `ImportOptions` that `load_with` takes; others are refused.
    original : opens the model of a file in its own runtime, None if it has none; raises KanError
        as `load_with` does.
    """

    name: str
    extensions: tuple[str, ...]
    description: str
    load: Callable[[Path], ModuleOp]
    load_with: Callable[[Path, ImportOptions], ModuleOp] | None = None
    takes: frozenset[str] = frozenset({"strip_head", "samples"})
    original: Callable[[Path, ImportOptions], Original | None] | None = None

    @property
    def options(self) -> frozenset[str]:
        """Names of the options that this frontend takes."""
        return frozenset() if self.load_with is None else self.takes


def find_frontends() -> dict[str, Frontend]:
    """The installed frontends by extension. Warns of each that cannot be loaded.

    Raises
    ------
    KanError : two packages have a frontend for the same files; names the packages.
    """
    found: dict[str, Frontend] = {}
    owners: dict[str, str] = {}
    entries = {entry.value: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    for entry in sorted(entries.values(), key=lambda entry: entry.name):
        frontend, package = _load(entry), package_of_entry(entry)
        if frontend is None:
            continue
        for extension in frontend.extensions:
            if extension in found:
                raise duplicated((owners[extension], package), f"frontend for {extension} files")
            found[extension], owners[extension] = frontend, package
    return found


def frontend_for(path: Path) -> Frontend:
    """The frontend with the longest extension that ends the file's name.

    Raises
    ------
    KanError : no frontend reads such files, or two packages have one.
    """
    frontends = find_frontends()
    fitting = [extension for extension in frontends if path.name.lower().endswith(extension)]
    if not fitting:
        raise KanError(
            f"{path.name}: no frontend reads files of this kind",
            remedy=f"known extensions are {', '.join(sorted(frontends)) or 'none'}",
        )
    return frontends[max(fitting, key=len)]


def import_file(path: Path, options: ImportOptions = NO_OPTIONS) -> ModuleOp:
    """Read a model file with the frontend of its extension.

    Raises
    ------
    KanError : no frontend reads such files, it refuses the options, or it refuses the file.
    """
    frontend = frontend_for(path)
    options.require_among(frontend.options, path.name, f"the frontend {frontend.name}")
    if frontend.load_with is not None:
        return frontend.load_with(path, options)
    return frontend.load(path)


def original_of(path: Path, options: ImportOptions = NO_OPTIONS) -> Original | None:
    """Open the model of a file in its own runtime; None if its frontend has none.

    Raises
    ------
    KanError : no frontend reads such files, or the model cannot be run.
    """
    frontend = frontend_for(path)
    return None if frontend.original is None else frontend.original(path, options)


def _load(entry: EntryPoint) -> Frontend | None:
    try:
        frontend: object = entry.load()
    except Exception as error:  # A broken third-party package must not break every command.
        warnings.warn(f"frontend {entry.name!r} cannot be loaded: {error}", stacklevel=3)
        return None
    if not isinstance(frontend, Frontend):
        warnings.warn(f"frontend {entry.name!r} is {frontend!r}, not a Frontend", stacklevel=3)
        return None
    return frontend
