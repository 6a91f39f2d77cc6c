"""What the tables of a layer cost on a device."""

from __future__ import annotations

import numpy as np
from xdsl.ir import Block

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.lut_count import luts_of
from kan_dialect.flows.pictures.layers import LayerFunctions
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import int_type
from kan_dialect.ops.wire import TableOp


def table_luts(layer: LayerFunctions, device: DeviceFamily) -> IntArray | None:
    """LUTs (out, in) of each edge's table by itself; None at spline level. Pruned edges have 0."""
    if layer.codes is None or layer.low is None:
        return None
    found = np.zeros(layer.shape, dtype=np.int64)
    for node, source in np.argwhere(layer.kept).tolist():
        entries = layer.codes[:, node, source]
        low = int(layer.low[source])
        if layer.read is not None:
            read = np.flatnonzero(layer.read[:, source])
            low, entries = low + int(read[0]), entries[read[0] : read[-1] + 1]
        block = Block(arg_types=[int_type(low, low + len(entries) - 1)])
        found[node, source] = luts_of(TableOp([block.args[0]], entries), device)
    return found
