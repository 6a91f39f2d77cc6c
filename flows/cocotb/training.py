"""The text of sim/test_NAME.py of a network that trains itself."""

from __future__ import annotations

from kan_dialect.errors import KanError
from kan_dialect.flows.cocotb.parts import AXI_LITE_BENCH, HEADER, PAUSES, QUIET, filled
from kan_dialect.flows.host.registers import DriverRegisters
from kan_dialect.ir.fixed_point import fixed_type
from kan_dialect.ir.types import tensor_shape
from kan_dialect.lowering.wrappers.register_map import (
    BUSY,
    DONE,
    MEM_BUSY,
    MEM_DONE,
    MEM_READ,
    MEM_WRITE,
    START,
    TRAIN,
    RegisterMap,
)
from kan_dialect.lowering.wrappers.wrapper_ports import wrapper_name
from kan_dialect.model.training.coefficient_memory import Bank, memory_map
from kan_dialect.model.training.training_step import Step

_ABOUT = """\
Samples and accesses to coefficients, with random pauses, against steps of the emulator. It needs a
C compiler, which compiles the emulator.
"""

_MODEL = '''
STATES = list(emulator.STATES.items())


def samples(rng):
    """Codes of inputs and targets, and whether a sample trains; some beyond the grids."""
    codes = []
    for (_, low, high), ports in ((emulator.INPUT, INPUTS), (emulator.TARGET, TARGETS)):
        share = rng.choice([1, 0.1, 0.01], (SAMPLES, 1))
        codes.append(np.rint(share * rng.integers(low, high, (SAMPLES, ports))).astype(np.int64))
    return *codes, rng.random(SAMPLES) < 0.8


class Model:
    """The emulator, step by step."""

    def __init__(self):
        self.network = emulator.Network()
        self.rng = np.random.default_rng(SEED)

    def step(self, x, targets, train):
        """Output codes of a sample."""
        return self.network.run_codes(np.array([x]), np.array([targets]), [train])[0]

    def places(self, count):
        """Random coefficients, each once: state and index."""
        sizes = [int(np.prod(shape)) for _, shape in STATES]
        chosen = self.rng.permutation(sum(sizes))[:count]
        starts = np.cumsum([0, *sizes])
        for number in chosen:
            state = int(np.searchsorted(starts, number, side="right")) - 1
            place = np.unravel_index(number - starts[state], STATES[state][1])
            yield state, tuple(map(int, place))

    def word(self, state, place):
        return int(self.network.coefficients[STATES[state][0]][place])

    def load(self, state, place, code):
        self.network.coefficients[STATES[state][0]][place] = code

    def random_code(self):
        return int(self.rng.integers(emulator.INPUT[1], emulator.INPUT[2], endpoint=True))


MODEL = Model()  # coefficients outlive resets, and tests


def address(state, place):
    """Of a coefficient at the memory port: edge, bank and row side by side."""
    output, source, index = place
    edge = EDGES[state] + output * STATES[state][1][1] + source
    row, bank = divmod(index, BANKS[state])
    return (edge << BANK_BITS | bank) << ROW_BITS | row


def pattern(code, bits):
    return int(code) & ((1 << bits) - 1)


def require_outputs(got, wanted, sample, x):
    assert got == wanted, f"sample {sample}: y is {got}, should be {wanted}, for x = {list(x)}"

'''

_MEMORY_PORT = '''
class Bench:
    """Drives samples and accesses, and follows at every clock edge what the ports take."""

    def __init__(self, dut):
        self.dut = dut
        self.pauses = [pauses(random.Random(SEED + k), c) for k, c in enumerate(CHANCES)]
        self.seen = {"in": Counter(), "mem": Counter()}
        self.cycle = 0
        self.results, self.words = deque(), deque()  # what comes, and in which cycle
        self.waits = {"in": None, "mem": None}  # what is offered
        self.taken = 0

    async def start(self):
        """Start the clock, and hold the reset for two cycles."""
        Clock(self.dut.clk, 10, "ns").start()
        for name in ("in_valid", "train", "mem_valid", "mem_write", "mem_address", "mem_data"):
            getattr(self.dut, name).value = 0
        await self.reset()

    async def reset(self):
        self.dut.rst.value = 1
        for _ in range(2):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        self.results.clear()
        self.words.clear()

    def offer(self, samples, accesses):
        """Offer the next sample and the next access, unless they pause."""
        dut = self.dut
        for side, pending, pause in zip(self.waits, (samples, accesses), self.pauses):
            paused = next(pause)
            if self.waits[side] is None and pending and not paused:
                self.waits[side] = pending.popleft()
                (self.drive_sample if side == "in" else self.drive_access)(self.waits[side])
        dut.in_valid.value = int(self.waits["in"] is not None)
        dut.mem_valid.value = int(self.waits["mem"] is not None)

    def drive_sample(self, sample):
        x, targets, train = sample
        for letter, codes, bits in (("x", x, X_BITS), (LETTER, targets, T_BITS)):
            for index, code in enumerate(codes):
                getattr(self.dut, f"{letter}{index}").value = pattern(code, bits)
        self.dut.train.value = int(train)

    def drive_access(self, access):
        state, place, code = access
        self.dut.mem_address.value = address(state, place)
        self.dut.mem_write.value = int(code is not None)
        self.dut.mem_data.value = pattern(0 if code is None else code, WORD_BITS)

    async def edge(self):
        """A clock edge: compare what comes, and take what is offered."""
        dut = self.dut
        await RisingEdge(dut.clk)
        self.check(dut.out_valid, self.results, "out_valid", self.outputs)
        self.check(dut.mem_read_valid, self.words, "mem_read_valid", self.read_word)
        for side, take in (("in", self.take_sample), ("mem", self.take_access)):
            pair = (getattr(dut, f"{side}_{what}").value for what in ("valid", "ready"))
            valid, ready = map(int, pair)
            self.seen[side][(valid, ready)] += 1
            if valid and ready:
                take(self.waits[side])
                self.waits[side] = None
        self.cycle += 1

    def check(self, valid, due, name, compare):
        comes = bool(due) and due[0][0] == self.cycle
        assert int(valid.value) == comes, f"cycle {self.cycle}: {name} is {valid.value}"
        if comes:
            compare(*due.popleft()[1:])

    def outputs(self, sample, x, wanted):
        got = [getattr(self.dut, f"y{index}").value for index in range(OUTPUTS)]
        assert all(each.is_resolvable for each in got), f"sample {sample}: y is {got}"
        bits = [pattern(code, Y_BITS) for code in wanted]
        require_outputs(list(map(int, got)), bits, sample, x)

    def read_word(self, state, place, wanted):
        got = self.dut.mem_read_data.value
        where = f"coefficient {place} of {STATES[state][0]}"
        assert got.is_resolvable and int(got) == pattern(wanted, WORD_BITS), (
            f"{where} is {got}, should be {pattern(wanted, WORD_BITS):b}, the code {wanted}"
        )

    def take_sample(self, sample):
        outputs = MODEL.step(*sample)
        self.results.append((self.cycle + LATENCY, self.taken, sample[0], outputs))
        self.taken += 1

    def take_access(self, access):
        state, place, code = access
        if code is None:
            self.words.append((self.cycle + 2, state, place, MODEL.word(state, place)))
        else:
            MODEL.load(state, place, code)

    async def run(self, samples, accesses):
        """Drive all of them, and wait for what comes of them."""
        samples, accesses = deque(samples), deque(accesses)
        while samples or accesses or self.results or self.words or any(self.waits.values()):
            self.offer(samples, accesses)
            await self.edge()
        for _ in range(3):
            self.offer(samples, accesses)
            await self.edge()


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def training_is_right(dut):
    """Samples and accesses with random pauses: outputs and words are those of steps in order."""
    bench = Bench(dut)
    await bench.start()
    accesses = []
    for _ in range(-(-SAMPLES // 4)):
        code = MODEL.random_code() if MODEL.rng.random() < 0.4 else None
        accesses += [(state, place, code) for state, place in MODEL.places(1)]
    await bench.run(zip(*samples(MODEL.rng)), accesses)
    await bench.run([], [(state, place, None) for state, place in MODEL.places(WORDS)])
    for side, seen in bench.seen.items():
        pairs = [(0, 0), (0, 1), (1, 0), (1, 1)]
        require_covered(dut._log, f"({side}_valid, {side}_ready)", seen, pairs)


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def reset_drops_samples(dut):
    """No sample from before a reset comes out; coefficients stay."""
    bench = Bench(dut)
    await bench.start()
    inputs, targets, _ = samples(MODEL.rng)
    first = deque((x, t, False) for x, t in zip(inputs[:LATENCY], targets))
    while first or bench.waits["in"] is not None:
        bench.offer(first, deque())
        await bench.edge()
    dut.in_valid.value = 0
    await bench.reset()
    await bench.run(zip(inputs[-3:], targets[-3:], [True] * 3), [])
    await bench.run([], [(state, place, None) for state, place in MODEL.places(20)])
'''

_REGISTERS = '''
    async def write(self, offsets, code):
        """Write a code into the registers of a port."""
        for word, offset in enumerate(offsets):
            await self.master.write_dword(offset, int(code) >> 32 * word & 0xFFFFFFFF)

    async def read(self, offsets):
        return [await self.master.read_dword(offset) for offset in offsets]

    async def load(self, x, targets):
        for offsets, code in zip([*INPUT_REGISTERS, *TARGET_REGISTERS], [*x, *targets]):
            await self.write(offsets, code)

    async def until(self, busy, done, what):
        """Wait for a bit of STATUS."""
        for _ in range(LONGEST):
            status = await self.master.read_dword(STATUS)
            if status & done:
                assert not status & busy, f"STATUS is {status:#x}"
                return
        raise AssertionError(f"STATUS does not say that {what} is done")

    async def step(self, sample, x, targets, train, behind=None):
        """Run a sample; codes that are written `behind` its start are not its own."""
        await self.load(x, targets)
        await self.master.write_dword(CONTROL, START | TRAIN * bool(train))
        if behind is not None:
            await self.load(*behind)
        await self.until(BUSY, DONE, "the sample")
        outputs = MODEL.step(x, targets, train)
        wanted = [words(code, each) for code, each in zip(outputs, OUTPUT_REGISTERS)]
        require_outputs([await self.read(each) for each in OUTPUT_REGISTERS], wanted, sample, x)

    async def access(self, state, place, code=None):
        """Load a coefficient, or read it."""
        await self.write(MEM_ADDRESS, address(state, place))
        if code is not None:
            await self.write(MEM_DATA, code)
            MODEL.load(state, place, code)
        await self.master.write_dword(MEM_CONTROL, MEM_READ if code is None else MEM_WRITE)
        # The access has the address and word at its command.
        await self.write(MEM_ADDRESS, 0)
        await self.write(MEM_DATA, 0)
        await self.until(MEM_BUSY, MEM_DONE, "the access")
        if code is None:
            got, wanted = await self.read(MEM_READ_DATA), MODEL.word(state, place)
            where = f"coefficient {place} of {STATES[state][0]}"
            assert got == words(wanted, MEM_READ_DATA), f"{where} is {got}, should be {wanted}"


def words(code, offsets):
    """A code in the words of its registers."""
    return [int(code) >> 32 * word & 0xFFFFFFFF for word in range(len(offsets))]


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def training_is_right(dut):
    """Samples and coefficients through registers, with random pauses on all channels."""
    bench = Bench(dut)
    await bench.start()
    for offset, value in CONSTANTS.items():
        assert await bench.master.read_dword(offset) == value, f"register {offset:#x}"
    refused = await bench.master.write(STATUS, bytes(4))
    assert refused.resp == AxiResp.SLVERR, "a write to STATUS is not refused"
    bench.pause()
    inputs, targets, train = samples(MODEL.rng)
    for sample, (x, t, trains) in enumerate(zip(inputs, targets, train)):
        behind = (inputs[sample - 1], targets[sample - 1]) if sample % 2 else None
        await bench.step(sample, x, t, trains, behind)
        if MODEL.rng.random() < 0.2:
            for state, place in MODEL.places(1):
                await bench.access(state, place, MODEL.random_code())
                await bench.access(state, place)
    for state, place in MODEL.places(WORDS):
        await bench.access(state, place)
    bench.require_covered()


@cocotb.test(timeout_time=TIMEOUT, timeout_unit="ns")
async def reset_drops_samples(dut):
    """After a reset of a sample under way, the next one is right; coefficients stay."""
    bench = Bench(dut)
    await bench.start()
    inputs, targets, _ = samples(MODEL.rng)
    await bench.step(0, inputs[0], targets[0], True)
    await bench.master.write_dword(CONTROL, START)
    await bench.reset()
    assert await bench.master.read_dword(STATUS) == 0, "STATUS after a reset"
    await bench.step(len(inputs) - 1, inputs[-1], targets[-1], True)
    for state, place in MODEL.places(5):
        await bench.access(state, place)
'''

_SAMPLES, _WORDS = 1000, 2000
"""Default number of samples of a run, and of coefficients that are read at its end."""
_SINGLE_SAMPLES, _SINGLE_WORDS = 60, 60
"""The same for registers: an access takes some hundred cycles."""
_MOST_CYCLES = 200
"""Clock cycles that a step on a bus takes at most, on average."""


def training_bench(
    step: Step, latency: int, interval: int, registers: RegisterMap | None = None
) -> str:
    """The text of sim/test_NAME.py.

    Parameters
    ----------
    latency, interval : of the hardware, in cycles.
    registers : of the AXI4-Lite wrapper; None: the testbench drives the hardware itself.

    Raises
    ------
    KanError : the step is real-valued.
    """
    held = memory_map(step)
    inputs, targets, outputs = (
        tensor_shape(value)[0] for value in (step.input, step.target, step.output)
    )
    banks = held.banks
    constants: dict[str, object] = {
        "LATENCY": latency,
        "INPUTS": inputs,
        "TARGETS": targets,
        "EDGES": [
            held.place(Bank(state, 0, 0, 0)) >> held.bank_bits for state in range(len(banks))
        ],
        "BANKS": list(banks),
        "BANK_BITS": held.bank_bits,
        "ROW_BITS": held.row_bits,
    }
    if registers is None:
        parts = [_MODEL, PAUSES, _MEMORY_PORT]
        samples, words, beats = _SAMPLES, _WORDS, 1
        imports, more, warnings = "", ", deque", ""
        constants |= {
            "OUTPUTS": outputs,
            "LETTER": repr("e" if step.fed_error else "t"),
            "X_BITS": _bits(step, 0),
            "T_BITS": _bits(step, 1),
            "Y_BITS": _bits(step, 2),
            "WORD_BITS": _bits(step, 0),
            "PHASE": 8 * (latency + interval),
            "CHANCES": [(0, 0.5, 0.9, 0.1), (0.5, 1, 0.9, 0.99, 1)],
        }
    else:
        parts = [_MODEL, PAUSES, AXI_LITE_BENCH, _REGISTERS]
        samples, words = _SINGLE_SAMPLES, _SINGLE_WORDS
        imports, more, warnings = "AxiLiteBus, AxiLiteMaster, AxiResp", "", "import warnings\n"
        imports = f"from cocotbext.axi import {imports}\n{QUIET}"
        known = DriverRegisters.of(registers)
        beats = 2 * sum(each.is_writable or each.access == "output" for each in registers.registers)
        beats += latency + interval

        def offsets(port: str) -> list[int]:
            return [each.offset for each in registers.of_port(port)]

        letter = "e" if step.fed_error else "t"
        constants |= {
            "PHASE": 64,
            "BUS_PAUSES": (0, 0.3, 0.7),
            "LONGEST": 4 * (latency + interval) + 20,
            "CONSTANTS": {known.identity: known.identity_value, known.hash: known.hash_value},
            "CONTROL": known.control,
            "STATUS": known.status,
            "MEM_CONTROL": registers.named("MEM_CONTROL").offset,
            "START, TRAIN": (1 << START, 1 << TRAIN),
            "BUSY, DONE": (1 << BUSY, 1 << DONE),
            "MEM_BUSY, MEM_DONE": (1 << MEM_BUSY, 1 << MEM_DONE),
            "MEM_READ, MEM_WRITE": (1 << MEM_READ, 1 << MEM_WRITE),
            "INPUT_REGISTERS": list(known.inputs),
            "TARGET_REGISTERS": [offsets(f"{letter}{index}") for index in range(targets)],
            "OUTPUT_REGISTERS": list(known.outputs),
            "MEM_ADDRESS": offsets("mem_address"),
            "MEM_DATA": offsets("mem_data"),
            "MEM_READ_DATA": offsets("mem_read_data"),
        }
    constants["WORDS"] = min(words, sum(a * b * c for a, b, c in held.shapes))
    cycles = _MOST_CYCLES * beats if registers else 20 * (latency + interval)
    values = {
        "about": _ABOUT,
        "name": step.name,
        "top": wrapper_name(step.name, "valid" if registers is None else "axi-lite"),
        "samples": samples,
        "cycles": cycles,
        "start": cycles * (10 + int(str(constants["WORDS"]))),
        "triggers": "RisingEdge",
        "warnings": warnings,
        "collections": f"Counter{more}",
        "imports": imports,
        "model": f"import {step.name}_emulator as emulator",
        "constants": "".join(f"{name} = {value}\n" for name, value in constants.items()),
    }
    return filled([HEADER, *parts], values)


def _bits(step: Step, which: int) -> int:
    kind = fixed_type((step.input, step.target, step.output)[which])
    if kind is None:
        raise KanError(f"@{step.name} is real-valued, so no code stands for its numbers")
    return kind.bits
