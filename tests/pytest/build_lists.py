"""The list of a build's files, written by somebody else than the build."""

from pathlib import Path

from kan_dialect.files.manifest import NAME, Listing


def list_files(folder: Path) -> None:
    """List all files of a folder as a build would, whoever wrote them."""
    names = [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != NAME
    ]
    (folder / NAME).write_text(Listing.of("kan-flow build", folder, names).text())
