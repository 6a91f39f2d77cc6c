"""Evaluation of a hardware module on a stream of samples, one a clock cycle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects import hw
from xdsl.ir import SSAValue

from kan_dialect.analysis.nodes import saturated
from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import simulate_hardware
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.constants import Array, IntArray
from kan_dialect.model.interface import Interface


def stream(
    module: hw.HWModuleOp,
    codes: IntArray,
    interface: Interface,
    nodes: Sequence[tuple[NodeAttr, SSAValue]],
) -> tuple[IntArray, dict[str, IntArray]]:
    """Outputs and nodes of samples that enter in consecutive cycles.

    Parameters
    ----------
    codes : input codes, (samples, inputs), int64.
    nodes : the nodes to probe, each with its signal.

    Returns
    -------
    Output codes, (samples, outputs), and the codes (samples) of each node; int64.

    Raises
    ------
    KanError : `out_valid` does not follow `in_valid` by the latency.
    """
    samples, latency = codes.shape[0], interface.latency
    probes = {f"node {node.node}": node for node, _ in nodes}
    more = max([latency, *(node.cycle for node in probes.values())])
    cycles = samples + more
    inputs: dict[str, Array] = {}
    for index, port in enumerate(interface.inputs):
        pattern = codes[:, index] & ((1 << port.width) - 1)
        inputs[port.name] = np.concatenate([pattern, np.zeros(more, dtype=np.int64)])
    if not interface.combinational:
        inputs["clk"] = np.zeros(cycles, dtype=np.int64)
        inputs["rst"] = np.zeros(cycles, dtype=np.int64)
        inputs["in_valid"] = np.repeat(np.array([1, 0], dtype=np.int64), [samples, more])
    signals = {f"node {node.node}": signal for node, signal in nodes}
    results = simulate_hardware(module, inputs, probes=signals)
    if not interface.combinational:
        valid: Array = results["out_valid"]
        due = valid[latency : latency + samples]
        if valid[:latency].any() or not due.all() or valid[latency + samples :].any():
            raise KanError(
                f"@{module.sym_name.data}: out_valid does not follow in_valid by {latency} cycles"
            )
    columns: list[Array] = []
    for port in interface.outputs:
        pattern: IntArray = results[port.name][latency : latency + samples].astype(np.int64)
        columns.append(_read(pattern, port.width, signed=port.signed))
    found: dict[str, IntArray] = {}
    for name, node in probes.items():
        pattern = results[name][node.cycle : node.cycle + samples].astype(np.int64)
        number = _read(pattern, node.values.bits, signed=node.values.is_signed)
        found[node.node] = saturated(number + node.offset, node.within)
    return np.stack(columns, axis=1), found


def _read(pattern: IntArray, width: int, *, signed: bool) -> IntArray:
    """Numbers of bit patterns, two's complement if signed."""
    if not signed:
        return pattern
    return np.where(pattern >> (width - 1), pattern - (1 << width), pattern)
