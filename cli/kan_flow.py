"""`kan-flow`: from a model to verified RTL; each command is a file of `cli/flow`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NoReturn

from kan_dialect import __version__
from kan_dialect.cli.error_messages import ArgumentParser, run_tool
from kan_dialect.cli.flow.benchmark_set import add_benchmark_set, run_benchmark_set
from kan_dialect.cli.flow.build import add_build, run_build
from kan_dialect.cli.flow.compare import add_compare, run_compare
from kan_dialect.cli.flow.page import add_report, add_view, run_report, run_view
from kan_dialect.cli.flow.prove import add_prove, run_prove
from kan_dialect.cli.flow.simulate import add_simulate, run_simulate
from kan_dialect.cli.flow.sweep import add_sweep, run_sweep
from kan_dialect.cli.flow.synthesis import add_pnr, add_synth, run_pnr, run_synth
from kan_dialect.cli.flow.training import add_train_sim, run_train_sim
from kan_dialect.cli.flow.tune import add_tune, run_tune
from kan_dialect.cli.tool_limits import limits_of
from kan_dialect.flows.tools.run_limits import limited

Adder = Callable[[argparse.ArgumentParser], None]
Runner = Callable[[argparse.Namespace], int]

_COMMANDS: dict[str, tuple[Adder, Runner, str]] = {
    "build": (add_build, run_build, "a model to verified RTL and a report"),
    "simulate": (add_simulate, run_simulate, "simulate the RTL of a build on further vectors"),
    "prove": (add_prove, run_prove, "prove the RTL of a build, for all input codes"),
    "synth": (add_synth, run_synth, "count the resources of a build's RTL, with Yosys"),
    "pnr": (add_pnr, run_pnr, "measure the speed of a build's RTL, with nextpnr"),
    "sweep": (add_sweep, run_sweep, "many builds of a model, to choose from"),
    "tune": (add_tune, run_tune, "search the pipeline that makes the best hardware of a model"),
    "compare": (add_compare, run_compare, "pipelines over many networks: does a pass help?"),
    "benchmark-set": (
        add_benchmark_set,
        run_benchmark_set,
        "write the networks that pipelines are compared on",
    ),
    "report": (add_report, run_report, "write the page of a build again"),
    "view": (add_view, run_view, "write a page that shows a model, without building it"),
    "train-sim": (add_train_sim, run_train_sim, "train the RTL of a trainable build in simulation"),
}
"""Of each command: what adds its options, what runs it, its line in `kan-flow --help`."""


def _parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(prog="kan-flow", description="From a model to verified RTL.")
    parser.add_argument("--version", action="version", version=f"kan-flow {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (add_options, _, summary) in _COMMANDS.items():
        add_options(commands.add_parser(name, help=summary))
    return parser


def _main(arguments: Sequence[str] | None) -> int:
    typed = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(typed)
    options.typed = shlex.join(["kan-flow", *typed])
    _, run, _ = _COMMANDS[options.command]
    # Commands that run no tools have no limits of them.
    with limited(limits_of(options)) if "timeout" in options else nullcontext():
        return run(options)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of `kan-flow`."""
    sys.exit(run_tool("kan-flow", lambda: _main(arguments)))


if __name__ == "__main__":
    main()
