"""Proofs of wrappers: right ones are proven, wrong ones are not, and are shown by cycles."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from commands import flow
from folded_design import FOLDED, folded_model
from hypothesis import given, settings
from hypothesis import strategies as st
from loadable_networks import loadable
from loadable_networks import network as table_network

import kan_dialect as kan
from kan_dialect.errors import KanError
from kan_dialect.flows.prove.interfaces.of_build import BuiltWrapper
from kan_dialect.flows.prove.interfaces.prove import InterfaceProof, prove_built
from kan_dialect.flows.prove.interfaces.witness import find_witness, first_difference
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.interface import Interface, Port

pytest.importorskip("bitwuzla")
pytestmark = pytest.mark.skipif(look_for("yosys") is None, reason="Yosys is not installed")

PORTS = (Port.of_range("x0", -4, 3), Port.of_range("x1", 0, 4095))


def network(latency: int, inputs: Sequence[Port] = PORTS) -> tuple[Interface, str]:
    """A network that hands its inputs on, some cycles later."""
    outputs = [Port.of_range(f"y{i}", p.low, p.high) for i, p in enumerate(inputs)]
    wires = {"v": ("in_valid", 1)} | {p.name: (p.name, p.width) for p in inputs}
    lines = ["  %no = hw.constant false"]
    for stage in range(latency):
        for name, (wire, bits) in wires.items():
            reset = " reset %rst, %no" if name == "v" else ""
            lines.append(f"  %{name}_{stage} = seq.compreg %{wire}, %clk{reset} : i{bits}")
            wires[name] = f"{name}_{stage}", bits
    ports = ", ".join(f'#kan.port<"{p.name}", {p.low}:{p.high}>' for p in [*inputs, *outputs])
    taken = "".join(f", in %{p.name}: i{p.width}" for p in inputs)
    given = "".join(f", out {p.name}: i{p.width}" for p in outputs)
    body = "\n".join(lines)
    text = f"""hw.module @net(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1{taken},
    out out_valid: i1{given}) attributes {{
    kan.latency = {latency} : i64, kan.ports = [{ports}]}} {{
{body}
  hw.output {", ".join(f"%{wire}" for wire, _ in wires.values())}
    : {", ".join(f"i{bits}" for _, bits in wires.values())}
}}"""
    return Interface("net", tuple(inputs), tuple(outputs), latency), text


def proof_of(
    folder: Path,
    wrap: WrapInterfacePass,
    latency: int,
    old: str = "",
    new: str = "",
    inputs: Sequence[Port] = PORTS,
) -> InterfaceProof:
    return proof_around(folder, wrap, *network(latency, inputs), old, new)


def proof_around(
    folder: Path,
    wrap: WrapInterfacePass,
    interface: Interface,
    text: str,
    old: str = "",
    new: str = "",
) -> InterfaceProof:
    context, core_name = make_context(), interface.name
    module = parse_text(context, text.encode(), core_name)
    wrap.apply(context, module)  # type: ignore[arg-type]
    kind = "clock-enable" if wrap.clock_enable else wrap.interface
    name = f"{core_name}_{kind.replace('-', '_')}"
    core, rtl = folder / f"{core_name}.sv", folder / f"{name}.sv"
    core.write_text(emit_systemverilog(module, {core_name}))  # type: ignore[arg-type]
    written = emit_systemverilog(module, {name})  # type: ignore[arg-type]
    if old:
        assert written.count(old) == 1, written
        written = written.replace(old, new)
    rtl.write_text(written)
    wrapper = BuiltWrapper(kind, name, rtl, wrap.beat_order == "high-first")
    return prove_built(wrapper, core, interface)


READY = WrapInterfacePass(interface="ready-valid")
STREAM = WrapInterfacePass(interface="axi-stream")
BEATS = WrapInterfacePass(interface="axi-stream", beat_bits=8, user_bits=2)
HIGH = WrapInterfacePass(
    interface="axi-stream", beat_bits=(8, 16), beat_order="high-first", no_last=True
)

SLOW = WrapInterfacePass(interface="axi-stream", beat_bits=(16, 8), user_bits=1)
LITE = WrapInterfacePass(interface="axi-lite")
ENABLE = WrapInterfacePass(clock_enable=True)


@pytest.mark.parametrize("latency", [1, 4])
@pytest.mark.parametrize("wrap", [READY, STREAM, BEATS, HIGH, SLOW])
def test_wrappers_are_proven(wrap: WrapInterfacePass, latency: int, tmp_path: Path) -> None:
    proof = proof_of(tmp_path, wrap, latency)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]
    assert proof.measured["samples_held"] == (3 if latency == 1 else 7)


@pytest.mark.parametrize("latency", [1, 7])
@pytest.mark.parametrize("wrap", [LITE, ENABLE])
def test_registers_and_enables_are_proven(
    wrap: WrapInterfacePass, latency: int, tmp_path: Path
) -> None:
    inputs = [*PORTS, Port.of_range("x2", -(1 << 39), 0)]
    proof = proof_of(tmp_path, wrap, latency, inputs=inputs)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]


FOLDED_NETWORK = folded_model().interface(), FOLDED.read_text()


@pytest.mark.parametrize("wrap", [READY, BEATS, LITE, ENABLE])
def test_wrappers_around_folded_networks_are_proven(
    wrap: WrapInterfacePass, tmp_path: Path
) -> None:
    proof = proof_around(tmp_path, wrap, *FOLDED_NETWORK)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]
    assert proof.measured.get("samples_held", 3) == 3


@pytest.mark.parametrize(
    ("wrap", "old", "new", "claim"),
    [
        (BEATS, "side_s1 <= core_in_ready ?", "side_s1 <= ready ?", "TLAST with its sample"),
        (BEATS, "entered = and_2 & core_in_ready", "entered = and_2", "no result without a sample"),
        (BEATS, "s_axis_tready = ready & or_1", "s_axis_tready = ready", "results in order"),
        (BEATS, "core_in_ready | ~in_beat_is_last", "core_in_ready", "turn of the network"),
        (
            LITE,
            "sample_taken = sample_waits & core_in_ready",
            "sample_taken = sample_waits",
            "turn",
        ),
        (LITE, "(write_waits | sample_waits)", "write_waits", "with its inputs"),
    ],
)
def test_what_overlooks_the_turn_is_not_proven(
    wrap: WrapInterfacePass, old: str, new: str, claim: str, tmp_path: Path
) -> None:
    proof = proof_around(tmp_path, wrap, *FOLDED_NETWORK, old, new)
    assert any(claim in outcome.name for outcome in proof.outcomes if not outcome.proven)


@cache
def loadable_network() -> tuple[Interface, str]:
    """A small network whose words have two registers."""
    module = table_network(34, 1, 60)
    return loadable(module, 2)[0].interface(), str(module)


@pytest.mark.parametrize("wrap", [READY, BEATS, LITE, ENABLE])
def test_wrappers_around_loadable_networks_are_proven(
    wrap: WrapInterfacePass, tmp_path: Path
) -> None:
    proof = proof_around(tmp_path, wrap, *loadable_network())
    assert proof.proven, [o for o in proof.outcomes if not o.proven]


ONE_WORD = "a write of the highest byte of a word"
LOAD_PORT = "the port that writes tables"
LOADS = {
    "a word without its highest byte": (
        LITE,
        "word_written = writes_mem_data_1 & write_strobes[0]",
        "word_written = writes_mem_data_1",
        ONE_WORD,
    ),
    "a word of its lower register": (
        LITE,
        "writes_mem_data_1 = writes & (write_address == 5'd12)",
        "writes_mem_data_1 = writes & (write_address == 5'd11)",
        ONE_WORD,
    ),
    "a word that is lost": (
        LITE,
        "word_taken = mem_waits & core_mem_ready",
        "word_taken = mem_waits",
        ONE_WORD,
    ),
    "a word that is written twice": (
        LITE,
        "(mem_waits & ~word_taken)",
        "(mem_waits & ~writes)",
        ONE_WORD,
    ),
    "an address that stays": (
        LITE,
        "word_taken ? next_address",
        "word_taken ? mem_address_byte0",
        "a word has the address",
    ),
    "an address that changes": (LITE, "| mem_waits)", ")", "no write is done while"),
    "a word that overtakes a sample": (
        LITE,
        "(write_waits | sample_waits |",
        "(write_waits |",
        "a start is one sample",
    ),
    "swapped bytes of a word": (
        LITE,
        "mem_data_0_byte1, mem_data_0_byte0}",
        "mem_data_0_byte0, mem_data_0_byte1}",
        "a word has the address",
    ),
    "a word that depends on samples": (
        READY,
        ".mem_valid(mem_valid)",
        ".mem_valid(mem_valid & in_valid)",
        LOAD_PORT,
    ),
    "a word that is taken without a sign of it": (
        READY,
        "assign mem_ready = core_mem_ready",
        "assign mem_ready = core_mem_ready & ready",
        LOAD_PORT,
    ),
    "a sample that is taken where a word waits": (
        READY,
        "in_ready = ready & core_in_ready",
        "in_ready = ready & (core_in_ready | mem_valid)",
        "no result without a sample",
    ),
    "sidebands that wait for a word": (
        STREAM,
        "test_1 = turn0 == 1'b0",
        "test_1 = core_in_ready",
        "TLAST with its sample",
    ),
    "a word that is written without its enable": (
        ENABLE,
        "if (ce & mem_access)",
        "if (mem_access)",
        "memories keep their words",
    ),
}


@pytest.mark.parametrize("bug", LOADS)
def test_what_loses_words_is_not_proven(bug: str, tmp_path: Path) -> None:
    wrap, old, new, claim = LOADS[bug]
    proof = proof_around(tmp_path, wrap, *loadable_network(), old, new)
    assert any(claim in outcome.name for outcome in proof.outcomes if not outcome.proven)


def test_wide_results_are_in_several_memories(tmp_path: Path) -> None:
    inputs = [Port.of_range(f"x{index}", -8, 3 << index) for index in range(10)]
    proof = proof_of(tmp_path, STREAM, 1, inputs=inputs)
    assert proof.proven and len(proof.netlist.memories) == 2


@pytest.mark.ci
@pytest.mark.parametrize("wrap", [READY, SLOW, LITE])
def test_deep_wide_wrappers_are_proven(wrap: WrapInterfacePass, tmp_path: Path) -> None:
    inputs = [Port.of_range(f"x{index}", -8, 3 << index) for index in range(10)]
    deep = wrap if wrap is LITE else replace(wrap, buffer_words=64)
    proof = proof_of(tmp_path, deep, 20, inputs=inputs)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]
    assert proof.measured.get("samples_held", 63) == 63


def test_a_buffer_with_too_little_room_is_too_slow(tmp_path: Path) -> None:
    proof = proof_of(tmp_path, READY, 1, "= in_flight_next == 2'd3", "= in_flight_next == 2'd2")
    (wrong,) = [outcome for outcome in proof.outcomes if not outcome.proven]
    assert (wrong.group, wrong.name) == (
        "throughput",
        "in_ready never falls while the receiver is ready",
    )


BUGS = {
    "a sample enters though there is no room": (READY, "in_valid & ready", "in_valid & 1'b1"),
    "one too many in the buffer": (READY, "= in_flight_next == 2'd3", "= in_flight_next == 2'd0"),
    "a result is repeated": (READY, "read <= left ?", "read <= (left & in_valid) ?"),
    "a result is skipped": (READY, "read <= left ? read + 2'd1", "read <= left ? read + 2'd2"),
    "results are dropped": (READY, "written <= core_out_valid", "written <= entered"),
    "offered though empty": (READY, "wire logic stored = ~empty", "wire logic stored = empty"),
    "a path from ready to ready": (READY, "assign in_ready = ready", "assign in_ready = out_ready"),
    "ready in reset": (READY, "ready <= 1'b0", "ready <= 1'b1"),
    "written though nothing came": (READY, "if (core_out_valid) fifo", "if (stored) fifo"),
    "outputs swapped": (READY, "assign y0 = fifo_word[2:0]", "assign y0 = fifo_word[3:1]"),
    "TLAST of the sample behind": (STREAM, "<= {side_s1, core", "<= {s_axis_tlast, core"),
    "a beat of the sample before": (BEATS, "word2 <= taken ? word1", "word2 <= taken ? word2"),
    "beats are not counted": (BEATS, "| s_axis_tlast)", "| s_axis_tvalid)"),
    "TUSER of the last beat": (BEATS, "(in_beat == 2'd0)) ?", "(in_beat == 2'd1)) ?"),
    "the sign of a field": (BEATS, "{5{bits_2[2]}}", "{5{bits_2[1]}}"),
    "a core without its reset": (STREAM, ".rst(reset)", ".rst(1'b0)"),
    "an address that is not asked for": (LITE, "(write_address == 4'd8);", "(write_data[0]);"),
    "a read of another register": (LITE, "== 4'd6) ? {30'd0", "== 4'd6) ? {29'd0, busy"),
    "a write that is lost": (LITE, "data_ready = ~has_data", "data_ready = ~has_data | writes"),
    "a result that is not kept": (LITE, "y1_held <= core_out_valid", "y1_held <= busy"),
    "the status of the cycle before": (LITE, "done, busy}", "done, sample_waits}"),
    "a sample that enters twice": (LITE, "sample_waits & ~sample_taken", "sample_waits & ~done"),
    "an enable that a register does not have": (ENABLE, "ce ? x0 : register_2", "x0"),
    "an enable that a reset needs": (ENABLE, "if (rst)", "if (rst & ce)"),
    "an enable of another signal": (ENABLE, "ce ? x1", "(ce & in_valid) ? x1"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_wrong_wrappers_are_not_proven(bug: str, tmp_path: Path) -> None:
    wrap, old, new = BUGS[bug]
    assert not proof_of(tmp_path, wrap, 1, old, new).proven


SHOWN = ("a result is skipped", "a beat of the sample before", "a write that is lost")


@pytest.mark.parametrize("bug", SHOWN)
def test_cycles_show_what_is_wrong(bug: str, tmp_path: Path) -> None:
    wrap, old, new = BUGS[bug]
    proof = proof_of(tmp_path, wrap, 1, old, new)
    witness = find_witness(proof)
    assert witness is not None and witness.problem
    assert witness.cycles[0][witness.reset] == (witness.reset == "rst")
    if look_for("iverilog") is None:
        pytest.skip("Icarus is not installed")
    assert first_difference(proof, witness) is None
    # Without the bug, the file does something else in these cycles.
    proof.rtl.write_text(proof.rtl.read_text().replace(new, old))
    differs = first_difference(proof, witness)
    assert differs is not None and " in cycle " in differs


@st.composite
def designs(draw: st.DrawFn) -> tuple[WrapInterfacePass, int, list[Port]]:
    """A wrapper with its options, the latency of a network, and its inputs."""
    ports: list[Port] = []
    for index in range(draw(st.integers(1, 4))):
        low = draw(st.sampled_from([0, -1, -8, -100, -40000]))
        ports.append(Port.of_range(f"x{index}", low, low + draw(st.integers(1, 1 << 20))))
    beats = st.integers(1, 12).map(lambda count: 8 * count)
    buffered = draw(st.sampled_from([None, 16, 64]))
    stream = replace(
        STREAM,
        beat_bits=draw(st.tuples(beats, beats)),
        beat_order=draw(st.sampled_from(["low-first", "high-first"])),
        no_last=draw(st.booleans()),
        user_bits=draw(st.integers(0, 3)),
        buffer_words=buffered,
    )
    ready = replace(READY, buffer_words=buffered)
    return draw(st.sampled_from([stream, ready, LITE, ENABLE])), draw(st.integers(1, 6)), ports


@given(design=designs())
@settings(max_examples=6, deadline=None, derandomize=True)
def test_random_wrappers_are_proven(design: tuple[WrapInterfacePass, int, list[Port]]) -> None:
    wrap, latency, inputs = design
    with tempfile.TemporaryDirectory() as folder:
        proof = proof_of(Path(folder), wrap, latency, inputs=inputs)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]


NETWORK = """
func.func @net(%x: !kan.int<0:7>) -> !kan.int<0:14> {
  %t = kan.table %x as "t" entries dense<[0, 2, 4, 6, 9, 2, 4, 14]> : tensor<8xi8>
      : !kan.int<0:7> -> !kan.int<0:14>
  %d = kan.delay %t by 2 as "d" : !kan.int<0:14>
  func.return %d : !kan.int<0:14>
}
"""


@pytest.mark.ci
@pytest.mark.parametrize("interface", ["valid", "ready-valid", "axi-lite", "clock-enable"])
def test_builds_prove_their_wrappers(
    interface: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.mlir").write_text(NETWORK)
    options: dict[str, Any] = {"simulator": None, "certificate": "never", "vectors": 10}
    options |= {"clock_enable": True} if interface == "clock-enable" else {"interface": interface}
    built = kan.load(tmp_path / "net.mlir").build(tmp_path / "out", **options)
    assert flow("prove", tmp_path / "out", "--report") == 0
    shown = capsys.readouterr()
    assert "net in SystemVerilog: equal to the integer model for all codes" in shown.out
    if interface == "valid":
        with pytest.raises(KanError, match="has no wrapper"):
            built.prove_wrapper()
        return
    name = f"net_{interface.replace('-', '_')}"
    says = {
        "ready-valid": "the results of its samples, in order",
        "axi-lite": "reads and writes are those of its registers",
        "clock-enable": "with ce high it is net",
    }
    assert f"{name} in SystemVerilog: {says[interface]}" in shown.out
    assert built.report["proof"]["interface"]["module"] == name
    assert built.prove_wrapper().proven
    wrapper = tmp_path / "out" / "rtl" / f"{name}.sv"
    text = wrapper.read_text()
    old = {"ready-valid": "full_next = ", "axi-lite": "starts = ", "clock-enable": "<= ce ? "}
    assert old[interface] in text
    wrapper.write_text(text.replace(old[interface], f"{old[interface]}~", 1))
    with pytest.raises(KanError, match="is not as kan-flow build wrote it"):
        built.prove_wrapper()
    assert flow("prove", tmp_path / "out", "--changed") == 1
