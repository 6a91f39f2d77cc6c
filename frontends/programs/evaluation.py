"""Evaluates a program on real inputs, operation by operation, as da4ml's and alkaid's Python does.

It shares nothing with the IR that `wires` writes. float64 is exact: no value has more than 52 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kan_dialect.frontends.programs.program import Codes, Operation, Program, Term
from kan_dialect.ir.constants import FloatArray, IntArray

_NUMBERS = 1 << 22
"""Results that are held at a time: 32 MiB."""


def evaluate_program(program: Program, x: FloatArray) -> FloatArray:
    """Outputs (samples, outputs) of real inputs (samples, inputs), float64."""
    samples = max(1, _NUMBERS // max(1, len(program.operations)))
    parts = [_evaluate(program, x[at : at + samples]) for at in range(0, len(x), samples)]
    return np.concatenate(parts) if parts else np.zeros((0, len(program.results)))


def _evaluate(program: Program, x: FloatArray) -> FloatArray:
    inputs = x * 2.0 ** np.array(program.shifts)
    values: list[FloatArray] = []
    for operation in program.operations:
        values.append(_value(program, operation, inputs, values))
    zero = np.zeros(len(x))
    outputs = [zero if term is None else _term(term, values) for term in program.results]
    return np.stack(outputs, axis=1)


def _value(
    program: Program, operation: Operation, inputs: FloatArray, values: Sequence[FloatArray]
) -> FloatArray:
    codes = operation.codes
    terms = [_term(term, values) for term in operation.terms]
    declared = [program.operations[term.operation] for term in operation.terms]
    match operation.kind:
        case "input":
            return _quantised(inputs[:, operation.index], codes)
        case "sum":
            constant = operation.constant.code * 2.0**operation.constant.step
            return sum(terms, np.full(len(inputs), constant))
        case "quantiser":
            return _quantised(terms[0], codes)
        case "relu":
            return _quantised(np.maximum(terms[0], 0), codes)
        case "choice":
            top = terms[0] < 0
            if not declared[0].codes.is_signed:
                top = terms[0] >= 2.0 ** (declared[0].codes.bits + declared[0].codes.step - 1)
            return _quantised(np.where(top, terms[1], terms[2]), codes)
        case "table":
            table = program.tables[operation.index]
            places = _integers(terms[0], declared[0].codes.step) - declared[0].first
            entries = np.array(table.entries, dtype=np.float64)
            return entries[places.clip(0, len(entries) - 1)] * 2.0**table.codes.step
        case "not":
            source = Codes(False, declared[0].codes.bits or 1, 0)
            inverted = -1 - _integers(terms[0], declared[0].codes.step).astype(np.float64)
            bits = _quantised(inverted, source)
            target = Codes(codes.is_signed, codes.bits, 0)
            return _quantised(bits, target) * 2.0**codes.step
        case "any":
            return (terms[0] != 0).astype(np.float64)
        case "all":
            ones = -1 if declared[0].codes.is_signed else declared[0].codes.high
            return (_integers(terms[0], declared[0].codes.step) == ones).astype(np.float64)
        case "and" | "or" | "xor":
            shifts = [term.shift for term in operation.terms]
            step = min(each.codes.step + n for each, n in zip(declared, shifts, strict=True))
            one, other = (_integers(each, step) for each in terms)
            joint = {"and": one & other, "or": one | other, "xor": one ^ other}[operation.kind]
            return _quantised(np.ldexp(joint, step), codes)


def _term(term: Term, values: Sequence[FloatArray]) -> FloatArray:
    return values[term.operation] * ((-1 if term.is_negative else 1) * 2.0**term.shift)


def _quantised(value: FloatArray, codes: Codes) -> FloatArray:
    step = 2.0**codes.step
    return (codes.low + np.mod(np.floor(value / step) - codes.low, 2.0**codes.bits)) * step


def _integers(value: FloatArray, step: int) -> IntArray:
    return np.floor(value / 2.0**step).astype(np.int64)
