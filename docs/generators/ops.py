"""The reference of the ops and types of the `kan` dialect."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from xdsl.ir import Attribute
from xdsl.irdl import IRDLOperation

from generators.links import ROOT
from kan_dialect.cli.reference.markdown import prose
from kan_dialect.cli.reference.ops import is_type, op_reference
from kan_dialect.dialect import Kan


def reference() -> str:
    """Every op of the dialect, by the module that defines it, then every type and attribute."""
    parts: list[str] = []
    module = ""
    for op in Kan.operations:
        if op.__module__ != module:
            module = op.__module__
            parts.append(f"## {module.rpartition('.')[2].capitalize()}")
            parts.append(prose(sys.modules[module].__doc__))
            parts.append(f"Defined in `{_file(op)}`.")
        assert issubclass(op, IRDLOperation)
        parts += [f"### {op.name}", _with_notes(op_reference(op))]
    parts.append("## Types and attributes")
    parts += [_attribute(each) for each in Kan.attributes]
    return "\n\n".join(part for part in parts if part)


def _file(kind: type) -> str:
    return str(Path(inspect.getsourcefile(kind) or "").resolve().relative_to(ROOT))


def _with_notes(markdown: str) -> str:
    """With a note for the tests above examples whose constants are cut."""
    note = "<!-- not run: a constant is cut -->\n"
    return re.sub(r"^(?=```mlir\n[^`]*\.\.\.)", note, markdown, flags=re.MULTILINE)


def _attribute(kind: type[Attribute]) -> str:
    sign = "!" if is_type(kind) else "#"
    return f"### {sign}{kind.name}\n\n{prose(kind.__doc__)}\n\nDefined in `{_file(kind)}`."
