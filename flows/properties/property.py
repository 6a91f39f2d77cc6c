"""Properties as text: what property.toml and the Python API give."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

from kan_dialect.errors import KanError
from kan_dialect.flows.built_models import built_models
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode
from kan_dialect.quantity import quantity
from kan_dialect.quoting import quoted

Kind: TypeAlias = Literal["range", "monotone", "robust", "equivalent", "never"]

_TYPES: Mapping[str, type] = {
    "range": str,
    "monotone": str,
    "robust": int,
    "equivalent": str,
    "never": str,
    "for": str,
    "features": list,
    "data": str,
}
"""Keys of a property, and what they hold."""

_MONOTONE = re.compile(r"(.+?)\s+(rises|falls)\s+with\s+(.+)")

PropertyText: TypeAlias = Mapping[str, object]
"""Content of property.toml: for each name, the keys of a property."""


@dataclass(frozen=True)
class Built:
    """A build, as far as properties read it."""

    integer: Model
    circuit: Model
    rtl: Path

    @staticmethod
    def of(folder: Path) -> Built:
        """What a folder of `kan-flow build` holds.

        Raises
        ------
        KanError : the folder is not that of a build.
        """
        integer, circuit = built_models(folder)
        return Built(integer, circuit, folder / "rtl" / f"{circuit.name}.sv")


@dataclass(frozen=True)
class Property:
    """One property, with what it needs read."""

    name: str
    kind: Kind
    claim: str
    """The property as text."""
    formula: str = ""
    region: str = ""
    feature: str = ""
    rises: bool = True
    within: int = 0
    features: frozenset[str] = frozenset()
    samples: IntArray | None = None
    """(samples, inputs), codes."""
    other: Built | None = None


def read_properties(model: Model, given: Path | PropertyText) -> list[Property]:
    """The properties of a file, or of a mapping with the same content.

    Files that a property names are relative to the file.

    Raises
    ------
    KanError : the file cannot be read, or a property is not complete.
    """
    folder, content = Path(), cast(PropertyText, given)
    if isinstance(given, Path):
        folder = given.parent
        try:
            content = tomllib.loads(given.read_text())
        except OSError as error:
            raise KanError(f"cannot read {given}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise KanError(f"{given} is no TOML: {error}") from None
    tables = {
        name: cast("Mapping[str, Any]", keys if isinstance(keys, Mapping) else {})
        for name, keys in content.items()
    }
    return [_read(model, folder, name, keys) for name, keys in tables.items()]


def _read(model: Model, folder: Path, name: str, keys: Mapping[str, Any]) -> Property:
    where = f"property {quoted(name)}"
    kinds = [key for key in get_args(Kind) if key in keys]
    if len(kinds) != 1:
        raise KanError(
            f"{where} has {len(kinds)} kinds",
            remedy=f"give [{name}] one of the keys {', '.join(get_args(Kind))}",
        )
    kind = cast(Kind, kinds[0])
    allowed = {kind, "features", "data"} if kind == "robust" else {kind, "for"}
    for key, value in keys.items():
        if key not in allowed:
            raise KanError(
                f"{where}: {quoted(key)} has no meaning for {kind}",
                remedy=f"its keys are {', '.join(sorted(allowed))}",
            )
        if type(value) is not _TYPES[key]:
            raise KanError(f"{where}: {key} must be {_TYPES[key].__name__}, not {value!r}")
    value, region = keys[kind], keys.get("for", "")
    behind = f" for {region}" if region else ""
    match kind:
        case "monotone":
            parts = _MONOTONE.fullmatch(value.strip())
            if parts is None:
                raise KanError(
                    f"{where}: {quoted(value)} does not say what rises with what",
                    remedy="write it as in 'y0 rises with x3'",
                )
            formula, way, feature = parts.groups()
            return Property(
                name, kind, value + behind, formula, region, feature.strip("'\""), way == "rises"
            )
        case "robust":
            return _robust(model, folder, where, name, keys)
        case "equivalent":
            claim = f"same class as {value}{behind}"
            return Property(name, kind, claim, region=region, other=Built.of(folder / value))
        case _:
            claim = f"never {value}" if kind == "never" else value
            return Property(name, kind, claim + behind, value, region)


def _robust(model: Model, folder: Path, where: str, name: str, keys: Mapping[str, Any]) -> Property:
    within, features = keys["robust"], frozenset(map(str, keys.get("features", ())))
    ports = model.ports()[0]
    unknown = features - {of for port in ports for of in (port.name, port.data_name)}
    if unknown:
        raise KanError(f"{where}: there is no feature {quoted(str(sorted(unknown)[0]))}")
    if within < 1 or "data" not in keys:
        raise KanError(
            f"{where}: robust needs a number of codes, 1 or more, and data",
            remedy='write robust = 2 and data = "samples.npz"',
        )
    dataset = dataset_for(model.op, folder / keys["data"])
    x = dataset.x if dataset.x_test is None else dataset.x_test
    samples = encode(ports, model.schema.filled(x))
    of = ", ".join(sorted(features)) or "all features"
    reach, count = quantity(within, "code"), quantity(len(samples), "sample")
    claim = f"same class within {reach} of {of}, {count} of {keys['data']}"
    return Property(name, "robust", claim, within=within, features=features, samples=samples)
