"""Combinational paths of a wrapper."""

from __future__ import annotations

from collections.abc import Mapping

from kan_dialect.flows.prove.netlist import INSTANCE, RESULTS, InputPort, Netlist, Source


def combinational_path(
    netlist: Netlist, start: str, end: str, inner: Mapping[str, str] | None = None
) -> bool:
    """Whether the output port `end` may change in the cycle in which the input `start` does.

    Parameters
    ----------
    inner : outputs of the network that depend on one of its inputs in the same cycle. All others
        come from registers.
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
        elif source.kind == INSTANCE:
            instance, _, port = source.name.rpartition(".")
            if inner and port in inner:
                pending += netlist.instances[instance].inputs[inner[port]]
        elif source.kind != "dff":
            for port, bits in source.connections.items():
                if port not in RESULTS and port != "CLK":
                    pending += bits
    return False
