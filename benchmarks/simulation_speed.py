"""Speed of RTL simulation in vectors a second, on data sets and on random vectors.

    python benchmarks/simulation_speed.py

The design is compiled once. A run does the work of `kan-flow simulate`: it writes the vectors, runs
the compiled model through all cycles, and reads and checks the outputs. Vectors are the wine data
set, once and repeated, and the same number of random vectors. Nothing here asserts a time.
"""

from __future__ import annotations

import platform
import tempfile
import time
from pathlib import Path

import numpy as np

from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.simulate.simulation import open_simulation
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode

EXAMPLES = Path(__file__).parent.parent / "examples"


def measure(name: str, bits: int) -> None:
    """Compile, simulate, and print a line for each set of vectors."""
    context, data = make_context(), EXAMPLES / f"{name}.npz"
    dataset = load_dataset(data)
    module = load_model(context, EXAMPLES / f"{name}.onnx", ImportOptions(samples=dataset.x))
    for stage in CompilePass(data=str(data), bits=bits).expand():
        stage.apply(context, module)
    interface = Model.of(module).interface()
    parts = [dataset.x] if dataset.x_test is None else [dataset.x, dataset.x_test]
    samples = encode(interface.inputs, np.concatenate(parts))
    sets = {
        "the data set": samples,
        "the data set, repeated": np.tile(samples, (-(-200_000 // len(samples)), 1)),
        "random vectors": stimuli(interface, random=200_000),
    }
    with tempfile.TemporaryDirectory(prefix="kan-speed-") as folder:
        rtl = Path(folder) / f"{interface.name}.sv"
        rtl.write_text(emit_systemverilog(module))
        began = time.perf_counter()
        with open_simulation(rtl, interface) as simulation:
            print(f"{name}, {bits} bits: compiled in {time.perf_counter() - began:.1f} s")
            for what, codes in sets.items():
                seconds = min(_seconds(lambda c=codes: simulation.run(c)) for _ in range(3))
                print(f"  {what}: {len(codes)} vectors, {len(codes) / seconds:.3g} vectors/s")


def _seconds(run: object) -> float:
    began = time.perf_counter()
    run()  # type: ignore[operator]
    return time.perf_counter() - began


def main() -> None:
    verilator = find("verilator")
    print(f"# Python {platform.python_version()}, Verilator {verilator.version}")
    measure("wine", 6)
    measure("digits", 8)


if __name__ == "__main__":
    main()
