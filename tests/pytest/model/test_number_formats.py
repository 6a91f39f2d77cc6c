"""Number formats of ports: spellings, refusals, and networks against a reference in fractions."""

from __future__ import annotations

import io
import json
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import Float32Type, ModuleOp, TensorType
from xdsl.ir import Block, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.checking import Checker, run_passes
from kan_dialect.errors import KanError
from kan_dialect.evaluate.rescaling import CodeKind, Rescaling
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import FloatArray, IntArray, dense
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.quant import UniformQuantizedType, storage_for
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.targets.quantizers import QuantizersTarget
from kan_dialect.model.model import Model
from kan_dialect.model.number_formats import NumberFormat, PortFormats
from kan_dialect.model.port_codes import decode
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp
from kan_dialect.passes.calibrate import observe
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.search.scales import SCALE_METHODS
from repository import EXAMPLES

WINE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"

# Spellings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s12.8", NumberFormat(12, True, 2.0**-8)),
        ("u12.-2", NumberFormat(12, False, 4.0)),
        ("s1", NumberFormat(1, True)),
        ("u14", NumberFormat(14, False)),
        ("u10:0.25:512", NumberFormat(10, False, 0.25, 512)),
        ("s8:1e-3", NumberFormat(8, True, 1e-3)),
        ("s16:.5:-3", NumberFormat(16, True, 0.5, -3)),
        ("fixed<12,4>", NumberFormat(12, True, 2.0**-8)),
        (" ap_ufixed< 10 , 0 > ", NumberFormat(10, False, 2.0**-10)),
        ("ap_fixed<8,10>", NumberFormat(8, True, 4.0)),
        ("ufixed<8,-2>", NumberFormat(8, False, 2.0**-10)),
    ],
)
def test_spellings(text: str, expected: NumberFormat) -> None:
    assert NumberFormat.parse(text) == expected
    assert NumberFormat.parse(str(expected)) == expected


def test_a_fixed_number_holds_what_hls_says() -> None:
    # ap_fixed<12,4>: 12 bits, 4 of them before the point with the sign: -8 .. 8 - 2^-8.
    assert NumberFormat.parse("ap_fixed<12,4>").values == (-8.0, 8 - 2.0**-8)
    assert NumberFormat.parse("ap_ufixed<12,4>").values == (0.0, 16 - 2.0**-8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no number format; a format is spelt s12.8"),
        ("12", "'12' is no number format"),
        ("x12.8", "'x12.8' is no number format"),
        ("s12.8:3", "'s12.8:3' is no number format"),
        ("u10:0.25:0.5", "no number format"),
        ("u10:nan", "no number format"),
        ("s0.2", "a format of 0 bits; take 1 to 32 bits"),
        ("u33", "a format of 33 bits; take 1 to 32 bits"),
        ("u10:0", "a format with scale 0; a scale is the step between two codes: greater than 0"),
        ("u10:-1", "a format with scale -1; a scale"),
        ("u10:1e999", "a format with scale inf"),
        ("s8:1:99999999999999999", "zero point 99999999999999999; take one below 2^46"),
        ("fixed<12>", "'fixed<12>' is no number format; write fixed<W,I>"),
        ("ap_fixed<12,4,AP_TRN>", "rounding is half to even, and values saturate"),
        ("s12.99", "has 99 bits behind the point; take -64 to 64"),
    ],
)
def test_a_wrong_spelling_is_refused(text: str, message: str) -> None:
    with pytest.raises(KanError) as error:
        NumberFormat.parse(text)
    assert message in str(error.value)


def test_lists_and_files(tmp_path: Path) -> None:
    expected = PortFormats(
        {"x0": NumberFormat(12, True, 2.0**-8), "x1": NumberFormat(10, False, 0.25, 512)},
        NumberFormat(8, True),
    )
    listed = PortFormats.read("x0=fixed<12,4>, x1=u10:0.25:512,*=s8", "x")
    assert listed == expected == PortFormats.read(str(listed), "x")
    assert PortFormats.read("s8", "x").default == NumberFormat(8, True)
    fields = {"bits": 10, "signed": False, "scale": 0.25, "zero_point": 512}
    path = tmp_path / "formats.json"
    path.write_text(json.dumps({"x0": "s12.8", "x1": fields, "*": {"bits": 8, "signed": True}}))
    assert PortFormats.read(str(path), "x") == expected
    path = tmp_path / "formats.toml"
    path.write_text(
        'x0 = "s12.8"\n"*" = "s8"\n[x1]\nbits = 10\nsigned = false\nscale = 0.25\n'
        "zero_point = 512\n"
    )
    assert PortFormats.read(str(path), "x") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y0=s8", "a format is given for 'y0', which is no port; ports are called x0, x1, ..."),
        ("a=s8", "'a', which is no port"),
        ("x01=s8", "'x01', which is no port"),
        ("x0=s8,x0=s9", "two formats are given for x0"),
        ("x0=s8,s9,u7", "two formats are given for *"),
        ("x0=", "x0: '' is no number format"),
        ("x1=u10:0:3", "x1: a format with scale 0"),
        ("none.json", "cannot read the formats in none.json: No such file"),
    ],
)
def test_a_wrong_list_is_refused(text: str, message: str) -> None:
    with pytest.raises(KanError) as error:
        PortFormats.read(text, "x")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "holds no formats"),
        ("{", "cannot read the formats"),
        ('{"x0": 3}', "x0: '3' is no number format"),
        ('{"x0": "s8", "x0": "s9"}', "two formats are given for x0"),
        ('{"x0": {"bits": 8}}', "x0: signed is missing"),
        ('{"x0": {"bits": 8, "signed": 1}}', "x0: signed is 1; give true or false"),
        ('{"x0": {"bits": true, "signed": true}}', "x0: bits is True; give a whole number"),
        ('{"x0": {"bits": 8, "signed": true, "unit": "V"}}', "x0: 'unit' is no field"),
        ('{"x0": {"bits": 8, "signed": true, "scale": 0}}', "x0: a format with scale 0"),
        ('{"x0": {"bits": 8, "signed": true, "bits": 9}}', "x0: bits is given twice"),
        ("{}", "there are no formats"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "formats.json"
    path.write_text(text)
    with pytest.raises(KanError) as error:
        PortFormats.read(str(path), "x")
    assert message in str(error.value)


# Networks


def network(weights: list[FloatArray], names: list[str]) -> ModuleOp:
    """Layers of w · f(x): `weights` has (out, in) of each layer, `names` its function."""
    block = Block(arg_types=[TensorType(Float32Type(), [weights[0].shape[1]])])
    value: SSAValue = block.args[0]
    for index, (weight, name) in enumerate(zip(weights, names, strict=True)):
        edges = BaseOp(name, value, weight)
        sums = NodeSumOp(edges, bias=weight[:, 0] / 3, name=f"layer{index}")
        block.add_ops([edges, sums])
        value = sums.result
    return module_of("net", block, value)


FUNCTIONS = {
    "identity": lambda x: x,
    "tanh": np.tanh,
    "sin": np.sin,
    "silu": lambda x: x / (1 + np.exp(-x)),
}


def at(values: Any, index: int) -> Any:
    """A field of the file that may be one number for all."""
    return values[index] if isinstance(values, list) else values


def saturated(entry: dict[str, Any], index: int, steps: Fraction) -> int:
    """clamp(round half to even(steps) + zero point): Python rounds fractions half to even."""
    code = round(steps) + at(entry["zero_point"], index)
    return min(max(code, entry["low"][index]), entry["high"][index])


def expected_codes(
    file: dict[str, Any],
    weights: list[FloatArray],
    names: list[str],
    formats: list[NumberFormat],
    ports: list[int],
) -> list[int]:
    """Output codes of one sample of port codes, by formats, `quantizers.json` and functions."""
    (given,) = file["inputs"]
    codes: list[int] = []
    for n, (code, each) in enumerate(zip(ports, formats, strict=True)):
        value = (code - each.zero_point) * Fraction(each.scale)
        codes.append(saturated(given, n, value / Fraction(at(given["scale"], n))))
    before = given
    for weight, name, layer in zip(weights, names, file["layers"], strict=True):
        found: list[int] = []
        for out in range(len(weight)):
            scale = at(layer["edges"]["scale"], out)
            total = layer["edges"]["bias"][out]
            for n, code in enumerate(codes):
                x = (code - at(before["zero_point"], n)) * at(before["scale"], n)
                edge = FUNCTIONS[name](np.float64(x)) * np.float64(np.float32(weight[out, n]))
                total += int(np.rint(edge / scale))
            if layer["nodes"]["saturates"]:
                steps = Fraction(total) / Fraction(2) ** layer["nodes"]["shift"][out]
                total = saturated(layer["nodes"], out, steps)
            found.append(total)
        codes, before = found, layer["nodes"]
    return codes


@st.composite
def port_formats(draw: st.DrawFn, *, power: bool = False) -> NumberFormat:
    bits = draw(st.integers(2, 14))
    signed = draw(st.booleans())
    width = draw(st.sampled_from([2.0, 4.0, 1.0]))
    scale = width / 2**bits * draw(st.sampled_from([1.0] if power else [1.0, 0.77, 1.3]))
    zero = draw(st.sampled_from([0, 1 << (bits - 1), 3])) if not signed else 0
    return NumberFormat(bits, signed, scale, zero)


@settings(max_examples=12, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1 << 30))
def test_hardware_computes_what_the_reference_does(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = data.draw(st.tuples(*[st.integers(1, 3)] * 3), label="shape")
    names = data.draw(st.tuples(*[st.sampled_from(sorted(FUNCTIONS))] * 2).map(list), label="names")
    weights = [rng.uniform(-1, 1, (out, inner)).round(3) for inner, out in pairwise(shape)]
    inputs = [data.draw(port_formats(), label=f"x{n}") for n in range(shape[0])]
    outputs = [data.draw(port_formats(), label=f"y{n}") for n in range(shape[2])]
    module = network(weights, names)
    calibrated = data.draw(st.booleans(), label="calibrated")
    if calibrated:
        ends = np.array([each.values for each in inputs])
        shares = np.sort(rng.uniform(0, 1, (2, 1)), axis=0)
        span = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * shares
        (function,) = [op for op in module.ops if isinstance(op, func.FuncOp)]
        observe(function, [rng.uniform(span[0], span[1], (200, shape[0]))], 64)
    options: dict[str, Any] = {
        "bits": tuple(data.draw(st.lists(st.integers(2, 6), min_size=3, max_size=3), label="bits")),
        "scale": data.draw(st.sampled_from(SCALE_METHODS), label="scale"),
        "guard_bits": data.draw(st.integers(0, 1), label="guard bits"),
        "input_format": ",".join(f"x{n}={each}" for n, each in enumerate(inputs)),
        "output_format": ",".join(f"y{n}={each}" for n, each in enumerate(outputs)),
    }
    try:
        run_passes(Context(), module, [QuantizePass(**options)], Checker(count=64))
    except KanError as error:
        # Random outputs may be wider than their formats.
        assert calibrated and "output y" in str(error) and "holds" in str(error)
        return
    text = io.StringIO()
    QuantizersTarget().emit(Context(), module, text)
    file = json.loads(text.getvalue())
    stages = CompilePass(fast=True).expand()
    run_passes(Context(), module, stages, Checker(count=64))
    circuit = Model.of(module)
    assert circuit.level == "hardware"
    ports = circuit.ports()
    for kind, formats in zip(ports, (inputs, outputs), strict=True):
        for port, each in zip(kind, formats, strict=True):
            assert (port.width, port.low, port.high) == (each.bits, *each.codes)
            assert (port.scale, port.zero_point) == (each.scale, each.zero_point)
    low, high = np.array([each.codes for each in inputs]).T
    codes: IntArray = rng.integers(low, high, (40, shape[0]), endpoint=True)
    codes = np.concatenate([[low], [high], codes])
    got = circuit.run_codes(codes)
    for sample, found in zip(codes.tolist(), got.tolist(), strict=True):
        assert found == expected_codes(file, weights, names, inputs, sample)


def test_a_file_with_formats_gives_the_same_network(tmp_path: Path) -> None:
    weights = [np.array([[0.5, -0.7], [0.3, 0.9]]), np.array([[1.0, -0.5]])]
    formats: dict[str, Any] = {"bits": 5, "input_format": "x0=s12.10,x1=u10:0.003:300"}
    formats["output_format"] = "s12.9"
    texts: list[str] = []
    path = tmp_path / "quantizers.json"
    given: dict[str, Any] = {"quantizers": str(path)}
    for options in (formats, given):
        module = network(weights, ["tanh", "sin"])
        run_passes(Context(), module, [QuantizePass(**options)])
        FoldTablesPass().apply(Context(), module)
        output = io.StringIO()
        if not texts:
            QuantizersTarget().emit(Context(), module, output)
            path.write_text(output.getvalue())
        del module.attributes["kan.pipeline"], module.attributes["kan.digest"]
        texts.append(str(module))
    assert texts[0] == texts[1]


def test_formats_beside_a_file(tmp_path: Path) -> None:
    weights = [np.array([[0.5, -0.7]])]
    module = network(weights, ["tanh"])
    run_passes(Context(), module, [QuantizePass(bits=5, scale="pow2", input_format="*=s6.4")])
    output = io.StringIO()
    QuantizersTarget().emit(Context(), module, output)
    path = tmp_path / "quantizers.json"
    path.write_text(output.getvalue())
    file: dict[str, Any] = {"quantizers": str(path)}
    module = network(weights, ["tanh"])
    finer = QuantizePass(**file, input_format="*=s14.12", output_format="s16.12")
    run_passes(Context(), module, [finer, FoldTablesPass()])
    ports = Model.of(module).ports()
    assert [port.width for port in (*ports[0], *ports[1])] == [14, 14, 16]
    with pytest.raises(KanError, match=r"edges.scale\[0\] is .* no power of two"):
        wrong = QuantizePass(**file, output_format="*=s14:0.3")
        run_passes(Context(), network(weights, ["tanh"]), [wrong])


FACTORS = st.sampled_from([1.0, 0.5, 0.3, -0.7, 1.7, -2.0, 0.0, 0.1])


@st.composite
def rescalings(draw: st.DrawFn) -> Rescaling:
    """Ports of up to 24 bits; nice decimals, so that values lie in the middle of two codes."""
    port = draw(port_formats()) if draw(st.booleans()) else NumberFormat(24, True, 0.001)
    low, high = port.codes
    bits, least = draw(st.integers(1, 8)), draw(st.sampled_from([0, -128, 3]))
    gain = draw(FACTORS)
    span = max(abs(gain), 0.1) * port.scale * (high - low + 1)
    step = span / 2**bits * draw(st.sampled_from([0.3, 1.0, 1.9]))
    scale = draw(st.sampled_from([step, float(f"{step:.1g}")]))
    target = CodeKind(least, least + (1 << bits) - 1, scale, draw(st.integers(-5, 200)))
    offset = draw(st.sampled_from([0.0, scale / 2, 0.3 * span, -0.1]))
    return Rescaling(CodeKind(low, high, port.scale, port.zero_point), target, gain, offset)


@settings(max_examples=150, deadline=None)
@given(rescalings(), st.integers(0, 1 << 30))
def test_wires_round_with_gain_and_offset(each: Rescaling, seed: int) -> None:
    source, target = each.source, each.target

    def vector(kind: CodeKind) -> UniformQuantizedType:
        bits, signed = storage_for(min(kind.low, 0), kind.high)
        return UniformQuantizedType(bits, signed, kind.scale, kind.zero_point)

    block = Block(arg_types=[TensorType(Float32Type(), [1])])
    ends = [np.array([[kind.low, kind.high]]) for kind in (source, target)]
    codes = QuantizeOp(block.args[0], vector(source), bounds=dense(ends[0]))
    affine = (np.array([each.gain]), np.array([each.offset]))
    rounded = RequantizeOp(
        codes, vector(target), bounds=dense(ends[1]), name="input0", affine=affine
    )
    real = DequantizeOp(rounded)
    block.add_ops([codes, rounded, real])
    module = module_of("net", block, real)
    ExpandWiresPass().apply(Context(), module)
    module.verify()
    drawn = np.random.default_rng(seed).integers(source.low, source.high, 500, endpoint=True)
    got = Model.of(module).run_codes(np.array([*ends[0][0], *drawn])[:, np.newaxis])[:, 0]
    for code, found in zip([*ends[0][0].tolist(), *drawn.tolist()], got.tolist(), strict=True):
        # docs/reference/numerics.md, in Python's float64.
        value = (code - source.zero_point) * source.scale
        expected = round((value * each.gain + each.offset) / target.scale) + target.zero_point
        assert found == min(max(expected, target.low), target.high)


@pytest.mark.parametrize("gain", [1.0, 0.3, -0.25])
def test_hardware_computes_gain_and_offset_of_a_file(tmp_path: Path, gain: float) -> None:
    weights = [np.array([[0.5, -0.7], [0.3, 0.9]])]
    module = network(weights, ["tanh"])
    run_passes(Context(), module, [QuantizePass(bits=5, input_format="*=s5.2")])
    output = io.StringIO()
    QuantizersTarget().emit(Context(), module, output)
    file = json.loads(output.getvalue())
    file["inputs"][0] |= {"gain": [gain, 1.0], "offset": [0.125, -0.5]}
    path = tmp_path / "quantizers.json"
    path.write_text(json.dumps(file))
    module = network(weights, ["tanh"])
    hardware = network(weights, ["tanh"])
    host = QuantizePass(quantizers=str(path))
    run_passes(Context(), module, [host, FoldTablesPass()])
    formats = [NumberFormat(14, False, 0.01, 5000), NumberFormat(12, True, 0.007)]
    options = ",".join(f"x{n}={each}" for n, each in enumerate(formats))
    ours = QuantizePass(quantizers=str(path), input_format=options)
    run_passes(Context(), hardware, [ours, *CompilePass(fast=True).expand()], Checker(count=64))
    circuit, reference = Model.of(hardware), Model.of(module)
    ports = circuit.ports()[0]
    assert [(port.width, port.gain, port.offset) for port in ports] == [(14, 1, 0), (12, 1, 0)]
    low, high = np.array([each.codes for each in formats]).T
    codes = np.random.default_rng(0).integers(low, high, (300, 2), endpoint=True)
    scales, points = np.array([(each.scale, each.zero_point) for each in formats]).T
    # The host's float64 on the values of the codes.
    expected = reference.run((codes - points) * scales)
    assert (circuit.run(decode(ports, codes)) == expected).all()
    assert len(np.unique(expected)) > 4


def test_gain_without_a_format_beside_formats_is_refused(tmp_path: Path) -> None:
    weights = [np.array([[0.5, -0.7]])]
    module = network(weights, ["tanh"])
    run_passes(Context(), module, [QuantizePass(bits=5, input_format="*=s5.2")])
    output = io.StringIO()
    QuantizersTarget().emit(Context(), module, output)
    file = json.loads(output.getvalue())
    file["inputs"][0] |= {"gain": [1.0, 2.0]}
    path = tmp_path / "quantizers.json"
    path.write_text(json.dumps(file))
    with pytest.raises(KanError, match=r"inputs\[0\].gain\[1\] is 2, and x1 has no format"):
        QuantizePass(quantizers=str(path), input_format="x0=s12.8").apply(
            Context(), network(weights, ["tanh"])
        )


# Networks that came with codes


def coded_network(seed: int, gain: float) -> ModuleOp:
    """Tables of two inputs and two outputs, with a batch norm in front as in KANELÉ's files."""
    rng = np.random.default_rng(seed)
    tables = TableNetwork("net", UniformQuantizedType(4, False, 0.3, 8), inputs=2)
    tables.add_layer(rng.integers(-9, 9, (3, 2, 16)), scale=0.1, saturate=(-16, 15))
    tables.add_layer(rng.integers(-9, 9, (2, 3, 32)), scale=0.2, saturate=(-16, 15))
    module = tables.module()
    if gain != 1.0:
        quantize = next(op for op in module.walk() if isinstance(op, QuantizeOp))
        affine = AffineOp(quantize.input, np.array([gain, 1.0]), np.array([0.25, 0.0]))
        Rewriter.insert_op(affine, InsertPoint.before(quantize))
        quantize.operands[0] = affine.result
    return module


@pytest.mark.parametrize("outputs", ["s12.6", "y0=s10:0.1,y1=s12:0.0125", "y0=s9:0.3,y1=u9:0.1:99"])
@pytest.mark.parametrize("inputs", ["s12.8", "x0=u12:0.003:2000,x1=u14:0.01", "x1=s8.3"])
@pytest.mark.parametrize("gain", [1.0, -0.4])
def test_formats_of_a_network_with_codes(inputs: str, outputs: str, gain: float) -> None:
    if gain != 1.0 and "x0" not in inputs and inputs.startswith("x1"):
        with pytest.raises(KanError, match=r"gain\[0\] is -0.4, and x0 has no format"):
            QuantizePass(input_format=inputs).apply(Context(), coded_network(0, gain))
        return
    plain, module = Model.of(coded_network(0, gain)), coded_network(0, gain)
    stages = CompilePass(fast=True, input_format=inputs, output_format=outputs).expand()
    run_passes(Context(), module, stages, Checker(count=64))
    circuit = Model.of(module)
    assert circuit.level == "hardware"
    ports, results = circuit.ports()
    given = [PortFormats.read(inputs, "x"), PortFormats.read(outputs, "y")]
    for letter, formats, side in zip("xy", given, (ports, results), strict=True):
        for port, each in zip(side, formats.of_ports(letter, 2, "net"), strict=True):
            if each is not None:
                assert (port.low, port.high) == each.codes
                assert (port.scale, port.zero_point) == (each.scale, each.zero_point)
    low, high = np.array([[port.low, port.high] for port in ports]).T
    codes = np.random.default_rng(1).integers(low, high, (400, 2), endpoint=True)
    got = circuit.run_codes(codes)
    real = plain.run(decode(ports, codes))
    for row, found in zip(real.tolist(), got.tolist(), strict=True):
        for value, code, port in zip(row, found, results, strict=True):
            expected = round(value / port.scale) + port.zero_point
            assert code == min(max(expected, port.low), port.high)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_format": "s4.2"}, "output y0 of @net has codes for -3.2 to 3, and its format"),
        ({"output_format": "y0=s12.4"}, "y0 of @net has a format, and y1 has none"),
        ({"input_format": "x2=s12.4"}, "a format is given for x2, but the inputs of @net are x0"),
        ({"input_format": "u8:1:-40"}, "input x0 of @net has codes for -2.4 to 2.1, and its"),
    ],
)
def test_formats_that_a_network_with_codes_cannot_have(
    options: dict[str, str], message: str
) -> None:
    with pytest.raises(KanError) as error:
        QuantizePass(**options).apply(Context(), coded_network(0, 1.0))
    assert message in str(error.value)


def test_a_network_with_codes_gets_formats_once() -> None:
    module = coded_network(0, 1.0)
    QuantizePass(input_format="s12.8", output_format="s12.6").apply(Context(), module)
    for options in ({"input_format": "s12.8"}, {"output_format": "s12.6"}):
        with pytest.raises(KanError, match="have formats already"):
            QuantizePass(**options).apply(Context(), module)


def test_a_partial_file_fixes_what_it_says(tmp_path: Path) -> None:
    weights = [np.array([[0.5, -0.7], [0.3, 0.9]]), np.array([[1.0, -0.5]])]
    path = tmp_path / "quantizers.json"
    base: dict[str, Any] = {"bits": 4, "input_format": "*=s12.10"}
    entries: dict[str, Any] = {"format": 1, "partial": True}
    entries["layers"] = [{"nodes": {"scale": [0.25, None], "high": [9, None]}}, None]

    def built(**options: Any) -> dict[str, Any]:
        module = network(weights, ["tanh", "sin"])
        run_passes(Context(), module, [QuantizePass(**options)])
        output = io.StringIO()
        QuantizersTarget().emit(Context(), module, output)
        return json.loads(output.getvalue())

    plain = built(**base)
    path.write_text(json.dumps(entries))
    found = built(**base, quantizers=str(path))
    assert found["inputs"] == plain["inputs"]
    nodes, before = found["layers"][0]["nodes"], plain["layers"][0]["nodes"]
    assert nodes["scale"] == [0.25, before["scale"][1]]
    assert nodes["high"] == [9, before["high"][1]] and nodes["bits"][0] == 4
    assert nodes["low"] == before["low"] and nodes["shift"] == before["shift"]
    assert found["layers"][0]["edges"]["scale"] == nodes["scale"]
    entries["layers"][0]["nodes"]["scle"] = [1.0]
    path.write_text(json.dumps(entries))
    with pytest.raises(KanError, match=r"layers\[0\].nodes.scle is not a field"):
        built(**base, quantizers=str(path))
    path.write_text(json.dumps({"format": 1, "partial": True, "layers": [None]}))
    with pytest.raises(KanError, match="layers has 1 entries, and the network 2"):
        built(**base, quantizers=str(path))


# Commands


def failing(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert flow(*arguments) == 1
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--input-format", "*=s12.8"],
            "input x0 of @wine has values from 11.41 to 14.83 in the calibration data, and its "
            "format s12.8 holds -8 to 7.99609; give a format with more bits or a larger scale",
        ),
        (
            ["--output-format", "*=s8.7"],
            "output y0 of @wine has values from",
        ),
        (["--input-format", "x13=s12.4"], "a format is given for x13, but the inputs of @wine are"),
        (["--input-format", "x0=s12:0"], "input-format: x0: a format with scale 0; a scale is"),
        (["--output-format", "y0=s12.4"], "y0 of @wine has a format, and y1 has none"),
        (["--input-format", "x0=s12_8"], "input-format: x0: 's12_8' is no number format"),
        (["--scale", "power"], "unknown scale method 'power'; use minmax, percentile, mse, pow2"),
    ],
)
def test_bad_formats_get_one_message(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str], message: str
) -> None:
    folder = tmp_path / "out"
    told = failing(capsys, "build", WINE, "--calibration", DATA, "-o", folder, *options)
    assert message in told
    assert told.count("\n") == 1 and not folder.exists()


@pytest.mark.parametrize(
    ("x", "options", "problem"),
    [
        # Rounding of float64 apart: a constant.
        ([[4e-15, -4e-15], [-4e-15, 4e-15]], {"output_format": "s12.6"}, None),
        ([[1e-310, -1e-310], [-1e-310, 1e-310]], {"input_format": "s32:2.28e-05"}, None),
        # One sample far out.
        (
            [[0.1, 0.0], [-0.5, 0.0], [1e19, 0.0]],
            {"input_format": "s4.15", "bits": 1},
            "the format s4.15 of inputs is 2^78 times as fine as 1-bit codes for",
        ),
    ],
)
def test_formats_of_values_that_hardly_vary(
    x: list[list[float]], options: dict[str, Any], problem: str | None, tmp_path: Path
) -> None:
    np.savez(tmp_path / "data.npz", x=np.array(x))
    module = parse_text(make_context(), NEARLY_CONSTANT.encode(), "test")
    passes = CompilePass(data=str(tmp_path / "data.npz"), fast=True, **options).passes()
    if problem is None:
        run_passes(Context(), module, passes)
    else:
        with pytest.raises(KanError, match=re.escape(problem)):
            run_passes(Context(), module, passes)


NEARLY_CONSTANT = """
func.func @net(%x: tensor<2xf32>) -> tensor<1xf32> {
  %e = kan.base "relu" %x as "layer0" weights dense<[[1.0, 0.5]]> : tensor<1x2xf32>
    : tensor<2xf32> -> tensor<1x2xf32>
  %s = kan.node_sum %e as "layer0" bias dense<0.3> : tensor<1xf32>
    : tensor<1x2xf32> -> tensor<1xf32>
  func.return %s : tensor<1xf32>
}
"""
