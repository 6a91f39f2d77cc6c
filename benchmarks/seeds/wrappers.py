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
                "{**results, 'in_ready': build.both(buffer.ready, turn), "
                "'out_valid': buffer.valid}",
                "{**results, 'in_ready': wires['out_ready'], 'out_valid': buffer.valid}",
            ),
        ),
    ),
    *seeds_in(
        "wrappers",
        "axi_stream_wrapper",
        (
            "sidebands-a-cycle-late",
            Replace(
                "beside_core(build, side, interface, ..., 'side')",
                "build.register(beside_core(build, side, interface, ..., 'side'))",
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
    # Around hardware that trains.
    *seeds_in(
        "wrappers",
        "_AxiLite._waiting",
        ("codes-change-while-a-sample-waits", Replace("self.waits", "self.mem_waits")),
        ("address-changes-while-an-access-waits", Replace("self.mem_waits", "self.waits")),
    ),
    *seeds_in(
        "wrappers",
        "_AxiLite._core",
        (
            "access-while-another-one-is",
            Replace("[asked, build.inverted(self.mem_busy, 1)]", "[asked, asked]"),
        ),
        (
            "every-sample-trains",
            Replace(
                "build.part(self.data, layout.TRAIN, 1)", "build.part(self.data, layout.START, 1)"
            ),
        ),
        (
            "reads-are-writes",
            Replace("build.load(write, writes, self.mem_starts)", "build.load(write, reads)"),
        ),
        (
            "reads-are-lost",
            Replace("build.any_of([reads, writes])", "build.any_of([writes, writes])"),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_AxiLite._results",
        ("sample-taken-without-ready", Replace("results.get('in_ready', one)", "one")),
        (
            "access-taken-without-ready",
            Replace("[self.mem_waits, results['mem_ready']]", "[self.mem_waits] * 2"),
        ),
        (
            "read-done-before-its-word",
            Replace(
                "build.any_of([written, results['mem_read_valid']])",
                "build.any_of([written, taken])",
            ),
        ),
        (
            "word-of-any-cycle",
            Replace(
                "arrives['mem_read_data'] = results['mem_read_valid']",
                "arrives['mem_read_data'] = self.mem_busy",
            ),
        ),
        (
            "write-never-done",
            Replace(
                "build.all_of([taken, self.mem_write])", "build.all_of([done, self.mem_write])"
            ),
        ),
        (
            "done-of-the-access-before",
            Replace(
                "self._flag('mem_done', ends, self.mem_starts)",
                "self._flag('mem_done', ends, taken)",
            ),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_AxiLite._respond",
        (
            "refused-access-is-okay",
            Replace("refused.append(self.mem_refused)", "refused.append(self.start_refused)"),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_AxiLite._word",
        (
            "status-bits-of-accesses-swapped",
            Replace(
                "[self.mem_done, self.mem_busy, *flags]", "[self.mem_busy, self.mem_done, *flags]"
            ),
        ),
    ),
    # Around tables that can be loaded.
    *seeds_in(
        "wrappers",
        "_AxiLite._load_words",
        (
            "word-without-its-highest-byte",
            Replace(
                "[self._writes_to(last), highest_byte]", "[self._writes_to(last), self.writes]"
            ),
        ),
        ("word-is-lost", Replace("[self.mem_waits, ready]", "[self.mem_waits] * 2")),
        (
            "word-is-written-twice",
            Replace(
                "self._drive(self.mem_waits, written, taken)",
                "self._drive(self.mem_waits, written, self.writes)",
            ),
        ),
        (
            "every-other-address",
            Replace("build.constant(1, register.bits)", "build.constant(2, register.bits)"),
        ),
        (
            "address-moves-before-its-word",
            Replace("build.load(held, ..., taken)", "build.load(held, ..., written)"),
        ),
    ),
    *seeds_in(
        "wrappers",
        "_AxiLite._waiting",
        ("words-overtake-samples", Replace("[*samples, self.mem_waits]", "[self.mem_waits]")),
    ),
    *seeds_in(
        "wrappers",
        "axi_stream_wrapper",
        ("sidebands-wait-for-words", Replace("interface.memory", "()")),
    ),
    *seeds_in(
        "wrappers",
        "with_clock_enable",
        ("words-without-enable", Replace("[enable, write.enable]", "[write.enable] * 2")),
        (
            "enable-is-inverted",
            Replace(
                "comb.MuxOp(enable, following, register.results[0])",
                "comb.MuxOp(enable, register.results[0], following)",
            ),
        ),
        (
            "first-register-without-enable",
            Replace(
                "[op for op in places if isinstance(op, seq.CompRegOp)]",
                "[op for op in places if isinstance(op, seq.CompRegOp)][1:]",
            ),
        ),
    ),
]
