"""KANELÉ's checkpoints and truth tables: the published integers, and clear refusals."""

from __future__ import annotations

import json
import os
import pickle
import runpy
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import host_affine
from kan_dialect.files.data_sets import accuracy
from kan_dialect.flows.host.codec import write_host
from kan_dialect.frontends.frontend import frontend_for
from kan_dialect.frontends.kanele.frontend import (
    CHECKPOINT_FRONTEND,
    TABLES_FRONTEND,
    function_name,
)
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import to_integers
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import QuantizeOp, TablesOp
from kan_dialect.passes.fold_tables import FoldTablesPass

MODELS = ["jsc_openml", "wine", "drybean", "moons"]
CORRECT = {"wine": (53, 54), "drybean": (2506, 2723), "moons": (1947, 2000)}


def lowered(module: ModuleOp, check: Callable[[str, Model], None]) -> Model:
    """Lower to hardware, and return the model after every pass."""
    context = make_context()
    for stage in CompilePass().expand():
        stage.apply(context, module)
        module.verify()
        check(stage.name, Model.of(module))
    model = Model.of(module)
    assert model.level == "hardware"
    return model


def tables_of(module: ModuleOp) -> dict[str, list[int]]:
    """Folded tables of the unpruned edges, under KANELÉ's keys."""
    found: dict[str, list[int]] = {}
    sums = [op for op in module.walk() if isinstance(op, NodeSumOp)]
    for layer, op in enumerate(sums):
        lookup = op.edges.owner
        assert isinstance(lookup, TablesOp)
        tables = to_integers(lookup.tables)
        for o, i in np.argwhere(op.mask_array).tolist():
            found[f"{layer}_{i}_{o}"] = tables[o, i].tolist()
    return found


# The published models


@pytest.mark.parametrize("name", MODELS)
def test_folding_a_checkpoint_gives_the_published_tables(name: str, shared_data: Path) -> None:
    folder = shared_data / "kanele" / name
    module = CHECKPOINT_FRONTEND.load(folder / "checkpoint.pt")
    FoldTablesPass().apply(make_context(), module)
    module.verify()
    published = json.loads((folder / "truth_tables.json").read_text())
    kept = {key: edge["values_int"] for key, edge in published.items() if edge["acive"]}
    assert tables_of(module) == kept


@pytest.mark.parametrize("file", ["checkpoint.pt", "truth_tables.json"])
@pytest.mark.parametrize("name", MODELS)
def test_every_level_gives_the_golden_outputs(name: str, file: str, shared_data: Path) -> None:
    folder = shared_data / "kanele" / name
    golden = np.load(folder / "golden.npz")
    codes, outputs = (golden[key].astype(np.int64) for key in ("codes", "outputs"))
    if name in CORRECT:
        data = np.load(folder / "dataset.npz")
        codes = np.concatenate([codes, data["test_codes"].astype(np.int64)])
        outputs = np.concatenate([outputs, data["test_outputs"].astype(np.int64)])
    module = frontend_for(folder / file).load(folder / file)
    assert Model.of(module).name == name
    np.testing.assert_array_equal(Model.of(module).run_codes(codes), outputs)
    lowered(
        module,
        lambda stage, model: np.testing.assert_array_equal(
            model.run_codes(codes), outputs, err_msg=stage
        ),
    )


@pytest.mark.parametrize("file", ["checkpoint.pt", "truth_tables.json"])
@pytest.mark.parametrize("name", list(CORRECT))
def test_test_accuracy_from_floats(name: str, file: str, shared_data: Path) -> None:
    folder = shared_data / "kanele" / name
    data = np.load(folder / "dataset.npz")
    model = Model.of(frontend_for(folder / file).load(folder / file))
    outputs = model.run(data["x_test"].astype(np.float64))
    correct, total = CORRECT[name]
    assert accuracy(outputs, data["y_test"].astype(np.int64)) == correct / total
    # The result is the last layer's integers times its scale.
    scale = model.interface().outputs[0].scale
    np.testing.assert_array_equal(outputs, data["test_outputs"].astype(np.int64) * scale)


def test_the_affine_of_the_input_is_the_hosts(shared_data: Path) -> None:
    folder = shared_data / "kanele" / "wine"
    data = np.load(folder / "dataset.npz")
    module = CHECKPOINT_FRONTEND.load(folder / "checkpoint.pt")
    quantize = next(op for op in module.walk() if isinstance(op, QuantizeOp))
    affine = host_affine(quantize.result)
    assert affine is not None
    (codes,) = quantize.evaluate([data["x_test"] * affine[0] + affine[1]])
    np.testing.assert_array_equal(codes, data["test_codes"])


@pytest.mark.parametrize("name", list(CORRECT))
def test_wire_and_hardware_level_take_floats(name: str, shared_data: Path) -> None:
    folder = shared_data / "kanele" / name
    data = np.load(folder / "dataset.npz")
    x = data["x_test"].astype(np.float64)
    module = CHECKPOINT_FRONTEND.load(folder / "checkpoint.pt")
    expected = Model.of(module).run(x)

    def check(stage: str, model: Model) -> None:
        np.testing.assert_array_equal(encode(model.interface().inputs, x), data["test_codes"])
        np.testing.assert_array_equal(model.run(x), expected, err_msg=stage)

    lowered(module, check)
    assert "= x0 * " in emit_systemverilog(module)


def test_host_codecs_compute_the_affine(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "kanele" / "wine"
    data = np.load(folder / "dataset.npz")
    interface = lowered(
        CHECKPOINT_FRONTEND.load(folder / "checkpoint.pt"), lambda stage, model: None
    ).interface()
    python, _ = write_host(tmp_path, interface)
    encode = runpy.run_path(str(python))["encode"]
    np.testing.assert_array_equal(encode(data["x_test"]), data["test_codes"])
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    (tmp_path / "main.c").write_text(
        """#include <stdio.h>
        #include "wine_codec.h"
        int main(void) {
            double x[WINE_INPUTS];
            wine_code codes[WINE_INPUTS];
            while (fread(x, sizeof x, 1, stdin) == 1) {
                wine_encode(x, codes);
                for (int i = 0; i < WINE_INPUTS; ++i) printf("%d ", (int)codes[i]);
            }
        }"""
    )
    run = partial(subprocess.run, cwd=tmp_path, check=True, capture_output=True)
    run([compiler, "-O3", "-march=native", "-o", "main", "main.c"])
    printed = run(["./main"], input=data["x_test"].astype("<f8").tobytes()).stdout
    codes = np.array(printed.split(), dtype=np.int64)
    np.testing.assert_array_equal(codes, data["test_codes"].ravel())


def test_the_module_reads_back_as_it_prints(shared_data: Path) -> None:
    module = CHECKPOINT_FRONTEND.load(shared_data / "kanele" / "moons" / "checkpoint.pt")
    assert str(Parser(make_context(), str(module)).parse_module()) == str(module)


def test_tables_without_a_checkpoint_have_scales_of_1(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "kanele" / "moons"
    for file in ("truth_tables.json", "config.json"):
        shutil.copy(source / file, tmp_path)
    interface = Model.of(TABLES_FRONTEND.load(tmp_path / "truth_tables.json")).interface()
    assert [port.scale for port in (*interface.inputs, *interface.outputs)] == [1.0] * 3
    assert [port.zero_point for port in interface.inputs] == [32, 32]


def test_names() -> None:
    assert function_name(Path("/models/wine/checkpoint.pt")) == "wine"
    assert function_name(Path("/models/jet tags-2/truth_tables.json")) == "jet_tags_2"
    assert function_name(Path("/models/wine/best.pth")) == "best"
    assert function_name(Path("/models/2024/checkpoint.pt")) == "kan_2024"


# Small networks made here


def small_state(torch: Any, widths: list[int], grid: int, degree: int) -> dict[str, Any]:
    """A state dict with random parameters."""
    generator = torch.Generator().manual_seed(7)

    def normal(*shape: int) -> Any:
        return torch.randn(*shape, generator=generator)

    pre, scale = "input_layer.pre_transforms", "act_quant.tensor_quant.scaling_impl.value"
    state: dict[str, Any] = {
        f"input_layer.brevitas_module.{scale}": torch.tensor(1.5),
        f"{pre}.0.weight": normal(widths[0]),
        f"{pre}.0.bias": normal(widths[0]),
        f"{pre}.0.running_mean": normal(widths[0]),
        f"{pre}.0.running_var": normal(widths[0]) ** 2 + 0.1,
        f"{pre}.0.num_batches_tracked": torch.tensor(10),
        f"{pre}.1.bias": normal(1),
    }
    step = 4.0 / grid
    knots = torch.arange(-degree, grid + degree + 1) * step - 2.0
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        prefix = f"layers.{layer}"
        state |= {
            f"{prefix}.base_weight": normal(outputs, inputs),
            f"{prefix}.spline_weight": normal(outputs, inputs, grid + degree),
            f"{prefix}.spline_scaler": normal(outputs, inputs),
            f"{prefix}.spline_selector": torch.ones(outputs, inputs),
            f"{prefix}.grid": knots.expand(inputs, -1).clone(),
            f"{prefix}.output_quantizer.brevitas_module.{scale}": torch.tensor(2.5),
        }
    return state


def small_config(widths: list[int], bits: list[int], **changes: Any) -> dict[str, Any]:
    return {
        "layers": widths,
        "layers_bitwidth": bits,
        "grid_size": 4,
        "spline_order": 2,
        "grid_range": [-2, 2],
        "base_activation": "nn.SiLU",
        **changes,
    }


def write(
    folder: Path, torch: Any, config: Mapping[str, Any], state: Mapping[str, Any] | None = None
) -> Path:
    """Write a checkpoint with its configuration; by default a state that fits it."""
    if state is None:
        state = small_state(torch, config["layers"], config["grid_size"], config["spline_order"])
    (folder / "config.json").write_text(json.dumps(config))
    torch.save({"epoch": 3, "model_state_dict": dict(state)}, folder / "checkpoint.pt")
    return folder / "checkpoint.pt"


def reference(
    state: Mapping[str, Any], config: Mapping[str, Any], x: np.ndarray[Any, np.dtype[np.float64]]
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The model's integers, computed in PyTorch after KANELÉ's paper."""
    import torch

    def quantize(value: Any, bits: int, scale: float) -> Any:
        top = 1 << (bits - 1)
        return torch.clamp(torch.round(value / scale), -top, top - 1)

    def scale_of(prefix: str, bits: int) -> float:
        (value,) = [v for k, v in state.items() if k.startswith(prefix) and k.endswith(".value")]
        return float(value) / (1 << (bits - 1))

    def basis(value: Any, knots: Any, degree: int) -> Any:
        value = value.unsqueeze(-1)
        bases = ((value >= knots[:, :-1]) & (value < knots[:, 1:])).double()
        for k in range(1, degree + 1):
            left = (value - knots[:, : -(k + 1)]) / (knots[:, k:-1] - knots[:, : -(k + 1)])
            right = (knots[:, k + 1 :] - value) / (knots[:, k + 1 :] - knots[:, 1:-k])
            bases = left * bases[..., :-1] + right * bases[..., 1:]
        return bases

    get: Callable[[str], Any] = lambda key: state[key].double()  # noqa: E731
    bits, pre = config["layers_bitwidth"], "input_layer.pre_transforms"
    value = (
        (torch.tensor(x) - get(f"{pre}.0.running_mean"))
        / torch.sqrt(get(f"{pre}.0.running_var") + 1e-5)
        * get(f"{pre}.0.weight")
        + get(f"{pre}.0.bias")
        + get(f"{pre}.1.bias")
    )
    scale = scale_of("input_layer.", bits[0])
    codes = quantize(value, bits[0], scale)
    for layer in range(len(bits) - 1):
        p, real = f"layers.{layer}.", codes * scale
        weights = get(f"{p}spline_weight") * get(f"{p}spline_scaler").unsqueeze(-1)
        bases = basis(real, get(f"{p}grid"), config["spline_order"])
        edges = torch.einsum("nim,oim->noi", bases, weights)
        edges = edges + get(f"{p}base_weight") * torch.nn.functional.silu(real).unsqueeze(1)
        scale = scale_of(f"{p}output_quantizer.", bits[layer + 1])
        edges = quantize(edges, bits[layer + 1], scale) * get(f"{p}spline_selector")
        codes = quantize(edges.sum(-1), bits[layer + 1], 1.0)
    return codes.numpy().astype(np.int64)


@pytest.mark.parametrize(
    ("widths", "bits"),
    [
        ([3, 2], [6, 8]),
        ([2, 3, 2], [1, 4, 5]),
        ([2, 3, 2], [4, 1, 1]),
        ([1, 1], [10, 10]),
        ([4, 3, 2, 1], [3, 5, 4, 7]),
        ([2, 2], [2, 16]),
        ([2, 1], [16, 3]),
    ],
)
def test_small_networks_at_every_level(
    widths: list[int], bits: list[int], tmp_path: Path, torch: Any
) -> None:
    config = small_config(widths, bits)
    state = small_state(torch, widths, 4, 2)
    module = CHECKPOINT_FRONTEND.load(write(tmp_path, torch, config, state))
    x = np.random.default_rng(5).normal(size=(200, widths[0]), scale=2.0)
    expected = reference(state, config, x)
    model = Model.of(module)
    outputs = model.run(x)
    np.testing.assert_allclose(outputs / model.interface().outputs[0].scale, expected, rtol=1e-12)
    low, high = model.interface().inputs[0].low, model.interface().inputs[0].high
    codes = np.random.default_rng(6).integers(low, high + 1, size=(200, widths[0]))
    by_code = model.run_codes(codes)
    lowered(
        module,
        lambda stage, model: np.testing.assert_array_equal(
            model.run_codes(codes), by_code, err_msg=stage
        ),
    )


def test_nodes_and_layers_without_edges(tmp_path: Path, torch: Any) -> None:
    config = small_config([2, 3, 2], [3, 4, 5])
    state = small_state(torch, [2, 3, 2], 4, 2)
    state["layers.0.spline_selector"][1] = 0.0
    state["layers.1.spline_selector"][0] = 0.0
    module = CHECKPOINT_FRONTEND.load(write(tmp_path, torch, config, state))
    codes = np.stack(np.meshgrid(np.arange(8), np.arange(8)), -1).reshape(-1, 2)
    expected = Model.of(module).run_codes(codes)
    assert not expected[:, 0].any() and expected[:, 1].any()
    lowered(
        module,
        lambda stage, model: np.testing.assert_array_equal(
            model.run_codes(codes), expected, err_msg=stage
        ),
    )
    state["layers.1.spline_selector"][:] = 0.0
    dead = CHECKPOINT_FRONTEND.load(write(tmp_path, torch, config, state))
    assert not lowered(dead, lambda stage, model: None).run_codes(codes).any()


def test_optional_keys_and_spellings(tmp_path: Path, torch: Any) -> None:
    """No batch norm, scaler or selector; a bare state dict; the activation's full name."""
    config = small_config([2, 2], [4, 6], base_activation="torch.nn.SiLU()")
    state = small_state(torch, [2, 2], 4, 2)
    plain = {
        key: value
        for key, value in state.items()
        if "pre_transforms" not in key and "scaler" not in key and "selector" not in key
    }
    path = write(tmp_path, torch, config, state)
    torch.save(plain, path)
    x = np.random.default_rng(1).normal(size=(50, 2))
    filled = plain | {
        "input_layer.pre_transforms.0.weight": torch.full((2,), float(np.sqrt(1.0 + 1e-5))),
        "input_layer.pre_transforms.0.bias": torch.zeros(2),
        "input_layer.pre_transforms.0.running_mean": torch.zeros(2),
        "input_layer.pre_transforms.0.running_var": torch.ones(2),
        "input_layer.pre_transforms.1.bias": torch.zeros(1),
        "layers.0.spline_scaler": torch.ones(2, 2),
        "layers.0.spline_selector": torch.ones(2, 2),
    }
    model = Model.of(CHECKPOINT_FRONTEND.load(path))
    np.testing.assert_allclose(
        model.run(x) / model.interface().outputs[0].scale, reference(filled, config, x)
    )


def test_numpy_scalars_beside_the_weights_are_read(tmp_path: Path, torch: Any) -> None:
    path = write(tmp_path, torch, small_config([2, 1], [4, 4]))
    content = torch.load(path, weights_only=True)
    content["val_accuracy"] = np.float64(0.5)
    content["history"] = [np.float32(1.0), np.int64(3)]
    torch.save(content, path)
    assert Model.of(CHECKPOINT_FRONTEND.load(path)).level == "table"


# Refusals


class _Malicious:
    """Pickles as a call that writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.marker}",))


def refused(path: Path, *fragments: str) -> None:
    """Require that loading fails with one KanError that contains all fragments."""
    with pytest.raises(KanError) as caught:
        frontend_for(path).load(path)
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_runs_code_is_refused(zipped: bool, tmp_path: Path, torch: Any) -> None:
    marker = tmp_path / "marker"
    path = write(tmp_path, torch, small_config([2, 1], [4, 4]))
    payload = {"model_state_dict": {"layers.0.grid": _Malicious(marker)}}
    torch.save(payload, path, _use_new_zipfile_serialization=zipped)
    refused(path, "checkpoint.pt", *(["posix.system"] if zipped else []), "is executed")
    path.write_bytes(pickle.dumps(_Malicious(marker)))
    refused(path, "checkpoint.pt")
    assert not marker.exists()


@pytest.mark.parametrize("size", [0, 1, 100, 2000, -1])
def test_truncated_and_garbage_checkpoints(size: int, tmp_path: Path, torch: Any) -> None:
    path = write(tmp_path, torch, small_config([2, 1], [4, 4]))
    path.write_bytes(path.read_bytes()[:size])
    refused(path, "checkpoint.pt", "damaged")
    path.write_bytes(np.random.default_rng(3).bytes(4000))
    refused(path, "checkpoint.pt", "damaged")


def test_a_folder_without_configuration(tmp_path: Path, torch: Any) -> None:
    path = write(tmp_path, torch, small_config([2, 1], [4, 4]))
    (tmp_path / "config.json").unlink()
    refused(path, "config.json", "put config.json there")


@pytest.mark.parametrize(
    ("key", "value", "fragment"),
    [
        ("layers", None, "no key `layers`"),
        ("layers", [2], "at least two widths"),
        ("layers", [2, "1"], "list of integers"),
        ("layers", 7, "list of integers"),
        ("layers", [0, 1], "list of integers"),
        ("layers", [True, 1], "list of integers"),
        ("layers_bitwidth", [4], "as many numbers"),
        ("layers_bitwidth", [4, 0], "1..16"),
        ("layers_bitwidth", [4, 40], "1..16"),
        ("spline_order", -1, "spline_order"),
        ("spline_order", 2.5, "spline_order"),
        ("grid_size", None, "no key `grid_size`"),
        ("base_activation", "nn.Foo", "nn.GELU"),
        ("base_activation", None, "no key `base_activation`"),
        ("layers", [3, 1], "config.json asks for (3,)"),
        ("layers", [2, 1, 1], "layers.1."),
        ("grid_size", 5, "config.json asks for"),
        ("layers", [1 << 20, 1 << 20], "too large"),
    ],
)
def test_wrong_configurations(
    key: str, value: object, fragment: str, tmp_path: Path, torch: Any
) -> None:
    path = write(tmp_path, torch, small_config([2, 1], [4, 4]))
    config = small_config([2, 1], [4, 4])
    if value is None:
        del config[key]
    else:
        config[key] = value
    if isinstance(value, list) and fragment not in ("as many numbers", "1..16"):
        config["layers_bitwidth"] = [4] * len(cast("list[object]", value))
    (tmp_path / "config.json").write_text(json.dumps(config))
    refused(path, fragment)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff", "[" * 100_000])
def test_garbage_configurations(text: str, tmp_path: Path, torch: Any) -> None:
    path = write(tmp_path, torch, small_config([2, 1], [4, 4]))
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    refused(path, "config.json")


@pytest.mark.parametrize(
    ("key", "change", "fragment"),
    [
        ("layers.0.grid", "drop", "no key `layers.0.grid`"),
        ("layers.0.base_weight", "drop", "no key `layers.0.base_weight`"),
        ("input_layer.brevitas_module.act_quant.tensor_quant.scaling_impl.value", "drop", "0 keys"),
        ("layers.0.base_weight", "nan", "[0, 0] is nan"),
        ("layers.0.base_weight", "text", "is of type str"),
        ("layers.0.spline_selector", "half", "other numbers than 0 and 1"),
        ("layers.0.grid", "reverse", "ascending"),
        ("input_layer.pre_transforms.0.running_var", "negate", "is negative"),
        ("layers.0.base_weight", "grow", "has shape (2, 2), config.json asks for (1, 2)"),
        ("layers.0.base_weight", "complex", "real numbers"),
        ("layers.0.base_weight", "sparse", "dense"),
        ("layers.0.base_weight", "meta", "without data"),
        ("layers.0.spline_weight", "huge", "of shape (1048576, 1048576)"),
        ("layers.0.extra", "grow", "`layers.0.extra` of the state dict is not understood"),
        ("layers.1.grid", "grow", "`layers.1.grid` of the state dict is not understood"),
        ("input_layer.pre_transforms.2.weight", "grow", "is not understood"),
    ],
)
def test_wrong_parameters(key: str, change: str, fragment: str, tmp_path: Path, torch: Any) -> None:
    state = small_state(torch, [2, 1], 4, 2)
    match change:
        case "drop":
            del state[key]
        case "nan":
            state[key][0, 0] = float("nan")
        case "text":
            state[key] = "weights"
        case "half":
            state[key][:] = 0.5
        case "reverse":
            state[key] = state[key].flip(1)
        case "negate":
            state[key] = -state[key]
        case "complex":
            state[key] = state[key] * 1j
        case "sparse":
            state[key] = state[key].to_sparse()
        case "meta":
            state[key] = torch.empty(1, 2, device="meta")
        case "huge":
            # A file of a few bytes whose tensor claims terabytes.
            state[key] = torch.zeros(1).expand(1 << 20, 1 << 20)
        case _:
            state[key] = torch.ones(2, 2)
    refused(write(tmp_path, torch, small_config([2, 1], [4, 4]), state), "checkpoint.pt", fragment)


@pytest.mark.parametrize("content", [[1, 2], {"model": 1}, 3])
def test_other_torch_files(content: object, tmp_path: Path, torch: Any) -> None:
    path = write(tmp_path, torch, small_config([2, 1], [4, 4]))
    torch.save(content, path)
    refused(path, "model_state_dict")


def tables(widths: list[int], bits: list[int]) -> dict[str, Any]:
    random = np.random.default_rng(9)
    return {
        f"{layer}_{i}_{o}": {
            "acive": 1,
            "values_int": random.integers(
                -(1 << (bits[layer + 1] - 1)), 1 << (bits[layer + 1] - 1), 1 << bits[layer]
            ).tolist(),
        }
        for layer in range(len(widths) - 1)
        for i in range(widths[layer])
        for o in range(widths[layer + 1])
    }


@pytest.mark.parametrize("bits", [[1, 1, 1], [3, 2, 9]])
def test_small_tables(bits: list[int], tmp_path: Path) -> None:
    widths = [2, 2, 1]
    edges = tables(widths, bits)
    edges["0_1_0"] = {"active": 0, "values_int": []}
    (tmp_path / "config.json").write_text(json.dumps({"layers": widths, "layers_bitwidth": bits}))
    (tmp_path / "tiny.json").write_text(json.dumps(edges))
    module = TABLES_FRONTEND.load(tmp_path / "tiny.json")
    codes = np.random.default_rng(2).integers(0, 1 << bits[0], size=(64, 2))
    value = codes
    for layer in range(2):
        top = 1 << (bits[layer + 1] - 1)
        offset = 1 << (bits[layer] - 1) if layer else 0
        columns: list[Any] = []
        for o in range(widths[layer + 1]):
            total = np.zeros(64, dtype=np.int64)
            for i in range(2):
                edge = edges[f"{layer}_{i}_{o}"]
                if edge.get("acive"):
                    total += np.array(edge["values_int"])[value[:, i] + offset]
            columns.append(np.clip(total, -top, top - 1))
        value = np.stack(columns, axis=1)
    lowered(
        module,
        lambda stage, model: np.testing.assert_array_equal(
            model.run_codes(codes), value, err_msg=stage
        ),
    )


@pytest.mark.parametrize(
    ("key", "edge", "fragment"),
    [
        ("0_0_0", None, "no edge `0_0_0`"),
        ("0_9_0", {"acive": 1, "values_int": [0] * 16}, "the key '0_9_0' is no edge"),
        ("0_0_0", [1], "is no object"),
        ("0_0_0", {"values_int": [0] * 16}, "`acive` is None"),
        ("0_0_0", {"acive": 2, "values_int": [0] * 16}, "must be 0 or 1"),
        ("0_0_0", {"acive": 1}, "no list `values_int`"),
        ("0_0_0", {"acive": 1, "values_int": [0] * 8}, "has 8 entries, not 16"),
        ("0_0_0", {"acive": 1, "values_int": [0] * 15 + [1 << 32]}, "of 33 bits for code 15"),
        ("0_0_0", {"acive": 1, "values_int": [0] * 15 + [0.5]}, "gives 0.5"),
        ("0_0_0", {"acive": 1, "values_int": [0] * 15 + [None]}, "gives None"),
    ],
)
def test_wrong_tables(key: str, edge: object, fragment: str, tmp_path: Path) -> None:
    edges = tables([2, 1], [4, 4])
    if edge is None:
        del edges[key]
    else:
        edges[key] = edge
    config = {"layers": [2, 1], "layers_bitwidth": [4, 4]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "truth_tables.json").write_text(json.dumps(edges))
    refused(tmp_path / "truth_tables.json", "truth_tables.json", fragment)


def test_tables_of_a_huge_network_are_refused(tmp_path: Path) -> None:
    config = {"layers": [1 << 20, 1 << 20], "layers_bitwidth": [4, 4]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "truth_tables.json").write_text("{}")
    refused(tmp_path / "truth_tables.json", "too large")
