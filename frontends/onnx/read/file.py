"""Reads an ONNX file and its tensors, without trusting what it says about itself.

Sizes are checked against the bytes present before any allocation. External data is read only from
the file's own folder. The meaning of the graph is not examined here.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper, helper, inliner, numpy_helper

from kan_dialect.errors import KanError
from kan_dialect.evaluate.onnx_subgraph import OPSETS, STANDARD_DOMAINS, first_line
from kan_dialect.ir.constants import Array
from kan_dialect.limits import MAX_AXES

MAX_BYTES = 1 << 29
"""Most bytes of a model and its tensors."""

MAX_NODES = 20_000
"""Most operators of a graph."""

_EXPORT_AGAIN = "export the model again"


class Budget:
    """Remaining memory for reading one model: files of a few bytes can ask for terabytes."""

    def __init__(self, path: Path, limit: int = MAX_BYTES) -> None:
        self._path = path
        self._left = limit

    def charge(self, size: int, what: str) -> None:
        """Count `size` bytes before they are allocated.

        Parameters
        ----------
        what : what needs them, for the message.

        Raises
        ------
        KanError : too few bytes remain.
        """
        self.check(size, what)
        self._left -= size

    def check(self, size: int, what: str) -> None:
        """As `charge`, for memory that is released at once."""
        if size > self._left:
            raise KanError(
                f"{self._path.name}: {what} needs {size} bytes, too much for reading one model",
                remedy="split or narrow the model",
            )


def dtype_of(element_type: int) -> np.dtype[np.generic] | None:
    """NumPy type of an ONNX element type; None if its elements cannot be read."""
    try:
        dtype = helper.tensor_dtype_to_np_dtype(element_type)
    except KeyError:
        return None
    return dtype if dtype.kind in "fiub" else None


def element_type_name(element_type: int) -> str:
    try:
        return onnx.TensorProto.DataType.Name(onnx.TensorProto.DataType.ValueType(element_type))
    except ValueError:
        return f"type {element_type}"


def read_model(path: Path) -> onnx.ModelProto:
    """Read a model and inline its local functions.

    Raises
    ------
    KanError : the file cannot be read, is no ONNX model, or has an unsupported operator set.
    """
    model = _parse(path, _read_bytes(path))
    if not model.graph.node and not model.graph.output:
        raise KanError(f"{path.name}: the file holds no ONNX graph", remedy=_EXPORT_AGAIN)
    _check_opset(path, model)
    if model.functions:
        model = _inline_functions(path, model)
    return model


def _read_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size == 0:
            raise KanError(f"{path.name}: the file is empty", remedy=_EXPORT_AGAIN)
        if size > MAX_BYTES:
            raise KanError(f"{path.name}: {size} bytes are more than {MAX_BYTES}, the limit here")
        return path.read_bytes()
    except OSError as error:
        raise KanError(f"{path}: cannot be read: {error.strerror}") from None


def _parse(path: Path, data: bytes) -> onnx.ModelProto:
    try:
        return onnx.ModelProto.FromString(data)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        raise KanError(
            f"{path.name}: not an ONNX file, or a truncated or damaged one",
            remedy=f"{_EXPORT_AGAIN}, or copy the file again",
        ) from None


def _check_opset(path: Path, model: onnx.ModelProto) -> None:
    versions = [entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS]
    if not versions:
        raise KanError(
            f"{path.name}: the file names no operator set (opset)",
            remedy=f"{_EXPORT_AGAIN} with opset_version=17",
        )
    for version in versions:
        if version not in OPSETS:
            raise KanError(
                f"{path.name}: operator set {version} is not supported, only "
                f"{OPSETS.start} to {OPSETS.stop - 1} are",
                remedy=f"{_EXPORT_AGAIN} with opset_version=17, or convert it with "
                f"onnx.version_converter",
            )


def _inline_functions(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    _check_inlined_size(path, model)
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:  # The C++ library raises errors of many types.
        raise KanError(
            f"{path.name}: the model's local functions cannot be inlined: {first_line(error)}",
            remedy=_EXPORT_AGAIN,
        ) from None


def _check_inlined_size(path: Path, model: onnx.ModelProto) -> None:
    """Bound the size of the inlined graph: calls in pairs double it at each level of nesting."""
    bodies = {(each.domain, each.name): each for each in model.functions}
    sizes: dict[tuple[str, str], int] = {}
    # A function that is unsettled after this many rounds calls itself.
    for _ in range(len(bodies) + 1):
        unsettled = [key for key in bodies if key not in sizes]
        for key in unsettled:
            callees = [(node.domain, node.op_type) for node in bodies[key].node]
            if all(callee in sizes or callee not in bodies for callee in callees):
                sizes[key] = sum(sizes.get(callee, 1) for callee in callees)
    total = sum(sizes.get((node.domain, node.op_type), 1) for node in model.graph.node)
    if len(sizes) < len(bodies) or total > MAX_NODES:
        raise KanError(
            f"{path.name}: the model's local functions call themselves or are nested too deeply",
            remedy=_EXPORT_AGAIN,
        )


def read_tensor(proto: onnx.TensorProto, path: Path, name: str, budget: Budget) -> Array:
    """Read a tensor stored in the model at `path`, or in a file beside it.

    External data is embedded into `proto`.

    Raises
    ------
    KanError : wrong type, shape or amount of data, or data outside the file's folder.
    """
    where = f"{path.name}: tensor '{name}'"
    dtype = dtype_of(proto.data_type)
    if dtype is None:
        raise KanError(
            f"{where} holds {element_type_name(proto.data_type)}, which is not supported",
            remedy="export the model in float32",
        )
    shape = tuple(proto.dims)
    if any(extent < 0 for extent in shape):
        raise KanError(f"{where} has a negative dimension: {list(shape)}", remedy=_EXPORT_AGAIN)
    if len(shape) > MAX_AXES:
        raise KanError(f"{where} has {len(shape)} axes, more than {MAX_AXES}", remedy=_EXPORT_AGAIN)
    size = prod(shape) * dtype.itemsize
    # An empty tensor may still have an extent that no array has.
    charged = prod(max(extent, 1) for extent in shape) * dtype.itemsize
    budget.charge(charged, f"tensor '{name}' of shape {list(shape)}")
    if proto.data_location == onnx.TensorProto.EXTERNAL:
        _embed(proto, path, where, size)
    try:
        return numpy_helper.to_array(proto).reshape(shape)
    except Exception as error:  # Of NumPy, or of the converter.
        raise KanError(
            f"{where} of shape {list(shape)} cannot be read: {first_line(error)}",
            remedy=_EXPORT_AGAIN,
        ) from None


def _embed(proto: onnx.TensorProto, path: Path, where: str, size: int) -> None:
    """Embed a tensor's data from a file beside the model."""
    entries = {entry.key: entry.value for entry in proto.external_data}
    # Without a length, the rest of the file would be read.
    if entries.setdefault("length", str(size)) != str(size):
        raise KanError(
            f"{where} needs {size} bytes of external data, but its length is {entries['length']}",
            remedy=_EXPORT_AGAIN,
        )
    del proto.external_data[:]
    for key, value in entries.items():
        proto.external_data.add(key=key, value=value)
    try:
        external_data_helper.load_external_data_for_tensor(proto, str(path.resolve().parent))
        if len(proto.raw_data) != size:
            raise ValueError("the file ends too early")
    except Exception as error:  # Of the file system, or of the package's checks of the path.
        raise KanError(
            f"{where}: its external data cannot be read: {first_line(error)}",
            remedy="put the data file beside the model, or export with external_data=False",
        ) from None
    proto.data_location = onnx.TensorProto.DEFAULT
    del proto.external_data[:]
