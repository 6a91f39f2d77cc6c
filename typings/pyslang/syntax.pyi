from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

from pyslang import Bag, Diagnostics, SourceManager, SourceRange
from pyslang.parsing import Token

class SyntaxKind(Enum):
    FunctionPort = ...
    NetPortHeader = ...

class SyntaxNode:
    @property
    def kind(self) -> SyntaxKind: ...
    @property
    def sourceRange(self) -> SourceRange: ...
    def visit(self, *, lookup_table: Mapping[Any, Callable[[Any], None]]) -> None: ...

class SyntaxList:
    def __iter__(self) -> Iterator[SyntaxNode]: ...

class CompilationUnitSyntax(SyntaxNode):
    @property
    def members(self) -> SyntaxList: ...

class ModuleHeaderSyntax(SyntaxNode):
    @property
    def name(self) -> Token: ...

class ModuleDeclarationSyntax(SyntaxNode):
    @property
    def header(self) -> ModuleHeaderSyntax: ...

class NetPortHeaderSyntax(SyntaxNode):
    @property
    def direction(self) -> Token: ...

class FunctionPortSyntax(SyntaxNode):
    @property
    def direction(self) -> Token: ...

class SyntaxTree:
    @staticmethod
    def fromText(
        text: str,
        sourceManager: SourceManager = ...,
        name: str = ...,
        path: str = ...,
        options: Bag = ...,
    ) -> SyntaxTree: ...
    @property
    def diagnostics(self) -> Diagnostics: ...
    @property
    def root(self) -> SyntaxNode: ...
