"""Proofs of wrappers: right ones are proven, wrong ones are not, and are shown by cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import kan_dialect as kan
from kan_dialect.cli import kan_flow
from kan_dialect.errors import KanError
from kan_dialect.flows.prove.interfaces.prove import WrapperProof, prove_wrapper
from kan_dialect.flows.prove.interfaces.witness import find_witness
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
) -> WrapperProof:
    interface, text = network(latency, inputs)
    context = make_context()
    module = parse_text(context, text.encode(), "net")
    wrap.apply(context, module)  # type: ignore[arg-type]
    name = f"net_{wrap.interface.replace('-', '_')}"
    core, rtl = folder / "net.sv", folder / f"{name}.sv"
    core.write_text(emit_systemverilog(module, {"net"}))  # type: ignore[arg-type]
    written = emit_systemverilog(module, {name})  # type: ignore[arg-type]
    if old:
        assert written.count(old) == 1, written
        written = written.replace(old, new)
    rtl.write_text(written)
    high_first = wrap.beat_order == "high-first"
    return prove_wrapper(rtl, name, wrap.interface, core, interface, high_first=high_first)


READY = WrapInterfacePass(interface="ready-valid")
STREAM = WrapInterfacePass(interface="axi-stream")
BEATS = WrapInterfacePass(interface="axi-stream", beat_bits=8, user_bits=2)
HIGH = WrapInterfacePass(
    interface="axi-stream", beat_bits=(8, 16), beat_order="high-first", no_last=True
)

SLOW = WrapInterfacePass(interface="axi-stream", beat_bits=(16, 8), user_bits=1)


@pytest.mark.parametrize("latency", [1, 4])
@pytest.mark.parametrize("wrap", [READY, STREAM, BEATS, HIGH, SLOW])
def test_wrappers_are_proven(wrap: WrapInterfacePass, latency: int, tmp_path: Path) -> None:
    proof = proof_of(tmp_path, wrap, latency)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]
    assert proof.held == (3 if latency == 1 else 7)


@pytest.mark.ci
@pytest.mark.parametrize("wrap", [READY, BEATS, SLOW])
def test_deep_wide_wrappers_are_proven(wrap: WrapInterfacePass, tmp_path: Path) -> None:
    inputs = [Port.of_range(f"x{index}", -8, 3 << index) for index in range(10)]
    proof = proof_of(tmp_path, replace(wrap, buffer_words=64), 20, inputs=inputs)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]
    assert proof.held == 63


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
}


@pytest.mark.parametrize("bug", BUGS)
def test_wrong_wrappers_are_not_proven(bug: str, tmp_path: Path) -> None:
    wrap, old, new = BUGS[bug]
    assert not proof_of(tmp_path, wrap, 1, old, new).proven


def test_cycles_show_what_is_wrong(tmp_path: Path) -> None:
    wrap, old, new = BUGS["a result is skipped"]
    witness = find_witness(proof_of(tmp_path, wrap, 1, old, new))
    assert witness is not None and witness.problem
    taken = [c for c in witness.cycles if c["in_valid"] and c["in_ready"] and not c["rst"]]
    assert taken and witness.cycles[0]["rst"] == 1


NETWORK = """
func.func @net(%x: !kan.int<0:7>) -> !kan.int<0:14> {
  %t = kan.table %x as "t" entries dense<[0, 2, 4, 6, 9, 2, 4, 14]> : tensor<8xi8>
      : !kan.int<0:7> -> !kan.int<0:14>
  %d = kan.delay %t by 2 as "d" : !kan.int<0:14>
  func.return %d : !kan.int<0:14>
}
"""


@pytest.mark.parametrize("interface", ["valid", "ready-valid", "axi-lite"])
def test_builds_prove_their_wrappers(
    interface: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.mlir").write_text(NETWORK)
    options = {"simulator": None, "certificate": "never", "vectors": 10, "interface": interface}
    built = kan.load(tmp_path / "net.mlir").build(tmp_path / "out", **options)  # type: ignore[arg-type]
    with pytest.raises(SystemExit) as ended:
        kan_flow.main(["prove", str(tmp_path / "out"), "--report"])
    assert ended.value.code == 0
    shown = capsys.readouterr()
    assert "net: equal to the integer model for all codes" in shown.out
    warned = "warning: the wrapper net_axi_lite is not proven: there is no proof of axi-lite"
    assert (warned in " ".join(shown.err.split())) == (interface == "axi-lite")
    if interface == "ready-valid":
        assert "net_ready_valid: the results of its samples, in order" in shown.out
        assert built.report["proof"]["interface"]["module"] == "net_ready_valid"
        assert built.prove_wrapper().proven
        wrapper = tmp_path / "out" / "rtl" / "net_ready_valid.sv"
        text = wrapper.read_text()
        assert text.count("full_next = ") == 1
        wrapper.write_text(text.replace("full_next = ", "full_next = ~", 1))
        assert not built.prove_wrapper().proven
    else:
        message = "has no wrapper" if interface == "valid" else "no proof of the interface axi-lite"
        with pytest.raises(KanError, match=message):
            built.prove_wrapper()
