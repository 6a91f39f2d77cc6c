"""Reads the files of a pykan checkpoint: NAME_config.yml and NAME_state.

NAME_cache_data, pykan's last training batch, is not read.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.frontends.naming import identifier
from kan_dialect.frontends.pykan.config import parse_config
from kan_dialect.frontends.pykan.network import build_pykan
from kan_dialect.frontends.torch.files import read_torch_file
from kan_dialect.quoting import reason

_CONFIG, _STATE = "_config.yml", "_state"
"""Ends of the names of the two files."""

_MAX_CONFIG_BYTES = 1 << 24
"""Larger configuration files are refused."""

_MAX_SCALAR_CHARACTERS = 1000
"""Longer values are refused: a number to the base of 60 takes quadratic time."""


def load_pykan(path: Path) -> ModuleOp:
    """Import a pykan checkpoint: the network at spline level.

    Raises
    ------
    KanError : the files hold no pykan network, or one with multiplication nodes.
    """
    stem = path.name.removesuffix(_CONFIG)
    config = parse_config(path.name, _read_yaml(path))
    state = path.with_name(f"{stem}{_STATE}")
    if not state.exists():
        raise KanError(f"there is no {state}", remedy=f"keep {state.name} beside {path.name}")
    content = read_torch_file(state)
    if not isinstance(content, dict):
        raise KanError(f"{state.name} holds no state dict")
    entries = cast("dict[object, object]", content)
    return build_pykan(identifier(stem), config, state.name, entries)


class _Loader(yaml.SafeLoader):
    """Constructs plain data, without aliases and with each key once.

    Aliases of aliases give a few bytes billions of entries.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        parser: Any = self  # Its methods have no types.
        if parser.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (`*name`); write the value in its place")
        return super().compose_node(parent, index)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
        text = super().construct_scalar(node)
        if len(text) > _MAX_SCALAR_CHARACTERS:
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"line {line}: a value has {len(text)} characters")
        return text

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) != len(node.value):
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: a mapping has a key twice")
        return mapping


def _read_yaml(path: Path) -> Mapping[str, object]:
    """Read the mapping in a YAML file. Only plain data is constructed.

    Raises
    ------
    KanError : the file is unreadable or too large, or holds no mapping.
    """
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise KanError(f"{path.name} is larger than {_MAX_CONFIG_BYTES} bytes")
        content: object = yaml.load(path.read_bytes(), _Loader)
    except OSError as error:
        raise KanError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise KanError(f"{path.name} is no plain YAML: {reason(error)}") from None
    if not isinstance(content, dict):
        raise KanError(
            f"{path.name} holds no mapping", remedy="pykan's saveckpt writes NAME_config.yml"
        )
    return cast("dict[str, object]", content)
