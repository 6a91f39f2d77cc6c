"""The base class of passes that rewrite the functions of a level one by one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.quantization_points import spline_functions
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.search.precision.network import table_functions

FUNCTIONS_AT: Mapping[str, Callable[[ModuleOp], Iterator[func.FuncOp]]] = MappingProxyType(
    {"spline": spline_functions, "table": table_functions, "wire": wire_functions}
)
"""The functions of a module at each level that functions have."""


@dataclass(frozen=True)
class FunctionPass(KanPass):
    """A pass that rewrites each function of the levels `works_at`; a subclass says how."""

    @abstractmethod
    def rewrite(self, function: func.FuncOp) -> None:
        """Rewrite a function in place, or replace it in its module."""

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = [f for level in self.works_at for f in FUNCTIONS_AT[level](module)]
        for function in functions:
            self.rewrite(function)
        return bool(functions)
