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

from kan_dialect.qat.codes import InputCodes
from kan_dialect.qat.cost import EdgeCost
from kan_dialect.qat.export import module_of
from kan_dialect.qat.finite_difference import FiniteDifference
from kan_dialect.qat.judge import Judge
from kan_dialect.qat.node_tables import NodeTables
from kan_dialect.qat.options import Schedule, TrainingOptions
from kan_dialect.qat.table import Table
from kan_dialect.qat.training import Training


@given(
    bits=st.integers(1, 3),
    table_inputs=st.integers(2, 4),
    outputs=st.integers(1, 3),
    decides=st.booleans(),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=30, deadline=None)
def test_integers_are_those_of_the_compiler(
    bits: int, table_inputs: int, outputs: int, decides: bool, seed: int
) -> None:
    """Also where several pins of a node read one bit, and where an input is left out."""
    random = np.random.default_rng(seed)
    width, nodes = 3, outputs + int(random.integers(4))
    read, cost = [0, 2], EdgeCost(XCUP)
    network = NodeTables(
        read, width, bits, nodes, table_inputs, outputs, cost, seed=seed, decides=decides
    )
    with torch.no_grad():
        network.bias.copy_(torch.from_numpy(random.normal(size=outputs) * 2))
    codes = InputCodes(bits, np.ones(width), np.zeros(width))
    compiled = from_ir(module_of("net", codes, network.integers()))
    inputs = random.integers(0, 1 << bits, (40, width))
    with torch.no_grad():
        results = network(torch.from_numpy(inputs)).results.numpy()
    expected = results > 0.0 if decides else results
    assert (compiled.run(inputs.astype(np.float64)) == expected).all()


def test_a_threshold_moves_the_decision() -> None:
    network = NodeTables([0, 1], 2, 2, 8, 2, 1, EdgeCost(XCUP), seed=1, decides=True)
    inputs = np.array(list(product(range(4), repeat=2)))
    codes = InputCodes(2, np.ones(2), np.zeros(2))
    with torch.no_grad():
        results = network(torch.from_numpy(inputs)).results.numpy()
    threshold = float(np.sort(results, axis=None)[len(results) // 2])
    compiled = from_ir(module_of("net", codes, network.integers(threshold)))
    assert (compiled.run(inputs.astype(np.float64)) == (results > threshold)).all()


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
    """Which input is chosen is in no sum of functions of single inputs."""
    trained = kan.train(choices(2000), OPTIONS)
    assert trained.chosen.score > 0.98
    # A node is a LUT, and is shared with equal ones.
    assert trained.chosen.luts <= 40


def test_a_stopped_training_goes_on_to_the_same_network() -> None:
    options = replace(OPTIONS, schedule=Schedule(steps=100, batch=128))
    whole, first, second = (Training(Table(choices(500)), options, "data") for _ in range(3))
    for _ in range(50):
        first.run(0).advance()
    second.run(0).restore(first.run(0).state())
    for training in (whole, second):
        while not training.run(0).is_done:
            training.run(0).advance()
    (one,), (other,) = (training.candidates(Judge(4), "") for training in (whole, second))
    assert str(one[1]) == str(other[1])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hidden": ()}, "--table-inputs 3 is for one hidden layer, and there are 0"),
        ({"hidden": (4, 4)}, "--table-inputs 3 is for one hidden layer, and there are 2"),
        ({"shapes": 2}, "--shapes is given with --table-inputs"),
        ({"learn_codes": True}, "--learn-codes is given with --table-inputs"),
        ({"schedule": Schedule(fan_in=3)}, "--fan-in is given with --table-inputs"),
        ({"schedule": Schedule(fan_out=1)}, "--fan-out is given with --table-inputs"),
    ],
)
def test_options_of_sums_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(KanError, match=message):
        replace(OPTIONS, **changed)


def test_every_class_needs_a_node() -> None:
    options = replace(OPTIONS, hidden=(3,))
    with pytest.raises(KanError, match="there are 3 nodes and 4 classes"):
        kan.train(choices(200), options)
    numbers = Dataset(np.eye(20), np.arange(20.0))
    with pytest.raises(KanError, match="there are 40 nodes and no classes"):
        kan.train(numbers, OPTIONS)
