"""The ports of a design in the report of a build."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ArrayAttr

from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.model.interface import Port
from kan_dialect.quantity import quantity


def port_entries(circuit: hw.HWModuleOp, data: Iterable[Port]) -> list[dict[str, Any]]:
    """Entries for all ports of a module, in its order.

    Parameters
    ----------
    data : the ports whose codes represent numbers.

    Returns
    -------
    An entry a port, with `name`, `direction` ("input" or "output") and `bits`. Ports in `data` add
    `data_name`, the name of their feature or class, if it is known; `signed`, `low`, `high`,
    `scale` and `zero_point`; `gain` and `offset` if the host applies them; `wraps` if it rounds
    values down and wraps codes; and `missing`, what stands for a missing value.
    """
    known = {port.name: port for port in data}
    ports: ArrayAttr[hw.ModulePort] = circuit.module_type.ports
    entries: list[dict[str, Any]] = []
    for declared in ports:
        name, kind = declared.port_name.data, declared.type
        is_output = declared.dir.data is hw.Direction.OUTPUT
        entry: dict[str, Any] = {
            "name": name,
            "direction": "output" if is_output else "input",
            "bits": 1 if kind == seq.clock else bit_width(kind),
        }
        if name in known:
            entry |= _numbers(known[name])
        entries.append(entry)
    return entries


def _numbers(port: Port) -> dict[str, Any]:
    entry: dict[str, Any] = {
        **({"data_name": port.data_name} if port.data_name else {}),
        "signed": port.signed,
        "low": port.low,
        "high": port.high,
        "scale": port.scale,
        "zero_point": port.zero_point,
    }
    if (port.gain, port.offset) != (1.0, 0.0):
        entry |= {"gain": port.gain, "offset": port.offset}
    if port.wraps:
        entry["wraps"] = True
    if port.missing is not None:
        entry["missing"] = port.missing
    return entry


def value_of(entry: Mapping[str, Any]) -> str:
    """Formula of the number that the code at a port represents; empty without a number."""
    if "scale" not in entry:
        return ""
    zero = entry["zero_point"]
    code = f"(code {'+' if zero < 0 else '-'} {abs(zero)})" if zero else "code"
    return f"{code} * {entry['scale']}{', rounded down; codes wrap' if 'wraps' in entry else ''}"


def bus_text(bus: Mapping[str, Any]) -> str:
    """How a stream carries a sample: its bytes, beats and their order.

    Parameters
    ----------
    bus : an entry of `report.json`: `interface.input` or `interface.output`.
    """
    beats: int = bus["beats"]
    text = f"{bus['bytes']} bytes in {quantity(beats, 'beat')} of {bus['beat_bits']} bits"
    return f"{text}, {bus['order'].replace('-', ' ')}" if beats > 1 else text
