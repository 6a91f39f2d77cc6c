"""Trained integers as IR at table level."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.qat.codes import InputCodes
from kan_dialect.qat.network import IntegerLayer


def module_of(
    name: str, codes: InputCodes, layers: Sequence[IntegerLayer], scale: float = 1.0
) -> ModuleOp:
    """The IR of a network: its inputs are real features, which the host codes.

    Parameters
    ----------
    name : name of the function.
    scale : a result stands for its real value in training times `scale`.
    """
    network = TableNetwork(
        name,
        UniformQuantizedType(codes.bits, False, 1.0),
        inputs=len(codes.gain),
        affine=(codes.gain, codes.offset),
    )
    for layer in layers:
        unit = 2.0**-layer.step_bits * (1.0 if layer.saturate else scale)
        # An edge of zeros is pruned.
        kept = (layer.tables != 0).any(axis=-1)
        network.add_layer(layer.tables, scale=unit, mask=kept, saturate=layer.saturate)
    return network.module()
