"""A text parsed and typed by slang; the constructs that the language lacks are refused.

slang's tree of syntax is checked against a list of kinds, so that a construct that it reads and we
do not know is refused. Each of its errors and warnings is a refusal, too.
"""

from __future__ import annotations

import atexit
import gc
import re
from collections.abc import Iterable, Iterator, Mapping

import pyslang
from pyslang import ast, parsing, syntax

from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.flows.prove.text.source import Source

# The commands freeze what lives at their end, and nanobind, which pyslang is made with, reports on
# the terminal what is not collected.
atexit.register(gc.unfreeze)

DEEPEST = 128
"""Most brackets, choices or blocks within others."""

_SYNTAX = """
    AddExpression AlwaysFFBlock AnsiPortList ArgumentList ArithmeticShiftRightExpression
    AssignmentExpression BinaryAndExpression BinaryOrExpression BinaryXorExpression BitSelect
    CompilationUnit ConcatenationExpression ConditionalExpression ConditionalPattern
    ConditionalPredicate ConditionalStatement ContinuousAssign DataDeclaration Declarator
    DivideExpression ElementSelect ElseClause EqualityExpression EqualsValueClause
    EventControlWithExpression ExpressionStatement FunctionDeclaration FunctionPort
    FunctionPortList FunctionPrototype GreaterThanEqualExpression GreaterThanExpression
    HierarchicalInstance HierarchyInstantiation IdentifierName IdentifierSelectName
    ImplicitAnsiPort InequalityExpression InitialBlock InstanceName IntegerLiteralExpression
    IntegerVectorExpression InvocationExpression LessThanEqualExpression LessThanExpression
    LogicType LogicalShiftLeftExpression LogicalShiftRightExpression ModExpression
    ModuleDeclaration ModuleHeader MultipleConcatenationExpression MultiplyExpression
    NamedPortConnection NetDeclaration NetPortHeader NonblockingAssignmentExpression
    OrderedArgument ParameterDeclaration ParameterDeclarationStatement ParenthesizedEventExpression
    ParenthesizedExpression RangeDimensionSpecifier SequentialBlockStatement SignalEventExpression
    SimplePropertyExpr SimpleRangeSelect SimpleSequenceExpr SubtractExpression SystemName
    TimingControlStatement UnaryBitwiseNotExpression UnaryBitwiseXorExpression
    UnaryMinusExpression VariableDimension
"""

_KEYWORDS = """
    always_ff assign automatic begin else end endfunction endmodule function if initial input
    localparam logic module output posedge wire
"""

KEYWORDS = frozenset(_KEYWORDS.split())
"""Keywords that the language has."""

_KEPT = {*_SYNTAX.split(), *(f"{word.replace('_', '')}keyword" for word in KEYWORDS)}

_OUTSIDE = [
    *(kind for kind in syntax.SyntaxKind if kind.name not in _KEPT),
    *(
        kind
        for kind in parsing.TokenKind
        if kind.name.endswith("Keyword") and kind.name.lower() not in _KEPT
    ),
]
"""Kinds of constructs and of keywords that the language lacks."""

_PORTS = [syntax.SyntaxKind.NetPortHeader, syntax.SyntaxKind.FunctionPort]
"""Constructs that must have a direction of their own; Yosys does not take the one before."""


def typed_modules(source: Source, known: Mapping[str, Netlist]) -> Iterator[ast.InstanceBodySymbol]:
    """The modules of a text, in its order.

    Parameters
    ----------
    known : modules of other texts that this one may have instances of, by name.

    Raises
    ------
    NotInSubset : slang finds an error, or reads a construct that the language lacks.
    """
    # These three hold what the modules consist of.
    manager = pyslang.SourceManager()
    tree = syntax.SyntaxTree.fromText(source.code, manager, "RTL", "", _options(()))
    _refuse_first(source, [*_outside(tree), *_messages(manager, tree.diagnostics)])
    names = _modules_of(source, tree)
    compilation = ast.Compilation(_options(names))
    compilation.addSyntaxTree(tree)
    words = set(re.findall(r"\w+", source.code)) if known else set[str]()
    ports = "".join(_ports(name, known[name]) for name in sorted(words & known.keys()))
    others = syntax.SyntaxTree.fromText(ports, manager, "known", "", _options(()))
    compilation.addSyntaxTree(others)
    modules = {module.name: module.body for module in compilation.getRoot().topInstances}
    _refuse_first(source, _messages(manager, compilation.getAllDiagnostics()))
    for name in names:
        yield modules[name]


def _modules_of(source: Source, tree: syntax.SyntaxTree) -> list[str]:
    """Names of the modules, beside which the text has nothing."""
    root = tree.root
    items = list(root.members) if isinstance(root, syntax.CompilationUnitSyntax) else [root]
    names: list[str] = []
    for item in items:
        if not isinstance(item, syntax.ModuleDeclarationSyntax):
            raise source.refuse(item.sourceRange.start.offset, "an item outside of modules")
        names.append(item.header.name.valueText)
    if len(names) < len(re.findall(r"\bmodule\b", source.code)):
        raise source.refuse(0, "a module within a module")
    return names


def _options(names: Iterable[str]) -> pyslang.Bag:
    parser, compilation = parsing.ParserOptions(), ast.CompilationOptions()
    parser.maxRecursionDepth = DEEPEST
    compilation.topModules = set(names)
    options = pyslang.Bag()
    options.parserOptions, options.compilationOptions = parser, compilation
    return options


def _refuse_first(source: Source, constructs: Iterable[tuple[int, str]]) -> None:
    if first := min(constructs, default=None):
        raise source.refuse(*first)


def _messages(
    manager: pyslang.SourceManager, diagnostics: pyslang.Diagnostics
) -> Iterator[tuple[int, str]]:
    """Where slang finds errors, and what they are."""
    engine = pyslang.DiagnosticEngine(manager)
    for each in diagnostics:
        yield each.location.offset, engine.formatMessage(each)


def _outside(tree: syntax.SyntaxTree) -> Iterator[tuple[int, str]]:
    """Constructs and tokens that the language lacks, and where they are."""
    found: list[syntax.SyntaxNode | parsing.Token] = []
    ports: list[syntax.NetPortHeaderSyntax | syntax.FunctionPortSyntax] = []
    table = dict.fromkeys(_OUTSIDE, found.append) | dict.fromkeys(_PORTS, ports.append)
    tree.root.visit(lookup_table=table)
    for each in found:
        if isinstance(each, parsing.Token):
            yield each.range.start.offset, f"the token {each.rawText}"
        else:
            kind = words_of(each.kind.name)
            yield each.sourceRange.start.offset, f"a construct of the kind {kind}"
    for port in ports:
        if not port.direction:
            yield port.sourceRange.start.offset, "a port without input or output"


def words_of(kind: str) -> str:
    """The words of a kind of slang's: `always comb block` of `AlwaysCombBlock`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()


def _ports(name: str, module: Netlist) -> str:
    """A module with the ports of another one, and nothing in it."""
    sides = [("input", module.inputs), ("output", module.outputs)]
    ports = [
        f"{side} wire logic [{len(bits) - 1}:0] {port}"
        for side, found in sides
        for port, bits in found.items()
    ]
    return f"module {name}({', '.join(ports)}); endmodule\n"
