"""`kan-make-trainable`: a network of B-splines becomes a training step, its coefficients state.

Each layer is located, gathered, multiplied and added up; the error at the outputs goes back through
the layers by their slopes, and every layer's coefficients are updated by gradient descent, with
momentum and weight decay where asked for. With fixed-point numbers the step is what the hardware
computes, integer for integer; with `real` it is the real-valued step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    ModuleOp,
    StringAttr,
    TensorType,
    f64,
    i1,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import VerifyException

from kan_dialect.analysis.quantization_points import spline_functions, unobserved
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, FloatArray, IntArray, dense, to_floats
from kan_dialect.ir.fixed_point import MAX_FIXED_BITS, FixedType, to_fixed
from kan_dialect.ir.quant import storage_for
from kan_dialect.maths.bsplines import uniform_grid
from kan_dialect.maths.uniform_bsplines import basis_table
from kan_dialect.model.training_step import INITIAL, ROLE, is_trainable
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp
from kan_dialect.ops.training import (
    FACTOR_BITS,
    MAX_LOCAL_BITS,
    MAX_TRAINABLE_DEGREE,
    BackpropagateOp,
    BasisOp,
    CombineOp,
    ErrorOp,
    GatherOp,
    LocateOp,
    MacOp,
    UpdateOp,
    grid_codes,
)
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_bounds import LOSS, SEED, Bounds, bounded


@dataclass(frozen=True)
class _Layer:
    """What training needs to know of a layer of B-splines."""

    name: str
    degree: int
    grid: FloatArray
    """(in, 2): the first and the last grid point."""
    coefficients: FloatArray
    """(out, in, cells + degree)."""

    @property
    def cells(self) -> int:
        return self.coefficients.shape[2] - self.degree


@dataclass(frozen=True)
class MakeTrainablePass(KanPass):
    """Makes a training step of a network of B-splines."""

    name = "kan-make-trainable"
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
                self.real or share == 0 or 0 < _scaled(share) < 1 << FACTOR_BITS,
                f"{option} becomes a multiple of 2^-{FACTOR_BITS}, which must be above 0 and below "
                f"1, got {share:g}",
            )
        decayed = math.ldexp(_scaled(self.weight_decay), bits - 1 - FACTOR_BITS)
        check(
            self.real or self.weight_decay == 0 or decayed > 0.5,
            f"a weight-decay of {self.weight_decay:g} never changes a coefficient of {bits} bits",
        )

    def _step(self, function: func.FuncOp) -> func.FuncOp:
        layers = layers_of(function, revive=self.revive)
        if not self.real:
            self._require_learning(function.sym_name.data, layers)
        try:
            step = _Builder(self, layers).step(function.sym_name.data)
            step.verify()
        except VerifyException as error:
            raise KanError(f"@{function.sym_name.data}: {error}") from None
        return step

    def _require_learning(self, name: str, layers: list[_Layer]) -> None:
        """Refuse a rate with which no error that there can be changes a coefficient."""
        largest = 2.0 ** (self.integer_bits + 1)
        for layer in layers:
            top = float(basis_table(self.local_bits, layer.degree, 1.0, 30).max()) / 2**30
            if self.learning_rate * largest * top < 2.0 ** -(self.fraction_bits + 1):
                raise KanError(
                    f"@{name}: a learning rate of {self.learning_rate:g} never changes a "
                    f"coefficient of {self.fraction_bits} fraction bits, not even with an error of "
                    f"{largest:g}",
                    remedy="take a higher rate or more fraction-bits",
                )


def _scaled(share: float) -> int:
    """The nearest multiple of 2^-16, as an integer."""
    return round(math.ldexp(share, FACTOR_BITS))


def layers_of(function: func.FuncOp, *, revive: bool = False) -> list[_Layer]:
    """The layers of a network that is a chain of B-spline layers, first one first.

    Pruned edges are refused, or with `revive` they are edges of coefficients 0.

    Raises
    ------
    KanError : the network holds something that cannot be trained; names it.
    """
    name = function.sym_name.data
    terminator = function.get_return_op()
    if len(function.args) != 1 or terminator is None or len(terminator.operands) != 1:
        raise KanError(f"@{name}: a trainable network has one tensor of inputs and one of outputs")
    layers: list[_Layer] = []
    value = unobserved(terminator.operands[0])
    while isinstance(value.owner, Operation):
        node_sum = value.owner
        if not isinstance(node_sum, NodeSumOp):
            raise KanError(
                f"@{name}: '{node_sum.name}' cannot be trained: only layers of B-splines can",
                remedy="fold affines into nodes (kan-fold-affine) and fit splines to edges "
                "(kan-fit-splines) first, and take out what is no function of one value",
            )
        spline = _spline(name, unobserved(node_sum.edges))
        layers.append(_layer(name, node_sum, spline, revive))
        value = unobserved(spline.input)
    if not layers:
        raise KanError(f"@{name}: there is no layer to train")
    return [
        layer
        if layer.name
        else _Layer(f"layer{index}", layer.degree, layer.grid, layer.coefficients)
        for index, layer in enumerate(reversed(layers))
    ]


def _spline(name: str, edges: SSAValue) -> BSplineOp:
    """The B-splines of a layer's edges; base functions whose weights are all 0 count as none."""
    op = edges.owner
    if isinstance(op, arith.AddfOp):
        parts = [unobserved(part).owner for part in op.operands]
        kept = [
            part
            for part in parts
            if not isinstance(part, BaseOp) or bool(to_floats(part.weights).any())
        ]
        if len(kept) == 1 and isinstance(kept[0], BSplineOp):
            return kept[0]
        op = next((part for part in kept if not isinstance(part, BSplineOp)), op)
    if isinstance(op, BSplineOp):
        return op
    what = f"'{op.name}'" if isinstance(op, Operation) else "an argument"
    if isinstance(op, BaseOp):
        what = f"the base function {op.function.data}"
    raise KanError(
        f"@{name}: {what} cannot be trained: edges must be B-splines alone",
        remedy="fit splines to them first (kan-fit-splines)",
    )


def _layer(name: str, node_sum: NodeSumOp, spline: BSplineOp, revive: bool) -> _Layer:
    given = spline.given_name or node_sum.given_name or ""
    where = f"@{name}: {given or 'a layer'}"
    degree = spline.degree.value.data
    if not 1 <= degree <= MAX_TRAINABLE_DEGREE:
        raise KanError(f"{where} has degree {degree}; trained are 1..{MAX_TRAINABLE_DEGREE}")
    kept = node_sum.mask_array
    if not revive and not kept.all():
        raise KanError(
            f"{where} has pruned edges",
            remedy="train before pruning, or let them exist again (revive)",
        )
    grid = uniform_grid(np.atleast_2d(spline.knot_vector), degree)
    if grid is None:
        raise KanError(
            f"{where} has knots that are not a uniform grid with {degree} more on each side",
            remedy="refit the splines on a uniform grid (kan-fit-splines)",
        )
    coefficients = np.where(kept[..., np.newaxis], to_floats(spline.coefficients), 0.0)
    # The basis of an input adds up to 1, so a bias is part of one input's coefficients.
    coefficients[:, 0, :] += node_sum.bias_array[:, np.newaxis]
    grid = np.broadcast_to(grid, (coefficients.shape[1], 2))
    return _Layer(given, degree, grid, coefficients)


@dataclass
class _Forward:
    """The values of a layer that its update needs."""

    cell: SSAValue
    local: SSAValue
    inside: SSAValue
    active: SSAValue


@dataclass(frozen=True)
class _Update:
    """What the steps of a layer's coefficients and of their velocities share."""

    values: _Forward
    error: SSAValue
    weights: SSAValue
    train: SSAValue


@dataclass
class _Builder:
    """Builds the function of one step."""

    options: MakeTrainablePass
    layers: list[_Layer]
    block: Block = field(default_factory=Block)

    def __post_init__(self) -> None:
        options = self.options
        bits, fraction = options.integer_bits + options.fraction_bits, options.fraction_bits
        self.number: Attribute = f64 if options.real else FixedType(bits, fraction)
        self.error: Attribute = f64 if options.real else FixedType(bits + 1, fraction - 1)
        local = options.local_bits
        self.local: Attribute = f64 if options.real else FixedType(local, local, signed=False)

    def add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def argument(self, kind: Attribute) -> SSAValue:
        return self.block.insert_arg(kind, len(self.block.args))

    def step(self, name: str) -> func.FuncOp:
        layers = self.layers
        inputs, outputs = layers[0].coefficients.shape[1], layers[-1].coefficients.shape[0]
        fed = self.options.error == "fed"
        x = self.argument(TensorType(self.number, (inputs,)))
        x.name_hint = "x"
        target = self.argument(TensorType(self.error if fed else self.number, (outputs,)))
        target.name_hint = "error" if fed else "target"
        train = self.argument(i1)
        train.name_hint = "train"
        states = [
            self.argument(TensorType(self.number, layer.coefficients.shape)) for layer in layers
        ]
        velocities = (
            [self.argument(state.type) for state in states] if self.options.momentum else []
        )
        for letter, arguments in (("c", states), ("v", velocities)):
            for index, state in enumerate(arguments):
                state.name_hint = f"{letter}{index}"

        value, forward = x, list[_Forward]()
        for layer, state in zip(layers, states, strict=True):
            value, values = self.forward(layer, state, value)
            forward.append(values)
        output = value
        error = (
            target
            if fed
            else self.add(ErrorOp(target, output, self.error, name=f"{layers[-1].name}_error"))
        )
        following, faster = list[SSAValue](), list[SSAValue]()
        for index in reversed(range(len(layers))):
            layer, values = layers[index], forward[index]
            weights = self.weights(layer, values)
            update = _Update(values, error, weights, train)
            origin = None
            if self.options.momentum or self.options.weight_decay:
                velocity = velocities[index] if velocities else None
                origin, kept = self.origin(layer, values, velocity)
                if velocity is not None:
                    faster.append(self.updated(f"{layer.name}_velocity", velocity, kept, update))
            following.append(self.updated(f"{layer.name}_update", states[index], origin, update))
            if index:
                error = self.backward(layer, values, error)
        results = [output, *reversed(following), *reversed(faster)]
        self.block.add_op(func.ReturnOp(*results))
        roles = ["input", "error" if fed else "target", "train"]
        attributes = [DictionaryAttr({ROLE: StringAttr(role)}) for role in roles]
        starts = self.initial()
        attributes += [
            DictionaryAttr({ROLE: StringAttr("state"), INITIAL: dense(start)}) for start in starts
        ]
        attributes += [
            DictionaryAttr({ROLE: StringAttr("velocity"), INITIAL: dense(np.zeros_like(start))})
            for start in starts[: len(velocities)]
        ]
        result_roles = ["output", *["state"] * len(states), *["velocity"] * len(velocities)]
        return func.FuncOp(
            name,
            ([value.type for value in self.block.args], [value.type for value in results]),
            Region(self.block),
            arg_attrs=ArrayAttr(attributes),
            res_attrs=ArrayAttr(
                [DictionaryAttr({ROLE: StringAttr(role)}) for role in result_roles]
            ),
        )

    def forward(self, layer: _Layer, state: SSAValue, value: SSAValue) -> tuple[SSAValue, _Forward]:
        """The layer's outputs; the grid moves to the nearest codes of the input."""
        grid = layer.grid
        if isinstance(self.number, FixedType):
            grid = self._on_codes(layer, self.number)
        located = LocateOp(value, grid, layer.cells, self.local, name=layer.name)
        self.add(located)
        basis = self.add(
            BasisOp(
                located.local, layer.degree, self._basis_type(layer), name=f"{layer.name}_basis"
            )
        )
        active = self.add(
            GatherOp(state, located.cell, layer.degree, name=f"{layer.name}_coefficients")
        )
        nodes = self.add(MacOp(active, basis, self.number, name=f"{layer.name}_node"))
        return nodes, _Forward(located.cell, located.local, located.inside, active)

    def weights(self, layer: _Layer, values: _Forward) -> SSAValue:
        """The basis times the learning rate."""
        rate = self.options.learning_rate
        return self.add(
            BasisOp(
                values.local,
                layer.degree,
                self._basis_type(layer, scale=rate),
                scale=rate,
                name=f"{layer.name}_weights",
            )
        )

    def origin(
        self, layer: _Layer, values: _Forward, velocity: SSAValue | None
    ) -> tuple[SSAValue, SSAValue | None]:
        """Where the steps of coefficients and velocities begin.

        A velocity becomes v' = momentum * v + error * weight, a coefficient (1 - decay) * c + v'.
        """
        share, momentum = 1 - self.factor(self.options.weight_decay), self.options.momentum
        if velocity is None:
            name = f"{layer.name}_decayed"
            factors = np.array([share])
            return self.add(CombineOp([values.active], factors, self.number, name=name)), None
        moving = self.add(
            GatherOp(velocity, values.cell, layer.degree, name=f"{layer.name}_velocities")
        )
        factors = np.array([share, self.factor(momentum)])
        wide = self.number
        if isinstance(wide, FixedType):
            wide = FixedType(wide.bits + 1, wide.fraction)
        kept = CombineOp([moving], factors[1:], self.number, name=f"{layer.name}_kept")
        origin = CombineOp([values.active, moving], factors, wide, name=f"{layer.name}_carried")
        return self.add(origin), self.add(kept)

    def factor(self, share: float) -> float:
        """A share as a factor of a combination."""
        return share if self.options.real else math.ldexp(_scaled(share), -FACTOR_BITS)

    def updated(
        self, name: str, state: SSAValue, origin: SSAValue | None, update: _Update
    ) -> SSAValue:
        return self.add(
            UpdateOp(
                state,
                update.values.cell,
                update.error,
                update.weights,
                update.train,
                origin=origin,
                name=name,
            )
        )

    def backward(self, layer: _Layer, values: _Forward, error: SSAValue) -> SSAValue:
        """How the layer's inputs are to change."""
        grid = layer.grid
        if isinstance(self.number, FixedType):
            grid = self._on_codes(layer, self.number)
        scale = layer.cells / (grid[:, 1] - grid[:, 0])
        if bool((scale == scale[0]).all()):
            scale = scale[0]
        derivatives = BasisOp(
            values.local,
            layer.degree,
            self._basis_type(layer, scale=scale, derivative=True),
            scale=scale,
            inside=values.inside,
            derivative=True,
            name=f"{layer.name}_derivatives",
        )
        slopes = MacOp(
            values.active,
            self.add(derivatives),
            self.number,
            per_edge=True,
            name=f"{layer.name}_slope",
        )
        op = BackpropagateOp(error, self.add(slopes), self.error, name=f"{layer.name}_input_error")
        return self.add(op)

    def _on_codes(self, layer: _Layer, kind: FixedType) -> FloatArray:
        grid = np.ldexp(np.rint(np.ldexp(layer.grid, kind.fraction)), -kind.fraction)
        try:
            codes = grid_codes(grid, kind)
        except VerifyException as error:
            bits = math.ceil(math.log2(max(float(np.abs(grid).max()), 0.5))) + 1
            raise KanError(
                f"{layer.name}: {error}",
                remedy=f"take more integer-bits (it needs {max(bits, 1)})",
            ) from None
        span = int((codes[:, 1] - codes[:, 0]).min())
        if span < layer.cells:
            raise KanError(
                f"{layer.name}: a grid of {layer.cells} cells over {span} codes is too fine",
                remedy="take more fraction-bits or fewer cells",
            )
        return grid

    def _basis_type(
        self, layer: _Layer, *, scale: float | FloatArray = 1.0, derivative: bool = False
    ) -> Attribute:
        """The narrowest type of a basis: as many fraction bits as numbers have, at a scale of 1.

        A smaller scale has more, so that as many bits that matter are left.
        """
        if self.options.real:
            return f64
        scales = np.atleast_1d(np.asarray(scale, dtype=np.float64))
        fraction = self.options.fraction_bits
        if not derivative:
            fraction -= math.floor(math.log2(float(scales.max())))
        tables = [
            basis_table(
                self.options.local_bits, layer.degree, value, fraction, derivative=derivative
            )
            for value in scales.tolist()
        ]
        low, high = min(int(t.min()) for t in tables), max(int(t.max()) for t in tables)
        bits, signed = storage_for(low, high)
        if bits > MAX_FIXED_BITS:
            raise KanError(
                f"{layer.name}: the basis needs {bits} bits, more than {MAX_FIXED_BITS}",
                remedy="take fewer fraction-bits, or a coarser grid",
            )
        return FixedType(bits, fraction, signed=signed)

    def initial(self) -> list[Array]:
        """Where each layer's coefficients begin, as codes where there are some."""
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
            starts.append(
                _fitting(start, self.number, layer.name)
                if isinstance(self.number, FixedType)
                else start
            )
        return starts


def _fitting(start: FloatArray, number: FixedType, layer: str) -> IntArray:
    """Coefficients to begin with, as codes.

    Raises
    ------
    KanError : the fixed-point numbers do not reach so far.
    """
    codes = to_fixed(start, number)
    lost = np.abs(codes * number.step - start)
    if bool((lost > number.step / 2).any()):
        value = float(start.flat[int(lost.argmax())])
        needed = math.floor(math.log2(abs(value))) + 2
        raise KanError(
            f"{layer}: a coefficient of {value:g} does not fit fixed-point numbers of "
            f"{number.bits - number.fraction} bits in front of the point",
            remedy=f"take integer-bits of at least {needed}, or scale the results to smaller "
            "numbers",
        )
    return codes
