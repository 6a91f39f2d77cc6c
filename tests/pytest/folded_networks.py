"""Hardware of random networks some of whose layers are folded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.prove import prove
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.attributes.module_attributes import declare_interval, declare_shapes
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.passes.schedule import SchedulePass


def random_network(seed: int, *, of_shapes: bool = False) -> ModuleOp:
    """One to three layers of random widths, ranges and masks, with constants among the edges."""
    rng = np.random.default_rng(seed)
    low = int(rng.integers(-9, 1))
    high = low + int(rng.integers(1, 17))
    bits = max((-low).bit_length() + 1 if low < 0 else 0, high.bit_length() + (low < 0), 1)
    kind = UniformQuantizedType(bits, low < 0, 1.0, bounds=(low, high))
    inputs = int(rng.integers(1, 8))
    network = TableNetwork("net", kind, inputs)
    layers = int(rng.integers(1, 4))
    for layer in range(layers):
        nodes, codes = int(rng.integers(1, 6)), high - low + 1
        if of_shapes:
            tables = random_shapes(rng, nodes, inputs, codes)
        else:
            tables = rng.integers(-20, 20, (nodes, inputs, codes))
        tables[rng.random((nodes, inputs)) < 0.2] = int(rng.integers(-5, 5))
        # Some layers do not read the lower bits of codes.
        unread = int(rng.choice([0, 0, 0, 1, 2]))
        tables = tables[:, :, ((np.arange(codes) + low >> unread << unread) - low).clip(0)]
        mask = rng.random((nodes, inputs)) < 0.8
        low = int(rng.integers(-9, 1))
        high = low + int(rng.integers(1, 17))
        last = layer == layers - 1 and seed % 2
        network.add_layer(tables, mask=mask, saturate=None if last else (low, high))
        inputs = nodes
    return network.module()


def random_shapes(rng: np.random.Generator, nodes: int, inputs: int, codes: int) -> IntArray:
    """Tables of up to five shapes, of the layer or of each input: (nodes, inputs, codes)."""
    count, edges = int(rng.integers(1, 6)), (nodes, inputs)
    shapes = rng.integers(-9, 9, (inputs if rng.random() < 0.3 else 1, count, codes))
    rows = np.arange(inputs) % len(shapes)
    factors = rng.choice([-1, 1], edges) << rng.integers(0, int(rng.integers(1, 5)), edges)
    chosen = shapes[rows, rng.integers(0, count, edges)]
    return chosen * factors[:, :, np.newaxis] + rng.integers(-9, 9, (*edges, 1))


def folded(module: ModuleOp, seed: int, *, shares_shapes: bool = False) -> ModuleOp:
    """Hardware of a network some of whose layers are folded."""
    rng = np.random.default_rng(seed)
    (function,) = module.ops
    interval = int(rng.choice([2, 3, 4, 5, 8, 20]))
    sums = [op for op in function.walk() if isinstance(op, NodeSumOp)]
    chosen = [op for op in sums if rng.random() < 0.7] or sums[:1]
    for op in (function, *chosen):
        declare_interval(op, interval)
    for op in chosen if shares_shapes else ():
        declare_shapes(op, 1)
    limit = [{"levels": 3}, {"cycles": 90}, {"mhz": 60.0}][seed % 3]
    schedule = SchedulePass(target=str(rng.choice(["xcup", "ecp5", "ice40"])), **limit)
    for stage in (ExpandWiresPass(), NarrowPass(), schedule, LowerKanToHwPass()):
        stage.apply(make_context(), module)
    return module


def assert_bugs_are_found(
    network: TableNetwork,
    interval: int,
    bugs: Sequence[tuple[str, str]],
    folder: Path,
    shapes: int | None = None,
) -> None:
    """A network of one folded layer is proven, and no bug in its text is.

    Parameters
    ----------
    bugs : a place in the text, and what is written there.
    shapes : number of shapes of the layer; None: it has tables.
    """
    module = network.module()
    integer = Model.of(module.clone())
    for op in (module.ops.first, *(op for op in module.walk() if isinstance(op, NodeSumOp))):
        declare_interval(op, interval)
        if shapes is not None:
            declare_shapes(op, shapes)
    for stage in (ExpandWiresPass(), SchedulePass(levels=4), LowerKanToHwPass()):
        stage.apply(make_context(), module)
    text, circuit, rtl = emit_systemverilog(module), Model.of(module), folder / "net.sv"
    for right, wrong in bugs:
        assert text.count(right) == 1, right
        rtl.write_text(text.replace(right, wrong))
        try:
            assert not prove(rtl, integer, circuit).proven, wrong
        except KanError as error:
            assert re.search("in_ready is not|registers feed back", str(error)), wrong
    rtl.write_text(text)
    assert prove(rtl, integer, circuit).proven
