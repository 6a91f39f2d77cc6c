"""Cost of a scheduled network by layer and kind, and its stages, for the report of a build."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xdsl.dialects import func
from xdsl.ir import Operation

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.lut_count import count_luts
from kan_dialect.devices.register_cost import register_cost
from kan_dialect.errors import KanError
from kan_dialect.flows.pictures.schedule import nodes_of_ops, wire_schedule
from kan_dialect.flows.pictures.wire_layers import edge_luts
from kan_dialect.ir.types import range_of
from kan_dialect.ir.wire_operation import WireOp
from kan_dialect.ops.folded import FoldedOp
from kan_dialect.ops.folded_shapes import FoldedShapesOp
from kan_dialect.ops.wire import ConstantOp, MarkOp, TableOp

OTHER = "other"
"""The layer of ops that no node of a layer needs."""


def layer_costs(function: func.FuncOp, device: DeviceFamily) -> list[dict[str, Any]]:
    """The entries `layers` of `report.json`, of a wire-level function.

    A layer's LUTs are counted by the costs of its ops; `apportion_luts` makes them parts of the
    estimate of the whole network.

    Raises
    ------
    KanError : an op of another package does not say its costs.
    """
    groups: dict[str, list[Operation]] = defaultdict(list)
    owners = nodes_of_ops(function)
    for op in function.body.block.ops:
        if op.results and not isinstance(op, ConstantOp | MarkOp):
            groups[layer_of(owners.get(op, OTHER))].append(op)
    edges = {name: (inputs, luts) for name, inputs, luts in edge_luts(function, device)}
    names = sorted({*groups, *edges} - {OTHER}, key=lambda name: int(name[5:]))
    found: list[dict[str, Any]] = []
    for name in (*names, *({OTHER} & groups.keys())):
        ops = groups.get(name, [])
        entry: dict[str, Any] = {"name": name}
        if name in edges:
            inputs, luts = edges[name]
            entry |= {"inputs": list(inputs), "nodes": len(luts)}
        entry["luts"] = _by_kind(ops, device)
        entry["registers"] = register_cost(ops).flip_flops
        entry["tables"] = sum(isinstance(op, TableOp) for op in ops)
        entry["table_bits"] = bits_of_tables(ops)
        for op in ops:
            if isinstance(op, FoldedShapesOp):
                entry["shapes"] = op.shape_count
        if name in edges:
            entry["edge_luts"] = [[round(each, 2) for each in row] for row in edges[name][1]]
        found.append(entry)
    return found


def apportion_luts(
    layers: Sequence[Mapping[str, Any]], stages: Sequence[dict[str, Any]], total: int
) -> None:
    """Bring LUTs by costs in proportion to those of the whole network.

    Parameters
    ----------
    layers : the entries of `layer_costs`, whose sum becomes the total.
    stages : the entries `stages` of `report.json`; the last one with `luts` becomes the total.
    total : LUTs of the network by estimate.
    """
    kinds = [(layer["luts"], kind) for layer in layers for kind in layer["luts"]]
    parts = _apportioned([luts[kind] for luts, kind in kinds], total)
    for (luts, kind), part in zip(kinds, parts, strict=True):
        luts[kind] = part
    counted = [stage for stage in stages if "luts" in stage]
    whole = counted[-1]["luts"] if counted else 0
    for stage in counted:
        stage["luts"] = round(stage["luts"] * total / whole) if whole else stage["luts"]


def _apportioned(costs: Sequence[int], total: int) -> list[int]:
    """Whole numbers in proportion to costs, whose sum is the total, by largest remainders."""
    whole = sum(costs)
    if not whole:
        return list(costs)
    found = [cost * total // whole for cost in costs]
    places = sorted(range(len(costs)), key=lambda place: -(costs[place] * total % whole))
    for place in places[: total - sum(found)]:
        found[place] += 1
    return found


def layer_of(node: str) -> str:
    """`layer0` of `layer0_node3`; `other` of a name that is no node's."""
    layer, _, rest = node.partition("_node")
    return layer if rest and layer[:5] == "layer" and layer[5:].isdecimal() else OTHER


def bits_of_tables(ops: Sequence[Operation]) -> int:
    """Entries of the tables of all ops, times the bits of their results."""
    tables = [op for op in ops if isinstance(op, TableOp)]
    single = sum(op.entries_array.size * range_of(op.result).bits for op in tables)
    return single + sum(op.table_bits for op in ops if isinstance(op, FoldedOp))


def _by_kind(ops: list[Operation], device: DeviceFamily) -> dict[str, int]:
    """LUTs of tables, of adders, of clamps and roundings, and of other ops.

    Tables have what is left of the LUTs of all: adders that absorb tables count with the tables.
    """

    def luts(some: Iterable[Operation]) -> int:
        return device.pack(count_luts(some, device))

    kinds: dict[str, list[Operation]] = defaultdict(list)
    for op in ops:
        kinds[op.KIND if isinstance(op, WireOp) else "other"].append(op)
    counts = {
        "adders": luts(kinds["sum"]),
        "clamps": luts(kinds["clamp"] + kinds["shift"]),
        "other": luts(kinds["other"]),
    }
    return {"tables": max(0, luts(ops) - sum(counts.values())), **counts}


def stage_entries(function: func.FuncOp, device: DeviceFamily) -> list[dict[str, Any]]:
    """The entries `schedule` of `report.json`: what happens between two rows of registers.

    Empty where values come in different cycles. Delays are those of a design of this size, as the
    estimate's.
    """
    try:
        schedule = wire_schedule(function, device.name)
    except KanError:
        return []
    assert schedule.delays is not None
    growth = device.timing.growth_of(device.pack(count_luts(function.body.block.ops, device)))
    found: list[dict[str, Any]] = []
    for stage in range(schedule.stages):
        work: dict[str, list[float]] = {}
        for each in schedule.work:
            if each.stage == stage and each.end > each.start:
                layer = layer_of(schedule.rows[each.row])
                start, end, ops = work.get(layer, [each.start, each.end, 0])
                work[layer] = [min(start, each.start), max(end, each.end), ops + each.ops]
        found.append(
            {
                "levels": schedule.levels[stage],
                "delay_ns": round(schedule.delays[stage] * growth, 3),
                "register_bits": schedule.registers[stage] if schedule.latency else 0,
                "work": [
                    {
                        "layer": layer,
                        "start_ns": round(start * growth, 3),
                        "end_ns": round(end * growth, 3),
                        "ops": int(ops),
                    }
                    for layer, (start, end, ops) in sorted(work.items())
                ],
            }
        )
    return found
