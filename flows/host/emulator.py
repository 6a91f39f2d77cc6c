"""Writes the integer model in C99, as tables and additions, with modules that load it.

The text of NAME_emulator.c is generated from the integer model that the RTL is compared with. It
needs no library. `dataflow.py` says how sums share machine words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xdsl.context import Context
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from kan_dialect.flows.host.c_text import (
    INT32,
    INT64,
    MAX_STATEMENTS,
    array,
    braces,
    code_definitions,
    code_type,
    compute_functions,
    filled,
    fits,
    literal,
)
from kan_dialect.flows.host.circuit_c import NUMBER, CircuitText
from kan_dialect.flows.host.cpp import cpp_header
from kan_dialect.flows.host.dataflow import (
    Arithmetic,
    Dataflow,
    Definition,
    Lookup,
    Sum,
    Word,
    words_of,
)
from kan_dialect.flows.host.python_emulator import python_emulator
from kan_dialect.ir.constants import Array
from kan_dialect.ir.types import range_of
from kan_dialect.lowering.systemverilog.layout import commented
from kan_dialect.model.head import declared_head
from kan_dialect.model.interface import Interface, Port
from kan_dialect.model.model import Model
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.narrow import NarrowPass

_HEADER = """\
// Bit-true emulator of @name@: the codes that the hardware computes.
//
// C99 or C++17, no library needed. Compile @name@_emulator.c with -O2. Functions keep no state.

#ifndef @NAME@_EMULATOR_H
#define @NAME@_EMULATOR_H

#include <stddef.h>
#include <stdint.h>

@definitions@

#ifdef __cplusplus
extern "C" {
#endif

// Output codes of samples.
//
//   x: input codes, @NAME@_INPUTS a sample, sample after sample@ports@
//   y: room for the output codes, @NAME@_OUTPUTS a sample@results@
//
// Returns the number of samples computed: `samples`, or less where the next sample has a code
// outside the range of its port.
size_t @name@_run(size_t samples, const @name@_code *x, @name@_code *y);

#ifdef __cplusplus
}
#endif

#endif
"""

_SOURCE = """\
@note@

#include "@name@_emulator.h"

@parts@

// Codes at the input ports: the lowest one, and the highest one less the lowest.
static const @code@ lowest[@NAME@_INPUTS] = @lowest@;
static const u@code@ spans[@NAME@_INPUTS] = @spans@;

size_t @name@_run(size_t samples, const @name@_code *x, @name@_code *y)
{
    for (size_t sample = 0; sample < samples; ++sample) {
        int outside = 0;
        for (int i = 0; i < @NAME@_INPUTS; ++i) {
            outside |= (u@code@)x[i] - (u@code@)lowest[i] > spans[i];
        }
        if (outside) return sample;
        compute(x, y);
        x += @NAME@_INPUTS;
        y += @NAME@_OUTPUTS;
    }
    return samples;
}
"""

_TABLES_NOTE = """\
// Bit-true emulator of @name@: the integer network as tables and additions.
//
// Tables of one value whose entries are added to several sums share a word: each sum has some bits
// of it, a lane, that hold its largest value. Nothing is carried from one lane to the next."""

_CIRCUIT_NOTE = """\
// Bit-true emulator of @name@: the hardware without its registers, a value of at most 64 bits each.
//
// The build had no integer model, since it began at hardware level."""

_WRAPPED = """\
// A number of 64 bits, two's complement.
static int64_t as_signed(uint64_t bits)
{
    return bits <= INT64_MAX ? (int64_t)bits : -(int64_t)(UINT64_MAX - bits) - 1;
}"""

_ROUNDED = """\
// value / 2^amount, rounded half to even.
static int64_t rounded(int64_t value, int amount)
{
    const int64_t quotient = value < 0 ? ~(~value >> amount) : value >> amount;
    const int64_t rest = value - quotient * ((int64_t)1 << amount);
    const int64_t half = (int64_t)1 << (amount - 1);
    return quotient + (rest > half || (rest == half && quotient % 2 != 0));
}"""


def write_emulator(context: Context, directory: Path, integer: Model, interface: Interface) -> None:
    """Write NAME_emulator.h, NAME_emulator.c, NAME_emulator.py and NAME.hpp.

    The Python module and NAME.hpp use the codec of the same folder, too.

    Parameters
    ----------
    directory : a folder, made where it is missing.
    integer : the integer model, at table or wire level; else the hardware.

    Raises
    ------
    KanError : the model has an op that no table can stand for, or is hardware without a form in C.
    """
    if isinstance(integer.op, hw.HWModuleOp):
        source = circuit_source(integer.op, interface)
    else:
        wires = integer.op if integer.level == "wire" else wire_function(context, integer.op)
        source = c_source(wires, interface)
    header = filled(
        _HEADER,
        name=interface.name,
        NAME=interface.name.upper(),
        definitions=code_definitions(interface),
        ports=_named(interface.inputs),
        results=_named(interface.outputs),
    )
    head = declared_head(integer.op)
    decided = head is not None and head.kind != "threshold"
    directory.mkdir(parents=True, exist_ok=True)
    for file, text in (
        (f"{interface.name}_emulator.h", header),
        (f"{interface.name}_emulator.c", source),
        (f"{interface.name}_emulator.py", python_emulator(interface, first_is_class=decided)),
        (f"{interface.name}.hpp", cpp_header(interface, first_is_class=decided)),
    ):
        (directory / file).write_text(text)


def _named(ports: Iterable[Port]) -> str:
    """Lines of a comment on the ports whose features or classes have names."""
    return "".join(f"\n//      {commented(port.label)}" for port in ports if port.data_name)


def wire_function(context: Context, function: func.FuncOp) -> func.FuncOp:
    """The integer model at wire level, of one at table level."""
    module = ModuleOp([function.clone()])
    ExpandWiresPass().apply(context, module)
    NarrowPass().apply(context, module)
    expanded = Model.of(module).op
    assert isinstance(expanded, func.FuncOp)
    return expanded


def c_source(function: func.FuncOp, interface: Interface) -> str:
    """The text of NAME_emulator.c.

    Parameters
    ----------
    function : the integer model at wire level.
    """
    text = _Text(Dataflow(function), code_type(interface))
    text.run()
    helpers = [
        helper
        for name, helper in (("as_signed(", _WRAPPED), ("rounded(", _ROUNDED))
        if any(name in line for lines in text.functions for line in lines)
    ]
    return _source(interface, _TABLES_NOTE, text.tables, helpers, text.functions)


def circuit_source(module: hw.HWModuleOp, interface: Interface) -> str:
    """The text of NAME_emulator.c, of hardware.

    Raises
    ------
    KanError : the hardware has no form in C.
    """
    statements: list[str] = []

    def assign(text: str) -> str:
        statements.append(text)
        return f"v{len(statements) - 1}"

    circuit = CircuitText(module, interface, assign)
    split = len(statements) > MAX_STATEMENTS

    def named(text: str) -> str:
        return re.sub(r"\bv(\d+)\b", r"s[\1]", text) if split else text

    kind = "" if split else "const uint64_t "
    groups = [
        [f"{kind}{named(f'v{number} = {statements[number]};')}"]
        for number in _used(statements, circuit.outputs)
    ]
    functions = compute_functions(
        code_type(interface),
        groups,
        [named(text) for text in circuit.outputs],
        "uint64_t",
        len(statements) if split else 0,
    )
    called = any("number(" in line for lines in functions for line in lines)
    return _source(interface, _CIRCUIT_NOTE, circuit.tables, [NUMBER] if called else [], functions)


def _used(statements: Sequence[str], outputs: Sequence[str]) -> list[int]:
    """Numbers of the statements that outputs need."""
    name = re.compile(r"\bv(\d+)\b")
    needed = {int(found) for text in outputs for found in name.findall(text)}
    for number in reversed(range(len(statements))):
        if number in needed:
            needed.update(map(int, name.findall(statements[number])))
    return sorted(needed)


def _source(
    interface: Interface,
    note: str,
    tables: Sequence[str],
    helpers: Sequence[str],
    functions: Sequence[Sequence[str]],
) -> str:
    parts = ["\n".join(tables)] if tables else []
    return filled(
        _SOURCE,
        note=filled(note, name=interface.name),
        name=interface.name,
        NAME=interface.name.upper(),
        parts="\n\n".join([*parts, *helpers, *("\n".join(lines) for lines in functions)]),
        code=code_type(interface),
        lowest=braces([port.low for port in interface.inputs]),
        spans=braces([port.high - port.low for port in interface.inputs]),
    )


@dataclass(frozen=True)
class _Term:
    """A summand as an expression, and its range."""

    text: str
    low: int
    high: int
    wide: bool
    """Whether the expression has 64 bits."""


@dataclass
class _Text:
    """Tables and functions of the source.

    A value is a local variable of `compute`. Where the function would be long, values stand in an
    array `s`, and functions of `MAX_STATEMENTS` statements each fill a part of it.
    """

    flow: Dataflow
    code: str
    tables: list[str] = field(default_factory=list[str])
    functions: list[list[str]] = field(default_factory=list[list[str]])
    _refs: dict[SSAValue, str] = field(default_factory=dict[SSAValue, str])
    _lanes: dict[SSAValue, _Term] = field(default_factory=dict[SSAValue, _Term])
    _known_tables: dict[str, str] = field(default_factory=dict[str, str])
    _split: bool = False
    _values: int = 0
    _words: int = 0

    def run(self) -> None:
        """Build all tables and functions."""
        words = [words_of(level) for level in self.flow.levels]
        statements = sum(len(word.rows) for each in words for word in each)
        self._split = statements + sum(map(len, self.flow.levels)) > MAX_STATEMENTS
        for index, argument in enumerate(self.flow.function.args):
            self._refs[argument] = f"x[{index}]"
        for value, constant in self.flow.constants.items():
            self._refs[value] = literal(constant)
        groups: list[list[str]] = []
        for level, together in zip(self.flow.levels, words, strict=True):
            groups += self._level(level, together)
        results = [self._refs[value] for value in self.flow.results]
        slots = self._values if self._split else 0
        self.functions = compute_functions(self.code, groups, results, "int64_t", slots)

    def _level(self, level: Sequence[Definition], words: Sequence[Word]) -> Iterator[list[str]]:
        in_words: set[SSAValue] = set()
        for word in words:
            lines = self._word(word)
            for definition, _, _ in word.lanes:
                in_words.add(definition.value)
                lines.append(self._sum(definition))
            yield lines
        for definition in level:
            match definition:
                case Sum() if definition.value in in_words:
                    pass
                case Sum():
                    yield [self._sum(definition)]
                case Lookup():
                    yield [self._lookup(definition)]
                case Arithmetic():
                    yield [self._arithmetic(definition)]

    def _word(self, word: Word) -> list[str]:
        """Statements that add up a word. Its lanes become terms of the sums."""
        name = f"w{self._words}"
        self._words += 1
        kind = "uint32_t" if word.bits <= 32 else "uint64_t"
        rows = [
            f"{self._table(entries)}[{self._index([value])}]"
            for value, entries in word.rows.items()
        ]
        for definition, start, bits in word.lanes:
            text = name if start == 0 else f"{name} >> {start}"
            if start + bits < word.bits:
                text = f"{text} & {(1 << bits) - 1:#x}"
            wide = bits > 31
            text = f"({'int64_t' if wide else 'int32_t'})" + (text if text == name else f"({text})")
            self._lanes[definition.value] = _Term(text, 0, definition.largest, wide)
        return [f"{kind} {name} = {rows[0]};", *(f"{name} += {row};" for row in rows[1:])]

    def _sum(self, definition: Sum) -> str:
        terms: list[_Term] = []
        if definition.largest:
            terms.append(self._lanes[definition.value])
        terms += map(self._term, definition.others)
        if definition.constant or not terms:
            constant = definition.constant
            wide = not fits(constant, constant, INT32)
            terms.append(_Term(literal(constant), constant, constant, wide))
        low = high = 0
        fits32 = fits64 = True
        for term in terms:
            low, high = low + term.low, high + term.high
            fits32 = fits32 and fits(low, high, INT32)
            fits64 = fits64 and fits(low, high, INT64)
        if not fits64:
            text = " + ".join(f"(uint64_t){term.text}" for term in terms)
            return self._assign(definition.value, f"as_signed({text})", wide=True)
        texts = [term.text for term in terms]
        if not fits32 and not terms[0].wide:
            # The sum of the first two is of 64 bits, and so are all that follow.
            texts[0] = f"(int64_t){texts[0]}"
        text = " + ".join(texts).replace("+ -", "- ")
        return self._assign(
            definition.value, text, wide=not fits32 or any(term.wide for term in terms)
        )

    def _lookup(self, definition: Lookup) -> str:
        text = f"{self._table(definition.entries)}[{self._index(definition.reads)}]"
        low, high = int(definition.entries.min()), int(definition.entries.max())
        if low >= 0 and high >= 1 << 16:
            # The table has no sign, and not all of its values fit a signed type of its width.
            text = f"(int64_t){text}"
            return self._assign(definition.value, text, wide=True)
        return self._assign(definition.value, text, wide=not fits(low, high, INT32))

    def _index(self, reads: Sequence[SSAValue]) -> str:
        """The place of values in a table over their ranges, the last one fastest."""
        text = ""
        for value in reads:
            kind, ref = range_of(value), self._refs[value]
            place = _offset(ref, -kind.low)
            if len(reads) > 1 and self._is_wide(value):
                place = f"(int32_t)({place})"
            if not text:
                text = place
                continue
            text = f"({text})" if " " in text else text
            text = f"{text} * {kind.size} + " + (f"({place})" if " " in place else place)
        return text

    def _arithmetic(self, definition: Arithmetic) -> str:
        text = definition.op.c_expression([self._refs[value] for value in definition.reads])
        assert text is not None
        return self._assign(definition.value, text, wide=True)

    def _term(self, value: SSAValue) -> _Term:
        kind = range_of(value)
        return _Term(self._refs[value], kind.low, kind.high, self._is_wide(value))

    def _is_wide(self, value: SSAValue) -> bool:
        """Whether the C variable of a value has 64 bits."""
        if value in self.flow.function.args:
            return self.code == "int64_t"
        kind = range_of(value)
        if value in self.flow.constants:
            return not fits(kind.low, kind.high, INT32)
        return self._split or not fits(kind.low, kind.high, INT32)

    def _assign(self, value: SSAValue, text: str, *, wide: bool) -> str:
        """The statement that computes a value; `wide`: the expression has 64 bits."""
        number = self._values
        self._values += 1
        kind = range_of(value)
        if self._split:
            self._refs[value] = f"s[{number}]"
            return f"s[{number}] = {text};"
        self._refs[value] = f"v{number}"
        if not fits(kind.low, kind.high, INT32):
            return f"const int64_t v{number} = {text};"
        return f"const int32_t v{number} = {f'(int32_t)({text})' if wide else text};"

    def _table(self, entries: Array) -> str:
        """The name of a constant table; equal ones exist once."""
        text = array("", entries)
        if text not in self._known_tables:
            name = f"t{len(self._known_tables)}"
            self._known_tables[text] = name
            self.tables.append(array(name, entries))
        return self._known_tables[text]


def _offset(ref: str, amount: int) -> str:
    if amount == 0:
        return ref
    return f"{ref} {'-' if amount < 0 else '+'} {literal(abs(amount))}"
