"""The Python module of a network that trains: it compiles and loads the emulator."""

from __future__ import annotations

from collections.abc import Sequence

from kan_dialect.errors import KanError
from kan_dialect.flows.host.compiled_library import LIBRARY
from kan_dialect.ir.fixed_point import fixed_type
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.training.training_step import Step

_MODULE = (
    '''\
"""The hardware of {name}, which trains itself, in software: bit for bit, at the speed of C.

    from {name}_emulator import Network

    network = Network()                  # the coefficients are those at power-up
    y = network.train(x, targets)        # a step of training for each sample, in order
    y = network.predict(x)               # the coefficients stay

The first call compiles {name}_emulator.c with the C compiler `cc`, `gcc` or `clang` on PATH, or the
one that the environment variable CC names. The library is kept in `__pycache__` beside this file.
It needs NumPy.
"""

import ctypes
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

_FOLDER = Path(__file__).resolve().parent
_OPTIONS = ["-std=c99", "-O2", "-fPIC", "-shared"]
_SOURCES = ["{name}_emulator.h", "{name}_emulator.c"]
_WRAPPER = """
#include "{name}_emulator.c"
"""
# Bits behind the point, lowest and highest code.
INPUT, TARGET, OUTPUT = {input}, {target}, {output}
# Shape of each state: outputs, inputs, coefficients.
STATES = {states}


class Network:
    """A network with coefficients of its own, which training changes.

    Attributes
    ----------
    coefficients : codes of each state by name, int64, of the shapes in STATES. They may be set.
    """

    def __init__(self):
        sizes = [int(np.prod(shape)) for shape in STATES.values()]
        held = (ctypes.c_int64 * sum(sizes)).in_dll(_library(), "{name}_initial")
        self._state = np.array(held, dtype=np.int64)
        ends = np.cumsum([0, *sizes])
        self.coefficients = {{
            state: self._state[start:end].reshape(shape)
            for (state, shape), start, end in zip(STATES.items(), ends, ends[1:])
        }}

    def train(self, x, targets):
        """Real outputs (samples, {outputs}) before the update of each sample.

        Parameters
        ----------
        x : real inputs, (samples, {inputs}). Values beyond the codes saturate.
        targets : real {what}, (samples, {targets}).
        """
        return decode(self.run_codes(encode(x, INPUT), encode(targets, TARGET)))

    def predict(self, x):
        """Real outputs (samples, {outputs}) of real inputs (samples, {inputs})."""
        codes = encode(x, INPUT)
        unread = np.zeros((len(codes), {targets}), dtype=np.int64)
        return decode(self.run_codes(codes, unread, np.zeros(len(codes), dtype=bool)))

    def run_codes(self, x, targets, train=None):
        """Output codes (samples, {outputs}), int64, of codes, as the hardware computes them.

        Parameters
        ----------
        x, targets : integers, (samples, {inputs}) and (samples, {targets}), within their codes.
        train : whether each sample trains, (samples), bool; default all.

        Raises
        ------
        ValueError : wrong shape or type, or a code is none of its port.
        RuntimeError : there is no C compiler, or it fails.
        """
        x, targets = _checked(x, {inputs}, INPUT), _checked(targets, {targets}, TARGET)
        if train is None:
            train = np.ones(len(x), dtype=bool)
        train = np.ascontiguousarray(train, dtype=np.uint8)
        if not len(x) == len(targets) == len(train):
            raise ValueError("inputs, {what} and `train` differ in their number of samples")
        y = np.empty((len(x), {outputs}), dtype=np.int64)
        arrays = (array.ctypes.data for array in (x, targets, train, y))
        _library().{name}_run(self._state.ctypes.data, len(x), *arrays)
        return y


def encode(values, kind):
    """Codes of real values, by INPUT or TARGET: rounded half to even, saturated."""
    fraction, low, high = kind
    values = np.asarray(values, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("a value is NaN")
    return np.clip(np.rint(np.ldexp(values, fraction)), low, high).astype(np.int64)


def decode(codes):
    """Real values of output codes, float64."""
    return np.ldexp(np.asarray(codes).astype(np.float64), -OUTPUT[0])


def _checked(codes, width, kind):
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.shape[1] != width:
        raise ValueError(f"expected codes (samples, {{width}}), got shape {{codes.shape}}")
    if codes.dtype.kind not in "iu":
        raise ValueError(f"expected integer codes, got {{codes.dtype}}")
    if ((codes < kind[1]) | (codes > kind[2])).any():
        raise ValueError(f"a code is outside {{kind[1]}} to {{kind[2]}}")
    return np.ascontiguousarray(codes, dtype=np.int64)


'''
    + LIBRARY
    + """
def _loaded(path):
    library = ctypes.CDLL(str(path))
    run = library.{name}_run
    run.restype = None
    run.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_void_p] * 4]
    return library
"""
)


def python_emulator(step: Step, states: Sequence[str]) -> str:
    """The text of NAME_emulator.py.

    Parameters
    ----------
    states : names of the states.

    Raises
    ------
    KanError : the step is real-valued.
    """
    kinds = [fixed_type(value) for value in (step.input, step.target, step.output)]
    ends = [(kind.fraction, kind.low, kind.high) for kind in kinds if kind is not None]
    if len(ends) < len(kinds):
        raise KanError(f"@{step.name} is real-valued, so no code stands for its numbers")
    shapes = {name: tensor_shape(state) for name, state in zip(states, step.states, strict=True)}
    return _MODULE.format(
        name=step.name,
        inputs=tensor_shape(step.input)[0],
        targets=tensor_shape(step.target)[0],
        outputs=tensor_shape(step.output)[0],
        what="errors" if step.fed_error else "targets",
        input=ends[0],
        target=ends[1],
        output=ends[2],
        states=shapes,
    )
