"""Proofs of registers around hardware that trains: right ones are proven, wrong ones are not.

The network in them is any that has the ports; its contract is given, with cycles of all kinds.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st

import kan_dialect as kan
from kan_dialect.errors import KanError
from kan_dialect.flows.prove.interfaces.of_build import BuiltWrapper
from kan_dialect.flows.prove.interfaces.prove import InterfaceProof, prove_built
from kan_dialect.flows.prove.interfaces.training_core import TrainingNetwork
from kan_dialect.flows.prove.interfaces.witness import find_witness, first_difference
from kan_dialect.flows.prove.on_chip.step_ports import StepPorts
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.interface import Port
from tracker import TRACKER

pytest.importorskip("bitwuzla")
pytestmark = pytest.mark.skipif(look_for("yosys") is None, reason="Yosys is not installed")


def network(
    inputs: int = 2, outputs: int = 1, bits: int = 12, address_bits: int = 4, **cycles: int
) -> TrainingNetwork:
    """Hardware that trains, of signed numbers."""

    def port(name: str) -> Port:
        return Port(name, bits, -(1 << bits - 1), (1 << bits - 1) - 1)

    ports = StepPorts(
        "net",
        tuple(port(f"x{index}") for index in range(inputs)),
        tuple(port(f"y{index}") for index in range(outputs)),
        tuple(port(f"t{index}") for index in range(outputs)),
        Port.of_range("mem_address", 0, (1 << address_bits) - 1),
        port("mem_data"),
        port("mem_read_data"),
    )
    return TrainingNetwork(
        ports,
        cycles.get("latency", 4),
        cycles.get("interval", 3),
        cycles.get("busy", 4),
    )


def core_of(net: TrainingNetwork) -> str:
    """A module with the ports: the proof reads no more of it."""
    flags = dict.fromkeys(("in_ready", "out_valid", "mem_ready", "mem_read_valid"), 1)
    given = {"rst": 1, "in_valid": 1, "train": 1}
    given |= {port.name: port.width for port in (*net.ports.inputs, *net.ports.targets)}
    given |= {"mem_valid": 1, "mem_write": 1, "mem_address": net.ports.address.width}
    given["mem_data"] = net.ports.word.width
    words = {port.name: port.width for port in net.ports.outputs}
    outputs = {"in_ready": 1, "out_valid": 1, **words, "mem_ready": 1, "mem_read_valid": 1}
    outputs["mem_read_data"] = net.ports.read_word.width
    ports = ", ".join(
        [
            "in %clk: !seq.clock",
            *(f"in %{name}: i{bits}" for name, bits in given.items()),
            *(f"out {name}: i{bits}" for name, bits in outputs.items()),
        ]
    )
    values = ", ".join("%f" if name in flags else "%mem_data" for name in outputs)
    types = ", ".join(f"i{bits}" for bits in outputs.values())
    return f"""hw.module @net({ports}) attributes {{
    kan.latency = {net.latency} : i64, kan.interval = {net.interval} : i64}} {{
  %f = seq.compreg %in_valid, %clk : i1
  hw.output {values} : {types}
}}"""


def proof_of(folder: Path, net: TrainingNetwork, old: str = "", new: str = "") -> InterfaceProof:
    context = make_context()
    module = parse_text(context, core_of(net).encode(), "net")
    WrapInterfacePass(interface="axi-lite").apply(context, module)  # type: ignore[arg-type]
    core, rtl = folder / "net.sv", folder / "net_axi_lite.sv"
    core.write_text(emit_systemverilog(module, {"net"}))  # type: ignore[arg-type]
    written = emit_systemverilog(module, {"net_axi_lite"})  # type: ignore[arg-type]
    if old:
        assert written.count(old) == 1, written
        written = written.replace(old, new)
    rtl.write_text(written)
    return prove_built(BuiltWrapper("axi-lite", "net_axi_lite", rtl, False), core, net)


CASES = {
    "one layer": network(),
    "several layers": network(latency=16, interval=19, busy=20),
    "wide words": network(1, 1, 40, 34),
    "no wait": network(latency=1, interval=1, busy=0),
}


@pytest.mark.parametrize("case", CASES)
def test_registers_are_proven(case: str, tmp_path: Path) -> None:
    net = CASES[case]
    proof = proof_of(tmp_path, net)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]
    names = {outcome.name for outcome in proof.outcomes}
    assert "reads give the registers" in names
    longest = max(net.interval - 1, net.busy)
    assert any(name.startswith(f"a command waits for {longest} cycle") for name in names)


BUGS = {
    "writes change what waits": ("write_waits | sample_waits | mem_waits", "write_waits"),
    "a sample's codes change": (" | sample_waits | mem_waits)", " | mem_waits)"),
    "an access overtakes a sample": (" | sample_waits | mem_waits)", " | sample_waits)"),
    "a sample that is lost": ("sample_taken = sample_waits & core_in_ready", "sample_taken = 1'b1"),
    "an access that is lost": ("access_taken = mem_waits & core_mem_ready", "access_taken = 1'b1"),
    "an access that is taken twice": ("mem_waits & ~access_taken", "mem_waits & ~or_2"),
    "samples that always train": (".train(sample_trains)", ".train(1'b1)"),
    "an access of the other kind": ("accesses ? asked_write", "accesses ? asked_read"),
    "reads that do nothing": ("= asked_read | asked_write", "= asked_write"),
    "an access while another one is": ("= or_1 & ~mem_busy", "= or_1"),
    "a refusal that is not told": (" | start_refused | access_refused", " | start_refused"),
    "a write of a wrong byte": ("mem_data_byte1 <= (writes_mem_data", "mem_data_byte1 <= (writes"),
    "another address": (".mem_address(mem_address_byte0)", ".mem_address(mem_data_byte0[3:0])"),
    "done before the word has come": ("| core_mem_read_valid;", "| access_taken;"),
    "a word that is not kept": ("<= core_mem_read_valid ?", "<= core_out_valid ?"),
    "a word that is no answer": ("<= core_mem_read_valid ?", "<= mem_busy ?"),
    "status of the other command": ("mem_done, mem_busy, done", "mem_busy, mem_done, done"),
    "targets in place of inputs": (".x0(bits_1)", ".x0(bits_3)"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_wrong_registers_are_not_proven(bug: str, tmp_path: Path) -> None:
    proof = proof_of(tmp_path, network(), *BUGS[bug])
    assert not proof.proven
    assert any(outcome.group == "registers" for outcome in proof.outcomes if not outcome.proven)


@pytest.mark.parametrize("bug", ["an access overtakes a sample", "a word that is no answer"])
def test_cycles_show_what_is_wrong(bug: str, tmp_path: Path) -> None:
    old, new = BUGS[bug]
    proof = proof_of(tmp_path, network(), old, new)
    witness = find_witness(proof)
    assert witness is not None and witness.problem
    if look_for("iverilog") is None:
        pytest.skip("Icarus is not installed")
    assert first_difference(proof, witness) is None
    # Without the bug, the file does something else in these cycles.
    proof.rtl.write_text(proof.rtl.read_text().replace(new, old, 1))
    differs = first_difference(proof, witness)
    assert differs is not None and " in cycle " in differs


@st.composite
def networks(draw: st.DrawFn) -> TrainingNetwork:
    """Ports of all widths, and cycles in any relation."""
    return network(
        draw(st.integers(1, 5)),
        draw(st.integers(1, 3)),
        draw(st.sampled_from([2, 8, 9, 16, 31, 32, 33])),
        draw(st.integers(1, 20)),
        latency=draw(st.integers(1, 12)),
        interval=draw(st.integers(1, 14)),
        busy=draw(st.integers(0, 14)),
    )


@given(net=networks())
@settings(max_examples=3, deadline=None, derandomize=True)
def test_random_registers_are_proven(net: TrainingNetwork) -> None:
    with tempfile.TemporaryDirectory() as folder:
        proof = proof_of(Path(folder), net)
    assert proof.proven, [o for o in proof.outcomes if not o.proven]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proven") / "tracker"
    options = ["--learning-rate", "0.15", "--simulator", "none", "--vectors", "40"]
    build = ["build", TRACKER, "--trainable", "--interface", "axi-lite"]
    assert flow(*build, *options, "-o", folder) == 0
    return folder


def test_a_build_proves_its_wrapper(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert flow("prove", built, "--report") == 0
    shown = capsys.readouterr()
    assert "tracker in SystemVerilog: every sample and every access" in shown.out
    claim = "reads and writes are those of its registers"
    assert f"tracker_axi_lite in SystemVerilog: {claim}" in shown.out
    assert "warning" not in shown.err
    found = kan.Build(built).report["proof"]["interface"]
    assert found["module"] == "tracker_axi_lite" and found["claims"] > 20


def test_another_wrapper_is_proven_in_its_place(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (built / "rtl" / "tracker_axi_lite.sv").read_text()
    wrong = tmp_path / "wrong.sv"
    wrong.write_text(text.replace(" | sample_waits | mem_waits)", ")"))
    assert flow("prove", built, "--wrapper", wrong) == 1
    shown = capsys.readouterr().out
    assert "registers, no write is done while a command waits for the network" in shown
    assert "icarus: the file does the same in" in shown or look_for("iverilog") is None
    plain = tmp_path / "plain"
    options = ["--learning-rate", "0.15", "--simulator", "none", "--vectors", "20"]
    assert flow("build", TRACKER, "--trainable", *options, "-o", plain) == 0
    assert flow("prove", plain, "--wrapper", wrong) == 1
    assert "has no wrapper" in capsys.readouterr().err


def test_python_says_which_command_proves_it(built: Path) -> None:
    with pytest.raises(KanError, match="kan-flow prove"):
        kan.Build(built).prove_wrapper()
