"""The parts that projects name where the user names none. Every script takes another one."""

from __future__ import annotations

XILINX_PART = "xcku5p-ffvb676-2-e"
"""AMD Kintex UltraScale+, as on the KCU116 board."""
INTEL_FAMILY, INTEL_PART = "Cyclone V", "5CSEBA6U23I7"
"""Intel Cyclone V, as on the DE10-Nano board."""
DIAMOND_PART = "LFE5U-85F-6BG381C"
"""Lattice ECP5, as on the ULX3S board."""
RADIANT_PART, RADIANT_PERFORMANCE = "LIFCL-40-9BG400C", "9_High-Performance_1.0V"
"""Lattice CrossLink-NX, as on its evaluation board."""
GOWIN_DEVICE, GOWIN_PART = "GW2AR-18C", "GW2AR-LV18QN88C8/I7"
"""Gowin GW2AR, as on the Tang Nano 20K board."""
