"""Writes README.md into the folder of a build: its files, ports and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kan_dialect.files import manifest
from kan_dialect.files.templates import filled
from kan_dialect.flows.part_fit import part_text, size_text
from kan_dialect.flows.readme_ports import codes_text, plain, port_meaning, words
from kan_dialect.flows.report_certificate import certificate_text
from kan_dialect.flows.report_ports import bus_text
from kan_dialect.quantity import every, quantity

NAME = "README.md"
_LISTING = "these files with their SHA-256: another build replaces them and leaves others alone"

FOREIGN = f"{NAME} was left as it is: its text is not the one that kan-flow build wrote"
"""Warning of a build that keeps a README of another author."""


def write_readme(folder: Path, report: Mapping[str, Any]) -> None:
    """Write README.md, which lists the files in `folder`. A build writes it last.

    Parameters
    ----------
    report : the content of `report.json`.
    """
    (folder / NAME).write_text(readme_text(folder, report), encoding="utf-8")


def readme_text(folder: Path, report: Mapping[str, Any]) -> str:
    """The text of README.md, which lists the files in `folder`."""
    name: str = report["name"]
    wrapper: Mapping[str, Any] = report.get("interface") or {}
    known: dict[str, Mapping[str, Any]] = {port["name"]: port for port in report["ports"]}
    files = [(file, what.format(name=name)) for file, what in _described(folder)]
    return filled(
        "flows/templates/README.md.j2",
        report=report,
        estimate=report.get("estimate"),
        wrapper=wrapper,
        wrapper_ports=[known.get(port["name"], port) for port in wrapper.get("ports", ())],
        known=known,
        cycles=(wrapper or report)["latency_cycles"],
        rate=every(_cycles_a_sample(report, wrapper), "cycle"),
        files=[*files, (manifest.NAME, _LISTING)],
        pictures=[
            (file, what) for file, what in words("pictures").items() if (folder / file).exists()
        ],
        quantity=quantity,
        part_text=part_text,
        size_text=size_text,
        certificate_text=certificate_text,
        bus_text=bus_text,
        codes=codes_text,
        meaning=partial(port_meaning, report=report),
        plain=plain,
    )


def _cycles_a_sample(report: Mapping[str, Any], wrapper: Mapping[str, Any]) -> int:
    """Cycles from a sample to the next. Its last beat waits until the network takes it."""
    interval = report.get("interval_cycles", 1)
    source, result = (wrapper.get(side, {}).get("beats", 1) for side in ("input", "output"))
    return max(interval * -(-source // interval), result)


def _described(folder: Path) -> Iterator[tuple[str, str]]:
    """File and description; several files of one kind are listed as their pattern."""
    listed: set[Path] = set()
    for pattern, what in words("files").items():
        found = [path for path in sorted(folder.glob(pattern)) if path not in listed]
        listed.update(found)
        if found:
            several = len(found) > 1
            yield (pattern if several else found[0].relative_to(folder).as_posix()), what
