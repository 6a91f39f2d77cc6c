"""Names of features and classes: where they come from, every file that shows them, refusals."""

from __future__ import annotations

import ast
import csv
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from commands import exit_code
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects import hw

import kan_dialect as kan
from kan_dialect.cli.kan_flow import main as kan_flow
from kan_dialect.cli.kan_opt import main as kan_opt
from kan_dialect.cli.kan_run import main as kan_run
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.host.codec import codec_text
from kan_dialect.flows.host.emulator import emulator_text, write_emulator
from kan_dialect.flows.host.loading import load_module
from kan_dialect.flows.json_text import json_text
from kan_dialect.flows.page.page import build_page, model_page
from kan_dialect.flows.prove.text import check_text
from kan_dialect.flows.readme import readme_text
from kan_dialect.flows.report_ports import port_entries
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.ir.attributes.data_schema import DataSchema
from kan_dialect.ir.module_verifier import verify_module
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.vhdl import emit_vhdl
from kan_dialect.model.model import Model
from kan_dialect.multiverse import installed_universe
from kan_dialect.passbase.pipeline import build_pipeline

pyslang: Any = pytest.importorskip("pyslang", reason="pyslang is not installed")

NETWORK = """\
func.func @flowers(%x: tensor<2xf32>) -> tensor<3xf32> {
  %e = kan.bspline %x as "layer0" degree 1 extend knots dense<[-2.0, 0.0, 2.0]> : tensor<3xf64>
    coefficients dense<[[[1.0, 0.0, -1.0], [0.5, 0.0, 0.0]], [[-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
      [[0.0, 1.0, 1.0], [0.0, -1.0, 0.0]]]> : tensor<3x2x3xf64> : tensor<2xf32> -> tensor<3x2xf32>
  %y = kan.node_sum %e as "layer0" : tensor<3x2xf32> -> tensor<3xf32>
  func.return %y : tensor<3xf32>
}
"""
CLASSES = ("aster", "rose", "tulip")
FEATURES = ("petal width", 'length "cm"')
OTHER = ("petal width", "mass")
REFUSED = (
    "has no column 'length \"cm\"', which input x1 of the network takes; its columns are petal "
    "width, mass"
)


def write_csv(path: Path, features: Iterable[str], classes: Iterable[str] = CLASSES) -> Path:
    """Forty samples of two features, with classes of text."""
    x = np.random.default_rng(1).uniform(-2, 2, (40, 2)).round(3)
    names = list(classes)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([*features, "class"])
        rows.writerows([*row, names[number % 3]] for number, row in enumerate(x.tolist()))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network without names."""
    path = tmp_path / "flowers.mlir"
    path.write_text(NETWORK)
    return path


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """A network with names of its features, in IR."""
    path = tmp_path / "named.mlir"
    attributes = 'attributes {kan.features = ["petal width", "length \\22cm\\22"]}'
    path.write_text(NETWORK.replace("tensor<3xf32> {", f"tensor<3xf32> {attributes} {{", 1))
    return path


def run(tool: Callable[[list[str]], object], *arguments: object) -> int:
    return exit_code(tool, *arguments)


# From a CSV file to every file of a build


def test_names_of_a_csv_file_are_in_every_file_of_a_build(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, folder = write_csv(tmp_path / "d.csv", FEATURES), tmp_path / "build"
    options = ("--bits", 4, "--scale", "percentile", "--percentile", 80, "--vhdl")
    assert not run(kan_flow, "build", model, "--calibration", data, "-o", folder, *options)
    told = capsys.readouterr()
    assert re.search(r"saturation +\d+ of 40 calibration samples \((petal|length)", told.out)
    assert "inputs saturate" not in told.out or "petal width" in told.out

    stages = sorted(folder.glob("ir/*.mlir"))
    assert len(stages) > 8
    for stage in stages:
        op = Model.of(parse_text(make_context(), stage.read_bytes(), stage.name)).op
        assert DataSchema.of(op) == DataSchema(FEATURES, CLASSES, "class"), stage

    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["classes"] == list(CLASSES)
    ports = {port["name"]: port.get("data_name") for port in report["ports"]}
    shown = dict(zip(("x0", "x1", "y0", "y1", "y2"), (*FEATURES, *CLASSES), strict=True))
    assert {name: each for name, each in ports.items() if each} == shown
    for file in ("rtl/flowers.sv", "vhdl/flowers.vhd", "host/flowers_codec.h"):
        text = (folder / file).read_text()
        assert all(f"{port} ({name})" in text for port, name in shown.items()), file
    header = (folder / "host/flowers_emulator.h").read_text()
    assert '//      x1 (length "cm")' in header
    assert "//      y2 (tulip)" in header
    assert "class_name(std::size_t index)" in (folder / "host/flowers.hpp").read_text()
    codec: Any = load_module(folder / "host/flowers_codec.py")
    assert (list(FEATURES), list(CLASSES)) == (codec.FEATURES, codec.CLASSES)
    bench = (folder / "sim/test_flowers.py").read_text()
    assert "codec.FEATURES" in bench
    assert "| x0 | input | 4 |" in (readme := (folder / "README.md").read_text())
    assert "petal width: value = " in readme
    assert "| 2 | tulip |" in readme
    page = (folder / "report.html").read_text()
    assert "x0 (petal width)" in page
    assert "class 0 aster decided" in page


def test_names_change_no_hardware(model: Path, named: Path) -> None:
    plain, other = (kan.load(path).compile(bits=3) for path in (model, named))
    lines = other.systemverilog().splitlines()
    unnamed = [re.sub(r"^(//   x\d) \(.*\):", r"\1:", line) for line in lines]
    assert unnamed == plain.systemverilog().splitlines()
    assert "(petal width)" in other.systemverilog()
    # Nor do they count as an edit of recorded IR.
    data = {"x": np.ones((2, 2)), "feature_names": list(FEATURES)}
    later = kan.from_ir(plain.text(), data=data)
    assert later.features == FEATURES
    assert later.passes == plain.passes


# Sources of names


def onnx_model(path: Path, inputs: dict[str, int], **metadata: str) -> Path:
    """relu of each feature, summed to two outputs, with inputs of so many columns."""
    weights = numpy_helper.from_array(np.ones((sum(inputs.values()), 2), np.float32), "w")
    nodes = [
        helper.make_node("Concat", list(inputs), ["joined"], axis=1),
        helper.make_node("Relu", ["joined"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"]),
    ]
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, [None, n]) for name, n in inputs.items()],
        [helper.make_tensor_value_info("y", kind, [None, 2])],
        [weights],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(proto, metadata)
    onnx.save(proto, path)
    return path


@pytest.mark.parametrize(
    ("inputs", "metadata", "features", "classes"),
    [
        ({"width": 1, "length": 1}, {}, ("width", "length"), ()),
        ({"width": 1, "rest": 2}, {}, (), ()),
        ({"x0": 1, "x1": 1}, {}, (), ()),
        ({"x": 2}, {}, (), ()),
        ({"x": 1}, {}, (), ()),
        ({"x": 2}, {"feature_names": '["a\\nb", "c"]'}, ("a b", "c"), ()),
        ({"a": 1, "b": 1}, {"feature_names": '["u", "v"]'}, ("u", "v"), ()),
        ({"x": 2}, {"class_names": '["no", "yes"]'}, (), ("no", "yes")),
    ],
)
def test_an_onnx_model_names_its_features(
    tmp_path: Path,
    inputs: dict[str, int],
    metadata: dict[str, str],
    features: tuple[str, ...],
    classes: tuple[str, ...],
) -> None:
    network = kan.load(onnx_model(tmp_path / "m.onnx", inputs, **metadata))
    assert (network.features, network.classes) == (features, classes)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"feature_names": "a,b"}, "the metadata `feature_names` is no list of texts in JSON"),
        ({"class_names": "[1, 2]"}, "the metadata `class_names` is no list of texts in JSON"),
        ({"feature_names": "[" * 100_000}, "the metadata `feature_names` is no list of texts"),
        ({"feature_names": '["a"]'}, "kan.features has 1 names for 2 inputs; mend the model's"),
        ({"class_names": '["a", "a"]'}, "class 0 and class 1 are both called 'a'"),
        (
            {"class_names": '["a", "\\u202e"]'},
            "class 1 is called '\\u202e', which is not printable",
        ),
    ],
)
def test_wrong_metadata_is_refused(tmp_path: Path, metadata: dict[str, str], message: str) -> None:
    with pytest.raises(KanError, match=re.escape(message)):
        kan.load(onnx_model(tmp_path / "m.onnx", {"x": 2}, **metadata))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"feature_names": np.array([1, 2])}, "`feature_names` must be a list of texts, got int64"),
        ({"feature_names": np.array(["a"])}, "`feature_names` has 1 names, the samples 2 features"),
        ({"class_names": np.array(["a", " a\t"])}, "class 0 and class 1 are both called 'a'"),
        ({"feature_names": np.array(["", "a"])}, "feature 0 has no name"),
    ],
)
def test_wrong_names_of_a_file_are_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((2, 2)), **arrays)
    with pytest.raises(KanError, match=re.escape(message)):
        load_dataset(tmp_path / "d.npz")


# Data against a network


@pytest.mark.parametrize(
    "command",
    [
        lambda model, data, out: (kan_flow, "build", model, "--calibration", data, "-o", out),
        lambda model, data, out: (
            *(kan_flow, "sweep", model, "--calibration", data, "--vary", "bits=3", "-o", out),
        ),
        lambda model, data, out: (kan_flow, "tune", model, "--calibration", data, "-o", out),
        lambda model, data, out: (kan_run, model, "--inputs", data),
        lambda model, data, out: (kan_run, model, "--inputs", data.with_suffix(".csv")),
        lambda model, data, out: (
            *(kan_flow, "build", model, "--calibration", data, "-o", out, "--trainable"),
        ),
        *(
            lambda model, data, out, text=text: (
                *(kan_opt, model, "-p", f'{text}{{data="{data}"}}'),
            )
            for text in ("kan-calibrate", "kan-prune", "kan-choose-bits", "kan-share-shapes")
        ),
    ],
)
def test_data_without_a_column_is_refused(
    command: Callable[..., tuple[Any, ...]],
    named: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = tmp_path / "d.npz"
    np.savez(data, x=np.ones((9, 2)), y=np.arange(9) % 3, feature_names=np.array(OTHER))
    write_csv(data.with_suffix(".csv"), OTHER)
    tool, *arguments = command(named, data, tmp_path / "out")
    assert run(tool, *arguments) == 1
    assert f" {REFUSED}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_build_keeps_the_names_of_its_data(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`simulate` and the codec refuse other data, and a build that resumes from any stage."""
    data, folder = write_csv(tmp_path / "d.csv", FEATURES), tmp_path / "build"
    kan.load(model).build(folder, data=data, bits=3, simulator=None)
    other = write_csv(tmp_path / "other.csv", OTHER)
    assert run(kan_flow, "simulate", folder, "--inputs", other) == 1
    assert REFUSED in capsys.readouterr().err
    for stage in sorted(folder.glob("ir/*.mlir")):
        with pytest.raises(KanError, match=re.escape(REFUSED)):
            kan.load(stage, data=other)
        assert "(edited" not in " ".join(kan.load(stage, data=data).passes)

    codec: Any = load_module(folder / "host" / "flowers_codec.py")
    codec.require_features(FEATURES)
    with pytest.raises(ValueError, match="column 0 must be 'petal width'; the order is"):
        codec.encode(SimpleNamespace(columns=FEATURES[::-1]))  # as a table of pandas
    codec.require_features(range(2))  # columns of pandas without names
    with pytest.raises(ValueError, match="3 columns, and the order is"):
        codec.require_features([*FEATURES, "more"])


@pytest.mark.parametrize(
    ("header", "classes", "message"),
    [
        (OTHER, CLASSES, REFUSED),
        (("x0", "x1"), CLASSES, None),
        (
            FEATURES,
            ("a", "b", "c"),
            "the network has no class 'a'; its classes are aster",
        ),
    ],
)
def test_other_names_are_refused(
    model: Path, tmp_path: Path, header: Iterable[str], classes: Iterable[str], message: str | None
) -> None:
    network = kan.load(model, data=write_csv(tmp_path / "d.csv", FEATURES))
    other = write_csv(tmp_path / "other.csv", header, classes)
    if message is None:
        assert kan.from_ir(network.text(), data=other).features == FEATURES
        return
    with pytest.raises(KanError, match=re.escape(message)):
        kan.from_ir(network.text(), data=other)


@pytest.mark.parametrize(
    "names", [FEATURES, FEATURES[::-1], ("mass", *FEATURES[::-1])], ids=["same", "swapped", "more"]
)
@pytest.mark.parametrize("kind", [".csv", ".npz"])
def test_columns_are_read_by_name(
    names: tuple[str, ...], kind: str, named: Path, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).uniform(-2, 2, (9, len(names)))
    path = tmp_path / f"d{kind}"
    if kind == ".npz":
        np.savez(path, x=x, feature_names=np.array(names))
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([names, *x.tolist()])
    data = kan.load(named, data=path).data
    assert data is not None
    assert (data.x == x[:, [names.index(name) for name in FEATURES]]).all()


def test_targets_are_in_the_files_of_the_host() -> None:
    module = parse_text(make_context(), NETWORK.encode(), "IR")
    targets = ("temperature [K]", "p", "q")
    DataSchema(targets=targets).declare(Model.of(module).op)
    network = kan.from_ir(module).compile(bits=3)
    interface = Model.of(parse_text(make_context(), network.text().encode(), "IR")).interface()
    assert tuple(port.data_name for port in interface.outputs) == targets
    assert "TARGETS = [\n    'temperature [K]'" in codec_text("codec.py", interface)
    assert "y0 (temperature [K])" in codec_text("codec.h", interface)


def test_ports_are_read_by_name(model: Path) -> None:
    data = kan.load(model, data={"x": [[1.0, 2.0]], "feature_names": ["x1", "x0"]}).data
    assert data is not None and data.x.tolist() == [[2.0, 1.0]]


@settings(max_examples=20, deadline=None)
@given(
    missing=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    x=st.lists(st.tuples(*[st.none() | st.floats(-3, 3)] * 2), min_size=1, max_size=5),
)
def test_a_missing_value_is_the_one_that_the_network_says(
    missing: tuple[float, float],
    x: list[tuple[float | None, float | None]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """In the model at every level, and in the host's codecs of Python and C."""
    module = parse_text(make_context(), NETWORK.encode(), "IR")
    DataSchema(FEATURES, missing=missing).declare(Model.of(module).op)
    given = np.array(x, dtype=np.float64)
    filled = np.where(np.isnan(given), missing, given)
    for level in ("spline", "table", "wire", "hardware"):
        network = kan.from_ir(module)
        if level != "spline":
            network = network.compile(level=level, bits=3)
        assert (network.run(given) == network.run(filled)).all()
    ports = network.inputs
    assert tuple(port.missing for port in ports) == missing
    interface = Model.of(parse_text(make_context(), network.text().encode(), "IR")).interface()
    folder = tmp_path_factory.mktemp("codec")
    path = folder / "flowers_codec.py"
    path.write_text(codec_text("codec.py", interface))
    codec: Any = load_module(path)
    assert (codec.encode(given) == codec.encode(filled)).all()
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if cc is None:
        return
    (folder / "flowers_codec.h").write_text(codec_text("codec.h", interface))
    rows = ", ".join(
        "{" + ", ".join("NAN" if value is None else value.hex() for value in row) + "}" for row in x
    )
    (folder / "main.c").write_text(
        f"""#include <math.h>
#include <stdio.h>
#include "flowers_codec.h"
int main(void)
{{
    const double x[][2] = {{ {rows} }};
    for (int i = 0; i < {len(x)}; ++i) {{
        flowers_code codes[2];
        if (flowers_encode(x[i], codes)) return 1;
        printf("%d %d\\n", (int)codes[0], (int)codes[1]);
    }}
    return 0;
}}
"""
    )
    subprocess.run([cc, "-std=c99", "-o", folder / "main", folder / "main.c"], check=True)
    told = subprocess.run([folder / "main"], check=True, capture_output=True, text=True).stdout
    assert [[int(code) for code in line.split()] for line in told.splitlines()] == codec.encode(
        filled
    ).tolist()


# Names are data: no file takes them for anything else

HOSTILE = (
    *("a*/b", "/*", "//", "--", "\\", "a\\", "??/", "`define", '"', "'", '"""', "{name}", "%s"),
    *("@name@", "@@", "a|b", "<script>", "</script>", "&amp;", "`x`", "**b**", "[a](b)", "größe"),
    # In another case, these two are letters of ASCII.
    *("\N{KELVIN SIGN}", "\N{LATIN SMALL LETTER LONG S}"),
    *("\N{SNOWMAN}", "\N{GRINNING FACE}", "a,b", "#", "$x$", "synthesis off", "~~s~~", "_i_"),
)
LETTERS = st.characters(exclude_categories=("C", "Z"), codec="utf-8")
NAME = st.one_of(st.sampled_from(HOSTILE), st.text(LETTERS, min_size=1, max_size=8))
FIVE = st.lists(NAME.filter(str.isprintable), min_size=5, max_size=5, unique=True)


def text_of(html: str) -> list[str]:
    """Texts, titles and the data of a page; elements close in order."""
    found: list[str] = []
    open_tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "link", "input", "br"):
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

        def handle_data(self, data: str) -> None:
            found.append(data)

    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not open_tags
    return found


@settings(max_examples=5, deadline=None)
@given(names=FIVE)
@example(
    names=["\N{KELVIN SIGN}*/", "\N{LATIN SMALL LETTER LONG S}??/", '"\\', "</script>", "@name@|"]
)
def test_hostile_names_are_data_in_every_language(
    names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("names")
    features, classes = tuple(names[:2]), tuple(names[2:])
    context = make_context()
    module = parse_text(context, NETWORK.encode(), "IR")
    DataSchema(features, classes).declare(Model.of(module).op)
    verify_module(module)

    # IR
    module = parse_text(context, str(module).encode(), "IR")
    assert DataSchema.of(Model.of(module).op) == DataSchema(features, classes)

    # HTML, and JSON within it
    page = model_page(module)
    (data,) = (text for text in text_of(page) if text.startswith('{"layers"'))
    shown = [f"x{index} ({name})" for index, name in enumerate(features)]
    assert json.loads(data)["layers"][0]["inputs"] == shown
    assert {*shown} <= {*text_of(page)}

    circuit, integer = module.clone(), module
    for stage in build_pipeline(installed_universe().all_passes, "kan-compile{bits=2 fast=true}"):
        for single in stage.expand() if isinstance(stage, CompilePass) else (stage,):
            integer = circuit.clone() if Model.of(circuit).level == "wire" else integer
            single.apply(context, circuit)
    model = Model.of(circuit)
    interface = model.interface()
    assert (interface.features, interface.classes) == (features, classes)

    # SystemVerilog: our reader of the subset, and slang. VHDL: comments are ASCII, and end.
    rtl = emit_systemverilog(circuit)
    check_text(rtl)
    tree = pyslang.syntax.SyntaxTree.fromText(rtl)
    assert not [each for each in tree.diagnostics if each.isError()]
    assert rtl.isascii()
    head = emit_vhdl(circuit).partition("library ieee")[0]
    assert head.isascii()
    assert all(line.startswith("--") or not line for line in head.split("\n"))

    # Python
    text = codec_text("codec.py", interface)
    values = {
        ast.unparse(each.targets[0]): each.value
        for each in ast.parse(text).body
        if isinstance(each, ast.Assign)
    }
    assert ast.literal_eval(values["FEATURES"]) == list(features)
    assert ast.literal_eval(values["CLASSES"]) == list(classes)

    # C and C++: a string in C with octal escapes is one in Python, too.
    write_emulator(context, folder, Model.of(integer), interface)
    codec = codec_text("codec.h", interface)
    (folder / "flowers_codec.h").write_text(codec)
    strings = re.findall(r'^    ("(?:[^"\\]|\\.)*"),$', codec, re.MULTILINE)
    assert [ast.literal_eval(f"b{each}").decode() for each in strings] == names
    assert "feature_name(" in emulator_text("network.hpp", interface, first_is_class=False)
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if cc is not None:
        strict = ("-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I", str(folder))
        (folder / "all.c").write_text('#include "flowers_codec.h"\n#include "flowers_emulator.c"\n')
        (folder / "all.cpp").write_text('#include "flowers.hpp"\n')
        for language, file in (("c99", "all.c"), ("c++17", "all.cpp")):
            subprocess.run([cc, f"-std={language}", *strict, str(folder / file)], check=True)

    # JSON, Markdown, and the tables of the page
    assert isinstance(model.op, hw.HWModuleOp)
    entries = port_entries(model.op, (*interface.inputs, *interface.outputs))
    report: dict[str, Any] = {"name": "flowers", "classes": list(classes), "ports": entries}
    assert json.loads(json_text(report)) == report
    figures = {"inputs": len(names), "outputs": len(classes), "latency_cycles": interface.latency}
    text = readme_text(Path("no-folder"), report | figures)
    html = MarkdownIt("commonmark").enable("table").render(text)
    cells = "".join(text_of(html))
    assert all(f"{each}: value = " in cells for each in names)
    assert {*names} <= {*text_of(build_page(Path("no-folder"), report | figures))}
