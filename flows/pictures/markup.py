"""Elements of HTML and SVG as text; every text and every attribute is escaped.

Elements of drawings have classes, whose styles are in `drawing.css`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TypeAlias

from markupsafe import Markup

from kan_dialect.ir.constants import FloatArray

_VOID = frozenset({"br", "input", "meta"})
_SHAPES = frozenset({"circle", "line", "path", "rect"})


Child: TypeAlias = "str | int | float | Markup | Sequence[Child] | None"
"""A text, which is escaped, markup, or several of them; None is left out."""


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
    return Markup("".join(map(as_html, children)))


def as_html(child: Child) -> Markup:
    """Markup of a child: a text is escaped, None is nothing."""
    if child is None:
        return Markup()
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int | float):
        return Markup(escape(text(child)))
    return joined(child)


def text(value: str | int | float) -> str:
    """A number without digits that a picture has no use for; other text as it is."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def svg(
    name: str, width: float, height: float, parts: Sequence[Child], /, **attributes: str | float
) -> Markup:
    """A drawing, with a name for readers who do not see it."""
    return tag(
        "svg",
        tag("title", name),
        parts,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        **attributes,
        role="img",
        aria_label=name,
    )


def label(x: float, y: float, words: Child, class_: str | None = None, at: str = "") -> Markup:
    """Text in a drawing; `at` is `middle` or `end` where `x` is not its start."""
    return tag("text", words, x=x, y=y, class_=class_, text_anchor=at or None)


def box(
    x: float, y: float, width: float, height: float, class_: str, title: str | None = None
) -> Markup:
    """A rectangle, with text that a viewer shows while the pointer is over it."""
    children = () if title is None else (tag("title", title),)
    return tag(
        "rect",
        *children,
        x=x,
        y=y,
        width=max(width, 0.0),
        height=height,
        class_=class_,
        rx=2,
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: FloatArray) -> str:
    """The data of a path through points (n, 2)."""
    return "M" + " ".join(f"{x:.5g} {y:.5g}" for x, y in points.tolist())
