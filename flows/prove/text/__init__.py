"""The SystemVerilog that a proof reads: a small language with one meaning for every tool.

`docs/reference/rtl-subset.md` is its definition. slang (pyslang) parses and types it. Nothing here
is shared with `lowering/systemverilog/`, which writes it.
"""

from kan_dialect.flows.prove.text.read import check_text, read_text
from kan_dialect.flows.prove.text.source import NotInSubset

__all__ = ["NotInSubset", "check_text", "read_text"]
