"""Bugs in the lowering of wires to hardware."""

from __future__ import annotations

from edits import Replace

from seeds.seed import seeds_in

SEEDS = [
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.valid_chain",
        ("out_valid a cycle late", Replace("... + 1", "-(-latency // self.build.interval) + 2")),
        ("out_valid a cycle early", Replace("... + 1", "-(-latency // self.build.interval)")),
        (
            "reset clears no valid bit",
            Replace("self.cleared", "None"),
        ),
        (
            "reset clears the last valid bit only",
            Replace("self.cleared", "self.cleared if stage == latency else None"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.cleared",
        (
            "reset sets the valid bits",
            Replace("self.build.constant(0, ...)", "self.build.constant(1, ...)"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.delay",
        (
            "reset clears data",
            Replace(
                "self.build.register(wire, name)",
                "self.build.register(wire, name, (self.build.block.args[1], "
                "self.build.constant(0, range_of(op.result).bits)))",
            ),
        ),
        ("a delay is one register short", Replace("cycles + 1", "cycles")),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "pack",
        ("entries backwards", Replace("entries[:, np.newaxis]", "entries[::-1, np.newaxis]")),
        ("bits of entries backwards", Replace("np.arange(bits)", "np.arange(bits)[::-1]")),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.table",
        (
            "tables of two inputs: the second first",
            Replace("self.build.joined(wires, ...)", "self.build.joined(wires[::-1], ...)"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "HwBuilder.resized",
        ("zeros for signs", Replace("signed", "False")),
        ("extended by the last bit but one", Replace("bits - 1", "max(bits - 2, 0)")),
        (
            "cut off at the wrong end",
            Replace("self.part(wire, 0, ...)", "self.part(wire, -missing, ...)"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "clamped",
        ("clamps compare as unsigned", Replace("'s' if source.is_signed else 'u'", "'u'")),
        ("clamps never saturate below", Replace("source.low < target.low", "False")),
        (
            "clamps saturate at the wrong end",
            Replace(
                "build.constant(bound, target.bits)", "build.constant(target.low, target.bits)"
            ),
        ),
        (
            "clamps turned round",
            Replace("build.chosen(..., saturated, result)", "build.chosen(..., result, saturated)"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "shift:shifted",
        ("shifts round half up", Replace("(1 << amount - 1) - 1", "1 << amount - 1")),
        (
            "shifts look at the wrong bit to round to even",
            Replace("build.part(wide, amount, ...)", "build.part(wide, amount - 1, ...)"),
        ),
        (
            "rounding overflows",
            Replace("max(source.bits, amount) + 1", "max(source.bits, amount + 1)"),
        ),
        (
            "multiplied by one power of two less",
            Replace("build.constant(0, -amount)", "build.constant(1, -amount)"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.mark",
        (
            "marks name the cycle before",
            Replace(
                "NodeAttr(..., ..., ..., cycle, ...)",
                "NodeAttr(..., ..., ..., max(cycle - 1, 0), ...)",
            ),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.run",
        (
            "outputs backwards",
            Replace("zip(outputs, op.operands, ...)", "zip(outputs, reversed(op.operands), ...)"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.run",
        (
            "zero points with the wrong sign",
            Replace(
                "[*inputs, *outputs]",
                "[type(p)(p.port, p.codes, p.scale, -p.zero_point, p.affine)"
                " for p in (*inputs, *outputs)]",
            ),
        ),
        (
            "the host's offset is lost",
            Replace(
                "[*inputs, *outputs]",
                "[type(p)(p.port, p.codes, p.scale, p.zero_point, p.affine and (p.affine[0], 0.0))"
                " for p in (*inputs, *outputs)]",
            ),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.sum",
        (
            "adders lose their highest bit",
            Replace(
                "self.build.added(terms, name)",
                "self.build.resized(self.build.added("
                "[self.build.resized(t, bits, max(bits - 1, 1), False) for t in terms], name), "
                "max(bits - 1, 1), bits, False)",
            ),
        ),
    ),
    *seeds_in(
        "codes as bits",
        "IntType.bit_patterns",
        ("signed inputs address their tables as unsigned", Replace("self.is_signed", "False")),
        (
            "the lowest code is taken for a positive one",
            Replace("patterns >= 1 << self.bits - 1", "patterns > 1 << self.bits - 1"),
        ),
    ),
    *seeds_in(
        "kan-form-carry-chains",
        "ChainAdder.build",
        (
            "adders return one bit too low",
            Replace("builder.part(whole, 1, ...)", "builder.part(whole, 0, ...)"),
        ),
        (
            "absorbing adders have no bit below",
            Replace("builder.constant(1, 1)", "builder.constant(0, 1)"),
        ),
        (
            "absorbing adders take no carry from the right",
            Replace("builder.inverted(below, 1)", "builder.constant(1, 1)"),
        ),
        (
            "adders take no carry from the right",
            Replace("[self.right, below]", "[self.right, builder.constant(0, 1)]"),
        ),
        (
            "absorbed entries are not inverted",
            Replace("builder.inverted(self.right, ...)", "self.right"),
        ),
    ),
    *seeds_in(
        "kan-form-carry-chains",
        "form_carry_chains:_Sum.adder",
        ("carries are left out", Replace("self.carry is not None", "False")),
    ),
    *seeds_in(
        "kan-join-carry-chains",
        "_Joining._add",
        ("carries go from one adder to the next", Replace("not adder.is_closed", "False")),
    ),
    *seeds_in(
        "kan-join-carry-chains",
        "chains_of_waiting",
        (
            "sums that adders wait for share a chain with them",
            Replace("not _depend(before, number, chain.adders[0])", "True"),
        ),
    ),
    *seeds_in(
        "kan-map-tables",
        "map_tables:_functions",
        (
            "bits of an index are taken in the opposite order",
            Replace("enumerate(places)", "enumerate(places[::-1])"),
        ),
    ),
    *seeds_in(
        "kan-map-tables",
        "map_tables:_Signals.word",
        ("bits stand in the opposite order", Replace("bits[::-1]", "bits")),
    ),
    *seeds_in(
        "SystemVerilog text",
        "_ModuleWriter._lut",
        (
            "inputs of lookup tables stand in the opposite order",
            Replace("reversed(order)", "order"),
        ),
    ),
    *seeds_in(
        "SystemVerilog text",
        "chain_adder_of",
        ("carries of adders are read as zeros", Replace("None if zero else below", "None")),
    ),
    *seeds_in(
        "kan.folded_shapes",
        "folded_shapes:_chosen",
        (
            "the other one of two shapes",
            Replace("build.chosen(bit, pair[1], pair[0])", "build.chosen(bit, pair[0], pair[1])"),
        ),
    ),
    *seeds_in(
        "kan.folded_shapes",
        "FoldedShapesOp._term",
        (
            "the sign of the turn before",
            Replace("build.repeated(sign, bits)", "build.repeated(build.register(sign), bits)"),
        ),
        ("shifts by one place less", Replace("1 << place", "(1 << place) - 1")),
    ),
    *seeds_in(
        "kan.folded_shapes",
        "FoldedShapesOp._parts",
        (
            "inverted terms are one less",
            Replace("(1 << term_bits) - 1", "1 << term_bits"),
        ),
    ),
    *seeds_in(
        "kan.folded_shapes",
        "shared_shapes:_steps",
        (
            "shapes lose their lowest bit",
            Replace("common & -common", "(common & -common) << 1"),
        ),
    ),
]
