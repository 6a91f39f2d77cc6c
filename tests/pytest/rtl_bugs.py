"""Bugs of emitted text that tests of proofs seed: how each changes it, and where it shows."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType


def victim_network() -> ModuleOp:
    """Two layers that saturate, with sign extensions: each bug below applies to its text."""
    rng = np.random.default_rng(4)
    tables = TableNetwork("net", UniformQuantizedType(4, False, 1.0), 7)
    tables.add_layer(rng.integers(-20, 20, (3, 7, 16)), saturate=(-30, 31))
    tables.add_layer(rng.integers(-40, 40, (2, 3, 62)), saturate=(-64, 63))
    return tables.module()


def first(pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, replacement, text, count=1, flags=re.MULTILINE)


def flipped(match: re.Match[str]) -> str:
    """The entry of code 9, in one of its bits."""
    return f"{match[1]}{int(match[2], 16) ^ 1 << 9:0{len(match[2])}X};"


def _narrower(match: re.Match[str]) -> str:
    """The sum without its highest bit."""
    highest = int(match[1])
    return (
        f"wire logic [{highest}:0] wide = {match[3]};\n"
        f"  wire logic [{highest}:0] {match[2]} = {{1'b0, wide[{highest - 1}:0]}};"
    )


def _cleared(text: str) -> str:
    found = re.search(r"(layer0_sum0\w*_s2) <= (\w+);", text)
    assert found is not None
    width = re.search(rf"logic \[(\d+):0\] {found[1]};", text)
    assert width is not None
    load = f"{found[1]} <= rst ? {int(width[1]) + 1}'d0 : {found[2]};"
    return text.replace(found[0], load)


BUGS: dict[str, tuple[Callable[[str], str], str]] = {
    "one bit of a table": (
        first(r"(layer0_edge\w+_bit\d = \d+'h)(\w+);", flipped),
        "layer0_node",
    ),
    "one bit of a table in the last layer": (
        first(r"(layer1_edge\w+_bit\d = \d+'h)(\w+);", flipped),
        "layer1_node",
    ),
    "an adder too narrow": (
        first(r"wire logic \[(\d+):0\] (layer0_sum\d+_part\d+) = ([^;]*);", _narrower),
        "layer0_node",
    ),
    "a register missing": (
        first(r"(= \{\d'[bd]0, layer0_edge0_\d)_s1\}", r"\1}"),
        "layer0_node0",
    ),
    "a register too many": (
        lambda text: re.sub(
            r"^  logic ([^;\n]*) (layer0_sum0_part\d)_s2;(.*)^( +)\2_s2 <= \2;",
            r"  logic \1 \2_s2; logic \1 late;  always_ff @(posedge clk) late <= \2;"
            r"\3\4\2_s2 <= late;",
            text,
            count=1,
            flags=re.MULTILINE | re.DOTALL,
        ),
        "layer0_node0",
    ),
    "another node": (
        first(r"(_bit\d)\[layer0_node0(\w*)\]", r"\1[layer0_node1\2]"),
        "layer1_node0",
    ),
    "another input": (first(r"(_bit\d)\[x0\]", r"\1[x1]"), "layer0_node"),
    "a one above a number": (first(r"(layer0_sum1\w* = )\{1'b0, ", r"\1{1'b1, "), "layer0_node1"),
    "a difference for a sum": (first(r"(layer0_sum1\w* = [^;]*?) \+ ", r"\1 - "), "layer0_node1"),
    "a clamp that gives another end": (
        first(r"\? (\d+)'d(\d+) :", lambda m: f"? {m[1]}'d{int(m[2]) - 1} :"),
        "layer0_node",
    ),
    "an unsigned comparison": (
        first(r"\$signed\((\w+)\) < -(\d+)'sd", r"\1 < \2'd"),
        "layer0_node",
    ),
    "entries missing": (
        first(r"\[15:0\] (layer0_edge\w+_bit\d) = 16'h\w(\w+);", r"[11:0] \1 = 12'h\2;"),
        "layer0_node",
    ),
    "data that reset clears": (
        _cleared,
        "layer0_node0",
    ),
    "outputs swapped": (
        lambda text: text.replace("y0 = layer1_node0", "y0 = layer1_node1"),
        "y0",
    ),
}
