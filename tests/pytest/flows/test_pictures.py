"""Pictures: the numbers behind them, and that the same IR gives the same bytes."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from commands import flow, opt
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.passes import PassPipeline

from kan_dialect.devices.device import ECP5, XCUP
from kan_dialect.devices.estimate import estimate
from kan_dialect.devices.lut_count import luts_of
from kan_dialect.errors import KanError
from kan_dialect.flows.pictures import (
    adder_tree_picture,
    edge_picture,
    network_picture,
    schedule_picture,
)
from kan_dialect.flows.pictures.adder_tree import adder_tree
from kan_dialect.flows.pictures.edge import ticks
from kan_dialect.flows.pictures.layers import layer_functions
from kan_dialect.flows.pictures.layout import MAX_CELLS
from kan_dialect.flows.pictures.network import curve
from kan_dialect.flows.pictures.network_layers import find_edge, network_layers
from kan_dialect.flows.pictures.schedule import schedule_of
from kan_dialect.frontends.loading import load_model, make_context, parse_text
from kan_dialect.ir.constants import to_integers
from kan_dialect.ir.types import range_of
from kan_dialect.model.model import Model
from kan_dialect.ops.folded import FoldedOp
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import TablesOp
from kan_dialect.ops.wire import SumOp, TableOp
from kan_dialect.passbase.pipeline import build_pipeline
from kan_dialect.universe import UNIVERSE
from repository import EXAMPLES

TABLES = 'kan-fold-affine,kan-calibrate{data="WINE"},kan-quantize{bits=6},kan-fold-tables'
WIRES = f"{TABLES},kan-expand-wires"
SCHEDULED = (
    f"{WIRES},kan-narrow,kan-fold-clamps,kan-share-tables,kan-share-sums,kan-split-tables,"
    "kan-balance-sums,kan-schedule"
)

ONE_LAYER = """
func.func @net(%x: tensor<2xf64>) -> tensor<3xf64> {
  %s = kan.bspline %x degree 1 knots dense<[-2.0, -1.0, 0.0, 1.0, 2.0]> : tensor<5xf64>
    coefficients dense<[[[0.5, -1.0, 0.25], [1.0, 0.5, -0.5]],
                        [[2.0, 1.0, 0.0], [0.0, 0.25, 0.5]],
                        [[0.25, 0.5, 0.75], [1.0, -1.0, 1.0]]]> : tensor<3x2x3xf64>
    : tensor<2xf64> -> tensor<3x2xf64>
  %n = kan.node_sum %s mask dense<[[1, 0], [1, 1], [0, 1]]> : tensor<3x2xi8>
    : tensor<3x2xf64> -> tensor<3xf64>
  func.return %n : tensor<3xf64>
}
"""


@cache
def wine(passes: str = "") -> ModuleOp:
    context = make_context()
    module = load_model(context, EXAMPLES / "wine.onnx")
    text = passes.replace("WINE", str(EXAMPLES / "wine.npz"))
    PassPipeline(build_pipeline(UNIVERSE.all_passes, text)).apply(context, module)
    return module


def function_of(module: ModuleOp) -> func.FuncOp:
    op = Model.of(module).op
    assert isinstance(op, func.FuncOp)
    return op


def parsed(text: str) -> ModuleOp:
    return Parser(make_context(), text).parse_module()


SVG = "{http://www.w3.org/2000/svg}"


def curves_of(svg: str, colour: str) -> int:
    """Number of curves of a colour."""
    return sum(
        path.attrib["d"].count("M")
        for path in ElementTree.fromstring(svg).iter(f"{SVG}path")
        if "stroke-linejoin: round" in path.attrib["style"]
        and re.findall(r"stroke: (#\w+)", path.attrib["style"])[-1] == colour
    )


def test_curves_of_functions_add_up_to_the_nodes() -> None:
    module = parsed(ONE_LAYER)
    (layer,) = layer_functions(function_of(module))
    kept = np.array([[1, 0], [1, 1], [0, 1]], dtype=bool)
    assert np.array_equal(layer.kept, kept)
    # Without calibration, curves cover the grid of the B-splines.
    assert layer.x[0].tolist() == [-1.0, -1.0] and layer.x[-1].tolist() == [1.0, 1.0]
    total = np.where(kept, layer.y, 0.0).sum(axis=2)
    assert np.allclose(total, Model.of(module).run(layer.x), atol=1e-12)
    assert layer.inputs == ("x0", "x1") and layer.edge(2, 1) == "layer0_edge2_1"


def test_drawn_lines_are_the_functions_over_their_own_range() -> None:
    (layer,) = layer_functions(function_of(parsed(ONE_LAYER)))
    for node, source in np.argwhere(layer.kept).tolist():
        line = curve(layer, node, source, 65)
        assert line is not None
        y = layer.y[:, node, source]
        assert np.allclose(line[:, 0], np.linspace(0, 1, 65))
        assert np.allclose(1 - line[:, 1], (y - y.min()) / np.ptp(y))
        fewer = curve(layer, node, source, 33)
        assert fewer is not None and np.allclose(fewer, line[::2])


def test_pruned_edges_are_faint() -> None:
    svg = network_picture(load_model(make_context(), EXAMPLES / "digits.onnx"))
    module = load_model(make_context(), EXAMPLES / "digits.onnx")
    masks = [op.mask_array for op in module.walk() if isinstance(op, NodeSumOp)]
    kept = sum(int(mask.sum()) for mask in masks)
    pruned = sum(mask.size for mask in masks) - kept
    assert pruned and curves_of(svg, "#10233f") == kept
    assert svg.count(": pruned</title>") == pruned
    small = network_picture(parsed(ONE_LAYER))
    assert (curves_of(small, "#10233f"), curves_of(small, "#a7b0ba")) == (4, 2)


def test_a_large_network_is_drawn_whole() -> None:
    """Cells that have no room for a curve are parts of one path for each colour."""
    text = ONE_LAYER.replace("tensor<2xf64>", "tensor<900xf64>").replace("3x2", "12x900")
    text = re.sub(r"coefficients dense<.*?>( ?:)", r"coefficients dense<0.5>\1", text, flags=re.S)
    text = text.replace("tensor<3xf64>", "tensor<12xf64>").replace("12x900x3x", "12x900x3x")
    text = re.sub(r"mask dense<.*?> :", "mask dense<1> :", text)
    root = ElementTree.fromstring(network_picture(parsed(text)))
    drawn = sum(path.attrib["d"].count("z") for path in root.iter(f"{SVG}path"))
    assert drawn == 900 * 12 > MAX_CELLS


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (0.0, 1.0, False, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-3.0, 2.9, False, [-3, -2, -1, 0, 1, 2]),
        (-0.4, 1.2, True, [0, 1]),
        (0.0, 63.0, True, [0, 20, 40, 60]),
    ],
)
def test_axes_have_round_numbers(
    low: float, high: float, whole: bool, expected: list[float]
) -> None:
    assert np.allclose(ticks(low, high, whole=whole), expected)


def test_curves_of_tables_are_their_entries() -> None:
    module = wine(TABLES)
    lookups = [op for op in module.walk() if isinstance(op, TablesOp)]
    for layer, lookup in zip(layer_functions(function_of(module)), lookups, strict=True):
        assert layer.codes is not None
        assert np.array_equal(np.moveaxis(layer.codes, 0, -1), to_integers(lookup.tables))


def test_widths_are_those_of_the_tables_in_hardware() -> None:
    tables = {
        op.given_name: range_of(op.result).bits
        for op in wine(WIRES).walk()
        if isinstance(op, TableOp)
    }
    found = {
        layer.edge(node, source): int(bits)
        for layer in network_layers(Model.of(wine(TABLES)))
        for (node, source), bits in np.ndenumerate(layer.bits)  # pyright: ignore[reportArgumentType]
    }
    assert found == tables and len(set(tables.values())) > 1


def test_edges_of_wires_add_up_to_the_nodes() -> None:
    model = Model.of(wine(SCHEDULED))
    rng = np.random.default_rng(0)
    inputs = model.ports()[0]
    codes = np.stack([rng.integers(p.low, p.high + 1, 200) for p in inputs], axis=1)
    outputs, nodes = model.run_nodes(codes)
    assert np.array_equal(outputs, np.stack([nodes[f"layer1_node{n}"] for n in range(3)], 1))
    nodes |= {f"x{index}": codes[:, index] for index in range(13)}
    for layer in network_layers(model):
        assert layer.codes is not None and layer.low is not None
        places = np.stack([nodes[name] for name in layer.inputs], axis=1) - layer.low
        for node in range(layer.shape[0]):
            each = [layer.codes[places[:, i], node, i] for i in range(layer.shape[1])]
            total, code = np.sum(each, axis=0), nodes[f"{layer.name}_node{node}"]
            inside = (code > code.min()) & (code < code.max())
            assert len(set((total - code)[inside].tolist())) == 1 and inside.sum() > 20


DEAD_NODE = """
func.func @net(%x0: !kan.int<0:3>) -> !kan.int<0:3> {
  %a = kan.table %x0 entries dense<[3, 2, 1, 0]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  kan.mark %a as "layer0_node0" offset 0 cycle 0 : !kan.int<0:3>
  kan.dead "layer0_node1"
  %b = kan.table %a entries dense<[0, 2, 2, 3]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:3>
  kan.mark %b as "layer1_node0" offset 0 cycle 0 : !kan.int<0:3>
  func.return %b : !kan.int<0:3>
}
"""


def test_a_node_that_nothing_reads_is_an_input_of_one_code() -> None:
    """No picture is of an empty curve."""
    module = parse_text(make_context(), DEAD_NODE.encode(), "net.mlir")
    _, layer = network_layers(Model.of(module))
    assert layer.inputs == ("layer0_node0", "layer0_node1")
    assert layer.read is not None and layer.read.sum(axis=0).tolist() == [4, 1]
    assert layer.kept.tolist() == [[True, False]]


def test_luts_of_wires_are_those_of_its_tables() -> None:
    module = wine(SCHEDULED)
    total = sum(
        np.sum(each.luts) for each in network_layers(Model.of(module)) if each.luts is not None
    )
    tables = [op for op in module.walk() if isinstance(op, TableOp)]
    assert np.isclose(total, sum(luts_of(op, XCUP) for op in tables))


def test_an_edge_is_its_table_and_its_function() -> None:
    module, original = wine(TABLES), Model.of(wine())
    found = network_layers(Model.of(module), original)
    layer, node, source = find_edge(found, "layer0_edge3_5")
    assert layer.codes is not None and layer.low is not None and layer.steps is not None
    entries, step = layer.codes[:, node, source], layer.steps[node, source]
    lookup = next(op for op in module.walk() if isinstance(op, TablesOp))
    assert np.array_equal(entries, to_integers(lookup.tables)[3, 5])
    assert np.allclose(layer.y[:, node, source], entries * step)
    # The real value of each code, by the ports of the model.
    port = Model.of(module).ports()[0][5]
    codes = layer.low[source] + layer.points(source)
    assert np.allclose(layer.x[:, source], (codes - port.zero_point) * port.scale)
    # The function of floats alone: node 3 over x5 at other values, others fixed.
    quantised = network_layers(Model.of(wine(TABLES.removesuffix(",kan-fold-tables"))))[0]
    assert layer.error is not None and quantised.error is not None
    assert np.allclose(layer.error, quantised.error)
    assert 0 < np.abs(layer.error[:, node, source]).max() < 2 * step
    assert layer.inputs[source] == "x5"


def test_the_tree_has_the_tables_and_widths_of_a_sum() -> None:
    module = wine(SCHEDULED)
    items = adder_tree(Model.of(module), "layer0_node2")
    names = {
        op.given_name: range_of(op.result).bits
        for op in module.walk()
        if isinstance(op, TableOp) and re.match("layer0_edge2_", op.given_name or "")
    }
    drawn = {item.name.partition("(")[0]: item.bits for item in items if item.kind == "table"}
    assert drawn == names
    sums = {
        op.given_name: range_of(op.result)
        for op in module.walk()
        if isinstance(op, SumOp) and re.match("layer0_sum2", op.given_name or "")
    }
    found = {item.name: item for item in items if item.kind == "sum"}
    assert found.keys() == sums.keys()
    assert all((found[n].low, found[n].high) == (sums[n].low, sums[n].high) for n in sums)
    for item in items:
        assert all(items[term].column < item.column for term in item.terms)
    rows = [item.row for item in items if not item.terms]
    assert sorted(rows) == list(range(len(rows)))


def test_the_schedule_has_the_figures_of_the_estimate() -> None:
    module = wine(SCHEDULED)
    schedule = schedule_of(Model.of(module), "ecp5")
    whole = estimate(function_of(module), ECP5)
    assert schedule.delays is not None
    assert max(schedule.levels) == whole.levels
    assert np.isclose(max(schedule.delays) + ECP5.timing.register, whole.delay_ns)
    assert sum(schedule.registers) + schedule.latency == whole.registers
    assert schedule.latency == schedule.stages == Model.of(module).latency()
    hardware = schedule_of(Model.of(wine(f"{SCHEDULED},lower-kan-to-hw")))
    assert hardware.delays is None and hardware.latency == schedule.latency
    assert hardware.rows[:7] == schedule.rows
    assert hardware.held >= schedule.held
    # Each stage has a valid bit beside the registers of its values.
    assert hardware.registers == tuple(bits + 1 for bits in schedule.registers)


FOLDED = f"{TABLES},kan-fold-layers{{interval=4}},kan-expand-wires,kan-schedule"


def test_folded_layers_have_their_turns() -> None:
    """The first sums come with the entries, and the last ones with the node."""
    model = Model.of(wine(FOLDED))
    schedule = schedule_of(model)
    op = next(each for each in model.op.walk() if isinstance(each, FoldedOp))
    rows = {what: schedule.rows.index(f"layer0 {what}") for what in ("codes", "entries", "sums")}
    stages = {
        what: [turn.stage for turn in schedule.turns if turn.row == row]
        for what, row in rows.items()
    }
    assert stages["codes"] == [1, 2, 3, 4]
    assert stages["entries"] == [3, 4, 5, 6]
    assert stages["sums"][-1] == op.latency
    svg = schedule_picture(model)
    assert "turn 4 of 4" in svg and "turn 5" not in svg


def all_pictures() -> list[str]:
    return [
        network_picture(wine()),
        network_picture(wine(TABLES), colour="luts", device="ice40"),
        network_picture(wine(SCHEDULED)),
        network_picture(parsed(ONE_LAYER)),
        edge_picture(wine(TABLES), "layer1_edge2_3", original=wine()),
        adder_tree_picture(wine(SCHEDULED), "layer0_node0"),
        schedule_picture(wine(SCHEDULED)),
        schedule_picture(wine(FOLDED)),
        schedule_picture(wine(f"{SCHEDULED},lower-kan-to-hw")),
    ]


def test_the_same_bytes_and_nothing_beyond_the_element() -> None:
    first = all_pictures()
    assert all_pictures() == first
    for svg in first:
        root = ElementTree.fromstring(svg)
        assert root.attrib["role"] == "img" and root.attrib["aria-label"]
        # A rule or a class would reach the page around the picture, or be changed by it.
        assert "<style" not in svg and " class=" not in svg and "var(" not in svg
        assert all(each.attrib.get("style") != "" for each in root.iter())


def test_refusals() -> None:
    with pytest.raises(KanError, match=r"no edge 'layer0_edge9_0'.*layer0_edge0_0 to layer0_edge3"):
        edge_picture(wine(TABLES), "layer0_edge9_0")
    with pytest.raises(KanError, match="no node 'layer7_node0'"):
        adder_tree_picture(wine(WIRES), "layer7_node0")
    with pytest.raises(KanError, match="table level, which has no adders"):
        adder_tree_picture(wine(TABLES), "layer0_node0")
    with pytest.raises(KanError, match="no clock cycles"):
        schedule_picture(wine())
    with pytest.raises(KanError, match="hardware level, which has no edges"):
        network_picture(wine(f"{SCHEDULED},lower-kan-to-hw"))
    with pytest.raises(KanError, match="edges of floats have no bits"):
        network_picture(wine(), colour="bits")
    with pytest.raises(KanError, match="no target 'spartan'"):
        network_picture(wine(TABLES), device="spartan")


def test_a_build_draws_its_levels(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        arguments = ["build", str(EXAMPLES / "wine.onnx"), "-o", str(folder), "--pictures"]
        arguments += ["--calibration", str(EXAMPLES / "wine.npz"), "--simulator", "none"]
        assert flow(*arguments, "--bits", "5", "--no-check-passes", "--certificate=never") == 0
    names = ["network.svg", "schedule.svg", "tables.svg", "wires.svg"]
    assert [path.name for path in sorted((folders[0] / "pictures").iterdir())] == names
    for name in names:
        first, second = ((folder / "pictures" / name).read_text() for folder in folders)
        assert first == second
        assert f"(pictures/{name})" in (folders[0] / "README.md").read_text()
    last = sorted((folders[0] / "ir").glob("*-kan-schedule.mlir"))[0]
    expected = schedule_picture(load_model(make_context(), last))
    assert (folders[0] / "pictures" / "schedule.svg").read_text() == expected


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ("", "The network wine"),
        ("{of=layer0_edge3_5}", "The edge layer0_edge3_5: table of x5"),
        ("{colour=luts device=ecp5}", "lookup tables"),
    ],
)
def test_the_target_draws(of: str, expected: str, tmp_path: Path) -> None:
    source, drawn = tmp_path / "in.mlir", tmp_path / "out.svg"
    source.write_text(str(wine(TABLES)))
    arguments = ["kan-opt", str(source), "-t", f"picture{of}", "-o", str(drawn)]
    assert opt(*arguments[1:]) == 0
    assert expected in ElementTree.fromstring(drawn.read_text()).attrib["aria-label"]
