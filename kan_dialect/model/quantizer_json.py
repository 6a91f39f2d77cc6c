"""Quantisers as JSON files; `docs/reference/numerics.md` documents the fields."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.strict_json import parse_json
from kan_dialect.ir.constants import Array, BoolArray, FloatArray, IntArray
from kan_dialect.ir.quant import MAX_STORAGE_BITS, MAX_ZERO_POINT, storage_for
from kan_dialect.model.quantizers import (
    Argument,
    Codes,
    Edges,
    Grid,
    Layer,
    Quantizers,
)

FORMAT = 1
"""The version of the JSON. Files of other versions are refused."""


def to_json(quantizers: Quantizers) -> str:
    """The text of the file, with each list of numbers on one line."""
    whole = {
        "format": FORMAT,
        "name": quantizers.name,
        "inputs": [
            {
                "name": argument.name,
                **_codes_entry(argument.codes),
                "gain": argument.gain.tolist(),
                "offset": argument.offset.tolist(),
                **({} if argument.port is None else {"port": _codes_entry(argument.port)}),
            }
            for argument in quantizers.arguments
        ],
        "layers": [_layer_entry(layer) for layer in quantizers.layers],
        "digest": quantizers.description_digest(),
    }
    return _text(whole, "") + "\n"


def _layer_entry(layer: Layer) -> dict[str, object]:
    entry: dict[str, object] = {"name": layer.name, "reads": list(layer.reads)}
    if layer.edges is not None:
        edges = layer.edges
        bits = np.where(edges.kept, _bits(edges.low, edges.high), 0).tolist()
        entry["edges"] = {
            "scale": edges.scale.tolist(),
            "kept": edges.kept.tolist(),
            "bits": bits,
            "low": edges.low.tolist(),
            "high": edges.high.tolist(),
            "bias": edges.bias.tolist(),
        }
    shift = {} if layer.edges is None else {"shift": layer.shift.tolist()}
    fixed = {"fixed": True} if layer.fixed else {}
    nodes = {**_codes_entry(layer.nodes), "saturates": layer.saturates}
    entry["nodes"] = {**nodes, **shift, **fixed}
    entry["splines"] = [
        {"degree": grid.degree, "knots": grid.knots.tolist()} for grid in layer.splines
    ]
    return entry


def _codes_entry(codes: Codes) -> dict[str, object]:
    return {
        "bits": _bits(codes.low, codes.high).tolist(),
        "low": codes.low.tolist(),
        "high": codes.high.tolist(),
        "scale": codes.scale.tolist(),
        "zero_point": codes.zero_point.tolist(),
    }


def _bits(low: IntArray, high: IntArray) -> IntArray:
    """Number of bits of the codes low..high, element by element."""
    ends = zip(low.ravel().tolist(), high.ravel().tolist(), strict=True)
    bits = [storage_for(*each)[0] for each in ends]
    return np.array(bits, dtype=np.int64).reshape(low.shape)


def _text(value: object, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, dict):
        entries = cast("dict[str, object]", value).items()
        lines = [f"{inner}{json.dumps(key)}: {_text(each, inner)}" for key, each in entries]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list):
        values = cast("list[object]", value)
        if any(isinstance(each, dict | list) for each in values):
            lines = [f"{inner}{_text(each, inner)}" for each in values]
            return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    return json.dumps(value)


def read_quantizers(path: str | Path) -> Quantizers:
    """The quantisers in a file that `to_json` wrote and a user may have edited.

    Raises
    ------
    KanError : the file cannot be read, or an entry is not as documented. The message names the
        entry.
    """
    return parse_quantizers(read_json(path), path)


_MAKE = "make one with kan-opt -t quantizers, or kan-flow build"


def read_json(path: str | Path) -> object:
    """The value in a file of quantisers.

    Raises
    ------
    KanError : the file cannot be read, or has a field twice.
    """
    try:
        return parse_json(Path(path).read_text())
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise KanError(f"cannot read {path}: {reason}", remedy=_MAKE) from None


def parse_quantizers(whole: object, path: str | Path) -> Quantizers:
    """The quantisers in the value of a file.

    Parameters
    ----------
    path : of the file, for messages.

    Raises
    ------
    KanError : an entry is not as documented. The message names it.
    """
    entry = _Entry(str(path), "the file", whole)
    version = entry.at("format").value
    if version != FORMAT:
        raise KanError(f"{path} has format {version}, expected {FORMAT}", remedy=_MAKE)
    entry.require_known("format", "name", "inputs", "layers", "digest")
    arguments = tuple(_read_argument(each) for each in entry.at("inputs").entries())
    layers = tuple(_read_layer(each) for each in entry.at("layers").entries())
    digest = entry.at("digest").text() if entry.has("digest") else None
    return Quantizers(entry.at("name").text(), arguments, layers, digest)


_CODES = ("bits", "low", "high", "scale", "zero_point")


def _read_argument(entry: _Entry) -> Argument:
    codes = _read_codes(entry)
    entry.require_known("name", *_CODES, "gain", "offset", "port")
    shape = (len(codes),)
    gain, offset = entry.at("gain").floats(shape), entry.at("offset").floats(shape)
    port = _read_port(entry.at("port"), codes) if entry.has("port") else None
    return Argument(codes, gain, offset, entry.at("name").text(), port)


def _read_port(entry: _Entry, codes: Codes) -> Codes:
    """Codes of ports, one for each of `codes`."""
    port = _read_codes(entry)
    entry.require_known(*_CODES)
    if len(port) != len(codes):
        raise entry.at("low").error(f"must have {len(codes)} codes, got {len(port)}")
    return port


def _read_codes(entry: _Entry) -> Codes:
    low = entry.at("low").integers()
    if low.ndim != 1 or not low.size:
        raise entry.at("low").error("must be a list of codes")
    high = entry.at("high").integers(low.shape)
    if not bool((low <= high).all()):
        raise entry.at("high").error("must not be less than `low`")
    if storage_for(int(low.min()), int(high.max()))[0] > MAX_STORAGE_BITS:
        raise entry.at("high").error(f"needs more than {MAX_STORAGE_BITS} bits")
    entry.require_bits(low, high, needed=_bits(low, high))
    zero_point = entry.at("zero_point").integers(low.shape, ())
    if bool((np.abs(zero_point) > MAX_ZERO_POINT).any()):
        raise entry.at("zero_point").error("must be less than 2^62")
    scale = entry.at("scale").scales(low.shape)
    if scale.ndim != zero_point.ndim:
        scale = np.broadcast_to(scale, low.shape)
        zero_point = np.broadcast_to(zero_point, low.shape)
    return Codes(low, high, scale, zero_point)


def _read_edges(entry: _Entry, nodes: int) -> Edges:
    entry.require_known("scale", "kept", "bits", "low", "high", "bias")
    kept = entry.at("kept").flags()
    if kept.ndim != 2 or len(kept) != nodes:
        raise entry.at("kept").error(f"must have a row for each of {nodes} nodes")
    low, high = entry.at("low").integers(kept.shape), entry.at("high").integers(kept.shape)
    entry.require_bits(low, high, needed=_bits(low, high), kept=kept)
    return Edges(
        entry.at("scale").scales((nodes,)), kept, low, high, entry.at("bias").integers((nodes,))
    )


def _read_layer(entry: _Entry) -> Layer:
    given = entry.at("nodes")
    nodes = _read_codes(given)
    saturates = given.at("saturates").value
    if not isinstance(saturates, bool):
        raise given.at("saturates").error("must be true or false")
    edges = None
    if entry.has("edges"):
        edges = _read_edges(entry.at("edges"), len(nodes))
    entry.require_known("name", "reads", "edges", "nodes", "splines")
    given.require_known(*_CODES, "saturates", "fixed", *([] if edges is None else ["shift"]))
    fixed = given.at("fixed").value if given.has("fixed") else False
    if not isinstance(fixed, bool) or (fixed and not saturates):
        raise given.at("fixed").error("must be true or false, and false of what does not saturate")
    if edges is None and not saturates:
        raise given.at("saturates").error("must be true of a layer without edges")
    if edges is not None:
        shift = given.at("shift")
        steps = edges.scale * np.exp2(shift.integers((len(nodes),)))
        if not np.allclose(nodes.scale, steps, rtol=1e-12, atol=0.0):
            raise shift.error("does not fit the scales of edges and nodes")
        if edges.scale.ndim > nodes.scale.ndim:
            # Scales of edges are per node only if those of nodes are.
            shape = nodes.low.shape
            scale, point = (np.broadcast_to(a, shape) for a in (nodes.scale, nodes.zero_point))
            nodes = replace(nodes, scale=scale, zero_point=point)
    return Layer(
        entry.at("name").text(),
        tuple(each.text() for each in entry.at("reads").entries()),
        nodes,
        saturates,
        edges,
        tuple(_read_grid(each) for each in entry.at("splines").entries()),
        fixed,
    )


def _read_grid(entry: _Entry) -> Grid:
    entry.require_known("degree", "knots")
    degree = entry.at("degree").integers(())
    return Grid(int(degree), entry.at("knots").floats())


@dataclass(frozen=True)
class _Entry:
    """A value of the JSON with its place, for messages."""

    path: str
    where: str
    value: object

    def error(self, what: str) -> KanError:
        return KanError(
            f"{self.path}: {self.where} {what}",
            remedy="make the file with kan-opt -t quantizers; "
            "docs/reference/numerics.md has its fields",
        )

    def has(self, key: str) -> bool:
        found = cast("Mapping[str, object]", self.value)
        return isinstance(self.value, dict) and key in found

    def at(self, key: str) -> _Entry:
        where = key if self.where == "the file" else f"{self.where}.{key}"
        found = cast("Mapping[str, object]", self.value)
        if not isinstance(self.value, dict) or key not in found:
            raise _Entry(self.path, where, None).error("is missing")
        return _Entry(self.path, where, found[key])

    def require_known(self, *keys: str) -> None:
        """Refuse other fields than `keys`."""
        for key in cast("Mapping[str, object]", self.value):
            if key not in keys:
                where = key if self.where == "the file" else f"{self.where}.{key}"
                raise _Entry(self.path, where, None).error("is not a field")

    def require_bits(
        self, low: IntArray, high: IntArray, *, needed: IntArray, kept: BoolArray | None = None
    ) -> None:
        """Refuse `bits` that do not fit the codes.

        `bits` may be missing, and may be 0 for edges that are not kept.
        """
        if not self.has("bits"):
            return
        bits = self.at("bits").integers(needed.shape)
        wrong = bits != needed
        if kept is not None:
            wrong &= kept | (bits != 0)
        for at in map(tuple, np.argwhere(wrong).tolist()):
            place = "".join(f"[{index}]" for index in at)
            raise KanError(
                f"{self.path}: {self.where}.bits{place} is {bits[at]}, but codes "
                f"{low[at]}..{high[at]} need {needed[at]}",
                remedy="bits follow from low and high: edit low, high and the scale instead",
            )

    def entries(self) -> list[_Entry]:
        values = cast("list[object]", self.value)
        if not isinstance(self.value, list):
            raise self.error("must be a list")
        return [_Entry(self.path, f"{self.where}[{n}]", each) for n, each in enumerate(values)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.error("must be text")
        return self.value

    def _array(self, kinds: str, what: str, shapes: Sequence[tuple[int, ...]]) -> Array:
        try:
            array = np.array(self.value)
        except (ValueError, OverflowError):  # rows of different lengths
            raise self.error(f"must be an array of {what}") from None
        if array.dtype.kind not in kinds and array.size:
            raise self.error(f"must be an array of {what}")
        if shapes and array.shape not in shapes:
            expected = " or ".join(str(shape) for shape in shapes)
            raise self.error(f"must have shape {expected}, got {array.shape}")
        return array

    def integers(self, *shapes: tuple[int, ...]) -> IntArray:
        return self._array("i", "whole numbers", shapes).astype(np.int64)

    def flags(self) -> BoolArray:
        return self._array("b", "true and false", ()).astype(np.bool_)

    def floats(self, *shapes: tuple[int, ...]) -> FloatArray:
        array = self._array("if", "numbers", shapes).astype(np.float64)
        if not bool(np.isfinite(array).all()):
            raise self.error("must be finite")
        return array

    def scales(self, shape: tuple[int, ...]) -> FloatArray:
        array = self.floats(shape, ())
        if not bool((array > 0).all()):
            raise self.error("must be greater than 0")
        return array
