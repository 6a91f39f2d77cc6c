"""Remedies for missing packages: the command fits where the package was installed from."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any

import pytest

from kan_dialect.errors import KanError
from kan_dialect.extras import install_command, require_extra


class Distribution:
    """The record of an installation; source: PEP 610."""

    def __init__(self, origin: dict[str, Any] | None) -> None:
        self.origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self.origin is None else json.dumps(self.origin)


FOLDER = "file:///home/me/kan%20dialect"
COMMIT = {"vcs": "git", "commit_id": "0123abcd"}


@pytest.mark.parametrize(
    ("origin", "argument"),
    [
        (None, "'kan-dialect[eda]'"),
        ({"url": FOLDER, "dir_info": {}}, "'/home/me/kan dialect[eda]'"),
        ({"url": FOLDER, "dir_info": {"editable": True}}, "-e '/home/me/kan dialect[eda]'"),
        ({"url": "file:///tmp/kan.whl", "archive_info": {}}, "'/tmp/kan.whl[eda]'"),
        ({"url": "https://x.org/k.whl", "archive_info": {}}, "'kan-dialect[eda] @ https://x.org/k.whl'"),
        (
            {"url": "https://x.org/kan", "vcs_info": COMMIT},
            "'kan-dialect[eda] @ git+https://x.org/kan@0123abcd'",
        ),
    ],
)  # fmt: skip
def test_the_command_names_the_source(
    origin: dict[str, Any] | None, argument: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda _: Distribution(origin))
    assert install_command("eda") == f"pip install {argument}"


def test_a_source_tree_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> Distribution:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "distribution", missing)
    assert install_command("eda").endswith("[eda]'")
    with pytest.raises(KanError, match=r"x needs the library, which is not installed; pip install"):
        require_extra("no_such_module", "the library", "eda", "x")
