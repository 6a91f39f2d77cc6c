"""`kan-make-trainable`: a network of B-splines becomes a training step, its coefficients state.

The step runs every layer forward (`kan.locate`, `kan.basis`, `kan.gather`, `kan.mac`), takes the
error of the outputs back through the layers, last one first, and updates the coefficients by
gradient descent, with momentum and weight decay if asked for. With fixed-point numbers the step is
the hardware's, integer for integer; with `real` it is the real-valued step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr, TensorType, i1
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import VerifyException

from kan_dialect.analysis.quantization_points import spline_functions
from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.attribute_names import ROLE
from kan_dialect.ir.attributes.data_schema import DataSchema
from kan_dialect.ir.constants import Array, dense
from kan_dialect.ir.fixed_point import MAX_FIXED_BITS
from kan_dialect.ir.functions import function_of
from kan_dialect.model.on_chip.trainable_layers import TrainableLayer, trainable_layers
from kan_dialect.model.on_chip.training_numbers import TrainingNumbers, scaled_factor
from kan_dialect.model.on_chip.training_step import INITIAL, is_trainable
from kan_dialect.ops.grid import MAX_LOCAL_BITS, BasisOp, LocateOp
from kan_dialect.ops.on_chip import (
    FACTOR_BITS,
    BackpropagateOp,
    CombineOp,
    ErrorOp,
    GatherOp,
    MacOp,
    UpdateOp,
)
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_bounds import LOSS, SEED, Bounds, bounded


class _Forward(NamedTuple):
    """Values of a layer that its update needs."""

    cell: SSAValue
    local: SSAValue
    inside: SSAValue
    active: SSAValue


class _Update(NamedTuple):
    """Operands that the updates of a layer's coefficients and velocities share."""

    cell: SSAValue
    error: SSAValue
    weights: SSAValue
    train: SSAValue


@dataclass
class _StepBuilder:
    """Builds the function of one step."""

    options: MakeTrainablePass
    layers: list[TrainableLayer]
    block: Block = field(default_factory=Block)

    def __post_init__(self) -> None:
        self.numbers = self.options.numbers

    def add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def argument(self, kind: Attribute, name: str) -> SSAValue:
        value = self.block.insert_arg(kind, len(self.block.args))
        value.name_hint = name
        return value

    def build(self, name: str) -> func.FuncOp:
        layers, number = self.layers, self.numbers.number
        inputs, outputs = layers[0].coefficients.shape[1], layers[-1].coefficients.shape[0]
        fed = self.options.error == "fed"
        x = self.argument(TensorType(number, (inputs,)), "x")
        kind = self.numbers.error if fed else number
        target = self.argument(TensorType(kind, (outputs,)), "error" if fed else "target")
        train = self.argument(i1, "train")
        states, velocities = self.state_arguments("c"), list[SSAValue]()
        if self.options.momentum:
            velocities = self.state_arguments("v")

        output, forward = self.forward(x, states)
        error = target
        if not fed:
            name_of_error = f"{layers[-1].name}_error"
            error = self.add(ErrorOp(target, output, self.numbers.error, name=name_of_error))
        following = self.backward(forward, states, velocities, error, train)
        results = [output, *following]
        return function_of(
            name,
            self.block,
            results,
            arg_attrs=ArrayAttr(self.argument_roles(len(velocities))),
            res_attrs=_roles(["output", *["state"] * len(states), *["velocity"] * len(velocities)]),
        )

    def state_arguments(self, letter: str) -> list[SSAValue]:
        """An argument in the shape of the coefficients for each layer."""
        return [
            self.argument(
                TensorType(self.numbers.number, layer.coefficients.shape), f"{letter}{index}"
            )
            for index, layer in enumerate(self.layers)
        ]

    def argument_roles(self, velocities: int) -> list[DictionaryAttr]:
        """Roles of the arguments; states and velocities with their initial values."""
        starts = self.initial()
        return [
            *_roles(["input", "error" if self.options.error == "fed" else "target", "train"]),
            *(_state_role("state", start) for start in starts),
            *(_state_role("velocity", np.zeros_like(start)) for start in starts[:velocities]),
        ]

    def initial(self) -> list[Array]:
        """Initial coefficients of each layer, as codes if numbers are fixed-point."""
        rng = np.random.default_rng(self.options.seed)
        starts: list[Array] = []
        for layer in self.layers:
            start = layer.coefficients
            match self.options.initial:
                case "zero":
                    start = np.zeros_like(start)
                case "random":
                    start = rng.normal(size=start.shape) / math.sqrt(start.shape[1])
                case _:
                    pass
            starts.append(self.numbers.initial(start, layer.name))
        return starts

    def forward(
        self, value: SSAValue, states: Sequence[SSAValue]
    ) -> tuple[SSAValue, list[_Forward]]:
        """The outputs of the last layer, and the values of each layer that its update needs."""
        forward: list[_Forward] = []
        for layer, state in zip(self.layers, states, strict=True):
            name = layer.name
            located = LocateOp(
                value, self.numbers.grid(layer), layer.cells, self.numbers.local, name=name
            )
            self.add(located)
            basis_type = self.numbers.basis(layer)
            basis = BasisOp(located.local, layer.degree, basis_type, name=f"{name}_basis")
            self.add(basis)
            active = GatherOp(state, located.cell, layer.degree, name=f"{name}_coefficients")
            self.add(active)
            value = self.add(MacOp(active, basis, self.numbers.number, name=f"{name}_node"))
            forward.append(_Forward(located.cell, located.local, located.inside, active.result))
        return value, forward

    def backward(
        self,
        forward: Sequence[_Forward],
        states: Sequence[SSAValue],
        velocities: Sequence[SSAValue],
        error: SSAValue,
        train: SSAValue,
    ) -> list[SSAValue]:
        """The next states, then the next velocities, in the order of the layers.

        The ops come last layer first: the error of a layer's nodes is what the next layer gives
        for its inputs.
        """
        following, faster = list[SSAValue](), list[SSAValue]()
        for index in reversed(range(len(self.layers))):
            layer, values = self.layers[index], forward[index]
            update = _Update(values.cell, error, self.weights(layer, values), train)
            origin = None
            if self.options.momentum or self.options.weight_decay:
                velocity = velocities[index] if velocities else None
                origin, kept = self.origin(layer, values, velocity)
                if velocity is not None:
                    faster.append(self.updated(f"{layer.name}_velocity", velocity, kept, update))
            following.append(self.updated(f"{layer.name}_update", states[index], origin, update))
            if index:
                error = self.input_error(layer, values, error)
        return [*reversed(following), *reversed(faster)]

    def weights(self, layer: TrainableLayer, values: _Forward) -> SSAValue:
        """The basis times the learning rate."""
        rate = self.options.learning_rate
        kind = self.numbers.basis(layer, scale=rate)
        name = f"{layer.name}_weights"
        return self.add(BasisOp(values.local, layer.degree, kind, scale=rate, name=name))

    def origin(
        self, layer: TrainableLayer, values: _Forward, velocity: SSAValue | None
    ) -> tuple[SSAValue, SSAValue | None]:
        """Where the steps of coefficients and velocities begin.

        A velocity becomes v' = momentum * v + error * weight, a coefficient (1 - decay) * c + v'.
        """
        numbers = self.numbers
        share = 1 - numbers.factor(self.options.weight_decay)
        if velocity is None:
            decayed = f"{layer.name}_decayed"
            factors = np.array([share])
            op = CombineOp([values.active], factors, numbers.number, name=decayed)
            return self.add(op), None
        name = f"{layer.name}_velocities"
        moving = self.add(GatherOp(velocity, values.cell, layer.degree, name=name))
        factors = np.array([share, numbers.factor(self.options.momentum)])
        kept = CombineOp([moving], factors[1:], numbers.number, name=f"{layer.name}_kept")
        carried = f"{layer.name}_carried"
        origin = CombineOp([values.active, moving], factors, numbers.carried, name=carried)
        return self.add(origin), self.add(kept)

    def updated(
        self, name: str, state: SSAValue, origin: SSAValue | None, update: _Update
    ) -> SSAValue:
        return self.add(UpdateOp(state, *update, origin=origin, name=name))

    def input_error(self, layer: TrainableLayer, values: _Forward, error: SSAValue) -> SSAValue:
        """The error of a layer's inputs: that of its nodes times the slopes of its edges."""
        grid = self.numbers.grid(layer)
        scale = layer.cells / (grid[:, 1] - grid[:, 0])
        if bool((scale == scale[0]).all()):
            scale = scale[0]
        derivatives = BasisOp(
            values.local,
            layer.degree,
            self.numbers.basis(layer, scale=scale, derivative=True),
            scale=scale,
            inside=values.inside,
            derivative=True,
            name=f"{layer.name}_derivatives",
        )
        self.add(derivatives)
        slopes = MacOp(
            values.active,
            derivatives,
            self.numbers.number,
            per_edge=True,
            name=f"{layer.name}_slope",
        )
        self.add(slopes)
        name = f"{layer.name}_input_error"
        return self.add(BackpropagateOp(error, slopes, self.numbers.error, name=name))


def _roles(roles: Sequence[str]) -> ArrayAttr[DictionaryAttr]:
    return ArrayAttr([DictionaryAttr({ROLE: StringAttr(role)}) for role in roles])


def _state_role(role: str, start: Array) -> DictionaryAttr:
    return DictionaryAttr({ROLE: StringAttr(role), INITIAL: dense(start)})


@dataclass(frozen=True)
class MakeTrainablePass(KanPass):
    """Makes a training step of a network of B-splines."""

    name = "kan-make-trainable"
    works_at = ("spline",)
    preserves: ClassVar[str] = "outputs up to fixed-point numbers; inputs saturate to the grid"

    learning_rate: float = bounded(0.125, Bounds(0, above=True, below=True))
    """The learning rate; powers of two share the basis' table and its registers."""
    momentum: float = bounded(0.0, LOSS)
    """Share of its velocity that a coefficient keeps each training step, for fixed-point numbers
    rounded to a multiple of 2^-16; above 0, velocities are state too."""
    weight_decay: float = bounded(0.0, LOSS)
    """Share of its value that a coefficient loses each training step, rounded likewise."""
    integer_bits: int = bounded(6, Bounds(1, MAX_FIXED_BITS - 2))
    """Bits in front of the point, the sign among them, of inputs, nodes and coefficients."""
    fraction_bits: int = bounded(10, Bounds(1, MAX_FIXED_BITS - 2))
    """Bits behind the point."""
    local_bits: int = bounded(6, Bounds(1, MAX_LOCAL_BITS))
    """Bits of the local coordinate: rows of the basis' table."""
    error: Literal["squared", "fed"] = "squared"
    """`squared`: the target is an input, and the squared error is minimised; `fed`: the error is an
    input, the negative gradient of any loss by the outputs."""
    initial: Literal["model", "zero", "random"] = "model"
    """The coefficients to begin with: `model`, those of the model; `zero`; `random`, normal with
    deviation 1 / sqrt(in)."""
    seed: int = bounded(0, SEED)
    """Seed of random coefficients."""
    revive: bool = False
    """Pruned edges exist again and train, from coefficients of 0; without it they are refused."""
    real: bool = False
    """Real-valued instead of fixed-point: for reference."""

    @property
    def numbers(self) -> TrainingNumbers:
        """The types of the step's values."""
        return TrainingNumbers(self.integer_bits, self.fraction_bits, self.local_bits, self.real)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        self._check_options()
        functions = [op for op in spline_functions(module) if not is_trainable(op)]
        for function in functions:
            Rewriter.replace_op(function, self._step(function))
        return bool(functions)

    def _check_options(self) -> None:
        def check(good: bool, what: str) -> None:
            if not good:
                raise KanError(f"{self.name}: {what}")

        bits = self.integer_bits + self.fraction_bits
        check(
            bits <= MAX_FIXED_BITS - 1,
            f"integer-bits and fraction-bits must be together at most {MAX_FIXED_BITS - 1}, "
            f"got {self.integer_bits} and {self.fraction_bits}",
        )
        for option, share in (("momentum", self.momentum), ("weight-decay", self.weight_decay)):
            check(
                self.real or share == 0 or 0 < scaled_factor(share) < 1 << FACTOR_BITS,
                f"{option} becomes a multiple of 2^-{FACTOR_BITS}, which must be above 0 and below "
                f"1, got {share:g}",
            )
        decayed = math.ldexp(scaled_factor(self.weight_decay), bits - 1 - FACTOR_BITS)
        check(
            self.real or self.weight_decay == 0 or decayed > 0.5,
            f"a weight-decay of {self.weight_decay:g} never changes a coefficient of {bits} bits",
        )
        check(self.error in ("squared", "fed"), f"error must be squared or fed, got {self.error!r}")
        check(
            self.initial in ("model", "zero", "random"),
            f"initial must be model, zero or random, got {self.initial!r}",
        )

    def _step(self, function: func.FuncOp) -> func.FuncOp:
        name = function.sym_name.data
        layers = trainable_layers(function, revive=self.revive)
        self.numbers.require_learning(name, layers, self.learning_rate)
        try:
            step = _StepBuilder(self, layers).build(name)
            DataSchema.of(function).declare(step)
            step.verify()
        except VerifyException as error:
            raise KanError(f"@{name}: {error}") from None
        return step
