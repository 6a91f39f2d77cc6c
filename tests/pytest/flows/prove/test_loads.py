"""Proofs of hardware whose tables can be loaded: any words, the port, and seeded bugs."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from loadable_networks import network, proven_models
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.prove import Proof, prove
from kan_dialect.flows.tools import toolchain
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model

pytestmark = pytest.mark.skipif(
    toolchain.look_for("yosys") is None, reason="Yosys is not installed"
)


@cache
def models() -> tuple[Model, Model, Model]:
    return proven_models(network(7, 1), 4, "ecp5")


def text() -> str:
    module = models()[2].op.parent_op()
    assert isinstance(module, ModuleOp)
    return emit_systemverilog(module)


def proof_of(path: Path, rtl: str) -> Proof:
    integer, scheduled, hardware = models()
    (path / "net.sv").write_text(rtl)
    return prove(path / "net.sv", integer, hardware, scheduled=scheduled)


def test_any_words_are_proven(tmp_path: Path) -> None:
    proof = proof_of(tmp_path, text())
    assert proof.proven
    assert proof.summary()["any_words"] is True
    assert proof.any_words is not None
    names = {outcome.name.split()[0] for outcome in proof.any_words.outcomes}
    assert "layer0_rom0_0" in names
    assert "layer0_node0" in names


@pytest.mark.parametrize(("shape", "interval"), [(3, 2), (3, 4), (10, 3)])
def test_small_networks(tmp_path: Path, shape: int, interval: int) -> None:
    """One memory; one turn; and turns in which lanes have no input, so that more is added up."""
    integer, scheduled, hardware = proven_models(network(shape, 1), interval, "xcup")
    module = hardware.op.parent_op()
    assert isinstance(module, ModuleOp)
    (tmp_path / "net.sv").write_text(emit_systemverilog(module))
    assert prove(tmp_path / "net.sv", integer, hardware, scheduled=scheduled).proven


def test_other_initial_words(tmp_path: Path) -> None:
    """Wrong initial words are an error of the build, and not of the hardware around them."""
    rtl = re.sub(r"(layer0_rom0_0\[\d+\] = )-?(\d+'d)\d+;", r"\g<1>\g<2>5;", text())
    proof = proof_of(tmp_path, rtl)
    assert not proof.proven
    assert proof.any_words is not None
    assert proof.any_words.proven


BUGS = {
    "a word is written while a sample is under way": (
        r"(mem_access = mem_valid) & mem_idle;",
        r"\1;",
        "can be written 1 cycles after a sample is taken",
    ),
    "a sample is taken where a word waits": (
        r"(in_ready = .*?) & ~mem_valid;",
        r"\1;",
        "in_ready is 1 where a word waits",
    ),
    "a waiting sample comes out": (
        r"in_valid & ~mem_valid",
        "in_valid",
        "out_valid comes of a sample that waits",
    ),
    "a memory has the address of another one": (
        r"== (\d'd)1\)\) layer0_rom1",
        r"== \g<1>0)) layer0_rom1",
        "is written at the addresses of another memory",
    ),
    "the address is another one": (
        r"(layer0_rom1_0\[)mem_address\[(\d):0\]\] <=",
        r"\1{mem_address[0], mem_address[\2:1]}] <=",
        "is not written with the lowest bits of mem_address",
    ),
    "the data is inverted": (
        r"(layer0_rom1_0\[mem_address\[\d:0\]\] <= )",
        r"\1~",
        "is not written with the lowest bits of mem_data",
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_bugs_of_the_port(tmp_path: Path, bug: str) -> None:
    pattern, by, message = BUGS[bug]
    rtl, count = re.subn(pattern, by, text())
    assert count
    with pytest.raises(KanError, match=message):
        proof_of(tmp_path, rtl)


def test_a_turn_at_the_wrong_address(tmp_path: Path) -> None:
    """The initial words may hide it; any words do not."""
    rtl, count = re.subn(
        r"(layer0_rom0_0\[)\{(turn\d)(\[\d:0\])?, (\w+)\}\]", r"\1{~\2\3, \4}]", text()
    )
    assert count == 1
    proof = proof_of(tmp_path, rtl)
    assert proof.any_words is not None
    wrong = [outcome.name for outcome in proof.any_words.outcomes if not outcome.proven]
    assert wrong
    assert all(name.startswith("layer0_rom0_0 address") for name in wrong)


def test_an_entry_of_another_node(tmp_path: Path) -> None:
    rtl, count = re.subn(r"<= layer0_rom1_0_read;", "<= {layer0_rom1_0_read};", text())
    assert count == 1
    assert proof_of(tmp_path, rtl).proven
    rtl = re.sub(r"<= layer0_rom1_0_read;", "<= ~layer0_rom1_0_read;", text())
    with pytest.raises(KanError, match="registers behind it"):
        proof_of(tmp_path, rtl)
