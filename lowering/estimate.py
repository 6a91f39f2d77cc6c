"""The estimate of a network's hardware, whose logic is mapped as synthesis does."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.estimate import Estimate, estimate
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.search.logic_mapping.module_cost import module_cost


def estimate_design(function: func.FuncOp, device: DeviceFamily) -> Estimate:
    """The estimate of a wire-level function, in the hardware that `kan-compile` makes of it.

    Raises
    ------
    KanError : the function's paths have different numbers of cycles, or an op of another package
        does not say its costs or its hardware.
    """
    found = estimate(function, device)
    module = ModuleOp([function.clone()])
    for stage in CompilePass(target=device.name).hardware_passes():
        stage.apply(Context(), module)
    (circuit,) = (op for op in module.ops if isinstance(op, hw.HWModuleOp))
    return of_hardware(found, circuit, device)


def of_hardware(found: Estimate, circuit: hw.HWModuleOp, device: DeviceFamily) -> Estimate:
    """An estimate by rules, with the LUTs and registers that the network's hardware takes."""
    return found.of_size(*module_cost(circuit, device), device)
