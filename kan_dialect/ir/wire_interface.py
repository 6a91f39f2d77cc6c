"""What a wire-level op says of itself: all that the way to hardware asks of it.

| method | says | used by |
| --- | --- | --- |
| `evaluate` | what the op computes | `kan-run`, the check of passes, simulation, proof |
| `result_ranges` | the exact ranges of its results | `kan-narrow` |
| `luts_on`, `levels_on`, `delay_on` | its costs on a device | estimate, `kan-schedule` |
| `merged_codes` | its results, where synthesis takes it into the tables that read it | estimate |
| `lower` | its hardware | `lower-kan-to-hw` |
| `c_expression` | its value in C; by default, a table of `evaluate` | the emulator |

The op is combinational: results depend on operands of the same cycle. Ops of this dialect and of
other packages implement the same methods. `kan.table` and `kan.sum` leave costs and hardware to
`devices/` and `lowering/kan_to_hw.py`: these merge tables and sums with those around them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from xdsl.ir import SSAValue
from xdsl.irdl import traits_def
from xdsl.traits import Pure

from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.ranged import Ranged
from kan_dialect.ir.semantics import Evaluable

if TYPE_CHECKING:
    from kan_dialect.devices.device import DeviceFamily
    from kan_dialect.lowering.hw_builder import HwBuilder


class Costed(ABC):
    """Interface of a wire-level op that says its costs on a device."""

    MERGES: ClassVar[bool] = False
    """Whether synthesis may take the op into the tables that read it."""

    @abstractmethod
    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        """Number of LUTs, by their number of inputs.

        `{2: 7}` is seven functions of two bits each. `{}` is wires and inverters, which take none.
        `DeviceFamily.pack` says which of them share one LUT of the device.
        """

    @abstractmethod
    def levels_on(self, device: DeviceFamily) -> int:
        """Levels of logic between the operands and the results; 0 for wires and inverters."""

    def delay_on(self, device: DeviceFamily) -> float:
        """Typical delay in ns between the operands and the results, the way to the op included.

        By default, that of a LUT for each level.
        """
        return self.levels_on(device) * device.timing.lut

    def merged_codes(self, lut_inputs: int) -> IntArray | None:
        """The result for each bit pattern of the operand, int64; None where it is not merged."""
        return None


class WiresOnly(Costed):
    """An op that takes neither LUTs nor time."""

    def luts_on(self, device: DeviceFamily) -> Mapping[int, int]:
        return {}

    def levels_on(self, device: DeviceFamily) -> int:
        return 0


class Lowerable(ABC):
    """Interface of a wire-level op that says its hardware."""

    @abstractmethod
    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """Make the op's hardware.

        Parameters
        ----------
        build : appends `comb` and `hw` ops to the module.
        wires : of the operands. A value of `!kan.int<lo:hi>` is a signless integer of its type's
            `bits`, two's complement where lo < 0, else unsigned.

        Returns
        -------
        A wire for each result, of the bits of the result's type.
        """


class WireInterface(Evaluable, Ranged, Costed, Lowerable):
    """Interface of a wire-level op that goes all the way to hardware.

    Such an op has no side effects: the interface brings the trait `Pure`.
    """

    traits = traits_def(Pure())

    def c_expression(self, operands: Sequence[str]) -> str | None:
        """The result as an expression of C99, of an op of one result; by default, None.

        Parameters
        ----------
        operands : names of variables, or constants: of `int32_t` where the range fits, or of
            `int64_t`. `rounded(value, n)` is value / 2^n, rounded half to even, as `int64_t`.
        """
        return None
