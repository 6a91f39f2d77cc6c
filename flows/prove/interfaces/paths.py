"""Combinational paths of a wrapper."""

from __future__ import annotations

from kan_dialect.flows.prove.netlist import INSTANCE, RESULTS, InputPort, Netlist, Source


def combinational_path(netlist: Netlist, start: str, end: str) -> bool:
    """Whether the output port `end` may change in the cycle in which the input `start` does.

    Outputs of the network come from registers: its latency is 1 at least.
    """
    pending = list(netlist.outputs[end])
    seen: set[Source] = set()
    while pending:
        source, _ = netlist.drivers.get(pending.pop(), (None, 0))
        if source is None or source in seen:
            continue
        seen.add(source)
        if isinstance(source, InputPort):
            if source.name == start:
                return True
        elif source.kind not in ("dff", INSTANCE):
            for port, bits in source.connections.items():
                if port not in RESULTS and port != "CLK":
                    pending += bits
    return False
