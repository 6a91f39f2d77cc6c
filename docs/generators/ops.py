"""The reference of the ops and types of the `kan` dialect."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from pathlib import Path

from xdsl.dialects.builtin import ArrayOfConstraint, DenseIntOrFPElementsAttr
from xdsl.ir import Attribute, Operation
from xdsl.irdl import (
    AllOf,
    AnyAttr,
    AnyOf,
    AttrConstraint,
    BaseAttr,
    EqAttrConstraint,
    IRDLOperation,
    OpDef,
    OptOperandDef,
    OptPropertyDef,
    OptResultDef,
    ParamAttrConstraint,
    RangeLengthConstraint,
    RangeOf,
    VarConstraint,
    VariadicDef,
)

from generators.links import ROOT
from generators.markdown import prose, table
from kan_dialect.dialect import Kan
from kan_dialect.ir.semantics import Univariate

_KINDS = {
    "DenseIntOrFPElementsAttr": "dense constant",
    "IntegerAttr": "integer",
    "IntAttr": "integer",
    "FloatAttr": "float",
    "StringAttr": "text",
    "SymbolRefAttr": "symbol",
    "UnitAttr": "flag",
    "IntegerType": "integer type",
    "TensorType": "tensor",
    "ArrayAttr": "list",
}
"""Kinds of xDSL's attributes and types, in words."""


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
        parts.append(_op(op))
    parts.append("## Types and attributes")
    parts += [_attribute(each) for each in Kan.attributes]
    return "\n\n".join(part for part in parts if part)


def _file(kind: type) -> str:
    return str(Path(inspect.getsourcefile(kind) or "").resolve().relative_to(ROOT))


def _op(op: type[Operation]) -> str:
    assert issubclass(op, IRDLOperation)
    definition = op.get_irdl_definition()
    parts = [f"### {op.name}", prose(op.__doc__), _assembly(definition)]
    rows: list[tuple[str, str, str]] = []
    for name, operand in definition.operands:
        rows.append(("operand", f"`{name}`", _with_number(operand, operand.constr)))
    for name, prop in definition.properties.items():
        optional = ", optional" if isinstance(prop, OptPropertyDef) else ""
        rows.append(("property", f"`{name}`", kind_of(prop.constr) + optional))
    for name, attribute in definition.attributes.items():
        rows.append(("attribute", f"`{name}`", kind_of(attribute.constr)))
    for name, result in definition.results:
        rows.append(("result", f"`{name}`", _with_number(result, result.constr)))
    parts.append(table(("part", "name", "kind"), rows))
    traits = [_trait_name(type(trait).__name__) for trait in definition.traits.traits]
    traits += ["Univariate"] if issubclass(op, Univariate) else []
    if traits:
        parts.append(f"Traits and interfaces: {', '.join(f'`{each}`' for each in sorted(traits))}.")
    shown = example(op.name)
    if shown:
        parts.append(f"Example:\n\n```mlir\n{shown}\n```")
    return "\n\n".join(part for part in parts if part)


def _trait_name(name: str) -> str:
    """xDSL keeps interfaces as private traits."""
    return re.sub(r"^_(.*)Trait$", r"\1", name)


def _assembly(definition: OpDef) -> str:
    text = definition.assembly_format
    if text is None:
        return ""
    return "```text\n" + re.sub(r"\s+", " ", text).strip() + "\n```"


def _with_number(definition: object, constraint: object) -> str:
    kind = kind_of(constraint)
    if isinstance(definition, OptOperandDef | OptResultDef):
        return f"{kind}, optional"
    return f"{kind}, any number" if isinstance(definition, VariadicDef) else kind


def kind_of(constraint: object) -> str:
    """A constraint on an attribute or on types, in words."""
    match constraint:
        case RangeLengthConstraint() | VarConstraint():
            return kind_of(constraint.constraint)
        case RangeOf():
            return kind_of(constraint.constr)
        case BaseAttr():
            return _kind_name(constraint.attr)
        case ParamAttrConstraint():
            return _kind_name(constraint.base_attr)
        case EqAttrConstraint():
            return f"`{constraint.attr}`"
        case ArrayOfConstraint():
            return f"list of {kind_of(constraint.elem_range_constraint)}"
        case AnyOf():
            return " or ".join(kind_of(each) for each in constraint.attr_constrs)
        case AllOf():
            return " and ".join(kind_of(each) for each in constraint.attr_constrs)
        case AnyAttr():
            return "any"
        case AttrConstraint():
            return f"see {type(constraint).__name__}"
        case _:
            raise TypeError(f"no words for {constraint!r}")


def _kind_name(kind: type[Attribute]) -> str:
    if kind is DenseIntOrFPElementsAttr:
        return "dense constant"
    name: str = getattr(kind, "name", kind.__name__)
    if kind.__module__.startswith("kan_dialect"):
        return f"`{'!' if _is_type(kind) else '#'}{name}`"
    return _KINDS.get(kind.__name__, f"`{name}`")


def _is_type(kind: type[Attribute]) -> bool:
    return kind.__name__.endswith("Type")


def _attribute(kind: type[Attribute]) -> str:
    sign = "!" if _is_type(kind) else "#"
    return f"### {sign}{kind.name}\n\n{prose(kind.__doc__)}\n\nDefined in `{_file(kind)}`."


@functools.cache
def _examples() -> str:
    """Text of the lit tests whose IR is valid, without their checks."""
    folders = [ROOT / "tests" / "filecheck" / name for name in ("dialect", "passes", "lowering")]
    files = [page for folder in folders for page in sorted(folder.glob("*.mlir"))]
    texts = [page.read_text() for page in files if "invalid" not in page.name]
    lines = [line for text in texts for line in text.splitlines() if "//" not in line]
    return "\n".join(lines)


def example(op: str) -> str | None:
    """The first use of an op in the lit tests, with the lines that continue it."""
    line = rf"^( *)[^\n]*\b{re.escape(op)} [^\n]*(?:\n\1 +[^\n]*)*"
    found = re.search(line, _examples(), re.MULTILINE)
    return None if found is None else inspect.cleandoc(found[0].strip())
