"""Writes the cocotb testbench of a build: sim/test_NAME.py and sim/Makefile.

The testbench does not depend on this package. It drives the top module and compares with the
emulator in `host/`: with the codes of the build's vectors and random ones, or with random samples
and accesses to coefficients of a design that trains. Its text is made of templates, a part that all
interfaces share and parts of each interface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kan_dialect.files.templates import filled
from kan_dialect.flows.design import Design, OnChipTraining
from kan_dialect.lowering.wrappers.register_map import (
    BUSY,
    DONE,
    MEM_BUSY,
    MEM_DONE,
    MEM_READ,
    MEM_WRITE,
    START,
    TRAIN,
    RegisterMap,
)
from kan_dialect.model.on_chip.coefficient_memory import Bank

_PAIRS = [(0, 0), (0, 1), (1, 0), (1, 1)]
_MOST_CYCLES = 100
"""Clock cycles that a beat takes at most, on average: pauses make it some tens in single phases."""
_MOST_STEP_CYCLES = 200
"""The same of a step on a bus."""


@dataclass(frozen=True)
class _Bench:
    """The parts of a testbench for one interface, and the numbers in it."""

    parts: Sequence[str]
    """Names of templates."""
    constants: Mapping[str, object]
    """Values of Python's names in the testbench."""
    cycles: int
    """Most clock cycles of a sample, on average."""
    start: int
    """Most clock cycles that do not depend on the number of samples."""
    samples: int = 1000
    """Default number of samples of a run."""
    axi: Sequence[str] = ()
    """Names that it imports from cocotbext.axi."""
    collections: str = "Counter"
    triggers: str = "RisingEdge"


def write_cocotb(directory: Path, design: Design) -> None:
    """Write test_NAME.py and Makefile.

    Parameters
    ----------
    directory : the folder of the testbench and its vectors, `sim/` of a build.

    Raises
    ------
    KanError : a beat cannot have its width.
    """
    name, bench = design.name, _bench(design)
    values = {"name": name, "top": design.top}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"test_{name}.py").write_text(
        filled(
            "flows/cocotb/templates/test.py.j2",
            training=design.training is not None,
            loadable=design.core.memory[-1].high if design.core.memory else None,
            **vars(bench),
            **values,
        )
    )
    (directory / "Makefile").write_text(
        filled(
            "flows/cocotb/templates/Makefile.j2",
            sources=[f"../rtl/{file}" for file in design.sources],
            modules=["cocotb", "numpy", *(["cocotbext.axi"] if bench.axi else [])],
            **values,
        )
    )


def _bench(design: Design) -> _Bench:
    if design.training is not None:
        return _training_bench(design, design.training)
    core = design.core
    if core.combinational:
        parts = ["vectors", "outputs", "combinational"]
        return _Bench(parts, {}, _MOST_CYCLES, _start(design, 1), triggers="Timer")
    if design.registers is not None:
        return _register_bench(design, design.registers)
    if design.chosen == "axi-stream":
        return _stream_bench(design)
    if design.chosen == "ready-valid":
        parts = ["vectors", "outputs", "pauses", *_load_port(design), "ready_valid"]
        most = _MOST_CYCLES * core.interval
        return _Bench(parts, _pauses(design, 1), most, _start(design, core.interval))
    constants = {
        "LATENCY": core.latency,
        "INTERVAL": core.interval,
        "PHASE": 4 * (core.latency + 8 * core.interval),
    }
    parts = ["vectors", "outputs", "pauses", "clocked"]
    return _Bench(parts, constants, _MOST_CYCLES * core.interval, _start(design, core.interval))


def _load_port(design: Design) -> Sequence[str]:
    """The part that writes tables through ports of the top module."""
    return ["load_port"] if design.core.memory else []


def _start(design: Design, beats: int) -> int:
    return _MOST_CYCLES * beats * (design.core.latency + 8)


def _pauses(design: Design, beats: int) -> dict[str, object]:
    """Constants of pauses that fill and empty the buffer: phases longer than it lasts."""
    return {
        "PHASE": 4 * (design.core.latency + 8 * design.core.interval) * beats,
        "INPUT_PAUSES": (0, 0.5, 0, 0.7, 0.2),
        "OUTPUT_PAUSES": (0, 0.1, 0.9, 0.5, 0.95),
        "PAIRS": _PAIRS,
    }


def _stream_bench(design: Design) -> _Bench:
    source, result = design.stream.layouts(design.core)
    beats = max(source.beats, result.beats)
    slowest = max(beats, design.core.interval)
    constants = _pauses(design, beats) | {
        "INPUT_BEAT": source.beat_bytes,
        "OUTPUT_KEEP": result.has_keep,
        "HAS_LAST": design.stream.last,
        "USER_BITS": design.stream.user_bits,
    }
    return _Bench(
        ["vectors", "pauses", *_load_port(design), "axi_stream"],
        constants,
        _MOST_CYCLES * slowest,
        _start(design, slowest),
        axi=("AxiStreamBus", "AxiStreamFrame", "AxiStreamSink", "AxiStreamSource"),
    )


def _register_bench(design: Design, registers: RegisterMap) -> _Bench:
    core = design.core
    inputs = design.register_offsets(core.inputs)
    outputs = design.register_offsets(core.outputs)
    beats = sum(map(len, (*inputs, *outputs))) + 4 + core.latency // 8
    constants = {
        "PHASE": 64,
        "BUS_PAUSES": (0, 0.3, 0.7),
        "LATENCY": core.latency,
        **_fixed_registers(registers),
        "START": 1 << START,
        "DONE": 1 << DONE,
        "INPUT_REGISTERS": inputs,
        "OUTPUT_REGISTERS": outputs,
    }
    if registers.has_memory:
        constants["MEM_ADDRESS"] = design.offsets("mem_address")[0]
        constants["MEM_DATA"] = design.offsets("mem_data")
    return _Bench(
        ["vectors", "pauses", "axi_lite_bench", "axi_lite"],
        constants,
        _MOST_CYCLES * beats,
        _start(design, beats),
        # A sample takes some hundred cycles.
        samples=100,
        axi=("AxiLiteBus", "AxiLiteMaster"),
    )


def _fixed_registers(registers: RegisterMap) -> dict[str, object]:
    known = (registers.named(name) for name in ("ID", "HASH"))
    return {
        "CONSTANTS": {register.offset: register.value for register in known},
        **{name: registers.named(name).offset for name in ("CONTROL", "STATUS")},
    }


def _training_bench(design: Design, training: OnChipTraining) -> _Bench:
    memory, core = training.memory, design.core
    cycles = core.latency + training.interval
    constants: dict[str, object] = {
        "LATENCY": core.latency,
        "INPUTS": len(core.inputs),
        "TARGETS": len(training.targets),
        "EDGES": [
            memory.place(Bank(state, 0, 0, 0)) >> memory.bank_bits
            for state in range(len(memory.banks))
        ],
        "BANKS": list(memory.banks),
        "BANK_BITS": memory.bank_bits,
        "ROW_BITS": memory.row_bits,
    }
    if design.registers is not None:
        return _training_register_bench(design, training, design.registers, constants)
    words = min(2000, training.coefficients)
    constants |= {
        "OUTPUTS": len(core.outputs),
        "LETTER": repr(training.targets[0].name[0]),
        "X_BITS": training.number.bits,
        "T_BITS": training.target_number.bits,
        "Y_BITS": training.output_number.bits,
        "WORD_BITS": training.number.bits,
        "PHASE": 8 * cycles,
        "CHANCES": [(0, 0.5, 0.9, 0.1), (0.5, 1, 0.9, 0.99, 1)],
        "WORDS": words,
    }
    parts = ["training_model", "pauses", "training_memory_port"]
    start = 20 * cycles * (10 + words)
    return _Bench(parts, constants, 20 * cycles, start, collections="Counter, deque")


def _training_register_bench(
    design: Design,
    training: OnChipTraining,
    registers: RegisterMap,
    constants: Mapping[str, object],
) -> _Bench:
    core = design.core
    cycles = core.latency + training.interval
    accesses = sum(each.is_writable or each.access == "output" for each in registers.registers)
    most = _MOST_STEP_CYCLES * (2 * accesses + cycles)
    # An access takes some hundred cycles.
    words = min(60, training.coefficients)
    targets = design.register_offsets(training.targets)
    constants = {
        **constants,
        "PHASE": 64,
        "BUS_PAUSES": (0, 0.3, 0.7),
        "LONGEST": 4 * cycles + 20,
        **_fixed_registers(registers),
        "MEM_CONTROL": registers.named("MEM_CONTROL").offset,
        "START, TRAIN": (1 << START, 1 << TRAIN),
        "BUSY, DONE": (1 << BUSY, 1 << DONE),
        "MEM_BUSY, MEM_DONE": (1 << MEM_BUSY, 1 << MEM_DONE),
        "MEM_READ, MEM_WRITE": (1 << MEM_READ, 1 << MEM_WRITE),
        "INPUT_REGISTERS": design.register_offsets(core.inputs),
        "TARGET_REGISTERS": [list(offsets) for offsets in targets],
        "OUTPUT_REGISTERS": design.register_offsets(core.outputs),
        **{
            name.upper(): list(design.offsets(name))
            for name in ("mem_address", "mem_data", "mem_read_data")
        },
        "WORDS": words,
    }
    return _Bench(
        ["training_model", "pauses", "axi_lite_bench", "training_registers"],
        constants,
        most,
        most * (10 + words),
        samples=60,
        axi=("AxiLiteBus", "AxiLiteMaster", "AxiResp"),
    )
