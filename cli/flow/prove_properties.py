"""Properties of a build, for `kan-flow prove --property`."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from kan_dialect.cli.flow.changed_files import check_files
from kan_dialect.cli.tool_limits import status_line
from kan_dialect.errors import KanError
from kan_dialect.flows.properties.property import Built, read_properties
from kan_dialect.flows.properties.prove import Verdict, prove_property
from kan_dialect.flows.properties.show import print_verdict
from kan_dialect.flows.prove.show import merge_proof


def prove_properties_of(options: argparse.Namespace) -> int:
    """Prove the properties of `--property`, and print their verdicts; 0 where all are proven.

    Raises
    ------
    KanError : a file of the build has changed, or a property cannot be read or does not fit.
    """
    folder: Path = options.folder
    for name in ("rtl", "wrapper", "against", "second"):
        if getattr(options, name):
            raise KanError(
                f"--{name} has no meaning with --property", remedy="leave one of them out"
            )
    built = Built.of(folder)
    integer = built.integer
    check_files(options, "ir/*", "report.json", f"rtl/{built.rtl.name}")
    properties = [wanted for path in options.property for wanted in read_properties(integer, path)]
    verdicts: list[Verdict] = []
    for wanted in properties:
        with status_line(wanted.name):
            verdict = prove_property(integer, wanted, timeout=options.timeout or math.inf)
        print_verdict(verdict, built)
        verdicts.append(verdict)
    if options.report:
        summaries = [verdict.summary() for verdict in verdicts]
        merge_proof(folder / "report.json", summaries, key="properties")
    proven = sum(verdict.proven for verdict in verdicts)
    print(
        f"{integer.name}: {proven} of {len(verdicts)} properties proven of the integer model, "
        "for all codes"
    )
    return 0 if proven == len(verdicts) else 1
