"""The quantisers of a network as data: what a trainer needs to know, and what it hands back.

`quantizers_of` reads them off a function at table level; `kan-quantize` takes them in place of a
choice of its own. As JSON they are documented in `docs/reference/numerics.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import cast

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import AnyFloat, ModuleOp
from xdsl.ir import BlockArgument, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import host_affine
from kan_dialect.evaluate.edge_tables import find_chain
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import Array, BoolArray, FloatArray, IntArray
from kan_dialect.ir.quant import (
    MAX_STORAGE_BITS,
    MAX_ZERO_POINT,
    UniformQuantizedType,
    default_bounds,
    storage_for,
)
from kan_dialect.ir.types import is_quantized, quantized_type, tensor_shape
from kan_dialect.ops.layer import AffineOp, ConcatOp, NodeSumOp, reads_argument
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.ops.table import LookupOp, QuantizeOp, RequantizeOp

FORMAT = 1
"""The version of the JSON, which readers of another one refuse."""


@dataclass(frozen=True)
class Codes:
    """The codes of n inputs or nodes: `clamp(round(x / scale) + zero_point, low, high)`.

    Parameters
    ----------
    low, high : (n), int64, the least and the greatest code of each.
    scale, zero_point : (n), float64 and int64; or () where all share them by type.
    """

    low: IntArray
    high: IntArray
    scale: FloatArray
    zero_point: IntArray

    def __len__(self) -> int:
        return len(self.low)

    def element(self, expressed: AnyFloat) -> UniformQuantizedType:
        """The type of a tensor of such codes, of the narrowest storage that holds them all."""
        low, high = int(self.low.min()), int(self.high.max())
        bits, signed = storage_for(low, high)
        return UniformQuantizedType(
            bits,
            signed,
            self.scale,
            self.zero_point,
            axis=0 if self.scale.ndim else None,
            # Storage of a single code is none.
            bounds=(low, high) if low < high else default_bounds(bits, signed),
            expressed=expressed,
        )

    def equals(self, other: Codes) -> bool:
        """Whether all numbers are the same."""
        return all(
            np.array_equal(np.broadcast_to(mine, len(self)), np.broadcast_to(its, len(self)))
            for mine, its in zip(self._arrays(), other._arrays(), strict=True)
        )

    def _arrays(self) -> tuple[Array, ...]:
        return self.low, self.high, self.scale, self.zero_point


@dataclass(frozen=True)
class Argument:
    """An argument's codes, and the affine that the host computes before it quantises.

    Parameters
    ----------
    gain, offset : (n), float64: codes are those of x * gain + offset.
    name : as layers say it that read the argument.
    """

    codes: Codes
    gain: FloatArray
    offset: FloatArray
    name: str


@dataclass(frozen=True)
class Edges:
    """The edges of a layer: `round(value / scale)`, once, to integers that are added exactly.

    Parameters
    ----------
    scale : (out), float64, or () where all nodes share it by type.
    kept : (out, in), which edges exist.
    low, high : (out, in), int64, the least and the greatest integer that each gives; 0 where there
        is no edge.
    bias : (out), int64, what a node adds.
    """

    scale: FloatArray
    kept: BoolArray
    low: IntArray
    high: IntArray
    bias: IntArray


@dataclass(frozen=True)
class Grid:
    """The knots of a layer's B-splines: (in, K), or (K) for all inputs."""

    degree: int
    knots: FloatArray


@dataclass(frozen=True)
class Layer:
    """A layer: nodes that sum edges; or without edges, one function of each element."""

    name: str
    reads: tuple[str, ...]
    """Arguments and layers whose codes it reads, side by side."""
    nodes: Codes
    saturates: bool
    """Whether sums become codes of `nodes`. Those that are results stay as they are."""
    edges: Edges | None = None
    splines: tuple[Grid, ...] = ()

    @property
    def shift(self) -> IntArray:
        """(out): codes are sums divided by 2^shift, rounded half to even; of a layer of edges."""
        assert self.edges is not None
        ratio = np.broadcast_to(self.nodes.scale / self.edges.scale, len(self.nodes))
        return np.rint(np.log2(ratio)).astype(np.int64)


@dataclass(frozen=True)
class Quantizers:
    """The quantisers of a function, in its order."""

    name: str
    arguments: tuple[Argument, ...]
    layers: tuple[Layer, ...]
    digest: str | None = None
    """That of `description` when the file was written; None where they are of no file."""

    def description(self) -> Mapping[str, object]:
        """What the network is like, by place: `kan-quantize` works it out, and takes none of it."""
        found: dict[str, object] = {"name": self.name}
        for index, argument in enumerate(self.arguments):
            found[f"inputs[{index}].name"] = argument.name
        for index, layer in enumerate(self.layers):
            where = f"layers[{index}]"
            found[f"{where}.name"] = layer.name
            found[f"{where}.reads"] = list(layer.reads)
            if layer.edges is not None:
                for name in ("low", "high", "bias"):
                    found[f"{where}.edges.{name}"] = getattr(layer.edges, name).tolist()
            if not layer.saturates:
                found[f"{where}.nodes.low"] = layer.nodes.low.tolist()
                found[f"{where}.nodes.high"] = layer.nodes.high.tolist()
            for number, grid in enumerate(layer.splines):
                found[f"{where}.splines[{number}].degree"] = grid.degree
                found[f"{where}.splines[{number}].knots"] = grid.knots.tolist()
        return found

    def description_digest(self) -> str:
        """The same for the same description."""
        return sha256(json.dumps(self.description()).encode()).hexdigest()

    def with_splines_of(self, earlier: Quantizers | None) -> Quantizers:
        """The same, with the grids that tables no longer tell."""
        if earlier is None or len(earlier.layers) != len(self.layers):
            return self
        layers = [
            replace(now, splines=now.splines or before.splines)
            for now, before in zip(self.layers, earlier.layers, strict=True)
        ]
        return replace(self, layers=tuple(layers))


def quantized_functions(module: ModuleOp) -> Iterator[func.FuncOp]:
    """Functions at table level whose arguments have quantisers."""
    for op in module.ops:
        if isinstance(op, func.FuncOp) and not op.is_declaration:
            quantizers = [each for each in op.body.block.ops if isinstance(each, QuantizeOp)]
            if any(reads_argument(each.input) for each in quantizers):
                yield op


# From the IR.


def quantizers_of(function: func.FuncOp) -> Quantizers:
    """The quantisers of a function at table level."""
    arguments: dict[int, Argument] = {}
    layers: list[Layer] = []
    place: dict[SSAValue, int] = {}
    reads: dict[SSAValue, tuple[str, ...]] = {}

    def add(value: SSAValue, layer: Layer) -> None:
        place[value] = len(layers)
        reads[value] = (layer.name,)
        layers.append(layer)

    for op in function.body.block.ops:
        match op:
            case QuantizeOp() if reads_argument(op.input):
                index = _argument_index(op.input)
                reads[op.result] = (f"input{index}",)
                arguments[index] = _argument(op, f"input{index}")
            case QuantizeOp() | LookupOp() if len(tensor_shape(op.result)) == 1:
                source, splines = _source(op)
                name = f"layer{len(layers)}"
                codes = _codes(op.result)
                add(op.result, Layer(name, reads.get(source, ()), codes, True, splines=splines))
            case NodeSumOp() if is_quantized(op.edges):
                source, splines = _source(op.edges.owner)
                name = op.given_name or f"layer{len(layers)}"
                nodes = _codes(op.result)
                edges = _edges(op)
                add(op.result, Layer(name, reads.get(source, ()), nodes, False, edges, splines))
            case RequantizeOp() if op.input in place:
                index = place[op.input]
                layers[index] = replace(layers[index], nodes=_codes(op.result), saturates=True)
                reads[op.result] = reads[op.input]
            case ConcatOp() if is_quantized(op.result):
                reads[op.result] = tuple(name for v in op.inputs for name in reads.get(v, ()))
            case _:
                pass
    in_order = tuple(argument for _, argument in sorted(arguments.items()))
    return Quantizers(function.sym_name.data, in_order, tuple(layers))


def _codes(value: SSAValue) -> Codes:
    element = quantized_type(value)
    low, high = bounds_of(value)
    per_tensor = element.axis is None
    return Codes(
        low,
        high,
        element.scales[0] if per_tensor else element.scales,
        element.zero_points[0] if per_tensor else element.zero_points,
    )


def _argument_index(value: SSAValue) -> int:
    """Which argument a value is, behind affines."""
    while not isinstance(value, BlockArgument):
        assert isinstance(value.owner, AffineOp)
        value = value.owner.input
    return value.index


def _argument(op: QuantizeOp, name: str) -> Argument:
    codes = _codes(op.result)
    affine = host_affine(op.result)
    gain, offset = (np.ones(len(codes)), np.zeros(len(codes))) if affine is None else affine
    return Argument(codes, gain, offset, name)


def _source(op: object) -> tuple[SSAValue, tuple[Grid, ...]]:
    """The codes that edges read, and the grids of B-splines on the way."""
    assert isinstance(op, QuantizeOp | LookupOp)
    if isinstance(op, LookupOp):
        return op.input, ()
    chain = find_chain(op.input)
    if chain is None:
        return op.input, ()
    splines = [each for each in chain.ops if isinstance(each, BSplineOp)]
    return chain.source, tuple(Grid(s.degree.value.data, s.knot_vector) for s in splines)


def _edges(op: NodeSumOp) -> Edges:
    kept = op.mask_array
    low, high = bounds_of(op.edges)
    scales = quantized_type(op.edges)
    return Edges(
        scales.scales[0] if scales.axis is None else scales.scales,
        kept,
        np.where(kept, low, 0),
        np.where(kept, high, 0),
        op.bias_array,
    )


# To JSON.


def to_json(quantizers: Quantizers) -> str:
    """The text of the file; lists of numbers stand on one line each."""
    whole = {
        "format": FORMAT,
        "name": quantizers.name,
        "inputs": [
            {
                "name": argument.name,
                **_codes_entry(argument.codes),
                "gain": argument.gain.tolist(),
                "offset": argument.offset.tolist(),
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
    entry["nodes"] = {**_codes_entry(layer.nodes), "saturates": layer.saturates, **shift}
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
    """The bits that hold codes low..high, element by element."""
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


# From JSON.


def read_quantizers(path: str | Path) -> Quantizers:
    """What a file holds that `to_json` wrote, perhaps edited since.

    Raises
    ------
    KanError : there is no such file, or it is no such JSON; names the entry.
    """
    remedy = "make one with kan-opt -t quantizers, or kan-flow build"
    try:
        whole: object = json.loads(Path(path).read_text(), object_pairs_hook=_object)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise KanError(f"cannot read {path}: {reason}", remedy=remedy) from None
    entry = _Entry(str(path), "the file", whole)
    version = entry.at("format").value
    if version != FORMAT:
        raise KanError(f"{path} is of format {version}, not {FORMAT}", remedy=remedy)
    entry.require_known("format", "name", "inputs", "layers", "digest")
    arguments = tuple(_read_argument(each) for each in entry.at("inputs").entries())
    layers = tuple(_read_layer(each) for each in entry.at("layers").entries())
    digest = entry.at("digest").text() if entry.has("digest") else None
    return Quantizers(entry.at("name").text(), arguments, layers, digest)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of the JSON, if no key stands in it twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"`{twice}` stands twice in an object")
    return found


_CODES = ("bits", "low", "high", "scale", "zero_point")


def _read_argument(entry: _Entry) -> Argument:
    codes = _read_codes(entry)
    entry.require_known("name", *_CODES, "gain", "offset")
    shape = (len(codes),)
    gain, offset = entry.at("gain").floats(shape), entry.at("offset").floats(shape)
    return Argument(codes, gain, offset, entry.at("name").text())


def _read_codes(entry: _Entry) -> Codes:
    low = entry.at("low").integers()
    if low.ndim != 1 or not low.size:
        raise entry.at("low").error("is no list of codes")
    high = entry.at("high").integers(low.shape)
    if not bool((low <= high).all()):
        raise entry.at("high").error("is less than `low` somewhere")
    if storage_for(int(low.min()), int(high.max()))[0] > MAX_STORAGE_BITS:
        raise entry.at("high").error(f"needs more than {MAX_STORAGE_BITS} bits")
    entry.require_bits(low, high, needed=_bits(low, high))
    zero_point = entry.at("zero_point").integers(low.shape, ())
    if bool((np.abs(zero_point) > MAX_ZERO_POINT).any()):
        raise entry.at("zero_point").error("has more than 62 bits")
    scale = entry.at("scale").scales(low.shape)
    if scale.ndim != zero_point.ndim:
        scale, zero_point = (np.broadcast_to(each, low.shape) for each in (scale, zero_point))
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
        raise given.at("saturates").error("is neither true nor false")
    edges = None
    if entry.has("edges"):
        edges = _read_edges(entry.at("edges"), len(nodes))
    entry.require_known("name", "reads", "edges", "nodes", "splines")
    given.require_known(*_CODES, "saturates", *([] if edges is None else ["shift"]))
    if edges is None and not saturates:
        raise given.at("saturates").error("must be true of a layer without edges")
    if edges is not None:
        shift = given.at("shift")
        steps = edges.scale * np.exp2(shift.integers((len(nodes),)))
        if not np.allclose(nodes.scale, steps, rtol=1e-12, atol=0.0):
            raise shift.error("does not fit the scales of edges and nodes")
        if edges.scale.ndim > nodes.scale.ndim:
            # Edges have a scale each only where their nodes have.
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
    )


def _read_grid(entry: _Entry) -> Grid:
    entry.require_known("degree", "knots")
    degree = entry.at("degree").integers(())
    return Grid(int(degree), entry.at("knots").floats())


@dataclass(frozen=True)
class _Entry:
    """A value of the JSON, which says where it is when it is not what it must be."""

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
        """Refuse fields that would be ignored."""
        for key in cast("Mapping[str, object]", self.value):
            if key not in keys:
                where = key if self.where == "the file" else f"{self.where}.{key}"
                raise _Entry(self.path, where, None).error("is no field")

    def require_bits(
        self, low: IntArray, high: IntArray, *, needed: IntArray, kept: BoolArray | None = None
    ) -> None:
        """Refuse `bits` that are not those of the codes; they may be left out.

        An edge that is not kept has 0 bits, or those that it had when it was.
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
                remedy="bits follow from low and high: edit these, and the scale",
            )

    def entries(self) -> list[_Entry]:
        values = cast("list[object]", self.value)
        if not isinstance(self.value, list):
            raise self.error("is no list")
        return [_Entry(self.path, f"{self.where}[{n}]", each) for n, each in enumerate(values)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.error("is no text")
        return self.value

    def _array(self, kinds: str, what: str, shapes: Sequence[tuple[int, ...]]) -> Array:
        try:
            array = np.array(self.value)
        except (ValueError, OverflowError):  # rows of different lengths
            raise self.error(f"is no array of {what}") from None
        if array.dtype.kind not in kinds and array.size:
            raise self.error(f"is no array of {what}")
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
            raise self.error("is not finite")
        return array

    def scales(self, shape: tuple[int, ...]) -> FloatArray:
        array = self.floats(shape, ())
        if not bool((array > 0).all()):
            raise self.error("must be greater than 0")
        return array
