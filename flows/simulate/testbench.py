"""Writes self-checking testbenches with their vectors, for users to run themselves.

A testbench does not depend on this package. In SystemVerilog it works in Icarus Verilog, Verilator
and simulators of vendors; in VHDL-2008 it needs no library but `ieee`. The one of a design that
trains sends samples and checks their outputs, then reads every coefficient at the memory port.
`simulation.py` checks more: bubbles, resets in mid-stream and random initial registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.templates import filled
from kan_dialect.flows.design import Design, OnChipTraining
from kan_dialect.flows.simulate.port_words import VectorLine
from kan_dialect.ir.constants import BoolArray, IntArray
from kan_dialect.lowering.vhdl.expressions import bits_type
from kan_dialect.lowering.vhdl.names import identifier
from kan_dialect.model.interface import Interface, Port, check_codes
from kan_dialect.model.on_chip.training_step import Run


def write_testbench(
    directory: Path,
    interface: Interface,
    codes: IntArray,
    expected: IntArray,
    *,
    rtl: str | None = None,
    accesses: IntArray | None = None,
) -> Path:
    """Write NAME_tb.sv, NAME_inputs.hex and NAME_outputs.hex; NAME_tables.hex with accesses.

    Parameters
    ----------
    directory : a folder, created if it is missing.
    codes : inputs, (vectors, inputs), int64; at least one vector.
    expected : outputs of the integer model, (vectors, outputs), int64.
    rtl : path of the design relative to `directory`, default `../rtl/NAME.sv`, for the commands
        in the header comment.
    accesses : address and word of each access that loads the design's tables, (words, 2), int64;
        None: the tables stay.

    Returns
    -------
    Path of the testbench.

    Raises
    ------
    KanError : a code is outside its port's range, or there are no vectors.
    """
    check_codes(codes, interface.inputs)
    check_codes(expected, interface.outputs)
    if not 0 < len(codes) == len(expected):
        raise KanError(f"a testbench of {len(codes)} vectors with {len(expected)} expected outputs")
    directory.mkdir(parents=True, exist_ok=True)
    name = interface.name
    for what, ports, values in (
        ("inputs", interface.inputs, codes),
        ("outputs", interface.outputs, expected),
    ):
        (directory / f"{name}_{what}.hex").write_bytes(VectorLine(ports).text(values))
    loads = 0 if accesses is None else len(accesses)
    if accesses is not None:
        lines = VectorLine(interface.memory).text(accesses)
        (directory / f"{name}_tables.hex").write_bytes(lines)
    given = {"rtl": rtl or f"../rtl/{name}.sv", "vectors": len(codes), "loads": loads}
    return _write(directory, "testbench.sv", Design(interface), given)


def write_vhdl_testbench(directory: Path, interface: Interface) -> Path:
    """Write NAME_tb.vhd into the folder that has NAME_inputs.hex and NAME_outputs.hex.

    Returns
    -------
    Path of the testbench.
    """
    return _write(directory, "testbench.vhd", Design(interface), {})


def write_training_testbench(
    directory: Path,
    design: Design,
    inputs: IntArray,
    targets: IntArray,
    train: BoolArray,
    run: Run,
    *,
    vhdl: bool = False,
) -> Path:
    """Write NAME_tb.sv of a design that trains, its three files, and NAME_tb.vhd with `vhdl`.

    Parameters
    ----------
    directory : a folder, created if it is missing.
    inputs, targets : codes, (samples, in) and (samples, out), int64, of a run from the initial
        coefficients.
    train : whether a sample trains, (samples), bool.
    run : outputs and final coefficients of the integer model.

    Returns
    -------
    Path of the testbench in SystemVerilog.
    """
    training = design.training
    assert training is not None
    layers = range(len(training.memory.shapes))
    addresses = np.concatenate([training.memory.addresses(k).ravel() for k in layers])
    finals = np.concatenate([state.ravel() for state in run.states])
    sample, word = _sample_line(design), _word_line(training)
    directory.mkdir(parents=True, exist_ok=True)
    for what, line, columns in (
        ("samples", sample, [train[:, np.newaxis], inputs, targets]),
        ("outputs", VectorLine(design.core.outputs), [run.outputs]),
        ("coefficients", word, [addresses[:, np.newaxis], finals[:, np.newaxis]]),
    ):
        lines = line.text(np.concatenate(columns, axis=1).astype(np.int64))
        (directory / f"{design.name}_{what}.hex").write_bytes(lines)
    address, code = word
    values = {
        "samples": len(inputs),
        "coefficients": len(finals),
        "sample": sample,
        "driven": (*design.core.inputs, *training.targets),
        "word": word,
        "address": address,
        "code": code,
    }
    if vhdl:
        _write(directory, "training_testbench.vhd", design, values)
    return _write(directory, "training_testbench.sv", design, values)


def _sample_line(design: Design) -> VectorLine:
    assert design.training is not None
    return VectorLine((Port("train", 1, 0, 1), *design.core.inputs, *design.training.targets))


def _word_line(training: OnChipTraining) -> VectorLine:
    return VectorLine((training.address_port, training.code_port("mem_data")))


def _write(directory: Path, kind: str, design: Design, values: Mapping[str, object]) -> Path:
    """Write NAME_tb of a template: `testbench.sv`, `training_testbench.vhd`."""
    path = directory / f"{design.name}_tb.{kind.rpartition('.')[2]}"
    path.write_text(
        filled(
            f"flows/simulate/templates/{kind}.j2",
            name=design.name,
            latency=design.core.latency,
            interval=design.core.interval,
            clocked=not design.core.combinational,
            inputs=VectorLine(design.core.inputs),
            outputs=VectorLine(design.core.outputs),
            memory=VectorLine(design.core.memory),
            ports=list(design.ports),
            identifier=identifier,
            bits_type=bits_type,
            **values,
        )
    )
    return path
