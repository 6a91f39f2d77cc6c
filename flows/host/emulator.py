"""Writes the integer model in C99, as tables and additions, with modules that load it.

The text of NAME_emulator.c is generated from the integer model that the RTL is compared with. It
needs no library. `dataflow.py` says how sums share machine words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from xdsl.context import Context
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from kan_dialect.errors import KanError
from kan_dialect.files.templates import filled
from kan_dialect.flows.host.c_text import (
    INT32,
    INT64,
    MAX_STATEMENTS,
    array,
    braces,
    code_type,
    compute_functions,
    fits,
    literal,
)
from kan_dialect.flows.host.codec import host_values
from kan_dialect.flows.host.dataflow import (
    Arithmetic,
    Dataflow,
    Definition,
    Lookup,
    Sum,
    Word,
    words_of,
)
from kan_dialect.ir.constants import Array
from kan_dialect.ir.types import range_of
from kan_dialect.model.head import declared_head
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.narrow import NarrowPass

Rule: TypeAlias = Literal["first", "sign", "largest"]
"""How outputs give a class: the first output is it, the sign of the only one, or the largest."""

_CLASSES: dict[Rule, str] = {
    "first": "the first output, which the hardware decides",
    "sign": "1 where the output is positive, else 0",
    "largest": "the place of the largest output, the first of equal ones",
}
"""What functions that give the class say of it."""


def write_emulator(context: Context, directory: Path, integer: Model, interface: Interface) -> None:
    """Write NAME_emulator.h, NAME_emulator.c, NAME_emulator.py and NAME.hpp.

    The Python module and NAME.hpp use the codec of the same folder, too.

    Parameters
    ----------
    directory : a folder, made where it is missing.
    integer : the integer model, at table or wire level.

    Raises
    ------
    KanError : the model has an op that no table can stand for, or is hardware.
    """
    if isinstance(integer.op, hw.HWModuleOp):
        raise KanError(
            f"@{integer.name} began at hardware level, which has no integer model",
            remedy="build from the model, or from IR at table or wire level",
        )
    wires = integer.op if integer.level == "wire" else wire_function(context, integer.op)
    head, name = declared_head(integer.op), interface.name
    decided = head is not None and head.kind != "threshold"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}_emulator.c").write_text(c_source(wires, interface))
    for file, kind in (
        (f"{name}_emulator.h", "emulator.h"),
        (f"{name}_emulator.py", "emulator.py"),
        (f"{name}.hpp", "network.hpp"),
    ):
        (directory / file).write_text(emulator_text(kind, interface, first_is_class=decided))


def emulator_text(kind: str, interface: Interface, *, first_is_class: bool) -> str:
    """The text of NAME_emulator.h, NAME_emulator.py or NAME.hpp.

    Parameters
    ----------
    kind : `emulator.h`, `emulator.py` or `network.hpp`.
    first_is_class : whether the first output is the class: a head decides in hardware.
    """
    rule: Rule = "sign" if len(interface.outputs) == 1 else "largest"
    rule = "first" if first_is_class else rule
    values = host_values(interface)
    meaning = _CLASSES[rule]
    return filled(f"flows/host/templates/{kind}.j2", rule=rule, class_meaning=meaning, **values)


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
        for helper in ("as_signed", "rounded")
        if any(f"{helper}(" in line for lines in text.functions for line in lines)
    ]
    return filled(
        "flows/host/templates/emulator.c.j2",
        tables=text.tables,
        helpers=helpers,
        functions=text.functions,
        lowest=[port.low for port in interface.inputs],
        spans=[port.high - port.low for port in interface.inputs],
        braces=braces,
        **host_values(interface),
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
        self.functions = compute_functions(self.code, groups, results, slots)

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
