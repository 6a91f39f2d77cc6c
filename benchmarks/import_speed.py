"""Time of an import, by form and by search, over the number of edges.

    python benchmarks/import_speed.py            everything (minutes)
    python benchmarks/import_speed.py --quick    the 64-16-10 network only

Times are processor time from a file to the imported network, in a process of its own that has
loaded all libraries. `form`: B-splines and SiLU, as efficient-kan writes them, known by their form.
`search`: the same graph with nothing recognised, so that every layer is found by exchange and
carried along as `kan.onnx`. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
from measurements import MarkdownTable, print_versions, run_alone
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import NO_OPTIONS
from kan_dialect.frontends.onnx.discover import layer_search
from kan_dialect.frontends.onnx.discover.layer_search import search_layers
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.frontends.onnx.read.graph import read_graph

BASELINE = "64-16-10"
GROWTH = ["8-8-4", "25-32-6", "80-100-20", "250-320-63"]
"""Random networks of about 10^2, 10^3, 10^4 and 10^5 edges."""

ROUTES = ["form", "search"]

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


def _by_search(path: Path) -> ModuleOp:
    _, raised = search_layers(read_graph(path), NO_OPTIONS, KanError("not tried"))
    return raised.module


def measure(network: str, route: str) -> dict[str, float]:
    """Processor time in seconds, and peak memory in MiB, of one import."""
    widths = [int(width) for width in network.split("-")]
    if route == "search":

        def unknown(assembly: object, part: object, activations: object) -> None:
            return None

        cast(Any, layer_search)._Assembly._recognise = unknown
    load: Callable[[Path], ModuleOp] = load_onnx if route == "form" else _by_search
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "network.onnx", Path(folder) / "small.onnx"
        _write(widths, path)
        _write([3, 2], small)
        load(small)  # loads all libraries
        started = time.process_time()
        load(path)
        seconds = time.process_time() - started
    return {
        "edges": sum(a * b for a, b in pairwise(widths)),
        "seconds": seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"the {BASELINE} network only")
    quick = parser.parse_args().quick
    print_versions(packages=["xdsl", "numpy", "onnx", "onnxruntime"])
    table = MarkdownTable("network", "edges", "route", "time", "peak memory")
    for network, route in product([BASELINE] if quick else [BASELINE, *GROWTH], ROUTES):
        found = run_alone(__file__, "--one", network, route)
        figures = f"{found['seconds']:.2f} s", f"{found['peak_mib']} MiB"
        table.add(network, found["edges"], route, *figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(*sys.argv[2:])))
    else:
        main()
