"""Imports PyTorch modules in memory: pykan's networks directly, all others through ONNX.

`import_module` takes a network object. Files on disk go through the frontend of their extension.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Generator
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, cast

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.extras import require_extra, require_torch
from kan_dialect.frontends.frontend import ImportOptions, Original, import_file
from kan_dialect.frontends.naming import identifier
from kan_dialect.frontends.pykan.config import parse_config
from kan_dialect.frontends.pykan.network import build_pykan
from kan_dialect.ir.constants import FloatArray

OPSET = 18
"""Version of the ONNX operator set of the export."""

_PYKAN_KEYS = ("width", "grid", "k", "base_fun_name", "symbolic_enabled")
_PYKAN_PARTS = ("act_fun", "symbolic_fun", "subnode_scale", "node_scale")


def import_module(
    model: object,
    example_input: object,
    *,
    name: str = "kan",
    strip_head: bool = False,
    samples: FloatArray | None = None,
) -> ModuleOp:
    """Import a PyTorch module as a network at spline level. The module is not changed.

    Parameters
    ----------
    model : `torch.nn.Module`, imported as it computes in evaluation mode.
    example_input : `torch.Tensor` (batch, in), float32; only its shape matters. For a module of
        several inputs, a tuple of such tensors; the network has them side by side.
    name : name of the function, and of the RTL's top module.
    strip_head : import the network up to the softmax, argmax or similar head after its last layer.
    samples : (samples, in), float64, real inputs; they only choose where functions are probed.

    Raises
    ------
    KanError : PyTorch is not installed; the module cannot be exported, or is no Kolmogorov-Arnold
        network; or the options do not fit it.
    """
    torch = require_torch("importing a module")
    if not isinstance(model, torch.nn.Module):
        raise KanError(f"{type(model).__name__} is no torch.nn.Module")
    examples: tuple[Any, ...] = (example_input,)
    if isinstance(example_input, tuple) and example_input:
        examples = cast("tuple[Any, ...]", example_input)
    for example in examples:
        if not isinstance(example, torch.Tensor):
            raise KanError(f"the example input is no tensor but {type(example).__name__}")
        if example.dim() != 2 or example.numel() == 0:
            raise KanError(
                f"the example input has shape {tuple(example.shape)}",
                remedy="give it as (batch, in)",
            )
    name = identifier(name)
    options = ImportOptions(strip_head, samples)
    if is_pykan(model):
        options.require_none(name, "reading a pykan network")
        return _from_pykan(model, name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        # From a single sample the exporter would derive a network for single samples.
        _export(model, tuple(torch.cat([each, each]) for each in examples), path)
        return import_file(path, options)


def is_pykan(model: object) -> bool:
    """Whether a module is one of pykan's networks, whose import takes no options."""
    return all(hasattr(model, part) for part in _PYKAN_PARTS)


def module_original(model: object) -> Original:
    """Run a PyTorch module in evaluation mode, for `BuildOptions.original`.

    Parameters
    ----------
    model : `torch.nn.Module` of one input (batch, in), float32.

    Raises
    ------
    KanError : PyTorch is not installed, or `model` is no module.
    """
    torch = require_torch("running a module")
    if not isinstance(model, torch.nn.Module):
        raise KanError(f"{type(model).__name__} is no torch.nn.Module")
    network: Any = model

    def run(x: FloatArray) -> FloatArray:
        with _evaluating(network), torch.no_grad():
            rows = [network(part) for part in torch.tensor(x, dtype=torch.float32).split(256)]
        return torch.cat(rows).to(torch.float64).numpy()

    return Original(f"PyTorch {torch.__version__}", run)


def _from_pykan(model: object, name: str) -> ModuleOp:
    """Import a pykan `MultKAN` from its attributes, as `saveckpt` would write them."""
    network: Any = model
    entries: dict[str, object] = {key: getattr(network, key, None) for key in _PYKAN_KEYS}
    for layer, part in enumerate(network.symbolic_fun):
        entries[f"symbolic.funs_name.{layer}"] = part.funs_name
    config = parse_config(name, entries)
    selected: list[int] = [int(i) for i in getattr(network, "input_id", range(config.widths[0]))]
    if selected != list(range(config.widths[0])):
        raise KanError(
            f"{name}: pykan's prune_input left the inputs {selected}",
            remedy="set model.input_id = torch.arange(n), and give it these n inputs alone",
        )
    state = {key: _array(key, value) for key, value in network.state_dict().items()}
    return build_pykan(name, config, name, state)


def _array(key: str, tensor: Any) -> FloatArray:
    """A parameter as an array.

    Raises
    ------
    KanError : it is not a dense tensor of real numbers, or has no data.
    """
    try:
        array: FloatArray = tensor.detach().cpu().double().resolve_neg().numpy()
    except (RuntimeError, TypeError, NotImplementedError):  # quantised, sparse, meta
        raise KanError(f"`{key}` is not a dense tensor of real numbers") from None
    return array


def require_exporter() -> None:
    """Refuse an environment without onnxscript, which PyTorch's exporter is written with.

    Raises
    ------
    KanError : onnxscript is not installed.
    """
    require_extra("onnxscript", "onnxscript", "torch", "exporting a PyTorch module")


def _export(model: object, examples: tuple[object, ...], path: Path) -> None:
    """Export the module to ONNX for any number of samples."""
    torch = require_torch("exporting a module")
    network: Any = model
    require_exporter()
    try:
        with _evaluating(network), _quietly():
            torch.onnx.export(
                network,
                examples,
                path,
                input_names=["x"] if len(examples) == 1 else None,
                output_names=["y"],
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=_open_batches(torch, network, len(examples)),
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # The exporter runs the module, which may raise anything.
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise KanError(
            f"PyTorch cannot export {type(model).__name__} to ONNX: {first}",
            remedy="the module must map tensors (batch, in) to one (batch, out)",
        ) from None


def _open_batches(torch: Any, network: Any, count: int) -> tuple[object, ...]:
    """Open batch axes of all inputs, as the exporter wants them: `*args` count as one parameter."""
    batches = [{0: torch.export.Dim.AUTO} for _ in range(count)]
    shapes: list[object] = []
    for parameter in signature(network.forward).parameters.values():
        if parameter.kind is Parameter.VAR_POSITIONAL:
            return (*shapes, tuple(batches[len(shapes) :]))
        if len(shapes) < count:
            shapes.append(batches[len(shapes)])
    return tuple(shapes)


@contextlib.contextmanager
def _evaluating(network: Any) -> Generator[None]:
    """A module in evaluation mode within the `with` statement."""
    modes = [(part, part.training) for part in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextlib.contextmanager
def _quietly() -> Generator[None]:
    """Suppress the exporter's progress and warnings; its errors are raised."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(None):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
