"""Bugs in the lowering of training steps, for `seeded_training.py` and the tests."""

from __future__ import annotations

from edits import Replace

from seeds.seed import seeds_in

SEEDS = [
    *seeds_in(
        "training",
        "TrainingLowering.run",
        ("interlock-a-cycle-short", Replace("range(1, interval)", "range(1, interval - 1)")),
        ("interval-a-cycle-short", Replace("banks.write_cycles[s] + 1", "banks.write_cycles[s]")),
        ("accesses-a-cycle-early", Replace("last + 1", "last")),
        ("accesses-do-not-wait", Replace("[mem_valid, mem_ready]", "[mem_valid] * 2")),
        (
            "samples-during-accesses",
            Replace("[build.add(training), mem_valid]", "[build.add(training)]"),
        ),
        ("training-without-train", Replace("[accepted, train]", "[accepted, accepted]")),
        ("training-when-not-ready", Replace("[accepted, train]", "[in_valid, train]")),
        (
            "output-survives-reset",
            Replace(
                "time.after(accepted, output.cycle, clear=True)",
                "time.after(accepted, output.cycle)",
            ),
        ),
    ),
    *seeds_in(
        "training",
        "CoefficientBanks.read",
        ("blocks-count-as-read-late", Replace("places.cycle + within", "places.cycle + 1")),
    ),
    *seeds_in(
        "training",
        "StepOps._update",
        (
            "write-a-cycle-late",
            Replace(
                "self.time.after(self.trained, cycle, ...)",
                "self.time.after(self.trained, cycle + 1, ...)",
            ),
        ),
        (
            "write-a-cycle-early",
            Replace(
                "self.time.after(self.trained, cycle, ...)",
                "self.time.after(self.trained, cycle - 1, ...)",
            ),
        ),
        (
            "write-survives-reset",
            Replace("self.time.after(..., clear=True)", "self.time.after(...)"),
        ),
        ("row-of-the-next-sample", Replace("cycle - places.cycle", "cycle - places.cycle - 1")),
        ("row-of-the-sample-before", Replace("cycle - places.cycle", "cycle - places.cycle + 1")),
        ("stale-error", Replace("self.time.at(error, cycle)", "self.time.at(error, cycle + 1)")),
        (
            "stale-weights",
            Replace("self.time.at(weights, cycle)", "self.time.at(weights, cycle + 1)"),
        ),
        (
            "stale-coefficient",
            Replace("self.time.at(origin, cycle)", "self.time.at(origin, cycle + 1)"),
        ),
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
        "CoefficientBanks.__post_init__",
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
        "CoefficientBanks.write",
        (
            "access-writes-every-bank",
            Replace(
                "[port.access, port.is_write, self._is_accessed(bank)]",
                "[port.access, port.is_write]",
            ),
        ),
        (
            "reading-access-writes",
            Replace(
                "[port.access, port.is_write, self._is_accessed(bank)]",
                "[port.access, self._is_accessed(bank)]",
            ),
        ),
    ),
    *seeds_in(
        "training",
        "CoefficientBanks.read_word",
        (
            "access-reads-a-bank-early",
            Replace("self.time.after(self.port.address, 1)", "self.port.address"),
        ),
        (
            "access-reads-a-cycle-late",
            Replace("self.time.after(word.wire, 1)", "self.time.after(word.wire, 2)"),
        ),
    ),
    *seeds_in(
        "training",
        "CoefficientBanks._row",
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
        "CoefficientBanks.rotated",
        ("basis-turned-the-other-way", Replace("bank - rest", "bank + rest")),
    ),
    *seeds_in(
        "training",
        "StepOps._basis",
        (
            "slopes-beyond-the-grid",
            Replace("number = self._masked(number, inside.wire)", "assert inside.wire"),
        ),
    ),
    *seeds_in(
        "training",
        "StepOps._within",
        ("below-the-grid", Replace("position.low < 0", "position.low > 0")),
    ),
    *seeds_in(
        "training",
        "StepOps._error",
        (
            "error-has-the-wrong-sign",
            Replace("self.math.difference(t, y)", "self.math.difference(y, t)"),
        ),
    ),
    *seeds_in(
        "training",
        "StepOps._locate",
        ("position-scaled-too-far", Replace("multipliers[index]", "multipliers[index] + 1")),
    ),
    *seeds_in(
        "training",
        "StepOps._combine",
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
