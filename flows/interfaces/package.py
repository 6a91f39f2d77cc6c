"""The SystemVerilog package of a design: latency, widths, scales and types of its ports.

A design that takes its numbers from the package cannot disagree with the network.
"""

from __future__ import annotations

import re

from kan_dialect.files.templates import filled
from kan_dialect.lowering.systemverilog.layout import broken, comment
from kan_dialect.lowering.wrappers.stream_layout import StreamLayout
from kan_dialect.model.interface import Interface, Port


def package_name(name: str) -> str:
    """Name of the package of a design."""
    return f"{name}_pkg"


def systemverilog_package(
    interface: Interface,
    wrapper_latency: int | None = None,
    streams: tuple[StreamLayout, StreamLayout] | None = None,
) -> str:
    """The text of NAME_pkg.sv.

    Parameters
    ----------
    wrapper_latency : clock cycles through the wrapper; None without a wrapper.
    streams : the bytes at input and output of AXI4-Stream; None with another wrapper.
    """
    text = filled(
        "flows/interfaces/templates/package.sv.j2",
        name=interface.name,
        interface=interface,
        about=list(comment(f"Constants and types of {interface.name}, for designs around it.", "")),
        wrapper_latency=wrapper_latency,
        streams=[] if streams is None else list(zip(("s_axis", "m_axis"), streams, strict=True)),
        literal=_literal,
        real=real,
    )
    names = _CONSTANT.findall(text)
    read = ", ".join(f"{each} == {each}" for each in names)
    constants = broken(f"  localparam bit [{len(names) - 1}:0] unused_constants = {{{read}}};")
    note = "  // Reads all constants, for linters that call others unused."
    return text + "\n".join(["", note, *constants, "endpackage"]) + "\n"


_CONSTANT = re.compile(r"^  localparam \w+ (\w+) = ", re.MULTILINE)


def _literal(port: Port, code: int) -> str:
    """A code as a constant of the port's type."""
    sign = "s" if port.signed else ""
    return f"{port.width}'{sign}h{code & ((1 << port.width) - 1):X}"


def real(value: float) -> str:
    """A number as a real constant of SystemVerilog, exactly float64's."""
    text = repr(value)
    mantissa, exponent, power = text.partition("e")
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}{exponent}{power}"
