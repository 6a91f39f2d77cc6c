"""The certificate of the integers: never below what samples show, and close where it can be."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.builtin import TensorType, f64
from xdsl.ir import Block, SSAValue

from certificates import Functions, excess, one_layer, only, quantised, samples_of
from fuzz.floats import FloatDrawing
from kan_dialect.analysis import certificate, enclosures
from kan_dialect.analysis.certificate import certify
from kan_dialect.analysis.enclosures import Enclosure, NoEnclosureError, enclose
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_values
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.frontends.frontend import import_file
from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.bsplines import RADIAL_FUNCTIONS, radial_basis
from kan_dialect.maths.functions import FUNCTIONS as REAL_FUNCTIONS
from kan_dialect.maths.interval_functions import FUNCTIONS, Range
from kan_dialect.model.model import Model
from kan_dialect.model.saturation import saturating_samples
from kan_dialect.ops.spline import BaseOp, BSplineOp, ChebyshevOp, EdgeOp, RadialOp
from kan_dialect.ops.symbolic import SYMBOLIC_FUNCTIONS, SymbolicOp
from kan_dialect.passes.calibrate import observe
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.quantize import QuantizePass
from repository import EXAMPLES


def example(name: str, bits: int) -> Functions:
    module = import_file(EXAMPLES / f"{name}.onnx")
    FoldAffinePass().apply(Context(), module)
    observe(only(module), [load_dataset(EXAMPLES / f"{name}.npz").x], 1024)
    return quantised(module, QuantizePass(bits=bits))


@pytest.mark.parametrize(("name", "bits", "most"), [("wine", 8, 12), ("digits", 6, 16)])
def test_the_examples_keep_it(name: str, bits: int, most: float) -> None:
    """And where nothing saturates it is some times what the samples show."""
    functions = example(name, bits)
    found = certify(*functions)
    x = samples_of(found.box, 500, np.random.default_rng(0))
    assert excess(functions, found, x) <= 0
    given = load_dataset(EXAMPLES / f"{name}.npz").x
    assert excess(functions, found, given) <= 0
    real, integers = Model(functions[0], "spline"), Model(functions[1], "table")
    given = given[~saturating_samples(integers, given)]
    seen = np.abs(real.run(given) - integers.run(given)).max(axis=0)
    assert (found.unsaturated <= most * seen.max()).all()


@pytest.mark.ci
@pytest.mark.parametrize("name", ["wine", "digits"])
def test_many_samples_keep_it(name: str) -> None:
    functions = example(name, 8)
    found = certify(*functions)
    rng = np.random.default_rng(0)
    for _ in range(2):
        assert excess(functions, found, samples_of(found.box, 50_000, rng)) <= 0


def _require_kept(seed: int, bits: int, scale: str, count: int) -> bool:
    """Whether a random network has a certificate, which samples keep."""
    rng = np.random.default_rng(seed)
    module = FloatDrawing(rng).network("net").module()
    try:
        functions = quantised(module, QuantizePass(bits=bits, scale=scale))
        found = certify(*functions)
    except KanError:
        return False
    assert excess(functions, found, samples_of(found.box, count, rng)) <= 0
    return True


def test_random_networks_keep_it() -> None:
    kept = sum(_require_kept(seed, 2 + seed % 7, "mse", 300) for seed in range(20))
    assert kept >= 5  # others hold ONNX graphs, or functions that are not finite


def test_a_basis_without_bounds_has_no_certificate() -> None:
    """A radial function of a wide range overflows; another of its layer has the factor 0."""
    assert not _require_kept(17916360, 1, "mse", 300)


@pytest.mark.ci
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.sampled_from(["mse", "minmax"]))
def test_many_random_networks_keep_it(seed: int, bits: int, scale: str) -> None:
    _require_kept(seed, bits, scale, 1000)


# A rule that is left out.


def _without_half_steps(patch: pytest.MonkeyPatch) -> None:
    right = certificate._Certifier._argument  # pyright: ignore[reportPrivateUsage]

    def wrong(self: object, value: object, codes: object) -> FloatArray:
        box = right(self, value, codes)  # pyright: ignore[reportArgumentType]
        known: dict[object, object] = self.known  # pyright: ignore
        zero = np.zeros(len(box))
        known[value] = known[value]._replace(error=Range(zero, zero))  # pyright: ignore
        return box

    patch.setattr(certificate._Certifier, "_argument", wrong)  # pyright: ignore[reportPrivateUsage]


def _without_saturation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        certificate._Certifier,  # pyright: ignore[reportPrivateUsage]
        "_open",
        lambda self, count: np.zeros(count, dtype=np.bool_),  # pyright: ignore
    )


def _without_slopes(patch: pytest.MonkeyPatch) -> None:
    right = Enclosure.tightened

    def wrong(self: Enclosure) -> Enclosure:
        zero = np.zeros_like(self.slope.low)
        flat = Enclosure(self.value, Range(zero, zero), self.middle, self.radius)
        return right(flat)

    patch.setattr(enclosures.Enclosure, "tightened", wrong)


@pytest.mark.parametrize(
    ("leave_out", "percentile"),
    [(_without_half_steps, 100.0), (_without_saturation, 98.0), (_without_slopes, 100.0)],
)
def test_a_rule_that_is_left_out_is_found(
    leave_out: Callable[[pytest.MonkeyPatch], None],
    percentile: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A network of one edge, whose bound is nearly what its samples show."""
    x = np.linspace(-1, 1, 4001)[:, np.newaxis]
    module = one_layer(lambda value: BaseOp("sin", value, np.array([[3.0]])))
    # Few samples lie far out, so that their codes saturate where 98 % must not.
    observe(only(module), [np.concatenate([x, np.full((30, 1), 4.0)])], 1024)
    stage = QuantizePass(bits=(5, 12), scale="percentile", percentile=percentile)
    functions = quantised(module, stage)
    right = certify(*functions)
    dense = np.linspace(right.box[0, 0], right.box[0, 1], 20001)[:, np.newaxis]
    assert excess(functions, right, dense) <= 0
    leave_out(monkeypatch)
    assert excess(functions, certify(*functions), dense) > 0


def test_of_a_line_it_is_half_a_step_and_half_a_step() -> None:
    """Nothing is given away where nothing need be."""
    module = one_layer(lambda value: BaseOp("identity", value, np.ones((1, 1))))
    observe(only(module), [np.linspace(0, 255, 256)[:, np.newaxis]], 256)
    real, integers = quantised(module, QuantizePass(bits=(8, 4), scale="minmax"))
    found = certify(real, integers)
    # The steps are 1 and 17, and 8 lies in the middle of 0 and 17 to half a step of the input.
    assert found.bounds == pytest.approx([8.0 + 0.5])
    assert found.unsaturated == found.bounds


def test_formats_of_many_bits_take_no_memory() -> None:
    """The codes of a port are not listed: an array of those of 22 bits would take 32 MiB."""
    module = one_layer(lambda value: BaseOp("identity", value, np.ones((1, 1))))
    observe(only(module), [np.linspace(0, 255, 256)[:, np.newaxis]], 256)
    formats = {"input_format": "x0=s22.12", "output_format": "y0=s22.12"}
    functions = quantised(module, QuantizePass(bits=(8, 4), scale="minmax", **formats))
    tracemalloc.start()
    try:
        found = certify(*functions)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    # Half a step of both codes, 17 and 1; formats add little.
    assert found.bounds == pytest.approx([8.5 + 0.5 + 2.0**-12], abs=0.6)


def test_what_has_no_bounds_says_so() -> None:
    """tan has a pole between two codes, at pi / 2."""
    affine = np.array([[[1.0, 0.0, 1.0, 0.0]]])
    choice = np.zeros((1, 1), dtype=np.int8)
    module = one_layer(lambda value: SymbolicOp(["tan"], value, choice, affine))
    observe(only(module), [np.linspace(0, 3, 100)[:, np.newaxis]], 256)
    functions = quantised(module, QuantizePass(bits=2, scale="minmax"))
    message = "layer0: the function tan is not finite between 1.5 and 2.5"
    with pytest.raises(NoEnclosureError, match=message):
        certify(*functions)


# The bounds of functions.


def _intervals(rng: np.random.Generator, low: float, high: float) -> Range:
    ends = np.sort(rng.uniform(low, high, (300, 2)), axis=1)
    width = rng.choice([1e-6, 1e-3, 0.1, 1.0], (300, 1))
    ends = ends[:, :1] + (ends - ends[:, :1]) * width
    return Range(ends[:, :1], ends[:, 1:])


DOMAINS = {
    **dict.fromkeys(("sqrt", "log", "reciprocal_sqrt", "power3_2"), (0.01, 9.0)),
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), (-0.99, 0.99)),
    "exp": (-5.0, 5.0),
    "tan": (-1.5, 1.5),
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_lie_within_their_bounds(name: str) -> None:
    rng = np.random.default_rng(0)
    low, high = DOMAINS.get(name, (0.05, 9.0) if name.startswith("recip") else (-9.0, 9.0))
    x = _intervals(rng, low, high)
    value, slope = FUNCTIONS[name](x)
    shares = np.linspace(0, 1, 41)
    points = x.low + (x.high - x.low) * shares

    def function(y: FloatArray) -> FloatArray:
        if name in RADIAL_FUNCTIONS and name != "gaussian":
            return radial_basis(y, np.zeros(1), np.ones(1), name)[..., 0]
        return SYMBOLIC_FUNCTIONS[name](y)

    y = function(points)
    assert (y >= value.low).all() and (y <= value.high).all()
    # The mean value theorem: a chord's slope is that of some point between.
    rise, run = np.diff(y, axis=1), np.diff(points, axis=1)
    noise = 1e-14 * np.abs(y).max() + 1e-300
    if name != "sign":
        assert (rise >= slope.low * run - noise).all() and (rise <= slope.high * run + noise).all()
    narrow = (x.high - x.low)[:, 0] < 1e-4
    smooth = name not in ("relu", "abs", "sign")
    spread = (value.high - value.low)[narrow] - np.ptp(y, axis=1, keepdims=True)[narrow]
    assert not smooth or (spread <= 1e-9 * np.abs(y[narrow]).max() + 1e-12).all()


def test_every_function_has_bounds() -> None:
    assert set(FUNCTIONS) >= {*REAL_FUNCTIONS, *SYMBOLIC_FUNCTIONS, *RADIAL_FUNCTIONS}


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.booleans())
def test_splines_lie_within_their_bounds(seed: int, degree: int, repeated: bool) -> None:
    rng = np.random.default_rng(seed)
    knots = np.sort(rng.uniform(-2, 2, (2, degree + 7)), axis=1)
    if repeated:
        knots = np.sort(np.round(knots), axis=1)
    coefficients = rng.normal(size=(3, 2, 6))
    _require_enclosed(lambda v: BSplineOp(v, degree, knots, coefficients), rng)


@pytest.mark.parametrize("degree", [0, 1, 2, 5, 9])
def test_chebyshev_series_lie_within_their_bounds(degree: int) -> None:
    rng = np.random.default_rng(degree)
    coefficients = rng.normal(size=(3, 2, degree + 1))
    _require_enclosed(lambda v: ChebyshevOp(v, coefficients), rng)


@pytest.mark.parametrize("kind", RADIAL_FUNCTIONS)
def test_radial_functions_lie_within_their_bounds(kind: str) -> None:
    rng = np.random.default_rng(1)
    centers, widths = rng.uniform(-2, 2, (2, 4)), rng.uniform(0.2, 2, (2, 4))
    coefficients = rng.normal(size=(3, 2, 4))
    _require_enclosed(lambda v: RadialOp(kind, v, centers, widths, coefficients), rng)


def _require_enclosed(edges: Callable[[SSAValue], EdgeOp], rng: np.random.Generator) -> None:
    block = Block(arg_types=[TensorType(f64, (2,))])
    op = edges(block.args[0])
    low, high = (
        np.concatenate([a, b], axis=1)
        for a, b in zip(_intervals(rng, -3, 3), _intervals(rng, -3, 3), strict=True)
    )
    low, high = np.minimum(low, high), np.maximum(low, high)
    found = enclose(op.result, block.args[0], low, high, [op])
    for share in np.linspace(0, 1, 23):
        x = np.clip(low + (high - low) * share, low, high)
        (y,) = evaluate_values([op.result], {block.args[0]: x}, ops=[op])
        assert (y >= found.low).all() and (y <= found.high).all()
