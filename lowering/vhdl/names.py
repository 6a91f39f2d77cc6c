"""Names for VHDL: legal identifiers, unique in their scope, where case does not count.

Ports and modules keep their names, which other languages bind to: a name that is no basic
identifier is an extended one, between backslashes. Other names are changed to legal ones.
"""

from __future__ import annotations

import re

from kan_dialect.lowering.systemverilog.names import LONGEST_NAME, VHDL_WORDS, Names

_DECLARED_TEXT = """
    false ieee integer is_x natural numeric_std positive real resize rising_edge rtl shift_left
    shift_right signed std std_logic std_logic_1164 std_logic_vector std_ulogic std_ulogic_vector
    string to_integer to_signed to_unsigned true unsigned work
"""
"""Names of the packages that the text uses. A declaration of one would hide theirs."""

_RESERVED = VHDL_WORDS | frozenset(_DECLARED_TEXT.split())


def is_basic(name: str) -> bool:
    """Whether a name is a basic identifier that hides nothing that the text uses."""
    basic = re.fullmatch(r"[A-Za-z](_?[A-Za-z0-9])*", name) is not None
    return basic and name.lower() not in _RESERVED


def identifier(name: str) -> str:
    """A name as it is: a basic identifier if possible, else an extended one."""
    return name if is_basic(name) else f"\\{name}\\"


def legal_vhdl_name(name: str) -> str:
    """The basic identifier that is closest to `name`."""
    legal = re.sub(r"[^A-Za-z0-9]+", "_", name[:LONGEST_NAME]).strip("_")
    return legal if is_basic(legal) else f"kan_{legal or 'value'}"


class VhdlNames(Names):
    """Names that are taken in one scope, in lower case."""

    def port(self, name: str) -> str:
        """Take the name of a port, which stays as it is."""
        if is_basic(name) and self._claim(name):
            return name
        extended = f"\\{name}\\"
        self.taken.add(extended)
        return extended

    def _legal(self, wanted: str) -> str:
        return legal_vhdl_name(wanted)

    def _claim(self, name: str) -> bool:
        return super()._claim(name.lower())
