"""`kan-flow simulate`: the RTL of a build on further vectors, against its integer model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

from kan_dialect.cli.flow.changed_files import add_changed, check_files
from kan_dialect.cli.number_options import add_number
from kan_dialect.cli.tool_limits import add_limits, status_line
from kan_dialect.errors import KanError
from kan_dialect.flows.build_options import BuildOptions
from kan_dialect.flows.built_models import built_models
from kan_dialect.flows.simulate.plan import BUBBLES, RESETS
from kan_dialect.flows.simulate.simulation import SimulatorName, compare, simulate
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.model.port_codes import encode
from kan_dialect.model.saturation import count_saturations
from kan_dialect.passbase.options import option_of


def add_simulator(parser: argparse.ArgumentParser, *, with_none: bool) -> None:
    """Which simulator, and the random vectors that it gets.

    Parameters
    ----------
    with_none : whether the simulation may be left out.
    """
    choices = ["verilator", "icarus", *(["none"] if with_none else [])]
    parser.add_argument("--simulator", choices=choices, default="verilator")
    for option, what in (("vectors", "random vectors"), ("seed", "seed of all random choices")):
        declared = option_of(BuildOptions, option)
        assert declared.bounds is not None
        add_number(
            parser,
            f"--{option}",
            declared.bounds,
            default=declared.default,
            metavar="N",
            help=f"{what} (default: {declared.default})",
        )


def add_simulate(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow simulate`."""
    parser.description = (
        "Simulate rtl/NAME.sv of a build on samples, corners and random vectors, and compare with "
        "the integer model of the build."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="what kan-flow build wrote")
    parser.add_argument(
        "--inputs", type=Path, metavar="DATA.npz", help="samples, as for --calibration"
    )
    add_number(
        parser,
        "--bubbles",
        BUBBLES,
        kind=float,
        default=0.0,
        metavar="P",
        help="chance of a cycle without a sample",
    )
    add_number(parser, "--resets", RESETS, default=0, metavar="N", help="resets in mid-stream")
    add_changed(parser)
    add_simulator(parser, with_none=False)
    add_limits(parser)


def run_simulate(options: argparse.Namespace) -> int:
    """Run `kan-flow simulate`."""
    folder: Path = options.folder
    integer, circuit = built_models(folder)
    interface = circuit.interface()
    rtl = folder / "rtl" / f"{circuit.name}.sv"
    if not rtl.is_file():
        raise KanError(f"there is no {rtl}", remedy="run kan-flow build first")
    check_files(options, "ir/*", f"rtl/{circuit.name}.sv")
    x = None if options.inputs is None else dataset_for(circuit.op, options.inputs).every_x
    samples = None if x is None else encode(interface.inputs, x)
    codes = stimuli(interface, samples, random=options.vectors, seed=options.seed)
    simulator = cast(SimulatorName, options.simulator)
    with status_line("simulating"):
        got = simulate(
            rtl,
            interface,
            codes,
            simulator=simulator,
            bubbles=options.bubbles,
            resets=options.resets,
            seed=options.seed,
        )
    verdict = compare(integer.run_codes(codes), got, codes)
    print(f"{circuit.name} in SystemVerilog, {simulator}: {verdict.describe(interface)}")
    if x is not None:
        saturation = count_saturations(integer, x)
        print(f"saturation: {saturation.told('samples')}")
    return 0 if verdict.passed else 1
