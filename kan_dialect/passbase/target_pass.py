"""The base class of passes whose decisions depend on the costs of a device."""

from __future__ import annotations

from dataclasses import dataclass, field

from kan_dialect.devices.device import XCUP, DeviceFamily, device
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_bounds import TRIED


@dataclass(frozen=True)
class TargetPass(KanPass):
    """A pass with an option for the device whose costs it minimises.

    Raises
    ------
    KanError : the device is unknown.
    """

    target: str = field(
        default=XCUP.name,
        kw_only=True,
        metadata={TRIED: ("xcup", "ecp5", "ice40", "lut4", "lut5", "lut6")},
    )
    """The device whose costs decide: `xcup`, `ecp5`, `ice40`, `xc7`, `cyclonev`, `gowin`, `nexus`,
    `gatemate`, `lut3` to `lut8`, or one of an installed package; or a part of one, as `ecp5-25`
    (`kan-opt --list-devices`); or a Liberty file of standard cells, `CELLS.lib`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        device(self.target)

    @property
    def device(self) -> DeviceFamily:
        """The device itself."""
        return device(self.target)
