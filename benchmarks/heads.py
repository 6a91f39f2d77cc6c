"""What a head costs: LUTs by Yosys, estimate and latency, with and without each kind.

    python benchmarks/heads.py            prints the table of `results/heads.md`

The shipped examples are built at 6 bits for UltraScale+ (`xcup`), with the default pipeline.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import device
from kan_dialect.devices.estimate import Estimate, estimate
from kan_dialect.flows.tools.synthesis import synthesize
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model

EXAMPLES = Path(__file__).parents[1] / "examples"

HEADS: dict[str, dict[str, object]] = {
    "none": {},
    "argmax": {"head": "argmax"},
    "threshold": {"head": "threshold"},
    "top-k, k=3": {"head": "top-k", "k": 3},
}


def built(name: str, bits: int, target: str, head: dict[str, object]) -> tuple[ModuleOp, Estimate]:
    """The hardware of an example, and the estimate of its wire level."""
    context = make_context()
    module = load_model(context, EXAMPLES / f"{name}.onnx")
    data = str(EXAMPLES / f"{name}.npz")
    pipeline = CompilePass(data=data, bits=bits, target=target, **head)  # pyright: ignore[reportArgumentType]
    *stages, lower = pipeline.expand()
    for stage in stages:
        stage.apply(context, module)
    (function,) = wire_functions(module)
    figures = estimate(function, device(target))
    lower.apply(context, module)
    return module, figures


def main() -> None:
    """Print a row for each example and head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bits", type=int, default=6)
    parser.add_argument("--target", default="xcup")
    options = parser.parse_args()
    print("| network | head | LUTs | estimate | registers | cycles |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in ("wine", "digits"):
        for kind, head in HEADS.items():
            module, figures = built(name, options.bits, options.target, head)
            with tempfile.TemporaryDirectory() as folder:
                rtl = Path(folder) / f"{name}.sv"
                rtl.write_text(emit_systemverilog(module))
                cells = synthesize(rtl, device(options.target)).cells
            latency = Model.of(module).latency()
            row = (name, kind, cells.luts, figures.luts, cells.registers, latency)
            print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
