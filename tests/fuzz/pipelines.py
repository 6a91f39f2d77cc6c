"""Random pass pipelines that are legal at each level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kan_dialect.devices.device import DeviceFamily, device
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.passbase.pipeline import build_pass, parse_passes

ANY_LEVEL = ("canonicalize", "cse", "dce")
TABLE_LEVEL = (*ANY_LEVEL, "kan-fold-tables", "kan-fold-affine")
WIRE_LEVEL = (
    *ANY_LEVEL,
    *("kan-narrow", "kan-narrow", "kan-balance-sums", "kan-balance-sums{target=ecp5}"),
    *("kan-split-tables", "kan-split-tables{parts=2 target=lut4}", "kan-merge-tables"),
    *("kan-share-tables", "kan-share-tables{target=ecp5}"),
    *("kan-window-tables", "kan-window-tables{target=ecp5}", "kan-compress-codes"),
    *("kan-fold-clamps", "kan-fold-clamps{target=ecp5}"),
    *("kan-split-adders{mhz=200.0 target=ecp5}", "kan-split-adders{mhz=600.0 target=xcup}"),
)
EXPAND, HEAD, LOWER = "kan-expand-wires", "kan-add-head", "lower-kan-to-hw"
NEEDED = ("kan-fold-affine", "kan-quantize", "kan-fold-tables", EXPAND, LOWER)
"""Never taken out of a pipeline when it is made smaller."""


def integer_pipeline(rng: np.random.Generator) -> list[str]:
    """From table level to hardware."""
    table = [str(rng.choice(TABLE_LEVEL)) for _ in range(rng.integers(0, 3))]
    return [*table, EXPAND, *_head(rng), *_wire_level(rng), LOWER, *_hardware_level(rng)]


def compiled_pipeline(rng: np.random.Generator, target: str, *, coded: bool) -> list[str]:
    """The default pipeline of a device, for a clock or a latency.

    Parameters
    ----------
    coded : the network's ports are codes, which have no formats.
    """
    options = [
        f"target={target}",
        *_compiled_head(rng),
        *_compiled_schedule(rng, device(target)),
        *(["fast=true"] if rng.random() < 0.1 else []),
        *([f"parts={rng.integers(1, 5)}"] if rng.random() < 0.2 else []),
        *([f"extra-levels={rng.integers(0, 4)}"] if rng.random() < 0.2 else []),
        *(["adders=plain"] if rng.random() < 0.1 else []),
        *(["tables=plain"] if rng.random() < 0.1 else []),
    ]
    if not coded and rng.random() < 0.4:
        options.append(f'input-format="*={_input_format(rng)}"')
    (spec,) = parse_passes(f"{CompilePass.name}{{{' '.join(options)}}}")
    compiled = build_pass({CompilePass.name: lambda: CompilePass}, spec)
    assert isinstance(compiled, CompilePass)
    first = 1 if compiled.input_format else 2  # Codes need no quantisation, but for formats.
    return [stage.recorded() for stage in compiled.passes()[first:]]


def _compiled_head(rng: np.random.Generator) -> list[str]:
    match rng.integers(0, 8):
        case 0 | 1:
            return ["head=argmax"]
        case 2:
            return ["head=threshold", f"threshold={rng.normal():.3f}"]
        case 3:
            return ["head=top-k", f"k={rng.integers(1, 4)}"]
        case _:
            return []


def _compiled_schedule(rng: np.random.Generator, family: DeviceFamily) -> list[str]:
    """A clock, mostly: from one that leaves a lookup table no time to one of long stages."""
    match rng.integers(0, 10):
        case 0:
            return ["combinational=true"]
        case 1:
            return [f"cycles={rng.integers(0, 7)}"]
        case 2:
            return [f"levels={rng.integers(1, 5)}"]
        case _:
            timing = family.timing
            period = timing.spread * (timing.register + timing.lut * 2.0 ** rng.uniform(-0.5, 4))
            return [f"mhz={min(1000 / period, family.highest_mhz or 1e6):.1f}"]


def _input_format(rng: np.random.Generator) -> str:
    """Codes of few bits, which leave codes of the network unused, or any numbers around 0."""
    if rng.random() < 0.5:
        return f"{rng.choice(['u', 's'])}{rng.integers(2, 8)}"
    return _format(rng, 2, 15)


def float_pipeline(rng: np.random.Generator) -> list[str]:
    """From spline level to hardware."""
    bits = str(rng.integers(1, 8, endpoint=True))
    options = [f"bits={bits}"]
    if rng.random() < 0.5:
        options.append(f'scale="{rng.choice(["minmax", "percentile", "mse"])}"')
    if rng.random() < 0.3:
        options.append("per-tensor=true")
    if rng.random() < 0.3:
        options.append(f"guard-bits={rng.integers(0, 4)}")
    if rng.random() < 0.4:
        options.append(f'input-format="*={_format(rng, 2, 15)}"')
    if rng.random() < 0.3:
        options.append(f'output-format="*={_format(rng, 8, 24)}"')
    spline = [str(rng.choice(ANY_LEVEL))] if rng.random() < 0.2 else []
    fold = ["kan-fold-affine"] if rng.random() < 0.8 else []
    table = [str(rng.choice(ANY_LEVEL))] if rng.random() < 0.2 else []
    quantize = f"kan-quantize{{{' '.join(options)}}}"
    return [*spline, *fold, quantize, "kan-fold-tables", *table, *integer_pipeline(rng)]


def _head(rng: np.random.Generator) -> list[str]:
    """Seldom, a decision on the outputs."""
    if rng.random() < 0.8:
        return []
    heads = ["kind=argmax", f"kind=threshold threshold={rng.normal():.3f}", "kind=top-k k=2"]
    return [f"{HEAD}{{{rng.choice(heads)}}}"]


def _format(rng: np.random.Generator, least: int, most: int) -> str:
    """A number format of some values around 0."""
    bits = int(rng.integers(least, most, endpoint=True))
    if rng.random() < 0.5:
        return f"s{bits}.{bits - int(rng.integers(1, 5))}"
    step = 2.0 ** -(bits - int(rng.integers(1, 5))) * float(rng.uniform(0.5, 2.0))
    return f"u{bits}:{step:.3g}:{rng.integers(0, 1 << bits)}"


def _wire_level(rng: np.random.Generator) -> Sequence[str]:
    if rng.random() < 0.3:
        return [
            "kan-narrow",
            "kan-fold-clamps",
            "kan-window-tables",
            "kan-merge-tables",
            "kan-share-tables",
            "kan-compress-codes",
            "kan-split-tables",
            "kan-balance-sums",
            _schedule(rng),
        ]
    passes: list[str] = []
    for _ in range(rng.integers(0, 6)):
        passes.append(_schedule(rng) if rng.random() < 0.3 else str(rng.choice(WIRE_LEVEL)))
    return passes


def _schedule(rng: np.random.Generator) -> str:
    match rng.integers(0, 5):
        case 0:
            return "kan-schedule"
        case 3:
            return f"kan-schedule{{mhz={rng.integers(1, 100)}}}"
        case 1:
            return "kan-schedule{combinational=true}"
        case 2:
            return f"kan-schedule{{cycles={rng.integers(0, 9)}}}"
        case _:
            return f"kan-schedule{{levels={rng.integers(1, 5)}}}"


def _hardware_level(rng: np.random.Generator) -> list[str]:
    """Mostly adders on carry chains; seldom, a pass of xDSL before them or behind."""
    passes = ["kan-form-carry-chains"] if rng.random() < 0.7 else []
    if rng.random() < 0.2:
        passes.insert(int(rng.integers(len(passes) + 1)), str(rng.choice(ANY_LEVEL)))
    return passes
