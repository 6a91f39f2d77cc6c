"""Bases and fixed functions against SciPy and numpy.polynomial."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.polynomial.chebyshev import chebvander
from scipy import special
from scipy.interpolate import BSpline
from xdsl.dialects.builtin import TensorType, f32
from xdsl.utils.test_value import create_ssa_value

from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths import functions
from kan_dialect.maths.bsplines import (
    bspline_basis,
    chebyshev_basis,
    edge_values,
    extend_grid,
    radial_basis,
)
from kan_dialect.ops.spline import BaseOp, BSplineOp, ChebyshevOp, RadialOp


def reference_basis(x: FloatArray, knots: FloatArray, degree: int) -> FloatArray:
    """SciPy's basis functions, each on its own knots: (samples, functions); 0 outside."""
    functions_count = len(knots) - 1 - degree
    basis = np.zeros((len(x), functions_count))
    for m in range(functions_count):
        own = knots[m : m + degree + 2]
        if own[0] == own[-1]:
            continue  # no support
        inside = (x >= own[0]) & (x < own[-1])
        basis[inside, m] = BSpline.basis_element(own, extrapolate=False)(x[inside])
    return basis


def knots_of(kind: str, degree: int) -> FloatArray:
    rng = np.random.default_rng(degree)
    match kind:
        case "uniform":
            return np.arange(-2.0 - degree, 3.0 + degree) / 2
        case "not uniform":
            return np.sort(rng.normal(size=2 * degree + 6))
        case "repeated inside":
            return np.sort(np.concatenate([rng.uniform(-1, 1, size=degree + 4), [0.25] * 2]))
        case _:  # clamped: the ends as often as an interpolating spline has them
            return np.concatenate([[-1.0] * (degree + 1), [0.0, 0.5], [1.0] * (degree + 1)])


@pytest.mark.parametrize("degree", range(11))
@pytest.mark.parametrize("kind", ["uniform", "not uniform", "repeated inside", "clamped"])
def test_bspline_basis_is_scipys(degree: int, kind: str) -> None:
    knots = knots_of(kind, degree)
    # Inside and outside, on every knot, and as close to one as it gets.
    x = np.concatenate(
        [
            np.linspace(knots[0] - 1, knots[-1] + 1, 157),
            knots,
            np.nextafter(knots, np.inf),
            np.nextafter(knots, -np.inf),
        ]
    )
    basis = bspline_basis(x[:, np.newaxis], knots, degree)
    assert basis.shape == (len(x), 1, len(knots) - 1 - degree)
    np.testing.assert_allclose(basis[:, 0], reference_basis(x, knots, degree), atol=1e-10)


def test_each_input_may_have_its_own_knots() -> None:
    knots = np.stack([np.arange(8.0), np.sort(np.random.default_rng(0).normal(size=8))])
    x = np.random.default_rng(1).normal(size=(50, 2)) * 2
    basis = bspline_basis(x, knots, 3)
    for i in range(2):
        np.testing.assert_array_equal(
            basis[:, i], bspline_basis(x[:, i : i + 1], knots[i], 3)[:, 0]
        )


@pytest.mark.parametrize("degree", range(5))
def test_inside_the_grid_the_basis_sums_to_one_and_outside_the_knots_it_is_zero(
    degree: int,
) -> None:
    grid = np.array([-1.0, -0.5, 0.25, 1.0])
    knots = extend_grid(grid, degree)
    inside = np.linspace(-1, 1, 101)[:-1, np.newaxis]
    np.testing.assert_allclose(bspline_basis(inside, knots, degree).sum(axis=-1), 1.0)
    outside = np.array([[knots[0] - 1e-9], [knots[-1]], [knots[-1] + 1], [np.inf], [-np.inf]])
    assert not bspline_basis(outside, knots, degree).any()


def test_cells_are_half_open() -> None:
    knots = np.array([0.0, 1.0, 2.0])
    x = np.array([[0.0], [1.0], [2.0]])
    assert bspline_basis(x, knots, 0)[:, 0].tolist() == [[1, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize("degree", range(5))
@pytest.mark.parametrize("kind", ["uniform", "clamped", "not uniform"])
def test_closed_the_last_knot_has_the_limit_from_the_left(degree: int, kind: str) -> None:
    knots = knots_of(kind, degree)
    last = knots[-1:, np.newaxis]
    closed = bspline_basis(last, knots, degree, closed=True)
    limit = bspline_basis(np.nextafter(last, -np.inf), knots, degree)
    np.testing.assert_allclose(closed, limit, atol=1e-9)
    # Nothing else changes.
    x = np.linspace(knots[0] - 1, knots[-1] + 1, 50)[:, np.newaxis]
    np.testing.assert_array_equal(
        bspline_basis(x, knots, degree, closed=True), bspline_basis(x, knots, degree)
    )


def test_closed_an_empty_cell_at_the_end_is_not_the_last() -> None:
    basis = bspline_basis(np.array([[1.0]]), np.array([0.0, 1.0, 1.0]), 0, closed=True)
    assert basis[0, 0].tolist() == [1.0, 0.0]


def test_a_grid_is_extended_at_its_mean_spacing() -> None:
    grid = np.array([[0.0, 1.0, 4.0], [-1.0, 0.0, 1.0]])
    expected = [[-4.0, -2.0, 0.0, 1.0, 4.0, 6.0, 8.0], [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]]
    assert extend_grid(grid, 2).tolist() == expected
    assert extend_grid(grid, 0).tolist() == grid.tolist()


@pytest.mark.parametrize("degree", range(11))
def test_chebyshev_basis_is_numpys(degree: int) -> None:
    x = np.linspace(-1.5, 1.5, 60).reshape(30, 2)
    np.testing.assert_allclose(chebyshev_basis(x, degree), chebvander(x, degree), rtol=1e-9)


@pytest.mark.parametrize(
    ("kind", "of_radius"),
    [
        ("gaussian", lambda r: np.exp(-(r**2))),
        ("multiquadric", lambda r: np.hypot(1, r)),
        ("inverse_multiquadric", lambda r: 1 / np.hypot(1, r)),
        ("inverse_quadratic", lambda r: 1 / (1 + r * r)),
    ],
)
def test_radial_basis(kind: str, of_radius: Callable[[FloatArray], FloatArray]) -> None:
    x = np.linspace(-4, 4, 40).reshape(20, 2)
    centers, widths = np.array([[-1.0, 0.0, 2.0], [0.5, 1.0, 1.5]]), np.array([0.5, 1.0, 2.0])
    radius = (x[:, :, np.newaxis] - centers) / widths
    np.testing.assert_allclose(radial_basis(x, centers, widths, kind), of_radius(radius))


def test_edge_values_are_a_sum_over_the_basis() -> None:
    rng = np.random.default_rng(0)
    basis, coefficients = rng.normal(size=(5, 3, 4)), rng.normal(size=(2, 3, 4))
    expected = np.einsum("sim,oim->soi", basis, coefficients)
    np.testing.assert_allclose(edge_values(basis, coefficients), expected)


FUNCTIONS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "silu": lambda x: x * special.expit(x),
    "gelu": lambda x: x * special.ndtr(x),
    "gelu_tanh": lambda x: x * special.expit(1.5957691216057308 * (x + 0.044715 * x**3)),
    "relu": lambda x: np.where(x > 0, x, 0.0),
    "tanh": lambda x: 2 * special.expit(2 * x) - 1,
    "sigmoid": special.expit,
    "identity": lambda x: x,
    "sin": np.sin,
    "cos": np.cos,
    "exp": lambda x: special.expm1(x) + 1,
    "sqrt": lambda x: x**0.5,
    "abs": lambda x: np.where(x < 0, -x, x),
    "square": lambda x: x * x,
    "cube": lambda x: x * x * x,
    "reciprocal": lambda x: x**-1.0,
    "log": lambda x: special.xlogy(1.0, x),
}


@pytest.mark.parametrize("name", functions.FUNCTIONS)
def test_functions_are_scipys(name: str) -> None:
    x = np.concatenate([np.linspace(-30, 30, 241), [0.0, 1e-300, -1e-300, 700.0, -700.0]])
    with np.errstate(all="ignore"):
        expected = FUNCTIONS[name](x)
    np.testing.assert_allclose(functions.apply(name, x), expected, rtol=1e-12, atol=1e-14)


def test_no_function_is_noisy_or_changes_its_input() -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -1.0, 1e308])
    kept = x.copy()
    for name in functions.FUNCTIONS:
        functions.apply(name, x)
    np.testing.assert_array_equal(x, kept)


def test_ops_evaluate_their_basis_in_double_precision() -> None:
    """Parameters of single precision lose nothing more; a weight of 0 is no function at all."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(20, 2))
    value = create_ssa_value(TensorType(f32, (2,)))
    grid, weights = np.linspace(-1, 1, 6), rng.normal(size=(3, 2, 8)).astype(np.float32)
    spline = BSplineOp(value, 3, grid.astype(np.float32), weights, extend=True)
    knots = extend_grid(grid.astype(np.float32).astype(np.float64), 3)
    for o in range(3):
        for i in range(2):
            expected = BSpline(knots, weights[o, i].astype(np.float64), 3)(x[:, i])
            np.testing.assert_allclose(spline.edges(x)[:, o, i], expected, atol=1e-12)

    series = ChebyshevOp(value, rng.normal(size=(1, 2, 4)))
    assert series.edges(x).shape == (20, 1, 2)
    radial = RadialOp("gaussian", value, np.zeros(1), np.ones(1), np.ones((1, 2, 1)))
    np.testing.assert_allclose(radial.edges(x)[:, 0], np.exp(-(x**2)))
    base = BaseOp("reciprocal", value, np.array([[0.0, 2.0]]))
    assert base.edges(np.zeros((1, 2))).tolist() == [[[0.0, np.inf]]]


def test_sigmoid_keeps_the_digits_of_its_tails() -> None:
    """The logarithm of a sigmoid is x far below 0, not minus infinity."""
    x = np.array([-800.0, -700.0, -40.0, -1.0, 0.0, 1.0, 40.0, 800.0])
    with np.errstate(all="raise", under="ignore"):
        y = functions.FUNCTIONS["sigmoid"](x)
    np.testing.assert_allclose(y[2:], 1 / (1 + np.exp(-x[2:])), rtol=1e-15)
    np.testing.assert_allclose(np.log(y[1:3]), x[1:3], rtol=1e-15)
    assert y[0] == 0.0 and y[-1] == 1.0
