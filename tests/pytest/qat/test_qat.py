"""Quantisation-aware training: gradients, integers, the front, what is resumed and refused."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st

import kan_dialect as kan
from kan_dialect.api import from_ir
from kan_dialect.cli.kan_flow import main
from kan_dialect.devices.device import XCUP, device
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.flows.trials.processes import run_here
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.ir.quant import UniformQuantizedType
from repository import EXAMPLES, ROOT

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")
# Threads that wait for each other are slow where tests run side by side.
torch.set_num_threads(1)

from kan_dialect.qat import lookup, runs
from kan_dialect.qat.api import train, train_by
from kan_dialect.qat.bases import Basis, line_basis, seen_by, spline_basis, table_basis
from kan_dialect.qat.codes import InputCodes, fit_codes
from kan_dialect.qat.cost import WIDER, EdgeCost
from kan_dialect.qat.descent import Record, Run, folds_of, frequencies_of
from kan_dialect.qat.edges import EdgeLayer, taken
from kan_dialect.qat.encoder import Encoder
from kan_dialect.qat.export import module_of
from kan_dialect.qat.functions import SharedShapes
from kan_dialect.qat.judge import HeldOut, Judge
from kan_dialect.qat.lookup import sum_of_edges, sum_of_entries, sum_of_few_codes
from kan_dialect.qat.metrics import decisions, recalls
from kan_dialect.qat.network import IntegerLayer, QuantisedKan, make_network
from kan_dialect.qat.objective import objective_of
from kan_dialect.qat.options import Schedule, TrainingOptions
from kan_dialect.qat.quantisers import round_to_step
from kan_dialect.qat.results import Point, State, choose, front_of, is_dominated
from kan_dialect.qat.runs import CompileWork
from kan_dialect.qat.sizes import widths_of
from kan_dialect.qat.start import Given, teacher_results
from kan_dialect.qat.table import Table
from kan_dialect.qat.training import Training
from kan_dialect.qat.workers import Workers

BRIEF: dict[str, Any] = {"steps": 300, "first_price": 1e-4, "last_price": 3e-2, "rate": 0.04}
SHORT = Schedule(**BRIEF)


def two_moons(samples: int, seed: int) -> tuple[FloatArray, Array]:
    """Two half circles with noise, and which of them a sample is of."""
    random = np.random.default_rng(seed)
    angle, of = random.uniform(0.0, math.pi, samples), np.arange(samples) % 2
    x = np.where(of == 0, np.cos(angle), 1.0 - np.cos(angle))
    y = np.where(of == 0, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([x, y], axis=1) + random.normal(0.0, 0.1, (samples, 2)), of


def moons(seed: int = 0) -> Dataset:
    return Dataset(*two_moons(240, seed), *two_moons(400, seed + 1))


def random_network(
    bits: list[int],
    widths: list[int],
    seed: int,
    *,
    functions: str = "spline",
    decides: bool = False,
    shapes: int | None = None,
) -> QuantisedKan:
    """A network with random functions, bits and biases, some of them beyond its codes."""
    make: dict[str, Callable[[int], Basis]] = {
        "spline": lambda bits: spline_basis(bits, 4),
        "table": table_basis,
        "line": line_basis,
    }
    bases = [make[functions](each) for each in bits]
    cost = EdgeCost(XCUP)
    network = make_network(
        bases, widths, cost, seed=seed, reference=False, decides=decides, shapes=shapes
    )
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in network.edge_layers():
            read, bits_of = layer.functions.of_bits
            for parameter, scale, offset in (
                (read, layer.most + 0.4, -0.2),
                (bits_of, 8.0, -2.0),
                (layer.bias, 1.0, -0.5),
            ):
                uniform = torch.rand(parameter.shape, generator=random, dtype=torch.float64)
                parameter.copy_(uniform * scale + offset)
            for parameter in layer.functions.of_functions:
                parameter.mul_(3.0)
                if shapes is not None:
                    # Lines would all be multiples of one shape.
                    curve = torch.randn(parameter.shape, generator=random, dtype=torch.float64)
                    parameter.add_(curve)
            layer.share()
            layer.clamp()
    return network


def test_rounding_is_to_steps_half_to_even() -> None:
    values = torch.tensor([0.125, 0.375, -0.125, 0.3, 5.0], dtype=torch.float64)
    bits = torch.full_like(values, 2.3)
    assert round_to_step(values, bits).tolist() == [0.0, 0.5, 0.0, 0.25, 5.0]


def test_gradient_of_bits_is_that_of_the_mean_squared_error() -> None:
    """Errors are uniform in a step s, so the mean of their squares is s²/12 = 4^-bits / 12."""
    values = torch.linspace(-1.0, 1.0, 100_001, dtype=torch.float64)
    for number in (2.0, 3.0, 5.0):
        bits = torch.full_like(values, number).requires_grad_()
        ((round_to_step(values, bits) - values) ** 2).mean().backward()
        # By finite differences of the closed form.
        step = 1e-4
        slope = (4.0 ** -(number + step) - 4.0 ** -(number - step)) / 12.0 / (2.0 * step)
        assert float(bits.grad.sum()) == pytest.approx(slope, rel=0.01)


def test_gradient_of_values_passes_rounding() -> None:
    values = torch.tensor([0.1, -0.7], dtype=torch.float64, requires_grad=True)
    rounded = round_to_step(values, torch.full_like(values, 3.0))
    (2.0 * rounded[0] + 5.0 * rounded[1]).backward()
    assert values.grad.tolist() == [2.0, 5.0]


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_splines_and_their_slopes(degree: int) -> None:
    basis = spline_basis(5, 7, degree)
    assert basis.values.shape == (6, 32, 7 + degree)
    assert np.allclose(basis.values.sum(axis=-1), 1.0)
    assert np.allclose(basis.values @ basis.linear, [seen_by(5, read) for read in range(6)])
    # Slopes by differences of a much finer basis.
    fine = spline_basis(15, 7, degree)
    differences = np.gradient(fine.values[-1], 2.0 / (1 << 15), axis=0)
    inner = seen_by(15, 15).searchsorted(seen_by(5, 5))
    assert np.allclose(basis.slopes[-1], differences[inner], atol=2e-2)


def test_tables_with_fewer_bits_have_means() -> None:
    basis = table_basis(3)
    entries = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
    assert (basis.values[3] @ entries == entries).all()
    assert (basis.values[1] @ entries == [2.25] * 4 + [5.5] * 4).all()
    assert np.allclose(basis.slopes[3] @ basis.linear, 1.0)


@pytest.mark.parametrize("read", [1, 3, 4])
def test_lines_are_weights(read: int) -> None:
    basis = line_basis(4)
    assert basis.values[read][:, 0].tolist() == seen_by(4, read).tolist()
    assert (basis.values[0] == 0.0).all() and (basis.slopes == 1.0).all()
    np.testing.assert_allclose(basis.values[read][:, 0] + basis.errors[read], seen_by(4, 4))


def test_a_network_of_lines_is_a_perceptron() -> None:
    """Its edges are weights but for rounding, and its hidden nodes saturate."""
    schedule = replace(SHORT, steps=100)
    options = TrainingOptions(schedule=schedule, hidden=(4,), functions="line", folds=1)
    trained = train(moons(), options)
    first, second = trained.front[0].network.layers
    for layer in (first, second):
        tables = layer.tables.astype(np.float64)
        codes = np.arange(tables.shape[-1])
        for table in tables.reshape(-1, len(codes)):
            slope, offset = np.polyfit(codes, table, 1)
            step = np.abs(np.diff(table)).max(initial=0.0)
            assert np.abs(table - slope * codes - offset).max() <= step + 1e-9


@pytest.mark.parametrize("bits", [1, 4])
def test_gradient_of_coefficients_is_the_sum_over_samples(bits: int) -> None:
    """Each sample adds what its code's basis is: an exact sum, rounding passed by."""
    network = random_network([bits], [3, 2], seed=3)
    (layer,) = network.edge_layers()
    codes = torch.randint(0, 1 << bits, (50, 3), generator=torch.Generator().manual_seed(1))
    weights = torch.linspace(-1.0, 2.0, 50, dtype=torch.float64)
    (network(codes).results * weights[:, None]).sum().backward()
    basis = spline_basis(bits, 4)
    for node in range(2):
        for edge in range(3):
            read = round(float(layer.read.detach()[node, edge]))
            values = basis.values[read][codes[:, edge].numpy()]
            expected = (values * weights.numpy()[:, None]).sum(axis=0)
            assert np.allclose(layer.coefficients.grad[node, edge].numpy(), expected)


def test_gradient_through_a_hidden_layer_is_the_slope_of_the_next() -> None:
    """With many bits a network is as good as smooth: finite differences of a bias."""
    network = random_network([6, 8], [2, 1, 1], seed=8)
    first, second = network.edge_layers()
    with torch.no_grad():
        first.coefficients.mul_(0.15)
        for layer in (first, second):
            layer.read.fill_(float(layer.most))
            layer.bits.fill_(9.0)
        first.bias.zero_()
    codes = torch.randint(0, 64, (400, 2), generator=torch.Generator().manual_seed(2))
    network(codes).results.mean().backward()
    step = 2.0**-5
    found: list[float] = []
    for moved in (-step, step):
        with torch.no_grad():
            first.bias.fill_(moved)
            found.append(float(network(codes).results.mean()))
    assert float(first.bias.grad[0]) == pytest.approx((found[1] - found[0]) / (2 * step), abs=0.03)


@given(st.integers(0, 10_000), st.sampled_from(["xcup", "ecp5"]))
@settings(max_examples=25, deadline=None)
def test_gradient_of_the_cost(seed: int, name: str) -> None:
    random = torch.Generator().manual_seed(seed)
    cost = EdgeCost(device(name))
    # Away from whole numbers, where the cost has corners.
    read = torch.rand(3, generator=random, dtype=torch.float64) * 0.8 + 3.0 * torch.arange(3) + 0.1
    values = torch.randn(3, 16, generator=random, dtype=torch.float64)
    bits = torch.rand(3, generator=random, dtype=torch.float64) * 6.0
    arguments = [each.requires_grad_() for each in (read, values, bits)]
    assert torch.autograd.gradcheck(lambda *given: cost.luts(*given), arguments)


@pytest.mark.parametrize(("name", "narrow"), [("xcup", 1), ("ecp5", 0), ("ice40", 0)])
def test_the_cost_is_the_devices_at_whole_bits(name: str, narrow: int) -> None:
    """Edges of one bit take wider adders too, where each bit of a sum takes a LUT. Two edges of two
    bits share a table's LUT of four inputs there.
    """
    target = device(name)
    costs = target.summand_costs(8, ideal=True) - 0.5 * (1 - narrow) * (np.arange(9) == 2)
    read = torch.arange(9).double()
    cost, bits = EdgeCost(target), torch.full((9,), 2.0, dtype=torch.float64)
    # Two values a step apart are one bit, and four are two.
    one, two = (
        cost.luts(read, torch.tensor([[0.0, last]], dtype=torch.float64).expand(9, 2), bits)
        for last in (0.25, 0.75)
    )
    wider = WIDER * target.adders.bit_luts * (np.arange(9) > narrow)
    assert one.tolist() == pytest.approx(costs + wider * 3 / 4)
    assert two.tolist() == pytest.approx(2 * costs + wider * 15 / 16)


def test_a_part_of_the_luts_is_worth_the_same_on_all_devices() -> None:
    """The price times the LUTs of the first step that has a price: networks are equal before it."""
    schedule = Schedule(steps=100, warm=0.01, interval=1)
    records = []
    for name in ("xcup", "xc7", "ecp5", "ice40"):
        run = Training(
            Table(moons()), TrainingOptions(target=name, folds=1, schedule=schedule), "data"
        ).run(0)
        run.advance()
        run.advance()
        records.append((run.luts, run.records[1].price))
    xcup, xc7, ecp5, ice40 = records
    assert xc7 == xcup and xcup[1] == schedule.first_price
    for luts, price in (ecp5, ice40):
        assert luts > 2.0 * xcup[0]
        assert price * luts == pytest.approx(schedule.first_price * xcup[0])


def test_an_edge_that_gives_nothing_costs_nothing() -> None:
    zero = torch.zeros(1, dtype=torch.float64)
    assert float(EdgeCost(XCUP).luts(zero + 4.0, zero[None].expand(1, 16), zero + 9.0)) == 0.0


@pytest.mark.parametrize("inputs", [5, 6, 7, 8, 40])
def test_a_node_that_reads_few_bits_costs_a_table(inputs: int) -> None:
    """The same as the compiled node: a threshold of bits. Of many bits, edges are cheaper."""
    bases, cost = [table_basis(1)] * 2, EdgeCost(XCUP)
    network = make_network(bases, [inputs, 1, 1], cost, seed=0, reference=False)
    first, second = network.edge_layers()
    with torch.no_grad():
        for layer in (first, second):
            layer.read.fill_(0.9)
            layer.bits.fill_(0.0)
            layer.bias.zero_()
            layer.coefficients[..., 0], layer.coefficients[..., 1] = 0.0, 1.0
        first.bias.fill_(-inputs / 2)
    values = [layer.tables()[0] for layer in (first, second)]
    given = second.bits_read(values[1]).amax(0)
    assert first.bits_read(values[0]).tolist() == [[1.0] * inputs] and given.tolist() == [1.0]
    (luts,) = first.luts_of_nodes(values[0], cost, given).tolist()
    edges = first.luts(values[0], cost).sum().item()
    assert luts == (edges if inputs > 7 else XCUP.bit_costs(inputs)[inputs])
    if inputs <= 6:
        codes = InputCodes(1, np.ones(inputs), np.zeros(inputs))
        compiled = kan.from_ir(str(module_of("node", codes, network.integers()))).compile()
        assert compiled.estimate("xcup").luts == luts
    # An edge that is a constant is not read, and a node that is not read costs nothing.
    with torch.no_grad():
        first.coefficients[0, 0, 1] = 0.0
    assert first.bits_read(first.tables()[0]).sum() == inputs - 1
    assert first.luts_of_nodes(values[0], cost, given * 0.0).sum().item() == 0.0


@pytest.mark.parametrize("bits, ends", [(1, (-1, 0)), (2, (-32, 31))])
def test_a_node_read_by_its_highest_bit_has_a_code_of_that_bit(
    bits: int, ends: tuple[int, int]
) -> None:
    bases = [table_basis(1), table_basis(bits)]
    network = make_network(bases, [5, 3, 2], EdgeCost(XCUP), seed=0, reference=False)
    hidden, results = network.integers()
    assert hidden.saturate == ends and results.tables.shape == (2, 3, 1 + ends[1] - ends[0])
    codes = torch.arange(1 << 5)[:, None] >> torch.arange(5) & 1
    at = codes.numpy()
    for layer in (hidden, results):
        sums = layer.tables[:, np.arange(at.shape[1]), at].sum(2).T
        at = sums if layer.saturate is None else np.clip(sums, *layer.saturate) - layer.saturate[0]
    exact = network(codes).results.detach().numpy() * 2.0**results.step_bits
    assert np.array_equal(at, exact)


def test_a_sum_of_many_bits_costs_its_adders() -> None:
    """Half a LUT for each bit, but for those of the result: the same as the compiled sum."""
    inputs = 96
    network = make_network([table_basis(1)], [inputs, 1], EdgeCost(XCUP), seed=0, reference=False)
    (layer,) = network.edge_layers()
    weights = 2.0 ** torch.arange(inputs).remainder(3).double()
    with torch.no_grad():
        layer.bits.copy_(-weights.log2()[None])
        layer.bias.zero_()
        layer.coefficients[0, :, 0], layer.coefficients[0, :, 1] = 0.0, weights
    luts = layer.luts(layer.tables()[0], EdgeCost(XCUP)).sum().item()
    assert luts == inputs / 2
    codes = InputCodes(1, np.ones(inputs), np.zeros(inputs))
    compiled = kan.from_ir(str(module_of("sum", codes, network.integers()))).compile()
    assert luts - 8 <= compiled.estimate("xcup").luts <= luts


def many_features(samples: int, bits: int) -> Dataset:
    """Samples of twelve features. Features 4, 7 and 11 tell the class."""
    random = np.random.default_rng(3)
    x = random.integers(0, 1 << bits, (samples, 12)).astype(np.float64)
    return Dataset(x, (x[:, [4, 7, 11]].sum(1) > 1.5 * ((1 << bits) - 1)).astype(np.int64))


def taken_by_run(layer: EdgeLayer) -> list[list[int]]:
    """Inputs that count for each node, ascending."""
    return [sorted(i[c > 0].tolist()) for i, c in zip(layer.index, layer.chosen, strict=True)]


@pytest.mark.parametrize("bits", [1, 3])
@pytest.mark.parametrize("candidates", [None, 6])
def test_few_edges_of_a_node(bits: int, candidates: int | None) -> None:
    """Edges that tell nothing go, whether all are trained at first or some are."""
    schedule = Schedule(
        steps=800, interval=100, batch=256, rate=0.03, fan_in=3, candidates=candidates
    )
    assert schedule.price(399) == 0.0 and schedule.price(400) == schedule.first_price
    options = TrainingOptions(hidden=(1,), input_bits=bits, folds=1, schedule=schedule)
    run = Training(Table(many_features(600, bits)), options, "data").run(0)
    (layer, last) = run.network.edge_layers()
    edges: list[int] = []
    while not run.is_done and run.step < 500:
        run.advance()
        edges.append(layer.edges)
        with torch.no_grad():
            values, _ = layer.tables()
        chosen = schedule.edges((run.step - 1) // 50 * 50, 12)
        assert int((values != 0).any(-1).sum(1).max()) <= chosen
        assert all(len(set(inputs.tolist())) == layer.edges for inputs in layer.index)
        if run.step == 333:
            middle = deepcopy(run.state())
    assert edges[0] == (candidates or 12) and edges[399] == (6 if candidates else 8)
    assert edges == sorted(edges, reverse=True) and edges[400] == 3 and last.edges == 1
    assert taken_by_run(layer) == [[4, 7, 11]]
    # A run that goes on has the same edges.
    again = Training(Table(many_features(600, bits)), options, "data").run(0)
    again.restore(middle)
    while again.step < run.step:
        again.advance()
    assert (again.network.edge_layers()[0].index == layer.index).all()
    assert (again.network.edge_layers()[0].coefficients == layer.coefficients).all()


def right(run: Run, record: Record) -> float:
    """The part of the held-out samples that a recorded network decides right."""
    return float((decisions(record.results) == run.held_targets.numpy()).mean())


def test_a_low_price_takes_no_edges_of_one_bit() -> None:
    """No gradient tells what the last bit of a code is worth, and a price has no other one."""
    schedule = Schedule(
        steps=400, interval=10, rate=0.03, fan_in=6, first_price=1e-5, last_price=1e-4, average=0.5
    )
    options = TrainingOptions(hidden=(2,), input_bits=1, hidden_bits=1, folds=1, schedule=schedule)
    run = Training(Table(many_features(600, 1)), options, "data").run(0)
    while not run.is_done:
        run.advance()
    scores = {record.step: right(run, record) for record in run.records}
    assert scores[200] > 0.95
    assert all(score > 0.95 for step, score in scores.items() if step > 200)


def test_edges_that_vary_the_most_over_the_samples_are_chosen() -> None:
    dataset = many_features(200, 3)
    codes = torch.from_numpy(dataset.x.astype(np.int64)) ** 2 // 7
    network = random_network([3], [12, 4], seed=2)
    (layer,) = network.edge_layers()
    table, _ = layer.tables()
    spread = torch.stack([table[:, i, codes[:, i]].std(-1, correction=0) for i in range(12)], dim=1)
    order = spread.argsort(dim=1, descending=True)
    frequencies = frequencies_of(codes, 8)
    layer.choose(5, frequencies)
    assert taken_by_run(layer) == [sorted(each[:5].tolist()) for each in order]
    assert [set(each) for each in layer.ranked(frequencies)[:, :5].tolist()] == [
        set(each) for each in order[:, :5].tolist()
    ]


@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=3),
    st.integers(1, 5),
    st.integers(0, 10_000),
)
@settings(max_examples=40, deadline=None)
def test_a_layer_of_some_edges_is_a_layer_without_the_others(
    bits: list[int], edges: int, seed: int
) -> None:
    """The same results, LUTs, integers and gradients, exactly."""
    widths = [5, *[4] * (len(bits) - 1), 3]
    dense, some = (random_network(bits, widths, seed) for _ in range(2))
    random = torch.Generator().manual_seed(seed)
    places: list[Any] = []
    for full, part in zip(dense.edge_layers(), some.edge_layers(), strict=True):
        order = torch.rand(full.nodes, full.inputs, generator=random).argsort(dim=1)
        places.append(order[:, : min(edges, full.inputs)])
        if edges < full.inputs:
            part.take(places[-1])
        full.chosen.zero_().scatter_(1, places[-1], 1.0)
        with torch.no_grad():
            # The finest edge sets the step of its layer. So an edge that stays is the finest.
            full.bits.clamp_(max=6.0)[0, places[-1][0, 0]] = 6.0
            part.bits.clamp_(max=6.0)
            at = (part.index[0] == places[-1][0, 0]).nonzero().item()
            part.bits[0, at] = 6.0
    codes = torch.randint(0, 1 << bits[0], (40, 5), generator=random)
    found, expected = some(codes), dense(codes)
    assert (found.results == expected.results).all()
    assert found.luts.item() == pytest.approx(expected.luts.item())
    for mine, others in zip(some.integers(), dense.integers(), strict=True):
        assert (mine.tables == others.tables).all() and mine.step_bits == others.step_bits
    weights = torch.randn(40, 3, generator=random, dtype=torch.float64)
    for each in (found, expected):
        (each.results * weights).sum().backward()
    for full, part, kept in zip(dense.edge_layers(), some.edge_layers(), places, strict=True):
        np.testing.assert_allclose(part.bias.grad, full.bias.grad, atol=1e-9)
        for whole, own in zip(full.functions.of_edges, part.functions.of_edges, strict=True):
            wanted: Any = taken(whole.grad, kept) if edges < full.inputs else whole.grad
            np.testing.assert_allclose(own.grad, wanted, atol=1e-9)


@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_sums_of_few_codes_are_sums_of_entries(bits: int, edges: int, seed: int) -> None:
    """Matrix products, entries of edges, and entries by row: with the same gradients."""
    random = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 1 << bits, (30, 4), generator=random)
    values, slopes = (
        torch.randn(3, edges, 1 << bits, generator=random, dtype=torch.float64) for _ in range(2)
    )
    index = torch.rand(3, 4, generator=random).argsort(dim=1)[:, :edges]
    index = torch.arange(4).repeat(3, 1) if edges == 4 else index
    weights = torch.randn(30, 3, generator=random, dtype=torch.float64)
    gradients: list[list[Any]] = []
    for how in (sum_of_few_codes, gathered, sum_of_edges, by_rows):
        own = values.clone().requires_grad_()
        real = torch.zeros(30, 4, dtype=torch.float64, requires_grad=True)
        sums = how(own, slopes, index, codes, real)
        (sums * weights).sum().backward()
        gradients.append([sums.detach(), own.grad, real.grad])
        assert torch.allclose(how(own, slopes, index, codes, None), sums)
    for found in gradients[:3]:
        for mine, wanted in zip(found, gradients[3], strict=True):
            np.testing.assert_allclose(mine, wanted, atol=1e-12)


def gathered(values: Any, slopes: Any, index: Any, codes: Any, real: Any) -> Any:
    """Sums as of nodes with a small part of all edges."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookup, "GATHERED", 0)
        return sum_of_few_codes(values, slopes, index, codes, real)


def by_rows(values: Any, slopes: Any, index: Any, codes: Any, real: Any) -> Any:
    """Sums by `sum_of_entries`, with zeros where there is no edge."""
    nodes, _, count = values.shape
    rows = codes + count * torch.arange(codes.shape[1])
    entries, by_slope = (
        torch.zeros(nodes, codes.shape[1], count, dtype=torch.float64)
        .scatter(1, index[..., None].expand(values.shape), each)
        .permute(1, 2, 0)
        .reshape(-1, nodes)
        for each in (values, slopes)
    )
    return sum_of_entries(entries, by_slope, rows, rows.double() if real is None else real)


def random_encoder(codes: InputCodes, seed: int) -> Encoder:
    """Codes whose ranges were moved and scaled at random."""
    encoder, random = Encoder(codes, learned=True), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in (encoder.shift, encoder.log_scale):
            parameter.copy_(torch.randn(parameter.shape, generator=random, dtype=torch.float64))
    return encoder


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.integers(0, 10_000),
    st.sampled_from(["spline", "table", "line"]),
    st.booleans(),
    st.sampled_from([None, 1, 2]),
    st.data(),
)
@settings(max_examples=40, deadline=None)
def test_integers_are_those_of_the_compiler(
    bits: list[int],
    seed: int,
    functions: str,
    learned: bool,
    shapes: int | None,
    data: st.DataObject,
) -> None:
    widths = data.draw(st.lists(st.integers(1, 4), min_size=len(bits) + 1, max_size=len(bits) + 1))
    network = random_network(bits, widths, seed, functions=functions, shapes=shapes)
    x = np.random.default_rng(seed).normal(size=(60, widths[0]))
    codes = fit_codes(x, bits[0])
    inputs = torch.from_numpy(codes.encode(x))
    if learned:
        network.encoder = random_encoder(codes, seed)
        codes, inputs = network.encoder.codes(), torch.from_numpy(x)
    layers = network.integers()
    compiled = from_ir(module_of("net", codes, layers, scale=0.5))
    with torch.no_grad():
        results = network(inputs).results.numpy()
    assert (compiled.run_codes(codes.encode(x)) == results * 2.0 ** layers[-1].step_bits).all()
    assert (compiled.run(x) == results * 0.5).all()


def shapes_of(layer: IntegerLayer) -> int:
    """The functions that edges of a layer have, up to offset, sign and 1, 2, 4 or 8 times."""
    found: dict[tuple[int, ...], list[int]] = {}
    for table in (layer.tables - layer.tables[..., :1]).reshape(-1, layer.tables.shape[-1]):
        if table.any():
            common = int(np.gcd.reduce(table))
            power = common & -common
            up, down = (tuple((sign * table // power).tolist()) for sign in (1, -1))
            found.setdefault(max(up, down), []).append(power)
    assert all(max(powers) <= 8 * min(powers) for powers in found.values())
    return len(found)


@pytest.mark.parametrize("functions", ["spline", "table"])
@pytest.mark.parametrize("shapes", [1, 2, 3])
def test_edges_of_a_layer_share_shapes(shapes: int, functions: str) -> None:
    own, shared = (
        random_network([4, 4], [3, 6, 6], 5, functions=functions, shapes=each)
        for each in (None, shapes)
    )
    for layer in (*own.edge_layers(), *shared.edge_layers()):
        with torch.no_grad():
            layer.functions.of_bits[1].fill_(8.0)
            layer.functions.of_bits[0].fill_(float(layer.most))
    assert all(shapes_of(layer) > 2 * shapes for layer in own.integers())
    assert [shapes_of(layer) for layer in shared.integers()] == [shapes] * 2


def test_an_edge_is_the_nearest_multiple_of_a_shape() -> None:
    """Of all multiples, by squares over all codes; an edge has any offset."""
    basis = spline_basis(4, 4)
    network = random_network([4], [5, 20], seed=3, shapes=3)
    (layer,) = network.edge_layers()
    functions = layer.functions
    assert isinstance(functions, SharedShapes)
    with torch.no_grad():
        functions.coefficients.mul_(torch.linspace(0.01, 2.0, 20)[:, None, None])
        layer.clamp()
    own = functions.coefficients.detach().numpy() @ basis.values[-1].T
    shapes = functions.shapes.detach().numpy() @ basis.values[-1].T
    own, shapes = (each - each.mean(axis=-1, keepdims=True) for each in (own, shapes))
    factors = np.array([sign * 2.0**-shift for shift in range(4) for sign in (1, -1)] + [0.0])
    every = (factors[:, None, None] * shapes).reshape(-1, 16)
    expected = ((own[:, :, None] - every) ** 2).sum(-1).min(-1)
    taken_ = functions.factor.numpy()[..., None] * shapes[functions.choice.numpy()]
    np.testing.assert_allclose(((own - taken_) ** 2).sum(-1), expected)
    assert {0.0, 0.125, 0.25, 0.5, 1.0} == set(functions.factor.abs().reshape(-1).tolist())


def test_gradients_of_shapes_are_sums_over_edges() -> None:
    """Those of an edge's own function are what they would be without shapes."""
    network = random_network([4], [3, 2], seed=3, shapes=2)
    (layer,) = network.edge_layers()
    functions = layer.functions
    assert isinstance(functions, SharedShapes)
    with torch.no_grad():
        functions.shape_read.fill_(4.0)
    codes = torch.randint(0, 16, (50, 3), generator=torch.Generator().manual_seed(1))
    of_samples = torch.linspace(-1.0, 2.0, 50, dtype=torch.float64)
    (network(codes).results * of_samples[:, None]).sum().backward()
    basis = torch.from_numpy(spline_basis(4, 4).values)[-1]
    of_shapes = torch.zeros_like(functions.shapes)
    for node in range(2):
        for edge in range(3):
            expected = (basis[codes[:, edge]] * of_samples[:, None]).sum(0)
            assert torch.allclose(functions.coefficients.grad[node, edge], expected)
            of_shapes[functions.choice[node, edge]] += functions.factor[node, edge] * expected
    assert torch.allclose(functions.shapes.grad, of_shapes)


def test_a_training_with_few_shapes() -> None:
    """It learns, goes on from its state, and tables of its front are multiples of two shapes."""
    options = TrainingOptions(schedule=SHORT, hidden=(3,), shapes=2, folds=1)
    run = Training(Table(moons()), options, "moons").run(0)
    for _ in range(100):
        run.advance()
    again = Training(Table(moons()), options, "moons").run(0)
    again.restore(run.state())
    for each in (run, again):
        each.advance()
    assert run.loss == again.loss
    assert all(layer.functions.is_shared for layer in again.network.edge_layers())
    trained = train(moons(), options)
    assert trained.test_score is not None and trained.test_score > 0.8
    for point in trained.front:
        for layer in point.network.layers:
            found = IntegerLayer(np.asarray(layer.tables, dtype=np.int64), None, 0)
            assert shapes_of(found) <= 2


@given(st.lists(st.integers(1, 5), min_size=1, max_size=2), st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_decisions_are_the_signs_of_the_sums(bits: list[int], seed: int) -> None:
    """Also where a sum is 0, which is not above 0."""
    widths = [2, *([2] * (len(bits) - 1)), 3]
    network = random_network(bits, widths, seed, decides=True)
    for layer in network.edge_layers():
        with torch.no_grad():
            layer.bits.clamp_(max=1.0)
    codes = np.stack(np.meshgrid(*[np.arange(1 << bits[0])] * 2), axis=-1).reshape(-1, 2)
    inputs = InputCodes(bits[0], np.ones(2), np.zeros(2))
    compiled = from_ir(module_of("net", inputs, network.integers()))
    with torch.no_grad():
        sums = network(torch.from_numpy(codes)).results.numpy()
    assert (compiled.run_codes(codes) == (sums > 0.0)).all()


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_a_decision_costs_a_table_of_what_is_read(bits: int) -> None:
    """The cost of training is that of the compiled network, however fine the sums are."""
    network = random_network([bits], [2, 1], seed=1, decides=True)
    (layer,) = network.edge_layers()
    with torch.no_grad():
        layer.read.fill_(float(bits))
        layer.bits.fill_(8.0)
    luts = float(network(torch.zeros(1, 2, dtype=torch.int64)).luts.detach())
    assert luts == XCUP.bit_costs(2 * bits)[2 * bits]
    inputs = InputCodes(bits, np.ones(2), np.zeros(2))
    compiled = from_ir(module_of("net", inputs, network.integers())).compile()
    assert 0 < compiled.estimate("xcup").luts <= luts


def test_a_network_that_decides(tmp_path: Path) -> None:
    schedule = replace(SHORT, last_price=3e-3)
    options = TrainingOptions(schedule=schedule, folds=1, input_bits=4, decides=True, name="moons")
    trained = train(moons(), options)
    network = trained.network
    dataset = moons()
    assert dataset.x_test is not None and dataset.y_test is not None
    decided = network.run(dataset.x_test)[:, 0]
    assert set(decided.tolist()) == {0.0, 1.0}
    right = float((decided == dataset.y_test).mean())
    assert right == trained.test_score and right > 0.9
    assert trained.front[0].luts <= 4


def test_only_two_classes_are_decided() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    for y in (np.arange(60) % 3, x[:, 0]):
        with pytest.raises(KanError, match="has no two classes"):
            train({"x": x, "y": y}, TrainingOptions(decides=True))


def test_tails_of_features_may_lie_beyond_the_codes() -> None:
    x = np.linspace(0.0, 1.0, 1001)[:, np.newaxis]
    encoded = {tail: fit_codes(x, 3, tail).encode(x)[:, 0] for tail in (0.0, 10.0)}
    assert np.bincount(encoded[0.0]).tolist() == pytest.approx([125] * 8, abs=2)
    # A tenth beyond each end, and an eighth of the rest.
    assert np.bincount(encoded[10.0]).tolist() == pytest.approx([200, *[100] * 6, 200], abs=2)


def test_the_threshold_of_one_bit_is_the_mean_within_the_tails() -> None:
    """Of pixels that are rarely bright it is nearly dark; outliers do not move it."""
    x = np.linspace(0.0, 1.0, 201)[:, np.newaxis] ** 4
    x[-1] = 1e6
    codes = fit_codes(x, 1, tail=1.0)
    low, high = np.percentile(x, (1, 99))
    assert (codes.encode(x) == (x > x.clip(low, high).mean())).all()
    assert 40 < codes.encode(x).sum() < 80


def test_codes_are_those_of_the_ir_at_ties() -> None:
    x = np.arange(-9.0, 9.0, 0.25)[:, np.newaxis]
    codes = fit_codes(x, 3)
    network = random_network([3], [1, 1], seed=0)
    compiled = from_ir(module_of("net", codes, network.integers()))
    table = compiled.run_codes(np.arange(8)[:, np.newaxis])[:, 0]
    unit = 2.0 ** -network.integers()[0].step_bits
    assert (compiled.run(x)[:, 0] == table[codes.encode(x)[:, 0]] * unit).all()


def test_a_constant_feature_gets_the_code_0() -> None:
    codes = fit_codes(np.array([[1.0, 7.0], [2.0, 7.0], [4.0, 7.0]]), 4)
    assert codes.encode(np.array([[0.0, 7.0], [9.0, -3.0]])).tolist() == [[0, 0], [15, 0]]


def test_a_constant_feature_has_no_edges() -> None:
    dataset = moons()
    x = np.insert(dataset.x, 1, 7.0, axis=1)
    options = TrainingOptions(schedule=Schedule(steps=100), folds=1)
    trained = train({"x": x, "y": dataset.y}, options)
    mask = trained.front[0].network.layers[0].mask
    # The first edge of a node has its bias; this is another one.
    assert not mask[:, 1].any() and mask[:, 2].any()


def test_a_feature_that_is_rarely_set_keeps_its_range() -> None:
    x = np.zeros((1000, 1))
    x[3] = 1.0
    assert fit_codes(x, 1).encode(np.array([[0.0], [1.0]])).tolist() == [[0], [1]]


@pytest.mark.parametrize("bits", [1, 3])
def test_gradients_of_learned_codes(bits: int) -> None:
    """What has the codes moves with their ranges; beyond them it does not."""
    x = np.random.default_rng(bits).normal(size=(40, 2))
    encoder = random_encoder(fit_codes(x, bits), 1)
    features = torch.from_numpy(x)
    codes, real = encoder(features)
    # Real numbers in [-1, 1] have the codes of their place in it.
    place = (real.detach().numpy() + 1.0) / 2.0 * (1 << bits)
    inside = np.abs(real.detach().numpy()) < 1.0
    assert 0 < inside.sum() < inside.size
    assert (np.floor(place)[inside] == codes.numpy()[inside]).all()
    parameters = (encoder.shift, encoder.log_scale)
    assert torch.autograd.gradcheck(lambda *_: encoder(features)[1], parameters)


def test_learned_codes_find_a_threshold() -> None:
    """One bit is a comparison with the middle of the range, which is the wrong place here."""
    x = np.random.default_rng(0).uniform(size=(300, 1))
    data = Dataset(x, (x[:, 0] > 0.8).astype(np.int64))
    schedule = Schedule(steps=400, rate=0.02, first_price=1e-5, last_price=1e-3)
    scores = [
        train(
            data, TrainingOptions(schedule=schedule, folds=1, input_bits=1, learn_codes=learned)
        ).chosen.score
        for learned in (False, True)
    ]
    assert scores[0] < 0.85 and scores[1] > 0.97


def test_features_have_noise_in_training_alone() -> None:
    x = np.random.default_rng(0).uniform(size=(4000, 2)) * [1.0, 0.0]
    data = Dataset(x, np.arange(4000) % 2)
    options = TrainingOptions(schedule=Schedule(steps=100), folds=1, input_noise=0.25)
    training = Training(Table(data), options, "data")
    run = training.run(0)
    inputs = torch.from_numpy(x)
    added = (run.with_noise(inputs) - inputs).numpy()
    assert added.std(axis=0) == pytest.approx([0.25 * training.codes.ranges[0], 0.0], rel=0.05)
    assert (run.with_noise(inputs) == run.with_noise(inputs)).all()
    run.advance()
    assert not np.allclose((run.with_noise(inputs) - inputs).numpy(), added)
    codes = run.network.codes_of(inputs)[0].numpy()
    assert (codes == training.codes.encode(x)).all()


@pytest.mark.parametrize("folds", [1, 3])
def test_folds_have_all_classes(folds: int) -> None:
    targets = torch.tensor([0] * 40 + [1] * 12)
    x = np.arange(52.0)[:, np.newaxis]
    parts = list(folds_of(Table(Dataset(x)), targets, True, folds, 0.25))
    assert len(parts) == folds
    for trained, held in parts:
        assert sorted([*trained.tolist(), *held.tolist()]) == list(range(52))
        groups = folds if folds > 1 else 4
        assert abs(int((targets[held] == 1).sum()) - 12 / groups) <= 1
    if folds > 1:
        assert sorted(i for _, held in parts for i in held.tolist()) == list(range(52))


def test_small_batches_use_every_sample_before_any_is_used_again() -> None:
    dataset = moons()
    options = TrainingOptions(schedule=Schedule(steps=100, batch=50), folds=1)
    run = Training(Table(dataset), options, "moons").run(0)
    seen: list[int] = []
    for _ in range(2):
        for _ in range(3):  # 180 samples are trained with.
            seen.append(len(run.samples_of_step()))
            run.advance()
    assert seen == [60] * 6
    epochs = [torch.cat([run.samples_of_step(step) for step in range(k, k + 3)]) for k in (0, 3)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(180))
    assert epochs[0].tolist() != epochs[1].tolist()


@pytest.mark.parametrize("inputs", [2, 16, 784])
def test_no_edge_of_an_untrained_network_is_rounded_to_nothing(inputs: int) -> None:
    network = random_start(inputs)
    values, _ = network.edge_layers()[0].tables()
    assert (values != 0.0).any(dim=-1).double().mean() > 0.9


@pytest.mark.parametrize("inputs", [2, 16, 784])
def test_sums_of_many_inputs_move_little_in_a_step(inputs: int) -> None:
    """Coefficients that all move the same way move a sum by at most 4 · sqrt(inputs) rates."""
    random = np.random.default_rng(0)
    codes = torch.from_numpy((random.random((64, inputs)) < 0.5).astype(np.int64))
    labels = codes[:, 0].numpy()
    every = torch.arange(64)
    objective = objective_of(labels, "data")
    schedule = Schedule(steps=100, rate=0.01)
    network, targets = random_start(inputs), objective.targets(labels)
    run = Run(network, codes, targets, objective, every, every, schedule, keeps=False)
    before = network.edge_layers()[0].coefficients.detach().clone()
    run.advance()
    moved = (network.edge_layers()[0].coefficients.detach() - before).abs()
    assert 0.0 < float(moved.amax()) * inputs <= 1.01 * 0.01 * min(4.0 * inputs**0.5, inputs)


@pytest.mark.parametrize("fan_in", [None, 2])
def test_the_rate_follows_the_edges_of_a_node(fan_in: int | None) -> None:
    """The fewer edges a hidden node has, the further its functions move in a step."""
    random = np.random.default_rng(0)
    codes = torch.from_numpy((random.random((64, 256)) < 0.5).astype(np.int64))
    objective = objective_of(codes[:, 0].numpy(), "data")
    schedule = Schedule(steps=100, rate=0.01, fan_in=fan_in)
    every, targets = torch.arange(64), objective.targets(codes[:, 0].numpy())
    run = Run(random_start(256), codes, targets, objective, every, every, schedule, keeps=False)
    for step in range(60):
        edges = schedule.edges(step, 256)
        hidden, last = (each["lr"] for each in run.state()["optimizer"]["param_groups"][2:])
        of_step = 0.01 * schedule.rate_part(step)
        assert hidden == pytest.approx(of_step * min(1.0, (16 / edges) ** 0.5))
        assert last == pytest.approx(of_step)
        run.advance()
    assert edges == (fan_in or 256)


@pytest.mark.parametrize(("average", "interval"), [(0.7, 8), (0.3, 80)])
def test_recorded_networks_have_averaged_parameters(average: float, interval: int) -> None:
    """Weights of steps fall by `average`, and their sum is 1."""
    schedule = Schedule(steps=100, average=average, interval=interval, rate=0.05)
    run = Training(Table(moons()), TrainingOptions(schedule=schedule), "moons").run(4)
    parameter = run.network.edge_layers()[0].coefficients
    steps: list[FloatArray] = []
    for _ in range(schedule.interval):
        run.advance()
        steps.append(parameter.detach().numpy().copy())
    (kept,) = run.kept.values()
    weights = average ** np.arange(len(steps))[::-1]
    mean = np.tensordot(weights / weights.sum(), np.stack(steps), axes=1)
    found = kept.parameters["layers.0.functions.coefficients"].numpy()
    np.testing.assert_allclose(found, mean, atol=1e-6)
    assert np.abs(mean - steps[-1]).max() > 1e-3


def random_start(inputs: int) -> QuantisedKan:
    """An untrained network of inputs of one bit, three hidden nodes and one result."""
    bases = [table_basis(1), spline_basis(5, 4)]
    return make_network(bases, [inputs, 3, 1], EdgeCost(XCUP), seed=0, reference=False)


def test_a_training_gives_a_front() -> None:
    trained = train(moons(), TrainingOptions(schedule=SHORT, hidden=(2,), name="moons"))
    luts = [point.luts for point in trained.front]
    losses = [point.loss for point in trained.front]
    assert len(luts) >= 3 and luts == sorted(luts, reverse=True)
    assert losses == sorted(losses)
    assert luts[0] > luts[-1]
    assert trained.test_score is not None and trained.test_score > 0.93
    best = trained.front[0]
    assert trained.chosen.score >= best.score - best.error
    assert trained.chosen.network.compile(cycles=1).latency_cycles == 1


def test_a_training_names_its_networks_as_the_data(tmp_path: Path) -> None:
    path = tmp_path / "reg.csv"
    x, y = two_moons(240, 0)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["width", "height", "class"])
        rows.writerows([*each, ("upper", "lower")[of]] for each, of in zip(x, y, strict=True))
    options = TrainingOptions(schedule=SHORT)
    trained = train(path, options, folder=tmp_path / "out").network
    written = kan.load(tmp_path / "out" / "network.mlir")
    for each in (trained, written):
        assert (each.features, each.classes) == (("width", "height"), ("lower", "upper"))
        assert each.name == "reg_", "a keyword names no module"
    # Data without names learns those of the network to start from.
    assert train(moons(), options, start=trained).network.features == ("width", "height")
    other = {"x": x, "y": y, "feature_names": ["width", "mass"]}
    for start in (trained, tmp_path / "out" / "network.mlir"):
        with pytest.raises(KanError, match="has no column 'height', which input x1"):
            train(other, options, start=start)


def test_three_classes_have_a_reference() -> None:
    x = np.random.default_rng(0).normal(size=(150, 2))
    y = (x[:, 0] > 0.5).astype(int) + (x[:, 0] > -0.5)
    trained = train({"x": x, "y": y}, TrainingOptions(schedule=SHORT))
    network = trained.chosen.network
    assert network.shape == (2, 3)
    assert (network.run(x)[:, 2] == 0.0).all()
    assert (network.run(x).argmax(axis=1) == y).mean() > 0.93


def test_numbers_are_learned_in_their_unit() -> None:
    x = np.random.default_rng(0).uniform(-1.0, 1.0, size=(200, 1))
    y = 100.0 + 30.0 * np.sin(3.0 * x[:, 0])
    trained = train({"x": x, "y": y}, TrainingOptions(schedule=SHORT))
    error = trained.front[0].network.run(x)[:, 0] - y
    assert np.abs(error).mean() < 4.0
    assert not trained.is_classes and trained.front[0].score < 0.25 * 30.0


def rare_faults(samples: int = 400) -> dict[str, Array]:
    """One sample in ten is a fault, near the others."""
    random = np.random.default_rng(3)
    y = (np.arange(samples) % 10 == 0).astype(np.int64)
    return {"x": random.normal(size=(samples, 2)) + 1.5 * y[:, None], "y": y}


def test_a_threshold_keeps_a_goal() -> None:
    data = rare_faults()
    plain = train(data, **BRIEF, folds=2)
    goal = train(data, **BRIEF, folds=2, min_recall=["1=0.9"])
    found = goal.chosen.held_out
    assert found.confusion is not None
    alarms, hit = found.confusion[0, 1], found.confusion[1, 1]
    assert hit >= 36 and found.threshold < 0.0
    # The threshold is a constant in the last sum: the same network, moved.
    pairs = [
        (one.network.run(data["x"]), other.network.run(data["x"]))
        for one in plain.front
        for other in goal.front
        if one.price == other.price and other.held_out.threshold != 0.0
    ]
    assert pairs and all(np.ptp(other - one) == 0.0 and (other > one).all() for one, other in pairs)
    decided = goal.network.run(data["x"])[:, 0] > 0.0
    assert decided[data["y"] == 1].mean() > 0.85
    assert decided[data["y"] == 0].mean() == pytest.approx(alarms / 360, abs=0.1)
    assert "threshold" not in plain.network.text()


def test_a_goal_that_no_network_keeps() -> None:
    goals = {"min_recall": ["1=1", "0=1"]}
    with pytest.raises(
        KanError, match=r"no network keeps the goals .* class 1 has a recall of 0\."
    ):
        train(rare_faults(), **BRIEF, folds=2, **goals)


def test_weights_find_a_rare_class() -> None:
    def recall(weights: str | None) -> float:
        trained = train(rare_faults(), **BRIEF, folds=2, class_weights=weights)
        return float(recalls(trained.chosen.held_out.confusion)[1])

    assert recall("balanced") > recall(None) + 0.2


def test_a_metric_chooses() -> None:
    trained = train(rare_faults(), **BRIEF, folds=2, metric="auc")
    risks = [-point.score for point in trained.front]
    assert trained.score_name == "auc" and risks == sorted(risks)
    assert [point.risk for point in trained.front] == pytest.approx(risks)
    assert trained.chosen.score > 0.85


def test_a_network_says_what_stands_for_missing_values() -> None:
    data = moons()
    x = data.x.copy()
    x[::7, 0] = np.nan
    arrays = {"x": x, "y": data.y}
    with pytest.raises(KanError, match="35 of 240 samples miss values: 35 of x0"):
        train(arrays, **BRIEF)
    network = train(arrays, **BRIEF, folds=1, missing="median").network
    median = float(np.nanmedian(x[:, 0]))
    assert [port.missing for port in network.inputs] == [median, float(np.median(x[:, 1]))]
    assert (network.run(x) == network.run(np.where(np.isnan(x), median, x))).all()
    # What it was trained with is data for it, as it is.
    assert kan.from_ir(network.text(), data=arrays).compile(check=True).checks


def test_groups_and_the_last_samples_are_held_out() -> None:
    data, run = Dataset(np.arange(40.0)[:, None], np.arange(40) % 2), np.arange(40) // 8
    targets = torch.tensor(data.y)
    for trained, held in folds_of(Table(data, group=run), targets, True, 3, 0.25):
        assert not {*run[trained.numpy()]} & {*run[held.numpy()]}
    ((trained, held),) = folds_of(Table(data, time=-np.arange(40.0)), targets, True, 1, 0.25)
    assert sorted(held.tolist()) == list(range(10))


def test_a_budget_of_luts_is_kept() -> None:
    free = train(moons(), TrainingOptions(schedule=SHORT))
    most = free.front[-2].luts
    within = train(moons(), TrainingOptions(schedule=SHORT, max_luts=most))
    assert within.chosen.luts <= most


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_stopped_training_goes_on_to_the_same_networks(noise: float) -> None:
    schedule = Schedule(steps=120)
    options = TrainingOptions(
        schedule=schedule, folds=2, learn_codes=noise > 0.0, input_noise=noise
    )
    whole, first, second = (Training(Table(moons()), options, "moons") for _ in range(3))
    for training in (whole, first):
        while not training.run(0).is_done:
            training.run(0).advance()
    for index in (1, 2):
        while not whole.run(index).is_done:
            whole.run(index).advance()
        for _ in range(50):
            first.run(index).advance()
    for index in range(3):
        second.run(index).restore(first.run(index).state())
        while not second.run(index).is_done:
            second.run(index).advance()
    found = [training.candidates(Judge(2), "") for training in (whole, second)]
    for (one, text), (other, resumed) in zip(*found, strict=True):
        assert str(text) == str(resumed)
        assert repr(one.held_out) == repr(other.held_out)


def test_a_run_ends_where_a_constant_is_worth_as_much() -> None:
    """All further steps would be wasted: the price only rises."""
    schedule = Schedule(steps=1000, first_price=0.1, last_price=1e3, warm=0.01, rate=0.05)
    training = Training(Table(moons()), TrainingOptions(schedule=schedule, folds=1), "moons")
    runs = [training.run(index) for index in range(training.count)]
    for run in runs:
        while not run.is_done:
            run.advance()
        assert run.step < 800
        last = run.records[-1]
        assert max(last.loss / 0.97, last.price * last.luts / 2.0) >= 0.999 * math.log(2.0)
    # Runs of different lengths still have a score for each record.
    assert training.candidates(Judge(2), "")


@given(st.lists(st.integers(0, 3), min_size=4, max_size=30).filter(lambda x: len(set(x)) > 1))
@settings(max_examples=20, deadline=None)
def test_the_loss_of_a_constant(labels: list[int]) -> None:
    classes = np.searchsorted(np.unique(labels), labels)
    numbers = np.array(labels, dtype=np.float64)
    for y in (classes, numbers):
        objective = objective_of(y, "y")
        targets = objective.targets(y)
        outputs = objective.outputs
        least = math.inf
        shares = np.bincount(classes) / len(classes)
        best = np.log(shares) if outputs > 1 else np.log(shares[1:2] / (1.0 - shares[1]))
        if not objective.is_classes:
            best = np.array([numbers.mean() / objective.scale])
        for moved in (0.0, -0.01, 0.01):
            results = torch.tensor(best).expand(len(y), outputs).clone()
            results[:, 0] += moved
            zero = torch.zeros((), dtype=torch.float64)
            least = min(least, float(objective.loss(results, targets, zero)))
        assert objective.constant_loss(targets) == pytest.approx(least, abs=1e-9)


def command(*arguments: object) -> int:
    return flow("train", *arguments, "--jobs", "1")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "moons.npz"
    dataset = moons()
    np.savez(path, x=dataset.x, y=dataset.y, x_test=dataset.x_test, y_test=dataset.y_test)
    return path


def test_the_command_writes_a_front_that_builds(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert command(data, "--steps", 200, "--hidden", "2", "-o", folder) == 0
    told = capsys.readouterr().out
    rows = list(csv.DictReader((folder / "front.csv").open()))
    record = json.loads((folder / "training.json").read_text())
    assert f"{len(rows)} networks" in told
    assert f"test accuracy {record['test']['accuracy']:.4g} ± " in told
    assert (folder / "network.mlir").read_text() == (folder / record["chosen"]).read_text()
    assert record["options"]["hidden"] == [2]
    with pytest.raises(SystemExit) as ended:
        network, rtl = str(folder / "network.mlir"), str(tmp_path / "rtl")
        main(["build", network, "--calibration", str(data), "-o", rtl])
    assert ended.value.code == 0
    report = json.loads((tmp_path / "rtl" / "report.json").read_text())
    assert report["accuracy"]["integer"] == pytest.approx(record["test"]["accuracy"])
    # The network keeps the record of its training.
    (row,) = [row for row in rows if row["file"] == record["chosen"]]
    trained = report["trained"]
    assert f"{trained['held_out']:.6f}" == f"{float(row['score']):.6f}"
    assert (trained["seed"], trained["measure"]) == (0, "accuracy")
    assert len(trained["bits"]["layers"]) == 2
    told = capsys.readouterr().out
    assert f"held-out accuracy {trained['held_out']:.4f}" in told


def test_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As printed, but for the number of steps."""
    root = ROOT
    page = (root / "docs" / "howto" / "train.md").read_text()
    (tmp_path / "examples").symlink_to(root / "examples")
    monkeypatch.chdir(tmp_path)
    (commands,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "kan-flow"
        arguments += ["--steps", "300"] if arguments[0] == "train" else []
        assert flow(*arguments) == 0
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(program.replace("folds=1", "folds=1, steps=300"), {})
    assert (tmp_path / "out" / "wine" / "report.json").exists()
    assert (tmp_path / "out" / "wine_python" / "report.json").exists()


def test_a_killed_command_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import sys; from kan_dialect.qat import runs; runs.SAVE_SECONDS = 0.0; "
        "from kan_dialect.cli.kan_flow import main; main(sys.argv[1:])"
    )
    folder, options = tmp_path / "out", ["--steps", "400", "--folds", "1", "--jobs", "1"]
    child = subprocess.Popen(
        [sys.executable, "-c", program, "train", str(data), *options, "-o", str(folder)]
    )
    while not (folder / "runs" / "0-0.pt").exists() and child.poll() is None:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    steps: list[int] = []
    monkeypatch.setattr(runs, "SAVE_SECONDS", 0.0)
    chosen = TrainingOptions(schedule=Schedule(steps=400), folds=1, name="moons")
    resumed = train(data, chosen, folder=folder, progress=lambda state: steps.append(state.step))
    assert steps[0] > 1
    again = train(data, chosen)
    assert resumed.chosen.network.text() == again.chosen.network.text()


def test_a_folder_of_other_options_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert command(data, "--steps", 100, "-o", folder) == 0
    assert command(data, "--steps", 110, "-o", folder) == 1
    assert "other data or with other options" in capsys.readouterr().err
    assert command(data, "--steps", 110, "-o", folder, "--force") == 0


def test_a_damaged_checkpoint_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert command(data, "--steps", 100, "-o", folder) == 0
    (folder / "runs" / "0-1.pt").write_bytes(b"PK\x03\x04 no archive")
    assert command(data, "--steps", 100, "-o", folder) == 1
    assert "0-1.pt in" in capsys.readouterr().err
    assert command(data, "--steps", 100, "-o", folder, "--force") == 0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.eye(8)}, "has no labels"),
        ({"x": np.eye(8), "y": np.zeros(8, int)}, "all 8 samples are of class 0"),
        ({"x": np.ones((8, 2)), "y": np.arange(8) % 2}, "no feature varies"),
        ({"x": np.eye(8), "y": np.array([0, 2] * 4)}, "no sample is of class 1"),
        ({"x": np.eye(8), "y": np.array([-1, 1] * 4)}, "a class is -1"),
        ({"x": np.eye(8), "y": np.arange(8)}, "has 1 sample of class 0, fewer than the 4 parts"),
        ({"x": np.eye(8), "y": np.full(8, 0.5)}, "all targets are the same"),
        ({"x": np.eye(8), "y": np.r_[np.arange(7.0), np.nan]}, "1 of 8 samples have no label"),
        ({"x": np.eye(4), "y": np.arange(4)}, "has 1 sample of class 0, fewer than the 4 parts"),
        ({"x": np.eye(3), "y": np.array([0.5, 1.0, 2.0])}, "has 3 samples, fewer than 8"),
        (
            {"x": np.full((8, 2), np.nan), "y": np.arange(8) % 2},
            "`x`: 8 of 8 samples miss values: 8 of x0, 8 of x1",
        ),
    ],
)
def test_bad_data_gets_one_message(
    arrays: dict[str, Array], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = tmp_path / "data.npz", tmp_path / "out"
    np.savez(path, **arrays)
    assert command(path, "-o", folder) == 1
    told = capsys.readouterr().err
    assert message in told and "Traceback" not in told
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hidden", "4,x"], "--hidden takes whole numbers"),
        (["--hidden", "0"], "--hidden"),
        (
            ["--fan-in", "6"],
            "--fan-in 6 limits the edges of hidden nodes, and the network has none",
        ),
        (["--first-price", "1e-2", "--last-price", "1e-3"], "give a higher last price"),
        (
            ["--hidden", "4", "--candidates", "6"],
            "--candidates 6 is what --fan-in prunes, and there is no --fan-in; give --fan-in",
        ),
        (
            ["--hidden", "4", "--candidates", "2", "--fan-in", "3"],
            "--candidates is 2 and --fan-in 3; a node begins with",
        ),
        (
            ["--hidden", "4", "--fan-in", "3", "--shapes", "2"],
            "--shapes is given with --fan-in; leave out one of them",
        ),
        (["--max-luts", "1"], "no network has at most 1 LUTs; the smallest has"),
        (["--max-levels", "1"], "no network has at most 1 levels of logic; the flattest has"),
        (["--seed", "4294967295", "--seeds", "2"], "seed of the last training must lie in"),
    ],
)
def test_bad_options_get_one_message(
    options: list[str],
    message: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(data, "--steps", 100, *options, "-o", tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert message in told and "Traceback" not in told


def point(luts: int, score: float, error: float = 0.01) -> Point:
    found: Any = None
    figures = HeldOut(score, error, 1.0 - score, error, 1.0 - score, error)
    return Point(found, 0.0, figures, luts, 0, 1)


def test_the_choice_is_within_a_standard_error() -> None:
    front = [point(90, 0.95), point(60, 0.945), point(40, 0.941), point(20, 0.93)]
    assert choose(front, TrainingOptions(), Judge(2)) is front[2]


def test_the_choice_within_a_budget_is_the_least_loss() -> None:
    front = [point(90, 0.95), point(60, 0.945), point(40, 0.941), point(20, 0.93)]
    assert choose(front, TrainingOptions(max_luts=70), Judge(2)) is front[1]
    assert choose(front, TrainingOptions(max_luts=30), Judge(2)) is front[3]
    assert choose(front, TrainingOptions(max_luts=10), Judge(2)) is None


def test_losses_choose_between_networks_of_one_score() -> None:
    figures = HeldOut(0.95, 0.01, 0.0, 0.01, 0.0, 0.01)
    front = [
        replace(point(luts, 0.0), held_out=replace(figures, loss=loss, risk=loss))
        for luts, loss in ((90, 0.1), (60, 0.2))
    ]
    assert front_of(front, TrainingOptions()) == front
    assert choose(front, TrainingOptions(), Judge(2)) is front[0]


def test_all_seeds_hold_out_the_same_samples() -> None:
    """So their networks can be compared. The network that holds them out is the one that stays."""
    options = TrainingOptions(schedule=Schedule(steps=100), folds=1)
    runs = [Training(Table(moons()), options.of_seed(seed), "moons").run(0) for seed in (0, 1)]
    assert (runs[0].held_out == runs[1].held_out).all() and len(runs[0].held_out) == 60
    assert all(run.keeps for run in runs)
    starts = [run.network.edge_layers()[0].coefficients.detach() for run in runs]
    assert (starts[0] != starts[1]).any()


def test_the_choice_at_a_price() -> None:
    front = [point(90, 0.95), point(60, 0.945), point(40, 0.90)]
    assert choose(front, TrainingOptions(price=1e-5), Judge(2)) is front[0]
    assert choose(front, TrainingOptions(price=1e-3), Judge(2)) is front[1]
    assert choose(front, TrainingOptions(price=1e-2), Judge(2)) is front[2]
    assert choose(front, TrainingOptions(price=1e-5, max_luts=70), Judge(2)) is front[1]


def test_a_budget_of_levels_limits_the_front() -> None:
    flat, deep = point(90, 0.9), replace(point(60, 0.95), levels=4)
    assert front_of([flat, deep], TrainingOptions()) == [deep]
    assert front_of([flat, deep], TrainingOptions(max_levels=3)) == [flat]
    assert choose([flat, deep], TrainingOptions(max_levels=3), Judge(2)) is flat


def test_networks_of_several_seeds_make_one_front(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--steps", 100, "--folds", 1]
    assert command(data, *options, "--seeds", 2, "-o", tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert re.search(r"levels +held-out loss +held-out accuracy +least recall +seed", told)
    told_steps: list[int] = []
    trained = kan.train(
        data,
        steps=100,
        folds=1,
        seeds=2,
        jobs=2,
        folder=tmp_path / "two",
        progress=lambda state: told_steps.append(state.step),
    )
    assert all(0 <= step <= 200 for step in told_steps)
    assert len(list((tmp_path / "two" / "runs").iterdir())) == 2
    rows = list(csv.DictReader((tmp_path / "out" / "front.csv").open()))
    found = [(point.seed, point.luts, point.score) for point in trained.front]
    assert found == [(int(r["seed"]), int(r["luts"]), float(r["score"])) for r in rows]
    alone = [kan.train(data, steps=100, folds=1, seed=seed) for seed in (0, 1)]
    assert [point.score for point in trained.seeds] == [each.chosen.score for each in alone]
    every = [replace(p, seed=s) for s, each in enumerate(alone) for p in each.front]
    assert found == [(p.seed, p.luts, p.score) for p in front_of(every, TrainingOptions())]
    # The runs of a seed are those of a training with more seeds.
    steps: list[int] = []
    more = TrainingOptions(schedule=Schedule(steps=100), folds=1, seeds=3, name="moons")
    train(data, more, folder=tmp_path / "out", progress=lambda state: steps.append(state.step))
    assert steps[0] > 200


def test_dominated_networks_leave_the_front() -> None:
    points = [point(90, 0.95), point(60, 0.96), point(60, 0.94), point(20, 0.9)]
    assert [is_dominated(each, points) for each in points] == [True, False, True, False]


def first_step(training: Training) -> FloatArray:
    """Results of a network before its first step, with all bits, times its temperature."""
    run = training.run(0)
    with torch.no_grad():
        for layer in run.network.edge_layers():
            layer.bits.fill_(9.0)
        found: FloatArray = run.network(run.inputs).results.numpy()
    return found * float(run.network.log_temperature.detach().exp())


def test_runs_of_other_machines_are_kept_when_they_are_done(tmp_path: Path) -> None:
    """They see none of our files: states come with the outcomes."""
    options = TrainingOptions(schedule=Schedule(steps=100), folds=1, seeds=2)
    steps: list[int] = []
    trained = train_by(
        Workers(run_here, is_here=False, is_far=True),
        Table(moons()),
        options,
        start=None,
        teacher=None,
        folder=tmp_path / "out",
        force=False,
        progress=lambda state: steps.append(state.step),
    )
    assert steps == [100, 200]
    assert sorted(path.name for path in (tmp_path / "out" / "runs").iterdir()) == [
        "0-0.pt",
        "1-0.pt",
    ]
    assert trained.network.text() == train(moons(), options).network.text()


def test_what_goes_wrong_in_a_task_is_told() -> None:
    """A task may be done in another process, which has no way to raise it."""
    why = CompileWork("none")(tables(2, 1).text())
    assert isinstance(why, str) and "there is no target 'none'" in why
    far = Workers(lambda _work, tasks: ((n, "no disk") for n in range(len(tasks))), False)
    with pytest.raises(KanError, match="the training failed: no disk"):
        train_by(
            far,
            Table(moons()),
            TrainingOptions(),
            start=None,
            teacher=None,
            folder=None,
            force=False,
            progress=lambda _: None,
        )


def test_a_training_starts_from_a_trained_network() -> None:
    first = kan.train(moons(), steps=200, folds=1, hidden=(2,), first_price=1e-6, last_price=1e-5)
    origin, dataset = first.front[0].network, moons()
    options = TrainingOptions(hidden=(2,), input_bits=6, hidden_bits=7, cells=30)
    found = first_step(Training(Table(dataset), options, "moons", Given(origin.text())))[:, 0]
    exact = origin.run(dataset.x)[:, 0]
    assert np.corrcoef(found, exact)[0, 1] > 0.98
    assert ((found > 0) == (exact > 0)).mean() > 0.97
    trained = kan.train(dataset, start=origin, steps=100, folds=1)
    assert trained.front[0].network.layers[0].shape == (2, 2)


def test_a_training_starts_from_a_model_file() -> None:
    dataset = load_dataset(EXAMPLES / "wine.npz")
    model = kan.load(EXAMPLES / "wine.onnx")
    hidden = (model.layers[0].shape[0],)
    options = TrainingOptions(hidden=hidden, input_bits=8, hidden_bits=8, cells=40)
    found = first_step(Training(Table(dataset), options, "wine", Given(model.text())))
    exact = model.run(dataset.x)
    # The last class is the reference.
    assert np.corrcoef(found[:, 0], exact[:, 0] - exact[:, 2])[0, 1] > 0.98
    assert (found.argmax(1) == exact.argmax(1)).mean() > 0.97


@pytest.mark.parametrize(
    ("model", "samples"),
    [
        ("kanele/moons/checkpoint.pt", "kanele/moons/dataset.npz"),
        ("pykan/exp_sin_config.yml", "pykan/exp_sin.npz"),
    ],
)
def test_a_training_starts_from_other_frontends(
    model: str, samples: str, shared_data: Path
) -> None:
    """With the sizes of its layers, and in steps that train it further."""
    data = load_dataset(shared_data / samples)
    assert data.y is not None
    dataset = Dataset(data.x[:500].astype(np.float64), data.y[:500])
    origin = kan.load(shared_data / model, data=dataset)
    options = TrainingOptions(hidden=widths_of(origin), input_bits=8, hidden_bits=8, cells=40)
    training = Training(Table(dataset), options, "data", Given(origin.text()))
    found = first_step(training) * training.objective.scale
    exact = origin.run(dataset.x)
    # KANELÉ's results saturate.
    within = found.clip(exact.min(), exact.max())
    assert np.abs(within - exact).mean() < 0.05 * exact.std()
    trained = kan.train(dataset, start=shared_data / model, steps=100, folds=1)
    assert trained.network.shape == origin.shape


def test_two_results_of_a_model_become_one() -> None:
    random = np.random.default_rng(0)
    origin = tables(3, 2)
    # The samples have all codes, and no tails.
    x = np.stack([random.permutation(np.arange(16.0).repeat(20)) for _ in range(3)], axis=1) * 0.5
    options = TrainingOptions(functions="table", input_bits=4)
    training = Training(
        Table(Dataset(x, np.arange(320) % 2)), options, "data", Given(origin.text())
    )
    exact = origin.run(x)
    assert np.corrcoef(first_step(training)[:, 0], exact[:, 1] - exact[:, 0])[0, 1] > 0.95


def tables(inputs: int, results: int) -> kan.Network:
    """A layer of random tables."""
    entries = np.random.default_rng(0).integers(-20, 20, size=(results, inputs, 16))
    network = TableNetwork("tables", UniformQuantizedType(4, False, 0.5), inputs=inputs)
    return from_ir(network.add_layer(entries, scale=0.25).module())


def test_a_model_that_is_no_chain_is_refused() -> None:
    """Its second layer reads inputs of the network too."""
    network = EXAMPLES / "load.mlir"
    with pytest.raises(KanError, match=r"no plain chain|inputs, the data"):
        kan.train(moons(), start=network)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"start": EXAMPLES / "wine.onnx"}, "the network has 13 inputs"),
        ({"start": tables(3, 1)}, "has 3 inputs, the data 2 features"),
        ({"start": tables(2, 3)}, "has 3 results, the data 2 classes"),
        ({"start": tables(2, 1), "hidden": (9,)}, "nodes are asked for, and the model to start"),
        ({"start": tables(2, 1), "shapes": 2}, "--shapes 2 is given with a model to start from"),
        ({"teacher": tables(2, 3)}, "the teacher has 3 results, the data 2 classes"),
        ({"start": "none.onnx"}, "there is no file none.onnx"),
        ({"start": 3}, "cannot load an object of type int"),
        ({"teacher": 3}, "int is no torch.nn.Module"),
    ],
)
def test_bad_starts_and_teachers(given: dict[str, Any], message: str) -> None:
    with pytest.raises(KanError, match=re.escape(message)):
        kan.train(moons(), **given)


def test_a_teacher_is_learned_beside_the_labels() -> None:
    """With all weight on the teacher, labels that are wrong have no part in it."""
    dataset = moons()
    right = np.sign(dataset.x[:, :1] - 0.5) * 4.0

    class Half(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.sign(x[:, :1] - 0.5) * 4.0

    schedule = Schedule(steps=300, first_price=1e-6, last_price=1e-5, rate=0.04)
    for weight in (1.0, 0.0):
        options = TrainingOptions(schedule=schedule, folds=1, teacher_weight=weight)
        trained = kan.train(dataset, options, teacher=Half())
        agrees = ((trained.front[0].network.run(dataset.x) > 0) == (right > 0)).mean()
        # The labels agree with two thirds of it.
        assert (agrees > 0.85) == (weight == 1.0), (weight, agrees)


@pytest.mark.parametrize("outputs", [1, 3])
def test_probabilities_of_a_teacher_become_logits(outputs: int) -> None:
    logits = np.random.default_rng(0).normal(size=(50, outputs))
    labels = np.arange(50) % max(outputs, 2)
    shown = np.exp(logits) / (np.exp(logits).sum(1, keepdims=True) if outputs > 1 else 1.0)
    shown = shown / (1.0 + shown) if outputs == 1 else shown
    objective = objective_of(labels, "y")
    found = teacher_results(shown, objective)
    assert np.allclose(found - found[:, :1] * (outputs > 1), logits - logits[:, :1] * (outputs > 1))
    assert (teacher_results(logits * 9.0, objective) == logits * 9.0).all()


def test_the_loss_of_a_teacher_has_its_least_at_the_teacher() -> None:
    for labels in (np.arange(6) % 2, np.arange(6) % 3, np.arange(6.0)):
        objective = objective_of(labels, "y")
        random = torch.Generator().manual_seed(0)
        teacher = torch.randn(6, objective.outputs, generator=random, dtype=torch.float64)
        results = teacher.clone().requires_grad_()
        zero = torch.zeros((), dtype=torch.float64)
        objective.distilled_loss(results, teacher, zero, 3.0).backward()
        assert float(results.grad.abs().max()) < 1e-12


def test_progress_is_told() -> None:
    states: list[State] = []
    options = TrainingOptions(schedule=Schedule(steps=100), folds=1)
    train(moons(), options, progress=states.append)
    assert [state.step for state in states] == list(range(1, 101))
    assert all(state.steps == 100 for state in states)


def test_an_interval_that_is_longer_than_the_training_has_a_record() -> None:
    given = {"x": np.arange(40.0)[:, np.newaxis], "y": np.arange(40) % 2}
    assert train(given, steps=100, interval=500, folds=2).front


def test_python_takes_options_by_name() -> None:
    by_name = kan.train(moons(), steps=100, folds=1, hidden=[2])
    options = TrainingOptions(schedule=Schedule(steps=100), folds=1, hidden=(2,))
    assert by_name.network.text() == train(moons(), options).network.text()
    chosen = by_name.chosen
    assert f"chosen: {chosen.luts} LUTs, held-out accuracy {chosen.score:.4g}" in repr(by_name)
    page = by_name._repr_html_()
    assert all(f"<td>{point.luts}</td>" in page for point in by_name.front)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hiden": 3}, "there is no option hiden"),
        ({"hidden": "x"}, "hidden takes whole numbers"),
        ({"hidden": (0,)}, "hidden must lie in 1..4096, got 0"),
        ({"max_luts": 0}, "max-luts must be at least 1"),
        ({"options": TrainingOptions(), "steps": 200}, "as an object and by name: steps"),
    ],
)
def test_bad_options_in_python(given: dict[str, Any], message: str) -> None:
    with pytest.raises(KanError, match=re.escape(message)):
        kan.train(moons(), **given)
