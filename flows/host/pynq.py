"""The driver for PYNQ boards, NAME_pynq.py: samples through an AXI DMA, or through registers."""

from __future__ import annotations

from collections.abc import Sequence

from kan_dialect.flows.host.bus_bytes import BusBytes
from kan_dialect.flows.host.registers import DriverRegisters
from kan_dialect.model.interface import Interface

_PREDICT = '''\
    def predict(self, x):
        """Real outputs (samples, {outputs}) of real values (samples, {inputs}), or of one sample.

        Raises
        ------
        ValueError : wrong shape, or a value is NaN.
        """
        return codec.decode(self.run_codes(codec.encode(x)))

'''
"""A method of both classes `Network`."""

_STREAM = '''\
"""Runs {name} on a PYNQ board: samples through an AXI DMA to {name}_axi_stream and back.

    from {name}_pynq import Network

    network = Network.load("design.bit")    # an overlay with the DMA `axi_dma_0`
    y = network.predict(x)                  # as {name}_emulator.predict, bit for bit

The overlay connects M_AXIS_MM2S of the DMA with s_axis of {name}_axi_stream, and m_axis with
S_AXIS_S2MM. Where the DMA has another width than the wrapper, an AXI4-Stream data width converter
goes between them. Scatter-gather is off. It needs {name}_codec.py beside this file.
"""

import sys
from pathlib import Path

import numpy as np
from pynq import Overlay, allocate

sys.path.insert(0, str(Path(__file__).resolve().parent))

import {name}_codec as codec  # noqa: E402


class Network:
    """The network in the fabric, behind a DMA engine.

    Parameters
    ----------
    dma : the engine, of the class `pynq.lib.dma.DMA`.
    samples : most samples of one transfer; fewer are taken where the engine carries less.
    """

    def __init__(self, dma, samples=4096):
        self._dma = dma
        # A length register of n bits, 14 where the engine does not say, holds less than 2^n bytes.
        most = getattr(dma, "buffer_max_size", 1 << 14) - 1
        self._samples = min(samples, most // max(codec.AXIS_INPUT_BYTES, codec.AXIS_OUTPUT_BYTES))
        if self._samples < 1:
            raise ValueError(f"{name}: the DMA carries {{most}} bytes, less than one sample")

    @classmethod
    def load(cls, bitfile, dma="axi_dma_0", **options):
        """Program the fabric with a bitstream, and take its DMA engine of that name."""
        return cls(getattr(Overlay(bitfile), dma), **options)

@predict@    def run_codes(self, codes):
        """Output codes (samples, {outputs}), int64, of input codes (samples, {inputs}).

        Raises
        ------
        ValueError : wrong shape.
        RuntimeError : the engine fails, or receives another number of bytes.
        """
        data = codec.pack_axis(codes)
        rows = data.reshape(-1, data.shape[-1])
        received = np.empty((len(rows), codec.AXIS_OUTPUT_BYTES), dtype=np.uint8)
        for start in range(0, len(rows), self._samples):
            part = slice(start, start + self._samples)
            self._transfer(rows[part], received[part])
        return codec.unpack_axis(received).reshape(*data.shape[:-1], {outputs})

    def _transfer(self, rows, received):
        """One transfer of bytes: (samples, {input_bytes}) there, (samples, {output_bytes}) back."""
        source = allocate(shape=rows.shape, dtype=np.uint8)
        result = allocate(shape=received.shape, dtype=np.uint8)
        try:
            source[:] = rows
            # The receiver first: nothing then waits for it.
            self._dma.recvchannel.transfer(result)
            self._dma.sendchannel.transfer(source)
            self._dma.sendchannel.wait()
            self._dma.recvchannel.wait()
            got = getattr(self._dma.recvchannel, "transferred", result.nbytes)
            if got != result.nbytes:
                raise RuntimeError(
                    f"{name}: the DMA received {{got}} bytes, should be {{result.nbytes}}"
                )
            received[:] = result
        finally:
            source.freebuffer()
            result.freebuffer()
'''


CONNECTION = '''\
    def __init__(self, mmio, timeout=1.0):
        self._mmio, self._timeout = mmio, timeout
        found = mmio.read(ID), mmio.read(HASH)
        if found != ({identity_value:#x}, {hash_value:#x}):
            raise ValueError(
                f"{name}: the registers ID and HASH hold {{found[0]:#x}} and {{found[1]:#x}}, "
                "not those of this build"
            )

    @classmethod
    def load(cls, bitfile, ip="{name}_axi_lite_0", **options):
        """Program the fabric with a bitstream, and take the registers of its block `ip`."""
        block = Overlay(bitfile).ip_dict[ip]
        return cls(MMIO(block["phys_addr"], block["addr_range"]), **options)
'''
"""Methods of a driver's class that compare the registers with those of the build."""

_REGISTERS = (
    '''\
"""Runs {name} on a PYNQ board: single samples through the registers of {name}_axi_lite.

    from {name}_pynq import Network

    network = Network.load("design.bit", "{name}_axi_lite_0")
    y = network.predict(x)                  # as {name}_emulator.predict, bit for bit

It needs {name}_codec.py beside this file.
"""

import sys
import time
from pathlib import Path

import numpy as np
from pynq import MMIO, Overlay

sys.path.insert(0, str(Path(__file__).resolve().parent))

import {name}_codec as codec  # noqa: E402

# Offsets in bytes.
ID, HASH, CONTROL, STATUS = {identity}, {hash}, {control}, {status}
# Registers of each port, the lowest bits first.
INPUT_REGISTERS = [
{inputs_rows}
]
OUTPUT_REGISTERS = [
{outputs_rows}
]
START, DONE = 1, 2  # bits of CONTROL and STATUS


class Network:
    """The network in the fabric, behind registers.

    Parameters
    ----------
    mmio : the registers, of the class `pynq.MMIO`.
    timeout : seconds that a sample may take.

    Raises
    ------
    ValueError : these are not the registers of this build.
    """

'''
    + CONNECTION
    + '''\

@predict@    def run_codes(self, codes):
        """Output codes (samples, {outputs}), int64, of input codes (samples, {inputs}).

        Raises
        ------
        ValueError : wrong shape.
        TimeoutError : the hardware is not done in time.
        """
        codes = np.asarray(codes)
        if codes.ndim == 0 or codes.shape[-1] != {inputs}:
            raise ValueError(f"expected {inputs} codes a sample, got shape {{codes.shape}}")
        rows = [self._sample(row) for row in codes.reshape(-1, {inputs}).tolist()]
        return np.array(rows, dtype=np.int64).reshape(*codes.shape[:-1], {outputs})

    def _sample(self, codes):
        for code, offsets in zip(codes, INPUT_REGISTERS, strict=True):
            for word, offset in enumerate(offsets):
                self._mmio.write(offset, code >> 32 * word & 0xFFFFFFFF)
        self._mmio.write(CONTROL, START)
        end = time.monotonic() + self._timeout
        while not self._mmio.read(STATUS) & DONE:
            if time.monotonic() > end:
                raise TimeoutError(f"{name}: not done after {{self._timeout}} s")
        return [self._output(*each) for each in zip(OUTPUT_REGISTERS, codec.OUTPUTS, strict=True)]

    def _output(self, offsets, port):
        bits = sum(self._mmio.read(offset) << 32 * word for word, offset in enumerate(offsets))
        negative = port[2] < 0 and bits >> (32 * len(offsets) - 1)
        return bits - (1 << 32 * len(offsets)) if negative else bits
'''
)


def stream_driver(interface: Interface, bus: tuple[BusBytes, BusBytes]) -> str:
    """The text of NAME_pynq.py for AXI4-Stream.

    Parameters
    ----------
    bus : bytes on AXI4-Stream of input and output samples.
    """
    return _STREAM.replace("@predict@", _PREDICT).format(
        name=interface.name,
        inputs=len(interface.inputs),
        outputs=len(interface.outputs),
        input_bytes=bus[0].size,
        output_bytes=bus[1].size,
    )


def register_driver(interface: Interface, registers: DriverRegisters) -> str:
    """The text of NAME_pynq.py for AXI4-Lite."""
    return _REGISTERS.replace("@predict@", _PREDICT).format(
        name=interface.name,
        inputs=len(interface.inputs),
        outputs=len(interface.outputs),
        identity=registers.identity,
        identity_value=registers.identity_value,
        hash=registers.hash,
        hash_value=registers.hash_value,
        control=registers.control,
        status=registers.status,
        inputs_rows=_rows(registers.inputs),
        outputs_rows=_rows(registers.outputs),
    )


def _rows(ports: Sequence[tuple[int, ...]]) -> str:
    return "\n".join(f"    {offsets}," for offsets in ports)
