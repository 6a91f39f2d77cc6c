"""Simulation of right and wrong designs: right ones match, wrong ones are told apart."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from folded_design import FOLDED, every_sample, folded_model, folded_sums
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect.errors import KanError
from kan_dialect.files import user_cache
from kan_dialect.flows.simulate import compiled_parts as compiled_parts_module
from kan_dialect.flows.simulate.compiled_parts import CompiledParts, compiled_parts, sources_key
from kan_dialect.flows.simulate.plan import Plan, Recording, collect, plan
from kan_dialect.flows.simulate.port_words import from_hex, from_words, to_hex, to_words
from kan_dialect.flows.simulate.simulation import (
    Simulation,
    SimulatorName,
    compare,
    open_simulation,
    simulate,
)
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.flows.simulate.verilator import VerilatorModel
from kan_dialect.flows.tools.toolchain import Tool, find_simulator
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.vhdl import emit_vhdl
from kan_dialect.model.interface import Interface, Port

SIMULATORS: tuple[SimulatorName, ...] = ("icarus", "verilator")

INPUTS = (
    Port.of_range("x0", 0, 50),
    Port.of_range("x1", -8, 7, zero_point=-2),
    Port.of_range("x2", 0, 1),
)
OUTPUTS = (Port("y0", 9, -36, 82), Port.of_range("y1", 0, 63))
CLOCKED = Interface("mixer", INPUTS, OUTPUTS, latency=3)
COMBINATIONAL = Interface("mixer", INPUTS, OUTPUTS, latency=0, combinational=True)

CLOCKED_RTL = """\
module mixer (
  input  logic clk,
  input  logic rst,
  input  logic in_valid,
  input  logic [5:0] x0,
  input  logic signed [3:0] x1,
  input  logic x2,
  output logic out_valid,
  output logic signed [8:0] y0,
  output logic [5:0] y1
);
  logic [5:0] a, d;
  logic signed [3:0] b;
  logic c;
  logic signed [8:0] e;
  logic [2:0] valid;
  always_ff @(posedge clk) begin
    {a, b, c} <= {x0, x1, x2};
    e <= $signed({3'b0, a}) - 9'sd4 * b;
    d <= c ? a : 6'd63 - a;
    y0 <= e;
    y1 <= d;
    if (rst) valid <= '0;
    else valid <= {valid[1:0], in_valid};
  end
  assign out_valid = valid[2];
endmodule
"""

COMBINATIONAL_RTL = """\
module mixer (
  input  logic [5:0] x0,
  input  logic signed [3:0] x1,
  input  logic x2,
  output logic signed [8:0] y0,
  output logic [5:0] y1
);
  assign y0 = $signed({3'b0, x0}) - 9'sd4 * x1;
  assign y1 = x2 ? x0 : 6'd63 - x0;
endmodule
"""


def mixer(codes: IntArray) -> IntArray:
    """What the designs above compute."""
    x0, x1, x2 = codes.T
    return np.stack([x0 - 4 * x1, np.where(x2 == 1, x0, 63 - x0)], axis=1)


def with_bug(right: str, wrong: str, rtl: str = CLOCKED_RTL) -> str:
    assert right in rtl
    return rtl.replace(right, wrong)


def need(simulator: SimulatorName) -> None:
    if find_simulator(simulator) is None:
        pytest.skip(f"{simulator} is not installed")


@pytest.fixture(scope="module", params=SIMULATORS)
def clocked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Simulation]:
    need(request.param)
    rtl = tmp_path_factory.mktemp("rtl") / "mixer.sv"
    rtl.write_text(CLOCKED_RTL)
    with open_simulation(rtl, CLOCKED, simulator=request.param) as simulation:
        yield simulation


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for designs; what is made in the temporary folder must be gone in the end."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield tmp_path
    left = [path.name for path in temporary.iterdir()]
    # The run-time library of Verilator is kept until the process ends.
    assert [name for name in left if not name.startswith("kan-verilator-")] == []


def run(
    rtl: str,
    folder: Path,
    *,
    interface: Interface = CLOCKED,
    simulator: SimulatorName = "icarus",
    bubbles: float = 0.0,
) -> tuple[IntArray, IntArray]:
    """Inputs and outputs of a simulation."""
    need(simulator)
    path = folder / "design.sv"
    path.write_text(rtl)
    codes = stimuli(interface, random=300)
    return codes, simulate(path, interface, codes, simulator=simulator, bubbles=bubbles)


@pytest.mark.parametrize(("bubbles", "resets"), [(0.0, 0), (0.4, 0), (0.0, 7), (0.6, 5)])
def test_a_right_design_matches(clocked: Simulation, bubbles: float, resets: int) -> None:
    codes = stimuli(CLOCKED, random=2_000)
    outputs = clocked.run(codes, bubbles=bubbles, resets=resets, seed=3)
    assert compare(mixer(codes), outputs, codes).passed


def test_no_vectors_give_no_outputs(clocked: Simulation) -> None:
    assert clocked.run(np.empty((0, 3), dtype=np.int64)).shape == (0, 2)


def test_codes_out_of_range_are_refused(clocked: Simulation) -> None:
    codes = np.array([[50, 7, 1], [51, 7, 1]])
    with pytest.raises(KanError, match=r"sample 1: code 51 of x0 .* 0\.\.50"):
        clocked.run(codes)
    with pytest.raises(KanError, match=r"shape \(samples, 3\)"):
        clocked.run(codes[:, :2])


@cache
def folded_rtl(language: str = "sv") -> str:
    module = load_model(make_context(), FOLDED)
    return emit_systemverilog(module) if language == "sv" else emit_vhdl(module)


def run_folded(
    folder: Path, simulator: SimulatorName | Literal["ghdl"], old: str = "", new: str = ""
) -> tuple[IntArray, IntArray]:
    """What the folded design, with another text, should give and what it gives."""
    if find_simulator(simulator) is None:
        pytest.skip(f"{simulator} is not installed")
    rtl = folded_rtl("vhd" if simulator == "ghdl" else "sv")
    path = folder / "design"
    path.write_text(with_bug(old, new, rtl))
    codes = np.tile(every_sample(), (3, 1))
    interface = folded_model().interface()
    with open_simulation(path, interface, simulator=simulator) as simulation:
        got = [
            simulation.run(codes, bubbles=bubbles, resets=resets, seed=3)
            for bubbles, resets in ((0.0, 0), (0.6, 9))
        ]
    return np.tile(folded_sums(codes), (2, 1)), np.concatenate(got)


@pytest.mark.parametrize("simulator", ["icarus", "verilator", "ghdl"])
def test_a_folded_design_matches(folder: Path, simulator: SimulatorName | Literal["ghdl"]) -> None:
    np.testing.assert_array_equal(*run_folded(folder, simulator))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("= first;", "= turn == 2'd1;", "in_ready is low 1 cycle after reset, not once every 4"),
        ("      turn <= 2'd0;\n", "", "in_ready is X after reset"),
        ("in_valid & first", "in_valid", r"is high where no output is due \(after vector 0\)"),
        ("if (rst)\n      valid3", "if (1'b0)\n      valid3", "out_valid is (X|high)"),
        ("(turn == 2'd1) ?", "1'b0 ?", "y0 is X at vector 0"),
        ("out_valid = valid5", "out_valid = valid4", "its latency is 4 cycles, not the 5 that"),
    ],
)  # fmt: skip
def test_what_is_no_folded_design_is_refused(
    folder: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(KanError, match=message):
        run_folded(folder, "icarus", old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("? {x1, x0} : rest", "? {x1, x0} : {x1, x0} >> 2", id="x is read later"),
        pytest.param("first ? sum : result", "turn[0] ? sum : result", id="result of another turn"),
    ],
)
def test_wrong_outputs_of_a_folded_design_are_found(folder: Path, old: str, new: str) -> None:
    expected, got = run_folded(folder, "icarus", old, new)
    assert not np.array_equal(expected, got)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_right_combinational_design_matches(folder: Path, simulator: SimulatorName) -> None:
    codes, outputs = run(COMBINATIONAL_RTL, folder, interface=COMBINATIONAL, simulator=simulator)
    assert compare(mixer(codes), outputs, codes).passed


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_words_of_any_width_pass_through(folder: Path, simulator: SimulatorName) -> None:
    widths = [(1, False), (1, True), (7, True), (32, False), (33, True), (63, False), (64, True)]
    ranges = [
        (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
        for width, signed in widths
    ]
    interface = Interface(
        "wide",
        tuple(Port.of_range(f"x{i}", *bounds) for i, bounds in enumerate(ranges)),
        tuple(Port.of_range(f"y{i}", *bounds) for i, bounds in enumerate(ranges)),
        latency=0,
        combinational=True,
    )
    assert [port.width for port in interface.inputs] == [width for width, _ in widths]
    ports = [f"input [{width - 1}:0] x{i}" for i, (width, _) in enumerate(widths)]
    ports += [f"output [{width - 1}:0] y{i}" for i, (width, _) in enumerate(widths)]
    body = " ".join(f"assign y{i} = x{i};" for i in range(len(widths)))
    rtl = f"module wide ({', '.join(ports)}); {body} endmodule\n"
    codes, outputs = run(rtl, folder, interface=interface, simulator=simulator)
    np.testing.assert_array_equal(outputs, codes)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        pytest.param(
            "out_valid = valid[2]",
            "out_valid = valid[1]",
            r"out_valid is high where no output is due \(3 cycles after reset\)"
            r"; its latency is 2 cycles, not the 3",
            id="valid comes early",
        ),
        pytest.param(
            "assign out_valid = valid[2];",
            "always_ff @(posedge clk) out_valid <= rst ? 1'b0 : valid[2];",
            r"out_valid is low at vector 0, 3 cycles after its input; its latency is 4 cycles",
            id="valid comes late",
        ),
        pytest.param(
            "if (rst) valid <= '0;\n    else valid",
            "valid",
            r"out_valid is high where no output is due \(1 cycle after reset\); check that reset",
            id="reset is missing",
        ),
        pytest.param(
            "if (rst) valid <= '0;",
            "if (rst) valid[1:0] <= '0;",
            r"out_valid is high where no output is due \(1 cycle after reset\); check that reset",
            id="reset misses one bit",
        ),
        pytest.param(
            "valid[1:0], in_valid", "valid[1:0], 1'b0", "out_valid is low at vector 0", id="never"
        ),
        pytest.param(
            "assign out_valid = valid[2];", "", "out_valid is X", id="valid is not driven"
        ),
        pytest.param(
            "y1 <= d;", "y1 <= d == 13 ? 'x : d;", r"y1 is X at vector \d+ \(x0 = ", id="X"
        ),
        pytest.param(
            "y0 <= e;",
            "y0 <= e == 81 ? 9'sd83 : e;",
            r"sample \d+: code 83 of y0 .*-36\.\.82",
            id="range",
        ),
        pytest.param(
            "input  logic x2,",
            "input  logic [1:0] x2,",
            "port x2 should have 1 bits, but has 2",
            id="width",
        ),
        pytest.param(
            "signed [8:0] y0,\n  output logic [5:0] y1",
            "[5:0] y1,\n  output logic signed [8:0] y0",
            "port y1 of the RTL stands where y0 should",
            id="order",
        ),
        pytest.param("x2", "x9", "iverilog failed .*x2.* is not a port", id="name"),
        pytest.param(
            "y0 <= e;", "y0 <= e", r"iverilog failed .*mixer.sv:22: syntax error", id="syntax"
        ),
    ],
)
def test_what_is_no_pipeline_is_refused(folder: Path, right: str, wrong: str, message: str) -> None:
    with pytest.raises(KanError, match=message):
        run(with_bug(right, wrong), folder)


@pytest.mark.parametrize(
    ("right", "wrong", "bubbles"),
    [
        pytest.param("y0 <= e;", "y0 <= e == 17 ? e ^ 9'sd4 : e;", 0.0, id="wrong bit"),
        pytest.param("y1 <= d;", "y1 <= c ? a : 6'd63 - a;", 0.0, id="data comes early"),
        pytest.param("y1 <= d;", "if (in_valid) y1 <= d;", 0.3, id="bubbles stop data"),
    ],
)
def test_wrong_outputs_are_found(folder: Path, right: str, wrong: str, bubbles: float) -> None:
    codes, outputs = run(with_bug(right, wrong), folder, bubbles=bubbles)
    verdict = compare(mixer(codes), outputs, codes)
    assert not verdict.passed
    first = verdict.first
    assert first is not None
    assert first.expected == tuple(mixer(codes)[first.index])
    assert first.got == tuple(outputs[first.index])
    assert first.inputs == tuple(codes[first.index])
    assert first.got != first.expected
    np.testing.assert_array_equal(outputs[: first.index], mixer(codes)[: first.index])


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        pytest.param(
            "if (rst) valid <= '0;\n    else valid",
            "valid",
            "out_valid is high where no output is due",
            id="reset is missing",
        ),
        pytest.param(
            "output logic [5:0] y1",
            "output logic [6:0] y1",
            "port y1 of mixer must be an output of width 6, and is an output of width 7",
            id="width",
        ),
        pytest.param("y0 <= e;", "y0 <= e", r"verilator failed .*mixer.sv:22", id="syntax"),
        pytest.param(
            "x2", "x9", "port x2 of mixer must be an input of width 1, and is absent", id="name"
        ),
    ],
)
def test_verilator_finds_bugs_too(folder: Path, right: str, wrong: str, message: str) -> None:
    with pytest.raises(KanError, match=message):
        run(with_bug(right, wrong), folder, simulator="verilator")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(KanError, match=r"there is no file '.*absent\.sv'"):
        simulate(tmp_path / "absent.sv", CLOCKED, stimuli(CLOCKED, random=1))


def test_temporary_files_go_on_interrupt(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kan_dialect.flows.simulate.icarus.IcarusModel.play", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(CLOCKED_RTL, folder)


_COMPILER = """\
#!/bin/sh
echo "$*" >> '{log}'
for word; do
  if [ "$last" = -o ]; then output=$word; fi
  last=$word
done
: > "${{output:-$(basename "$last" .cpp).o}}"
"""
"""Makes empty files of the right names, and lists its calls."""


def test_compiled_parts_are_shared_by_way_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("verilator")
    log, compiler, cache = tmp_path / "log", tmp_path / "c++", tmp_path / "new" / "cache"
    compiler.write_text(_COMPILER.format(log=log))
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("KAN_CACHE", str(cache))
    (tmp_path / "mixer.sv").write_text(CLOCKED_RTL)

    def calls(constant: str = "63") -> list[str]:
        compiled_parts.cache_clear()  # as another process
        log.write_text("")
        (tmp_path / "mixer.sv").write_text(CLOCKED_RTL.replace("6'd63", f"6'd{constant}"))
        with tempfile.TemporaryDirectory() as directory:
            VerilatorModel(tmp_path / "mixer.sv", CLOCKED, Path(directory))
        return log.read_text().splitlines()

    try:
        first, second = calls(), calls(constant="62")
        assert sum("verilated" in call and "-c" in call.split() for call in first) >= 2
        assert sum("-xc++-header" in call for call in first) == 1
        (unit, link) = second
        assert "-include" in unit
        assert str(cache) in link
        assert calls() == calls(constant="62") == []
        # Damaged files are made again, each. Parts are compiled side by side, in any order.
        damaged = [path for path in cache.rglob("*") if path.is_file()]
        for path in damaged:
            path.write_bytes(b"damaged")
        assert [sorted(calls()), calls(constant="62")] == [sorted(first), second]
        made = [path for path in cache.rglob("*") if path.is_file()]
        assert len(made) == len(damaged) and not any(path.read_bytes() for path in made)
        # What another compiler made is not taken.
        compiler.write_text(compiler.read_text() + "# another\n")
        assert len(calls()) == len(first)
        assert len(list(cache.iterdir())) == 2
        monkeypatch.setenv("KAN_CACHE", str(tmp_path / "mixer.sv"))
        with pytest.raises(KanError, match=r"cannot make the folder .*mixer\.sv") as refused:
            calls()
        assert "KAN_CACHE" in str(refused.value.remedy)
    finally:
        compiled_parts.cache_clear()


def test_compiled_parts_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_parts_module, "_KEPT_BYTES", 2500)
    parts = CompiledParts(tmp_path, lasting=True)
    program = tmp_path / "model"
    program.write_bytes(bytes(1000))
    for second, key in enumerate("abc"):
        parts.keep_program(key, program)
        (kept,) = (tmp_path / "programs").glob(f"{key}-*")
        os.utime(kept, (second, second))
        if key == "b":
            assert parts.take_program("a", tmp_path / "copy")
    assert parts.take_program("a", tmp_path / "copy")
    assert not parts.take_program("b", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == bytes(1000)


def test_old_versions_of_compiled_parts_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAN_CACHE", str(tmp_path))
    tool = Tool("c++", Path(sys.executable))
    old = time.time() - 7 * 24 * 3600
    for age in range(5):
        (tmp_path / f"verilator-{age}").mkdir()
        used = time.time() if age == 4 else old - age
        os.utime(tmp_path / f"verilator-{age}", (used, used))
    compiled_parts.cache_clear()
    try:
        kept = compiled_parts(tool, tmp_path, ()).folder
        # The three used last are kept; what another process may use stays as well.
        left = {"verilator-0", "verilator-4", kept.name}
        assert {path.name for path in tmp_path.iterdir()} == left
    finally:
        compiled_parts.cache_clear()


def test_parts_are_kept_for_the_process_where_the_folder_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    tool = Tool("c++", Path(sys.executable))
    compiled_parts.cache_clear()
    try:
        monkeypatch.setenv("KAN_CACHE", "")
        assert not compiled_parts(tool, tmp_path, ("a",)).lasting
        monkeypatch.delenv("KAN_CACHE")
        monkeypatch.setattr(user_cache, "user_cache_path", lambda _: tmp_path / "file" / "below")
        assert not compiled_parts(tool, tmp_path, ("b",)).lasting
    finally:
        compiled_parts.cache_clear()


def test_the_key_of_sources_is_that_of_their_contents(tmp_path: Path) -> None:
    def key(**files: str) -> str:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        for name, text in files.items():
            (folder / f"{name}.cpp").write_text(text)
        return sources_key(folder)

    assert key(a="1", b="2") == key(b="2", a="1")
    assert len({key(a="1", b="2"), key(a="12"), key(a="1", c="2"), key(a="2", b="1")}) == 4


def test_a_work_dir_is_kept_wherever_it_is(tmp_path: Path) -> None:
    need("icarus")
    folder = tmp_path / "with space" / "work"
    rtl = tmp_path / "de sign.sv"
    rtl.write_text(CLOCKED_RTL)
    codes = stimuli(CLOCKED, random=10)
    for _ in range(2):
        outputs = simulate(rtl, CLOCKED, codes, simulator="icarus", work_dir=folder)
        np.testing.assert_array_equal(outputs, mixer(codes))
    assert (folder / "player.sv").is_file()


def ideal_pipeline(interface: Interface, given_plan: Plan) -> Recording:
    """A design of the right latency that gives out what it takes in."""
    control = given_plan.control
    accepted = (control == 1) & given_plan.ready
    valid = np.zeros(len(control), dtype=np.bool_)
    words = np.zeros(given_plan.words.shape, dtype=np.uint64)
    for cycle in np.flatnonzero(accepted):
        out = cycle + interface.latency
        if out < len(control) and not (control[cycle:out] & 2).any():
            valid[out], words[out] = True, given_plan.words[cycle]
    flags = np.stack([given_plan.ready, valid, np.ones_like(valid)], axis=1)
    return Recording(flags, np.ones_like(flags), words, np.ones(words.shape, dtype=np.bool_))


@settings(deadline=None)
@given(
    latency=st.integers(0, 6),
    interval=st.sampled_from([1, 1, 2, 3, 5]),
    vectors=st.integers(0, 40),
    bubbles=st.floats(0, 0.9),
    resets=st.integers(0, 6),
    seed=st.integers(0, 1000),
)
def test_a_plan_asks_for_each_vector_once(
    latency: int, interval: int, vectors: int, bubbles: float, resets: int, seed: int
) -> None:
    ports = tuple(Port.of_range(f"x{i}", -3, 100) for i in range(2))
    outputs = tuple(Port.of_range(f"y{i}", -3, 100) for i in range(2))
    interface = Interface("pipe", ports, outputs, latency, interval=interval)
    codes = np.random.default_rng(seed).integers(-3, 100, (vectors, 2), endpoint=True)
    made = plan(interface, codes, bubbles=bubbles, resets=resets, seed=seed)
    assert sorted(made.due[made.due >= 0]) == list(range(vectors))
    assert np.count_nonzero(made.control & 2) == resets + 1
    np.testing.assert_array_equal(collect(interface, made, ideal_pipeline(interface, made)), codes)


def test_vectors_of_a_folded_design_wait() -> None:
    interface = folded_model().interface()
    codes = np.ones((100, 2), dtype=np.int64)
    made = plan(interface, codes, bubbles=0.3)
    offered, random = (made.control & 1) == 1, (made.words != 1).any(axis=1)
    cycles = made.due != -2
    for valid, ready in ((True, True), (True, False), (False, True), (False, False)):
        there = cycles & (offered == valid) & (made.ready == ready)
        assert there.any()
        assert (random[there].mean() > 0.9) != (valid and ready)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 64), st.integers(0, 1 << 64)), min_size=1))
def test_hexadecimal_text_reads_back(ports: list[tuple[int, int]]) -> None:
    widths = [width for width, _ in ports]
    row = [value & ((1 << width) - 1) for width, value in ports]
    words = np.array([row, row[:]], dtype=np.uint64)
    read, known = from_hex(to_hex(words, widths, separator=""), widths)
    np.testing.assert_array_equal(read, words)
    assert known.all()
    text = to_hex(words, widths).decode().splitlines()[0]
    assert [int(part, 16) for part in text.split("_")] == row


def test_unknown_digits_are_told_and_lines_checked() -> None:
    _, known = from_hex(b"1x3\n123\nzZX\n", [4, 8])
    np.testing.assert_array_equal(known, [[True, False], [True, True], [False, False]])
    with pytest.raises(ValueError, match="line"):
        from_hex(b"1234\n123\n12\n", [4, 8])


@settings(deadline=None)
@given(st.integers(1, 64), st.booleans(), st.data())
def test_codes_survive_ports(width: int, signed: bool, data: st.DataObject) -> None:
    if not signed:
        width = min(width, 63)
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    port = Port("x0", width, low, high)
    codes = np.array([[data.draw(st.integers(low, high))], [low], [high]], dtype=np.int64)
    np.testing.assert_array_equal(from_words(to_words(codes, [port]), [port]), codes)


def test_stimuli_hold_samples_corners_and_random_vectors() -> None:
    samples = np.array([[3, -4, 1], [50, 7, 0]])
    vectors = stimuli(CLOCKED, samples, random=100, seed=5)
    np.testing.assert_array_equal(vectors[:2], samples)
    present = {tuple(row) for row in vectors.tolist()}
    corners = {(0, -8, 0), (50, 7, 1), (0, -2, 0), (50, -2, 0), (25, 7, 0), (1, -7, 1), (49, 6, 0)}
    assert corners <= present
    assert len(vectors) >= 102
    assert (vectors[-100:].min(axis=0) >= [0, -8, 0]).all()
    np.testing.assert_array_equal(vectors, stimuli(CLOCKED, samples, random=100, seed=5))
    assert not np.array_equal(vectors, stimuli(CLOCKED, samples, random=100, seed=6))
    with pytest.raises(KanError, match="sample 1: code 8 of x1"):
        stimuli(CLOCKED, np.array([[0, 0, 0], [0, 8, 0]]))


def test_a_verdict_tells_the_first_mismatch() -> None:
    codes = np.array([[1, 2, 0], [3, 4, 1], [5, 6, 0]])
    expected = mixer(codes)
    got = expected.copy()
    got[1:, 0] += 1
    verdict = compare(expected, got, codes)
    assert (verdict.vectors, verdict.mismatches, verdict.passed) == (3, 2, False)
    assert verdict.describe(CLOCKED) == (
        "2 of 3 vectors differ; first vector 1 (x0 = 3, x1 = 4, x2 = 1): "
        "expected y0 = -13, y1 = 3; got y0 = -12, y1 = 3"
    )
    assert compare(expected, expected, codes).describe(CLOCKED) == "3 vectors, no mismatch"
    with pytest.raises(ValueError, match="cannot compare"):
        compare(expected, got[:2], codes)
