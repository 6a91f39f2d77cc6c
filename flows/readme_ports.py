"""The meaning of the ports of a build in its README.md."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from kan_dialect.flows.report_ports import value_of


@cache
def words(table: str) -> Mapping[str, str]:
    """A table of `templates/readme.toml`."""
    text = files("kan_dialect.flows").joinpath("templates", "readme.toml").read_text("utf-8")
    return tomllib.loads(text)[table]


def port_meaning(port: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """The text of a port in a table of ports.

    Parameters
    ----------
    port : its entry in `report.json`.
    report : the content of `report.json`.
    """
    if "head" not in report or port["direction"] == "input" or "low" not in port:
        return _meaning(port)
    decided = words("decisions")[report["head"]["kind"]]
    return f"{plain(port['data_name'])}: {decided}" if "data_name" in port else decided


def plain(text: str) -> str:
    """Text of a cell in which Markdown and HTML mean nothing."""
    return re.sub(r"([\\`*_\[\]<>|&~$])", r"\\\1", text)


def codes_text(port: Mapping[str, Any]) -> str:
    """The range of a port's codes; empty of a port of control."""
    return f"{port['low']} .. {port['high']}" if "low" in port else ""


def _meaning(port: Mapping[str, Any]) -> str:
    name: str = port["name"]
    if name in words("ports"):
        return words("ports")[name]
    if "scale" not in port:
        return next((text for start, text in words("buses").items() if name.startswith(start)), "")
    meaning = f"{plain(port['data_name'])}: " if "data_name" in port else ""
    meaning += f"value = {value_of(port)}"
    if "gain" in port:
        gain, offset = port["gain"], port["offset"]
        sign = "-" if offset < 0 else "+"
        meaning += f" = {name} * {gain} {sign} {abs(offset)}"
    if "missing" in port:
        meaning += f"; {port['missing']:g} stands for a missing value"
    return meaning
