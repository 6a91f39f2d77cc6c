"""The C text of a hardware module: a pipeline without feedback, as statements on 64-bit words.

It serves builds from IR of the hardware level, which have no integer model. Registers only delay,
so a sample's outputs are a function of its inputs. `in_valid` is 1 and `rst` is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from xdsl.dialects import comb, hw, seq
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.evaluate.hardware import array_length, bit_width, in_dataflow_order
from kan_dialect.flows.host.c_text import array, literal
from kan_dialect.ir.constants import Array
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.model.interface import Interface

LARGEST_WORD = 64

NUMBER = """\
// The number of `width` bits in two's complement.
static int64_t number(uint64_t bits, int width)
{
    const uint64_t sign = (uint64_t)1 << (width - 1);
    const uint64_t wide = (bits ^ sign) - sign;
    return wide <= INT64_MAX ? (int64_t)wide : -(int64_t)(UINT64_MAX - wide) - 1;
}"""

_INFIX: dict[type[Operation], str] = {
    comb.AddOp: " + ",
    comb.MulOp: " * ",
    comb.SubOp: " - ",
    comb.AndOp: " & ",
    comb.OrOp: " | ",
    comb.XorOp: " ^ ",
}
_RELATIONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_CONSTANT = 1 << 30
"""Number of registers in front of a constant: any."""

Refs: TypeAlias = list[str]
"""Expressions of a value's elements; one of a value that is no array."""


@dataclass
class CircuitText:
    """Tables and statements of a circuit, and the expressions of its outputs.

    Parameters
    ----------
    assign : adds a statement that computes an expression, and gives the name of the result.

    Raises
    ------
    KanError : the module has feedback, memories, values of more than 64 bits, ops without a form in
        C, or values of several cycles that meet.
    """

    module: hw.HWModuleOp
    interface: Interface
    assign: Callable[[str], str]
    tables: list[str] = field(default_factory=list[str])
    outputs: list[str] = field(default_factory=list[str])
    """A number for each output port."""
    _refs: dict[SSAValue, Refs] = field(default_factory=dict[SSAValue, Refs])
    _constants: dict[SSAValue, Array] = field(default_factory=dict[SSAValue, Array])
    _cycles: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    """Number of registers in front of each value."""
    _names: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        wanted = self._ports()
        needed = set(wanted)
        live: list[Operation] = []
        for op in reversed(in_dataflow_order(self.module.body.block.ops)):
            if any(result in needed for result in op.results):
                live.append(op)
                needed.update(_read(op))
        for op in reversed(live):
            self._add(op)
        for value, port in zip(wanted, self.interface.outputs, strict=True):
            bits = self._one(value)
            if self._cycles[value] not in (self.interface.latency, _CONSTANT):
                raise self._refusal(f"{port.name} comes after another number of cycles")
            self.outputs.append(
                f"number({bits}, {port.width})" if port.signed else f"(int64_t){bits}"
            )

    def _ports(self) -> list[SSAValue]:
        """Set the inputs; the values of the outputs."""
        block = self.module.body.block
        terminator = block.last_op
        assert isinstance(terminator, hw.OutputOp)
        places = {port.name: index for index, port in enumerate(self.interface.inputs)}
        arguments, results = iter(block.args), iter(terminator.inputs)
        outputs: dict[str, SSAValue] = {}
        for port in self.module.module_type.ports:
            name = port.port_name.data
            if port.dir.data is hw.Direction.OUTPUT:
                outputs[name] = next(results)
                continue
            argument = next(arguments)
            self._cycles[argument] = 0 if name in places else _CONSTANT
            if name in places:
                text = _masked(f"(uint64_t)x[{places[name]}]", bit_width(argument.type))
                self._refs[argument] = [self.assign(text)]
            else:
                self._refs[argument] = [_word(int(name == "in_valid"))]
        return [outputs[port.name] for port in self.interface.outputs]

    def _refusal(self, what: str) -> KanError:
        return KanError(
            f"@{self.module.sym_name.data}: no emulator in C for this hardware: {what}",
            remedy="build from the model, or from IR at table or wire level",
        )

    def _add(self, op: Operation) -> None:
        operands = _read(op)
        known = [self._constants[value] for value in operands if value in self._constants]
        if len(known) == len(operands) and not isinstance(op, seq.CompRegOp):
            for result, found in zip(op.results, evaluate_op(op, known), strict=True):
                self._constants[result], self._cycles[result] = found, _CONSTANT
            return
        cycles = {self._cycles[value] for value in operands} - {_CONSTANT}
        if len(cycles) > 1:
            raise self._refusal(f"values of several cycles meet in '{op.name}'")
        (result,) = op.results
        refs = self._refs_of(op)
        width = bit_width(result.type) // (array_length(result.type) or 1)
        if width > LARGEST_WORD:
            raise self._refusal(f"'{op.name}' gives a value of {width} bits")
        cycle = next(iter(cycles), _CONSTANT)
        later = isinstance(op, seq.CompRegOp) and cycle != _CONSTANT
        self._cycles[result] = cycle + later
        passed = isinstance(op, seq.CompRegOp | hw.ArrayCreateOp)
        self._refs[result] = refs if passed else [self.assign(ref) for ref in refs]

    def _refs_of(self, op: Operation) -> Refs:
        match op:
            case seq.CompRegOp():
                return self._all(op.input)
            case hw.ArrayCreateOp():
                return [self._one(value) for value in reversed(op.inputs)]
            case hw.ArrayGetOp():
                return [self._element(op)]
            case hw.BitcastOp():
                return self._cast(op)
            case comb.MuxOp():
                pairs = zip(self._all(op.true_value), self._all(op.false_value), strict=True)
                return [f"{self._one(op.cond)} ? {one} : {other}" for one, other in pairs]
            case _:
                return [self._word(op)]

    def _word(self, op: Operation) -> str:
        width = bit_width(op.results[0].type)
        match op:
            case comb.AddOp() | comb.MulOp() | comb.SubOp():
                return _masked(_INFIX[type(op)].join(map(self._one, op.operands)), width)
            case comb.AndOp() | comb.OrOp() | comb.XorOp():
                return _INFIX[type(op)].join(map(self._one, op.operands))
            case comb.ShlOp() | comb.ShrUOp() | comb.ShrSOp():
                return self._shift(op, width)
            case comb.ICmpOp():
                predicate = comb.ICMP_COMPARISON_OPERATIONS[op.predicate.value.data]
                sides = [self._one(op.lhs), self._one(op.rhs)]
                if predicate[0] == "s":
                    sides = [f"number({side}, {bit_width(op.lhs.type)})" for side in sides]
                return f"(uint64_t)({f' {_RELATIONS[predicate[-2:]]} '.join(sides)})"
            case comb.ExtractOp():
                low = op.low_bit.value.data
                return _masked(f"{self._one(op.input)} >> {low}", width)
            case comb.ConcatOp():
                return self._joined([(self._one(v), bit_width(v.type)) for v in op.inputs], width)
            case comb.ReplicateOp():
                part = bit_width(op.input.type)
                ones = sum(1 << low for low in range(0, width, part))
                return f"{self._one(op.input)} * {_word(ones)}"
            case comb.ParityOp():
                bits = bit_width(op.input.type)
                known = self._one(op.input)
                return " ^ ".join(f"({known} >> {bit} & 1)" for bit in range(bits))
            case _:
                raise self._refusal(f"'{op.name}' has no form")

    def _shift(self, op: comb.BinCombOperation, width: int) -> str:
        """A shift; an amount beyond the width leaves no bit, or copies of the sign."""
        value, amount = self._one(op.lhs), self._one(op.rhs)
        last = f"({amount} < {width} ? {amount} : {width - 1})"
        if isinstance(op, comb.ShrSOp):
            # A shift to the right of a negative number is the compiler's choice in C.
            sign = f"(({value} >> {width - 1}) * {_word((1 << width) - 1)})"
            return f"(({value} ^ {sign}) >> {last}) ^ {sign}"
        symbol = "<<" if isinstance(op, comb.ShlOp) else ">>"
        return _masked(f"({amount} < {width} ? {value} {symbol} {last} : 0)", width)

    def _joined(self, parts: Sequence[tuple[str, int]], width: int) -> str:
        """Words side by side, the highest first."""
        if width > LARGEST_WORD:
            raise self._refusal(f"a concatenation of {width} bits")
        texts: list[str] = []
        for text, bits in parts:
            width -= bits
            texts.append(f"{text} << {width}" if width else text)
        return " | ".join(texts)

    def _element(self, op: hw.ArrayGetOp) -> str:
        """An element; 0 where the index is beyond the end."""
        size = array_length(op.input.type) or 1
        index = self._constants.get(op.index)
        if index is not None:
            place = int(index[0])
            return self._all(op.input)[place] if place < size else _word(0)
        code, beyond = self._one(op.index), 1 << bit_width(op.index.type) > size
        if op.input in self._constants:
            found = f"{self._table(self._constants[op.input][0])}[{code}]"
            found = f"(uint64_t){found}"
            return f"{code} < {size} ? {found} : 0" if beyond else found
        choices = [f"{code} == {place} ? {ref}" for place, ref in enumerate(self._all(op.input))]
        return " : ".join([*choices, _word(0)])

    def _cast(self, op: hw.BitcastOp) -> Refs:
        source, target = op.input.type, op.result.type
        refs, width = self._all(op.input), bit_width(source)
        if len(refs) > 1:
            size = width // len(refs)
            refs = [self._joined([(ref, size) for ref in reversed(refs)], width)]
        count = array_length(target)
        if count is None:
            return refs
        size = width // count
        return [_masked(f"({refs[0]}) >> {size * place}", size) for place in range(count)]

    def _one(self, value: SSAValue) -> str:
        (ref,) = self._all(value)
        return ref

    def _all(self, value: SSAValue) -> Refs:
        constant = self._constants.get(value)
        if constant is None:
            return self._refs[value]
        if bit_width(value.type) // max(constant.size, 1) > LARGEST_WORD:
            raise self._refusal(f"a constant of {bit_width(value.type)} bits")
        return [_word(int(each)) for each in constant.ravel()]

    def _table(self, entries: Array) -> str:
        text = array("", entries)
        if text not in self._names:
            self._names[text] = f"t{len(self._names)}"
            self.tables.append(array(self._names[text], entries))
        return self._names[text]


def _read(op: Operation) -> list[SSAValue]:
    """The operands that a sample's result depends on: of a register, what it loads."""
    return [op.input] if isinstance(op, seq.CompRegOp) else list(op.operands)


def _masked(text: str, width: int) -> str:
    """The low bits of an expression."""
    return text if width >= LARGEST_WORD else f"({text}) & {_word((1 << width) - 1)}"


def _word(value: int) -> str:
    """A constant of 64 bits."""
    return f"UINT64_C({literal(value)})"
