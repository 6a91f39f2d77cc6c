"""The Python module that compiles and loads the emulator: NAME_emulator.py."""

from __future__ import annotations

from typing import Literal, TypeAlias

from kan_dialect.flows.host.c_text import code_type
from kan_dialect.flows.host.compiled_library import LIBRARY
from kan_dialect.model.interface import Interface

_MODULE = (
    '''\
"""The hardware of {name} in software, bit for bit, at the speed of C.

    x     (samples, {inputs}) float   -- predict   --> y     (samples, {outputs}) float64
    codes (samples, {inputs}) integer -- run_codes --> codes (samples, {outputs}) int64

The first call compiles {name}_emulator.c with the C compiler `cc`, `gcc` or `clang` on PATH, or the
one that the environment variable CC names. The library is kept in `__pycache__` beside this file.
It needs NumPy and {name}_codec.py.
"""

import ctypes
import functools
import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

_FOLDER = Path(__file__).resolve().parent
_OPTIONS = ["-std=c99", "-O2", "-fPIC", "-shared"]
_CODE = np.{dtype}
_SOURCES = ["{name}_codec.h", "{name}_emulator.h", "{name}_emulator.c"]
# The emulator with floats at both ends: what `predict` calls.
_WRAPPER = """
#include "{name}_codec.h"
#include "{name}_emulator.c"
size_t predict(size_t samples, const double *x, double *y);
size_t predict(size_t samples, const double *x, double *y)
{{
    for (size_t sample = 0; sample < samples; ++sample) {{
        {name}_code in[{inputs}], out[{outputs}];
        if ({name}_encode(x + sample * {inputs}, in) || !{name}_run(1, in, out)) return sample;
        {name}_decode(out, y + sample * {outputs});
    }}
    return samples;
}}
"""


def predict(x):
    """Real outputs of the hardware: x is encoded, run and decoded.

    Parameters
    ----------
    x : real values, (samples, {inputs}) or ({inputs},). Values beyond the codes saturate.

    Returns
    -------
    y : (samples, {outputs}) or ({outputs},), float64.

    Raises
    ------
    ValueError : wrong shape, or a value is NaN.
    RuntimeError : there is no C compiler, or it fails.
    """
    x = np.asarray(x)
    if x.ndim not in (1, 2) or x.shape[-1] != {inputs}:
        raise ValueError(f"expected {inputs} values a sample, got shape {{x.shape}}")
    source = np.ascontiguousarray(x.reshape(-1, {inputs}), dtype=np.float64)
    result = np.empty((len(source), {outputs}))
    done = _library().predict(len(source), source.ctypes.data, result.ctypes.data)
    if done != len(source):
        _codec().encode(source)  # says which value is NaN
    return result.reshape(*x.shape[:-1], {outputs})


def classify(x):
    """The class of each sample, int64: {what}.

    Parameters and errors are those of `predict`.
    """
{how}

def run_codes(codes):
    """Output codes of input codes, as the hardware computes them.

    Parameters
    ----------
    codes : integers, (samples, {inputs}) or ({inputs},), within the ranges of the ports.

    Returns
    -------
    codes : (samples, {outputs}) or ({outputs},), int64.

    Raises
    ------
    ValueError : wrong shape or type, or a code is outside the range of its port.
    RuntimeError : there is no C compiler, or it fails.
    """
    codes = np.asarray(codes)
    if codes.ndim not in (1, 2) or codes.shape[-1] != {inputs}:
        raise ValueError(f"expected {inputs} codes a sample, got shape {{codes.shape}}")
    if codes.dtype.kind not in "iu":
        raise ValueError(f"expected integer codes, got {{codes.dtype}}")
    _require_in_range(codes)
    source = np.ascontiguousarray(codes.reshape(-1, {inputs}), dtype=_CODE)
    result = np.empty((len(source), {outputs}), dtype=_CODE)
    done = _library().{name}_run(len(source), source.ctypes.data, result.ctypes.data)
    if done != len(source):
        raise RuntimeError(
            f"the emulator stopped at sample {{done}}: its files are not of one build"
        )
    return result.astype(np.int64).reshape(*codes.shape[:-1], {outputs})


def _require_in_range(codes):
    lowest, highest = (
        np.array([port[i] for port in _codec().INPUTS], dtype=np.int64) for i in (2, 3)
    )
    rows = codes.reshape(-1, {inputs})
    if not len(rows) or ((rows.min(axis=0) >= lowest) & (rows.max(axis=0) <= highest)).all():
        return
    where = tuple(np.argwhere((codes < lowest) | (codes > highest))[0].tolist())
    port = where[-1]
    raise ValueError(
        f"codes{{list(where)}} is {{codes[where]}}; x{{port}} takes {{lowest[port]}} to "
        f"{{highest[port]}}"
    )


@functools.cache
def _codec():
    """The module {name}_codec.py of the same folder."""
    spec = importlib.util.spec_from_file_location("{name}_codec", _FOLDER / "{name}_codec.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


'''
    + LIBRARY
    + """def _loaded(path):
    library = ctypes.CDLL(str(path))
    for function in (library.{name}_run, library.predict):
        function.restype = ctypes.c_size_t
        function.argtypes = [ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
    return library
"""
)

Rule: TypeAlias = Literal["first", "sign", "largest"]
"""How outputs give a class: the first output is it, the sign of the only one, or the largest."""

_CLASSES: dict[Rule, tuple[str, str]] = {
    "first": (
        "the first output, which the hardware decides",
        "    return predict(x)[..., 0].astype(np.int64)\n",
    ),
    "sign": (
        "1 where the output is positive, else 0",
        "    return (predict(x)[..., 0] > 0).astype(np.int64)\n",
    ),
    "largest": (
        "the place of the largest output, the first of equal ones",
        "    return predict(x).argmax(axis=-1)\n",
    ),
}
"""What the function says of itself, and its body."""


def class_rule(interface: Interface, *, first_is_class: bool) -> Rule:
    """How the outputs of a design give a class."""
    if first_is_class:
        return "first"
    return "sign" if len(interface.outputs) == 1 else "largest"


def python_emulator(interface: Interface, *, first_is_class: bool) -> str:
    """The text of NAME_emulator.py.

    Parameters
    ----------
    first_is_class : whether the first output is the class: a head decides in hardware.
    """
    what, how = _CLASSES[class_rule(interface, first_is_class=first_is_class)]
    return _MODULE.format(
        name=interface.name,
        inputs=len(interface.inputs),
        outputs=len(interface.outputs),
        what=what,
        how=how,
        dtype=code_type(interface).removesuffix("_t"),
    )
