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
    *seeds_in(
        "wrappers",
        "_AxiLite._write_channel",
        (
            "write-without-its-data",
            Replace("[self.has_address, self.has_data, free]", "[self.has_address, free]"),
        ),
        (
            "response-overwritten",
            Replace("[self.has_address, self.has_data, free]", "[self.has_address, self.has_data]"),
        ),
        (
            "write-done-twice",
            Replace(
                "self._drive(self.has_data, takes_data, self.writes)",
                "self._drive(self.has_data, takes_data, takes_address)",
            ),
        ),
        (
            "address-overwritten",
            Replace(
                "build.inverted(self.has_address, 1, 'address_ready')",
                "build.constant(1, 1)",
            ),
        ),
        (
            "strobes-of-another-write",
            Replace(
                "build.load(strobes, wires['s_axi_wstrb'], takes_data)",
                "build.load(strobes, wires['s_axi_wstrb'])",
            ),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_AxiLite._inputs",
        (
            "bytes-written-without-strobe",
            Replace("[writes, self.strobes[byte]]", "[writes, self.strobes[0]]"),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_AxiLite._core",
        (
            "start-while-busy",
            Replace("[asked, build.inverted(self.busy, 1)]", "[asked, asked]"),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_AxiLite._results",
        (
            "sample-enters-for-ever",
            Replace(
                "self._drive(self.waits, self.starts, taken)",
                "self._drive(self.waits, self.starts, done)",
            ),
        ),
        (
            "done-of-the-sample-before",
            Replace("self._flag('done', done, self.starts)", "self._flag('done', done, taken)"),
        ),
        (
            "starts-are-counted",
            Replace(
                "build.load(self.count, ..., done)", "build.load(self.count, ..., self.starts)"
            ),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_AxiLite._respond",
        (
            "response-before-the-write",
            Replace(
                "self._drive(self.write_waits, self.writes, taken)",
                "self._drive(self.write_waits, self.has_address, taken)",
            ),
        ),
        (
            "response-taken-without-ready",
            Replace("[self.write_waits, self.wires['s_axi_bready']]", "[self.write_waits] * 2"),
        ),
        (
            "refused-start-is-okay",
            Replace("[build.inverted(known, 1), self.start_refused]", "[build.inverted(known, 1)]"),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_AxiLite._read_channel",
        (
            "read-answered-before-it-is-taken",
            Replace("build.load(data, word, takes)", "build.load(data, word)"),
        ),
        (
            "reads-during-a-response",
            Replace("build.inverted(waits, 1, 'read_ready')", "build.constant(1, 1)"),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_AxiLite._code",
        ("codes-without-their-sign", Replace("port.signed", "False")),
    ),
    *seeds_in(
        "wrappers",
        "with_clock_enable",
        (
            "enable-is-inverted",
            Replace(
                "comb.MuxOp(enable, register.operands[0], register.results[0])",
                "comb.MuxOp(enable, register.results[0], register.operands[0])",
            ),
        ),
        (
            "first-register-without-enable",
            Replace(
                "[op for op in block.ops if isinstance(op, seq.CompRegOp)]",
                "[op for op in block.ops if isinstance(op, seq.CompRegOp)][1:]",
            ),
        ),
    ),
]
