"""Quantised files: their operators in NumPy are those of the import, code by code."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quantised_files import QONNX, ROUNDINGS, File, Floats
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_function
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.onnx.load import load_onnx, onnx_original
from kan_dialect.frontends.onnx.quantised.common_units import common_unit
from kan_dialect.ir.functions import functions_of
from kan_dialect.ops.spline import EdgeOp
from kan_dialect.ops.table import QuantizeOp, RequantizeOp, TablesOp
from repository import TEST_DATA

RNG = np.random.default_rng(5)

ROUNDING = 2e-4
"""Rounding of biases of results, 1/512 of a unit; a wrong code costs units."""


@pytest.fixture(autouse=True)
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random numbers do not depend on the tests before."""
    monkeypatch.setitem(globals(), "RNG", np.random.default_rng(5))


def inputs(width: int, scale: float = 0.125, rows: int = 600) -> Floats:
    """Random inputs, and inputs at and beside multiples of half a step, as float32 values."""
    random = RNG.normal(size=(rows, width)).astype(np.float32)
    ties = RNG.integers(-40, 41, (rows, width)).astype(np.float32) * np.float32(scale / 2)
    near = np.nextafter(ties, RNG.normal(size=ties.shape).astype(np.float32))
    return np.concatenate([random, ties, near, 50 * random]).astype(np.float64)


def run(module: ModuleOp, x: Floats) -> Floats:
    (function,) = functions_of(module)
    (outputs,) = evaluate_function(function, [x])
    return outputs


def assert_integers(
    file: File, path: Path, x: Floats, caplog: pytest.LogCaptureFixture
) -> ModuleOp:
    """The import has integers only, and the outputs of the file's operators."""
    module = load_onnx(file.save(path))
    assert not caplog.messages
    assert not any(isinstance(op, EdgeOp) for op in module.walk())
    assert np.abs(run(module, x) - file.outputs(x)).max() <= ROUNDING
    return module


# Single operators


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize(("signed", "narrow"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_quant(rounding: str, signed: int, narrow: int, tmp_path: Path) -> None:
    file = File(3)
    scale = [[0.125, 0.25, 0.5]]
    file.quant(scale, 3, 1, signed=signed, narrow=narrow, rounding=rounding)
    x = inputs(3)
    found = onnx_original(file.save(tmp_path / "m.onnx")).run(x)
    assert np.array_equal(found, file.outputs(x, np.float32))


def _bipolar(file: File) -> None:
    file.add("BipolarQuant", file.constant(0.5), domain=QONNX)


def _trunc(file: File) -> None:
    file.quant(0.125, 6)
    operands = [file.constant(each) for each in (0.125, 0, 6, 3)]
    file.add("Trunc", *operands, domain=QONNX, rounding_mode="FLOOR")


def _trunc_to_another_scale(file: File) -> None:
    """Version 2, with a zero point that the shift leaves whole."""
    file.quant(0.125, 6, 8)
    operands = [file.constant(each) for each in (0.125, 8, 6, 0.5, 3)]
    attributes = {"rounding_mode": "ROUND", "signed": 1, "narrow": 1}
    file.add("Trunc", *operands, domain=QONNX, **attributes)


def _int_quant(file: File) -> None:
    file.quant(0.125, 4, narrow=1, op="IntQuant")


def _thresholds(file: File) -> None:
    steps = np.sort(RNG.normal(size=(3, 7)), axis=1)
    file.add("MultiThreshold", file.constant(steps), domain=QONNX, out_scale=0.5, out_bias=-2.0)


def _qcdq(file: File) -> None:
    file.linear(0.125, 3, np.uint8, (0, 15))


def _qdq(file: File) -> None:
    file.linear(0.125, -3, np.int8)


OPERATORS: list[Callable[[File], None]] = [
    _bipolar,
    _trunc,
    _trunc_to_another_scale,
    _int_quant,
    _thresholds,
    _qcdq,
    _qdq,
]


@pytest.mark.parametrize("operator", OPERATORS)
def test_operator(operator: Callable[[File], None], tmp_path: Path) -> None:
    file = File(3)
    operator(file)
    x = inputs(3)
    found = onnx_original(file.save(tmp_path / "m.onnx")).run(x)
    assert np.array_equal(found, file.outputs(x, np.float32))


@pytest.mark.parametrize(
    "rounding", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"]
)
@pytest.mark.filterwarnings("ignore:numpy.fix")
def test_operators_of_the_qonnx_package(rounding: str) -> None:
    quant = pytest.importorskip("qonnx.custom_op.general.intquant")
    file = File(3)
    file.quant(0.125, 3, 1, rounding=rounding)
    x, one = inputs(3), np.array(1.0)
    assert np.array_equal(
        file.outputs(x), quant.int_quant(x, one / 8, one, 3 * one, 1, 0, rounding)
    )


# Networks


def weights(*shape: int) -> Floats:
    return RNG.normal(size=shape) * 0.5


def mlp(
    scales: tuple[Any, Any, Any], *, rounding: str = "ROUND", signed: int = 0, bits: int = 3
) -> File:
    """A network 4-5-3 with real biases."""
    file = File(4)
    file.quant(scales[0], bits)
    file.dense(weights(4, 5), scales[1], bits)
    file.add("Add", file.constant(weights(5)))
    if not signed:
        file.add("Relu")
    file.quant(scales[2], bits, signed=signed, rounding=rounding)
    file.dense(weights(5, 3), 0.0625, bits)
    return file


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("signed", [0, 1])
def test_scales_of_powers_of_two(
    rounding: str, signed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = mlp((0.125, 0.0625, 0.25), rounding=rounding, signed=signed)
    module = assert_integers(file, tmp_path / "m.onnx", inputs(4), caplog)
    # Signed codes that are rounded away from 0, or towards it, are not those of a line.
    tables = 3 if signed and rounding in ("UP", "DOWN", "ROUND_TO_ZERO") else 2
    assert sum(isinstance(op, TablesOp) for op in module.walk()) == tables


@pytest.mark.parametrize("weight", [0.07, np.array([[0.07, 0.05, 0.11, 0.02, 0.3]])])
def test_scales_of_any_ratio(weight: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = mlp((0.1, weight, 0.23))
    module = assert_integers(file, tmp_path / "m.onnx", inputs(4, 0.1), caplog)
    assert any(isinstance(op, RequantizeOp) and op.affine for op in module.walk())


def test_functions_in_front_of_a_quantiser(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A sigmoid, and a product by a constant, as batch norms have it."""
    file = File(3)
    file.add("Mul", file.constant([0.5, 0.25, 2.0]))
    file.quant(0.125, 4)
    file.dense(weights(3, 4), 0.1, 3)
    file.add("Mul", file.constant(weights(4)))
    file.add("Sigmoid")
    file.quant(0.125, 3, signed=0)
    file.dense(weights(4, 2), 0.1, 3)
    assert_integers(file, tmp_path / "m.onnx", inputs(3), caplog)


@pytest.mark.parametrize("operator", OPERATORS[:5])
def test_quantisers_of_nodes(
    operator: Callable[[File], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = File(4)
    file.quant(0.25, 4)
    file.dense(weights(4, 3), 0.1, 3)
    file.add("Add", file.constant(weights(3)))
    operator(file)
    file.dense(weights(3, 2), 0.25, 3)
    assert_integers(file, tmp_path / "m.onnx", inputs(4, 0.25), caplog)


@pytest.mark.parametrize("zero", [-4, 5])
def test_zero_point_of_inputs(zero: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rounding half to even is before an odd zero point in ONNX, and behind it in QONNX."""
    for number, codes in enumerate(
        (
            lambda file: file.quant(0.125, 4, zero),
            lambda file: file.linear(0.125, zero, np.int8, (-8, 7)),
        )
    ):
        file = File(3)
        codes(file)
        file.dense(weights(3, 2), 0.5, 3)
        assert_integers(file, tmp_path / f"m{number}.onnx", inputs(3), caplog)


def test_qcdq_with_weights_by_channel(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = File(3)
    values = file.linear(0.125, 0, np.int8, (-8, 7))
    file.last = file.constant(RNG.integers(-7, 8, (3, 4)), np.int8)
    scales = file.constant(RNG.uniform(0.05, 0.2, 4)), file.constant(np.zeros(4), np.int8)
    quantised = file.add("DequantizeLinear", *scales, axis=1)
    file.join("MatMul", [values, quantised])
    file.add("Relu")
    values = file.linear(0.2, 0, np.uint8)
    file.last = file.constant(weights(4, 2))
    file.join("MatMul", [values, file.linear(0.1, 0, np.int8, (-7, 7))])
    assert_integers(file, tmp_path / "m.onnx", inputs(3), caplog)


def test_quantised_output_and_skip_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = File(3)
    first = file.quant(0.25, 4)
    file.dense(weights(3, 3), 0.25, 3)
    second = file.quant(0.5, 4)
    file.join("Add", [first, second])
    file.quant(0.5, 3)
    module = assert_integers(file, tmp_path / "m.onnx", inputs(3, 0.25), caplog)
    (function,) = functions_of(module)
    assert "0.5>" in str(function.body.block.last_op.operands[0].owner.operands[0].type)  # type: ignore[union-attr]


def test_wide_sums_are_rounded_without_tables(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = mlp((0.011, 0.007, 0.03), bits=8)
    assert_integers(file, tmp_path / "m.onnx", inputs(4, 0.011), caplog)


@pytest.mark.parametrize("name", ["qonnx", "qcdq"])
def test_exports_of_brevitas(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The integers give the outputs that Brevitas computes."""
    folder = TEST_DATA / "brevitas"
    data = np.load(folder / f"{name}.npz")
    module = load_onnx(folder / f"{name}.onnx")
    assert not caplog.messages
    assert not any(isinstance(op, EdgeOp) for op in module.walk())
    found = run(module, data["x"].astype(np.float64))
    assert np.abs(found - data["y"]).max() < 1e-5 * np.ptp(data["y"])


# Networks that are quantised in part, and refusals


@pytest.mark.parametrize(
    ("leave_out", "reason"),
    [
        ("input", "reads 'x', which has no quantiser"),
        ("unit", "not multiples of one step"),
    ],
)
def test_a_part_without_quantisers(
    leave_out: str, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = File(2)
    if leave_out != "input":
        file.quant(0.5, 3)
    if leave_out == "unit":
        file.add("Sigmoid")
        file.add("MatMul", file.constant(weights(2, 2)))
    else:
        file.dense(weights(2, 2), 0.5, 3)
    file.quant(0.5, 3)
    file.dense(weights(2, 2), 0.5, 3)
    module = load_onnx(file.save(tmp_path / "m.onnx"))
    assert len(caplog.messages) == 1 and reason in caplog.messages[0]
    assert any(isinstance(op, EdgeOp) for op in module.walk())
    x = RNG.normal(size=(300, 2)).astype(np.float32).astype(np.float64)
    assert np.allclose(run(module, x), file.outputs(x), atol=1e-5)


def _refused(change: str) -> File:
    file = File(2)
    one = file.constant(1.0)
    match change:
        case "float":
            file.add("FloatQuant", one, one, one, one, one, domain=QONNX)
        case "rounding":
            file.quant(0.5, 3, rounding="SOMEHOW")
        case "bits":
            file.quant(0.5, 2.5)  # type: ignore[arg-type]
        case "computed":
            bits = file.join("Add", [one, one])
            file.join("Quant", ["x", one, file.constant(0.0), bits], domain=QONNX)
        case "zero":
            file.quant(0.5, 3, 0.25)
        case "single":
            file.quant(0.5, 1, signed=0, narrow=1)
        case "domain":
            file.add("Novel", domain="some.where")
        case "clip":
            file.linear(0.5, 0, np.int8, (7, -8))
        case "shift":
            file.quant(0.5, 4)
            operands = [file.constant(each) for each in (0.5, 0, 4, 0.0, 3)]
            attributes = {"rounding_mode": "FLOOR", "signed": 1, "narrow": 0}
            file.add("Trunc", *operands, domain=QONNX, **attributes)
        case "wide":
            file.linear(0.5, 0, np.int64)
        case _:
            file.add("QuantizeLinear", one, file.constant(0, np.int8))
            file.add("QLinearMatMul")
    return file


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("float", "(FloatQuant): its codes are floating-point numbers"),
        ("rounding", "(Quant): rounding mode 'SOMEHOW' is not known"),
        ("bits", "(Quant): its bit width is 2.5"),
        ("computed", "(Quant): its bit width is not a constant of the file"),
        ("zero", "(Quant): its zero point is not an integer"),
        ("single", "(Quant): it has a single code"),
        ("domain", "operators of the domain 'some.where' are not known"),
        ("shift", "(Trunc): its output scale is not positive and finite"),
        ("clip", "(Clip): it leaves a single code, or none"),
        ("wide", "(QuantizeLinear): its codes are not integers of 8, 16 or 32 bits"),
    ],
)
def test_refusals(change: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(KanError) as caught:
        load_onnx(_refused(change).save(tmp_path / "m.onnx"))
    assert reason in str(caught.value) and caught.value.remedy


@pytest.mark.parametrize("name", ["brevitas/qonnx", "brevitas/qcdq", "sklearn/logistic"])
def test_mutated_files(name: str, tmp_path: Path) -> None:
    """A file with some bytes changed is imported, or refused in one message."""
    data = (TEST_DATA / f"{name}.onnx").read_bytes()
    rng, path = np.random.default_rng(1), tmp_path / "m.onnx"
    refused = 0
    for _ in range(40):
        changed = bytearray(data)
        for place in rng.integers(0, len(data), 2).tolist():
            changed[place] = rng.choice([0, 1, 127, 128, 255, changed[place] ^ 1])
        path.write_bytes(changed)
        try:
            load_onnx(path, ImportOptions(strip_head=name.startswith("sklearn")))
        except KanError:
            refused += 1
    assert refused


def test_extreme_parameters(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Scales and zero points that no type of codes holds leave a file quantised in part."""
    for number, (scale, zero) in enumerate(((0.0, 0), (-0.5, 0), (1e-37, 0), (0.5, 1e30))):
        file = File(2)
        file.quant(scale, 3, zero)
        with suppress(KanError):
            load_onnx(file.save(tmp_path / f"m{number}.onnx"))
        assert "its scale is" in caplog.messages[-1] or "its zero point" in caplog.messages[-1]


def test_common_units() -> None:
    for scale in (0.25, 0.07, 1e-4):
        multiples = RNG.integers(1, 128, 20)
        multiples[:2] = 6, 35
        rounded = (multiples * np.float32(scale)).astype(np.float32).astype(np.float64)
        unit = common_unit(rounded)
        assert unit is not None and np.isclose(unit, np.float32(scale), rtol=1e-7)
    assert common_unit(RNG.uniform(size=20)) is None


def test_inputs_are_quantised_as_the_file_says(tmp_path: Path) -> None:
    module = load_onnx(mlp((0.125, 0.0625, 0.25)).save(tmp_path / "m.onnx"))
    (quantize,) = (op for op in module.walk() if isinstance(op, QuantizeOp))
    assert "i3:f32, 0.125" in str(quantize.result.type)
