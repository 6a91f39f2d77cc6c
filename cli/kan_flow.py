"""`kan-flow`: from a model to verified RTL; each command is a file of `cli/flow`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NoReturn, cast

from kan_dialect import __version__
from kan_dialect.cli.device_list import add_device_list
from kan_dialect.cli.error_messages import ArgumentParser, run_tool
from kan_dialect.cli.tool_limits import limits_of
from kan_dialect.deferred import deferred
from kan_dialect.flows.tools.run_limits import limited

Adder = Callable[[argparse.ArgumentParser], None]
Runner = Callable[[argparse.Namespace], int]


def _command(file: str, name: str, summary: str) -> tuple[Adder, Runner, str]:
    """A command, whose module is imported when it is typed: each needs other libraries."""
    module = f"kan_dialect.cli.flow.{file}"
    add, run = deferred(module, f"add_{name}"), deferred(module, f"run_{name}")
    return cast("Adder", add), cast("Runner", run), summary


_COMMANDS: dict[str, tuple[Adder, Runner, str]] = {
    "build": _command("build", "build", "a model to verified RTL and a report"),
    "simulate": _command("simulate", "simulate", "simulate the RTL of a build on further vectors"),
    "prove": _command("prove", "prove", "prove the RTL of a build, for all input codes"),
    "synth": _command("synthesis", "synth", "count the resources of a build's RTL, with Yosys"),
    "pnr": _command("synthesis", "pnr", "measure the speed of a build's RTL, with nextpnr"),
    "sweep": _command("sweep", "sweep", "many builds of a model, to choose from"),
    "tune": _command("tune", "tune", "search the pipeline that makes the best hardware of a model"),
    "compare": _command("compare", "compare", "pipelines over many networks: does a pass help?"),
    "benchmark-set": _command(
        "benchmark_set", "benchmark_set", "write the networks that pipelines are compared on"
    ),
    "report": _command("page", "report", "write the page of a build again"),
    "view": _command("page", "view", "write a page that shows a model, without building it"),
    "train": _command("train", "train", "labelled samples to networks that are small in hardware"),
    "study": _command("study", "study", "data sets, options and seeds: a question answered"),
    "train-sim": _command(
        "training", "train_sim", "train the RTL of a trainable build in simulation"
    ),
}
"""Of each command: what adds its options, what runs it, its line in `kan-flow --help`."""


def _parser(typed: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of all commands. Only typed commands get their options; all do if none is."""
    parser = ArgumentParser(prog="kan-flow", description="From a model to verified RTL.")
    parser.add_argument("--version", action="version", version=f"kan-flow {__version__}")
    add_device_list(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (add_options, _, summary) in _COMMANDS.items():
        command = commands.add_parser(name, help=summary)
        if name in typed or not typed:
            add_options(command)
    return parser


def _main(arguments: Sequence[str] | None) -> int:
    typed = sys.argv[1:] if arguments is None else arguments
    options = _parser(typed).parse_args(typed)
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
