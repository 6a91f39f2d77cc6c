"""The wrapper `NAME_ready_valid`: the core's ports, with ready at both sides."""

from __future__ import annotations

from xdsl.dialects import hw

from kan_dialect.lowering.wrappers.core import Core, core_results, wrapper_of
from kan_dialect.lowering.wrappers.credit_buffer import LATENCY, CreditBuffer
from kan_dialect.lowering.wrappers.wrapper_ports import ready_valid_ports


def ready_valid_wrapper(core: Core, words: int) -> hw.HWModuleOp:
    """The wrapper around a core.

    Parameters
    ----------
    words : of the buffer behind the core, a power of two.
    """
    interface = core.interface
    wrapper = wrapper_of(core, "ready-valid", ready_valid_ports(interface))
    build, wires = wrapper.build, wrapper.wires
    buffer = CreditBuffer(build, wires["rst"], words, sum(port.width for port in interface.outputs))
    offered = build.all_of([wires["in_valid"], buffer.ready])
    codes = {port.name: wires[port.name] for port in interface.inputs}
    results = core_results(wrapper, wires["rst"], offered, codes)
    left = build.all_of([buffer.valid, wires["out_ready"]], "left")
    sample = [results[port.name] for port in interface.outputs]
    turn = results.get("in_ready")
    entered = build.named(build.both(offered, turn), "entered")
    buffer.connect(entered, results["out_valid"], sample, left)
    outputs = {**results, "in_ready": build.both(buffer.ready, turn), "out_valid": buffer.valid}
    low = 0
    for port in interface.outputs:
        outputs[port.name] = build.part(buffer.word, low, port.width)
        low += port.width
    return wrapper.finish(outputs, interface.latency + LATENCY, _LINES)


_LINES = (
    "rst: synchronous, active high; drops all samples",
    "in_valid, in_ready: a sample is taken where both are 1",
    "out_valid, out_ready: outputs are taken where both are 1; they stay until then",
)
