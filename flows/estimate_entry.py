"""The estimate of a build: that of the network, with the wrapper around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdsl.dialects import hw

from kan_dialect.devices.device import device
from kan_dialect.devices.estimate import Estimate
from kan_dialect.devices.module_cost import module_cost
from kan_dialect.flows.part_fit import part_caution, part_entry
from kan_dialect.ir.attributes.module_attributes import declared_latency


def estimate_entry(found: Estimate, modules: Sequence[hw.HWModuleOp]) -> dict[str, Any]:
    """The entry `estimate` of `report.json`.

    Figures are those of the last module. A wrapper has the network in it, whose own figures stand
    under `core`; delays are those of the network.

    Parameters
    ----------
    found : the estimate of the network.
    modules : the network's module, and the wrapper if there is one.
    """
    luts, registers, shifts, top = (found.luts, found.registers, found.shift_registers, modules[-1])
    wraps = any(isinstance(op, hw.InstanceOp) for op in top.body.block.ops)
    if wraps:
        added = module_cost(top, device(found.target))
        luts, registers = luts + added.luts, registers + added.registers
        shifts += added.shift_registers
    part = part_entry(found.target, luts, registers)
    latency = max(declared_latency(top) or 0, 1)
    return {
        "target": found.target,
        "luts": luts,
        "registers": registers,
        "levels": found.levels,
        "delay_ns": round(found.period_ns, 3),
        "latency_ns": round(latency * found.period_ns, 3),
        **({} if found.fmax_mhz is None else {"fmax_mhz": round(found.fmax_mhz, 1)}),
        **({"shift_registers": shifts} if shifts else {}),
        **({"core": {"luts": found.luts, "registers": found.registers}} if wraps else {}),
        **({} if part is None else {"part": part}),
    }


def size_caution(estimate: Mapping[str, Any]) -> list[str]:
    """Caution about a design that is larger than its part, by an entry of `estimate_entry`."""
    if not estimate:
        return []
    return part_caution(estimate["target"], estimate["luts"], estimate["registers"])
