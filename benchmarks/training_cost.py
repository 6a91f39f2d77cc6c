"""Cost of hardware that trains itself, over the grid's size and over layer sizes.

    python benchmarks/training_cost.py [--grids 5,20,100] [--sizes 1-1,2-2] [--seeds 2]

Cubic networks of 16-bit numbers with 10 fraction bits. Logic cells, registers, multipliers and
memories are Yosys's for UltraScale+; the clock is nextpnr's for ECP5, with registers at the inputs.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Literal

import numpy as np
from measurements import MarkdownTable, print_versions, synthesized
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp, TensorType, f64
from xdsl.ir import Block, SSAValue

from kan_dialect.devices.device import ECP5, XCUP
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.place_and_route import place_and_route
from kan_dialect.ir.attributes.module_attributes import training_cycles
from kan_dialect.ir.functions import module_of
from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass
from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.passes.make_trainable import MakeTrainablePass

DEGREE = 3
COLUMNS = ("layers", "grid", "rate", "LCs", "registers", "DSPs", "memories", "latency", "interval")
ROUTED = ("ECP5 LUTs", "MHz", "ns a trained sample")


def network(sizes: list[int], cells: int) -> ModuleOp:
    """Layers of zero splines on [-2, 2]."""
    block = Block(arg_types=[TensorType(f64, (sizes[0],))])
    value: SSAValue = block.args[0]
    for inputs, outputs in itertools.pairwise(sizes):
        coefficients = np.zeros((outputs, inputs, cells + DEGREE))
        spline = BSplineOp(value, DEGREE, np.linspace(-2, 2, cells + 1), coefficients, extend=True)
        node_sum = NodeSumOp(spline)
        block.add_ops([spline, node_sum])
        value = node_sum.result
    return module_of("net", block, value)


def measure(
    sizes: list[int],
    cells: int,
    rate: float,
    seeds: int,
    error: Literal["squared", "fed"] = "squared",
) -> list[object]:
    """One row of the table."""
    module = network(sizes, cells)
    for stage in (
        MakeTrainablePass(learning_rate=rate, error=error),
        LowerTrainingToHwPass(),
        FormCarryChainsPass(),
    ):
        stage.apply(Context(), module)
    circuit = next(op for op in module.ops if isinstance(op, hw.HWModuleOp))
    latency, interval = training_cycles(circuit)
    rtl = emit_systemverilog(module)
    used = synthesized(rtl, "net", XCUP).cells
    row: list[object] = ["-".join(map(str, sizes)), cells, f"{rate:g}", used.luts, used.registers]
    row += [used.multipliers, used.memories, latency, interval]
    if not seeds:
        return row
    try:
        mapped = synthesized(rtl, "net", ECP5, with_netlist=True)
        mhz = place_and_route(mapped, interval, seeds=seeds).summary()["fmax_with_inputs_mhz"]
    except KanError as refusal:
        return [*row, refusal]
    return [*row, mapped.cells.luts, f"{mhz:.1f}", f"{1000 * interval / mhz:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--grids", default="5,10,20,50,100,200,500")
    parser.add_argument("--sizes", default="1-1,2-1,2-2,2-2-1,4-2")
    parser.add_argument("--seeds", type=int, default=2, help="of nextpnr; 0: no place and route")
    options = parser.parse_args()
    print_versions(tools=["yosys", "nextpnr-ecp5"])
    table = MarkdownTable(*COLUMNS, *(ROUTED if options.seeds else ()))
    for grid in options.grids.split(","):
        table.add(*measure([1, 1], int(grid), 0.15, options.seeds))
    for sizes in options.sizes.split(","):
        table.add(*measure(list(map(int, sizes.split("-"))), 5, 0.125, options.seeds))


if __name__ == "__main__":
    main()
