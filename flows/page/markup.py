"""Elements of HTML and SVG as text; every text and every attribute is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TypeAlias

_VOID = frozenset({"br", "input", "meta"})
_SHAPES = frozenset({"circle", "line", "path", "rect"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child: TypeAlias = "str | int | float | Markup | Sequence[Child] | None"


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """An element.

    Parameters
    ----------
    children : texts, which are escaped, and markup; None is left out.
    attributes : `class_` is `class`, and `stroke_width` is `stroke-width`. None and False are left
        out, True is an attribute without value.
    """
    inside = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{escape(text(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{inside}>")
    if name in _SHAPES and not children:
        return Markup(f"<{name}{inside}/>")
    return Markup(f"<{name}{inside}>{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Markup:
    """Children one after the other."""
    return Markup("".join(_child(each) for each in children))


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int | float):
        return escape(text(child))
    return joined(child)


def text(value: str | int | float) -> str:
    """A number without digits that a picture has no use for; other text as it is."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Child]],
    caption: str,
    *,
    numbers: Sequence[int] = (),
    codes: Sequence[int] = (),
) -> Markup:
    """A table with a caption; the first column names the row.

    Parameters
    ----------
    numbers : columns that are numbers, which end at the same place.
    codes : columns that are code or names.
    """

    body = [list(row) for row in rows]

    def cell(index: int, child: Child) -> Markup:
        kind = "n" if index in numbers else "c" if index in codes else None
        if index == 0:
            return tag("th", child, scope="row", class_=kind)
        return tag("td", child, class_=kind)

    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag(
                "thead",
                tag(
                    "tr",
                    [
                        tag("th", each, scope="col", class_="n" if index in numbers else None)
                        for index, each in enumerate(head)
                    ],
                ),
            ),
            tag("tbody", [tag("tr", [cell(i, c) for i, c in enumerate(row)]) for row in body]),
        ),
        class_="scroll",
        # Long ones scroll, and keys must reach what does.
        **({"tabindex": "0", "role": "region", "aria_label": caption} if len(body) > 12 else {}),
    )


def behind(summary: str, *children: Child) -> Markup:
    """What a reader opens: the table behind a picture, or a long list."""
    return tag("details", tag("summary", summary), *children)
