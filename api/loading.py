"""Networks from files, PyTorch modules and IR."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.api.data import Data, raw_data, read_data
from kan_dialect.api.messages import as_kan_errors
from kan_dialect.api.network import Network, Source
from kan_dialect.api.options import require_module_name
from kan_dialect.errors import KanError
from kan_dialect.extras import require_torch
from kan_dialect.files.data_sets import Dataset
from kan_dialect.flows.model_and_data import load_with_data
from kan_dialect.frontends.frontend import KEEP
from kan_dialect.frontends.loading import (
    load_original,
    make_context,
    parse_text,
)
from kan_dialect.frontends.torch_module import import_module, is_pykan, module_original
from kan_dialect.ir.module_verifier import verify_module

TableOverflow = Literal["keep", "saturate", "wrap"]


def load(
    model: object,
    *,
    data: Data | None = None,
    example_input: object = None,
    name: str | None = None,
    strip_head: bool = False,
    table_overflow: TableOverflow = KEEP,
) -> Network:
    """A trained network, as it was trained.

    Parameters
    ----------
    model : path of a model file (`.onnx`, a checkpoint, ...) or of IR (`.mlir`); or a
        `torch.nn.Module`, imported as it computes in evaluation mode.
    data : samples, as a path of an `.npz` file, a dictionary of arrays or an array `x`. The import
        looks at functions there, and the network keeps them for `compile`, `build` and checks.
    example_input : of a PyTorch module, `torch.Tensor` (batch, in), or a tuple of them; only shapes
        matter. Without it, they are those of `data`.
    name : of the network and of the RTL's top module; by default the file's, or `kan`.
    strip_head : import the network up to the softmax, argmax or the like after its last layer.
    table_overflow : reading of published table entries beyond their layer's bits: `keep`,
        `saturate` or `wrap`.

    Raises
    ------
    KanError : the file does not exist, or has no frontend; the model is not a Kolmogorov-Arnold
        network; an option does not apply to it; `name` is no name of a module; or
        PyTorch is not installed.
    """
    require_module_name(name)
    if isinstance(model, str | Path):
        if example_input is not None:
            raise KanError(
                "example_input is for PyTorch modules, and the model is a file",
                remedy="leave it out",
            )
        return _load_file(Path(model), data, name, strip_head, table_overflow)
    if not _is_of_torch(model):
        raise KanError(
            f"cannot load an object of type {type(model).__name__}",
            remedy="give a path or a torch.nn.Module; from_ir reads IR",
        )
    if table_overflow != KEEP:
        raise KanError(
            "table_overflow is for files with tables, and the model is a PyTorch module",
            remedy="leave it out",
        )
    dataset = None if data is None else read_data(data)
    samples = None if dataset is None or is_pykan(model) else dataset.x
    with as_kan_errors():
        module = import_module(
            model,
            _example(dataset) if example_input is None else example_input,
            name="kan" if name is None else name,
            strip_head=strip_head,
            samples=samples,
        )
        module.verify()
    # The outputs of the head that is left out are not those of the network.
    original = (lambda: None) if strip_head else (lambda: module_original(model))
    return Network(module, data=data, source=Source({}, original))


def from_ir(ir: str | ModuleOp, *, data: Data | None = None) -> Network:
    """The network of IR, as text or as xDSL's module. A note is made where it was edited.

    Parameters
    ----------
    ir : with one function or hardware module.
    data : samples, see `load`.

    Raises
    ------
    KanError : the text does not parse; the IR does not verify, or holds not one network.
    """
    with as_kan_errors():
        module = ir.clone() if isinstance(ir, ModuleOp) else _parsed(ir)
        verify_module(module)
    return Network(module, data=data)


def _parsed(text: object) -> ModuleOp:
    if not isinstance(text, str):
        raise KanError(
            f"from_ir takes IR as text or as a ModuleOp, got an object of type "
            f"{type(text).__name__}"
        )
    return parse_text(make_context(), text.encode(), "IR")


def _load_file(
    path: Path, data: Data | None, name: str | None, strip_head: bool, table_overflow: str
) -> Network:
    with as_kan_errors():
        loaded = load_with_data(
            make_context(),
            path,
            raw_data(data) if data is not None else None,
            name=name,
            strip_head=strip_head,
            table_overflow=table_overflow,
        )
    source = Source({"model": path}, lambda: load_original(path, loaded.reading))
    return Network(loaded.module, data=data, source=source)


def _is_of_torch(model: object) -> bool:
    return any(cls.__module__.partition(".")[0] == "torch" for cls in type(model).__mro__)


def _example(dataset: Dataset | None) -> object:
    """A tensor of the shape of the samples."""
    if dataset is None:
        raise KanError(
            "the number of inputs of a PyTorch module is not known",
            remedy="give data, or example_input=torch.zeros(1, inputs)",
        )
    return require_torch("importing a module").zeros(2, dataset.x.shape[1])
