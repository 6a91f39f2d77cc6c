"""The bugs that `seeded_bugs.py` puts into the compiler: one change of one place in its source each.

A seed names a module, a text that stands in its source exactly once, and what stands there instead.
"""

# ruff: noqa: E501 (the texts are lines of source)
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Seed:
    """A bug."""

    name: str
    """What is wrong, in one line."""

    module: str
    """Below `kan_dialect`: `passes.narrow`."""

    old: str
    new: str

    equivalent: str = ""
    """Why the change is none: nothing may object to it."""


def seeds_of(module: str, *seeds: tuple[str, str, str] | tuple[str, str, str, str]) -> list[Seed]:
    """The seeds of one module: name, old and new text, and why it is no bug where it is none."""
    return [Seed(name, module, old, new, *why) for name, old, new, *why in seeds]


def spoilt_source(seed: Seed) -> str:
    """The source of the seed's module with the bug.

    Raises
    ------
    ValueError : what the seed replaces does not stand there exactly once.
    """
    path = ROOT / "kan_dialect" / f"{seed.module.replace('.', '/')}.py"
    source = path.read_text()
    if source.count(seed.old) != 1:
        raise ValueError(f"{seed.module}: {source.count(seed.old)} times {seed.old!r}")
    return source.replace(seed.old, seed.new)


FOLD_AFFINE = seeds_of(
    "passes.fold_affine",
    (
        "merged affines: the inner bias is not scaled",
        "inner_bias * scale + bias",
        "inner_bias + bias",
    ),
    ("merged affines: one scale is lost", "scale * inner_scale", "scale"),
    (
        "an affine behind a sum: the sum's own bias is not scaled",
        "bias=node_sum.bias_array * scale + bias",
        "bias=node_sum.bias_array + bias",
    ),
    (
        "an affine behind a sum: its bias is lost",
        "bias=node_sum.bias_array * scale + bias",
        "bias=node_sum.bias_array * scale",
    ),
    (
        "an affine behind a sum: the pruned edges come back",
        "            mask=node_sum.mask,\n",
        "",
    ),
    (
        "scaled edges: the weights of base functions are not",
        "dense(to_floats(edges.weights) * scale)",
        "dense(to_floats(edges.weights))",
    ),
    ("scaled edges: one summand twice", "(edges.lhs, edges.rhs)]", "(edges.lhs, edges.lhs)]"),
    ("scaled edges: a bias is lost", "scale.ndim != 2 or bias.any() or", "scale.ndim != 2 or"),
)

QUANTIZE = seeds_of(
    "passes.quantize",
    (
        "a bias rounds down",
        "shape[:1]), op.bias_array",
        "shape[:1]), np.floor(op.bias_array / fine) * fine",
    ),
    ("biases are lost", "bias=rounded.bias,", "bias=np.zeros_like(rounded.bias),"),
    (
        "edges saturate at half of what they reach",
        "lower, upper = rounded.tables.min(axis=-1), rounded.tables.max(axis=-1)",
        "lower, upper = rounded.tables.min(axis=-1) // 2, rounded.tables.max(axis=-1) // 2",
    ),
    (
        "the bounds of a sum leave its bias out",
        "total_high = upper.sum(axis=1) + rounded.bias",
        "total_high = upper.sum(axis=1)",
    ),
    (
        "concatenated codes: the zero points of the first part for all",
        "            np.broadcast_to(e.zero_point_for(1), size)\n",
        "            np.broadcast_to(elements[0].zero_point_for(1)[:1], size)\n",
    ),
) + seeds_of(
    "edge_rounding",
    (
        "edges are bounded coarser than they are rounded",
        "codes = np.rint(steps)",
        "codes = np.rint(steps / 2)",
    ),
)

SCALES = seeds_of(
    "scales",
    (
        "scales are twice too fine: half the range saturates",
        "scale = np.maximum(width / steps",
        "scale = np.maximum(width / 2 / steps",
    ),
    (
        "scales are four times too coarse",
        "scale = np.maximum(width / steps",
        "scale = np.maximum(width * 4 / steps",
    ),
    (
        "zero points have the wrong sign",
        "zero_point = np.rint(-low / scale)",
        "zero_point = np.rint(low / scale)",
    ),
)

FOLD_TABLES = seeds_of(
    "passes.fold_tables",
    (
        "tables saturate one code early",
        "element.zero_point_for(rank), lower, upper)",
        "element.zero_point_for(rank), lower, upper - 1)",
    ),
    (
        "tables start at the second code",
        "    _replace(op, chain.source, tables,",
        "    _replace(op, chain.source, np.roll(tables, 1, axis=-1),",
    ),
    ("biases are lost", "        bias=consumer.bias,\n", ""),
    (
        "the bounds of a sum leave its bias out",
        "high = np.where(mask, upper, 0).sum(axis=1) + bias",
        "high = np.where(mask, upper, 0).sum(axis=1)",
    ),
    (
        "storage of sums for the smallest node",
        "_narrowest(sum_type, int(low.min()), int(high.max()))",
        "_narrowest(sum_type, int(low.min()), int(high.min()))",
    ),
    (
        "pruned edges keep the tables that nobody reads",
        "        values[:, ~consumer.mask_array] = 0.0\n",
        "        pass\n",
        "no sum reads them; the next pass makes no table of a pruned edge",
    ),
) + seeds_of(
    "univariate",
    ("tables round down", "np.rint(values / scale)", "np.floor(values / scale)"),
    (
        "tables round half up",
        "np.rint(values / scale)",
        "np.floor(values / scale + 0.5)",
        "half a step is exact in float64 for no edge of these networks",
    ),
)

EXPAND_WIRES = seeds_of(
    "passes.expand_wires",
    (
        "tables are cut one code too late",
        "[codes.low - low : codes.high - low + 1]",
        "[codes.low - low + 1 : codes.high - low + 2]",
    ),
    ("every edge reads the first input", "inputs[i], f", "inputs[0], f"),
    ("edges transposed within a node", "(node, int(i)), inputs", "(node, -1 - int(i)), inputs"),
    ("biases are lost", "if int(bias[node]) or not terms:", "if not terms:"),
    (
        "zero points the wrong way round",
        "zero_out[node] - zero_in[node]",
        "zero_in[node] - zero_out[node]",
    ),
    (
        "a rounded node without its zero point",
        "                wire = self.offset(wire, zero_out[node])\n            else",
        "            else",
    ),
    (
        "the zero point before the rounding",
        "wire = self.offset(wire, -zero_in[node])",
        "wire = self.offset(wire, zero_out[node])",
    ),
    (
        "rounded to the wrong power of two",
        "ShiftOp(wire, shift, name",
        "ShiftOp(wire, shift - 1, name",
    ),
    (
        "nodes saturate one code early",
        "int(upper[node]), name=name)",
        "int(upper[node]) - 1, name=name)",
    ),
    (
        "marks name the nodes backwards",
        "for node, value in enumerate(values):",
        "for node, value in enumerate(reversed(values)):",
    ),
    (
        "concatenated in the wrong order",
        "for part in op.inputs for w",
        "for part in reversed(op.inputs) for w",
    ),
    (
        "outputs backwards",
        "outputs.extend(self.wires[codes])",
        "outputs.extend(reversed(self.wires[codes]))",
    ),
    (
        "the host's offset with the wrong sign",
        "FloatAttr(gain, f64), FloatAttr(offset, f64)",
        "FloatAttr(gain, f64), FloatAttr(-offset, f64)",
    ),
)

NARROW = seeds_of(
    "passes.narrow",
    ("what tables have in common, plus one", "_Term((value,), low)", "_Term((value,), low + 1)"),
    ("what tables have in common counts twice", "entries - low, care", "entries, care"),
    (
        "unreachable entries dropped at the wrong end",
        "clip(old.low, old.high) - old.low",
        "clip(old.low, old.high) - new.low",
    ),
    (
        "entries of a sum whose constant counts twice",
        "np.arange(new.low + taken, new.high + taken + 1)",
        "np.arange(new.low, new.high + 1)",
    ),
    (
        "a mark forgets that its node is not saturated",
        "                within=within,\n",
        "",
    ),
    (
        "of several constants the last",
        "constant += term.constant",
        "constant = term.constant",
    ),
    ("negative constants are lost", "        if constant:\n", "        if constant > 0:\n"),
    (
        "a clamp that saturates below only is dropped",
        "elif (low, high) == (source.low, source.high):",
        "elif high == source.high:",
    ),
    (
        "a sum takes in the first of a sum's values",
        "values.extend(term.values)",
        "values.extend(term.values[:1])",
    ),
    (
        "a mark loses its offset",
        "                offset=offset + taken,\n",
        "",
    ),
    (
        "codes from 0 are taken for twice as far off",
        "self.taken[op.result] = -half",
        "self.taken[op.result] = -2 * half",
    ),
    (
        "half of the range is not taken off again",
        "self.constant(-half)",
        "self.constant(0)",
    ),
    ("a shift by one more", "ShiftOp(value, amount, name", "ShiftOp(value, amount + 1, name"),
    ("a clamp one too narrow", "ClampOp(value, low, high,", "ClampOp(value, low, high - 1,"),
    (
        "a table that is nearly constant is one",
        "        if low == high:\n            self.values[op.result] = self.constant(low)\n"
        "            return\n        entries",
        "        if high - low <= 1:\n            self.values[op.result] = self.constant(low)\n"
        "            return\n        entries",
    ),
)

ADDERS = seeds_of(
    "adders",
    (
        "numbers whose bits meet in one place stand side by side",
        "kind.bits <= low_zeros(upper, known)",
        "kind.bits <= low_zeros(upper, known) + 1",
    ),
)

BALANCE_SUMS = seeds_of(
    "passes.balance_sums",
    (
        "a constant enters its table with the wrong sign",
        "table.entries_array + amount",
        "table.entries_array - amount",
    ),
    (
        "a constant enters a table and stays",
        "[value for value in op.inputs if value not in constants]",
        "list(op.inputs)",
    ),
    (
        "the second summand of a pair is forgotten",
        "adder = SumOp([*pair, *carry], name",
        "adder = SumOp([pair[0], *carry], name",
    ),
    (
        "one summand twice",
        "adder = SumOp([*pair, *carry], name",
        "adder = SumOp([pair[0], pair[0], *carry], name",
    ),
    (
        "a carry that comes in twice",
        "self._carries.remove(bit)",
        "pass",
    ),
    (
        "bits come in at adders below whose lowest bits they are",
        "if low_zeros(bit, self._zeros) <= zeros:",
        "if True:",
        "a sum of three that no adder takes at once is right, and dear",
    ),
    (
        "what is joined leaves its lower part behind",
        "left.pop(numbers[upper]), left.pop(numbers[lower])]",
        "left.pop(numbers[upper]), left[numbers[lower]]]",
    ),
    (
        "what entered a table is the first constant only",
        "amount = sum(range_of(value).low for value in constants)",
        "amount = range_of(constants[0]).low",
        "kan-narrow leaves one constant in a sum",
    ),
    (
        "a sum of the wrong type",
        "SumOp(last, result_type=range_of(op.result), name=op.given_name)",
        "SumOp(last, name=op.given_name)",
    ),
)

SHARE_TABLES = seeds_of(
    "passes.share_tables",
    ("the offset of a shared table is lost", "int(offset.flat[0]))", "0)"),
    (
        "a complement where the tables are equal",
        "if offset.min() < offset.max():",
        "if True:",
    ),
    (
        "tables of another sign are taken as they are",
        "if offset.min() < offset.max():",
        "if False:",
    ),
    (
        "all tables of one value are taken for alike",
        "shape = min((entries - low).tobytes(), (high - entries).tobytes())",
        'shape = b""',
    ),
    (
        "constants of a sum go where a table is shared",
        "amount = sum(range_of(term.value).low for term in constants)",
        "amount = 0",
    ),
)

SHARE_SUMS = seeds_of(
    "passes.share_sums",
    (
        "a sum is shared with the wrong sign",
        "own.entries_array - pair.sign * other",
        "own.entries_array - other",
    ),
    (
        "complements are taken for negatives",
        "[inverted.result], -meaning.constant",
        "[inverted.result], 0",
    ),
    ("the least of what differs is lost", "constant += low\n", "constant += 0\n"),
    ("the first node forgets what it does not share", "[common.result, *kept]", "[common.result]"),
    ("the second node keeps its tables", "if value.owner not in gone]", "]"),
)

SPLIT_TABLES = seeds_of(
    "passes.split_tables",
    (
        "the constant of a split is left out",
        "constant += split.constant",
        "constant += 0",
    ),
    ("parts look at one bit less", "self._bits(part.skipped)]", "self._bits(part.skipped + 1)]"),
    (
        "entries of the whole table by code, as if codes were patterns",
        "np.arange(kind.low, kind.high + 1) & ((1 << kind.bits) - 1)",
        "np.arange(kind.low, kind.high + 1) - kind.low",
    ),
    (
        "gates turned round",
        "part.amounts[:, classes.low : classes.high + 1], name",
        "part.amounts[::-1, classes.low : classes.high + 1], name",
    ),
    (
        "gates look at the next bit",
        "gate = self._bits(part.skipped, 1)",
        "gate = self._bits(part.skipped + 1, 1)",
    ),
)

SCHEDULE = seeds_of(
    "passes.schedule",
    (
        "a register too many on every hop",
        "stage + 1):\n            key",
        "stage + 2):\n            key",
    ),
    (
        "a register too few on every hop",
        "stages.of.get(value, stage) + 1, stage + 1)",
        "stages.of.get(value, stage) + 2, stage + 1)",
    ),
    (
        "only the first operand is delayed",
        "= [at(operand, stage) for operand in op.operands]",
        "= [at(op.operands[0], stage), *op.operands[1:]]",
    ),
    (
        "the register of another value of the same range",
        "key = (value, following)",
        "key = (value.type, following)",
    ),
    ("results come a cycle early", "[at(operand, latency)", "[at(operand, latency - 1)"),
    (
        "results with one register less, all alike and unsaid",
        "function.attributes[LATENCY] = IntegerAttr(latency, i64)",
        "function.attributes[LATENCY] = IntegerAttr(latency + 1, i64)",
    ),
    (
        "marks a cycle late",
        "stages.of.get(op.value, 0), i64)",
        "stages.of.get(op.value, 0) + 1, i64)",
    ),
    (
        "a stage is as early as its earliest operand",
        "stage, start = max(places, default=(0, 0.0))",
        "stage, start = min(places, default=(0, 0.0))",
    ),
    (
        "delays of several cycles share one register",
        "                delayed[key] = register.result\n            source = delayed[key]\n",
        "                delayed[key] = register.result\n"
        "                source = delayed[key]\n                break\n"
        "            source = delayed[key]\n",
    ),
    (
        "registers stay where they were",
        "            remove_registers(function)\n",
        "",
        "there are none before the first schedule",
    ),
)

KAN_TO_HW = seeds_of(
    "lowering.kan_to_hw",
    ("out_valid a cycle late", "range(1, latency + 1)", "range(1, latency + 2)"),
    ("out_valid a cycle early", "range(1, latency + 1)", "range(1, latency)"),
    ("reset clears no valid bit", "self.clock, (reset, zero))", "self.clock)"),
    ("reset sets the valid bits", "zero = self.constant(0, 1)", "zero = self.constant(1, 1)"),
    (
        "reset clears the last valid bit only",
        "register = building.register(valid, self.clock, (reset, zero))",
        "register = building.register(valid, self.clock, (reset, zero) if stage == latency else None)",
    ),
    (
        "reset clears data",
        "wire = self.add(building.register(wire, self.clock), name)",
        "wire = self.add(building.register(wire, self.clock, "
        "(self.block.args[1], self.constant(0, range_of(op.result).bits))), name)",
    ),
    (
        "entries backwards",
        "planes = (entries[:, np.newaxis]",
        "planes = (entries[::-1, np.newaxis]",
    ),
    ("bits of entries backwards", ">> np.arange(bits))", ">> np.arange(bits)[::-1])"),
    (
        "tables of two inputs: the second first",
        "building.joined(wires, width)",
        "building.joined(wires[::-1], width)",
    ),
    (
        "zeros for signs",
        "        if signed:\n            upper",
        "        if False:\n            upper",
    ),
    (
        "extended by the last bit but one",
        "upper = self.part(wire, bits - 1, 1)",
        "upper = self.part(wire, max(bits - 2, 0), 1)",
    ),
    (
        "cut off at the wrong end",
        "return self.part(wire, 0, target)",
        "return self.part(wire, -missing, target)",
    ),
    (
        "clamps compare as unsigned",
        'sign = "s" if source.is_signed else "u"',
        'sign = "u"',
    ),
    (
        "clamps never saturate below",
        '("lt", target.low, source.low < target.low)',
        '("lt", target.low, False)',
    ),
    (
        "clamps saturate at the wrong end",
        "saturated = self.constant(bound, target.bits)",
        "saturated = self.constant(target.low, target.bits)",
    ),
    (
        "clamps turned round",
        "comb.MuxOp(self.add(beyond), saturated, result)",
        "comb.MuxOp(self.add(beyond), result, saturated)",
    ),
    (
        "shifts round half up",
        "self.constant((1 << (amount - 1)) - 1, bits)",
        "self.constant(1 << (amount - 1), bits)",
    ),
    (
        "shifts look at the wrong bit to round to even",
        "odd = self.part(wide, amount, 1)",
        "odd = self.part(wide, amount - 1, 1)",
    ),
    (
        "rounding overflows",
        "bits = max(source.bits, amount) + 1",
        "bits = max(source.bits, amount + 1)",
    ),
    (
        "multiplied by one power of two less",
        "low = self.constant(0, -amount)",
        "low = self.constant(1, -amount)",
    ),
    (
        "a delay is one register short",
        "for cycle in range(1, cycles + 1):",
        "for cycle in range(1, cycles):",
    ),
    (
        "marks name the cycle before",
        '"cycle": IntegerAttr(cycle, i64)',
        '"cycle": IntegerAttr(max(cycle - 1, 0), i64)',
    ),
    (
        "outputs backwards",
        "outputs.extend(self.wires[value] for value in op.operands)",
        "outputs.extend(self.wires[value] for value in reversed(op.operands))",
    ),
    (
        "zero points with the wrong sign",
        "IntegerAttr(int(encoding.zero_points[0]), i64)",
        "IntegerAttr(-int(encoding.zero_points[0]), i64)",
    ),
    (
        "the host's offset is lost",
        'port["gain"], port["offset"] = (StringAttr(repr(part)) for part in affine)',
        'port["gain"] = StringAttr(repr(affine[0]))',
    ),
    (
        "adders lose their highest bit",
        "return self.add(building.added(terms), name)",
        "return self.resized(self.add(building.added([self.resized(t, bits, max(bits - 1, 1), False) "
        "for t in terms]), name), max(bits - 1, 1), bits, False)",
    ),
)

BIT_PATTERNS = seeds_of(
    "attributes",
    (
        "signed inputs address their tables as unsigned",
        "        if self.is_signed:\n            patterns",
        "        if False:\n            patterns",
    ),
    (
        "the lowest code is taken for a positive one",
        "patterns >= 1 << (self.bits - 1)",
        "patterns > 1 << (self.bits - 1)",
    ),
)

EMIT_MODULE = seeds_of(
    "lowering.systemverilog.module",
    ("reset active low", "if ({self._operand(reset)})", "if (!{self._operand(reset)})"),
    ("registers at the falling edge", "always_ff @(posedge", "always_ff @(negedge"),
    (
        "outputs backwards",
        "zip(self.output_names, op.inputs, strict=True)",
        "zip(self.output_names, reversed(op.inputs), strict=True)",
    ),
    (
        "reset loads what comes next",
        "<= {self._operand(op.reset_value)};",
        "<= {self._operand(op.input)};",
    ),
    (
        "registers of a stage load what the first does",
        "[self._load(op) for op in registers]",
        '[f"{self._name(op.data)} <= {self._operand(registers[0].input)};" for op in registers]',
    ),
    (
        "the last register of a stage is missing",
        "[self._load(op) for op in registers]",
        "[self._load(op) for op in registers][: max(1, len(registers) - 1)]",
    ),
    ("ports in the wrong order", '",\\n".join(ports)', '",\\n".join(reversed(ports))'),
    (
        "out_valid behind y",
        '",\\n".join(ports)',
        '",\\n".join([*ports[:-2], ports[-1], ports[-2]])',
    ),
    (
        "inputs named one late",
        "self._give_name(next(arguments), name)",
        'self._give_name(next(arguments), {"x0": "x1", "x1": "x0"}.get(name, name))',
    ),
)

EMIT_EXPRESSIONS = seeds_of(
    "lowering.systemverilog.expressions",
    (
        "extended by the last bit but one",
        "part(name, source, source - 1, 1)",
        "part(name, source, max(source - 2, 0), 1)",
    ),
    (
        "slices one bit too high",
        'f"{name}[{low}]" if size == 1 else f"{name}[{low + size - 1}:{low}]"',
        'f"{name}[{low}]" if size == 1 else f"{name}[{low + size - 1 + (low > 0)}:{low + (low > 0)}]"',
    ),
    (
        "slices one bit short",
        'f"{name}[{low + size - 1}:{low}]"',
        'f"{name}[{low + size - 2}:{low}]"',
    ),
    (
        "negative constants one too high",
        '_sized((1 << width) - pattern, width)}", Level',
        '_sized((1 << width) - pattern - 1, width)}", Level',
    ),
    (
        "negative ends of comparisons one off",
        'f"-{width}\'sd{2 * sign - pattern}"',
        'f"-{width}\'sd{2 * sign - pattern - 1}"',
        "only clamps compare with them: at the end itself both choices are the end",
    ),
    (
        "the lowest number as a negated one",
        "    if pattern == sign:  # its magnitude is no positive number of this width\n"
        '        return Expression(f"{width}\'sh{pattern:X}")\n',
        "",
        "the negation of the lowest number is itself, modulo 2^width",
    ),
    (
        "comparisons of signed numbers as unsigned",
        'Expression(f"$signed({operand.text})")',
        'Expression(f"({operand.text})")',
    ),
    ("one copy of the sign too few", "{{{count}{{", "{{{max(count - 1, 1)}{{"),
    (
        "concatenated backwards",
        'for operand in operands) + "}"',
        'for operand in reversed(operands)) + "}"',
    ),
    ("constants one bit wider", 'f"{width}\'d{magnitude}"', 'f"{width + 1}\'d{magnitude}"'),
    (
        "constants cut to 3 bits",
        'f"{width}\'d{magnitude}"',
        'f"{width}\'d{magnitude & 7}"',
    ),
)

EMIT_OPERATIONS = seeds_of(
    "lowering.systemverilog.operations",
    (
        "signed comparisons of unsigned operands",
        'operand = self.signed if predicate[0] == "s" else self.of',
        "operand = self.of",
    ),
    (
        "a negative constant is subtracted as if positive",
        "literal(2 * negative - offset, width)",
        "literal(offset, width)",
    ),
    (
        "a constant is lost in a sum",
        '        if offset < negative or width == 1:\n            return infix("+", Level.SUM, [*terms, literal(offset, width)])',
        '        if offset < negative or width == 1:\n            return infix("+", Level.SUM, terms)',
    ),
    (
        "half the modulus is added, not subtracted",
        "if offset < negative or width == 1:",
        "if offset <= negative or width == 1:",
        "2^(width - 1) and its negative are the same, modulo 2^width",
    ),
    (
        "sums become differences",
        'else infix("+", Level.SUM, terms)\n        if offset <',
        'else infix("-", Level.SUM, terms)\n        if offset <',
    ),
    (
        "choices turned round",
        "            self.of(op.true_value, negative=negative),\n"
        "            self.of(op.false_value, negative=negative),\n",
        "            self.of(op.false_value, negative=negative),\n"
        "            self.of(op.true_value, negative=negative),\n",
    ),
    (
        "slices from bit 0",
        "op.low_bit.value.data, widths[1])",
        "0, widths[1])",
    ),
    (
        "sums without their last term",
        "for value in values if value not in constants])",
        "for value in values if value not in constants][: max(1, len(values) - 1)])",
    ),
    (
        "comparisons include the end",
        '"gt": (">", Level.ORDER)',
        '"gt": (">=", Level.ORDER)',
        "at the end itself both choices are the end",
    ),
    ("less for greater", '"lt": ("<", Level.ORDER)', '"lt": (">", Level.ORDER)'),
)

EMIT_TABLES = seeds_of(
    "lowering.systemverilog.tables",
    ("vectors start at their highest bit", 'axis=1, bitorder="little")', 'axis=1, bitorder="big")'),
    ("vectors of the next higher bit", ">> places) &", ">> (places + 1)) &"),
    (
        "pieces of long vectors in the wrong order",
        "for start in reversed(starts):",
        "for start in starts:",
    ),
    ("pieces of long vectors overlap", "(plane >> start)", "(plane >> max(start - 1, 0))"),
    ("vectors lose their last entry", "logic [{size - 1}:0] {name}", "logic [{size - 2}:0] {name}"),
    (
        "tables of 256 entries and more are described in words",
        "if len(entries) > LISTED_ENTRIES:",
        "if len(entries) > 2 * LISTED_ENTRIES:",
        "comments are not read",
    ),
) + seeds_of(
    "lowering.systemverilog.module",
    ("bits of an entry backwards", "for bit in reversed(word)", "for bit in word"),
    (
        "vectors that are 1 for the last code only are 1 for all",
        '(1 << size) - 1: "1\'b1"}',
        '1 << (size - 1): "1\'b1"}',
    ),
    (
        "vectors of the lowest bit are 0",
        "enumerate(planes(entries, width))",
        "enumerate([0, *planes(entries, width)[1:]])",
    ),
    (
        "one of the vectors for all",
        'bits[plane] = f"{constant}[{index}]"',
        'bits[plane] = next((b for b in word if "[" in b), f"{constant}[{index}]")',
    ),
)

EMIT_ADDERS = seeds_of(
    "lowering.systemverilog.module",
    (
        "add functions return one bit too low",
        "{{{name}, {unused}}} = {twice};",
        "{{{unused}, {name}}} = {twice};",
    ),
    ("add functions halve what is on the left", "{{{left}, {below}}} +", "{{{below}, {left}}} +"),
    (
        "absorbing functions halve what is on the left",
        "{{{left}, {below}}} -",
        "{{{below}, {left}}} -",
    ),
    ("absorbing functions forget the bit below", "{{~{right}, {inverted}}}", "{{~{right}, 1'b0}}"),
    ("add functions add the left one twice", "+ {{{right}, {below}}}", "+ {{{left}, {below}}}"),
    (
        "add functions have no bit for the zero below",
        "for bits in (adder.width, adder.width + 1)",
        "for bits in (adder.width, adder.width)",
    ),
    (
        "add functions carry from below",
        'below, inverted = ("1\'b0", "1\'b1")',
        'below, inverted = ("1\'b1", "1\'b0")',
    ),
    ("carries come in inverted", 'carry, f"~{carry}"', 'f"~{carry}", carry'),
) + seeds_of(
    "lowering.systemverilog.operations",
    (
        "the narrowest add function for all",
        "self.adders[adder]",
        "self.adders[min(each for each in self.adders if each[:2] == adder[:2])]",
    ),
    (
        "add functions of one term",
        '", ".join(operand.text for operand in self._all(operands))',
        '", ".join(o.text for o in self._all([operands[0], *operands[:1], *operands[2:]]))',
    ),
)

EMIT_LAYOUT = seeds_of(
    "lowering.systemverilog.layout",
    (
        "signals one bit too narrow",
        'ranges = f" [{width - 1}:0]" if width',
        'ranges = f" [{max(width - 2, 0)}:0]" if width',
    ),
    (
        "signals one bit too wide",
        'ranges = f" [{width - 1}:0]" if width',
        'ranges = f" [{width}:0]" if width',
    ),
    (
        "bits numbered backwards",
        'ranges = f" [{width - 1}:0]" if width',
        'ranges = f" [0:{width - 1}]" if width',
    ),
) + seeds_of(
    "lowering.systemverilog.analysis",
    (
        "values that are only named are not written",
        "    wanted += [value.op for value in facts.hints if type(value) is OpResult]\n",
        "",
        "nothing depends on them",
    ),
    (
        "any slice extends the sign",
        "        and bit.low_bit.value.data == bit_width(source.type) - 1\n",
        "",
        "the lowering extends by no other bit",
    ),
    (
        "comparisons with an end of the range decided wrongly",
        "end = lowest if below else highest",
        "end = highest if below else lowest",
        "no op that the lowering makes is one: a test of the emitter has it",
    ),
)

SEEDS = [
    *FOLD_AFFINE,
    *QUANTIZE,
    *SCALES,
    *FOLD_TABLES,
    *EXPAND_WIRES,
    *NARROW,
    *ADDERS,
    *BALANCE_SUMS,
    *SHARE_TABLES,
    *SHARE_SUMS,
    *SPLIT_TABLES,
    *SCHEDULE,
    *KAN_TO_HW,
    *BIT_PATTERNS,
    *EMIT_MODULE,
    *EMIT_EXPRESSIONS,
    *EMIT_OPERATIONS,
    *EMIT_TABLES,
    *EMIT_ADDERS,
    *EMIT_LAYOUT,
]
