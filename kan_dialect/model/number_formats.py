"""Number formats that a user fixes for ports: bits, sign, scale and zero point.

A code q of a format stands for `(q - zero_point) * scale`. The spellings of a format:

    s12.8              12 bits, signed, 8 of them behind the point; u12.8 without a sign
    s12                12 bits, signed, raw codes: the scale is 1
    u10:0.25:512       10 bits, unsigned, scale and zero point
    fixed<12,4>        12 bits, signed, 4 of them before the point, as in HLS; also ufixed,
                       ap_fixed and ap_ufixed

`docs/reference/formats.md` documents them, and the files.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from kan_dialect.errors import KanError
from kan_dialect.ir.quant import MAX_STORAGE_BITS, default_bounds

MAX_POINT = 64
"""Most bits behind the point, and most that a code lacks before it."""

MAX_FORMAT_ZERO_POINT = 1 << 46
"""Zero points are less: float64 then resolves values to 1/64 of a step."""

DEFAULT = "*"
"""Stands for all ports that are not named."""

SPELLINGS = "s12.8, u12, u10:0.25:512 or fixed<12,4>"

_REMEDY = f"a format is spelt {SPELLINGS}; docs/reference/formats.md has all spellings"

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


@dataclass(frozen=True)
class NumberFormat:
    """A fixed number format: code q stands for (q - zero_point) * scale.

    Parameters
    ----------
    bits : 1 to 32.
    signed : two's complement if true, otherwise unsigned.
    scale : the step between two codes, above 0.
    zero_point : the code of 0, which need not be a code of the format.

    Raises
    ------
    KanError : a number is out of bounds.
    """

    bits: int
    signed: bool
    scale: float = 1.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= MAX_STORAGE_BITS:
            raise KanError(
                f"a format of {self.bits} bits", remedy=f"take 1 to {MAX_STORAGE_BITS} bits"
            )
        if not (math.isfinite(self.scale) and 2.0**-500 <= self.scale <= 2.0**100):
            raise KanError(
                f"a format with scale {self.scale:g}",
                remedy="a scale is the step between two codes: greater than 0, and not beyond "
                "2^-500 .. 2^100",
            )
        if abs(self.zero_point) >= MAX_FORMAT_ZERO_POINT:
            raise KanError(
                f"a format with zero point {self.zero_point}", remedy="take one below 2^46"
            )

    @classmethod
    def parse(cls, text: str) -> NumberFormat:
        """The format that a text spells.

        Raises
        ------
        KanError : the text is no format; shows it.
        """
        text = text.strip()
        found = _of_fixed(text) or _of_point(text) or _of_scale(text)
        if found is None:
            raise KanError(f"{_shown(text)} is no number format", remedy=_REMEDY)
        return found

    @property
    def codes(self) -> tuple[int, int]:
        """The least and the greatest code."""
        return default_bounds(self.bits, self.signed)

    @property
    def values(self) -> tuple[float, float]:
        """The numbers that the least and the greatest code stand for."""
        low, high = self.codes
        return (low - self.zero_point) * self.scale, (high - self.zero_point) * self.scale

    def __str__(self) -> str:
        """The shortest spelling, which `parse` reads."""
        kind = f"{'s' if self.signed else 'u'}{self.bits}"
        mantissa, exponent = math.frexp(self.scale)
        if not self.zero_point and mantissa == 0.5 and 0 <= 1 - exponent <= MAX_POINT:
            return kind if exponent == 1 else f"{kind}.{1 - exponent}"
        return f"{kind}:{self.scale!r}" + (f":{self.zero_point}" if self.zero_point else "")


def _of_fixed(text: str) -> NumberFormat | None:
    """`fixed<W,I>` and its relatives; None of another text.

    Raises
    ------
    KanError : more arguments than W and I.
    """
    match = re.fullmatch(r"(?:ap_)?(u?)fixed\s*<\s*([^<>]*)>", text)
    if match is None:
        return None
    parts = [part.strip() for part in match[2].split(",")]
    if len(parts) != 2 or not all(re.fullmatch(r"[-+]?\d{1,4}", part) for part in parts):
        raise KanError(
            f"{_shown(text)} is no number format",
            remedy="write fixed<W,I>: W bits in all, I of them before the point, the sign "
            "included; rounding is half to even, and values saturate",
        )
    bits, integer = map(int, parts)
    return _with_point(text, bits, not match[1], bits - integer)


def _of_point(text: str) -> NumberFormat | None:
    """`s12.8` and `s12`; None of another text."""
    match = re.fullmatch(r"([su])(\d{1,4})(?:\.(-?\d{1,4}))?", text)
    if match is None:
        return None
    return _with_point(text, int(match[2]), match[1] == "s", int(match[3] or 0))


def _of_scale(text: str) -> NumberFormat | None:
    """`u10:0.25:512` and `u10:0.25`; None of another text."""
    match = re.fullmatch(rf"([su])(\d{{1,4}}):({_NUMBER})(?::([-+]?\d{{1,30}}))?", text)
    if match is None:
        return None
    return NumberFormat(int(match[2]), match[1] == "s", float(match[3]), int(match[4] or 0))


def _with_point(text: str, bits: int, signed: bool, fraction: int) -> NumberFormat:
    """A format of a number of bits behind the point."""
    if abs(fraction) > MAX_POINT:
        raise KanError(
            f"{_shown(text)} has {fraction} bits behind the point",
            remedy=f"take {-MAX_POINT} to {MAX_POINT}",
        )
    return NumberFormat(bits, signed, 2.0**-fraction)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


@dataclass(frozen=True)
class PortFormats:
    """Formats of the inputs or outputs of a network.

    Parameters
    ----------
    named : by name of the port, `x0` or `y0`.
    default : of all other ports; None leaves their codes to the compiler.
    """

    named: Mapping[str, NumberFormat]
    default: NumberFormat | None = None

    @classmethod
    def read(cls, text: str, letter: str) -> PortFormats:
        """The formats that an option gives: a list, or a file of this name.

        Parameters
        ----------
        text : `x0=s12.8,x1=u10:0.25:512`, `*=s12.8`, `s12.8` for all ports, or the name of a
            `.json` or `.toml` file.
        letter : first letter of the ports' names, `x` or `y`.

        Raises
        ------
        KanError : a spelling, name or number is wrong, or the file cannot be read. The message
            names the port.
        """
        if re.search(r"\.(json|toml)$", text.strip(), re.IGNORECASE):
            return cls._collected(list(_file_entries(Path(text.strip()))), letter)
        entries: list[tuple[str, object]] = []
        for part in _split(text):
            name, equals, spelling = part.partition("=")
            entries.append((name.strip(), spelling) if equals else (DEFAULT, part))
        return cls._collected(entries, letter)

    @classmethod
    def _collected(cls, entries: Sequence[tuple[str, object]], letter: str) -> PortFormats:
        found: dict[str, NumberFormat] = {}
        for name, given in entries:
            if name != DEFAULT and not re.fullmatch(rf"{letter}(0|[1-9]\d{{0,8}})", name):
                raise KanError(
                    f"a format is given for {_shown(name)}, which is no port",
                    remedy=f"ports are called {letter}0, {letter}1, ...; {DEFAULT} stands for all "
                    "others",
                )
            if name in found:
                raise KanError(f"two formats are given for {name}", remedy="leave one of them out")
            try:
                found[name] = _format_of(given)
            except KanError as error:
                raise KanError(f"{name}: {error.message}", remedy=error.remedy) from None
        if not found:
            raise KanError("there are no formats", remedy=_REMEDY)
        return cls({n: f for n, f in found.items() if n != DEFAULT}, found.get(DEFAULT))

    def of_ports(self, letter: str, count: int, function: str) -> list[NumberFormat | None]:
        """The format of each of a function's ports; None of ports without one.

        Raises
        ------
        KanError : a format is given for a port that the function does not have.
        """
        names = [f"{letter}{index}" for index in range(count)]
        unknown = next((name for name in self.named if name not in names), None)
        if unknown is not None:
            kind = "input" if letter == "x" else "output"
            has = names[0] if count == 1 else f"{names[0]} to {names[-1]}"
            raise KanError(
                f"a format is given for {unknown}, but the {kind}s of @{function} are {has}",
                remedy=f"name one of these, or {DEFAULT} for all",
            )
        return [self.named.get(name, self.default) for name in names]

    def __str__(self) -> str:
        """The formats as a list that `read` reads."""
        entries = [f"{name}={each}" for name, each in self.named.items()]
        if self.default is not None:
            entries.insert(0, f"{DEFAULT}={self.default}")
        return ",".join(entries)


def _split(text: str) -> list[str]:
    """The entries of a list; commas within `<` and `>` do not separate."""
    return re.split(r",(?![^<]*>)", text)


def _file_entries(path: Path) -> Sequence[tuple[str, object]]:
    """Names and formats in a file: an object of JSON, or a table of TOML.

    Raises
    ------
    KanError : it cannot be read, or holds something else.
    """
    try:
        text = path.read_text()
        if path.suffix.lower() == ".toml":
            return list(tomllib.loads(text).items())
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise KanError(
            f"cannot read the formats in {path}: {reason}",
            remedy='a file holds a format for each port: {"x0": "s12.8", "x1": {"bits": 10, '
            '"signed": false, "scale": 0.25, "zero_point": 512}}',
        ) from None
    if not isinstance(pairs, _Pairs):
        raise KanError(f"{path} holds no formats", remedy='write {"x0": "s12.8", ...}')
    return pairs


class _Pairs(list[tuple[str, object]]):
    """An object of JSON as pairs, so that keys that are given twice are seen."""


_FIELDS = {"bits": int, "signed": bool, "scale": float, "zero_point": int}


def _format_of(given: object) -> NumberFormat:
    """A format of a file or list: a spelling, or its fields.

    Raises
    ------
    KanError : it is neither.
    """
    if isinstance(given, str):
        return NumberFormat.parse(given)
    if isinstance(given, _Pairs):
        pairs = list(given)
    elif isinstance(given, dict):
        pairs = list(cast("dict[str, object]", given).items())
    else:
        raise KanError(f"{_shown(str(given))} is no number format", remedy=_REMEDY)
    fields: dict[str, object] = {}
    for key, value in pairs:
        if key not in _FIELDS:
            raise KanError(
                f"{_shown(key)} is no field of a format",
                remedy="fields are bits, signed, scale and zero_point",
            )
        if key in fields:
            raise KanError(f"{key} is given twice")
        whole = isinstance(value, int) and not isinstance(value, bool)
        fits = {
            bool: isinstance(value, bool),
            int: whole,
            float: whole or isinstance(value, float),
        }[_FIELDS[key]]
        if not fits:
            kind = {bool: "true or false", int: "a whole number", float: "a number"}[_FIELDS[key]]
            raise KanError(f"{key} is {value!r}", remedy=f"give {kind}")
        fields[key] = value
    for key in ("bits", "signed"):
        if key not in fields:
            raise KanError(f"{key} is missing", remedy="give bits and signed")
    scale = fields.get("scale", 1.0)
    assert isinstance(scale, int | float)
    return NumberFormat(
        cast(int, fields["bits"]),
        cast(bool, fields["signed"]),
        float(scale),
        cast(int, fields.get("zero_point", 0)),
    )
