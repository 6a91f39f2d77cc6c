"""The option `--list-devices` of `kan-opt` and `kan-flow`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from kan_dialect.deferred import deferred

_described_devices = cast(
    "Callable[[], Iterable[str]]", deferred("kan_dialect.devices.device", "described_devices")
)


class _ListDevices(argparse.Action):
    """Prints families and their parts with sizes."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        for description in _described_devices():
            print(description)
        parser.exit()


def add_device_list(parser: argparse.ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument(
        "--list-devices",
        action=_ListDevices,
        help="list the devices that options named target take, with their parts, and exit",
    )
