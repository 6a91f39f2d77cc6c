"""Tables of the page, and parts of it that a reader opens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kan_dialect.flows.pictures.markup import Child, Markup, tag


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
