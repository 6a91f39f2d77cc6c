"""`kan-opt --new-pass NAME`: a package with a pass, its filecheck test and its pytest.

The files are templates in `cli/templates/`, with `$name`, `$package` and `$class_name` filled in.
"""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template

from kan_dialect.errors import KanError
from kan_dialect.multiverse import installed_universe

TEMPLATES = Path(__file__).parent / "templates"

FILES = {
    "pyproject.toml.template": "pyproject.toml",
    "README.md.template": "README.md",
    "init.py.template": "$package/__init__.py",
    "rewrite.py.template": "$package/rewrite.py",
    "lit.cfg.py.template": "tests/lit.cfg.py",
    "filecheck.mlir.template": "tests/$name.mlir",
    "test.py.template": "tests/test_$package.py",
}
"""Template -> file of the new package."""


def make_package(name: str, parent: Path) -> Path:
    """Write the package of a pass into the new folder `parent / name`; returns the folder.

    Raises
    ------
    KanError : the name is not valid for a pass and a package, it is taken, or the folder exists.
    """
    package = name.replace("-", "_")
    _require_name(name, package)
    folder = parent / name
    class_name = "".join(part.capitalize() for part in name.split("-")) + "Pass"
    values = {"name": name, "package": package, "class_name": class_name}
    try:
        folder.mkdir()
        for template, target in FILES.items():
            path = folder / Template(target).substitute(values)
            path.parent.mkdir(exist_ok=True)
            path.write_text(Template((TEMPLATES / template).read_text()).substitute(values))
    except FileExistsError:
        raise KanError(f"there is a {folder} already", remedy="take another name") from None
    except OSError as error:
        raise KanError(f"cannot write {folder}: {error.strerror}") from None
    return folder


def _require_name(name: str, package: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(package):
        raise KanError(
            f"a pass cannot be called {name!r}",
            remedy="take lower-case words with hyphens between them, such as fuse-clamps",
        )
    if name in installed_universe().all_passes:
        raise KanError(f"there is a pass {name} already", remedy="take another name")
    if importlib.util.find_spec(package) is not None:
        raise KanError(
            f"there is a Python package {package} already, which {name} would hide",
            remedy="take another name",
        )


class NewPass(argparse.Action):
    """Writes the package, says what to do with it, and exits."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        folder = make_package(str(values), Path())
        print(
            f"wrote {folder}: replace the pattern in {folder}/{folder.name.replace('-', '_')}"
            f"/rewrite.py by yours\n\n  cd {folder}\n  pip install --editable .\n  lit -v tests\n"
            "  pytest tests"
        )
        parser.exit()
