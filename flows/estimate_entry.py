"""The estimate of a build: that of the network, with the wrapper around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdsl.dialects import hw

from kan_dialect.devices.device import DeviceFamily, device
from kan_dialect.devices.estimate import Estimate
from kan_dialect.flows.part_fit import part_caution, part_entry
from kan_dialect.ir.attributes.module_attributes import declared_latency
from kan_dialect.search.logic_mapping.module_cost import ModuleCost, module_cost


def estimate_entry(found: Estimate, modules: Sequence[hw.HWModuleOp]) -> dict[str, Any]:
    """The entry `estimate` of `report.json`.

    Figures are those of the last module. A wrapper has the network in it, whose own figures stand
    under `core`; delays are those of the network. A clock enable is a copy of the network.

    Parameters
    ----------
    found : the estimate of the network at wire level.
    modules : the network's module, and the wrapper if there is one.
    """
    family, top = device(found.target), modules[-1]
    costs = [module_cost(module, family) for module in modules]
    core, whole = costs[0], costs[-1]
    if any(isinstance(op, hw.InstanceOp) for op in top.body.block.ops) and len(costs) > 1:
        whole = ModuleCost(*map(sum, zip(*costs, strict=True)))
    clocked = found.of_size(*core, family)
    part = part_entry(found.target, whole.luts, whole.registers, whole.block_rams)
    latency = max(declared_latency(top) or 0, 1)
    return {
        "target": found.target,
        "luts": whole.luts,
        "registers": whole.registers,
        **_area(whole, family),
        "levels": found.levels,
        "delay_ns": round(clocked.period_ns, 3),
        "latency_ns": round(latency * clocked.period_ns, 3),
        **({} if clocked.fmax_mhz is None else {"fmax_mhz": round(clocked.fmax_mhz, 1)}),
        **({"shift_registers": whole.shift_registers} if whole.shift_registers else {}),
        **_block_rams(whole),
        **({"core": _core(core, family)} if len(modules) > 1 else {}),
        **({} if part is None else {"part": part}),
        **_library(family),
    }


def _core(cost: ModuleCost, family: DeviceFamily) -> dict[str, float]:
    figures = {"luts": cost.luts, "registers": cost.registers}
    return {**figures, **_area(cost, family), **_block_rams(cost)}


def _area(cost: ModuleCost, family: DeviceFamily) -> dict[str, float]:
    """Area in the units of the library, of a device of standard cells."""
    if library := family.library:
        return {"area": round(cost.luts * library.gate + cost.registers * library.flip_flop, 1)}
    return {}


def _library(family: DeviceFamily) -> dict[str, str]:
    """The Liberty file of a device of standard cells."""
    if library := family.library:
        return {"library": library.name, "sha256": library.digest}
    return {}


def _block_rams(cost: ModuleCost) -> dict[str, int]:
    return {"block_rams": cost.block_rams} if cost.block_rams else {}


def size_caution(estimate: Mapping[str, Any]) -> list[str]:
    """Caution about a design that is larger than its part, by an entry of `estimate_entry`."""
    if not estimate:
        return []
    size = (estimate.get(key, 0) for key in ("luts", "registers", "block_rams"))
    return part_caution(estimate["target"], *size)
