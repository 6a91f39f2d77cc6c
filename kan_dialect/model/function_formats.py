"""The number formats of a function's ports, by argument and by result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import func
from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import BlockArgument, SSAValue

from kan_dialect.analysis.quantization_points import (
    quantization_points,
    quantizers_inside,
    readers,
    unobserved,
)
from kan_dialect.errors import KanError
from kan_dialect.ir.quant import MAX_STORAGE_BITS, UniformQuantizedType, default_bounds, storage_for
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.number_formats import NumberFormat, PortFormats


@dataclass(frozen=True)
class FunctionFormats:
    """The formats that a user fixed for a function at spline level.

    Parameters
    ----------
    inputs, outputs : of each port, in order; None of ports without a format. Empty if none of the
        inputs or outputs has one.
    """

    function: func.FuncOp
    inputs: Sequence[NumberFormat | None]
    outputs: Sequence[NumberFormat | None]

    @classmethod
    def of(
        cls, function: func.FuncOp, inputs: PortFormats | None, outputs: PortFormats | None
    ) -> FunctionFormats:
        """The formats for the ports of a function.

        Raises
        ------
        KanError : a format is given for a port that the function does not have, or that has codes
            of the model's file, or for some of the results that are computed together, or for a
            result that has none of its own.
        """
        if inputs is None and outputs is None:
            return cls(function, (), ())
        points = quantization_points(function)  # refuses what is no vector
        some_coded = quantizers_inside(function)
        name, terminator = function.sym_name.data, function.get_return_op()
        assert terminator is not None
        found: list[Sequence[NumberFormat | None]] = []
        sides = (("x", inputs, function.args), ("y", outputs, terminator.operands))
        for letter, given, values in sides:
            coded = some_coded and any(unobserved(value) not in points for value in values)
            if given is not None and coded:
                raise KanError(
                    f"@{name} cannot have formats of {'inputs' if letter == 'x' else 'outputs'}: "
                    "its file quantises them",
                    remedy="leave the formats out",
                )
            count = sum(tensor_shape(value)[0] for value in values)
            found.append(() if given is None else given.of_ports(letter, count, name))
        formats = cls(function, *found)
        formats._require_whole_results()
        return formats

    def of_argument(self, value: BlockArgument) -> Sequence[NumberFormat | None] | None:
        """The formats of an argument's elements; None if none has one."""
        start = sum(tensor_shape(each)[0] for each in self.function.args[: value.index])
        found = self.inputs[start : start + tensor_shape(value)[0]]
        return found if any(each is not None for each in found) else None

    def of_result(self, value: SSAValue) -> Sequence[NumberFormat] | None:
        """The formats of a result's elements; None if it has none, or is no result."""
        for result, formats in self._results():
            if result is value:
                found = [each for each in formats if each is not None]
                return found or None
        return None

    def names_of_result(self, value: SSAValue) -> list[str]:
        """The output ports of a result: `y0`, ..."""
        start = 0
        for result, formats in self._results():
            if result is value:
                return [f"y{start + index}" for index in range(len(formats))]
            start += len(formats)
        return []

    def _results(self) -> list[tuple[SSAValue, Sequence[NumberFormat | None]]]:
        terminator = self.function.get_return_op()
        assert terminator is not None
        if not self.outputs:
            return []
        found: list[tuple[SSAValue, Sequence[NumberFormat | None]]] = []
        start = 0
        for result in map(unobserved, terminator.operands):
            (size,) = tensor_shape(result)
            found.append((result, self.outputs[start : start + size]))
            start += size
        return found

    def _require_whole_results(self) -> None:
        """Require formats that results can have."""
        name, terminator = self.function.sym_name.data, self.function.get_return_op()
        known: dict[SSAValue, Sequence[NumberFormat | None]] = {}
        start = 0
        for result, formats in self._results():
            given = whole_formats(formats, start, name)
            if given and not all(reader is terminator for reader in readers(result)):
                raise KanError(
                    f"y{start} of @{name} cannot have a format: other layers read it too",
                    remedy="leave its format out",
                )
            if given and isinstance(result, BlockArgument):
                raise KanError(
                    f"y{start} of @{name} cannot have a format: it is an input",
                    remedy="leave its format out",
                )
            if known.setdefault(result, formats) != formats:
                raise KanError(
                    f"y{start} of @{name} is another output too, of another format",
                    remedy="give both the same format",
                )
            start += len(formats)


def whole_formats(
    formats: Sequence[NumberFormat | None], start: int, function: str
) -> list[NumberFormat]:
    """The formats of the ports of a result; empty if none has one.

    Parameters
    ----------
    start : number of the result's first port.

    Raises
    ------
    KanError : a port has a format, and another one has none.
    """
    given = [each for each in formats if each is not None]
    if given and len(given) < len(formats):
        has, lacks = (
            next(n for n, each in enumerate(formats) if (each is None) == empty)
            for empty in (False, True)
        )
        raise KanError(
            f"y{start + has} of @{function} has a format, and y{start + lacks} has none",
            remedy="results of a layer have formats together: name all, or give one for all "
            "others with *",
        )
    return given


def format_codes(
    formats: Sequence[NumberFormat], expressed: AnyFloat
) -> tuple[UniformQuantizedType, list[tuple[int, int]]]:
    """The type of codes of a value's elements, and the least and the greatest code of each.

    Parameters
    ----------
    expressed : the float type of the values that codes stand for.

    Raises
    ------
    KanError : no storage holds the codes of all formats.
    """
    ends = [each.codes for each in formats]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    bits, signed = storage_for(low, high)
    if bits > MAX_STORAGE_BITS:
        raise KanError(
            f"signed and unsigned formats of {MAX_STORAGE_BITS} bits for ports of one layer",
            remedy=f"take unsigned ones of at most {MAX_STORAGE_BITS - 1} bits",
        )
    alike = all(each == formats[0] for each in formats)
    element = UniformQuantizedType(
        bits,
        signed,
        formats[0].scale if alike else [each.scale for each in formats],
        formats[0].zero_point if alike else [each.zero_point for each in formats],
        axis=None if alike else 0,
        bounds=(low, high) if low < high else default_bounds(bits, signed),
        expressed=expressed,
    )
    return element, ends
