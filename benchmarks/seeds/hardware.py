"""Bugs in the lowering of wires to hardware."""

from __future__ import annotations

from edits import Replace

from seeds.seed import seeds_in

SEEDS = [
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.valid_chain",
        ("out_valid a cycle late", Replace("latency + 1", "latency + 2")),
        ("out_valid a cycle early", Replace("latency + 1", "latency")),
        (
            "reset clears no valid bit",
            Replace(
                "hw_builder.register(valid, self.clock, (reset, zero))",
                "hw_builder.register(valid, self.clock)",
            ),
        ),
        ("reset sets the valid bits", Replace("self.constant(0, ...)", "self.constant(1, ...)")),
        (
            "reset clears the last valid bit only",
            Replace("(reset, zero)", "(reset, zero) if stage == latency else None"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.delay",
        (
            "reset clears data",
            Replace(
                "hw_builder.register(wire, self.clock)",
                "hw_builder.register(wire, self.clock, "
                "(self.block.args[1], self.constant(0, range_of(op.result).bits)))",
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
            Replace("hw_builder.joined(wires, ...)", "hw_builder.joined(wires[::-1], ...)"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.resized",
        ("zeros for signs", Replace("signed", "False")),
        ("extended by the last bit but one", Replace("bits - 1", "max(bits - 2, 0)")),
        (
            "cut off at the wrong end",
            Replace("self.part(wire, 0, ...)", "self.part(wire, -missing, ...)"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.clamp",
        ("clamps compare as unsigned", Replace("'s' if source.is_signed else 'u'", "'u'")),
        ("clamps never saturate below", Replace("source.low < target.low", "False")),
        (
            "clamps saturate at the wrong end",
            Replace("self.constant(bound, target.bits)", "self.constant(target.low, target.bits)"),
        ),
        (
            "clamps turned round",
            Replace("comb.MuxOp(..., saturated, result)", "comb.MuxOp(..., result, saturated)"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.shift",
        ("shifts round half up", Replace("(1 << amount - 1) - 1", "1 << amount - 1")),
        (
            "shifts look at the wrong bit to round to even",
            Replace("self.part(wide, amount, ...)", "self.part(wide, amount - 1, ...)"),
        ),
        (
            "rounding overflows",
            Replace("max(source.bits, amount) + 1", "max(source.bits, amount + 1)"),
        ),
        (
            "multiplied by one power of two less",
            Replace("self.constant(0, -amount)", "self.constant(1, -amount)"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.mark",
        (
            "marks name the cycle before",
            Replace(
                "NodeAttr(..., ..., kind, cycle, ...)",
                "NodeAttr(..., ..., kind, max(cycle - 1, 0), ...)",
            ),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.run",
        (
            "outputs backwards",
            Replace("(... for value in op.operands)", "(... for value in reversed(op.operands))"),
        ),
    ),
    *seeds_in(
        "lower-kan-to-hw",
        "Lowering.module",
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
                "self.add(hw_builder.added(terms), name)",
                "self.resized(self.add(hw_builder.added("
                "[self.resized(t, bits, max(bits - 1, 1), False) for t in terms]), name), "
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
]
