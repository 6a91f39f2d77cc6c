"""A training step in IR: roles of its arguments and results, and evaluation of many steps.

A trainable function is one step. The attribute `kan.role` gives the role of each argument: one
`input`, one `target` or `error`, one `train`, and a `state` for the coefficients of each layer.
With momentum, a `velocity` for each layer follows. `kan.initial` holds the initial codes or values
of a state or velocity. Results are the `output` and the next states, in the order of the arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    ModuleOp,
    StringAttr,
)
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.traits import IsTerminator

from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_values, find_function
from kan_dialect.ir.attributes.attribute_names import ROLE
from kan_dialect.ir.constants import Array, BoolArray, DenseAttr, FloatArray, to_numpy
from kan_dialect.ir.fixed_point import FixedType, fixed_type, to_fixed, to_real
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.ir.types import tensor_shape

INITIAL = "kan.initial"

Role: TypeAlias = Literal["input", "target", "error", "train", "state", "velocity", "output"]


@dataclass(frozen=True)
class Step:
    """A trainable function, with its arguments and results by role."""

    function: func.FuncOp
    input: BlockArgument
    target: BlockArgument
    """The target, or the error: the negative gradient of a loss with respect to the outputs."""
    fed_error: bool
    """True if `target` is the error."""
    train: BlockArgument
    states: tuple[BlockArgument, ...]
    """The coefficients of each layer; then, with momentum, their velocities."""
    layers: int
    """Number of layers: the first `layers` states are coefficients."""
    output: SSAValue
    next_states: tuple[SSAValue, ...]

    @property
    def name(self) -> str:
        return self.function.sym_name.data

    @property
    def number(self) -> FixedType | None:
        """The type of the inputs; None if the step is real-valued."""
        return fixed_type(self.input)

    def initial(self) -> list[Array]:
        """The initial states, each of its argument's shape: codes, int64, or values, float64.

        Raises
        ------
        KanError : an argument has no `kan.initial`, or one of another shape.
        """
        states: list[Array] = []
        for state in self.states:
            given = _entry(self.function.arg_attrs, state.index).get(INITIAL)
            if not isinstance(given, DenseIntOrFPElementsAttr):
                raise KanError(
                    f"@{self.name}: argument {state.index} has no attribute {INITIAL}, the state "
                    "in which training starts"
                )
            array = to_numpy(cast(DenseAttr, given))
            if array.shape != tensor_shape(state):
                raise KanError(
                    f"@{self.name}: {INITIAL} of argument {state.index} has another shape than "
                    "the argument"
                )
            states.append(array.astype(np.float64 if self.number is None else np.int64))
        return states

    def encode(self, values: FloatArray) -> Array:
        """Real inputs as codes, int64, or unchanged if the step is real-valued.

        Raises
        ------
        KanError : a value is NaN.
        """
        return _encoded(values, self.number)

    def encode_targets(self, values: FloatArray) -> Array:
        """Real targets, or real errors of a step that takes errors, as `encode` gives inputs.

        Raises
        ------
        KanError : a value is NaN.
        """
        return _encoded(values, fixed_type(self.target))

    def decode(self, values: Array) -> FloatArray:
        """Real values of outputs, float64."""
        kind = fixed_type(self.output)
        return values.astype(np.float64) if kind is None else to_real(values, kind)


def _encoded(values: FloatArray, kind: FixedType | None) -> Array:
    if np.isnan(values).any():
        raise KanError("inputs and targets must be numbers, got NaN")
    return values if kind is None else to_fixed(values, kind)


def is_trainable(function: func.FuncOp) -> bool:
    """True if an argument of the function has a role."""
    return function.arg_attrs is not None and any(
        ROLE in entry.data for entry in function.arg_attrs.data
    )


def step_of(module: ModuleOp, name: str | None = None) -> Step:
    """The training step in a module.

    Raises
    ------
    KanError : the module has no training step, or the roles of its arguments do not fit.
    """
    return as_step(find_function(module, name))


def as_step(function: func.FuncOp) -> Step:
    """A function as a training step.

    Raises
    ------
    KanError : the roles of arguments and results do not fit.
    """
    name = function.sym_name.data
    if not is_trainable(function):
        raise KanError(f"@{name} cannot be trained", remedy="make it so first: kan-make-trainable")
    block = function.body.block
    by_role: dict[str, list[BlockArgument]] = {role: [] for role in get_args(Role)}
    for argument in block.args:
        by_role[_role(function, function.arg_attrs, argument.index)].append(argument)
    terminator = block.last_op
    assert terminator is not None and terminator.has_trait(IsTerminator)
    results = terminator.operands
    roles = [_role(function, function.res_attrs, index) for index in range(len(results))]
    targets = [*by_role["target"], *by_role["error"]]
    layers = len(by_role["state"])
    states = (*by_role["state"], *by_role["velocity"])
    if len(by_role["input"]) != 1 or len(targets) != 1 or len(by_role["train"]) != 1:
        raise KanError(f"@{name}: a step has one input, one target or error, and one train")
    wanted = ["output", *["state"] * layers, *["velocity"] * (len(states) - layers)]
    if roles != wanted or not layers:
        raise KanError(f"@{name}: a step gives its output and then one result for each state")
    for state, following in zip(states, results[1:], strict=True):
        if state.type != following.type:
            raise KanError(f"@{name}: argument {state.index} and its next state differ in type")
    return Step(
        function,
        by_role["input"][0],
        targets[0],
        bool(by_role["error"]),
        by_role["train"][0],
        states,
        layers,
        results[0],
        tuple(results[1:]),
    )


def _entry(attributes: ArrayAttr[DictionaryAttr] | None, index: int) -> dict[str, object]:
    return {} if attributes is None else dict(attributes.data[index].data)


def _role(function: func.FuncOp, attributes: ArrayAttr[DictionaryAttr] | None, index: int) -> str:
    role = _entry(attributes, index).get(ROLE)
    if not isinstance(role, StringAttr) or role.data not in get_args(Role):
        raise KanError(
            f"@{function.sym_name.data}: argument or result {index} has no {ROLE} of "
            f"{', '.join(get_args(Role))}"
        )
    return role.data


@dataclass(frozen=True)
class Run:
    """Results of training: codes, int64, or values, float64, if the step is real-valued."""

    outputs: Array
    """Outputs before the update of the same step: (steps, out), or (steps, runs, out)."""
    states: list[Array]
    """The final states, shaped as those of `Step.initial`; with runs, (runs, ...)."""


def run_steps(
    step: Step,
    inputs: Array,
    targets: Array,
    train: BoolArray | None = None,
    states: Sequence[Array] | None = None,
) -> Run:
    """Evaluate steps in order. Each starts with the states that the previous one leaves.

    Cells and bases do not depend on the states, so they are evaluated for all steps at once.

    Parameters
    ----------
    inputs, targets : (steps, in) and (steps, out), as `Step.encode` gives them; or
        (steps, runs, in) and (steps, runs, out) for independent runs.
    train : (steps) or (steps, runs); all True by default.
    states : initial states; `Step.initial` by default. With runs, each is (runs, ...), or one
        array for all runs.

    Raises
    ------
    KanError : a shape does not fit.
    """
    single = inputs.ndim == 2
    if single:
        inputs, targets = inputs[:, np.newaxis], targets[:, np.newaxis]
    shapes = (tensor_shape(step.input), tensor_shape(step.target))
    if inputs.shape[2:] != shapes[0] or targets.shape != (*inputs.shape[:2], *shapes[1]):
        raise KanError(
            f"@{step.name} takes {shapes[0][0]} inputs and {shapes[1][0]} targets a step, got "
            f"arrays of shapes {inputs.shape} and {targets.shape}"
        )
    steps, runs = inputs.shape[:2]
    if train is None:
        train = np.ones((steps, 1), dtype=np.bool_)
    trained = np.broadcast_to(train.reshape(steps, -1), (steps, runs)).astype(np.int64)
    begin = step.initial() if states is None else list(states)
    current = [
        np.broadcast_to(state, (runs, *tensor_shape(argument)))
        for state, argument in zip(begin, step.states, strict=True)
    ]
    known, later = _without_states(step, inputs)
    wanted = [step.output, *step.next_states]
    outputs = np.empty((steps, runs, *tensor_shape(step.output)), dtype=current[0].dtype)
    for index in range(steps):
        values = {value: array[index] for value, array in known.items()}
        values[step.target] = targets[index]
        values[step.train] = trained[index]
        values.update(zip(step.states, current, strict=True))
        outputs[index], *current = evaluate_values(wanted, values, ops=later)
    if single:
        return Run(outputs[:, 0], [state[0] for state in current])
    return Run(outputs, current)


def infer(step: Step, inputs: Array, states: Sequence[Array] | None = None) -> Array:
    """Outputs (samples, out) with constant coefficients.

    Parameters
    ----------
    inputs : (samples, in), as `Step.encode` gives them.
    states : the states; `Step.initial` by default.

    Raises
    ------
    KanError : a shape does not fit.
    """
    width = tensor_shape(step.input)[0]
    if inputs.ndim != 2 or inputs.shape[1] != width:
        raise KanError(
            f"@{step.name} takes samples of {width} features, got an array of shape {inputs.shape}"
        )
    begin = step.initial() if states is None else states
    known: dict[SSAValue, Array] = {step.input: inputs}
    known.update((s, array[np.newaxis]) for s, array in zip(step.states, begin, strict=True))
    return evaluate_values([step.output], known, ops=step.function.body.block.ops)[0]


def _without_states(step: Step, inputs: Array) -> tuple[dict[SSAValue, Array], list[Operation]]:
    """Values that depend on the inputs alone, (steps, runs, ...), and the remaining ops."""
    steps, runs = inputs.shape[:2]
    known: dict[SSAValue, Array] = {step.input: inputs.reshape(steps * runs, -1)}
    later: list[Operation] = []
    for op in step.function.body.block.ops:
        if op.has_trait(IsTerminator):
            continue
        if all(operand in known for operand in op.operands):
            results = evaluate_op(op, [known[operand] for operand in op.operands])
            known.update(zip(op.results, results, strict=True))
        else:
            later.append(op)
    read = {operand for op in later for operand in op.operands} | {step.output}
    shaped = {
        value: array.reshape(steps, runs, *array.shape[1:])
        for value, array in known.items()
        if value in read
    }
    return shaped, later
