"""Bugs in passes on wires."""

from __future__ import annotations

from edits import Replace

from seeds.seed import seeds_in

SEEDS = [
    *seeds_in(
        "kan-expand-wires",
        "_Expansion.table",
        (
            "tables are cut one code too late",
            Replace(
                "...[codes.low - low:codes.high - low + 1]",
                "...[codes.low - low + 1:codes.high - low + 2]",
            ),
        ),
    ),
    *seeds_in(
        "kan-expand-wires",
        "_Expansion.node_sum",
        ("every edge reads the first input", Replace("inputs[i]", "inputs[0]")),
        ("edges transposed within a node", Replace("int(i)", "-1 - int(i)")),
        ("biases are lost", Replace("int(bias[node]) or not terms", "not terms")),
    ),
    *seeds_in(
        "kan-expand-wires",
        "_Expansion.requantize",
        (
            "zero points the wrong way round",
            Replace("zero_out[node] - zero_in[node]", "zero_in[node] - zero_out[node]"),
        ),
        (
            "a rounded node without its zero point",
            Replace("wire = self.offset(wire, zero_out[node])", ""),
        ),
        ("the zero point before the rounding", Replace("-zero_in[node]", "zero_out[node]")),
        (
            "rounded to the wrong power of two",
            Replace("ShiftOp(wire, shift, ...)", "ShiftOp(wire, shift - 1, ...)"),
        ),
        ("nodes saturate one code early", Replace("int(upper[node])", "int(upper[node]) - 1")),
    ),
    *seeds_in(
        "kan-expand-wires",
        "_Expansion.mark",
        (
            "marks name the nodes backwards",
            Replace("enumerate(values)", "enumerate(reversed(values))"),
        ),
    ),
    *seeds_in(
        "kan-expand-wires",
        "_Expansion.run",
        (
            "concatenated in the wrong order",
            Replace(
                "[... for part in op.inputs for w in ...]",
                "[... for part in reversed(op.inputs) for w in ...]",
            ),
        ),
    ),
    *seeds_in(
        "kan-expand-wires",
        "_Expansion.finish",
        (
            "outputs backwards",
            Replace(
                "outputs.extend(self.wires[codes])", "outputs.extend(reversed(self.wires[codes]))"
            ),
        ),
    ),
    *seeds_in(
        "kan-expand-wires",
        "_affines",
        (
            "the host's offset with the wrong sign",
            Replace("offsets.tolist()", "(-offsets).tolist()"),
        ),
    ),
    *seeds_in(
        "kan-narrow",
        "_Narrowing._narrow_table",
        (
            "what tables have in common, plus one",
            Replace("_Term([_add(op, from_zero)], low)", "_Term([_add(op, from_zero)], low + 1)"),
        ),
        ("what tables have in common counts twice", Replace("entries - low", "entries")),
        ("a table that is nearly constant is one", Replace("low == high", "high - low <= 1")),
    ),
    *seeds_in(
        "kan-narrow",
        "_reachable",
        (
            "unreachable entries dropped at the wrong end",
            Replace(
                "(...).clip(old.low, old.high) - old.low", "(...).clip(old.low, old.high) - new.low"
            ),
        ),
    ),
    *seeds_in(
        "kan-narrow",
        "_Narrowing._narrow_sum",
        (
            "of several constants the last",
            Replace("constant += term.constant", "constant = term.constant"),
        ),
        (
            "negative constants are lost",
            Replace("constant or not values", "constant > 0 or not values"),
        ),
        (
            "a sum takes in the first of a sum's values",
            Replace("values.extend(term.values)", "values.extend(term.values[:1])"),
        ),
    ),
    *seeds_in(
        "kan-narrow",
        "_Narrowing._narrow_clamp",
        (
            "a clamp that saturates below only is dropped",
            Replace("(low, high) == (source.low, source.high)", "high == source.high"),
        ),
        (
            "a clamp one too narrow",
            Replace("ClampOp(value, low, high, ...)", "ClampOp(value, low, high - 1, ...)"),
        ),
    ),
    *seeds_in(
        "kan-narrow",
        "_Narrowing._narrow_shift",
        (
            "a shift by one more",
            Replace("ShiftOp(value, amount, ...)", "ShiftOp(value, amount + 1, ...)"),
        ),
    ),
    *seeds_in(
        "kan-fold-clamps",
        "fold_clamps:_move_readers",
        (
            "entries of a sum whose constant counts twice",
            Replace(
                "np.arange(source.low, source.high + 1) + added",
                "np.arange(source.low, source.high + 1)",
            ),
        ),
    ),
    *seeds_in(
        "kan-fold-clamps",
        "moved_mark",
        (
            "a mark forgets that its node is not saturated",
            Replace("MarkOp(..., within=within)", "MarkOp(...)"),
        ),
        ("a mark loses its offset", Replace("MarkOp(..., offset=offset + added)", "MarkOp(...)")),
    ),
    *seeds_in(
        "kan-fold-clamps",
        "ClampFromZero.match_and_rewrite",
        (
            "codes from 0 are taken for twice as far off",
            Replace(
                "_move_readers(op, clamp.result, -half, rewriter)",
                "_move_readers(op, clamp.result, -2 * half, rewriter)",
            ),
        ),
        (
            "half of the range is not taken off again",
            Replace("[ConstantOp(-half)]", "[ConstantOp(0)]"),
        ),
    ),
    *seeds_in(
        "kan-fold-clamps",
        "ClampIntoTables.match_and_rewrite",
        (
            "the constant of the sum is forgotten",
            Replace(
                "_move_readers(op, value, constant, rewriter)",
                "_move_readers(op, value, 0, rewriter)",
            ),
        ),
    ),
    *seeds_in(
        "sums of passes",
        "rebuild_sum",
        (
            "the constants of the old sum are lost",
            Replace("amount += constant", "amount = constant"),
        ),
        ("the new constant is lost", Replace("amount += constant", "amount += 0")),
    ),
    *seeds_in(
        "kan-balance-sums",
        "joined_of",
        (
            "numbers whose bits meet in one place stand side by side",
            Replace("low_zeros(upper, known)", "low_zeros(upper, known) + 1"),
        ),
    ),
    *seeds_in(
        "kan-balance-sums",
        "ConstantIntoTable.match_and_rewrite",
        (
            "a constant enters its table with the wrong sign",
            Replace("table.entries_array + amount", "table.entries_array - amount"),
        ),
        (
            "a constant enters a table and stays",
            Replace("[value for value in op.inputs if value not in constants]", "list(op.inputs)"),
        ),
        (
            "what entered a table is the first constant only",
            Replace(
                "sum(range_of(value).low for value in constants)", "range_of(constants[0]).low"
            ),
            "kan-narrow leaves one constant in a sum",
        ),
    ),
    *seeds_in(
        "kan-balance-sums",
        "balance_sums:_move",
        (
            "a constant of a partial sum leaves its table with the wrong sign",
            Replace("op.entries_array + amount", "op.entries_array - amount"),
        ),
        (
            "the constant above a partial sum is twice as far above",
            Replace("ConstantOp(place.constant)", "ConstantOp(2 * place.constant)"),
        ),
    ),
    *seeds_in(
        "kan-balance-sums",
        "AdderTree._add_up",
        (
            "the second summand of a pair is forgotten",
            Replace("[*pair, *carry]", "[pair[0], *carry]"),
        ),
        ("one summand twice", Replace("[*pair, *carry]", "[pair[0], pair[0], *carry]")),
    ),
    *seeds_in(
        "kan-balance-sums",
        "AdderTree._take_carry",
        ("a carry that comes in twice", Replace("self._carries.remove(bit)", "pass")),
        (
            "bits come in at adders below whose lowest bits they are",
            Replace("low_zeros(bit, self._zeros) <= zeros", "True"),
            "a sum of three that no adder takes at once is right, and dear",
        ),
    ),
    *seeds_in(
        "kan-balance-sums",
        "AdderTree._put_side_by_side",
        (
            "what is joined leaves its lower part behind",
            Replace("left.pop(numbers[lower])", "left[numbers[lower]]"),
        ),
    ),
    *seeds_in(
        "kan-balance-sums",
        "AdderTree.__init__",
        (
            "a sum of the wrong type",
            Replace("SumOp(..., result_type=range_of(op.result))", "SumOp(...)"),
        ),
    ),
    *seeds_in(
        "kan-merge-tables",
        "merge_tables:_composed",
        (
            "a table of a table is read one code too low",
            Replace(
                "inner.filled - range_of(inner.result).low",
                "inner.filled - range_of(inner.result).low - 1",
            ),
        ),
    ),
    *seeds_in(
        "kan-share-tables",
        "_share_alike",
        ("the offset of a shared table is lost", Replace("int(offset.flat[0])", "0")),
        ("a complement where the tables are equal", Replace("offset.min() < offset.max()", "True")),
        (
            "tables of another sign are taken as they are",
            Replace("offset.min() < offset.max()", "False"),
        ),
    ),
    *seeds_in(
        "kan-share-tables",
        "alike_tables",
        (
            "all tables of one value are taken for alike",
            Replace("min((entries - low).tobytes(), (high - entries).tobytes())", "b''"),
        ),
    ),
    *seeds_in(
        "kan-share-tables",
        "_replace_summands",
        (
            "constants of a sum go where a table is shared",
            Replace(
                "[term.value for term in terms]",
                "[t.value for t in terms if getattr(t.value.owner, 'name', '') != 'kan.constant']",
            ),
        ),
    ),
    *seeds_in(
        "kan-share-sums",
        "_read_common_sum",
        (
            "a sum is shared with the wrong sign",
            Replace("pair.sign * first.tables[x].entries_array", "first.tables[x].entries_array"),
        ),
        (
            "complements are taken for negatives",
            Replace("([inverted.result], -meaning.constant)", "([inverted.result], 0)"),
        ),
        ("the least of what differs is lost", Replace("constant += low", "constant += 0")),
        (
            "the second node keeps its tables",
            Replace(
                "[value for value in ... if value.owner not in gone]",
                "[value for value in ...]",
            ),
        ),
    ),
    *seeds_in(
        "kan-share-sums",
        "_add_common_sum",
        (
            "the first node forgets what it does not share",
            Replace("[common.result, *kept]", "[common.result]"),
        ),
    ),
    *seeds_in(
        "kan-split-tables",
        "SplitSummands.match_and_rewrite",
        ("the constant of a split is left out", Replace("split.constant", "0")),
    ),
    *seeds_in(
        "kan-split-tables",
        "PartOps._part",
        (
            "parts look at one bit less",
            Replace("self._bits(part.skipped)", "self._bits(part.skipped + 1)"),
        ),
        (
            "gates turned round",
            Replace(
                "part.amounts[:, classes.low:classes.high + 1]",
                "part.amounts[::-1, classes.low:classes.high + 1]",
            ),
        ),
        (
            "gates look at the next bit",
            Replace(
                "self._bits(part.skipped, part.gate_bits)",
                "self._bits(part.skipped + 1, part.gate_bits)",
            ),
        ),
    ),
    *seeds_in(
        "kan-split-tables",
        "PartOps._by_code",
        (
            "entries of the whole table by code, as if codes were patterns",
            Replace(
                "np.arange(kind.low, kind.high + 1) & (1 << kind.bits) - 1",
                "np.arange(kind.low, kind.high + 1) - kind.low",
            ),
        ),
    ),
    *seeds_in(
        "kan-split-adders",
        "AdderParts.__init__",
        (
            "lowest bits of the next number",
            Replace("total & ((1 << bits) - 1)", "total + 1 & ((1 << bits) - 1)"),
        ),
        ("the lowest bit is lost", Replace("(1 << bits) - 1", "(1 << bits) - 2")),
        ("the carry is lost", Replace("[*upper, carried]", "[*upper]")),
    ),
    *seeds_in(
        "kan-schedule",
        "insert_registers.at",
        ("a register too many on every hop", Replace("stage + 1", "stage + 2")),
        (
            "a register too few on every hop",
            Replace("stages.of.get(value, stage) + 1", "stages.of.get(value, stage) + 2"),
        ),
        (
            "the register of another value of the same range",
            Replace("(value, following)", "(value.type, following)"),
        ),
        (
            "delays of several cycles share one register",
            Replace(
                "delayed[key] = register.result",
                ("delayed[key] = register.result\nsource = delayed[key]\nbreak\n"),
            ),
        ),
    ),
    *seeds_in(
        "kan-window-tables",
        "_Windowing._place",
        (
            "marks without the increment",
            Replace("moved_mark(mark, moved.result, -amount)", "moved_mark(mark, moved.result)"),
        ),
        (
            "a sum is moved twice",
            Replace("self._values[free] = moved.result", "self._values[0] = moved.result"),
        ),
    ),
    *seeds_in(
        "kan-window-tables",
        "_Windowing._reader",
        (
            "codes below zero in the wrong place",
            Replace("(...) % size", "(...).clip(0, size - 1)"),
        ),
    ),
    *seeds_in(
        "kan-window-tables",
        "_Windowing._extracted",
        (
            "the lowest bits of each value",
            Replace("ExtractOp(value, window.low, ...)", "ExtractOp(value, 0, ...)"),
        ),
    ),
    *seeds_in(
        "kan-window-tables",
        "Window.behind",
        (
            "tables turn the wrong way",
            Replace("increment - self.increment", "self.increment - increment"),
        ),
    ),
    *seeds_in(
        "kan-window-tables",
        "_CodeSearch._numbered",
        (
            "classes off by one",
            Replace("ring.entries[care] = which", "ring.entries[care] = which ^ 1"),
        ),
    ),
    *seeds_in(
        "kan-schedule",
        "insert_registers",
        (
            "only the first operand is delayed",
            Replace(
                "[at(operand, stage) for operand in op.operands]",
                "[at(op.operands[0], stage), *op.operands[1:]]",
            ),
        ),
        ("results come a cycle early", Replace("at(operand, latency)", "at(operand, latency - 1)")),
        (
            "marks a cycle late",
            Replace("stages.of.get(op.value, 0)", "stages.of.get(op.value, 0) + 1"),
        ),
    ),
    *seeds_in(
        "kan-schedule",
        "SchedulePass.rewrite",
        (
            "results with one register less, all alike and unsaid",
            Replace("declare_latency(function, latency)", "declare_latency(function, latency + 1)"),
        ),
        (
            "registers stay where they were",
            Replace("remove_registers(function)", ""),
            "there are none before the first schedule",
        ),
    ),
    *seeds_in(
        "kan-schedule",
        "_Assignment._earliest",
        (
            "a stage is as early as its earliest operand",
            Replace(
                "own > stage or (own == stage and arrival > start)",
                "own < stage or (own == stage and arrival > start)",
            ),
        ),
    ),
]
