"""pykan's checkpoints: the network's outputs at every level, and clear refusals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import frontend_for
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.pykan.config import FUNCTIONS
from kan_dialect.frontends.pykan.frontend import PYKAN_FRONTEND
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model
from kan_dialect.ops.spline import BaseOp, BSplineOp
from kan_dialect.ops.symbolic import SymbolicOp

# A network that pykan trained


@pytest.fixture
def exp_sin(shared_data: Path) -> ModuleOp:
    path = shared_data / "pykan" / "exp_sin_config.yml"
    return frontend_for(path).load(path)


def test_exp_sin(exp_sin: ModuleOp, shared_data: Path) -> None:
    data = np.load(shared_data / "pykan" / "exp_sin.npz")
    model = Model.of(exp_sin)
    assert (model.name, model.level) == ("exp_sin", "spline")
    np.testing.assert_allclose(model.run(data["x"].astype(np.float64)), data["y"], atol=1e-5)
    symbolic = [op for op in exp_sin.walk() if isinstance(op, SymbolicOp)]
    assert [op.function_names for op in symbolic] == [["sin"]]


def test_exp_sin_in_hardware(exp_sin: ModuleOp, shared_data: Path) -> None:
    """After quantisation every level gives the same codes, near pykan's outputs."""
    path = shared_data / "pykan" / "exp_sin.npz"
    data = np.load(path)
    x = data["x"].astype(np.float64)
    context, codes = make_context(), None
    inputs = np.random.default_rng(0).integers(0, 1 << 10, size=(500, 2))
    for stage in CompilePass(data=str(path), bits=10, guard_bits=2).expand():
        stage.apply(context, exp_sin)
        exp_sin.verify()
        model = Model.of(exp_sin)
        if not model.has_codes:
            continue
        codes = model.run_codes(inputs) if codes is None else codes
        np.testing.assert_array_equal(model.run_codes(inputs), codes, err_msg=stage.name)
    assert Model.of(exp_sin).level == "hardware"
    error = np.abs(Model.of(exp_sin).run(x) - data["y"])
    assert error.max() < 0.02 * np.ptp(data["y"])
    assert error.mean() < 0.003 * np.ptp(data["y"])


# Small networks made here, in pykan's layout


def small_state(torch: Any, widths: list[int], grid: int, k: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(11)

    def normal(*shape: int) -> Any:
        return torch.randn(*shape, generator=generator)

    state: dict[str, Any] = {}
    for layer in range(len(widths) - 1):
        inputs, outputs = widths[layer], widths[layer + 1]
        knots = torch.linspace(-2.0 - k, 2.0 + k, grid + 1 + 2 * k)
        state |= {
            f"node_bias_{layer}": normal(outputs),
            f"node_scale_{layer}": normal(outputs),
            f"subnode_bias_{layer}": normal(outputs),
            f"subnode_scale_{layer}": normal(outputs),
            f"act_fun.{layer}.grid": knots + 0.1 * torch.rand(inputs, 1, generator=generator),
            f"act_fun.{layer}.coef": normal(inputs, outputs, grid + k),
            f"act_fun.{layer}.mask": torch.ones(inputs, outputs),
            f"act_fun.{layer}.scale_base": normal(inputs, outputs),
            f"act_fun.{layer}.scale_sp": normal(inputs, outputs),
            f"symbolic_fun.{layer}.mask": torch.zeros(outputs, inputs),
            f"symbolic_fun.{layer}.affine": torch.zeros(outputs, inputs, 4),
        }
    return state


def small_config(widths: list[Any], **changes: Any) -> dict[str, Any]:
    counts = [width[0] if isinstance(width, list) else width for width in widths]
    config: dict[str, Any] = {
        "width": widths,
        "grid": 4,
        "k": 2,
        "mult_arity": 2,
        "base_fun_name": "silu",
        "symbolic_enabled": True,
    }
    for layer in range(len(widths) - 1):
        names = [["0"] * counts[layer] for _ in range(counts[layer + 1])]
        config[f"symbolic.funs_name.{layer}"] = names
    return config | changes


def write(
    folder: Path, torch: Any, config: Mapping[str, Any], state: Mapping[str, Any] | None = None
) -> Path:
    import yaml

    if state is None:
        counts = [w[0] if isinstance(w, list) else w for w in config["width"]]
        state = small_state(torch, counts, config["grid"], config["k"])
    (folder / "net_config.yml").write_text(yaml.dump(dict(config)))
    torch.save(dict(state), folder / "net_state")
    return folder / "net_config.yml"


TORCH_FUNCTIONS: dict[str, Any] = {
    "x": lambda t, x: x,
    "x^2": lambda t, x: x**2,
    "x^3": lambda t, x: x**3,
    "x^4": lambda t, x: x**4,
    "x^5": lambda t, x: x**5,
    "1/x": lambda t, x: 1 / x,
    "1/x^2": lambda t, x: 1 / x**2,
    "1/x^3": lambda t, x: 1 / x**3,
    "1/x^4": lambda t, x: 1 / x**4,
    "1/x^5": lambda t, x: 1 / x**5,
    "sqrt": lambda t, x: t.sqrt(x),
    "x^0.5": lambda t, x: t.sqrt(x),
    "x^1.5": lambda t, x: t.sqrt(x) ** 3,
    "1/sqrt(x)": lambda t, x: t.rsqrt(x),
    "1/x^0.5": lambda t, x: t.rsqrt(x),
    "exp": lambda t, x: t.exp(x),
    "log": lambda t, x: t.log(x),
    "abs": lambda t, x: t.abs(x),
    "sin": lambda t, x: t.sin(x),
    "cos": lambda t, x: t.cos(x),
    "tan": lambda t, x: t.tan(x),
    "tanh": lambda t, x: t.tanh(x),
    "sgn": lambda t, x: t.sign(x),
    "arcsin": lambda t, x: t.arcsin(x),
    "arccos": lambda t, x: t.arccos(x),
    "arctan": lambda t, x: t.arctan(x),
    "arctanh": lambda t, x: t.arctanh(x),
    "0": lambda t, x: x * 0,
    "gaussian": lambda t, x: t.exp(-(x**2)),
}


def reference(
    torch: Any, state: Mapping[str, Any], config: Mapping[str, Any], x: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """The network in PyTorch, float64, written from pykan's description of its layers."""
    bases = {
        "silu": torch.nn.functional.silu,
        "identity": lambda value: value,
        "zero": lambda value: value * 0.0,
    }
    k, value = config["k"], torch.tensor(x)
    for layer in range(len(config["width"]) - 1):
        p = {key: state[f"act_fun.{layer}.{key}"].double() for key in (
            "grid", "coef", "mask", "scale_base", "scale_sp")}  # fmt: skip
        points, knots = value.unsqueeze(-1), p["grid"]
        basis = ((points >= knots[:, :-1]) & (points < knots[:, 1:])).double()
        for m in range(1, k + 1):
            left = (points - knots[:, : -m - 1]) / (knots[:, m:-1] - knots[:, : -m - 1])
            right = (knots[:, m + 1 :] - points) / (knots[:, m + 1 :] - knots[:, 1:-m])
            basis = left * basis[..., :-1] + right * basis[..., 1:]
        edges = p["scale_sp"] * torch.einsum("nim,iom->nio", basis, p["coef"])
        edges = edges + p["scale_base"] * bases[config["base_fun_name"]](value).unsqueeze(-1)
        edges = (edges * p["mask"]).transpose(1, 2)
        mask, affine = (state[f"symbolic_fun.{layer}.{key}"].double() for key in ("mask", "affine"))
        if config["symbolic_enabled"]:
            names = config[f"symbolic.funs_name.{layer}"]
            for o, i in np.argwhere(mask.numpy() != 0).tolist():
                a, b, c, d = affine[o, i]
                formula = c * TORCH_FUNCTIONS[names[o][i]](torch, a * value[:, i] + b) + d
                edges[:, o, i] += mask[o, i] * formula
        value = edges.sum(-1)
        for kind in ("subnode", "node"):
            scale, bias = (state[f"{kind}_{part}_{layer}"].double() for part in ("scale", "bias"))
            value = value * scale + bias
    return value.numpy()


def compare(
    folder: Path, torch: Any, config: Mapping[str, Any], state: Mapping[str, Any]
) -> ModuleOp:
    """Require that the imported network computes what the reference does."""
    module = PYKAN_FRONTEND.load(write(folder, torch, config, state))
    x = np.random.default_rng(4).uniform(-2.5, 2.5, size=(200, len(state["act_fun.0.mask"])))
    expected = reference(torch, state, config, x)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(Model.of(module).run(x), expected, rtol=1e-10, atol=1e-10)
    return module


@pytest.mark.parametrize("base", ["silu", "identity", "zero"])
def test_layers_bases_and_affines(base: str, tmp_path: Path, torch: Any) -> None:
    widths = [3, 2, 4, 1]
    compare(
        tmp_path, torch, small_config(widths, base_fun_name=base), small_state(torch, widths, 4, 2)
    )


@pytest.mark.parametrize("k", [1, 3, 5])
def test_degrees(k: int, tmp_path: Path, torch: Any) -> None:
    compare(tmp_path, torch, small_config([[2, 0], [1, 0]], k=k), small_state(torch, [2, 1], 4, k))


@pytest.mark.parametrize("name", list(TORCH_FUNCTIONS))
def test_symbolic_functions(name: str, tmp_path: Path, torch: Any) -> None:
    config, state = small_config([2, 1]), small_state(torch, [2, 1], 4, 2)
    config["symbolic.funs_name.0"] = [["0", name]]
    state["act_fun.0.mask"][1] = 0.0
    state["symbolic_fun.0.mask"][0, 1] = 1.0
    # The argument stays in 0.1..0.9, inside every function's domain.
    state["symbolic_fun.0.affine"][0, 1] = torch.tensor([0.16, 0.5, -1.5, 0.3])
    compare(tmp_path, torch, config, state)


def test_every_function_of_pykan_is_known() -> None:
    assert set(FUNCTIONS) == set(TORCH_FUNCTIONS)


def test_pruned_mixed_and_scaled_edges(tmp_path: Path, torch: Any) -> None:
    """Edges with both parts, with neither, and masks other than 0 and 1."""
    config, state = small_config([2, 2]), small_state(torch, [2, 2], 4, 2)
    config["symbolic.funs_name.0"] = [["sin", "x^2"], ["sin", "0"]]
    state["symbolic_fun.0.affine"] = torch.randn(2, 2, 4)
    state["symbolic_fun.0.mask"] = torch.tensor([[1.0, 0.5], [0.0, 0.0]])
    state["act_fun.0.mask"] = torch.tensor([[0.25, 1.0], [0.0, 0.0]])
    compare(tmp_path, torch, config, state)


def test_the_symbolic_part_may_be_switched_off(tmp_path: Path, torch: Any) -> None:
    config, state = small_config([2, 1], symbolic_enabled=False), small_state(torch, [2, 1], 4, 2)
    del config["symbolic.funs_name.0"]
    state["symbolic_fun.0.mask"][:] = 1.0
    compare(tmp_path, torch, config, state)


def test_empty_parts_leave_no_ops(tmp_path: Path, torch: Any) -> None:
    config, state = small_config([2, 1]), small_state(torch, [2, 1], 4, 2)
    config["symbolic.funs_name.0"] = [["sin", "cos"]]
    state["act_fun.0.mask"][:] = 0.0
    state["symbolic_fun.0.mask"][:] = 1.0
    state["symbolic_fun.0.affine"] = torch.randn(1, 2, 4)
    module = compare(tmp_path, torch, config, state)
    assert not any(isinstance(op, BSplineOp | BaseOp) for op in module.walk())


def test_a_network_without_edges(tmp_path: Path, torch: Any) -> None:
    config, state = small_config([2, 2]), small_state(torch, [2, 2], 4, 2)
    state["act_fun.0.mask"][:] = 0.0
    compare(tmp_path, torch, config, state)


def test_against_pykan_itself(tmp_path: Path, torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kan = pytest.importorskip("kan", reason="pykan is not installed")
    monkeypatch.chdir(tmp_path)
    network = kan.KAN(width=[2, 3, 1], grid=5, k=3, seed=1, auto_save=False)
    x = torch.rand(300, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    network.update_grid_from_samples(x)
    network.fix_symbolic(0, 0, 1, "exp", fit_params_bool=False, verbose=False)
    network.saveckpt(str(tmp_path / "net"))
    module = PYKAN_FRONTEND.load(tmp_path / "net_config.yml")
    outputs = Model.of(module).run(x.double().numpy())
    np.testing.assert_allclose(outputs, network(x).detach().numpy(), atol=1e-5)


# Refusals


def refused(path: Path, *fragments: str) -> None:
    with pytest.raises(KanError) as caught:
        frontend_for(path).load(path)
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"width": [[2, 0], [1, 2], [1, 0]]}, "layer 0 has 2 multiplication node(s)"),
        ({"width": [2]}, "lists the nodes of each layer"),
        ({"width": [2, "1"]}, "has an entry '1'"),
        ({"width": [2, 0]}, "a layer without nodes"),
        ({"width": "21"}, "lists the nodes"),
        ({"k": -1}, "`k` is -1"),
        ({"k": 1000}, "`k` is 1000"),
        ({"grid": 0}, "`grid` is 0"),
        ({"grid": 2.5}, "`grid` is 2.5"),
        ({"base_fun_name": "tanhshrink"}, "use silu, identity, zero"),
        ({"symbolic_enabled": "yes"}, "neither true nor false"),
        ({"symbolic.funs_name.0": [["0"]]}, "1 x 2 names"),
        ({"width": [1 << 20, 1 << 20]}, "too large"),
        ({"width": [3, 1], "symbolic.funs_name.0": [["0"] * 3]}, "net_config.yml asks for"),
        ({"grid": 5}, "net_config.yml asks for"),
    ],
)
def test_wrong_configurations(
    changes: dict[str, Any], fragment: str, tmp_path: Path, torch: Any
) -> None:
    config = small_config([2, 1]) | changes
    state = small_state(torch, [2, 1], 4, 2)
    refused(write(tmp_path, torch, config, state), "net_config.yml", fragment)


@pytest.mark.parametrize("key", ["width", "k", "grid", "base_fun_name", "symbolic_enabled"])
def test_missing_keys(key: str, tmp_path: Path, torch: Any) -> None:
    config = small_config([2, 1])
    state = small_state(torch, [2, 1], 4, 2)
    del config[key]
    refused(write(tmp_path, torch, config, state), f"no key `{key}`")


def test_unknown_symbolic_functions(tmp_path: Path, torch: Any) -> None:
    config, state = small_config([2, 1]), small_state(torch, [2, 1], 4, 2)
    config["symbolic.funs_name.0"] = [["Bessel", "0"]]
    state["symbolic_fun.0.mask"][0, 0] = 1.0
    refused(write(tmp_path, torch, config, state), "edge [0, 0] of layer 0", "'Bessel'")


@pytest.mark.parametrize(
    ("key", "fragment"),
    [
        ("act_fun.0.coef", "no key `act_fun.0.coef`"),
        ("act_fun.0.grid", "no key `act_fun.0.grid`"),
        ("act_fun.1.grid", "`act_fun.1.grid` of the state dict is not understood"),
        ("mystery", "`mystery` of the state dict is not understood"),
    ],
)
def test_missing_and_unknown_parameters(
    key: str, fragment: str, tmp_path: Path, torch: Any
) -> None:
    state = small_state(torch, [2, 1], 4, 2)
    if state.pop(key, None) is None:
        state[key] = torch.ones(1)
    refused(write(tmp_path, torch, small_config([2, 1]), state), "net_state", fragment)


def test_yaml_that_builds_objects_is_refused(tmp_path: Path, torch: Any) -> None:
    marker = tmp_path / "marker"
    path = write(tmp_path, torch, small_config([2, 1]))
    path.write_text(f"width: !!python/object/apply:os.system ['touch {marker}']\n")
    refused(path, "net_config.yml is no plain YAML")
    assert not marker.exists()


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "\x00", "[" * 5000, "width: 3"])
def test_garbage_configurations(text: str, tmp_path: Path, torch: Any) -> None:
    path = write(tmp_path, torch, small_config([2, 1]))
    path.write_text(text)
    refused(path, "net_config.yml")


def test_the_state_must_be_there_and_whole(tmp_path: Path, torch: Any) -> None:
    path = write(tmp_path, torch, small_config([2, 1]))
    state = tmp_path / "net_state"
    state.write_bytes(state.read_bytes()[:500])
    refused(path, "net_state", "damaged")
    torch.save([1], state)
    refused(path, "net_state holds no state dict")
    torch.save({1: torch.ones(1)}, state)
    refused(path, "key 1 of the state dict is not a string")
    state.unlink()
    refused(path, "net_state beside net_config.yml")
