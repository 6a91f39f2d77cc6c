"""Hidden nodes that are tables of bits: integers, slopes, what is learned, what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kan_dialect as kan
from kan_dialect.api import from_ir
from kan_dialect.devices.device import XCUP
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")
torch.set_num_threads(1)

from kan_dialect.qat.bases import spline_basis, table_basis
from kan_dialect.qat.codes import InputCodes
from kan_dialect.qat.cost import EdgeCost
from kan_dialect.qat.export import module_of
from kan_dialect.qat.finite_difference import FiniteDifference
from kan_dialect.qat.judge import Judge
from kan_dialect.qat.network import make_network
from kan_dialect.qat.node_tables import NodeTables
from kan_dialect.qat.options import Schedule, TrainingOptions
from kan_dialect.qat.table import Table
from kan_dialect.qat.training import Training


@given(
    bits=st.integers(1, 3),
    table_inputs=st.integers(2, 4),
    hidden=st.lists(st.integers(1, 4), max_size=1),
    decides=st.booleans(),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=30, deadline=None)
def test_integers_are_those_of_the_compiler(
    bits: int, table_inputs: int, hidden: list[int], decides: bool, seed: int
) -> None:
    """Also where several pins of a node read one bit, and where an input is left out."""
    random = np.random.default_rng(seed)
    nodes, outputs = (int(number) for number in random.integers(1, 6, 2))
    tables = NodeTables([0, 2], 3, bits, nodes, table_inputs, seed=seed)
    bases = [table_basis(1), *(spline_basis(3, 2) for _ in hidden)]
    network = make_network(
        bases,
        [nodes, *hidden, outputs],
        EdgeCost(XCUP),
        seed=seed,
        reference=False,
        decides=decides,
        node_tables=tables,
    )
    with torch.no_grad():
        for layer in network.edge_layers():
            layer.coefficients.copy_(torch.from_numpy(random.normal(size=layer.coefficients.shape)))
            layer.bias.copy_(torch.from_numpy(random.normal(size=layer.nodes)))
    threshold = 0.5 if decides else 0.0
    layers = network.integers(threshold)
    compiled = from_ir(module_of("net", InputCodes(bits, np.ones(3), np.zeros(3)), layers))
    inputs = random.integers(0, 1 << bits, (40, 3))
    with torch.no_grad():
        results = network(torch.from_numpy(inputs)).results.numpy()
    expected = results > threshold if decides else results
    assert (compiled.run(inputs.astype(np.float64)) == expected).all()


@pytest.mark.parametrize(("nodes", "outputs"), [(7, 3), (4, 1)])
def test_group_sums_count_ones(nodes: int, outputs: int) -> None:
    tables = NodeTables([0, 1, 2], 3, 1, nodes, 2, seed=0)
    network = make_network(
        [table_basis(1)],
        [nodes, outputs],
        EdgeCost(XCUP),
        seed=0,
        reference=False,
        node_tables=tables,
        group_sum=True,
    )
    codes = torch.tensor(list(product((0, 1), repeat=3)))
    ones, _ = tables(codes)
    expected = torch.zeros(len(codes), outputs, dtype=torch.int64)
    for node in range(nodes):
        expected[:, node * outputs // nodes] += ones[:, node]
    if outputs == 1:
        expected -= nodes // 2
    computed = network(codes)
    assert (computed.results == expected).all()
    assert not computed.luts.requires_grad
    compiled = from_ir(module_of("net", InputCodes(1, np.ones(3), np.zeros(3)), network.integers()))
    assert (compiled.run_codes(codes.numpy()) == expected.numpy()).all()


@pytest.mark.parametrize("n", [1, 3, 6])
def test_slopes_are_extended_finite_differences(n: int) -> None:
    generator = torch.Generator().manual_seed(n)
    x = torch.randint(0, 2, (5, 4), generator=generator).float().requires_grad_()
    mapping = torch.randint(0, 4, (3, n), generator=generator).int()
    tables = (torch.rand(3, 1 << n, generator=generator) - 0.5).requires_grad_()
    slopes = torch.rand(5, 3, generator=generator)
    found = FiniteDifference.apply(x, mapping, tables, torch.tensor(0.3), torch.tensor(0.4))
    found.backward(slopes)
    of_x, of_tables = torch.zeros(5, 4), torch.zeros(3, 1 << n)
    for sample, node in product(range(5), range(3)):
        read = mapping[node].tolist()
        address = sum(int(x[sample, bit]) << place for place, bit in enumerate(read))
        assert found[sample, node] == tables[node, address]
        of_tables[node, address] += slopes[sample, node]
        for place, entry in product(range(n), range(1 << n)):
            distance = ((address ^ entry) & ~(1 << place)).bit_count()
            sign = 1 if entry >> place & 1 else -1
            weight = sign * 0.3 * 0.4**distance * tables[node, entry].item()
            of_x[sample, read[place]] += weight * slopes[sample, node]
    torch.testing.assert_close(x.grad, of_x, atol=1e-6, rtol=0)
    torch.testing.assert_close(tables.grad, of_tables)


def choices(samples: int) -> Dataset:
    """Four classes: two bits, each one of two inputs by a third one. Other inputs say nothing."""
    x = np.random.default_rng(0).integers(0, 2, (samples, 9))
    y = np.where(x[:, 0], x[:, 1], x[:, 2]) * 2 + np.where(x[:, 4], x[:, 5], x[:, 6])
    return Dataset(x.astype(np.float64), y)


OPTIONS = TrainingOptions(
    hidden=(40,),
    table_inputs=3,
    input_bits=1,
    folds=1,
    schedule=Schedule(steps=400, batch=128, rate=0.05),
)


def test_bits_and_tables_are_learned() -> None:
    """Which input is chosen is in no sum of functions of single inputs.

    The fewest LUTs of six seeds are 39 to 46, the most 94 to 135.
    """
    trained = kan.train(choices(2000), OPTIONS)
    assert trained.chosen.score > 0.98
    assert min(point.luts for point in trained.front if point.score > 0.98) <= 60


def test_a_stopped_training_goes_on_to_the_same_network() -> None:
    options = replace(OPTIONS, schedule=Schedule(steps=100, batch=128))
    whole, first, second = (Training(Table(choices(500)), options, "data") for _ in range(3))
    for _ in range(50):
        first.run(0).advance()
    second.run(0).restore(first.run(0).state())
    for training in (whole, second):
        while not training.run(0).is_done:
            training.run(0).advance()
    found = [training.candidates(Judge(4), "") for training in (whole, second)]
    assert [str(text) for _, text in found[0]] == [str(text) for _, text in found[1]]


def test_groups_of_nodes_are_learned() -> None:
    trained = kan.train(choices(2000), replace(OPTIONS, group_sum=True, hidden=(64,)))
    assert trained.chosen.score > 0.9
    assert len(trained.front) == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hidden": (4, 4), "group_sum": True}, "--group-sum is given without hidden nodes"),
        (
            {"table_inputs": None, "hidden_bits": 1, "group_sum": True, "shapes": 2},
            "--shapes is given with --group-sum",
        ),
        (
            {"table_inputs": None, "hidden_bits": 1, "group_sum": True, "monotone": ("x0=+",)},
            "--group-sum is given with --monotone",
        ),
        ({"hidden": ()}, "--table-inputs 3 needs a hidden layer"),
        ({"learn_codes": True}, "--learn-codes is given with --table-inputs"),
        ({"schedule": Schedule(fan_in=3)}, "--fan-in is given with --table-inputs"),
    ],
)
def test_options_of_sums_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(KanError, match=message):
        replace(OPTIONS, **changed)


def test_each_class_has_a_node_that_counts_for_it() -> None:
    few = replace(OPTIONS, hidden=(3,), group_sum=True)
    with pytest.raises(KanError, match="has 4 classes, and 3 hidden nodes are fewer"):
        kan.train(choices(200), few)
    with pytest.raises(KanError, match=r"no network has at most 1 LUTs.* give fewer nodes"):
        kan.train(choices(200), replace(few, hidden=(4,), max_luts=1, schedule=Schedule(steps=100)))
    numbers = Dataset(choices(200).x, choices(200).x[:, 0] * 0.5)
    with pytest.raises(KanError, match="has numbers, which --group-sum does not learn"):
        kan.train(numbers, replace(OPTIONS, group_sum=True))


def test_sums_of_one_bit_may_be_counted() -> None:
    options = replace(OPTIONS, table_inputs=None, hidden_bits=1, hidden=(32,), group_sum=True)
    trained = kan.train(choices(2000), options)
    assert trained.chosen.score > 0.8
    assert len(trained.front) > 1


def test_a_model_to_start_from_has_other_nodes() -> None:
    data = choices(200)
    start = kan.train(data, hidden=(2,), steps=100, folds=1).chosen.network
    with pytest.raises(KanError, match="--table-inputs 3 is given with a model to start from"):
        kan.train(data, OPTIONS, start=start)
