"""KANELÉ's published tables, built through the Python API: the same integers at every level."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.flows.simulate.simulation import simulate
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType, default_bounds
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model

MODELS = ["jsc_openml", "wine", "drybean", "moons"]


def published(folder: Path, name: str) -> ModuleOp:
    """Table-level IR of a published model: sums saturate to the layer's signed codes."""
    config = json.loads((folder / "config.json").read_text())
    tables = json.loads((folder / "truth_tables.json").read_text())
    widths, bits = config["layers"], config["layers_bitwidth"]
    input_type = UniformQuantizedType(bits[0], False, 1.0, 1 << (bits[0] - 1))
    network = TableNetwork(name, input_type, widths[0])
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        entries = np.zeros((outputs, inputs, 1 << bits[layer]), dtype=np.int64)
        mask = np.zeros((outputs, inputs), dtype=bool)
        for o in range(outputs):
            for i in range(inputs):
                edge = tables[f"{layer}_{i}_{o}"]
                mask[o, i] = bool(edge["acive"])
                if mask[o, i]:
                    entries[o, i] = edge["values_int"]
        network.add_layer(entries, mask=mask, saturate=default_bounds(bits[layer + 1], True))
    return network.module()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("options", [{}, {"combinational": True}, {"levels": 1}])
def test_every_level_gives_the_golden_outputs(
    name: str, options: dict[str, bool | int], shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "kanele" / name
    golden = np.load(folder / "golden.npz")
    codes, outputs = golden["codes"].astype(np.int64), golden["outputs"].astype(np.int64)
    module, context = published(folder, name), make_context()
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), outputs)
    for stage in CompilePass(**options).expand():  # pyright: ignore[reportArgumentType]
        stage.apply(context, module)
        module.verify()
        np.testing.assert_array_equal(
            Model.of(module).run_codes(codes), outputs, err_msg=stage.name
        )
    circuit = Model.of(module)
    assert circuit.level == "hardware"
    if options.get("levels"):
        return  # The deepest pipeline takes a build and shows nothing beyond the default one.
    rtl = tmp_path / f"{name}.sv"
    rtl.write_text(emit_systemverilog(module))
    np.testing.assert_array_equal(simulate(rtl, circuit.interface(), codes), outputs)
