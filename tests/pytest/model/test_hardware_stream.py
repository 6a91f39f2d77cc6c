"""Evaluation of a folded hardware module, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from folded_design import FOLDED, every_sample, folded_model, folded_sums

from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.model.model import Model


def changed(old: str, new: str) -> Model:
    """The folded module with another text in one place."""
    text = FOLDED.read_text()
    assert text.count(old) == 1
    return Model.of(parse_text(make_context(), text.replace(old, new).encode(), "changed.mlir"))


def test_outputs_and_nodes_are_those_of_the_samples() -> None:
    codes = every_sample()
    outputs, nodes = folded_model().run_nodes(codes)
    np.testing.assert_array_equal(outputs, folded_sums(codes))
    for node in ("layer0_node0", "layer1_node0"):
        np.testing.assert_array_equal(nodes[node], outputs[:, 0])
    for count in (0, 1, 3, 4):
        np.testing.assert_array_equal(folded_model().run_codes(codes[:count]), outputs[:count])


def test_the_interface_has_the_interval() -> None:
    interface = folded_model().interface()
    assert (interface.latency, interface.interval, interface.combinational) == (5, 4, False)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("%begins = comb.icmp eq %turn, %one", "%begins = comb.icmp ult %turn, %zero",
                     id="a sum goes on from the sample before"),
        pytest.param("%in_ready, %codes, %rest", "%begins, %codes, %rest", id="x is read later"),
        pytest.param("%address = comb.concat %turn, %code", "%address = comb.concat %code, %turn",
                     id="address"),
    ],
)  # fmt: skip
def test_wrong_modules_differ(old: str, new: str) -> None:
    codes = every_sample()
    assert not np.array_equal(changed(old, new).run_codes(codes), folded_sums(codes))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("%turn_next, %clk reset %rst, %zero", "%turn_next, %clk", "in_ready does not come every"),
        ("interval = 4", "interval = 3", "in_ready does not come every 3 cycles"),
        ("latency = 5", "latency = 6", "out_valid does not follow in_valid by 6 cycles"),
        ("comb.and %in_valid, %in_ready", "comb.and %in_valid, %in_valid", "out_valid does not"),
        ("out in_ready: i1", "out is_ready: i1", "has a latency of 5 cycles and no port in_ready"),
        ("interval = 4", "interval = 0", "latency 5 cannot have an interval of 0 cycles"),
        ("latency = 5", "latency = 0", "latency 0 cannot have an interval of 4 cycles"),
        ("memory initial dense<[3, -32, 31, 7, -5, 12, -17, 26, 0, 19, -28, 8, -11, 30, 22, -2]> :"
         " tensor<16xi8>", "memory", "'kan.memory' cannot be evaluated: it has no initial words"),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(KanError, match=message):
        changed(old, new).run_codes(every_sample())
