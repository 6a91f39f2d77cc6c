"""Integer functions of a few variables each, added up: exact, compared and bounded without samples.

What a node of a KAN computes is a sum of tables, each of one input, and then a function of that
sum (a shift, a clamp). Three forms hold that, each with every value that it can have listed:

- `Table`: a function of few variables, with its value at every point.
- `Total`: a constant plus tables of different variables, in a normal form in which two are the
  same function exactly where they are equal.
- `Image`: a function of a total, with its value for every sum that can come.

A head chooses one of two nodes by a comparison, which has too many points to list:

- `Choice`: one of two forms, by a third one.

Adding keeps totals totals, however the adders are grouped; everything else is computed value by
value (`apply`). What leaves the forms is refused (`TooHard`), never approximated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import NamedTuple, SupportsInt, TypeAlias

import numpy as np

from kan_dialect.flows.prove.plans import MAX_POINTS, MAX_VALUES
from kan_dialect.ir.constants import Array, IntArray

MAX_CLASS_POINTS = 8 * MAX_POINTS
"""Classes of values have no more combinations: 64 MB for each form."""

MAX_SPLIT_POINTS = 4 * MAX_POINTS
"""No table is split into parts that have more points together."""


class Variable(NamedTuple):
    """A free variable of a proof: the code of a port or a node, for one sample."""

    name: str
    sample: int
    """0: the sample that the proof is about; 1: the one a clock cycle later."""

    low: int
    high: int

    @property
    def size(self) -> int:
        return self.high - self.low + 1


Over: TypeAlias = tuple[Variable, ...]
"""Variables, sorted: the axes of an array."""

Assignment: TypeAlias = dict[Variable, int]
"""A value of each variable that matters."""


class TooHard(Exception):
    """An operation leaves the three forms. `hints` are assignments worth trying."""

    def __init__(self, what: str, hints: Sequence[Assignment] = ()) -> None:
        super().__init__(what)
        self.hints = list(hints)


class Undefined(Exception):
    """A function has no value at some point that can come."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__("undefined")
        self.assignment = assignment


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """A function of few variables: `values`, int64, has an axis for each."""

    over: Over
    values: IntArray


@dataclass(frozen=True, eq=False)
class Total:
    """A constant plus functions of few variables.

    Normal form: each part is 0 wherever one of its variables has its lowest value, and no part is
    0 everywhere. Every sum of functions has exactly one such form.
    """

    constant: int
    parts: dict[Over, IntArray]

    @cached_property
    def key(self) -> tuple[tuple[Over, bytes], ...]:
        """Equal for equal parts; the constant apart."""
        return tuple((over, self.parts[over].tobytes()) for over in sorted(self.parts))

    @cached_property
    def components(self) -> list[Table]:
        """The parts, with parts that share a variable added up: they vary independently.

        Raises
        ------
        TooHard : a component has too many points.
        """
        return [
            Table(over, self.parts[over])
            if overs == [over]
            else Table(over, _added(over, [(o, self.parts[o]) for o in overs]))
            for over, overs in connected(self.parts)
        ]

    @cached_property
    def low(self) -> int:
        return self.constant + self._sum_of_components(np.minimum)

    @cached_property
    def high(self) -> int:
        return self.constant + self._sum_of_components(np.maximum)

    def _sum_of_components(self, extreme: np.ufunc) -> int:
        """The sum of the smallest or the largest value of each component."""
        values = [part.values.ravel() for part in self.components]
        if not values:
            return 0
        starts = np.cumsum([0, *map(len, values[:-1])])
        # Python's integers do not overflow.
        return sum(extreme.reduceat(np.concatenate(values), starts).tolist())

    @cached_property
    def reached(self) -> Array:
        """Which sums low..high some assignment gives, bool."""
        if self.high - self.low >= MAX_POINTS:
            raise TooHard(f"a sum can have {self.high - self.low + 1} values")
        bits = 1
        for part in self.components:
            least = int(part.values.min())
            offsets = np.unique(part.values) - least
            bits = _any_of(bits << offset for offset in offsets.tolist())
        count = self.high - self.low + 1
        raw = np.frombuffer(bits.to_bytes((count + 7) // 8, "little"), dtype=np.uint8)
        return np.unpackbits(raw, bitorder="little")[:count].astype(np.bool_)

    def assignment(self, total: int, rng: np.random.Generator | None = None) -> Assignment:
        """Values of the variables that add up to `total`, which is reached; random ones on wish."""
        stages = [1]
        for part in self.components:
            offsets = np.unique(part.values) - int(part.values.min())
            stages.append(_any_of(stages[-1] << offset for offset in offsets.tolist()))
        rest = total - self.low
        found: Assignment = {}
        for part, before in zip(reversed(self.components), reversed(stages[:-1]), strict=True):
            offsets = part.values - int(part.values.min())
            possible = [
                offset
                for offset in np.unique(offsets).tolist()
                if offset <= rest and before >> (rest - offset) & 1
            ]
            offset = possible[0] if rng is None else int(rng.choice(possible))
            points = np.argwhere(offsets == offset)
            point = points[0] if rng is None else points[int(rng.integers(len(points)))]
            found |= _assignment(part.over, point)
            rest -= offset
        return found


@dataclass(frozen=True, eq=False)
class Image:
    """A function of a total of constant 0: `values[t - of.low]` where the total is t.

    `quotient` says that it is factor * floor((t + offset) / 2^exponent) plus a constant, for all t
    that come: factor, exponent, offset.
    """

    of: Total
    values: IntArray
    quotient: tuple[int, int, int] | None = None


@dataclass(frozen=True, eq=False)
class Choice:
    """`one` where the condition is 1, `other` where it is 0."""

    condition: Form
    one: Form
    other: Form
    low: int
    high: int
    """No value is beyond these."""

    def each(self, function: Callable[[Form], Form]) -> Choice:
        """The choice between a function of both forms."""
        one, other = function(self.one), function(self.other)
        return Choice(self.condition, one, other, *_both_bounds(one, other))

    def raised(self, by: int) -> Choice:
        """The choice, plus a constant."""
        one, other = (add(form, constant(by)) for form in (self.one, self.other))
        return Choice(self.condition, one, other, self.low + by, self.high + by)

    def wrapped(self, width: int, low: int) -> Choice:
        """The same choice: each form modulo 2^width, as numbers of low .. low + 2^width - 1.

        A form may leave that range where it is not chosen; the choice does not.
        """
        assert low <= self.low and self.high < low + (1 << width)
        one, other = (within(form, width, low) for form in (self.one, self.other))
        return Choice(self.condition, one, other, self.low, self.high)


Form: TypeAlias = Table | Total | Image | Choice


def constant(value: int) -> Table:
    return Table((), np.array(value, dtype=np.int64))


def variable(of: Variable) -> Table:
    """The variable itself.

    Raises
    ------
    TooHard : it has too many values.
    """
    if of.size > MAX_VALUES:
        raise _too_wide([of.name])
    return Table((of,), np.arange(of.low, of.high + 1, dtype=np.int64))


def _too_wide(names: Sequence[str], hints: Sequence[Assignment] = ()) -> TooHard:
    """The refusal of variables with too many values. Up to `MAX_VALUES`, operations refuse them."""
    bits = MAX_POINTS.bit_length() - 1
    return TooHard(f"values of more than {bits} bits: {', '.join(names)}", hints)


def variables(form: Form) -> Over:
    """The variables over which the form is listed."""
    match form:
        case Table():
            return form.over
        case Total():
            return _union(form.parts)
        case Image():
            return variables(form.of)
        case Choice():
            return _union(map(variables, (form.condition, form.one, form.other)))


def bounds(form: Form) -> tuple[int, int]:
    """Smallest and largest value; both are attained, but for choices."""
    match form:
        case Table():
            return int(form.values.min()), int(form.values.max())
        case Total():
            return form.low, form.high
        case Image():
            values = form.values[form.of.reached]
            return int(values.min()), int(values.max())
        case Choice():
            return form.low, form.high


def _both_bounds(one: Form, other: Form) -> tuple[int, int]:
    """Bounds of a choice between two forms."""
    (low, high), (least, largest) = bounds(one), bounds(other)
    return min(low, least), max(high, largest)


def values_of(form: Form) -> IntArray:
    """All values, rising; of a choice, all numbers in its bounds.

    Raises
    ------
    TooHard : they are of a sum that can have too many.
    """
    match form:
        case Table():
            return np.unique(form.values)
        case Total():
            return np.flatnonzero(form.reached) + form.low
        case Image():
            return np.unique(form.values[form.of.reached])
        case Choice():
            return np.arange(form.low, form.high + 1)


def extremes(form: Form) -> list[Assignment]:
    """Assignments that give the smallest and the largest sum behind the form."""
    match form:
        case Table():
            return [
                _assignment(form.over, np.unravel_index(int(index), form.values.shape))
                for index in (form.values.argmin(), form.values.argmax())
            ]
        case Total():
            return [form.assignment(form.low), form.assignment(form.high)]
        case Image():
            return extremes(form.of)
        case Choice():
            return extremes(form.condition)


def preimage(form: Form, value: int, rng: np.random.Generator) -> Assignment | None:
    """Some assignment that gives the form this value; None where none does, and of choices."""
    match form:
        case Table():
            points = np.argwhere(form.values == value)
            if not len(points):
                return None
            return _assignment(form.over, points[int(rng.integers(len(points)))])
        case Total() | Image():
            image = as_image(form)
            sums = np.flatnonzero((image.values == value) & image.of.reached)
            if not sums.size:
                return None
            return image.of.assignment(int(rng.choice(sums)) + image.of.low, rng)
        case Choice():
            return None


# Sums.


def add(left: Form, right: Form) -> Form:
    """The sum.

    Raises
    ------
    TooHard : an image and something else of many variables.
    """
    match left, right:
        case (Table() | Total(), Table(over=(), values=values)) if not values:
            return left
        case (Table(over=(), values=values), Table() | Total()) if not values:
            return right
        case Table(), Table() if left.over == right.over or not left.over or not right.over:
            return Table(left.over or right.over, left.values + right.values)
        case Table() | Total(), Table() | Total():
            return _simple(_plus(as_total(left), as_total(right)))
        case Choice() as choice, Table(over=(), values=values):
            return choice.raised(int(values))
        case Table(over=(), values=values), Choice() as choice:
            return choice.raised(int(values))
        case (Choice(), _) | (_, Choice()):
            return combined(lambda a, b: a + b, left, right)
        case _:
            for rule in (_add_to_quotient, _add_remainder, _add_listed, _add_shares):
                found = rule(left, right)
                if found is not None:
                    return found
            return combined(lambda a, b: a + b, left, right)


def _simple(total: Total) -> Form:
    return total if total.parts else constant(total.constant)


def _add_to_quotient(left: Form, right: Form) -> Form | None:
    """A sum's upper bits plus another sum: the upper bits of both sums together.

    floor(a / 2^k) + b = floor((a + 2^k b) / 2^k).
    """
    for image, other in ((left, right), (right, left)):
        if not isinstance(image, Image) or isinstance(other, Image | Choice):
            continue
        image = _primitive(image)
        rest = as_total(other)
        if not rest.parts:
            return Image(image.of, image.values + rest.constant, image.quotient)
        quotient = _as_quotient(image)
        if quotient is None:
            continue
        (factor, exponent, offset), start = quotient
        if any(bool((part % factor).any()) for part in rest.parts.values()):
            continue
        whole = _plus(image.of, _times(_divided(rest, factor), 1 << exponent))
        sums = np.arange(whole.low, whole.high + 1)
        if len(sums) > MAX_POINTS:
            continue
        values = factor * ((sums + offset) >> exponent) + start + rest.constant
        return Image(whole, values, quotient[0])
    return None


def _add_remainder(left: Form, right: Form) -> Form | None:
    """Two functions of sums, one of which is the same function of the other's sum.

    It is where its values repeat after 2^k, and the sums differ by multiples of that.
    """
    for image, other in ((left, right), (right, left)):
        if not isinstance(image, Image) or not isinstance(other, Image | Total):
            continue
        image = _primitive(image)
        if isinstance(other, Image):
            other = _primitive(other)
        whole = _base(other)
        apart = _plus(whole, _times(image.of, -1))
        period = common_factor(apart) if apart.parts else 0
        if period == 0 or whole.high - whole.low >= MAX_POINTS:
            continue
        repeated = _periodic(image, period)
        if repeated is None:
            continue
        sums = np.arange(whole.low, whole.high + 1)
        moved = Image(whole, repeated[(sums - image.of.low) % period])
        return _apply_to_sum(lambda c: c[0] + c[1], [moved, other], whole)
    return None


def _add_listed(left: Form, right: Form) -> Form | None:
    """Functions of sums of so few variables that all their points are listed, in a total.

    Among its parts may be what was listed of a function of the same sum: its upper bits, for one.
    """
    terms: list[Total] = []
    for form in (left, right):
        if isinstance(form, Image | Choice):
            over = variables(form)
            points = prod(variable.size for variable in over)
            if points > MAX_POINTS or _split_points(over) > MAX_SPLIT_POINTS:
                return None
            form = Table(over, listed(form, over))
        terms.append(as_total(form))
    return _simple(_plus(*terms))


def _add_shares(left: Form, right: Form) -> Form | None:
    """Functions of sums to which each variable adds a share of its own, as tables of steps do."""
    terms: list[Total] = []
    for form in (left, right):
        if isinstance(form, Image):
            form = _apply_to_classes(lambda columns: columns[0], [form], variables(form)) or form
        if not isinstance(form, Table | Total):
            return None
        terms.append(as_total(form))
    return _simple(_plus(*terms))


def _primitive(image: Image) -> Image:
    """The same function of a sum without a power of two that divides all its parts."""
    factor = common_factor(image.of)
    factor &= -factor
    if factor == 1:
        return image
    quotient, places = image.quotient, factor.bit_length() - 1
    if quotient is not None:
        scale, exponent, offset = quotient
        kept = exponent >= places
        quotient = (scale, exponent - places, offset >> places) if kept else None
    return Image(_divided(image.of, factor), image.values[::factor], quotient)


def as_quotient(image: Image) -> Image | None:
    """The image, with the quotient that it is; None for other forms."""
    quotient = image.quotient or _found_quotient(image)
    return None if quotient is None else Image(image.of, image.values, quotient)


def _as_quotient(image: Image) -> tuple[tuple[int, int, int], int] | None:
    """An image as a quotient (factor, exponent, offset) plus a constant, if it is one."""
    found = as_quotient(image)
    if found is None or found.quotient is None:
        return None
    return found.quotient, _start(found, found.quotient)


def _start(image: Image, quotient: tuple[int, int, int]) -> int:
    """What an image has beside a quotient."""
    factor, exponent, offset = quotient
    first = int(np.flatnonzero(image.of.reached)[0])
    return int(image.values[first]) - factor * ((first + image.of.low + offset) >> exponent)


def _found_quotient(image: Image) -> tuple[int, int, int] | None:
    """Factor, exponent and offset of an image that is a quotient, by its values.

    Sums that never come leave a choice: any is right for this image, and maybe none for others.
    """
    sums = np.flatnonzero(image.of.reached) + image.of.low
    values = image.values[sums - image.of.low]
    steps = np.diff(values)
    factor = int(np.gcd.reduce(steps)) if len(steps) else 0
    if factor == 0:
        return None
    jumps = sums[1:][steps > 0]
    for exponent in range(1, int(sums[-1] - sums[0]).bit_length() + 1):
        for jump in jumps[:4].tolist():
            offset = -jump % (1 << exponent)
            quotients = (sums + offset) >> exponent
            if bool((values - values[0] == factor * (quotients - quotients[0])).all()):
                return factor, exponent, offset
    return None


def _periodic(image: Image, period: int) -> IntArray | None:
    """The values of an image, by the sum less the lowest modulo a period; None if not so."""
    reached = np.flatnonzero(image.of.reached)
    places = reached % period
    repeated = np.zeros(period, dtype=np.int64)
    repeated[places] = image.values[reached]
    return repeated if np.array_equal(repeated[places], image.values[reached]) else None


def plain(form: Form, modulus: int) -> Form:
    """As a total, modulo the modulus: an image that is its sum times ±2^n plus a constant."""
    if not isinstance(form, Image):
        return form
    reached = np.flatnonzero(form.of.reached)
    places = range(modulus.bit_length() - 1)
    for factor in (sign << place for place in places for sign in (1, -1)):
        constants = (form.values[reached] - factor * (reached + form.of.low)) % modulus
        if bool((constants == constants[0]).all()):
            return _plus(Total(int(constants[0]), {}), _times(form.of, factor))
    return form


def scale(form: Form, factor: int) -> Form:
    """The form, times a constant."""
    if factor == 1:
        return form
    match form:
        case Table():
            return Table(form.over, form.values * factor)
        case Total():
            if factor == 0:
                return constant(0)
            parts = {over: part * factor for over, part in form.parts.items()}
            return Total(form.constant * factor, parts)
        case Image():
            quotient = form.quotient
            if quotient is not None:
                quotient = (quotient[0] * factor, *quotient[1:]) if factor else None
            return Image(form.of, form.values * factor, quotient)
        case Choice():
            return form.each(lambda each: scale(each, factor))


def shifted(form: Form, exponent: int) -> Form:
    """The form by 2^exponent, rounded down."""
    found = mapped(lambda v: v >> exponent, form)
    if isinstance(form, Total) and isinstance(found, Image):
        return Image(found.of, found.values, (1, exponent, form.constant))
    return found


def divided(form: Form, divisor: int) -> Form | None:
    """The form by a constant, rounded down, if that divides all differences between its values.

    Else None.
    """
    match form:
        case Table():
            first = form.values.ravel()[:1]
            whole = not bool(((form.values - first) % divisor).any())
            return Table(form.over, form.values // divisor) if whole else None
        case Total():
            whole = not any(bool((part % divisor).any()) for part in form.parts.values())
            parts = {over: part // divisor for over, part in form.parts.items()} if whole else {}
            return Total(form.constant // divisor, parts) if whole else None
        case Image() | Choice():
            return None


def subtract(left: Form, right: Form) -> Form:
    return add(left, scale(right, -1))


def within(form: Form, width: int, low: int) -> Form:
    """The form modulo 2^width, as numbers of low .. low + 2^width - 1."""
    linear = tamed(form, width, [low])
    if linear is not None:
        return linear
    return mapped(lambda v: (v - low) % (1 << width) + low, form)


def tamed(form: Form, width: int, lows: Sequence[int]) -> Form | None:
    """As `within` of one of the lows, by adding multiples of 2^width to a form or its parts.

    The earlier low is taken, and a form whose parts stay as they are before others. None where
    adding cannot do.

    Each part is first taken modulo 2^width in the way that spreads it least. At most one part of a
    sum that fits spreads over half of all numbers or more, and for that one the others leave a
    single choice: what fits is found.
    """
    modulus = 1 << width
    form = plain(form, modulus)
    smallest, largest = bounds(form)
    for low in lows:
        shift = (smallest - low) // modulus * modulus
        if largest - shift < low + modulus:
            return add(form, constant(-shift)) if shift else form
    if not isinstance(form, Total):
        return None
    found = (_total_within(form, modulus, low) for low in lows)
    return next((total for total in found if total is not None), None)


def _total_within(form: Total, modulus: int, low: int) -> Form | None:
    parts = [_least_spread(part, modulus) for part in form.components]
    spreads = [int(part.values.max() - part.values.min()) for part in parts]
    widest = int(np.argmax(spreads))
    rest_low = (
        form.constant + sum(int(p.values.min()) for p in parts) - int(parts[widest].values.min())
    )
    rest_high = rest_low + sum(spreads) - spreads[widest]
    first, last = low - rest_low, low + modulus - 1 - rest_high
    values = (parts[widest].values - first) % modulus + first
    if int(values.max()) > last:
        return None
    parts[widest] = Table(parts[widest].over, values)
    total = Total(form.constant, {})
    for part in parts:
        total = _plus(total, as_total(part))
    return total


def _least_spread(part: Table, modulus: int) -> Table:
    """The part modulo `modulus`, starting after the largest gap between residues."""
    residues = np.unique(part.values % modulus)
    gaps = np.diff(residues, append=residues[0] + modulus)
    start = int(residues[(int(np.argmax(gaps)) + 1) % len(residues)])
    return Table(part.over, (part.values - start) % modulus + start)


# Everything else.

Function: TypeAlias = Callable[[Sequence[IntArray]], Array]
"""Of arrays of values, one for each form, element by element; may raise `UndefinedAt`."""


class UndefinedAt(Exception):
    """Raised by a function that has no value for element `index` of its arguments."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def mapped(function: Callable[[IntArray], Array], form: Form) -> Form:
    """`apply` to one form."""
    return apply(lambda columns: function(columns[0]), [form])


def combined(function: Callable[[IntArray, IntArray], Array], left: Form, right: Form) -> Form:
    """`apply` to two forms."""
    return apply(lambda columns: function(columns[0], columns[1]), [left, right])


def apply(function: Function, forms: Sequence[Form]) -> Form:
    """The function of the forms' values, wherever the variables are.

    Raises
    ------
    TooHard : the forms depend on too many variables, and not by way of one sum.
    Undefined : the function has no value somewhere.
    """
    sums = [form for form in forms if isinstance(form, Total | Image)]
    bases = [_base(form) for form in sums]
    choices = [form for form in forms if isinstance(form, Choice)]
    tables = choices + [form for form in forms if isinstance(form, Table) and form.over]
    if bases and not tables and all(base.key == bases[0].key for base in bases):
        return _apply_to_sum(function, forms, bases[0])
    over = _union(map(variables, forms))
    if prod(v.size for v in over) > MAX_POINTS:
        together = None if tables else apply_to_sums(function, forms)
        if together is not None:
            return together
        if len(choices) == 1 and not any(
            form is not choices[0] and variables(form) for form in forms
        ):
            return _apply_to_choice(function, forms, choices[0])
        hints = [hint for form in sums for hint in extremes(form)]
        wide = [v.name for v in over if v.size > MAX_POINTS]
        if wide:
            raise _too_wide(wide, hints)
        by_classes = _apply_to_classes(function, forms, over)
        if by_classes is not None:
            return by_classes
        raise TooHard(f"an operation on different sums of {len(over)} variables", hints)
    shape = tuple(v.size for v in over)
    columns = [np.broadcast_to(_listed(form, over), shape).ravel() for form in forms]
    try:
        values = np.asarray(function(columns), dtype=np.int64)
    except UndefinedAt as error:
        raise Undefined(_assignment(over, np.unravel_index(error.index, shape))) from None
    return _shrunk(Table(over, values.reshape(shape)))


def _apply_to_classes(function: Function, forms: Sequence[Form], over: Over) -> Form | None:
    """The function of forms that depend on few classes of their variables' values, as steps do.

    It is a total where each variable adds its own share, else a function of the sum whose digits
    number the classes. None where the classes have too many combinations.
    """
    if len(over) > MAX_CLASS_POINTS.bit_length():
        return None
    classes = [_classes_of(each, forms) for each in over]
    shape = tuple(len(first) for first, _ in classes)
    if prod(shape) > MAX_CLASS_POINTS:
        return None
    grid = np.ix_(*(first + each.low for each, (first, _) in zip(over, classes, strict=True)))
    values = dict(zip(over, grid, strict=True))
    columns = [np.broadcast_to(evaluate(form, values), shape).ravel() for form in forms]
    try:
        found = np.asarray(function(columns), dtype=np.int64).reshape(shape)
    except UndefinedAt as error:
        at = np.unravel_index(error.index, shape)
        point = [first[index] for (first, _), index in zip(classes, at, strict=True)]
        raise Undefined(_assignment(over, point)) from None
    start, shares = int(found.flat[0]), _shares(found)
    total = sum(np.ix_(*shares), start=np.array(start))
    if np.array_equal(found, total):
        return _simple(Total(start, _numbered(over, classes, shares)))
    strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    digits = [np.arange(size) * stride for size, stride in zip(shape, strides, strict=True)]
    return Image(Total(0, _numbered(over, classes, digits)), found.ravel())


def _numbered(
    over: Over, classes: Sequence[tuple[IntArray, IntArray]], numbers: Sequence[IntArray]
) -> dict[Over, IntArray]:
    """Parts of a total: the number of the class of each variable's values."""
    each = zip(over, classes, numbers, strict=True)
    return {(v,): number[which] for v, (_, which), number in each if bool(number.any())}


def _classes_of(of: Variable, forms: Sequence[Form]) -> tuple[IntArray, IntArray]:
    """The first value of each class of a variable's values, less the lowest, and all classes.

    Values are in one class where all parts of the forms are the same at them. The lowest value is
    in class 0.
    """
    which = np.zeros(of.size, dtype=np.int64)
    for over, part in _parts_of(forms):
        if of in over:
            rows = np.moveaxis(part, over.index(of), 0).reshape(of.size, -1)
            rows = np.concatenate([which[:, np.newaxis], rows], axis=1)
            _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
            which = first.argsort().argsort()[which.ravel()]
    _, first = np.unique(which, return_index=True)
    return first, which


def _parts_of(forms: Sequence[Form]) -> Iterator[tuple[Over, IntArray]]:
    for form in forms:
        match form:
            case Table():
                yield form.over, form.values
            case Total():
                yield from form.parts.items()
            case Image():
                yield from form.of.parts.items()
            case Choice():
                yield from _parts_of((form.condition, form.one, form.other))


def _shares(grid: IntArray) -> list[IntArray]:
    """What each axis of a grid adds to its first value, if it adds anything of its own."""
    first = [0] * grid.ndim
    return [
        grid[(*first[:axis], slice(None), *first[axis + 1 :])] - grid[tuple(first)]
        for axis in range(grid.ndim)
    ]


def _apply_to_choice(function: Function, forms: Sequence[Form], choice: Choice) -> Form:
    """The function of a choice and of constants."""
    return choice.each(
        lambda chosen: apply(function, [chosen if form is choice else form for form in forms])
    )


def choose(condition: Form, one: Form, other: Form) -> Form:
    """`one` where the condition is 1, `other` where it is 0."""
    low, high = bounds(condition)
    if low == high:
        return one if low else other
    try:
        return apply(lambda c: np.where(c[0] != 0, c[1], c[2]), [condition, one, other])
    except TooHard:
        return Choice(condition, one, other, *_both_bounds(one, other))


def is_positive(form: Form, *, or_zero: bool = False) -> Form:
    """1 where the form is greater than 0, or 0 as well on wish; else 0."""
    return mapped(lambda v: v >= 0 if or_zero else v > 0, form)


def _apply_to_sum(function: Function, forms: Sequence[Form], base: Total) -> Form:
    reached = np.flatnonzero(base.reached)
    columns = _at_sums(forms, {base.key: reached + base.low})
    try:
        computed = np.asarray(function(columns), dtype=np.int64)
    except UndefinedAt as error:
        raise Undefined(base.assignment(int(reached[error.index]) + base.low)) from None
    if bool((computed == computed[0]).all()):
        return constant(int(computed[0]))
    values = np.zeros(len(base.reached), dtype=np.int64)
    values[reached] = computed
    return Image(base, values)


def apply_to_sums(function: Function, forms: Sequence[Form]) -> Form | None:
    """The function of sums that differ by few values, as sums of the same terms modulo 2^n do.

    The first sum and the differences, each without a common factor, are the digits of one sum: its
    values are what can come together. What comes of it depends on one of them, or on all; None
    where they are too many.
    """
    found = (_base(form) for form in forms if isinstance(form, Total | Image))
    distinct = {base.key: base for base in found}
    steps = {key: common_factor(base) for key, base in distinct.items()}
    key, base = next(iter(distinct.items()))
    first = _divided(base, steps[key])
    joint, offset, count = first, first.low, first.high - first.low + 1
    digits: dict[_Key, tuple[int, int, Total]] = {}
    for base in distinct.values():
        apart = _plus(_divided(base, steps[base.key]), _times(first, -1))
        step = common_factor(apart)
        digit = _divided(apart, step)
        size = digit.high - digit.low + 1
        if count * size > MAX_POINTS:
            return None
        digits[base.key] = count, step, digit
        joint = _plus(joint, _times(digit, count))
        offset += count * digit.low
        count *= size
    reached = np.flatnonzero(joint.reached)
    places = reached + joint.low - offset
    least = places % (first.high - first.low + 1) + first.low
    sums: dict[_Key, IntArray] = {}
    for key, (weight, step, digit) in digits.items():
        size = digit.high - digit.low + 1
        sums[key] = steps[key] * (least + step * (places // weight % size + digit.low))
    columns = _at_sums(forms, sums)
    try:
        computed = np.asarray(function(columns), dtype=np.int64)
    except UndefinedAt as error:
        raise Undefined(joint.assignment(int(reached[error.index]) + joint.low)) from None
    if bool((computed == computed[0]).all()):
        return constant(int(computed[0]))
    for base in distinct.values():
        values = np.zeros(base.high - base.low + 1, dtype=np.int64)
        values[sums[base.key] - base.low] = computed
        if np.array_equal(values[sums[base.key] - base.low], computed):
            return Image(base, values)
    values = np.zeros(len(joint.reached), dtype=np.int64)
    values[reached] = computed
    return Image(joint, values)


_Key: TypeAlias = tuple[tuple[Over, bytes], ...]


def _at_sums(forms: Sequence[Form], sums: Mapping[_Key, IntArray]) -> list[Array]:
    """Values of forms where their sums, by key, have these values; tables are constants."""
    shape = next(iter(sums.values())).shape
    columns: list[Array] = []
    for form in forms:
        match form:
            case Table():
                columns.append(np.broadcast_to(form.values, shape))
            case Total():
                columns.append(sums[_base(form).key] + form.constant)
            case Image():
                columns.append(form.values[sums[form.of.key] - form.of.low])
            case Choice():
                raise TooHard("a choice among sums")
    return columns


def substituted(form: Form, by: Mapping[Variable, Form]) -> Form:
    """The form with other forms for some of its variables, whose ranges these stay in.

    Raises
    ------
    TooHard : what comes of it leaves the three forms.
    """
    match form:
        case Table() if by.keys().isdisjoint(form.over):
            return form
        case Table():
            inputs = [by.get(v) or variable(v) for v in form.over]

            def look_up(columns: Sequence[IntArray]) -> IntArray:
                index = (c - v.low for c, v in zip(columns, form.over, strict=True))
                return form.values[tuple(index)]

            return apply(look_up, inputs)
        case Total():
            whole: Form = constant(form.constant)
            for over, part in form.parts.items():
                whole = add(whole, substituted(Table(over, part), by))
            return whole
        case Image():
            values, low = form.values, form.of.low
            return mapped(lambda sums: values[sums - low], substituted(form.of, by))
        case Choice():
            condition, one, other = (
                substituted(each, by) for each in (form.condition, form.one, form.other)
            )
            return choose(condition, one, other)


def common_factor(total: Total) -> int:
    """Of all values of the parts; 1 without parts."""
    factors = [int(np.gcd.reduce(part, axis=None)) for part in total.parts.values()]
    return int(np.gcd.reduce(factors or [1]))


def _divided(total: Total, by: int) -> Total:
    return Total(0, {over: part // by for over, part in total.parts.items()})


def _times(total: Total, by: int) -> Total:
    return Total(0, {over: part * by for over, part in total.parts.items()})


def evaluate(form: Form, values: Mapping[Variable, IntArray]) -> IntArray:
    """The form for samples of its variables: arrays of one shape."""
    match form:
        case Table():
            if not form.over:
                return np.asarray(form.values)
            return form.values[tuple(values[v] - v.low for v in form.over)]
        case Total():
            return np.asarray(
                form.constant
                + sum(evaluate(Table(over, part), values) for over, part in form.parts.items())
            )
        case Image():
            return form.values[evaluate(form.of, values) - form.of.low]
        case Choice():
            condition, one, other = (
                evaluate(each, values) for each in (form.condition, form.one, form.other)
            )
            return np.where(condition != 0, one, other)


# Insides.


def as_image(form: Table | Total | Image) -> Image:
    """The form as a function of a sum."""
    match form:
        case Image():
            return form
        case _:
            total = as_total(form)
            base = _base(total)
            return Image(base, np.arange(base.low, base.high + 1) + total.constant)


def _base(form: Table | Total | Image) -> Total:
    if isinstance(form, Image):
        return form.of
    total = as_total(form)
    if total.constant == 0:
        return total
    return Total(0, total.parts)


def as_total(form: Table | Total) -> Total:
    """In normal form: a function of several variables is split into what each adds to the rest.

    Raises
    ------
    TooHard : the parts, one for each subset of the variables, would have too many points.
    """
    if isinstance(form, Total):
        return form
    if _split_points(form.over) > MAX_SPLIT_POINTS:
        raise TooHard(f"a function of {len(form.over)} variables in a sum has too many points")
    split: list[tuple[Over, IntArray]] = [((), form.values)]
    for axis in form.over:
        # This variable's axis comes first; axes that a part keeps move to the end.
        split = [
            half
            for over, values in split
            for half in (
                (over, values[0]),
                ((*over, axis), np.moveaxis(values - values[:1], 0, -1)),
            )
        ]
    parts = {over: np.array(values, order="C") for over, values in split if bool(values.any())}
    start = parts.pop((), None)
    return Total(0 if start is None else int(start), parts)


def _split_points(over: Over) -> int:
    """How many points the parts of a function have together that `as_total` splits."""
    return prod(variable.size + 1 for variable in over)


def _plus(left: Total, right: Total) -> Total:
    if len(left.parts) < len(right.parts):
        left, right = right, left
    parts = dict(left.parts)
    for over, part in right.parts.items():
        if over in parts:
            part = parts[over] + part
        if bool(part.any()):
            parts[over] = part
        else:
            parts.pop(over, None)
    return Total(left.constant + right.constant, parts)


def _listed(form: Form, over: Over) -> IntArray:
    """The values over more variables, broadcastable."""
    match form:
        case Table():
            shape = [v.size if v in form.over else 1 for v in over]
            return form.values.reshape(shape)
        case Total():
            return np.asarray(
                form.constant + sum(_listed(Table(o, part), over) for o, part in form.parts.items())
            )
        case Image():
            return form.values[_listed(form.of, over) - form.of.low]
        case Choice():
            condition, one, other = (
                _listed(each, over) for each in (form.condition, form.one, form.other)
            )
            return np.where(condition != 0, one, other)


def listed(form: Form, over: Over) -> IntArray:
    """The form's value at every point of `over`, which holds all of its variables."""
    return np.broadcast_to(_listed(form, over), tuple(v.size for v in over))


def _added(over: Over, parts: Iterable[tuple[Over, IntArray]]) -> IntArray:
    shape = tuple(v.size for v in over)
    if prod(shape) > MAX_POINTS:
        raise TooHard(f"tables of {len(over)} variables that meet in one sum")
    values = np.zeros(shape, dtype=np.int64)
    for part_over, part in parts:
        values += _listed(Table(part_over, part), over)
    return values


def _shrunk(table: Table) -> Table:
    """Without the variables that it does not depend on."""
    over, values = list(table.over), table.values
    for axis in reversed(range(len(over))):
        if bool((values == values.take([0], axis=axis)).all()):
            values = values.take(0, axis=axis)
            del over[axis]
    return Table(tuple(over), np.array(values, order="C"))


def connected(parts: Iterable[Over]) -> list[tuple[Over, list[Over]]]:
    """Groups of parts that share variables, with all the variables of each."""
    parts = list(parts)
    if len({v for over in parts for v in over}) == sum(map(len, parts)):
        return [(over, [over]) for over in parts]
    groups: list[tuple[set[Variable], list[Over]]] = []
    for over in parts:
        touching = [group for group in groups if not group[0].isdisjoint(over)]
        merged = set(over).union(*(group[0] for group in touching))
        overs = [o for group in touching for o in group[1]]
        groups = [group for group in groups if group not in touching]
        groups.append((merged, [*overs, over]))
    return [(tuple(sorted(group)), overs) for group, overs in groups]


def _union(overs: Iterable[Over]) -> Over:
    return tuple(sorted({v for over in overs for v in over}))


def _assignment(over: Over, point: Iterable[SupportsInt]) -> Assignment:
    return {v: v.low + int(index) for v, index in zip(over, point, strict=True)}


def _any_of(sets: Iterable[int]) -> int:
    whole = 0
    for one in sets:
        whole |= one
    return whole
