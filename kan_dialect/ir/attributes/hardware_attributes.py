"""`#kan.port` and `#kan.node`: what a hardware module says of its data ports and of its nodes.

#kan.port<"x0", -32:31, scale = 0.05, zero_point = 3, gain = 2.0, offset = 0.5>
#kan.node<"layer0_node3", signal = "layer0_sum3", range = -8:7, cycle = 2, offset = 3>
#kan.node<"layer0_node6", dead>
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from xdsl.dialects.builtin import FloatAttr, IntAttr, NoneAttr, StringAttr, UnitAttr, f64
from xdsl.ir import Attribute, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from kan_dialect.ir.constants import float_literal
from kan_dialect.ir.operation import require_identifier
from kan_dialect.ir.quant import storage_for, verified
from kan_dialect.ir.types import MAX_RANGE_BITS, IntType
from kan_dialect.ir.verifier import require

MAX_PORT_ZERO_POINT = 1 << 51
"""Zero points of ports lie below: float64 holds codes less a zero point exactly."""


@irdl_attr_definition
class PortAttr(ParametrizedAttribute):
    """`#kan.port`: the codes of a data port and, where it is known, their meaning.

    A code `q` stands for the number `(q - zero_point) * scale`. At an input this number is
    `x * gain + offset`, which the host computes. Ports without a scale carry plain integers.
    """

    name = "kan.port"

    port_name: StringAttr
    codes: IntType
    scale_attr: FloatAttr | NoneAttr
    zero_point_attr: IntAttr
    gain_attr: FloatAttr | NoneAttr
    offset_attr: FloatAttr | NoneAttr
    wraps_attr: UnitAttr | NoneAttr

    def __init__(
        self,
        name: str,
        codes: IntType,
        scale: float | None = None,
        zero_point: int = 0,
        affine: tuple[float, float] | None = None,
        *,
        wraps: bool = False,
    ) -> None:
        """
        Parameters
        ----------
        name : `x0`, `x1`, ... of inputs, `y0`, `y1`, ... of outputs.
        codes : the range of the codes.
        scale, zero_point : of the codes; None of plain integers.
        affine : gain and offset of the host's affine in front of an input.
        wraps : whether the host rounds values of an input down, and wraps codes.
        """
        gain, offset = affine or (None, None)
        super().__init__(
            StringAttr(name),
            codes,
            _optional(scale),
            IntAttr(zero_point),
            _optional(gain),
            _optional(offset),
            UnitAttr() if wraps else NoneAttr(),
        )

    @property
    def port(self) -> str:
        """The port's name."""
        return self.port_name.data

    @property
    def is_input(self) -> bool:
        return self.port.startswith("x")

    @property
    def scale(self) -> float | None:
        """The step between codes; None of plain integers."""
        return None if isinstance(self.scale_attr, NoneAttr) else self.scale_attr.value.data

    @property
    def zero_point(self) -> int:
        return self.zero_point_attr.data

    @property
    def affine(self) -> tuple[float, float] | None:
        """Gain and offset of the host's affine; None where it has none."""
        if isinstance(self.gain_attr, NoneAttr) or isinstance(self.offset_attr, NoneAttr):
            return None
        return self.gain_attr.value.data, self.offset_attr.value.data

    @property
    def wraps(self) -> bool:
        """Whether the host rounds values down and wraps codes. It rounds to nearest otherwise."""
        return isinstance(self.wraps_attr, UnitAttr)

    def verify(self) -> None:
        name, scale, affine = self.port, self.scale, self.affine
        require(
            re.fullmatch(r"[xy](0|[1-9][0-9]*)", name) is not None,
            f"#kan.port: a data port is called x0, x1, ... or y0, y1, ..., got {name!r}",
        )
        where = f"#kan.port {name}"
        require(
            isinstance(self.gain_attr, NoneAttr) == isinstance(self.offset_attr, NoneAttr),
            f"{where}: a gain and an offset go together",
        )
        if self.wraps:
            require(self.is_input, f"{where}: only inputs wrap")
            require(
                self.codes.size.bit_count() == 1,
                f"{where}: the number of codes that wrap must be a power of two, got "
                f"{self.codes.size}",
            )
        if scale is None:
            require(
                self.zero_point == 0 and affine is None,
                f"{where}: a zero point, gain or offset needs a scale",
            )
            return
        require(math.isfinite(scale) and scale > 0, f"{where}: illegal scale {scale}")
        require(
            abs(self.zero_point) < MAX_PORT_ZERO_POINT,
            f"{where}: zero point {self.zero_point} is not below 2^51",
        )
        if affine is not None:
            require(self.is_input, f"{where}: only inputs have a gain and an offset")
            require(
                all(map(math.isfinite, affine)),
                f"{where}: illegal gain {affine[0]} or offset {affine[1]}",
            )

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        start = parser.pos
        with parser.in_angle_brackets():
            name = parser.parse_str_literal(": the name of a port")
            parser.parse_punctuation(",")
            codes = _parse_range(parser)
            fields = _parse_fields(parser, _PORT_FIELDS) if _parse_comma(parser) else {}
        none = NoneAttr()
        parameters = [
            StringAttr(name),
            codes,
            fields.get("scale", none),
            fields.get("zero_point", IntAttr(0)),
            fields.get("gain", none),
            fields.get("offset", none),
            fields.get("wraps", none),
        ]
        return verified(cls, parameters, parser, start)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string_literal(self.port)
            printer.print_string(f", {_range_text(self.codes)}")
            if self.scale is not None:
                printer.print_string(f", scale = {float_literal(self.scale)}")
            if self.zero_point:
                printer.print_string(f", zero_point = {self.zero_point}")
            if self.affine is not None:
                gain, offset = map(float_literal, self.affine)
                printer.print_string(f", gain = {gain}, offset = {offset}")
            if self.wraps:
                printer.print_string(", wraps = true")


@irdl_attr_definition
class NodeAttr(ParametrizedAttribute):
    """`#kan.node`: the signal that holds a node of the model, or that the node is dead.

    The node's code is `signal + offset`, saturated to `within` where that is given. The signal
    holds it `cycle` clock cycles after the inputs; `range` is the range of the signal. A node that
    is constant has no signal, and a dead node has a name only: no output depends on it, or the
    tables that read it have taken it in.
    """

    name = "kan.node"

    node_name: StringAttr
    signal_attr: StringAttr
    range_attr: IntType | NoneAttr
    cycle_attr: IntAttr
    offset_attr: IntAttr
    within_attr: IntType | NoneAttr

    def __init__(
        self,
        name: str,
        signal: str,
        values: IntType,
        cycle: int = 0,
        offset: int = 0,
        within: IntType | None = None,
    ) -> None:
        """
        Parameters
        ----------
        name : of the node, as `layer0_node3`.
        signal : the name in the RTL; "" of a constant.
        values : the range of the signal.
        cycle, offset, within : as above.
        """
        super().__init__(
            StringAttr(name),
            StringAttr(signal),
            values,
            IntAttr(cycle),
            IntAttr(offset),
            within or NoneAttr(),
        )

    @classmethod
    def of_dead(cls, name: str) -> NodeAttr:
        """The attribute of a node that no output depends on."""
        none, zero = NoneAttr(), IntAttr(0)
        return cls.new([StringAttr(name), StringAttr(""), none, zero, zero, none])

    @property
    def node(self) -> str:
        """The node's name."""
        return self.node_name.data

    @property
    def is_dead(self) -> bool:
        """Whether no output depends on the node."""
        return not isinstance(self.range_attr, IntType)

    @property
    def signal(self) -> str:
        """The name in the RTL; "" of a constant and of a dead node."""
        return self.signal_attr.data

    @property
    def values(self) -> IntType:
        """The range of the signal, of a node that is not dead."""
        assert isinstance(self.range_attr, IntType)
        return self.range_attr

    @property
    def cycle(self) -> int:
        """Clock cycles from the inputs to the signal."""
        return self.cycle_attr.data

    @property
    def offset(self) -> int:
        """The node's code less the signal."""
        return self.offset_attr.data

    @property
    def within(self) -> IntType | None:
        """The range that the code saturates to; None where the signal saturates already."""
        return self.within_attr if isinstance(self.within_attr, IntType) else None

    def verify(self) -> None:
        require_identifier(self.node)
        if self.is_dead:
            return
        where, low, high = f"#kan.node {self.node}", self.values.low, self.values.high
        require(self.cycle >= 0, f"{where}: cycle must not be negative, got {self.cycle}")
        low, high = low + self.offset, high + self.offset
        require(
            storage_for(low, high)[0] <= MAX_RANGE_BITS,
            f"{where}: codes {low}:{high} need more than {MAX_RANGE_BITS} bits",
        )

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        start = parser.pos
        with parser.in_angle_brackets():
            name = parser.parse_str_literal(": the name of a node")
            parser.parse_punctuation(",")
            is_dead = parser.parse_optional_keyword("dead") is not None
            fields = {} if is_dead else _parse_fields(parser, _NODE_FIELDS)
        if not is_dead and "range" not in fields:
            parser.raise_error("expected 'dead', or 'range = low:high'", start, parser.pos)
        none = NoneAttr()
        parameters = [
            StringAttr(name),
            fields.get("signal", StringAttr("")),
            fields.get("range", none),
            fields.get("cycle", IntAttr(0)),
            fields.get("offset", IntAttr(0)),
            fields.get("within", none),
        ]
        return verified(cls, parameters, parser, start)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string_literal(self.node)
            if self.is_dead:
                printer.print_string(", dead")
                return
            if self.signal:
                printer.print_string(", signal = ")
                printer.print_string_literal(self.signal)
            printer.print_string(f", range = {_range_text(self.values)}, cycle = {self.cycle}")
            if self.offset:
                printer.print_string(f", offset = {self.offset}")
            if self.within is not None:
                printer.print_string(f", within = {_range_text(self.within)}")


def _optional(number: float | None) -> FloatAttr | NoneAttr:
    return NoneAttr() if number is None else FloatAttr(number, f64)


_Field: TypeAlias = Callable[[AttrParser], Attribute]


def _parse_comma(parser: AttrParser) -> bool:
    return parser.parse_optional_punctuation(",") is not None


def _parse_fields(parser: AttrParser, kinds: Mapping[str, _Field]) -> dict[str, Attribute]:
    """`key = value, ...`, each key at most once, in any order."""
    fields: dict[str, Attribute] = {}
    while True:
        start = parser.pos
        key = parser.parse_keyword_in(kinds)
        if key in fields:
            parser.raise_error(f"'{key}' is given twice", start, parser.pos)
        parser.parse_punctuation("=")
        fields[key] = kinds[key](parser)
        if not _parse_comma(parser):
            return fields


def _parse_range(parser: AttrParser) -> IntType:
    """`low:high`."""
    start = parser.pos
    low = parser.parse_integer()
    parser.parse_punctuation(":")
    parameters = [IntAttr(low), IntAttr(parser.parse_integer())]
    return IntType.new(verified(IntType, parameters, parser, start))


def _parse_float(parser: AttrParser) -> Attribute:
    return FloatAttr(float(parser.parse_number()), f64)


def _parse_integer(parser: AttrParser) -> Attribute:
    return IntAttr(parser.parse_integer())


def _parse_true(parser: AttrParser) -> Attribute:
    parser.parse_keyword("true")
    return UnitAttr()


def _parse_signal(parser: AttrParser) -> Attribute:
    return StringAttr(parser.parse_str_literal(": the name of a signal"))


_PORT_FIELDS: dict[str, _Field] = {
    "scale": _parse_float,
    "zero_point": _parse_integer,
    "gain": _parse_float,
    "offset": _parse_float,
    "wraps": _parse_true,
}
_NODE_FIELDS: dict[str, _Field] = {
    "signal": _parse_signal,
    "range": _parse_range,
    "cycle": _parse_integer,
    "offset": _parse_integer,
    "within": _parse_range,
}


def _range_text(kind: IntType) -> str:
    return f"{kind.low}:{kind.high}"
