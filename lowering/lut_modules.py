"""`kan.lut` in texts: an instance of a module of one lookup table, which synthesis keeps.

Synthesis maps logic anew, and mostly to more lookup tables than the IR has. What it keeps is a
module. Lookup tables share one that are the same but for the order of their inputs.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import hw
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, UnregisteredAttr
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.ir.attributes.value_names import name_hint
from kan_dialect.ir.operation import ops_of
from kan_dialect.lowering.hw_builder import HwBuilder, LooseOps, integer
from kan_dialect.ops.lut import LutOp


class LutModule(NamedTuple):
    """A module of one lookup table."""

    inputs: int
    table: int
    """Bit p is the result where the input has the bit pattern p."""

    def name(self, network: str) -> str:
        """Its name: that of the network, the number of inputs, the table in hexadecimal digits."""
        digits = max(1, (1 << self.inputs) // 4)
        return f"{network}_lut{self.inputs}_{self.table:0{digits}X}"


def lut_module(op: LutOp) -> tuple[LutModule, tuple[int, ...]]:
    """The module of a lookup table, and which of the op's inputs is each of its inputs."""
    return _module(op.entries, len(op.inputs))


@lru_cache(1 << 14)
def _module(table: int, count: int) -> tuple[LutModule, tuple[int, ...]]:
    """The least table of all orders of the inputs."""
    orders, places = _orders(count)
    bits = np.array([table >> place & 1 for place in range(1 << count)], dtype=np.uint64)
    tables = bits[places] @ (np.uint64(1) << np.arange(1 << count, dtype=np.uint64))
    least = int(np.argmin(tables))
    return LutModule(count, int(tables[least])), orders[least]


@cache
def _orders(count: int) -> tuple[list[tuple[int, ...]], NDArray[np.int64]]:
    """All orders of inputs, and for each the old bit pattern (orders, 2^count) of every new one."""
    orders = list(permutations(range(count)))
    patterns = np.arange(1 << count)
    places = [
        sum((patterns >> new & 1) << old for new, old in enumerate(order)) for order in orders
    ]
    return orders, np.array(places)


def with_instances(module: ModuleOp) -> ModuleOp:
    """A copy in which each lookup table is an instance of its module; `module` if it has none.

    The modules stand before those that they are in, and have CIRCT's attribute for SystemVerilog's.
    """
    if not any(type(op) is LutOp for circuit in module.ops for op in circuit.walk()):
        return module
    copy = module.clone()
    for circuit in [op for op in copy.ops if isinstance(op, hw.HWModuleOp)]:
        network = circuit.sym_name.data
        made: dict[LutModule, hw.HWModuleOp] = {}
        build = LooseOps()
        for op in ops_of(circuit.body.block):
            if type(op) is not LutOp:
                continue
            kind, order = lut_module(op)
            if kind not in made:
                made[kind] = _hardware(kind, kind.name(network))
            inputs = [op.inputs[place] for place in reversed(order)]
            index = inputs[0] if len(inputs) == 1 else build.joined(inputs, len(inputs))
            name = name_hint(op.result) or "lut"
            (wire,) = build.instance(f"{name}_lut", made[kind], {"x": index}).values()
            Rewriter.replace_op(op, build.take(), [build.named(wire, name_hint(op.result))])
        for kind in sorted(made):
            Rewriter.insert_op(made[kind], InsertPoint.before(circuit))
    return copy


def _hardware(kind: LutModule, name: str) -> hw.HWModuleOp:
    """The module of a lookup table in ops of CIRCT."""
    build, size = HwBuilder(), 1 << kind.inputs
    index = build.input("x", integer(kind.inputs))
    entries = np.array([kind.table >> place & 1 for place in range(size)])
    found = build.entry(build.array(entries, 1, None), index, 1)
    module = build.finish(StringAttr(name), {"y": found})
    module.attributes["sv.attributes"] = ArrayAttr([_KEPT])
    return module


_ATTRIBUTE = UnregisteredAttr.with_name_and_type("sv.attribute", is_type=False)
_KEPT = _ATTRIBUTE("sv.attribute", False, False, '"keep_hierarchy" = "\\22yes\\22"')
"""CIRCT's attribute for `(* keep_hierarchy = "yes" *)`."""
