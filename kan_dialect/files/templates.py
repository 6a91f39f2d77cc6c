"""Fills text templates of jinja2: files `*.j2` in a folder `templates/` beside the code.

Text in another language than Python stands in such a file. A template loops over ports, tables and
registers, and writes the design's numbers. It decides nothing that Python can decide before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_PACKAGE = Path(__file__).parent.parent


def filled(template: str, **values: object) -> str:
    """The text of a template.

    Parameters
    ----------
    template : path of the file in the package, as `flows/host/templates/codec.py.j2`.
    values : by the names in the template.

    Raises
    ------
    jinja2.UndefinedError : the template has a name without a value.
    """
    return _environment(None).get_template(template).render(values)


def filled_html(template: str, as_html: Callable[[Any], str], /, **values: object) -> str:
    """The text of a template of HTML; other parameters and errors are those of `filled`.

    Parameters
    ----------
    as_html : markup of a value, with texts escaped.
    """
    return _environment(as_html).get_template(template).render(values)


@cache
def _environment(as_html: Callable[[Any], str] | None) -> Environment:
    return Environment(
        loader=FileSystemLoader(_PACKAGE),
        autoescape=as_html is not None,
        finalize=as_html,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
