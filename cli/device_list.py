"""The option `--list-devices` of `kan-opt` and `kan-flow`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import cast

from kan_dialect.cli.answers import Answer
from kan_dialect.deferred import deferred

_described_devices = cast(
    "Callable[[], Iterable[str]]", deferred("kan_dialect.devices.device", "described_devices")
)


def _list_devices() -> None:
    """Print families and their parts with sizes."""
    for description in _described_devices():
        print(description)


def add_device_list(parser: argparse.ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument(
        "--list-devices",
        action=Answer,
        answer=_list_devices,
        help="list the devices that options named target take, with their parts, and exit",
    )
