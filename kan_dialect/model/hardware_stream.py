"""Evaluation of a hardware module on a stream of samples, at its interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from xdsl.dialects import hw
from xdsl.ir import SSAValue

from kan_dialect.analysis.nodes import saturated
from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import simulate_cycles, simulate_hardware
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.constants import Array, IntArray
from kan_dialect.model.interface import Interface, Port
from kan_dialect.model.model_ports import MEMORY_PORTS

_SLOTS = (0, 1, 3)
"""The intervals behind a reset in which a lane of a folded module takes a sample."""


def stream(
    module: hw.HWModuleOp,
    codes: IntArray,
    interface: Interface,
    nodes: Sequence[tuple[NodeAttr, SSAValue]],
) -> tuple[IntArray, dict[str, IntArray]]:
    """Outputs and nodes of samples that enter one behind the other.

    A pipeline takes a sample in every cycle, and is evaluated in all cycles at once. A folded
    module is evaluated cycle by cycle in lanes of a few samples, with a gap, and with other codes
    at the inputs where no sample is taken.

    Parameters
    ----------
    codes : input codes, (samples, inputs), int64.
    nodes : the nodes to probe, each with its signal.

    Returns
    -------
    Output codes, (samples, outputs), and the codes (samples) of each node; int64.

    Raises
    ------
    KanError : `out_valid` does not follow `in_valid` by the latency, or `in_ready` does not come
        once in each interval.
    """
    signals = {f"node {node.node}": signal for node, signal in nodes}
    shown = {port.name: interface.latency for port in interface.outputs}
    shown |= {f"node {node.node}": node.cycle for node, _ in nodes}
    show = _folded if interface.interval > 1 else _pipelined
    patterns = show(module, codes, interface, signals, shown)
    outputs = [_codes(patterns[p.name], p.width, signed=p.signed) for p in interface.outputs]
    return np.stack(outputs, axis=1), {
        node.node: _node_codes(node, patterns[f"node {node.node}"]) for node, _ in nodes
    }


def _node_codes(node: NodeAttr, pattern: IntArray) -> IntArray:
    number = _codes(pattern, node.values.bits, signed=node.values.is_signed)
    return saturated(number + node.offset, node.within)


def _codes(pattern: IntArray, width: int, *, signed: bool) -> IntArray:
    """Numbers of bit patterns, two's complement if signed."""
    if not signed:
        return pattern
    return np.where(pattern >> (width - 1), pattern - (1 << width), pattern)


def _pipelined(
    module: hw.HWModuleOp,
    codes: IntArray,
    interface: Interface,
    signals: dict[str, SSAValue],
    shown: dict[str, int],
) -> dict[str, IntArray]:
    """Patterns (samples) of outputs and nodes, `shown` cycles after their samples entered."""
    samples, latency = codes.shape[0], interface.latency
    more = max(shown.values())
    cycles = samples + more
    inputs: dict[str, Array] = {}
    for index, port in enumerate(interface.inputs):
        pattern = _pattern(codes[:, index], port)
        inputs[port.name] = np.concatenate([pattern, np.zeros(more, dtype=np.int64)])
    if not interface.combinational:
        inputs["rst"] = np.zeros(cycles, dtype=np.int64)
        inputs["in_valid"] = np.repeat(np.array([1, 0], dtype=np.int64), [samples, more])
    results = simulate_hardware(module, inputs, probes=signals)
    if not interface.combinational:
        valid: Array = results["out_valid"]
        due = valid[latency : latency + samples]
        if valid[:latency].any() or not due.all() or valid[latency + samples :].any():
            raise _late(module, latency)
    return {name: results[name][at : at + samples].astype(np.int64) for name, at in shown.items()}


def _folded(
    module: hw.HWModuleOp,
    codes: IntArray,
    interface: Interface,
    signals: dict[str, SSAValue],
    shown: dict[str, int],
) -> dict[str, IntArray]:
    """The same of a folded module. The first cycle resets it."""
    samples, interval = len(codes), interface.interval
    lanes = -(-samples // len(_SLOTS))
    given = np.resize(codes, (lanes, len(_SLOTS), len(interface.inputs)))
    taken = {1 + slot * interval: place for place, slot in enumerate(_SLOTS)}
    cycles = max(taken) + max(shown.values()) + 1
    found = {name: np.empty((lanes, len(_SLOTS)), dtype=np.int64) for name in shown}
    inputs = _lane_inputs(interface, given, taken, cycles)
    for cycle, values in enumerate(simulate_cycles(module, inputs, probes=signals)):
        if cycle and (values["in_ready"] != (cycle % interval == 1)).any():
            raise KanError(
                f"@{module.sym_name.data}: in_ready does not come every {interval} cycles, from "
                "the cycle behind a reset on"
            )
        if cycle and (values["out_valid"] != (cycle - interface.latency in taken)).any():
            raise _late(module, interface.latency)
        for name, at in shown.items():
            if (place := taken.get(cycle - at)) is not None:
                found[name][:, place] = values[name]
    return {name: pattern.reshape(-1)[:samples] for name, pattern in found.items()}


def _lane_inputs(
    interface: Interface, given: IntArray, taken: dict[int, int], cycles: int
) -> Iterator[dict[str, IntArray]]:
    """Inputs of each cycle: patterns (lanes).

    Where no sample is taken, the data ports carry random codes, and `in_valid` may be 1 too.

    Parameters
    ----------
    given : the codes of each lane, (lanes, samples, inputs).
    taken : the sample that a lane takes, by the cycle.
    """
    lanes, rng = len(given), np.random.default_rng(0)
    for cycle in range(cycles):
        idle = cycle % interface.interval == 1 and cycle not in taken
        inputs = {"rst": np.full(lanes, int(cycle == 0)), "in_valid": np.full(lanes, int(not idle))}
        inputs |= {name: np.zeros(lanes, dtype=np.int64) for name in ("mem_valid", *MEMORY_PORTS)}
        for index, port in enumerate(interface.inputs):
            codes = rng.integers(port.low, port.high, lanes, endpoint=True)
            if cycle in taken:
                codes = given[:, taken[cycle], index]
            inputs[port.name] = _pattern(codes, port)
        yield inputs


def _pattern(codes: IntArray, port: Port) -> IntArray:
    return codes & ((1 << port.width) - 1)


def _late(module: hw.HWModuleOp, latency: int) -> KanError:
    return KanError(
        f"@{module.sym_name.data}: out_valid does not follow in_valid by {latency} cycles"
    )
