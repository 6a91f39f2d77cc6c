"""Bugs in the emitter of SystemVerilog."""

from __future__ import annotations

from edits import Replace, ReplaceText

from seeds.seed import seeds_in

SEEDS = [
    *seeds_in(
        "SystemVerilog text",
        "_ModuleWriter._registers",
        ("reset active low", ReplaceText("if ({", "if (!{")),
        ("registers at the falling edge", ReplaceText("posedge", "negedge")),
        (
            "reset loads what comes next",
            Replace("self._operand(value)", "self._operand(op.input)"),
        ),
        (
            "registers of a stage load what the first does",
            Replace(
                "self._load(op)", "f'{self._name(op.data)} <= {self._operand(registers[0].input)};'"
            ),
        ),
        (
            "the last register of a stage is missing",
            Replace(
                "[self._load(op) for op in registers]",
                "[self._load(op) for op in registers][:max(1, len(registers) - 1)]",
            ),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "_ModuleWriter._outputs",
        (
            "outputs backwards",
            Replace(
                "zip(self.output_names, op.inputs, ...)",
                "zip(self.output_names, reversed(op.inputs), ...)",
            ),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "_ModuleWriter.lines",
        ("ports in the wrong order", Replace("',\\n'.join(ports)", "',\\n'.join(reversed(ports))")),
        (
            "out_valid behind y",
            Replace("',\\n'.join(ports)", "',\\n'.join([*ports[:-2], ports[-1], ports[-2]])"),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "_ModuleWriter._ports",
        (
            "inputs named one late",
            Replace(
                "self._give_name(next(arguments), name)",
                "self._give_name(next(arguments), {'x0': 'x1', 'x1': 'x0'}.get(name, name))",
            ),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "sign_extended",
        ("extended by the last bit but one", Replace("source - 1", "max(source - 2, 0)")),
    ),
    *seeds_in(
        "SystemVerilog text",
        "systemverilog.expressions:part",
        (
            "slices one bit too high",
            ReplaceText(
                "[{low + size - 1}:{low}]", "[{low + size - 1 + (low > 0)}:{low + (low > 0)}]"
            ),
        ),
        ("slices one bit short", ReplaceText("{low + size - 1}", "{low + size - 2}")),
    ),
    *seeds_in(
        "SystemVerilog text",
        "systemverilog.expressions:literal",
        (
            "negative constants one too high",
            Replace("(1 << width) - pattern", "(1 << width) - pattern - 1"),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "signed_literal",
        (
            "negative ends of comparisons one off",
            Replace("2 * sign - pattern", "2 * sign - pattern - 1"),
            "only clamps compare with them: at the end itself both choices are the end",
        ),
        (
            "the lowest number as a negated one",
            Replace("if pattern == sign: ...", ""),
            "the negation of the lowest number is itself, modulo 2^width",
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "systemverilog.expressions:as_signed",
        ("comparisons of signed numbers as unsigned", ReplaceText("$signed(", "(")),
    ),
    *seeds_in(
        "SystemVerilog text",
        "replication",
        ("one copy of the sign too few", ReplaceText("{count}", "{max(count - 1, 1)}")),
    ),
    *seeds_in(
        "SystemVerilog text",
        "_braces",
        (
            "concatenated backwards",
            Replace(
                "(operand.text for operand in operands)",
                "(operand.text for operand in reversed(operands))",
            ),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "_sized",
        ("constants one bit wider", ReplaceText("{width}'d", "{width + 1}'d")),
        ("constants cut to 3 bits", ReplaceText("{magnitude}", "{magnitude & 7}")),
    ),
    *seeds_in(
        "SystemVerilog text",
        "systemverilog.operations:Expressions._comparison",
        (
            "signed comparisons of unsigned operands",
            Replace("self.signed if predicate[0] == 's' else self.of", "self.of"),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "Expressions._plus",
        (
            "a negative constant is subtracted as if positive",
            Replace("2 * negative - offset", "offset"),
        ),
        ("a constant is lost in a sum", Replace("[*terms, literal(offset, width)]", "terms")),
        (
            "half the modulus is added, not subtracted",
            Replace("offset < negative", "offset <= negative"),
            "2^(width - 1) and its negative are the same, modulo 2^width",
        ),
        (
            "sums become differences",
            Replace(
                "return terms[0] if len(terms) == 1 else infix('+', Level.SUM, terms)",
                "return terms[0] if len(terms) == 1 else infix('-', Level.SUM, terms)",
            ),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "systemverilog.operations:Expressions._choice",
        (
            "choices turned round",
            Replace(
                "choice(..., self.of(op.true_value, negative=negative), "
                "self.of(op.false_value, negative=negative))",
                "choice(..., self.of(op.false_value, negative=negative), "
                "self.of(op.true_value, negative=negative))",
            ),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "Expressions._slice",
        (
            "slices from bit 0",
            Replace(
                "part(self.of(source).text, widths[0], low_bit_of(op), ...)",
                "part(self.of(source).text, widths[0], 0, ...)",
            ),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "systemverilog.operations:Expressions._call",
        (
            "the narrowest add function for all",
            Replace(
                "self.adders[Adder.of(chain)]",
                "self.adders[min(each for each in self.adders if each[:2] == Adder.of(chain)[:2])]",
            ),
        ),
        (
            "add functions of one term",
            Replace(
                "(operand.text for operand in operands)",
                "(o.text for o in [operands[0], *operands[:1], *operands[2:]])",
            ),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "known_terms",
        (
            "sums without their last term",
            Replace(
                "[value for value in op.inputs if value not in constants]",
                "[v for v in op.inputs if v not in constants][:max(1, len(op.inputs) - 1)]",
            ),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "systemverilog.operations:_COMPARISONS",
        (
            "comparisons include the end",
            Replace("('>', Level.ORDER)", "('>=', Level.ORDER)"),
            "at the end itself both choices are the end",
        ),
        ("less for greater", Replace("('<', Level.ORDER)", "('>', Level.ORDER)")),
    ),
    *seeds_in(
        "SystemVerilog text",
        "constant_folding:_unpacked",
        (
            "vectors start at their highest bit",
            Replace(
                "np.packbits(bits.transpose(0, 2, 1), axis=2, bitorder='little')",
                "np.packbits(bits.transpose(0, 2, 1), axis=2, bitorder='big')",
            ),
        ),
        (
            "vectors of the next higher bit",
            Replace("bits.transpose(0, 2, 1)", "np.roll(bits.transpose(0, 2, 1), -1, 1)"),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "vector",
        ("pieces of long vectors in the wrong order", Replace("reversed(starts)", "starts")),
        ("pieces of long vectors overlap", Replace("plane >> start", "plane >> max(start - 1, 0)")),
        ("vectors lose their last entry", ReplaceText("{size - 1}", "{size - 2}")),
    ),
    *seeds_in(
        "SystemVerilog text",
        "tables:description",
        (
            "tables of 256 entries and more are described in words",
            Replace("len(entries) > LISTED_ENTRIES", "len(entries) > 2 * LISTED_ENTRIES"),
            "comments are not read",
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "_ModuleWriter._table",
        ("bits of an entry backwards", Replace("reversed(word)", "word")),
        (
            "vectors that are 1 for the last code only are 1 for all",
            Replace("(1 << size) - 1", "1 << size - 1"),
        ),
        (
            "vectors of the lowest bit are 0",
            Replace(
                "self.facts.planes_of(table, width)",
                "[0, *self.facts.planes_of(table, width)[1:]]",
            ),
        ),
        (
            "one of the vectors for all",
            Replace(
                "f'{constant}[{index}]'",
                "next((b for b in word if '[' in b), f'{constant}[{index}]')",
            ),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "_ModuleWriter._adders",
        (
            "add functions return one bit too low",
            ReplaceText("{name}, {unused}", "{unused}, {name}"),
        ),
        (
            "add functions halve what is on the left",
            ReplaceText("{left}, {below}}} +", "{below}, {left}}} +"),
        ),
        (
            "absorbing functions halve what is on the left",
            ReplaceText("{left}, {below}}} -", "{below}, {left}}} -"),
        ),
        (
            "absorbing functions forget the bit below",
            ReplaceText("{{~{right}, {inverted}}}", "{{~{right}, 1'b0}}"),
        ),
        ("add functions add the left one twice", ReplaceText("+ {{{right}, ", "+ {{{left}, ")),
        ("add functions have no bit for the zero below", Replace("adder.width + 1", "adder.width")),
        ("add functions carry from below", Replace('("1\'b0", "1\'b1")', '("1\'b1", "1\'b0")')),
        ("carries come in inverted", Replace("(carry, f'~{carry}')", "(f'~{carry}', carry)")),
    ),
    *seeds_in(
        "SystemVerilog text",
        "declared",
        (
            "signals one bit too narrow",
            Replace("f' [{width - 1}:0]'", "f' [{max(width - 2, 0)}:0]'"),
        ),
        ("signals one bit too wide", Replace("f' [{width - 1}:0]'", "f' [{width}:0]'")),
        ("bits numbered backwards", Replace("f' [{width - 1}:0]'", "f' [0:{width - 1}]'")),
    ),
    *seeds_in(
        "SystemVerilog text",
        "_live",
        (
            "values that are only named are not written",
            Replace("wanted += ...", ""),
            "nothing depends on them",
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "_sign_extension",
        (
            "any slice extends the sign",
            Replace("... and ... and ... and low_bit_of(bit) == ...", "... and ... and ..."),
            "the lowering extends by no other bit",
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "constant_folding:_decided",
        (
            "comparisons with an end of the range decided wrongly",
            Replace("lowest if below else highest", "highest if below else lowest"),
            "no op that the lowering makes is one: a test of the emitter has it",
        ),
    ),
]
