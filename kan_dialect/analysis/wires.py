"""Functions at wire level, and the clock cycle and layer of each value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.module_attributes import declared_latency
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.operation import operands_of, ops_of, result_of
from kan_dialect.ir.types import IntType
from kan_dialect.ir.wire_operation import cycles_through
from kan_dialect.ops.wire import ConstantOp, DeadOp, DelayOp, MarkOp

_COMPUTES_NOTHING = {ConstantOp, DeadOp, MarkOp, func.ReturnOp}


def wire_functions(module: ModuleOp) -> Iterator[func.FuncOp]:
    """Functions whose arguments and results are all `!kan.int`."""
    for op in functions_of(module):
        types = [*op.function_type.inputs.data, *op.function_type.outputs.data]
        if types and all(isinstance(port, IntType) for port in types):
            yield op


def cycles_of(function: func.FuncOp) -> dict[SSAValue, int | None]:
    """The clock cycle of each value, counted from the arguments.

    None for constants and for values that depend on constants only: they are there in any cycle.
    Before `kan-schedule`, which declares the latency, ops other than registers take no cycle.

    Raises
    ------
    KanError : an op reads values of different cycles, or a mark says another cycle.
    """
    cycles: dict[SSAValue, int | None] = dict.fromkeys(function.args, 0)
    is_scheduled = declared_latency(function) is not None
    for op in ops_of(function.body.block):
        kind = type(op)
        if kind is ConstantOp:
            cycles[result_of(op)] = None
            continue
        if kind is func.ReturnOp:
            continue
        arrivals = {cycles[operand] for operand in operands_of(op)}
        arrivals.discard(None)
        if len(arrivals) > 1:
            what = op.properties.get("name", op.name)
            raise KanError(
                f"@{function.sym_name.data}: {what} reads values of cycles "
                f"{', '.join(map(str, sorted(c for c in arrivals if c is not None)))} at once",
                remedy="run kan-schedule",
            )
        cycle = next(iter(arrivals), None)
        if type(op) is MarkOp and cycle is not None and op.cycle.value.data != cycle:
            raise KanError(
                f"@{function.sym_name.data}: the mark of {op.node} says cycle "
                f"{op.cycle.value.data}, the value is there in cycle {cycle}"
            )
        if cycle is not None and (is_scheduled or kind is DelayOp):
            cycle += cycles_through(op)
        for result in op.results:
            cycles[result] = cycle
    return cycles


def latency_of(function: func.FuncOp, cycles: Mapping[SSAValue, int | None] | None = None) -> int:
    """Clock cycles from the arguments to the results; `cycles_of` the function is used if given.

    Results that are all constant are there in any cycle: the attribute `kan.latency` decides.

    Raises
    ------
    KanError : the results do not come in the same cycle.
    """
    cycles = cycles_of(function) if cycles is None else cycles
    terminator = function.get_return_op()
    assert terminator is not None
    arrivals = {cycles[operand] for operand in terminator.operands} - {None}
    if len(arrivals) > 1:
        listed = ", ".join(str(cycles[operand]) for operand in terminator.operands)
        raise KanError(
            f"@{function.sym_name.data}: the results come in different cycles ({listed})",
            remedy="run kan-schedule",
        )
    constant = declared_latency(function) or 0
    return next((cycle for cycle in arrivals if cycle is not None), constant)


def layers_of(function: func.FuncOp) -> dict[Operation, int]:
    """The number of nodes on the longest path to each op that computes something."""
    ops = ops_of(function.body.block)
    nodes = {operands_of(op)[0] for op in ops if type(op) is MarkOp}
    layers: dict[Operation, int] = {}
    after: dict[SSAValue, int] = {}
    for op in ops:
        if type(op) in _COMPUTES_NOTHING:
            continue
        layer = max([after.get(value, 0) for value in operands_of(op)], default=0)
        layers[op] = layer
        for result in op.results:
            after[result] = layer + (result in nodes)
    return layers
