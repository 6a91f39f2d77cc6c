"""The meaning of the ports of a build in its README.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kan_dialect.flows.report_ports import value_of

_PORTS = {
    "clk": "clock, rising edge",
    "rst": "synchronous reset, active high; clears the valid bits only",
    "ce": "clock enable: registers keep their values where it is 0",
    "in_valid": "a sample is on the data ports",
    "in_ready": "the design takes a sample where `in_valid` is 1 too",
    "out_valid": "the outputs belong to a sample",
    "out_ready": "the outputs are taken where `out_valid` is 1 too",
    "train": "the sample trains",
    "mem_valid": "an access to the coefficients is asked for",
    "mem_ready": "the access takes place",
    "mem_write": "the access writes",
    "mem_address": "edge, bank and row of a coefficient",
    "mem_data": "the coefficient to write",
    "mem_read_valid": "`mem_read_data` holds a coefficient",
    "mem_read_data": "the coefficient that was read",
    "aclk": "clock, rising edge",
    "aresetn": "synchronous reset, active low; drops all samples",
}

_BUSES = {
    "s_axis": "AXI4-Stream of the inputs",
    "m_axis": "AXI4-Stream of the outputs",
    "s_axi_aw": "AXI4-Lite, address of a write",
    "s_axi_w": "AXI4-Lite, data of a write",
    "s_axi_b": "AXI4-Lite, response to a write",
    "s_axi_ar": "AXI4-Lite, address of a read",
    "s_axi_r": "AXI4-Lite, data of a read",
}
"""Meaning of the ports of a bus, by the beginning of their names; the first that fits counts."""

DECIDED = {
    "argmax": "index of the largest output of the network",
    "threshold": "1 if the network's output is above the threshold",
    "top-k": "index of an output of the network, the largest first",
}
"""Meaning of output ports, by kind of the head."""


def port_meaning(port: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """The text of a port in a table of ports.

    Parameters
    ----------
    port : its entry in `report.json`.
    report : the content of `report.json`.
    """
    if "head" not in report or port["direction"] == "input" or "low" not in port:
        return _meaning(port)
    decided = DECIDED[report["head"]["kind"]]
    return f"{plain(port['data_name'])}: {decided}" if "data_name" in port else decided


def plain(text: str) -> str:
    """Text of a cell in which Markdown and HTML mean nothing."""
    return re.sub(r"([\\`*_\[\]<>|&~$])", r"\\\1", text)


def codes_text(port: Mapping[str, Any]) -> str:
    """The range of a port's codes; empty of a port of control."""
    return f"{port['low']} .. {port['high']}" if "low" in port else ""


def _meaning(port: Mapping[str, Any]) -> str:
    name: str = port["name"]
    if name in _PORTS:
        return _PORTS[name]
    if "scale" not in port:
        return next((text for start, text in _BUSES.items() if name.startswith(start)), "")
    meaning = f"{plain(port['data_name'])}: " if "data_name" in port else ""
    meaning += f"value = {value_of(port)}"
    if "gain" in port:
        gain, offset = port["gain"], port["offset"]
        sign = "-" if offset < 0 else "+"
        meaning += f" = {name} * {gain} {sign} {abs(offset)}"
    return meaning
