"""The benchmark set as a folder of files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from kan_dialect.files.folder_ownership import Owner
from kan_dialect.files.output_folders import replacing_folder
from kan_dialect.flows.benchmark_set.networks import TITLE, VERSION, SetNetwork

OWNER = Owner("kan-flow benchmark-set")

LIST = "benchmark_set.json"
"""The file that lists the networks, with the SHA-256 of each."""


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 of the files of a network, by name and content."""
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name} {len(content)}\n".encode())
        whole.update(content)
    return whole.hexdigest()


def write(networks: Sequence[SetNetwork], folder: Path, *, force: bool = False) -> None:
    """Write networks of the set, with their data, and the list of them.

    Raises
    ------
    KanError : the folder cannot be written, or files of others are in the way.
    """
    rows: list[dict[str, str]] = []
    with replacing_folder(folder, OWNER, force=force) as new:
        for network in networks:
            files = network.make()
            for name, content in files.items():
                path = new / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            rows.append(
                {
                    "name": network.name,
                    "level": network.level,
                    "model": network.model,
                    **({"data": network.data} if network.data in files else {}),
                    "purpose": network.purpose,
                    "sha256": digest(files),
                }
            )
        listed = {"set": TITLE, "version": VERSION, "networks": rows}
        (new / LIST).write_text(json.dumps(listed, indent=2) + "\n")
