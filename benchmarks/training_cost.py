"""Cost of hardware that trains itself, over the grid's size and over layer sizes.

    python benchmarks/training_cost.py [--grids 5,20,100] [--sizes 1-1,2-2] [--seeds 2] [--no-pnr]

Cubic networks of 16-bit numbers with 10 fraction bits. Logic cells, registers, multipliers and
memories are Yosys's for UltraScale+; the clock is nextpnr's for ECP5, with registers at the inputs.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ModuleOp, TensorType, f64
from xdsl.ir import Block, Region, SSAValue

from kan_dialect.devices.device import ECP5, XCUP
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.place_and_route import place_and_route
from kan_dialect.flows.tools.synthesis import synthesize
from kan_dialect.ir.attributes.module_attributes import training_cycles
from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.training.training_to_hw import LowerTrainingToHwPass
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.passes.make_trainable import MakeTrainablePass

DEGREE = 3


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
    block.add_op(func.ReturnOp(value))
    return ModuleOp([func.FuncOp("net", ([block.args[0].type], [value.type]), Region(block))])


def measure(sizes: list[int], cells: int, rate: float, seeds: int) -> str:
    """One row of the table."""
    module = network(sizes, cells)
    MakeTrainablePass(learning_rate=rate).apply(Context(), module)
    LowerTrainingToHwPass().apply(Context(), module)
    FormCarryChainsPass().apply(Context(), module)
    circuit = next(op for op in module.ops if isinstance(op, hw.HWModuleOp))
    latency, interval = training_cycles(circuit)
    with tempfile.TemporaryDirectory() as folder:
        rtl = Path(folder) / "net.sv"
        rtl.write_text(emit_systemverilog(module))
        cells_used = synthesize(rtl, XCUP, top="net").cells
        row = (
            f"| {'-'.join(map(str, sizes))} | {cells} | {rate:g} | {cells_used.luts} | "
            f"{cells_used.registers} | {cells_used.multipliers} | {cells_used.memories} | "
            f"{latency} | {interval} |"
        )
        if not seeds:
            return row
        try:
            mapped = synthesize(rtl, ECP5, top="net", with_netlist=True)
            figures = place_and_route(mapped, interval, seeds=seeds).summary()
        except KanError as error:
            return f"{row} {error} |"
        mhz = figures["fmax_with_inputs_mhz"]
        return f"{row} {mapped.cells.luts} | {mhz:.1f} | {1000 * interval / mhz:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--grids", default="5,10,20,50,100,200,500")
    parser.add_argument("--sizes", default="1-1,2-1,2-2,2-2-1,4-2")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--no-pnr", action="store_true")
    options = parser.parse_args()
    seeds = 0 if options.no_pnr else options.seeds
    head = "| layers | grid | rate | LCs | registers | DSPs | memories | latency | interval |"
    print(head + ("" if not seeds else " ECP5 LUTs | MHz | ns a trained sample |"), flush=True)
    print("| --- " * (head.count("|") - 1 + (3 if seeds else 0)) + "|")
    for grid in options.grids.split(","):
        print(measure([1, 1], int(grid), 0.15, seeds), flush=True)
    print(measure([1, 1], 5, 0.125, seeds), flush=True)
    for sizes in options.sizes.split(","):
        print(measure([int(size) for size in sizes.split("-")], 5, 0.125, seeds), flush=True)


if __name__ == "__main__":
    main()
