# What the reader of RTL uses of pyslang. Its own stubs name types that do not exist (`span`), and
# do not say what may be None.

from collections.abc import Iterator

from pyslang import ast as ast
from pyslang import parsing as parsing
from pyslang import syntax as syntax

class SVInt:
    def __int__(self) -> int: ...

class SourceLocation:
    @property
    def offset(self) -> int: ...

class SourceRange:
    @property
    def start(self) -> SourceLocation: ...

class SourceManager: ...

class ConstantRange:
    @property
    def left(self) -> int: ...
    @property
    def right(self) -> int: ...
    @property
    def width(self) -> int: ...

class Diagnostic:
    @property
    def location(self) -> SourceLocation: ...

class Diagnostics:
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Diagnostic]: ...

class DiagnosticEngine:
    def __init__(self, sourceManager: SourceManager) -> None: ...
    def formatMessage(self, diag: Diagnostic) -> str: ...

class Bag:
    parserOptions: parsing.ParserOptions
    compilationOptions: ast.CompilationOptions
