"""Bugs in the lowering of training steps, for `seeded_training.py` and the tests."""

from __future__ import annotations

from edits import Replace

from seeds.seed import seeds_in

SEEDS = [
    *seeds_in(
        "training",
        "TrainingLowering.run",
        ("interlock-a-cycle-short", Replace("range(1, interval)", "range(1, interval - 1)")),
        ("interval-a-cycle-short", Replace("self.write_cycles[s] + 1", "self.write_cycles[s]")),
        ("accesses-a-cycle-early", Replace("last + 1", "last")),
        ("accesses-do-not-wait", Replace("[self.mem_valid, mem_ready]", "[self.mem_valid] * 2")),
        (
            "samples-during-accesses",
            Replace("[build.add(training), self.mem_valid]", "[build.add(training)]"),
        ),
        ("training-without-train", Replace("[accepted, train]", "[accepted, accepted]")),
        ("training-when-not-ready", Replace("[accepted, train]", "[in_valid, train]")),
        (
            "output-survives-reset",
            Replace(
                "self._after(accepted, output.cycle, clear=True)",
                "self._after(accepted, output.cycle)",
            ),
        ),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._read",
        ("blocks-count-as-read-late", Replace("places.cycle + within", "places.cycle + 1")),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._update",
        (
            "write-a-cycle-late",
            Replace(
                "self._after(self.trained, cycle, ...)", "self._after(self.trained, cycle + 1, ...)"
            ),
        ),
        (
            "write-a-cycle-early",
            Replace(
                "self._after(self.trained, cycle, ...)", "self._after(self.trained, cycle - 1, ...)"
            ),
        ),
        ("write-survives-reset", Replace("self._after(..., clear=True)", "self._after(...)")),
        ("row-of-the-next-sample", Replace("cycle - places.cycle", "cycle - places.cycle - 1")),
        ("row-of-the-sample-before", Replace("cycle - places.cycle", "cycle - places.cycle + 1")),
        ("stale-error", Replace("self._at(error, cycle)", "self._at(error, cycle + 1)")),
        ("stale-weights", Replace("self._at(weights, cycle)", "self._at(weights, cycle + 1)")),
        ("stale-coefficient", Replace("self._at(origin, cycle)", "self._at(origin, cycle + 1)")),
        (
            "update-does-not-saturate",
            Replace(
                "self.math.saturated(self.math.rounded(step, shift, plus=old), self.number)",
                "self.math.rounded(step, shift, plus=old)",
            ),
        ),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._make_memories",
        (
            "initial-word-off-by-one",
            Replace(
                "self.map.words(bank, states[bank.layer])",
                "self.map.words(bank, states[bank.layer]) + (bank.number == 1)",
            ),
        ),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._write",
        (
            "access-writes-every-bank",
            Replace(
                "[self.access, self.mem_write, self._is_accessed(bank)]",
                "[self.access, self.mem_write]",
            ),
        ),
        (
            "reading-access-writes",
            Replace(
                "[self.access, self.mem_write, self._is_accessed(bank)]",
                "[self.access, self._is_accessed(bank)]",
            ),
        ),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._read_word",
        (
            "access-reads-a-bank-early",
            Replace("self._after(self.mem_address, 1)", "self.mem_address"),
        ),
        (
            "access-reads-a-cycle-late",
            Replace("self._after(word.wire, 1)", "self._after(word.wire, 2)"),
        ),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._row",
        (
            "row-one-too-far",
            Replace(
                "comb.ICmpOp(remainder.wire, ..., 'ugt')",
                "comb.ICmpOp(remainder.wire, ..., 'uge')",
            ),
        ),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._rotated",
        ("basis-turned-the-other-way", Replace("bank - rest", "bank + rest")),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._basis",
        (
            "slopes-beyond-the-grid",
            Replace("number = self._masked(number, inside.wire)", "assert inside.wire"),
        ),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._within",
        ("below-the-grid", Replace("position.low < 0", "position.low > 0")),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._error",
        (
            "error-has-the-wrong-sign",
            Replace("self.math.difference(t, y)", "self.math.difference(y, t)"),
        ),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._locate",
        ("position-scaled-too-far", Replace("multipliers[index]", "multipliers[index] + 1")),
    ),
    *seeds_in(
        "training",
        "TrainingLowering._combine",
        (
            "momentum-without-rounding",
            Replace(
                "self.math.rounded(total, FACTOR_BITS)",
                "self.math.shifted_right(total, FACTOR_BITS)",
            ),
        ),
    ),
    *seeds_in(
        "training",
        "Datapath.rounded",
        ("ties-round-up", Replace("self.build.inverted(tie, 1)", "last")),
    ),
    *seeds_in(
        "training",
        "Datapath.saturated",
        ("saturates-to-the-other-end", Replace("self.build.inverted(sign, 1)", "sign")),
    ),
]
