"""Bugs in the wrappers around networks, for `seeded_wrappers.py` and the tests."""

from __future__ import annotations

from edits import Replace

from seeds.seed import seeds_in

SEEDS = [
    *seeds_in(
        "wrappers",
        "CreditBuffer.connect",
        ("room-for-one-sample-less", Replace("self.words - 1", "self.words - 2")),
        ("room-is-never-missing", Replace("build.inverted(full, 1)", "build.constant(1, 1)")),
        (
            "leaving-is-not-counted",
            Replace("build.differs(entered, left)", "build.differs(entered, entered)"),
        ),
        (
            "written-for-what-enters",
            Replace(
                "build.load(self.written, ..., arrived)", "build.load(self.written, ..., entered)"
            ),
        ),
        (
            "a-result-is-skipped",
            Replace(
                "build.load(self.read, build.added([self.read, one]), left)",
                "build.load(self.read, build.added([self.read, one, one]), left)",
            ),
        ),
        (
            "memory-written-at-the-read-end",
            Replace(
                "MemoryWriteOp(memory, self.written, ...)", "MemoryWriteOp(memory, self.read, ...)"
            ),
        ),
    ),
    *seeds_in(
        "wrappers",
        "CreditBuffer.__post_init__",
        ("offered-though-empty", Replace("build.inverted(empty, 1, 'stored')", "empty")),
        (
            "ready-in-reset",
            Replace("(self.reset, build.constant(0, 1))", "(self.reset, build.constant(1, 1))"),
        ),
    ),
    *seeds_in(
        "wrappers",
        "ready_valid_wrapper",
        (
            "leaves-without-ready",
            Replace("[buffer.valid, wires['out_ready']]", "[buffer.valid] * 2"),
        ),
        (
            "enters-without-room",
            Replace("[wires['in_valid'], buffer.ready]", "[wires['in_valid']] * 2"),
        ),
        (
            "ready-to-ready",
            Replace(
                "{'in_ready': buffer.ready, 'out_valid': buffer.valid}",
                "{'in_ready': wires['out_ready'], 'out_valid': buffer.valid}",
            ),
        ),
    ),
    *seeds_in(
        "wrappers",
        "axi_stream_wrapper",
        (
            "sidebands-a-cycle-late",
            Replace(
                "delayed(build, side, interface.latency, 'side')",
                "delayed(build, side, interface.latency + 1, 'side')",
            ),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_Output._words",
        (
            "fields-without-their-sign",
            Replace("field.signed", "False"),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_Output.outputs",
        ("tlast-in-every-beat", Replace("[last, self.beats.is_last]", "[last] * 2")),
    ),
]
