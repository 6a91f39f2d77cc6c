"""Training in IR: against plain Python integers, PyTorch's gradients, and what must be refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.rewriter import Rewriter

from kan_dialect.checking import Checker
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.ir.fixed_point import FixedType, rounded_to, to_fixed, to_real
from kan_dialect.maths.uniform_bsplines import basis_table, cell_basis
from kan_dialect.model.on_chip.coefficient_memory import memory_map
from kan_dialect.model.on_chip.trainable_layers import trainable_layers
from kan_dialect.model.on_chip.training_step import Step, infer, run_steps, step_of
from kan_dialect.ops.grid import position_factor
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.passes.make_trainable import MakeTrainablePass
from training_reference import (
    cox_de_boor,
    random_network,
    reference_of,
    slope,
    torch_network,
)

deterministic = settings(derandomize=True, deadline=None, max_examples=25)


def trainable(module: ModuleOp, **options: Any) -> Step:
    MakeTrainablePass(**options).apply(Context(), module)
    module.verify()
    return step_of(module)


# Bases


@pytest.mark.parametrize("degree", range(1, 6))
def test_tables_are_the_recursion_in_rational_numbers(degree: int) -> None:
    for derivative, function in ((False, cox_de_boor), (True, slope)):
        table = basis_table(4, degree, 0.3, 11, derivative=derivative)
        for step, row in enumerate(table.tolist()):
            x = Fraction(2 * step + 1, 32)
            exact = [function(j - degree, degree, x) for j in range(degree + 1)]
            assert row == [round(value * Fraction(0.3) * 2**11) for value in exact]
            local = np.array([float(x)])
            assert np.allclose(
                cell_basis(local, degree, derivative=derivative)[0], [float(v) for v in exact]
            )
        sign = -1 if derivative else 1
        assert (table[::-1, ::-1] == sign * table).all()


@given(st.integers(1, 1 << 16), st.integers(1, 1 << 14))
@deterministic
def test_positions_are_off_by_less_than_a_step(span: int, steps: int) -> None:
    multiplier, shift = position_factor(span, steps)
    distances = np.unique(np.linspace(0, span - 1, 999).astype(np.int64))
    exact = distances * steps / span
    assert (np.abs(((distances * multiplier) >> shift) - np.floor(exact)) <= 1).all()


# Numbers


@given(
    st.lists(st.integers(-(1 << 40), 1 << 40), min_size=1),
    st.integers(-5, 20),
    st.integers(2, 20),
    st.integers(-3, 12),
)
@deterministic
def test_rounding_is_pythons(codes: list[int], fraction: int, bits: int, kept: int) -> None:
    kind = FixedType(bits, kept)
    got = rounded_to(np.array(codes), fraction, kind)
    exact = [round(Fraction(code) / Fraction(2) ** (fraction - kept)) for code in codes]
    assert got.tolist() == [max(kind.low, min(kind.high, code)) for code in exact]


def test_numbers_go_there_and_back() -> None:
    kind = FixedType(16, 10)
    codes = np.arange(kind.low, kind.high + 1)
    assert (to_fixed(to_real(codes, kind), kind) == codes).all()
    assert to_fixed(np.array([1e9, -1e9, np.inf]), kind).tolist() == [
        kind.high,
        kind.low,
        kind.high,
    ]


# Steps


@st.composite
def networks(draw: st.DrawFn) -> tuple[ModuleOp, dict[str, Any], int]:
    count = draw(st.integers(1, 3))
    sizes = [draw(st.integers(1, 3)) for _ in range(count + 1)]
    degrees = [draw(st.integers(1, 5)) for _ in range(count)]
    cells = [draw(st.integers(1, 12)) for _ in range(count)]
    seed = draw(st.integers(0, 1 << 16))
    options = {
        "integer_bits": draw(st.integers(3, 8)),
        "fraction_bits": draw(st.integers(5, 12)),
        "local_bits": draw(st.integers(1, 5)),
        "learning_rate": draw(st.sampled_from([0.125, 0.15, 0.5, 0.03, 1.5])),
        "error": draw(st.sampled_from(["squared", "fed"])),
        "initial": draw(st.sampled_from(["model", "random", "zero"])),
        "momentum": draw(st.sampled_from([0.0, 0.0, 0.5, 0.9])),
        "weight_decay": draw(st.sampled_from([0.0, 0.0, 0.125, 0.01])),
    }
    return random_network(np.random.default_rng(seed), sizes, degrees, cells), options, seed


@given(networks())
@deterministic
def test_training_is_that_of_plain_integers(drawn: tuple[ModuleOp, dict[str, Any], int]) -> None:
    module, options, seed = drawn
    step = trainable(module, **options)
    reference = reference_of(step, MakeTrainablePass(**options))
    rng = np.random.default_rng(seed)
    one, steps = 1 << options["fraction_bits"], 60
    inputs = rng.integers(-2 * one, 2 * one + 1, (steps, step.input.type.get_shape()[0]))
    targets = rng.integers(-2 * one, 2 * one + 1, (steps, step.target.type.get_shape()[0]))
    train = rng.random(steps) < 0.8
    run = run_steps(step, inputs, targets, train)
    expected = [
        reference.step(x, t, bool(trains))
        for x, t, trains in zip(inputs.tolist(), targets.tolist(), train, strict=True)
    ]
    assert run.outputs.tolist() == expected
    assert [state.tolist() for state in run.states] == reference.states


def test_many_runs_at_once_are_as_many_runs() -> None:
    """100,000 training steps; some runs again, alone."""
    rng = np.random.default_rng(3)
    step = trainable(random_network(rng, [2, 2, 1], [3, 2], [5, 6]), learning_rate=0.1)
    steps, runs = 500, 200
    inputs = rng.integers(-2000, 2000, (steps, runs, 2))
    targets = rng.integers(-2000, 2000, (steps, runs, 1))
    train = rng.random((steps, runs)) < 0.9
    whole = run_steps(step, inputs, targets, train)
    for run in (0, 17, 199):
        alone = run_steps(step, inputs[:, run], targets[:, run], train[:, run])
        assert (alone.outputs == whole.outputs[:, run]).all()
        for one, all_runs in zip(alone.states, whole.states, strict=True):
            assert (one == all_runs[run]).all()
        again = infer(step, inputs[:5, run], alone.states)
        assert (
            again
            == run_steps(
                step, inputs[:5, run], targets[:5, run], np.zeros(5, bool), alone.states
            ).outputs
        ).all()


def test_steps_learn() -> None:
    rng = np.random.default_rng(0)
    step = trainable(random_network(rng, [1, 1], [3], [5]), learning_rate=0.15, initial="zero")
    x = rng.uniform(-1, 1, (1000, 1))
    y = np.sin(3 * x)
    run = run_steps(step, step.encode(x), step.encode_targets(y))
    error = (step.decode(run.outputs) - y)[:, 0] ** 2
    assert error[:20].mean() > 0.1
    assert error[-100:].mean() < 0.002


# Gradients


@pytest.mark.parametrize("seed", range(12))
def test_gradients_are_pytorchs(seed: int, torch: Any) -> None:
    """Rate 1, so a step is the negative gradient of the squared error."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 4))
    sizes = rng.integers(1, 4, count + 1).tolist()
    degrees = [1 + (seed + k) % 5 for k in range(count)]
    module = random_network(rng, sizes, degrees, rng.integers(2, 9, count).tolist())
    layers = trainable_layers(find_function(module))
    step = trainable(module, real=True, learning_rate=1.0)
    for _ in range(8):
        x = rng.uniform(-1.2, 1.2, sizes[0])
        y = rng.normal(size=sizes[-1])
        run = run_steps(step, x[np.newaxis], y[np.newaxis])
        coefficients = [torch.tensor(layer.coefficients, requires_grad=True) for layer in layers]
        output = torch_network(layers, torch.tensor(x), coefficients)
        ((output - torch.tensor(y)) ** 2).sum().backward()
        assert np.allclose(run.outputs[0], output.detach().numpy(), atol=1e-12)
        for c, after in zip(coefficients, run.states, strict=True):
            assert c.grad is not None
            assert np.abs(after - (c.detach().numpy() - c.grad.numpy())).max() < 1e-9


def taking_part(torch: Any, layer: Any, x: Any) -> Any:
    """Whether coefficients (in, cells + degree) take part in inputs (in)."""
    low, high = (torch.tensor(layer.grid[:, end].copy()) for end in (0, 1))
    cell = torch.floor((x - low) * (layer.cells / (high - low))).clamp(0, layer.cells - 1)
    behind = torch.arange(layer.cells + layer.degree) - cell[:, None]
    return (behind >= 0) & (behind <= layer.degree)


@pytest.mark.parametrize("seed", range(4))
def test_momentum_and_decay_are_those_of_pytorchs_gradients(seed: int, torch: Any) -> None:
    """v' = m v + rate * descent, c' = (1 - d) c + v', of the coefficients that take part."""
    rng = np.random.default_rng(seed)
    module = random_network(rng, [2, 2, 1], [3, 2], [5, 4])
    layers = trainable_layers(find_function(module))
    rate, momentum, decay = 0.1, 0.9, 0.02
    options = {"learning_rate": rate, "momentum": momentum, "weight_decay": decay}
    step = trainable(module, real=True, **options)
    x, y = rng.uniform(-1, 1, (30, 2)), rng.normal(size=(30, 1))
    run = run_steps(step, x, y)
    coefficients = [torch.tensor(layer.coefficients, requires_grad=True) for layer in layers]
    velocities = [torch.zeros_like(c) for c in coefficients]
    for sample, target in zip(x, y, strict=True):
        output = torch_network(layers, torch.tensor(sample), coefficients)
        ((output - torch.tensor(target)) ** 2).sum().backward()
        with torch.no_grad():
            masks = [
                taking_part(
                    torch,
                    layers[k],
                    torch_network(layers[:k], torch.tensor(sample), coefficients[:k]),
                )
                for k in range(len(layers))
            ]
            for c, v, active in zip(coefficients, velocities, masks, strict=True):
                assert c.grad is not None
                v[:, active] = momentum * v[:, active] - rate * c.grad[:, active]
                c[:, active] = (1 - decay) * c[:, active] + v[:, active]
        for c in coefficients:
            c.grad = None
    for got, wanted in zip(run.states, [*coefficients, *velocities], strict=True):
        assert np.abs(got - wanted.detach().numpy()).max() < 1e-9


def test_without_decay_and_momentum_the_step_is_as_before() -> None:
    def text(**options: float) -> str:
        module = random_network(np.random.default_rng(0), [2, 1], [3], [5])
        MakeTrainablePass(**options).apply(Context(), module)
        return str(module)

    assert text() == text(momentum=0.0, weight_decay=0.0)
    assert "kan.combine" not in text() and "velocity" not in text()


def test_fixed_point_follows_the_real_step() -> None:
    """With many bits, training is the real one up to small steps."""
    rng = np.random.default_rng(1)
    module = random_network(rng, [1, 2, 1], [3, 3], [5, 5])
    fine = trainable(module.clone(), integer_bits=6, fraction_bits=20, local_bits=10)
    real = trainable(module, real=True)
    x: FloatArray = rng.uniform(-1, 1, (200, 1))
    y = np.cos(2 * x)
    got = fine.decode(run_steps(fine, fine.encode(x), fine.encode_targets(y)).outputs)
    assert np.abs(got - run_steps(real, x, y).outputs).max() < 0.02


# The pass


def test_the_pass_says_what_it_trades() -> None:
    rng = np.random.default_rng(5)
    module = random_network(rng, [2, 3, 1], [3, 3], [6, 6])
    check = Checker(rng.uniform(-1, 1, (200, 2))).apply(
        Context(), MakeTrainablePass(local_bits=8), module
    )
    check.require_passed()
    trade = check.functions[0].trade
    assert trade is not None and trade.mean < 0.05


def test_random_coefficients_depend_on_the_seed_alone() -> None:
    def start(seed: int) -> list[Array]:
        module = random_network(np.random.default_rng(0), [2, 1], [2], [4])
        return trainable(module, initial="random", seed=seed).initial()

    assert (start(1)[0] == start(1)[0]).all()
    assert (start(1)[0] != start(2)[0]).any()


def test_a_bias_goes_into_coefficients() -> None:
    module = random_network(np.random.default_rng(0), [2, 2], [3], [5])
    node_sum = next(op for op in module.walk() if isinstance(op, NodeSumOp))
    biased = NodeSumOp(node_sum.edges, bias=np.array([0.5, -0.25]))
    plain = trainable(module.clone(), real=True)
    Rewriter.replace_op(node_sum, biased)
    step = trainable(module, real=True)
    x = np.random.default_rng(1).uniform(-1, 1, (50, 2))
    assert np.allclose(infer(step, x), infer(plain, x) + np.array([0.5, -0.25]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 0.0}, "learning-rate must be above 0"),
        ({"learning_rate": float("nan")}, "learning-rate must be above 0"),
        ({"learning_rate": 1e-9}, "never changes a coefficient of 10 fraction bits"),
        ({"integer_bits": 20, "fraction_bits": 20}, "together at most 31"),
        ({"fraction_bits": 0}, "fraction-bits must lie in 1..30, got 0"),
        ({"integer_bits": 1}, "take more integer-bits"),
        ({"fraction_bits": 1}, "is too fine; take more fraction-bits"),
        ({"local_bits": 13}, "local-bits must lie in 1..12"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1"),
        ({"momentum": 1e-9}, "momentum becomes a multiple of 2.-16, which must be above 0"),
        ({"weight_decay": -0.1}, "weight-decay must be at least 0 and below 1"),
        (
            {"weight_decay": 2e-5, "fraction_bits": 6, "integer_bits": 6},
            "a weight-decay of 2e-05 never changes a coefficient of 12 bits",
        ),
        ({"error": "huber"}, "error must be squared or fed"),
        ({"initial": "ones"}, "initial must be model, zero or random"),
        ({"seed": -1}, "seed must lie in 0..4294967295, got -1"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    module = random_network(np.random.default_rng(0), [1, 1], [3], [9])
    with pytest.raises(KanError, match=message):
        trainable(module, **options)


def test_runs_of_other_shapes_are_refused() -> None:
    step = trainable(random_network(np.random.default_rng(0), [2, 1], [3], [9]))
    with pytest.raises(KanError, match="takes 2 inputs and 1 targets a step"):
        run_steps(step, np.zeros((5, 1), np.int64), np.zeros((5, 1), np.int64))
    with pytest.raises(KanError, match="takes samples of 2 features"):
        infer(step, np.zeros((5, 3), np.int64))
    with pytest.raises(KanError, match="must be numbers"):
        step.encode(np.array([[np.nan, 0.0]]))


def test_functions_that_are_no_steps_are_refused() -> None:
    with pytest.raises(KanError, match="cannot be trained; make it so first"):
        step_of(random_network(np.random.default_rng(0), [2, 1], [3], [9]))


# Memories


def test_every_coefficient_has_one_address() -> None:
    step = trainable(random_network(np.random.default_rng(0), [2, 3, 1], [2, 4], [7, 5]))
    held = memory_map(step)
    addresses = [held.addresses(layer) for layer in range(2)]
    flat = np.concatenate([array.ravel() for array in addresses])
    assert len(np.unique(flat)) == flat.size
    assert int(flat.max()) < 1 << held.address_bits
    states = step.initial()
    words: dict[int, int] = {}
    for bank in held.all_banks():
        for row, word in enumerate(held.words(bank, states[bank.layer]).tolist()):
            words[held.place(bank) << held.row_bits | row] = word
    for layer in range(2):
        got = np.vectorize(words.__getitem__)(addresses[layer])
        assert (got == states[layer]).all()
