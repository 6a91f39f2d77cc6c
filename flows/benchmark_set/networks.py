"""The networks of the benchmark set, by name, and the files that they are written as."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.deferred import deferred
from kan_dialect.errors import KanError
from kan_dialect.flows.benchmark_set import spline_networks, table_networks
from kan_dialect.flows.benchmark_set.draws import VERSION
from kan_dialect.passbase.pipeline import suggestion

TITLE = f"kan-dialect benchmark set {VERSION}"

_TRAINED = Path(__file__).parent / "trained"


@dataclass(frozen=True)
class SetNetwork:
    """A network of the set."""

    name: str
    level: str
    """`spline`, `table` or `wire`, after import."""
    purpose: str
    """What it has that others have not."""
    model: str
    """Its model, by path in the set's folder."""
    make: Callable[[], Mapping[str, bytes]]
    """All its files, by path in the set's folder: the model, and `data` where it has data."""

    @property
    def data(self) -> str:
        """Where its data is, if it has some, by path in the set's folder."""
        return f"{self.name}.npz"


def _trained(name: str, purpose: str) -> SetNetwork:
    def make() -> Mapping[str, bytes]:
        return {file: (_TRAINED / file).read_bytes() for file in (f"{name}.onnx", f"{name}.npz")}

    return SetNetwork(name, "spline", purpose, f"{name}.onnx", make)


def _spline(name: str, build: Callable[[str], ModuleOp], purpose: str) -> SetNetwork:
    make = partial(spline_networks.files, name, build)
    return SetNetwork(name, "spline", purpose, f"{name}.mlir", make)


def _imported(name: str, purpose: str) -> SetNetwork:
    build = cast(
        "Callable[[str], Mapping[str, bytes]]",
        deferred("kan_dialect.flows.benchmark_set.onnx_models", name),
    )
    return SetNetwork(name, "spline", purpose, f"{name}.onnx", partial(build, name))


def _integers(
    name: str, build: Callable[[str], ModuleOp], purpose: str, level: str = "table"
) -> SetNetwork:
    make = partial(table_networks.files, name, build)
    return SetNetwork(name, level, purpose, f"{name}.mlir", make)


NETWORKS: Sequence[SetNetwork] = (
    _trained("wine", "trained, 13-4-3, cubic, from ONNX: a small classifier"),
    _trained("digits", "trained, 64-10-10, pruned, from ONNX: the largest network"),
    _imported("sines", "ONNX graph of sines and tanh, without a KAN's form"),
    _imported("kinks", "ONNX graph of rectifiers, absolute values and clips"),
    _spline("cubic", spline_networks.cubic, "random, 5-6-4, cubic splines and SiLU: a plain KAN"),
    _spline("radial", spline_networks.radial, "random, 4-5-3, Gaussian radial bases (FastKAN)"),
    _spline("chebyshev", spline_networks.chebyshev, "random, 4-4-2, Chebyshev series of tanh"),
    _spline("symbolic", spline_networks.symbolic, "random, 3-4-2, every edge a formula"),
    _spline(
        "pruned", spline_networks.pruned, "random, 12-10-5, three quarters of the edges pruned"
    ),
    _spline("constants", spline_networks.constants, "6-6-3, many constant edges, constant nodes"),
    _spline("deep", spline_networks.deep, "random, seven layers of at most 4 nodes"),
    _spline("wide", spline_networks.wide, "random, 48-3-1, sums of 48 edges, a regression"),
    _spline(
        "affines", spline_networks.affines, "random, affines, biases, inputs that skip a layer"
    ),
    _integers("binary", table_networks.binary, "random, 24-12-8-4, codes of 1 bit"),
    _integers("mixed", table_networks.mixed, "random, 6-5-4-3, odd ranges of 13, 6 and 80 codes"),
    _integers("random", table_networks.random, "random, 5-5-3, 5 bits, tables without structure"),
    _integers("smooth", table_networks.smooth, "random, 3-2-1, 10 bits, tables that are parabolas"),
    _integers(
        "alike",
        table_networks.alike,
        "4-6-3, 6 bits, tables that are symmetric, or copies: negated, shifted, doubled, mirrored",
    ),
    SetNetwork(
        "kanele",
        "table",
        "random, 8-6-5, 4 and 6 bits, pruned, from KANELÉ's truth tables",
        "kanele/truth_tables.json",
        partial(table_networks.kanele, "kanele"),
    ),
    _integers(
        "wires",
        table_networks.wires,
        "random, sums, shifts, clamps, tables of two inputs",
        level="wire",
    ),
)
"""The networks, in the order of reports."""


def chosen(names: Sequence[str]) -> Sequence[SetNetwork]:
    """The networks of these names, in the order of the set; all of them without names.

    Raises
    ------
    KanError : a name is unknown.
    """
    known = [network.name for network in NETWORKS]
    for name in names:
        if name not in known:
            raise KanError(
                f"the benchmark set has no network {name!r}",
                remedy=suggestion(name, known, "its networks are", known),
            )
    return [network for network in NETWORKS if network.name in names or not names]
