"""The Python API, against the commands, NumPy, PyTorch and ONNX Runtime."""

from __future__ import annotations

import inspect
import os
import pydoc
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import onnxruntime
import pytest
from commands import exit_code
from folded_design import FOLDED
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType, f64
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, result_def
from xdsl.passes import ModulePass

import kan_dialect as kan
from generators import option_types
from kan_dialect.cli.kan_flow import main as kan_flow
from kan_dialect.cli.kan_opt import main as kan_opt
from kan_dialect.cli.kan_run import main as kan_run
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.build_options import BuildOptions
from kan_dialect.flows.prove.prove import Outcome
from kan_dialect.flows.tools.place_and_route import PlaceAndRoute, Routed, placement_on
from kan_dialect.flows.tools.toolchain import find_simulator, look_for
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.semantics import Univariate
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.passbase.options import options_of
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.shown import Shown
from repository import EXAMPLES, ROOT, SMALL_LIBRARY

WINE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"
PAGE = ROOT / "docs" / "reference" / "python.md"

TO_TABLES = (f'kan-calibrate{{data="{DATA}"}}', "kan-quantize{bits=5}", "kan-fold-tables")

needs_verilator = pytest.mark.skipif(
    find_simulator("verilator") is None, reason="Verilator is not installed"
)


@pytest.fixture(scope="module")
def network() -> kan.Network:
    return kan.load(WINE, data=DATA)


@pytest.fixture(scope="module")
def tables(network: kan.Network) -> kan.Network:
    return network.apply(*TO_TABLES)


@pytest.fixture(scope="module")
def design(network: kan.Network) -> kan.Network:
    return network.compile(bits=5)


@pytest.fixture(scope="module")
def x() -> Any:
    return load_dataset(DATA).x_test


def command(main: Any, *arguments: object) -> None:
    assert exit_code(main, *arguments) == 0


def test_images_are_samples(network: kan.Network, x: Any, tmp_path: Path) -> None:
    images = np.asarray(x)[:, :, None]
    np.testing.assert_array_equal(network.run(images), network.run(x))
    np.save(tmp_path / "x.npy", images)
    command(kan_run, WINE, "--inputs", tmp_path / "x.npy", "--outputs", tmp_path / "y.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), network.run(x))


def test_importing_the_package_imports_neither_onnx_nor_commands() -> None:
    code = "import sys, kan_dialect; print([m for m in sys.modules if m in ('onnx', 'xdsl')])"
    bare = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert bare.stdout.strip() == "[]"
    code = (
        "import sys, kan_dialect as kan; kan.load;"
        "print([m for m in sys.modules if m.startswith('kan_dialect.cli')])"
    )
    used = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert used.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        kan.lode  # type: ignore[attr-defined]  # noqa: B018
    assert {"load", "Network", "from_ir"} <= set(dir(kan))


def test_floats_are_those_of_onnx_runtime(network: kan.Network, x: Any) -> None:
    session = onnxruntime.InferenceSession(str(WINE))
    feed = {session.get_inputs()[0].name: x.astype(np.float32)}
    (expected,) = session.run(None, feed)
    np.testing.assert_allclose(network.run(x), np.asarray(expected), atol=1e-4)
    np.testing.assert_array_equal(network(x.tolist()), network.run(x))
    assert (network.level, network.shape, network.name) == ("spline", (13, 3), "wine")


def test_nodes_are_sums_of_edges(network: kan.Network, x: Any) -> None:
    """Each layer's edges, summed by NumPy, are its nodes, and the next layer's inputs."""
    outputs, nodes = network.run_nodes(x)
    values = x
    for layer in network.layers:
        edges = layer(values)
        assert edges.shape == (len(x), *layer.shape)
        values = np.where(layer.mask, edges, 0.0).sum(axis=2) + layer.bias
        for node in range(layer.shape[0]):
            named = nodes[f"{layer.name}_node{node}"]
            np.testing.assert_allclose(named, values[:, node], atol=1e-12)
    np.testing.assert_allclose(outputs, values, atol=1e-12)


def test_an_edge_is_a_column_of_its_layer(network: kan.Network, tables: kan.Network) -> None:
    at = np.linspace(-3.0, 3.0, 24).reshape(2, 3, 4)
    for each in (network, tables):
        layer = each.layers[0]
        whole = layer(np.repeat(at.reshape(-1, 1), 13, axis=1))
        edge = layer.edge(2, 7)
        np.testing.assert_array_equal(edge(at), whole[:, 2, 7].reshape(at.shape))
        assert edge.name == "layer0_edge2_7"
    assert edge(0.5).shape == ()


def test_tables_compute_the_network_by_numpy_alone(tables: kan.Network) -> None:
    """Gathers and sums of the tables give the codes of run_nodes."""
    rng = np.random.default_rng(0)
    first, second = tables.layers
    low, high = first.input_bounds.T
    codes = rng.integers(low, high + 1, size=(200, 13))
    outputs, nodes = tables.run_nodes(codes)

    def sums(layer: kan.Layer, codes: Any) -> Any:
        index = codes - layer.input_codes[0]
        picked = [layer.tables[:, i, index[:, i]] for i in range(layer.shape[1])]
        biases = np.rint(layer.bias / layer.output_scale[:, 0]).astype(int)
        return np.sum(picked, axis=0).T + biases

    hidden = np.stack([nodes[f"layer0_node{n}"] for n in range(4)], axis=1)
    # The hidden nodes are requantised: to the nearest code of the second layer's inputs.
    real = sums(first, codes) * first.output_scale[:, 0]
    ideal = np.rint(real / second.input_scale) + second.input_zero_point
    low, high = second.input_bounds.T
    np.testing.assert_array_equal(hidden, ideal.clip(low, high))
    np.testing.assert_array_equal(outputs[:, 0] * 0 + sums(second, hidden)[:, 0], outputs[:, 0])


def test_tables_are_rounded_functions(network: kan.Network, tables: kan.Network) -> None:
    """Each entry is the float function at its code, rounded to the edge's scale."""
    edge, exact = tables.layers[0].edge(1, 2), network.layers[0].edge(1, 2)
    x = (edge.input_codes - edge.input_zero_point) * edge.input_scale
    np.testing.assert_array_equal(edge.table, np.rint(exact(x) / edge.output_scale))
    np.testing.assert_allclose(edge(x), edge.table * edge.output_scale)
    assert edge.input_bounds == (0, 31)
    # Before tables are folded, they are computed from the functions.
    unfolded = network.apply(*TO_TABLES[:2])
    np.testing.assert_array_equal(unfolded.layers[1].tables, tables.layers[1].tables)
    with pytest.raises(ValueError):
        tables.layers[0].tables[0, 0, 0] = 1


@irdl_op_definition
class SincOp(IRDLOperation, Univariate):
    """Edges of a package of its own: node o has sinc((o + 1) x)."""

    name = "test.sinc"
    input = operand_def(TensorType)
    result = result_def(TensorType)

    def evaluate(self, operands: Sequence[Any]) -> Sequence[Any]:
        nodes = np.arange(1, self.result.type.get_shape()[0] + 1)
        return (np.sinc(operands[0][:, np.newaxis] * nodes[:, np.newaxis]),)


def sincs() -> ModuleOp:
    """A network of two nodes and three inputs."""
    function = func.FuncOp("sincs", ([TensorType(f64, [3])], [TensorType(f64, [2])]))
    edges = SincOp.create(operands=[function.args[0]], result_types=[TensorType(f64, [2, 3])])
    nodes = NodeSumOp(edges.result)
    function.body.block.add_ops([edges, nodes, func.ReturnOp(nodes.result)])
    return ModuleOp([function])


def test_edge_functions_of_other_packages() -> None:
    x = np.random.default_rng(1).uniform(-2, 2, size=(50, 3))
    network = kan.from_ir(sincs(), data=x)
    (layer,) = network.layers
    exact = np.sinc(x[:, np.newaxis] * np.array([[1], [2]]))
    np.testing.assert_allclose(layer(x), exact)
    np.testing.assert_allclose(layer.edge(1, 2)(x[:, 2]), np.sinc(2 * x[:, 2]))
    np.testing.assert_allclose(network.run(x), exact.sum(axis=2))
    tables = network.compile(bits=6, level="table", check=True)
    edge = tables.layers[0].edge(1, 2)
    at = (edge.input_codes - edge.input_zero_point) * edge.input_scale
    low, high = edge.input_bounds
    read = slice(low - edge.input_codes[0], high - edge.input_codes[0] + 1)
    expected = np.rint(np.sinc(2 * at) / edge.output_scale)
    np.testing.assert_array_equal(edge.table[read], expected[read])


def test_ports_and_codes(design: kan.Network, tables: kan.Network, x: Any) -> None:
    assert [port.name for port in design.inputs] == [f"x{i}" for i in range(13)]
    scale = np.array([port.scale for port in design.inputs])
    zero = np.array([port.zero_point for port in design.inputs])
    ends = [(port.low, port.high) for port in design.inputs]
    codes = (np.rint(x / scale) + zero).clip(*np.array(ends).T).astype(int)
    outputs = design.run_codes(codes)
    np.testing.assert_array_equal(outputs, tables.run_codes(codes))
    real = [(q - p.zero_point) * p.scale for q, p in zip(outputs.T, design.outputs, strict=True)]
    np.testing.assert_allclose(design.run(x), np.stack(real, axis=1))
    assert design.latency_cycles > 0
    assert (design.interval_cycles, kan.load(FOLDED).interval_cycles) == (1, 4)


def test_same_rtl_as_kan_opt(design: kan.Network, tables: kan.Network, tmp_path: Path) -> None:
    pipeline = f'kan-compile{{data="{DATA}" bits=5}}'
    output = tmp_path / "wine.sv"
    command(kan_opt, WINE, "--samples", DATA, "-p", pipeline, "-t", "systemverilog", "-o", output)
    assert output.read_text() == design.systemverilog() == design.text("systemverilog")
    ir = tmp_path / "tables.mlir"
    command(kan_opt, WINE, "--samples", DATA, "-p", ",".join(TO_TABLES), "-o", ir)
    assert ir.read_text().rstrip() == tables.text().rstrip()
    assert kan.from_ir(tables.text()).text() == tables.text()
    assert kan.load(ir).text() == tables.text()
    # From tables on, and by a pass as an object, it is the same.
    halfway = kan.load(WINE, data=DATA).compile(bits=5, level="table")
    assert halfway.compile().systemverilog() == design.systemverilog()
    whole = kan.load(WINE, data=DATA).apply(CompilePass(str(DATA), bits=5))
    assert whole.systemverilog() == design.systemverilog()


def test_same_folder_as_kan_flow_build(network: kan.Network, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    common = ("--simulator", "none", "--certificate", "never", "--vectors", "50")
    command(
        kan_flow, "build", WINE, "--calibration", DATA, "--bits", "5", "--mhz", "200", *common,
        "--name", "other", "-o", theirs,
    )  # fmt: skip
    arrays = dict(np.load(DATA))
    built = network.build(
        ours, data=arrays, bits=5, mhz=200, simulator="none", certificate="never", vectors=50,
        name="other",
    )  # fmt: skip
    files = sorted(p.relative_to(theirs) for p in theirs.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(ours) for p in ours.rglob("*") if p.is_file())
    for file in files:
        if file.name not in ("report.html", "report.json", "README.md", ".kan-files"):
            assert (ours / file).read_bytes() == (theirs / file).read_bytes(), file
    for jobs, message in (("a", "jobs takes a whole number"), (0, "lie in 1"), (-1, "lie in 1")):
        with pytest.raises(kan.KanError, match=message):
            built.prove(jobs=jobs)  # type: ignore[arg-type]
    left, right = built.report, kan.Build(theirs).report
    del right["command"], right["sources"]["calibration"]
    left["tools"], right["tools"] = None, None
    assert left == right
    assert built.systemverilog() == built.rtl.read_text()
    assert kan.load(built.stages[-1]).systemverilog() == built.systemverilog()


def test_options_are_those_that_the_pass_declares(network: kan.Network) -> None:
    for options, message in (
        ({"bitz": 5}, "there is no option bitz; did you mean bits"),
        ({"bits": "many"}, "bits takes .*auto.* got 'many'"),
        ({"bits": 99}, "bits must lie in"),
        ({"precision": "automatic"}, "precision takes given or auto, got 'automatic'"),
        ({"fast": 1}, "fast takes true or false, got 1"),
        ({"target": "virtex"}, "virtex"),
    ):
        with pytest.raises(kan.KanError, match=message):
            network.compile(**options)  # type: ignore[arg-type]
    widths = network.compile(level="table", bits=[6, np.int64(4), 5])
    assert {port.width for port in widths.inputs} == {6}
    assert widths.level == "table" and "bits=6,4,5" in " ".join(widths.passes)


def test_an_option_of_a_new_field_is_known_at_once() -> None:
    """What `compile` takes is read from the pass, so no option of it is unknown."""
    from dataclasses import fields

    from kan_dialect.api.options import split_options

    given = {f.name: f.default for f in fields(CompilePass) if f.init and f.name != "data"}
    found = split_options(given, {"compile": CompilePass})["compile"]  # type: ignore[arg-type]
    assert found == given


def test_types_of_options_are_those_that_passes_declare() -> None:
    """As editors and `help` show them."""
    for path, text in option_types.modules().items():
        assert path.read_text() == text, f"{path} is out of date: run make reference"
    for function, owner in ((kan.Network.compile, CompilePass), (kan.Network.tune, CompilePass)):
        parameters = inspect.signature(function).parameters
        for option in options_of(owner):
            if option.field != "data":
                assert parameters[option.field].default == option.default
                assert f"{option.field} : {option.help}"[:50] in (inspect.getdoc(function) or "")
    help_of_build = pydoc.plain(pydoc.render_doc(kan.Network.build))
    assert "mhz: 'float | None' = None" in help_of_build
    assert "beat_bits : " in help_of_build and "**options" not in help_of_build


USER = """
from typing import assert_type

import kan_dialect as kan

network = kan.load("model.onnx", data="data.npz")
design = network.compile(bits=[6, 5], mhz=300, max_accuracy_loss="0.5%", head="top-k", k=2)
assert_type(design, kan.Network)
luts: int = design.estimate("ecp5").luts
built = network.build("out", bits=5, interface="axi-stream", simulator="none", vectors=100)
proven: bool = built.prove(jobs=2).proven
edge = design.layers[0].edge(1, 2)
trained = kan.train("data.npz", hidden=(3,), max_luts=200)
found: float | None = trained.test_score
"""


@pytest.mark.ci
def test_a_users_script_is_type_checked(tmp_path: Path) -> None:
    """By pyright, strictly, with the package as `pip install --editable` leaves it."""
    hidden = ("kan_dialect", "__editable__", "kan-dialect")
    library = Path(sysconfig.get_path("purelib"))
    venv.create(tmp_path / "env", symlinks=True)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    for entry in library.iterdir():
        if not entry.name.startswith(hidden) and entry.suffix != ".pth":
            (site / entry.name).symlink_to(entry)
    (site / "kan_dialect.pth").write_text(editable_path(tmp_path / "editable"))
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')

    def told(script: str) -> str:
        (tmp_path / "user.py").write_text(script)
        python = tmp_path / "env" / "bin" / "python"
        command = [sys.executable, "-m", "pyright", "--pythonpath", python, "user.py"]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env=environment
        )
        return done.stdout

    assert "0 errors" in told(USER)
    for wrong, reason in (
        ("network.compile(bitz=5)", 'No parameter named "bitz"'),
        ("network.compile(mhz='fast')", 'not assignable to "float"'),
        ("kan.train('a.npz', hiden=(3,))", 'No parameter named "hiden"'),
    ):
        assert reason in told(USER + wrong)


def editable_path(folder: Path) -> str:
    """What setuptools' editable wheel adds to the path, for the project's settings."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("kan_dialect", "frontends", "passes", "lowering", "flows", "api", "qat", "cli"):
        shutil.copytree(ROOT / name, source / name, symlinks=True)
    code = "import setuptools.build_meta as b; b.build_editable('..')"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".pth")]
        return archive.read(name).decode()


class Breaks(ModulePass):
    """Adds 1 to an entry, and claims to be exact."""

    name = "test-breaks"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        edited = kan.from_ir(op)
        tables = edited.layers[0].tables.copy()
        tables[0, 0] += 1
        new = edited.with_tables(0, tables).module()
        block = op.body.block
        for old in list(block.ops):
            old.detach()
            old.erase()
        for each in list(new.body.block.ops):
            each.detach()
            block.add_op(each)


def test_passes_by_name_and_as_objects(network: kan.Network, tables: kan.Network) -> None:
    before = network.text()
    named = network.apply(TO_TABLES[0], "kan-quantize{bits=5},kan-fold-tables")
    objects = network.apply(CalibratePass(str(DATA)), QuantizePass(bits=5), "kan-fold-tables")
    assert named.text() == objects.text()
    assert network.text() == before
    checked = network.apply(*TO_TABLES, check=True)
    assert [line.partition(":")[0] for line in checked.checks] == [
        "kan-calibrate", "kan-quantize", "kan-fold-tables",
    ]  # fmt: skip
    levels = [step.level for step in network.steps(*TO_TABLES, "kan-expand-wires")]
    assert levels == ["spline", "table", "table", "wire"]
    assert tables.apply().text() == tables.text()
    # Without a check a pass may break its claim; with it, it is told.
    assert tables.apply(Breaks()).passes[-1] == "(changed by test-breaks)"
    with pytest.raises(kan.KanError, match="test-breaks does not keep the function @wine"):
        tables.apply(Breaks(), check=True)
    for wrong, message in (
        ("kan-quantise", "unknown pass 'kan-quantise'; did you mean kan-quantize"),
        ("kan-quantize{bit=5}", "has no option 'bit'"),
        (QuantizePass, "the class QuantizePass is no pass"),
        (5, "5 is no pass"),
    ):
        with pytest.raises(kan.KanError, match=message):
            network.apply(wrong)  # type: ignore[arg-type]


def test_passes_get_the_samples_of_the_network(network: kan.Network, tmp_path: Path) -> None:
    """As a file or in memory, from `load` or from `apply`; not where the text names a file."""
    arrays = dict(np.load(DATA))
    text = "kan-fold-affine,kan-calibrate"
    expected = network.apply("kan-fold-affine", f'kan-calibrate{{data="{DATA}"}}').text()
    assert kan.load(WINE, data=DATA).apply(text).text() == expected
    assert kan.load(WINE, data=arrays).apply(text).text() == expected
    without = kan.load(WINE)
    assert without.apply(text, data=arrays).text() == expected
    assert [each.text() for each in without.steps(text, data=arrays)][-1] == expected
    with pytest.raises(kan.KanError, match=r"pass kan-calibrate.*data"):
        without.apply(text)
    other = tmp_path / "other.npz"
    np.savez(other, x=arrays["x_train"][:20])
    named = f'kan-fold-affine,kan-calibrate{{data="{other}"}}'
    assert network.apply(named).text() == without.apply(named).text() != expected
    compiled = kan.load(WINE, data=arrays).apply("kan-compile{bits=3 fast=true}")
    assert compiled.text() == network.compile(bits=3, fast=True).text()
    built = kan.load(WINE, data=arrays).build(
        tmp_path / "built", passes=f"{text},kan-compile{{bits=3 fast=true}}", simulator="none"
    )
    assert built.report["accuracy"]


def test_an_edited_table(tables: kan.Network) -> None:
    layer = tables.layers[0]
    entries = layer.tables.copy()
    entries[3, 5, 7] += 40
    edited = tables.with_tables(0, entries)
    np.testing.assert_array_equal(edited.layers[0].tables, entries)
    assert edited.passes[-1].startswith("(edited")
    codes = np.tile(layer.input_bounds[:, 0], (32, 1))
    codes[:, 5] = layer.input_codes
    assert len(set(codes[:, 5])) == 32
    old, new = (each.run_nodes(codes)[1]["layer0_node3"] for each in (tables, edited))
    assert np.flatnonzero(old != new).tolist() == [7]
    hardware = edited.compile()
    np.testing.assert_array_equal(hardware.run_codes(codes), edited.run_codes(codes))
    assert "edited" in hardware.systemverilog().split("module ")[0]
    with pytest.raises(kan.KanError, match=r"have shape \(4, 13, 32\), got \(4, 13, 31\)"):
        tables.with_tables(0, entries[:, :, 1:])
    with pytest.raises(kan.KanError, match="has no layer 2; it has 2"):
        tables.with_tables(2, entries)


def test_an_edit_that_readers_have_no_room_for() -> None:
    element = UniformQuantizedType(2, False, 1.0)
    builder = TableNetwork("tiny", element, inputs=2)
    builder.add_layer(np.arange(16).reshape(2, 2, 4) % 3)
    tiny = kan.from_ir(builder.module())
    changed = tiny.layers[0].tables * 1000
    edited = tiny.with_tables(0, changed)
    assert edited.run_codes([[3, 3]]).tolist() == [changed[:, :, 3].sum(axis=1).tolist()]


def test_estimate_is_that_of_the_report(design: kan.Network, network: kan.Network) -> None:
    wires = network.compile(bits=5, level="wire")
    assert wires.estimate("xcup") == design.estimate("xcup")
    assert design.estimate("lut4").luts > design.estimate("xcup").luts
    with pytest.raises(kan.KanError, match="spline level; estimates are made from the wire level"):
        network.estimate()
    with pytest.raises(kan.KanError, match="before lower-kan-to-hw"):
        kan.from_ir(design.text()).estimate()


def test_messages(network: kan.Network, tables: kan.Network, design: kan.Network) -> None:
    unknown: dict[str, Any] = {"bitz": 5}
    for call, message in (
        (lambda: kan.load("nowhere.onnx"), "there is no file nowhere.onnx"),
        (lambda: kan.load(3), "cannot load an object of type int; give a path"),
        (lambda: kan.load(WINE, data="nowhere.npz"), "there is no data file nowhere.npz"),
        (lambda: kan.load(WINE, data={"z": [[1.0]]}), "data has no array `x`"),
        (lambda: kan.load(WINE, data={1: [[1.0]]}), "names of arrays are texts, got 1"),  # type: ignore[dict-item]
        (
            lambda: kan.load(WINE, name="module"),
            "'module' is no name for a module",
        ),
        (lambda: kan.load(WINE, name="a b"), "'a b' is no name for a module: it is no identifier"),
        (lambda: kan.load(WINE, name=""), "'' is no name for a module"),
        (lambda: kan.load(WINE, name=3), "name takes text, got 3"),  # type: ignore[arg-type]
        (lambda: kan.load(WINE, data=[["a"]]), "data holds <U1, not numbers"),  # type: ignore[arg-type]
        (lambda: kan.load(WINE, example_input=1), "example_input is for PyTorch modules"),
        (lambda: kan.load(WINE, table_overflow="wrap"), "no tables whose entries might overflow"),
        (lambda: kan.from_ir("func.func @f("), "IR:1"),
        (lambda: kan.from_ir(3), "takes IR as text or as a ModuleOp, got an object of type int"),  # type: ignore[arg-type]
        (
            lambda: kan.from_ir("builtin.module {}"),
            "exactly one function",
        ),
        (lambda: network.run([[1.0, 2.0]]), r"must have shape \(samples, 13\), got \(1, 2\)"),
        (lambda: network.run([1.0, [2.0]]), "rows differ in length"),  # type: ignore[list-item]
        (lambda: network.run_codes([[1] * 13]), "@wine has no codes yet: it is at spline level"),
        (lambda: tables.run_codes([[0.5] * 13]), "codes are integers, got float64"),
        (
            lambda: tables.with_tables(0, tables.layers[0].tables + 0.5),
            "entries of tables are integers, got float64; an entry t stands for t times",
        ),
        (
            lambda: tables.with_tables(
                0, np.full_like(tables.layers[0].tables, 2**64 - 1, dtype=np.uint64)
            ),
            "entries of tables have at most 63 bits, got 18446744073709551615",
        ),
        (
            lambda: tables.with_tables(0, tables.layers[0].tables * 0 + (2**31 - 1)),
            "a quantised type holds 1 to 32 bits",
        ),
        (lambda: tables.run_codes([[99] * 13]), "99"),
        (lambda: tables.run([[np.nan] * 13]), "is not a number"),
        (lambda: tables.layers[0].edge(1, 2)([np.nan]), "is not a number"),
        (lambda: network.inputs, "@wine has no codes yet"),
        (lambda: network.layers[0].tables, "layer0 has no tables: its edges give real numbers"),
        (lambda: network.layers[0].input_codes, "layer0 has no codes: its inputs are real"),
        (lambda: network.layers[0].edge(4, 0), "layer0 has no node 4; take one of 0 to 3"),
        (lambda: network.layers[0].edge(0, -1), "layer0 has no input -1"),
        (lambda: design.layers, "@wine is at hardware level, where layers have become wires"),
        (lambda: tables.systemverilog(), "@wine is at table level, not hardware"),
        (lambda: tables.text("systemverilg"), "did you mean systemverilog"),
        (lambda: tables.text(3), "target takes text, got 3"),  # type: ignore[arg-type]
        (lambda: design.compile(level="table"), "does not come to table level"),
        (lambda: network.compile(level="gates"), "there is no level 'gates'"),  # type: ignore[arg-type]
        (lambda: network.estimate("virtex"), "virtex"),
        (lambda: kan.Build("nowhere"), "there is no folder nowhere"),
        (lambda: network.build("out", name=3), "name takes text, got 3"),  # type: ignore[arg-type]
        (lambda: network.tune("out", jobs="a"), "jobs takes a whole number, got 'a'"),  # type: ignore[arg-type]
        (lambda: network.build("out", **unknown), "did you mean bits"),
        (lambda: network.build("out", passes="kan-narrow", bits=5), "there is no option bits"),
    ):
        with pytest.raises(kan.KanError, match=message):
            call()


def test_notebooks_show_networks(
    network: kan.Network, tables: kan.Network, design: kan.Network
) -> None:
    for each in (network, tables, design):
        html = each._repr_html_()
        assert f"<td style='text-align:left'>{each.level}</td>" in html
    assert "4 of" not in network._repr_html_() and "13 → 4, 52 edges" in network._repr_html_()
    assert "LUTs" in design._repr_html_()


def test_pictures(network: kan.Network, tables: kan.Network) -> None:
    assert "<svg" in network._repr_html_() and "<svg" in tables.picture(colour="luts")
    edge, exact = tables.layers[0].edge(1, 2), network.layers[0].edge(1, 2)
    for text in (edge.picture(exact), edge._repr_html_(), exact.picture()):
        assert "<svg" in text and "layer0_edge1_2" in text


def returned_kinds() -> set[type]:
    """Classes of this package that public members of the API return."""
    found: set[type] = set()
    functions: list[Any] = [kan.load, kan.from_ir]
    for owner in (kan.Network, kan.Layer, kan.Edge, kan.Build):
        for name, each in vars(owner).items():
            if not name.startswith("_"):
                functions.append(getattr(each, "fget", None) or getattr(each, "func", None) or each)
    pending: list[Any] = [
        eval(function.__annotations__["return"], function.__globals__)
        for function in functions
        if callable(function)
    ]
    while pending:
        kind = pending.pop()
        pending += get_args(kind)
        kind = get_origin(kind) or kind
        if isinstance(kind, type) and kind.__module__.startswith("kan_dialect"):
            found.add(kind)
    return found


TINY = """
func.func @tiny(%x: !kan.int<0:3>) -> !kan.int<0:9> {
  %t = kan.table %x as "t" entries dense<[0, 1, 4, 9]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:9>
  %d = kan.delay %t by 1 : !kan.int<0:9>
  func.return %d : !kan.int<0:9>
}
"""


@pytest.mark.ci
@pytest.mark.skipif(look_for("yosys") is None, reason="Yosys is not installed")
@pytest.mark.skipif(find_spec("bitwuzla") is None, reason="Bitwuzla is not installed")
def test_every_object_is_shown_on_a_few_lines(
    network: kan.Network, tables: kan.Network, design: kan.Network, tmp_path: Path
) -> None:
    """In consoles, at most ten lines of 120 characters; and in notebooks."""
    options: dict[str, Any] = {"simulator": "none", "interface": "axi-stream"}
    built = kan.from_ir(TINY).build(tmp_path / "tiny", **options)
    proof = built.prove()
    wrong = replace(proof, valid_problem="it rises a cycle early")
    run = Routed(100.0, 1.0, 1.0, None, {"TRELLIS_COMB": 5})
    routed = PlaceAndRoute(placement_on("ecp5"), "0.1", 1, False, [run] * 40, [run] * 40)
    figures = {f"figure_{number}": number / 3 for number in range(60)}
    tuned = kan.Tuned(
        tmp_path,
        "kan-compile{bits=6}," * 40,
        figures,
        1 / 3,
        False,
        figures,
        figures,
        (figures,) * 40,
    )
    step = kan.load(EXAMPLES / "load.mlir").apply("kan-make-trainable")
    objects: list[Any] = [
        step,
        step.apply("lower-training-to-hw"),
        network,
        tables,
        design,
        tables.layers[0],
        tables.layers[0].edge(1, 2),
        tables.layers[0].model,
        design.inputs[0],
        design.data,
        design.estimate(),
        built,
        proof,
        wrong,
        proof.outcomes[0],
        built.prove_wrapper(),
        *built.prove_properties({"ends": {"range": "y0"}}),
        built.synthesize(),
        built.synthesize_asic(SMALL_LIBRARY),
        routed,
        tuned,
    ]
    for each in objects:
        lines = repr(each).splitlines()
        assert len(lines) <= 10 and max(map(len, lines)) <= 120, type(each)
        assert lines[0].startswith(f"{type(each).__name__}("), lines
        assert type(each).__repr__ is not object.__repr__
    assert repr(step) == "Network(load: spline level, trains itself)"
    assert "proven=True" in repr(proof) and "outputs=1" in repr(proof)
    assert "proven=False, problem='it rises a cycle early'" in repr(wrong)
    assert repr(network.data).startswith("Dataset(x=(124, 13), y=(124,)")
    for each in objects[10:]:
        if not isinstance(each, Outcome):
            assert "<table>" in each._repr_html_()
    shown = {kind for each in objects for kind in type(each).__mro__}
    unseen = returned_kinds() - shown
    assert {kind for kind in unseen if kind.__repr__ is not Shown.__repr__} == set()


# The documentation page.


def section_of(heading: str) -> str:
    """The text below a heading of the page."""
    _, section = PAGE.read_text().split(f"\n## {heading}\n", 1)
    return section.split("\n## ", 1)[0]


@pytest.mark.parametrize("kind", [kan.Build, kan.Edge, kan.Layer, kan.Network])
def test_the_page_has_every_public_member(kind: type) -> None:
    page = PAGE.read_text()
    members = [name for name in vars(kind) if not name.startswith("_")]
    assert members
    assert [each for each in members if not re.search(rf"`[^`\n]*\b{each}\b[^`\n]*`", page)] == []


def test_the_page_has_every_option_of_a_build() -> None:
    named = set(re.findall(r"`(\w+)`", section_of("Building and proving")))
    owners = (BuildOptions, WrapInterfacePass)
    options = {each.field for owner in owners for each in options_of(owner)}
    filled_in = {"passes", "dataset", "origin", "original"}
    # The target is an option of kan-compile; the folders are those of commands.
    assert options - filled_in - {"target", "work_dir", "check_dir"} - named == set()


def block_with_torch(heading: str) -> str:
    """An example of the page that needs PyTorch; test_code_blocks.py runs the others."""
    (found,) = re.findall(
        r"<!-- not run: needs PyTorch -->\n```python\n(.*?)```",
        section_of(heading),
        re.DOTALL,
    )
    return found


@needs_verilator
def test_from_a_trained_module_to_verified_rtl(
    torch: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """The example of the page, on a module that is trained here; outputs against PyTorch's."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("matplotlib")
    code = block_with_torch("From PyTorch to verified RTL")
    assert len(code.strip().splitlines()) - code.count("\n\n") <= 10
    torch.manual_seed(0)

    knots = (torch.arange(12) - 3.0) * 0.6 - 1.5

    def basis(x: Any) -> Any:
        """Cubic B-splines, by the recursion of de Boor."""
        x = x.unsqueeze(-1)
        found = ((x >= knots[:-1]) & (x < knots[1:])).to(x.dtype)
        for k in range(1, 4):
            left = (x - knots[: -k - 1]) / (knots[k:-1] - knots[: -k - 1])
            right = (knots[k + 1 :] - x) / (knots[k + 1 :] - knots[1:-k])
            found = left * found[..., :-1] + right * found[..., 1:]
        return found

    class Layer(torch.nn.Module):  # type: ignore[misc]
        """Edges of cubic B-splines on five intervals."""

        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.randn(outputs, inputs, 8) * 0.3)

        def forward(self, x: Any) -> Any:
            weights = self.weight.flatten(1)
            return torch.nn.functional.linear(basis(x).flatten(1), weights)

    model = torch.nn.Sequential(Layer(2, 3), Layer(3, 1))
    x = torch.rand(300, 2) * 3 - 1.5
    target = (x**2).sum(dim=1, keepdim=True).sin()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        optimiser.zero_grad()
        loss = ((model(x) - target) ** 2).mean()
        loss.backward()
        optimiser.step()
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"model": model, "x": x.numpy()}
    exec(compile(code, str(PAGE), "exec"), names)
    assert "<svg" in (tmp_path / "edge.svg").read_text()
    report = names["built"].report
    assert report["simulation"]["mismatches"] == 0 and report["float_engine"].startswith("PyTorch")
    expected = model(x).detach().double().numpy()
    np.testing.assert_allclose(names["network"].run(x), expected, atol=1e-4)
    assert report["max_abs_error"] < 0.5
    # The edge of the picture is the module's function, by PyTorch.
    trained = (basis(x[:, 0]) @ model[0].weight[1, 0]).detach().numpy()
    np.testing.assert_allclose(names["trained"](x[:, 0]), trained, atol=1e-5)
    with pytest.raises(kan.KanError, match="give data, or example_input"):
        kan.load(model)
    assert kan.load(model, example_input=torch.zeros(1, 2)).name == "kan"


def test_training(torch: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """The example of the page, with fewer steps, prints the front and builds the chosen network."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    names: dict[str, Any] = {"kan": kan}
    code = block_with_torch("Training").replace("hidden=(3,)", "hidden=(3,), steps=300, folds=1")
    exec(compile(code, str(PAGE), "exec"), names)
    assert names["trained"].front and (tmp_path / "out" / "train").is_dir()
    assert (tmp_path / "out" / "wine" / "report.json").exists()


def test_messages_show_long_constants_in_part() -> None:
    digits = "00" * 4000
    text = (
        "func.func @f(%x : tensor<2xf64>) -> tensor<2xf64> {\n"
        f'  %0 = kan.affine %x scale dense<"0x{digits}"> wrong\n'
        "}"
    )
    with pytest.raises(kan.KanError) as raised:
        kan.from_ir(text)
    place, line, carets, message = str(raised.value).split("\n")
    assert place.startswith("IR:2:") and len(line) < 130
    assert line[carets.index("^") : len(carets)] == "wrong"
    assert message.index("Expected") == carets.index("^")
