"""Names of the discardable attributes that functions, modules and ports carry."""

from __future__ import annotations

LATENCY = "kan.latency"
"""Attribute of a scheduled function or a hardware module: clock cycles from inputs to outputs."""
PORTS = "kan.ports"
"""Attribute of a hardware module: of each data port name, low, high, scale and zero point."""
ENCODINGS = "kan.encodings"
"""Attribute of a hardware module without `kan.ports`: what its ports carry, in words."""
INTERVAL = "kan.interval"
"""Attribute of hardware that trains itself: cycles from a training sample to the next sample."""
NODES = "kan.nodes"
"""Attribute of a hardware module: of each node of the model its signal, cycle and code."""
ENCODING = "kan.encoding"
"""Argument and result attribute: the `!quant.uniform` type of the port's codes."""
AFFINE = "kan.affine"
"""Argument attribute: gain and offset of the host's affine (`semantics.host_affine`)."""
