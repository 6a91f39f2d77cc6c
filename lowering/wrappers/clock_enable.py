"""The module `NAME_clock_enable`: a network with a port that stops all of its registers."""

from __future__ import annotations

from xdsl.dialects import comb, hw, seq
from xdsl.dialects.builtin import ArrayAttr, StringAttr, i1
from xdsl.ir import Operation
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.ir.attributes.attribute_names import NODES
from kan_dialect.ir.attributes.module_attributes import declare_interface, list_encodings
from kan_dialect.ops.memory import MemoryReadOp, MemoryWriteOp

PORT = "ce"
PLACE = 2
"""Of the port among the inputs: behind `clk` and `rst`."""


def with_clock_enable(module: hw.HWModuleOp) -> hw.HWModuleOp:
    """A copy of a clocked network whose registers keep their values where `ce` is 0.

    Reset works in spite of `ce`. A sample enters, and outputs are valid, where `ce` is 1.
    """
    found = module.clone()
    found.sym_name = StringAttr(f"{module.sym_name.data}_clock_enable")
    ports: list[hw.ModulePort] = list(found.module_type.ports)
    direction = hw.DirectionAttr(hw.Direction.INPUT)
    ports.insert(PLACE, hw.ModulePort(StringAttr(PORT), i1, direction))
    found.module_type = hw.ModuleType(ArrayAttr(ports))
    block = found.body.block
    enable = block.insert_arg(i1, PLACE)
    enable.name_hint = PORT
    for read in [op for op in block.ops if isinstance(op, MemoryReadOp)]:
        read.operands = [*read.operands, enable]
    for write in [op for op in block.ops if isinstance(op, MemoryWriteOp)]:
        enabled = comb.AndOp([enable, write.enable], i1)
        Rewriter.insert_op(enabled, InsertPoint.before(write))
        write.operands = [write.memory, write.address, write.data, enabled.result, write.clock]
    places = {op: place for place, op in enumerate(block.ops)}
    for register in [op for op in places if isinstance(op, seq.CompRegOp)]:
        following = register.operands[0]
        chosen = comb.MuxOp(enable, following, register.results[0])
        point = InsertPoint.before(register)
        if isinstance(following.owner, Operation) and places[following.owner] > places[register]:
            point = InsertPoint.after(following.owner)  # The register feeds back.
        Rewriter.insert_op(chosen, point)
        register.operands[0] = chosen.result
    found.attributes.pop(NODES, None)
    declare_interface(found, "clock-enable")
    list_encodings(
        found,
        [
            "rst: synchronous, active high, whatever ce is; clears the valid bits only",
            "ce: 0 stops all registers; samples are taken, and outputs valid, where it is 1",
        ],
    )
    return found
