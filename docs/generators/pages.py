"""Pages with the text that is generated for them."""

from __future__ import annotations

import re
from collections.abc import Callable

from generators import architecture, benchmark_set, commands, extending, ops, passes, report

_MARK = re.compile(
    r"^<!-- generated: (?P<name>[a-z-]+)(?: (?P<words>[a-z -]+))? -->$", re.MULTILINE
)

_GENERATORS: dict[str, Callable[..., str]] = {
    "architecture": architecture.pictures,
    "benchmark-set": benchmark_set.reference,
    "code-map": architecture.code_map,
    "command": commands.reference,
    "frontends": commands.frontends,
    "helpers": extending.helpers,
    "hw-builder": extending.hw_builder,
    "ops": ops.reference,
    "passes": passes.reference,
    "passes-order": extending.order,
    "passes-overview": passes.overview,
    "report": report.reference,
    "subcommand": commands.subcommand_reference,
    "targets": commands.targets,
}


def filled(markdown: str) -> str:
    """A page with generated text in place of each mark.

    Raises
    ------
    KeyError : there is no such generator.
    """
    return _MARK.sub(lambda m: _GENERATORS[m["name"]](*(m["words"] or "").split()), markdown)
