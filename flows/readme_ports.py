"""The ports of a build in its README.md: of the core, and of the wrapper around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kan_dialect.flows.report_ports import bus_text, value_of

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


def port_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Lines of the sections on ports: the wrapper's, if the build has one, then the core's.

    Parameters
    ----------
    report : the content of `report.json`.
    """
    wrapper: Mapping[str, Any] | None = report.get("interface")
    ports: Sequence[Mapping[str, Any]] = report["ports"]
    known: dict[str, Mapping[str, Any]] = {port["name"]: port for port in ports}
    if wrapper is not None:
        yield from _heading(wrapper["top"])
        own: Sequence[Mapping[str, Any]] = wrapper["ports"]
        yield from _table([known.get(port["name"], port) for port in own], report)
        for key, title in (("input", "A sample"), ("output", "Its outputs")):
            if key in wrapper:
                yield from _fields(title, wrapper[key], known)
        if "registers" in wrapper:
            yield from _registers(wrapper["registers"])
    yield from _heading(report["name"])
    yield from _table(ports, report)
    classes: Sequence[str] = report.get("classes", ())
    if classes:
        yield "| class | name |"
        yield "| --- | --- |"
        yield from (_row(index, _plain(name)) for index, name in enumerate(classes))
        yield ""


def _heading(module: str) -> Iterator[str]:
    yield f"## Ports of `{module}`"
    yield ""
    yield "In the order of the module. Codes are two's complement where they go below 0."
    yield ""


def _table(ports: Iterable[Mapping[str, Any]], report: Mapping[str, Any]) -> Iterator[str]:
    yield "| port | direction | bits | codes | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for port in ports:
        meaning = _meaning(port)
        if "head" in report and port["direction"] == "output" and "low" in port:
            meaning = DECIDED[report["head"]["kind"]]
            if "data_name" in port:
                meaning = f"{_plain(port['data_name'])}: {meaning}"
        yield _row(port["name"], port["direction"], port["bits"], _codes(port), meaning)
    yield ""


def _fields(
    title: str, bus: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Where a stream has the codes of a sample.

    Parameters
    ----------
    known : entries of the core's ports, by name.
    """
    yield f"{title}: {bus_text(bus)}."
    yield ""
    yield "| field | bits of the sample | codes |"
    yield "| --- | --- | --- |"
    for field in bus["fields"]:
        low, high = field["offset"], field["offset"] + field["bits"] - 1
        yield _row(field["port"], f"{high}..{low}", _codes(known[field["port"]]))
    yield ""


def _registers(registers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield "Registers of 32 bits:"
    yield ""
    yield "| address | register | access | meaning |"
    yield "| --- | --- | --- | --- |"
    for each in registers:
        yield _row(f"0x{each['offset']:02X}", each["name"], each["access"], each["meaning"])
    yield ""


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _plain(text: str) -> str:
    """Text of a cell in which Markdown and HTML mean nothing."""
    return re.sub(r"([\\`*_\[\]<>|&~$])", r"\\\1", text)


def _codes(port: Mapping[str, Any]) -> str:
    return f"{port['low']} .. {port['high']}" if "low" in port else ""


def _meaning(port: Mapping[str, Any]) -> str:
    name: str = port["name"]
    if name in _PORTS:
        return _PORTS[name]
    if "scale" not in port:
        return next((text for start, text in _BUSES.items() if name.startswith(start)), "")
    meaning = f"{_plain(port['data_name'])}: " if "data_name" in port else ""
    meaning += f"value = {value_of(port)}"
    if "gain" in port:
        gain, offset = port["gain"], port["offset"]
        sign = "-" if offset < 0 else "+"
        meaning += f" = {name} * {gain} {sign} {abs(offset)}"
    return meaning
