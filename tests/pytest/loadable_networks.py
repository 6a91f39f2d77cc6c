"""Networks whose tables can be loaded: shapes and tables from seeds of their own."""

from __future__ import annotations

import numpy as np
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.model.model import Model
from kan_dialect.model.table_memory import table_memory


def network(shape: int, tables: int, span: int = 0) -> ModuleOp:
    """A network whose layers and codes follow from one seed, and its tables from another."""
    rng, contents = np.random.default_rng(shape), np.random.default_rng(tables)
    bits = int(rng.integers(2, 5))
    kind, inputs = UniformQuantizedType(bits, False, 1.0), int(rng.integers(2, 8))
    made, layers = TableNetwork("net", kind, inputs), int(rng.integers(1, 4))
    for layer in range(layers):
        nodes, following = int(rng.integers(1, 6)), int(rng.integers(2, 5))
        reach = span or 1 << min(bits, following)
        entries = contents.integers(-reach, reach, (nodes, inputs, 1 << bits))
        entries[contents.random((nodes, inputs)) < 0.2] = int(contents.integers(-3, 3))
        mask = contents.random((nodes, inputs)) < 0.8
        last = layer == layers - 1 and shape % 2
        top = (1 << following) - 1
        made.add_layer(entries, mask=mask, saturate=None if last else (0, top))
        inputs, bits = nodes, following
    return made.module()


def loadable(module: ModuleOp, interval: int, **options: object) -> tuple[Model, IntArray]:
    """Hardware of a network with tables that can be loaded, and accesses that load its own."""
    CompilePass(interval=interval, loadable=True, **options).apply(make_context(), module)  # pyright: ignore[reportArgumentType]
    model = Model.of(module)
    assert isinstance(model.op, hw.HWModuleOp)
    space = table_memory(model.op)
    assert space is not None
    return model, np.stack(space.words, axis=1)


def proven_models(module: ModuleOp, interval: int, target: str) -> tuple[Model, Model, Model]:
    """The integer model, the function that is lowered, and the hardware."""
    integer, scheduled = Model.of(module.clone()), None
    for stage in CompilePass(interval=interval, loadable=True, target=target).expand():
        if stage.name == LowerKanToHwPass.name:
            scheduled = Model.of(module.clone())
        stage.apply(make_context(), module)
    assert scheduled is not None
    return integer, scheduled, Model.of(module)
