"""The text of sim/test_NAME.py: a part that all interfaces share, and a part of each interface."""

from __future__ import annotations

from kan_dialect.flows.cocotb.parts import AXI_LITE_BENCH, HEADER, PAUSES, QUIET, filled
from kan_dialect.flows.host.registers import DriverRegisters
from kan_dialect.lowering.wrappers.register_map import RegisterMap
from kan_dialect.lowering.wrappers.wrapper_ports import InterfaceName, StreamChoice, wrapper_name
from kan_dialect.model.interface import Interface

_ABOUT = """\
Inputs are vectors of the build (data, corners, random codes) and further random codes. Without a C
compiler for the emulator, outputs of the build's vectors are what they are compared with.
"""

_VECTORS = '''
def code(word, port):
    """The code of a port's bits."""
    negative = port[2] < 0 and word >> (port[4] - 1)
    return word - (1 << port[4]) if negative else word


def read_vectors(what, ports):
    """Codes of a file of vectors, a line a vector: (vectors, ports), int64."""
    codes = []
    for line in (HERE / f"{NAME}_{what}.hex").read_text().split():
        words = [int(word, 16) for word in line.split("_")]
        codes.append([code(word, port) for word, port in zip(words, ports, strict=True)])
    return np.array(codes, dtype=np.int64)


def samples(log):
    """Input codes and the output codes that belong to them, each (samples, ports)."""
    inputs = read_vectors("inputs", codec.INPUTS)
    outputs = read_vectors("outputs", codec.OUTPUTS)
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.permutation(len(inputs))[:SAMPLES])
    try:
        import @name@_emulator as emulator

        got = emulator.run_codes(inputs)
    except (ImportError, RuntimeError) as error:
        log.warning("no emulator, so the build's vectors alone: %s", error)
        chosen = np.resize(chosen, SAMPLES)
        return inputs[chosen], outputs[chosen]
    assert (got == outputs).all(), "the emulator differs from the build's vectors"
    chosen = chosen[: SAMPLES // 2]
    lowest, highest = (np.array([port[i] for port in codec.INPUTS]) for i in (2, 3))
    shape = SAMPLES - len(chosen), len(lowest)
    codes = np.concatenate([inputs[chosen], rng.integers(lowest, highest, shape, endpoint=True)])
    return codes, emulator.run_codes(codes)


def pattern(code, port):
    """The bits of a port that carries a code."""
    return int(code) & ((1 << port[4]) - 1)


def show(codes, letter):
    names = codec.FEATURES if letter == "x" else []
    named = [f" ({names[index]})" if names else "" for index in range(len(codes))]
    return ", ".join(f"{letter}{i}{named[i]} = {code}" for i, code in enumerate(codes))

'''

_OUTPUTS = '''
def drive(dut, codes):
    for index, port in enumerate(codec.INPUTS):
        getattr(dut, f"x{index}").value = pattern(codes[index], port)


def check(dut, sample, codes, wanted):
    """Compare the outputs with those of a sample."""
    for index, port in enumerate(codec.OUTPUTS):
        got = getattr(dut, f"y{index}").value
        assert got.is_resolvable and int(got) == pattern(wanted[index], port), (
            f"sample {sample}: y{index} is {got}, should be {pattern(wanted[index], port):b}, the "
            f"code {wanted[index]}, for {show(codes, 'x')}"
        )

'''

_COMBINATIONAL = '''
@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def samples_are_right(dut):
    """Each sample, after the signals have settled."""
    inputs, outputs = samples(dut._log)
    for sample, (codes, wanted) in enumerate(zip(inputs, outputs, strict=True)):
        drive(dut, codes)
        await Timer(10, "ns")
        check(dut, sample, codes, wanted)
'''

_VALID = '''
async def start(dut):
    """Start the clock, and hold the reset for two cycles."""
    Clock(dut.clk, 10, "ns").start()
    dut.in_valid.value = 0
    dut.rst.value = 1
    for _ in range(2):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def samples_are_right(dut):
    """Samples with random gaps: each output LATENCY cycles after its input, none else."""
    inputs, outputs = samples(dut._log)
    await start(dut)
    pause = pauses(random.Random(SEED), (0, 0.5, 0.9, 0.1))
    driven, seen = [], Counter()
    sent = checked = 0
    while checked < len(inputs):
        valid = sent < len(inputs) and not next(pause)
        dut.in_valid.value = int(valid)
        if valid:
            drive(dut, inputs[sent])
        driven.append(sent if valid else None)
        sent += valid
        await RisingEdge(dut.clk)
        # What the edge takes in; the outputs are those of LATENCY edges before.
        due = driven[-1 - LATENCY] if len(driven) > LATENCY else None
        got = int(dut.out_valid.value)
        seen[(int(valid), got)] += 1
        assert got == (due is not None), (
            f"cycle {len(driven)}: out_valid is {got}, LATENCY is {LATENCY} cycles"
        )
        if due is not None:
            check(dut, due, inputs[due], outputs[due])
            checked += 1
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1)]
    require_covered(dut._log, "(in_valid, out_valid)", seen, pairs)


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def reset_drops_samples(dut):
    """No sample from before a reset comes out."""
    inputs, _ = samples(dut._log)
    await start(dut)
    dut.in_valid.value = 1
    for codes in inputs[: LATENCY + 1]:
        drive(dut, codes)
        await RisingEdge(dut.clk)
    dut.in_valid.value = 0
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    for _ in range(LATENCY + 3):
        await RisingEdge(dut.clk)
        assert int(dut.out_valid.value) == 0, "a sample came out after the reset"
'''

_READY_VALID = '''
async def start(dut):
    """Start the clock, and hold the reset for two cycles."""
    Clock(dut.clk, 10, "ns").start()
    dut.in_valid.value = 0
    dut.out_ready.value = 0
    await reset(dut)


async def reset(dut):
    dut.rst.value = 1
    for _ in range(2):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    for _ in range(2):
        await RisingEdge(dut.clk)


async def send(dut, inputs, pause):
    """Offer samples; one that is offered stays until it is taken."""
    for codes in inputs:
        while next(pause):
            dut.in_valid.value = 0
            await RisingEdge(dut.clk)
        dut.in_valid.value = 1
        drive(dut, codes)
        await RisingEdge(dut.clk)
        while not int(dut.in_ready.value):
            next(pause)
            await RisingEdge(dut.clk)
    dut.in_valid.value = 0


async def watch(dut, seen):
    """Count the pairs of valid and ready at both sides, and require that offers stay."""
    offered = None
    while True:
        await RisingEdge(dut.clk)
        for side in ("in", "out"):
            pair = (getattr(dut, f"{side}_{what}").value for what in ("valid", "ready"))
            seen[side][tuple(map(int, pair))] += 1
        outputs = [getattr(dut, f"y{index}").value for index in range(len(codec.OUTPUTS))]
        now = (int(dut.out_valid.value), outputs)
        assert offered is None or now == offered, "an output that was not taken changed"
        offered = now if now[0] and not int(dut.out_ready.value) else None


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def samples_are_right(dut):
    """Random pauses at both sides: no sample is lost, repeated or reordered."""
    inputs, outputs = samples(dut._log)
    await start(dut)
    rng = random.Random(SEED)
    seen = {"in": Counter(), "out": Counter()}
    watching = cocotb.start_soon(watch(dut, seen))
    cocotb.start_soon(send(dut, inputs, pauses(rng, INPUT_PAUSES)))
    pause = pauses(rng, OUTPUT_PAUSES)
    for sample, (codes, wanted) in enumerate(zip(inputs, outputs, strict=True)):
        while True:
            ready = not next(pause)
            dut.out_ready.value = int(ready)
            await RisingEdge(dut.clk)
            if ready and int(dut.out_valid.value):
                break
        check(dut, sample, codes, wanted)
    dut.out_ready.value = 1
    for _ in range(2 * PHASE):
        await RisingEdge(dut.clk)
        assert int(dut.out_valid.value) == 0, "more samples came out than went in"
    watching.cancel()
    for side in ("in", "out"):
        require_covered(dut._log, f"({side}_valid, {side}_ready)", seen[side], PAIRS)


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def reset_drops_samples(dut):
    """After a reset of a full buffer, only new samples come out."""
    inputs, outputs = samples(dut._log)
    await start(dut)
    sending = cocotb.start_soon(send(dut, inputs, pauses(random.Random(SEED), (0,))))
    for _ in range(PHASE):
        await RisingEdge(dut.clk)
    assert int(dut.in_ready.value) == 0, "the buffer takes samples without end"
    sending.cancel()
    dut.in_valid.value = 0
    await reset(dut)
    dut.out_ready.value = 1
    cocotb.start_soon(send(dut, inputs[-2:], pauses(random.Random(SEED), (0,))))
    for sample in (-2, -1):
        await RisingEdge(dut.clk)
        while not int(dut.out_valid.value):
            await RisingEdge(dut.clk)
        check(dut, sample, inputs[sample], outputs[sample])
'''

_AXI_STREAM = '''
def as_bytes(codes, places, size):
    """Bytes of a sample on the bus, and which of them belong to a code."""
    data, keep = [0] * size, [0] * size
    for code, each in zip(codes, places, strict=True):
        for byte, place in enumerate(each):
            data[place] = int(code) >> 8 * byte & 255
            keep[place] = 1
    return data, keep


def sidebands(size, beat, user, rng):
    """TUSER of each byte: that of the sample in its first beat, anything in the others."""
    if not USER_BITS:
        return []
    others = [rng.randrange(1 << USER_BITS) for _ in range(size // beat - 1)]
    return [each for each in (user, *others) for _ in range(beat)]


class Bench:
    """Source and sink on the buses, and a count of the pairs of valid and ready."""

    def __init__(self, dut):
        self.dut = dut
        self.seen = {"s_axis": Counter(), "m_axis": Counter()}
        ends = (AxiStreamSource, AxiStreamSink)
        self.source, self.sink = (self.end(kind, bus) for kind, bus in zip(ends, self.seen))

    def end(self, kind, bus):
        signals = AxiStreamBus.from_prefix(self.dut, bus)
        # The number of bytes follows from TKEEP where there is one.
        size = {} if hasattr(signals, "tkeep") else {"byte_size": 8}
        made = kind(signals, self.dut.aclk, self.dut.aresetn, reset_active_level=False, **size)
        made.log.setLevel("WARNING")
        return made

@start_and_reset@    async def watch(self):
        while True:
            await RisingEdge(self.dut.aclk)
            for bus, seen in self.seen.items():
                pair = (getattr(self.dut, f"{bus}_t{what}").value for what in ("valid", "ready"))
                seen[tuple(map(int, pair))] += 1

    async def send(self, inputs, users, lengths, rng):
        """Queue samples in packets of `lengths`."""
        start = 0
        for length in lengths:
            data, keep, user = [], [], []
            for codes, each in zip(inputs[start : start + length], users[start:], strict=False):
                sample = as_bytes(codes, codec.AXIS_INPUTS, codec.AXIS_INPUT_BYTES)
                data, keep = data + sample[0], keep + sample[1]
                user += sidebands(codec.AXIS_INPUT_BYTES, INPUT_BEAT, each, rng)
            await self.source.send(AxiStreamFrame(data, tkeep=keep, tuser=user or None))
            start += length

    async def check(self, first, inputs, outputs, users, lengths):
        """Compare packets of samples with what comes out."""
        size = codec.AXIS_OUTPUT_BYTES
        sample = 0
        for length in lengths:
            got, keep, user = [], [], []
            while len(got) < length * size:
                frame = await self.sink.recv(compact=False)
                got += list(frame.tdata)
                keep += list(frame.tkeep or [])
                user += list(frame.tuser or [])
                # Without TLAST each beat is a frame.
                assert not HAS_LAST or len(got) == length * size, (
                    f"sample {first + sample}: a packet of {length} samples came out with "
                    f"{len(got)} bytes, should be {length * size}"
                )
            for start in range(0, length * size, size):
                data, kept = as_bytes(outputs[sample], codec.AXIS_OUTPUTS, size)
                assert got[start : start + size] == data, (
                    f"sample {first + sample}: bytes {got[start : start + size]}, should be "
                    f"{data}, {show(outputs[sample], 'y')}, for {show(inputs[sample], 'x')}"
                )
                assert not OUTPUT_KEEP or keep[start : start + size] == kept, (
                    f"sample {first + sample}: TKEEP is {keep[start : start + size]}"
                )
                assert not USER_BITS or user[start] == users[sample], (
                    f"sample {first + sample}: TUSER is {user[start]}, should be {users[sample]}"
                )
                sample += 1


def packets(count, rng):
    """Lengths of packets, in samples."""
    lengths = []
    while sum(lengths) < count:
        lengths.append(min(rng.choice([1, 1, 2, 3, 7, 20]), count - sum(lengths)))
    return lengths


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def samples_are_right(dut):
    """Random pauses at both sides: no sample is lost, repeated or reordered, sidebands neither."""
    inputs, outputs = samples(dut._log)
    bench, rng = Bench(dut), random.Random(SEED)
    await bench.start()
    bench.source.set_pause_generator(pauses(random.Random(SEED + 1), INPUT_PAUSES))
    bench.sink.set_pause_generator(pauses(random.Random(SEED + 2), OUTPUT_PAUSES))
    users = [rng.randrange(1 << USER_BITS) for _ in inputs]
    lengths = packets(len(inputs), rng)
    await bench.send(inputs, users, lengths, rng)
    await bench.check(0, inputs, outputs, users, lengths)
    bench.sink.clear_pause_generator()
    bench.sink.pause = False
    for _ in range(2 * PHASE):
        await RisingEdge(dut.aclk)
    assert bench.sink.empty(), "more samples came out than went in"
    for bus, seen in bench.seen.items():
        require_covered(dut._log, f"({bus}_tvalid, {bus}_tready)", seen, PAIRS)


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def reset_drops_samples(dut):
    """After a reset of a full buffer, only new samples come out."""
    inputs, outputs = samples(dut._log)
    bench, rng = Bench(dut), random.Random(SEED)
    await bench.start()
    bench.sink.pause = True
    users = [rng.randrange(1 << USER_BITS) for _ in inputs]
    await bench.send(inputs, users, [1] * len(inputs), rng)
    for _ in range(PHASE):
        await RisingEdge(dut.aclk)
    assert int(dut.s_axis_tready.value) == 0, "the buffer takes samples without end"
    bench.source.clear()
    await bench.reset()
    bench.sink.clear()
    bench.sink.pause = False
    await bench.send(inputs[-3:], users[-3:], [2, 1], rng)
    await bench.check(len(inputs) - 3, inputs[-3:], outputs[-3:], users[-3:], [2, 1])
'''

_AXI_LITE = '''\
    async def run(self, codes):
        """The words of the output registers for a sample."""
        for code, offsets in zip(codes, INPUT_REGISTERS, strict=True):
            for word, offset in enumerate(offsets):
                await self.master.write_dword(offset, int(code) >> 32 * word & 0xFFFFFFFF)
        await self.master.write_dword(CONTROL, START)
        for _ in range(LATENCY + 10):
            if await self.master.read_dword(STATUS) & DONE:
                break
        else:
            raise AssertionError("STATUS does not say that the sample is done")
        return [
            [await self.master.read_dword(offset) for offset in offsets]
            for offsets in OUTPUT_REGISTERS
        ]

    async def check(self, sample, codes, wanted):
        got = await self.run(codes)
        for index, (code, offsets) in enumerate(zip(wanted, OUTPUT_REGISTERS, strict=True)):
            words = [int(code) >> 32 * word & 0xFFFFFFFF for word in range(len(offsets))]
            assert got[index] == words, (
                f"sample {sample}: y{index} is {got[index]}, should be {words}, the code {code}, "
                f"for {show(codes, 'x')}"
            )


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def samples_are_right(dut):
    """Single samples through registers, with random pauses on all channels."""
    inputs, outputs = samples(dut._log)
    bench = Bench(dut)
    await bench.start()
    for offset, value in CONSTANTS.items():
        assert await bench.master.read_dword(offset) == value, f"register {offset:#x}"
    bench.pause()
    for sample, (codes, wanted) in enumerate(zip(inputs, outputs, strict=True)):
        await bench.check(sample, codes, wanted)
    bench.require_covered()


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def reset_drops_samples(dut):
    """After a reset of a sample under way, the next one is right."""
    inputs, outputs = samples(dut._log)
    bench = Bench(dut)
    await bench.start()
    await bench.check(0, inputs[0], outputs[0])
    await bench.master.write_dword(CONTROL, START)
    await bench.reset()
    assert await bench.master.read_dword(STATUS) & DONE == 0, "DONE after a reset"
    await bench.check(len(inputs) - 1, inputs[-1], outputs[-1])
'''

_SAMPLES = 1000
"""Default number of samples of a run."""
_SINGLE_SAMPLES = 100
"""The same for registers: a sample takes some hundred cycles."""
_MOST_CYCLES = 100
"""Clock cycles that a beat takes at most, on average: pauses make it some tens in single phases."""


def python_bench(
    interface: Interface,
    chosen: InterfaceName,
    stream: StreamChoice,
    registers: RegisterMap | None = None,
) -> str:
    """The text of sim/test_NAME.py.

    Parameters
    ----------
    interface : the ports of the network's module.
    chosen : the interface that the testbench drives.
    stream : what the AXI4-Stream wrapper looks like.
    registers : of the AXI4-Lite wrapper.

    Raises
    ------
    KanError : a beat cannot have its width.
    """
    constants: dict[str, object] = {}
    beats = 1
    warnings, imports, triggers = "", "", "RisingEdge"
    if interface.combinational:
        parts, triggers = [_OUTPUTS, _COMBINATIONAL], "Timer"
    elif chosen == "valid":
        parts = [_OUTPUTS, PAUSES, _VALID]
        constants = {"LATENCY": interface.latency, "PHASE": 4 * (interface.latency + 8)}
    elif chosen == "ready-valid":
        parts = [_OUTPUTS, PAUSES, _READY_VALID]
        constants = _pauses(interface, 1)
    elif registers is not None:
        parts = [PAUSES, AXI_LITE_BENCH, _AXI_LITE]
        known = DriverRegisters.of(registers)
        words = sum(map(len, (*known.inputs, *known.outputs)))
        beats = words + 4 + interface.latency // 8
        warnings = "import warnings\n"
        imports = f"from cocotbext.axi import AxiLiteBus, AxiLiteMaster\n{QUIET}"
        constants = {
            "PHASE": 64,
            "BUS_PAUSES": (0, 0.3, 0.7),
            "LATENCY": interface.latency,
            "CONSTANTS": {
                known.identity: known.identity_value,
                known.hash: known.hash_value,
            },
            "CONTROL": known.control,
            "STATUS": known.status,
            "START": 1,
            "DONE": 2,
            "INPUT_REGISTERS": list(known.inputs),
            "OUTPUT_REGISTERS": list(known.outputs),
        }
    else:
        parts = [PAUSES, _AXI_STREAM]
        names = ("AxiStreamBus", "AxiStreamFrame", "AxiStreamSink", "AxiStreamSource")
        warnings = "import warnings\n"
        imports = f"from cocotbext.axi import {', '.join(names)}\n{QUIET}"
        source, result = stream.layouts(interface)
        beats = max(source.beats, result.beats)
        constants = _pauses(interface, beats) | {
            "INPUT_BEAT": source.beat_bytes,
            "OUTPUT_KEEP": result.has_keep,
            "HAS_LAST": stream.last,
            "USER_BITS": stream.user_bits,
        }
    values = {
        "about": _ABOUT,
        "name": interface.name,
        "top": wrapper_name(interface.name, chosen),
        "samples": _SAMPLES if registers is None else _SINGLE_SAMPLES,
        "cycles": _MOST_CYCLES * beats,
        "start": _MOST_CYCLES * beats * (interface.latency + 8),
        "triggers": triggers,
        "warnings": warnings,
        "collections": "Counter",
        "model": f"import {interface.name}_codec as codec",
        "imports": imports,
        "constants": "".join(f"{name} = {value}\n" for name, value in constants.items()),
    }
    return filled([HEADER, _VECTORS, *parts], values)


def _pauses(interface: Interface, beats: int) -> dict[str, object]:
    """Constants of pauses that fill and empty the buffer: phases longer than it lasts."""
    return {
        "PHASE": 4 * (interface.latency + 8) * beats,
        "INPUT_PAUSES": (0, 0.5, 0, 0.7, 0.2),
        "OUTPUT_PAUSES": (0, 0.1, 0.9, 0.5, 0.95),
        "PAIRS": [(0, 0), (0, 1), (1, 0), (1, 1)],
    }
