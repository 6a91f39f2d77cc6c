"""Writes drivers of the wrapper that a build chose, for processors beside the fabric.

NAME_pynq.py drives a PYNQ board: samples through an AXI DMA, or through registers. NAME_uio.c is an
example for Linux: samples through registers, by /dev/uio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from kan_dialect.files.templates import filled
from kan_dialect.flows.design import Design, OnChipTraining
from kan_dialect.flows.host.bus_bytes import bus_bytes
from kan_dialect.ir.fixed_point import FixedType
from kan_dialect.lowering.wrappers.register_map import RegisterMap
from kan_dialect.model.interface import Port


def write_drivers(directory: Path, design: Design) -> None:
    """Write NAME_pynq.py for AXI4-Stream and AXI4-Lite, NAME_uio.c for AXI4-Lite.

    A DMA needs TLAST, so AXI4-Stream without it has no driver. Other interfaces have none.

    Parameters
    ----------
    directory : a folder, made where it is missing.

    Raises
    ------
    KanError : a beat cannot have its width.
    """
    values: dict[str, object] = {
        "name": design.name,
        "inputs": len(design.core.inputs),
        "outputs": len(design.core.outputs),
    }
    if design.chosen == "axi-stream" and design.stream.last:
        sent, received = bus_bytes(design.core, design.stream)
        files = {"pynq.py": "pynq_stream.py"}
        values |= {"sent": sent, "received": received}
    elif design.registers is not None and design.training is not None:
        files = {"pynq.py": "training_pynq.py", "uio.c": "training_uio.c"}
        values |= _registers(design, design.registers)
        values |= _training(design, design.registers, design.training)
    elif design.registers is not None:
        files = {"pynq.py": "pynq_registers.py", "uio.c": "uio.c"}
        values |= _registers(design, design.registers)
    else:
        return
    directory.mkdir(parents=True, exist_ok=True)
    for file, template in files.items():
        text = filled(f"flows/host/templates/{template}.j2", **values)
        (directory / f"{design.name}_{file}").write_text(text)


def _registers(design: Design, registers: RegisterMap) -> Mapping[str, object]:
    """Registers of a sample and of a memory: offsets in bytes, and values of constants."""
    identity, digest = registers.named("ID"), registers.named("HASH")
    return {
        "size": 1 << registers.address_bits,
        "identity": identity.offset,
        "identity_value": identity.value,
        "hash": digest.offset,
        "hash_value": digest.value,
        "control": registers.named("CONTROL").offset,
        "status": registers.named("STATUS").offset,
        "input_registers": design.register_offsets(design.core.inputs),
        "output_registers": design.register_offsets(design.core.outputs),
        **{name: design.offsets(name) for name in ("mem_address", "mem_data")},
    }


def _training(
    design: Design, registers: RegisterMap, training: OnChipTraining
) -> Mapping[str, object]:
    """Registers of targets and coefficients, number formats, and places of coefficients."""
    memory = training.memory
    layers = [(*shape, banks) for shape, banks in zip(memory.shapes, memory.banks, strict=True)]
    prefix = design.name.upper()

    def named(ports: Sequence[Port]) -> list[str]:
        # A fixed-point number has 32 bits at most, so that a port has one register.
        return [f"{prefix}_{port.name.upper()}" for port in ports]

    def number(kind: FixedType) -> tuple[int, int]:
        return kind.bits, kind.fraction

    return {
        "target": training.target_name,
        "fed_error": training.step.fed_error,
        "mem_control": registers.named("MEM_CONTROL").offset,
        "mem_read_data": design.offsets("mem_read_data"),
        "target_registers": design.register_offsets(training.targets),
        "input_names": named(design.core.inputs),
        "target_names": named(training.targets),
        "output_names": named(design.core.outputs),
        "number": number(training.number),
        "target_number": number(training.target_number),
        "output": number(training.output_number),
        "layers": layers,
        "velocities": ", then of their velocities" if training.has_velocities else "",
        "bank_bits": memory.bank_bits,
        "row_bits": memory.row_bits,
    }
