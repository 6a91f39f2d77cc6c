"""Hardware modules from the text of their ops."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects import comb, func, hw, seq
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.parser import Parser


def parse(text: str) -> ModuleOp:
    context = Context()
    for dialect in (Builtin, hw.HW, comb.Comb, seq.Seq, func.Func):
        context.load_dialect(dialect)
    module = Parser(context, text).parse_module()
    module.verify()
    return module


def in_module(body: str, ports: str = "in %a : i4, out y : i4") -> ModuleOp:
    return parse(f"hw.module @m({ports}) {{\n{body}\n}}")
