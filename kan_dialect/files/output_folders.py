"""Output folders that appear whole or not at all, and that keep the files of others.

Unchanged files of the folder's manifest are replaced and removed; all others stay
(`folder_ownership.py`). Files change places at the end, all or none (`file_swap.py`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.files.file_swap import TEMPORARY, NewFiles, Swap, files_of, in_order
from kan_dialect.files.folder_ownership import Owner, in_the_way, listing_of, require_ours
from kan_dialect.files.interruption import undisturbed
from kan_dialect.files.locks import locked
from kan_dialect.files.manifest import NAME, Listing, digest, is_file_in, obstacle

_LOG = logging.getLogger(__name__)


@contextmanager
def replacing_folder(
    folder: Path, owner: Owner, *, force: bool = False, spared: Sequence[str] = ()
) -> Generator[Path]:
    """A new folder to write files into, which replace the owner's in `folder` once all went well.

    The owner's former files go, and what else `folder` holds stays. Others that replace the same
    folder wait for each other, so its files always come from one of them; Ctrl-C and SIGTERM wait
    until all files are there. Where an error comes first, or when the last file cannot be put in
    place, `folder` is as it was. What a process that is killed while files change places leaves,
    `settle` finishes.

    Parameters
    ----------
    force : replace files that are in the way, and name them in a note.
    spared : files of `folder` that are left as they are.

    Raises
    ------
    KanError : `folder` cannot be made or written, is not the owner's, or a file is in the way.
    """
    require_ours(folder, owner, force=force, spared=spared)
    place = Path(os.path.realpath(folder))
    made: list[Path] = []
    work: NewFiles | None = None
    try:
        # Inside a folder that is there: it may be a mount, or the one above not ours to write.
        inside = place.is_dir()
        home = place if inside else place.parent
        missing = home
        while not missing.exists():
            made.append(missing)
            missing = missing.parent
        home.mkdir(parents=True, exist_ok=True)
        work = NewFiles(home, TEMPORARY if inside else f".{place.name}.kan-")
        yield work.new
        with undisturbed():
            names = in_order(files_of(work.new))
            (work.new / NAME).write_text(Listing.of(owner.tool, work.new, names).text())
            if not work.becomes(place):
                with locked(place):
                    work.move_into(place)
                    plan = _plan(folder, place, work.new, owner, force=force, spared=spared)
                    work.swap(plan)
        made.clear()
    except OSError as error:
        raise KanError(f"cannot write into {folder}: {error.strerror or error}") from None
    finally:
        if work is not None:
            work.close()
        for empty in made:
            with suppress(OSError):  # not empty: of use to others by now
                empty.rmdir()


def _plan(
    folder: Path,
    place: Path,
    new: Path,
    owner: Owner,
    *,
    force: bool,
    spared: Sequence[str],
) -> Swap:
    """What goes and what comes, under the lock of `place`.

    Raises
    ------
    KanError : a file that is not the owner's would go, and nothing is forced.
    """
    listing = listing_of(place, owner)
    known = listing or Listing(owner.tool)
    former = known.digests if listing is not None else owner.former(place)
    swap = Swap(comes=in_order(files_of(new)))
    ours = [name for name in former if name not in spared and is_file_in(place, name)]
    foreign = [name for name in ours if not known.is_unchanged(place, name)]
    swap.goes = {name: sorted(known.accepted(name)) for name in ours}
    for name in swap.comes:
        there = obstacle(place, name) or (name if os.path.lexists(place / name) else None)
        if there is None or there in swap.goes:
            continue
        if there == NAME and listing is not None:
            swap.goes[there] = None
        elif there == name and is_file_in(place, name) and _same(place / name, new / name):
            swap.goes[there] = [digest(new / name)]
        else:
            swap.goes[there] = []
            foreign.append(there)
    if foreign and not force:
        raise in_the_way(folder, owner, foreign)
    if foreign:
        _LOG.warning("%s replaces in %s: %s", owner.forced, folder, ", ".join(sorted(foreign)))
    goes = reversed(in_order(swap.goes))
    swap.goes = {name: None if name in foreign else swap.goes[name] for name in goes}
    return swap


def _same(one: Path, other: Path) -> bool:
    return not one.is_symlink() and digest(one) == digest(other)
