"""Time of an import, by form and by search, over the number of edges.

    python benchmarks/import_speed.py            everything (minutes)
    python benchmarks/import_speed.py --quick    the 64-16-10 network only

Times are processor time from a file, or a PyTorch module, to the imported network, in a process of
its own that has loaded all libraries. `form`: B-splines and SiLU, as efficient-kan writes them,
known by their form. `search`: the same graph with nothing recognised, so that every layer is found
by exchange and carried along as `kan.onnx`. `module`: a network of Gaussian functions, by
`import_module`; left out without PyTorch. Nothing here asserts a time;
`results/import-speed.md` holds figures with the versions they were measured with.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import NO_OPTIONS
from kan_dialect.frontends.onnx.discover import layer_search
from kan_dialect.frontends.onnx.discover.layer_search import search_layers
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.frontends.onnx.read.graph import read_graph
from kan_dialect.model.model import Model

BASELINE = "64-16-10"
GROWTH = ["8-8-4", "25-32-6", "80-100-20", "250-320-63"]
"""Random networks of about 10^2, 10^3, 10^4 and 10^5 edges."""

ROUTES = ["form", "search", "module"]

DEGREE, CELLS, LOW, HIGH = 3, 5, -1.0, 1.0


def _nodes(layer: int, value: str, result: str, outputs: int) -> list[onnx.NodeProto]:
    """efficient-kan's layer: Cox-de Boor recursion on shared knots, contracted, plus SiLU."""
    nodes: list[onnx.NodeProto] = []

    def add(op: str, *operands: str, **attributes: Any) -> str:
        name = f"l{layer}_{len(nodes)}"
        nodes.append(helper.make_node(op, list(operands), [name], **attributes))
        return name

    points = add("Unsqueeze", value, "last")
    after = add("GreaterOrEqual", points, f"knots0_{0}")
    before = add("Less", points, f"knots0_{1}")
    bases = add("Cast", add("And", after, before), to=TensorProto.FLOAT)
    for degree in range(1, DEGREE + 1):
        left = add("Mul", add("Sub", points, f"knots{degree}_0"), f"inverse{degree}")
        right = add("Mul", add("Sub", f"knots{degree}_1", points), f"inverse{degree}")
        first = add("Slice", bases, "zero", "minus_one", "axis")
        second = add("Slice", bases, "one", "large", "axis")
        bases = add("Add", add("Mul", left, first), add("Mul", right, second))
    flat = add("Flatten", bases, axis=1)
    spline = add("MatMul", flat, f"coefficients{layer}")
    silu = add("Mul", value, add("Sigmoid", value))
    base = add("MatMul", silu, f"weights{layer}")
    nodes.append(helper.make_node("Add", [spline, base], [result]))
    return nodes


def _write(widths: list[int], path: Path) -> None:
    """A network with random parameters."""
    rng = np.random.default_rng(0)
    step = (HIGH - LOW) / CELLS
    knots = (np.arange(-DEGREE, CELLS + DEGREE + 1) * step + LOW).astype(np.float32)
    tensors: dict[str, Any] = {
        "knots0_0": knots[:-1],
        "knots0_1": knots[1:],
        "last": np.array([-1]),
        "axis": np.array([-1]),
        "zero": np.array([0]),
        "one": np.array([1]),
        "minus_one": np.array([-1]),
        "large": np.array([1 << 40]),
    }
    for degree in range(1, DEGREE + 1):
        tensors[f"knots{degree}_0"] = knots[: -degree - 1]
        tensors[f"knots{degree}_1"] = knots[degree + 1 :]
        tensors[f"inverse{degree}"] = np.float32(1 / (degree * step))
    nodes: list[onnx.NodeProto] = []
    count = len(widths) - 1
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        scale = 1 / np.sqrt(inputs)
        functions = CELLS + DEGREE
        for name, rows in (("coefficients", inputs * functions), ("weights", inputs)):
            values = rng.normal(size=(rows, outputs)) * scale
            tensors[f"{name}{layer}"] = values.astype(np.float32)
        value = f"h{layer}" if layer else "x"
        nodes += _nodes(layer, value, f"h{layer + 1}" if layer + 1 < count else "y", outputs)
    make: Callable[..., onnx.ValueInfoProto] = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "network",
        [make("x", TensorProto.FLOAT, ["batch", widths[0]])],
        [make("y", TensorProto.FLOAT, ["batch", widths[-1]])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    path.write_bytes(model.SerializeToString())


def _by_form(path: Path) -> ModuleOp:
    return load_onnx(path)


def _by_search(path: Path) -> ModuleOp:
    _, raised = search_layers(read_graph(path), NO_OPTIONS, KanError("not tried"))
    return raised.module


def _torch_module(widths: list[int]) -> Any:
    """Layers of Gaussian functions and SiLU, as FastKAN has them."""
    import torch

    class Layer(torch.nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()  # pyright: ignore[reportUnknownMemberType]
            self.centers = torch.nn.Parameter(torch.linspace(-2.0, 2.0, 8))
            self.weights = torch.nn.Linear(8 * inputs, outputs)
            self.base = torch.nn.Linear(inputs, outputs)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            bases = torch.exp(-(((x[..., None] - self.centers) / 0.5) ** 2))
            return self.weights(bases.flatten(1)) + self.base(torch.nn.functional.silu(x))

    torch.manual_seed(0)  # pyright: ignore[reportUnknownMemberType]
    return torch.nn.Sequential(*[Layer(a, b) for a, b in pairwise(widths)]).eval()


def _by_module(widths: list[int]) -> Callable[[], ModuleOp]:
    import torch

    from kan_dialect.frontends.torch_module import import_module

    model = _torch_module(widths)
    return lambda: import_module(model, torch.zeros(1, widths[0]), name="network")


def measure(network: str, route: str) -> dict[str, float | int | str]:
    """Processor time of one import, once the libraries are loaded."""
    widths = [int(width) for width in network.split("-")]
    if route == "search":

        def unknown(assembly: object, part: object, activations: object) -> None:
            return None

        cast(Any, layer_search)._Assembly._recognise = unknown
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "network.onnx", Path(folder) / "small.onnx"
        _write(widths, path)
        _write([3, 2], small)
        if route == "module":
            _by_module([3, 2])()
            run = _by_module(widths)
        else:
            load = _by_form if route == "form" else _by_search
            load(small)
            run = lambda: load(path)  # noqa: E731
        started = time.process_time()
        module = run()
        seconds = time.process_time() - started
    started = time.process_time()
    Model.of(module).run(np.random.default_rng(1).normal(size=(256, widths[0])))
    return {
        "network": network,
        "route": route,
        "edges": sum(a * b for a, b in pairwise(widths)),
        "ops": ", ".join(sorted({op.name for op in module.walk() if op.name.startswith("kan.")})),
        "import": seconds,
        "evaluate_256": time.process_time() - started,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help=f"the {BASELINE} network only")
    parser.add_argument("--json", action="store_true", help="one JSON object an import")
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "ROUTE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one)))
        return
    torch = find_spec("torch") is not None
    names = ["xdsl", "numpy", "onnx", "onnxruntime", *(["torch"] if torch else [])]
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"# Python {platform.python_version()}, {versions}, {platform.machine()}")
    for network in [BASELINE] if options.quick else [BASELINE, *GROWTH]:
        for route in ROUTES if torch else ROUTES[:-1]:
            command = [sys.executable, __file__, "--one", network, route]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            figures = json.loads(output)
            print(output.strip() if options.json else _line(figures), flush=True)


def _line(figures: dict[str, float | int | str]) -> str:
    return (
        f"{figures['network']}, {figures['edges']} edges, {figures['route']}: "
        f"import {figures['import']:.3f} s, {figures['peak_mib']} MiB, "
        f"256 samples in {figures['evaluate_256']:.3f} s ({figures['ops']})"
    )


if __name__ == "__main__":
    main()
