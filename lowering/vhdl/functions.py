"""Functions that an architecture declares if its text calls them.

Their simulation returns X where an argument has bits that are neither 0 nor 1. The functions of
`numeric_std` would warn instead, in every run before the pipeline is full. Synthesis skips that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kan_dialect.lowering.vhdl.names import VhdlNames

_TEXTS = {
    "entry": """\
  -- Bit of a table that belongs to a code: one half after the other is chosen. Tools would read an
  -- index as a memory, and move registers through it.
  function {entry}({bits} : std_logic_vector; {code} : unsigned) return std_logic is
    alias {index} : unsigned({code}'length - 1 downto 0) is {code};
    variable {rest} : std_logic_vector({bits}'length - 1 downto 0) := {bits};
  begin
    -- synthesis translate_off
    if is_x({code}) then
      return 'X';
    end if;
    -- synthesis translate_on
    for {place} in {index}'range loop
      if {index}({place}) = '1' then
        {rest}(2 ** {place} - 1 downto 0) := {rest}(2 ** ({place} + 1) - 1 downto 2 ** {place});
      end if;
    end loop;
    return {rest}(0);
  end function;
""",
    "element": """\
  -- Element of an array that an index chooses, of {width} bits.
  function {element}({bits}, {code} : unsigned; {width} : positive) return unsigned is
    variable {found} : unsigned({width} - 1 downto 0) := (others => 'X');
  begin
    -- synthesis translate_off
    if is_x({code}) then
      return {found};
    end if;
    -- synthesis translate_on
    for {place} in 0 to {bits}'length / {width} - 1 loop
      if {code} = {place} then
        {found} := resize(shift_right({bits}, {place} * {width}), {width});
      end if;
    end loop;
    return {found};
  end function;
""",
    "address": """\
  -- Index of a word in a memory.
  function {address}({code} : unsigned) return natural is
  begin
    -- synthesis translate_off
    if is_x({code}) then
      return 0;
    end if;
    -- synthesis translate_on
    return to_integer({code});
  end function;
""",
    "amount": """\
  -- Number of places of a shift, at most {most}.
  function {amount}({code} : unsigned; {most} : natural) return natural is
  begin
    -- synthesis translate_off
    if is_x({code}) then
      return 0;
    end if;
    -- synthesis translate_on
    if {code} >= {most} then
      return {most};
    end if;
    return to_integer({code});
  end function;
""",
}

_FORMALS = ("bits", "code", "width", "found", "most", "place", "index", "rest")


@dataclass
class Functions:
    """The functions that a text calls, with their names."""

    names: VhdlNames
    called: dict[str, str] = field(default_factory=dict[str, str])

    def name(self, function: str) -> str:
        """The name of a function of this file, which the text will declare."""
        if function not in self.called:
            self.called[function] = self.names.take(function)
        return self.called[function]

    def text(self) -> Iterator[str]:
        """The lines of all functions that were called."""
        if not self.called:
            return
        formals = {name: self.names.take(name) for name in _FORMALS}
        for function, text in _TEXTS.items():
            if function in self.called:
                yield ""
                yield from text.format(**formals, **self.called).splitlines()
