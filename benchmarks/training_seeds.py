"""Bugs to put into the lowering of training steps, for `seeded_training.py` and the tests."""

from __future__ import annotations

from seeds import seeds_of

_UPDATE = "self.math.saturated(self.math.rounded(step, shift, plus=old), self.number)"
_ACCESSED = "[self.access, self.mem_write, self._is_accessed(bank)]"

SEEDS = [
    *seeds_of(
        "lowering.training.training_to_hw",
        ("interlock-a-cycle-short", "k in range(1, interval)]", "k in range(1, interval - 1)]"),
        ("interval-a-cycle-short", "[s] + 1 - self.read", "[s] - self.read"),
        ("blocks-count-as-read-late", "= places.cycle + within", "= places.cycle + 1"),
        ("accesses-a-cycle-early", "k in range(1, last + 1)]", "k in range(1, last)]"),
        ("accesses-do-not-wait", "_and([self.mem_valid, mem_ready]", "_and([self.mem_valid] * 2"),
        (
            "samples-during-accesses",
            "_or([build.add(training), self.mem_valid])",
            "_or([build.add(training)])",
        ),
        ("training-without-train", "_and([accepted, train]", "_and([accepted, accepted]"),
        ("training-when-not-ready", "_and([accepted, train]", "_and([in_valid, train]"),
        (
            "write-a-cycle-late",
            "self._after(self.trained, cycle, clear=True)",
            "self._after(self.trained, cycle + 1, clear=True)",
        ),
        (
            "write-a-cycle-early",
            "self._after(self.trained, cycle, clear=True)",
            "self._after(self.trained, cycle - 1, clear=True)",
        ),
        (
            "write-survives-reset",
            "self._after(self.trained, cycle, clear=True)",
            "self._after(self.trained, cycle)",
        ),
        (
            "output-survives-reset",
            "self._after(accepted, output.cycle, clear=True)",
            "self._after(accepted, output.cycle)",
        ),
        (
            "row-of-the-next-sample",
            "self.addresses[bank], cycle - places.cycle)",
            "self.addresses[bank], cycle - places.cycle - 1)",
        ),
        (
            "row-of-the-sample-before",
            "self.addresses[bank], cycle - places.cycle)",
            "self.addresses[bank], cycle - places.cycle + 1)",
        ),
        (
            "stale-error",
            "errors, factors = self._at(error, cycle), self._at(weights, cycle)",
            "errors, factors = self._at(error, cycle + 1), self._at(weights, cycle)",
        ),
        (
            "stale-weights",
            "errors, factors = self._at(error, cycle), self._at(weights, cycle)",
            "errors, factors = self._at(error, cycle), self._at(weights, cycle + 1)",
        ),
        (
            "stale-coefficient",
            "origins = self._at(origin, cycle)",
            "origins = self._at(origin, cycle + 1)",
        ),
        (
            "initial-word-off-by-one",
            "self.map.words(bank, states[bank.layer])",
            "self.map.words(bank, states[bank.layer]) + (bank.number == 1)",
        ),
        ("update-does-not-saturate", _UPDATE, "self.math.rounded(step, shift, plus=old)"),
        ("access-writes-every-bank", _ACCESSED, "[self.access, self.mem_write]"),
        ("reading-access-writes", _ACCESSED, "[self.access, self._is_accessed(bank)]"),
        (
            "access-reads-a-bank-early",
            "index = self._after(self.mem_address, 1)",
            "index = self.mem_address",
        ),
        (
            "access-reads-a-cycle-late",
            "return self._after(word.wire, 1)",
            "return self._after(word.wire, 2)",
        ),
        ("row-one-too-far", 'bank, remainder.bits), "ugt")', 'bank, remainder.bits), "uge")'),
        ("basis-turned-the-other-way", "row[(bank - rest) % count]", "row[(bank + rest) % count]"),
        (
            "slopes-beyond-the-grid",
            "number = self._masked(number, inside.wire)",
            "assert inside.wire",
        ),
        ("below-the-grid", "        if position.low < 0:", "        if position.low > 0:"),
        ("error-has-the-wrong-sign", "self.math.difference(t, y)", "self.math.difference(y, t)"),
        (
            "position-scaled-too-far",
            "scaled = self.math.times(distance, multipliers[index])",
            "scaled = self.math.times(distance, multipliers[index] + 1)",
        ),
        (
            "momentum-without-rounding",
            "self.math.saturated(self.math.rounded(total, FACTOR_BITS), kind)",
            "self.math.saturated(self.math.shifted_right(total, FACTOR_BITS), kind)",
        ),
    ),
    *seeds_of(
        "lowering.training.datapath",
        (
            "ties-round-up",
            "last = self.build.add(comb.AndOp([last, self.build.inverted(tie, 1)]))",
            "last = self.build.add(comb.AndOp([last, last]))",
        ),
        (
            "saturates-to-the-other-end",
            "end = self._repeated(self.build.inverted(sign, 1), kind.bits - 1)",
            "end = self._repeated(sign, kind.bits - 1)",
        ),
    ),
]
