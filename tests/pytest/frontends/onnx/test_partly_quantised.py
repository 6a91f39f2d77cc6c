"""Files that are quantised in part: their quantisers stay as they are, and others are chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from quantised_files import QONNX, ROUNDINGS, File, Floats, ends
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.quantization_points import quantization_points
from kan_dialect.checking import Checker, run_passes
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_function, evaluate_inside
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.types import quantized_type, tensor_shape
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import QuantizeOp, RequantizeOp, TablesOp
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.quantize import QuantizePass

SCALE, BITS = 0.25, 4


def inputs(width: int = 3, rows: int = 400) -> Floats:
    """Random inputs as float32 values."""
    values = np.random.default_rng(3).normal(size=(rows, width))
    return values.astype(np.float32).astype(np.float64)


def weights(*shape: int) -> Floats:
    return np.random.default_rng(4).normal(size=shape).astype(np.float32).astype(np.float64)


def quantised(module: ModuleOp, folder: Path, bits: int = 8) -> func.FuncOp:
    """The function in tables, with each pass checked."""
    data = folder / "x.npz"
    np.savez(data, x=inputs())
    passes = [
        CalibratePass(data=str(data)),
        QuantizePass(bits=bits),
        FoldTablesPass(),
    ]
    run_passes(make_context(), module, passes, Checker())
    (function,) = functions_of(module)
    return function


def sums_and_codes(function: func.FuncOp) -> tuple[Floats, Floats]:
    """Real sums of the first layer of floats, and the codes of the quantiser behind it."""
    sums = next(op for op in function.body.block.ops if isinstance(op, NodeSumOp))
    (use,) = sums.result.uses
    assert isinstance(use.operation, RequantizeOp | TablesOp)
    codes = use.operation.result
    found = evaluate_inside(function, [inputs()], [sums.result, codes])
    element = quantized_type(codes)
    assert set(element.scales) == {SCALE} and element.axis is None
    return found[0] * quantized_type(sums.result).scale_for(1), found[1]


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "": lambda h: h,
    "Relu": lambda h: np.maximum(h, 0),
    "Abs": np.abs,
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("zero", [0, 3])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_codes_are_those_of_the_quantiser(
    rounding: str, zero: int, activation: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A quantiser between a layer without and one with quantised weights."""
    signed = int(not activation)
    file = File(3)
    file.add("MatMul", file.constant(weights(3, 4)))
    if activation:
        file.add(activation)
    file.quant(SCALE, BITS, zero, signed=signed, rounding=rounding)
    file.dense(weights(4, 2), 0.25, 3)
    module = load_onnx(file.save(tmp_path / "m.onnx"))
    (message,) = caplog.messages
    assert "it reads 'x', which has no quantiser" in message
    (imported,) = functions_of(module)
    assert len(quantization_points(imported)) == 2  # the input and the first layer
    real = evaluate_function(imported, [inputs()])[0]
    assert np.abs(real - file.outputs(inputs())).max() < 1e-5

    function = quantised(module, tmp_path)
    sums, codes = sums_and_codes(function)
    low, high = ends(BITS, signed, 0)
    expected = ROUNDINGS[rounding](np.clip(ACTIVATIONS[activation](sums) / SCALE + zero, low, high))
    assert np.array_equal(codes, expected)
    assert np.abs(Model(function, "table").run(inputs()) - real).max() < 1.0


@pytest.mark.parametrize("clip", [None, (-8, 7)])
@pytest.mark.parametrize("zero", [0, -3])
def test_quantize_linear(
    zero: int, clip: tuple[int, int] | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Weights without quantisers on both sides, and a batch norm in front, which is folded."""
    file = File(3)
    file.add("MatMul", file.constant(weights(3, 4)))
    file.add("Mul", file.constant(weights(4)))
    file.linear(SCALE, zero, np.int8, clip)
    file.add("MatMul", file.constant(weights(4, 2)))
    module = load_onnx(file.save(tmp_path / "m.onnx"))
    assert len(caplog.messages) == 1
    FoldAffinePass().apply(make_context(), module)
    function = quantised(module, tmp_path)
    sums, codes = sums_and_codes(function)
    low, high = (-128, 127) if clip is None else clip
    assert np.array_equal(codes, np.clip(np.round(sums / SCALE) + zero, low, high))


def test_integers_in_front_of_real_weights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The layers that have integers are exact; calibration and bits are for the last one."""
    file = File(3)
    file.quant(0.5, 3)
    file.dense(weights(3, 4), 0.25, 3)
    file.quant(SCALE, BITS)
    hidden = file.last
    file.add("MatMul", file.constant(weights(4, 2)))
    module = load_onnx(file.save(tmp_path / "m.onnx"))
    assert "not multiples of one step" in caplog.messages[0]
    function = quantised(module, tmp_path, bits=12)
    requantize = next(op for op in function.body.block.ops if isinstance(op, RequantizeOp))
    (codes,) = evaluate_inside(function, [inputs()], [requantize.result])
    outputs = file.outputs(inputs())
    file.last = hidden
    assert np.array_equal(codes * SCALE, file.outputs(inputs()))
    assert np.abs(Model(function, "table").run(inputs()) - outputs).max() < 0.01


def test_bipolar_codes_and_a_skip_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The codes of a bipolar quantiser have no zero point that a type holds."""
    file = File(3)
    node = file.add("MatMul", file.constant(weights(3, 3)))
    signs = file.add("BipolarQuant", file.constant(0.5), domain=QONNX)
    file.join("MatMul", [signs, file.constant(weights(3, 2))])
    skipped = file.last
    file.join("Sigmoid", [node])
    file.add("MatMul", file.constant(weights(3, 2)))
    file.join("Add", [skipped, file.last])
    module = load_onnx(file.save(tmp_path / "m.onnx"))
    assert len(caplog.messages) == 1
    (imported,) = functions_of(module)
    expected = file.outputs(inputs())
    assert np.abs(evaluate_function(imported, [inputs()])[0] - expected).max() < 1e-5
    function = quantised(module, tmp_path, bits=10)
    sums = next(op for op in function.body.block.ops if isinstance(op, NodeSumOp))
    signs = next(
        op
        for op in function.body.block.ops
        if isinstance(op, TablesOp) and len(tensor_shape(op.result)) == 1
    )
    real, codes = evaluate_inside(function, [inputs()], [sums.result, signs.result])
    assert np.array_equal(codes, real >= 0)


@pytest.mark.parametrize("given", ["input-format", "output-format", "quantizers"])
def test_what_the_file_quantises_is_not_given_again(
    given: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = File(3)
    if given != "output-format":
        file.quant(0.5, 3)
    file.add("MatMul", file.constant(weights(3, 2)))
    if given == "output-format":
        file.quant(0.5, 3)
    module = load_onnx(file.save(tmp_path / "m.onnx"))
    quantizers = tmp_path / "q.json"
    quantizers.write_text("{}")
    text = {"quantizers": str(quantizers)}.get(given, "*=s8")
    options = {given.replace("-", "_"): text}
    with pytest.raises(KanError, match=r"its file|whose file"):
        run_passes(make_context(), module, [QuantizePass(**options)])  # type: ignore[arg-type]


def test_sums_that_are_too_wide_for_the_table_of_a_rounding(tmp_path: Path) -> None:
    file = File(3)
    file.add("MatMul", file.constant(weights(3, 2)))
    file.quant(SCALE, BITS, rounding="FLOOR")
    file.dense(weights(2, 2), 0.25, 3)
    module = load_onnx(file.save(tmp_path / "m.onnx"))
    with pytest.raises(KanError, match=r"its sums have \d+ bits"):
        quantised(module, tmp_path, bits=16)


def test_a_quantiser_of_the_input_that_rounds_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The host rounds half to even: the quantiser is a table of codes of the input."""
    file = File(3)
    file.quant(SCALE, BITS, rounding="FLOOR")
    file.dense(weights(3, 2), 0.25, 3)
    module = load_onnx(file.save(tmp_path / "m.onnx"))
    assert "does not round half to even" in caplog.messages[0]
    function = quantised(module, tmp_path)
    port = next(op for op in function.body.block.ops if isinstance(op, QuantizeOp))
    (use,) = port.result.uses
    assert isinstance(use.operation, TablesOp)
    found = evaluate_inside(function, [inputs()], [port.result, use.operation.result])
    element = quantized_type(port.result)
    real = (found[0] - element.zero_point_for(1)) * element.scale_for(1)
    low, high = ends(BITS, 1, 0)
    assert np.array_equal(found[1], np.clip(np.floor(real / SCALE), low, high))
