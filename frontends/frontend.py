"""What a frontend is, and how those that are installed are found.

A frontend reads a model file into a module of the `kan` dialect. It is published under the entry
point group `kan_dialect.frontends`, by this package and by any other alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray

ENTRY_POINT_GROUP = "kan_dialect.frontends"


KEEP, SATURATE, WRAP = "keep", "saturate", "wrap"
TABLE_OVERFLOWS = (KEEP, SATURATE, WRAP)
"""How entries of a table that do not fit the bits of its layer are read."""


@dataclass(frozen=True, eq=False)
class ImportOptions:
    """What a user may say of how a model is to be read.

    Attributes
    ----------
    strip_head : import the network up to a softmax or the like that follows its last layer.
    samples : (samples, in), float64, real inputs of the network; they choose where its functions
        are probed, and the network is compared with the file on all of them.
    table_overflow : one of `TABLE_OVERFLOWS`: entries of tables that do not fit their layer's bits
        stay as they are, saturate at the range of these bits, or keep their lowest bits.
    test_samples : (samples, in), float64, real inputs that the network is compared on, too, and by
        which nothing is chosen.

    Raises
    ------
    KanError : there is no such `table_overflow`.
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
        """Names of the options that are not what they are by default."""
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
        """The same with these options as they are by default."""
        return replace(self, **{name: getattr(ImportOptions, name) for name in names})

    def check_samples(self, where: str, inputs: int) -> None:
        """Refuse samples that are none of a network of `inputs` inputs.

        Raises
        ------
        KanError : they have another number of columns, or are not finite.
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
                    remedy="leave out samples that are not",
                )

    def require_none(self, where: str, reader: str) -> None:
        """Refuse options where the reader of a model takes none.

        Raises
        ------
        KanError : there are some.
        """
        self.require_among(frozenset(), where, reader)

    def require_among(self, taken: Collection[str], where: str, reader: str) -> None:
        """Refuse options that the reader of a model does not take.

        Raises
        ------
        KanError : there is one; names it.
        """
        for name, what in _NOT_TAKEN.items():
            if name in self.given and name not in taken:
                raise KanError(
                    f"{where}: {reader} {what}",
                    remedy=f"leave --{name.replace('_', '-')} ({name}) out",
                )


_NOT_TAKEN = {
    "strip_head": "strips no head",
    "samples": "has no use for samples",
    "table_overflow": "has no tables whose entries might overflow",
}
"""Of each option, what a reader does that does not take it."""

NO_OPTIONS = ImportOptions()
"""Everything as it is by default."""


@dataclass(frozen=True)
class Original:
    """A model as another program computes it, to measure an import or a build by.

    Attributes
    ----------
    engine : the program and its version, for reports.
    run : outputs (samples, out), float64, of samples (samples, in), float64.
    """

    engine: str
    run: Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Frontend:
    """A reader of one kind of model file.

    Attributes
    ----------
    name : what the frontend is called in messages.
    extensions : how the names of its files end, with the dot: `.onnx`, `_config.yml`.
    description : one line.
    load : reads a file into `builtin.module { func.func @... }`; raises KanError where it cannot.
    load_with : the same with options, where the frontend takes them.
    takes : names of the `ImportOptions` that `load_with` takes; others are refused.
    original : the model in a file as its own runtime computes it, where there is one; raises
        KanError as `load_with` does.
    """

    name: str
    extensions: tuple[str, ...]
    description: str
    load: Callable[[Path], ModuleOp]
    load_with: Callable[[Path, ImportOptions], ModuleOp] | None = None
    takes: frozenset[str] = frozenset({"strip_head", "samples"})
    original: Callable[[Path, ImportOptions], Original] | None = None

    @property
    def options(self) -> frozenset[str]:
        """Names of the options that may be given to this frontend."""
        return frozenset() if self.load_with is None else self.takes


def find_frontends() -> dict[str, Frontend]:
    """The frontends that are installed, by extension. One that cannot be loaded is warned of."""
    found: dict[str, Frontend] = {}
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        frontend = _load(entry)
        if frontend is not None:
            found |= dict.fromkeys(frontend.extensions, frontend)
    return found


def frontend_for(path: Path) -> Frontend:
    """The frontend whose extension ends the file's name; the longest, where several do.

    Raises
    ------
    KanError : there is none.
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
    """The model in a file, as the frontend of its extension reads it.

    Raises
    ------
    KanError : there is no such frontend, it takes no such options, or it refuses the file.
    """
    frontend = frontend_for(path)
    options.require_among(frontend.options, path.name, f"the frontend {frontend.name}")
    if frontend.load_with is not None:
        return frontend.load_with(path, options)
    return frontend.load(path)


def original_of(path: Path, options: ImportOptions = NO_OPTIONS) -> Original | None:
    """The model in a file as its own runtime computes it; None where there is none.

    Raises
    ------
    KanError : there is no frontend for the file, or it cannot be run.
    """
    frontend = frontend_for(path)
    return None if frontend.original is None else frontend.original(path, options)


def _load(entry: EntryPoint) -> Frontend | None:
    try:
        frontend: object = entry.load()
    except Exception as error:  # A broken package of others must not break every command.
        warnings.warn(f"frontend {entry.name!r} cannot be loaded: {error}", stacklevel=3)
        return None
    if not isinstance(frontend, Frontend):
        warnings.warn(f"frontend {entry.name!r} is {frontend!r}, not a Frontend", stacklevel=3)
        return None
    return frontend
