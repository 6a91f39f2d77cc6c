"""The reference of an op, from its definition and its docstring."""

from __future__ import annotations

import re
import textwrap

from xdsl.dialects.builtin import ArrayOfConstraint, DenseIntOrFPElementsAttr
from xdsl.ir import Attribute
from xdsl.irdl import (
    AllOf,
    AnyAttr,
    AnyOf,
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

from kan_dialect.cli.reference.markdown import Layout, prose, table
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


def op_reference(op: type[IRDLOperation], layout: Layout = table) -> str:
    """Description with an example, syntax, operands, properties, attributes, results, traits."""
    definition = op.get_irdl_definition()
    parts = [prose(op.__doc__), _assembly(op.name, definition)]
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
    parts.append(layout(("part", "name", "kind"), rows))
    traits = [_trait_name(type(trait).__name__) for trait in definition.traits.traits]
    traits += ["Univariate"] if issubclass(op, Univariate) else []
    if traits:
        parts.append(f"Traits and interfaces: {', '.join(f'`{each}`' for each in sorted(traits))}.")
    return "\n\n".join(part for part in parts if part)


def _trait_name(name: str) -> str:
    """xDSL keeps interfaces as private traits."""
    return re.sub(r"^_(.*)Trait$", r"\1", name)


def _assembly(name: str, definition: OpDef) -> str:
    """The syntax, if it is declared, with the name of the op."""
    if definition.assembly_format is None:
        return ""
    text = " ".join([name, *definition.assembly_format.split()])
    lines = textwrap.wrap(text, 96, subsequent_indent="  ", break_long_words=False)
    return "\n".join(["Syntax:", "", "```text", *lines, "```"])


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
        case _:
            return f"see `{type(constraint).__name__}`"


def _kind_name(kind: type[Attribute]) -> str:
    if kind is DenseIntOrFPElementsAttr:
        return "dense constant"
    name: str = getattr(kind, "name", kind.__name__)
    if kind.__module__.startswith("kan_dialect"):
        return f"`{'!' if is_type(kind) else '#'}{name}`"
    return _KINDS.get(kind.__name__, f"`{name}`")


def is_type(kind: type[Attribute]) -> bool:
    """Whether an attribute's class is that of a type."""
    return kind.__name__.endswith("Type")
