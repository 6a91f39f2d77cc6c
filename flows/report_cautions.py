"""Warnings of a build: figures that suggest that the hardware does not follow the model.

Each caution states the finding, the samples that show it, and the remedy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation

from kan_dialect.analysis.quantization_points import unobserved
from kan_dialect.files.data_sets import Dataset, Errors
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.ir.semantics import is_univariate
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.model.saturation import Saturation
from kan_dialect.ops.layer import AffineOp, MapOp
from kan_dialect.ops.table import DequantizeOp
from kan_dialect.quantity import quantity
from kan_dialect.search.precision.score import LABELS_REMEDY, is_classification, labels_problem

OFTEN = 0.1
"""Share of the samples on which an input or a node may saturate without a caution."""
NEARLY_ALWAYS = 0.5
"""The same share for inputs of models that were trained with saturating integers."""
LOST = 0.05
"""Loss of accuracy, or of explained variance, that quantisation may cause without a caution."""
POOR_FIT = 0.99
"""Share of explained variance below which a doubled error is a caution."""
NAMED = 4
"""Largest number of ports or nodes that a caution names."""


def input_cautions(
    interface: Interface, found: dict[str, Saturation], dataset: Dataset, *, trained: bool
) -> list[str]:
    """Caution about inputs that too often lie outside the range of their codes.

    Parameters
    ----------
    found : saturation on `calibration`, and on `test` where there is a test set.
    trained : whether the imported model was an integer model.
    """
    limit = NEARLY_ALWAYS if trained else OFTEN
    verb = "wrap" if any(port.wraps for port in interface.inputs) else "saturate"
    calibration = _often(found["calibration"].inputs, found["calibration"].samples, limit)
    if calibration:
        what = _told(calibration, "input", found["calibration"], "calibration", verb)
        remedy = (
            "scale the samples as in training, or import the scales"
            if trained
            else "use --scale minmax or more bits; with --quantizers, quantisers of this network"
        )
        return [f"{what}{_reach(interface, calibration, dataset.x)}; {remedy}"]
    if "test" not in found or dataset.x_test is None:
        return []
    test = _often(found["test"].inputs, found["test"].samples, limit)
    if not test:
        return []
    what = _told(test, "input", found["test"], "test", verb)
    return [
        f"{what}{_reach(interface, test, dataset.x_test)}; the calibration samples do not cover "
        "the inputs: calibrate with samples of their whole range"
    ]


def node_cautions(found: dict[str, Saturation]) -> list[str]:
    """Caution about nodes whose sums saturate too often, on the first set that shows it."""
    for name, each in found.items():
        nodes = _often(each.nodes, each.samples, OFTEN)
        if nodes:
            return [
                f"{_told(nodes, 'node', each, name)}; use --scale minmax or more bits, and "
                "calibration samples of the whole range"
            ]
    return []


def _often(counts: dict[str, int], samples: int, limit: float) -> list[tuple[str, int]]:
    """Names that saturate on more than `limit` of the samples, with counts, descending."""
    found = [(name, count) for name, count in counts.items() if count > limit * samples]
    return sorted(found, key=lambda each: -each[1])


def _told(
    often: Sequence[tuple[str, int]],
    what: str,
    found: Saturation,
    name: str,
    verb: str = "saturate",
) -> str:
    """The finding in words: number of ports or nodes, share of the samples, names."""
    named = ", ".join(found.name_of(each) for each, _ in often[:NAMED])
    rest = f" and {len(often) - NAMED} more" if len(often) > NAMED else ""
    share = often[0][1] / found.samples
    saturate = f"{quantity(len(often), what)} {verb}{'s' if len(often) == 1 else ''}"
    most = f"{share:.0%}" if len(often) == 1 else f"up to {share:.0%}"
    return f"{saturate} in {most} of the {found.samples} {name} samples ({named}{rest})"


def _reach(interface: Interface, often: Sequence[tuple[str, int]], x: FloatArray) -> str:
    """The range that the codes of the worst input cover, and the range of its values."""
    name = often[0][0]
    index = next(index for index, port in enumerate(interface.inputs) if port.name == name)
    port = interface.inputs[index]
    ends = np.array([port.low, port.high])
    real = ((ends - port.zero_point) * port.scale - port.offset) / port.gain if port.gain else ends
    low, high = sorted(real.tolist())
    column = x[:, index]
    return (
        f"; codes of {port.data_name or name} cover {low:.4g} to {high:.4g}, its values are "
        f"{column.min():.4g} to {column.max():.4g}"
    )


def accuracy_caution(
    real: float,
    integer: float,
    samples: int,
    name: str,
    *,
    allowed: float | None,
    saturates: bool,
) -> list[str]:
    """Caution about an integer model that is far less accurate than the float model.

    Parameters
    ----------
    real, integer : accuracies of the float model and of the integer model.
    allowed : the loss of accuracy that the user allows, or None.
    saturates : whether saturation has a caution of its own; it is then the likely cause.
    """
    lost = real - integer
    if lost <= max(LOST, allowed or 0.0) or round(lost * samples) < 2:
        return []
    return [
        f"quantisation loses {100 * lost:.1f} points of accuracy, {real:.4f} to {integer:.4f} on "
        f"{samples} {name} samples; {_remedy(saturates=saturates)}"
    ]


_MORE_BITS = "give more bits (--bits), or have them chosen (--bits auto --max-accuracy-loss 1%)"
_LESS_SATURATION = "fix the saturation first"


def _remedy(*, saturates: bool) -> str:
    return _LESS_SATURATION if saturates else _MORE_BITS


def error_caution(
    real: Errors, integer: Errors, name: str, *, allowed: float | None, saturates: bool
) -> list[str]:
    """Caution about an integer model with far larger errors than the float model."""
    if real.r2 is None or integer.r2 is None:
        return []
    lost = real.r2 - integer.r2
    worse = integer.rmse > 2 * real.rmse and integer.r2 < POOR_FIT
    if lost <= (allowed or 0.0) or not (worse or lost > LOST):
        return []
    return [
        f"quantisation makes errors much larger: RMSE {real.rmse:.4g} to {integer.rmse:.4g}, R² "
        f"{real.r2:.4f} to {integer.r2:.4f} on the {name} samples; {_remedy(saturates=saturates)}"
    ]


_CHECK_DATA = "check that labels, order of features and scaling are those of the training"


def useless_cautions(
    accuracy: float | None, errors: Errors | None, labels: Array | None, name: str
) -> list[str]:
    """Caution about a model that is no better than a constant.

    Parameters
    ----------
    accuracy : share of right classes; None of numbers.
    errors : against targets that are numbers; None of classes.
    labels : (samples, ...), or None.
    """
    if errors is not None and errors.r2 is not None and errors.r2 < 0:
        return [
            f"R² is {errors.r2:.4f} on the {name} samples: the targets' mean alone has smaller "
            f"errors; {_CHECK_DATA}"
        ]
    if accuracy is None or labels is None:
        return []
    counts = np.unique(labels.reshape(-1), return_counts=True)[1]
    largest = float(counts.max() / counts.sum())
    if len(counts) < 2 or accuracy > largest:
        return []
    return [
        f"the accuracy, {accuracy:.4f} on {len(labels)} {name} samples, is no better than that of "
        f"the largest class alone, {largest:.4f}; {_CHECK_DATA}"
    ]


def difference_caution(difference: Errors, name: str, *, saturates: bool) -> list[str]:
    """Caution about outputs that do not follow the float model, for data without labels."""
    if difference.r2 is None or difference.r2 >= 1.0 - LOST:
        return []
    return [
        f"the integer outputs explain {max(difference.r2, 0.0):.0%} of the variance of the float "
        f"model's on the {name} samples; {_remedy(saturates=saturates)}"
    ]


def label_cautions(
    real: Model | None, outputs: FloatArray, labels: Array | None, name: str
) -> list[str]:
    """Caution about labels that do not fit the outputs, or about a head that was imported.

    Parameters
    ----------
    real : the float model, or None.
    outputs : (samples, out), of the float model, or of the integer model without one.
    labels : (samples, ...), or None.
    """
    problem = labels_problem(labels, outputs.shape[1])
    if problem is not None:
        return [f"the {name} samples have {problem}; they cannot score a model: {LABELS_REMEDY}"]
    if labels is None or not is_classification(labels, outputs.shape[1]):
        return []
    head = None if real is None else _head(real)
    squashed = head is not None and bool((outputs >= 0).all() and (outputs <= 1).all())
    flat = labels.reshape(-1)
    one_sided = outputs.shape[1] == 1 and (bool((outputs > 0).all()) or bool((outputs <= 0).all()))
    if one_sided and int(flat.min()) < int(flat.max()):
        side, number = ("above 0", 1) if bool((outputs > 0).all()) else ("at most 0", 0)
        remedy = "train or export the model so that class 1 is an output above 0"
        if squashed:
            remedy = f"import it without its head, {head} (--strip-head)"
        return [
            f"the output is {side} for all {name} samples, so class {number} is the only result (a "
            f"single output means class 1 where it is above 0); {remedy}"
        ]
    if squashed:
        return [
            f"the model ends in a head, {head}, that maps its outputs to 0..1: it changes no "
            "class, costs tables and makes close outputs equal; import the model without its head "
            "(--strip-head)"
        ]
    return []


def _head(real: Model) -> str | None:
    """Name of the function between the sums of the last layer and the results, or None."""
    if not isinstance(real.op, func.FuncOp):
        return None
    terminator = real.op.get_return_op()
    assert terminator is not None
    for value in map(unobserved, terminator.operands):
        owner = value.owner
        if isinstance(owner, MapOp):
            return f"a {owner.function.data}"
        if (
            isinstance(owner, Operation)
            and is_univariate(owner)
            and not isinstance(owner, AffineOp | DequantizeOp)
        ):
            return f"'{owner.name}'"
    return None


def constant_caution(
    interface: Interface, expected: IntArray, samples: int, remedy: str, *, as_given: bool
) -> list[str]:
    """Caution about outputs that do not depend on the inputs.

    Parameters
    ----------
    expected : output codes of the simulated vectors, (vectors, outputs), int64.
    samples : number of leading vectors that are samples of the data.
    remedy : names the options to change, see `budget_remedy`.
    as_given : whether the integers are those of the model file. A single constant output is meant
        then, such as the class that others are compared with.
    """
    if len(expected) < 2:
        return []
    more = f"{remedy}, and check the calibration samples and their labels"
    if samples > 1 and is_constant(expected[:samples]) and not is_constant(expected):
        return [
            f"the design is a constant on the data: its outputs are the same for all {samples} "
            f"samples; {more}"
        ]
    same = (expected == expected[0]).all(axis=0)
    names = [port.label for port, constant in zip(interface.outputs, same, strict=True) if constant]
    if not names or (as_given and not same.all()):
        return []
    if bool(same.all()):
        what = "the design is a constant: its outputs are the same"
    elif len(names) == 1:
        what = f"output {names[0]} is a constant: it is the same"
    else:
        named = ", ".join(names[:NAMED]) + (" and others" if len(names) > NAMED else "")
        what = f"outputs {named} are constants: they are the same"
    return [f"{what} for all {len(expected)} vectors; {more}"]


def is_constant(outputs: Array) -> bool:
    """Whether all outputs, (samples, outputs), are the same for all samples."""
    return bool((outputs == outputs[:1]).all())
