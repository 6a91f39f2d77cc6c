"""The picture of a schedule: the work of each node over clock cycles, and the registers between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import comb, func, hw, seq
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.analysis.nodes import node_signals, wire_nodes
from kan_dialect.analysis.wires import cycles_of, latency_of
from kan_dialect.devices.delay import Arrival, Delay
from kan_dialect.devices.device import device as device_of
from kan_dialect.devices.estimate import delays_of, levels_of
from kan_dialect.devices.register_cost import register_cost
from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.flows.pictures.markup import Child, box, label, tag
from kan_dialect.flows.pictures.standalone import Picture, heading, picture_of
from kan_dialect.ir.constants import Array
from kan_dialect.lowering.chain_adder import inverted_value
from kan_dialect.lowering.constant_folding import fold_constant
from kan_dialect.model.model import Model
from kan_dialect.ops.folded import FoldedOp
from kan_dialect.ops.wire import ConstantOp, DeadOp, DelayOp, MarkOp
from kan_dialect.quantity import quantity

_FREE = (comb.ExtractOp, comb.ConcatOp, comb.ReplicateOp, hw.ConstantOp, hw.BitcastOp)
"""Ops of hardware that take no logic; inverters take none either."""


@dataclass(frozen=True)
class Work:
    """The logic of one node in one stage: from its first operand to its last result."""

    row: int
    stage: int
    start: float
    """ns into the stage at wire level, levels at hardware level."""
    end: float
    ops: int


@dataclass(frozen=True)
class Turn:
    """A turn of a folded layer in one stage."""

    row: int
    stage: int
    number: int
    """0 for the first one."""
    of: int
    """Number of turns."""


@dataclass(frozen=True)
class Schedule:
    """What happens in each stage, the logic between two rows of registers."""

    name: str
    latency: int
    rows: tuple[str, ...]
    """Nodes: `layer0_node3`; and `other` for logic and registers of none, such as valid bits."""
    work: tuple[Work, ...]
    levels: tuple[int, ...]
    """Levels of logic of each stage; at hardware level, most ops in a row."""
    delays: tuple[float, ...] | None
    """Delay of each stage in ns, without its registers; None at hardware level."""
    registers: tuple[int, ...]
    """Bits of registers behind each stage: by estimate, equal bits once, at wire level."""
    held: frozenset[tuple[int, int]]
    """Row and stage behind which registers hold a value of the row."""
    turns: tuple[Turn, ...] = ()

    @property
    def stages(self) -> int:
        return len(self.levels)


def schedule_picture(module: ModuleOp | Model, *, device: str = "xcup") -> Picture:
    """Draw which node is computed in which clock cycle, as SVG.

    Parameters
    ----------
    device : the FPGA family whose delays are drawn; at hardware level, levels are drawn.

    Raises
    ------
    KanError : the module is not of wire or hardware level, its values come in different cycles, or
        the device is unknown.
    """
    model = module if isinstance(module, Model) else Model.of(module)
    return _draw(schedule_of(model, device))


def schedule_of(model: Model, device: str = "xcup") -> Schedule:
    """The stages of a model of wire or hardware level.

    Raises
    ------
    KanError : the model is of another level, its values come in different cycles, or there is no
        such device.
    """
    if isinstance(model.op, hw.HWModuleOp):
        return _of_hardware(model)
    if model.level != "wire":
        raise KanError(
            f"@{model.name} is of {model.level} level, which has no clock cycles",
            remedy="run kan-compile, or kan-expand-wires and kan-schedule",
        )
    return wire_schedule(model.op, device)


def nodes_of_ops(function: func.FuncOp) -> dict[Operation, str]:
    """The node, `layer0_node3`, that each op of a wire-level function computes or holds.

    An op that several nodes need belongs to the first. Ops that no node needs are left out.
    """
    marks = ((mark.node.data, mark.value) for mark in wire_nodes(function))
    return {op: name for name, mine in _rows(marks, DelayOp) for op in mine}


def wire_schedule(function: func.FuncOp, device: str) -> Schedule:
    """The stages of a wire-level function.

    Raises
    ------
    KanError : its values come in different cycles, or the device is unknown.
    """
    target = device_of(device)
    ops = list(function.body.block.ops)
    cycles = cycles_of(function)
    latency = latency_of(function, cycles)
    stages = max(latency, 1)
    delays = [op for op in ops if isinstance(op, DelayOp)]
    behind: list[list[DelayOp]] = [[] for _ in range(stages)]
    for op in delays:
        behind[min(cycles[op.input] or 0, stages - 1)].append(op)
    rows = _rows(((mark.node.data, mark.value) for mark in wire_nodes(function)), DelayOp)
    folded = [op for op in ops if isinstance(op, FoldedOp)]
    work_ops = [
        op
        for op in ops
        if op.results and not isinstance(op, ConstantOp | DeadOp | DelayOp | MarkOp)
    ]
    stage_of = {op: min(cycles[op.results[0]] or 0, stages - 1) for op in work_ops}
    names, row_of = _named(rows, [*work_ops, *delays])
    free = Delay(0.0)
    at = _times(ops, DelayOp, lambda op: delays_of(op, target) if op in stage_of else free)
    level = _times(
        ops, DelayOp, lambda op: Delay(levels_of(op, target)) if op in stage_of else free
    )
    of_turns, turns = _turns(folded, cycles, len(names))
    return Schedule(
        function.sym_name.data,
        latency,
        (*names, *of_turns),
        _work(work_ops, stage_of, row_of, at),
        tuple(int(each) for each in _most(stage_of, level, stages)),
        tuple(_most(stage_of, at, stages)),
        tuple(register_cost(each).flip_flops for each in behind),
        frozenset(
            (row_of[op], cycle)
            for op in delays
            for cycle in _span(cycles[op.input] or 0, op.cycles.value.data)
            if op in row_of
        ),
        turns,
    )


def _turns(
    folded: Sequence[FoldedOp], cycles: Mapping[SSAValue, int | None], row: int
) -> tuple[list[str], tuple[Turn, ...]]:
    """Names of the rows of folded layers, from a row on, and their turns."""
    names: list[str] = []
    turns: list[Turn] = []
    for op in folded:
        end = cycles[op.results[0]]
        assert end is not None
        for name, first in op.first_turns.items():
            start = end - op.latency + first
            of_row = row + len(names)
            turns += [Turn(of_row, start + turn, turn, op.turns) for turn in range(op.turns)]
            names.append(f"{op.given_name or 'folded'} {name}")
    return names, tuple(turns)


def _span(start: int, cycles: int) -> range:
    return range(start, start + cycles)


def _of_hardware(model: Model) -> Schedule:
    module = model.op
    assert isinstance(module, hw.HWModuleOp)
    latency = model.latency()
    stages = max(latency, 1)
    ops = list(module.body.block.ops)
    cycles: dict[SSAValue, int] = {}
    for op in ops:
        arrivals = [cycles.get(each, 0) for each in op.operands]
        if isinstance(op, seq.CompRegOp):
            arrivals = [cycles.get(op.input, 0) + 1]
        for result in op.results:
            cycles[result] = max(arrivals, default=0)
    registers = [op for op in ops if isinstance(op, seq.CompRegOp)]
    behind = [0] * stages
    for op in registers:
        behind[min(cycles[op.data] - 1, stages - 1)] += bit_width(op.data.type)
    signals = ((node.node, value) for node, value in node_signals(module))
    rows = _rows(signals, seq.CompRegOp)
    constants: dict[SSAValue, Array] = {}
    for op in ops:
        if isinstance(op, hw.ConstantOp):
            fold_constant(op, constants)
    work_ops = [
        op
        for op in ops
        if op.results
        and not isinstance(op, (seq.CompRegOp, hw.OutputOp, *_FREE))
        and inverted_value(op, constants) is None
    ]
    stage_of = {op: min(cycles[op.results[0]], stages - 1) for op in work_ops}
    names, row_of = _named(rows, [*work_ops, *registers])
    level = _times(
        ops,
        seq.CompRegOp,
        lambda op: Delay(_hardware_levels(op) if op in stage_of else 0),
    )
    return Schedule(
        model.name,
        latency,
        names,
        _work(work_ops, stage_of, row_of, level),
        tuple(int(each) for each in _most(stage_of, level, stages)),
        None,
        tuple(behind),
        frozenset((row_of[op], cycles[op.data] - 1) for op in registers if op in row_of),
    )


def _hardware_levels(op: Operation) -> int:
    """Levels of an op of hardware: a tree of two-input adders, else one."""
    return max(1, (len(op.operands) - 1).bit_length()) if isinstance(op, comb.AddOp) else 1


def _rows(
    nodes: Iterable[tuple[str, SSAValue]], register: type[Operation]
) -> list[tuple[str, list[Operation]]]:
    """The ops of each node: those behind its value that no earlier node has."""
    taken: set[Operation] = set()
    found: list[tuple[str, list[Operation]]] = []
    for name, value in nodes:
        mine: list[Operation] = []
        pending = [value]
        while pending:
            owner = pending.pop().owner
            if isinstance(owner, Block) or owner in taken:
                continue
            taken.add(owner)
            mine.append(owner)
            pending.extend(owner.operands)
        # Registers behind the value hold the node, too.
        following = [value]
        while following:
            for use in following.pop().uses:
                if isinstance(use.operation, register) and use.operation not in taken:
                    taken.add(use.operation)
                    mine.append(use.operation)
                    following.extend(use.operation.results)
        found.append((name, mine))
    return found


def _named(
    rows: Sequence[tuple[str, list[Operation]]], ops: Iterable[Operation]
) -> tuple[tuple[str, ...], dict[Operation, int]]:
    """Names of the rows, and the row of each op; the last row has the ops of no node."""
    wanted = set(ops)
    row_of = {op: row for row, (_, mine) in enumerate(rows) for op in mine if op in wanted}
    names = [name for name, _ in rows]
    rest = wanted - row_of.keys()
    if rest:
        row_of.update(dict.fromkeys(rest, len(names)))
        names.append("other")
    return tuple(names), row_of


Times = dict[Operation, tuple[float, float]]
"""Start and end of each op since the last registers."""


def _times(
    ops: Sequence[Operation], register: type[Operation], cost: Callable[[Operation], Delay]
) -> Times:
    ready: dict[SSAValue, Arrival] = {}
    found: Times = {}
    for op in ops:
        delay = Delay(0.0) if isinstance(op, register) else cost(op)
        before = () if isinstance(op, register) else op.operands
        arrival = delay.after(ready.get(each, Arrival()) for each in before)
        # A ripple begins before that of the operands has ended.
        end = delay.end(arrival)
        found[op] = end - delay.whole, end
        ready.update((result, arrival) for result in op.results)
    return found


def _most(stage_of: dict[Operation, int], at: Times, stages: int) -> list[float]:
    most = [0.0] * stages
    for op, stage in stage_of.items():
        most[stage] = max(most[stage], at[op][1])
    return most


def _work(
    ops: Sequence[Operation],
    stage_of: dict[Operation, int],
    row_of: dict[Operation, int],
    at: Times,
) -> tuple[Work, ...]:
    places: dict[tuple[int, int], list[Operation]] = {}
    for op in ops:
        places.setdefault((row_of[op], stage_of[op]), []).append(op)
    return tuple(
        Work(row, stage, min(at[op][0] for op in mine), max(at[op][1] for op in mine), len(mine))
        for (row, stage), mine in sorted(places.items())
    )


def _draw(schedule: Schedule) -> Picture:
    unit = "ops" if schedule.delays is None else "ns"
    longest = max(schedule.levels if schedule.delays is None else schedule.delays) or 1.0
    width, height, parts = schedule_parts(schedule, "cycle", 0, longest)
    width = max(width, 640.0)
    note = (
        f"Blue: logic of a node; a cycle is {longest:.3g} {unit} wide. "
        "Orange: registers behind the cycle, and their bits."
    )
    if schedule.turns:
        note += " Grey: turns of folded layers."
    return picture_of(
        _title(schedule),
        *(width, height + 90.0),
        [
            *heading(schedule.name, _summary(schedule)),
            tag("g", parts, transform="translate(0 58)"),
            label(14, height + 78, note, "soft"),
        ],
    )


def schedule_parts(
    schedule: Schedule, stage: str, first: int, longest: float
) -> tuple[float, float, list[Child]]:
    """Width, height and parts of the drawing of a schedule: its rows over its stages.

    Parameters
    ----------
    stage : the word for a stage.
    first : number of the first one.
    longest : the delay, or number of levels, that a stage is wide.
    """
    left, head = 102.0, 46.0
    width = float(np.clip((1060.0 - left) / schedule.stages, 64.0, 180.0))
    row = float(np.clip(560.0 / max(len(schedule.rows), 1), 6.0, 26.0))
    bottom = head + len(schedule.rows) * row + 6
    names = [f"{stage} {first + index}" for index in range(schedule.stages)]
    parts: list[Child] = [
        _stage(schedule, index, names[index], (left + index * width, width, head - 6, bottom))
        for index in range(schedule.stages)
    ]
    unit = "ops" if schedule.delays is None else "ns"
    for each in schedule.work:
        x = left + each.stage * width + 6
        start, end = (at / longest * (width - 16) for at in (each.start, each.end))
        title = (
            f"{schedule.rows[each.row]}, {names[each.stage]}: {quantity(each.ops, 'op')}, "
            f"{each.start:.3g} to {each.end:.3g} {unit}"
        )
        kind, least = ("work", 2.0) if each.end > each.start else ("seen", 5.0)
        y = head + (each.row + 0.15) * row
        parts.append(box(x + start, y, max(end - start, least), row * 0.7, kind, title))
    for turn in schedule.turns:
        x, y = left + turn.stage * width, head + (turn.row + 0.15) * row
        title = (
            f"{schedule.rows[turn.row]}, {names[turn.stage]}: turn {turn.number + 1} of {turn.of}"
        )
        parts.append(box(x + 6, y, width - 16, row * 0.7, "seen", title))
        if row >= 15:
            parts.append(label(x + width / 2 - 2, y + row * 0.35 + 4, turn.number + 1, "figure"))
    for index, cycle in sorted(schedule.held):
        x = left + (min(cycle, schedule.stages - 1) + 1) * width - 4
        parts.append(box(x, head + (index + 0.1) * row, 4, row * 0.8, "registers"))
    for index in range(0, len(schedule.rows), int(np.ceil(12.0 / row))):
        y = head + (index + 0.5) * row + 4
        parts.append(label(left - 8, y, schedule.rows[index], "soft", "end"))
    if any(schedule.registers) and schedule.latency:
        parts.append(label(left - 8, bottom + 15, "registers", "soft", "end"))
    return left + schedule.stages * width + 8, bottom + 22, parts


def _stage(
    schedule: Schedule, index: int, name: str, place: tuple[float, float, float, float]
) -> list[Child]:
    """The ground of a stage, with its figures above and its register bits below."""
    x, width, top, bottom = place
    figures = [] if schedule.delays is None else [f"{schedule.delays[index]:.2f} ns"]
    if width > 110 or not figures:
        figures.append(_levels(schedule, schedule.levels[index]))
    bits = schedule.registers[index] if schedule.latency else 0
    return [
        box(x, top, width, bottom - top, "stage odd" if index % 2 else "stage"),
        label(x + 8, 14, name, "strong"),
        label(x + 8, 30, ", ".join(figures), "soft"),
        label(x + width - 2, bottom + 15, bits, "figure", "end") if bits else None,
    ]


def _levels(schedule: Schedule, count: int) -> str:
    return quantity(count, "level") if schedule.delays is not None else f"{count} ops in a row"


def _summary(schedule: Schedule) -> str:
    if not schedule.latency:
        text = "combinational"
    else:
        bits = quantity(sum(schedule.registers), "register bit")
        text = f"latency {quantity(schedule.latency, 'cycle')}, {bits}"
    text += f"; at most {_levels(schedule, max(schedule.levels))}"
    if schedule.delays is not None:
        text += f" and {max(schedule.delays):.2f} ns of logic in a cycle"
    return text


def _title(schedule: Schedule) -> str:
    return f"The schedule of {schedule.name}: {_summary(schedule)}."
