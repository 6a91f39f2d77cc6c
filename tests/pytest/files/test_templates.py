"""Templates are found in the package, and have a value for each name."""

from __future__ import annotations

import pytest
from jinja2 import Environment, UndefinedError

from kan_dialect.files.templates import filled
from repository import ROOT

TEMPLATES = sorted(path for path in (ROOT / "flows").rglob("*.j2"))


def test_every_template_parses_and_is_package_data() -> None:
    assert len(TEMPLATES) > 40
    for path in TEMPLATES:
        Environment().parse(path.read_text(), filename=str(path))
        # The pattern of package data in pyproject.toml.
        assert path.parent.name == "templates" and (path.parent.parent / "__init__.py").exists()


def test_a_name_without_a_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'name' is undefined"):
        filled("flows/host/templates/definitions.h.j2")


def test_values_are_written_as_they_are() -> None:
    values = {"name": "{{ code }}", "inputs": 2, "outputs": "<&>", "code": "int32_t"}
    text = filled("flows/host/templates/definitions.h.j2", **values)
    assert "#define {{ CODE }}_OUTPUTS <&>\n" in text and text.endswith("#endif\n")
