"""Samples for the check of a pass: ends of ranges, every code, extremes of sums.

Where the inputs have few combinations, the samples are all of them. Otherwise they contain

- every code of every input (up to 4096 an input): so every entry of a table that reads an input,
- inputs at which each sum of the first layer is smallest and largest,
- for every node, the smallest and the largest code that thousands of random samples reach, and as
  many other codes as the number of samples allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import TensorType
from xdsl.ir import BlockArgument, Operation, SSAValue

from kan_dialect.analysis.quantization_points import observer, readers
from kan_dialect.evaluate.code_ports import code_values
from kan_dialect.evaluate.interpreter import evaluate_inside
from kan_dialect.ir.constants import FloatArray, IntArray, to_floats
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.interface import Port, highs, lows
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.ops.wire import ConstantOp, SumOp

MAX_SAMPLES = 4096
"""Number of random samples of a small model. A large one gets fewer."""
MIN_SAMPLES = 256
MAX_ELEMENTS = 30_000_000
"""Number of elements, over all values and samples, that bounds the number of samples."""
MAX_EDGE_ELEMENTS = 1 << 24
"""Largest number of elements, edges times codes, at which a layer is searched at every code."""
EVERY_CODE = 4096
"""Largest number of codes of an input that are all sampled."""
POOL = 4
"""Extremes of hidden nodes are searched among this multiple of the number of random samples."""
DOMAIN = (-2.0, 2.0)
"""Range of real inputs without knots or calibration data."""


@dataclass(frozen=True)
class CodeSamples:
    """Input codes (samples, inputs), int64."""

    codes: IntArray
    exhaustive: bool
    """The samples are all possible inputs."""


def sample_count(op: func.FuncOp | hw.HWModuleOp) -> int:
    """Number of random samples for a function of this size."""
    elements = sum(
        prod(tensor_shape(result)) if isinstance(result.type, TensorType) else 1
        for inner in op.body.block.ops
        for result in inner.results
    )
    return int(np.clip(MAX_ELEMENTS // max(elements, 1), MIN_SAMPLES, MAX_SAMPLES))


def code_samples(
    model: Model, given: IntArray | None, rng: np.random.Generator, count: int
) -> CodeSamples:
    """Input codes for a model that has codes.

    Parameters
    ----------
    given : codes of real data, (samples, inputs). They come first.
    count : number of random samples.
    """
    ports, _ = model.ports()
    low, high = lows(ports), highs(ports)
    sizes = [port.high - port.low + 1 for port in ports]
    if prod(sizes) <= max(count, MIN_SAMPLES):
        grids = np.meshgrid(*[np.arange(p.low, p.high + 1) for p in ports], indexing="ij")
        return CodeSamples(np.stack(grids, axis=-1).reshape(-1, len(ports)), True)
    parts = [
        *([] if given is None else [given]),
        _corners(ports),
        _every_code(ports, rng),
        *first_layer_ends(model),
    ]
    pool = rng.integers(low, high, (POOL * count, len(ports)), endpoint=True)
    parts.append(_of_most_codes(model, pool, count))
    return CodeSamples(np.concatenate(parts).astype(np.int64), False)


def _corners(ports: Sequence[Port]) -> IntArray:
    """All inputs at one kind of code; each input at its ends with the others at the code of 0."""
    low, high = lows(ports), highs(ports)
    zero = np.clip([port.zero_point for port in ports], low, high)
    inner = np.minimum(low + 1, high), np.maximum(high - 1, low)
    corners = [np.stack([low, high, zero, (low + high) // 2, *inner])]
    for extreme in (low, high):
        alone = np.tile(zero, (len(ports), 1))
        np.fill_diagonal(alone, extreme)
        corners.append(alone)
    return np.concatenate(corners)


def _every_code(ports: Sequence[Port], rng: np.random.Generator) -> IntArray:
    """Every code of every input with random codes of the others; long ranges are spaced evenly."""
    columns: list[IntArray] = []
    longest = min(max(port.high - port.low + 1 for port in ports), EVERY_CODE)
    for port in ports:
        size = port.high - port.low + 1
        codes = (
            np.arange(port.low, port.high + 1)
            if size <= EVERY_CODE
            else np.linspace(port.low, port.high, EVERY_CODE).astype(np.int64)
        )
        columns.append(rng.permutation(np.resize(codes, longest)))
    return np.stack(columns, axis=1)


def _of_most_codes(model: Model, pool: IntArray, count: int) -> IntArray:
    """Choose `count` samples of the pool that reach many codes of the nodes.

    Samples at the ends of the nodes' ranges come first, then one sample for each further code.
    """
    _, nodes = model.run_nodes(pool)
    chosen: list[IntArray] = [
        np.array([int(f(codes)) for codes in nodes.values() for f in (np.argmin, np.argmax)], int)
    ]
    chosen.extend(np.unique(codes, return_index=True)[1] for codes in nodes.values())
    chosen.append(np.arange(count))
    order = np.concatenate(chosen)
    _, first = np.unique(order, return_index=True)
    return pool[order[np.sort(first)][:count]]


def first_layer_ends(model: Model) -> Iterator[IntArray]:
    """Samples (ends, inputs) at which sums of tables of inputs are smallest and largest.

    Such a sum is separable: it is largest where each of its tables is largest.
    """
    if not isinstance(model.op, func.FuncOp):
        return
    if model.level == "wire":
        yield from _wire_ends(model.op, model.ports()[0])
    else:
        yield from _table_ends(model.op, model.ports()[0])


def _table_ends(function: func.FuncOp, ports: Sequence[Port]) -> Iterator[IntArray]:
    sources, _ = code_values(function)
    widths = np.cumsum([tensor_shape(source)[0] for source in sources])[:-1]
    low, high = lows(ports), highs(ports)
    middle = (low + high) // 2
    for op in function.body.block.ops:
        if not isinstance(op, NodeSumOp) or _is_hidden(op.edges, sources):
            continue
        nodes, inputs = tensor_shape(op.edges)
        if inputs != len(ports):
            continue
        entries = max(2, min(EVERY_CODE, MAX_EDGE_ELEMENTS // (nodes * inputs)))
        step = np.linspace(0.0, 1.0, min(int((high - low).max()) + 1, entries))[:, np.newaxis]
        codes = np.rint(low + step * (high - low)).astype(np.int64)
        parts = list(np.split(codes, widths, axis=1))
        (edges,) = evaluate_inside(function, parts, [op.edges], sources=sources)
        columns = np.arange(inputs)
        for best in (edges.argmin(axis=0), edges.argmax(axis=0)):
            yield np.where(op.mask_array, codes[best, columns], middle)


def _is_hidden(value: SSAValue, sources: Sequence[SSAValue]) -> bool:
    """Whether a node sum stands between the inputs' codes and the value."""
    pending, seen = [value], set[SSAValue]()
    while pending:
        current = pending.pop()
        if current in sources or current in seen:
            continue
        seen.add(current)
        owner = current.owner
        if isinstance(owner, NodeSumOp):
            return True
        if isinstance(owner, Operation):
            pending.extend(owner.operands)
    return False


def _wire_ends(function: func.FuncOp, ports: Sequence[Port]) -> Iterator[IntArray]:
    """Samples at the ends of every sum of functions of one input each."""
    separable: dict[SSAValue, dict[int, IntArray]] = {
        argument: {index: np.arange(port.low, port.high + 1)}
        for index, (argument, port) in enumerate(zip(function.args, ports, strict=True))
        if port.high - port.low < 1 << 20
    }
    middle = (lows(ports) + highs(ports)) // 2
    ends: list[IntArray] = []
    for op in function.body.block.ops:
        if isinstance(op, ConstantOp):
            separable[op.result] = {}
        if not op.results or not op.operands or not all(v in separable for v in op.operands):
            continue
        if isinstance(op, SumOp):
            total: dict[int, IntArray] = {}
            for value in op.inputs:
                for index, values in separable[value].items():
                    total[index] = total[index] + values if index in total else values
            separable[op.result] = total
            if len(total) > 1:
                ends.extend(_ends(total, middle, ports))
        elif len(op.operands) == 1 and len(separable[op.operands[0]]) == 1:
            # Sums are followed without their constants, so ops that read a sum are not followed.
            if isinstance(op.operands[0].owner, SumOp):
                continue
            ((index, values),) = separable[op.operands[0]].items()
            results = evaluate_op(op, [values])
            separable.update((r, {index: v}) for r, v in zip(op.results, results, strict=True))
    if ends:
        yield np.stack(ends)


def _ends(terms: dict[int, IntArray], middle: IntArray, ports: Sequence[Port]) -> list[IntArray]:
    rows = [middle.copy(), middle.copy()]
    for index, values in terms.items():
        rows[0][index] = ports[index].low + int(values.argmin())
        rows[1][index] = ports[index].low + int(values.argmax())
    return rows


def real_samples(
    function: func.FuncOp, given: FloatArray | None, rng: np.random.Generator, count: int
) -> FloatArray:
    """Real inputs (samples, inputs) for a function of floats.

    Given data comes first, then the ends of the domain, every knot of every spline, and random
    values in the domain and a little beyond it.
    """
    marks = [
        _landmarks(argument, index)
        for argument in function.args
        for index in range(tensor_shape(argument)[0])
    ]
    if given is not None:
        marks = [np.append(m, [c.min(), c.max()]) for m, c in zip(marks, given.T, strict=True)]
    marks = [np.unique(m) if m.size else np.array(DOMAIN) for m in marks]
    low = np.array([m[0] for m in marks])
    high = np.array([m[-1] for m in marks])
    margin = 0.1 * np.where(high > low, high - low, 1.0)
    knots = max(len(m) for m in marks)
    parts = [
        *([] if given is None else [given]),
        np.stack([low, high, (low + high) / 2]),
        np.stack([rng.permutation(np.resize(m, knots)) for m in marks], axis=1),
        rng.uniform(low - margin, high + margin, (count, len(marks))),
    ]
    return np.concatenate(parts)


def _landmarks(argument: BlockArgument, index: int) -> FloatArray:
    """The range of an input that calibration recorded, and the knots of splines that read it."""
    found: list[FloatArray] = []
    seen = observer(argument)
    if seen is not None:
        found.append(to_floats(seen.seen)[index])
    for op in readers(argument):
        if isinstance(op, BSplineOp):
            knots = np.atleast_2d(op.knot_vector)
            found.append(knots[index if len(knots) > 1 else 0])
    return np.concatenate(found) if found else np.empty(0)
