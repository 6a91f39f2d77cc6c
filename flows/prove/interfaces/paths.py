"""Combinational paths of a wrapper."""

from __future__ import annotations

from collections.abc import Mapping

from kan_dialect.flows.prove.netlist import INSTANCE, RESULTS, InputPort, Netlist, Source


def combinational_inputs(netlist: Netlist, output: str, inner: Mapping[str, str]) -> set[str]:
    """The inputs that an output may change with in the same cycle.

    Parameters
    ----------
    inner : outputs of the network that depend on one of its inputs in the same cycle. All others
        come from registers.
    """
    pending = list(netlist.outputs[output])
    seen: set[Source] = set()
    while pending:
        source, _ = netlist.drivers.get(pending.pop(), (None, 0))
        if source is None or source in seen:
            continue
        seen.add(source)
        if isinstance(source, InputPort):
            continue
        if source.kind == INSTANCE:
            instance, _, port = source.name.rpartition(".")
            if port in inner:
                pending += netlist.instances[instance].inputs[inner[port]]
        elif source.kind != "dff":
            for port, bits in source.connections.items():
                if port not in RESULTS and port != "CLK":
                    pending += bits
    return {source.name for source in seen if isinstance(source, InputPort)}
