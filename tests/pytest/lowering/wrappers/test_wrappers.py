"""Wrappers in simulation: every sample comes out once, in order, for random pauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from folded_design import FOLDED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loadable_networks import loadable
from loadable_networks import network as loadable_network
from wrapper_bench import Bench, play
from xdsl.context import Context
from xdsl.dialects import hw

from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.interface import Interface, Port
from kan_dialect.model.model import Model
from lint import require_silent

needs_icarus = pytest.mark.skipif(
    toolchain.look_for("iverilog") is None, reason="Icarus Verilog is not installed"
)


def network(ranges: Sequence[tuple[int, int]], latency: int) -> str:
    """A network that adds neighbours: y0 = x0 + x1, y1 = x1 + x2, ..., and the last input."""
    kinds = [f"!kan.int<{low}:{high}>" for low, high in ranges]
    arguments = ", ".join(f"%x{index}: {kind}" for index, kind in enumerate(kinds))
    lines: list[str] = []
    results: list[str] = []
    for index, (low, high) in enumerate(ranges[:-1]):
        further = ranges[index + 1]
        results.append(f"!kan.int<{low + further[0]}:{high + further[1]}>")
        lines.append(
            f"  %s{index} = kan.sum %x{index}, %x{index + 1} : {kinds[index]}, "
            f"{kinds[index + 1]} -> {results[-1]}"
        )
    results.append(kinds[-1])
    sources = [*(f"%s{index}" for index in range(len(ranges) - 1)), f"%x{len(ranges) - 1}"]
    for index, (source, kind) in enumerate(zip(sources, results, strict=True)):
        lines.append(f"  %d{index} = kan.delay {source} by {latency} : {kind}")
    returned = ", ".join(f"%d{index}" for index in range(len(results)))
    body = "\n".join(lines)
    kind = ", ".join(results)
    return (
        f"func.func @net({arguments}) -> ({kind}) {{\n{body}\n  func.return {returned} : {kind}\n}}"
    )


def sliced(ports: Sequence[Port], word: str) -> tuple[int, str]:
    """Bits of all ports side by side, and their connections to slices of a word."""
    names: list[str] = []
    low = 0
    for port in ports:
        names.append(f".{port.name}({word}[{low} +: {port.width}])")
        low += port.width
    return low, ", ".join(names)


class Wrapped:
    """A network in a wrapper: its model, its files, and what the testbench connects."""

    def __init__(self, folder: Path, text: str, options: WrapInterfacePass) -> None:
        context: Context = make_context()
        module = parse_text(context, text.encode(), "net.mlir")
        self.model = Model.of(module.clone())
        LowerKanToHwPass().apply(context, module)
        options.apply(context, module)
        module.verify()
        self.interface: Interface = Model.of(module).interface()
        self.module = module
        self.options = options
        self.file = folder / "design.sv"
        self.file.write_text(emit_systemverilog(module))

    def bench(self) -> Bench:
        inputs, outputs = self.interface.inputs, self.interface.outputs
        latency = self.interface.latency + 5
        (low, taken), (high, given) = (
            sliced(ports, word) for ports, word in ((inputs, "s_word"), (outputs, "m_word"))
        )
        valids = ".in_valid(s_valid), .out_valid(m_valid)"
        name = self.interface.name
        if self.options.interface == "valid":
            is_folded = self.interface.interval > 1
            turn, port = ("wire turn; ", ", .in_ready(turn)") if is_folded else ("", "")
            taken += port
            dut = f"{turn}assign s_ready = m_ready{' && turn' * is_folded}; "
            dut += f"{name}_clock_enable dut (.clk(clock), .rst(reset)"
            return Bench(f"{dut}, .ce(m_ready), {valids}, {taken}, {given});", low, high, latency)
        if self.options.interface == "ready-valid":
            dut = f"{name}_ready_valid dut (.clk(clock), .rst(reset), {valids}, .in_ready(s_ready)"
            return Bench(f"{dut}, .out_ready(m_ready), {taken}, {given});", low, high, latency)
        source, result = self.options.choice.layouts(self.interface)
        choice = self.options.choice
        names = [
            ".aclk(clock)",
            ".aresetn(~reset)",
            ".s_axis_tvalid(s_valid)",
            ".s_axis_tready(s_ready)",
            ".m_axis_tvalid(m_valid)",
            ".m_axis_tready(m_ready)",
        ]
        widths: list[int] = []
        for bus, word, layout in (("s_axis", "s_word", source), ("m_axis", "m_word", result)):
            names.append(f".{bus}_tdata({word}[0 +: {layout.beat_bits}])")
            low = layout.beat_bits
            parts = {
                "tkeep": layout.beat_bytes if layout.has_keep else 0,
                "tlast": int(choice.last),
                "tuser": choice.user_bits,
            }
            for part, bits in parts.items():
                if bits:
                    names.append(f".{bus}_{part}({word}[{low} +: {bits}])")
                    low += bits
            widths.append(low)
        dut = f"{name}_axi_stream dut ({', '.join(names)});"
        return Bench(dut, widths[0], widths[1], latency * max(source.beats, result.beats))

    def codes(self, random: np.random.Generator, samples: int) -> np.ndarray:
        ports = self.interface.inputs
        return np.stack(
            [random.integers(port.low, port.high, samples, endpoint=True) for port in ports], axis=1
        )

    def words(
        self, codes: np.ndarray, last: Sequence[int], user: Sequence[int], side: str
    ) -> list[list[int]]:
        """The words of each sample, as a Python integer for each beat."""
        ports = self.interface.inputs if side == "s" else self.interface.outputs
        if self.options.interface != "axi-stream":
            found: list[list[int]] = []
            for row in codes.tolist():
                word, low = 0, 0
                for port, code in zip(ports, row, strict=True):
                    word |= (code & ((1 << port.width) - 1)) << low
                    low += port.width
                found.append([word])
            return found
        choice = self.options.choice
        layout = choice.layouts(self.interface)[0 if side == "s" else 1]
        found = []
        for row, ends, tag in zip(codes.tolist(), last, user, strict=True):
            sample = 0
            for field, code in zip(layout.fields, row, strict=True):
                sample |= (code & ((1 << field.field_bits) - 1)) << field.offset
            beats: list[int] = []
            for beat, place in enumerate(layout.words):
                word = sample >> (place * layout.beat_bits) & ((1 << layout.beat_bits) - 1)
                low = layout.beat_bits
                if layout.has_keep:
                    left = layout.payload_bytes - place * layout.beat_bytes
                    kept = max(0, min(left, layout.beat_bytes))
                    word |= ((1 << kept) - 1) << low
                    low += layout.beat_bytes
                if choice.last:
                    word |= int(ends and beat == layout.beats - 1) << low
                    low += 1
                if choice.user_bits and beat == 0:
                    word |= tag << low
                beats.append(word)
            found.append(beats)
        return found


def check(
    folder: Path,
    text: str,
    options: WrapInterfacePass,
    *,
    simulator: str,
    seed: int,
    samples: int,
    eager: bool = False,
    reset_at: int | None = None,
) -> None:
    """All samples, their order and sidebands; with a reset, those before and behind it."""
    wrapped = Wrapped(folder, text, options)
    random = np.random.default_rng(seed)
    codes = wrapped.codes(random, samples)
    last = random.integers(0, 2, samples).tolist()
    user = random.integers(0, 1 << options.user_bits, samples).tolist()
    sent = wrapped.words(codes, last, user, "s")
    expected = wrapped.words(wrapped.model.run_codes(codes), last, user, "m")
    bench = wrapped.bench()
    restart = samples // 2 if reset_at is not None else 0
    run = play(
        folder,
        [wrapped.file],
        bench,
        [word for sample in sent for word in sample],
        simulator=simulator,
        seed=seed + 1,
        eager=eager,
        reset_at=reset_at,
        restart=restart * len(sent[0]),
    )
    assert run.after == [word for sample in expected[restart:] for word in sample]
    if reset_at is not None:
        whole = [word for sample in expected for word in sample]
        assert 0 < len(run.before) < len(whole)
        assert run.before == whole[: len(run.before)]
    if eager:
        beats = max(len(sent[0]), len(expected[0]), wrapped.interface.interval)
        assert run.cycles <= samples * beats + bench.latency * 2 + 60


THREE = network([(-4, 3), (0, 4095), (-100, 27)], 4)
FOLDS = FOLDED.read_text()
STREAM = WrapInterfacePass("axi-stream")
CASES = {
    "clock enable": WrapInterfacePass("valid", clock_enable=True),
    "ready-valid": WrapInterfacePass("ready-valid"),
    "stream": STREAM,
    "beats": WrapInterfacePass("axi-stream", beat_bits=(8, 16), user_bits=3),
    "high": WrapInterfacePass(
        "axi-stream", beat_bits=(24, 8), beat_order="high-first", no_last=True, buffer_words=32
    ),
}


@needs_icarus
@pytest.mark.parametrize(
    ("case", "text"),
    [(case, text) for text in (THREE, FOLDS) for case in CASES],
    ids=[*CASES, *(f"folded {case}" for case in CASES)],
)
@pytest.mark.parametrize("how", ["pauses", "eager", "reset"])
def test_every_sample_comes_out_once(case: str, text: str, how: str, tmp_path: Path) -> None:
    check(
        tmp_path,
        text,
        CASES[case],
        simulator="icarus",
        seed=len(case),
        samples=300,
        eager=how == "eager",
        reset_at=101 if how == "reset" else None,
    )


@pytest.mark.parametrize("case", CASES)
def test_linters_and_yosys_have_nothing_to_say(case: str, tmp_path: Path) -> None:
    wrapped = Wrapped(tmp_path, THREE, CASES[case])
    files: list[Path] = []
    for name in [op.sym_name.data for op in wrapped.module.ops if isinstance(op, hw.HWModuleOp)]:
        files.append(tmp_path / f"{name}.sv")
        files[-1].write_text(emit_systemverilog(wrapped.module, {name}))
    yosys = toolchain.look_for("yosys")
    if yosys is not None:
        tool_runs.run(yosys, ["-q", "-p", "read_verilog -sv design.sv; proc; check"], cwd=tmp_path)
    require_silent(tmp_path, files, "--top-module", files[-1].stem)


@pytest.mark.skipif(toolchain.look_for("verilator") is None, reason="verilator is not installed")
@pytest.mark.ci
@pytest.mark.parametrize("case", ["ready-valid", "beats"])
def test_verilator_agrees(case: str, tmp_path: Path) -> None:
    check(tmp_path, THREE, CASES[case], simulator="verilator", seed=5, samples=2000)


@st.composite
def designs(draw: st.DrawFn) -> tuple[str, WrapInterfacePass, int]:
    count = draw(st.integers(1, 4))
    ranges: list[tuple[int, int]] = []
    for _ in range(count):
        low = draw(st.sampled_from([0, -1, -128, -(1 << 20)]))
        ranges.append((low, draw(st.integers(max(low, 0) + 1, 1 << draw(st.integers(1, 24))))))
    latency = draw(st.integers(1, 14))
    beat = st.sampled_from([None, 8, 16, 32, 64])
    widths = draw(beat), draw(beat)
    chosen = None if None in widths else (widths[0] or 8, widths[1] or 8)
    words = draw(st.sampled_from([None, 32]))
    if draw(st.booleans()):
        options = WrapInterfacePass("ready-valid", buffer_words=words)
        return network(ranges, latency), options, draw(st.integers(0, 1000))
    options = WrapInterfacePass(
        "axi-stream",
        beat_bits=chosen,
        beat_order=draw(st.sampled_from(["low-first", "high-first"])),
        no_last=draw(st.booleans()),
        user_bits=draw(st.sampled_from([0, 1, 5])),
        buffer_words=words,
    )
    return network(ranges, latency), options, draw(st.integers(0, 1000))


@needs_icarus
@pytest.mark.ci
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(designs())
def test_random_widths_and_depths(
    tmp_path_factory: pytest.TempPathFactory, design: tuple[str, WrapInterfacePass, int]
) -> None:
    text, options, seed = design
    folder = tmp_path_factory.mktemp("wrapped")
    check(folder, text, options, simulator="icarus", seed=seed, samples=120)


@needs_icarus
def test_a_packet_that_ends_within_a_sample_drops_it(tmp_path: Path) -> None:
    options = WrapInterfacePass("axi-stream", beat_bits=16)
    wrapped = Wrapped(tmp_path, network([(0, 255), (0, 255), (0, 255)], 2), options)
    codes = wrapped.codes(np.random.default_rng(3), 20)
    sent = wrapped.words(codes, [1] * 20, [0] * 20, "s")
    kept = [index for index in range(20) if index % 3]
    last = 1 << 18  # behind TDATA and TKEEP
    words = [
        word
        for index, beats in enumerate(sent)
        for word in (beats if index % 3 else [beats[0] | last])
    ]
    expected = wrapped.words(wrapped.model.run_codes(codes[kept]), [1] * 13, [0] * 13, "m")
    run = play(tmp_path, [wrapped.file], wrapped.bench(), words, simulator="icarus")
    assert run.after == [word for beats in expected for word in beats]


# Tables that are loaded: words wait for samples under way, and samples for words, so each sample
# has the tables of the words that were taken before it.

LOADER = """
  logic mem_valid = 1'b0;
  wire mem_ready;
  logic [{address} + {data} - 1:0] loads [0:{words} - 1];
  integer loaded = 0, accepted = 0, log;
  initial begin
    $readmemh("loads.hex", loads);
    log = $fopen("loads.txt", "w");
  end
  always @(posedge clock) begin
    if (s_valid && s_ready && !reset) accepted <= accepted + 1;
    if (mem_valid && mem_ready && {enable} && !reset) begin
      loaded <= loaded + 1;
      if ((loaded + 1) % {network} == 0) begin
        mem_valid <= 1'b0;
        $fdisplay(log, "%0d", accepted);
        $fflush(log);
      end
    end else if (loaded < {words} && !reset && {starts}) mem_valid <= 1'b1;
  end
"""
"""Holds `mem_valid` while it writes all words of a network; tells the beats accepted before."""


def with_loader(
    folder: Path, bench: Bench, wrapped: Wrapped, sets: list[IntArray], rare: int
) -> Bench:
    """A testbench that loads sets of words, each about `rare` cycles behind the one before."""
    address, data = (port.width for port in wrapped.interface.memory)
    words = np.concatenate(sets).tolist()
    text = "".join(f"{place << data | word:x}\n" for place, word in words)
    (folder / "loads.hex").write_text(text)
    loader = LOADER.format(
        address=address,
        data=data,
        words=len(words),
        network=len(sets[0]),
        enable="m_ready" if wrapped.options.clock_enable else "1'b1",
        starts=f"$urandom % {rare} == 0",
    )
    ports = ".mem_valid(mem_valid), .mem_ready(mem_ready)"
    ports += f", .mem_address(loads[loaded][{data} +: {address}])"
    ports += f", .mem_data(loads[loaded][0 +: {data}])"
    assert bench.dut.endswith(");")
    return replace(bench, dut=f"{loader}{bench.dut[:-2]}, {ports});")


def check_loads(
    folder: Path,
    shape: int,
    interval: int,
    options: WrapInterfacePass,
    simulator: str,
    samples: int = 150,
) -> None:
    """Random samples, while tables of three networks are loaded again and again."""
    networks = [loadable_network(shape, tables) for tables in (1, 2, 3)]
    integers = [Model.of(each.clone()) for each in networks]
    made = [loadable(each, interval) for each in networks]
    wrapped = Wrapped(folder, str(networks[0]), options)
    random = np.random.default_rng(shape)
    codes = wrapped.codes(random, samples)
    chosen = [1, 2, 0, 2, 1]
    sets = [random.permutation(made[each][1]) for each in chosen]
    bench = with_loader(folder, wrapped.bench(), wrapped, sets, samples * interval // 3)
    last = random.integers(0, 2, samples).tolist()
    user = random.integers(0, 1 << options.user_bits, samples).tolist()
    sent = wrapped.words(codes, last, user, "s")
    words = [word for sample in sent for word in sample]
    run = play(folder, [wrapped.file], bench, words, simulator=simulator, seed=shape + 1)
    accepted = [int(line) for line in (folder / "loads.txt").read_text().split()]
    assert accepted
    firsts = [beats // len(sent[0]) for beats in accepted]
    results = np.empty((samples, len(wrapped.interface.outputs)), np.int64)
    ends = [*firsts[1:], samples]
    results[: firsts[0]] = integers[0].run_codes(codes[: firsts[0]])
    for first, end, tables in zip(firsts, ends, chosen, strict=False):
        results[first:end] = integers[tables].run_codes(codes[first:end])
    expected = wrapped.words(results, last, user, "m")
    assert run.after == [word for sample in expected for word in sample]


@needs_icarus
@pytest.mark.parametrize("case", CASES)
def test_samples_have_the_tables_before_them(case: str, tmp_path: Path) -> None:
    check_loads(tmp_path, 7, 4, CASES[case], "icarus")


@pytest.mark.skipif(toolchain.look_for("verilator") is None, reason="verilator is not installed")
@pytest.mark.ci
@pytest.mark.parametrize("case", CASES)
def test_verilator_agrees_on_loads(case: str, tmp_path: Path) -> None:
    check_loads(tmp_path, 7, 4, CASES[case], "verilator")


@needs_icarus
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    shape=st.integers(0, 10_000),
    interval=st.sampled_from([2, 3, 4, 8]),
    case=st.sampled_from(list(CASES)),
)
def test_loads_of_random_networks(
    tmp_path_factory: pytest.TempPathFactory, shape: int, interval: int, case: str
) -> None:
    check_loads(tmp_path_factory.mktemp("loaded"), shape, interval, CASES[case], "icarus", 60)
